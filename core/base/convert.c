/* convert.c - blocks of elements between any dtype and the types in which arithmetic is done.
 *
 * A dtype is loaded into its own compute type (element.c), and where the caller wants another
 * one, a second table converts between those: a new dtype is one row, never a row for each pair.
 * Float to int truncates as C does; what does not fit gives the lowest int64. */
#include <string.h>

#include "base/element.h"
#include "base/half.h"

enum { BLOCK = 256 };

typedef union block {
    float f32[BLOCK];
    double f64[BLOCK];
    int64_t i64[BLOCK];
    uint64_t u64[BLOCK];
} block;

static const size_t via_size[VIA_COUNT] = {0, 4, 8, 8, 8, 8};

/* ---- Between compute types ------------------------------------------------------------------- */

typedef void convert_fn(const void *in, int64_t n, void *out);

static void f64_to_f32(const void *in, int64_t n, void *out)
{
    const double *from = in;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static void f64_to_f32_odd(const void *in, int64_t n, void *out)
{
    const double *from = in;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = float_round_odd(from[i]);
}

static void i64_to_f32(const void *in, int64_t n, void *out)
{
    const int64_t *from = in;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static void u64_to_f32(const void *in, int64_t n, void *out)
{
    const uint64_t *from = in;
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static void f32_to_f64(const void *in, int64_t n, void *out)
{
    const float *from = in;
    double *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

static void i64_to_f64(const void *in, int64_t n, void *out)
{
    const int64_t *from = in;
    double *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

static void u64_to_f64(const void *in, int64_t n, void *out)
{
    const uint64_t *from = in;
    double *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

static int64_t int_of(double value)
{
    return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static void f32_to_i64(const void *in, int64_t n, void *out)
{
    const float *from = in;
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = int_of((double)from[i]);
}

static void f64_to_i64(const void *in, int64_t n, void *out)
{
    const double *from = in;
    int64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = int_of(from[i]);
}

static uint64_t unsigned_of(double value)
{
    bool large = value >= 0x1p63 && value < 0x1p64;
    return large ? (uint64_t)value : (uint64_t)int_of(value);
}

static void f32_to_u64(const void *in, int64_t n, void *out)
{
    const float *from = in;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = unsigned_of((double)from[i]);
}

static void f64_to_u64(const void *in, int64_t n, void *out)
{
    const double *from = in;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = unsigned_of(from[i]);
}

static void same_bits(const void *in, int64_t n, void *out) { memcpy(out, in, (size_t)n * 8); }

static void f32_to_bool(const void *in, int64_t n, void *out)
{
    const float *from = in;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i] < 0 || from[i] > 0 || from[i] != from[i];
}

static void f64_to_bool(const void *in, int64_t n, void *out)
{
    const double *from = in;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i] < 0 || from[i] > 0 || from[i] != from[i];
}

static void u64_to_bool(const void *in, int64_t n, void *out)
{
    const uint64_t *from = in;
    uint64_t *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i] != 0;
}

/* convert[from][to]; NULL where they are the same. */
// clang-format off
static convert_fn *const convert[VIA_COUNT][VIA_COUNT] = {
    /*             none  f32         f64         i64         u64         bool */
    [VIA_F32]  = {NULL, NULL,       f32_to_f64, f32_to_i64, f32_to_u64, f32_to_bool},
    [VIA_F64]  = {NULL, f64_to_f32, NULL,       f64_to_i64, f64_to_u64, f64_to_bool},
    [VIA_I64]  = {NULL, i64_to_f32, i64_to_f64, NULL,       same_bits,  u64_to_bool},
    [VIA_U64]  = {NULL, u64_to_f32, u64_to_f64, same_bits,  NULL,       u64_to_bool},
    [VIA_BOOL] = {NULL, u64_to_f32, u64_to_f64, same_bits,  same_bits,  NULL},
};
// clang-format on

/* ---- Loading and storing -------------------------------------------------------------------- */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void load(heed_dtype dtype, const void *data, int64_t first, int64_t n, element_via to,
                 void *out)
{
    const element_row *row = &element_rows[dtype < HEED_DTYPE_COUNT ? dtype : HEED_UNDEFINED];
    convert_fn *change = convert[row->via][to];
    if (n <= 0)
        return;
    if (!row->load) {
        memset(out, 0, (size_t)n * via_size[to]);
        return;
    }
    if (!change) {
        row->load(dtype, data, first, n, out);
        return;
    }
    char *at = out;
    for (int64_t done = 0; done < n; done += BLOCK) {
        block b;
        int64_t count = smaller(n - done, BLOCK);
        row->load(dtype, data, first + done, count, &b);
        change(&b, count, at + (size_t)done * via_size[to]);
    }
}

static void store(heed_dtype dtype, void *data, int64_t first, int64_t n, element_via from,
                  const void *in, bool saturate)
{
    const element_row *row = &element_rows[dtype < HEED_DTYPE_COUNT ? dtype : HEED_UNDEFINED];
    if (!row->store || n <= 0)
        return;
    convert_fn *change = convert[from][row->via];
    if (from == VIA_F64 && row->rounded)
        change = f64_to_f32_odd;
    if (!change) {
        row->store(dtype, data, first, n, in, saturate);
        return;
    }
    const char *at = in;
    for (int64_t done = 0; done < n; done += BLOCK) {
        block b;
        int64_t count = smaller(n - done, BLOCK);
        change(at + (size_t)done * via_size[from], count, &b);
        row->store(dtype, data, first + done, count, &b, saturate);
    }
}

void dtype_load_f32(heed_dtype dtype, const void *data, int64_t first, int64_t n, float *out)
{
    load(dtype, data, first, n, VIA_F32, out);
}

void dtype_load_f64(heed_dtype dtype, const void *data, int64_t first, int64_t n, double *out)
{
    load(dtype, data, first, n, VIA_F64, out);
}

void dtype_load_i64(heed_dtype dtype, const void *data, int64_t first, int64_t n, int64_t *out)
{
    load(dtype, data, first, n, VIA_I64, out);
}

void dtype_load_u64(heed_dtype dtype, const void *data, int64_t first, int64_t n, uint64_t *out)
{
    load(dtype, data, first, n, VIA_U64, out);
}

void dtype_store_f32(heed_dtype dtype, void *data, int64_t first, int64_t n, const float *in,
                     bool saturate)
{
    store(dtype, data, first, n, VIA_F32, in, saturate);
}

void dtype_store_f64(heed_dtype dtype, void *data, int64_t first, int64_t n, const double *in,
                     bool saturate)
{
    store(dtype, data, first, n, VIA_F64, in, saturate);
}

void dtype_store_i64(heed_dtype dtype, void *data, int64_t first, int64_t n, const int64_t *in)
{
    store(dtype, data, first, n, VIA_I64, in, true);
}

void dtype_store_u64(heed_dtype dtype, void *data, int64_t first, int64_t n, const uint64_t *in)
{
    store(dtype, data, first, n, VIA_U64, in, true);
}

/* ---- Copying -------------------------------------------------------------------------------- */

static void copy_packed(uint32_t bits, uint8_t *dst, int64_t dst_first, const uint8_t *src,
                        int64_t src_first, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        element_set_packed(bits, dst, dst_first + i, element_get_packed(bits, src, src_first + i));
}

void dtype_copy(heed_dtype dtype, void *dst, int64_t dst_first, const void *src, int64_t src_first,
                int64_t n)
{
    uint32_t bits = dtype_bits(dtype);
    if (n <= 0 || bits == 0)
        return;
    if (bits < 8) {
        copy_packed(bits, dst, dst_first, src, src_first, n);
        return;
    }
    int64_t size = (int64_t)(bits / 8);
    memmove((char *)dst + dst_first * size, (const char *)src + src_first * size,
            (size_t)(n * size));
}
