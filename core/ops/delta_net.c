/* delta_net.c - GatedDeltaNet of com.microsoft: linear attention over sequences that lie one after
 * the other, with its gates and norms (Yang 2024; the rules are those of linear_attention.c). The
 * state of a head is [dv, dk]. */
#include <math.h>
#include <string.h>

#include "ops/linear_rule.h"
#include "ops/loops.h"

// clang-format off
enum { QUERY, KEY, VALUE, STARTS, DECAY, BETA, STATE, A_LOG, BIAS, COUNT, ACTIVE };
// clang-format on

static int64_t capacity(const ir_node *n) { return ir_attr_int(n, "state_update_capacity", 0); }

/* ---- Shapes --------------------------------------------------------------------------------- */

static ir_dim times(const op_infer *c, ir_dim a, ir_dim b)
{
    return a == DIM_UNKNOWN || b == DIM_UNKNOWN ? DIM_UNKNOWN : dims_mul(c->dims, a, b);
}

static ir_dim plus(const op_infer *c, ir_dim a, ir_dim b)
{
    return a == DIM_UNKNOWN || b == DIM_UNKNOWN ? DIM_UNKNOWN : dims_add(c->dims, a, b);
}

typedef struct extents {
    ir_dim batch, heads, dv, dk, keys; /* keys: channels of all key heads */
} extents;

/* With key and value left out, the query has all three, and the state says where they end. */
static extents extents_of(const op_infer *c)
{
    int32_t rank = infer_rank(c, QUERY);
    extents e = {DIM_UNKNOWN, infer_dim(c, STATE, 1), infer_dim(c, STATE, 2),
                 infer_dim(c, STATE, 3), DIM_UNKNOWN};
    if (infer_has(c, KEY) && infer_has(c, VALUE)) {
        e.heads = infer_dim(c, VALUE, infer_rank(c, VALUE) - 2);
        e.dv = infer_dim(c, VALUE, infer_rank(c, VALUE) - 1);
        e.dk = infer_dim(c, QUERY, rank - 1);
        e.keys = times(c, infer_dim(c, KEY, infer_rank(c, KEY) - 2), e.dk);
    } else {
        ir_dim values = times(c, e.heads, e.dv), all = infer_dim(c, QUERY, rank - 1);
        if (values != DIM_UNKNOWN && all != DIM_UNKNOWN)
            e.keys = dims_floor_div(c->dims, dims_sub(c->dims, all, values), 2);
    }
    if (infer_has(c, STARTS) && infer_dim(c, STARTS, 0) != DIM_UNKNOWN)
        e.batch = dims_sub(c->dims, infer_dim(c, STARTS, 0), 1);
    else if (infer_has(c, STATE))
        e.batch = infer_dim(c, STATE, 0);
    else if (rank == 4)
        e.batch = infer_dim(c, QUERY, 0);
    return e;
}

static heed_status infer_output(op_infer *c, const extents *e)
{
    int32_t rank = infer_rank(c, QUERY);
    ir_dim dims[TENSOR_MAX_RANK];
    if (infer_has(c, VALUE))
        return infer_set_like(c, 0, VALUE);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 2 || rank > 3)
        return infer_error(c, "a query [tokens, channels]", "rank %d", rank);
    for (int32_t i = 0; i < rank - 1; i++)
        dims[i] = c->in[QUERY]->dims[i];
    dims[rank - 1] = e->heads;
    dims[rank] = e->dv;
    return infer_set(c, 0, 0, rank + 1, dims);
}

static heed_status infer_net(op_infer *c)
{
    const linear_rule *r = linear_rule_of(c->node);
    int64_t room = capacity(c->node);
    bool packed = !infer_has(c, KEY) && !infer_has(c, VALUE) && infer_has(c, STATE);
    if (!r || (infer_has(c, DECAY) < r->gated) || (infer_has(c, BETA) < r->delta))
        return infer_error(c, "an update_rule with the inputs that it needs", "\"%.40s\"",
                           ir_attr_string(c->node, "update_rule", ""));
    if (!packed && (!infer_has(c, KEY) || !infer_has(c, VALUE)))
        return infer_error(c, "key and value, or a state", "neither");
    if (room < 0 || room > 8)
        return infer_error(c, "a state_update_capacity of 0 to 8", "%lld", (long long)room);
    for (uint32_t i = QUERY; i <= VALUE && !packed; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 3 && infer_rank(c, i) != 4)
            return infer_error(c, "inputs [tokens, heads, size]", "rank %d", infer_rank(c, i));
    extents e = extents_of(c);
    TRY(infer_output(c, &e));
    ir_dim state[4] = {e.batch, e.heads, e.dv, e.dk};
    TRY(infer_set(c, 1, HEED_FLOAT32, 4, state));
    int32_t lead = (packed ? infer_rank(c, QUERY) + 1 : infer_rank(c, QUERY)) - 2;
    ir_dim decay = infer_rank(c, DECAY) == lead + 2 ? times(c, e.heads, e.dk) : e.heads;
    ir_dim width = plus(c, plus(c, decay, e.keys), times(c, e.heads, e.dv));
    ir_dim update[2] = {e.batch, times(c, width, room)};
    return infer_set(c, 2, HEED_FLOAT32, 2, update);
}

