/* The tile registers of tile_real.h in plain C, as Intel's manual describes TDPBF16PS: in each
 * row of the sum, the even numbers of the pairs have a sum of their own, and the odd ones; one
 * rounding for each multiply-add, subnormal numbers are 0 before and after; both are added, and
 * that to the tile. It is there so that what is written for tiles can run without them. */
#ifndef CPU_LANES_TILE_H
#define CPU_LANES_TILE_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { TILES = 8, TILE_ROWS = 16, TILE_WORDS = 16 };

/* What the 64 bytes of a configuration say. */
typedef struct tile_config {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16]; /* of a row */
    uint8_t rows[16];
} tile_config;

typedef struct tile_file {
    tile_config config;
    uint32_t words[TILES][TILE_ROWS][TILE_WORDS];
} tile_file;

static _Thread_local tile_file tiles;

static inline void tile_configure(const void *config)
{
    memset(&tiles, 0, sizeof(tiles));
    memcpy(&tiles.config, config, sizeof(tiles.config));
}

static inline void tile_zero(size_t t) { memset(tiles.words[t], 0, sizeof(tiles.words[t])); }

static inline void tile_load(size_t t, const void *x, size_t stride)
{
    tile_zero(t);
    for (size_t i = 0; i < tiles.config.rows[t]; i++)
        memcpy(tiles.words[t][i], (const char *)x + i * stride, tiles.config.bytes[t]);
}

static inline void tile_store(size_t t, void *to, size_t stride)
{
    for (size_t i = 0; i < tiles.config.rows[t]; i++)
        memcpy((char *)to + i * stride, tiles.words[t][i], tiles.config.bytes[t]);
}

/* Subnormal numbers are 0. */
static inline float tile_flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x; }

static inline float tile_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return tile_flush(x);
}

static inline float tile_sum(float sum, float x, float y) { return tile_flush(fmaf(x, y, sum)); }

static inline void tile_dot(size_t c, size_t a, size_t b)
{
    for (size_t m = 0; m < tiles.config.rows[c]; m++)
        for (size_t n = 0; n < tiles.config.bytes[c] / 4u; n++) {
            float even = 0, odd = 0, sum = tile_float(tiles.words[c][m][n]);
            for (size_t k = 0; k < tiles.config.bytes[a] / 4u; k++) {
                uint32_t x = tiles.words[a][m][k], y = tiles.words[b][k][n];
                even = tile_sum(even, tile_float(x << 16), tile_float(y << 16));
                odd = tile_sum(odd, tile_float(x & 0xffff0000u), tile_float(y & 0xffff0000u));
            }
            sum = tile_flush(sum + tile_flush(even + odd));
            memcpy(&tiles.words[c][m][n], &sum, sizeof(sum));
        }
}

#define TILE_CONFIGURE(config)    tile_configure(config)
#define TILE_FENCE()              ((void)0)
#define TILE_RELEASE()            memset(&tiles, 0, sizeof(tiles))
#define TILE_ZERO(t)              tile_zero(t)
#define TILE_LOAD(t, x, stride)   tile_load(t, x, stride)
#define TILE_STORE(t, to, stride) tile_store(t, to, stride)
#define TILE_DOT(c, a, b)         tile_dot(c, a, b)

#endif
