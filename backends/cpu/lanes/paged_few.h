/* Paged attention for few query rows (a decoder's tokens): vectors run along the keys for scores,
 * which takes squares of keys turned in registers, and along the channels for values. So a score is
 * one chain over the channels, and a sum of values one chain over the keys, as where rows are many;
 * and memory is the slower one all the same. */
#ifndef CPU_LANES_PAGED_FEW_H
#define CPU_LANES_PAGED_FEW_H

#include "lanes/flash_vector.h"
#include "paged.h"

/* Rows whose sums registers hold beside two squares, and beside a row of values. Each row more is
 * one more copy of all loops. */
enum { PAGED_SCORE_ROWS = 4 };
#if defined(__AVX512F__)
enum { PAGED_VALUE_ROWS = 4 };
#else
enum { PAGED_VALUE_ROWS = 2 };
#endif

/* ---- Rows of pages --------------------------------------------------------------------------- */

FLASH_INLINE size_t page_bytes(size_t type)
{
    return type == PAGED_F32 ? 4 : type == PAGED_I8 ? 1 : 2;
}

/* LANES numbers as they lie in pages; those of int8 times their scale. */
FLASH_INLINE lane_f page_load(size_t type, const char *at, float scale)
{
#if defined(__AVX512F__)
    if (type == PAGED_BF16)
        return (lane_f)_mm512_slli_epi32(
            _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm512_cvtepi32_ps(
                   _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at))) *
               scale;
#elif defined(__AVX2__)
    if (type == PAGED_BF16)
        return (lane_f)_mm256_slli_epi32(
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm256_cvtepi32_ps(
                   _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at))) *
               scale;
#endif
    (void)scale, (void)type;
    return lane_load((const float *)(const void *)at);
}

FLASH_INLINE float page_scale(size_t type, const cpu_page_rows *x, size_t j)
{
    return type == PAGED_I8 ? x->scales[j * x->scale_row] : 1.0f;
}

/* ---- Scores --------------------------------------------------------------------------------- */

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

/* Number `part` of a unit of each key. */
FLASH_INLINE lane_f page_part(size_t type, lane_f unit, size_t part, lane_f scale)
{
#if defined(__AVX512F__)
    __m512i bits = (__m512i)unit;
    if (type == PAGED_BF16)
        return part ? (lane_f)((lane_i)bits & (int32_t)0xffff0000)
                    : (lane_f)_mm512_slli_epi32(bits, 16);
    if (type == PAGED_I8)
        return (lane_f)_mm512_cvtepi32_ps(
                   _mm512_srai_epi32(_mm512_slli_epi32(bits, (unsigned)(24 - 8 * part)), 24)) *
               scale;
#elif defined(__AVX2__)
    __m256i bits = (__m256i)unit;
    if (type == PAGED_BF16)
        return part ? (lane_f)((lane_i)bits & (int32_t)0xffff0000)
                    : (lane_f)_mm256_slli_epi32(bits, 16);
    if (type == PAGED_I8)
        return (lane_f)_mm256_cvtepi32_ps(
                   _mm256_srai_epi32(_mm256_slli_epi32(bits, (int)(24 - 8 * part)), 24)) *
               scale;
#endif
    (void)type, (void)part, (void)scale;
    return unit;
}

// clang-format off
/* sum[row][key] += q k over one chunk of LANES keys. */
FLASH_INLINE void paged_square(size_t type, size_t rows, lane_f sum[PAGED_SCORE_ROWS],
                               const char *at, size_t step, size_t keys, lane_f scale,
                               const float *q, size_t d)
{
    size_t parts = PAGED_UNIT / page_bytes(type);
    lane_f x[4];
    page_chunks(x, at, step, keys);
    page_turn(x);
    FLASH_UNROLL
    for (size_t u = 0; u < 4; u++)
        FLASH_UNROLL
        for (size_t c = 0; c < parts; c++) {
            lane_f channel = page_part(type, x[u], c, scale);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r] += q[r * d + u * parts + c] * channel;
        }
}

FLASH_INLINE void page_ask(const char *next, size_t step)
{
    for (size_t j = 0; j < LANES; j++)
        __builtin_prefetch(next + j * step);
}

/* Where LANES keys are, and where their scores go. */
typedef struct page_square {
    const char *at, *next;
    lane_f scale;
    float *s;
} page_square;

FLASH_INLINE page_square page_square_of(size_t type, const cpu_page_rows *k, size_t first,
                                        size_t keys, float *s)
{
    size_t step = k->row * page_bytes(type);
    lane_f scale = {0};
    for (size_t j = 0; j < LANES && type == PAGED_I8; j++)
        scale[j] = page_scale(type, k, first + (j < keys ? j : keys - 1));
    return (page_square){k->at + first * step, k->next + first * step, scale, s};
}

/* One or two squares side by side: sums wait for each other. Behind `keys` the last key is
 * repeated. */
