/* freeing.h - what the files share that free a graph of its number of tokens (fixed.c). */
#ifndef HEED_PASSES_PAGING_FREEING_H
#define HEED_PASSES_PAGING_FREEING_H

#include "passes/paging/fixed.h"

typedef struct extents {
    int32_t rank; /* -1: not known */
    ir_dim *dims;
} extents;

typedef struct freeing {
    pass_run *run;
    ir_dims *dims;
    ir_value *main; /* the input of the tokens */
    extents *was;   /* by id of values: with the file's numbers */
    uint32_t n;
    ir_dim batch, tokens;         /* as numbers */
    ir_dim any_batch, any_number; /* as symbols */
} freeing;

const extents *freeing_was(const freeing *f, const ir_value *v);
/* With the file's numbers for the symbols. */
ir_dim freeing_number(const freeing *f, ir_dim d);
bool freeing_has_symbols(const ir_type *type);
/* With the file's numbers, the value has the file's extents. */
bool freeing_agrees(const freeing *f, const ir_value *v);

/* fixed_shapes.c: *done is false where the shape cannot be one of any number. */
heed_status freeing_reshape(freeing *f, ir_node *n, bool *done);
heed_status freeing_expand(freeing *f, ir_node *n, bool *done);

/* fixed_rows.c: operands that have the file's number where others have a symbol; of GatherND, of
 * attention. */
heed_status freeing_operands(freeing *f, ir_node *n, bool joins);
heed_status freeing_lists(freeing *f, ir_node *n, bool *gone);
heed_status freeing_masks(freeing *f, ir_node *n);

/* fixed_batch.c: no sequence asks for others. Of the graph that is free. */
heed_status freeing_check_batch(const freeing *f, uint32_t result, bool *alone);

#endif
