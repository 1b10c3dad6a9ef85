/* Who is visible to whom by causality, windows and lengths; and which hidden keys may be skipped.
 *
 * A hidden key has weight 0, and 0 times infinity is a NaN: a tile of keys may be skipped only if
 * its values are finite. Where a bias of -infinity is added to what is hidden, a NaN among the
 * scores shows as well: then keys and queries must also be far from overflow. Keys behind `lengths`
 * are another matter: memory that was never written, so nobody looks at it.
 *
 * Of a tile that somebody would like to skip, the largest value and the largest key are looked up
 * once, by whoever asks first; all find the same. Sizes are exponents of float32: 127 is [1, 2). */
#include <math.h>

#include "flash.h"

#define FAR ((int64_t)1 << 60)

/* ---- Ranges --------------------------------------------------------------------------------- */

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static int64_t offset_of(const flash_job *job, size_t b)
{
    if (!job->offsets)
        return 0;
    return clamp(cpu_integer(job->offsets, cpu_count(job->offsets) == 1 ? 0 : b), -FAR, FAR);
}

static size_t length_of(const flash_job *job, size_t b)
{
    int64_t length = job->lengths ? cpu_integer(job->lengths, b) : (int64_t)job->keys;
    return (size_t)clamp(length, 0, (int64_t)job->keys);
}

/* The keys that the query at a place sees; an empty range is 0, 0. */
static void range_of(const flash_job *job, int64_t at, size_t length, size_t range[2])
{
    int64_t most = (int64_t)length, left = job->rules->left, right = job->rules->right;
    range[0] = left < 0 ? 0 : (size_t)clamp(at - clamp(left, 0, FAR), 0, most);
    range[1] = right < 0 ? length : (size_t)clamp(at + clamp(right, 0, FAR) + 1, 0, most);
    if (range[0] >= range[1])
        range[0] = range[1] = 0;
}

/* Nothing is hidden by range. */
static void find_no_ranges(const flash_job *job, flash_panel *p)
{
    p->begin = p->all_begin = 0;
    p->end = p->near_end = p->all_end = p->last = job->keys;
    for (size_t r = 0; r < job->height; r++)
        p->low[r] = 0;
    for (size_t r = 0; r < job->height; r++)
        p->high[r] = (int32_t)job->keys;
}

/* Rows from r on that see the same keys. */
static void take_range(const flash_job *job, flash_panel *p, size_t r, const size_t range[2])
{
    p->all_begin = flash_max(p->all_begin, range[0]);
    p->all_end = flash_min(p->all_end, range[1]);
    if (range[0] == range[1])
        return;
    p->begin = flash_min(p->begin, range[0]);
    p->end = flash_max(p->end, range[1]);
    if (r < job->f->lanes)
        p->near_end = flash_max(p->near_end, range[1]);
}

static void find_row_ranges(const flash_job *job, flash_panel *p)
{
    size_t length = length_of(job, p->b), head = p->first % job->group, range[2];
    int64_t at = offset_of(job, p->b) + (int64_t)(p->first / job->group);
    p->begin = p->all_end = job->keys;
    p->end = p->near_end = p->all_begin = 0;
    p->last = job->rules->sums ? job->keys : length;
    for (size_t r = 0; r < p->rows; at++, head = 0) {
        size_t same = flash_min(p->rows, r + job->group - head);
        range_of(job, at, length, range);
        take_range(job, p, r, range);
        for (; r < same; r++) {
            p->low[r] = (int32_t)range[0];
            p->high[r] = (int32_t)range[1];
        }
    }
    for (size_t r = p->rows; r < job->height; r++) {
        p->low[r] = 0;
        p->high[r] = (int32_t)job->keys;
    }
}

void flash_find_ranges(const flash_job *job, flash_panel *p)
{
    if (job->rules->left < 0 && job->rules->right < 0 && !job->lengths)
        find_no_ranges(job, p);
    else
        find_row_ranges(job, p);
    if (job->bias.data && !job->bias.single)
        p->end = flash_min(p->end, job->bias.keys);
    if (job->mask.data && !job->mask.single)
        p->end = flash_min(p->end, job->mask.keys);
}

/* ---- What may be skipped -------------------------------------------------------------------- */

enum { ODD = 255 };

