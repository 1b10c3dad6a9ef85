/* The loops of tiled attention in bfloat16, see flash_brain.h. A file of isa/ defines CPU_BRAIN,
 * the name of the table, and includes this. */
#ifndef CPU_LANES_BRAIN_TILE_H
#define CPU_LANES_BRAIN_TILE_H

#include "flash_brain.h"
#include "lanes/brain_vector.h"
#include "lanes/flash_softmax.h"

/* ---- Many rows ------------------------------------------------------------------------------ */

/* What a sum begins with. */
FLASH_INLINE lane_f brain_start(const float *c, const float *alpha, size_t r)
{
    if (!alpha)
        return (lane_f){0};
    return lane_load(c) * lane_load(alpha + r);
}

// clang-format off
/* c[m][rows] = factor a b, or alpha c + a b: a register block of it. `step` is the number of rows
 * of the panel. */
FLASH_INLINE void brain_block(size_t m, size_t vectors, float *c, const uint16_t *a, size_t a_row,
                              const uint16_t *b, size_t pairs, size_t step, float factor,
                              const float *alpha)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t j = 0; j < m; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[j][v] = brain_start(c + j * step + v * LANES, alpha, v * LANES);
    for (size_t i = 0; i < pairs; i++) {
        lane_u row[2];
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            row[v] = brain_load(b + 2 * i * step + v * WIDE);
        FLASH_UNROLL
        for (size_t j = 0; j < m; j++) {
            lane_u one = brain_all(a + j * a_row + 2 * i);
            FLASH_UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[j][v] = brain_dot(sum[j][v], one, row[v]);
        }
    }
    FLASH_UNROLL
    for (size_t j = 0; j < m; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            lane_store(c + j * step + v * LANES, sum[j][v] * factor);
}
// clang-format on

typedef void brain_function(float *c, const uint16_t *a, size_t a_row, const uint16_t *b,
                            size_t pairs, size_t step, float factor, const float *alpha);

/* Factors are for scores, alpha is for values: what is not asked for is not computed. */
#define BRAIN_BLOCK(m, vectors)                                                                    \
    static void brain_score_##m##_##vectors(float *c, const uint16_t *a, size_t a_row,             \
                                            const uint16_t *b, size_t pairs, size_t step,          \
                                            float factor, const float *alpha)                      \
    {                                                                                              \
        (void)alpha;                                                                               \
        brain_block(m, vectors, c, a, a_row, b, pairs, step, factor, NULL);                        \
    }                                                                                              \
    static void brain_value_##m##_##vectors(float *c, const uint16_t *a, size_t a_row,             \
                                            const uint16_t *b, size_t pairs, size_t step,          \
                                            float factor, const float *alpha)                      \
    {                                                                                              \
        (void)factor;                                                                              \
        brain_block(m, vectors, c, a, a_row, b, pairs, step, 1.0f, alpha);                         \
    }

#define BRAIN_BLOCKS(m) BRAIN_BLOCK(m, 1) BRAIN_BLOCK(m, 2)

