/* One tile of keys for one panel: scores, what masks do to them, weights, and their products with
 * the values.
 *
 * Most keys of a tile are seen by all rows, and nothing is done to their scores: their largest are
 * known when they are made. The others, the tile's edge, are looked at again behind the masks. With
 * causality the end of the edge is seen by the second vector of rows alone. */
#include <math.h>

#include "flash_brain.h"

/* Keys of an edge: so few at least, or the block of products is low; keys that are worth a block of
 * one vector. */
enum { EDGE_LEAST = 12, TRIM_LEAST = 8 };

void flash_limit(const flash_job *job, float *s, size_t n)
{
    float least = job->rules->least, most = job->rules->most;
    if (job->rules->cap > 0)
        job->f->cap(s, n, job->rules->cap);
    if (least == -INFINITY && most == INFINITY)
        return;
    for (size_t i = 0; i < n; i++) {
        float x = s[i] < least ? least : s[i];
        s[i] = x > most ? most : x;
    }
}

static bool limits(const flash_rules *r)
{
    return r->cap > 0 || r->least > -INFINITY || r->most < INFINITY;
}

/* Of n keys of a tile the first `inner` are seen by all and stay as they are, the rest is the edge;
 * behind `near` the first vector of rows sees none. */
static void find_edge(const flash_job *job, const flash_slot *slot, flash_panel *p, size_t tile,
                      size_t first, size_t n, size_t *inner, size_t *near)
{
    bool covered = slot->bias.used || slot->factor.used || slot->marks.used || job->adds;
    bool ranges = first < p->all_begin || first + n > p->all_end;
    *near = flash_max(first, flash_min(first + n, p->near_end)) - first;
    if (p->full || job->vectors == 1 || *near + TRIM_LEAST > n || !flash_skips(job, p, tile))
        *near = n;
    *inner = n;
    if (covered || job->rules->sums || limits(job->rules) || first < p->all_begin)
        *inner = 0;
    else if (ranges)
        *inner = flash_min(flash_max(p->all_end, first) - first, n - flash_min(n, EDGE_LEAST));
}

/* What is done to the scores of the edge. */
static void cover_edge(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t first,
                       size_t n, size_t inner)
{
    float *s = slot->s;
    slot->s += inner * job->height;
    flash_limit(job, slot->s, (n - inner) * job->height);
    flash_apply_cover(job, slot, p, first + inner, n - inner);
    slot->s = s;
}

/* Returns how many keys all rows have. */
static size_t many_rows(const flash_job *job, flash_slot *slot, flash_panel *p, size_t tile,
                        size_t first, size_t n, size_t skip)
{
    const cpu_flash_lanes *f = job->f;
    const float *k = slot->k + skip * slot->k_row, *v = slot->v + skip * slot->v_row;
    size_t inner, near, wide = job->vectors;
    float most[FLASH_ROWS], hidden[FLASH_ROWS];
    find_edge(job, slot, p, tile, first, n, &inner, &near);
    for (size_t r = 0; r < job->height; r++)
        most[r] = hidden[r] = -INFINITY;
    f->scores(slot->s, k, slot->k_row, inner, 0, p->q, job->d, wide, most);
    if (inner < n) {
        float *edge = slot->s + inner * job->height;
        f->scores(edge, k + inner * slot->k_row, slot->k_row, near - inner, n - near, p->q, job->d,
                  wide, hidden);
        cover_edge(job, slot, p, first, n, inner);
        f->tops(most, edge, near - inner, n - near, wide);
    }
    f->rise(most, p->top, p->sum, p->alpha, wide);
    f->values(p->o, v, slot->v_row, job->dv, slot->s, near, n - near, p->alpha, most, p->sum, wide);
    return near;
}

/* The same with scores by row. */
static void few_rows(const flash_job *job, flash_slot *slot, flash_panel *p, size_t first, size_t n,
                     size_t skip)
{
    const cpu_flash_lanes *f = job->f;
    const float *k = slot->k + skip * slot->k_row, *v = slot->v + skip * slot->v_row;
    size_t wide = slot->s_row = flash_round(n, f->lanes);
    f->few_scores(slot->s, wide, k, slot->k_row, n, p->q, job->pad_d, p->rows);
    for (size_t r = 0; r < p->rows; r++)
        flash_limit(job, slot->s + r * wide, n);
    flash_apply_cover(job, slot, p, first, n);
    f->few_weigh(slot->s, wide, n, p->top, p->sum, p->alpha, p->rows);
    f->few_values(p->o, v, slot->v_row, job->pad_dv, slot->s, wide, n, p->alpha, p->rows);
}

void flash_step(const flash_job *job, flash_slot *slot, flash_panel *p, size_t tile,
                const size_t part[2])
{
    size_t n = part[1] - part[0], skip = part[0] - tile * job->tile, done = n;
    if (job->brain)
        flash_brain_step(job, slot, p, part[0], n, skip);
    else if (job->few)
        few_rows(job, slot, p, part[0], n, skip);
    else
        done = many_rows(job, slot, p, tile, part[0], n, skip);
    p->done += done;
}
