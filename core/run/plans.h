/* plans.h - plans cached by shape, the contexts in which they run, and the arenas that they use.
 *
 * A plan belongs to one program and one key of input shapes. While it runs it is referenced; idle
 * contexts wait in it for the next run. Arenas are shared by all plans of a session. All functions
 * are thread-safe. */
#ifndef HEED_RUN_PLANS_H
#define HEED_RUN_PLANS_H

#include <pthread.h>

#include "plan/stretch.h"

typedef struct plan plan;
typedef struct plan_store plan_store;

/* What a stretch needs in one context. */
typedef struct plan_instance {
    heed_tensor *tensors;         /* one for each value of the stretch */
    const heed_tensor **operands; /* one for each operand of its steps */
} plan_instance;

/* The memory of one run of one plan. */
typedef struct plan_context {
    plan *owner;
    struct plan_context *next;
    const heed_tensor **slots; /* by local: where the value is now */
    heed_tensor **outputs;     /* by graph output: results that steps write into */
    plan_instance *instances;  /* by stretch index */
    uint32_t n_instances;
    heed_tensor **owned; /* made by late nodes, dropped after the run */
    size_t n_owned, owned_capacity;
    void **arenas; /* one for each stretch that ran, in order */
    size_t n_arenas, arenas_capacity;
    arena scratch; /* of reference kernels */
    arena memory;  /* of the arrays above */
} plan_context;

plan_store *plans_new(uint32_t n_programs, uint64_t limit);
void plans_free(plan_store *s); /* no run may be under way */
void plans_trim(plan_store *s);

typedef struct plans_stats {
    uint64_t plans, hits, misses, arena_bytes, steps;
} plans_stats;
void plans_get_stats(plan_store *s, plans_stats *out);

/* A context for running `p` on inputs (graph inputs, then captures) of these types. */
heed_status plans_acquire(plan_store *s, const program *p, const ir_type *const *types,
                          uint32_t n_types, plan_context **out);
/* Drops what the run made, and puts the context back. */
void plans_release(plan_store *s, plan_context *c);

const plan_stretch *plans_first(const plan_context *c);
/* The stretch after `s`, whose tail gave values of these types. */
heed_status plans_next(plan_store *store, plan_context *c, const plan_stretch *s,
                       const ir_type *const *types, uint32_t n_types, const plan_stretch **out);

/* Memory for a stretch in this context, and an arena of its size until the context is released. */
heed_status plans_instance(plan_store *store, plan_context *c, const plan_stretch *s,
                           plan_instance **out, void **memory);
/* Takes a tensor that a late node made. */
heed_status plans_own(plan_context *c, heed_tensor *t);

#endif
