/* Tiles of bfloat16, and one step of attention over them, see flash_brain.h. Rows of numbers side
 * by side are used where they lie; values of many rows are turned, once for all panels of a
 * piece. */
#include "flash_brain.h"

#include <string.h>

/* ---- Cutting -------------------------------------------------------------------------------- */

/* Row lengths, behind flash_plan's own cut of rows. */
void flash_brain_cut(flash_job *job)
{
    size_t wide = 2 * job->f->lanes;
    job->pad_d = flash_round(job->d, job->few ? wide : job->brain->depth);
    job->pad_dv = job->few ? flash_round(job->dv, wide) : job->dv;
}

/* Keys that are read where they are; steps of 2048 bytes all fall on the same lines of the L1
 * cache. Shapes alone decide. */
static bool lies(const flash_job *job, const flash_operand *o, size_t depth)
{
    return o->step[FLASH_D] == 1 &&
           (job->few || (o->dims[FLASH_D] % depth == 0 && o->step[FLASH_S] % 1024 != 0));
}

static size_t turned_row(const flash_job *job)
{
    return flash_round(job->tile, BRAIN_STEP) + BRAIN_STEP;
}

size_t flash_brain_keys_room(const flash_job *job)
{
    bool moved = !lies(job, &job->k, job->brain->depth);
    return moved ? job->tile * flash_round(job->d, BRAIN_STEP) / 2 : 0;
}

size_t flash_brain_values_room(const flash_job *job)
{
    if (!job->few)
        return job->dv * turned_row(job) / 2;
    bool moved = !lies(job, &job->v, 1);
    return moved ? job->tile * flash_round(job->dv, BRAIN_STEP) / 2 : 0;
}

/* ---- Moving --------------------------------------------------------------------------------- */

static const uint16_t *element(const flash_operand *o, size_t b, size_t h, size_t s)
{
    size_t at = b * o->step[FLASH_B] + flash_head(o, h) * o->step[FLASH_H] + s * o->step[FLASH_S];
    return (const uint16_t *)(const void *)o->data + at;
}

static void move(uint16_t *to, size_t to_step, const uint16_t *from, size_t step, size_t n)
{
    if (step == 1 && to_step == 1)
        memcpy(to, from, n * sizeof(*to));
    else
        for (size_t i = 0; i < n; i++)
            to[i * to_step] = from[i * step];
}

/* [row][channel], rows filled up with zeros. */
static void pack_rows(const flash_job *job, const flash_operand *o, uint16_t *to, size_t to_row,
                      const uint16_t *from, size_t n)
{
    size_t d = o->dims[FLASH_D];
    if (o->step[FLASH_D] != 1 && o->step[FLASH_S] == 1) {
        job->brain->turn(to, to_row, from, o->step[FLASH_D], d, n);
        return;
    }
    for (size_t j = 0; j < n; j++, to += to_row) {
        move(to, 1, from + j * o->step[FLASH_S], o->step[FLASH_D], d);
        memset(to + d, 0, (to_row - d) * sizeof(*to));
    }
}

/* [channel][key], behind n keys zeros. */
static void pack_columns(const flash_job *job, const flash_operand *o, uint16_t *to, size_t to_row,
                         const uint16_t *from, size_t n)
{
    size_t filled = n, d = o->dims[FLASH_D];
    if (o->step[FLASH_D] == 1) {
        job->brain->turn(to, to_row, from, o->step[FLASH_S], n, d);
        filled = flash_round(n, BRAIN_STEP);
    }
    for (size_t c = 0; c < d; c++, to += to_row) {
        if (o->step[FLASH_D] != 1)
            move(to, 1, from + c * o->step[FLASH_D], o->step[FLASH_S], n);
        memset(to + filled, 0, (flash_round(n, BRAIN_STEP) + BRAIN_STEP - filled) * sizeof(*to));
    }
}

/* ---- Operands ------------------------------------------------------------------------------- */

/* Of products that are multiplied by the scale at the end: the size of scaled queries, unless the
 * products themselves may overflow. */
static unsigned size_of_queries(const flash_job *job, const uint16_t *q, size_t n)
{
    uint32_t bits = job->f->peak16(q, n) << 16;
    float peak;
    memcpy(&peak, &bits, sizeof(peak));
    unsigned raw = flash_size_of(job, &peak, 1);
    peak *= job->scale;
    unsigned scaled = flash_size_of(job, &peak, 1);
    return raw >= FLASH_TAME ? raw : scaled;
}

