/* Numbers as they lie in pages: float32, bfloat16, float16 and int8, read into vectors, in rows or
 * by squares of keys that are turned in registers; and rows of them as float32, and back to int8.
 * Apart from the loops of paged_few.h, which are the same for all of them. */
#ifndef CPU_LANES_PAGED_PAGE_H
#define CPU_LANES_PAGED_PAGE_H

#include "lanes/flash_vector.h"
#include "paged.h"

/* ---- Rows ----------------------------------------------------------------------------------- */

FLASH_INLINE size_t page_bytes(size_t type)
{
    return type == PAGED_F32 ? 4 : type == PAGED_I8 ? 1 : 2;
}

/* LANES numbers as they lie in pages; those of int8 without their scale. */
FLASH_INLINE lane_f page_load(size_t type, const char *at)
{
#if defined(__AVX512F__)
    if (type == PAGED_BF16)
        return (lane_f)_mm512_slli_epi32(
            _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm512_cvtepi32_ps(
            _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)));
#elif defined(__AVX2__)
    if (type == PAGED_BF16)
        return (lane_f)_mm256_slli_epi32(
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm256_cvtepi32_ps(
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at)));
#endif
    if (type == PAGED_I8) {
        lane_f x;
        for (size_t i = 0; i < LANES; i++)
            x[i] = (float)((const int8_t *)at)[i];
        return x;
    }
    return lane_load((const float *)(const void *)at);
}

/* ---- Squares -------------------------------------------------------------------------------- */

/* Keys are turned by units of 4 bytes, of which a chunk of 16 bytes has 4. */
enum { PAGED_UNIT = 4 };

/* Chunks of LANES keys, the r-th of each four in x[r]; behind `keys` the last one is repeated.
 * Loads put them in place, which is cheaper than shuffles. */
FLASH_INLINE void page_chunks(lane_f x[4], const char *at, size_t step, size_t keys)
{
    FLASH_UNROLL
    for (size_t r = 0; r < 4; r++) {
        const char *four[4];
        FLASH_UNROLL
        for (size_t i = 0; i < LANES / 4; i++)
            four[i] = at + (4 * i + r < keys ? 4 * i + r : keys - 1) * step;
#if defined(__AVX512F__)
        __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)(const void *)four[0]));
        v = _mm512_mask_broadcast_f32x4(v, 0x00f0,
                                        _mm_loadu_ps((const float *)(const void *)four[1]));
        v = _mm512_mask_broadcast_f32x4(v, 0x0f00,
                                        _mm_loadu_ps((const float *)(const void *)four[2]));
        v = _mm512_mask_broadcast_f32x4(v, 0xf000,
                                        _mm_loadu_ps((const float *)(const void *)four[3]));
        x[r] = (lane_f)v;
#elif defined(__AVX2__)
        __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)four[0]));
        x[r] =
            (lane_f)_mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(const void *)four[1]), 1);
#else
        x[r] = lane_load((const float *)(const void *)four[0]);
#endif
    }
}

/* x[u] becomes unit u of all keys in their order. */
FLASH_INLINE void page_turn(lane_f x[4])
{
#if defined(__AVX512F__)
    __m512 a = _mm512_unpacklo_ps((__m512)x[0], (__m512)x[1]);
    __m512 b = _mm512_unpackhi_ps((__m512)x[0], (__m512)x[1]);
    __m512 c = _mm512_unpacklo_ps((__m512)x[2], (__m512)x[3]);
    __m512 d = _mm512_unpackhi_ps((__m512)x[2], (__m512)x[3]);
    x[0] = (lane_f)_mm512_unpacklo_pd((__m512d)a, (__m512d)c);
    x[1] = (lane_f)_mm512_unpackhi_pd((__m512d)a, (__m512d)c);
    x[2] = (lane_f)_mm512_unpacklo_pd((__m512d)b, (__m512d)d);
    x[3] = (lane_f)_mm512_unpackhi_pd((__m512d)b, (__m512d)d);
#elif defined(__AVX2__)
    __m256 a = _mm256_unpacklo_ps((__m256)x[0], (__m256)x[1]);
    __m256 b = _mm256_unpackhi_ps((__m256)x[0], (__m256)x[1]);
    __m256 c = _mm256_unpacklo_ps((__m256)x[2], (__m256)x[3]);
    __m256 d = _mm256_unpackhi_ps((__m256)x[2], (__m256)x[3]);
    x[0] = (lane_f)_mm256_unpacklo_pd((__m256d)a, (__m256d)c);
    x[1] = (lane_f)_mm256_unpackhi_pd((__m256d)a, (__m256d)c);
    x[2] = (lane_f)_mm256_unpacklo_pd((__m256d)b, (__m256d)d);
    x[3] = (lane_f)_mm256_unpackhi_pd((__m256d)b, (__m256d)d);
#else
    lane_turn(x);
#endif
}

#if defined(__AVX512F__)
/* Two chunks of each of 16 keys at once: half the loads. Loads put the chunks of keys that are four
 * apart side by side; the first units of two quarters so end up in one vector, the last ones in
 * another. */
