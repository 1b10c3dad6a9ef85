/* Causal attention of many sequences at once, with keys and values in pages (Kwon 2023): what its
 * files share. One call is a paged_job; paged_plan.c reads and cuts it, paged_cache.c writes keys
 * and values into pages and brings them back, paged_late.c writes those of prompts, paged_few.c and
 * paged_many.c compute a tile, paged.c runs it. Operands, rows and vector code are those of flash.h
 * where they can be.
 *
 * The bits of a row depend on its query, on the keys and values of its sequence, on its position
 * and on the node alone: not on other sequences, on the rows beside it, on threads or on pages. So
 * a sequence may be computed in chunks, again, or behind a prefix that others share, and gives the
 * same. For that all paths compute one expression:
 * - Keys are cut into tiles of a fixed size, from key 0 of the sequence on.
 * - A score is one chain of multiply-adds over the channels in order.
 * - A tile has its own largest score; its weights are summed in one sum a lane, by the key's place
 *   in the tile, then over the lanes in order; its values are one chain over the keys in order.
 * - Tiles are joined in order. A tile without visible keys changes nothing when it is joined.
 *
 * Rows of a sequence are token * group + head of the group, as in flash.h. Some rows of a key head,
 * or few rows of several, are a strip; some tiles of a strip are a piece, a thread's work. The
 * first piece of a strip joins its tiles as it goes; others leave theirs as parts, which are joined
 * in order by whoever ends the strip. */
#ifndef CPU_PAGED_H
#define CPU_PAGED_H

#include <stdatomic.h>

#include "flash.h"

/* ---- Vector code ---------------------------------------------------------------------------- */

/* Numbers as they lie in pages. */
enum { PAGED_F32, PAGED_BF16, PAGED_F16, PAGED_I8, PAGED_TYPES };

/* Bytes of a line of the caches, and of what few rows turn at once. */
enum { PAGED_LINE = 64, PAGED_CHUNK = 16 };

enum {
    PAGED_KEYS = 16, /* keys of a run, at most; a multiple of all vectors */
    PAGED_GROUP = 4, /* keys of a tile for panels that lie side by side */
    PAGED_MORE = 32  /* rows of a table behind the end */
};

/* Rows of a key head that lie side by side: keys, or values, of a page. */
typedef struct cpu_page_run {
    const char *at;
    const char *next;    /* what is asked for meanwhile, row by row */
    const float *scales; /* of int8, one a row */
    size_t keys;
    size_t row, key; /* the first query row of its head, and the place of its keys among scores */
} cpu_page_run;

/* Keys, or values, of a tile for panels: rows of float32 anywhere. PAGED_GROUP keys, from the first
 * one on, are `step` floats apart. The table goes on behind the end, with rows that are asked for
 * by the way. */
typedef struct cpu_paged_tile {
    const float *const *rows; /* of each key */
    const float *const *next; /* what panels of one vector ask for meanwhile, as many rows */
    const float *scales;      /* of int8, one a row, or NULL */
    size_t step;
    size_t keys, more; /* behind `keys` that all rows have come `more` for the last vector alone */
    size_t place;      /* of the first key among PAGED_KEYS */
} cpu_paged_tile;

/* The largest scores of a tile, which become what weights are relative to; and what is multiplied
 * when the tile is joined: what was there with alpha, the tile with beta. */
typedef struct cpu_paged_rise {
    float base[FLASH_ROWS], alpha[FLASH_ROWS], beta[FLASH_ROWS];
    int32_t there; /* -1; or 0: nothing was there, whatever the memory has */
} cpu_paged_rise;

/* Keys of few rows are given as runs, of any heads in any order, but values of a head in that of
 * its keys. Numbers of int8 are without their scales: scores are multiplied with those of keys, and
 * weights with those of values. */
struct cpu_paged_lanes {
    /* Few rows of each head, vectors along the keys: s[row][key] of runs of PAGED_KEYS keys at
     * most. d is in whole vectors, and so are cols. NULL: not of pages of that type. */
    void (*few_scores[PAGED_TYPES])(float *s, size_t s_row, const cpu_page_run *k, size_t runs,
                                    const float *q, size_t d, size_t rows);
    void (*few_values[PAGED_TYPES])(float *o, const cpu_page_run *v, size_t runs, size_t cols,
                                    const float *p, size_t p_row, size_t rows);
    void (*few_scale)(float *s, size_t s_row, const cpu_page_run *k, size_t runs, size_t rows);
    /* As rows of float32; whole vectors of cols. */
    void (*widen[PAGED_TYPES])(float *to, size_t wide, const cpu_page_run *x, size_t cols);
    /* Scores of whole vectors become weights; returns their sum. */
    float (*few_weigh)(float *s, size_t keys, float *top);
    void (*few_join)(float *o, float *top, float *sum, const float *o2, float top2, float sum2,
                     size_t cols);
    /* Panels, one row a lane. `most` is the largest score of each row. */
    void (*scores)(float *s, const cpu_paged_tile *k, const float *q, size_t d, size_t vectors,
                   float *most);
    void (*rise)(cpu_paged_rise *r, float *top, size_t vectors);
    /* s are scores, and become weights. */
    void (*values)(float *o, const cpu_paged_tile *v, size_t cols, float *s,
                   const cpu_paged_rise *r, float *sum, size_t vectors);
    /* The same, where hidden values may be no numbers: only keys in [low, high) of a row. */
    void (*values_apart)(float *o, const cpu_paged_tile *v, size_t cols, float *s,
                         const cpu_paged_rise *r, float *sum, size_t vectors, const int32_t *low,
                         const int32_t *high, int32_t first);
    void (*join)(float *o, float *top, float *sum, const float *o2, const float *top2,
                 const float *sum2, size_t cols, size_t vectors);
    /* A row into pages, past the caches; and until other threads see all such rows. */
    void (*stream)(float *to, const float *from, size_t n);
    void (*settle)(void);
    /* x to int8, returns its scale; and back without it. */
    float (*narrow8)(int8_t *to, const float *x, size_t n);
    void (*widen8)(float *to, const int8_t *x, size_t n);
};

