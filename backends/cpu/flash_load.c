/* Brings queries, keys and values out of any layout and type into float32 tiles, and results back.
 * Keys and values that lie well are not moved at all. */
#include <string.h>

#include "flash_brain.h"

static const char *element(const flash_operand *o, size_t b, size_t h, size_t s)
{
    size_t at = b * o->step[FLASH_B] + flash_head(o, h) * o->step[FLASH_H] + s * o->step[FLASH_S];
    return o->data + at * o->bytes;
}

static void widen(const flash_operand *o, float *to, const char *from, size_t n)
{
    if (o->widen)
        o->widen(to, from, n, NULL);
    else
        memcpy(to, from, n * sizeof(*to));
}

/* A row whose channels lie apart. */
static void gather(const flash_operand *o, float *to, const char *from)
{
    size_t step = o->step[FLASH_D] * o->bytes;
    for (size_t i = 0; i < o->dims[FLASH_D]; i++)
        widen(o, to + i, from + i * step, 1);
}

static void load_row(const flash_operand *o, float *to, const char *from)
{
    if (o->step[FLASH_D] == 1)
        widen(o, to, from, o->dims[FLASH_D]);
    else
        gather(o, to, from);
}

/* ---- Queries -------------------------------------------------------------------------------- */

/* The rows of a panel in q or y. */
static void find_rows(const flash_job *job, const flash_operand *o, const flash_panel *p,
                      size_t at[FLASH_ROWS])
{
    size_t head = p->first % job->group, query = p->first / job->group;
    size_t base = p->b * o->step[FLASH_B] + p->h * job->group * o->step[FLASH_H];
    for (size_t r = 0; r < p->rows; r++) {
        at[r] = (base + head * o->step[FLASH_H] + query * o->step[FLASH_S]) * o->bytes;
        head = head + 1 == job->group ? 0 : head + 1;
        query += head == 0;
    }
}

static void few_queries(const flash_job *job, flash_panel *p)
{
    size_t wide = job->pad_d, at[FLASH_ROWS];
    find_rows(job, &job->q, p, at);
    if (wide > job->d)
        memset(p->q, 0, p->rows * wide * sizeof(*p->q));
    for (size_t r = 0; r < p->rows; r++) {
        load_row(&job->q, p->q + r * wide, job->q.data + at[r]);
        job->lanes->affine(p->q + r * wide, p->q + r * wide, job->d, job->scale, 0.0f);
    }
}

/* Rows are turned from where they lie; those behind the end are 0. */
static void many_queries(const flash_job *job, const flash_slot *slot, flash_panel *p)
{
    const float *from[FLASH_ROWS];
    size_t at[FLASH_ROWS];
    bool there = !job->q.widen && job->q.step[FLASH_D] == 1;
    find_rows(job, &job->q, p, at);
    if (p->rows < job->height)
        memset(slot->rows + p->rows * job->d, 0, job->d * sizeof(*slot->rows));
    for (size_t r = 0; r < job->height; r++) {
        float *own = slot->rows + flash_min(r, p->rows) * job->d;
        from[r] = own;
        if (r < p->rows && there)
            from[r] = (const float *)(const void *)(job->q.data + at[r]);
        else if (r < p->rows)
            load_row(&job->q, own, job->q.data + at[r]);
    }
    job->f->gather(p->q, from, job->d, job->scale, job->vectors);
}

void flash_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p)
{
    p->size = 0;
    if (job->brain) {
        flash_brain_load_queries(job, slot, p);
        return;
    }
    if (job->few)
        few_queries(job, p);
    else
        many_queries(job, slot, p);
}

/* ---- Keys and values ------------------------------------------------------------------------ */

/* Rows of float32 side by side are used where they are, unless their starts all fall on the same
 * lines of the L1 cache, and many rows of queries come back to them. */
bool flash_lies_well(const flash_job *job, const flash_operand *o, size_t wide)
{
    return !o->widen && o->step[FLASH_D] == 1 && o->dims[FLASH_D] == wide &&
           (job->few || o->step[FLASH_S] % 512 != 0);
}

