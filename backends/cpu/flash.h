/* Attention without the matrix of scores (Dao 2022): what its files share. One call is a
 * flash_job; flash_plan.c sizes its tiles, flash_load.c brings operands into tiles and results out
 * of them, flash_mask.c knows who is visible and what may be skipped, flash_cover.c applies masks
 * and biases, flash_step.c computes a tile for a panel, flash.c all of them.
 *
 * The query heads that share a key head are rows of one matrix: row r is query r / group of head
 * r % group, so that keys and values are read once for all of them. Rows are cut into panels of one
 * or two vectors, panels into pieces for a thread; keys are cut into tiles. */
#ifndef CPU_FLASH_H
#define CPU_FLASH_H

#include <stdatomic.h>

#include "cpu.h"
#include "half.h"

/* ---- Vector code ---------------------------------------------------------------------------- */

/* `vectors` is 1 or 2: a panel has so many vectors of rows. Behind `keys` that all of them see come
 * `more` for the last vector alone. `most` is the largest score of each row. */
struct cpu_flash_lanes {
    size_t lanes; /* of a vector */
    void (*scores)(float *s, const float *k, size_t k_row, size_t keys, size_t more, const float *q,
                   size_t d, size_t vectors, float *most);
    void (*tops)(float *most, const float *s, size_t keys, size_t more, size_t vectors);
    void (*rise)(float *most, float *top, float *sum, float *alpha, size_t vectors);
    void (*values)(float *o, const float *v, size_t v_row, size_t cols, float *s, size_t keys,
                   size_t more, const float *alpha, const float *base, float *sum, size_t vectors);
    void (*join)(float *o, float *top, float *sum, const float *o2, const float *top2,
                 const float *sum2, size_t cols, size_t vectors);
    void (*few_scores)(float *s, size_t s_row, const float *k, size_t k_row, size_t keys,
                       const float *q, size_t d, size_t rows);
    void (*few_values)(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                       size_t p_row, size_t keys, const float *alpha, size_t rows);
    void (*few_weigh)(float *s, size_t s_row, size_t keys, float *top, float *sum, float *alpha,
                      size_t rows);
    void (*few_join)(float *o, float *top, float *sum, const float *o2, const float *top2,
                     const float *sum2, size_t cols, size_t rows);
    void (*cap)(float *s, size_t n, float cap);
    void (*turn)(float *to, size_t to_row, const float *from, size_t from_row, size_t rows,
                 size_t cols);
    void (*gather)(float *to, const float *const *from, size_t cols, float scale, size_t vectors);
    void (*scatter)(float *const *to, const float *from, size_t cols, const float *factor,
                    size_t vectors);
    void (*add)(float *x, const float *const *from, size_t keys, size_t vectors);
    void (*multiply)(float *x, const float *const *from, size_t keys, size_t vectors);
    void (*add_alike)(float *x, const float *from, size_t keys, size_t vectors);
    void (*row_add)(float *x, const float *y, size_t n);
    void (*row_multiply)(float *x, const float *y, size_t n);
    void (*row_mask)(float *x, const uint8_t *mask, size_t n, float fill);
    void (*hide)(float *x, size_t keys, size_t vectors, const int32_t *low, const int32_t *high,
                 int32_t first, float fill);
    void (*mask_row)(uint32_t *bits, const uint8_t *mask, size_t n, unsigned row);
    void (*mask)(float *x, const uint32_t *bits, size_t keys, size_t vectors, float fill);
    void (*mask_alike)(float *x, const uint8_t *mask, size_t keys, size_t vectors, float fill);
    void (*mask_join)(const uint32_t *bits, size_t n, uint32_t rows, uint8_t *shown,
                      uint32_t lacks[2]);
    void (*range)(const float *x, size_t n, float range[2]);
    uint32_t (*peak32)(const void *x, size_t n);
    uint32_t (*peak16)(const void *x, size_t n);
};

/* ---- A call --------------------------------------------------------------------------------- */

enum { FLASH_B, FLASH_H, FLASH_S, FLASH_D }; /* the axes, and the order of step[] below */

/* What a row without a visible key gives. */
enum { FLASH_ZERO, FLASH_NAN, FLASH_GUARD, FLASH_SHARE };

/* At most: rows of a panel, keys of a tile, slots of a call. */
enum { FLASH_ROWS = 32, FLASH_TILE = 256, FLASH_SLOTS = 256 };

/* Floats of a slot that a thread has on its stack, so that small calls need no workspace. */
enum { FLASH_STACK = 16384 };

/* e^-x is 0 in float32 from here on. */
#define FLASH_FAR_ABOVE 110.0f