/* ---- What a kernel needs to know --------------------------------------------------------------
 */

typedef struct net {
    const op_call *call;
    const linear_rule *rule;
    int64_t total, batch, keys, heads, dk, dv; /* keys: key heads; heads: value heads */
    int64_t width;                             /* of a token's decay of one head: 1 or dk */
    bool packed;
    double scale;
    double *state, *q, *k, *v, *gate,
        *read; /* of one head; gate: what is kept, not its logarithm */
} net;

static bool is(const op_call *c, const char *name, const char *word, const char *other)
{
    const char *text = ir_attr_string(c->node, name, "none");
    return strcmp(text, word) == 0 || strcmp(text, other) == 0;
}

static heed_status check_count(const op_call *c, uint32_t i, int64_t count)
{
    if (!call_has(c, i) || tensor_count(c->in[i]) == count)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "input %u of %s has %lld elements for %lld", i,
                      c->node->op->name, (long long)tensor_count(c->in[i]), (long long)count);
}

static heed_status measure(op_call *c, net *n)
{
    const int64_t *out = c->out[1] ? c->out[1]->dims : NULL;
    const heed_tensor *q = c->in[QUERY], *like = call_has(c, VALUE) ? c->in[VALUE] : NULL;
    int32_t rank = tensor_rank(q);
    const int64_t *state = call_has(c, STATE) ? c->in[STATE]->dims : out;
    n->packed = !like;
    if (!state || (n->packed && !call_has(c, STATE)))
        return call_error(c, HEED_INVALID, "%s without a state", c->node->op->name);
    n->batch = call_has(c, STARTS) ? tensor_count(c->in[STARTS]) - 1 : state[0];
    n->heads = like ? like->dims[rank - 2] : state[1];
    n->dv = like ? like->dims[rank - 1] : state[2];
    n->dk = like ? q->dims[rank - 1] : state[3];
    n->total = 1;
    for (int32_t i = 0; i < rank - (n->packed ? 1 : 2); i++)
        n->total *= q->dims[i];
    int64_t values = n->heads * n->dv, all = q->dims[rank - 1];
    n->keys = like ? q->dims[rank - 2] : n->dk > 0 ? (all - values) / (2 * n->dk) : 0;
    if (n->keys <= 0 || n->heads % n->keys != 0 || n->batch < 0 || n->dk <= 0 ||
        (n->packed && 2 * n->keys * n->dk + values != all))
        return call_error(c, HEED_INVALID, "%lld value heads for %lld key heads",
                          (long long)n->heads, (long long)n->keys);
    if (!call_has(c, STARTS) && (n->batch == 0 || n->total % n->batch != 0))
        return call_error(c, HEED_INVALID, "%lld tokens for %lld sequences", (long long)n->total,
                          (long long)n->batch);
    return HEED_OK;
}

static heed_status check_words(const op_call *c)
{
    const char *gate = ir_attr_string(c->node, "gate_activation", "none");
    if (!is(c, "gate_activation", "none", "softplus") &&
        !is(c, "gate_activation", "sigmoid", "kda") && !is(c, "gate_activation", "", "qwen"))
        return call_error(c, HEED_INVALID, "gate_activation \"%.40s\"", gate);
    if (!is(c, "beta_activation", "none", "sigmoid"))
        return call_error(c, HEED_INVALID, "beta_activation \"%.40s\"",
                          ir_attr_string(c->node, "beta_activation", ""));
    return HEED_OK;
}

static heed_status check_all(op_call *c, net *n)
{
    TRY(check_words(c));
    int64_t flat = n->total * n->heads, one = n->heads, each = n->heads * n->dk;
    int64_t key_count = n->total * n->keys * n->dk;
    n->width = call_has(c, DECAY) && tensor_count(c->in[DECAY]) != flat ? n->dk : 1;
    bool by_key = call_has(c, BIAS) && tensor_count(c->in[BIAS]) == each;
    if (!n->packed)
        TRY(check_count(c, QUERY, key_count));
    TRY(check_count(c, KEY, key_count));
    TRY(check_count(c, VALUE, flat * n->dv));
    TRY(check_count(c, DECAY, flat * n->width));
    TRY(check_count(c, BETA, flat));
    TRY(check_count(c, STATE, n->batch * n->heads * n->dv * n->dk));
    TRY(check_count(c, A_LOG, one));
    TRY(check_count(c, BIAS, by_key ? each : one));
    TRY(check_count(c, COUNT, n->batch));
    return check_count(c, ACTIVE, 1);
}