/* ---- A call --------------------------------------------------------------------------------- */

enum {
    PAGED_FEW = 8,     /* so many rows of a key head have vectors along the keys */
    PAGED_LOT = 64,    /* rows of a strip of few */
    PAGED_BLOCK = 128, /* rows of another strip */
    PAGED_LEAST = 8,   /* tokens of pages that are read where they lie */
    PAGED_RUNS = FLASH_TILE / PAGED_LEAST + 2 /* of a tile */
};

typedef struct paged_rules {
    const cpu_lanes *lanes;
    double scale;
    float cap;
    int64_t left;    /* negative: no window */
    bool by_key;     /* the bias */
    int place[4][4]; /* of q, k, v, y, as in flash.h */
    size_t slots;    /* threads that work at once, at most: workspace has room for them */
} paged_rules;

/* The pages of keys or of values. */
typedef struct paged_pages {
    char *data;
    float *scales; /* NULL: not int8 */
    heed_dtype dtype;
    size_t bytes; /* of an element */
    size_t count, size, heads, d;
    size_t wide;              /* d in whole vectors */
    unsigned kind;            /* PAGED_F32 and so on */
    bool few_well, many_well; /* few rows, or many, read it where it is */
    cpu_map *widen, *narrow;  /* NULL: float32, or int8 */
} paged_pages;

typedef struct paged_sequence {
    size_t first, fresh, past; /* its first token in the call, how many, and tokens before */
    size_t late;               /* from this one on they are written late, see paged_late.c */
} paged_sequence;

typedef struct paged_strip {
    uint32_t sequence, head, heads; /* key heads */
    uint32_t first, rows;           /* of each head */
    uint32_t vectors;               /* of a panel, at most; 0: few rows */
    uint32_t begin, end;            /* tiles */
    uint32_t joined;                /* the end of the first piece */
    size_t part;                    /* its first part, in floats */
    atomic_uint left;               /* pieces that are not done */
} paged_strip;

typedef struct paged_piece {
    uint32_t strip, begin, end; /* tiles */
} paged_piece;

typedef struct paged_job {
    const cpu_lanes *lanes;
    const cpu_flash_lanes *f;
    const cpu_paged_lanes *p;
    const paged_rules *rules;
    flash_operand q, k, v, y;
    paged_pages keys, values;
    bool late; /* some tokens are written late */
    const DLTensor *starts, *past, *table, *sinks, *bias;
    cpu_map *widen_bias, *widen_sinks;
    float scale;
    size_t tokens, sequences, width; /* of the table */
    size_t kv_heads, group, d, dv, tile;

    /* Sizes of workspace, from shapes alone. */
    size_t most_strips, most_pieces, part_floats, slots, slot_floats;

    /* The plan, in workspace. */
    paged_sequence *sequence;
    paged_strip *strip;
    paged_piece *piece;
    float *parts, *slot;
    size_t n_strips, n_pieces;
    size_t ready, threads; /* that there are in this call; that it is worth */
} paged_job;

/* The largest score, sum of weights and sums of values of some rows, one after the other in
 * memory: o [rows][wide] of few rows, [dv][rows] of panels. */
typedef struct paged_state {
    float *o, *top, *sum;
} paged_state;

/* The memory of one thread. */
typedef struct paged_slot {
    float *q, *state, *s, *keys, *values, *scales, *lines;
} paged_slot;

/* What rows see of the keys. */
typedef struct paged_range {
    size_t low, high;
} paged_range;

/* ---- paged_plan.c --------------------------------------------------------------------------- */

/* Reads shapes and sizes everything. */
heed_status paged_measure(paged_job *job, const paged_rules *rules, const heed_call *call,
                          uint64_t *bytes);
/* Reads the numbers of a call, and cuts it. */
heed_status paged_plan(paged_job *job, void *workspace);
paged_slot paged_slot_at(const paged_job *job, size_t i);

/* By the token of the sequence in the call, or by the row of a key head. */
static inline paged_range paged_range_at(const paged_job *job, const paged_sequence *s,
                                         size_t token)
{
    size_t at = s->past + token, left = (size_t)job->rules->left;
    bool all = job->rules->left < 0 || left >= at;
    return (paged_range){all ? 0 : at - left, at + 1};
}

