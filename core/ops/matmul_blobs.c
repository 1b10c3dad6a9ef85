/* matmul_blobs.c - MatMulFpQ4 of com.microsoft: a weight of 4 bits in one blob. Column after
 * column, block after block, there is a scale (float32), where the type has one a zero point (a
 * byte), and nibbles: of 32 elements the first half lies in the low ones, the second half in the
 * high ones. */
#include <string.h>

#include "ops/rows.h"

enum { A, B, SHAPE, RUN = 32 };

typedef struct blob_type {
    int64_t id, block;
    bool has_zero;
} blob_type;

static const blob_type types[] = {{0, 32, false}, {1, 32, true}, {2, 64, false}};

static const blob_type *type_of(const ir_node *n)
{
    int64_t id = ir_attr_int(n, "blk_quant_type", 1);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

static int64_t block_bytes(const blob_type *t)
{
    return (int64_t)sizeof(float) + t->has_zero + t->block / 2;
}

/* ---- Inference ------------------------------------------------------------------------------ */

/* The blob holds a weight of k * n. */
static heed_status check_blob(op_infer *c, const blob_type *t, int64_t k, int64_t n)
{
    ir_dim bytes = infer_dim(c, B, 0);
    if (k < 1 || n < 1 || k > INT32_MAX || n > INT32_MAX)
        return infer_error(c, "a B_shape of two extents from 1 to 2^31", "%lld and %lld",
                           (long long)k, (long long)n);
    int64_t need = (k + t->block - 1) / t->block * block_bytes(t) * n;
    if (infer_rank(c, B) >= 0 && infer_rank(c, B) != 1)
        return infer_error(c, "a blob of rank 1", "rank %d", infer_rank(c, B));
    if (dim_known(bytes) && bytes < need)
        return infer_error(c, "a blob that holds B_shape", "%lld bytes, not %lld", (long long)bytes,
                           (long long)need);
    return HEED_OK;
}

static heed_status infer_blob(op_infer *c)
{
    const blob_type *t = type_of(c->node);
    int32_t rank = infer_rank(c, A);
    ir_dim dims[TENSOR_MAX_RANK];
    const int64_t *shape;
    int64_t count;
    if (!t)
        return infer_error(c, "a blk_quant_type of 0, 1 or 2", "another");
    if (rank < 0 || !infer_numbers(c, SHAPE, &shape, &count))
        return infer_set_unknown(c, 0, 0, rank);
    if (rank == 0 || count != 2)
        return infer_error(c, "rows of A, and two numbers in B_shape", "rank %d and %lld numbers",
                           rank, (long long)count);
    TRY(check_blob(c, t, shape[0], shape[1]));
    ir_dim own = infer_dim(c, A, rank - 1);
    if (dim_known(own) && own != shape[0])
        return infer_error(c, "equal inner extents", "%lld and %lld", (long long)own,
                           (long long)shape[0]);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == rank - 1 ? shape[1] : c->in[A]->dims[i];
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

typedef struct blob {
    row_source rows; /* first */
    const blob_type *type;
    const uint8_t *data;
    int64_t row_bytes;
} blob;

static float element(const blob *w, const uint8_t *block, int64_t i)
{
    const uint8_t *nibbles = block + sizeof(float) + w->type->has_zero;
    uint32_t byte = nibbles[i / RUN * (RUN / 2) + i % (RUN / 2)];
    float scale, zero = w->type->has_zero ? (float)block[sizeof(float)] : 8.0f;
    memcpy(&scale, block, sizeof(scale));
    return ((float)(i % RUN < RUN / 2 ? byte & 15u : byte >> 4) - zero) * scale;
}

static void load(const row_source *r, int64_t row, int64_t first, int64_t n, float *out)
{
    const blob *w = (const blob *)(const void *)r;
    const uint8_t *data = w->data + row * w->row_bytes;
    for (int64_t i = first; i < first + n; i++)
        *out++ = element(w, data + i / w->type->block * block_bytes(w->type), i % w->type->block);
}

static heed_status run_blob(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t count = out ? tensor_count(out) : 0, total = tensor_count(c->in[A]);
    if (count == 0)
        return HEED_OK;
    int64_t n = out->dims[tensor_rank(out) - 1], k = c->in[A]->dims[tensor_rank(c->in[A]) - 1];
    blob w = {.rows = {.load = load}, .type = type_of(c->node), .data = tensor_data(c->in[B])};
    w.row_bytes = (k + w.type->block - 1) / w.type->block * block_bytes(w.type);
    float *a = call_scratch(c, (size_t)total * sizeof *a + 1);
    float *y = call_scratch(c, (size_t)count * sizeof *y);
    if (!a || !y)
        return err_get()->status;
    dtype_load_f32(c->in[A]->dtype, tensor_data(c->in[A]), 0, total, a);
    rows_multiply(&w.rows, count / n, n, k, a, y);
    dtype_store_f32(out->dtype, tensor_data(out), 0, count, y, false);
    return HEED_OK;
}

// clang-format off
static const op_def blobs = {
    .domain = "com.microsoft", .name = "MatMulFpQ4", .since = 1,
    .signature = "A:float32, B:uint8, B_shape:int64 -> Y:float32", .types = "",
    .attrs = "blk_quant_type:int=1", .infer = infer_blob, .run = run_blob};

const op_def *const ops_matmul_blobs[] = {&blobs, NULL};
// clang-format on
