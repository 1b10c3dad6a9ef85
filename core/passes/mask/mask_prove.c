/* mask_prove.c - masks and biases of heed.Attention become what they are proved to be.
 *
 * before: y = heed.Attention(q, k, v, Where(And(j <= i + past, padding), 0, -3.4e38))
 * after:  y = heed.Attention(q, k, v, offsets = past, mask = padding, causal = 1, fill = -3.4e38)
 *
 * A place is visible or hidden by a table over atoms (mask.h). Atoms that every visible place obeys
 * are bounds, and become attributes; the rest stays a tensor, on the axes that it depends on. What
 * adds a number that absorbs every score hides by adding it: `fill_added` says so, since the sum
 * with a score that is not a number is none. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/heads.h"
#include "passes/mask/mask_proof.h"

enum { BIG = 1 << MASK_S | 1 << MASK_T };

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_extents(const ir_node *n, ir_dim extent[4])
{
    heads_layout q, k;
    const ir_value *queries = ir_input(n, MASK_Q), *keys = ir_input(n, MASK_K);
    if (queries->type.rank != 4 || keys->type.rank != 4 || !heads_layout_read(n, "q_layout", &q) ||
        !heads_layout_read(n, "k_layout", &k))
        return false;
    for (int i = 0; i < 3; i++)
        extent[i] = queries->type.dims[q.place[i]];
    extent[MASK_T] = keys->type.dims[k.place[2]];
    for (int i = 0; i < 4; i++)
        if (extent[i] == DIM_UNKNOWN || extent[i] == 0)
            return false;
    return true;
}

/* The last axis of a table is cut to the length of the keys, which so are no more than it has
 * entries; of its rows, those of the queries are taken, from `keys - queries` on: there are as many
 * as there are queries. */
static bool is_slice(const mask *m, const ir_value *v, ir_dim rows)
{
    ir_dims *dims = m->dims;
    ir_dim keys = m->extent[MASK_T], queries = m->extent[MASK_S], last;
    int64_t most;
    if (v->type.rank < 2 || !dims_is_cut(dims, v->type.dims[v->type.rank - 1], keys, &most) ||
        most < 2)
        return false;
    last = dims_min(dims, dims_sub(dims, keys, queries), most);
    return rows == dims_max(dims, dims_sub(dims, v->type.dims[v->type.rank - 1], last), 0);
}

/* Axis k of a mask, whose extent is not that of the scores. */
static bool read_odd_axis(mask *m, const ir_value *v, int k, ir_dim have, bool exact, axes_list *at)
{
    ir_dim want = m->extent[k], both;
    mask_affine index = mask_constant(0);
    if ((exact && k == MASK_T) || !m->frame[k] || dim_known(have) || dim_known(want))
        return false;
    if (k == MASK_S && is_slice(m, v, have))
        return true;
    return dims_broadcast(m->dims, have, want, &both) && both == want &&
           mask_index_of(m, at, &index) && mask_axis(m, &index, have, at);
}

/* Axes of a mask, which broadcasts to the scores. One that may be shorter than the keys hides those
 * behind it. */
static bool read_axes(mask *m, const ir_value *v, bool exact, axes *at)
{
    *at = (axes){.rank = v->type.rank};
    if (at->rank < 0 || at->rank > 4)
        return false;
    for (int32_t i = 0; i < at->rank; i++) {
        int k = 4 - at->rank + i;
        ir_dim have = v->type.dims[i], want = m->extent[k];
        if (have == want && !m->frame[k])
            continue;
        if (have == 1 && k != MASK_T)
            continue;
        at->axis[i] = (axes_list){1, {m->frame[k]}};
        if (have != want && !read_odd_axis(m, v, k, have, exact, &at->axis[i]))
            return false;
    }
    return true;
}

static bool read_input(mask_proof *p, ir_value *v, bool exact, mask_form *form)
{
    axes at;
    return read_axes(p->m, v, exact, &at) && mask_walk(p->m, v, &at, form);
}