/* The node: the same for all calls. */
typedef struct flash_rules {
    const cpu_lanes *lanes;
    const cpu_flash_brain *brain; /* NULL: products are done in float32 */
    double scale;
    float cap, fill;
    float least, most; /* of the scores */
    bool infinite;     /* the fill, as the node has it */
    bool fill_first;   /* a finite fill, to which the bias is added */
    bool adds_fill;    /* hidden scores get the fill by adding it */
    bool zeroes;       /* ... by adding it to 0 times the score */
    bool sums;         /* ... together with the bias: score + (bias + fill) */
    bool relative;     /* the bias goes by distance */
    int64_t left, right;
    unsigned empty;
    int place[4][4]; /* of q, k, v, y: which axis of the tensor is b, h, s, d */
    size_t slots;    /* threads that work at once, at most */
} flash_rules;

/* q, k, v or y. */
typedef struct flash_operand {
    char *data;
    heed_dtype dtype;
    size_t bytes;    /* of an element */
    size_t dims[4];  /* b, h, s, d */
    size_t step[4];  /* elements from one to the next */
    size_t share;    /* of k and v: so many heads of flash_job's read one of these */
    cpu_map *widen;  /* NULL: float32 */
    cpu_map *narrow; /* the same, back */
} flash_operand;

/* A bias or a mask, which broadcasts to [b, h, s, keys]. */
typedef struct flash_cover {
    const char *data; /* NULL: there is none */
    heed_dtype dtype;
    size_t bytes;
    size_t step[3];  /* b, h, s; 0 where it repeats */
    size_t period;   /* sequences after which it begins again; 0: it has all, or one */
    size_t keys;     /* from here on keys are invisible */
    bool single;     /* one number for all */
    bool alike;      /* all rows of a group see the same */
    bool relative;   /* one row for all distances: `data` is that of query 0 */
    cpu_map *widen;  /* of a float16 or bfloat16 bias */
    cpu_map *narrow; /* to the type of the scores, where it is another */
} flash_cover;

/* What was found out about the numbers of a tile of keys, see flash_mask.c. */
typedef struct flash_known {
    atomic_uchar v, k;
} flash_known;

/* What a slot consists of, see flash_slot. */
enum {
    FLASH_PANELS,
    FLASH_SCORES,
    FLASH_BIAS,
    FLASH_FACTOR,
    FLASH_MARKS,
    FLASH_BITS,
    FLASH_LINES,
    FLASH_KEYS,
    FLASH_VALUES,
    FLASH_ROOMS
};

typedef struct flash_job {
    const cpu_lanes *lanes;
    const cpu_flash_lanes *f;
    const cpu_flash_brain *brain; /* queries, keys and values are bfloat16 in tiles as well */
    const flash_rules *rules;
    flash_operand q, k, v, y;
    flash_cover bias, more, mask, factor; /* more: added to the bias */
    const DLTensor *lengths, *offsets, *sinks;
    cpu_map *widen, *narrow; /* of the sinks, and of scores that a bias was added to */
    float scale, fill;       /* the fill as the type of the scores has it */
    /* kv_heads: pairs of a key head and a value head; group: query heads of one. */
    size_t batch, kv_heads, group, queries, keys, d, dv;
    bool adds;   /* the bias is added */
    bool folds;  /* ... and says all about visibility as well: hidden keys get -infinity */
    bool late;   /* ... behind the fill */
    bool hides;  /* some keys may be hidden, or weigh nothing, and so skipped */
    bool touchy; /* a hidden key's score is added to, so that a NaN shows */

    /* The plan: shapes alone decide. */
    size_t rows;    /* group * queries */
    size_t vectors; /* of a panel */
    size_t height;  /* rows of a panel */
    bool few;       /* vectors along the channels, see lanes/flash_few.h */
    size_t panels;  /* of a piece */
    size_t blocks;  /* pieces down the rows */
    size_t tile, tiles;
    size_t splits, split_tiles; /* pieces along the keys, tiles of one */
    size_t pad_d, pad_dv;       /* padded row lengths */
    size_t slots;
    bool on_stack;                         /* slots are no workspace */
    size_t panel_floats, part_floats;      /* workspace of a panel, of a partial result */
    size_t room[FLASH_ROOMS], slot_floats; /* of a slot */

    /* Workspace. */
    float lift;         /* the largest bias that is added to the fill */
    flash_known *known; /* of each tile of keys */
    float *parts, *slot;
} flash_job;

/* Some rows under way. */
typedef struct flash_panel {
    float *q, *o, *top, *sum, *alpha;
    int32_t *low, *high; /* of each row: visible keys by range */
    size_t b, h;         /* sequence, key head */
    size_t first, rows;
    size_t begin, end;         /* keys that some row sees by range */
    size_t near_end;           /* ... of the first vector of rows */
    size_t all_begin, all_end; /* keys that all rows see by range */
    size_t last;               /* keys behind it are not read */
    size_t done;               /* keys that were computed */
    float skipped;             /* no score is larger that was skipped because of its bias */
    unsigned size;             /* of the queries, see flash_mask.c; 0: nobody asked */
    bool full;                 /* hidden keys are computed as well */
} flash_panel;

