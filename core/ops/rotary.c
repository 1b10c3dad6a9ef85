/* rotary.c - RotaryEmbedding: pairs of channels are turned by an angle that grows with the
 * position (Su et al. 2021).
 *
 * X is [B, heads, S, D] or [B, S, heads * D]. The caches are [positions, half] with position_ids
 * [B, S], else [B, S, half]; a batch of 1 serves all. The pairs are (i, i + half), or neighbours
 * when interleaved; channels from 2 * half on stay. Without num_heads an input of rank 3 has heads
 * of 2 * half channels. */
#include <string.h>

#include "ops/loops.h"

enum { X, COS, SIN, IDS };

typedef struct rotary {
    int64_t batch, heads, length, size; /* size: channels of a head */
    int64_t half;                       /* how many pairs are turned */
    int64_t head_step, row_step, batch_step;
} rotary;

/* ---- Inference ------------------------------------------------------------------------------ */

/* A batch of 1 or the input's, then the sequence. */
static heed_status check_rows(const op_infer *c, uint32_t i)
{
    ir_dim want[] = {infer_dim(c, X, 0), infer_dim(c, X, infer_rank(c, X) - 2)};
    if (infer_rank(c, X) == 3)
        want[1] = infer_dim(c, X, 1);
    for (int32_t k = 0; k < 2; k++) {
        ir_dim have = infer_dim(c, i, k);
        if (dim_known(have) && dim_known(want[k]) && have != want[k] && (k > 0 || have != 1))
            return infer_error(c, "rows for each position of the input",
                               "%lld for %lld on axis %d of input %u", (long long)have,
                               (long long)want[k], k, i);
    }
    return HEED_OK;
}

static heed_status check_caches(const op_infer *c)
{
    int32_t rank = infer_has(c, IDS) ? 2 : 3;
    for (uint32_t i = COS; i <= SIN; i++) {
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != rank)
            return infer_error(c,
                               infer_has(c, IDS) ? "caches of rank 2 with position_ids"
                                                 : "caches of rank 3 without position_ids",
                               "rank %d", infer_rank(c, i));
        if (rank == 3 && infer_rank(c, i) == 3 && infer_rank(c, X) >= 0)
            TRY(check_rows(c, i));
    }
    if (infer_rank(c, IDS) >= 0 && infer_rank(c, IDS) != 2)
        return infer_error(c, "position_ids of rank 2", "rank %d", infer_rank(c, IDS));
    if (infer_rank(c, IDS) == 2 && infer_rank(c, X) >= 0)
        TRY(check_rows(c, IDS));
    for (int32_t k = 0; k < rank; k++) {
        ir_dim a = infer_dim(c, COS, k), b = infer_dim(c, SIN, k);
        if (dim_known(a) && dim_known(b) && a != b)
            return infer_error(c, "caches of one shape", "%lld and %lld", (long long)a,
                               (long long)b);
    }
    return HEED_OK;
}

