/* Who is visible to whom: ranges of keys by causality, windows and lengths; masks and biases
 * brought into tiles; and when a hidden key may be skipped.
 *
 * A hidden key has weight 0, and 0 times infinity is a NaN: a tile of keys may be skipped only if
 * its values are finite. Where a bias of -infinity is added to what is hidden, a NaN among the
 * scores shows as well: then keys and queries must also be far from overflow. Keys behind `lengths`
 * are another matter: memory that was never written, so nobody looks at it. */
#include <math.h>
#include <string.h>

#include "flash.h"
#include "loop.h"

#define FAR ((int64_t)1 << 60)

/* ---- Flags ---------------------------------------------------------------------------------- */

typedef struct limit_row {
    heed_dtype dtype;
    uint32_t infinite; /* bits of infinity */
    uint32_t large;    /* products of such numbers, summed, stay finite: 1e15, or infinity */
} limit_row;

static const limit_row limits[] = {
    {HEED_FLOAT32, 0x7f800000u, 0x58635fa9u},
    {HEED_BFLOAT16, 0x7f80u, 0x5863u},
    {HEED_FLOAT16, 0x7c00u, 0x7c00u},
};

static const limit_row *limit_of(heed_dtype dtype)
{
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (limits[i].dtype == dtype)
            return &limits[i];
    return &limits[0];
}

bool flash_tame_queries(const flash_job *job, const float *q, size_t n)
{
    return job->f->peak32(q, n) < limit_of(HEED_FLOAT32)->large;
}

/* The largest magnitude of some keys or values, as bits of its type. */
static uint32_t peak_of(const flash_job *job, const flash_operand *o, size_t b, size_t h,
                        size_t first, size_t n)
{
    const char *at = o->data + (b * o->step[FLASH_B] + h * o->step[FLASH_H]) * o->bytes;
    uint32_t (*peak)(const void *, size_t) = o->bytes == 4 ? job->f->peak32 : job->f->peak16;
    bool along = o->step[FLASH_D] == 1;
    size_t run = along ? o->dims[FLASH_D] : o->step[FLASH_S] == 1 ? n : 1;
    size_t d = along ? 1 : o->dims[FLASH_D], keys = !along && run == n ? 1 : n;
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

/* Keys [begin, end) that all rows of a sequence see by range. */
static void seen_by_all(const flash_job *job, size_t b, size_t *begin, size_t *end);

static void flag_tiles(const void *arg, size_t first, size_t last)
{
    const flash_job *job = arg;
    const limit_row *limit = limit_of(job->q.dtype);
    for (size_t i = first; i < last; i++) {
        size_t entry = i / job->tiles, begin = i % job->tiles * job->tile;
        size_t b = entry / job->kv_heads, h = entry % job->kv_heads;
        size_t from, to, n = flash_min(job->tile, job->keys - begin);
        job->flags[i] = 0;
        seen_by_all(job, b, &from, &to);
        if (begin >= from && begin + n <= to)
            continue;
        if (job->factor.data) /* what it makes of a score may be no number */
            job->flags[i] |= FLASH_WILD_K;
        if (peak_of(job, &job->v, b, h, begin, n) >= limit->infinite)
            job->flags[i] |= FLASH_WILD_V;
        if (job->touchy && peak_of(job, &job->k, b, h, begin, n) >= limit->large)
            job->flags[i] |= FLASH_WILD_K;
    }
}

void flash_find_flags(flash_job *job)
{
    size_t work = job->tile * (job->d + job->dv);
    cpu_range_run(job->batch * job->kv_heads * job->tiles, cpu_rows_per_piece(work), flag_tiles,
                  job);
}

/* All rows of the bias, whoever reads them; NaN when one is. */
void flash_find_lift(flash_job *job)
{
    const flash_cover *c = &job->bias;
    size_t n = c->single ? 1 : c->keys;
    for (int a = 0; a < 3; a++)
        n *= c->step[a] ? job->q.dims[a] : 1;
    job->lift = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        float x;
        if (c->widen)
            c->widen(&x, c->data + i * c->bytes, 1, NULL);
        else
            memcpy(&x, c->data + i * c->bytes, sizeof(x));
        if (!(x <= job->lift))
            job->lift = x;
        if (isnan(x))
            return;
    }
}

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

