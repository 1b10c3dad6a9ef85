/* channels.c - see channels.h. Each rule says for one operator where every channel of its result
 * comes from; what no rule takes is a source. */
#include "passes/fuse/channels.h"

#include <string.h>

enum { MOST_DEPTH = 48, MOST_SEEN = 192, MOST_SLICED = 8 };

/* ---- Questions ------------------------------------------------------------------------------ */

bool channel_same_ref(const channel_ref *a, const channel_ref *b)
{
    return a->value == b->value && a->axes == b->axes && a->at == b->at;
}

bool channel_same(const channel *a, const channel *b)
{
    bool same = a->n == b->n;
    for (int32_t i = 0; same && i < a->n; i++)
        same = a->term[i].negative == b->term[i].negative &&
               channel_same_ref(&a->term[i].factor[0], &b->term[i].factor[0]) &&
               channel_same_ref(&a->term[i].factor[1], &b->term[i].factor[1]);
    return same;
}

bool channel_plain(const channel *c)
{
    return c->n == 1 && !c->term[0].factor[1].value && !c->term[0].negative;
}

/* The extents of the last `axes` axes, 1 where there are none; how many channels that makes, -1
 * when it is not known or too many. */
static int32_t extents(const ir_value *v, int32_t axes, int64_t *dims)
{
    int64_t n = 1;
    if (v->type.kind != HEED_KIND_TENSOR || v->type.rank < 0 || axes > CHANNELS_AXES || axes < 1)
        return -1;
    for (int32_t i = 0; i < axes; i++) {
        int32_t d = v->type.rank - axes + i;
        dims[i] = d < 0 ? 1 : v->type.dims[d];
        if (!dim_known(dims[i]) || dims[i] < 1 || dims[i] > CHANNELS_MOST)
            return -1;
        n *= dims[i];
        if (n > CHANNELS_MOST)
            return -1;
    }
    return (int32_t)n;
}

/* An axis as an index into the channels' axes, or -1 when it is one of the rows'. */
static int32_t place_of(const ir_value *v, int64_t axis, int32_t axes)
{
    int64_t d = axis < 0 ? axis : axis - v->type.rank;
    return d >= -axes && d < 0 ? (int32_t)(d + axes) : -1;
}

/* Both have the same rows: so many leading axes of the same extents. */
static bool same_rows(const ir_value *a, const ir_value *b, int32_t rows)
{
    bool same = rows >= 0 && a->type.rank >= rows && b->type.rank >= rows;
    for (int32_t d = 0; same && d < rows; d++)
        same = a->type.dims[d] == b->type.dims[d];
    return same;
}

static bool ints(const ir_value *v, int64_t *out, int64_t most, int64_t *n)
{
    if (!v || !pass_constant(v) || tensor_count(v->constant) > most)
        return false;
    *n = tensor_count(v->constant);
    for (int64_t i = 0; i < *n; i++)
        out[i] = tensor_get_int(v->constant, i);
    return true;
}

/* ---- Movement along one axis ---------------------------------------------------------------- */

/* Channel i of the result is channel from(i) of the input: along axis `place`, `at` says which. */
static bool pick(channels *c, const channels *in, const int64_t *out_dims, const int64_t *in_dims,
                 int32_t place, const int64_t *at)
{
    int64_t inner = 1;
    for (int32_t d = place + 1; d < c->axes; d++)
        inner *= out_dims[d];
    for (int64_t i = 0; i < c->n; i++) {
        int64_t k = at[i / inner % out_dims[place]];
        if (k < 0 || k >= in_dims[place])
            return false;
        int64_t outer = i / inner / out_dims[place];
        c->at[i] = in->at[(outer * in_dims[place] + k) * inner + i % inner];
    }
    return true;
}

typedef struct step {
    channel_trace *trace;
    channels *to;
    const ir_node *node;
    int64_t dims[CHANNELS_AXES]; /* of the result */
    bool sums;
} step;

static channels *below(const step *s, uint32_t i, int32_t axes)
{
    ir_value *v = ir_input(s->node, i);
    return v ? channels_of(s->trace, v, axes, s->sums) : NULL;
}

/* Picks along `axis` of input 0. */
static bool pick_axis(const step *s, int64_t axis, const int64_t *at)
{
    int64_t dims[CHANNELS_AXES];
    const ir_value *x = ir_input(s->node, 0);
    int32_t place = place_of(x, axis, s->to->axes);
    const channels *in = place < 0 ? NULL : below(s, 0, s->to->axes);
    return in && extents(x, s->to->axes, dims) > 0 && pick(s->to, in, s->dims, dims, place, at);
}

