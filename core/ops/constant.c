/* constant.c - values from nowhere: Constant, ConstantOfShape, Range. */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* ---- Constant: a node that carries its value as an attribute -------------------------------- */

typedef struct constant_form {
    const char *attr;
    heed_dtype dtype; /* 0: the tensor's own */
    bool list;
} constant_form;

static const constant_form constant_forms[] = {
    {"value", HEED_UNDEFINED, false},     {"value_float", HEED_FLOAT32, false},
    {"value_floats", HEED_FLOAT32, true}, {"value_int", HEED_INT64, false},
    {"value_ints", HEED_INT64, true},     {"value_string", HEED_STRING, false},
    {"value_strings", HEED_STRING, true},
};

static const heed_attribute *find_form(const ir_node *n, const constant_form **form)
{
    for (size_t i = 0; i < sizeof(constant_forms) / sizeof(constant_forms[0]); i++) {
        const ir_attr *attr = ir_node_attr(n, constant_forms[i].attr);
        *form = &constant_forms[i];
        if (attr)
            return &attr->view;
    }
    return NULL;
}

static heed_status infer_constant(op_infer *c)
{
    const constant_form *form;
    const heed_attribute *a = find_form(c->node, &form);
    if (!a)
        return infer_error(c,
                           "one of the attributes value, value_float(s), value_int(s), "
                           "value_string(s)",
                           "none");
    if (form->dtype == HEED_UNDEFINED) {
        const DLTensor *t = a->tensor;
        if (!t)
            return infer_error(c, "a tensor in attribute value", "none");
        return infer_set(c, 0, dtype_from_dl(t->dtype), t->ndim, t->shape);
    }
    ir_dim n = (ir_dim)a->n;
    return infer_set(c, 0, form->dtype, form->list ? 1 : 0, &n);
}

static heed_status run_constant(op_call *c)
{
    const constant_form *form;
    const heed_attribute *a = find_form(c->node, &form);
    heed_tensor *out = call_out(c, 0);
    if (!a || !out)
        return a ? HEED_OK : call_error(c, HEED_INVALID, "the node has no value");
    float single = (float)a->f;
    const void *from = NULL;
    if (form->dtype == HEED_UNDEFINED)
        from = (const char *)a->tensor->data + a->tensor->byte_offset;
    else if (form->dtype == HEED_FLOAT32)
        from = form->list ? (const void *)a->floats : &single;
    else if (form->dtype == HEED_INT64)
        from = form->list ? (const void *)a->ints : &a->i;
    else
        from = form->list ? (const void *)a->strings : &a->s;
    dtype_copy(out->dtype, tensor_data(out), 0, from, 0, tensor_count(out));
    return HEED_OK;
}

static void content_constant(op_infer *c)
{
    const constant_form *form;
    const heed_attribute *a = find_form(c->node, &form);
    if (!a || form->dtype != HEED_INT64)
        return;
    int64_t n = form->list ? (int64_t)a->n : 1;
    ir_dim *values = n <= CONTENT_MAX ? infer_dims_new(c, n) : NULL;
    for (int64_t i = 0; values && i < n; i++)
        values[i] = dims_constant(c->dims, form->list ? a->ints[i] : a->i);
    if (values)
        content_put(c, 0, n, values);
}

/* ---- ConstantOfShape ----------------------------------------------------------------------- */

static const DLTensor *fill_value(const ir_node *n)
{
    const ir_attr *attr = ir_node_attr(n, "value");
    return attr ? attr->view.tensor : NULL;
}

