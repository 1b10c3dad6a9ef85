/* Loops that change the data type: the Cast operator, and the way by which float16 and bfloat16
 * reach the float32 loops. Rounding is to nearest even; NaNs stay NaNs.
 *
 * A float that does not fit the integer it is cast to is undefined in C and left open by the
 * standard; these loops saturate, and give 0 for a NaN. */
#ifndef CPU_LANES_CONVERTS_H
#define CPU_LANES_CONVERTS_H

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "lanes.h"
#include "lanes/math.h"

/* Weights of 16 bits lie at any byte of their file, and are widened from there. */
typedef uint16_t loose_half __attribute__((aligned(1), may_alias));

static inline float half_float(uint16_t h)
{
    uint32_t body = (uint32_t)(h & 0x7fff) << 13;
    /* Multiplying by 2^112 moves the exponent over and makes subnormals right. */
    uint32_t bits = float_bits(bits_float(body) * 5.19229686e+33f);
    bits = (h & 0x7c00) == 0x7c00 ? body | 0x7f800000u : bits;
    return bits_float(bits | (uint32_t)(h & 0x8000) << 16);
}

static inline uint16_t float_half(float x)
{
    uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000u, a = bits & 0x7fffffffu;
    /* Adding a power of two whose last bit is worth half's subnormal step rounds to it. */
    uint32_t tiny = float_bits(bits_float(a) + 0.5f) - 0x3f000000u;
    uint32_t normal = (a + 0xc8000fffu + (a >> 13 & 1)) >> 13;
    uint32_t h = a < 0x38800000u ? tiny : normal;
    h = a >= 0x477ff000u ? 0x7c00u : h;
    h = a > 0x7f800000u ? 0x7e00u : h;
    return (uint16_t)(sign | h);
}

static inline float brain_float(uint16_t b) { return bits_float((uint32_t)b << 16); }

static inline uint16_t float_brain(float x)
{
    uint32_t bits = float_bits(x);
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(x != x ? (bits >> 16 | 0x40u) : rounded);
}

static inline int64_t float_i64(float x)
{
    float low = x < -9223372036854775808.0f ? -9223372036854775808.0f : x;
    float safe = low < 9223371487098961920.0f ? low : 9223371487098961920.0f;
    int64_t y = (int64_t)(x == x ? safe : 0.0f);
    return x >= 9223372036854775808.0f ? INT64_MAX : y;
}

static inline int32_t float_i32(float x)
{
    float low = x < -2147483648.0f ? -2147483648.0f : x;
    float safe = low < 2147483520.0f ? low : 2147483520.0f;
    int32_t y = (int32_t)(x == x ? safe : 0.0f);
    return x >= 2147483648.0f ? INT32_MAX : y;
}

#define CONVERT(name, from, to, expression)                                                        \
    static void name(void *out, const void *in, size_t n, const float *p)                          \
    {                                                                                              \
        to *y = out;                                                                               \
        const from *px = in;                                                                       \
        (void)p;                                                                                   \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                         \
        {                                                                                          \
            from x = px[i];                                                                        \
            y[i] = expression;                                                                     \
        }                                                                                          \
    }

/* The conversions that have an instruction of their own, and many readers. */
static void f16_to_f32(void *out, const void *in, size_t n, const float *p)
{
    float *y = out;
    const loose_half *x = in;
    size_t i = 0;
    (void)p;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) {
        __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(half));
    }
    if (i < n) {
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);
        __m256i half = _mm256_maskz_loadu_epi16(some, x + i);
        _mm512_mask_storeu_ps(y + i, some, _mm512_cvtph_ps(half));
    }
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8) {
        __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(half));
    }
    for (; i < n; i++)
        y[i] = _cvtsh_ss(x[i]);
#else
#pragma omp simd
    for (size_t j = i; j < n; j++)
        y[j] = half_float(x[j]);
#endif
}