FLASH_INLINE void paged_squares(size_t type, size_t rows, size_t squares, page_square x[2],
                                size_t s_row, size_t step, size_t keys, const float *q, size_t d)
{
    size_t chunk = PAGED_CHUNK / page_bytes(type);
    lane_f sum[2][PAGED_SCORE_ROWS];
    FLASH_UNROLL
    for (size_t u = 0; u < squares; u++)
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[u][r] = (lane_f){0};
    for (size_t i = 0; i < d; i += chunk)
        FLASH_UNROLL
        for (size_t u = 0; u < squares; u++) {
            size_t skip = i * page_bytes(type);
            if (skip % PAGED_LINE == 0)
                page_ask(x[u].next + skip, step);
            paged_square(type, rows, sum[u], x[u].at + skip, step, keys, x[u].scale, q + i, d);
        }
    FLASH_UNROLL
    for (size_t u = 0; u < squares; u++)
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            lane_store(x[u].s + r * s_row, sum[u][r]);
}

/* Squares two by two: from key j of `from` and key i of `and`. */
FLASH_INLINE void paged_pair(size_t type, size_t rows, float *s, size_t s_row,
                             const cpu_page_rows *from, size_t j, const cpu_page_rows *and,
                             size_t i, const float *q, size_t d)
{
    page_square x[2] = {page_square_of(type, from, j, LANES, s),
                        page_square_of(type, and, i, LANES, s + LANES)};
    paged_squares(type, rows, 2, x, s_row, from->row * page_bytes(type), LANES, q, d);
}

FLASH_INLINE void paged_single(size_t type, size_t rows, float *s, size_t s_row,
                               const cpu_page_rows *k, size_t j, size_t keys, const float *q,
                               size_t d)
{
    page_square x[2] = {page_square_of(type, k, j, keys, s)};
    paged_squares(type, rows, 1, x, s_row, k->row * page_bytes(type), keys, q, d);
}

/* Some rows; all keys. */
FLASH_INLINE void paged_keys(size_t type, size_t rows, float *s, size_t s_row,
                             const cpu_page_rows *k, size_t keys, const float *q, size_t d)
{
    if ((size_t)LANES == PAGED_KEYS && keys == 2 * PAGED_KEYS) {
        paged_pair(type, rows, s, s_row, k, 0, k + 1, 0, q, d);
        return;
    }
    for (size_t n, left = keys; left; left -= n, k++, s += n) {
        size_t j = 0;
        n = left < PAGED_KEYS ? left : PAGED_KEYS;
        for (; (size_t)LANES < PAGED_KEYS && j + 2 * LANES <= n; j += 2 * LANES)
            paged_pair(type, rows, s + j, s_row, k, j, k, j + LANES, q, d);
        for (; j < n; j += LANES)
            paged_single(type, rows, s + j, s_row, k, j, n - j < LANES ? n - j : LANES, q, d);
    }
}
// clang-format on

/* ---- Weights -------------------------------------------------------------------------------- */

static float keyed_weigh(float *s, size_t keys, float *top)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = -INFINITY, sum = 0.0f;
    for (size_t j = 0; j < keys; j += LANES)
        most = lane_larger(lane_load(s + j), most);
    for (size_t i = 0; i < LANES; i++)
        now = most[i] > now ? most[i] : now;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    for (size_t j = 0; j < keys; j += LANES) {
        lane_f weight = lane_exp_minus(lane_load(s + j) - base);
        lane_store(s + j, weight);
        total += weight;
    }
    for (size_t i = 0; i < LANES; i++)
        sum += total[i];
    *top = now;
    return sum;
}

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o += p v for some rows and vectors, from channel `first` on. */
FLASH_INLINE void paged_columns(size_t type, size_t rows, size_t vectors, float *o, size_t cols,
                                const cpu_page_rows *v, size_t first, const float *p, size_t p_row,
                                size_t keys)
{
    size_t bytes = page_bytes(type), step = v->row * bytes;
    const char *at = v->at + first * bytes, *next = v->next + first * bytes;
    lane_f sum[16];
    o += first;
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r * vectors + c] = lane_load(o + r * cols + c * LANES);
    for (size_t j = 0; j < keys; j++, at += step, next += step) {
        float scale = page_scale(type, v, j);
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            if (c * LANES * bytes % PAGED_LINE == 0)
                __builtin_prefetch(next + c * LANES * bytes);
            lane_f x = page_load(type, at + c * LANES * bytes, scale);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r * vectors + c] += p[r * p_row + j] * x;
        }
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            lane_store(o + r * cols + c * LANES, sum[r * vectors + c]);
}
// clang-format on

FLASH_INLINE void paged_row_values(size_t type, size_t rows, float *o, const cpu_page_rows *v,
                                   size_t cols, const float *p, size_t p_row, size_t keys)
{
    size_t c = 0;
    if (PAGED_VALUE_ROWS >= 4 && rows <= 2)
        for (; c + 8 * LANES <= cols; c += 8 * LANES)
            paged_columns(type, rows, 8, o, cols, v, c, p, p_row, keys);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        paged_columns(type, rows, 4, o, cols, v, c, p, p_row, keys);
    for (; c < cols; c += LANES)
        paged_columns(type, rows, 1, o, cols, v, c, p, p_row, keys);
}