static heed_status infer_filled(op_infer *c)
{
    const DLTensor *value = fill_value(c->node);
    heed_dtype dtype = value ? dtype_from_dl(value->dtype) : HEED_FLOAT32;
    content_entry *entries;
    int64_t n, count = 1;
    if (value && (!shape_count(value->ndim, value->shape, &count) || count != 1))
        return infer_error(c, "one element in attribute value", "%lld", (long long)count);
    if (infer_rank(c, 0) > 1)
        return infer_error(c, "a shape of rank 1", "rank %d", infer_rank(c, 0));
    if (!content_get(c, 0, &entries, &n)) {
        ir_dim rank = infer_dim(c, 0, 0);
        bool usable = rank >= 0 && rank <= TENSOR_MAX_RANK;
        return infer_set_unknown(c, 0, dtype, usable ? (int32_t)rank : -1);
    }
    if (n > TENSOR_MAX_RANK)
        return infer_error(c, "at most 16 dims", "%lld", (long long)n);
    ir_dim dims[TENSOR_MAX_RANK];
    for (int64_t i = 0; i < n; i++) {
        if (entries[i].known && entries[i].number < 0)
            return infer_error(c, "extents of at least 0", "%lld", (long long)entries[i].number);
        dims[i] = content_extent(c, &entries[i]);
    }
    return infer_set(c, 0, dtype, (int32_t)n, dims);
}

static heed_status run_filled(op_call *c)
{
    const DLTensor *value = fill_value(c->node);
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    if (value)
        layout_fill(out->dtype, tensor_data(out), 0, tensor_count(out),
                    (const char *)value->data + value->byte_offset, 0);
    else
        layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    return HEED_OK;
}

static void content_filled(op_infer *c)
{
    const DLTensor *value = fill_value(c->node);
    const ir_type *out = &c->out[0];
    int64_t number, n = out->rank == 1 ? out->dims[0] : 1;
    if (!value || !dtype_is_int(out->dtype) || out->rank > 1 || n < 0 || n > CONTENT_MAX)
        return;
    ir_dim *values = infer_dims_new(c, n);
    dtype_load_i64(out->dtype, (const char *)value->data + value->byte_offset, 0, 1, &number);
    for (int64_t i = 0; values && i < n; i++)
        values[i] = dims_constant(c->dims, number);
    if (values)
        content_put(c, 0, n, values);
}

/* ---- Range --------------------------------------------------------------------------------- */

static bool count_ints(int64_t start, int64_t limit, int64_t delta, uint64_t *count)
{
    bool up = delta > 0;
    uint64_t from = (uint64_t)start, to = (uint64_t)limit, step = (uint64_t)delta;
    if (delta == 0)
        return false;
    uint64_t distance = up ? to - from : from - to;
    bool empty = up ? limit <= start : limit >= start;
    *count = empty ? 0 : (distance - 1) / (up ? step : 0 - step) + 1;
    return true;
}

static bool count_floats(double start, double limit, double delta, uint64_t *count)
{
    double n = ceil((limit - start) / delta);
    if (isnan(n) || n > (double)TENSOR_MAX_DIM)
        return false;
    *count = n > 0 ? (uint64_t)n : 0;
    return true;
}

/* The number of elements from symbols: limit - start, divided by a step that is a number. */
static ir_dim count_dims(op_infer *c, const content_entry *e)
{
    if (!e[2].known || e[2].number < 1)
        return dims_fresh(c->dims);
    ir_dim distance = dims_sub(c->dims, e[1].dim, e[0].dim);
    if (!dims_nonnegative(c->dims, distance))
        distance = dims_max(c->dims, distance, 0);
    return dims_ceil_div(c->dims, distance, e[2].dim);
}

static heed_status set_count(op_infer *c, bool good, uint64_t count)
{
    if (!good)
        return infer_error(c, "a finite range with a delta other than 0", "another");
    if (count > (uint64_t)TENSOR_MAX_DIM)
        return infer_error(c, "at most 2^40 elements", "%llu", (unsigned long long)count);
    ir_dim dim = (ir_dim)count;
    return infer_set(c, 0, 0, 1, &dim);
}

static heed_status infer_float_range(op_infer *c)
{
    double v[3];
    uint64_t count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (!c->in_tensors[i])
            return infer_set_unknown(c, 0, 0, 1);
        v[i] = tensor_get_float(c->in_tensors[i], 0);
    }
    bool good = count_floats(v[0], v[1], v[2], &count);
    return set_count(c, good, count);
}

