/* Brings queries, keys and values out of any layout and type into float32 tiles, and results back.
 * Keys and values that lie well are not moved at all. */
#include <string.h>

#include "flash_brain.h"

static const char *element(const flash_operand *o, size_t b, size_t h, size_t s)
{
    size_t at = b * o->step[FLASH_B] + h * o->step[FLASH_H] + s * o->step[FLASH_S];
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

void flash_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p)
{
    size_t wide = job->pad_d, rows = job->few ? p->rows : job->height;
    float *to = job->few ? p->q : slot->rows;
    if (job->brain) {
        flash_brain_load_queries(job, slot, p);
        return;
    }
    if (wide > job->d || rows > p->rows)
        memset(to, 0, rows * wide * sizeof(*to));
    for (size_t r = 0; r < p->rows; r++) {
        size_t row = p->first + r, head = p->h * job->group + row % job->group;
        load_row(&job->q, to + r * wide, element(&job->q, p->b, head, row / job->group));
        job->lanes->affine(to + r * wide, to + r * wide, job->d, job->scale, 0.0f);
    }
    p->size = job->adds || job->touchy ? flash_size_of(job, to, p->rows * wide) : 0;
    if (!job->few)
        job->f->turn(p->q, job->height, to, wide, job->height, wide);
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

void flash_store_row(const flash_job *job, float *from, float factor, size_t b, size_t h, size_t s)
{
    const flash_operand *o = &job->y;
    char *to = o->data + (size_t)(element(o, b, h, s) - o->data);
    size_t step = o->step[FLASH_D] * o->bytes;
    job->lanes->affine(from, from, job->dv, factor, 0.0f);
    if (step == o->bytes && !o->narrow)
        memcpy(to, from, job->dv * sizeof(*from));
    else if (step == o->bytes)
        o->narrow(to, from, job->dv, NULL);
    else
        for (size_t i = 0; i < job->dv; i++, to += step)
            if (o->narrow)
                o->narrow(to, from + i, 1, NULL);
            else
                memcpy(to, from + i, sizeof(*from));
}
