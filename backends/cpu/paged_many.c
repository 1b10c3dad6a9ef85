/* Strips of many rows of one key head (a prompt's tokens): a tile of keys and values is read where
 * it lies, or brought into float32 rows once, for panels of one row a lane. */
#include <math.h>
#include <string.h>

#include "paged.h"

#define INFINITE 0x7f800000u /* bits of numbers that are none are not below */

enum { RUNS_AHEAD = 2 }; /* of the one that is asked for */

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

/* Where row `row` of the head is in q or y, if its numbers are float32 side by side. */
static float *row_in(const paged_work *w, const flash_operand *o, size_t row)
{
    size_t token = w->sequence->first + row / w->job->group;
    size_t at = head_of(w, row) * o->step[FLASH_H] + token * o->step[FLASH_S];
    return o->widen || o->step[FLASH_D] != 1 ? NULL : (float *)(void *)o->data + at;
}

static const float *find_query(const paged_work *w, const many_panel *p, size_t r, float *line)
{
    const paged_job *job = w->job;
    size_t row = p->first + r;
    const float *there = r < p->rows ? row_in(w, &job->q, row) : NULL;
    if (there)
        return there;
    if (r < p->rows)
        flash_load_row(&job->q, line, 0, head_of(w, row), w->sequence->first + row / job->group);
    else
        memset(line, 0, job->d * sizeof(*line));
    return line;
}

