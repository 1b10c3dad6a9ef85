/* Loops with two operands: z[i] = f(x[i], y[i]), where either side may be one element that is
 * repeated. ZIP makes the three loops of an operator; z may be x. */
#ifndef CPU_LANES_ZIPS_H
#define CPU_LANES_ZIPS_H

#include "lanes.h"
#include "lanes/math.h"

#define ZIP_LOOP(to, from, X, Y, expression)                                                       \
    _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                             \
    {                                                                                              \
        from x = X, y = Y;                                                                         \
        pz[i] = (to)(expression);                                                                  \
    }

#define ZIP(name, from, to, expression)                                                            \
    static void name(void *out, const void *left, const void *right, size_t n, unsigned form)      \
    {                                                                                              \
        to *pz = out;                                                                              \
        const from *px = left, *py = right;                                                        \
        const from x0 = *px, y0 = *py;                                                             \
        if (form == CPU_ZIP_VV)                                                                    \
            ZIP_LOOP(to, from, px[i], py[i], expression)                                           \
        else if (form == CPU_ZIP_VS)                                                               \
            ZIP_LOOP(to, from, px[i], y0, expression)                                              \
        else                                                                                       \
            ZIP_LOOP(to, from, x0, py[i], expression)                                              \
    }

/* Max and Min of the standard hand a NaN of either side on. */
static inline float larger(float x, float y) { return x > y || x != x ? x : y; }

static inline float smaller(float x, float y) { return x < y || x != x ? x : y; }

// clang-format off
ZIP(zip_add, float, float, x + y)
ZIP(zip_sub, float, float, x - y)
ZIP(zip_mul, float, float, x * y)
ZIP(zip_div, float, float, x / y)
ZIP(zip_max, float, float, larger(x, y))
ZIP(zip_min, float, float, smaller(x, y))
ZIP(zip_prelu, float, float, x < 0.0f ? x * y : x)
ZIP(zip_equal, float, uint8_t, x == y)
ZIP(zip_less, float, uint8_t, x < y)
ZIP(zip_less_equal, float, uint8_t, x <= y)
ZIP(zip_greater, float, uint8_t, x > y)
ZIP(zip_greater_equal, float, uint8_t, x >= y)

/* Integers wrap around, which C defines for unsigned types only. */
ZIP(zip_add_i64, uint64_t, uint64_t, x + y)
ZIP(zip_sub_i64, uint64_t, uint64_t, x - y)
ZIP(zip_mul_i64, uint64_t, uint64_t, x * y)
ZIP(zip_max_i64, int64_t, int64_t, x > y ? x : y)
ZIP(zip_min_i64, int64_t, int64_t, x < y ? x : y)
ZIP(zip_equal_i64, int64_t, uint8_t, x == y)
ZIP(zip_less_i64, int64_t, uint8_t, x < y)
ZIP(zip_less_equal_i64, int64_t, uint8_t, x <= y)
ZIP(zip_greater_i64, int64_t, uint8_t, x > y)
ZIP(zip_greater_equal_i64, int64_t, uint8_t, x >= y)

ZIP(zip_add_i32, uint32_t, uint32_t, x + y)
ZIP(zip_sub_i32, uint32_t, uint32_t, x - y)
ZIP(zip_mul_i32, uint32_t, uint32_t, x * y)
ZIP(zip_max_i32, int32_t, int32_t, x > y ? x : y)
ZIP(zip_min_i32, int32_t, int32_t, x < y ? x : y)
ZIP(zip_equal_i32, int32_t, uint8_t, x == y)
ZIP(zip_less_i32, int32_t, uint8_t, x < y)
ZIP(zip_less_equal_i32, int32_t, uint8_t, x <= y)
ZIP(zip_greater_i32, int32_t, uint8_t, x > y)
ZIP(zip_greater_equal_i32, int32_t, uint8_t, x >= y)

ZIP(zip_and, uint8_t, uint8_t, x & y)
ZIP(zip_or, uint8_t, uint8_t, x | y)
ZIP(zip_xor, uint8_t, uint8_t, x ^ y)
ZIP(zip_same, uint8_t, uint8_t, x == y)

ZIP(zip_square, float, float, y == y ? x * x : x * x)
ZIP(zip_root, float, float, x == -INFINITY ? INFINITY : sqrtf(x + 0.0f) + (y - y))
// clang-format on

