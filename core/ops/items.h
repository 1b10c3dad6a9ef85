/* items.h - making and reading values that hold others: sequences and optionals. */
#ifndef HEED_OPS_ITEMS_H
#define HEED_OPS_ITEMS_H

#include "ops/control.h"

/* Output o is a sequence of tensors of this dtype, or an optional. */
heed_status items_infer(op_infer *c, uint32_t o, uint32_t kind, heed_dtype dtype,
                        bool optional_sequence);
/* Input i must be a sequence. */
heed_status items_infer_sequence(const op_infer *c, uint32_t i);

/* Input i, which must be a sequence; the error names it. */
heed_status items_sequence(const op_call *c, uint32_t i, const heed_tensor **out);
/* One integer of input i in [-n, limit), counted from the front. */
heed_status items_position(const op_call *c, uint32_t i, int64_t n, int64_t limit, int64_t *out);

/* What `value` is goes to the end of the list. Memory is shared where it is counted; text is
 * copied, because elements of a string tensor may point into another one. */
heed_status items_add(control_list *list, const heed_tensor *value);
/* Output o becomes a value of this kind that holds the list, which is emptied, on failure too. */
heed_status items_give(op_call *c, uint32_t o, uint32_t kind, heed_dtype dtype, control_list *list);
/* After elements were moved: each string gets text of its own in t's memory. */
heed_status items_own_text(heed_tensor *t);

#endif
