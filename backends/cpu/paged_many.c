/* Strips of many rows of one key head (a prompt's tokens): a tile of keys and values is read where
 * it lies, or brought into float32 rows once, for panels of one row a lane. */
#include <math.h>
#include <string.h>

#include "paged.h"

#define INFINITE 0x7f800000u /* bits of numbers that are none are not below */

/* Keys of an edge: so few at least, or the block of products is low; keys that are worth a block of
 * one vector. Runs of the next tile that are asked for. */
enum { EDGE_LEAST = 12, TRIM_LEAST = 8, RUNS_AHEAD = PAGED_MORE / PAGED_KEYS };

static paged_panel panel_of(const paged_work *w, size_t i)
{
    const paged_job *job = w->job;
    size_t lanes = job->f->lanes, above = i * w->strip->vectors * lanes;
    size_t left = w->strip->rows - above;
    size_t vectors = left <= lanes ? 1 : w->strip->vectors, h = vectors * lanes;
    float *at = w->slot->q + above * (job->d + 2);
    float *state = w->slot->state + i * paged_panel_floats(job, w->strip);
    paged_panel p = {.q = at, .height = h, .vectors = vectors};
    p.low = (int32_t *)(void *)(at + job->d * h);
    p.high = p.low + h;
    p.state = (paged_state){state, state + job->dv * h, state + job->dv * h + h};
    p.first = w->strip->first + above;
    p.rows = flash_min(h, left);
    size_t near = flash_min(p.rows, lanes);
    paged_range first = paged_range_of(job, w->sequence, p.first);
    paged_range last = paged_range_of(job, w->sequence, p.first + p.rows - 1);
    p.any = (paged_range){first.low, last.high};
    p.all = (paged_range){last.low, first.high};
    p.near = paged_range_of(job, w->sequence, p.first + near - 1).high;
    return p;
}

/* A query head and a token of the sequence, row after row. */
typedef struct many_row {
    size_t head, token;
} many_row;

static many_row first_row(const paged_work *w, const paged_panel *p)
{
    return (many_row){p->first % w->job->group, p->first / w->job->group};
}

static void next_row(const paged_work *w, many_row *r)
{
    r->head = r->head + 1 == w->job->group ? 0 : r->head + 1;
    r->token += r->head == 0;
}

/* ---- The start ------------------------------------------------------------------------------ */

static size_t head_of(const paged_work *w, many_row row)
{
    return w->strip->head * w->job->group + row.head;
}

/* Where a row is in q or y, if its numbers are float32 side by side. */
static float *row_in(const paged_work *w, const flash_operand *o, many_row row)
{
    size_t token = w->sequence->first + row.token;
    size_t at = head_of(w, row) * o->step[FLASH_H] + token * o->step[FLASH_S];
    return o->widen || o->step[FLASH_D] != 1 ? NULL : (float *)(void *)o->data + at;
}

static const float *find_query(const paged_work *w, many_row row, float *line)
{
    const float *there = row_in(w, &w->job->q, row);
    if (!there)
        flash_load_row(&w->job->q, line, 0, head_of(w, row), w->sequence->first + row.token);
    return there ? there : line;
}

/* Rows behind the end are 0. */
static void start_panel(const paged_work *w, const paged_panel *p)
{
    const paged_job *job = w->job;
    const float *from[FLASH_ROWS];
    many_row row = first_row(w, p);
    paged_range first = paged_range_at(job, w->sequence, row.token);
    for (size_t r = 0; r < p->height; r++) {
        bool there = r < p->rows;
        float *line = w->slot->lines + r * job->d;
        paged_range seen = there ? paged_range_at(job, w->sequence, row.token) : first;
        p->low[r] = (int32_t)seen.low;
        p->high[r] = (int32_t)seen.high;
        from[r] = there ? find_query(w, row, line) : line;
        if (!there)
            memset(line, 0, job->d * sizeof(*line));
        next_row(w, &row);
    }
    job->f->gather(p->q, from, job->d, job->scale, p->vectors);
}

void paged_many_start(const paged_work *w)
{
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++) {
        w->panel[i] = panel_of(w, i);
        start_panel(w, &w->panel[i]);
    }
}

