/* gather_blocks.c - rows picked from a table of small numbers and made real: GatherBlockQuantized
 * of com.microsoft. Unlike Gather, an index out of range picks zeros. */
#include "ops/layout.h"
#include "ops/nbits.h"

enum { DATA, INDICES, SCALES, ZEROS };

/* Numbers in a byte of the table: the last axis has as many times its extent. */
static int64_t packed(const ir_node *n, heed_dtype dtype)
{
    return dtype == HEED_UINT8 ? 8 / ir_attr_int(n, "bits", 4) : 1;
}

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_attributes(op_infer *c, bool is_float)
{
    int64_t bits = ir_attr_int(c->node, "bits", 4), block = ir_attr_int(c->node, "block_size", 128);
    if (bits != 2 && bits != 4 && bits != 8)
        return infer_error(c, "2, 4 or 8 bits", "%lld", (long long)bits);
    if (is_float && block == 0)
        return infer_has(c, ZEROS) ? infer_error(c, "no zero points of floats", "some") : HEED_OK;
    if (block < 16 || block > INT32_MAX || (block & (block - 1)) != 0)
        return infer_error(c, "a block_size that is a power of two, 16 or more", "%lld",
                           (long long)block);
    if (is_float && infer_has(c, ZEROS))
        return infer_error(c, "no zero points of floats", "some");
    return HEED_OK;
}

/* Scales (and zero points, `per_byte` in a byte) fit the table, block by block along an axis. */
static heed_status check_blocks(op_infer *c, uint32_t i, int32_t axis, int64_t per_byte)
{
    const ir_type *data = c->in[DATA];
    int64_t block = ir_attr_int(c->node, "block_size", 128);
    int64_t wide = packed(c->node, data->dtype);
    bool repeats = dtype_is_float(data->dtype);
    if (infer_rank(c, i) < 0)
        return HEED_OK;
    if (infer_rank(c, i) != data->rank)
        return infer_error(c, "scales and zero points of the rank of data", "rank %d",
                           infer_rank(c, i));
    for (int32_t k = 0; k < data->rank; k++) {
        ir_dim need = data->dims[k], found = infer_dim(c, i, k);
        if (k == data->rank - 1)
            need = dims_mul(c->dims, need, wide);
        if (k == axis)
            need = block > 0 ? dims_ceil_div(c->dims, need, block) : 1;
        if (k == data->rank - 1)
            need = dims_ceil_div(c->dims, need, per_byte);
        bool fits = found == need || (repeats && k != axis && found == 1);
        if (dim_known(found) && dim_known(need) && !fits)
            return infer_error(c, "scales and zero points for each block of data",
                               "%lld for %lld on axis %d", (long long)found, (long long)need, k);
    }
    return HEED_OK;
}

static heed_status infer_gather(op_infer *c)
{
    int32_t rank = infer_rank(c, DATA), more = infer_rank(c, INDICES), gather, axis, n = 0;
    ir_dim dims[2 * TENSOR_MAX_RANK];
    TRY(check_attributes(c, dtype_is_float(c->in[DATA]->dtype)));
    if (rank < 0 || more < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "gather_axis", 0), rank, &gather));
    TRY(infer_axis(c, ir_attr_int(c->node, "quantize_axis", 1), rank, &axis));
    int64_t wide = packed(c->node, c->in[DATA]->dtype);
    if (wide > 1 && gather == rank - 1)
        return infer_error(c, "a gather_axis before the last, which is packed", "%d", gather);
    TRY(check_blocks(c, SCALES, axis, 1));
    if (infer_has(c, ZEROS))
        TRY(check_blocks(c, ZEROS, axis, wide));
    for (int32_t i = 0; i < gather; i++)
        dims[n++] = c->in[DATA]->dims[i];
    for (int32_t i = 0; i < more; i++)
        dims[n++] = c->in[INDICES]->dims[i];
    for (int32_t i = gather + 1; i < rank; i++)
        dims[n++] = c->in[DATA]->dims[i];
    if (gather < rank - 1)
        dims[n - 1] = dims_mul(c->dims, dims[n - 1], wide);
    return infer_set(c, 0, 0, n, dims);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

typedef struct table {
    const heed_tensor *data, *scales, *zeros;
    int32_t rank, axis;
    int64_t block, wide;
    uint32_t bits;
    int64_t dims[TENSOR_MAX_RANK];  /* of the table, in numbers */
    int64_t steps[TENSOR_MAX_RANK]; /* of the scales; 0 repeats */
} table;

