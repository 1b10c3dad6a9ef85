/* bench_error.c - how far the outputs of a configuration are from the reference's.
 *
 * The relative error is of the largest magnitude of its output: single elements near zero would
 * say nothing of the result's quality. */
#include <math.h>

#include "bench.h"

enum { BLOCK = 1024 };

typedef struct tally {
    double off, largest;
} tally;

static void add(tally *t, double got, double want)
{
    if (isfinite(want))
        t->largest = fmax(t->largest, fabs(want));
    if (got == want || (isnan(got) && isnan(want)))
        return;
    double off = fabs(got - want);
    t->off = isfinite(off) ? fmax(t->off, off) : (double)INFINITY;
}

static bool same_shape(const heed_tensor *a, const heed_tensor *b)
{
    int32_t ndim = heed_tensor_get_ndim(a);
    bool same = ndim == heed_tensor_get_ndim(b);
    for (int32_t d = 0; same && d < ndim; d++)
        same = heed_tensor_get_dims(a)[d] == heed_tensor_get_dims(b)[d];
    return same;
}

static void compare_dense(bench_cell *cell, const heed_tensor *got, const heed_tensor *want)
{
    double a[BLOCK], b[BLOCK];
    tally t = {0};
    int64_t count = heed_tensor_get_count(want);
    if (heed_tensor_get_dtype(want) == HEED_STRING)
        return;
    if (!same_shape(got, want))
        t.off = (double)INFINITY;
    for (int64_t first = 0; isfinite(t.off) && first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        if (heed_tensor_read_f64(got, first, n, a) || heed_tensor_read_f64(want, first, n, b))
            return;
        for (int64_t i = 0; i < n; i++)
            add(&t, a[i], b[i]);
    }
    cell->max_abs = fmax(cell->max_abs, t.off);
    cell->max_rel = fmax(cell->max_rel, t.off > 0 ? t.off / t.largest : 0);
}

static void compare_value(bench_cell *cell, const heed_tensor *got, const heed_tensor *want)
{
    if (heed_tensor_get_kind(want) == HEED_TENSOR) {
        compare_dense(cell, got, want);
        return;
    }
    size_t n = heed_tensor_get_item_count(want);
    if (heed_tensor_get_item_count(got) != n)
        cell->max_abs = cell->max_rel = (double)INFINITY;
    for (size_t i = 0; i < n && i < heed_tensor_get_item_count(got); i++)
        compare_value(cell, heed_tensor_get_item(got, i), heed_tensor_get_item(want, i));
}

void bench_compare(bench_cell *cell, size_t n, heed_tensor *const *got, heed_tensor *const *want)
{
    cell->compared = true;
    for (size_t i = 0; i < n; i++)
        compare_value(cell, got[i], want[i]);
}
