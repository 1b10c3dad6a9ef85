/* ms_rotary.c - the rotary embeddings of com.microsoft, which differ from the standard's by the
 * order of their inputs and by how positions are given. */
#include "ops/attend.h"

static heed_status infer_rotary(op_infer *c)
{
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 3 && infer_rank(c, 0) != 4)
        return infer_error(c, "an input of rank 3 or 4", "rank %d", infer_rank(c, 0));
    return infer_set_like(c, 0, 0);
}

/* Channels that rotate: as many as the tables say; 0 when only the run knows, which means all. */
static int64_t rotated(const op_body *b, const ir_value *table)
{
    int64_t half = body_extent(b, table, -1);
    return half > 0 ? 2 * half : ir_attr_int(b->node, "rotary_embedding_dim", 0);
}

/* Heads of a rank 3 input: all heads rotate in full when there is no rotary_embedding_dim; 0 when
 * the run shall count them so. */
static int64_t head_count(const op_body *b, const ir_value *x, const ir_value *table)
{
    int64_t heads = ir_attr_int(b->node, "num_heads", 0), size = rotated(b, table);
    int64_t width = body_extent(b, x, 2);
    if (heads > 0 && ir_attr_int(b->node, "rotary_embedding_dim", 0) > 0)
        return heads;
    return size > 0 && width >= 0 && width % size == 0 ? width / size : 0;
}

/* The standard's operator; positions NULL: the tables have rows for each token. */
static ir_value *turned(op_body *b, ir_value *cosines, ir_value *sines, ir_value *at)
{
    ir_value *x = body_in(b, 0), *in[] = {x, cosines, sines, at};
    bool flat = body_rank(b, x) == 3;
    int64_t heads = flat ? head_count(b, x, cosines) : 0;
    return body_n(b, at ? 4 : 3, in,
                  "RotaryEmbedding interleaved=%d num_heads=%lld rotary_embedding_dim=%lld",
                  ir_attr_int(b->node, "interleaved", 0) != 0, (long long)heads,
                  flat && heads == 0 ? 0 : (long long)rotated(b, cosines));
}

/* One number is the position of the first row of all sequences. */
static ir_value *positions(op_body *b, ir_value *x, ir_value *given)
{
    int32_t rows = body_rank(b, x) == 3 ? 1 : 2;
    if (body_rank(b, given) == 2)
        return given;
    ir_value *at = body_2(b, body_range(b, body_size(b, x, rows)), given, "Add");
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, rows)};
    return body_2(b, at, body_n(b, 2, dims, "Concat axis=0"), "Expand");
}

static void decompose_rotary(op_body *b)
{
    ir_value *at = positions(b, body_in(b, 0), body_in(b, 1));
    body_set(b, 0, turned(b, body_in(b, 2), body_in(b, 3), at));
}

/* ---- Three positions a token ---------------------------------------------------------------- */

/* Which of the three positions channel i goes by: `chosen` has `half` entries. */
static void choose_sections(const int64_t *sections, bool interleaved, int64_t half,
                            int64_t *chosen)
{
    for (int64_t i = 0; i < half; i++) {
        if (interleaved)
            chosen[i] = i % 3 != 0 && i < 3 * sections[i % 3] ? i % 3 : 0;
        else
            chosen[i] = i < sections[0] ? 0 : i < sections[0] + sections[1] ? 1 : 2;
    }
}

/* Rows of a table [max, half] at positions [3, B, S], each channel by its own position. */
static ir_value *pick_rows(op_body *b, ir_value *table, ir_value *at, const int64_t *chosen)
{
    int64_t half = body_extent(b, table, 1);
    ir_value *rows = body_2(b, table, at, "Gather axis=0"); /* [3, B, S, half] */
    ir_value *out = attend_pick(b, rows, 0);
    for (int64_t k = 1; k < 3; k++) {
        int64_t *is_k = arena_array(b->scratch, (size_t)half + 1, sizeof(*is_k));
        for (int64_t i = 0; is_k && i < half; i++)
            is_k[i] = chosen[i] == k;
        if (!is_k)
            b->status = HEED_NOMEM;
        ir_value *which = body_cast(b, body_ints(b, b->status ? 0 : half, is_k), HEED_BOOL);
        out = body_3(b, which, attend_pick(b, rows, k), out, "Where");
    }
    return out;
}

