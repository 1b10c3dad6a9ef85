/* Runs a job of paged.h: writes, then pieces on threads, then what is left to join. */
#include <math.h>
#include <string.h>

#include "paged.h"

enum {
    WRITE_LEAST = 1 << 17, /* numbers that are worth waking threads for */
    SHARES = 2             /* of what is written late, for a tile and panel */
};

/* ---- Rows ----------------------------------------------------------------------------------- */

float paged_factor(const paged_job *job, size_t head, float top, float sum)
{
    if (!job->sinks)
        return paged_inverse(sum);
    float sink;
    const char *at =
        (const char *)cpu_data(job->sinks) + head * cpu_element_bytes(job->sinks->dtype);
    if (job->widen_sinks)
        job->widen_sinks(&sink, at, 1, NULL);
    else
        memcpy(&sink, at, sizeof(sink));
    float most = top > sink ? top : sink, base = most == -INFINITY ? 0.0f : most;
    float factor = expf(top - base), all = sum * factor + expf(sink - base);
    return all == 0.0f ? 0.0f : factor / all;
}

/* The state of no keys. */
static void few_clear(const paged_work *w)
{
    size_t rows = w->strip->heads * w->strip->rows, wide = w->job->values.wide;
    memset(w->slot->state, 0, paged_state_floats(w->job, w->strip) * sizeof(float));
    for (size_t r = 0; r < rows; r++)
        w->slot->state[rows * wide + r] = -INFINITY;
}

static void few_keep(const paged_work *w, float *part)
{
    memcpy(part, w->slot->state, paged_state_floats(w->job, w->strip) * sizeof(float));
}

/* ---- Pieces --------------------------------------------------------------------------------- */

/* The two ways to compute a strip. */
typedef struct strip_way {
    void (*start)(const paged_work *w);
    void (*clear)(const paged_work *w);
    void (*tile)(const paged_work *w, size_t tile);
    void (*keep)(const paged_work *w, float *part);
    void (*join)(const paged_work *w, const float *part);
    void (*finish)(const paged_work *w);
} strip_way;

static const strip_way ways[2] = {
    {paged_few_start, few_clear, paged_few_tile, few_keep, paged_few_join, paged_few_finish},
    {paged_many_start, paged_many_clear, paged_many_tile, paged_many_keep, paged_many_join,
     paged_many_finish}};

/* Where the state goes when a piece leaves it: behind the tiles that were joined, one a tile. The
 * first state is that of all joined tiles. */
static float *part_of(const paged_work *w, size_t tile)
{
    return w->job->parts + w->strip->part +
           (tile + 1 - w->strip->joined) * paged_state_floats(w->job, w->strip);
}

/* The one who ends a strip joins its tiles in order. */
static void end_strip(const paged_work *w, const strip_way *way)
{
    const paged_strip *s = w->strip;
    memcpy(w->slot->state, part_of(w, s->joined - 1),
           paged_state_floats(w->job, s) * sizeof(float));
    for (size_t t = s->joined; t < s->end; t++)
        way->join(w, part_of(w, t));
    way->finish(w);
}

static void run_piece(const paged_job *job, const paged_slot *slot, const paged_piece *piece)
{
    paged_strip *s = &job->strip[piece->strip];
    paged_late late = {0};
    paged_panel panel[PAGED_PANELS];
    paged_work w = {job, slot, s, &job->sequence[s->sequence], &late, panel};
    const strip_way *way = &ways[s->vectors > 0];
    bool first = piece->begin == s->begin;
    if (first && s->vectors)
        late = paged_late_of(&w, (piece->end - piece->begin) * paged_panels(job, s) * SHARES);
    way->start(&w);
    way->clear(&w);
    for (size_t t = piece->begin; t < piece->end; t++) {
        way->tile(&w, t);
        if (first)
            continue;
        way->keep(&w, part_of(&w, t));
        way->clear(&w);
    }
    paged_write_rest(&w);
    if (s->joined == s->end) {
        way->finish(&w);
        return;
    }
    if (first)
        way->keep(&w, part_of(&w, s->joined - 1));
    if (atomic_fetch_sub_explicit(&s->left, 1, memory_order_acq_rel) == 1)
        end_strip(&w, way);
}

typedef struct paged_run {
    const paged_job *job;
    size_t threads;
    atomic_size_t next;
} paged_run;

static void run_pieces(void *arg, uint32_t i)
{
    paged_run *run = arg;
    const paged_job *job = run->job;
    paged_slot slot = paged_slot_at(job, i);
    size_t n;
    while ((n = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed)) < job->n_pieces)
        run_piece(job, &slot, &job->piece[n]);
    if (job->late)
        job->p->settle();
}

static void write_part(void *arg, uint32_t i)
{
    const paged_run *run = arg;
    size_t n = run->job->tokens;
    paged_slot slot = paged_slot_at(run->job, i);
    paged_write(run->job, &slot, n * i / run->threads, n * (i + 1) / run->threads);
}

static void in_parallel(void (*body)(void *arg, uint32_t i), paged_run *run)
{
    if (run->threads > 1)
        cpu_host->parallel(body, run, (uint32_t)run->threads);
    else
        body(run, 0);
}

void paged_attend(paged_job *job)
{
    paged_run run = {.job = job};
    atomic_init(&run.next, 0);
    size_t numbers = job->tokens * job->kv_heads * (job->d + job->dv);
    run.threads = numbers < WRITE_LEAST ? 1 : job->ready;
    in_parallel(write_part, &run);
    run.threads = job->threads;
    in_parallel(run_pieces, &run);
}