static heed_status infer_range(op_infer *c)
{
    content_entry e[3];
    uint64_t count = 0;
    for (uint32_t i = 0; i < 3; i++)
        if (infer_rank(c, i) > 1 ||
            (infer_rank(c, i) == 1 && dim_known(infer_dim(c, i, 0)) && infer_dim(c, i, 0) != 1))
            return infer_error(c, "scalars", "input %u of rank %d", i, infer_rank(c, i));
    if (dtype_is_float(c->out[0].dtype))
        return infer_float_range(c);
    for (uint32_t i = 0; i < 3; i++)
        if (!content_scalar(c, i, 0, &e[i]))
            return infer_set_unknown(c, 0, 0, 1);
    if (e[0].known && e[1].known && e[2].known) {
        bool good = count_ints(e[0].number, e[1].number, e[2].number, &count);
        return set_count(c, good, count);
    }
    ir_dim dim = count_dims(c, e);
    return infer_set(c, 0, 0, 1, &dim);
}

static void content_range(op_infer *c)
{
    content_entry start, delta;
    const ir_type *out = &c->out[0];
    if (!dtype_is_int(out->dtype) || out->rank != 1 || !dim_known(out->dims[0]) ||
        out->dims[0] > CONTENT_MAX)
        return;
    if (!content_scalar(c, 0, 0, &start) || !content_scalar(c, 2, 0, &delta))
        return;
    ir_dim *values = infer_dims_new(c, out->dims[0]);
    for (int64_t i = 0; values && i < out->dims[0]; i++)
        values[i] = dims_add(c->dims, start.dim, dims_mul(c->dims, delta.dim, i));
    if (values)
        content_put(c, 0, out->dims[0], values);
}

static void range_ints(const op_call *c, heed_tensor *out)
{
    int64_t n = tensor_count(out);
    uint64_t start = (uint64_t)tensor_get_int(c->in[0], 0);
    uint64_t delta = (uint64_t)tensor_get_int(c->in[2], 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t value = (int64_t)(start + (uint64_t)i * delta);
        dtype_store_i64(out->dtype, tensor_data(out), i, 1, &value);
    }
}

static void range_doubles(const op_call *c, heed_tensor *out)
{
    double start = tensor_get_float(c->in[0], 0), delta = tensor_get_float(c->in[2], 0);
    double *values = tensor_data(out);
    for (int64_t i = 0, n = tensor_count(out); i < n; i++)
        values[i] = start + (double)i * delta;
}

static void range_floats(const op_call *c, heed_tensor *out)
{
    float start = (float)tensor_get_float(c->in[0], 0);
    float delta = (float)tensor_get_float(c->in[2], 0);
    for (int64_t i = 0, n = tensor_count(out); i < n; i++) {
        float value = start + (float)i * delta;
        dtype_store_f32(out->dtype, tensor_data(out), i, 1, &value, false);
    }
}

static heed_status run_range(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    if (out->dtype == HEED_FLOAT64)
        range_doubles(c, out);
    else if (dtype_is_float(out->dtype))
        range_floats(c, out);
    else
        range_ints(c, out);
    return HEED_OK;
}

// clang-format off
static const op_def constant = {
    .domain = "", .name = "Constant", .since = 25,
    .signature = "-> output:T", .types = "T=any",
    .attrs = "value:tensor value_float:float value_floats:floats value_int:int value_ints:ints "
             "value_string:string value_strings:strings",
    .infer = infer_constant, .content = content_constant, .run = run_constant};
static const op_def constant_of_shape = {
    .domain = "", .name = "ConstantOfShape", .since = 25,
    .signature = "input:int64 -> output:T",
    .types = "T=any", .attrs = "value:tensor",
    .infer = infer_filled, .content = content_filled, .run = run_filled};
static const op_def range = {
    .domain = "", .name = "Range", .since = 27,
    .signature = "start:T, limit:T, delta:T -> output:T",
    .types = "T=real", .attrs = "stash_type:int=1",
    .infer = infer_range, .content = content_range, .run = run_range};
// clang-format on

const op_def *const ops_constant[] = {&constant, &constant_of_shape, &range, NULL};
