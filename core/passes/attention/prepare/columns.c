/* columns.c - pass: columns that were multiplied beside others are products of their own.
 *
 * before: y = MatMul(e, Concat(v, ones)); y[..., :-1] / y[..., -1:]
 * after:  MatMul(e, v) / MatMul(e, ones)
 *
 * A column of ones sums up the weights in the product with the values. Apart from these it is a
 * sum, as softmax.c wants it. Only for columns of one number: others are cheaper in one product. */
#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/pass.h"

/* Which operand of the Concat these columns are; NULL: none, or some of one. */
static ir_value *find_columns(const ir_node *concat, int64_t from, int64_t to)
{
    int32_t last = concat->out[0]->type.rank - 1;
    int64_t at = 0;
    for (uint32_t i = 0; i < concat->n_in; i++) {
        ir_value *v = ir_input(concat, i);
        if (!dim_known(v->type.dims[last]))
            return NULL;
        if (at == from && at + v->type.dims[last] == to)
            return v;
        at += v->type.dims[last];
    }
    return NULL;
}

/* Two parts, of which one is a column of ones. */
static bool has_ones(const ir_node *concat)
{
    int32_t last = concat->out[0]->type.rank - 1;
    double number;
    for (uint32_t i = 0; i < 2 && concat->n_in == 2; i++) {
        const ir_value *v = ir_input(concat, i);
        if (v->type.dims[last] == 1 && pieces_scalar(v, &number) && number == 1)
            return true;
    }
    return false;
}

/* The slice takes columns alone, one after the other: the first of them; -1: it does not. */
static int64_t first_column(const ir_node *slice, int32_t rank, int64_t width)
{
    const ir_value *start = ir_input(slice, 1), *axis = ir_input(slice, 3),
                   *step = ir_input(slice, 4);
    if (!pass_constant(start) || !pass_constant(axis) || tensor_count(axis->constant) != 1 ||
        (step && !(pass_constant(step) && tensor_get_int(step->constant, 0) == 1)))
        return -1;
    int64_t along = tensor_get_int(axis->constant, 0), first = tensor_get_int(start->constant, 0);
    along += along < 0 ? rank : 0;
    first += first < 0 ? width : 0;
    return along == rank - 1 ? first : -1;
}

/* The product whose columns are cut apart along the last axis, and how wide it is; or NULL. */
static const ir_node *find_product(const ir_node *n, int64_t *width)
{
    const ir_value *y = ir_input(n, 0);
    const ir_value *all = pieces_operand(y, "MatMul", 1);
    const ir_node *concat = all ? all->producer : NULL;
    if (!concat || !pass_is(concat, "Concat") || all->type.rank < 2 || y->type.rank < 2)
        return NULL;
    int64_t axis = ir_attr_int(concat, "axis", 0);
    axis += axis < 0 ? all->type.rank : 0;
    *width = all->type.dims[all->type.rank - 1];
    return axis == all->type.rank - 1 && dim_known(*width) && has_ones(concat) ? y->producer : NULL;
}

/* Output o becomes a product of its own, when it is some operand's columns from this one on. */
static heed_status part(pass_run *p, ir_node *n, const ir_node *product, uint32_t o, int64_t from)
{
    ir_value *out = n->out[o], *columns = NULL;
    ir_dim extent = out ? out->type.dims[out->type.rank - 1] : DIM_UNKNOWN;
    if (from >= 0 && dim_known(extent))
        columns = find_columns(ir_input(product, 1)->producer, from, from + extent);
    if (!columns)
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y = body_2(&b, ir_input(product, 0), columns, "MatMul");
    if (b.status)
        return b.status;
    if (!pass_same_type(y, out)) {
        pass_undo(&b);
        return HEED_OK;
    }
    ir_value_replace(out, y);
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    int64_t width, from = 0;
    bool splits = pass_is(n, "Split");
    const ir_node *product = splits || pass_is(n, "Slice") ? find_product(n, &width) : NULL;
    if (!product || n->out[0]->type.rank != ir_input(n, 0)->type.rank)
        return HEED_OK;
    int32_t rank = n->out[0]->type.rank;
    if (!splits)
        return part(p, n, product, 0, first_column(n, rank, width));
    int64_t axis = ir_attr_int(n, "axis", 0);
    if (axis != -1 && axis != rank - 1)
        return HEED_OK;
    for (uint32_t o = 0; o < n->n_out && n->out[o] && from >= 0; o++) {
        ir_dim extent = n->out[o]->type.dims[rank - 1];
        TRY(part(p, n, product, o, from));
        from = dim_known(extent) ? from + extent : -1;
    }
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_columns = {
    .name = "columns",
    .purpose = "columns that were multiplied beside others are products of their own",
    .order = 54,
    .run = run,
};
