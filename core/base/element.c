/* element.c - loading and storing of elements, a row for each dtype: loops over memory and no
 * policy. Buffers may be unaligned (weights in a mapped file), hence memcpy instead of pointers;
 * compilers turn it into plain loads and vectorise the loops. */
#include "base/element.h"

#include <string.h>

#include "base/half.h"

/* ---- Loading: elements of one dtype into its compute type ------------------------------------ */

static void load_32(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    memcpy(out, data + first * 4, (size_t)n * 4);
}

static void load_64(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    memcpy(out, data + first * 8, (size_t)n * 8);
}

static void load_i8(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (int8_t)data[first + i];
}

static void load_i16(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++) {
        int16_t x;
        memcpy(&x, data + (first + i) * 2, 2);
        to[i] = x;
    }
}

static void load_i32(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++) {
        int32_t x;
        memcpy(&x, data + (first + i) * 4, 4);
        to[i] = x;
    }
}

static void load_u8(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = data[first + i];
}

static void load_u16(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, data + (first + i) * 2, 2);
        to[i] = x;
    }
}

static void load_u32(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, data + (first + i) * 4, 4);
        to[i] = x;
    }
}

static void load_bool(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = data[first + i] != 0;
}

static void load_half(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    float *to = out;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, data + (first + i) * 2, 2);
        to[i] = half_to_float(x);
    }
}

static void load_bfloat(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    float *to = out;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x;
        memcpy(&x, data + (first + i) * 2, 2);
        to[i] = bfloat_to_float(x);
    }
}

static void load_small(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = small_to_float(dtype, data[first + i]);
}

static void load_scale(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n, void *out)
{
    (void)dtype;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = scale_to_float(data[first + i]);
}

uint8_t element_get_packed(uint32_t bits, const uint8_t *data, int64_t i)
{
    int64_t in_byte = (int64_t)(8 / bits);
    uint32_t shift = (uint32_t)(i % in_byte) * bits;
    return (uint8_t)((uint32_t)(data[i / in_byte] >> shift) & ((1u << bits) - 1));
}

void element_set_packed(uint32_t bits, uint8_t *data, int64_t i, uint32_t value)
{
    int64_t in_byte = (int64_t)(8 / bits);
    uint32_t shift = (uint32_t)(i % in_byte) * bits;
    uint32_t mask = ((1u << bits) - 1) << shift;
    uint8_t *byte = &data[i / in_byte];
    *byte = (uint8_t)((*byte & ~mask) | ((value << shift) & mask));
}

static void load_packed_u(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                          void *out)
{
    uint32_t bits = dtype_bits(dtype);
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = element_get_packed(bits, data, first + i);
}

static void load_packed_i(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                          void *out)
{
    uint32_t bits = dtype_bits(dtype);
    int sign = 1 << (bits - 1);
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (element_get_packed(bits, data, first + i) ^ sign) - sign;
}

static void load_packed_f(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                          void *out)
{
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = small_to_float(dtype, element_get_packed(4, data, first + i));
}

static void load_complex64(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                           void *out)
{
    (void)dtype;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        memcpy(&to[i], data + (first + i) * 8, 4);
}

static void load_complex128(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                            void *out)
{
    (void)dtype;
    double *to = out;
    for (int64_t i = 0; i < n; i++)
        memcpy(&to[i], data + (first + i) * 16, 8);
}

/* ---- Storing: signed and unsigned integers have the same bits, so they share ----------------- */

static void store_32(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                     bool saturate)
{
    (void)dtype, (void)saturate;
    memcpy(data + first * 4, in, (size_t)n * 4);
}

static void store_64(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                     bool saturate)
{
    (void)dtype, (void)saturate;
    memcpy(data + first * 8, in, (size_t)n * 8);
}

static void store_int8(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                       bool saturate)
{
    (void)dtype, (void)saturate;
    const uint64_t *from = in;
    for (int64_t i = 0; i < n; i++)
        data[first + i] = (uint8_t)from[i];
}

static void store_int16(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                        bool saturate)
{
    (void)dtype, (void)saturate;
    const uint64_t *from = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x = (uint16_t)from[i];
        memcpy(data + (first + i) * 2, &x, 2);
    }
}

static void store_int32(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                        bool saturate)
{
    (void)dtype, (void)saturate;
    const uint64_t *from = in;
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)from[i];
        memcpy(data + (first + i) * 4, &x, 4);
    }
}

