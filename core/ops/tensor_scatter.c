/* tensor_scatter.c - TensorScatter: a cache with new rows written into it, at a place of its own in
 * each sequence of the batch. */
#include <string.h>

#include "ops/layout.h"

static heed_status find_axis(const op_infer *c, int32_t *axis)
{
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", -2), infer_rank(c, 0), axis));
    return *axis == 0 ? infer_error(c, "an axis behind the batch", "axis 0") : HEED_OK;
}

static heed_status infer_tensor_scatter(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    if (rank < 0 || infer_rank(c, 1) < 0)
        return infer_same(c);
    TRY(find_axis(c, &axis));
    if (infer_rank(c, 1) != rank)
        return infer_error(c, "an update of the cache's rank", "%d for %d", infer_rank(c, 1), rank);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim cache = infer_dim(c, 0, i), update = infer_dim(c, 1, i);
        bool known = dim_known(cache) && dim_known(update);
        if (known && (i == axis ? update > cache : update != cache))
            return infer_error(c, "an update that fits into the cache", "%lld for %lld on axis %d",
                               (long long)update, (long long)cache, i);
    }
    return infer_same(c);
}

typedef struct writing {
    int64_t outer, inner; /* before and behind the axis */
    int64_t capacity, rows;
    bool circular;
} writing;

/* Where sequence `batch` is written from, in [0, capacity). */
static heed_status find_start(const op_call *c, const writing *w, int64_t batch, int64_t *at)
{
    *at = call_has(c, 2) ? tensor_get_int(c->in[2], batch) : 0;
    if (w->circular && w->capacity > 0) {
        *at %= w->capacity;
        *at += *at < 0 ? w->capacity : 0;
    } else if (*at < 0 || *at > w->capacity - w->rows) {
        return call_error(c, HEED_INVALID, "%lld rows from row %lld on, in a cache of %lld",
                          (long long)w->rows, (long long)*at, (long long)w->capacity);
    }
    return HEED_OK;
}

/* Up to the end of the cache, then from its beginning. */
static void write_rows(const op_call *c, const writing *w, int64_t prefix, int64_t at)
{
    heed_tensor *out = c->out[0];
    int64_t until_end = w->capacity - at, first = w->rows < until_end ? w->rows : until_end;
    int64_t cache = prefix * w->capacity * w->inner, update = prefix * w->rows * w->inner;
    const void *from = tensor_data(c->in[1]);
    dtype_copy(out->dtype, tensor_data(out), cache + at * w->inner, from, update, first * w->inner);
    dtype_copy(out->dtype, tensor_data(out), cache, from, update + first * w->inner,
               (w->rows - first) * w->inner);
}

static heed_status run_tensor_scatter(op_call *c)
{
    const heed_tensor *cache = c->in[0], *update = c->in[1];
    heed_tensor *out = call_out(c, 0);
    int64_t raw = ir_attr_int(c->node, "axis", -2);
    int32_t rank = tensor_rank(cache), axis = (int32_t)(raw < 0 ? raw + rank : raw);
    const char *mode = ir_attr_string(c->node, "mode", "linear");
    writing w = {.circular = strcmp(mode, "circular") == 0};
    if (!w.circular && strcmp(mode, "linear") != 0)
        return call_error(c, HEED_INVALID, "mode %s is neither linear nor circular", mode);
    if (!out || tensor_count(cache) == 0)
        return HEED_OK;
    if (call_has(c, 2) && tensor_count(c->in[2]) != cache->dims[0])
        return call_error(c, HEED_INVALID, "%lld write_indices for %lld sequences",
                          (long long)tensor_count(c->in[2]), (long long)cache->dims[0]);
    w.outer = layout_product(cache->dims, 0, axis);
    w.inner = layout_product(cache->dims, axis + 1, rank);
    w.capacity = cache->dims[axis];
    w.rows = update->dims[axis];
    if (tensor_data(out) != tensor_data(cache))
        dtype_copy(cache->dtype, tensor_data(out), 0, tensor_data(cache), 0, tensor_count(cache));
    for (int64_t prefix = 0; prefix < w.outer; prefix++) {
        int64_t at;
        TRY(find_start(c, &w, prefix / (w.outer / cache->dims[0]), &at));
        write_rows(c, &w, prefix, at);
    }
    return HEED_OK;
}

// clang-format off
static const op_def tensor_scatter = {
    .domain = "", .name = "TensorScatter", .since = 24, .flags = OP_INPLACE,
    .signature = "past_cache:T, update:T, write_indices:I? -> present_cache:T",
    .types = "T=any I=int32|int64", .attrs = "mode:string=linear axis:int=-2",
    .infer = infer_tensor_scatter, .run = run_tensor_scatter};

const op_def *const ops_tensor_scatter[] = {&tensor_scatter, NULL};
// clang-format on