/* A tile of a bias or a factor, row by row, where it lies or widened. */
typedef struct flash_floats {
    const float *at[FLASH_ROWS];
    float *own; /* memory for FLASH_ROWS of them */
    bool used;
    bool alike; /* all rows are one */
} flash_floats;

typedef struct flash_marks {
    const uint8_t *at[FLASH_ROWS];
    uint8_t *own;
    uint32_t *room, *bits; /* of each key of a tile: bit r is row r; unless rows are alike */
    bool used;             /* something is hidden */
    bool alike;
} flash_marks;

/* The tile memory of one thread. */
typedef struct flash_slot {
    float *panels, *s, *rows, *k_tile, *v_tile;
    const float *k, *v; /* the tile at hand */
    const uint16_t *brain_k, *brain_v;
    size_t k_row, v_row;
    size_t held, held_end; /* one more than the number of that tile, 0: none; its end */
    size_t s_row;          /* of scores by row, for few of them */
    flash_floats bias, factor;
    flash_marks marks;
} flash_slot;

/* ---- flash_plan.c --------------------------------------------------------------------------- */

/* A tensor whose axes are b, h, s, d in the order of `place`. */
heed_status flash_read_operand(flash_operand *o, const cpu_lanes *lanes, const DLTensor *t,
                               const int place[4]);
/* Checks the shapes of a call and sizes everything; `bytes` is the workspace that it needs. */
heed_status flash_plan(flash_job *job, const flash_rules *rules, const heed_call *call,
                       uint64_t *bytes);
void flash_take_workspace(flash_job *job, void *workspace);
/* A slot in its memory: that of the workspace, or another of job->slot_floats. */
flash_slot flash_slot_at(const flash_job *job, size_t i);
flash_slot flash_slot_in(const flash_job *job, float *memory);

/* Extents of [b, h, s, d] of an operand. */
static inline size_t flash_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t flash_max(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t flash_round(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* The key or value head of pair h. */
static inline size_t flash_head(const flash_operand *o, size_t h)
{
    return o->share == 1 ? h : h / o->share;
}
/* Sequence b of a bias or a mask. */
static inline size_t flash_sequence(const flash_cover *c, size_t b)
{
    return c->period ? b % c->period : b;
}

/* ---- flash_load.c --------------------------------------------------------------------------- */

/* Rows of keys or values can be used where they are; shapes alone decide. */
bool flash_lies_well(const flash_job *job, const flash_operand *o, size_t wide);
void flash_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p);
void flash_load_keys(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                     size_t n);
void flash_load_values(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                       size_t n);
/* The channels of one query, key or value. */
void flash_load_row(const flash_operand *o, float *to, size_t b, size_t h, size_t s);
/* The way back. */
void flash_write_row(const flash_operand *o, const float *from, size_t b, size_t h, size_t s);
/* The results of a panel, each row times a factor. */
void flash_store(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                 const float *factor);
/* One row of results as it is. */
void flash_store_row(const flash_job *job, const float *from, size_t b, size_t h, size_t s);

/* ---- flash_mask.c --------------------------------------------------------------------------- */

/* Which keys each row sees by causality, windows and lengths. */
void flash_find_ranges(const flash_job *job, flash_panel *p);
/* The largest magnitude of some numbers, as a power of two. */
enum { FLASH_TAME = 176 }; /* products of two sizes below 1e15, summed, stay finite */
unsigned flash_size_of(const flash_job *job, const float *x, size_t n);
/* Hidden keys of a tile do not show: they may be skipped. */
bool flash_may_skip(const flash_job *job, flash_panel *p, size_t tile);
/* The same, and a score that they have is noted. */
bool flash_skips(const flash_job *job, flash_panel *p, size_t tile);
/* No score of a tile is larger, nor its negative; infinity when that is not known. */
float flash_bound(const flash_job *job, flash_panel *p, size_t tile);

/* ---- flash_cover.c -------------------------------------------------------------------------- */

void flash_find_lift(flash_job *job);
/* Brings masks and biases for keys [part[0], part[1]) of a tile, and leaves out those at both ends
 * that masks hide from all rows; false when nothing is left, or nothing that has a weight. */
bool flash_load_cover(const flash_job *job, flash_slot *slot, flash_panel *p, size_t tile,
                      size_t part[2]);
/* Factor, bias and masks on the scores of the slot. */
void flash_apply_cover(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t first,
                       size_t n);
/* Is there a key that row r sees? */
bool flash_sees(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t r);

/* ---- flash_step.c --------------------------------------------------------------------------- */

/* Keys [part[0], part[1]) of a tile for a panel. */
void flash_step(const flash_job *job, flash_slot *slot, flash_panel *p, size_t tile,
                const size_t part[2]);
/* What is done to scores before masks: a soft bound, or a hard one. NaN stays. */
void flash_limit(const flash_job *job, float *s, size_t n);

/* ---- flash.c -------------------------------------------------------------------------------- */

void flash_run(flash_job *job);

#endif