void flash_brain_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p)
{
    size_t wide = job->pad_d, rows = job->few ? p->rows : job->height;
    uint16_t *to = (uint16_t *)(void *)(job->few ? p->q : slot->rows);
    if (wide > job->d || rows > p->rows)
        memset(to, 0, rows * wide * sizeof(*to));
    for (size_t r = 0; r < p->rows; r++) {
        size_t row = p->first + r, head = p->h * job->group + row % job->group;
        const uint16_t *from = element(&job->q, p->b, head, row / job->group);
        move(to + r * wide, 1, from, job->q.step[FLASH_D], job->d);
    }
    p->size = job->adds || job->touchy ? size_of_queries(job, to, p->rows * wide) : 0;
    if (!job->few) /* pairs are moved as floats are */
        job->f->turn(p->q, job->height, (const float *)(const void *)to, wide / 2, job->height,
                     wide / 2);
}

void flash_brain_load_keys(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                           size_t n)
{
    const flash_operand *k = &job->k;
    uint16_t *own = (uint16_t *)(void *)slot->k_tile;
    slot->brain_k = element(k, b, h, first);
    slot->k_row = k->step[FLASH_S];
    if (lies(job, k, job->brain->depth))
        return;
    slot->k_row = flash_round(job->d, BRAIN_STEP);
    pack_rows(job, k, own, slot->k_row, slot->brain_k, n);
    slot->brain_k = own;
}

void flash_brain_load_values(const flash_job *job, flash_slot *slot, size_t b, size_t h,
                             size_t first, size_t n)
{
    const flash_operand *v = &job->v;
    const uint16_t *from = element(v, b, h, first);
    uint16_t *own = (uint16_t *)(void *)slot->v_tile;
    slot->brain_v = own;
    if (!job->few) {
        slot->v_row = turned_row(job);
        pack_columns(job, v, own, slot->v_row, from, n);
    } else if (lies(job, v, 1)) {
        slot->v_row = v->step[FLASH_S];
        slot->brain_v = from;
    } else {
        slot->v_row = flash_round(job->dv, BRAIN_STEP);
        pack_rows(job, v, own, slot->v_row, from, n);
    }
}

/* ---- A step --------------------------------------------------------------------------------- */

static void many_rows(const flash_job *job, flash_slot *slot, flash_panel *p, size_t first,
                      size_t n, size_t skip)
{
    const cpu_flash_brain *f = job->brain;
    const uint16_t *k = slot->brain_k + skip * slot->k_row, *q = (const void *)p->q;
    f->scores(slot->s, k, slot->k_row, n, q, job->pad_d, job->vectors, job->scale);
    flash_limit(job, slot->s, n * job->height);
    flash_apply_cover(job, slot, p, first, n);
    f->weigh(slot->s, n, p->top, p->sum, p->alpha, job->vectors);
    size_t have = (n + 1) / 2, pairs = flash_round(n, f->depth) / 2;
    memset(slot->s + have * job->height, 0, (pairs - have) * job->height * sizeof(float));
    f->values(p->o, slot->brain_v + skip, slot->v_row, job->dv, (const void *)slot->s, n, p->alpha,
              job->vectors);
}

static void few_rows(const flash_job *job, flash_slot *slot, flash_panel *p, size_t first, size_t n,
                     size_t skip)
{
    const cpu_flash_brain *f = job->brain;
    size_t wide = slot->s_row = flash_round(n, job->f->lanes);
    const uint16_t *k = slot->brain_k + skip * slot->k_row, *v = slot->brain_v + skip * slot->v_row;
    f->few_scores(slot->s, wide, k, slot->k_row, n, (const void *)p->q, job->pad_d, job->d, p->rows,
                  job->scale);
    for (size_t r = 0; r < p->rows; r++)
        flash_limit(job, slot->s + r * wide, n);
    flash_apply_cover(job, slot, p, first, n);
    f->few_weigh(slot->s, wide, n, p->top, p->sum, p->alpha, p->rows);
    f->few_values(p->o, job->pad_dv, v, slot->v_row, job->dv, (const void *)slot->s, 2 * wide, n,
                  p->alpha, p->rows);
}

void flash_brain_step(const flash_job *job, flash_slot *slot, flash_panel *p, size_t first,
                      size_t n, size_t skip)
{
    if (job->few)
        few_rows(job, slot, p, first, n, skip);
    else
        many_rows(job, slot, p, first, n, skip);
}
