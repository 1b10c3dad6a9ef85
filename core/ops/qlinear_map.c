/* qlinear_map.c - com.microsoft operators that are another operator between numbers on grids:
 * what is read is made real, what comes out goes on the output's grid.
 *
 * One row says which operator, with which attributes, and how its inputs lie among scales and zero
 * points. */
#include "ops/infer_as.h"
#include "ops/quant.h"

typedef struct mapping {
    const char *op;
    const char *attrs; /* that the operator shares with the other */
} mapping;

static bool has_channels_last(const ir_node *n) { return ir_attr_int(n, "channels_last", 0) != 0; }

/* The output's grid lies in inputs i and i + 1. */
static void set_grid(op_body *b, ir_value *y, uint32_t i, const ir_value *like)
{
    if (!b->status)
        body_set(b, 0,
                 quant_grid(b, y, quant_scalar(b, body_in(b, i)),
                            quant_scalar(b, body_in(b, i + 1)), like->type.dtype));
}

/* Inputs i, i + 1, i + 2: numbers, scale, zero point. */
static ir_value *real_at(op_body *b, uint32_t i)
{
    return quant_real(b, body_in(b, i), quant_scalar(b, body_in(b, i + 1)),
                      quant_scalar(b, body_in(b, i + 2)));
}

/* ---- One input: X, its scale and zero point, those of Y ------------------------------------- */

static heed_status infer_one(op_infer *c)
{
    const mapping *m = c->op->data;
    int32_t perm[TENSOR_MAX_RANK];
    ir_type x = *c->in[0], back;
    bool last = has_channels_last(c->node);
    if (last) {
        channels_first(x.rank, perm);
        TRY(infer_permuted(c, c->in[0], perm, &x));
    }
    TRY(infer_as(c, m->op, 1, (const ir_type *[]){&x}));
    if (!last)
        return HEED_OK;
    channels_last(c->out[0].rank, perm);
    TRY(infer_permuted(c, &c->out[0], perm, &back));
    c->out[0] = back;
    return HEED_OK;
}

static void decompose_one(op_body *b)
{
    const mapping *m = b->node->op->data;
    bool last = has_channels_last(b->node);
    ir_value *x = quant_channels_first(b, real_at(b, 0), last);
    ir_value *y = body_1(b, x, "%s", quant_with_attrs(b, m->op, m->attrs));
    set_grid(b, quant_channels_last(b, y, last), 3, body_in(b, 0));
}

/* Without knowing where the channels are; axes in the middle make one of planes. */
static ir_value *global_average(op_body *b, ir_value *x)
{
    ir_value *last = body_1(b, body_1(b, x, "Shape"), "Size"), *one = body_int(b, 1);
    ir_value *axes = body_3(b, one, body_2(b, last, one, "Sub"), one, "Range");
    return body_2(b, x, axes, "ReduceMean keepdims=1");
}

static void decompose_global(op_body *b)
{
    ir_value *x = real_at(b, 0);
    bool last = has_channels_last(b->node);
    ir_value *y = last ? global_average(b, x) : body_1(b, x, "GlobalAveragePool");
    set_grid(b, y, 3, body_in(b, 0));
}

/* Before opset 13 all axes from `axis` on were normalised together. */
static void decompose_softmax(op_body *b)
{
    ir_value *x = real_at(b, 0), *y;
    int64_t axis = ir_attr_int(b->node, "axis", -1);
    bool last = axis == -1 || (!b->status && axis >= 0 && axis + 1 == x->type.rank);
    if (ir_attr_int(b->node, "opset", 13) >= 13 || last) {
        y = body_1(b, x, "Softmax axis=%lld", (long long)axis);
    } else {
        y = body_1(b, body_1(b, x, "Flatten axis=%lld", (long long)axis), "Softmax axis=-1");
        y = body_2(b, y, body_1(b, x, "Shape"), "Reshape allowzero=1");
    }
    set_grid(b, y, 3, body_in(b, 0));
}

/* ---- Axes in an attribute: none are all ----------------------------------------------------- */