static void start_panel(const paged_work *w, const many_panel *p)
{
    const paged_job *job = w->job;
    const float *from[FLASH_ROWS];
    for (size_t r = 0; r < p->height; r++) {
        from[r] = find_query(w, p, r, w->slot->lines + r * job->d);
        size_t row = r < p->rows ? p->first + r : p->first;
        paged_range seen = paged_range_of(job, w->sequence, row);
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

/* Floats of a row of a tile that was brought; starts that all fall on the same lines of the L1
 * cache would drive each other out. */
static size_t row_of(const paged_pages *p) { return p->d % 512 == 0 ? p->d + 16 : p->d; }

/* Keys [first, last) of a head, or values, in float32. */
typedef struct many_keys {
    const paged_pages *pages;
    size_t first, last, runs;
    cpu_page_run run[PAGED_RUNS];
} many_keys;

/* Where the keys of a tile lie, and some that are read later. */
typedef struct many_places {
    size_t runs, known;
    paged_place at[2 * PAGED_RUNS];
} many_places;

static void find_places(const paged_work *w, size_t first, size_t last, size_t end, many_places *t)
{
    const paged_job *job = w->job;
    size_t b = w->strip->sequence, more = w->strip->vectors == 1 ? PAGED_RUNS : RUNS_AHEAD;
    t->runs = paged_find(job, b, first, last, t->at, PAGED_RUNS);
    end = flash_min(end, last + job->tile);
    t->known = t->runs + paged_find(job, b, last, end, t->at + t->runs, more);
}

static void bring(const paged_work *w, const many_places *t, many_keys *x, float *block,
                  float *scales)
{
    const paged_pages *p = x->pages;
    size_t head = w->strip->head;
    if (p->many_well) {
        x->runs = t->runs;
        for (size_t i = 0; i < t->runs; i++)
            x->run[i] = paged_run_at(p, &t->at[i], head);
        for (size_t i = 0; i < t->runs && i + RUNS_AHEAD < t->known; i++)
            x->run[i].next = paged_run_at(p, &t->at[i + RUNS_AHEAD], head).at;
        return;
    }
    paged_bring(w->job, p, w->strip->sequence, head, x->first, x->last, block, row_of(p), scales);
    const char *at = (const char *)block;
    x->run[0] = (cpu_page_run){at, at, p->scales ? scales : NULL, x->last - x->first};
    x->runs = 1;
}

/* Panels of one vector of rows have few products for what they read: scores ask for the values of
 * the tile, values for the keys of the next one. */
static void ask_evenly(const paged_work *w, const many_places *t, many_keys *k, many_keys *v)
{
    for (size_t i = 0; i < t->runs; i++) {
        size_t next = t->runs + i;
        k->run[i].next = v->run[i].at;
        v->run[i].next = next < t->known ? paged_run_at(k->pages, &t->at[next], w->strip->head).at
                                         : v->run[i].at;
    }
}

/* Those in [first, last). */
static const many_keys *part_of(const many_keys *x, size_t first, size_t last, many_keys *part)
{
    if (first == x->first && last == x->last)
        return x;
    part->pages = x->pages;
    part->first = first;
    part->last = flash_max(first, last);
    part->runs = paged_trim(part->run, x->run, first - x->first, part->last - first,
                            row_of(x->pages) * sizeof(float));
    return part;
}

static void add_bias(const paged_work *w, const many_panel *p, float *s, size_t first, size_t n)
{
    const float *from[FLASH_ROWS];
    size_t group = w->job->group;
    for (size_t r = 0; r < p->height; r++) {
        size_t row = p->first + flash_min(r, p->rows - 1);
        float *line = w->slot->lines + r * n;
        paged_bias(w->job, head_of(w, row), w->sequence->past + row / group, first, n, line);
        from[r] = line;
    }
    w->job->f->add(s, from, n, w->strip->vectors);
}

static bool is_finite(const paged_job *job, const many_keys *v)
{
    size_t d = v->pages->d, row = row_of(v->pages);
    for (size_t i = 0; i < v->runs; i++) {
        const cpu_page_run *run = &v->run[i];
        const float *at = (const float *)(const void *)run->at;
        if (run->scales && job->f->peak32(run->scales, run->keys) >= INFINITE)
            return false;
        for (size_t j = 0; j < run->keys; j += row == d ? run->keys : 1)
            if (job->f->peak32(at + j * row, row == d ? run->keys * d : d) >= INFINITE)
                return false;
    }
    return true;
}

/* Values that some row does not see are numbers: 0 times them is 0. */
static bool may_see_all(const paged_work *w, const many_panel *p, const many_keys *v)
{
    size_t low = flash_min(flash_max(p->all.low, v->first), v->last);
    size_t high = flash_max(flash_min(p->all.high, v->last), v->first);
    if (low >= high)
        return is_finite(w->job, v);
    many_keys part;
    return is_finite(w->job, part_of(v, v->first, low, &part)) &&
           is_finite(w->job, part_of(v, high, v->last, &part));
}

/* Scores of a panel become weights, s[key][row] from the key `base` on. */
static void weigh_panel(const paged_work *w, const many_panel *p, const many_keys *k, size_t base)
{
    const paged_job *job = w->job;
    size_t n = k->last - k->first, all = k->last - base, vectors = w->strip->vectors;
    float *s = w->slot->s + (k->first - base) * p->height;
    job->p->scores(s, k->run, k->runs, row_of(k->pages), p->q, job->d, vectors);
    if (k->run->scales)
        job->p->scale(s, k->run, k->runs, vectors);
    if (job->rules->cap > 0)
        job->f->cap(s, n * p->height, job->rules->cap);
    if (job->bias)
        add_bias(w, p, s, k->first, n);
    if (base < p->all.low || k->last > p->all.high)
        job->f->hide(w->slot->s, all, vectors, p->low, p->high, (int32_t)base, -INFINITY);
    job->p->weigh(w->slot->s, all, p->state.top, p->state.sum, p->alpha, p->beta, vectors);
}

static void add_values(const paged_work *w, const many_panel *p, const many_keys *v, float *s)
{
    const paged_job *job = w->job;
    size_t vectors = w->strip->vectors, row = row_of(v->pages);
    bool hides = v->first < p->all.low || v->last > p->all.high;
    if (v->run->scales)
        job->p->scale(s, v->run, v->runs, vectors);
    if (!hides || may_see_all(w, p, v))
        job->p->values(p->state.o, v->run, v->runs, row, job->dv, s, p->alpha, p->beta, vectors);
    else
        job->p->values_apart(p->state.o, v->run, v->runs, row, job->dv, s, p->alpha, p->beta,
                             vectors, p->low, p->high, (int32_t)v->first);
}

/* Keys are summed by their places in vectors of the tile, so that scores start with a whole one. */
static void run_panel(const paged_work *w, const many_panel *p, const many_keys *k,
                      const many_keys *v)
{
    size_t from = flash_max(k->first, p->any.low), to = flash_min(k->last, p->any.high);
    size_t base = from / PAGED_KEYS * PAGED_KEYS;
    if (from >= to)
        return;
    many_keys part;
    weigh_panel(w, p, part_of(k, from, to, &part), base);
    add_values(w, p, part_of(v, from, to, &part), w->slot->s + (from - base) * p->height);
}

void paged_many_tile(const paged_work *w, size_t number)
{
    const paged_job *job = w->job;
    size_t panels = paged_panels(job, w->strip), begin = number * job->tile;
    size_t first = flash_max(begin, panel_of(w, 0).any.low);
    size_t end = panel_of(w, panels - 1).any.high, last = flash_min(begin + job->tile, end);
    many_keys k, v;
    many_places places;
    if (first >= last)
        return;
    k.pages = &job->keys, v.pages = &job->values;
    k.first = v.first = first;
    k.last = v.last = last;
    find_places(w, first, last, end, &places);
    bring(w, &places, &k, w->slot->keys, w->slot->scales);
    bring(w, &places, &v, w->slot->values, w->slot->scales + job->tile);
    if (w->strip->vectors == 1 && k.pages->many_well && v.pages->many_well)
        ask_evenly(w, &places, &k, &v);
    for (size_t i = 0; i < panels; i++) {
        many_panel p = panel_of(w, i);
        run_panel(w, &p, &k, &v);
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
        float *there = r < p->rows ? row_in(w, &job->y, p->first + r) : NULL;
        to[r] = there ? there : w->slot->lines + r * job->dv;
        if (r < p->rows)
            factor[r] =
                paged_factor(job, head_of(w, p->first + r), p->state.top[r], p->state.sum[r]);
    }
    job->f->scatter(to, p->state.o, job->dv, factor, w->strip->vectors);
    for (size_t r = 0; r < p->rows && !row_in(w, &job->y, p->first + r); r++)
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
