/* stretch.h - a piece of a program for concrete shapes: steps, and where every value lies.
 *
 * A stretch ends before the first node whose output shape must wait for data (its tail), or with
 * the graph. When the tail has run, its shapes are known and the next stretch is planned and kept
 * as a child under these shapes, so plans of a graph with late shapes form a tree. What depends on
 * shapes alone is computed while planning and vanishes. */
#ifndef HEED_PLAN_STRETCH_H
#define HEED_PLAN_STRETCH_H

#include "ops/op.h"
#include "plan/program.h"

/* Where the memory of a planned value is. */
enum {
    PLAN_ARENA = 1,  /* arena + offset */
    PLAN_OUTPUT = 2, /* the memory of graph output `root` */
    PLAN_ALIAS = 3,  /* that of local `root` + offset */
    PLAN_CONTENT = 4 /* computed while planning: `content` */
};

typedef struct plan_value {
    uint32_t local;
    uint32_t storage; /* PLAN_* */
    uint32_t root;    /* PLAN_ALIAS: a local; PLAN_OUTPUT: which output */
    heed_dtype dtype;
    int32_t rank;
    size_t offset, bytes;
    const int64_t *dims;
    const heed_tensor *content; /* NULL: dropped, since nothing reads it any more */
    /* PLAN_OUTPUT: the shape of the output, which may be a view of the value. */
    int32_t result_rank;
    const int64_t *result_dims;
} plan_value;

typedef struct plan_step {
    const ir_node *node;
    const place *where;
    uint32_t operands; /* index of the first of n_in + n_out locals in stretch->operands */
    size_t workspace;  /* offset in the arena */
} plan_step;

typedef struct plan_stretch plan_stretch;
struct plan_stretch {
    const program *program;
    uint32_t index;        /* within its plan */
    uint32_t first, limit; /* nodes [first, limit) of the program */
    const ir_node *tail;   /* node `limit`, or NULL at the end of the graph */
    plan_value *values;
    uint32_t n_values, n_steps, n_operands;
    plan_step *steps;
    uint32_t *operands; /* locals, PROGRAM_NONE where left out */
    size_t arena_bytes;
    ir_type *entered; /* types of what the parent's tail gave: n_out of that node, rank -1: none */
    plan_stretch *parent;
    const void *key; /* the shapes of the parent's tail outputs */
    size_t key_size;
    plan_stretch *children, *sibling;
    struct plan_owned *contents_owned; /* computed while planning */
    arena memory;
};

/* Plans the stretches of one tree. What it knows of every value is kept from one stretch to the
 * next, so that a graph with thousands of late nodes costs no more than its nodes. */
typedef struct planner planner;

/* `types` of the graph's inputs, then of the captures. */
heed_status planner_new(const program *p, const ir_type *const *types, planner **out);
void planner_free(planner *w);

/* The first stretch (parent NULL), or the one after `parent`, whose tail gave values of these types
 * (NULL entries where it leaves an output out), which make the `key` (copied). A value that is a
 * graph output is written straight into the result where that is possible. */
heed_status stretch_new(planner *w, plan_stretch *parent, const ir_type *const *tail_types,
                        const void *key, size_t key_size, plan_stretch **out);
void stretch_free(plan_stretch *s); /* with all children */

/* Bytes that name the types of some values, for lookup: `n` types into `memory`. */
heed_status stretch_key(const ir_type *const *types, uint32_t n, arena *memory, const void **key,
                        size_t *size);

#endif
