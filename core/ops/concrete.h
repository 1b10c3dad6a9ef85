/* concrete.h - shape inference of one node for numbers: at binding, and again when late data has
 * arrived. */
#ifndef HEED_OPS_CONCRETE_H
#define HEED_OPS_CONCRETE_H

#include "ops/op.h"

typedef struct op_concrete {
    const ir_type *const *in;             /* n_in entries, NULL where left out; numbers only */
    const heed_tensor *const *in_tensors; /* content where it is known, else NULL */
    ir_type *out;                         /* n_out entries, filled */
    ir_dim **out_content;                 /* n_out entries, filled: NULL where not known */
    int64_t *out_n_content;
    int64_t
        *out_first; /* n_out entries or NULL; filled: where the output begins in input 0, or -1 */
    bool late;      /* a shape is not known yet */
} op_concrete;

heed_status op_infer_concrete(const ir_node *n, arena *memory, op_concrete *c);

/* Types of tensors that are there. Dims point into the tensor. */
ir_type op_type_of(const heed_tensor *t);

#endif
