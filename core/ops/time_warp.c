/* time_warp.c - DynamicTimeWarping of com.microsoft: the cheapest way through a matrix of costs,
 * from its first to its last element (Sakoe and Chiba 1978). */
#include <math.h>

#include "ops/loops.h"

typedef struct way {
    int64_t rows, columns;
    float *total;  /* of the cheapest way to [row, column] */
    uint8_t *from; /* last step of it: 0 diagonal, 1 down, 2 right */
} way;

static heed_status infer_warp(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank >= 0 && rank != 2 && rank != 3)
        return infer_error(c, "costs of rank 2, or 3 with a batch of one", "rank %d", rank);
    ir_dim dims[2] = {2, DIM_UNKNOWN};
    return infer_set(c, 0, HEED_INT32, 2, dims);
}

/* The cost of a step to [i, j] from `back` rows and `side` columns before. */
static float before(const way *w, int64_t i, int64_t j, int64_t back, int64_t side)
{
    bool inside = i >= back && j >= side;
    return inside ? w->total[(i - back) * w->columns + j - side] : INFINITY;
}

static void visit(way *w, int64_t i, int64_t j)
{
    float diagonal = before(w, i, j, 1, 1), down = before(w, i, j, 1, 0);
    float right = before(w, i, j, 0, 1);
    int64_t at = i * w->columns + j;
    if (i == 0 && j == 0)
        return;
    uint8_t from = diagonal < down && diagonal < right ? 0
                   : down < diagonal && down < right   ? 1
                                                       : 2;
    w->from[at] = from;
    w->total[at] += from == 0 ? diagonal : from == 1 ? down : right;
}

/* Where the way lies that ends at the last element, from its end; returns its length. */
static int64_t walk(const way *w, int32_t *rows, int32_t *columns)
{
    int64_t n = 0, i = w->rows - 1, j = w->columns - 1;
    for (;; n++) {
        rows[n] = (int32_t)i;
        columns[n] = (int32_t)j;
        if (i == 0 && j == 0)
            return n + 1;
        uint8_t from = i == 0 ? 2 : j == 0 ? 1 : w->from[i * w->columns + j];
        i -= from != 2;
        j -= from != 1;
    }
}

static void reverse(int64_t n, const int32_t *from, int32_t *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[n - 1 - i];
}

static heed_status run_warp(op_call *c)
{
    const heed_tensor *in = c->in[0];
    int32_t rank = tensor_rank(in);
    way w = {.rows = in->dims[rank - 2], .columns = in->dims[rank - 1]};
    size_t count = (size_t)tensor_count(in), steps = (size_t)(w.rows + w.columns);
    if (count == 0 || (rank == 3 && in->dims[0] != 1))
        return call_error(c, HEED_INVALID, "costs of %lld x %lld in a batch of %lld",
                          (long long)w.rows, (long long)w.columns,
                          rank == 3 ? (long long)in->dims[0] : 1);
    w.total = call_scratch(c, count * sizeof(*w.total));
    w.from = call_scratch(c, count);
    int32_t *path = call_scratch(c, 2 * steps * sizeof(*path));
    if (!w.total || !w.from || !path)
        return HEED_NOMEM;
    loop_load(in, CLASS_F32, 0, (int64_t)count, w.total);
    for (int64_t i = 0; i < w.rows; i++)
        for (int64_t j = 0; j < w.columns; j++)
            visit(&w, i, j);
    int64_t dims[2] = {2, walk(&w, path, path + steps)};
    TRY(call_output(c, 0, HEED_INT32, 2, dims));
    int32_t *out = tensor_data(c->out[0]);
    reverse(dims[1], path, out);
    reverse(dims[1], path + steps, out + dims[1]);
    return HEED_OK;
}

// clang-format off
static const op_def warp = {
    .domain = "com.microsoft", .name = "DynamicTimeWarping", .since = 1, .flags = OP_DATA_SHAPE,
    .signature = "input:T -> output:int32", .types = "T=float",
    .infer = infer_warp, .run = run_warp};
// clang-format on

const op_def *const ops_time_warp[] = {&warp, NULL};