/* The largest magnitude of some keys or values, as bits of its type. */
static uint32_t peak_of(const flash_job *job, const flash_operand *o, size_t b, size_t h,
                        size_t first, size_t n)
{
    size_t head = flash_head(o, h);
    const char *at = o->data + (b * o->step[FLASH_B] + head * o->step[FLASH_H]) * o->bytes;
    uint32_t (*peak)(const void *, size_t) = o->bytes == 4 ? job->f->peak32 : job->f->peak16;
    bool along = o->step[FLASH_D] == 1, whole = along && o->step[FLASH_S] == o->dims[FLASH_D];
    size_t run = along ? o->dims[FLASH_D] : o->step[FLASH_S] == 1 ? n : 1;
    size_t d = along ? 1 : o->dims[FLASH_D], keys = !along && run == n ? 1 : n;
    if (whole) { /* rows follow each other: many short ones would take longer */
        run *= n;
        keys = 1;
    }
    uint32_t most = 0;
    at += first * o->step[FLASH_S] * o->bytes;
    for (size_t j = 0; j < keys; j++)
        for (size_t i = 0; i < d; i++) {
            size_t place = j * o->step[FLASH_S] + i * o->step[FLASH_D];
            uint32_t found = peak(at + place * o->bytes, run);
            most = found > most ? found : most;
        }
    return most;
}

typedef struct exponent_row {
    heed_dtype dtype;
    unsigned bits, most, shift; /* of the mantissa; of infinity; to that of float32 */
} exponent_row;

static const exponent_row exponents[] = {
    {HEED_FLOAT32, 23, 255, 0}, {HEED_BFLOAT16, 7, 255, 0}, {HEED_FLOAT16, 10, 31, 112}};

/* Never 0. */
static unsigned size_of_bits(heed_dtype dtype, uint32_t peak)
{
    const exponent_row *e = exponents;
    while (e->dtype != dtype && e < exponents + 2)
        e++;
    unsigned size = peak >> e->bits;
    return size >= e->most ? ODD : size + e->shift > 1 ? size + e->shift : 1;
}

unsigned flash_size_of(const flash_job *job, const float *x, size_t n)
{
    return size_of_bits(HEED_FLOAT32, job->f->peak32(x, n));
}

/* The size of a tile of keys or values, as far as it was written. */
static unsigned tile_size(const flash_job *job, const flash_panel *p, const flash_operand *o,
                          atomic_uchar *known, size_t tile)
{
    unsigned size = atomic_load_explicit(known, memory_order_relaxed);
    if (size)
        return size;
    size_t first = tile * job->tile, end = flash_min(first + job->tile, p->last);
    uint32_t peak = first < end ? peak_of(job, o, p->b, p->h, first, end - first) : 0;
    size = size_of_bits(o->dtype, peak);
    atomic_store_explicit(known, (unsigned char)size, memory_order_relaxed);
    return size;
}

static flash_known *known_of(const flash_job *job, const flash_panel *p, size_t tile)
{
    return job->known + (p->b * job->kv_heads + p->h) * job->tiles + tile;
}

/* The size of the queries of a panel, found when it is asked for: few calls do. */
static unsigned query_size(const flash_job *job, flash_panel *p)
{
    if (!p->size)
        p->size = flash_size_of(job, p->q, (job->few ? p->rows : job->height) * job->pad_d);
    return p->size;
}

bool flash_may_skip(const flash_job *job, flash_panel *p, size_t tile)
{
    flash_known *known = known_of(job, p, tile);
    if (job->touchy && (job->factor.data || query_size(job, p) >= FLASH_TAME ||
                        tile_size(job, p, &job->k, &known->k, tile) >= FLASH_TAME))
        return false;
    return tile_size(job, p, &job->v, &known->v, tile) != ODD;
}

float flash_bound(const flash_job *job, flash_panel *p, size_t tile)
{
    flash_known *known = known_of(job, p, tile);
    unsigned size = tile_size(job, p, &job->k, &known->k, tile);
    unsigned queries = query_size(job, p);
    if (job->factor.data || queries >= FLASH_TAME || size >= FLASH_TAME)
        return INFINITY;
    float bound = ldexpf((float)job->d, (int)(queries + size) - 2 * 126);
    return bound > job->rules->least ? bound : job->rules->least;
}

/* No score that gets the fill together with its bias is larger: the fill, the largest bias, what
 * products reach, and rounding. */
static float most_of_sum(const flash_job *job, flash_panel *p, size_t tile)
{
    float bound = flash_bound(job, p, tile);
    float rounding = (fabsf(job->fill) + fabsf(job->lift) + bound) / 64;
    return job->fill + job->lift + bound + rounding;
}

/* Hidden keys of a tile may be skipped; a score that they have is noted. */
bool flash_skips(const flash_job *job, flash_panel *p, size_t tile)
{
    if (!flash_may_skip(job, p, tile))
        return false;
    float most = job->rules->sums ? most_of_sum(job, p, tile) : -INFINITY;
    if (!(most < INFINITY))
        return false;
    p->skipped = most > p->skipped ? most : p->skipped;
    return true;
}
