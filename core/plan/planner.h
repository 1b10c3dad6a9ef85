/* planner.h - the state of planning: what is known of values, and where they lie.
 *
 * A value that is planned has memory of its own (a range of the arena, or a result of the graph),
 * or lies in that of another, its root. A root lives until the last reading of itself and of all
 * that lies in it. */
#ifndef HEED_PLAN_PLANNER_H
#define HEED_PLAN_PLANNER_H

#include "plan/layout.h"
#include "plan/stretch.h"

/* What is known of a local that has memory of its own here, or content. */
typedef struct planner_root {
    uint32_t value;    /* index + 1 in stretch->values; 0: not planned here */
    bool needed;       /* content: a step reads it, or another value lies in it */
    uint32_t last_use; /* of itself and all its aliases */
    uint32_t listed;   /* the node in whose list it stands, + 1 */
    uint32_t born;     /* at this node */
} planner_root;

/* The workspace of a step. */
typedef struct planner_room {
    uint32_t step, at;
    size_t bytes;
} planner_room;

struct planner {
    const program *p;
    const ir_type *begin;         /* of the inputs and captures */
    ir_type *types;               /* by local: rank -1 where nothing is known yet */
    const heed_tensor **contents; /* by local: known content, or NULL */
    const plan_stretch *at;       /* the stretch whose end this is */
    bool lost;                    /* a failure left it between stretches */
    /* The stretch that is planned now. Its lists grow here and are copied when they are whole. */
    plan_stretch *s;
    size_t values_capacity, steps_capacity, operands_capacity;
    planner_root *roots;  /* by local; zero outside the current stretch, as all below */
    uint32_t *root_of;    /* by local: the local whose memory it has; itself by default */
    size_t *offset_of;    /* by local: where in that memory, in bytes */
    uint32_t *next_dying; /* by local */
    uint32_t *dying;      /* by node: head of the list of roots that die there, + 1 */
    layout layout;
    planner_room *rooms;
    size_t n_rooms, rooms_capacity;
    arena scratch;
    arena memory;
};

/* ---- What is known: state.c ------------------------------------------------------------------ */

/* Makes the state the one after `parent` (NULL: the beginning) and what its tail gave. */
heed_status planner_enter(planner *w, plan_stretch *parent, const ir_type *const *tail_types);

/* ---- Where values lie: memory.c -------------------------------------------------------------- */

/* A value of the stretch without memory yet. Its type is known. */
plan_value *planner_add_value(planner *w, uint32_t local, uint32_t storage);
/* A result of the graph is written in place where it can be; everything else goes to the arena. */
heed_status planner_own_memory(planner *w, uint32_t local, uint32_t at);
/* Workspace of the step that is added next. */
heed_status planner_workspace(planner *w, plan_step *step, uint32_t at, size_t bytes);
/* What was put where an output of the graph is, and was not seen to become it, goes elsewhere. */
heed_status planner_settle(planner *w);
/* Other offsets for all of the arena, where it is smaller with them. */
heed_status planner_pack(planner *w);
/* `local` has the bytes of `of` from `offset` on. */
void planner_alias(planner *w, uint32_t local, uint32_t of, size_t offset);
/* The input of a step at node `at` over which output o may be written, or PROGRAM_NONE. Outputs
 * before o have their places. */
uint32_t planner_reusable(const planner *w, const plan_step *step, uint32_t at, uint32_t o);
/* Gives back what was read last by node `at`. */
heed_status planner_bury(planner *w, uint32_t at);

heed_status planner_memory_new(planner *w);
void planner_memory_free(planner *w);
/* Forgets the current stretch. */
void planner_memory_reset(planner *w);

#endif