/* The one axis that the slice changes, and how; steps of 1 over a whole axis change nothing. */
static bool slice_of(const ir_node *node, int64_t *axis, int64_t *start, int64_t *stride)
{
    int64_t starts[MOST_SLICED], axes[MOST_SLICED], steps[MOST_SLICED], n = 0, m = 0, k = 0;
    const ir_value *x = ir_input(node, 0), *y = node->out[0];
    bool changed = false;
    if (!ints(ir_input(node, 1), starts, MOST_SLICED, &n) || x->type.rank < 0 ||
        (ir_input(node, 3) && (!ints(ir_input(node, 3), axes, MOST_SLICED, &m) || m != n)) ||
        (ir_input(node, 4) && (!ints(ir_input(node, 4), steps, MOST_SLICED, &k) || k != n)))
        return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t d = m ? axes[i] + (axes[i] < 0 ? x->type.rank : 0) : i, by = k ? steps[i] : 1;
        if (d < 0 || d >= x->type.rank)
            return false;
        if (by == 1 && x->type.dims[d] == y->type.dims[d])
            continue;
        if (changed)
            return false;
        changed = true;
        *axis = d;
        *start = starts[i];
        *stride = by;
    }
    return changed;
}

static bool rule_slice(const step *s)
{
    const ir_value *x = ir_input(s->node, 0);
    int64_t axis = 0, start = 0, stride = 1;
    if (!slice_of(s->node, &axis, &start, &stride))
        return false;
    int32_t place = place_of(x, axis, s->to->axes);
    int64_t dims[CHANNELS_AXES], at[CHANNELS_MOST];
    if (place < 0 || extents(x, s->to->axes, dims) < 0)
        return false;
    int64_t extent = dims[place], last = stride < 0 ? extent - 1 : extent;
    start += start < 0 ? extent : 0;
    start = start < 0 ? 0 : start > last ? last : start;
    for (int64_t i = 0; i < s->dims[place]; i++)
        at[i] = start + i * stride;
    return pick_axis(s, axis, at);
}

static bool rule_split(const step *s)
{
    const ir_value *x = ir_input(s->node, 0);
    int64_t axis = ir_attr_int(s->node, "axis", 0), first = 0, at[CHANNELS_MOST];
    int32_t place = place_of(x, axis, s->to->axes);
    if (place < 0)
        return false;
    for (uint32_t o = 0; o < s->to->value->slot; o++) {
        int64_t dims[CHANNELS_AXES];
        if (!s->node->out[o] || extents(s->node->out[o], s->to->axes, dims) < 0)
            return false;
        first += dims[place];
    }
    for (int64_t i = 0; i < s->dims[place]; i++)
        at[i] = first + i;
    return pick_axis(s, axis, at);
}

/* One index, whose axis goes: the channels have one axis more there. */
static bool gather_one(const step *s, int64_t axis, int64_t index)
{
    int64_t in_dims[CHANNELS_AXES], out_dims[CHANNELS_AXES];
    const ir_value *x = ir_input(s->node, 0);
    int32_t axes = s->to->axes + 1, place = place_of(x, axis, axes);
    if (place < 0 || extents(x, axes, in_dims) < 0)
        return false;
    const channels *in = below(s, 0, axes);
    memcpy(out_dims, in_dims, sizeof(out_dims));
    out_dims[place] = 1;
    int32_t kept = s->to->axes;
    s->to->axes = axes; /* of the picture in which the axis has one element */
    bool good = in && pick(s->to, in, out_dims, in_dims, place, &index);
    s->to->axes = kept;
    return good;
}

static bool rule_gather(const step *s)
{
    int64_t at[CHANNELS_MOST], n = 0, axis = ir_attr_int(s->node, "axis", 0);
    const ir_value *x = ir_input(s->node, 0), *index = ir_input(s->node, 1);
    if (!ints(index, at, CHANNELS_MOST, &n) || tensor_rank(index->constant) > 1 || x->type.rank < 1)
        return false;
    int64_t d = axis < 0 ? axis + x->type.rank : axis;
    if (d < 0 || d >= x->type.rank || !dim_known(x->type.dims[d]))
        return false;
    for (int64_t i = 0; i < n; i++)
        at[i] += at[i] < 0 ? x->type.dims[d] : 0;
    return tensor_rank(index->constant) == 0 ? gather_one(s, axis, at[0]) : pick_axis(s, axis, at);
}

