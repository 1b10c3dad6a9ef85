/* tensor.h - TensorProto and SparseTensorProto become dense tensors. */
#ifndef ONNX_TENSOR_H
#define ONNX_TENSOR_H

#include "dtype.h"
#include "report.h"

enum { TENSOR_RANK_MAX = 16 };
#define TENSOR_DIM_MAX ((int64_t)1 << 40)

/* The tensor lives in scratch; its data there too, or in the mapped file (flags BORROWED). */
typedef struct onnx_tensor {
    const char *name; /* "" when it has none */
    heed_dtype dtype;
    uint32_t flags; /* HEED_TENSOR_BORROWED */
    uint64_t count, bytes;
    DLTensor dl;
} onnx_tensor;

heed_status onnx_tensor_read(onnx_context *c, onnx_range body, const onnx_place *at,
                             onnx_tensor *out);
/* Expands to dense. The name is the one of `values`. */
heed_status onnx_sparse_read(onnx_context *c, onnx_range body, const onnx_place *at,
                             onnx_tensor *out);

/* Fills dtype, shape, count and bytes, after checks; the data stays NULL. dims are borrowed. */
heed_status onnx_tensor_shape(onnx_context *c, const onnx_place *at, int64_t dtype, uint64_t rank,
                              int64_t *dims, onnx_tensor *out);

/* The parts, one file each. `body` is the TensorProto's. Each sets out->dl.data (and flags). */
heed_status onnx_typed_read(onnx_context *c, onnx_range body, const onnx_place *at,
                            onnx_tensor *out);

struct Onnx__TensorProto;
heed_status onnx_external_read(onnx_context *c, const struct Onnx__TensorProto *header,
                               const onnx_place *at, onnx_tensor *out);

#endif
