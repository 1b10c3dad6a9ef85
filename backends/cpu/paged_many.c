/* Strips of many rows of one key head (a prompt's tokens): a tile of keys and values is brought
 * into float32 rows once, for panels of one row a lane. */
#include <math.h>
#include <string.h>

#include "paged.h"

typedef struct many_panel {
    float *q, *alpha, *beta;
    int32_t *low, *high;
    paged_state state;
    size_t first, rows, height; /* rows of the head */
    paged_range any, all;       /* keys that some row sees, and that all do */
} many_panel;

static many_panel panel_of(const paged_work *w, size_t i)
{
    const paged_job *job = w->job;
    size_t h = w->strip->vectors * job->f->lanes;
    float *at = w->slot->q + i * (job->d + 4) * h;
    float *state = w->slot->state + i * paged_panel_floats(job, w->strip);
    many_panel p = {.q = at, .alpha = at + job->d * h, .height = h};
    p.beta = p.alpha + h;
    p.low = (int32_t *)(void *)(p.beta + h);
    p.high = p.low + h;
    p.state = (paged_state){state, state + job->dv * h, state + job->dv * h + h};
    p.first = w->strip->first + i * h;
    p.rows = flash_min(h, w->strip->first + w->strip->rows - p.first);
    paged_range first = paged_range_of(job, w->sequence, p.first);
    paged_range last = paged_range_of(job, w->sequence, p.first + p.rows - 1);
    p.any = (paged_range){first.low, last.high};
    p.all = (paged_range){last.low, first.high};
    return p;
}

/* ---- The start ------------------------------------------------------------------------------ */

static size_t head_of(const paged_work *w, size_t row)
{
    return w->strip->head * w->job->group + row % w->job->group;
}

static void start_panel(const paged_work *w, const many_panel *p)
{
    const paged_job *job = w->job;
    const float *from[FLASH_ROWS];
    for (size_t r = 0; r < p->height; r++) {
        size_t row = p->first + r;
        float *line = w->slot->lines + r * job->d;
        from[r] = line;
        if (r < p->rows)
            flash_load_row(&job->q, line, 0, head_of(w, row),
                           w->sequence->first + row / job->group);
        else
            memset(line, 0, job->d * sizeof(*line));
        paged_range seen = paged_range_of(job, w->sequence, r < p->rows ? row : p->first);
        p->low[r] = (int32_t)seen.low;
        p->high[r] = (int32_t)seen.high;
    }
    job->f->gather(p->q, from, job->d, job->scale, w->strip->vectors);
}

void paged_many_start(const paged_work *w)
{
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++) {
        many_panel p = panel_of(w, i);
        start_panel(w, &p);
    }
}

/* ---- A tile --------------------------------------------------------------------------------- */

/* Rows of a tile; starts that all fall on the same lines of the L1 cache would drive each other
 * out. */
static size_t row_of(size_t d) { return d % 512 == 0 ? d + 16 : d; }

/* Keys [first, last) of a tile that starts at `begin`. */
typedef struct many_tile {
    size_t begin, first, last;
} many_tile;

static many_tile cut_tile(const paged_job *job, size_t number, paged_range seen)
{
    size_t begin = number * job->tile;
    return (many_tile){begin, flash_max(begin, seen.low / PAGED_KEYS * PAGED_KEYS),
                       flash_min(begin + job->tile, seen.high)};
}

static void add_bias(const paged_work *w, const many_panel *p, many_tile t)
{
    const float *from[FLASH_ROWS];
    size_t n = t.last - t.first, group = w->job->group;
    for (size_t r = 0; r < p->height; r++) {
        size_t row = p->first + flash_min(r, p->rows - 1);
        float *line = w->slot->lines + r * n;
        paged_bias(w->job, head_of(w, row), w->sequence->past + row / group, t.first, n, line);
        from[r] = line;
    }
    w->job->f->add(w->slot->s, from, n, w->strip->vectors);
}

static bool is_finite(const paged_job *job, const float *v, size_t rows)
{
    return !rows || job->f->peak32(v, rows * row_of(job->dv)) < 0x7f800000u;
}