/* Sums are written by the first tile: filling them with zeros took up to 5 % of a prompt. */
void paged_many_clear(const paged_work *w)
{
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++) {
        paged_panel *p = &w->panel[i];
        for (size_t r = 0; r < p->height; r++)
            p->state.top[r] = -INFINITY;
        p->empty = true;
    }
}

/* ---- A tile --------------------------------------------------------------------------------- */

/* Floats of a row of a tile that was brought; starts that all fall on the same lines of the L1
 * cache would drive each other out. */
static size_t row_of(const paged_pages *p) { return p->d % 512 == 0 ? p->d + 16 : p->d; }

/* Keys [first, last) of a head, or values, in float32: where each lies, and behind them rows that
 * are asked for. Those of PAGED_GROUP are `step` floats apart. */
typedef struct many_keys {
    const paged_pages *pages;
    const flash_operand *own; /* they are new, and lie here */
    size_t first, last, step;
    const float *scales;
    const float *row[2 * FLASH_TILE + PAGED_MORE];
} many_keys;

/* Where the keys of a tile lie, and some that are read later. */
typedef struct many_places {
    size_t runs, known;
    paged_place at[2 * PAGED_RUNS];
} many_places;

/* Panels of one vector ask for the whole next tile; only the last one can be such. */
static bool asks_far(const paged_work *w)
{
    return w->panel[paged_panels(w->job, w->strip) - 1].vectors == 1;
}

static void find_places(const paged_work *w, size_t first, size_t last, size_t end, many_places *t)
{
    const paged_job *job = w->job;
    size_t b = w->strip->sequence, more = asks_far(w) ? PAGED_RUNS : RUNS_AHEAD;
    t->runs = paged_find(job, b, first, last, t->at, PAGED_RUNS);
    end = flash_min(end, last + job->tile);
    t->known = t->runs + paged_find(job, b, last, end, t->at + t->runs, more);
}

/* Some rows that are d floats apart. */
static size_t add_rows(const float **to, const char *at, size_t n, size_t d)
{
    const float *row = (const float *)(const void *)at;
    for (size_t j = 0; j < n; j++)
        to[j] = row + j * d;
    return n;
}

/* New ones, in the call's own input; and some behind them. */
static size_t add_own(const paged_work *w, many_keys *x, size_t most)
{
    size_t token = x->first - w->sequence->past, left = w->sequence->fresh - token;
    const float *at = paged_own_row(x->own, w->strip->head, w->sequence->first + token);
    x->step = x->own->step[FLASH_S];
    return add_rows(x->row, (const char *)at, flash_min(left, most), x->step);
}

static size_t add_pages(const paged_work *w, const many_places *t, many_keys *x, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < t->known; i++) {
        cpu_page_run run = paged_run_at(x->pages, &t->at[i], w->strip->head);
        n += add_rows(x->row + n, run.at, flash_min(run.keys, most - n), x->step);
    }
    return n;
}

static void bring(const paged_work *w, const many_places *t, many_keys *x, float *block,
                  float *scales)
{
    const paged_pages *p = x->pages;
    size_t n, keys = x->last - x->first, all = PAGED_MORE + (asks_far(w) ? 2 : 1) * keys;
    x->scales = p->scales ? scales : NULL;
    x->step = row_of(p);
    if (x->own) {
        n = add_own(w, x, all);
    } else if (p->many_well) {
        n = add_pages(w, t, x, all);
    } else {
        paged_bring(w->job, p, w->strip->sequence, w->strip->head, x->first, x->last, block,
                    x->step, scales);
        n = add_rows(x->row, (const char *)block, keys, x->step);
    }
    for (; n < all; n++)
        x->row[n] = x->row[n - 1];
}

/* Keys [from, to), of which `more` are for the last vector alone. */
static cpu_paged_tile part_of(const many_keys *x, size_t from, size_t to, size_t more)
{
    size_t skip = from - x->first;
    return (cpu_paged_tile){.rows = x->row + skip,
                            .scales = x->scales ? x->scales + skip : NULL,
                            .step = x->step,
                            .keys = to - from - more,
                            .more = more,
                            .place = from % PAGED_KEYS};
}

static void add_bias(const paged_work *w, const paged_panel *p, float *s, size_t first, size_t n)
{
    const float *from[FLASH_ROWS];
    many_row row = first_row(w, p);
    for (size_t r = 0; r < p->height; r++) {
        float *line = w->slot->lines + r * n;
        paged_bias(w->job, head_of(w, row), w->sequence->past + row.token, first, n, line);
        from[r] = line;
        if (r + 1 < p->rows)
            next_row(w, &row);
    }
    w->job->f->add(s, from, n, p->vectors);
}