/* The keys that query i sees; an empty range is 0, 0. */
static void range_of(const flash_job *job, int64_t offset, size_t length, size_t i, size_t range[2])
{
    int64_t at = offset + (int64_t)i, most = (int64_t)length;
    int64_t left = job->rules->left, right = job->rules->right;
    range[0] = left < 0 ? 0 : (size_t)clamp(at - clamp(left, 0, FAR), 0, most);
    range[1] = right < 0 ? length : (size_t)clamp(at + clamp(right, 0, FAR) + 1, 0, most);
    if (range[0] >= range[1])
        range[0] = range[1] = 0;
}

static void seen_by_all(const flash_job *job, size_t b, size_t *begin, size_t *end)
{
    size_t first[2], last[2], length = length_of(job, b);
    int64_t offset = offset_of(job, b);
    bool masks = job->mask.data || (job->bias.data && !job->adds);
    range_of(job, offset, length, 0, first);
    range_of(job, offset, length, job->queries - 1, last);
    *begin = last[0];
    *end = masks || last[0] == last[1] ? 0 : first[1];
    if (job->bias.data)
        *end = flash_min(*end, job->bias.keys);
}

void flash_find_ranges(const flash_job *job, flash_panel *p)
{
    size_t length = length_of(job, p->b);
    int64_t offset = offset_of(job, p->b);
    p->begin = p->all_end = job->keys;
    p->end = p->all_begin = 0;
    p->last = length;
    for (size_t r = 0; r < job->height; r++) {
        size_t range[2] = {0, job->keys};
        if (r < p->rows)
            range_of(job, offset, length, (p->first + r) / job->group, range);
        p->low[r] = (int32_t)range[0];
        p->high[r] = (int32_t)range[1];
        p->seen[r] = 0;
        if (r >= p->rows)
            continue;
        p->all_begin = flash_max(p->all_begin, range[0]);
        p->all_end = flash_min(p->all_end, range[1]);
        if (range[0] == range[1])
            continue;
        p->begin = flash_min(p->begin, range[0]);
        p->end = flash_max(p->end, range[1]);
    }
    if (job->bias.data && !job->bias.single)
        p->end = flash_min(p->end, job->bias.keys);
    if (job->mask.data && !job->mask.single)
        p->end = flash_min(p->end, job->mask.keys);
}

/* ---- Masks and biases ----------------------------------------------------------------------- */

/* One row of a mask as floats or as -1 and 0. */
static void cover_row(const flash_cover *c, const flash_job *job, float *to, size_t at,
                      size_t first, size_t n)
{
    bool boolean = c->dtype == HEED_BOOL;
    size_t have = c->single ? n : first < c->keys ? flash_min(n, c->keys - first) : 0;
    const char *from = c->data + (at + (c->single ? 0 : first)) * c->bytes;
    uint32_t *bits = (uint32_t *)(void *)to;
    size_t step = c->single ? 0 : 1;
    if (boolean)
        for (size_t j = 0; j < have; j++)
            bits[j] = from[j * step] ? UINT32_MAX : 0;
    else if (c->widen)
        for (size_t j = 0; j < have; j += step ? have : 1)
            c->widen(to + j, from, step ? have : 1, NULL);
    else
        for (size_t j = 0; j < have; j++)
            memcpy(to + j, from + j * step * sizeof(*to), sizeof(*to));
    for (size_t j = 0; j < have && c->narrow; j++) {
        uint16_t half;
        c->narrow(&half, to + j, 1, NULL);
        job->widen(to + j, &half, 1, NULL);
    }
    for (size_t j = have; j < n; j++) {
        if (boolean)
            bits[j] = 0;
        else
            to[j] = -INFINITY;
    }
}

static size_t cover_at(const flash_cover *c, const flash_job *job, const flash_panel *p, size_t r)
{
    size_t row = p->first + r, head = p->h * job->group + row % job->group;
    return p->b * c->step[FLASH_B] + head * c->step[FLASH_H] + row / job->group * c->step[FLASH_S];
}

/* A tile [key][row] of a mask, for keys from `first` on. */
static void cover_tile(const flash_cover *c, const flash_job *job, const flash_slot *slot,
                       const flash_panel *p, size_t first, size_t n, float *tile)
{
    if (c->alike) {
        cover_row(c, job, slot->rows, cover_at(c, job, p, 0), first, n);
        job->f->spread(tile, slot->rows, n, job->vectors);
        return;
    }
    for (size_t r = 0; r < p->rows; r++)
        cover_row(c, job, slot->rows + r * n, cover_at(c, job, p, r), first, n);
    memset(slot->rows + p->rows * n, 0, (job->height - p->rows) * n * sizeof(float));
    job->f->turn(tile, job->height, slot->rows, n, job->height, n);
}