/* Exponents that models use are multiplications and roots; the rest is libm's, one by one. The
 * root differs from sqrt in the two places where pow does: -infinity and -0. */
static void zip_pow(void *out, const void *left, const void *right, size_t n, unsigned form)
{
    const float *x = left, *y = right;
    float *z = out;
    if (form == CPU_ZIP_VS && y[0] == 2.0f) {
        zip_square(out, left, right, n, form);
        return;
    }
    if (form == CPU_ZIP_VS && y[0] == 0.5f) {
        zip_root(out, left, right, n, form);
        return;
    }
    size_t step_x = form != CPU_ZIP_SV, step_y = form != CPU_ZIP_VS;
    for (size_t i = 0; i < n; i++)
        z[i] = powf(x[i * step_x], y[i * step_y]);
}

// clang-format off
static const cpu_zip_row zip_rows[] = {
    {"Add", HEED_FLOAT32, HEED_FLOAT32, zip_add},
    {"Add", HEED_INT64, HEED_INT64, zip_add_i64},
    {"Add", HEED_INT32, HEED_INT32, zip_add_i32},
    {"Sub", HEED_FLOAT32, HEED_FLOAT32, zip_sub},
    {"Sub", HEED_INT64, HEED_INT64, zip_sub_i64},
    {"Sub", HEED_INT32, HEED_INT32, zip_sub_i32},
    {"Mul", HEED_FLOAT32, HEED_FLOAT32, zip_mul},
    {"Mul", HEED_INT64, HEED_INT64, zip_mul_i64},
    {"Mul", HEED_INT32, HEED_INT32, zip_mul_i32},
    {"Div", HEED_FLOAT32, HEED_FLOAT32, zip_div},
    {"Pow", HEED_FLOAT32, HEED_FLOAT32, zip_pow},
    {"PRelu", HEED_FLOAT32, HEED_FLOAT32, zip_prelu},
    {"Max", HEED_FLOAT32, HEED_FLOAT32, zip_max},
    {"Max", HEED_INT64, HEED_INT64, zip_max_i64},
    {"Max", HEED_INT32, HEED_INT32, zip_max_i32},
    {"Min", HEED_FLOAT32, HEED_FLOAT32, zip_min},
    {"Min", HEED_INT64, HEED_INT64, zip_min_i64},
    {"Min", HEED_INT32, HEED_INT32, zip_min_i32},
    {"Equal", HEED_FLOAT32, HEED_BOOL, zip_equal},
    {"Equal", HEED_INT64, HEED_BOOL, zip_equal_i64},
    {"Equal", HEED_INT32, HEED_BOOL, zip_equal_i32},
    {"Equal", HEED_BOOL, HEED_BOOL, zip_same},
    {"Less", HEED_FLOAT32, HEED_BOOL, zip_less},
    {"Less", HEED_INT64, HEED_BOOL, zip_less_i64},
    {"Less", HEED_INT32, HEED_BOOL, zip_less_i32},
    {"LessOrEqual", HEED_FLOAT32, HEED_BOOL, zip_less_equal},
    {"LessOrEqual", HEED_INT64, HEED_BOOL, zip_less_equal_i64},
    {"LessOrEqual", HEED_INT32, HEED_BOOL, zip_less_equal_i32},
    {"Greater", HEED_FLOAT32, HEED_BOOL, zip_greater},
    {"Greater", HEED_INT64, HEED_BOOL, zip_greater_i64},
    {"Greater", HEED_INT32, HEED_BOOL, zip_greater_i32},
    {"GreaterOrEqual", HEED_FLOAT32, HEED_BOOL, zip_greater_equal},
    {"GreaterOrEqual", HEED_INT64, HEED_BOOL, zip_greater_equal_i64},
    {"GreaterOrEqual", HEED_INT32, HEED_BOOL, zip_greater_equal_i32},
    {"And", HEED_BOOL, HEED_BOOL, zip_and},
    {"Or", HEED_BOOL, HEED_BOOL, zip_or},
    {"Xor", HEED_BOOL, HEED_BOOL, zip_xor},
    {NULL, HEED_UNDEFINED, HEED_UNDEFINED, NULL},
};
// clang-format on

#undef ZIP
#undef ZIP_LOOP
#endif
