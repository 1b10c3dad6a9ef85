/* content.h - what shape inference knows of the integers inside a tensor. */
#ifndef HEED_OPS_CONTENT_H
#define HEED_OPS_CONTENT_H

#include "ops/op.h"

/* One integer: a number, an expression over symbols, or nothing. */
typedef struct content_entry {
    bool known;     /* it is a number */
    int64_t number; /* which one, negative ones too */
    ir_dim dim;     /* the same as a dim; DIM_UNKNOWN when nothing is known of it */
} content_entry;

/* Integer content of input i. At binding entries are numbers; before it some may be symbols.
 * False when the content is not there. */
bool content_get(op_infer *c, uint32_t i, content_entry **entries, int64_t *n);
/* The one integer of input i; `missing` when the input is left out. */
bool content_scalar(op_infer *c, uint32_t i, int64_t missing, content_entry *entry);

/* Output o has this content, if its type can carry one and its extent is n. */
void content_put(op_infer *c, uint32_t o, int64_t n, const ir_dim *values);
/* The `content` hook of operators that hand on the elements of input 0 in their order. */
void content_forward(op_infer *c);

/* True when the dim can be proved to be no negative number. */
bool dims_nonnegative(const ir_dims *t, ir_dim d);
/* a < b can be proved. */
bool content_less(ir_dims *t, ir_dim a, ir_dim b);
/* The entry as an extent: itself, or a fresh symbol when it may be negative or is not known. Only
 * for entries that are no negative number. What is an extent of an input already is no negative
 * number either. */
ir_dim content_extent(op_infer *c, const content_entry *entry);
/* Content is kept for small tensors only. */
#define CONTENT_MAX 256

/* Element count of a type as a dim; DIM_UNKNOWN without a rank. */
ir_dim content_count(ir_dims *t, const ir_type *type);

#endif