/* Channels lie apart, keys side by side: the keys' layout in decoders, "bhds". */
static void load_turned(const flash_job *job, const flash_operand *o, float *tile, float *rows,
                        const char *from, size_t n, size_t wide)
{
    size_t step = o->step[FLASH_D] * o->bytes;
    for (size_t i = 0; i < o->dims[FLASH_D]; i += job->tile) {
        size_t depth = flash_min(job->tile, o->dims[FLASH_D] - i);
        for (size_t c = 0; c < depth; c++)
            widen(o, rows + c * n, from + (i + c) * step, n);
        job->f->turn(tile + i, wide, rows, n, depth, n);
    }
}

/* n rows of `wide` floats; returns where they are. */
static const float *load(const flash_job *job, const flash_operand *o, float *tile, float *rows,
                         const char *from, size_t n, size_t wide, size_t *row)
{
    size_t step = o->step[FLASH_S] * o->bytes, d = o->dims[FLASH_D];
    if (flash_lies_well(job, o, wide)) {
        *row = o->step[FLASH_S];
        return (const float *)(const void *)from;
    }
    *row = wide;
    for (size_t j = 0; j < n && wide > d; j++)
        memset(tile + j * wide + d, 0, (wide - d) * sizeof(*tile));
    if (o->step[FLASH_D] != 1 && o->step[FLASH_S] == 1)
        load_turned(job, o, tile, rows, from, n, wide);
    else
        for (size_t j = 0; j < n; j++)
            load_row(o, tile + j * wide, from + j * step);
    return tile;
}

void flash_load_keys(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                     size_t n)
{
    if (job->brain)
        flash_brain_load_keys(job, slot, b, h, first, n);
    else
        slot->k = load(job, &job->k, slot->k_tile, slot->rows, element(&job->k, b, h, first), n,
                       job->pad_d, &slot->k_row);
}

void flash_load_values(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                       size_t n)
{
    if (job->brain)
        flash_brain_load_values(job, slot, b, h, first, n);
    else
        slot->v = load(job, &job->v, slot->v_tile, slot->rows, element(&job->v, b, h, first), n,
                       job->pad_dv, &slot->v_row);
}

void flash_load_row(const flash_operand *o, float *to, size_t b, size_t h, size_t s)
{
    load_row(o, to, element(o, b, h, s));
}

/* ---- Results -------------------------------------------------------------------------------- */

static void store_row(const flash_operand *o, const float *from, char *to)
{
    size_t step = o->step[FLASH_D] * o->bytes, n = o->dims[FLASH_D];
    if (step == o->bytes && !o->narrow)
        memcpy(to, from, n * sizeof(*from));
    else if (step == o->bytes)
        o->narrow(to, from, n, NULL);
    else
        for (size_t i = 0; i < n; i++, to += step)
            if (o->narrow)
                o->narrow(to, from + i, 1, NULL);
            else
                memcpy(to, from + i, sizeof(*from));
}

void flash_write_row(const flash_operand *o, const float *from, size_t b, size_t h, size_t s)
{
    store_row(o, from, o->data + (size_t)(element(o, b, h, s) - o->data));
}

void flash_store_row(const flash_job *job, const float *from, size_t b, size_t h, size_t s)
{
    flash_write_row(&job->y, from, b, h, s);
}

/* Rows are turned to where they belong; those behind the end go nowhere. */
static void store_many(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                       const float *factor)
{
    float *to[FLASH_ROWS];
    size_t at[FLASH_ROWS];
    bool there = !job->y.narrow && job->y.step[FLASH_D] == 1;
    find_rows(job, &job->y, p, at);
    for (size_t r = 0; r < job->height; r++)
        to[r] = r < p->rows && there ? (float *)(void *)(job->y.data + at[r])
                                     : slot->rows + flash_min(r, p->rows) * job->dv;
    job->f->scatter(to, p->o, job->dv, factor, job->vectors);
    for (size_t r = 0; r < p->rows && !there; r++)
        store_row(&job->y, to[r], job->y.data + at[r]);
}

void flash_store(const flash_job *job, const flash_slot *slot, const flash_panel *p,
                 const float *factor)
{
    size_t at[FLASH_ROWS];
    if (!job->few) {
        store_many(job, slot, p, factor);
        return;
    }
    find_rows(job, &job->y, p, at);
    for (size_t r = 0; r < p->rows; r++) {
        float *row = p->o + r * job->pad_dv;
        job->lanes->affine(row, row, job->dv, factor[r], 0.0f);
        store_row(&job->y, row, job->y.data + at[r]);
    }
}