/* ---- One token of one head ---------------------------------------------------------------------
 */

static void normalise(double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    double factor = 1 / sqrt(sum + 1e-6);
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void load_token(const net *n, int64_t token, int64_t head)
{
    const op_call *c = n->call;
    int64_t key = head / (n->heads / n->keys), keys = n->keys * n->dk, values = n->heads * n->dv;
    int64_t row = n->packed ? token * (2 * keys + values) : token * keys;
    const heed_tensor *k = n->packed ? c->in[QUERY] : c->in[KEY];
    const heed_tensor *v = n->packed ? c->in[QUERY] : c->in[VALUE];
    int64_t at_v = n->packed ? row + 2 * keys : token * values;
    loop_load(c->in[QUERY], CLASS_F64, row + key * n->dk, n->dk, n->q);
    loop_load(k, CLASS_F64, row + (n->packed ? keys : 0) + key * n->dk, n->dk, n->k);
    loop_load(v, CLASS_F64, at_v + head * n->dv, n->dv, n->v);
    if (!ir_attr_int(c->node, "qk_l2_norm", 0))
        return;
    normalise(n->q, n->dk);
    normalise(n->k, n->dk);
}

static double softplus(double x) { return x > 30 ? x : log1p(exp(x)); }

/* How much of the state is kept, for each element of a key. */
static void load_gate(const net *n, int64_t token, int64_t head)
{
    const op_call *c = n->call;
    bool soft = is(c, "gate_activation", "softplus", "qwen");
    bool bounded = is(c, "gate_activation", "sigmoid", "kda");
    double lower = ir_attr_float(c->node, "gate_lower_bound", -5);
    double rate = call_has(c, A_LOG) ? exp(tensor_get_float(c->in[A_LOG], head)) : 1;
    bool each = call_has(c, BIAS) && tensor_count(c->in[BIAS]) != n->heads;
    for (int64_t i = 0; i < n->dk; i++)
        n->gate[i] = 1;
    if (!n->rule->gated)
        return;
    loop_load(c->in[DECAY], CLASS_F64, (token * n->heads + head) * n->width, n->width, n->gate);
    for (int64_t i = n->dk - 1; i >= 0; i--) {
        double g = n->gate[n->width == 1 ? 0 : i];
        if (call_has(c, BIAS) && (soft || bounded))
            g += tensor_get_float(c->in[BIAS], each ? head * n->dk + i : head);
        g = soft ? -rate * softplus(g) : bounded ? lower / (1 + exp(-rate * g)) : g;
        n->gate[i] = exp(g);
    }
}

static double rate_of(const net *n, int64_t token, int64_t head)
{
    if (!call_has(n->call, BETA))
        return 1;
    double beta = tensor_get_float(n->call->in[BETA], token * n->heads + head);
    return is(n->call, "beta_activation", "sigmoid", "sigmoid") ? 1 / (1 + exp(-beta)) : beta;
}

static void read_state(const net *n, const double *with)
{
    for (int64_t j = 0; j < n->dv; j++) {
        n->read[j] = 0;
        for (int64_t i = 0; i < n->dk; i++)
            n->read[j] += n->state[j * n->dk + i] * with[i];
    }
}

/* The state takes the token in; v becomes what is added to it. */
static void advance(const net *n, int64_t token, int64_t head)
{
    double rate = n->rule->delta ? rate_of(n, token, head) : 1;
    for (int64_t j = 0; j < n->dv; j++)
        for (int64_t i = 0; i < n->dk; i++)
            n->state[j * n->dk + i] *= n->gate[i];
    if (n->rule->delta)
        read_state(n, n->k);
    for (int64_t j = 0; j < n->dv; j++)
        n->v[j] = n->rule->delta ? rate * (n->v[j] - n->read[j]) : n->v[j];
    for (int64_t j = 0; j < n->dv; j++)
        for (int64_t i = 0; i < n->dk; i++)
            n->state[j * n->dk + i] += n->k[i] * n->v[j];
}

/* ---- Sequences ----------------------------------------------------------------------------------
 */

/* What replays step `at` of sequence b: all decays, then all keys, then all that was added. */
static void capture(const net *n, int64_t b, int64_t at, int64_t head)
{
    heed_tensor *out = n->call->out[2];
    int64_t room = capacity(n->call->node), group = n->heads / n->keys, keys = n->keys * n->dk;
    int64_t decays = n->heads * n->width, values = n->heads * n->dv;
    int64_t first = b * room * (decays + keys + values), key = first + room * decays;
    loop_store(out, CLASS_F64, first + at * decays + head * n->width, n->width, n->gate);
    loop_store(out, CLASS_F64, key + at * keys + head / group * n->dk, n->dk, n->k);
    loop_store(out, CLASS_F64, key + room * keys + at * values + head * n->dv, n->dv, n->v);
}

static int64_t captured(const net *n, int64_t b)
{
    const op_call *c = n->call;
    bool off = call_has(c, ACTIVE) && tensor_get_int(c->in[ACTIVE], 0) == 0;
    int64_t count = call_has(c, COUNT) ? tensor_get_int(c->in[COUNT], b) : 0;
    if (off || !call_out(c, 2) || capacity(c->node) == 0)
        return 0;
    return count < capacity(c->node) ? count : capacity(c->node);
}

static void run_head(const net *n, int64_t b, int64_t start, int64_t end, int64_t head)
{
    const op_call *c = n->call;
    int64_t size = n->dv * n->dk, at = (b * n->heads + head) * size;
    memset(n->state, 0, (size_t)size * sizeof(*n->state));
    if (call_has(c, STATE))
        loop_load(c->in[STATE], CLASS_F64, at, size, n->state);
    for (int64_t token = start; token < end; token++) {
        load_token(n, token, head);
        load_gate(n, token, head);
        advance(n, token, head);
        if (token - start < captured(n, b))
            capture(n, b, token - start, head);
        read_state(n, n->q);
        for (int64_t j = 0; j < n->dv; j++)
            n->read[j] *= n->scale;
        if (call_out(c, 0))
            loop_store(c->out[0], CLASS_F64, (token * n->heads + head) * n->dv, n->dv, n->read);
    }
    if (call_out(c, 1))
        loop_store(c->out[1], CLASS_F64, at, size, n->state);
}

static heed_status make_room(op_call *c, net *n)
{
    size_t dk = (size_t)n->dk, dv = (size_t)n->dv;
    n->state = call_scratch(c, (dk * dv + 1) * sizeof(double));
    n->q = call_scratch(c, (3 * dk + 2 * dv + 1) * sizeof(double));
    if (!n->state || !n->q)
        return HEED_NOMEM;
    n->k = n->q + dk;
    n->gate = n->k + dk;
    n->v = n->gate + dk;
    n->read = n->v + dv;
    return HEED_OK;
}

static heed_status run_net(op_call *c)
{
    net n = {
        .call = c, .rule = linear_rule_of(c->node), .scale = ir_attr_float(c->node, "scale", 0)};
    TRY(measure(c, &n));
    TRY(check_all(c, &n));
    TRY(make_room(c, &n));
    n.scale = n.scale != 0 ? n.scale : 1 / sqrt((double)n.dk);
    if (call_out(c, 2))
        memset(tensor_data(c->out[2]), 0, tensor_bytes(c->out[2]));
    for (int64_t b = 0; b < n.batch; b++) {
        int64_t length = n.total / n.batch, start = b * length, end = start + length;
        if (call_has(c, STARTS)) {
            start = tensor_get_int(c->in[STARTS], b);
            end = tensor_get_int(c->in[STARTS], b + 1);
        }
        if (start < 0 || end < start || end > n.total)
            return call_error(c, HEED_INVALID, "tokens %lld to %lld of %lld", (long long)start,
                              (long long)end, (long long)n.total);
        for (int64_t head = 0; head < n.heads; head++)
            run_head(&n, b, start, end, head);
    }
    return HEED_OK;
}

// clang-format off
static const op_def delta_net = {
    .domain = "com.microsoft", .name = "GatedDeltaNet", .since = 1,
    .signature = "query:T, key:T?, value:T?, cu_seqlens:I?, decay:G?, beta:G?, initial_state:S?, "
                 "a_log:S?, dt_bias:S?, capture_count:I?, state_update_active:I? -> "
                 "output:T, final_state:F?, state_update:F?",
    .types = "T=float G=float S=float F=float32 I=int32",
    .attrs = "beta_activation:string=none chunk_size:int=64 gate_activation:string=none "
             "gate_lower_bound:float=-5 qk_l2_norm:int=0 scale:float=0 state_update_capacity:int=0 "
             "update_rule:string=gated_delta",
    .infer = infer_net, .run = run_net};
// clang-format on

const op_def *const ops_delta_net[] = {&delta_net, NULL};
