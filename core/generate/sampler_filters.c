/* sampler_filters.c - which tokens stay, and how likely each is: top-k, temperature, top-p, min-p.
 *
 * Sources: top-k: Fan 2018 (arXiv 1805.04833); top-p: Holtzman 2020 (1904.09751); min-p: Nguyen
 * 2024 (2407.01082). Top-k is applied before temperature, which does not change an order: what
 * follows then works on k elements. */
#include "generate/sampler_parts.h"

/* The row's elements that stay. */
static size_t gather(const sampler_row *row, const float *tops, row_cut cut, float *x, int32_t *ids)
{
    size_t each = row_block(row->n), n = 0;
    for (size_t b = 0, i = 0; i < row->n; b++, i += each)
        for (size_t j = i; tops[b] >= cut.least && j < i + each && j < row->n; j++)
            if (row_cut_keeps(&cut, row->x[j])) {
                ids[n] = (int32_t)j;
                x[n++] = row->x[j];
            }
    return n;
}

void sampler_keep_k(const sampler *s, sampler_row *row)
{
    float tops[ROW_BLOCKS];
    size_t k = s->options.top_k;
    if (k == 0 || k >= row->n)
        return;
    row_tops(row->x, row->n, tops);
    row_cut cut = row_find_first(row->x, row->n, tops, k);
    row->n = gather(row, tops, cut, s->weights, s->kept);
    row->x = row->weights = s->weights;
    row->ids = s->kept;
}

heed_status sampler_soften(const sampler *s, sampler_row *row)
{
    float tops[ROW_BLOCKS], top = row_top(tops, row_tops(row->x, row->n, tops));
    if (top == -INFINITY)
        return err_fail(HEED_INVALID, "no token is left to choose: all logits are -infinity");
    float *weights = row->weights ? row->weights : row->x;
    row_weights(row->x, row->n, top, s->options.temperature, weights);
    row->x = weights;
    return HEED_OK;
}

static void keep_from(sampler_row *row, float least)
{
    float *x = row->x;
    for (size_t i = 0; i < row->n; i++)
        x[i] = x[i] >= least ? x[i] : 0;
}

void sampler_keep_p(const sampler *s, sampler_row *row)
{
    double sums[ROW_BLOCKS], p = (double)s->options.top_p;
    float tops[ROW_BLOCKS];
    if (p <= 0 || p >= 1)
        return;
    double sum = row_sums(row->x, row->n, sums);
    /* All elements below the n-th part of what may be left out are left out: together they are
     * less than that. A little lower, for the rounding. */
    float least = (float)((1 - p) * sum / (double)row->n * 0.999);
    row_tops(row->x, row->n, tops);
    row_cut cut = row_find_cut(row->x, row->n, tops, least, p * sum, true);
    keep_from(row, cut.least);
    for (size_t i = 0; cut.more && i < row->n; i++)
        if (row->x[i] == cut.least && !row_cut_keeps(&cut, row->x[i]))
            row->x[i] = 0;
}

void sampler_keep_min_p(const sampler *s, sampler_row *row)
{
    float least = s->options.min_p; /* of the largest weight, which is 1 */
    if (least > 0)
        keep_from(row, least);
}
