/* mask_uniform.c - tensors all of whose elements are one number, whatever their extents: a mask of
 * ones, gathered, cast and compared, still says the same of every key. */
#include "ops/evaluate.h"
#include "passes/mask/mask.h"

enum { MOST_DEPTH = 24, MOST_ELEMENTS = 1 << 16 };

static const char *const movers[] = {
    "Identity", "Reshape", "Transpose", "Squeeze",        "Unsqueeze", "Flatten", "Expand",
    "Tile",     "Slice",   "Gather",    "GatherElements", "GatherND",  NULL};

static bool is_filled(const heed_tensor *t, double *number)
{
    int64_t n = tensor_count(t);
    if (n < 1 || n > MOST_ELEMENTS || dtype_get_class(t->dtype) >= CLASS_STRING)
        return false;
    *number = tensor_get_float(t, 0);
    for (int64_t i = 1; i < n; i++)
        if (tensor_get_float(t, i) != *number)
            return false;
    return true;
}

static bool uniform(mask *m, const ir_value *v, int depth, double *number);

static heed_tensor *scalar(heed_dtype dtype, double number)
{
    heed_tensor *t;
    if (heed_tensor_new(dtype, 0, NULL, &t))
        return NULL;
    heed_tensor_write_f64(t, 0, 1, &number);
    return t;
}

/* The operator on scalars, by its reference kernel. */
static bool evaluate(mask *m, const ir_node *n, const double *numbers, double *number)
{
    heed_tensor *in[3] = {NULL}, *out[1] = {NULL};
    ir_type type = n->out[0]->type;
    bool done = true;
    type.rank = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        in[i] = scalar(n->in[i].value->type.dtype, numbers[i]);
        done = done && in[i];
    }
    done = done && !op_evaluate(n, (const heed_tensor *const *)in, &type, m->scratch, out) &&
           is_filled(out[0], number);
    for (uint32_t i = 0; i < n->n_in; i++)
        tensor_free(in[i]);
    tensor_free(out[0]);
    err_clear();
    return done;
}

static bool elementwise(mask *m, const ir_node *n, int depth, double *number)
{
    double numbers[3];
    if (!(n->op->flags & OP_ELEMENTWISE) || !n->op->run || n->n_in > 3 || n->n_out != 1)
        return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!n->in[i].value || !uniform(m, n->in[i].value, depth, &numbers[i]))
            return false;
    return evaluate(m, n, numbers, number);
}

static bool joined(mask *m, const ir_node *n, int depth, double *number)
{
    double other;
    if (!uniform(m, ir_input(n, 0), depth, number))
        return false;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (!uniform(m, ir_input(n, i), depth, &other) || other != *number)
            return false;
    return true;
}

static void read_filling(const ir_node *n, double *number)
{
    const ir_attr *value = ir_node_attr(n, "value");
    *number = 0;
    if (value && value->view.tensor)
        dtype_load_f64(n->out[0]->type.dtype,
                       (const char *)value->view.tensor->data + value->view.tensor->byte_offset, 0,
                       1, number);
}

static bool uniform(mask *m, const ir_value *v, int depth, double *number)
{
    const ir_node *n = v->producer;
    if (pass_constant(v))
        return is_filled(v->constant, number);
    if (!n || depth > MOST_DEPTH || v->type.kind != HEED_KIND_TENSOR)
        return false;
    if (pass_is(n, "ConstantOfShape"))
        return read_filling(n, number), true;
    for (const char *const *op = movers; *op; op++)
        if (pass_is(n, *op))
            return uniform(m, ir_input(n, 0), depth + 1, number);
    return pass_is(n, "Concat") ? joined(m, n, depth + 1, number)
                                : elementwise(m, n, depth + 1, number);
}

/* CumSum of a number that is everywhere: a multiple of the index. */
static bool running_sum(mask *m, const ir_value *v, const axes *at, mask_form *out)
{
    const ir_node *n = v->producer;
    const ir_value *axis = ir_input(n, 1);
    double number;
    if (!pass_is(n, "CumSum") || !pass_constant(axis) || !dtype_is_int(v->type.dtype) ||
        ir_attr_int(n, "reverse", 0) || !uniform(m, ir_input(n, 0), 0, &number))
        return false;
    int64_t along = tensor_get_int(axis->constant, 0);
    mask_affine index, sum, start = mask_constant(dims_constant(m->dims, (int64_t)number));
    along += along < 0 ? at->rank : 0;
    if (along < 0 || along >= at->rank || !mask_index_of(m, &at->axis[along], &index) ||
        !mask_add(m, ir_attr_int(n, "exclusive", 0) ? &(mask_affine){0} : &start,
                  dims_constant(m->dims, (int64_t)number), &index, &sum))
        return false;
    uint16_t leaf = mask_index(m, &sum, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

/* ReduceSum of a number that is everywhere, over axes that are constants. */
static bool total(mask *m, const ir_value *v, mask_form *out)
{
    const ir_node *n = v->producer;
    const ir_value *from = ir_input(n, 0), *over = ir_input(n, 1);
    double number;
    if (!pass_is(n, "ReduceSum") || !dtype_is_int(v->type.dtype) || from->type.rank < 0 ||
        (over && !pass_constant(over)) || !uniform(m, from, 0, &number))
        return false;
    ir_dim sum = dims_constant(m->dims, (int64_t)number);
    int64_t count = over ? tensor_count(over->constant) : from->type.rank;
    for (int64_t i = 0; i < count; i++) {
        int64_t axis = over ? tensor_get_int(over->constant, i) : i;
        axis += axis < 0 ? from->type.rank : 0;
        sum = dims_mul(m->dims, sum, from->type.dims[axis]);
    }
    mask_affine index = mask_constant(sum);
    uint16_t leaf = sum == DIM_UNKNOWN ? MASK_NONE : mask_index(m, &index, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

bool mask_uniform(mask *m, const ir_value *v, const axes *at, mask_form *out)
{
    double number;
    if (v->producer && (running_sum(m, v, at, out) || total(m, v, out)))
        return true;
    if (!uniform(m, v, 0, &number))
        return false;
    uint16_t leaf = mask_number(m, number, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}
