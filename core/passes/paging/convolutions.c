/* convolutions.c - pass: a convolution over tokens reads earlier ones as attention does.
 *
 * before: y [1, C, S] = Conv(x [1, C, S], w [C, 1, K]), padded so that none sees later tokens
 * after:  z [1, S, H * K, D] = heed.Attention(0, 0, x [1, S, H, D]) causal=1, with a bias by
 * distance that leaves query head h * K + j one key, K - 1 - j tokens before; y = sum of z_j * w_j
 *
 * Only for paging. What a convolution keeps of earlier tokens are their inputs: as values in pages
 * they are forked, shared and given back like all others. The one key that a head sees has a weight
 * of exactly 1; where the sequence has none so early, a logit beside the keys takes all weight, and
 * the head gives 0. A state of the last inputs that the file keeps itself is zeros at the beginning
 * (inputs.c), and so padding. */
#include <string.h>

#include "passes/paging/caches.h"

extern const pass_def pass_dead;

enum { X, W, B, PAST, MOST_TAPS = 64, MOST_CHANNELS = 128 };

/* What weighs nothing beside what: a score of 0, the logit for "no such key", all other keys. */
static const double ELSEWHERE = -10000, HIDDEN = -60000;

/* out[t] = sum over j of w[j] * x[t - first + j * step]. */
typedef struct taps {
    ir_value *x; /* [1, C, S], without padding */
    int64_t first, step, count;
    int64_t channels, results, groups;
    bool swish; /* x * sigmoid(x) of the result */
} taps;

static const char with_state[] = "CausalConvWithState"; /* of the standard and com.microsoft */

static bool has_state(const ir_node *n) { return n && strcmp(n->op->name, with_state) == 0; }

/* ---- What a node computes -------------------------------------------------------------------- */

static bool is_zero(const ir_value *v)
{
    while (pass_is(v->producer, "Expand"))
        v = v->producer->in[0].value;
    if (!pass_constant(v))
        return false;
    for (int64_t i = 0; i < tensor_count(v->constant); i++)
        if (tensor_get_float(v->constant, i) != 0)
            return false;
    return true;
}

/* Zeros before the tokens, by a node of its own: how many. */
static int64_t padding_before(const ir_node *n)
{
    const ir_value *pads = ir_input(n, 1), *fill = ir_input(n, 2);
    if (pass_is(n, "Concat") && n->n_in == 2) {
        int64_t axis = ir_attr_int(n, "axis", 0);
        const ir_type *zeros = &n->in[0].value->type;
        bool last = zeros->rank == 3 && (axis == 2 || axis == -1);
        return last && is_zero(n->in[0].value) && dim_known(zeros->dims[2]) ? zeros->dims[2] : -1;
    }
    if (!pass_is(n, "Pad") || !pads || !pass_constant(pads) || tensor_count(pads->constant) != 6 ||
        strcmp(ir_attr_string(n, "mode", "constant"), "constant") != 0 || ir_input(n, 3) ||
        (fill && !is_zero(fill)))
        return -1;
    for (int64_t k = 0; k < 6; k++)
        if (k != 2 && tensor_get_int(pads->constant, k) != 0)
            return -1;
    return tensor_get_int(pads->constant, 2);
}

static int64_t one_of(const ir_node *n, const char *name, uint64_t i, int64_t missing)
{
    uint64_t count = 0;
    const int64_t *list = ir_attr_ints(n, name, &count);
    return list && i < count ? list[i] : missing;
}

static bool is_over_tokens(const ir_value *v, ir_dim tokens)
{
    return v->type.rank == 3 && v->type.dims[0] == 1 && v->type.dims[2] == tokens;
}

/* An operator of its own, whose state is left out or zeros. */
static bool read_with_state(const ir_node *n, taps *t)
{
    const char *activation = ir_attr_string(n, "activation", "none");
    t->step = ir_attr_int(n, "dilation", 1);
    t->first = (t->count - 1) * t->step;
    t->groups = t->channels;
    t->swish = strcmp(activation, "none") != 0;
    return (!ir_input(n, PAST) || is_zero(ir_input(n, PAST))) &&
           !(n->n_out > 1 && n->out[1] && ir_value_used(n->out[1])) &&
           !ir_attr_int(n, "channels_last", 0) &&
           (!t->swish || strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0);
}

static bool fits(const taps *t, ir_dim tokens)
{
    bool known = t->channels > 0 && t->results > 0 && t->count > 0 && t->count <= MOST_TAPS;
    bool each = t->groups == t->channels && t->results == t->channels;
    return known && (each || t->groups == 1) && is_over_tokens(t->x, tokens) &&
           dtype_is_float(t->x->type.dtype);
}

