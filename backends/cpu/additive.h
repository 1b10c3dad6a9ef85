/* heed.AdditiveAttention: what its files share. A call is an additive_job; additive_plan.c reads
 * and cuts it, additive_block.c computes a block of queries: scores against tiles of keys, a
 * softmax of each row, the product with the values. kernels/additive.c runs it.
 *
 * Memory holds a block's scores and one tile of keys for each thread, never Sq x Skv x D; small
 * calls have it on the stack. Halves are widened as they are loaded. The meaning is that of
 * core/ops/additive_attention.c. */
#ifndef CPU_ADDITIVE_H
#define CPU_ADDITIVE_H

#include <stdatomic.h>

#include "cpu.h"
#include "half.h"

enum { ADDITIVE_Q, ADDITIVE_K, ADDITIVE_V, ADDITIVE_W, ADDITIVE_BIAS, ADDITIVE_MASK, ADDITIVE_IN };
enum { ADDITIVE_B, ADDITIVE_H, ADDITIVE_S, ADDITIVE_D };

enum {
    ADDITIVE_ROWS = 32,     /* queries of a block */
    ADDITIVE_FEW = 2,       /* queries for which keys are not prepared */
    ADDITIVE_STEP = 16,     /* the width of a tile is a multiple of it */
    ADDITIVE_STACK = 12288, /* floats of a slot on the stack, at most */
};

typedef struct additive_rules {
    const cpu_lanes *lanes;
    int place[4][4];
    float scale, fill;
    bool late, guard;
    size_t slots;
    cpu_half half; /* of the tensors; NULLs for float32 */
    size_t bytes;  /* of an element */
} additive_rules;

typedef struct additive_operand {
    char *data;
    size_t dims[4], step[4];
} additive_operand;

/* A mask or a bias: steps of 0 repeat. */
typedef struct additive_cover {
    const char *data;
    size_t step[4];
} additive_cover;

typedef struct additive_job additive_job;
typedef struct additive_bench additive_bench;
typedef void additive_run(const additive_job *j, additive_bench *x, size_t n);

struct additive_job {
    const additive_rules *r;
    additive_operand o[3], y;
    additive_cover bias, mask;
    const char *w;
    size_t w_head;
    char *weights;     /* output 1, or NULL */
    size_t rows, tile; /* of a block, of keys */
    size_t d, blocks, pieces, slots, slot_floats;
    size_t cuts;       /* of the keys, where pieces are fewer than threads */
    float *slot, *all; /* the scores of all pieces, where there are cuts */
    bool on_stack;     /* slots are no workspace */
    additive_run *run; /* what threads take in turn, and how often */
    size_t n_runs;
    atomic_size_t next;
};

/* What a thread works in. */
struct additive_bench {
    float *q, *q_powers, *w, *k, *k_powers, *scores, *tile;
    float *v, *y; /* halves: a tile of values, results */
};

/* Reads what a call has, and says how much workspace it wants, in bytes. */
heed_status additive_plan(additive_job *j, const additive_rules *r, const heed_call *call,
                          uint64_t *bytes);

/* Memory of slot_floats floats, divided. */
additive_bench additive_bench_in(const additive_job *j, float *memory);
/* A block of queries; with cuts, from scores on. */
additive_run additive_run_piece;
/* The scores of a few queries against a part of the keys. */
additive_run additive_run_cut;

#endif
