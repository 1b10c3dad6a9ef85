/* site_named.c - attention that the file has an operator for, seen as a site.
 *
 * before: y = heed.Attention(q, Reshape(Expand(k)), Reshape(Expand(v)), mask)
 * after:  y = heed.Attention(q, k, v, mask), with fewer heads of keys than of queries
 *
 * The operator says what its axes are, so there is nothing to find out: its operands are climbed as
 * those of spelled-out attention are, through heads that are repeated, layouts and factors, and the
 * result descends. All else stays as it is. Separate from the walks: there is no softmax. */
#include <math.h>
#include <string.h>

#include "ops/heads.h"
#include "passes/attention/site_emit.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, INPUTS };
enum { AXIS_B, AXIS_H, AXIS_S, AXIS_D };

/* ---- Reading --------------------------------------------------------------------------------- */

/* Heads of the queries that share one of the operand's lie side by side. */
static bool read_heads(axes_table *t, const axes_list *heads, ir_dim count, axes_list *out)
{
    axes one = {.rank = 1}, two;
    ir_dim all = axes_extent(t, heads);
    one.axis[0] = *heads;
    *out = *heads;
    if (all == count)
        return true;
    ir_dim dims[] = {count, dim_known(all) && dim_known(count) && count > 0 ? all / count : 0};
    if (dims[1] < 1 || dims[0] * dims[1] != all || !axes_regroup(t, &one, 2, dims, &two))
        return false;
    *out = two.axis[0];
    return true;
}

/* The operand's axes are these atoms; its extents are theirs. */
static bool read_operand(site *s, const ir_node *n, uint32_t i, const char *layout,
                         const axes_list axis[4], site_operand *o)
{
    heads_layout places;
    ir_value *v = i <= V ? ir_input(n, i) : n->out[0];
    if (!v || v->type.rank != 4 || !heads_layout_read(n, layout, &places))
        return false;
    *o = (site_operand){.value = v, .at = {.rank = 4}};
    for (int k = 0; k < 4; k++) {
        ir_dim dim = v->type.dims[places.place[k]];
        axes_list list = axis[k];
        if (k == AXIS_H && !read_heads(&s->table, &axis[k], dim, &list))
            return false;
        if ((dim == 1) != (axes_extent(&s->table, &list) == 1) || !axes_name(&s->table, &list, dim))
            return false;
        o->at.axis[places.place[k]] = list;
    }
    return true;
}

static ir_dim extent_of(const ir_node *n, uint32_t i, const char *layout, int axis)
{
    heads_layout places;
    const ir_value *v = ir_input(n, i);
    return v && v->type.rank == 4 && heads_layout_read(n, layout, &places)
               ? v->type.dims[places.place[axis]]
               : DIM_UNKNOWN;
}

static bool read_axes(site *s, const ir_node *n)
{
    axes_table *t = &s->table;
    axes_list heads = axes_new(t, extent_of(n, Q, "q_layout", AXIS_H));
    axes_list batch = axes_new(t, extent_of(n, Q, "q_layout", AXIS_B));
    axes_list rows = axes_new(t, extent_of(n, Q, "q_layout", AXIS_S));
    axes_list channels = axes_new(t, extent_of(n, V, "v_layout", AXIS_D));
    s->sum = axes_new(t, extent_of(n, Q, "q_layout", AXIS_D));
    s->keys = (axes_list){1, {axes_atom(t, extent_of(n, K, "k_layout", AXIS_S))}};
    const axes_list of_q[] = {batch, heads, rows, s->sum};
    const axes_list of_k[] = {batch, heads, s->keys, s->sum};
    const axes_list of_v[] = {batch, heads, s->keys, channels};
    const axes_list of_y[] = {batch, heads, rows, channels};
    s->frame = (axes){.rank = 4, .axis = {batch, heads, rows, s->keys}};
    return read_operand(s, n, Q, "q_layout", of_q, &s->q) &&
           read_operand(s, n, K, "k_layout", of_k, &s->k) &&
           read_operand(s, n, V, "v_layout", of_v, &s->v) &&
           read_operand(s, n, V + 1, "y_layout", of_y, &s->y) && !t->failed;
}

/* 0 is the operator's word for what the channels give. */
static void read_scale(site *s, const ir_node *n)
{
    ir_dim channels = axes_extent(&s->table, &s->sum);
    s->scale = ir_attr_float(n, "scale", 0);
    if (s->scale == 0 && dim_known(channels) && channels > 0)
        s->scale = 1 / sqrt((double)channels);
}

/* A mask that moves with the heads has an extent for each key. */
static bool can_move(const site *s, const ir_value *v)
{
    ir_dim keys = axes_extent(&s->table, &s->keys);
    return !v || v->type.rank == 0 ||
           (v->type.rank > 0 && axes_dim(&s->table, v->type.dims[v->type.rank - 1]) == keys);
}

