/* ms_linear_attention.c - LinearAttention of com.microsoft, which differs from the standard's:
 * there may be fewer heads of queries than of keys, and `state_window` asks for the states after
 * each of the last tokens. */
#include "ops/attend.h"

#include <string.h>

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

#define MAX_WINDOW 8

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status infer_linear(op_infer *c)
{
    int64_t heads, kv_heads, window = ir_attr_int(c->node, "state_window", 0);
    TRY(attend_infer_heads(c, "q_num_heads", &heads, &kv_heads));
    if (window < 0 || window > MAX_WINDOW)
        return infer_error(c, "a state_window up to 8", "%lld", (long long)window);
    ir_dim batch = infer_dim(c, QUERY, 0), width_k = infer_dim(c, KEY, 2);
    if (dim_known(width_k) && width_k % kv_heads != 0)
        return infer_error(c, "key heads of one size", "%lld channels for %lld heads",
                           (long long)width_k, (long long)kv_heads);
    ir_dim rows = dims_floor_div(c->dims, infer_dim(c, QUERY, 2), heads);
    ir_dim size = dims_floor_div(c->dims, infer_dim(c, VALUE, 2), kv_heads);
    ir_dim width = dims_mul(c->dims, size, heads > kv_heads ? heads : kv_heads);
    ir_dim state[] = {window, batch, kv_heads, rows, size};
    TRY(infer_set(c, 0, 0, 3, (ir_dim[]){batch, infer_dim(c, QUERY, 1), width}));
    heed_dtype type = c->in[infer_has(c, PAST) ? PAST : QUERY]->dtype;
    return infer_set(c, 1, type, window ? 5 : 4, window ? state : state + 1);
}

/* ---- Body ----------------------------------------------------------------------------------- */

/* Each head of the queries for `times` heads of keys. */
static ir_value *repeated(op_body *b, ir_value *q, int64_t heads, int64_t times)
{
    ir_value *count = body_ints(b, 1, &heads);
    ir_value *one = body_ints(b, 1, (int64_t[]){1}), *many = body_ints(b, 1, &times);
    ir_value *batch = body_dim(b, q, 0), *rows = body_dim(b, q, 1);
    ir_value *size = body_2(b, body_dim(b, q, 2), count, "Div");
    ir_value *width = body_2(b, body_dim(b, q, 2), many, "Mul");
    q = body_reshape_to(b, q, 5, (ir_value *[]){batch, rows, count, one, size});
    ir_value *dims[] = {batch, rows, count, many, size};
    q = body_2(b, q, body_n(b, 5, dims, "Concat axis=0"), "Expand");
    return body_reshape_to(b, q, 3, (ir_value *[]){batch, rows, width});
}

/* The standard's operator on the rows from `start` to `end` (NULL: all); gives the state. */
static ir_value *advance(op_body *b, ir_value *const *in, ir_value *state, ir_value *start,
                         ir_value *end, ir_value **y)
{
    ir_value *part[6], *out[2];
    int64_t heads = attend_heads(b, "q_num_heads"), kv_heads = attend_heads(b, "kv_num_heads");
    for (uint32_t i = QUERY; i <= BETA; i++)
        part[i] = in[i] && end ? body_slice(b, in[i], 1, start, end) : in[i];
    part[PAST] = state;
    body_nodes(b, 6, part, 2, out,
               "LinearAttention q_num_heads=%lld kv_num_heads=%lld scale=%.9g update_rule=%s",
               (long long)(heads > kv_heads ? heads : kv_heads), (long long)kv_heads,
               ir_attr_float(b->node, "scale", 0), body_word(b, "update_rule", "gated_delta"));
    *y = out[0];
    return out[1];
}

/* State j is the one after all but the last `window` - 1 - j tokens; zeros where there are not so
 * many. The rows are worked off in parts that end there. */
static void in_parts(op_body *b, ir_value *const *in, int64_t window)
{
    ir_value *rows = body_dim(b, in[QUERY], 1), *zero = body_ints(b, 1, (int64_t[]){0});
    ir_value *y[MAX_WINDOW], *states[MAX_WINDOW], *start = zero;
    ir_value *state = in[PAST] ? attend_pick(b, in[PAST], window - 1) : NULL;
    for (int64_t j = 0; j < window; j++) {
        ir_value *left = body_ints(b, 1, (int64_t[]){window - 1 - j});
        ir_value *end = body_2(b, body_2(b, rows, left, "Sub"), zero, "Max");
        state = advance(b, in, state, start, end, &y[j]);
        ir_value *is_there = body_2(b, end, zero, "Greater");
        if (b->status)
            return;
        states[j] = body_3(b, is_there, state, body_like(b, 0, state), "Where");
        states[j] = body_unsqueeze(b, states[j], "0");
        start = end;
    }
    body_set(b, 0, body_n(b, (uint32_t)window, y, "Concat axis=1"));
    body_set(b, 1, body_n(b, (uint32_t)window, states, "Concat axis=0"));
}

static void decompose_linear(op_body *b)
{
    const char *rule = ir_attr_string(b->node, "update_rule", "gated_delta");
    int64_t heads = attend_heads(b, "q_num_heads"), kv_heads = attend_heads(b, "kv_num_heads");
    int64_t window = ir_attr_int(b->node, "state_window", 0);
    ir_value *in[6], *y;
    for (uint32_t i = QUERY; i <= BETA; i++)
        in[i] = body_in(b, i);
    if (!strstr(rule, "gated"))
        in[DECAY] = NULL;
    if (!strstr(rule, "delta"))
        in[BETA] = NULL;
    if (kv_heads > heads && kv_heads % heads == 0)
        in[QUERY] = repeated(b, in[QUERY], heads, kv_heads / heads);
    if (window > 0) {
        in_parts(b, in, window);
        return;
    }
    ir_value *state = advance(b, in, in[PAST], NULL, NULL, &y);
    body_set(b, 0, y);
    body_set(b, 1, state);
}

// clang-format off
static const op_def linear = {
    .domain = "com.microsoft", .name = "LinearAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "query:T, key:T, value:T, past_state:S?, decay:T?, beta:T? "
                 "-> output:T, present_state:S?",
    .types = "T=float S=float",
    .attrs = "update_rule:string=gated_delta q_num_heads:int! kv_num_heads:int! scale:float=0 "
             "chunk_size:int=64 state_window:int=0",
    .infer = infer_linear, .decompose = decompose_linear};

const op_def *const ops_ms_linear_attention[] = {&linear, NULL};
// clang-format on
