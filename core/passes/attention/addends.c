/* addends.c - pass: a bias that is a sum larger than what is added up stays two biases.
 *
 * before: y = heed.FlashAttention(q, k, v, Add(b [1, H, S, T], Reshape(Expand(m [P, 1, S, T]))))
 * after:  y = heed.FlashAttention(q, k, v, b, .., more = m)
 *
 * Attention over windows adds a bias of heads and a mask of windows, which repeats itself over the
 * images; encoders add a bias of heads and a mask of sequences. The sum is as large as the scores,
 * and so is what repeats the mask: both would undo what the operator is for. It comes behind the
 * proofs of masks, which read the sum, and behind the choice of an operator. */
#include <string.h>

#include "ops/body.h"
#include "passes/pass.h"

enum { BIAS = 3, MORE = 9, INPUTS = 10, ADDENDS = 4, AXES = 4 };

typedef struct addends {
    ir_value *item[ADDENDS];
    bool fresh[ADDENDS]; /* repeats less than what it stands for */
    uint32_t n;
} addends;

/* ---- What repeats itself over sequences ------------------------------------------------------ */

static ir_dim extent(const ir_value *v, int32_t from_end)
{
    return v->type.rank >= from_end ? v->type.dims[v->type.rank - from_end] : 1;
}

/* Axes of `whole` that are heads, queries and keys of its reshaping v: at[1], at[2], at[3]; -1 for
 * an axis of extent 1 that only v has. Returns how many axes are before them: sequences; -1: the
 * reshaping does more than to join those. */
static int32_t find_inside(const ir_value *whole, const ir_value *v, int32_t at[AXES])
{
    int32_t left = whole->type.rank;
    for (int32_t i = AXES - 1; i > 0; i--) {
        ir_dim dim = extent(v, AXES - i);
        at[i] = -1;
        if (left > 0 && whole->type.dims[left - 1] == dim)
            at[i] = --left;
        else if (dim != 1)
            return -1;
    }
    return left;
}

/* The first n axes: some that are repeated, then some that are not. */
static bool repeats_outside(const ir_value *x, const ir_value *whole, int32_t n)
{
    bool inside = false;
    for (int32_t i = 0; i < n; i++) {
        int32_t from_end = whole->type.rank - i;
        bool same = extent(x, from_end) == extent(whole, from_end), one = extent(x, from_end) == 1;
        if (!same && (!one || inside))
            return false;
        inside |= !one;
    }
    return true;
}

/* x, which is repeated to `whole`, as [sequences, h, s, t]. */
static ir_value *joined(op_body *b, ir_value *x, const ir_value *whole, const int32_t at[AXES])
{
    int32_t lacks = whole->type.rank - x->type.rank;
    ir_value *dims[AXES] = {body_ints(b, 1, (int64_t[]){-1})};
    for (int32_t i = 1; i < AXES; i++)
        dims[i] = at[i] >= lacks ? body_dim(b, x, at[i] - lacks) : body_ints(b, 1, (int64_t[]){1});
    return body_reshape_to(b, x, AXES, dims);
}

/* Tile of whole sequences, or Expand along sequences and others. */
static bool is_repeated(const ir_node *n, const ir_value *x, const ir_value *whole, int32_t outside)
{
    bool tile = pass_is(n, "Tile");
    for (int32_t i = 1; tile && i < whole->type.rank; i++)
        tile = extent(x, i) == extent(whole, i);
    return tile ? outside == 1 && x->type.rank == whole->type.rank
                : pass_is(n, "Expand") && repeats_outside(x, whole, outside);
}

/* before: v = Reshape(Expand(x [1, P, 1, S, T], [B, P, H, S, T]), [B * P, H, S, T])
 * after:  x as [P, 1, S, T] */
static ir_value *unrepeated(op_body *b, ir_value *v)
{
    int32_t at[AXES];
    const ir_value *whole = pass_is(v->producer, "Reshape") ? ir_input(v->producer, 0) : v;
    const ir_node *n = whole->producer;
    if (!(pass_is(n, "Expand") || pass_is(n, "Tile")) || v->type.rank != AXES)
        return v;
    ir_value *x = ir_input(n, 0);
    int32_t outside = find_inside(whole, v, at);
    bool keys = x->type.rank > 0 && extent(x, 1) == extent(whole, 1) && at[AXES - 1] >= 0;
    if (x->type.rank < 1 || x->type.rank > whole->type.rank || outside < 1 || !keys ||
        !is_repeated(n, x, whole, outside))
        return v;
    return joined(b, x, whole, at);
}

/* ---- The sum --------------------------------------------------------------------------------- */

static bool is_read_once(const ir_value *v) { return v->uses && !v->uses->next; }

static bool is_sum(const ir_value *v, bool top)
{
    const ir_node *n = v->producer;
    if (!pass_is(n, "Add") || (!top && !is_read_once(v)))
        return false;
    for (uint32_t i = 0; i < 2; i++)
        if (n->in[i].value->type.rank < 1 || extent(n->in[i].value, 1) != extent(v, 1))
            return false;
    return true;
}

static bool collect(op_body *b, ir_value *v, bool top, addends *out)
{
    if (is_sum(v, top))
        return collect(b, ir_input(v->producer, 0), false, out) &&
               collect(b, ir_input(v->producer, 1), false, out);
    if (out->n == ADDENDS)
        return false;
    ir_value *x = unrepeated(b, v);
    out->item[out->n] = x;
    out->fresh[out->n++] = x != v;
    return x != NULL;
}