static void both(float *tile, const float *other, size_t n)
{
    uint32_t *x = (uint32_t *)(void *)tile;
    const uint32_t *y = (const uint32_t *)(const void *)other;
    for (size_t i = 0; i < n; i++)
        x[i] &= y[i];
}

bool flash_load_mask(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                     size_t first, size_t n)
{
    bool bias = job->bias.data && !job->adds;
    if (bias)
        cover_tile(&job->bias, job, slot, p, first, n, slot->mask);
    if (job->mask.data)
        cover_tile(&job->mask, job, slot, p, first, n, bias ? slot->bias : slot->mask);
    if (bias && job->mask.data)
        both(slot->mask, slot->bias, n * job->height);
    if (!bias && !job->mask.data)
        return true;
    int32_t seen[64] = {0};
    job->f->note(slot->mask, n, job->vectors, 1, seen);
    for (size_t r = 0; r < p->rows; r++)
        if (seen[r])
            return true;
    return false;
}

/* Scores of a type of 16 bits lose what that type cannot hold: a bias may absorb them. */
static void round_scores(const flash_job *job, float *s, size_t n)
{
    uint16_t block[256];
    for (size_t i = 0; i < n && job->narrow; i += 256) {
        size_t m = flash_min(256, n - i);
        job->narrow(block, s + i, m, NULL);
        job->widen(s + i, block, m, NULL);
    }
}

static void add_bias(const flash_job *job, const flash_slot *slot, size_t n)
{
    job->f->add(slot->s, slot->bias, n);
    round_scores(job, slot->s, n);
}

/* Scores that do not vanish in the fill that is added to them: a NaN, infinity. They are rare, so
 * this goes one by one. */
static bool add_fill(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                     size_t first, size_t n, bool masks)
{
    const uint32_t *mask = (const uint32_t *)(const void *)slot->mask;
    size_t count = n * job->height;
    if (!job->rules->adds_fill || job->folds ||
        job->f->peak32(slot->s, count) < limit_of(HEED_FLOAT32)->large)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t key = first + i / job->height, r = i % job->height;
        bool sees = (int64_t)key >= p->low[r] && (int64_t)key < p->high[r] && (!masks || mask[i]);
        slot->s[i] += !sees ? job->fill : job->adds ? slot->bias[i] : 0;
        p->seen[r] |= sees ? -1 : 0;
    }
    return true;
}

bool flash_is_plain(const flash_job *job, const flash_panel *p, size_t first, size_t n)
{
    return !job->bias.data && !job->mask.data && !job->factor.data && first >= p->all_begin &&
           first + n <= p->all_end;
}

void flash_apply_mask(const flash_job *job, const flash_slot *slot, flash_panel *p, size_t first,
                      size_t n)
{
    size_t count = n * job->height;
    bool masks = job->mask.data || (job->bias.data && !job->adds);
    bool ranges = first < p->all_begin || first + n > p->all_end;
    int32_t ignored[64] = {0}, *seen = masks || job->folds ? ignored : p->seen;
    float *x = job->folds ? slot->bias : slot->s;
    if (job->factor.data) {
        cover_tile(&job->factor, job, slot, p, first, n, slot->bias);
        job->f->multiply(slot->s, slot->bias, count);
        round_scores(job, slot->s, count);
    }
    if (job->adds)
        cover_tile(&job->bias, job, slot, p, first, n, slot->bias);
    if ((masks || ranges) && add_fill(job, slot, p, first, n, masks))
        return;
    if (job->adds && !job->folds && !job->late)
        add_bias(job, slot, count);
    if (masks)
        job->f->mask(x, slot->mask, count, job->fill);
    if (ranges)
        job->f->hide(x, n, job->vectors, p->low, p->high, (int32_t)first, job->fill, seen);
    if (job->late)
        add_bias(job, slot, count);
    if (job->folds) {
        job->f->note(x, n, job->vectors, 0, p->seen);
        add_bias(job, slot, count);
    } else if (masks && ranges) {
        job->f->hide(slot->mask, n, job->vectors, p->low, p->high, (int32_t)first, 0, seen);
        job->f->note(slot->mask, n, job->vectors, 1, p->seen);
    } else if (masks) {
        job->f->note(slot->mask, n, job->vectors, 1, p->seen);
    } else if (!ranges) {
        memset(p->seen, 0xff, job->height * sizeof(*p->seen));
    }
}
