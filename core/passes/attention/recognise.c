/* recognise.c - pass: attention, however it is spelled, becomes heed.Attention.
 *
 * before: y = MatMul(Softmax(Add(Div(MatMul(q, Transpose(k)), 8), mask)), v)
 * after:  y = heed.Attention(q, k, v, mask, scale = 1/8)
 *
 * Every softmax is a candidate. Two walks (site.h) look for the products before and after it and
 * collect what stands between; where they succeed the node is emitted, else the first obstacle is
 * the verdict. Nothing is dropped: a mask stays a mask. */
#include <string.h>

#include "passes/attention/site.h"
#include "passes/mask/mask.h"
#include "passes/pass.h"
#include "passes/verdict/verdict.h"

static const char switched_off[] = "attention is switched off";

/* The same type, as far as numbers say. */
static bool fits(const ir_type *a, const ir_type *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i] || !dim_known(a->dims[i]) || !dim_known(b->dims[i]);
    return same;
}

/* The node stands behind `first`, in its graph. */
static bool is_behind(const ir_node *n, const ir_node *first)
{
    for (const ir_node *m = first->next; m; m = m->next)
        if (m == n)
            return true;
    return false;
}

/* The product, or the Mul that is one with a ReduceSum. */
static bool is_product(const site *s, const ir_node *n)
{
    return n == s->product || (ir_input(s->product, 0)->producer == n && pass_is(n, "Mul") &&
                               pass_is(s->product, "ReduceSum"));
}

/* Who reads the weights besides must come after the fused node. */
static bool readers_follow(const site *s, const ir_node *place)
{
    for (const ir_use *u = s->weights.value ? s->weights.value->uses : NULL; u; u = u->next) {
        const ir_node *reader = u->node;
        bool ours = false;
        for (const ir_value *v = s->y.value; v && !ours; v = ir_input(v->producer, 0)) {
            ours = v->producer == reader;
            if (!v->producer || v->producer == s->product)
                break;
        }
        if (!ours && !is_product(s, reader) && !is_behind(reader, place))
            return false;
    }
    return true;
}

/* What makes the value, if it stands behind. */
static ir_node *later(ir_node *n, const ir_value *v)
{
    return v->producer && is_behind(v->producer, n) ? v->producer : n;
}

/* Behind which node the fused one will stand: the product, or when the weights are read earlier the
 * first place that has all operands. NULL: none will do. */
static ir_node *find_place(const site *s)
{
    ir_node *early = s->softmax;
    if (readers_follow(s, s->product))
        return s->product;
    early = later(early, s->v.value);
    for (uint32_t i = 0; i < s->n_changes; i++)
        early = later(early, s->changes[i].term.value);
    return early->graph == s->product->graph && readers_follow(s, early) ? early : NULL;
}

/* The fused node among those that were emitted, the last first. */
static ir_node *find_made(const op_body *b)
{
    for (ir_node *n = b->last; n && n != b->node; n = n->previous)
        if (strcmp(n->op->domain, "heed") == 0 && (strcmp(n->op->name, "Attention") == 0 ||
                                                   strcmp(n->op->name, "AdditiveAttention") == 0))
            return n;
    return NULL;
}

static void give_up(site *s, const op_body *b)
{
    site_stop(
        s, s->product,
        verdict_find_reason(err_get()->message, "queries, keys and values do not fit together"));
    pass_undo(b);
    err_clear();
}

/* Readers behind the fused node read its weights. What leads to the old product, which nobody reads
 * any more, stands before it and keeps the old ones. */
static void replace_weights(const site *s, ir_value *weights)
{
    ir_value *old = s->weights.value;
    ir_node *before[8];
    uint32_t slots[8], n = 0;
    for (const ir_use *u = old->uses; u && n < 8; u = u->next)
        if (!is_behind(u->node, weights->producer)) {
            before[n] = u->node;
            slots[n++] = u->slot;
        }
    ir_value_replace(old, weights);
    for (uint32_t i = 0; i < n; i++)
        ir_node_set_input(before[i], slots[i], old);
}