static inline paged_range paged_range_of(const paged_job *job, const paged_sequence *s, size_t row)
{
    return paged_range_at(job, s, row / job->group);
}

/* Floats of the state of a panel, at most, and of a strip. */
static inline size_t paged_panel_floats(const paged_job *job, const paged_strip *s)
{
    return (job->dv + 2) * s->vectors * job->f->lanes;
}

static inline size_t paged_panels(const paged_job *job, const paged_strip *s)
{
    size_t height = s->vectors * job->f->lanes;
    return (s->rows + height - 1) / height;
}

static inline size_t paged_state_floats(const paged_job *job, const paged_strip *s)
{
    if (s->vectors)
        return paged_panels(job, s) * paged_panel_floats(job, s);
    return flash_round(s->heads * s->rows * (job->values.wide + 2), 16);
}

/* ---- paged_cache.c -------------------------------------------------------------------------- */

/* Keys and values of tokens [first, last) into their pages. */
void paged_write(const paged_job *job, const paged_slot *slot, size_t first, size_t last);
/* The row of all pages that has key `key` of a sequence, for one head. */
size_t paged_row(const paged_job *job, size_t sequence, const paged_pages *p, size_t head,
                 size_t key);
/* Where keys [first, last) of a sequence lie, in rows of the pages for head 0: at most `most` runs
 * of PAGED_KEYS at most. Returns how many. */
typedef struct paged_place {
    size_t row, keys;
} paged_place;
size_t paged_find(const paged_job *job, size_t sequence, size_t first, size_t last, paged_place *to,
                  size_t most);
/* Where the rows of a head are. */
cpu_page_run paged_run_at(const paged_pages *p, const paged_place *place, size_t head);
/* Keys [first, last) of a head, as rows of `wide` floats; what is behind d is 0. Scales of int8 are
 * copied to `scales`. */
void paged_bring(const paged_job *job, const paged_pages *p, size_t sequence, size_t head,
                 size_t first, size_t last, float *to, size_t wide, float *scales);
/* What is added to n scores of a query head at a position, from key `first` on. */
void paged_bias(const paged_job *job, size_t head, size_t at, size_t first, size_t n, float *to);

/* ---- paged_few.c, paged_many.c -------------------------------------------------------------- */

/* Tokens of a strip that are written late. */
typedef struct paged_late {
    size_t next, end, share;
} paged_late;

/* Of a strip: two vectors have 8 rows at least. */
enum { PAGED_PANELS = PAGED_BLOCK / 8 };

/* Rows of a strip that are one a lane. */
typedef struct paged_panel {
    float *q;
    int32_t *low, *high; /* what each row sees */
    paged_state state;
    size_t first, rows, height; /* rows of the head */
    size_t vectors;             /* of its height: 1 for the last panel if that has room for them */
    paged_range any, all;       /* keys that some row sees, and that all do */
    size_t near;                /* behind it no row of the first vector sees any */
    bool empty;                 /* no tile was joined; sums are not written yet */
} paged_panel;

/* A strip that a thread is at. */
typedef struct paged_work {
    const paged_job *job;
    const paged_slot *slot;
    const paged_strip *strip;
    const paged_sequence *sequence;
    paged_late *late;
    paged_panel *panel; /* of many rows */
} paged_work;

/* Brings the queries of a strip. */
void paged_few_start(const paged_work *w);
void paged_many_start(const paged_work *w);
/* Clears its state. */
void paged_many_clear(const paged_work *w);
/* Joins one tile. */
void paged_few_tile(const paged_work *w, size_t tile);
void paged_many_tile(const paged_work *w, size_t tile);
/* The state becomes a part. */
void paged_many_keep(const paged_work *w, float *part);
/* Joins a part. */
void paged_few_join(const paged_work *w, const float *part);
void paged_many_join(const paged_work *w, const float *part);
/* Divides, and stores the rows. */
void paged_few_finish(const paged_work *w);
void paged_many_finish(const paged_work *w);

/* ---- paged_late.c --------------------------------------------------------------------------- */

/* Which tokens are written late: whole tiles of keys of a prompt, whose pages nobody reads. */
void paged_find_late(paged_job *job);
/* A new key or value of a token of the call that is read where it lies. */
static inline const float *paged_own_row(const flash_operand *o, size_t head, size_t token)
{
    size_t at = head * o->step[FLASH_H] + token * o->step[FLASH_S];
    return (const float *)(const void *)o->data + at;
}
/* Those of the strip's rows, to be written in so many shares; and what is left at the end. */
paged_late paged_late_of(const paged_work *w, size_t shares);
void paged_write_share(const paged_work *w);
void paged_write_rest(const paged_work *w);

/* ---- paged.c --------------------------------------------------------------------------------- */

void paged_attend(paged_job *job);
/* What a row's sums are multiplied with at the end; without a sink that is the inverse. */
static inline float paged_inverse(float sum) { return sum == 0.0f ? 0.0f : 1.0f / sum; }
float paged_factor(const paged_job *job, size_t head, float top, float sum);

#endif