static bool rule_concat(const step *s)
{
    int64_t axis = ir_attr_int(s->node, "axis", 0), first = 0;
    int32_t place = place_of(s->to->value, axis, s->to->axes);
    int64_t inner = 1;
    for (int32_t d = place < 0 ? s->to->axes : place + 1; d < s->to->axes; d++)
        inner *= s->dims[d];
    for (uint32_t k = 0; place >= 0 && k < s->node->n_in; k++) {
        int64_t dims[CHANNELS_AXES];
        const channels *in = below(s, k, s->to->axes);
        if (!in || extents(in->value, s->to->axes, dims) < 0)
            return false;
        for (int64_t i = 0; i < in->n; i++) {
            int64_t outer = i / inner / dims[place], along = i / inner % dims[place];
            s->to->at[(outer * s->dims[place] + first + along) * inner + i % inner] = in->at[i];
        }
        first += dims[place];
    }
    return place >= 0;
}

/* ---- Movement of axes ----------------------------------------------------------------------- */

/* Reshape, Unsqueeze, Squeeze: the same elements, when the rows are the same. */
static bool rule_view(const step *s)
{
    const ir_value *x = ir_input(s->node, 0), *y = s->to->value;
    int32_t rows = y->type.rank - s->to->axes, axes = x->type.rank - rows;
    if (rows < 0 || x->type.rank < 0 || axes < 1 || !same_rows(x, y, rows))
        return false;
    const channels *in = below(s, 0, axes);
    if (!in || in->n != s->to->n)
        return false;
    memcpy(s->to->at, in->at, (size_t)in->n * sizeof(*in->at));
    return true;
}

static bool rule_transpose(const step *s)
{
    uint64_t n = 0;
    const ir_value *x = ir_input(s->node, 0);
    const int64_t *perm = ir_attr_ints(s->node, "perm", &n);
    int32_t axes = s->to->axes, rows = x->type.rank - axes;
    int64_t dims[CHANNELS_AXES];
    if (!perm || (int64_t)n != x->type.rank || rows < 0 || extents(x, axes, dims) < 0)
        return false;
    for (int32_t d = 0; d < rows; d++)
        if (perm[d] != d)
            return false;
    const channels *in = below(s, 0, axes);
    for (int64_t i = 0; in && i < s->to->n; i++) {
        int64_t rest = i, from = 0, place[CHANNELS_AXES];
        for (int32_t d = axes - 1; d >= 0; d--) {
            place[perm[rows + d] - rows] = rest % s->dims[d];
            rest /= s->dims[d];
        }
        for (int32_t d = 0; d < axes; d++)
            from = from * dims[d] + place[d];
        s->to->at[i] = in->at[from];
    }
    return in != NULL;
}

/* ---- Arithmetic ----------------------------------------------------------------------------- */

/* Which channel of an operand stands at channel i of the result. */
static int64_t broadcast_at(const step *s, const int64_t *dims, int64_t i)
{
    int64_t from = 0, stride = 1;
    for (int32_t d = s->to->axes - 1; d >= 0; d--) {
        from += dims[d] == 1 ? 0 : i % s->dims[d] * stride;
        i /= s->dims[d];
        stride *= dims[d];
    }
    return from;
}

static bool rule_expand(const step *s)
{
    int64_t dims[CHANNELS_AXES];
    const ir_value *x = ir_input(s->node, 0), *y = s->to->value;
    int32_t rows = y->type.rank - s->to->axes;
    if (x->type.rank != y->type.rank || !same_rows(x, y, rows) || extents(x, s->to->axes, dims) < 0)
        return false;
    const channels *in = below(s, 0, s->to->axes);
    for (int64_t i = 0; in && i < s->to->n; i++)
        s->to->at[i] = in->at[broadcast_at(s, dims, i)];
    return in != NULL;
}

static void negate(channel *c)
{
    for (int32_t i = 0; i < c->n; i++)
        c->term[i].negative = !c->term[i].negative;
}

static bool rule_neg(const step *s)
{
    const channels *in = below(s, 0, s->to->axes);
    for (int64_t i = 0; in && i < s->to->n; i++) {
        s->to->at[i] = in->at[i];
        negate(&s->to->at[i]);
    }
    return in != NULL;
}

/* a + b, a - b */
static bool join_sum(channel *to, const channel *a, const channel *b, bool minus)
{
    if (a->n + b->n > 2)
        return false;
    channel other = *b;
    if (minus)
        negate(&other);
    *to = *a;
    for (int32_t i = 0; i < other.n; i++)
        to->term[to->n++] = other.term[i];
    return true;
}

static bool join_product(channel *to, const channel *a, const channel *b, bool unused)
{
    (void)unused;
    if (a->n != 1 || b->n != 1 || a->term[0].factor[1].value || b->term[0].factor[1].value)
        return false;
    *to = *a;
    to->term[0].factor[1] = b->term[0].factor[0];
    to->term[0].negative = a->term[0].negative != b->term[0].negative;
    return true;
}