static void describe(const op_call *c, table *t)
{
    t->data = c->in[DATA];
    t->scales = c->in[SCALES];
    t->zeros = call_has(c, ZEROS) ? c->in[ZEROS] : NULL;
    t->rank = tensor_rank(t->data);
    int64_t axis = ir_attr_int(c->node, "quantize_axis", 1);
    t->axis = (int32_t)(axis < 0 ? axis + t->rank : axis);
    t->wide = packed(c->node, t->data->dtype);
    t->bits = (uint32_t)(8 / t->wide);
    for (int32_t i = 0; i < t->rank; i++)
        t->dims[i] = t->data->dims[i] * (i == t->rank - 1 ? t->wide : 1);
    t->block = ir_attr_int(c->node, "block_size", 128);
    t->block = t->block > 0 ? t->block : t->dims[t->axis] > 0 ? t->dims[t->axis] : 1;
    layout_strides(t->rank, t->scales->dims, t->steps);
    for (int32_t i = 0; i < t->rank; i++)
        t->steps[i] = t->scales->dims[i] == 1 ? 0 : t->steps[i];
}

static float number_at(const table *t, int64_t flat)
{
    float x;
    if (t->data->dtype == HEED_UINT8) /* rows are whole bytes */
        return (float)nbits_get(t->bits, tensor_data(t->data), flat);
    dtype_load_f32(t->data->dtype, tensor_data(t->data), flat, 1, &x);
    return x;
}

/* Zero point of block `at`, counted as the scales are. */
static float zero_at(const table *t, int64_t at)
{
    if (!t->zeros)
        return t->data->dtype == HEED_UINT8 ? (float)(1u << (t->bits - 1)) : 0.0f;
    float zero;
    int64_t columns = t->scales->dims[t->rank - 1], bytes = t->zeros->dims[t->rank - 1];
    if (t->wide > 1) {
        const uint8_t *row = (const uint8_t *)tensor_data(t->zeros) + at / columns * bytes;
        return (float)nbits_get(t->bits, row, at % columns);
    }
    dtype_load_f32(t->zeros->dtype, tensor_data(t->zeros), at, 1, &zero);
    return zero;
}

/* n numbers from element `flat` on, within one line of the last axis. */
static void load_line(const table *t, int64_t flat, int64_t n, float *out)
{
    int64_t index[TENSOR_MAX_RANK], at = 0, last = t->rank - 1;
    layout_index(flat, t->rank, t->dims, index);
    for (int32_t i = 0; i < last; i++)
        at += (i == t->axis ? index[i] / t->block : index[i]) * t->steps[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t j = index[last] + k;
        int64_t place = at + (last == t->axis ? j / t->block : j) * t->steps[last];
        float scale;
        dtype_load_f32(t->scales->dtype, tensor_data(t->scales), place, 1, &scale);
        out[k] = (number_at(t, flat + k) - zero_at(t, place)) * scale;
    }
}

/* `count` numbers from `flat` on, line by line, to element `to` of the output. */
static void load_slice(const table *t, int64_t flat, int64_t count, heed_tensor *out, int64_t to)
{
    float block[256];
    int64_t line = t->dims[t->rank - 1];
    for (int64_t done = 0, n; done < count; done += n) {
        int64_t left = line - (flat + done) % line;
        n = left < count - done ? left : count - done;
        n = n < 256 ? n : 256;
        load_line(t, flat + done, n, block);
        dtype_store_f32(out->dtype, tensor_data(out), to + done, n, block, false);
    }
}

static heed_status run_gather(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    table t = {.rank = 0};
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    describe(c, &t);
    int64_t n = tensor_count(c->in[INDICES]), *indices = call_ints(c, INDICES), to = 0;
    int64_t axis = ir_attr_int(c->node, "gather_axis", 0);
    int32_t gather = (int32_t)(axis < 0 ? axis + t.rank : axis);
    int64_t outer = layout_product(t.dims, 0, gather), dim = t.dims[gather];
    int64_t inner = layout_product(t.dims, gather + 1, t.rank);
    if (!indices)
        return err_get()->status;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++, to += inner) {
            int64_t at = indices[i] < 0 ? indices[i] + dim : indices[i];
            if (at < 0 || at >= dim)
                layout_zero(out->dtype, tensor_data(out), to, inner);
            else
                load_slice(&t, (o * dim + at) * inner, inner, out, to);
        }
    return HEED_OK;
}

// clang-format off
static const op_def gather_blocks = {
    .domain = "com.microsoft", .name = "GatherBlockQuantized", .since = 1,
    .signature = "data:T, indices:I, scales:F, zero_points:T? -> output:F",
    .types = "T=int4|uint4|uint8|float8e4m3fn|float8e4m3fnuz|float8e5m2|float8e5m2fnuz|float4e2m1 "
             "I=int32|int64 F=float32|float16|bfloat16",
    .attrs = "bits:int=4 block_size:int=128 gather_axis:int=0 quantize_axis:int=1",
    .infer = infer_gather, .run = run_gather};

const op_def *const ops_gather_blocks[] = {&gather_blocks, NULL};
// clang-format on
