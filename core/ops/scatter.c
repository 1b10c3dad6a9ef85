/* scatter.c - elements written by index into a copy: ScatterElements, ScatterND, and what happens
 * where two meet (reduction). */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* ---- Reductions ---------------------------------------------------------------------------- */

static float add_f32(float a, float b) { return a + b; }
static float mul_f32(float a, float b) { return a * b; }
static float min_f32(float a, float b) { return a < b || isnan(a) ? a : b; }
static float max_f32(float a, float b) { return a > b || isnan(a) ? a : b; }
static double add_f64(double a, double b) { return a + b; }
static double mul_f64(double a, double b) { return a * b; }
static double min_f64(double a, double b) { return a < b || isnan(a) ? a : b; }
static double max_f64(double a, double b) { return a > b || isnan(a) ? a : b; }
static uint64_t add_u64(uint64_t a, uint64_t b) { return a + b; }
static uint64_t mul_u64(uint64_t a, uint64_t b) { return a * b; }
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static int64_t add_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t mul_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

typedef struct reduction {
    const char *name;
    float (*f32)(float, float);
    double (*f64)(double, double);
    int64_t (*i64)(int64_t, int64_t);
    uint64_t (*u64)(uint64_t, uint64_t);
} reduction;

static const reduction reductions[] = {
    {"add", add_f32, add_f64, add_i64, add_u64},
    {"mul", mul_f32, mul_f64, mul_i64, mul_u64},
    {"min", min_f32, min_f64, min_i64, min_u64},
    {"max", max_f32, max_f64, max_i64, max_u64},
};

/* Element `to` of dst becomes its combination with element `from` of src. */
typedef void (*combine)(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                        const void *src, int64_t from);

static void combine_f32(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                        const void *src, int64_t from)
{
    float a, b;
    dtype_load_f32(dtype, dst, to, 1, &a);
    dtype_load_f32(dtype, src, from, 1, &b);
    a = r->f32(a, b);
    dtype_store_f32(dtype, dst, to, 1, &a, true);
}

static void combine_f64(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                        const void *src, int64_t from)
{
    double a, b;
    dtype_load_f64(dtype, dst, to, 1, &a);
    dtype_load_f64(dtype, src, from, 1, &b);
    a = r->f64(a, b);
    dtype_store_f64(dtype, dst, to, 1, &a, true);
}

static void combine_i64(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                        const void *src, int64_t from)
{
    int64_t a, b;
    dtype_load_i64(dtype, dst, to, 1, &a);
    dtype_load_i64(dtype, src, from, 1, &b);
    a = r->i64(a, b);
    dtype_store_i64(dtype, dst, to, 1, &a);
}

static void combine_u64(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                        const void *src, int64_t from)
{
    uint64_t a, b;
    dtype_load_u64(dtype, dst, to, 1, &a);
    dtype_load_u64(dtype, src, from, 1, &b);
    a = r->u64(a, b);
    dtype_store_u64(dtype, dst, to, 1, &a);
}

/* Sum is or, product is and: as in two-valued logic. */
static void combine_bool(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                         const void *src, int64_t from)
{
    uint8_t *a = (uint8_t *)dst + to;
    const uint8_t *b = (const uint8_t *)src + from;
    (void)dtype;
    *a = r->u64(*a != 0, *b != 0) != 0;
}

/* Complex numbers have a sum and a product, but no order. */
static void combine_complex(const reduction *r, heed_dtype dtype, void *dst, int64_t to,
                            const void *src, int64_t from)
{
    heed_dtype part = dtype == HEED_COMPLEX64 ? HEED_FLOAT32 : HEED_FLOAT64;
    double a[2], b[2], out[2];
    dtype_load_f64(part, dst, 2 * to, 2, a);
    dtype_load_f64(part, src, 2 * from, 2, b);
    bool sum = r->f64 == add_f64;
    out[0] = sum ? a[0] + b[0] : a[0] * b[0] - a[1] * b[1];
    out[1] = sum ? a[1] + b[1] : a[0] * b[1] + a[1] * b[0];
    dtype_store_f64(part, dst, 2 * to, 2, out, true);
}

