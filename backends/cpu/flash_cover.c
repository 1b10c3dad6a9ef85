/* Masks, biases and factors: brought row by row where they are needed, looked at, and applied to
 * the scores of a tile.
 *
 * A tile is skipped when a mask hides all of it, or when its bias is so low that no score can lift
 * it to where a weight is more than 0. Queries and keys bound the scores; what the skipped ones
 * reach at most is noted, and held against the largest score of each row at its end. */
#include <math.h>
#include <string.h>

#include "flash.h"

/* A bias from here down may leave a key no weight. */
#define LOW_BIAS (-1000.0f)

/* Multiply-adds that are worth finding out whether they may be left out. */
enum { LOOK_LEAST = 4096 };

/* ---- Rows ----------------------------------------------------------------------------------- */

static size_t cover_at(const flash_cover *c, const flash_job *job, const flash_panel *p, size_t r)
{
    size_t row = p->first + r, head = p->h * job->group + row % job->group;
    size_t b = flash_sequence(c, p->b);
    return b * c->step[FLASH_B] + head * c->step[FLASH_H] + row / job->group * c->step[FLASH_S];
}

/* How many of n keys from `first` on it has. */
static size_t keys_of(const flash_cover *c, size_t first, size_t n)
{
    return c->single ? n : first < c->keys ? flash_min(n, c->keys - first) : 0;
}

/* One row of a bias, as scores have it; what is behind its end is -infinity. */
static void widen_row(const flash_cover *c, const flash_job *job, float *to, size_t at,
                      size_t first, size_t n)
{
    size_t have = keys_of(c, first, n), read = c->single && have ? 1 : have;
    const char *from = c->data + (at + (c->single ? 0 : first)) * c->bytes;
    if (c->widen)
        c->widen(to, from, read, NULL);
    else
        memcpy(to, from, read * sizeof(*to));
    for (size_t j = 0; j < read && c->narrow; j++) {
        uint16_t half;
        c->narrow(&half, to + j, 1, NULL);
        job->widen(to + j, &half, 1, NULL);
    }
    for (size_t j = read; j < n; j++)
        to[j] = j < have ? to[0] : -INFINITY;
}

/* Plus a row of what is added to the bias. */
static void add_more(const flash_job *job, float *to, size_t at, size_t first, size_t n)
{
    const flash_cover *c = &job->more;
    float row[FLASH_TILE];
    const float *more = (const float *)(const void *)(c->data + (at + first) * c->bytes);
    if (c->widen || c->narrow) {
        widen_row(c, job, row, at, first, n);
        more = row;
    }
    job->f->row_add(to, more, n);
    for (size_t j = 0; j < n && job->narrow; j++) {
        uint16_t half;
        job->narrow(&half, to + j, 1, NULL);
        job->widen(to + j, &half, 1, NULL);
    }
}

/* Rows that repeat are brought once. */
static void load_floats(const flash_cover *c, const flash_cover *more, const flash_job *job,
                        const flash_panel *p, flash_floats *f, size_t first, size_t n)
{
    bool there = !c->widen && !c->narrow && !c->single && first + n <= c->keys && !more;
    size_t last[2] = {0};
    f->used = c->data != NULL;
    f->alike = c->alike && (!more || more->alike);
    for (size_t r = 0; r < job->height && f->used; r++) {
        size_t row = flash_min(r, p->rows - 1), at = cover_at(c, job, p, row);
        size_t other = more ? cover_at(more, job, p, row) : 0;
        if (r && at == last[0] && other == last[1]) {
            f->at[r] = f->at[r - 1];
            continue;
        }
        last[0] = at;
        last[1] = other;
        f->at[r] = (const float *)(const void *)(c->data + (at + first) * c->bytes);
        if (there)
            continue;
        f->at[r] = f->own + r * job->tile;
        widen_row(c, job, f->own + r * job->tile, at, first, n);
        if (more)
            add_more(job, f->own + r * job->tile, other, first, n);
    }
}

/* to = mask, or to &= mask. */
static void mark_row(const flash_cover *c, uint8_t *to, bool add, size_t at, size_t first, size_t n)
{
    size_t have = keys_of(c, first, n), step = c->single ? 0 : 1;
    const char *from = c->data + at + (c->single ? 0 : first);
    for (size_t j = 0; j < have; j++)
        to[j] = from[j * step] && (!add || to[j]);
    memset(to + have, 0, n - have);
}