/* The axes along which it differs. */
static unsigned axes_of(const ir_value *v)
{
    unsigned bits = 0;
    for (int32_t i = 1; i <= AXES; i++)
        bits |= (unsigned)(extent(v, i) != 1) << i;
    return bits;
}

/* Whether a sum of these makes a tensor that is larger than each, as the number of its axes; -1
 * where their sequences repeat themselves differently. */
static int cost_of(const addends *a, unsigned group)
{
    unsigned all = 0;
    ir_dim sequences = 1;
    bool larger = true;
    for (uint32_t i = 0; i < a->n; i++) {
        ir_dim own = extent(a->item[i], AXES);
        if (!(group >> i & 1))
            continue;
        if (own != 1 && sequences != 1 && own != sequences)
            return -1;
        sequences = own != 1 ? own : sequences;
        all |= axes_of(a->item[i]);
    }
    for (uint32_t i = 0; i < a->n; i++)
        larger &= !(group >> i & 1) || axes_of(a->item[i]) != all;
    return larger ? __builtin_popcount(all) : 0;
}

/* The first group of the two whose sums are smallest; the item at 0 is in it. */
static unsigned divide(const addends *a, int *least)
{
    unsigned best = 0, whole = (1u << a->n) - 1;
    *least = -1;
    for (unsigned group = whole; group; group--) {
        int one = cost_of(a, group), other = group == whole ? 0 : cost_of(a, whole & ~group);
        int cost = one > other ? one : other;
        if (!(group & 1) || one < 0 || other < 0 || (*least >= 0 && cost >= *least))
            continue;
        *least = cost;
        best = group;
    }
    return best;
}

static ir_value *sum_of(op_body *b, const addends *a, unsigned group)
{
    ir_value *sum = NULL;
    for (uint32_t i = 0; i < a->n && !b->status; i++)
        if (group >> i & 1)
            sum = sum ? body_2(b, sum, a->item[i], "Add") : a->item[i];
    return sum;
}

/* ---- The node -------------------------------------------------------------------------------- */

static bool has_two(const ir_node *n)
{
    static const char *const ops[] = {"FlashAttention", "GroupedQueryAttention",
                                      "MultiHeadAttention"};
    bool known = false;
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops) && strcmp(n->op->domain, "heed") == 0; i++)
        known |= strcmp(n->op->name, ops[i]) == 0;
    const ir_value *bias = known ? ir_input(n, BIAS) : NULL;
    return bias && dtype_is_float(bias->type.dtype) && bias->type.rank > 0 &&
           bias->type.rank <= AXES && !ir_input(n, MORE) && !ir_attr_int(n, "relative", 0) &&
           !ir_attr_int(n, "short_mask", 0);
}

/* What cannot be computed so, or has an extent that stands nowhere, stays as it was. */
static heed_status take_back(const op_body *b, heed_status status)
{
    pass_undo(b);
    if (status == HEED_NOMEM)
        return status;
    err_clear();
    return HEED_OK;
}

/* The operator with other biases, where it is computed so; it stands behind what they need. */
static heed_status rebuild(pass_run *p, ir_node *n, op_body *b, ir_value *bias, ir_value *more)
{
    ir_value *in[INPUTS];
    bool taken = false;
    for (uint32_t i = 0; i < INPUTS; i++)
        in[i] = ir_input(n, i);
    in[BIAS] = bias;
    in[MORE] = more;
    ir_node *made = ir_node_new(n->graph, b->last, n->op, n->name, INPUTS, in, n->n_out, NULL);
    if (!made)
        return HEED_NOMEM;
    b->last = made;
    made->path = n->path;
    made->offset = n->offset;
    for (uint32_t i = 0; i < n->n_attrs; i++)
        TRY(ir_node_set_attr(made, &n->attrs[i].view, NULL));
    for (uint32_t o = 0; o < n->n_out; o++)
        if (!n->out[o])
            made->out[o] = NULL;
    heed_status status = pass_infer_node(p, made);
    if (!status)
        status = pass_taken(p, made, &taken);
    if (!taken)
        return take_back(b, status);
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            ir_value_replace(n->out[o], made->out[o]);
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    addends all = {.n = 0};
    if (!has_two(n))
        return HEED_OK;
    op_body b = pass_body(p, n);
    bool fresh = false, known = collect(&b, ir_input(n, BIAS), true, &all);
    for (uint32_t i = 0; i < all.n; i++)
        fresh |= all.fresh[i];
    int least = 0, before = known ? cost_of(&all, (1u << all.n) - 1) : 0;
    unsigned group = known ? divide(&all, &least) : 0;
    if (!group || (!fresh && before <= least))
        return take_back(&b, b.status);
    unsigned rest = ((1u << all.n) - 1) & ~group;
    ir_value *bias = sum_of(&b, &all, group), *more = rest ? sum_of(&b, &all, rest) : NULL;
    return b.status ? take_back(&b, b.status) : rebuild(p, n, &b, bias, more);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_addends = {
    .name = "addends",
    .purpose = "a bias that is a sum larger than what is added up stays two biases",
    .order = 66,
    .run = run,
};
