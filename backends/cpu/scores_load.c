/* Operands of attention with its scores in memory: out of any layout and type into float32
 * matrices for the products, and results back. What lies well is not moved. */
#include <string.h>

#include "loop.h"
#include "scores.h"

enum { TILE = 64 }; /* keys, and channels of them, that are turned at once */

scores_place scores_place_of(const scores_job *job, size_t row)
{
    size_t entry = row / job->rows, r = row % job->rows;
    size_t h = job->h + entry % job->n;
    return (scores_place){.b = job->b + entry / job->n,
                          .head = h * job->group + r / job->in.queries,
                          .query = r % job->in.queries};
}

/* ---- Queries and values, row by row --------------------------------------------------------- */

static void load_queries(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    for (size_t i = first; i < last; i++) {
        scores_place p = scores_place_of(job, i);
        float *to = job->q + i * job->depth;
        flash_load_row(&job->in.q, to, p.b, p.head, p.query);
        job->in.lanes->affine(to, to, job->in.d, job->in.scale, 0.0f);
        memset(to + job->in.d, 0, (job->depth - job->in.d) * sizeof(*to));
    }
}

static void load_values(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    for (size_t i = first; i < last; i++) {
        size_t entry = i / job->keys, h = scores_key_head(job, job->h + entry % job->n);
        flash_load_row(&job->in.v, job->v + i * job->in.dv, job->b + entry / job->n, h,
                       i % job->keys);
    }
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static void load_key_rows(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    for (size_t i = first; i < last; i++) {
        size_t entry = i / job->wide, h = scores_key_head(job, job->h + entry % job->n);
        float *to = job->k + i * job->depth;
        flash_load_row(&job->in.k, to, job->b + entry / job->n, h, i % job->wide);
        memset(to + job->in.d, 0, (job->depth - job->in.d) * sizeof(*to));
    }
}

static void widen(const flash_operand *o, float *to, const char *from, size_t n)
{
    if (o->widen)
        o->widen(to, from, n, NULL);
    else
        memcpy(to, from, n * sizeof(*to));
}

/* A block of keys x channels as it lies. */
static void load_block(const flash_operand *o, float *block, const char *from, size_t keys,
                       size_t channels)
{
    size_t run = o->step[FLASH_D] == 1 ? channels : 1;
    for (size_t j = 0; j < keys; j++)
        for (size_t c = 0; c < channels; c += run)
            widen(o, block + j * TILE + c,
                  from + (j * o->step[FLASH_S] + c * o->step[FLASH_D]) * o->bytes, run);
}

/* Some keys into the columns of [channel][key]. */
static void turn_keys(const scores_job *job, float *to, const char *from, size_t keys)
{
    float block[TILE * TILE] __attribute__((aligned(64)));
    const flash_operand *o = &job->in.k;
    for (size_t c = 0; c < job->in.d; c += TILE, to += TILE * job->wide) {
        size_t n = flash_min(TILE, job->in.d - c);
        const char *at = from + c * o->step[FLASH_D] * o->bytes;
        for (size_t i = 0; i < n && o->step[FLASH_S] == 1; i++)
            widen(o, to + i * job->wide, at + i * o->step[FLASH_D] * o->bytes, keys);
        if (o->step[FLASH_S] == 1)
            continue;
        if (!o->widen && o->step[FLASH_D] == 1) {
            job->in.f->turn(to, job->wide, (const float *)(const void *)at, o->step[FLASH_S], keys,
                            n);
            continue;
        }
        load_block(o, block, at, keys, n);
        job->in.f->turn(to, job->wide, block, TILE, keys, n);
    }
}

static void load_key_columns(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    const flash_operand *o = &job->in.k;
    size_t tiles = (job->wide + TILE - 1) / TILE;
    for (size_t i = first; i < last; i++) {
        size_t entry = i / tiles, j = i % tiles * TILE;
        size_t b = job->b + entry / job->n, h = scores_key_head(job, job->h + entry % job->n);
        size_t at =
            b * o->step[FLASH_B] + flash_head(o, h) * o->step[FLASH_H] + j * o->step[FLASH_S];
        const char *from = o->data + at * o->bytes;
        turn_keys(job, job->k + entry * job->in.d * job->wide + j, from,
                  flash_min(TILE, job->wide - j));
    }
}

/* ---- A box ---------------------------------------------------------------------------------- */

void scores_load(const scores_job *job)
{
    size_t entries = job->batch * job->n, tiles = (job->wide + TILE - 1) / TILE;
    size_t d = job->depth, dv = flash_max(job->in.dv, 1);
    if (!job->q_lies)
        cpu_range_run(entries * job->rows, cpu_rows_per_piece(flash_max(d, 1)), load_queries, job);
    if (!job->k_lies && job->few)
        cpu_range_run(entries * job->wide, cpu_rows_per_piece(flash_max(d, 1)), load_key_rows, job);
    else if (!job->k_lies)
        cpu_range_run(entries * tiles, cpu_rows_per_piece(flash_max(d, 1) * TILE), load_key_columns,
                      job);
    if (!job->v_lies)
        cpu_range_run(entries * job->keys, cpu_rows_per_piece(dv), load_values, job);
}

static float *lying_row(const flash_operand *o, const scores_place *p)
{
    size_t at = p->b * o->step[FLASH_B] + p->head * o->step[FLASH_H] + p->query * o->step[FLASH_S];
    return (float *)(void *)o->data + at;
}

static void store_rows(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    scores_place p = scores_place_of(job, first);
    for (size_t i = first; i < last; i++, p.query++) {
        if (p.query == job->in.queries)
            p = scores_place_of(job, i);
        bool full = !job->may_empty || job->emptied[i] == SCORES_FULL;
        if (job->y_lies && full)
            continue;
        float *row = job->y_lies ? lying_row(&job->in.y, &p) : job->y + i * job->in.dv;
        for (size_t c = 0; c < job->in.dv && !full; c++)
            row[c] = job->emptied[i] == SCORES_ZERO ? 0.0f : __builtin_nanf("");
        if (!job->y_lies)
            flash_store_row(&job->in, row, p.b, p.head, p.query);
    }
}

void scores_store(const scores_job *job)
{
    if (job->y_lies && !job->may_empty)
        return;
    cpu_range_run(job->batch * job->n * job->rows, cpu_rows_per_piece(flash_max(job->in.dv, 1)),
                  store_rows, job);
}