/* Both masks, where there are two, become one. */
static void load_marks(const flash_job *job, const flash_panel *p, flash_marks *m, size_t first,
                       size_t n)
{
    const flash_cover *x = job->bias.data && !job->adds ? &job->bias : NULL, *y = &job->mask;
    const flash_cover *c = x ? x : y, *other = x && y->data ? y : NULL;
    m->used = c->data != NULL;
    m->alike = c->alike && (!other || other->alike);
    bool there = !other && !c->single && first + n <= c->keys;
    for (size_t r = 0; r < job->height && m->used; r++) {
        size_t row = r < p->rows ? r : 0, at = cover_at(c, job, p, row);
        m->at[r] = (const uint8_t *)(c->data + at + first);
        if (there)
            continue;
        m->at[r] = m->own + row * job->tile;
        if (row < r || (r && m->alike)) {
            m->at[r] = m->own;
            continue;
        }
        mark_row(c, m->own + r * job->tile, false, at, first, n);
        if (other)
            mark_row(other, m->own + r * job->tile, true, cover_at(other, job, p, r), first, n);
    }
}

/* ---- What a tile needs ---------------------------------------------------------------------- */

static bool hides_some(const uint8_t *mask, size_t n) { return memchr(mask, 0, n) != NULL; }

/* Without the ends that a row of marks does not show. */
static void find_shown(const uint8_t *shown, size_t n, size_t span[2])
{
    span[0] = 0;
    span[1] = n;
    while (span[0] < n && !shown[span[0]])
        span[0]++;
    while (span[1] > span[0] && !shown[span[1] - 1])
        span[1]--;
}

/* Of rows that differ: the keys that some row sees are left in `shown`. */
static void join_marks(const flash_job *job, const flash_panel *p, flash_marks *m, size_t n,
                       uint8_t *shown)
{
    uint32_t lacks[2], rows = p->rows < 32 ? (1u << p->rows) - 1 : ~0u;
    m->bits = m->room;
    memset(m->bits, 0, n * sizeof(*m->bits));
    for (size_t r = 0; r < p->rows; r++)
        job->f->mask_row(m->bits, m->at[r], n, (unsigned)r);
    job->f->mask_join(m->bits, n, rows, shown, lacks);
    m->used = lacks[0] != 0;
    m->alike = lacks[1] == 0;
}

/* What masks do to n keys of a tile: whether something is hidden, whether all rows hide the same,
 * and which keys some row sees, perhaps in `room`. */
static const uint8_t *look_at_marks(const flash_job *job, const flash_panel *p, flash_marks *m,
                                    size_t n, uint8_t *room)
{
    m->alike |= p->rows == 1;
    if (m->alike)
        m->used = hides_some(m->at[0], n);
    else
        join_marks(job, p, m, n, room);
    return m->alike ? m->at[0] : room;
}

/* Leaving out `cut` of n keys saves their products with all rows of the head, and costs a look at
 * the values of all n. */
static bool is_worth_it(const flash_job *job, size_t n, size_t cut)
{
    size_t saved = cut * job->rows * (job->d + job->dv);
    return saved >= LOOK_LEAST && saved >= n * job->dv;
}

/* Leaves out what masks hide from all rows, where that may be skipped; false when that is all. */
static bool trim(const flash_job *job, flash_panel *p, flash_marks *m, size_t tile, size_t part[2])
{
    size_t span[2], n = part[1] - part[0];
    uint8_t room[FLASH_TILE];
    if (!m->used)
        return true;
    const uint8_t *shown = look_at_marks(job, p, m, n, room);
    if (!m->used || p->full || job->rules->sums || !is_worth_it(job, n, n))
        return true;
    find_shown(shown, n, span);
    if (!is_worth_it(job, n, n - (span[1] - span[0])) || !flash_may_skip(job, p, tile))
        return true;
    for (size_t r = 0; r < job->height; r++)
        m->at[r] += span[0];
    if (m->alike)
        m->used = hides_some(m->at[0], span[1] - span[0]);
    else
        m->bits += span[0];
    part[1] = part[0] + span[1];
    part[0] += span[0];
    return span[0] < span[1];
}

/* The range of the rows of a bias, until one says that it is needed: most biases are looked at in
 * one row. */