static heed_status infer_reduced(op_infer *c)
{
    bool keep = ir_attr_int(c->node, "keepdims", 1) != 0, gone[TENSOR_MAX_RANK] = {false};
    int32_t rank = infer_rank(c, 0), kept = 0, axis;
    ir_dim dims[TENSOR_MAX_RANK];
    uint64_t n = 0;
    const int64_t *axes = ir_attr_ints(c->node, "axes", &n);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    for (uint64_t i = 0; axes && i < n; i++) {
        TRY(infer_axis(c, axes[i], rank, &axis));
        gone[axis] = true;
    }
    for (int32_t i = 0; i < rank; i++) {
        bool reduced = n == 0 || gone[i];
        if (!reduced || keep)
            dims[kept++] = reduced ? 1 : c->in[0]->dims[i];
    }
    return infer_set(c, 0, 0, kept, dims);
}

static ir_value *reduced(op_body *b, ir_value *x, const char *op)
{
    uint64_t n = 0;
    const int64_t *axes = ir_attr_ints(b->node, "axes", &n);
    int keep = ir_attr_int(b->node, "keepdims", 1) != 0;
    return body_2(b, x, n > 0 ? body_ints(b, (int64_t)n, axes) : NULL, "%s keepdims=%d", op, keep);
}

static void decompose_mean(op_body *b)
{
    set_grid(b, reduced(b, real_at(b, 0), "ReduceMean"), 3, body_in(b, 0));
}

static heed_status infer_sum(op_infer *c)
{
    c->out[0].dtype = dtype_is_signed(c->in[0]->dtype) ? HEED_INT32 : HEED_UINT32;
    return infer_reduced(c);
}

static void decompose_sum(op_body *b)
{
    ir_value *x = body_in(b, 0);
    heed_dtype wide = dtype_is_signed(x->type.dtype) ? HEED_INT32 : HEED_UINT32;
    body_set(b, 0, reduced(b, body_cast(b, x, wide), "ReduceSum"));
}

/* ---- Several inputs ------------------------------------------------------------------------- */

static heed_status infer_two(op_infer *c)
{
    return infer_as(c, "Add", 2, (const ir_type *[]){c->in[0], c->in[3]});
}

static void decompose_two(op_body *b)
{
    const mapping *m = b->node->op->data;
    set_grid(b, body_2(b, real_at(b, 0), real_at(b, 3), "%s", m->op), 6, body_in(b, 0));
}

static heed_status infer_product(op_infer *c)
{
    return infer_as(c, "Add", 2, (const ir_type *[]){c->in[0], c->in[2]});
}

/* The int32 that an integer is, less its zero point. */
static ir_value *widened(op_body *b, uint32_t i)
{
    ir_value *x = body_cast(b, body_in(b, i), HEED_INT32), *zero = body_in(b, i + 1);
    return zero ? body_2(b, x, body_cast(b, quant_scalar(b, zero), HEED_INT32), "Sub") : x;
}

static void decompose_product(op_body *b)
{
    body_set(b, 0, body_2(b, widened(b, 0), widened(b, 2), "Mul"));
}

static heed_status infer_where(op_infer *c)
{
    return infer_as(c, "Where", 3, (const ir_type *[]){c->in[0], c->in[1], c->in[4]});
}

static void decompose_where(op_body *b)
{
    ir_value *y = body_3(b, body_in(b, 0), real_at(b, 1), real_at(b, 4), "Where");
    set_grid(b, y, 7, body_in(b, 1));
}

static heed_status infer_concat(op_infer *c)
{
    uint32_t n = (c->n_in - 2) / 3;
    const ir_type **types = arena_array(c->memory, n, sizeof(*types));
    if (!types)
        return HEED_NOMEM;
    if (c->n_in < 5 || (c->n_in - 2) % 3 != 0)
        return infer_error(c, "three inputs for each tensor: numbers, scale, zero point",
                           "%u inputs", c->n_in);
    for (uint32_t i = 0; i < n; i++) {
        types[i] = c->in[2 + 3 * i];
        if (!types[i] || !c->in[3 + 3 * i] || types[i]->dtype != c->in[1]->dtype)
            return infer_error(c, "tensors of the type of Y_zero_point with scales",
                               "another input %u", 2 + 3 * i);
    }
    return infer_as(c, "Concat", n, types);
}

