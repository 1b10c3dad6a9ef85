/* control.h - what If, Loop and Scan share: types that live through iterations, and stacking. */
#ifndef HEED_OPS_CONTROL_H
#define HEED_OPS_CONTROL_H

#include "ops/op.h"

/* ---- Inference ----------------------------------------------------------------------------- */

/* A value that the body hands to its next iteration. Its extents may change on the way. */
typedef struct control_state {
    ir_type type;                /* what the body is told */
    bool loose[TENSOR_MAX_RANK]; /* changes: a symbol of its own inside, not known outside */
} control_state;

/* A type whose dims live as long as the model; unknown ones become symbols. */
heed_status control_keep_type(op_infer *c, const ir_type *from, ir_type *to);
/* Infers the body until the types of its states, inputs first_in.. and outputs first_out..,
 * agree. types[] are all inputs of the body; those of the states are set here. *changed: some
 * state is loose. */
heed_status control_settle(op_infer *c, ir_graph *body, uint32_t n_types, const ir_type **types,
                           uint32_t n, uint32_t first_in, uint32_t first_out, control_state *states,
                           bool *changed);
/* Output o is what state k is after the last iteration. */
heed_status control_set_state(op_infer *c, uint32_t o, const control_state *state,
                              const ir_type *result);
/* Output o stacks `element` along a new axis of this extent. With `numbers_only`, extents that
 * are symbols of one iteration are not handed on. */
heed_status control_set_stack(op_infer *c, uint32_t o, const ir_type *element, int64_t axis,
                              ir_dim extent, bool numbers_only);
/* Output o has this type. */
heed_status control_set(op_infer *c, uint32_t o, const ir_type *type);

/* ---- Running --------------------------------------------------------------------------------- */

/* A list of tensors that are freed together. */
typedef struct control_list {
    heed_tensor **items;
    size_t n, capacity;
} control_list;

heed_status control_push(control_list *list, heed_tensor *item); /* taken, also on failure */
void control_free(control_list *list);

/* Output o becomes the items one after the other along a new axis; `reversed` puts the last one
 * first. Without items the shape comes from `type`, with 0 for extents that are not known. */
heed_status control_stack(op_call *c, uint32_t o, const control_list *items, int64_t axis,
                          bool reversed, const ir_type *type);

#endif