static bool read_taps(const ir_node *n, ir_dim tokens, taps *t)
{
    const ir_type *w = n->n_in > W && n->in[W].value ? &n->in[W].value->type : NULL;
    ir_value *x = ir_input(n, X);
    if (!w || w->rank != 3 || x->type.rank != 3)
        return false;
    *t = (taps){.x = x, .count = w->dims[2], .channels = x->type.dims[1], .results = w->dims[0]};
    if (has_state(n))
        return read_with_state(n, t) && fits(t, tokens);
    if (strcmp(ir_attr_string(n, "auto_pad", "NOTSET"), "NOTSET") != 0 ||
        one_of(n, "strides", 0, 1) != 1)
        return false;
    t->first = one_of(n, "pads", 0, 0);
    t->step = one_of(n, "dilations", 0, 1);
    t->groups = ir_attr_int(n, "group", 1);
    if (!is_over_tokens(x, tokens) && x->producer) {
        int64_t more = padding_before(x->producer);
        t->x = ir_input(x->producer, pass_is(x->producer, "Concat"));
        t->first += more;
        if (more < 0)
            return false;
    }
    return fits(t, tokens);
}

/* ---- As attention ---------------------------------------------------------------------------- */

/* Channels of a head. */
static int64_t head_size(int64_t channels)
{
    int64_t size = channels < MOST_CHANNELS ? channels : MOST_CHANNELS;
    while (channels % size)
        size--;
    return size;
}

/* [1, heads * taps, 1, 2 S - 1]: 0 where the key is as far before the query as the tap wants. */
static ir_value *bias_of(op_body *b, const taps *t, ir_value *rows, int64_t heads)
{
    int64_t wanted[MOST_TAPS];
    for (int64_t j = 0; j < t->count; j++)
        wanted[j] = j * t->step - t->first;
    ir_value *count = body_size(b, rows, 1), *one = body_int(b, 1);
    ir_value *all = body_2(b, body_2(b, count, count, "Add"), one, "Sub");
    ir_value *distance = body_2(b, body_range(b, all), body_2(b, count, one, "Sub"), "Sub");
    ir_value *taps_wanted = body_reshape(b, body_ints(b, t->count, wanted), "1,-1,1,1");
    taps_wanted = body_2(b, taps_wanted, body_ints(b, 4, (int64_t[]){1, heads, 1, 1}), "Tile");
    ir_value *is = body_2(b, distance, taps_wanted, "Equal");
    return body_3(b, is, body_like(b, 0, rows), body_like(b, HIDDEN, rows), "Where");
}

/* [1, S, heads, taps, size]: inputs of the tokens that each tap reads. */
static ir_value *inputs_of_taps(op_body *b, const taps *t, ir_value *rows, int64_t heads,
                                int64_t size)
{
    ir_value *values = body_reshape(b, rows, "0,0,%lld,%lld", (long long)heads, (long long)size);
    ir_value *none = body_2(b, body_part(b, values, 3, 0, 1), body_like(b, 0, values), "Mul");
    ir_value *times = body_ints(b, 4, (int64_t[]){1, 1, t->count, 1});
    ir_value *queries = body_2(b, none, times, "Tile");
    ir_value *sinks = body_2(b, body_like(b, ELSEWHERE, values),
                             body_ints(b, 1, (int64_t[]){heads * t->count}), "Expand");
    ir_value *in[] = {queries, none, values, bias_of(b, t, rows, heads), NULL, NULL, sinks};
    ir_value *z = body_n(b, 7, in,
                         "heed.Attention causal=1 scale=1 relative=1 left_window=%lld "
                         "q_layout=bshd k_layout=bshd v_layout=bshd y_layout=bshd",
                         (long long)t->first);
    return body_reshape(b, z, "0,0,%lld,%lld,%lld", (long long)heads, (long long)t->count,
                        (long long)size);
}

static ir_value *weighted(op_body *b, const taps *t, ir_value *z, ir_value *w, int64_t heads,
                          int64_t size)
{
    long long h = heads, d = size, k = t->count, m = t->results;
    if (t->groups > 1 || t->channels == 1) {
        w = body_transpose(b, body_reshape(b, w, "%lld,%lld,%lld", h, d, k), "0,2,1");
        ir_value *sum = body_2(b, body_2(b, z, w, "Mul"), body_ints(b, 1, (int64_t[]){3}),
                               "ReduceSum keepdims=0");
        return body_reshape(b, sum, "0,0,%lld", m);
    }
    w = body_transpose(b, body_reshape(b, w, "%lld,%lld,%lld,%lld", m, h, d, k), "1,3,2,0");
    w = body_reshape(b, w, "%lld,%lld", h * k * d, m);
    return body_2(b, body_reshape(b, z, "0,0,%lld", h * k * d), w, "MatMul");
}

