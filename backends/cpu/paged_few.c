/* Strips of few rows a head (a decoder's tokens): keys and values are read once, where they lie if
 * they are float32, all heads of a page one after the other, as memory has them. */
#include <math.h>
#include <string.h>

#include "paged.h"

/* Bytes that are asked for ahead. */
enum { PAGED_AHEAD = 8192 };

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
    size_t first, last, begin;
    size_t end; /* of all that is read */
    paged_range all;
} few_tile;

static few_tile tile_of(const paged_work *w, size_t number)
{
    const paged_job *job = w->job;
    size_t begin = number * job->tile, end = begin + job->tile;
    paged_range first = paged_range_of(job, w->sequence, 0);
    paged_range last = paged_range_of(job, w->sequence, w->strip->rows - 1);
    few_tile t = {.begin = begin, .end = last.high, .all = {last.low, first.high}};
    t.first = flash_max(begin, first.low / PAGED_KEYS * PAGED_KEYS);
    t.last = flash_min(end, last.high);
    return t;
}

/* Where a row of pages is that lies well. */
static const char *row_at(const paged_work *w, const paged_pages *p, size_t head, size_t key)
{
    size_t row = paged_row(w->job, w->strip->sequence, p, head, key);
    return p->data + row * p->d * p->bytes;
}

/* Some keys of one head. */
static cpu_page_rows bring(const paged_work *w, const paged_pages *p, float *block, size_t head,
                           size_t first, size_t n)
{
    const paged_job *job = w->job;
    if (p->lies_well) {
        size_t row = paged_row(job, w->strip->sequence, p, head, first);
        const char *at = p->data + row * p->d * p->bytes;
        return (cpu_page_rows){at, p->d, p->scales ? p->scales + row : NULL, 1, at};
    }
    size_t seen = flash_max(first, paged_range_of(job, w->sequence, 0).low); /* pages before are */
    float *to = block + (seen - first) * p->wide;                            /* not there */
    paged_bring(job, p, w->strip->sequence, head, seen, first + n, to, p->wide);
    for (float *hole = block; hole < to; hole += p->wide)
        memcpy(hole, to, p->wide * sizeof(*hole));
    return (cpu_page_rows){(const char *)block, p->wide, NULL, 0, (const char *)block};
}

/* What is asked for while `each` keys of head h are at work: what comes some time later, in the
 * order of reading: heads of these keys, later keys, after all keys the values, after all values
 * the next tile's keys. */
static const char *next_of(const paged_work *w, const few_tile *t, const paged_pages *p, size_t h,
                           size_t key, size_t each)
{
    const paged_job *job = w->job;
    size_t heads = w->strip->heads, bytes = each * p->d * p->bytes;
    size_t later = h + (PAGED_AHEAD + bytes - 1) / bytes;
    size_t then = key + later / heads * each, head = w->strip->head + later % heads;
    const paged_pages *other = p == &job->keys ? &job->values : &job->keys;
    if (then < t->last)
        return row_at(w, p, head, then);
    if (p == &job->keys)
        return other->lies_well ? row_at(w, other, w->strip->head, t->first) : NULL;
    return other->lies_well && t->last < t->end ? row_at(w, other, w->strip->head, t->last) : NULL;
}

static cpu_page_rows bring_next(const paged_work *w, const few_tile *t, const paged_pages *p,
                                float *block, size_t h, size_t key, size_t n, size_t each)
{
    cpu_page_rows x = bring(w, p, block, w->strip->head + h, key, n);
    const char *next = p->lies_well ? next_of(w, t, p, h, key, each) : NULL;
    x.next = next ? next : x.at;
    return x;
}