// clang-format off
BRAIN_BLOCKS(1) BRAIN_BLOCKS(2) BRAIN_BLOCKS(3) BRAIN_BLOCKS(4) BRAIN_BLOCKS(5) BRAIN_BLOCKS(6)
#if defined(__AVX512F__)
BRAIN_BLOCKS(7) BRAIN_BLOCKS(8) BRAIN_BLOCKS(9) BRAIN_BLOCKS(10) BRAIN_BLOCKS(11) BRAIN_BLOCKS(12)
#define BRAIN_ROW(kind, vectors)                                                                   \
    {NULL, brain_##kind##_1_##vectors, brain_##kind##_2_##vectors, brain_##kind##_3_##vectors,     \
     brain_##kind##_4_##vectors, brain_##kind##_5_##vectors, brain_##kind##_6_##vectors,           \
     brain_##kind##_7_##vectors, brain_##kind##_8_##vectors, brain_##kind##_9_##vectors,           \
     brain_##kind##_10_##vectors, brain_##kind##_11_##vectors, brain_##kind##_12_##vectors}
#else
#define BRAIN_ROW(kind, vectors)                                                                   \
    {NULL, brain_##kind##_1_##vectors, brain_##kind##_2_##vectors, brain_##kind##_3_##vectors,     \
     brain_##kind##_4_##vectors, brain_##kind##_5_##vectors, brain_##kind##_6_##vectors}
#endif
    // clang-format on

    typedef brain_function *brain_functions[2][DEEP + 1];
static const brain_functions brain_score_blocks = {BRAIN_ROW(score, 1), BRAIN_ROW(score, 2)};
static const brain_functions brain_value_blocks = {BRAIN_ROW(value, 1), BRAIN_ROW(value, 2)};

#undef BRAIN_BLOCK
#undef BRAIN_BLOCKS
#undef BRAIN_ROW

/* All of c: equal parts of at most DEEP rows of a, as in flash_tile.h, by one or two vectors. */
static void brain_product(const brain_functions blocks, float *c, const uint16_t *a, size_t a_row,
                          size_t m, const uint16_t *b, size_t pairs, size_t vectors, float factor,
                          const float *alpha)
{
    size_t step = vectors * LANES;
    while (m) {
        size_t parts = (m + DEEP - 1) / DEEP, n = (m + parts - 1) / parts;
        for (size_t v = 0; v < vectors; v += 2) {
            size_t at = v * LANES;
            brain_function *run = blocks[vectors - v > 1][n];
            run(c + at, a, a_row, b + 2 * at, pairs, step, factor, alpha ? alpha + at : NULL);
        }
        c += n * step;
        a += n * a_row;
        m -= n;
    }
}

static void brain_scores(float *s, const uint16_t *k, size_t k_row, size_t keys, const uint16_t *q,
                         size_t d, size_t vectors, float scale)
{
    brain_product(brain_score_blocks, s, k, k_row, keys, q, (d + 1) / 2, vectors, scale, NULL);
}

static void brain_values(float *o, const uint16_t *v, size_t v_row, size_t cols, const uint16_t *p,
                         size_t keys, const float *alpha, size_t vectors)
{
    brain_product(brain_value_blocks, o, v, v_row, cols, p, (keys + 1) / 2, vectors, 1.0f, alpha);
}

/* ---- Softmax -------------------------------------------------------------------------------- */

/* Weights, rounded, in pairs of keys, where scores were that have been read; returns the sum of
 * what they are rounded to. */
FLASH_INLINE lane_f brain_weights(float *s, size_t keys, size_t vectors, lane_f top)
{
    lane_f sum = {0};
    lane_u ones = (lane_u){0} + BRAIN_ONES;
    size_t step = vectors * LANES;
    uint16_t *to = (uint16_t *)(void *)s;
    for (size_t j = 0; j < keys; j += 2, s += 2 * step, to += 2 * step) {
        lane_f second = {0}, first = lane_exp_minus(lane_load(s) - top);
        if (j + 1 < keys)
            second = lane_exp_minus(lane_load(s + step) - top);
        lane_u pair = brain_pair(first, second);
        brain_store(to, pair);
        sum = brain_dot(sum, pair, ones);
    }
    return sum;
}

static void brain_weigh(float *s, size_t keys, float *top, float *sum, float *alpha, size_t vectors)
{
    weigh_columns(s, keys, top, sum, alpha, vectors, brain_weights);
}

/* ---- Few rows ------------------------------------------------------------------------------- */

/* The products of one query with LANES keys; at the end of the keys the last one is repeated. */
FLASH_INLINE lane_f brain_dots(const uint16_t *q, const uint16_t *k, size_t k_row, size_t keys,
                               size_t d)
{
    lane_f sum[LANES];
    size_t i = 0;
    FLASH_UNROLL
    for (size_t j = 0; j < LANES; j++)
        sum[j] = (lane_f){0};
    for (; i + WIDE <= d; i += WIDE) {
        lane_u x = brain_load(q + i);
        FLASH_UNROLL
        for (size_t j = 0; j < LANES; j++)
            sum[j] = brain_dot(sum[j], brain_load(k + (j < keys ? j : keys - 1) * k_row + i), x);
    }
    if (i < d) {
        lane_u x = brain_load(q + i);
        for (size_t j = 0; j < LANES; j++) {
            const uint16_t *row = k + (j < keys ? j : keys - 1) * k_row + i;
            sum[j] = brain_dot(sum[j], brain_load_some(row, d - i), x);
        }
    }
    return lane_sums(sum);
}

static void brain_few_scores(float *s, size_t s_row, const uint16_t *k, size_t k_row, size_t keys,
                             const uint16_t *q, size_t q_row, size_t d, size_t rows, float scale)
{
    for (size_t j = 0; j < keys; j += LANES)
        for (size_t r = 0; r < rows; r++) {
            const uint16_t *at = k + j * k_row;
            float *to = s + r * s_row + j;
            if (keys - j >= LANES) {
                lane_store(to, brain_dots(q + r * q_row, at, k_row, LANES, d) * scale);
                continue;
            }
            lane_store(to, brain_dots(q + r * q_row, at, k_row, keys - j, d) * scale);
            for (size_t i = keys - j; i < LANES; i++)
                to[i] = -INFINITY;
        }
}

static void brain_few_weigh_row(float *s, size_t keys, float *top, float *sum, float *alpha)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = *top, added = 0.0f;
    uint16_t *to = (uint16_t *)(void *)s;
    for (size_t j = 0; j < keys; j += LANES)
        most = lane_larger(lane_load(s + j), most);
    for (size_t i = 0; i < LANES; i++)
        now = most[i] > now ? most[i] : now;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    for (size_t j = 0; j < keys; j += LANES)
        total += brain_narrow(to + j, lane_exp_minus(lane_load(s + j) - base));
    for (size_t i = 0; i < LANES; i++)
        added += total[i];
    *alpha = lane_exp_minus(lane_all(*top) - base)[0];
    *sum = *sum * *alpha + added;
    *top = now;
}

static void brain_few_weigh(float *s, size_t s_row, size_t keys, float *top, float *sum,
                            float *alpha, size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        brain_few_weigh_row(s + r * s_row, keys, top + r, sum + r, alpha + r);
}

/* WIDE numbers of a row of values, `cols` of them where they end. */
FLASH_INLINE lane_u brain_value(const uint16_t *v, size_t cols, int whole)
{
    return whole ? brain_load(v) : brain_load_some(v, cols);
}

// clang-format off
/* Some rows and vectors of columns of o = alpha o + p v. `deep`: pairs of keys are dealt out to so
 * many sums, that they need not wait for each other. */
FLASH_INLINE void brain_few_block(size_t rows, size_t vectors, size_t deep, int whole, float *o,
                                  size_t o_row, const uint16_t *v, size_t v_row, size_t cols,
                                  const uint16_t *p, size_t p_row, size_t keys, const float *alpha)
{
    lane_f sum[4][8][2] = {{{{0}}}};
    size_t j = 0;
    for (; j + 2 * deep <= keys; j += 2 * deep)
        FLASH_UNROLL
        for (size_t u = 0; u < deep; u++)
            FLASH_UNROLL
            for (size_t c = 0; c < vectors; c++) {
                const uint16_t *at = v + (j + 2 * u) * v_row + c * WIDE;
                lane_u pair[2];
                brain_zip(brain_value(at, cols, whole), brain_value(at + v_row, cols, whole), pair);
                FLASH_UNROLL
                for (size_t r = 0; r < rows; r++) {
                    lane_u weight = brain_all(p + r * p_row + j + 2 * u);
                    sum[u][r * vectors + c][0] =
                        brain_dot(sum[u][r * vectors + c][0], pair[0], weight);
                    sum[u][r * vectors + c][1] =
                        brain_dot(sum[u][r * vectors + c][1], pair[1], weight);
                }
            }
    for (; j < keys; j += 2)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            const uint16_t *at = v + j * v_row + c * WIDE;
            lane_u pair[2], second = {0};
            if (j + 1 < keys)
                second = brain_value(at + v_row, cols, whole);
            brain_zip(brain_value(at, cols, whole), second, pair);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++) {
                uint16_t weights[2] = {p[r * p_row + j], j + 1 < keys ? p[r * p_row + j + 1] : 0};
                lane_u weight = brain_all(weights);
                sum[0][r * vectors + c][0] = brain_dot(sum[0][r * vectors + c][0], pair[0], weight);
                sum[0][r * vectors + c][1] = brain_dot(sum[0][r * vectors + c][1], pair[1], weight);
            }
        }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            float *to = o + r * o_row + c * WIDE;
            lane_f all[2] = {sum[0][r * vectors + c][0], sum[0][r * vectors + c][1]};
            FLASH_UNROLL
            for (size_t u = 1; u < deep; u++) {
                all[0] += sum[u][r * vectors + c][0];
                all[1] += sum[u][r * vectors + c][1];
            }
            brain_columns(all);
            lane_store(to, lane_load(to) * alpha[r] + all[0]);
            lane_store(to + LANES, lane_load(to + LANES) * alpha[r] + all[1]);
        }
}
// clang-format on