static heed_status infer_rotary(op_infer *c)
{
    int32_t rank = infer_rank(c, X);
    if (rank >= 0 && rank != 3 && rank != 4)
        return infer_error(c, "rank 3 or 4", "%d", rank);
    TRY(check_caches(c));
    return infer_same(c);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

/* Channels of a head of an input [B, S, heads * D]. */
static heed_status split_channels(const op_call *c, rotary *r, int64_t channels)
{
    int64_t heads = ir_attr_int(c->node, "num_heads", 0);
    if (heads <= 0)
        r->size = ir_attr_int(c->node, "rotary_embedding_dim", 0) > 0 ? 0 : 2 * r->half;
    else
        r->size = channels / heads;
    if (r->size <= 0 || channels % r->size != 0 || (heads > 0 && heads * r->size != channels))
        return call_error(c, HEED_INVALID, "%lld channels for %lld heads", (long long)channels,
                          (long long)heads);
    r->heads = channels / r->size;
    return HEED_OK;
}

static heed_status describe(const op_call *c, rotary *r)
{
    const int64_t *dims = c->in[X]->dims;
    const heed_tensor *cache = c->in[COS];
    int64_t rotated = ir_attr_int(c->node, "rotary_embedding_dim", 0);
    bool apart = tensor_rank(c->in[X]) == 4;
    *r = (rotary){.batch = dims[0], .half = cache->dims[tensor_rank(cache) - 1]};
    r->length = apart ? dims[2] : dims[1];
    r->heads = dims[1];
    r->size = apart ? dims[3] : 0;
    if (!apart)
        TRY(split_channels(c, r, dims[2]));
    r->head_step = apart ? r->length * r->size : r->size;
    r->row_step = apart ? r->size : r->heads * r->size;
    r->batch_step = r->heads * r->length * r->size;
    rotated = rotated > 0 ? rotated : r->size;
    if (rotated > r->size || rotated % 2 != 0 || rotated / 2 != r->half)
        return call_error(c, HEED_INVALID, "%lld of %lld channels are turned by %lld angles",
                          (long long)rotated, (long long)r->size, (long long)r->half);
    return HEED_OK;
}

/* Which row of the caches serves a position. */
static heed_status find_row(const op_call *c, const rotary *r, int64_t batch, int64_t i,
                            int64_t *row)
{
    const heed_tensor *by = c->in[call_has(c, IDS) ? IDS : COS];
    *row = (by->dims[0] == 1 ? 0 : batch) * r->length + i;
    if (!call_has(c, IDS))
        return HEED_OK;
    int64_t n = c->in[COS]->dims[0];
    *row = tensor_get_int(by, *row);
    if (*row < -n || *row >= n)
        return call_error(c, HEED_INVALID, "position %lld of a cache for %lld", (long long)*row,
                          (long long)n);
    *row += *row < 0 ? n : 0;
    return HEED_OK;
}

static void turn(const rotary *r, bool interleaved, const double *cosine, const double *sine,
                 double *x)
{
    int64_t step = interleaved ? 2 : 1, other = interleaved ? 1 : r->half;
    for (int64_t i = 0; i < r->half; i++) {
        double *re = &x[i * step], *im = &x[i * step + other];
        double a = *re, b = *im;
        *re = cosine[i] * a - sine[i] * b;
        *im = sine[i] * a + cosine[i] * b;
    }
}

static void turn_position(const op_call *c, const rotary *r, const double *angles, int64_t first,
                          double *x)
{
    bool interleaved = ir_attr_int(c->node, "interleaved", 0) != 0;
    for (int64_t h = 0; h < r->heads; h++) {
        int64_t at = first + h * r->head_step;
        loop_load(c->in[X], CLASS_F64, at, r->size, x);
        turn(r, interleaved, angles, angles + r->half, x);
        loop_store(c->out[0], CLASS_F64, at, r->size, x);
    }
}

static heed_status run_rotary(op_call *c)
{
    rotary r;
    if (!call_out(c, 0) || tensor_count(c->in[X]) == 0)
        return HEED_OK;
    TRY(describe(c, &r));
    double *angles = call_scratch(c, (size_t)(2 * r.half + r.size) * sizeof(*angles));
    if (!angles)
        return HEED_NOMEM;
    for (int64_t b = 0; b < r.batch; b++)
        for (int64_t i = 0; i < r.length; i++) {
            int64_t row;
            TRY(find_row(c, &r, b, i, &row));
            loop_load(c->in[COS], CLASS_F64, row * r.half, r.half, angles);
            loop_load(c->in[SIN], CLASS_F64, row * r.half, r.half, angles + r.half);
            turn_position(c, &r, angles, b * r.batch_step + i * r.row_step, angles + 2 * r.half);
        }
    return HEED_OK;
}

// clang-format off
static const op_def rotary_embedding = {
    .domain = "", .name = "RotaryEmbedding", .since = 23, .flags = OP_INPLACE,
    .signature = "X:T, cos_cache:T, sin_cache:T, position_ids:I? -> Y:T",
    .types = "T=float I=int32|int64",
    .attrs = "interleaved:int=0 rotary_embedding_dim:int=0 num_heads:int=0",
    .infer = infer_rotary, .run = run_rotary};

const op_def *const ops_rotary[] = {&rotary_embedding, NULL};
// clang-format on