FLASH_INLINE void page_wide_chunks(lane_f x[8], const char *at, size_t step)
{
    FLASH_UNROLL
    for (size_t r = 0; r < 8; r++) {
        const char *low = at + (r / 4 * 8 + r % 4) * step, *high = low + 4 * step;
        __m512d v = _mm512_castpd256_pd512(_mm256_loadu_pd((const double *)(const void *)low));
        x[r] =
            (lane_f)_mm512_insertf64x4(v, _mm256_loadu_pd((const double *)(const void *)high), 1);
    }
}

FLASH_INLINE void page_wide_turn(lane_f x[8])
{
    page_turn(x);
    page_turn(x + 4);
    FLASH_UNROLL
    for (size_t u = 0; u < 4; u++) {
        __m512 a = (__m512)x[u], b = (__m512)x[4 + u];
        x[u] = (lane_f)_mm512_shuffle_f32x4(a, b, 0x88);
        x[4 + u] = (lane_f)_mm512_shuffle_f32x4(a, b, 0xdd);
    }
}
#endif

/* Number `part` of a unit of each key. */
FLASH_INLINE lane_f page_part(size_t type, lane_f unit, size_t part)
{
#if defined(__AVX512F__)
    __m512i bits = (__m512i)unit;
    if (type == PAGED_BF16)
        return part ? (lane_f)((lane_i)bits & (int32_t)0xffff0000)
                    : (lane_f)_mm512_slli_epi32(bits, 16);
    if (type == PAGED_F16)
        return (lane_f)_mm512_cvtph_ps(
            _mm512_cvtepi32_epi16(part ? _mm512_srli_epi32(bits, 16) : bits));
    if (type == PAGED_I8)
        return (lane_f)_mm512_cvtepi32_ps(
            _mm512_srai_epi32(_mm512_slli_epi32(bits, (unsigned)(24 - 8 * part)), 24));
#elif defined(__AVX2__)
    __m256i bits = (__m256i)unit;
    if (type == PAGED_BF16)
        return part ? (lane_f)((lane_i)bits & (int32_t)0xffff0000)
                    : (lane_f)_mm256_slli_epi32(bits, 16);
    if (type == PAGED_F16) {
        bits =
            part ? _mm256_srli_epi32(bits, 16) : _mm256_and_si256(bits, _mm256_set1_epi32(0xffff));
        return (lane_f)_mm256_cvtph_ps(
            _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1)));
    }
    if (type == PAGED_I8)
        return (lane_f)_mm256_cvtepi32_ps(
            _mm256_srai_epi32(_mm256_slli_epi32(bits, (int)(24 - 8 * part)), 24));
#endif
    (void)type, (void)part;
    return unit;
}

/* ---- As float32 ----------------------------------------------------------------------------- */

/* Rows of whole vectors; those of int8 without their scales. */
FLASH_INLINE void paged_widen(size_t type, float *to, size_t wide, const cpu_page_run *x,
                              size_t cols)
{
    size_t bytes = page_bytes(type), step = cols * bytes;
    const char *at = x->at, *next = x->next;
    for (size_t j = 0; j < x->keys; j++, at += step, next += step, to += wide) {
        for (size_t i = 0; i < step; i += PAGED_LINE)
            __builtin_prefetch(next + i);
        for (size_t c = 0; c < cols; c += LANES)
            lane_store(to + c, page_load(type, at + c * bytes));
    }
}

#define PAGED_WIDEN(name, type)                                                                    \
    static void widen_##name(float *to, size_t wide, const cpu_page_run *x, size_t cols)           \
    {                                                                                              \
        paged_widen(type, to, wide, x, cols);                                                      \
    }

PAGED_WIDEN(f32, PAGED_F32)
PAGED_WIDEN(i8, PAGED_I8)
#if defined(__AVX2__)
PAGED_WIDEN(bf16, PAGED_BF16)
PAGED_WIDEN(f16, PAGED_F16)
#endif

#undef PAGED_WIDEN

/* ---- Pages of int8 -------------------------------------------------------------------------- */

/* round(127 x / m) for the largest magnitude m, beside m / 127. Halves go to even numbers, as the
 * sum with ROUND_MAGIC has them. */
static float paged_narrow8(int8_t *to, const float *x, size_t n)
{
    float most = 0.0f, odd = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        most = size > most ? size : most;
        odd = x[i] != x[i] ? x[i] : odd;
    }
    float each = 127.0f / most;
    bool zero = !(most > 0.0f) || !(each < INFINITY) || !(most < INFINITY) || odd != odd;
    for (size_t i = 0; i < n; i++) {
        float y = zero ? 0.0f : x[i] * each;
        to[i] = (int8_t)(int32_t)((y + ROUND_MAGIC) - ROUND_MAGIC);
    }
    return odd != odd ? odd : most / 127.0f;
}

static void paged_widen8(float *to, const int8_t *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = (float)x[i];
}

#endif