static void decompose_concat(op_body *b)
{
    uint32_t n = (b->node->n_in - 2) / 3;
    ir_value **parts = arena_array(b->scratch, n, sizeof(*parts));
    if (!parts) {
        body_fail(b, HEED_NOMEM, "no memory for %u values", n);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        parts[i] = real_at(b, 2 + 3 * i);
    long long axis = ir_attr_int(b->node, "axis", 0);
    set_grid(b, body_n(b, n, parts, "Concat axis=%lld", axis), 0, body_in(b, 1));
}

// clang-format off
#define POOL "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"
static const mapping as_sigmoid = {"Sigmoid", ""}, as_leaky = {"LeakyRelu", "alpha"},
    as_average = {"AveragePool", POOL}, as_global = {"GlobalAveragePool", ""},
    as_softmax = {"Softmax", ""}, as_add = {"Add", ""}, as_mul = {"Mul", ""};

#define ONE "X:T, X_scale:float32, X_zero_point:T?, Y_scale:float32, Y_zero_point:T? -> Y:T"
#define TWO "A:T, A_scale:float32, A_zero_point:T?, B:T, B_scale:float32, B_zero_point:T?, " \
            "C_scale:float32, C_zero_point:T? -> C:T"
#define ROW(id, op, sign, attributes, mapped, inferred, body)                                      \
    static const op_def id = {                                                                     \
        .domain = "com.microsoft", .name = op, .since = 1, .signature = sign,                      \
        .types = "T=int8|uint8 U=int32|uint32 V=int8|uint8|float32", .attrs = attributes,          \
        .data = mapped, .infer = inferred, .decompose = body}

ROW(sigmoid, "QLinearSigmoid", ONE, "", &as_sigmoid, infer_one, decompose_one);
ROW(leaky, "QLinearLeakyRelu", ONE, "alpha:float=0.01", &as_leaky, infer_one, decompose_one);
ROW(average, "QLinearAveragePool", ONE,
    "auto_pad:string=NOTSET ceil_mode:int=0 channels_last:int=0 count_include_pad:int=0 "
    "kernel_shape:ints! pads:ints strides:ints", &as_average, infer_one, decompose_one);
ROW(global, "QLinearGlobalAveragePool", ONE, "channels_last:int=0", &as_global, infer_one,
    decompose_global);
ROW(softmax, "QLinearSoftmax", ONE, "axis:int=-1 opset:int!", &as_softmax, infer_one,
    decompose_softmax);
ROW(mean, "QLinearReduceMean", ONE, "axes:ints keepdims:int=1", NULL, infer_reduced,
    decompose_mean);
ROW(sum, "ReduceSumInteger", "data:T -> reduced:U", "axes:ints keepdims:int=1", NULL, infer_sum,
    decompose_sum);
ROW(add, "QLinearAdd", TWO, "", &as_add, infer_two, decompose_two);
ROW(mul, "QLinearMul", TWO, "", &as_mul, infer_two, decompose_two);
ROW(product, "MulInteger", "A:T, A_zero_point:T?, B:T, B_zero_point:T? -> C:int32", "", NULL,
    infer_product, decompose_product);
ROW(where, "QLinearWhere", "condition:bool, X:T, x_scale:float32, x_zero_point:T, Y:T, "
    "y_scale:float32, y_zero_point:T, z_scale:float32, z_zero_point:T -> Z:T", "", NULL,
    infer_where, decompose_where);
ROW(concat, "QLinearConcat", "Y_scale:float32, Y_zero_point:T, inputs:V** -> Y:T", "axis:int!",
    NULL, infer_concat, decompose_concat);

const op_def *const ops_qlinear_map[] = {&sigmoid, &leaky, &average, &global, &softmax, &mean,
                                         &sum, &add, &mul, &product, &where, &concat, NULL};
// clang-format on
