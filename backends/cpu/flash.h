/* Attention without the matrix of scores (Dao 2022): what its files share. One call is a
 * flash_job; flash_plan.c sizes its tiles, flash_load.c brings operands into tiles and results out
 * of them, flash_mask.c knows who is visible, flash.c computes.
 *
 * The query heads that share a key head are rows of one matrix: row r is query r / group of head
 * r % group, so that keys and values are read once for all of them. Rows are cut into panels of one
 * or two vectors, panels into pieces for a thread; keys are cut into tiles. */
#ifndef CPU_FLASH_H
#define CPU_FLASH_H

#include "cpu.h"
#include "half.h"

/* ---- Vector code ---------------------------------------------------------------------------- */

/* `vectors` is 1 or 2: a panel has so many vectors of rows. */
struct cpu_flash_lanes {
    size_t lanes; /* of a vector */
    void (*scores)(float *s, const float *k, size_t k_row, size_t keys, const float *q, size_t d,
                   size_t vectors);
    void (*values)(float *o, const float *v, size_t v_row, size_t cols, const float *p, size_t keys,
                   const float *alpha, size_t vectors);
    void (*few_scores)(float *s, size_t s_row, const float *k, size_t k_row, size_t keys,
                       const float *q, size_t d, size_t rows);
    void (*few_values)(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                       size_t p_row, size_t keys, const float *alpha, size_t rows);
    void (*few_weigh)(float *s, size_t s_row, size_t keys, float *top, float *sum, float *alpha,
                      size_t rows);
    void (*weigh)(float *s, size_t keys, float *top, float *sum, float *alpha, size_t vectors);
    void (*join)(float *o, float *top, float *sum, const float *o2, const float *top2,
                 const float *sum2, size_t cols, size_t vectors);
    void (*cap)(float *s, size_t n, float cap);
    void (*turn)(float *to, size_t to_row, const float *from, size_t from_row, size_t rows,
                 size_t cols);
    void (*spread)(float *x, const float *from, size_t keys, size_t vectors);
    void (*hide)(float *x, size_t keys, size_t vectors, const int32_t *low, const int32_t *high,
                 int32_t first, float fill, int32_t *seen);
    void (*mask)(float *x, const float *mask, size_t n, float fill);
    void (*add)(float *x, const float *y, size_t n);
    void (*multiply)(float *x, const float *y, size_t n);
    void (*note)(const float *x, size_t keys, size_t vectors, int bits, int32_t *seen);
    uint32_t (*peak32)(const void *x, size_t n);
    uint32_t (*peak16)(const void *x, size_t n);
};

/* ---- A call --------------------------------------------------------------------------------- */

enum { FLASH_B, FLASH_H, FLASH_S, FLASH_D }; /* the axes, and the order of step[] below */

enum { FLASH_ZERO, FLASH_NAN, FLASH_GUARD }; /* what a row without a visible key gives */

/* The node: the same for all calls. */
typedef struct flash_rules {
    const cpu_lanes *lanes;
    double scale;
    float cap, fill;
    float least, most; /* of the scores */
    bool infinite;     /* the fill, as the node has it */
    bool fill_first;   /* a finite fill, to which the bias is added */
    bool adds_fill;    /* hidden scores get the fill by adding it */
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
    cpu_map *widen;  /* NULL: float32 */
    cpu_map *narrow; /* the same, back */
} flash_operand;

/* A bias or a mask, which broadcasts to [b, h, s, keys]. */
typedef struct flash_cover {
    const char *data; /* NULL: there is none */
    heed_dtype dtype;
    size_t bytes;
    size_t step[3];  /* b, h, s; 0 where it repeats */
    size_t keys;     /* from here on keys are invisible */
    bool single;     /* one number for all */
    bool alike;      /* all rows of a group see the same */
    cpu_map *widen;  /* of a float16 or bfloat16 bias */
    cpu_map *narrow; /* to the type of the scores, where it is another */
} flash_cover;