static const combine combines[] = {
    [CLASS_F32] = combine_f32,     [CLASS_F64] = combine_f64,      [CLASS_I64] = combine_i64,
    [CLASS_U64] = combine_u64,     [CLASS_BOOL] = combine_bool,    [CLASS_STRING] = NULL,
    [CLASS_C64] = combine_complex, [CLASS_C128] = combine_complex,
};

/* ---- Writing ------------------------------------------------------------------------------- */

typedef struct writer {
    const op_call *call;
    const reduction *reduce; /* NULL: the new element replaces the old one */
    combine combine;
    heed_dtype dtype;
    void *dst;
    const void *src;
} writer;

static heed_status writer_new(op_call *c, writer *w)
{
    const char *name = ir_attr_string(c->node, "reduction", "none");
    heed_tensor *out = c->out[0];
    dtype_class class = dtype_get_class(out->dtype);
    *w = (writer){c, NULL, combines[class], out->dtype, tensor_data(out), tensor_data(c->in[2])};
    for (size_t i = 0; i < sizeof(reductions) / sizeof(reductions[0]); i++)
        if (strcmp(reductions[i].name, name) == 0)
            w->reduce = &reductions[i];
    if (!w->reduce && strcmp(name, "none") != 0)
        return call_error(c, HEED_INVALID, "reduction is none, add, mul, min or max, not %s", name);
    bool complex = class == CLASS_C64 || class == CLASS_C128;
    bool ordered = w->reduce && w->reduce->f64 != add_f64 && w->reduce->f64 != mul_f64;
    if (w->reduce && (!w->combine || (complex && ordered)))
        return call_error(c, HEED_UNSUPPORTED, "reduction %s is not defined for %s", name,
                          dtype_name(out->dtype));
    if (tensor_data(out) != tensor_data(c->in[0]))
        dtype_copy(out->dtype, tensor_data(out), 0, tensor_data(c->in[0]), 0, tensor_count(out));
    return HEED_OK;
}

