/* slice.c - a strided window of a tensor: Slice. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* Of an extent that is no number yet, bounds from here on mean "to the end": some write 10^9,
 * others the largest number there is. */
#define FAR 1000000000

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* First index and number of elements of a slice over `dim` elements; step is not 0. */
static int64_t slice_range(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t *first)
{
    int64_t most = step > 0 ? dim : dim - 1;
    start = clamp(start < 0 ? start + dim : start, 0, most < 0 ? 0 : most);
    end = clamp(end < 0 ? end + dim : end, step > 0 ? 0 : -1, most);
    *first = start;
    int64_t distance = step > 0 ? end - start : start - end;
    if (dim == 0 || distance <= 0)
        return 0;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return (int64_t)(((uint64_t)distance - 1) / stride + 1);
}

/* ---- Symbolic bounds ----------------------------------------------------------------------- */

static ir_dim smaller(op_infer *c, ir_dim a, ir_dim b)
{
    if (dims_nonnegative(c->dims, dims_sub(c->dims, a, b)))
        return b;
    return dims_nonnegative(c->dims, dims_sub(c->dims, b, a)) ? a : dims_min(c->dims, a, b);
}

static ir_dim larger(op_infer *c, ir_dim a, ir_dim b)
{
    if (dims_nonnegative(c->dims, dims_sub(c->dims, a, b)))
        return a;
    return dims_nonnegative(c->dims, dims_sub(c->dims, b, a)) ? b : dims_max(c->dims, a, b);
}

/* Where a bound falls in [0, dim] for a positive step. */
static ir_dim bound(op_infer *c, ir_dim dim, const content_entry *e)
{
    if (e->known && e->number >= FAR)
        return dim;
    if (e->known && e->number <= -FAR)
        return 0;
    if (e->known && e->number < 0)
        return larger(c, dims_add(c->dims, dim, e->dim), 0);
    if (dims_nonnegative(c->dims, e->dim))
        return smaller(c, dim, e->dim);
    /* x[-n:], from the end. (Only n = 0 would mean the start, and then there is nothing to say.) */
    if (dims_nonnegative(c->dims, dims_sub(c->dims, 0, e->dim)))
        return larger(c, dims_add(c->dims, dim, e->dim), 0);
    return DIM_UNKNOWN;
}

static ir_dim symbolic_extent(op_infer *c, ir_dim dim, const content_entry *start,
                              const content_entry *end, int64_t step)
{
    if (step < 0) {
        bool whole = start->known && end->known && (start->number >= FAR || start->number == -1) &&
                     end->number <= -FAR;
        return step == -1 && whole ? dim : DIM_UNKNOWN;
    }
    ir_dim from = bound(c, dim, start), to = bound(c, dim, end);
    if (from == DIM_UNKNOWN || to == DIM_UNKNOWN)
        return DIM_UNKNOWN;
    return dims_ceil_div(c->dims, larger(c, dims_sub(c->dims, to, from), 0), step);
}

/* ---- Inference ----------------------------------------------------------------------------- */

typedef struct slice {
    int64_t n; /* how many axes are sliced */
    const int64_t *axes, *steps;
    const content_entry *starts, *ends; /* NULL: not known */
    bool sliced[TENSOR_MAX_RANK];
} slice;

/* Input i as numbers, or NULL when it is left out. False: it is there and not known. */
static bool optional_numbers(op_infer *c, uint32_t i, const int64_t **values, int64_t *n)
{
    *values = NULL;
    return !infer_has(c, i) || infer_numbers(c, i, values, n);
}

static heed_status same_count(op_infer *c, int64_t *n, bool has, int64_t found)
{
    if (!has)
        return HEED_OK;
    if (*n >= 0 && *n != found)
        return infer_error(c, "starts, ends, axes and steps of one length", "%lld and %lld",
                           (long long)*n, (long long)found);
    *n = found;
    return HEED_OK;
}

/* Starts, ends, axes and steps are lists of one length; a scalar is a list of one. */
static heed_status check_lists(op_infer *c, int64_t *n)
{
    for (uint32_t i = 1; i <= 4; i++) {
        int32_t rank = infer_rank(c, i);
        ir_dim extent = rank == 0 ? 1 : infer_dim(c, i, 0);
        if (rank > 1)
            return infer_error(c, "a list for each input but the first", "rank %d of input %u",
                               rank, i);
        TRY(same_count(c, n, rank >= 0 && dim_known(extent), extent));
    }
    return HEED_OK;
}

/* Reads the four lists; *complete is false when it cannot be said which axes are sliced. */
static heed_status read_slice(op_infer *c, slice *s, bool *complete)
{
    content_entry *starts = NULL, *ends = NULL;
    int64_t n_starts = 0, n_ends = 0, n_axes = 0, n_steps = 0;
    bool has_axes = optional_numbers(c, 3, &s->axes, &n_axes);
    bool has_steps = optional_numbers(c, 4, &s->steps, &n_steps);
    bool has_starts = content_get(c, 1, &starts, &n_starts);
    bool has_ends = content_get(c, 2, &ends, &n_ends);
    s->n = -1;
    TRY(check_lists(c, &s->n));
    TRY(same_count(c, &s->n, has_starts, n_starts));
    TRY(same_count(c, &s->n, has_ends, n_ends));
    TRY(same_count(c, &s->n, infer_has(c, 3) && has_axes, n_axes));
    TRY(same_count(c, &s->n, infer_has(c, 4) && has_steps, n_steps));
    s->starts = has_starts ? starts : NULL;
    s->ends = has_ends ? ends : NULL;
    *complete = has_axes && has_steps && s->n >= 0;
    return HEED_OK;
}

