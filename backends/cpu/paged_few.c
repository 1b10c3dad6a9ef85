/* Strips of few rows a head (a decoder's tokens): keys and values are read once, where they lie if
 * they are float32, all heads of a page one after the other, as memory has them. */
#include <math.h>
#include <string.h>

#include "paged.h"

/* Bytes that are asked for ahead, and runs, at most; and of a page that comes next its beginning,
 * so many bytes before that. */
enum { PAGED_AHEAD = 8192, AHEAD_LEAST = 2, AHEAD_MOST = 8 }; /* two are read at once */
enum { PAGE_EARLY = 16384, PAGE_BEGIN = 2048 };

/* Bytes of a head that are read before the next head. */
enum { PAGES_LEAST = 4096 };

enum { RUNS_ONCE = 16 }; /* that the kernels are given at once */

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

/* Keys [first, last) are read; all rows see [all.low, all.high). */
typedef struct few_tile {
    size_t begin, first, last;
    paged_range all;
    size_t runs, known; /* places of the tile; with those behind it that are asked for */
    paged_place place[PAGED_RUNS + AHEAD_MOST];
} few_tile;

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

/* ---- The order of reading ------------------------------------------------------------------- */

/* Goes through places [place, last) of a tile as memory has them: page by page, and in a page one
 * head after the other. Where pages have little of a head, some are gone through together. */
typedef struct few_reader {
    const paged_work *w;
    const few_tile *t;
    const paged_pages *pages;
    size_t bytes; /* of a row */
    size_t place, last;
    size_t end;       /* of the places that are gone through together */
    size_t head, at;  /* of the strip; the place that is next */
    size_t rows;      /* of a page before the head */
    size_t key, keys; /* before `place` in the tile, and of the head from there to `at` */
    size_t early;     /* the head at which the next page is asked for */
} few_reader;

/* Places from `place` on that are in one page, where a head's rows go on, or that are few bytes. */
static size_t end_of_pages(const few_reader *r)
{
    size_t i = r->place, bytes = 0;
    const paged_place *p = r->t->place;
    for (bool more = i < r->last; more; i++) {
        bytes += p[i].keys * r->bytes;
        more = i + 1 < r->last && (bytes < PAGES_LEAST || p[i + 1].row == p[i].row + p[i].keys);
    }
    return i;
}

static few_reader reader_of(const paged_work *w, const few_tile *t, const paged_pages *pages,
                            size_t place, size_t last)
{
    size_t heads = w->strip->heads, bytes = pages->d * pages->bytes;
    size_t run = PAGED_KEYS * flash_max(bytes, 1), early = flash_max(PAGE_EARLY / run, 1);
    few_reader r = {.w = w,
                    .t = t,
                    .pages = pages,
                    .bytes = bytes,
                    .place = place,
                    .last = last,
                    .at = place,
                    .rows = w->strip->head * pages->size,
                    .key = t->first - t->begin,
                    .early = heads > early ? heads - early : 0};
    if (heads * run < PAGED_AHEAD)
        r.early = heads; /* none: pages are shorter than what is asked for */
    r.end = end_of_pages(&r);
    return r;
}

static inline void next_head(few_reader *r)
{
    r->at = r->place;
    r->rows += r->pages->size;
    if (++r->head == r->w->strip->heads) {
        r->head = 0;
        r->rows = r->w->strip->head * r->pages->size;
        r->key += r->keys;
        r->place = r->at = r->end;
        r->end = end_of_pages(r);
    }
    r->keys = 0;
}

/* The next run; none at the end. */
static inline bool read_run(few_reader *r, cpu_page_run *to)
{
    if (r->at == r->last)
        return false;
    const paged_place *p = &r->t->place[r->at];
    const char *at = r->pages->data + (p->row + r->rows) * r->bytes;
    *to = (cpu_page_run){.at = at,
                         .next = at,
                         .scales = r->pages->scales ? r->pages->scales + p->row + r->rows : NULL,
                         .keys = p->keys,
                         .row = r->head * r->w->strip->rows,
                         .key = r->key + r->keys};
    r->keys += p->keys;
    if (++r->at == r->end)
        next_head(r);
    return true;
}