/* All columns of some rows. */
FLASH_INLINE void brain_few_columns(size_t rows, float *o, size_t o_row, const uint16_t *v,
                                    size_t v_row, size_t cols, const uint16_t *p, size_t p_row,
                                    size_t keys, const float *alpha)
{
    size_t c = 0, deep = rows == 1 ? 2 : 1;
    if (rows <= 2)
        for (; c + 4 * WIDE <= cols; c += 4 * WIDE)
            brain_few_block(rows, 4, deep, 1, o + c, o_row, v + c, v_row, WIDE, p, p_row, keys,
                            alpha);
    for (; c + 2 * WIDE <= cols; c += 2 * WIDE)
        brain_few_block(rows, 2, rows == 1 ? 4 : 4 / rows, 1, o + c, o_row, v + c, v_row, WIDE, p,
                        p_row, keys, alpha);
    for (; c + WIDE <= cols; c += WIDE)
        brain_few_block(rows, 1, 4 / rows, 1, o + c, o_row, v + c, v_row, WIDE, p, p_row, keys,
                        alpha);
    if (c < cols)
        brain_few_block(rows, 1, 4 / rows, 0, o + c, o_row, v + c, v_row, cols - c, p, p_row, keys,
                        alpha);
}

static void brain_few_values(float *o, size_t o_row, const uint16_t *v, size_t v_row, size_t cols,
                             const uint16_t *p, size_t p_row, size_t keys, const float *alpha,
                             size_t rows)
{
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        brain_few_columns(4, o + r * o_row, o_row, v, v_row, cols, p + r * p_row, p_row, keys,
                          alpha + r);
    for (; r + 2 <= rows; r += 2)
        brain_few_columns(2, o + r * o_row, o_row, v, v_row, cols, p + r * p_row, p_row, keys,
                          alpha + r);
    for (; r < rows; r++)
        brain_few_columns(1, o + r * o_row, o_row, v, v_row, cols, p + r * p_row, p_row, keys,
                          alpha + r);
}

/* ---- Turning -------------------------------------------------------------------------------- */

static void brain_turn(uint16_t *to, size_t to_row, const uint16_t *from, size_t from_row,
                       size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += BRAIN_STEP)
        for (size_t c = 0; c < cols; c += LANES) {
            const uint16_t *at = from + r * from_row + c;
            size_t m = flash_min(rows - r, BRAIN_STEP), n = flash_min(cols - c, LANES);
            if (m == BRAIN_STEP && n == LANES)
                brain_turn_block(to + c * to_row + r, to_row, at, from_row, m, n, 1);
            else
                brain_turn_block(to + c * to_row + r, to_row, at, from_row, m, n, 0);
        }
}

#endif