bool site_read_named(site *s, ir_node *n)
{
    s->softmax = s->product = s->named = n;
    if (!read_axes(s, n))
        return false;
    read_scale(s, n);
    if (n->n_out > 1 && n->out[1] && ir_value_used(n->out[1]))
        s->weights = (site_operand){n->out[1], s->frame};
    if (ir_input(n, SINKS))
        s->sinks = (site_operand){.value = ir_input(n, SINKS),
                                  .at = {.rank = 1, .axis = {s->frame.axis[AXIS_H]}}};
    const ir_value *before[] = {s->q.value, s->k.value, s->v.value, s->y.value};
    bool scaled = s->scale != 0;
    site_climb(s, &s->q, scaled ? &s->scale : NULL);
    site_climb(s, &s->k, scaled ? &s->scale : NULL);
    site_climb(s, &s->v, NULL);
    site_descend(s);
    bool changed = before[Q] != s->q.value || before[K] != s->k.value || before[V] != s->v.value ||
                   before[V + 1] != s->y.value;
    return changed && isfinite(s->scale) && (s->scale != 0 || !scaled);
}

/* ---- What the axes are ----------------------------------------------------------------------- */

bool site_sort_named(const site *s, site_parts *out)
{
    *out = (site_parts){.batch = s->frame.axis[AXIS_B], .rows = s->frame.axis[AXIS_S]};
    const axes_list *heads = &s->frame.axis[AXIS_H];
    for (uint32_t i = 0; i < heads->n; i++) {
        uint8_t atom = heads->atoms[i];
        bool shared = axes_have(&s->k.at, atom) || axes_have(&s->v.at, atom);
        axes_list *list = shared ? &out->heads : &out->groups;
        list->atoms[list->n++] = atom;
    }
    bool moved = out->groups.n && out->heads.n && heads->atoms[0] != out->heads.atoms[0];
    for (uint32_t i = 0; i < out->heads.n; i++)
        moved = moved || heads->atoms[i] != out->heads.atoms[i];
    return !moved ||
           (can_move(s, ir_input(s->named, BIAS)) && can_move(s, ir_input(s->named, MASK)) &&
            can_move(s, ir_input(s->named, FACTOR)));
}

/* ---- Writing --------------------------------------------------------------------------------- */

static ir_value *bring(const site_emission *e, ir_value *v)
{
    site_term term = {.kind = SITE_BIAS, .value = v};
    if (!v || e->b->status)
        return NULL;
    term.at = site_beside(&e->s->frame, v);
    return site_bring(e->s, e->b, &term, &e->scores, &e->witness);
}

/* What the walks had no part in. The proof says that it was read. */
static heed_status copy_attrs(const ir_node *from, ir_node *to)
{
    static const char own[] = "short_mask scale q_layout k_layout v_layout y_layout";
    const heed_attribute proof = {
        .size = sizeof(proof), .type = HEED_ATTR_STRING, .name = "proof", .s = {"", 0}};
    for (uint32_t i = 0; i < from->n_attrs; i++)
        if (!strstr(own, from->attrs[i].view.name))
            TRY(ir_node_set_attr(to, &from->attrs[i].view, NULL));
    return ir_node_set_attr(to, &proof, NULL);
}

void site_emit_named(site_emission *e, const site_arrangement a[4], ir_value *out[2])
{
    const ir_node *n = e->s->named;
    op_body *b = e->b;
    ir_value *in[INPUTS] = {site_lay_out(e, &e->s->q, &a[Q]),
                            site_lay_out(e, &e->s->k, &a[K]),
                            site_lay_out(e, &e->s->v, &a[V]),
                            bring(e, ir_input(n, BIAS)),
                            ir_input(n, LENGTHS),
                            ir_input(n, OFFSETS),
                            NULL,
                            bring(e, ir_input(n, MASK)),
                            bring(e, ir_input(n, FACTOR))};
    in[SINKS] = e->s->sinks.value
                    ? site_head_sinks(e, &a[Q].axis[AXIS_H], e->s->sinks.value->type.dtype)
                    : NULL;
    body_nodes(b, INPUTS, in, e->s->weights.value ? 2 : 1, out,
               "heed.Attention short_mask=%d scale=%.17g q_layout=%s k_layout=%s v_layout=%s "
               "y_layout=%s",
               (int)ir_attr_int(n, "short_mask", 0), e->s->scale, a[Q].letters, a[K].letters,
               a[V].letters, a[V + 1].letters);
    if (!b->status)
        b->status = copy_attrs(n, out[0]->producer);
}
