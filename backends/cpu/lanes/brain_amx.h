/* The products of many rows over the tile registers of AMX. A block is 32 rows of one operand by 32
 * rows of queries: four tiles of sums, and two of each operand, so that each tile that is loaded is
 * used twice. Rows that fill no tile are left to brain_tile.h; so are softmax and few rows. A file
 * of isa/ includes one of tile_real.h and tile_plain.h first. */
#ifndef CPU_LANES_BRAIN_AMX_H
#define CPU_LANES_BRAIN_AMX_H

#include "lanes/brain_tile.h"

enum { TILE_SIDE = 16, TILE_DEPTH = 32, TILE_PAIR = 2 * TILE_SIDE };

/* All tiles have 16 rows of 64 bytes. */
static void amx_begin(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    TILE_CONFIGURE(&config);
}

static void amx_end(void) { TILE_RELEASE(); }

/* c[m tiles][r tiles] = or += a[..][n] b[n / 2][rows][2]. Tiles 0 and 1 are a, 2 and 3 b, 4 to 7
 * sums. */
FLASH_INLINE void amx_sum(size_t m, size_t r, float *c, const uint16_t *a, size_t a_row,
                          const uint16_t *b, size_t n, size_t rows, int add)
{
    size_t step = rows * sizeof(float), a_step = a_row * sizeof(*a);
    float *below = c + TILE_SIDE * rows;
    TILE_FENCE();
    if (add) {
        TILE_LOAD(4, c, step);
        if (r > 1)
            TILE_LOAD(5, c + TILE_SIDE, step);
        if (m > 1)
            TILE_LOAD(6, below, step);
        if (m > 1 && r > 1)
            TILE_LOAD(7, below + TILE_SIDE, step);
    } else {
        TILE_ZERO(4);
        TILE_ZERO(5);
        TILE_ZERO(6);
        TILE_ZERO(7);
    }
    for (size_t i = 0; i < n; i += TILE_DEPTH) {
        const uint16_t *pairs = b + i * rows;
        TILE_LOAD(2, pairs, step);
        TILE_LOAD(0, a + i, a_step);
        TILE_DOT(4, 0, 2);
        if (r > 1) {
            TILE_LOAD(3, pairs + TILE_PAIR, step);
            TILE_DOT(5, 0, 3);
        }
        if (m > 1) {
            TILE_LOAD(1, a + TILE_SIDE * a_row + i, a_step);
            TILE_DOT(6, 1, 2);
        }
        if (m > 1 && r > 1)
            TILE_DOT(7, 1, 3);
    }
    TILE_STORE(4, c, step);
    if (r > 1)
        TILE_STORE(5, c + TILE_SIDE, step);
    if (m > 1)
        TILE_STORE(6, below, step);
    if (m > 1 && r > 1)
        TILE_STORE(7, below + TILE_SIDE, step);
    TILE_FENCE();
}

typedef void amx_function(float *c, const uint16_t *a, size_t a_row, const uint16_t *b, size_t n,
                          size_t rows);

#define AMX_BLOCK(name, m, r, add)                                                                 \
    static void name##_##m##_##r(float *c, const uint16_t *a, size_t a_row, const uint16_t *b,     \
                                 size_t n, size_t rows)                                            \
    {                                                                                              \
        amx_sum(m, r, c, a, a_row, b, n, rows, add);                                               \
    }
#define AMX_BLOCKS(name, add)                                                                      \
    AMX_BLOCK(name, 1, 1, add)                                                                     \
    AMX_BLOCK(name, 1, 2, add)                                                                     \
    AMX_BLOCK(name, 2, 1, add)                                                                     \
    AMX_BLOCK(name, 2, 2, add)                                                                     \
    static amx_function *const name##_blocks[2][2] = {{name##_1_1, name##_1_2},                    \
                                                      {name##_2_1, name##_2_2}};

AMX_BLOCKS(amx_set, 0)
AMX_BLOCKS(amx_add, 1)

#undef AMX_BLOCK
#undef AMX_BLOCKS

static void amx_scores(float *s, const uint16_t *k, size_t k_row, size_t keys, const uint16_t *q,
                       size_t d, size_t vectors, float scale)
{
    size_t rows = vectors * LANES, whole = keys / TILE_SIDE * TILE_SIDE, r = rows / TILE_SIDE;
    for (size_t j = 0; j < whole; j += TILE_PAIR) {
        size_t m = flash_min(whole - j, TILE_PAIR) / TILE_SIDE;
        float *to = s + j * rows;
        amx_set_blocks[m - 1][r - 1](to, k + j * k_row, k_row, q, d, rows);
        for (size_t i = 0; i < m * TILE_SIDE * rows; i += LANES)
            lane_store(to + i, lane_load(to + i) * scale);
    }
    brain_scores(s + whole * rows, k + whole * k_row, k_row, keys - whole, q, d, vectors, scale);
}

/* Weights and values are zeros, or finite against zeros, up to whole depths of a tile. */
static void amx_values(float *o, const uint16_t *v, size_t v_row, size_t cols, const uint16_t *p,
                       size_t keys, const float *alpha, size_t vectors)
{
    size_t rows = vectors * LANES, whole = cols / TILE_SIDE * TILE_SIDE, r = rows / TILE_SIDE;
    for (size_t c = 0; c < whole; c += TILE_PAIR) {
        size_t m = flash_min(whole - c, TILE_PAIR) / TILE_SIDE;
        float *to = o + c * rows;
        for (size_t i = 0; i < m * TILE_SIDE * rows; i += LANES)
            lane_store(to + i, lane_load(to + i) * lane_load(alpha + i % rows));
        amx_add_blocks[m - 1][r - 1](to, v + c * v_row, v_row, p, flash_round(keys, TILE_DEPTH),
                                     rows);
    }
    brain_values(o + whole * rows, v + whole * v_row, v_row, cols - whole, p, keys, alpha, vectors);
}

#endif
