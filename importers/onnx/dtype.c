/* dtype.c - the table of element types, and the one function that computes sizes. */
#include "dtype.h"

// clang-format off
static const onnx_dtype types[HEED_DTYPE_COUNT] = {
    [HEED_FLOAT32] = {"float32", 32, STORE_FLOAT, {kDLFloat, 32, 1}},
    [HEED_UINT8] = {"uint8", 8, STORE_INT32, {kDLUInt, 8, 1}},
    [HEED_INT8] = {"int8", 8, STORE_INT32, {kDLInt, 8, 1}},
    [HEED_UINT16] = {"uint16", 16, STORE_INT32, {kDLUInt, 16, 1}},
    [HEED_INT16] = {"int16", 16, STORE_INT32, {kDLInt, 16, 1}},
    [HEED_INT32] = {"int32", 32, STORE_INT32, {kDLInt, 32, 1}},
    [HEED_INT64] = {"int64", 64, STORE_INT64, {kDLInt, 64, 1}},
    [HEED_STRING] = {"string", 0, STORE_STRING, {kDLOpaqueHandle, 64, 2}},
    [HEED_BOOL] = {"bool", 8, STORE_INT32, {kDLBool, 8, 1}},
    [HEED_FLOAT16] = {"float16", 16, STORE_INT32, {kDLFloat, 16, 1}},
    [HEED_FLOAT64] = {"float64", 64, STORE_DOUBLE, {kDLFloat, 64, 1}},
    [HEED_UINT32] = {"uint32", 32, STORE_UINT64, {kDLUInt, 32, 1}},
    [HEED_UINT64] = {"uint64", 64, STORE_UINT64, {kDLUInt, 64, 1}},
    [HEED_COMPLEX64] = {"complex64", 64, STORE_FLOAT, {kDLComplex, 64, 1}},
    [HEED_COMPLEX128] = {"complex128", 128, STORE_DOUBLE, {kDLComplex, 128, 1}},
    [HEED_BFLOAT16] = {"bfloat16", 16, STORE_INT32, {kDLBfloat, 16, 1}},
    [HEED_FLOAT8E4M3FN] = {"float8e4m3fn", 8, STORE_INT32, {kDLFloat8_e4m3fn, 8, 1}},
    [HEED_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, STORE_INT32, {kDLFloat8_e4m3fnuz, 8, 1}},
    [HEED_FLOAT8E5M2] = {"float8e5m2", 8, STORE_INT32, {kDLFloat8_e5m2, 8, 1}},
    [HEED_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, STORE_INT32, {kDLFloat8_e5m2fnuz, 8, 1}},
    [HEED_UINT4] = {"uint4", 4, STORE_INT32, {kDLUInt, 4, 1}},
    [HEED_INT4] = {"int4", 4, STORE_INT32, {kDLInt, 4, 1}},
    [HEED_FLOAT4E2M1] = {"float4e2m1", 4, STORE_INT32, {kDLFloat4_e2m1fn, 4, 1}},
    [HEED_FLOAT8E8M0] = {"float8e8m0", 8, STORE_INT32, {kDLFloat8_e8m0fnu, 8, 1}},
    [HEED_UINT2] = {"uint2", 2, STORE_INT32, {kDLUInt, 2, 1}},
    [HEED_INT2] = {"int2", 2, STORE_INT32, {kDLInt, 2, 1}},
};
// clang-format on

const onnx_dtype *onnx_dtype_get(int64_t number)
{
    if (number <= HEED_UNDEFINED || number >= HEED_DTYPE_COUNT)
        return NULL;
    return &types[number];
}

uint64_t onnx_dtype_bytes(const onnx_dtype *type, uint64_t n, int *ok)
{
    uint64_t bits, each = type->bits ? type->bits : 8 * sizeof(heed_string);
    *ok = !__builtin_mul_overflow(n, each, &bits) && bits <= UINT64_MAX - 7 &&
          bits / 8 <= SIZE_MAX / 2;
    return *ok ? (bits + 7) / 8 : 0;
}