/* What is read later: the keys of a tile, its values, and keys of the next tile. */
enum { PARTS = 3 };
typedef struct few_ahead {
    few_reader part[PARTS];
    size_t now;
} few_ahead;

/* The page behind the one that a reader is at: none where it is not known. */
static const char *next_page(const few_ahead *a, size_t *keys)
{
    const few_reader *r = &a->part[a->now];
    bool other = r->end == r->last; /* of the next part */
    if (other && a->now + 1 == PARTS)
        return NULL;
    r += other;
    size_t i = other ? r->place : r->end;
    *keys = i < r->last ? r->t->place[i].keys : 0;
    return i < r->last ? paged_run_at(r->pages, &r->t->place[i], r->w->strip->head).at : NULL;
}

/* The processor's own guesses end with a page, and take some lines to begin. */
static void ask_page(const few_ahead *a)
{
    size_t keys;
    const char *at = next_page(a, &keys);
    for (size_t i = 0; at && i < flash_min(keys * a->part[a->now].bytes, PAGE_BEGIN);
         i += PAGED_LINE)
        __builtin_prefetch(at + i);
}

static inline const char *ask(few_ahead *a)
{
    cpu_page_run x;
    for (; a->now < PARTS; a->now++) {
        few_reader *r = &a->part[a->now];
        if (r->head == r->early && r->at == r->place && r->at < r->last)
            ask_page(a); /* once in a page */
        if (read_run(r, &x))
            return x.at;
    }
    return NULL;
}

/* Some bytes before what is read now. */
static few_ahead ahead_of(const paged_work *w, const few_tile *t)
{
    const paged_pages *k = &w->job->keys, *v = &w->job->values;
    few_ahead a = {{reader_of(w, t, k, 0, t->runs), reader_of(w, t, v, 0, t->runs),
                    reader_of(w, t, k, t->runs, t->known)},
                   k->few_well && v->few_well ? 0 : PARTS};
    size_t run = PAGED_KEYS * flash_max(k->d * k->bytes, 1);
    size_t n = flash_max(AHEAD_LEAST, flash_min(AHEAD_MOST, PAGED_AHEAD / run));
    for (size_t i = 0; i < n; i++)
        ask(&a);
    return a;
}

/* ---- A tile --------------------------------------------------------------------------------- */

/* What is done with runs. */
typedef void few_use(const paged_work *w, const few_tile *t, const cpu_page_run *x, size_t runs);

static void use_in_place(const paged_work *w, const few_tile *t, const paged_pages *p,
                         few_ahead *ahead, few_use *use)
{
    few_reader r = reader_of(w, t, p, 0, t->runs);
    cpu_page_run list[RUNS_ONCE];
    for (size_t n = RUNS_ONCE; n == RUNS_ONCE; use(w, t, list, n))
        for (n = 0; n < RUNS_ONCE && read_run(&r, &list[n]); n++) {
            const char *next = ask(ahead);
            list[n].next = next ? next : list[n].at;
        }
}

/* Rows of a head are brought into a block of memory first. */
static void use_brought(const paged_work *w, const few_tile *t, const paged_pages *p, few_use *use)
{
    float *block = p == &w->job->keys ? w->slot->keys : w->slot->values;
    float *scales = w->slot->scales;
    size_t keys = t->last - t->first, sequence = w->strip->sequence;
    cpu_page_run list[FLASH_TILE / PAGED_KEYS];
    for (size_t h = 0; h < w->strip->heads; h++) {
        size_t n = 0, head = w->strip->head + h;
        paged_bring(w->job, p, sequence, head, t->first, t->last, block, p->wide, scales);
        for (size_t j = 0; j < keys; j += PAGED_KEYS, n++) {
            const char *at = (const char *)(block + j * p->wide);
            list[n] = (cpu_page_run){.at = at,
                                     .next = at,
                                     .scales = p->scales ? scales + j : NULL,
                                     .keys = flash_min(PAGED_KEYS, keys - j),
                                     .row = h * w->strip->rows,
                                     .key = t->first - t->begin + j};
        }
        use(w, t, list, n);
    }
}

