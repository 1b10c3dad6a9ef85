/* scheduler.h - which tokens of which sequences go through the decoder next.
 *
 * Each step takes one token of every sequence that generates, then parts of prompts in the order in
 * which the sequences came, up to a number of tokens (Yu 2022, Orca; chunked prefill: Agrawal 2024,
 * arXiv 2403.02310). Neither waits for the other. When pages run out, the youngest sequence gives
 * up its own, and comes back when there is room; the oldest always goes on. Used by one thread at a
 * time. */
#ifndef HEED_GENERATE_SCHEDULER_H
#define HEED_GENERATE_SCHEDULER_H

#include "generate/decoder.h"

/* Tokens in a row: a sequence has one, or one for each hypothesis of a beam search. */
typedef struct sched_lane {
    decoder_seq *held; /* NULL: no places */
    int32_t *tokens;   /* those without places are to be computed */
    size_t n_tokens, capacity;
    uint32_t count, wanted; /* of the step: tokens, and rows of logits */
    size_t row;             /* of the step's logits: the lane's first */
} sched_lane;

enum { SCHED_OUT, SCHED_WAITING, SCHED_RUNNING };
#define SCHED_NO_ROWS (SIZE_MAX / 2) /* rows_from: only the last token's */

typedef struct sched_job {
    struct sched_job *next, *before; /* in its list, the oldest first */
    sched_lane *lanes;
    uint32_t n_lanes, lane_capacity;
    int state;
    bool swapped;     /* waits with its content copied away */
    uint64_t arrival; /* lower is older; each has its own */
    decoder_side *side;
    size_t rows_from; /* logits are wanted of tokens from here on; of the last one always */
    uint64_t blocked; /* pages that were to be had when they did not suffice, + 1 */
    uint64_t shared;  /* tokens whose pages were there already */
    uint64_t n_preempted;
    heed_status failed; /* with error_text; scheduler_remove it */
    char error_text[256];
} sched_job;

typedef struct sched_list {
    sched_job *first, *last;
    size_t n;
} sched_list;

typedef struct sched_counts {
    uint64_t steps, computed, shared, preemptions, most_pages;
} sched_counts;

typedef struct scheduler {
    decoder *d;
    uint32_t step_tokens, max_running;
    bool swap;
    sched_list waiting, running;
    sched_job **batch; /* of the step, the oldest last token first */
    size_t n_batch, batch_capacity;
    sched_counts counts;
    struct sched_work *work; /* arrays of a step */
} scheduler;

heed_status scheduler_new(decoder *d, uint32_t step_tokens, uint32_t max_running, bool swap,
                          scheduler **out);
void scheduler_free(scheduler *s); /* jobs must have been removed */

/* A new lane of a job that waits, or is SCHED_OUT; `tokens` are copied. */
heed_status sched_job_add_lane(sched_job *job, const int32_t *tokens, size_t n);
heed_status sched_lane_append(sched_lane *lane, int32_t token);
/* Tokens that have their places, and those that have none yet. */
size_t sched_lane_length(const sched_lane *lane);
size_t sched_lane_left(const sched_lane *lane);
/* The tokens that lane i begins with as an earlier one does, but for its last; `from`: which one.
 */
size_t sched_lane_common(const sched_job *job, uint32_t i, uint32_t *from);
/* Lanes after the first that have no places become forks of earlier ones, as soon as these have
 * computed what both begin with. */
heed_status sched_job_branch(sched_job *job, decoder *d);
void sched_job_free_lanes(sched_job *job); /* without places: remove it first */

heed_status scheduler_add(scheduler *s, sched_job *job); /* to those that wait */
/* `job` has the tokens of `from`: it gets its places too, if it may run at once. */
void scheduler_fork(scheduler *s, const sched_job *from, sched_job *job);
/* Gives up its places; it is in no list then. */
void scheduler_remove(scheduler *s, sched_job *job);

/* One step. Afterwards s->batch holds the jobs that are to be looked at: those with lanes whose
 * `wanted` is not 0, and those that failed. *logits has their rows until the next step. An error
 * of the step is one of all jobs in it, and told by each. */
void scheduler_step(scheduler *s, float **logits);

#endif
