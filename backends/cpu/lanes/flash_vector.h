/* Explicit vectors for the attention tiles: arithmetic on them is the compiler's vector extension;
 * here is what it cannot say, or says slowly: larger of two, selection, exp, and the shuffles that
 * turn squares and sum lanes. */
#ifndef CPU_LANES_FLASH_VECTOR_H
#define CPU_LANES_FLASH_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "lanes/math.h"

/* DEEP: rows of a register block of two vectors. */
#if defined(__AVX512F__)
enum { LANES = 16, DEEP = 12 };
#elif defined(__AVX2__)
enum { LANES = 8, DEEP = 6 };
#else
enum { LANES = 4, DEEP = 6 };
#endif

typedef float lane_f __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t lane_i __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#if defined(__clang__)
#define FLASH_UNROLL _Pragma("unroll")
#else
#define FLASH_UNROLL _Pragma("GCC unroll 16")
#endif
#define FLASH_INLINE static inline __attribute__((always_inline))

FLASH_INLINE lane_f lane_load(const float *x) { return *(const lane_f *)x; }

FLASH_INLINE void lane_store(float *to, lane_f x) { *(lane_f *)to = x; }

FLASH_INLINE lane_f lane_all(float x)
{
    return (lane_f)((lane_i){0} + (int32_t)float_bits(x)); /* the bits of a NaN as they are */
}

/* keep is -1 or 0 in each lane. */
FLASH_INLINE lane_f lane_select(lane_i keep, lane_f yes, lane_f no)
{
    return (lane_f)((keep & (lane_i)yes) | (~keep & (lane_i)no));
}

/* The larger one; y where x is not a number. */
FLASH_INLINE lane_f lane_larger(lane_f x, lane_f y)
{
#if defined(__AVX512F__)
    return (lane_f)_mm512_max_ps((__m512)x, (__m512)y);
#elif defined(__AVX2__)
    return (lane_f)_mm256_max_ps((__m256)x, (__m256)y);
#else
    return lane_select(x > y, x, y);
#endif
}

/* x y + z in one rounding where there is such an instruction: which of two products the compiler
 * would take into a sum is its choice, and need not be the same in two loops. */
FLASH_INLINE lane_f lane_fma(lane_f x, lane_f y, lane_f z)
{
#if defined(__AVX512F__)
    return (lane_f)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#elif defined(__AVX2__)
    return (lane_f)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#elif defined(__FP_FAST_FMAF)
    for (size_t i = 0; i < LANES; i++)
        z[i] = __builtin_fmaf(x[i], y[i], z[i]);
    return z;
#else
    return x * y + z;
#endif
}

/* 2^r for |r| <= 1/2: a minimax fit (Lawson's iteration, as in math.h) of one degree less, with
 * 1 + log(2) r fixed; its error is below a unit in the last place, and scores have rounded before.
 */
FLASH_INLINE lane_f lane_exp_core(lane_f r)
{
    lane_f p = r * 1.330017372e-03f + 9.669741399e-03f;
    p = p * r + 5.550560402e-02f;
    p = p * r + 2.402228128e-01f;
    p = p * r + 6.93147182e-01f;
    return p * r + 1.0f;
}

/* e^x for x <= 0; 0 from where float32 has none so small, where lanes of 8 and 4 also drop results
 * below 2^-126. Steps that add are cheap, since attention's products leave adders idle: the rest
 * of x log2(e) is taken from its rounded value, whose last bit is less than the rounding of x where
 * results weigh. */
FLASH_INLINE lane_f lane_exp_minus(lane_f x)
{
#if defined(__AVX512F__)
    lane_f t = lane_larger(lane_all(-200.0f), x) * 1.44269504f;
    __m512 k = _mm512_roundscale_ps((__m512)t, 8);
    return (lane_f)_mm512_scalef_ps((__m512)lane_exp_core(t - (lane_f)k), k);
#else
    lane_f t = lane_larger(lane_all(-87.3f), x) * 1.44269504f;
    lane_f magic = t + ROUND_MAGIC;
    lane_i n = (lane_i)magic - (int32_t)0x4b400000;
    lane_f power = (lane_f)((n + 127) << 23);
    lane_i tiny = x < -87.3f;
    return (lane_f)((lane_i)(lane_exp_core(t - (magic - ROUND_MAGIC)) * power) & ~tiny);
#endif
}

/* ---- Squares of LANES x LANES --------------------------------------------------------------- */