static void use_all(const paged_work *w, const few_tile *t, const paged_pages *p, few_ahead *ahead,
                    few_use *use)
{
    if (p->few_well)
        use_in_place(w, t, p, ahead, use);
    else
        use_brought(w, t, p, use);
}

static unsigned type_of(const paged_pages *p) { return p->few_well ? p->kind : PAGED_F32; }

/* Bytes of a row of a run. */
static size_t row_of(const paged_pages *p)
{
    return p->wide * (p->few_well ? p->bytes : sizeof(float));
}

static void find_scores(const paged_work *w, const few_tile *t, const cpu_page_run *k, size_t runs)
{
    const paged_job *job = w->job;
    size_t rows = w->strip->rows;
    (void)t;
    job->p->few_scores[type_of(&job->keys)](w->slot->s, job->tile, k, runs, w->slot->q,
                                            job->keys.wide, rows);
    if (job->keys.scales)
        job->p->few_scale(w->slot->s, job->tile, k, runs, rows);
}

/* Scores of row r of the strip become weights; `from` is the first that was computed, or one before
 * it. */
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

/* Values of keys [from, to) of a run for some rows of its head, from row r on. */
static void add_some(const paged_work *w, const few_tile *t, const cpu_page_run *x, size_t from,
                     size_t to, size_t r, size_t rows)
{
    const paged_job *job = w->job;
    size_t skip = from - (t->begin + x->key);
    cpu_page_run v = *x;
    if (from >= to)
        return;
    v.at += skip * row_of(&job->values);
    v.next += skip * row_of(&job->values);
    v.keys = to - from;
    v.row += r;
    v.key += skip;
    job->p->few_values[type_of(&job->values)](rows_of(w).tile.o, &v, 1, job->values.wide,
                                              w->slot->s, job->tile, rows);
}

/* Values of keys [from, to) for the rows that see them: a hidden value may be no number. */
static void add_each(const paged_work *w, const few_tile *t, const cpu_page_run *x, size_t from,
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

static void add_run(const paged_work *w, const few_tile *t, const cpu_page_run *x)
{
    size_t first = t->begin + x->key, last = first + x->keys;
    size_t from = clamp(t->all.low, first, last), to = clamp(t->all.high, from, last);
    add_each(w, t, x, first, from);
    add_some(w, t, x, from, to, 0, w->strip->rows);
    add_each(w, t, x, to, last);
}

static void add_values(const paged_work *w, const few_tile *t, const cpu_page_run *v, size_t runs)
{
    const paged_job *job = w->job;
    size_t rows = w->strip->rows;
    if (job->values.scales)
        job->p->few_scale(w->slot->s, job->tile, v, runs, rows);
    if (t->all.low <= t->first && t->last <= t->all.high) {
        job->p->few_values[type_of(&job->values)](rows_of(w).tile.o, v, runs, job->values.wide,
                                                  w->slot->s, job->tile, rows);
        return;
    }
    for (size_t i = 0; i < runs; i++)
        add_run(w, t, v + i);
}

void paged_few_tile(const paged_work *w, size_t number)
{
    few_tile t;
    few_rows rows = rows_of(w);
    find_tile(w, number, &t);
    if (t.first >= t.last)
        return;
    few_ahead ahead = ahead_of(w, &t);
    memset(rows.tile.o, 0, rows.all * w->job->values.wide * sizeof(float));
    use_all(w, &t, &w->job->keys, &ahead, find_scores);
    for (size_t r = 0; r < rows.all; r++)
        weigh_row(w, &t, &rows, r);
    use_all(w, &t, &w->job->values, &ahead, add_values);
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