static bool join(const step *s, channels *a, channels *b, bool minus,
                 bool (*how)(channel *to, const channel *a, const channel *b, bool minus))
{
    int64_t dims_a[CHANNELS_AXES], dims_b[CHANNELS_AXES];
    if (!a || !b || extents(a->value, s->to->axes, dims_a) < 0 ||
        extents(b->value, s->to->axes, dims_b) < 0)
        return false;
    for (int64_t i = 0; i < s->to->n; i++)
        if (!how(&s->to->at[i], &a->at[broadcast_at(s, dims_a, i)],
                 &b->at[broadcast_at(s, dims_b, i)], minus))
            return false;
    return true;
}

static bool rule_sum(const step *s)
{
    return s->sums && join(s, below(s, 0, s->to->axes), below(s, 1, s->to->axes),
                           pass_is(s->node, "Sub"), join_sum);
}

/* A constant of nothing but 1 and -1 changes signs. */
static bool rule_signs(const step *s, uint32_t i)
{
    int64_t dims[CHANNELS_AXES];
    const ir_value *by = ir_input(s->node, i), *x = ir_input(s->node, 1 - i);
    if (!pass_constant(by) || !pass_same_type(x, s->to->value) || by->type.rank > s->to->axes ||
        extents(by, s->to->axes, dims) < 0)
        return false;
    const channels *in = below(s, 1 - i, s->to->axes);
    for (int64_t c = 0; in && c < s->to->n; c++) {
        double sign = 0;
        dtype_load_f64(by->constant->dtype, tensor_data(by->constant), broadcast_at(s, dims, c), 1,
                       &sign);
        s->to->at[c] = in->at[c];
        if (sign == -1)
            negate(&s->to->at[c]);
        else if (sign != 1)
            return false;
    }
    return in != NULL;
}

static bool rule_product(const step *s)
{
    if (rule_signs(s, 0) || rule_signs(s, 1))
        return true;
    step below_it = *s;
    below_it.sums = false;
    return s->sums && join(s, below(&below_it, 0, s->to->axes), below(&below_it, 1, s->to->axes),
                           false, join_product);
}

// clang-format off
static const struct {
    const char *op;
    bool (*rule)(const step *s);
} rules[] = {
    {"Slice", rule_slice}, {"Split", rule_split}, {"Gather", rule_gather},
    {"Concat", rule_concat}, {"Reshape", rule_view}, {"Unsqueeze", rule_view},
    {"Squeeze", rule_view}, {"Flatten", rule_view}, {"Transpose", rule_transpose},
    {"Expand", rule_expand}, {"Neg", rule_neg}, {"Add", rule_sum}, {"Sub", rule_sum},
    {"Mul", rule_product},
};
// clang-format on

/* ---- The trace ------------------------------------------------------------------------------ */

static bool apply_rule(const step *s)
{
    for (size_t i = 0; s->node && i < sizeof(rules) / sizeof(*rules); i++)
        if (pass_is(s->node, rules[i].op))
            return rules[i].rule(s);
    return false;
}

static channels *find_seen(const channel_trace *t, const ir_value *v, int32_t axes, bool sums)
{
    channels *c = t->seen;
    while (c && (c->value != v || c->axes != axes || c->sums != sums))
        c = c->next;
    return c;
}

static void make_source(channels *c)
{
    memset(c->at, 0, (size_t)c->n * sizeof(*c->at));
    for (int32_t i = 0; i < c->n; i++) {
        c->at[i].n = 1;
        c->at[i].term[0].factor[0] = (channel_ref){c->value, c->axes, i};
    }
}

channels *channels_of(channel_trace *t, ir_value *v, int32_t axes, bool sums)
{
    int64_t dims[CHANNELS_AXES];
    channels *c = find_seen(t, v, axes, sums);
    int32_t n = extents(v, axes, dims);
    if (c || n < 0 || t->n_seen >= MOST_SEEN)
        return c;
    c = arena_alloc(t->memory, sizeof(*c));
    channel *at = c ? arena_array(t->memory, (size_t)n, sizeof(*at)) : NULL;
    t->failed |= !at;
    if (!at)
        return NULL;
    *c = (channels){NULL, v, axes, sums, n, at};
    step s = {.trace = t, .to = c, .node = v->producer, .sums = sums};
    memcpy(s.dims, dims, sizeof(dims));
    t->depth++;
    if (t->depth > MOST_DEPTH || !apply_rule(&s))
        make_source(c);
    t->depth--;
    c->next = t->seen;
    t->seen = c;
    t->n_seen++;
    return c;
}
