/* flow_bias.c - what is added to scores, where it goes by the key or by its distance alone.
 *
 * Steps compute it for other numbers of tokens than the file does (replay.c), so an element must
 * not depend on how many there are, only on its place: [.., 1, S] has rows by key, and of
 * [.., 1, 2 S - 1] the middle is distance 0, from which places are counted.
 *
 * A row [.., 1, S] that is counted from the last key, slope * (key - (S - 1)), says for every query
 * what slope * (key - query) does: they differ by one number a query, which a softmax does not see.
 * Only straight lines do that, and a table is one if its entries are, as its type rounds them. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask.h"
#include "passes/paging/flow.h"

enum { BIAS = 3, SINKS = 6, MOST_DEPTH = 64 };

typedef struct by_distance {
    flow_map *m;
    ir_dim places; /* extent of the row of distances */
    bool straight; /* lines alone */
    uint8_t *seen; /* by id of values: 1 it goes by distance, 2 it does not */
} by_distance;

/* factor * (index - (S - 1)) + a number, or a number. */
static bool counts_from_middle(by_distance *d, ir_value *v)
{
    mask *walk = d->m->mask;
    ir_dims *dims = d->m->run->model->dims;
    ir_dim before = dims_sub(dims, d->m->tokens, 1);
    mask_form form;
    mask_affine index;
    axes at = {.rank = v->type.rank};
    int64_t number;
    if (!dtype_is_int(v->type.dtype) || v->type.rank < 0)
        return false;
    mask_init(walk, d->m->run, (ir_dim[]){1, 1, d->places, 1});
    for (int32_t k = 0; k < v->type.rank; k++)
        if (v->type.dims[k] == d->places)
            at.axis[k] = (axes_list){1, {walk->frame[MASK_S]}};
        else if (v->type.dims[k] != 1)
            return false;
    if (!mask_walk(walk, v, &at, &form) || form.n != 0 ||
        !mask_whole(walk, form.leaf[0], false, &index) || index.n > 1 ||
        (index.n && !dims_value(dims, index.factor[0], &number)))
        return false;
    ir_dim middle = index.n ? dims_mul(dims, index.factor[0], before) : 0;
    return dims_value(dims, dims_add(dims, index.constant, middle), &number);
}

static bool goes_by_distance(by_distance *d, ir_value *v, int depth);

/* Inputs that hold elements, and not shapes: all but the first `n` are numbers of the graph's own.
 */
static uint32_t elements_of(const ir_node *n)
{
    if (paging_moves(n, MOVE_KEEPS))
        return 1;
    return (n->op->flags & OP_ELEMENTWISE) || pass_is(n, "Clip") ? n->n_in : 0;
}

static bool is_looked_up(by_distance *d, const ir_node *n, int depth)
{
    return pass_is(n, "Gather") && flow_of(d->m, ir_input(n, 0)).kind == FLOW_FREE &&
           goes_by_distance(d, ir_input(n, 1), depth);
}

/* ---- Straight lines ---------------------------------------------------------------------------
 */

/* Sums, and products with one number for all places. */
static bool is_straight(const by_distance *d, const ir_node *n)
{
    static const char *const sums[] = {"Add", "Sub", "Neg", NULL};
    static const char *const products[] = {"Mul", "Div", NULL};
    bool floats = dtype_is_float(n->out[0]->type.dtype);
    if (pass_is(n, "Cast"))
        return floats ||
               (dtype_is_int(n->out[0]->type.dtype) && dtype_is_int(ir_input(n, 0)->type.dtype));
    if (!pass_is_one_of(n, products))
        return pass_is_one_of(n, sums) || paging_moves(n, MOVE_KEEPS);
    return (flow_of(d->m, ir_input(n, 1)).kind == FLOW_FREE && (floats || pass_is(n, "Mul"))) ||
           (flow_of(d->m, ir_input(n, 0)).kind == FLOW_FREE && pass_is(n, "Mul"));
}

/* Numbers at start, start + step, ... are a line, but for rounding. */
static bool is_line(const heed_tensor *t, int64_t start, int64_t step, int64_t n, double digit)
{
    double first, last, x, most;
    if (heed_tensor_read_f64(t, start, 1, &first) ||
        heed_tensor_read_f64(t, start + (n - 1) * step, 1, &last))
        return false;
    most = fmax(fabs(first), fabs(last));
    for (int64_t i = 1; i + 1 < n; i++) {
        double on = first + (last - first) * (double)i / (double)(n - 1);
        if (heed_tensor_read_f64(t, start + i * step, 1, &x) || !(fabs(x - on) <= digit * most))
            return false;
    }
    return isfinite(most);
}