typedef struct flash_job {
    const cpu_lanes *lanes;
    const cpu_flash_lanes *f;
    const flash_rules *rules;
    flash_operand q, k, v, y;
    flash_cover bias, mask, factor;
    const DLTensor *lengths, *offsets, *sinks;
    cpu_map *widen, *narrow; /* of the sinks, and of scores that a bias was added to */
    float scale, fill;       /* the fill as the type of the scores has it */
    size_t batch, kv_heads, group, queries, keys, d, dv;
    bool adds;   /* the bias is added */
    bool folds;  /* ... and says all about visibility as well: hidden keys get -infinity */
    bool late;   /* ... behind the fill */
    bool hides;  /* some keys may be hidden, and so skipped */
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
    size_t panel_floats, slot_floats,
        part_floats; /* workspace of a panel, a slot, a partial result */

    /* Workspace. */
    float lift;     /* the largest bias that is added to the fill */
    uint8_t *flags; /* of each tile of keys, see flash_mask.c; NULL: nothing is hidden */
    float *parts, *slot;
} flash_job;

/* Some rows under way. */
typedef struct flash_panel {
    float *q, *o, *top, *sum, *alpha;
    int32_t *low, *high, *seen; /* of each row: visible keys by range, and whether one was seen */
    size_t b, h;                /* sequence, key head */
    size_t first, rows;
    size_t begin, end;         /* keys that some row sees by range */
    size_t all_begin, all_end; /* keys that all rows see by range */
    size_t last;               /* keys behind it are not read */
    size_t done;               /* keys that were computed */
    bool tame;                 /* the queries are */
    bool full;                 /* hidden keys are computed as well */
} flash_panel;

/* The tile memory of one thread. */
typedef struct flash_slot {
    float *panels, *s, *few, *bias, *mask, *rows, *k_tile, *v_tile;
    const float *k, *v; /* the tile at hand */
    size_t k_row, v_row;
} flash_slot;

/* ---- flash_plan.c --------------------------------------------------------------------------- */

/* Checks the shapes of a call and sizes everything; `bytes` is the workspace that it needs. */
heed_status flash_plan(flash_job *job, const flash_rules *rules, const heed_call *call,
                       uint64_t *bytes);
void flash_take_workspace(flash_job *job, void *workspace);
flash_slot flash_slot_at(const flash_job *job, size_t i);

/* Extents of [b, h, s, d] of an operand. */
static inline size_t flash_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t flash_max(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t flash_round(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* ---- flash_load.c --------------------------------------------------------------------------- */

void flash_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p);
void flash_load_keys(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                     size_t n);
void flash_load_values(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                       size_t n);
/* A row of results, times a factor. */
void flash_store_row(const flash_job *job, float *from, float factor, size_t b, size_t h, size_t s);

/* ---- flash_mask.c --------------------------------------------------------------------------- */

/* What is known of the numbers of a tile of keys. */
enum { FLASH_WILD_V = 1, FLASH_WILD_K = 2 };
void flash_find_flags(flash_job *job);
void flash_find_lift(flash_job *job);
bool flash_tame_queries(const flash_job *job, const float *q, size_t n);

/* Which keys each row sees by causality, windows and lengths. */
void flash_find_ranges(const flash_job *job, flash_panel *p);
/* False: the masks hide all n keys from `first` on of all rows. */
bool flash_load_mask(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                     size_t first, size_t n);
/* No bias, no factor, and all keys are visible to all rows. */
bool flash_is_plain(const flash_job *job, const flash_panel *p, size_t first, size_t n);
/* Bias and masks on the scores of the slot. */
void flash_apply_mask(const flash_job *job, const flash_slot *slot, flash_panel *p, size_t first,
                      size_t n);

/* ---- flash.c -------------------------------------------------------------------------------- */

void flash_run(flash_job *job);

#endif