static heed_status slice_axis(op_infer *c, slice *s, int64_t k, ir_dim *dims)
{
    int32_t axis;
    int64_t step = s->steps ? s->steps[k] : 1, first;
    TRY(infer_axis(c, s->axes ? s->axes[k] : k, infer_rank(c, 0), &axis));
    if (s->sliced[axis])
        return infer_error(c, "each axis once", "%d twice", axis);
    s->sliced[axis] = true;
    if (step == 0)
        return infer_error(c, "steps other than 0", "0 for axis %d", axis);
    if (!s->starts || !s->ends) {
        dims[axis] = DIM_UNKNOWN;
        return HEED_OK;
    }
    const content_entry *start = &s->starts[k], *end = &s->ends[k];
    if (start->known && end->known && dim_known(dims[axis]))
        dims[axis] = slice_range(dims[axis], start->number, end->number, step, &first);
    else
        dims[axis] = symbolic_extent(c, dims[axis], start, end, step);
    return HEED_OK;
}

static heed_status infer_slice(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    slice s = {0};
    bool complete;
    TRY(read_slice(c, &s, &complete));
    if (rank < 0 || !complete)
        return infer_set_unknown(c, 0, 0, rank);
    if (s.n > rank)
        return infer_error(c, "at most one slice an axis", "%lld for rank %d", (long long)s.n,
                           rank);
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    for (int64_t k = 0; k < s.n; k++)
        TRY(slice_axis(c, &s, k, dims));
    return infer_set(c, 0, 0, rank, dims);
}

static void content_slice(op_infer *c)
{
    const ir_dim *from;
    const int64_t *steps;
    content_entry start, end;
    int64_t n, n_steps, first;
    if (infer_rank(c, 0) != 1 || !infer_ints(c, 0, &from, &n) || n > CONTENT_MAX)
        return;
    if (!content_scalar(c, 1, 0, &start) || !content_scalar(c, 2, 0, &end) || !start.known ||
        !end.known || !optional_numbers(c, 4, &steps, &n_steps) || (steps && n_steps != 1))
        return;
    int64_t step = steps ? steps[0] : 1;
    if (step == 0)
        return;
    int64_t count = slice_range(n, start.number, end.number, step, &first);
    ir_dim *values = infer_dims_new(c, count);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = from[first + i * step];
    if (values)
        content_put(c, 0, count, values);
}

/* Contiguous when only the outermost axis that has several elements is cut, and nothing is skipped
 * or turned round. */
static bool part_slice(op_infer *c, uint32_t o, int64_t *first)
{
    const ir_type *in = c->in[0], *out = &c->out[o];
    const int64_t *starts, *axes, *steps;
    int64_t n, n_starts;
    *first = 0;
    if (!infer_numbers(c, 1, &starts, &n_starts) || !optional_numbers(c, 3, &axes, &n) ||
        !optional_numbers(c, 4, &steps, &n))
        return false;
    for (int64_t k = 0; k < n_starts; k++) {
        int32_t axis;
        int64_t begin;
        if (infer_axis(c, axes ? axes[k] : k, in->rank, &axis))
            return false;
        if (steps && steps[k] != 1 && in->dims[axis] > 1)
            return false;
        if (out->dims[axis] == in->dims[axis])
            continue;
        if (!layout_outermost(in, axis) || out->dims[axis] == 0)
            return false;
        slice_range(in->dims[axis], starts[k], INT64_MAX, 1, &begin);
        *first = begin * layout_product(in->dims, axis + 1, in->rank);
    }
    return true;
}

/* ---- Kernel -------------------------------------------------------------------------------- */

static heed_status run_slice(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    const heed_tensor *in = c->in[0];
    if (!out)
        return HEED_OK;
    int32_t rank = tensor_rank(in);
    int64_t origin = 0, n = tensor_count(c->in[1]);
    layout_box box = {.rank = rank};
    memcpy(box.dims, out->dims, (size_t)rank * sizeof(int64_t));
    layout_strides(rank, out->dims, box.dst);
    layout_strides(rank, in->dims, box.src);
    for (int64_t k = 0; k < n; k++) {
        int64_t axis = call_has(c, 3) ? tensor_get_int(c->in[3], k) : k, first;
        int64_t step = call_has(c, 4) ? tensor_get_int(c->in[4], k) : 1;
        axis = axis < 0 ? axis + rank : axis;
        slice_range(in->dims[axis], tensor_get_int(c->in[1], k), tensor_get_int(c->in[2], k), step,
                    &first);
        origin += first * box.src[axis];
        /* One element needs no step, and a huge one would overflow. */
        box.src[axis] = out->dims[axis] > 1 ? box.src[axis] * step : 0;
    }
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(in), origin);
    return HEED_OK;
}

// clang-format off
static const op_def slice_op = {
    .domain = "", .name = "Slice", .since = 13,
    .signature = "data:T, starts:I, ends:I, axes:I?, steps:I? -> output:T",
    .types = "T=any I=int32|int64",
    .infer = infer_slice, .content = content_slice, .part = part_slice, .run = run_slice};
// clang-format on

const op_def *const ops_slice[] = {&slice_op, NULL};