static void writer_put(const writer *w, int64_t to, int64_t from, int64_t n)
{
    if (!w->reduce) {
        dtype_copy(w->dtype, w->dst, to, w->src, from, n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        w->combine(w->reduce, w->dtype, w->dst, to + i, w->src, from + i);
}

/* ---- ScatterElements ----------------------------------------------------------------------- */

static heed_status same_extent(op_infer *c, ir_dim updates, ir_dim expected, int32_t axis)
{
    if (dim_known(updates) && dim_known(expected) && updates != expected)
        return infer_error(c, "updates that match indices and data", "%lld for %lld on axis %d",
                           (long long)updates, (long long)expected, axis);
    return HEED_OK;
}

static heed_status infer_elements(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    if (rank < 0 || infer_rank(c, 1) < 0 || infer_rank(c, 2) < 0)
        return infer_set_like(c, 0, 0);
    if (infer_rank(c, 1) != rank || infer_rank(c, 2) != rank)
        return infer_error(c, "indices and updates of the rank of data", "%d and %d for %d",
                           infer_rank(c, 1), infer_rank(c, 2), rank);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    for (int32_t i = 0; i < rank; i++) {
        ir_dim data = c->in[0]->dims[i], indices = c->in[1]->dims[i];
        TRY(same_extent(c, c->in[2]->dims[i], indices, i));
        if (i != axis && dim_known(data) && dim_known(indices) && indices > data)
            return infer_error(c, "indices no larger than data beside the axis",
                               "%lld of %lld on axis %d", (long long)indices, (long long)data, i);
    }
    return infer_set_like(c, 0, 0);
}

/* A few entries of a list of integers are written anew: how TorchScript makes the shape of indices
 * for index_copy. */
static void content_elements(op_infer *c)
{
    content_entry *data, *at, *with;
    int64_t n, n_at, n_with;
    if (c->out[0].rank != 1 || !dtype_is_int(c->out[0].dtype) ||
        strcmp(ir_attr_string(c->node, "reduction", "none"), "none") != 0 ||
        !content_get(c, 0, &data, &n) || !content_get(c, 1, &at, &n_at) ||
        !content_get(c, 2, &with, &n_with) || n_at != n_with)
        return;
    ir_dim *values = infer_dims_new(c, n);
    for (int64_t i = 0; values && i < n; i++)
        values[i] = data[i].dim;
    for (int64_t i = 0; values && i < n_at; i++) {
        int64_t to = at[i].number + (at[i].number < 0 ? n : 0);
        if (!at[i].known || to < 0 || to >= n)
            return;
        values[to] = with[i].dim;
    }
    if (values)
        content_put(c, 0, n, values);
}

static heed_status run_elements(op_call *c)
{
    int64_t *indices = call_ints(c, 1), strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    heed_tensor *out = call_out(c, 0);
    writer w;
    if (!indices || !out)
        return indices ? HEED_OK : err_get()->status;
    int32_t rank = tensor_rank(out);
    int64_t axis = ir_attr_int(c->node, "axis", 0);
    axis = axis < 0 ? axis + rank : axis;
    TRY(writer_new(c, &w));
    layout_strides(rank, out->dims, strides);
    for (int64_t i = 0, n = tensor_count(c->in[1]); i < n; i++) {
        int64_t to = 0;
        TRY(call_index(c, &indices[i], out->dims[axis]));
        for (int32_t k = 0; k < rank; k++)
            to += (k == axis ? indices[i] : index[k]) * strides[k];
        writer_put(&w, to, i, 1);
        layout_next(rank, c->in[1]->dims, index);
    }
    return HEED_OK;
}

/* ---- ScatterND ----------------------------------------------------------------------------- */

static heed_status infer_nd(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), q = infer_rank(c, 1);
    ir_dim depth = infer_dim(c, 1, q - 1);
    if (rank == 0 || q == 0)
        return infer_error(c, "data and indices of rank 1 or more", "ranks %d and %d", rank, q);
    if (rank < 0 || !dim_known(depth))
        return infer_set_like(c, 0, 0);
    if (depth < 1 || depth > rank)
        return infer_error(c, "a last extent of indices from 1 to the rank of data", "%lld",
                           (long long)depth);
    int32_t whole = q - 1 + rank - (int32_t)depth;
    if (infer_rank(c, 2) >= 0 && infer_rank(c, 2) != whole)
        return infer_error(c, "updates that match indices and data", "rank %d, not %d",
                           infer_rank(c, 2), whole);
    for (int32_t i = 0; i < whole && infer_rank(c, 2) >= 0; i++) {
        ir_dim expected = i < q - 1 ? c->in[1]->dims[i] : c->in[0]->dims[depth + i - (q - 1)];
        TRY(same_extent(c, c->in[2]->dims[i], expected, i));
    }
    return infer_set_like(c, 0, 0);
}

static heed_status run_nd(op_call *c)
{
    const heed_tensor *where = c->in[1];
    heed_tensor *out = call_out(c, 0);
    int64_t *indices = call_ints(c, 1), strides[TENSOR_MAX_RANK];
    int32_t q = tensor_rank(where);
    writer w;
    if (!indices || !out)
        return indices ? HEED_OK : err_get()->status;
    int64_t depth = where->dims[q - 1], tuples = layout_product(where->dims, 0, q - 1);
    int64_t inner = layout_product(out->dims, (int32_t)depth, tensor_rank(out));
    TRY(writer_new(c, &w));
    layout_strides(tensor_rank(out), out->dims, strides);
    for (int64_t i = 0; i < tuples; i++) {
        int64_t to = 0;
        for (int64_t k = 0; k < depth; k++) {
            TRY(call_index(c, &indices[i * depth + k], out->dims[k]));
            to += indices[i * depth + k] * strides[k];
        }
        if (inner > 0)
            writer_put(&w, to, i * inner, inner);
    }
    return HEED_OK;
}

// clang-format off
static const op_def scatter_elements = {
    .domain = "", .name = "ScatterElements", .since = 18, .flags = OP_INPLACE,
    .signature = "data:T, indices:I, updates:T -> output:T", .types = "T=any I=int32|int64",
    .attrs = "axis:int=0 reduction:string=none", .infer = infer_elements,
    .content = content_elements, .run = run_elements};
static const op_def scatter_nd = {
    .domain = "", .name = "ScatterND", .since = 18, .flags = OP_INPLACE,
    .signature = "data:T, indices:I, updates:T -> output:T", .types = "T=any I=int64",
    .attrs = "reduction:string=none", .infer = infer_nd, .run = run_nd};
// clang-format on

const op_def *const ops_scatter[] = {&scatter_elements, &scatter_nd, NULL};