FLASH_INLINE void paged_sums(size_t type, float *o, const cpu_page_rows *v, size_t cols,
                             const float *p, size_t p_row, size_t keys, size_t rows)
{
    size_t r = 0;
    for (; PAGED_VALUE_ROWS >= 4 && r + 4 <= rows; r += 4)
        paged_row_values(type, 4, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; PAGED_VALUE_ROWS >= 4 && r + 3 <= rows; r += 3)
        paged_row_values(type, 3, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; r + 2 <= rows; r += 2)
        paged_row_values(type, 2, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; r < rows; r++)
        paged_row_values(type, 1, o + r * cols, v, cols, p + r * p_row, p_row, keys);
}

/* Rows of `cols` numbers, in whole vectors, as rows of float32. */
FLASH_INLINE void paged_widen(size_t type, float *to, size_t wide, const cpu_page_rows *x,
                              size_t cols, size_t rows)
{
    size_t bytes = page_bytes(type), step = x->row * bytes;
    const char *at = x->at, *next = x->next;
    for (size_t j = 0; j < rows; j++, at += step, next += step, to += wide) {
        float scale = page_scale(type, x, j);
        for (size_t i = 0; i < cols * bytes; i += PAGED_LINE)
            __builtin_prefetch(next + i);
        for (size_t c = 0; c < cols; c += LANES)
            lane_store(to + c, page_load(type, at + c * bytes, scale));
    }
}

/* Functions of their own: compilers take long over one that has all of them. */
typedef void paged_keys_function(float *s, size_t s_row, const cpu_page_rows *k, size_t keys,
                                 const float *q, size_t d);

#define PAGED_ROWS(name, type, rows)                                                               \
    static void keys_##name##_##rows(float *s, size_t s_row, const cpu_page_rows *k, size_t keys,  \
                                     const float *q, size_t d)                                     \
    {                                                                                              \
        paged_keys(type, rows, s, s_row, k, keys, q, d);                                           \
    }

#define PAGED_TYPE(name, type)                                                                     \
    PAGED_ROWS(name, type, 1)                                                                      \
    PAGED_ROWS(name, type, 2)                                                                      \
    PAGED_ROWS(name, type, 3)                                                                      \
    PAGED_ROWS(name, type, 4)                                                                      \
    static paged_keys_function *const keys_##name[PAGED_SCORE_ROWS + 1] = {                        \
        NULL, keys_##name##_1, keys_##name##_2, keys_##name##_3, keys_##name##_4};                 \
                                                                                                   \
    static void scores_##name(float *s, size_t s_row, const cpu_page_rows *k, size_t keys,         \
                              const float *q, size_t d, size_t rows)                               \
    {                                                                                              \
        for (size_t n; rows; rows -= n, s += n * s_row, q += n * d) {                              \
            n = rows < PAGED_SCORE_ROWS ? rows : PAGED_SCORE_ROWS;                                 \
            keys_##name[n](s, s_row, k, keys, q, d);                                               \
        }                                                                                          \
    }                                                                                              \
    static void values_##name(float *o, const cpu_page_rows *v, size_t cols, const float *p,       \
                              size_t p_row, size_t keys, size_t rows)                              \
    {                                                                                              \
        paged_sums(type, o, v, cols, p, p_row, keys, rows);                                        \
    }
#define PAGED_WIDEN(name, type)                                                                    \
    static void widen_##name(float *to, size_t wide, const cpu_page_rows *x, size_t cols,          \
                             size_t rows)                                                          \
    {                                                                                              \
        paged_widen(type, to, wide, x, cols, rows);                                                \
    }

PAGED_TYPE(f32, PAGED_F32)
PAGED_WIDEN(f32, PAGED_F32)
#if defined(__AVX2__)
PAGED_TYPE(bf16, PAGED_BF16)
PAGED_TYPE(i8, PAGED_I8)
PAGED_WIDEN(bf16, PAGED_BF16)
PAGED_WIDEN(f16, PAGED_F16)
PAGED_WIDEN(i8, PAGED_I8)
#endif

#undef PAGED_ROWS
#undef PAGED_TYPE
#undef PAGED_WIDEN

/* One row, as paged_join_columns has it. */
static void keyed_join(float *o, float *top, float *sum, const float *o2, float top2, float sum2,
                       size_t cols)
{
    float now = top2 > *top ? top2 : *top;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    lane_f alpha = lane_exp_minus(lane_all(*top) - base);
    lane_f beta = lane_exp_minus(lane_all(top2) - base);
    *top = now;
    *sum = lane_fma(lane_all(*sum), alpha, lane_all(sum2) * beta)[0];
    for (size_t c = 0; c < cols; c += LANES)
        lane_store(o + c, lane_fma(lane_load(o + c), alpha, lane_load(o2 + c) * beta));
}

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

static void paged_widen8(float *to, const int8_t *x, size_t n, float scale)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = (float)x[i] * scale;
}

#endif
