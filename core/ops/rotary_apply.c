/* rotary_apply.c - heed.RotaryEmbedding: the turning itself, with the cosines and sines of each
 * row given. The rotary embeddings of the standard and of com.microsoft (rotary.c, ms_rotary.c)
 * pick those from tables first.
 *
 * Y = X * cos + turned(X) * sin on the first `rotary_dim` channels of the last axis (0: all of
 * them); the rest passes through. Channels are turned in pairs, (i, i + half) or neighbours when
 * interleaved: the first of a pair becomes minus the second, the second the first. cos and sin
 * broadcast to X and have a number for each turned channel, or one for each pair. */
#include "ops/body.h"

enum { X, COS, SIN };

/* How many channels turn; DIM_UNKNOWN when that is not known. */
static ir_dim turned_channels(const ir_node *n, ir_dim channels)
{
    int64_t some = ir_attr_int(n, "rotary_dim", 0);
    return some > 0 ? some : channels;
}

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_table(const op_infer *c, uint32_t i, ir_dim turned)
{
    int32_t rank = infer_rank(c, X), own = infer_rank(c, i);
    if (rank < 0 || own < 0)
        return HEED_OK;
    if (own < 1 || own > rank)
        return infer_error(c, "a table that broadcasts to the input", "rank %d for %d", own, rank);
    ir_dim width = infer_dim(c, i, own - 1);
    if (dim_known(width) && dim_known(turned) && width != turned && width * 2 != turned)
        return infer_error(c, "a number for each turned channel or for each pair",
                           "%lld for %lld channels", (long long)width, (long long)turned);
    for (int32_t d = 0; d < own - 1; d++) {
        ir_dim have = infer_dim(c, i, d), want = infer_dim(c, X, rank - own + d);
        if (dim_known(have) && have != 1 && dim_known(want) && have != want)
            return infer_error(c, "a table that broadcasts to the input",
                               "%lld for %lld on axis %d", (long long)have, (long long)want, d);
    }
    return HEED_OK;
}

/* The body is written for a number of channels: what it cannot be written for no kernel takes. */
static heed_status check_known(const op_infer *c)
{
    for (uint32_t i = X; c->dims && i <= SIN; i++)
        if (!dim_known(infer_dim(c, i, infer_rank(c, i) - 1)))
            return infer_error(c, "a number of channels that is known", "input %u without", i);
    return HEED_OK;
}

static heed_status infer_rotary(op_infer *c)
{
    int32_t rank = infer_rank(c, X);
    if (rank == 0)
        return infer_error(c, "an input with an axis of channels", "a scalar");
    TRY(check_known(c));
    ir_dim channels = infer_dim(c, X, rank - 1), turned = turned_channels(c->node, channels);
    bool odd = dim_known(turned) && turned % 2 != 0;
    if (odd || (dim_known(turned) && dim_known(channels) && turned > channels))
        return infer_error(c, "pairs of channels that turn", "%lld of %lld", (long long)turned,
                           (long long)channels);
    TRY(check_table(c, COS, turned));
    TRY(check_table(c, SIN, turned));
    ir_dim a = infer_dim(c, COS, infer_rank(c, COS) - 1),
           b = infer_dim(c, SIN, infer_rank(c, SIN) - 1);
    if (dim_known(a) && dim_known(b) && a != b)
        return infer_error(c, "as many cosines as sines", "%lld and %lld", (long long)a,
                           (long long)b);
    return infer_same(c);
}

/* ---- Body ----------------------------------------------------------------------------------- */

enum { PARTNER, PAIR }; /* of a channel: the other one of its pair, and which pair it is in */

static int64_t channel_map(bool interleaved, int64_t half, int64_t i, int what)
{
    if (interleaved)
        return what == PARTNER ? i ^ 1 : i / 2;
    return what == PARTNER ? (i + half) % (2 * half) : i % half;
}

/* The channels of x in another order. */
static ir_value *reorder(op_body *b, ir_value *x, int64_t turned, int what)
{
    bool interleaved = ir_attr_int(b->node, "interleaved", 0) != 0;
    int64_t *order = arena_array(b->scratch, (size_t)turned + 1, sizeof(*order));
    if (!order && !b->status)
        b->status = HEED_NOMEM;
    for (int64_t i = 0; order && i < turned; i++)
        order[i] = channel_map(interleaved, turned / 2, i, what);
    ir_value *at = b->status ? NULL : body_ints(b, turned, order);
    return body_2(b, x, at, "Gather axis=-1");
}

static ir_value *table(op_body *b, uint32_t i, int64_t turned)
{
    ir_value *t = body_in(b, i);
    return body_extent(b, t, -1) == turned ? t : reorder(b, t, turned, PAIR);
}

/* Minus the second channel where the first stands, the first where the second stands. */
static ir_value *partners(op_body *b, ir_value *x, int64_t turned)
{
    if (ir_attr_int(b->node, "interleaved", 0) == 0) {
        ir_value *second = body_1(b, body_part(b, x, -1, turned / 2, turned), "Neg");
        return body_concat(b, second, body_part(b, x, -1, 0, turned / 2), -1);
    }
    int64_t *odd = arena_array(b->scratch, (size_t)turned + 1, sizeof(*odd));
    if (!odd && !b->status)
        b->status = HEED_NOMEM;
    for (int64_t i = 0; odd && i < turned; i++)
        odd[i] = i % 2;
    ir_value *first = body_cast(b, b->status ? NULL : body_ints(b, turned, odd), HEED_BOOL);
    ir_value *other = reorder(b, x, turned, PARTNER);
    return body_3(b, first, other, body_1(b, other, "Neg"), "Where");
}

static void decompose_rotary(op_body *b)
{
    ir_value *x = body_in(b, X);
    int64_t channels = body_extent(b, x, -1), turned = turned_channels(b->node, channels);
    if (!b->status && (channels < 0 || body_extent(b, body_in(b, COS), -1) < 0 ||
                       body_extent(b, body_in(b, SIN), -1) < 0))
        body_fail(b, HEED_UNSUPPORTED, "%s of a number of channels that is not known",
                  b->node->op->name);
    if (b->status)
        return;
    ir_value *part = turned < channels ? body_part(b, x, -1, 0, turned) : x;
    ir_value *straight = body_2(b, part, table(b, COS, turned), "Mul");
    ir_value *across = body_2(b, partners(b, part, turned), table(b, SIN, turned), "Mul");
    ir_value *y = body_2(b, straight, across, "Add");
    if (turned < channels)
        y = body_concat(b, y, body_part(b, x, -1, turned, channels), -1);
    body_set(b, 0, y);
}

// clang-format off
static const op_def rotary = {
    .domain = "heed", .name = "RotaryEmbedding", .since = 1,
    .signature = "X:T, cos:T, sin:T -> Y:T",
    .types = "T=float",
    .attrs = "interleaved:int=0 rotary_dim:int=0",
    .infer = infer_rotary, .decompose = decompose_rotary};

const op_def *const ops_rotary_apply[] = {&rotary, NULL};
// clang-format on
