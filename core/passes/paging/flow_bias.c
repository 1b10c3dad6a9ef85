/* flow_bias.c - what is added to scores, where it goes by the key or by its distance alone.
 *
 * Steps compute it for other numbers of tokens than the file does (replay.c), so an element must
 * not depend on how many there are, only on its place: [.., 1, S] has rows by key, and of
 * [.., 1, 2 S - 1] the middle is distance 0, from which places are counted. */
#include <string.h>

#include "passes/mask/mask.h"
#include "passes/paging/flow.h"

enum { BIAS = 3, MOST_DEPTH = 64 };

typedef struct by_distance {
    flow_map *m;
    ir_dim places; /* extent of the row of distances */
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
    static const char *const moves[] = {"Reshape", "Unsqueeze", "Squeeze",  "Expand",
                                        "Cast",    "Transpose", "Identity", NULL};
    for (const char *const *op = moves; *op; op++)
        if (pass_is(n, *op))
            return 1;
    return (n->op->flags & OP_ELEMENTWISE) ? n->n_in : 0;
}

static bool is_looked_up(by_distance *d, const ir_node *n, int depth)
{
    return pass_is(n, "Gather") && flow_of(d->m, ir_input(n, 0)).kind == FLOW_FREE &&
           goes_by_distance(d, ir_input(n, 1), depth);
}

static bool find(by_distance *d, ir_value *v, int depth)
{
    ir_node *n = v->producer;
    uint32_t elements = n ? elements_of(n) : 0;
    if (flow_of(d->m, v).kind == FLOW_FREE || counts_from_middle(d, v))
        return true;
    if (!n || depth > MOST_DEPTH || (elements == 0 && !is_looked_up(d, n, depth + 1)))
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

static bool is_relative(flow_map *m, ir_value *v, ir_dim extent)
{
    ir_dims *dims = m->run->model->dims;
    ir_dim places = dims_sub(dims, dims_mul(dims, 2, m->tokens), 1);
    by_distance d = {.m = m, .places = extent};
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
        return is_relative(m, v, v->type.dims[last]) ? FLOW_BY_DISTANCE : FLOW_BY_NONE;
    return flow_has_row_each(f) && f.axis == last ? FLOW_BY_KEY : FLOW_BY_NONE;
}
