/* program.h - what is known of a graph before any shape is: its nodes in order, its values as dense
 * locals, what it reads from graphs around it, and when each value is read last. Made once a
 * session for the main graph and for every nested one. */
#ifndef HEED_PLAN_PROGRAM_H
#define HEED_PLAN_PROGRAM_H

#include "plan/place.h"

#define PROGRAM_FOREVER UINT32_MAX /* read after the last node: a graph output */
#define PROGRAM_NONE    UINT32_MAX /* no local: left out */

typedef struct program {
    const ir_graph *graph;
    const place_table *places;
    uint32_t index; /* of this program in its session */
    uint32_t n_nodes, n_locals, n_captures;
    const ir_node **nodes;
    const ir_value **values;   /* local -> value */
    uint32_t *last_use;        /* local -> place of the last node that reads it, itself or inside */
    uint32_t *inputs;          /* graph input -> local */
    uint32_t *outputs;         /* graph output -> local */
    uint32_t *result;          /* local -> the graph output that is all of it, + 1; through views */
    const ir_value **captures; /* values of graphs around, no constants; their locals follow the
                                  inputs' */
    uint32_t *capture_locals;
    map locals; /* &value->id -> local + 1 */
    arena memory;
} program;

heed_status program_new(const ir_graph *g, const place_table *places, uint32_t index,
                        program **out);
void program_free(program *p);

uint32_t program_local(const program *p, const ir_value *v); /* PROGRAM_NONE for NULL */

#endif