static bool read_inputs(mask_proof *p, bool exact)
{
    ir_value *bias = p->bias_in, *seen = p->seen_in;
    bool boolean = bias && bias->type.dtype == HEED_BOOL;
    if (boolean && seen)
        return false;
    /* what is added to the fill as well tells nothing of who is hidden, and stays */
    p->adds = bias && !boolean && !ir_attr_int(p->n, "fill_first", 0);
    p->masks = seen || boolean;
    p->fill = ir_attr_float(p->n, "fill", -(double)INFINITY);
    /* a bias of unknown extents beside a mask stays as it is, too */
    if (p->adds && !read_input(p, bias, exact, &p->bias)) {
        if (!p->masks)
            return false;
        p->adds = false;
    }
    if (p->masks && !read_input(p, boolean ? bias : seen, exact, &p->seen))
        return false;
    p->factors =
        p->factor_in && p->adds && !p->masks && read_input(p, p->factor_in, exact, &p->factor);
    return mask_read(p);
}

/* ---- What to do ------------------------------------------------------------------------------ */

/* The axes on which an input of the node lies. */
static unsigned input_bits(const ir_value *v)
{
    unsigned bits = 0;
    for (int32_t i = 0; v && i < v->type.rank; i++)
        if (v->type.dims[i] != 1)
            bits |= 1u << (4 - v->type.rank + i);
    return bits;
}

static const ir_value *mask_input(const mask_proof *p)
{
    return p->seen_in ? p->seen_in : p->bias_in;
}

/* Tensors that would be no smaller than those that are there (where a factor goes away they are),
 * or would lack the axis of the keys, which tells how many of them there are. */
static bool is_writable(const mask_proof *p, unsigned bits)
{
    return bits != ~0u && !(bits & ~0xfu) && (bits & 1u << MASK_T) &&
           (p->zeroed || (bits & BIG) != BIG);
}

