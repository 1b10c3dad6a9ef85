/* scatter_block.h - which places of a tensor the indices of a ScatterND name, where these are a
 * block: along each of the first axes some neighbours, in their order.
 *
 * Exporters write parts of tensors so. The indices are numbers, or are computed apart for each axis
 * when some axis has no fixed extent. */
#ifndef HEED_PASSES_SCATTER_BLOCK_H
#define HEED_PASSES_SCATTER_BLOCK_H

#include "graph/ir.h"

typedef struct scatter_block {
    int32_t rank;
    int64_t start[TENSOR_MAX_RANK];
    ir_dim n[TENSOR_MAX_RANK];
    bool cut[TENSOR_MAX_RANK]; /* less than the whole axis; its n is a number */
} scatter_block;

/* False: they are no block, or not known to be one. */
bool scatter_read(const ir_value *indices, const ir_type *data, scatter_block *k);
bool scatter_same(const scatter_block *a, const scatter_block *b);

#endif