#if defined(__AVX512F__)
/* The instruction keeps what a NaN carries; here all are one, but for the sign. */
static inline __m256i halves_of(__m512 x)
{
    __mmask16 none = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    __m256i half = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256i sign = _mm256_and_si256(half, _mm256_set1_epi16(INT16_MIN));
    __m256i quiet = _mm256_or_si256(sign, _mm256_set1_epi16(0x7e00));
    return _mm256_mask_blend_epi16(none, half, quiet);
}
#endif

static void f32_to_f16(void *out, const void *in, size_t n, const float *p)
{
    uint16_t *y = out;
    const float *x = in;
    size_t i = 0;
    (void)p;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i), halves_of(_mm512_loadu_ps(x + i)));
    if (i < n) {
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);
        _mm256_mask_storeu_epi16(y + i, some, halves_of(_mm512_maskz_loadu_ps(some, x + i)));
    }
#else
#pragma omp simd
    for (size_t j = i; j < n; j++)
        y[j] = float_half(x[j]);
#endif
}

// clang-format off
CONVERT(bf16_to_f32, loose_half, float, brain_float(x))
CONVERT(f32_to_bf16, float, uint16_t, float_brain(x))
CONVERT(i64_to_f32, int64_t, float, (float)x)
CONVERT(i32_to_f32, int32_t, float, (float)x)
CONVERT(i8_to_f32, int8_t, float, (float)x)
CONVERT(u8_to_f32, uint8_t, float, (float)x)
CONVERT(f64_to_f32, double, float, (float)x)
CONVERT(f32_to_f64, float, double, (double)x)
CONVERT(f32_to_i64, float, int64_t, float_i64(x))
CONVERT(f32_to_i32, float, int32_t, float_i32(x))
CONVERT(f32_to_bool, float, uint8_t, (uint8_t)(x != 0.0f))
CONVERT(i64_to_bool, int64_t, uint8_t, (uint8_t)(x != 0))
CONVERT(i32_to_bool, int32_t, uint8_t, (uint8_t)(x != 0))
CONVERT(i64_to_i32, int64_t, int32_t, (int32_t)(uint32_t)((uint64_t)x & 0xffffffffu))
CONVERT(i32_to_i64, int32_t, int64_t, x)
CONVERT(u8_to_i64, uint8_t, int64_t, x)
CONVERT(u8_to_i32, uint8_t, int32_t, x)

static const cpu_convert_row convert_rows[] = {
    {HEED_FLOAT16, HEED_FLOAT32, f16_to_f32},
    {HEED_FLOAT32, HEED_FLOAT16, f32_to_f16},
    {HEED_BFLOAT16, HEED_FLOAT32, bf16_to_f32},
    {HEED_FLOAT32, HEED_BFLOAT16, f32_to_bf16},
    {HEED_INT64, HEED_FLOAT32, i64_to_f32},
    {HEED_INT32, HEED_FLOAT32, i32_to_f32},
    {HEED_INT8, HEED_FLOAT32, i8_to_f32},
    {HEED_UINT8, HEED_FLOAT32, u8_to_f32},
    {HEED_BOOL, HEED_FLOAT32, u8_to_f32},
    {HEED_FLOAT64, HEED_FLOAT32, f64_to_f32},
    {HEED_FLOAT32, HEED_FLOAT64, f32_to_f64},
    {HEED_FLOAT32, HEED_INT64, f32_to_i64},
    {HEED_FLOAT32, HEED_INT32, f32_to_i32},
    {HEED_FLOAT32, HEED_BOOL, f32_to_bool},
    {HEED_INT64, HEED_BOOL, i64_to_bool},
    {HEED_INT32, HEED_BOOL, i32_to_bool},
    {HEED_INT64, HEED_INT32, i64_to_i32},
    {HEED_INT32, HEED_INT64, i32_to_i64},
    {HEED_BOOL, HEED_INT64, u8_to_i64},
    {HEED_UINT8, HEED_INT64, u8_to_i64},
    {HEED_BOOL, HEED_INT32, u8_to_i32},
    {HEED_UINT8, HEED_INT32, u8_to_i32},
    {HEED_UNDEFINED, HEED_UNDEFINED, NULL},
};
// clang-format on

#undef CONVERT
#endif