static ir_value *write(op_body *b, const ir_node *n, const taps *t)
{
    int64_t size = head_size(t->channels), heads = t->channels / size;
    ir_value *rows = body_transpose(b, t->x, "0,2,1");
    ir_value *z = inputs_of_taps(b, t, rows, heads, size);
    ir_value *y = weighted(b, t, z, ir_input(n, W), heads, size);
    if (ir_input(n, B))
        y = body_2(b, y, ir_input(n, B), "Add");
    if (t->swish)
        y = body_2(b, y, body_1(b, y, "Sigmoid"), "Mul");
    return body_transpose(b, y, "0,2,1");
}

/* ---- States ------------------------------------------------------------------------------------
 */

static bool is_number(const ir_value *v, int64_t least, int64_t most)
{
    if (!v || !pass_constant(v) || tensor_count(v->constant) != 1)
        return false;
    int64_t x = tensor_get_int(v->constant, 0);
    return x >= least && x <= most;
}

bool cache_is_newest_inputs(const ir_graph *g, const cache_pair *pair)
{
    const ir_value *in = g->inputs[pair->input], *out = g->outputs[pair->output];
    while (pass_is(out->producer, "Identity"))
        out = out->producer->in[0].value;
    const ir_node *joins = pair->update, *cuts = out->producer;
    if (pair->form != CACHE_STATE || !joins || in->type.rank < 1)
        return false;
    int32_t last = in->type.rank - 1;
    ir_dim kept = in->type.dims[last];
    if (has_state(joins))
        return ir_input(joins, PAST) == in && joins->n_out > 1 && joins->out[1] == out;
    int64_t axis = ir_attr_int(joins, "axis", 0);
    return pass_is(joins, "Concat") && joins->n_in == 2 && joins->in[0].value == in &&
           (axis == last || axis == -1) && pass_is(cuts, "Slice") &&
           cuts->in[0].value == joins->out[0] && dim_known(kept) &&
           is_number(ir_input(cuts, 1), -kept, -kept) &&
           is_number(ir_input(cuts, 2), INT32_MAX, INT64_MAX) &&
           (is_number(ir_input(cuts, 3), last, last) || is_number(ir_input(cuts, 3), -1, -1)) &&
           (!ir_input(cuts, 4) || is_number(ir_input(cuts, 4), 1, 1));
}

/* ---- All nodes ------------------------------------------------------------------------------- */

/* One whole number, maybe from the end of an axis of `all`. */
static bool read_start(const ir_value *v, ir_dims *dims, ir_dim all, int64_t *out)
{
    bool one = v && v->content ? v->n_content == 1 : v && pass_constant(v);
    if (!one || (!v->content && tensor_count(v->constant) != 1))
        return false;
    ir_dim start = v->content ? v->content[0] : tensor_get_int(v->constant, 0);
    if (v->content && !dim_known(start))
        return dims_value(dims, start, out);
    *out = start;
    return start >= 0 || dims_value(dims, dims_add(dims, all, start), out);
}

/* As many results as tokens, from which on; false: it is something else. */
static bool is_cut(const ir_node *n, ir_dim tokens, ir_dims *dims, int64_t *from)
{
    const ir_value *axes = ir_input(n, 3), *steps = ir_input(n, 4);
    if (!pass_is(n, "Slice") || !is_over_tokens(n->out[0], tokens) || !axes ||
        !pass_constant(axes) || tensor_count(axes->constant) != 1 ||
        (steps && (!pass_constant(steps) || tensor_get_int(steps->constant, 0) != 1)))
        return false;
    int64_t axis = tensor_get_int(axes->constant, 0);
    return (axis == 2 || axis == -1) &&
           read_start(ir_input(n, 1), dims, n->in[0].value->type.dims[2], from);
}

static heed_status replace(pass_run *p, ir_node *n, ir_node *as, const taps *t)
{
    op_body b = pass_body(p, as);
    if (t->first < 0 || t->first < (t->count - 1) * t->step)
        return HEED_OK; /* it reads later tokens */
    p->rewrites++;
    return pass_settle(p, as, &b, write(&b, n, t));
}

static heed_status visit(pass_run *p, ir_node *n)
{
    taps t;
    ir_dim tokens = paging_tokens(p);
    if (!(pass_is(n, "Conv") || has_state(n)) || dim_known(tokens) || !read_taps(n, tokens, &t))
        return HEED_OK;
    if (is_over_tokens(n->out[0], tokens))
        return replace(p, n, n, &t);
    for (ir_use *use = n->out[0]->uses, *next; use; use = next) {
        int64_t from;
        next = use->next;
        if (!is_cut(use->node, tokens, p->model->dims, &from))
            continue;
        taps shifted = t;
        shifted.first -= from;
        TRY(replace(p, n, use->node, &shifted));
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    if (!p->options->paging)
        return HEED_OK;
    TRY(pass_dead.run(p)); /* nobody reads new states any more */
    return pass_each_node(p, visit);
}

const pass_def pass_convolutions = {
    .name = "convolutions",
    .purpose = "a convolution over tokens reads earlier ones as attention does",
    .order = 6,
    .again = 53, /* what pads is known when shapes were computed */
    .required = true,
    .run = run,
};