static void find_range(const flash_job *job, const flash_panel *p, const flash_floats *bias,
                       size_t n, float range[2])
{
    for (size_t r = 0; r < p->rows && bias->used; r++) {
        if (r == 0 || bias->at[r] != bias->at[r - 1])
            job->f->range(bias->at[r], n, range);
        if (range[1] > LOW_BIAS && (range[0] < 0 || range[1] > 0))
            return;
    }
}

/* Does the bias leave a key a weight? Where it is 0, it is not needed. */
static bool leaves_keys(const flash_job *job, flash_panel *p, flash_floats *bias, size_t tile,
                        size_t n)
{
    float range[2] = {INFINITY, -INFINITY};
    find_range(job, p, bias, n, range);
    if (!bias->used || range[1] > LOW_BIAS || p->full) {
        bias->used &= range[0] < 0 || range[1] > 0;
        return true;
    }
    if (job->folds && range[1] == -INFINITY)
        return !flash_may_skip(job, p, tile);
    float bound = flash_bound(job, p, tile), most = (range[1] + bound) * (63.0f / 64.0f);
    if (!(range[1] < -2 * bound - FLASH_FAR_ABOVE) || !flash_may_skip(job, p, tile))
        return true;
    p->skipped = most > p->skipped ? most : p->skipped;
    return false;
}

bool flash_load_cover(const flash_job *job, flash_slot *slot, flash_panel *p, size_t tile,
                      size_t part[2])
{
    load_marks(job, p, &slot->marks, part[0], part[1] - part[0]);
    if (!trim(job, p, &slot->marks, tile, part))
        return false;
    size_t first = part[0], n = part[1] - part[0];
    slot->bias.used = false;
    if (job->adds)
        load_floats(&job->bias, job->more.data ? &job->more : NULL, job, p, &slot->bias, first, n);
    if (!leaves_keys(job, p, &slot->bias, tile, n))
        return false;
    load_floats(&job->factor, NULL, job, p, &slot->factor, first, n);
    return true;
}

/* ---- On the scores -------------------------------------------------------------------------- */

/* Numbers of a type of 16 bits lose what that type cannot hold. */
static void round_run(const flash_job *job, float *x, size_t n)
{
    uint16_t block[256];
    for (size_t i = 0; i < n && job->narrow; i += 256) {
        size_t m = flash_min(256, n - i);
        job->narrow(block, x + i, m, NULL);
        job->widen(x + i, block, m, NULL);
    }
}

/* So do scores: a bias may absorb them. */
static void round_scores(const flash_job *job, const flash_slot *slot, size_t rows, size_t n)
{
    size_t run = job->few ? n : n * job->height, step = job->few ? slot->s_row : run;
    for (size_t r = 0; r < (job->few ? rows : 1) && job->narrow; r++)
        round_run(job, slot->s + r * step, run);
}

static void add_bias(const flash_job *job, const flash_slot *slot, const flash_panel *p, size_t n)
{
    const flash_floats *bias = &slot->bias;
    if (job->few)
        for (size_t r = 0; r < p->rows && bias->used; r++)
            job->f->row_add(slot->s + r * slot->s_row, bias->at[r], n);
    else if (bias->used && bias->alike)
        job->f->add_alike(slot->s, bias->at[0], n, job->vectors);
    else if (bias->used)
        job->f->add(slot->s, bias->at, n, job->vectors);
    if (job->adds || job->rules->sums)
        round_scores(job, slot, p->rows, n);
}

static void multiply(const flash_job *job, const flash_slot *slot, const flash_panel *p, size_t n)
{
    if (!job->few)
        job->f->multiply(slot->s, slot->factor.at, n, job->vectors);
    for (size_t r = 0; r < p->rows && job->few; r++)
        job->f->row_multiply(slot->s + r * slot->s_row, slot->factor.at[r], n);
    round_scores(job, slot, p->rows, n);
}

static void mask(const flash_job *job, const flash_slot *slot, const flash_panel *p, size_t n)
{
    const flash_marks *m = &slot->marks;
    for (size_t r = 0; r < p->rows && job->few; r++)
        job->f->row_mask(slot->s + r * slot->s_row, m->at[r], n, job->fill);
    if (job->few)
        return;
    if (m->alike) {
        job->f->mask_alike(slot->s, m->at[0], n, job->vectors, job->fill);
        return;
    }
    job->f->mask(slot->s, m->bits, n, job->vectors, job->fill);
}

