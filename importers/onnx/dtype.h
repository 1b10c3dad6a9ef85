/* dtype.h - the element types of the standard and how TensorProto stores each. */
#ifndef ONNX_DTYPE_H
#define ONNX_DTYPE_H

#include "heed/types.h"

/* Field numbers of TensorProto. */
enum {
    STORE_FLOAT = 4,
    STORE_INT32 = 5,
    STORE_STRING = 6,
    STORE_INT64 = 7,
    STORE_RAW = 9,
    STORE_DOUBLE = 10,
    STORE_UINT64 = 11
};

typedef struct onnx_dtype {
    const char *name;
    uint32_t bits;  /* of an element; 0: strings */
    uint32_t store; /* the typed field that holds it when raw_data does not */
    DLDataType dl;
} onnx_dtype;

/* NULL for a number that the standard does not define, and for UNDEFINED. */
const onnx_dtype *onnx_dtype_get(int64_t number);
/* Bytes that n elements take, packed; 0 in *ok when that overflows. */
uint64_t onnx_dtype_bytes(const onnx_dtype *type, uint64_t n, int *ok);

#endif