/* Is anything gained? Bounds that leave the rest as it is are, too. */
static bool decide(mask_proof *p)
{
    bool rest = mask_rest_needed(p), bias = mask_bias_needed(p);
    unsigned rest_bits = rest ? mask_rest_depends(p) : 0, before = input_bits(mask_input(p));
    unsigned bias_bits = bias ? mask_bias_depends(p) : 0;
    p->relative = (!rest || is_writable(p, rest_bits)) && mask_bias_relative(p);
    if (p->relative)
        return true;
    bool small_bias = !bias || is_writable(p, bias_bits);
    if ((!rest || is_writable(p, rest_bits)) && small_bias) {
        bool whole = p->adds && !p->absorbed && !p->sums && bias;
        return p->taken || p->zeroed || (!rest && !bias) ||
               ((rest_bits | bias_bits) & before) != before || (!whole && p->absorbed);
    }
    /* a bias over rows and keys is what stays of the sum of one and a mask */
    if ((!rest || is_writable(p, rest_bits)) && bias_bits != ~0u && !(bias_bits & ~0xfu) &&
        (bias_bits & 1u << MASK_T) && p->taken)
        return true;
    p->keeps = true;
    p->zeroed = false;
    return p->taken && !p->sums && !(p->absorbed && p->masks);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static heed_status set_int(ir_node *n, const char *name, int64_t x)
{
    heed_attribute a = {.size = sizeof(a), .name = name, .type = HEED_ATTR_INT, .i = x};
    return ir_node_set_attr(n, &a, NULL);
}

static heed_status set_text(ir_node *n, const char *name, const char *text)
{
    heed_attribute a = {.size = sizeof(a), .name = name, .type = HEED_ATTR_STRING};
    a.s = (heed_string){text, strlen(text)};
    return ir_node_set_attr(n, &a, NULL);
}

/* Query i stands at offset + i: key <= query + right, key >= query + left. */
typedef struct window {
    int64_t causal, left, right;
    ir_dim offset;
} window;

static window window_of(const mask_proof *p)
{
    window w = {.left = -1, .right = -1, .offset = 0};
    ir_dims *dims = p->m->dims;
    int64_t left, right;
    if (mask_is_two_sided(p, &left, &right)) {
        w.left = -left;
        w.right = right;
        return w;
    }
    if (p->right.found) {
        w.causal = 1;
        w.offset = p->right.at;
        if (p->left.found)
            dims_value(dims, dims_sub(dims, p->right.at, p->left.at), &w.left);
    } else if (p->left.found) {
        bool back = dims_value(dims, p->left.at, &left) && left <= 0;
        w.offset = back ? 0 : p->left.at;
        w.left = back ? -left : 0;
    }
    return w;
}

static heed_status set_attrs(const mask_proof *p, ir_node *n)
{
    window w = window_of(p);
    heed_attribute fill = {
        .size = sizeof(fill), .name = "fill", .type = HEED_ATTR_FLOAT, .f = (double)(float)p->fill};
    TRY(set_int(n, "causal", w.causal));
    TRY(set_int(n, "left_window", w.left));
    TRY(set_int(n, "right_window", w.right));
    if (p->absorbed || p->sums) {
        TRY(set_int(n, p->zeroed ? "fill_zeroed" : "fill_added", 1));
        TRY(ir_node_set_attr(n, &fill, NULL));
    }
    if (p->sums)
        TRY(set_int(n, "fill_first", 1));
    if (p->relative)
        TRY(set_int(n, "relative", 1));
    return set_text(n, "proof", mask_proof_text(p));
}

static void emit_inputs(const mask_proof *p, mask_emission *e, ir_value *in[MASK_INPUTS])
{
    window w = window_of(p);
    bool in_bias = p->masks && !p->seen_in;
    for (uint32_t i = 0; i < MASK_INPUTS; i++)
        in[i] = ir_input(p->n, i);
    if (w.offset != 0)
        in[MASK_OFFSETS] = mask_emit_offset(e, w.offset);
    if (p->length.found)
        in[MASK_LENGTHS] = mask_emit_offset(e, p->length.at);
    if (p->keeps)
        return;
    if (p->zeroed)
        in[MASK_FACTOR] = NULL;
    heed_dtype dtype = p->adds ? in[MASK_BIAS]->type.dtype : HEED_BOOL;
    if (p->masks)
        in[in_bias ? MASK_BIAS : MASK_SEEN] = NULL;
    if (mask_rest_needed(p))
        in[MASK_SEEN] = mask_emit_rest(p, e);
    e->distances = p->relative;
    if (p->adds)
        in[MASK_BIAS] = mask_bias_needed(p) ? mask_emit_bias(p, e, dtype) : NULL;
    e->distances = false;
}

/* The lengths of a node are one a sequence. */
static bool fits_length(const mask_proof *p, const ir_value *lengths)
{
    return !lengths || (lengths->type.rank == 1 && lengths->type.dims[0] == p->m->extent[MASK_B]);
}

static heed_status rebuild(pass_run *p, const mask_proof *proof, op_body *b,
                           ir_value *in[MASK_INPUTS], ir_node **n)
{
    ir_node *old = *n;
    ir_node *made =
        ir_node_new(old->graph, b->last, old->op, old->name, MASK_INPUTS, in, old->n_out, NULL);
    if (!made)
        return HEED_NOMEM;
    made->path = old->path;
    made->offset = old->offset;
    for (uint32_t i = 0; i < old->n_attrs; i++)
        TRY(ir_node_set_attr(made, &old->attrs[i].view, NULL));
    TRY(set_attrs(proof, made));
    TRY(pass_infer_node(p, made));
    for (uint32_t o = 0; o < old->n_out; o++)
        if (old->out[o])
            ir_value_replace(old->out[o], made->out[o]);
    ir_node_remove(old);
    *n = made;
    return HEED_OK;
}

static heed_status write(pass_run *p, mask_proof *proof, ir_node **n)
{
    ir_value *in[MASK_INPUTS], *witness[3];
    op_body b = pass_body(p, *n);
    mask_emission e = {.m = proof->m, .b = &b};
    for (uint32_t i = 0; i < 3; i++)
        witness[i] = ir_input(*n, i);
    e.witness = (axes_witness){witness, 3};
    emit_inputs(proof, &e, in);
    if (b.status == HEED_NOMEM)
        return HEED_NOMEM;
    if (!b.status && proof->length.found && !fits_length(proof, in[MASK_LENGTHS]))
        body_fail(&b, HEED_UNSUPPORTED, "lengths that are not one a sequence");
    if (b.status) {
        pass_undo(&b);
        err_clear();
        return HEED_OK;
    }
    return rebuild(p, proof, &b, in, n);
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* Bounds by position of the node's own: then nothing is added to them. */
static bool is_bounded(const ir_node *n)
{
    return ir_input(n, MASK_LENGTHS) || ir_input(n, MASK_OFFSETS) || ir_attr_int(n, "causal", 0) ||
           ir_attr_int(n, "left_window", -1) >= 0 || ir_attr_int(n, "right_window", -1) >= 0 ||
           ir_attr_int(n, "relative", 0);
}

/* Reads and finds; what is to be done is in the proof. */
static bool find(pass_run *p, mask_proof *proof, const ir_dim extent[4], bool exact, bool looks)
{
    mask *m = proof->m;
    mask_init(m, p, extent);
    m->looks_up = looks;
    m->halves = proof->factor_in != NULL;
    *proof = (mask_proof){.m = m,
                          .n = proof->n,
                          .bias_in = proof->bias_in,
                          .seen_in = proof->seen_in,
                          .factor_in = proof->factor_in};
    if (!read_inputs(proof, exact))
        return false;
    mask_find_pair(proof);
    mask_find_bounds(proof);
    if (!proof->taken && !proof->sums)
        mask_find_sum(proof);
    proof->zeroed = mask_factor_is_fill(proof);
    return true;
}

/* A factor that says something else than the fill is not looked at. */
static bool attempt(pass_run *p, mask_proof *proof, const ir_dim extent[4], bool exact, bool looks)
{
    ir_value *factor = proof->factor_in;
    if (factor && find(p, proof, extent, exact, looks) && proof->zeroed)
        return true;
    proof->factor_in = NULL;
    bool found = find(p, proof, extent, exact, looks);
    proof->factor_in = factor;
    return found;
}

/* A tensor that is followed through a lookup is a smaller one only where it goes by distance;
 * otherwise it is best left whole. */
static heed_status prove(pass_run *p, mask_proof *proof, ir_node **n, const ir_dim extent[4],
                         bool exact)
{
    bool read = attempt(p, proof, extent, exact, true), gains = read && decide(proof);
    const char *kinds = mask_proof_kinds(proof, read);
    if (proof->m->looked_up && !proof->relative) {
        read = attempt(p, proof, extent, exact, false);
        gains = read && decide(proof);
    }
    if (gains)
        TRY(write(p, proof, n));
    return *kinds ? set_text(*n, "mask_kinds", kinds) : HEED_OK;
}

/* Additive attention has no attributes for bounds: its mask stays, and what it is is told. */
static heed_status tell(pass_run *p, mask_proof *proof, ir_node *n, const ir_dim extent[4])
{
    bool read = attempt(p, proof, extent, false, true);
    const char *kinds = mask_proof_kinds(proof, read);
    proof->keeps = true;
    if (read && proof->taken)
        TRY(set_text(n, "proof", mask_proof_text(proof)));
    return *kinds ? set_text(n, "mask_kinds", kinds) : HEED_OK;
}

heed_status mask_prove(pass_run *p, ir_node **n, bool exact)
{
    enum { ADDITIVE_BIAS = 4, ADDITIVE_SEEN };
    mask_proof *proof = arena_alloc(p->scratch, sizeof(*proof));
    bool additive = strcmp((*n)->op->name, "AdditiveAttention") == 0;
    ir_dim extent[4];
    if (!proof)
        return HEED_NOMEM;
    *proof = (mask_proof){.n = *n,
                          .bias_in = ir_input(*n, additive ? ADDITIVE_BIAS : MASK_BIAS),
                          .seen_in = ir_input(*n, additive ? ADDITIVE_SEEN : MASK_SEEN),
                          .factor_in = additive ? NULL : ir_input(*n, MASK_FACTOR)};
    if ((!proof->bias_in && !proof->seen_in) || (!additive && is_bounded(*n)) ||
        !read_extents(*n, extent))
        return HEED_OK;
    proof->m = mem_zero(sizeof(mask));
    if (!proof->m)
        return HEED_NOMEM;
    heed_status status = additive ? tell(p, proof, *n, extent) : prove(p, proof, n, extent, exact);
    mem_free(proof->m);
    return status;
}