/* Extents that were lost on the way through the softmax are known again. */
static heed_status infer_behind(pass_run *p, ir_node *first)
{
    for (ir_node *n = first->next; n; n = n->next)
        TRY(pass_infer_node(p, n));
    return HEED_OK;
}

/* `known`: the result has the extents that readers took it to have. */
static heed_status replace(pass_run *p, site *s, const ir_node **made, bool *known)
{
    ir_value *weights = NULL;
    op_body b = pass_body(p, find_place(s));
    ir_value *y = site_emit(s, &b, &weights);
    if (b.status == HEED_NOMEM)
        return HEED_NOMEM;
    if (!b.status && !fits(&y->type, &s->y.value->type))
        body_fail(&b, HEED_UNSUPPORTED, "the fused result would have another type or shape");
    if (b.status) {
        give_up(s, &b);
        return HEED_OK;
    }
    *known = pass_same_type(s->y.value, y);
    ir_value_replace(s->y.value, y);
    if (weights)
        replace_weights(s, weights);
    p->rewrites++;
    ir_node *fused = find_made(&b);
    TRY(mask_prove(p, &fused, s->named != NULL));
    *made = fused;
    return HEED_OK;
}

static bool is_off(const pass_run *p)
{
    const char *mode = p->options->attention;
    return mode && strcmp(mode, "off") == 0;
}

static bool find(const pass_run *p, site *s)
{
    if (!site_walk_up(s, p->scratch) || !site_walk_down(s, p->scratch))
        return false;
    s->reason = NULL; /* of ways that were tried and left */
    site_ask_layers(s, p->scratch);
    if (is_off(p))
        return site_stop(s, s->softmax, switched_off);
    if (!find_place(s))
        return site_stop(s, s->softmax,
                         "the attention weights are read by others before they meet the values");
    return true;
}

static heed_status try_softmax(pass_run *p, ir_node *n)
{
    site s = {.softmax = n};
    const ir_node *made = NULL;
    bool known = true;
    axes_table_init(&s.table, p->model->dims);
    err_clear();
    bool found = find(p, &s);
    if (err_get()->status == HEED_NOMEM)
        return HEED_NOMEM;
    if (found)
        TRY(replace(p, &s, &made, &known));
    if (made)
        TRY(site_emit_shapes(&s, p));
    if (!known)
        TRY(infer_behind(p, n));
    return verdict_tell(p, &s, made);
}

/* A site is large, and most nodes are none. */
static heed_status visit(pass_run *p, ir_node *n)
{
    return pass_is(n, "Softmax") ? try_softmax(p, n) : HEED_OK;
}

/* What the file calls attention became heed.Attention when it was decomposed. */
static heed_status try_named(pass_run *p, ir_node *n)
{
    site s = {.softmax = n};
    const ir_node *made = NULL;
    bool known = true;
    if (ir_node_attr(n, "proof")) /* made of one that was told */
        return HEED_OK;
    if (is_off(p))
        return verdict_tell_named(p, n, n, switched_off);
    axes_table_init(&s.table, p->model->dims);
    if (site_read_named(&s, n)) {
        site_ask_layers(&s, p->scratch);
        TRY(replace(p, &s, &made, &known));
    }
    if (made) {
        TRY(site_emit_shapes(&s, p));
        if (!known)
            TRY(infer_behind(p, n));
        return verdict_tell(p, &s, made);
    }
    ir_node *kept = n;
    TRY(mask_prove(p, &kept, true));
    return verdict_tell_named(p, n, kept, NULL);
}

static heed_status visit_named(pass_run *p, ir_node *n)
{
    bool named = strcmp(n->op->domain, "heed") == 0 && strcmp(n->op->name, "Attention") == 0;
    return named ? try_named(p, n) : HEED_OK;
}

/* Switched off, it still says what it would have found. */
static heed_status run(pass_run *p)
{
    if (is_off(p) && !p->options->verdict)
        return HEED_OK;
    TRY(pass_each_node(p, visit_named));
    return pass_each_node(p, visit);
}

const pass_def pass_recognise = {
    .name = "recognise",
    .purpose = "attention, however it is spelled, becomes heed.Attention",
    .fuses = "Attention",
    .order = 60,
    .run = run,
};