static void store_half(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                       bool saturate)
{
    (void)dtype, (void)saturate;
    const float *from = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x = half_from_float(from[i]);
        memcpy(data + (first + i) * 2, &x, 2);
    }
}

static void store_bfloat(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                         bool saturate)
{
    (void)dtype, (void)saturate;
    const float *from = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t x = bfloat_from_float(from[i]);
        memcpy(data + (first + i) * 2, &x, 2);
    }
}

static void store_small(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                        bool saturate)
{
    const float *from = in;
    for (int64_t i = 0; i < n; i++)
        data[first + i] = small_from_float(dtype, from[i], saturate);
}

static void store_scale(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                        bool saturate)
{
    (void)dtype;
    const float *from = in;
    for (int64_t i = 0; i < n; i++)
        data[first + i] = scale_from_float(from[i], SCALE_NEAREST, saturate);
}

static void store_packed(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n, const void *in,
                         bool saturate)
{
    (void)saturate;
    uint32_t bits = dtype_bits(dtype);
    const uint64_t *from = in;
    for (int64_t i = 0; i < n; i++)
        element_set_packed(bits, data, first + i, (uint32_t)(from[i] & 0xff));
}

static void store_packed_f(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n,
                           const void *in, bool saturate)
{
    const float *from = in;
    for (int64_t i = 0; i < n; i++)
        element_set_packed(4, data, first + i, small_from_float(dtype, from[i], saturate));
}

static void store_complex64(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n,
                            const void *in, bool saturate)
{
    (void)dtype, (void)saturate;
    const float *from = in;
    for (int64_t i = 0; i < n; i++)
        memcpy(data + (first + i) * 8, (float[2]){from[i], 0}, 8);
}

static void store_complex128(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n,
                             const void *in, bool saturate)
{
    (void)dtype, (void)saturate;
    const double *from = in;
    for (int64_t i = 0; i < n; i++)
        memcpy(data + (first + i) * 16, (double[2]){from[i], 0}, 16);
}

// clang-format off
const element_row element_rows[HEED_DTYPE_COUNT] = {
    [HEED_FLOAT32]        = {VIA_F32,  load_32,         store_32,         false},
    [HEED_UINT8]          = {VIA_U64,  load_u8,         store_int8,       false},
    [HEED_INT8]           = {VIA_I64,  load_i8,         store_int8,       false},
    [HEED_UINT16]         = {VIA_U64,  load_u16,        store_int16,      false},
    [HEED_INT16]          = {VIA_I64,  load_i16,        store_int16,      false},
    [HEED_INT32]          = {VIA_I64,  load_i32,        store_int32,      false},
    [HEED_INT64]          = {VIA_I64,  load_64,         store_64,         false},
    [HEED_BOOL]           = {VIA_BOOL, load_bool,       store_int8,       false},
    [HEED_FLOAT16]        = {VIA_F32,  load_half,       store_half,       true},
    [HEED_FLOAT64]        = {VIA_F64,  load_64,         store_64,         false},
    [HEED_UINT32]         = {VIA_U64,  load_u32,        store_int32,      false},
    [HEED_UINT64]         = {VIA_U64,  load_64,         store_64,         false},
    [HEED_COMPLEX64]      = {VIA_F32,  load_complex64,  store_complex64,  false},
    [HEED_COMPLEX128]     = {VIA_F64,  load_complex128, store_complex128, false},
    [HEED_BFLOAT16]       = {VIA_F32,  load_bfloat,     store_bfloat,     true},
    [HEED_FLOAT8E4M3FN]   = {VIA_F32,  load_small,      store_small,      true},
    [HEED_FLOAT8E4M3FNUZ] = {VIA_F32,  load_small,      store_small,      true},
    [HEED_FLOAT8E5M2]     = {VIA_F32,  load_small,      store_small,      true},
    [HEED_FLOAT8E5M2FNUZ] = {VIA_F32,  load_small,      store_small,      true},
    [HEED_UINT4]          = {VIA_U64,  load_packed_u,   store_packed,     false},
    [HEED_INT4]           = {VIA_I64,  load_packed_i,   store_packed,     false},
    [HEED_FLOAT4E2M1]     = {VIA_F32,  load_packed_f,   store_packed_f,   true},
    [HEED_FLOAT8E8M0]     = {VIA_F32,  load_scale,      store_scale,      true},
    [HEED_UINT2]          = {VIA_U64,  load_packed_u,   store_packed,     false},
    [HEED_INT2]           = {VIA_I64,  load_packed_i,   store_packed,     false},
};
// clang-format on
