/* dtype.h - facts about data types, and conversion of blocks of elements between any data type
 * and the few types in which arithmetic is done. */
#ifndef HEED_BASE_DTYPE_H
#define HEED_BASE_DTYPE_H

#include <stdbool.h>

#include "base/error.h"

/* The type in which reference kernels compute values of a dtype. */
typedef enum dtype_class {
    CLASS_NONE = 0,
    CLASS_F32,    /* float32, and everything that fits into it: 16-bit, 8-bit, 4-bit floats */
    CLASS_F64,    /* float64 */
    CLASS_I64,    /* int8..int64, int4, int2 */
    CLASS_U64,    /* uint8..uint64, uint4, uint2 */
    CLASS_BOOL,   /* one byte, 0 or 1 */
    CLASS_STRING, /* heed_string */
    CLASS_C64,    /* two floats */
    CLASS_C128    /* two doubles */
} dtype_class;

bool dtype_valid(heed_dtype dtype);
const char *dtype_name(heed_dtype dtype);
uint32_t dtype_bits(heed_dtype dtype); /* 2, 4, 8 ... 128; 0 when not valid */
dtype_class dtype_get_class(heed_dtype dtype);
bool dtype_is_float(heed_dtype dtype);  /* any real floating type */
bool dtype_is_int(heed_dtype dtype);    /* signed or unsigned integer, not bool */
bool dtype_is_signed(heed_dtype dtype); /* int8 ... */
DLDataType dtype_to_dl(heed_dtype dtype);
heed_dtype dtype_from_dl(DLDataType type); /* HEED_UNDEFINED when there is none */

/* Bytes of n elements, sub-byte types rounded up; false when it does not fit. */
bool dtype_bytes(heed_dtype dtype, uint64_t n, size_t *bytes);

/* ---- Blocks of elements -------------------------------------------------------------------
 * n elements from element `first` of a dense buffer. Loading widens exactly where it can (int64 to
 * float rounds); storing rounds to nearest even and wraps integers modulo 2^bits. Loading works
 * from every numeric dtype (a complex number's real part, bool as 0/1). fp8 types saturate when
 * `saturate`, else overflow gives Inf or NaN as ONNX Cast says. */
void dtype_load_f32(heed_dtype dtype, const void *data, int64_t first, int64_t n, float *out);
void dtype_load_f64(heed_dtype dtype, const void *data, int64_t first, int64_t n, double *out);
void dtype_load_i64(heed_dtype dtype, const void *data, int64_t first, int64_t n, int64_t *out);
void dtype_load_u64(heed_dtype dtype, const void *data, int64_t first, int64_t n, uint64_t *out);
void dtype_store_f32(heed_dtype dtype, void *data, int64_t first, int64_t n, const float *in,
                     bool saturate);
void dtype_store_f64(heed_dtype dtype, void *data, int64_t first, int64_t n, const double *in,
                     bool saturate);
void dtype_store_i64(heed_dtype dtype, void *data, int64_t first, int64_t n, const int64_t *in);
void dtype_store_u64(heed_dtype dtype, void *data, int64_t first, int64_t n, const uint64_t *in);
/* Copies elements without looking at them, sub-byte ones too. */
void dtype_copy(heed_dtype dtype, void *dst, int64_t dst_first, const void *src, int64_t src_first,
                int64_t n);

/* One element of the small float formats (IEEE and OCP bit patterns). */
float half_to_float(uint16_t bits);
uint16_t half_from_float(float value);
float bfloat_to_float(uint16_t bits);
uint16_t bfloat_from_float(float value);

#endif
