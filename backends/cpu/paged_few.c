/* Strips of few rows a head (a decoder's tokens): keys and values are read once, where they lie if
 * they are float32, all heads of a page one after the other, as memory has them. */
#include <math.h>
#include <string.h>

#include "paged.h"

/* Bytes that are asked for ahead, and runs, at most. */
enum { PAGED_AHEAD = 8192, AHEAD_LEAST = 2, AHEAD_MOST = 8 }; /* two are read at once */

/* The memory of a strip, by row: row r of head h is h * rows + r. */
typedef struct few_rows {
    size_t all; /* rows of all heads */
    paged_state state, tile;
    float *bias;
} few_rows;

static paged_state state_in(const paged_job *job, float *at, size_t rows)
{
    float *top = at + rows * job->values.wide;
    return (paged_state){at, top, top + rows};
}

static few_rows rows_of(const paged_work *w)
{
    size_t all = w->strip->heads * w->strip->rows, floats = paged_state_floats(w->job, w->strip);
    return (few_rows){all, state_in(w->job, w->slot->state, all),
                      state_in(w->job, w->slot->state + floats, all), w->slot->lines};
}

/* The query head and the token of a row. */
static size_t head_of(const paged_work *w, size_t row)
{
    const paged_strip *s = w->strip;
    return (s->head + row / s->rows) * w->job->group + row % s->rows % w->job->group;
}

static size_t token_of(const paged_work *w, size_t row)
{
    return row % w->strip->rows / w->job->group;
}

void paged_few_start(const paged_work *w)
{
    const paged_job *job = w->job;
    size_t wide = job->keys.wide, all = rows_of(w).all;
    memset(w->slot->q, 0, all * wide * sizeof(float));
    for (size_t r = 0; r < all; r++) {
        float *q = w->slot->q + r * wide;
        flash_load_row(&job->q, q, 0, head_of(w, r), w->sequence->first + token_of(w, r));
        for (size_t i = 0; i < job->d; i++)
            q[i] *= job->scale;
    }
}

/* ---- A tile --------------------------------------------------------------------------------- */

/* Keys [first, last) are read; all rows see [all.low, all.high). */
typedef struct few_tile {
    size_t begin, first, last;
    paged_range all;
    size_t runs, known; /* places of the tile; with those behind it that are asked for */
    paged_place place[PAGED_RUNS + AHEAD_MOST];
} few_tile;

/* Keys and values of a head. */
typedef struct few_head {
    size_t h; /* of the strip */
    size_t k_runs, v_runs;
    cpu_page_run k[PAGED_RUNS], v[PAGED_RUNS];
} few_head;

static void find_tile(const paged_work *w, size_t number, few_tile *t)
{
    const paged_job *job = w->job;
    size_t b = w->strip->sequence;
    paged_range first = paged_range_of(job, w->sequence, 0);
    paged_range last = paged_range_of(job, w->sequence, w->strip->rows - 1);
    t->begin = number * job->tile;
    t->all = (paged_range){last.low, first.high};
    t->first = flash_max(t->begin, first.low);
    t->last = flash_min(t->begin + job->tile, last.high);
    t->runs = t->known = 0;
    if (!job->keys.few_well && !job->values.few_well)
        return;
    t->runs = paged_find(job, b, t->first, t->last, t->place, PAGED_RUNS);
    t->known = t->runs + paged_find(job, b, t->last, last.high, t->place + t->runs, AHEAD_MOST);
}

/* Rows of a head where they lie, or in a block of memory. */
static size_t bring(const paged_work *w, const few_tile *t, const paged_pages *p, size_t head,
                    float *block, float *scales, cpu_page_run *to)
{
    size_t n = 0, keys = t->last - t->first;
    for (; p->few_well && n < t->runs; n++)
        to[n] = paged_run_at(p, &t->place[n], head);
    if (p->few_well)
        return n;
    paged_bring(w->job, p, w->strip->sequence, head, t->first, t->last, block, p->wide, scales);
    for (size_t j = 0; j < keys; j += PAGED_KEYS, n++) {
        const char *at = (const char *)(block + j * p->wide);
        to[n] =
            (cpu_page_run){at, at, p->scales ? scales + j : NULL, flash_min(PAGED_KEYS, keys - j)};
    }
    return n;
}