/* Blocks of h lanes of x and y: the even ones of both, or the odd ones of both, interleaved. */
// clang-format off
#if defined(__AVX512F__)
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define STAY_8 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31
#define SWAP_8 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23
#define STAY_4 0, 1, 2, 3, 20, 21, 22, 23, 8, 9, 10, 11, 28, 29, 30, 31
#define SWAP_4 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27
#define STAY_2 0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 26, 27, 12, 13, 30, 31
#define SWAP_2 2, 3, 16, 17, 6, 7, 20, 21, 10, 11, 24, 25, 14, 15, 28, 29
#define STAY_1 0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31
#define SWAP_1 1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30
#elif defined(__AVX2__)
#define LOW_4 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH_4 4, 5, 6, 7, 12, 13, 14, 15
#define LOW_2 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH_2 2, 3, 10, 11, 6, 7, 14, 15
#define LOW_1 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH_1 1, 9, 3, 11, 5, 13, 7, 15
#define STAY_4 0, 1, 2, 3, 12, 13, 14, 15
#define SWAP_4 4, 5, 6, 7, 8, 9, 10, 11
#define STAY_2 0, 1, 10, 11, 4, 5, 14, 15
#define SWAP_2 2, 3, 8, 9, 6, 7, 12, 13
#define STAY_1 0, 9, 2, 11, 4, 13, 6, 15
#define SWAP_1 1, 8, 3, 10, 5, 12, 7, 14
#else
#define LOW_2 0, 1, 4, 5
#define HIGH_2 2, 3, 6, 7
#define LOW_1 0, 4, 2, 6
#define HIGH_1 1, 5, 3, 7
#define STAY_2 0, 1, 6, 7
#define SWAP_2 2, 3, 4, 5
#define STAY_1 0, 5, 2, 7
#define SWAP_1 1, 4, 3, 6
#endif
// clang-format on

FLASH_INLINE lane_f lane_low(lane_f x, lane_f y, size_t h)
{
#if defined(__AVX512F__)
    if (h == 8)
        return __builtin_shufflevector(x, y, LOW_8);
#endif
#if defined(__AVX2__)
    if (h == 4)
        return __builtin_shufflevector(x, y, LOW_4);
#endif
    if (h == 2)
        return __builtin_shufflevector(x, y, LOW_2);
    return __builtin_shufflevector(x, y, LOW_1);
}

FLASH_INLINE lane_f lane_high(lane_f x, lane_f y, size_t h)
{
#if defined(__AVX512F__)
    if (h == 8)
        return __builtin_shufflevector(x, y, HIGH_8);
#endif
#if defined(__AVX2__)
    if (h == 4)
        return __builtin_shufflevector(x, y, HIGH_4);
#endif
    if (h == 2)
        return __builtin_shufflevector(x, y, HIGH_2);
    return __builtin_shufflevector(x, y, HIGH_1);
}

FLASH_INLINE void lane_turn_step(lane_f x[LANES], size_t h)
{
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        if (!(i & h)) {
            lane_f a = x[i], b = x[i + h];
            x[i] = lane_low(a, b, h);
            x[i + h] = lane_high(a, b, h);
        }
}

/* Rows become columns. */
FLASH_INLINE void lane_turn(lane_f x[LANES])
{
#if defined(__AVX512F__)
    lane_turn_step(x, 8);
#endif
#if defined(__AVX2__)
    lane_turn_step(x, 4);
#endif
    lane_turn_step(x, 2);
    lane_turn_step(x, 1);
}

/* The sums of pairs of lanes that are h apart: those of x, then those of y, in blocks of h. Lanes
 * that stay are blended, which is cheap; only one operand is shuffled. */
FLASH_INLINE lane_f lane_pairs(lane_f x, lane_f y, size_t h)
{
#if defined(__AVX512F__)
    if (h == 8)
        return __builtin_shufflevector(x, y, STAY_8) + __builtin_shufflevector(x, y, SWAP_8);
#endif
#if defined(__AVX2__)
    if (h == 4)
        return __builtin_shufflevector(x, y, STAY_4) + __builtin_shufflevector(x, y, SWAP_4);
#endif
    if (h == 2)
        return __builtin_shufflevector(x, y, STAY_2) + __builtin_shufflevector(x, y, SWAP_2);
    return __builtin_shufflevector(x, y, STAY_1) + __builtin_shufflevector(x, y, SWAP_1);
}

FLASH_INLINE void lane_sums_step(lane_f x[LANES], size_t h)
{
    FLASH_UNROLL
    for (size_t i = 0; i < h; i++)
        x[i] = lane_pairs(x[i], x[i + h], h);
}

/* Lane i of the result is the sum of the lanes of x[i]. */
FLASH_INLINE lane_f lane_sums(lane_f x[LANES])
{
#if defined(__AVX512F__)
    lane_sums_step(x, 8);
#endif
#if defined(__AVX2__)
    lane_sums_step(x, 4);
#endif
    lane_sums_step(x, 2);
    lane_sums_step(x, 1);
    return x[0];
}

/* Floats of a line of the caches; keys that the values of a block are asked for ahead. Rows lie
 * apart, so the processor does not guess them all. Asking behind the end does no harm. */
enum { LINE = 16, AHEAD = 32 };

/* X for each depth of a register block, for functions of their own and tables of them; FRONT_DEPTHS
 * are those of blocks that need registers for weights as well. */
#if defined(__AVX512F__)
#define FLASH_FRONT_DEPTHS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define FLASH_DEPTHS(X)       FLASH_FRONT_DEPTHS(X) X(9) X(10) X(11) X(12)
#else
#define FLASH_FRONT_DEPTHS(X) X(1) X(2) X(3) X(4)
#define FLASH_DEPTHS(X)       FLASH_FRONT_DEPTHS(X) X(5) X(6)
#endif

/* The part of n that comes next when `left` are left: equal parts of at most DEEP, so that no
 * block is too low to keep the multipliers busy. */
static inline size_t next_part(size_t left)
{
    size_t parts = (left + DEEP - 1) / DEEP;
    return (left + parts - 1) / parts;
}

#endif