static void find_scores(const paged_work *w, const few_tile *t)
{
    const paged_job *job = w->job;
    const paged_strip *s = w->strip;
    size_t wide = job->keys.wide, rows = s->rows;
    bool twice = job->keys.lies_well; /* otherwise there is one block of memory */
    for (size_t key = t->first, n; key < t->last; key += n) {
        n = flash_min(twice ? 2 * PAGED_KEYS : PAGED_KEYS, t->last - key);
        size_t one = flash_min(n, PAGED_KEYS);
        for (size_t h = 0; h < s->heads; h++) {
            cpu_page_rows k[2] = {
                bring_next(w, t, &job->keys, w->slot->keys, h, key, one, 2 * PAGED_KEYS)};
            if (n > one)
                k[1] = bring_next(w, t, &job->keys, w->slot->keys, h, key + one, n - one,
                                  2 * PAGED_KEYS);
            float *to = w->slot->s + h * rows * job->tile + (key - t->begin);
            job->p->few_scores[job->keys.type](to, job->tile, k, n, w->slot->q + h * rows * wide,
                                               wide, rows);
        }
    }
}

/* Scores of row r become weights; `from` is the first that was computed. */
static void weigh_row(const paged_work *w, const few_tile *t, const few_rows *rows, size_t r)
{
    const paged_job *job = w->job;
    size_t token = token_of(w, r), lanes = job->f->lanes;
    size_t end = flash_round(t->last - t->begin, lanes);
    size_t from = (t->first - t->begin) / lanes * lanes, n = t->last - t->begin - from;
    float *s = w->slot->s + r * job->tile;
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

/* n values from row `skip` of a run on. */
static void some_values(const paged_job *job, float *o, cpu_page_rows v, size_t skip,
                        const float *p, size_t n, size_t rows)
{
    size_t bytes = job->values.lies_well ? job->values.bytes : sizeof(float);
    v.at += skip * v.row * bytes;
    v.scales = v.scales ? v.scales + skip * v.scale_row : NULL;
    job->p->few_values[job->values.type](o, &v, job->values.wide, p, job->tile, n, rows);
}

/* Values of keys [first, last) for the rows of a head that see them: a hidden value may be no
 * number. */
static void add_each(const paged_work *w, const few_tile *t, size_t h, cpu_page_rows v,
                     size_t first, size_t from, size_t to)
{
    const paged_job *job = w->job;
    size_t wide = job->values.wide, rows = w->strip->rows;
    float *o = rows_of(w).tile.o + h * rows * wide;
    for (size_t r = 0; r < rows && from < to; r++) {
        paged_range seen = paged_range_of(job, w->sequence, r);
        size_t low = flash_max(from, seen.low), high = flash_min(to, seen.high);
        const float *p = w->slot->s + (h * rows + r) * job->tile + (low - t->begin);
        if (low < high)
            some_values(w->job, o + r * wide, v, low - first, p, high - low, 1);
    }
}

static size_t clamp(size_t x, size_t low, size_t high)
{
    return flash_max(low, flash_min(x, high));
}

static void add_values(const paged_work *w, const few_tile *t, size_t h, cpu_page_rows v,
                       size_t first, size_t n)
{
    const paged_job *job = w->job;
    size_t wide = job->values.wide, rows = w->strip->rows, last = first + n;
    size_t from = clamp(t->all.low, first, last), to = clamp(t->all.high, from, last);
    float *o = rows_of(w).tile.o + h * rows * wide;
    const float *p = w->slot->s + h * rows * job->tile + (from - t->begin);
    add_each(w, t, h, v, first, first, from);
    if (from < to)
        some_values(job, o, v, from - first, p, to - from, rows);
    add_each(w, t, h, v, first, to, last);
}

static void find_values(const paged_work *w, const few_tile *t)
{
    const paged_pages *p = &w->job->values;
    for (size_t key = t->first, n; key < t->last; key += n) {
        n = flash_min(PAGED_KEYS, t->last - key);
        for (size_t h = 0; h < w->strip->heads; h++) {
            cpu_page_rows v = bring_next(w, t, p, w->slot->values, h, key, n, PAGED_KEYS);
            add_values(w, t, h, v, key, n);
        }
    }
}

void paged_few_tile(const paged_work *w, size_t number)
{
    few_tile t = tile_of(w, number);
    few_rows rows = rows_of(w);
    if (t.first >= t.last)
        return;
    find_scores(w, &t);
    for (size_t r = 0; r < rows.all; r++)
        weigh_row(w, &t, &rows, r);
    memset(rows.tile.o, 0, rows.all * w->job->values.wide * sizeof(float));
    find_values(w, &t);
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
