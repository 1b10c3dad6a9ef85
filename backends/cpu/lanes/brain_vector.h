/* Vectors of pairs of bfloat16, for the attention tiles of flash_brain.h: with AVX512-BF16 its own
 * instructions, elsewhere the same arithmetic in plain C, the twin that tests compare with. The
 * instructions take subnormal numbers for 0, the twin does not. */
#ifndef CPU_LANES_BRAIN_VECTOR_H
#define CPU_LANES_BRAIN_VECTOR_H

#include <string.h>

#include "lanes/flash_vector.h"

enum { WIDE = 2 * LANES }; /* numbers of a vector */

/* A pair in each lane, the first of it in the lower half. */
typedef uint32_t lane_u __attribute__((vector_size(LANES * 4), aligned(2), may_alias));

#define BRAIN_ONES 0x3f803f80u

FLASH_INLINE lane_u brain_load(const uint16_t *x) { return *(const lane_u *)(const void *)x; }

FLASH_INLINE void brain_store(uint16_t *to, lane_u x) { *(lane_u *)(void *)to = x; }

/* The pair at x in every lane. */
FLASH_INLINE lane_u brain_all(const uint16_t *x)
{
    uint32_t pair;
    memcpy(&pair, x, sizeof(pair));
    return (lane_u){0} + pair;
}

/* n numbers, and zeros. */
FLASH_INLINE lane_u brain_load_some(const uint16_t *x, size_t n)
{
#if defined(__AVX512BF16__)
    return (lane_u)_mm512_maskz_loadu_epi16((__mmask32)((1u << n) - 1), x);
#else
    uint16_t some[WIDE] = {0};
    memcpy(some, x, n * sizeof(*x));
    return brain_load(some);
#endif
}

/* sum + both products of each pair: the second ones first, rounded after each. A product of two
 * bfloat16 is exact in float32. */
FLASH_INLINE lane_f brain_dot(lane_f sum, lane_u x, lane_u y)
{
#if defined(__AVX512BF16__)
    return (lane_f)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
#else
    lane_u high = (lane_u){0} + 0xffff0000u;
    sum += (lane_f)(x & high) * (lane_f)(y & high);
    return sum + (lane_f)(x << 16) * (lane_f)(y << 16);
#endif
}

/* The nearest bfloat16, even ones of two, as float32. */
FLASH_INLINE lane_u brain_round(lane_f x)
{
    lane_u bits = (lane_u)x, high = (lane_u){0} + 0xffff0000u;
    lane_u rounded = (bits + 0x7fffu + (bits >> 16 & 1)) & high;
    lane_u odd = (lane_u)(x != x);
    return (odd & ((bits & high) | 0x400000u)) | (~odd & rounded);
}

/* Pairs of x and y, rounded. */
FLASH_INLINE lane_u brain_pair(lane_f x, lane_f y)
{
#if defined(__AVX512BF16__)
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512bh both = _mm512_cvtne2ps_pbh((__m512)y, (__m512)x);
    return (lane_u)_mm512_permutexvar_epi16(order, (__m512i)both);
#else
    return brain_round(x) >> 16 | brain_round(y);
#endif
}

/* LANES numbers, rounded, side by side; returns them as float32. */
FLASH_INLINE lane_f brain_narrow(uint16_t *to, lane_f x)
{
#if defined(__AVX512BF16__)
    __m256i narrow = (__m256i)_mm512_cvtneps_pbh((__m512)x);
    _mm256_storeu_si256((__m256i *)(void *)to, narrow);
    return (lane_f)_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16);
#else
    lane_u wide = brain_round(x);
    for (size_t i = 0; i < LANES; i++)
        to[i] = (uint16_t)(wide[i] >> 16);
    return (lane_f)wide;
#endif
}

/* Two rows of WIDE numbers become pairs of a column: two vectors of columns, in an order of their
 * own that brain_columns undoes. */
FLASH_INLINE void brain_zip(lane_u x, lane_u y, lane_u pair[2])
{
#if defined(__AVX512BF16__)
    pair[0] = (lane_u)_mm512_unpacklo_epi16((__m512i)x, (__m512i)y);
    pair[1] = (lane_u)_mm512_unpackhi_epi16((__m512i)x, (__m512i)y);
#else /* even columns, and odd ones */
    lane_u high = (lane_u){0} + 0xffff0000u;
    pair[0] = (x & ~high) | y << 16;
    pair[1] = x >> 16 | (y & high);
#endif
}

FLASH_INLINE void brain_columns(lane_f x[2])
{
#if defined(__AVX512BF16__)
    lane_f a = x[0], b = x[1];
    x[0] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    x[1] =
        __builtin_shufflevector(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
#else
    float columns[WIDE];
    for (size_t i = 0; i < WIDE; i++)
        columns[i] = x[i % 2][i / 2];
    x[0] = lane_load(columns);
    x[1] = lane_load(columns + LANES);
#endif
}

/* ---- Turning -------------------------------------------------------------------------------- */

/* to[c][r] = from[r][c] for 32 rows, as many of them as there are, and up to LANES columns;
 * `whole`: there are all. */
FLASH_INLINE void brain_turn_block(uint16_t *to, size_t to_row, const uint16_t *from,
                                   size_t from_row, size_t rows, size_t cols, int whole)
{
#if defined(__AVX512BF16__)
    lane_f x[LANES];
    __mmask16 some = (__mmask16)((1u << cols) - 1);
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++) {
        __mmask16 first = whole || 2 * i < rows ? some : 0, second = 2 * i + 1 < rows ? some : 0;
        const uint16_t *row = from + 2 * i * from_row;
        const uint16_t *next = whole || second ? row + from_row : row;
        __m256i a = whole ? _mm256_loadu_si256((const __m256i *)(const void *)row)
                          : _mm256_maskz_loadu_epi16(first, row);
        __m256i b = whole ? _mm256_loadu_si256((const __m256i *)(const void *)next)
                          : _mm256_maskz_loadu_epi16(second, next);
        __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16);
        x[i] = (lane_f)_mm512_or_si512(_mm512_cvtepu16_epi32(a), high);
    }
    lane_turn(x);
    FLASH_UNROLL
    for (size_t c = 0; c < LANES; c++)
        if (whole || c < cols)
            brain_store(to + c * to_row, (lane_u)x[c]);
#else
    (void)whole;
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < 32; r++)
            to[c * to_row + r] = r < rows ? from[r * from_row + c] : 0;
#endif
}

#endif
