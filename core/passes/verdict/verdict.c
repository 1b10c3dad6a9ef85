/* verdict.c - see verdict.h. */
#include "passes/verdict/verdict.h"

#include "ops/heads.h"

/* ---- Heads ----------------------------------------------------------------------------------- */

/* An axis (h is 1, d is 3) of an operand of heed.Attention: its extent, -1 when it is a symbol. */
static int64_t extent(const ir_node *made, uint32_t input, const char *layout, int axis)
{
    heads_layout places;
    const ir_value *v = ir_input(made, input);
    if (!v || v->type.rank != 4 || !heads_layout_read(made, layout, &places))
        return -1;
    ir_dim dim = v->type.dims[places.place[axis]];
    return dim_known(dim) ? dim : -1;
}

static void read_heads(pass_verdict *v)
{
    enum { HEADS = 1, CHANNELS = 3 };
    v->q_heads = extent(v->made, 0, "q_layout", HEADS);
    v->k_heads = extent(v->made, 1, "k_layout", HEADS);
    v->v_heads = extent(v->made, 2, "v_layout", HEADS);
    v->head_dim = extent(v->made, 0, "q_layout", CHANNELS);
    v->v_head_dim = extent(v->made, 2, "v_layout", CHANNELS);
}

/* What the graph has: the operator may read heads that were repeated for it, and where channels
 * attend to each other, it takes positions for channels. */
static void correct_heads(pass_verdict *v, const site *s)
{
    enum { POSITIONS = 2 };
    v->k_heads = s->k_heads > 0 ? s->k_heads : v->k_heads;
    v->v_heads = s->v_heads > 0 ? s->v_heads : v->v_heads;
    v->over_channels = s->over_channels;
    if (s->over_channels) {
        v->head_dim = extent(v->made, 0, "q_layout", POSITIONS);
        v->v_head_dim = extent(v->made, 2, "v_layout", POSITIONS);
    }
}

/* ---- Nodes that are swallowed -----------------------------------------------------------------
 */

/* Nodes that nobody needs any more: each read by none but others of the set. */
typedef struct node_set {
    bool *has;            /* by id */
    const ir_node **list; /* in the order in which they were found */
    uint32_t n;
} node_set;

static bool is_needed(const node_set *set, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] && n->out[i]->n_outputs)
            return true;
        for (const ir_use *u = n->out[i] ? n->out[i]->uses : NULL; u; u = u->next)
            if (!set->has[u->node->id])
                return true;
    }
    return false;
}

static void add_unneeded(node_set *set, const ir_node *n)
{
    if (n && !set->has[n->id] && !is_needed(set, n)) {
        set->has[n->id] = true;
        set->list[set->n++] = n;
    }
}

/* Each node that joins may free those that it read. */
static void follow(node_set *set, const ir_node *last)
{
    add_unneeded(set, last);
    for (uint32_t done = 0; done < set->n; done++)
        for (uint32_t i = 0; i < set->list[done]->n_in; i++) {
            const ir_value *v = ir_input(set->list[done], i);
            add_unneeded(set, v ? v->producer : NULL);
        }
}

/* In the order of the graph: back from the last one until all were met. */
static void sort_nodes(node_set *set, const ir_node *last)
{
    uint32_t left = set->n;
    for (const ir_node *n = last; n && left; n = n->previous)
        if (set->has[n->id])
            set->list[--left] = n;
    set->list += left; /* what stands in outer graphs is left out */
    set->n -= left;
}

/* The last one, and what only it needed. */
static heed_status find_nodes(const pass_run *p, const ir_node *last, pass_verdict *v)
{
    uint32_t n = p->model->n_nodes;
    node_set set = {.has = arena_array(p->scratch, n, sizeof(*set.has)),
                    .list = arena_array(p->scratch, n, sizeof(const ir_node *))};
    if (!set.has || !set.list)
        return HEED_NOMEM;
    follow(&set, last);
    sort_nodes(&set, last);
    v->nodes = set.list;
    v->n_nodes = set.n;
    return HEED_OK;
}

/* ---- The verdict ------------------------------------------------------------------------------
 */

static pass_verdict verdict_of(const ir_node *n, const ir_node *made)
{
    pass_verdict v = {.node = n,
                      .fused = made != NULL,
                      .attention = true,
                      .help = "",
                      .made = made,
                      .q_heads = -1,
                      .k_heads = -1,
                      .v_heads = -1,
                      .head_dim = -1,
                      .v_head_dim = -1};
    return v;
}

/* `s`: NULL for an operator that was left as it is. */
static heed_status tell_fused(const pass_run *p, const site *s, pass_verdict *v)
{
    const char *features[VERDICT_FEATURES];
    read_heads(v);
    if (s)
        correct_heads(v, s);
    v->n_features = verdict_features(v, features);
    v->features = features;
    v->mask = verdict_mask(v->made);
    return p->options->verdict(p->options->self, v);
}

static heed_status tell_refused(const pass_run *p, pass_verdict *v, const char *reason,
                                const ir_node *at)
{
    v->reason = reason;
    v->at = at;
    v->help = v->attention ? verdict_help(reason) : "";
    return p->options->verdict(p->options->self, v);
}

heed_status verdict_tell(pass_run *p, const site *s, const ir_node *made)
{
    pass_verdict v = verdict_of(s->softmax, made);
    if (!p->options->verdict)
        return HEED_OK;
    if (made) {
        TRY(find_nodes(p, s->y.value->producer, &v));
        return tell_fused(p, s, &v);
    }
    v.attention = verdict_is_attention(s->softmax);
    return tell_refused(p, &v, s->reason, s->obstacle);
}

heed_status verdict_tell_named(pass_run *p, const ir_node *n, const ir_node *made,
                               const char *reason)
{
    const ir_node *nodes[] = {n};
    pass_verdict v = verdict_of(n, reason ? NULL : made);
    if (!p->options->verdict)
        return HEED_OK;
    if (reason)
        return tell_refused(p, &v, reason, n);
    v.nodes = nodes;
    v.n_nodes = 1;
    if (n != made)
        TRY(find_nodes(p, n, &v));
    return tell_fused(p, NULL, &v);
}