/* Keys [from, to). */
static bool is_finite(const paged_job *job, const many_keys *v, size_t from, size_t to)
{
    for (size_t j = from - v->first; j < to - v->first; j++)
        if (job->f->peak32(v->row[j], v->pages->d) >= INFINITE ||
            (v->scales && job->f->peak32(v->scales + j, 1) >= INFINITE))
            return false;
    return true;
}

/* Values that some row does not see are numbers: 0 times them is 0. */
static bool may_see_all(const paged_work *w, const paged_panel *p, const many_keys *v, size_t from,
                        size_t to)
{
    size_t low = flash_min(flash_max(p->all.low, from), to);
    size_t high = flash_max(flash_min(p->all.high, to), low);
    return is_finite(w->job, v, from, low) && is_finite(w->job, v, high, to);
}

/* Of the keys of a tile for a panel, [from, to), those before `inner` are seen by all rows and
 * their scores stay as they are; the rest is the edge. Behind `near` the first vector of rows sees
 * none. */
typedef struct many_edge {
    size_t from, to, inner, near;
} many_edge;

static many_edge edge_of(const paged_work *w, const paged_panel *p, size_t first, size_t last)
{
    const paged_job *job = w->job;
    size_t group = job->keys.many_well ? PAGED_GROUP : 1;
    many_edge e = {flash_max(first, p->any.low / group * group), flash_min(last, p->any.high), 0,
                   0};
    size_t n = e.to > e.from ? e.to - e.from : 0, inner = flash_max(p->all.high, e.from) - e.from;
    size_t near = flash_round(flash_max(p->near, e.from) - e.from, PAGED_GROUP);
    bool changed = job->rules->cap > 0 || job->bias || e.from < p->all.low;
    if (inner < n)
        inner = flash_min(inner, n - flash_min(n, EDGE_LEAST)) / PAGED_GROUP * PAGED_GROUP;
    e.inner = e.from + (changed ? 0 : flash_min(inner, n));
    e.near = p->vectors == 1 || near + TRIM_LEAST > n ? e.to : e.from + near;
    return e;
}

/* What is done to the scores of the edge. */
static void cover_edge(const paged_work *w, const paged_panel *p, const many_edge *e, float *s)
{
    const paged_job *job = w->job;
    size_t n = e->to - e->inner;
    if (job->rules->cap > 0)
        job->f->cap(s, n * p->height, job->rules->cap);
    if (job->bias)
        add_bias(w, p, s, e->inner, n);
    if (e->inner < p->all.low || e->to > p->all.high)
        job->f->hide(s, n, p->vectors, p->low, p->high, (int32_t)e->inner, -INFINITY);
}

/* The scores of a panel, and how far its sums rise. */
static void find_scores(const paged_work *w, const paged_panel *p, const many_keys *k,
                        const many_edge *e, const float *const *next, cpu_paged_rise *r)
{
    const paged_job *job = w->job;
    size_t vectors = p->vectors, more = e->to - e->near;
    float *edge = w->slot->s + (e->inner - e->from) * p->height, hidden[FLASH_ROWS];
    cpu_paged_tile inner = part_of(k, e->from, e->inner, 0);
    cpu_paged_tile outer = part_of(k, e->inner, e->to, more);
    for (size_t i = 0; i < p->height; i++)
        r->base[i] = hidden[i] = -INFINITY;
    inner.next = next;
    outer.next = next + inner.keys;
    job->p->scores(w->slot->s, &inner, p->q, job->d, vectors, r->base);
    if (e->inner < e->to) {
        job->p->scores(edge, &outer, p->q, job->d, vectors, hidden);
        cover_edge(w, p, e, edge);
        job->f->tops(r->base, edge, outer.keys, outer.more, vectors);
    }
    job->p->rise(r, p->state.top, vectors);
}

/* Panels of one vector of rows have few products for what they read: scores ask for the values of
 * the tile, values for the keys of the next one. */