/* What is asked for while runs are at work: those that are read some time later, which for the last
 * ones of a part are the first of the next: after keys the values of the head, then the next head,
 * after all heads the next tile. */
static const char *first_of_next(const paged_work *w, const few_tile *t, size_t h, size_t i)
{
    bool last = h + 1 == w->strip->heads;
    size_t at = last ? t->runs + i : flash_min(i, t->runs - 1);
    size_t head = w->strip->head + (last ? 0 : h + 1);
    return at < t->known ? paged_run_at(&w->job->keys, &t->place[at], head).at : NULL;
}

static void ask_ahead(const paged_work *w, const few_tile *t, few_head *x)
{
    const paged_pages *k = &w->job->keys, *v = &w->job->values;
    size_t n = t->runs, run = PAGED_KEYS * flash_max(k->d * k->bytes, 1);
    size_t ahead = flash_max(AHEAD_LEAST, flash_min(AHEAD_MOST, PAGED_AHEAD / run));
    if (!k->few_well || !v->few_well)
        return;
    for (size_t i = 0; i < n; i++) {
        size_t at = i + ahead;
        x->k[i].next = at < n ? x->k[at].at : x->v[flash_min(at - n, n - 1)].at;
        const char *next = at < n ? x->v[at].at : first_of_next(w, t, x->h, at - n);
        x->v[i].next = next ? next : x->v[i].at;
    }
}

static void bring_head(const paged_work *w, const few_tile *t, size_t h, few_head *x)
{
    const paged_job *job = w->job;
    const paged_slot *slot = w->slot;
    size_t head = w->strip->head + h;
    x->h = h;
    x->k_runs = bring(w, t, &job->keys, head, slot->keys, slot->scales, x->k);
    x->v_runs = bring(w, t, &job->values, head, slot->values, slot->scales + job->tile, x->v);
    ask_ahead(w, t, x);
}

static unsigned type_of(const paged_pages *p) { return p->few_well ? p->kind : PAGED_F32; }

/* Bytes of a row of a run. */
static size_t row_of(const paged_pages *p)
{
    return p->wide * (p->few_well ? p->bytes : sizeof(float));
}

static void find_scores(const paged_work *w, const few_tile *t, const few_head *x)
{
    const paged_job *job = w->job;
    size_t wide = job->keys.wide, rows = w->strip->rows;
    float *s = w->slot->s + (t->first - t->begin);
    job->p->few_scores[type_of(&job->keys)](s, job->tile, x->k, x->k_runs,
                                            w->slot->q + x->h * rows * wide, wide, rows);
    for (size_t r = 0; r < rows && job->keys.scales; r++)
        job->p->few_scale(s + r * job->tile, x->k, x->k_runs);
}

/* Scores of row r of the strip become weights; `from` is the first that was computed, or one before
 * it. */
static void weigh_row(const paged_work *w, const few_tile *t, const few_rows *rows, size_t r)
{
    const paged_job *job = w->job;
    size_t token = token_of(w, r), lanes = job->f->lanes;
    size_t end = flash_round(t->last - t->begin, lanes);
    size_t from = (t->first - t->begin) / lanes * lanes, n = t->last - t->begin - from;
    float *s = w->slot->s + r % w->strip->rows * job->tile;
    paged_range seen = paged_range_of(job, w->sequence, token * job->group);
    if (job->rules->cap > 0)
        job->f->cap(s + from, end - from, job->rules->cap);
    if (job->bias) {
        paged_bias(job, head_of(w, r), w->sequence->past + token, t->begin + from, n, rows->bias);
        job->f->row_add(s + from, rows->bias, n);
    }
    for (size_t j = from; j < end && t->begin + j < seen.low; j++)
        s[j] = -INFINITY;
    for (size_t j = seen.high > t->begin ? seen.high - t->begin : 0; j < end; j++)
        s[j] = -INFINITY;
    rows->tile.sum[r] = job->p->few_weigh(s + from, end - from, rows->tile.top + r);
}

