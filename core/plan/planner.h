/* planner.h - the state of one planning walk, and where it puts values: memory.c.
 *
 * A value that is planned has memory of its own (a range of the arena, or a result of the graph),
 * or lies in that of another, its root. A root lives until the last reading of itself and of all
 * that lies in it. */
#ifndef HEED_PLAN_PLANNER_H
#define HEED_PLAN_PLANNER_H

#include "plan/layout.h"
#include "plan/stretch.h"

/* What is known of a local that has memory of its own here. */
typedef struct planner_root {
    uint32_t value;    /* index + 1 in stretch->values; 0: not planned here */
    uint32_t last_use; /* of itself and all its aliases */
} planner_root;

typedef struct planner {
    plan_stretch *s;
    const program *p;
    ir_type *types;
    const heed_tensor **contents;
    planner_root *roots;  /* by local */
    uint32_t *root_of;    /* by local: the local whose memory it has; itself by default */
    size_t *offset_of;    /* by local: where in that memory, in bytes */
    uint32_t *dying;      /* by node: head of the list of roots that die there, + 1 */
    uint32_t *next_dying; /* by local */
    uint8_t *output_used; /* by graph output */
    layout layout;
    arena scratch;
} planner;

/* A value of the stretch without memory yet. Its type is known. */
plan_value *planner_add_value(planner *w, uint32_t local, uint32_t storage);
/* A result of the graph is written in place where it can be; everything else goes to the arena. */
heed_status planner_own_memory(planner *w, uint32_t local);
/* `local` has the bytes of `of` from `offset` on. */
void planner_alias(planner *w, uint32_t local, uint32_t of, size_t offset);
/* Output 0 of a step at node `at` may be written over its input 0. */
bool planner_can_reuse(planner *w, const plan_step *step, uint32_t at, uint32_t local);
/* Gives back what was read last by node `at`. */
heed_status planner_bury(planner *w, uint32_t at);

heed_status planner_memory_new(planner *w);
void planner_memory_free(planner *w);

#endif