static bool has_lines(const ir_value *table, int32_t axis)
{
    const heed_tensor *t = table->constant;
    int64_t n = table->type.dims[axis], inner = 1, count = tensor_count(t);
    double digit = t->dtype == HEED_FLOAT16    ? 0x1p-10
                   : t->dtype == HEED_BFLOAT16 ? 0x1p-7
                                               : 0x1p-22;
    for (int32_t k = axis + 1; k < table->type.rank; k++)
        inner *= table->type.dims[k];
    for (int64_t i = 0; i < count; i++)
        if (i / inner % n == 0 && !is_line(t, i, inner, n, digit))
            return false;
    return count > 0;
}

/* The last S entries of a table: Slice from n - S on, along one axis. */
static bool is_cut_line(const by_distance *d, const ir_value *v)
{
    const ir_node *n = v->producer;
    ir_dims *dims = d->m->run->model->dims;
    const ir_value *table = ir_input(n, 0), *start = ir_input(n, 1), *along = ir_input(n, 3),
                   *steps = ir_input(n, 4);
    if (!pass_is(n, "Slice") || !pass_constant(table) || !dtype_is_float(table->type.dtype) ||
        !start->content || start->n_content != 1 || !along || !pass_constant(along) ||
        (steps && !(pass_constant(steps) && tensor_get_int(steps->constant, 0) == 1)))
        return false;
    int64_t axis = tensor_get_int(along->constant, 0);
    axis += axis < 0 ? v->type.rank : 0;
    if (axis < 0 || axis >= v->type.rank || v->type.dims[axis] != d->places)
        return false;
    ir_dim from_end = dims_sub(dims, 0, d->places), first = start->content[0];
    return (first == from_end || first == dims_add(dims, table->type.dims[axis], from_end)) &&
           has_lines(table, (int32_t)axis);
}

/* ---- From the value back ----------------------------------------------------------------------
 */

static bool find(by_distance *d, ir_value *v, int depth)
{
    ir_node *n = v->producer;
    uint32_t elements = n ? elements_of(n) : 0;
    if (flow_of(d->m, v).kind == FLOW_FREE || counts_from_middle(d, v))
        return true;
    if (d->straight && is_cut_line(d, v))
        return true;
    if (!n || depth > MOST_DEPTH || (d->straight && !is_straight(d, n)) ||
        (elements == 0 && !is_looked_up(d, n, depth + 1)))
        return false;
    for (uint32_t i = 0; i < elements; i++)
        if (n->in[i].value && !goes_by_distance(d, n->in[i].value, depth + 1))
            return false;
    return true;
}

static bool goes_by_distance(by_distance *d, ir_value *v, int depth)
{
    if (v->id >= d->m->n)
        return false;
    if (!d->seen[v->id])
        d->seen[v->id] = find(d, v, depth) ? 1 : 2;
    return d->seen[v->id] == 1;
}

/* A row of distances; or a row of keys that is counted from the last one, and a line. */
static bool is_relative(flow_map *m, ir_value *v, ir_dim extent, bool straight)
{
    ir_dims *dims = m->run->model->dims;
    ir_dim places = straight ? m->tokens : dims_sub(dims, dims_mul(dims, 2, m->tokens), 1);
    by_distance d = {.m = m, .places = extent, .straight = straight};
    if (extent != places && extent != dims_max(dims, places, 0))
        return false;
    d.seen = arena_alloc(m->run->scratch, m->n);
    if (!d.seen || (!m->mask && !(m->mask = mem_zero(sizeof(*m->mask)))))
        return false;
    memset(d.seen, 0, m->n);
    return goes_by_distance(&d, v, 0);
}

int flow_bias_by(flow_map *m, const ir_node *attention)
{
    ir_value *v = ir_input(attention, BIAS);
    int32_t last = v ? v->type.rank - 1 : -1;
    flow f = flow_of(m, v);
    if (!v || f.data || last < 0 || !dtype_is_float(v->type.dtype) ||
        (last > 0 && v->type.dims[last - 1] != 1))
        return FLOW_BY_NONE;
    for (int32_t k = 0; k < last - 2; k++)
        if (v->type.dims[k] != 1)
            return FLOW_BY_NONE;
    if (ir_attr_int(attention, "relative", 0))
        return is_relative(m, v, v->type.dims[last], false) ? FLOW_BY_DISTANCE : FLOW_BY_NONE;
    if (f.kind == FLOW_ROWS)
        return flow_has_row_each(f) && f.axis == last ? FLOW_BY_KEY : FLOW_BY_NONE;
    /* one number more for all keys of a query: nothing else may see it */
    if (ir_input(attention, SINKS) || ir_attr_float(attention, "softcap", 0) > 0)
        return FLOW_BY_NONE;
    return is_relative(m, v, v->type.dims[last], true) ? FLOW_BY_DISTANCE : FLOW_BY_NONE;
}