/* Values of keys [from, to) for some rows of the head, from row r on. */
static void add_some(const paged_work *w, const few_tile *t, const few_head *x, size_t from,
                     size_t to, size_t r, size_t rows)
{
    const paged_job *job = w->job;
    cpu_page_run v[PAGED_RUNS];
    size_t wide = job->values.wide;
    if (from >= to)
        return;
    float *o = rows_of(w).tile.o + (x->h * w->strip->rows + r) * wide;
    size_t n = paged_trim(v, x->v, from - t->first, to - from, row_of(&job->values));
    job->p->few_values[type_of(&job->values)](
        o, v, n, wide, w->slot->s + r * job->tile + (from - t->begin), job->tile, rows);
}

/* Values of keys [from, to) for the rows that see them: a hidden value may be no number. */
static void add_each(const paged_work *w, const few_tile *t, const few_head *x, size_t from,
                     size_t to)
{
    for (size_t r = 0; r < w->strip->rows && from < to; r++) {
        paged_range seen = paged_range_of(w->job, w->sequence, r);
        add_some(w, t, x, flash_max(from, seen.low), flash_min(to, seen.high), r, 1);
    }
}

static size_t clamp(size_t x, size_t low, size_t high)
{
    return flash_max(low, flash_min(x, high));
}

static void add_values(const paged_work *w, const few_tile *t, const few_head *x)
{
    const paged_job *job = w->job;
    size_t from = clamp(t->all.low, t->first, t->last), to = clamp(t->all.high, from, t->last);
    float *s = w->slot->s + (t->first - t->begin);
    for (size_t r = 0; r < w->strip->rows && job->values.scales; r++)
        job->p->few_scale(s + r * job->tile, x->v, x->v_runs);
    add_each(w, t, x, t->first, from);
    add_some(w, t, x, from, to, 0, w->strip->rows);
    add_each(w, t, x, to, t->last);
}

void paged_few_tile(const paged_work *w, size_t number)
{
    few_tile t;
    few_head x;
    few_rows rows = rows_of(w);
    size_t each = w->strip->rows;
    find_tile(w, number, &t);
    if (t.first >= t.last)
        return;
    memset(rows.tile.o, 0, rows.all * w->job->values.wide * sizeof(float));
    for (size_t h = 0; h < w->strip->heads; h++) {
        bring_head(w, &t, h, &x);
        find_scores(w, &t, &x);
        for (size_t r = 0; r < each; r++)
            weigh_row(w, &t, &rows, h * each + r);
        add_values(w, &t, &x);
    }
    paged_few_join(w, rows.tile.o);
}

/* ---- The end -------------------------------------------------------------------------------- */

void paged_few_join(const paged_work *w, const float *part)
{
    size_t wide = w->job->values.wide;
    few_rows rows = rows_of(w);
    const float *top = part + rows.all * wide, *sum = top + rows.all;
    for (size_t r = 0; r < rows.all; r++)
        w->job->p->few_join(rows.state.o + r * wide, rows.state.top + r, rows.state.sum + r,
                            part + r * wide, top[r], sum[r], wide);
}

void paged_few_finish(const paged_work *w)
{
    const paged_job *job = w->job;
    few_rows rows = rows_of(w);
    for (size_t r = 0; r < rows.all; r++) {
        float *o = rows.state.o + r * job->values.wide;
        float factor = paged_factor(job, head_of(w, r), rows.state.top[r], rows.state.sum[r]);
        for (size_t c = 0; c < job->dv; c++)
            o[c] *= factor;
        flash_write_row(&job->y, o, 0, head_of(w, r), w->sequence->first + token_of(w, r));
    }
}