/* Values that some row does not see are numbers: 0 times them is 0. */
static bool may_see_all(const paged_work *w, const many_panel *p, many_tile t, const float *v)
{
    size_t low = flash_min(flash_max(p->all.low, t.first), t.last);
    size_t high = flash_max(flash_min(p->all.high, t.last), t.first);
    if (low >= high)
        return is_finite(w->job, v, t.last - t.first);
    return is_finite(w->job, v, low - t.first) &&
           is_finite(w->job, v + (high - t.first) * row_of(w->job->dv), t.last - high);
}

static void run_panel(const paged_work *w, const many_panel *p, many_tile t, size_t held)
{
    const paged_job *job = w->job;
    size_t n = t.last - t.first, vectors = w->strip->vectors, wide = row_of(job->dv);
    const float *k = w->slot->keys + (t.first - held) * row_of(job->d);
    const float *v = w->slot->values + (t.first - held) * wide;
    float *s = w->slot->s;
    bool hides = t.first < p->all.low || t.last > p->all.high;
    job->f->scores(s, k, row_of(job->d), n, p->q, job->d, vectors);
    if (job->rules->cap > 0)
        job->f->cap(s, n * p->height, job->rules->cap);
    if (job->bias)
        add_bias(w, p, t);
    if (hides)
        job->f->hide(s, n, vectors, p->low, p->high, (int32_t)t.first, -INFINITY);
    job->p->weigh(s, n, p->state.top, p->state.sum, p->alpha, p->beta, vectors);
    if (!hides || may_see_all(w, p, t, v))
        job->p->values(p->state.o, v, wide, job->dv, s, n, p->alpha, p->beta, vectors);
    else
        job->p->values_apart(p->state.o, v, wide, job->dv, s, n, p->alpha, p->beta, vectors, p->low,
                             p->high, (int32_t)t.first);
}

void paged_many_tile(const paged_work *w, size_t number)
{
    const paged_job *job = w->job;
    size_t panels = paged_panels(job, w->strip);
    paged_range seen = {panel_of(w, 0).any.low, panel_of(w, panels - 1).any.high};
    many_tile all = cut_tile(job, number, seen);
    size_t from = flash_max(all.first, seen.low);
    if (from >= all.last)
        return;
    /* Keys before `from` may have no page, and are hidden from all. */
    memset(w->slot->keys, 0, (from - all.first) * row_of(job->d) * sizeof(float));
    memset(w->slot->values, 0, (from - all.first) * row_of(job->dv) * sizeof(float));
    paged_bring(job, &job->keys, w->strip->sequence, w->strip->head, from, all.last,
                w->slot->keys + (from - all.first) * row_of(job->d), row_of(job->d));
    paged_bring(job, &job->values, w->strip->sequence, w->strip->head, from, all.last,
                w->slot->values + (from - all.first) * row_of(job->dv), row_of(job->dv));
    for (size_t i = 0; i < panels; i++) {
        many_panel p = panel_of(w, i);
        many_tile t = cut_tile(job, number, p.any);
        if (t.first < t.last)
            run_panel(w, &p, t, all.first);
    }
}

/* ---- The end -------------------------------------------------------------------------------- */

void paged_many_join(const paged_work *w, const float *part)
{
    const paged_job *job = w->job;
    for (size_t i = 0; i < paged_panels(job, w->strip); i++) {
        many_panel p = panel_of(w, i);
        const float *o = part + i * paged_panel_floats(job, w->strip),
                    *top = o + job->dv * p.height;
        job->p->join(p.state.o, p.state.top, p.state.sum, o, top, top + p.height, job->dv,
                     w->strip->vectors);
    }
}

static void finish_panel(const paged_work *w, const many_panel *p)
{
    const paged_job *job = w->job;
    float *to[FLASH_ROWS], factor[FLASH_ROWS] = {0.0f};
    for (size_t r = 0; r < p->height; r++) {
        to[r] = w->slot->lines + r * job->dv;
        if (r < p->rows)
            factor[r] =
                paged_factor(job, head_of(w, p->first + r), p->state.top[r], p->state.sum[r]);
    }
    job->f->scatter(to, p->state.o, job->dv, factor, w->strip->vectors);
    for (size_t r = 0; r < p->rows; r++)
        flash_write_row(&job->y, to[r], 0, head_of(w, p->first + r),
                        w->sequence->first + (p->first + r) / job->group);
}

void paged_many_finish(const paged_work *w)
{
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++) {
        many_panel p = panel_of(w, i);
        finish_panel(w, &p);
    }
}
