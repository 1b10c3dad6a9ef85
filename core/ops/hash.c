/* hash.c - MurmurHash3 of com.microsoft: the 32-bit form of Appleby's hash (2011), of each element.
 */
#include <string.h>

#include "ops/op.h"

static uint32_t rotate(uint32_t x, int n) { return (x << n) | (x >> (32 - n)); }

static uint32_t mix(uint32_t k) { return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u; }

/* Up to four bytes as a little-endian word. */
static uint32_t word(const uint8_t *data, uint64_t n)
{
    uint32_t k = 0;
    for (uint64_t i = 0; i < n && i < 4; i++)
        k |= (uint32_t)data[i] << (8 * i);
    return k;
}

static uint32_t murmur(const void *bytes, uint64_t n, uint32_t seed)
{
    const uint8_t *data = bytes;
    uint32_t h = seed;
    uint64_t rest = n % 4;
    for (uint64_t i = 0; i + 4 <= n; i += 4)
        h = rotate(h ^ mix(word(data + i, 4)), 13) * 5 + 0xe6546b64u;
    if (rest)
        h ^= mix(word(data + n - rest, rest));
    h ^= (uint32_t)n;
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

static heed_status infer_hash(op_infer *c)
{
    bool positive = ir_attr_int(c->node, "positive", 1) != 0;
    c->out[0].dtype = positive ? HEED_UINT32 : HEED_INT32;
    return infer_set_like(c, 0, 0);
}

static heed_status run_hash(op_call *c)
{
    const heed_tensor *in = c->in[0];
    const char *data = tensor_data(in);
    char *out = tensor_data(c->out[0]);
    uint32_t seed = (uint32_t)ir_attr_int(c->node, "seed", 0);
    size_t size = dtype_bits(in->dtype) / 8;
    for (int64_t i = 0; i < tensor_count(in); i++) {
        const void *from = data + (size_t)i * size;
        uint64_t n = size;
        if (in->dtype == HEED_STRING) {
            const heed_string *text = (const heed_string *)tensor_data(in) + i;
            from = text->data;
            n = text->size;
        }
        uint32_t h = murmur(from, n, seed);
        memcpy(out + 4 * i, &h, sizeof h);
    }
    return HEED_OK;
}

// clang-format off
static const op_def murmur_hash = {
    .domain = "com.microsoft", .name = "MurmurHash3", .since = 1,
    .signature = "X:T -> Y:U",
    .types = "T=int32|uint32|int64|uint64|float32|float64|string U=uint32|int32",
    .attrs = "positive:int=1 seed:int=0",
    .infer = infer_hash, .run = run_hash};
// clang-format on

const op_def *const ops_hash[] = {&murmur_hash, NULL};