static void decompose_sections(op_body *b)
{
    uint64_t n = 0;
    ir_value *x = body_in(b, 0), *at = body_in(b, 1), *cosines = body_in(b, 2);
    const int64_t *sections = ir_attr_ints(b->node, "mrope_section", &n);
    int64_t half = body_extent(b, cosines, 1);
    if (body_rank(b, x) != 3 && body_rank(b, x) != 4)
        return;
    if (!sections || n != 3 || half <= 0 || body_rank(b, at) != 3 || sections[0] < 0 ||
        sections[1] < 0 || sections[2] < 0 || sections[0] > half || sections[1] > half ||
        sections[2] > half)
        body_fail(b, HEED_INVALID, "three sections of the %lld rotated pairs, and three positions",
                  (long long)half);
    int64_t *chosen = arena_array(b->scratch, half > 0 ? (size_t)half : 1, sizeof(*chosen));
    if (b->status || !chosen)
        return;
    choose_sections(sections, ir_attr_int(b->node, "mrope_layout", 0) != 0, half, chosen);
    cosines = pick_rows(b, cosines, at, chosen);
    body_set(b, 0, turned(b, cosines, pick_rows(b, body_in(b, 3), at, chosen), NULL));
}

/* ---- By angles ----------------------------------------------------------------------------------
 */

static heed_status infer_angles(op_infer *c)
{
    TRY(infer_set_like(c, 0, 1));
    return c->n_out > 1 ? infer_set_like(c, 1, 3) : HEED_OK;
}

/* emb [B, S, D] holds the angles; x and its rotated half are [B, H, S, D]. */
static void decompose_angles(op_body *b)
{
    ir_value *angles = body_in(b, 0), *like = body_in(b, 1);
    ir_value *sines = body_cast(b, body_1(b, angles, "Sin"), like->type.dtype);
    ir_value *cosines = body_cast(b, body_1(b, angles, "Cos"), like->type.dtype);
    sines = body_unsqueeze(b, sines, "1");
    cosines = body_unsqueeze(b, cosines, "1");
    for (uint32_t i = 0; i < 2; i++) {
        ir_value *straight = body_2(b, body_in(b, 1 + 2 * i), cosines, "Mul");
        ir_value *turned = body_2(b, body_in(b, 2 + 2 * i), sines, "Mul");
        body_set(b, i, body_2(b, straight, turned, "Add"));
    }
}

// clang-format off
static const op_def rotary = {
    .domain = "com.microsoft", .name = "RotaryEmbedding", .since = 1,
    .signature = "input:T, position_ids:M, cos_cache:T, sin_cache:T -> output:T",
    .types = "T=float M=int32|int64",
    .attrs = "scale:float=1 interleaved:int=0 rotary_embedding_dim:int=0 num_heads:int=0 "
             "is_packed_batching:int=0",
    .infer = infer_rotary, .decompose = decompose_rotary};
static const op_def sectioned = {
    .domain = "com.microsoft", .name = "MRotaryEmbedding", .since = 1,
    .signature = "input:T, position_ids:M, cos_cache:T, sin_cache:T -> output:T",
    .types = "T=float M=int32|int64",
    .attrs = "scale:float=1 interleaved:int=0 rotary_embedding_dim:int=0 num_heads:int=0 "
             "is_packed_batching:int=0 mrope_section:ints! mrope_layout:int=0",
    .infer = infer_rotary, .decompose = decompose_sections};
static const op_def by_angles = {
    .domain = "com.microsoft", .name = "GemmaRotaryEmbedding", .since = 1,
    .signature = "emb:U, q:T, q_rot:T, k:T, k_rot:T -> output1:T, output2:T?",
    .types = "T=float U=float",
    .infer = infer_angles, .decompose = decompose_angles};

const op_def *const ops_ms_rotary[] = {&rotary, &sectioned, &by_angles, NULL};
// clang-format on