/* Of n keys from `first` on row r sees by range those from span[0] to span[1]. */
static void find_span(const flash_panel *p, size_t r, size_t first, size_t n, size_t span[2])
{
    size_t low = flash_max((size_t)p->low[r], first) - first;
    size_t high = flash_max((size_t)p->high[r], first) - first;
    span[0] = flash_min(low, n);
    span[1] = flash_max(span[0], flash_min(high, n));
}

/* The keys that row r does not see by range get a number. */
static void hide_row(const flash_panel *p, float *x, size_t r, size_t first, size_t n, float fill)
{
    size_t span[2];
    find_span(p, r, first, n, span);
    for (size_t j = 0; j < span[0]; j++)
        x[j] = fill;
    for (size_t j = span[1]; j < n; j++)
        x[j] = fill;
}

/* What row r does not see gets the fill added to its bias, in the type of the scores. */
static void sum_row(const flash_job *job, const flash_panel *p, float *x, const uint8_t *marks,
                    size_t r, size_t first, size_t n)
{
    size_t span[2];
    find_span(p, r, first, n, span);
    for (size_t j = 0; j < n; j++)
        if (j < span[0] || j >= span[1] || (marks && !marks[j]))
            x[j] += job->fill;
    round_run(job, x, n);
}

static void hide(const flash_job *job, const flash_slot *slot, const flash_panel *p, size_t first,
                 size_t n)
{
    for (size_t r = 0; r < p->rows && job->few; r++)
        hide_row(p, slot->s + r * slot->s_row, r, first, n, job->fill);
    if (job->few)
        return;
    /* Keys that all rows see lie between. */
    size_t low = flash_min(flash_max(p->all_begin, first) - first, n);
    size_t high = flash_min(flash_max(p->all_end, first) - first, n);
    high = low < high ? high : low;
    job->f->hide(slot->s, low, job->vectors, p->low, p->high, (int32_t)first, job->fill);
    job->f->hide(slot->s + high * job->height, n - high, job->vectors, p->low, p->high,
                 (int32_t)(first + high), job->fill);
}

/* The score of key j of row r of the tile. */
static float *score_at(const flash_job *job, const flash_slot *slot, size_t r, size_t j)
{
    return slot->s + (job->few ? r * slot->s_row + j : j * job->height + r);
}

static bool is_large(float x) { return !(fabsf(x) < 0x1p49f); } /* no smaller than FLASH_TAME */

/* Of few rows, those of keys that range hides. */
static bool any_hidden_large(const flash_slot *slot, const flash_panel *p, size_t first, size_t n)
{
    bool large = false;
    for (size_t r = 0; r < p->rows; r++) {
        const float *s = slot->s + r * slot->s_row;
        size_t span[2];
        find_span(p, r, first, n, span);
        for (size_t j = 0; j < span[0]; j++)
            large |= is_large(s[j]);
        for (size_t j = span[1]; j < n; j++)
            large |= is_large(s[j]);
    }
    return large;
}

static bool any_large(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                      size_t first, size_t n)
{
    size_t run = job->few ? n : n * job->height;
    bool large = false;
    if (job->few && !slot->marks.used)
        return any_hidden_large(slot, p, first, n);
    for (size_t r = 0; r < (job->few ? p->rows : 1); r++)
        large |= flash_size_of(job, slot->s + r * slot->s_row, run) >= FLASH_TAME;
    return large;
}

/* A fill that is added absorbs what is no infinity and no NaN, and 0 times such a number is 0;
 * those are rare, so this goes one by one. False: there are none. */
static bool add_fill(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                     size_t first, size_t n)
{
    const flash_marks *m = &slot->marks;
    if (!any_large(job, slot, p, first, n))
        return false;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t j = 0; j < n; j++) {
            int32_t key = (int32_t)(first + j);
            bool sees = key >= p->low[r] && key < p->high[r] && (!m->used || m->at[r][j]);
            float bias = slot->bias.used ? slot->bias.at[r][j] : 0.0f;
            float *score = score_at(job, slot, r, j);
            *score *= sees || !job->rules->zeroes ? 1.0f : 0.0f;
            *score += (sees ? 0.0f : job->fill) + (sees || job->late ? bias : 0.0f);
        }
    round_scores(job, slot, p->rows, n);
    return true;
}

