/* sampler_cut.c - the largest elements of a row that make up a number or a sum, without sorting.
 *
 * A radix selection: elements are counted (or summed) by the first bits of their order, the bin in
 * which the target is reached is looked into by the next bits, and so on. Three passes, the later
 * ones over what is left; no memory but the bins. */
#include <string.h>

#include "generate/sampler_parts.h"

enum { LEVELS = 3, BINS = 2048 };
static const uint32_t shift_of[LEVELS] = {21, 10, 0}, bits_of[LEVELS] = {11, 11, 10};

/* Rises as floats do; both zeros are one. */
static inline uint32_t order_of(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof(bits));
    return bits >> 31 ? ~bits : bits | 1u << 31;
}

static float element_of(uint32_t order)
{
    float x;
    uint32_t bits = order >> 31 ? order & ~(1u << 31) : ~order;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

typedef struct search {
    const float *x, *tops;
    size_t n;
    float least;
    bool by_value;
    uint32_t order; /* its first bits, as far as they are known */
    double above;   /* what lies above these */
} search;

static void fill_block(const search *s, int level, size_t begin, size_t end, double *bins)
{
    uint32_t shift = shift_of[level], mask = (1u << bits_of[level]) - 1u;
    uint32_t known = level == 0 ? 0 : ~0u << shift_of[level - 1];
    for (size_t i = begin; i < end; i++) {
        if (!(s->x[i] >= s->least))
            continue;
        uint32_t order = order_of(s->x[i]);
        if (((order ^ s->order) & known) == 0)
            bins[order >> shift & mask] += s->by_value ? (double)s->x[i] : 1.0;
    }
}

static void fill(const search *s, int level, double *bins)
{
    size_t each = row_block(s->n);
    for (size_t b = 0, i = 0; i < s->n; b++, i += each)
        if (s->tops[b] >= s->least)
            fill_block(s, level, i, i + each < s->n ? i + each : s->n, bins);
}

/* One level: the bin in which the target is reached, or the last one with anything in it. */
static void narrow(search *s, int level, double target)
{
    double bins[BINS] = {0}, above = s->above;
    uint32_t n = 1u << bits_of[level], found = 0; /* 0 stays 0 where nothing is a number */
    fill(s, level, bins);
    while (n-- > 0) {
        if (bins[n] <= 0)
            continue;
        found = n;
        s->above = above;
        above += bins[n];
        if (above >= target)
            break;
    }
    s->order |= found << shift_of[level];
}

/* How many of those that equal the least one are needed. */
static size_t count_equal(const search *s, float least, double target)
{
    double sum = s->above;
    size_t n = 0, each = row_block(s->n);
    for (size_t b = 0, i = 0; i < s->n && sum < target; b++, i += each)
        for (size_t j = i; s->tops[b] >= least && j < i + each && j < s->n && sum < target; j++)
            if (s->x[j] == least) {
                sum += s->by_value ? (double)least : 1.0;
                n++;
            }
    return n;
}

row_cut row_find_cut(const float *x, size_t n, const float *tops, float least, double target,
                     bool by_value)
{
    search s = {.x = x, .tops = tops, .n = n, .least = least, .by_value = by_value};
    for (int level = 0; level < LEVELS; level++)
        narrow(&s, level, target);
    float found = element_of(s.order);
    return (row_cut){.least = found, .equal = count_equal(&s, found, target)};
}

row_cut row_find_first(const float *x, size_t n, const float *tops, size_t k)
{
    size_t each = row_block(n), blocks = (n + each - 1) / each;
    float least = -INFINITY, of_tops[ROW_BLOCKS];
    if (k <= blocks) { /* k blocks have an element that is not below the k-th top */
        row_tops(tops, blocks, of_tops);
        least = row_find_cut(tops, blocks, of_tops, -INFINITY, (double)k, false).least;
    }
    return row_find_cut(x, n, tops, least, (double)k, false);
}
