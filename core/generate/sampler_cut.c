/* sampler_cut.c - the largest elements of a row that make up a number or a sum, without sorting.
 *
 * A radix selection: elements are counted (or summed) by the first bits of their order, the bin in
 * which the target is reached is looked into by the next bits, and so on. What lies in the first
 * such bin is mostly few, and copied; later passes are over these. */
#include <string.h>

#include "generate/sampler_parts.h"

enum { LEVELS = 3, BINS = 2048, FEW = 8192, GROUP = 16 };
static const uint32_t shift_of[LEVELS] = {21, 10, 0}, bits_of[LEVELS] = {11, 11, 10};

/* Rises as floats do; both zeros are one. */
static inline uint32_t order_of(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof(bits));
    return bits ^ ((0u - (bits >> 31)) | 1u << 31);
}

static float element_of(uint32_t order)
{
    float x;
    uint32_t bits = order >> 31 ? order & ~(1u << 31) : ~order;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

typedef struct search {
    const float *x, *tops; /* tops NULL: x is short */
    size_t n;
    float least;
    bool by_value;
    uint32_t order; /* its first bits, as far as they are known */
    double above;   /* what lies above these */
    float few[FEW];
} search;

/* All elements, without a branch on their values: half of them may count. */
static void fill_first(const search *s, size_t begin, size_t end, double *bins)
{
    for (size_t i = begin; i < end; i++) {
        double share = s->by_value ? (double)s->x[i] : 1.0;
        bins[order_of(s->x[i]) >> shift_of[0]] += s->x[i] >= s->least ? share : 0.0;
    }
}

/* Those that begin with the bits that are known: few. */
static void fill_next(const search *s, int level, size_t begin, size_t end, double *bins)
{
    uint32_t shift = shift_of[level], mask = (1u << bits_of[level]) - 1u;
    uint32_t before = shift_of[level - 1], known = s->order >> before;
    for (size_t i = begin; i < end; i++) {
        uint32_t order = order_of(s->x[i]);
        if (order >> before == known && s->x[i] >= s->least)
            bins[order >> shift & mask] += s->by_value ? (double)s->x[i] : 1.0;
    }
}

static void fill(const search *s, int level, double *bins)
{
    size_t each = s->tops ? row_block(s->n) : s->n;
    for (size_t b = 0, i = 0; i < s->n; b++, i += each) {
        size_t end = i + each < s->n ? i + each : s->n;
        if (s->tops && !(s->tops[b] >= s->least))
            continue;
        if (level == 0)
            fill_first(s, i, end, bins);
        else
            fill_next(s, level, i, end, bins);
    }
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

/* Elements of the first level's bin are copied, and stand for the row, if there is room. */
static void copy_few(search *s)
{
    float least = element_of(s->order), most = element_of(s->order | ((1u << shift_of[0]) - 1u));
    size_t n = 0;
    least = isnan(least) ? -INFINITY : least; /* bins at the ends have orders of NaN, too */
    most = isnan(most) ? INFINITY : most;
    for (size_t i = 0; i < s->n; i += GROUP) {
        size_t end = i + GROUP < s->n ? i + GROUP : s->n;
        unsigned any = 0;
        for (size_t j = i; j < end; j++)
            any |= (unsigned)(s->x[j] >= least) & (unsigned)(s->x[j] <= most);
        if (!any)
            continue;
        if (n + GROUP > FEW)
            return;
        for (size_t j = i; j < end; j++)
            if (s->x[j] >= least && s->x[j] <= most)
                s->few[n++] = s->x[j];
    }
    s->x = s->few;
    s->tops = NULL;
    s->n = n;
}

/* How many of those that equal the least one are needed. */
static row_cut count_equal(const search *s, double target)
{
    row_cut cut = {.least = element_of(s->order)};
    double sum = s->above, share = s->by_value ? (double)cut.least : 1.0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->x[i] != cut.least)
            continue;
        if (sum < target)
            cut.equal++;
        else
            cut.more = true;
        sum += share;
    }
    return cut;
}

row_cut row_find_cut(const float *x, size_t n, const float *tops, float least, double target,
                     bool by_value)
{
    search s;
    s.x = x;
    s.tops = tops;
    s.n = n;
    s.least = least;
    s.by_value = by_value;
    s.order = 0;
    s.above = 0;
    narrow(&s, 0, target);
    copy_few(&s);
    for (int level = 1; level < LEVELS; level++)
        narrow(&s, level, target);
    return count_equal(&s, target);
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