/* Masks become part of the bias, which then hides with -infinity or has the fill in it. */
static void fold(const flash_job *job, flash_slot *slot, const flash_panel *p, bool ranges,
                 size_t first, size_t n)
{
    flash_floats *bias = &slot->bias;
    for (size_t r = 0; r < p->rows; r++) {
        float *own = bias->own + r * job->tile;
        if (!bias->used)
            memset(own, 0, n * sizeof(*own));
        else if (bias->at[r] != own)
            memmove(slot->rows + r * n, bias->at[r], n * sizeof(*own));
    }
    for (size_t r = 0; r < job->height; r++) {
        float *own = bias->own + (r < p->rows ? r : 0) * job->tile;
        if (r < p->rows && bias->used && bias->at[r] != own)
            memcpy(own, slot->rows + r * n, n * sizeof(*own));
        if (r < p->rows && job->rules->sums)
            sum_row(job, p, own, slot->marks.used ? slot->marks.at[r] : NULL, r, first, n);
        else if (r < p->rows && slot->marks.used)
            job->f->row_mask(own, slot->marks.at[r], n, -INFINITY);
        if (r < p->rows && ranges && !job->rules->sums)
            hide_row(p, own, r, first, n, -INFINITY);
    }
    for (size_t r = 0; r < job->height; r++)
        bias->at[r] = bias->own + (r < p->rows ? r : 0) * job->tile;
    bias->used = true;
    bias->alike = false;
}

void flash_apply_cover(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t first,
                       size_t n)
{
    bool ranges = first < p->all_begin || first + n > p->all_end;
    if (slot->factor.used)
        multiply(job, slot, p, n);
    bool hides = ranges || slot->marks.used;
    bool folds = job->folds || job->rules->sums;
    bool shows = job->rules->adds_fill || job->rules->zeroes;
    if (hides && shows && !folds && add_fill(job, slot, p, first, n))
        return;
    if (folds && hides)
        fold(job, slot, p, ranges, first, n);
    if ((job->adds || job->rules->sums) && !job->late)
        add_bias(job, slot, p, n);
    if (slot->marks.used && !folds)
        mask(job, slot, p, n);
    if (ranges && !folds)
        hide(job, slot, p, first, n);
    if (job->late)
        add_bias(job, slot, p, n);
}

/* ---- Whole rows ----------------------------------------------------------------------------- */

bool flash_sees(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t r)
{
    size_t low = (size_t)p->low[r], high = (size_t)p->high[r];
    float *bias = slot->rows;
    uint8_t *marks = slot->marks.own;
    for (size_t j = low; j < high; j += job->tile) {
        size_t n = flash_min(job->tile, high - j);
        bool none = false;
        for (size_t i = 0; i < 2; i++) {
            const flash_cover *c = i ? &job->mask : &job->bias;
            if (!c->data || (i == 0 && job->adds))
                continue;
            mark_row(c, marks, none, cover_at(c, job, p, r), j, n);
            none = true;
        }
        if (job->adds)
            widen_row(&job->bias, job, bias, cover_at(&job->bias, job, p, r), j, n);
        if (job->more.data)
            add_more(job, bias, cover_at(&job->more, job, p, r), j, n);
        for (size_t i = 0; i < n; i++)
            if ((!none || marks[i]) && (!job->adds || bias[i] != -INFINITY))
                return true;
    }
    return false;
}

/* The largest of all rows of a bias, whoever reads them; no number when one is none. */
static float largest(const flash_job *job, const flash_cover *c)
{
    size_t n = c->single ? 1 : c->keys + (c->relative ? job->queries - 1 : 0);
    const char *data = c->data - (c->relative ? (job->queries - 1) * c->bytes : 0);
    float range[2] = {INFINITY, -INFINITY}, block[256];
    for (int a = 0; a < 3; a++)
        n *= a == FLASH_B && c->period                      ? c->period
             : c->step[a] && !(c->relative && a == FLASH_S) ? job->q.dims[a]
                                                            : 1;
    for (size_t i = 0; i < n; i += 256) {
        size_t m = flash_min(256, n - i);
        if (c->widen)
            c->widen(block, data + i * c->bytes, m, NULL);
        else
            memcpy(block, data + i * c->bytes, m * sizeof(*block));
        job->f->range(block, m, range);
    }
    return range[1];
}

void flash_find_lift(flash_job *job)
{
    job->lift = largest(job, &job->bias) + (job->more.data ? largest(job, &job->more) : 0.0f);
}