static void run_panel(const paged_work *w, paged_panel *p, const many_keys *k, const many_keys *v)
{
    const paged_job *job = w->job;
    size_t vectors = p->vectors;
    many_edge e = edge_of(w, p, k->first, k->last);
    cpu_paged_rise r;
    if (e.from >= e.to)
        return;
    paged_write_share(w);
    find_scores(w, p, k, &e, v->row + (e.from - v->first), &r);
    r.there = p->empty ? 0 : -1;
    p->empty = false;
    cpu_paged_tile t = part_of(v, e.from, e.to, e.to - e.near);
    t.next = k->row + (k->last - k->first);
    paged_write_share(w);
    bool hides = e.from < p->all.low || e.to > p->all.high;
    if (!hides || may_see_all(w, p, v, e.from, e.to))
        job->p->values(p->state.o, &t, job->dv, w->slot->s, &r, p->state.sum, vectors);
    else
        job->p->values_apart(p->state.o, &t, job->dv, w->slot->s, &r, p->state.sum, vectors, p->low,
                             p->high, (int32_t)e.from);
}

void paged_many_tile(const paged_work *w, size_t number)
{
    const paged_job *job = w->job;
    size_t panels = paged_panels(job, w->strip), begin = number * job->tile;
    size_t low = w->panel[0].any.low, end = w->panel[panels - 1].any.high;
    size_t first = flash_max(begin, job->keys.many_well ? low / PAGED_GROUP * PAGED_GROUP : low);
    size_t last = flash_min(begin + job->tile, end);
    many_keys k, v;
    many_places places;
    if (first >= last)
        return;
    bool own = first >= w->sequence->past + w->sequence->late;
    k.pages = &job->keys, v.pages = &job->values;
    k.own = own ? &job->k : NULL, v.own = own ? &job->v : NULL;
    k.first = v.first = first;
    k.last = v.last = last;
    if (!own)
        find_places(w, first, last, end, &places);
    bring(w, &places, &k, w->slot->keys, w->slot->scales);
    bring(w, &places, &v, w->slot->values, w->slot->scales + job->tile);
    for (size_t i = 0; i < panels; i++)
        run_panel(w, &w->panel[i], &k, &v);
}

/* ---- The end -------------------------------------------------------------------------------- */

void paged_many_keep(const paged_work *w, float *part)
{
    size_t floats = paged_panel_floats(w->job, w->strip);
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++, part += floats) {
        const paged_panel *p = &w->panel[i];
        size_t sums = w->job->dv * p->height;
        memcpy(part, p->state.o, (sums + 2 * p->height) * sizeof(*part));
        if (p->empty) {
            memset(part, 0, sums * sizeof(*part));
            memset(part + sums + p->height, 0, p->height * sizeof(*part));
        }
    }
}

void paged_many_join(const paged_work *w, const float *part)
{
    const paged_job *job = w->job;
    for (size_t i = 0; i < paged_panels(job, w->strip); i++) {
        const paged_panel *p = &w->panel[i];
        const float *o = part + i * paged_panel_floats(job, w->strip),
                    *top = o + job->dv * p->height;
        job->p->join(p->state.o, p->state.top, p->state.sum, o, top, top + p->height, job->dv,
                     p->vectors);
    }
}

static void finish_panel(const paged_work *w, const paged_panel *p)
{
    const paged_job *job = w->job;
    float *to[FLASH_ROWS], factor[FLASH_ROWS] = {0.0f};
    many_row row = first_row(w, p);
    for (size_t r = 0; r < p->height; r++, next_row(w, &row)) {
        float *there = r < p->rows ? row_in(w, &job->y, row) : NULL;
        to[r] = there ? there : w->slot->lines + r * job->dv;
        if (r < p->rows && job->sinks)
            factor[r] = paged_factor(job, head_of(w, row), p->state.top[r], p->state.sum[r]);
    }
    for (size_t r = 0; r < p->rows && !job->sinks; r++)
        factor[r] = paged_inverse(p->state.sum[r]);
    job->f->scatter(to, p->state.o, job->dv, factor, p->vectors);
    row = first_row(w, p);
    for (size_t r = 0; r < p->rows && !row_in(w, &job->y, row); r++, next_row(w, &row))
        flash_write_row(&job->y, to[r], 0, head_of(w, row), w->sequence->first + row.token);
}

void paged_many_finish(const paged_work *w)
{
    for (size_t i = 0; i < paged_panels(w->job, w->strip); i++)
        finish_panel(w, &w->panel[i]);
}
