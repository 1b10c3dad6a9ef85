/* unique.c - what differs among elements, or among slices along an axis: Unique.
 *
 * Slices are sorted by keys (order.h), so that equal ones stand together; the sort is stable, so
 * the first of each group is its first occurrence. */
#include <string.h>

#include "ops/layout.h"
#include "ops/order.h"
#include "ops/sort.h"

static bool has_axis(const ir_node *n) { return ir_node_attr(n, "axis") != NULL; }

static ir_dim count_of(const op_infer *c)
{
    ir_dim count = infer_rank(c, 0) < 0 ? DIM_UNKNOWN : 1;
    for (int32_t i = 0; i < infer_rank(c, 0); i++)
        count = dims_mul(c->dims, count, c->in[0]->dims[i]);
    return count;
}

/* The outputs but inverse_indices are as long as there are different slices. */
static heed_status infer_unique(op_infer *c)
{
    ir_dim dims[TENSOR_MAX_RANK], found = c->dims ? dims_fresh(c->dims) : DIM_UNKNOWN;
    ir_dim all = count_of(c);
    int32_t rank = infer_rank(c, 0), axis;
    TRY(infer_set(c, 1, HEED_INT64, 1, &found));
    TRY(infer_set(c, 3, HEED_INT64, 1, &found));
    if (!has_axis(c->node)) {
        TRY(infer_set(c, 2, HEED_INT64, 1, &all));
        return infer_set(c, 0, 0, 1, &found);
    }
    if (rank < 0) {
        TRY(infer_set_unknown(c, 2, HEED_INT64, 1));
        return infer_set_unknown(c, 0, 0, -1);
    }
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    TRY(infer_set(c, 2, HEED_INT64, 1, &c->in[0]->dims[axis]));
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    dims[axis] = found;
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Comparing slices ------------------------------------------------------------------------ */

/* A slice has `rows` elements, one from each line along the axis. */
typedef struct slices {
    const heed_tensor *tensor;
    loop_lines lines;
    int64_t rows, n;
    uint64_t *keys; /* [rows, n]; NULL for strings */
} slices;

static int compare_keys(const void *context, int64_t a, int64_t b)
{
    const slices *s = context;
    for (int64_t r = 0; r < s->rows; r++) {
        uint64_t x = s->keys[r * s->n + a], y = s->keys[r * s->n + b];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int compare_text(heed_string a, heed_string b)
{
    size_t least = (size_t)(a.size < b.size ? a.size : b.size);
    int order = least ? memcmp(a.data, b.data, least) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_strings(const void *context, int64_t a, int64_t b)
{
    const slices *s = context;
    const heed_string *text = tensor_data(s->tensor);
    int64_t inner = s->lines.inner;
    for (int64_t r = 0; r < s->rows; r++) {
        const heed_string *line = text + r / inner * s->n * inner + r % inner;
        int order = compare_text(line[a * inner], line[b * inner]);
        if (order)
            return order;
    }
    return 0;
}

/* A complex number is two elements, the real one first. */
static heed_tensor as_real(const heed_tensor *t, loop_lines *lines)
{
    heed_tensor real = *t;
    real.dtype = t->dtype == HEED_COMPLEX64 ? HEED_FLOAT32 : HEED_FLOAT64;
    lines->inner *= 2;
    return real;
}

static heed_status make_keys(op_call *c, slices *s)
{
    loop_lines lines = s->lines;
    dtype_class class = dtype_get_class(s->tensor->dtype);
    bool complex = class == CLASS_C64 || class == CLASS_C128;
    size_t count, bytes;
    if (class == CLASS_STRING)
        return HEED_OK;
    heed_tensor t = complex ? as_real(s->tensor, &lines) : *s->tensor;
    s->rows = lines.outer * lines.inner;
    if (!size_mul((size_t)s->rows, (size_t)s->n, &count) || !size_mul(count, 8, &bytes))
        return call_error(c, HEED_NOMEM, "the tensor is too large");
    s->keys = call_scratch(c, bytes + 1);
    for (int64_t r = 0; s->keys && r < s->rows && s->n > 0; r++)
        order_keys(&t, &lines, r / lines.inner, r % lines.inner, false, false, s->keys + r * s->n);
    return s->keys ? HEED_OK : err_get()->status;
}

static heed_status slices_of(op_call *c, slices *s)
{
    int32_t axis;
    *s = (slices){.tensor = c->in[0], .lines = {1, tensor_count(c->in[0]), 1}};
    if (has_axis(c->node)) {
        TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), tensor_rank(c->in[0]), &axis));
        s->lines = loop_lines_of(c->in[0], axis);
    }
    s->n = s->lines.n;
    s->rows = s->lines.outer * s->lines.inner;
    return make_keys(c, s);
}

/* ---- Groups of equal slices ------------------------------------------------------------------ */

typedef struct groups {
    int64_t n;
    int64_t *first; /* of each group: the slice that occurs first */
    int64_t *count;
    int64_t *of; /* of each slice: its group */
} groups;

static int compare_first(const void *context, int64_t a, int64_t b)
{
    const groups *g = context;
    return (g->first[a] > g->first[b]) - (g->first[a] < g->first[b]);
}

static void find_groups(const slices *s, const int64_t *order, groups *g)
{
    sort_compare *compare = s->keys ? compare_keys : compare_strings;
    for (int64_t i = 0; i < s->n; i++) {
        if (i == 0 || compare(s, order[i - 1], order[i]) != 0)
            g->first[g->n++] = order[i];
        g->count[g->n - 1]++;
        g->of[order[i]] = g->n - 1;
    }
}

/* From the order of the values to that of their first occurrence. `spare` has room for 4 n. */
static void reorder(groups *g, int64_t n, int64_t *spare)
{
    int64_t *order = spare, *place = spare + n, *old = spare + 2 * n;
    sort_indices(g->n, compare_first, g, order, place);
    for (int64_t i = 0; i < g->n; i++) {
        place[order[i]] = i;
        old[2 * i] = g->first[i];
        old[2 * i + 1] = g->count[i];
    }
    for (int64_t i = 0; i < g->n; i++) {
        g->first[i] = old[2 * order[i]];
        g->count[i] = old[2 * order[i] + 1];
    }
    for (int64_t i = 0; i < n; i++)
        g->of[i] = place[g->of[i]];
}

static heed_status give_slices(op_call *c, const slices *s, const groups *g)
{
    int64_t dims[TENSOR_MAX_RANK] = {g->n}, inner = s->lines.inner;
    int32_t axis = 0, rank = has_axis(c->node) ? tensor_rank(c->in[0]) : 1;
    if (has_axis(c->node)) {
        TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
        memcpy(dims, c->in[0]->dims, sizeof(dims));
        dims[axis] = g->n;
    }
    TRY(call_output(c, 0, 0, rank, dims));
    if (!call_out(c, 0))
        return HEED_OK;
    for (int64_t o = 0; o < s->lines.outer && inner > 0; o++)
        for (int64_t i = 0; i < g->n; i++)
            dtype_copy(s->tensor->dtype, tensor_data(c->out[0]), (o * g->n + i) * inner,
                       tensor_data(s->tensor), (o * s->n + g->first[i]) * inner, inner);
    return HEED_OK;
}

static heed_status give_numbers(op_call *c, uint32_t o, int64_t n, const int64_t *values)
{
    TRY(call_output(c, o, HEED_INT64, 1, &n));
    if (call_out(c, o))
        dtype_store_i64(HEED_INT64, tensor_data(c->out[o]), 0, n, values);
    return HEED_OK;
}

static heed_status run_unique(op_call *c)
{
    slices s;
    TRY(slices_of(c, &s));
    size_t bytes;
    if (!size_mul((size_t)s.n + 1, 7 * sizeof(int64_t), &bytes))
        return call_error(c, HEED_NOMEM, "the tensor is too large");
    int64_t *room = call_scratch(c, bytes);
    if (!room)
        return err_get()->status;
    groups g = {.first = room, .count = room + s.n, .of = room + 2 * s.n};
    int64_t *spare = room + 3 * s.n;
    sort_indices(s.n, s.keys ? compare_keys : compare_strings, &s, spare, spare + s.n);
    find_groups(&s, spare, &g);
    if (!ir_attr_int(c->node, "sorted", 1))
        reorder(&g, s.n, spare);
    TRY(give_slices(c, &s, &g));
    TRY(give_numbers(c, 1, g.n, g.first));
    TRY(give_numbers(c, 2, s.n, g.of));
    return give_numbers(c, 3, g.n, g.count);
}

// clang-format off
static const op_def unique = {
    .domain = "", .name = "Unique", .since = 28, .flags = OP_DATA_SHAPE,
    .signature = "X:T -> Y:T, indices:int64?, inverse_indices:int64?, counts:int64?",
    .types = "T=any", .attrs = "axis:int sorted:int=1",
    .infer = infer_unique, .run = run_unique};
// clang-format on

const op_def *const ops_unique[] = {&unique, NULL};
