/* Attention with its scores in memory, the classical way (Vaswani 2017): all scores of a head, then
 * the masks, then one softmax over whole rows, then the product with the values. What its files
 * share: scores_plan.c sizes a call, scores_load.c brings operands into matrices, scores_row.c
 * masks and weighs a row, scores.c puts the steps in order.
 *
 * An entry is a query head, or, stacked, the query heads that share a key head: row r is query
 * r % queries of head r / queries of the group. Entries are worked on in boxes of some heads of
 * some sequences, as many as keep all threads busy and no more. */
#ifndef CPU_SCORES_H
#define CPU_SCORES_H

#include "flash.h"

/* The node: the same for all calls. */
typedef struct scores_rules {
    flash_rules rules;
    bool stacked;
    int64_t stage; /* of the scores in output 1 */
    cpu_zip *add, *multiply;
    const cpu_fold_row *max;
} scores_rules;

typedef struct scores_job {
    const scores_rules *rules;
    flash_job in; /* the call as it was read; nothing of its tiles is used */
    bool stacked;
    size_t heads, group; /* entries of a sequence, query heads of one */
    size_t rows;         /* of an entry */
    size_t box;          /* entries at once */
    bool by_sequence;    /* no two sequences in a box: they have lengths of their own */
    bool few;            /* scores by rows of keys, see lanes/flash_few.h */
    bool all_scores;     /* also those that no weight is made of */
    bool q_lies, k_lies, v_lies, y_lies; /* products read and write the tensor itself */
    bool s_lies;                         /* weights are made in output 1 */
    bool plain;                          /* rows of scores are weighed and that is all */
    bool may_empty;
    bool folds;    /* the fill is added: one tensor says bias and mask */
    size_t depth;  /* length of a row of q and of few k */
    char *kept;    /* output 1 */
    int64_t stage; /* what it shows */

    /* Workspace, and the box at hand. */
    float *q, *k, *v, *s, *y;
    uint8_t *emptied;      /* of each row, see below */
    size_t b, batch, h, n; /* the first sequence and how many, the first entry and how many */
    size_t keys, wide;     /* that count, and for which there are scores */
} scores_job;

enum { SCORES_FULL, SCORES_ZERO, SCORES_NAN }; /* what a row gives, whatever the values are */

/* ---- scores_plan.c -------------------------------------------------------------------------- */

heed_status scores_plan(scores_job *job, const scores_rules *rules, const heed_call *call,
                        uint64_t *bytes);
void scores_take_workspace(scores_job *job, void *workspace);
/* The keys of a sequence that are looked at. */
size_t scores_keys(const scores_job *job, size_t b);

/* ---- scores_load.c -------------------------------------------------------------------------- */

/* The place of a row of the box. */
typedef struct scores_place {
    size_t b, head, query;
} scores_place;
scores_place scores_place_of(const scores_job *job, size_t row);

/* Key head of entry h. */
static inline size_t scores_key_head(const scores_job *job, size_t h)
{
    return job->stacked ? h : h / job->in.group;
}

void scores_load(const scores_job *job);
void scores_store(const scores_job *job);

/* ---- scores_row.c --------------------------------------------------------------------------- */

/* Masks and weighs rows [first, last) of the box. */
void scores_weigh(const void *job, size_t first, size_t last);

/* ---- scores.c ------------------------------------------------------------------------------- */

heed_status scores_run(scores_job *job);

#endif
