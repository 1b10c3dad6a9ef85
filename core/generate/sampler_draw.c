/* sampler_draw.c - the last piece of a sampler: the likeliest token, or a drawn one. */
#include "generate/sampler_parts.h"

heed_status sampler_take_first(const sampler_row *row, size_t *place)
{
    float tops[ROW_BLOCKS];
    size_t blocks = row_tops(row->x, row->n, tops), b = 0, i;
    float top = row_top(tops, blocks);
    if (top == -INFINITY)
        return err_fail(HEED_INVALID, "no token is left to choose: all logits are -infinity");
    while (tops[b] < top)
        b++;
    for (i = b * row_block(row->n); row->x[i] != top;)
        i++;
    *place = i;
    return HEED_OK;
}

/* The first place where the sums of weights pass u of their total. Rounding may leave a rest at a
 * block's end: then it is the last place with any weight. */
size_t sampler_draw(const sampler_row *row, double u)
{
    double sums[ROW_BLOCKS];
    double rest = u * row_sums(row->x, row->n, sums);
    size_t each = row_block(row->n), blocks = (row->n + each - 1) / each, block = 0, found = 0;
    for (size_t b = 0; b < blocks; b++) {
        if (sums[b] <= 0)
            continue;
        block = b;
        if (rest < sums[b])
            break;
        rest -= sums[b];
    }
    for (size_t i = block * each; i < row->n && i < (block + 1) * each; i++) {
        if (row->x[i] <= 0)
            continue;
        found = i;
        if (rest < (double)row->x[i])
            break;
        rest -= (double)row->x[i];
    }
    return found;
}

void sampler_philox(uint32_t counter[4], const uint32_t key[2])
{
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)counter[0] * 0xD2511F53u, b = (uint64_t)counter[2] * 0xCD9E8D57u;
        counter[0] = (uint32_t)(b >> 32) ^ counter[1] ^ k0;
        counter[2] = (uint32_t)(a >> 32) ^ counter[3] ^ k1;
        counter[1] = (uint32_t)b;
        counter[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

double sampler_uniform(uint64_t seed, uint64_t n)
{
    uint32_t counter[4] = {(uint32_t)n, (uint32_t)(n >> 32), 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    sampler_philox(counter, key);
    uint64_t bits = (uint64_t)counter[1] << 32 | counter[0];
    return (double)(bits >> 11) * 0x1p-53;
}
