/* site_emit.c - heed.Attention from what the walks found.
 *
 * Separate from site_arrange.c, which says what the axes are, and from site_apply.c, which makes
 * one bias and one mask of many: here the node is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "passes/attention/site_emit.h"

ir_value *site_lay_out(const site_emission *e, const site_operand *o, const site_arrangement *a)
{
    return axes_emit(e->b, &e->s->table, o->value, o->at, site_target(a), true, &e->witness);
}

/* With the channels of the other products behind its own. */
static ir_value *joined_operand(const site_emission *e, bool keys, const site_arrangement *a)
{
    const site *s = e->s;
    ir_value *x = site_lay_out(e, keys ? &s->k : &s->q, a);
    for (uint32_t i = 0; i < s->n_pairs && !e->b->status; i++) {
        const site_pair *p = &s->pairs[i];
        site_arrangement other = *a;
        other.axis[3] = p->sum;
        ir_value *y = site_lay_out(e, keys ? &p->k : &p->q, &other);
        y = e->b->status ? NULL : body_cast(e->b, y, x->type.dtype);
        if (!keys && p->factor != s->scale && !e->b->status)
            y = body_2(e->b, y, body_like(e->b, p->factor / s->scale, y), "Mul");
        x = body_concat(e->b, x, y, (int32_t)(strchr(a->letters, 'd') - a->letters));
    }
    return x;
}

static void refresh(site *s)
{
    for (uint32_t i = 0; i < s->n_pairs; i++) {
        axes_refresh(&s->table, &s->pairs[i].q.at);
        axes_refresh(&s->table, &s->pairs[i].k.at);
        axes_refresh_list(&s->table, &s->pairs[i].sum);
    }
    for (uint32_t i = 0; i < s->n_parts; i++)
        axes_refresh(&s->table, &s->parts[i].o.at);
    axes *all[] = {&s->frame, &s->q.at, &s->k.at, &s->v.at, &s->y.at, &s->sinks.at, &s->weights.at};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        axes_refresh(&s->table, all[i]);
    axes_refresh_list(&s->table, &s->keys);
    axes_refresh_list(&s->table, &s->sum);
}

/* What the softmax is computed in when that is another type than the node's. */
static unsigned precision(const site *s, const ir_value *v)
{
    return s->inner == HEED_UNDEFINED || s->inner == v->type.dtype ? 0 : s->inner;
}

static void write_layouts(const site_arrangement a[4], char *text, size_t size)
{
    snprintf(text, size, "q_layout=%s k_layout=%s v_layout=%s y_layout=%s", a[0].letters,
             a[1].letters, a[2].letters, a[3].letters);
}

/* Where scores and values are of two types, all is computed in the wider one. */
static void widen(op_body *b, ir_value *in[3])
{
    if (b->status)
        return;
    heed_dtype widest = in[0]->type.dtype;
    for (int i = 1; i < 3; i++)
        if (dtype_bits(in[i]->type.dtype) > dtype_bits(widest))
            widest = in[i]->type.dtype;
    for (int i = 0; i < 3; i++)
        in[i] = body_cast(b, in[i], widest);
}

/* Results in the types that their readers know. */
static void narrow(const site_emission *e, const site_arrangement *y, ir_value *out[2])
{
    site *s = e->s;
    if (e->b->status)
        return;
    out[0] = body_cast(e->b, out[0], s->product->out[0]->type.dtype);
    out[0] = site_apply_changes(e, out[0], SITE_RESULT, y);
    if (s->weights.value)
        out[1] = body_cast(e->b, out[1], s->weights.value->type.dtype);
}

/* What rows give that the masks hide. */
static const char *empty_rule(const site *s)
{
    return s->zero ? "zero" : s->guard ? "guard" : s->sink_shares ? "share" : "nan";
}

/* Output 1 is wanted by those who read the weights. */
static void emit_node(site_emission *e, const site_arrangement a[4], ir_value *out[2])
{
    site *s = e->s;
    op_body *b = e->b;
    char layouts[64];
    ir_value *in[9] = {NULL};
    in[0] = joined_operand(e, false, &a[0]);
    in[1] = joined_operand(e, true, &a[1]);
    in[2] = site_lay_out(e, &s->v, &a[2]);
    if (b->status)
        return;
    in[2] = site_apply_changes(e, in[2], SITE_VALUES, &a[2]);
    widen(b, in);
    if (b->status)
        return;
    in[0] = site_apply_factors(e, in[0], &a[0]);
    uint32_t n_masks = s->late ? 0 : site_count_last_masks(s);
    e->fill = site_find_fill(s, n_masks, in[2]->type.dtype);
    in[3] = site_with_keys(b, site_sum_terms(e, n_masks, in[2]->type.dtype), in[1], a[1].letters);
    in[6] = s->sinks.value ? site_head_sinks(e, &a[0].axis[1], in[2]->type.dtype) : NULL;
    in[7] = site_with_keys(b, site_join_masks(e, n_masks), in[1], a[1].letters);
    in[8] = site_with_keys(b, site_join_factors(e, in[2]->type.dtype), in[1], a[1].letters);
    write_layouts(a, layouts, sizeof(layouts));
    body_nodes(b, 9, in, s->weights.value ? 2 : 1, out,
               "heed.Attention scale=%.17g softcap=%.17g fill=%.17g fill_first=%d "
               "scores_min=%.17g scores_max=%.17g empty=%s "
               "scores=3 softmax_precision=%u %s",
               s->scale, s->softcap, e->fill, s->late, s->bounded ? s->least : -(double)INFINITY,
               s->bounded ? s->most : (double)INFINITY, empty_rule(s), precision(s, in[2]),
               layouts);
    narrow(e, &a[3], out);
}

/* heed.AdditiveAttention: the queries and the keys are sums, and a vector joins them. */
static void emit_additive(site_emission *e, const site_arrangement a[4], ir_value *out[2])
{
    site *s = e->s;
    op_body *b = e->b;
    char layouts[64];
    axes to[] = {site_target(&a[0]), site_target(&a[1])};
    ir_value *in[6] = {site_sum_parts(s, b, false, &to[0], &e->witness),
                       site_sum_parts(s, b, true, &to[1], &e->witness),
                       site_lay_out(e, &s->v, &a[2])};
    if (b->status)
        return;
    in[2] = site_apply_changes(e, in[2], SITE_VALUES, &a[2]);
    widen(b, in);
    if (b->status)
        return;
    site_drop_numbers(&s->terms);
    heed_dtype dtype = in[2]->type.dtype;
    uint32_t n_masks = s->late ? 0 : site_count_last_masks(s);
    e->fill = site_find_fill(s, n_masks, in[2]->type.dtype);
    in[3] = site_weigh_channels(s, b, &a[0].axis[1], dtype, &e->witness);
    in[4] = site_sum_terms(e, n_masks, dtype);
    in[5] = site_join_masks(e, n_masks);
    write_layouts(a, layouts, sizeof(layouts));
    body_nodes(b, 6, in, s->weights.value ? 2 : 1, out,
               "heed.AdditiveAttention scale=%.17g fill=%.17g fill_first=%d empty=%s "
               "softmax_precision=%u %s",
               s->scale, e->fill, s->late, s->guard ? "guard" : "nan", precision(s, in[2]),
               layouts);
    narrow(e, &a[3], out);
}

static void emit_any(site_emission *e, const site_arrangement a[4], ir_value *out[2])
{
    (e->s->named ? site_emit_named : e->s->additive ? emit_additive : emit_node)(e, a, out);
}

static axes_list joined(axes_table *t, const axes_list *a, const axes_list *b)
{
    axes_list out = *a;
    axes_list_add(t, &out, b);
    return out;
}

static bool keys_have(const site *s, uint8_t atom)
{
    bool have = axes_have(&s->k.at, atom);
    for (uint32_t i = 0; i < s->n_pairs; i++)
        have |= axes_have(&s->pairs[i].k.at, atom);
    return have;
}

static bool values_have(const site *s, uint8_t atom)
{
    return axes_have(&s->v.at, atom) || s->n_changes > 0;
}

/* The outer ones of the heads, as far as keys or values have any: the operator reads them for all
 * that are inside. */
static axes_list own_heads(const site *s, const axes_list *heads,
                           bool (*have)(const site *s, uint8_t atom))
{
    axes_list own = *heads;
    while (own.n && !s->additive && !have(s, own.atoms[own.n - 1]))
        own.n--;
    return own;
}

ir_value *site_emit(site *s, op_body *b, ir_value **weights)
{
    site_parts p;
    refresh(s);
    axes_list channels = site_channels(s);
    if (!s->named) {
        site_sort_atoms(s, &channels, &p);
    } else if (!site_sort_named(s, &p)) {
        body_fail(b, HEED_UNSUPPORTED, "queries, keys and values do not fit together");
        return NULL;
    }
    site_count_heads(s, &p);
    axes_list heads = joined(&s->table, &p.heads, &p.groups);
    ir_value *witness[] = {s->q.value, s->k.value, s->v.value};
    site_emission e = {.s = s, .b = b, .scores = {.rank = 4}, .witness = {witness, 3}};
    e.scores.axis[0] = p.batch;
    e.scores.axis[1] = heads;
    e.scores.axis[2] = p.rows;
    e.scores.axis[3] = s->keys;
    axes_list k_heads = own_heads(s, &p.heads, keys_have);
    axes_list v_heads = own_heads(s, &p.heads, values_have);
    site_arrangement a[4] = {
        {.axis = {p.batch, heads, p.rows, s->sum}},
        {.axis = {p.batch, k_heads, s->keys, s->sum}},
        {.axis = {p.batch, v_heads, s->keys, channels}},
        {.axis = {p.batch, heads, p.rows, channels}},
    };
    const axes *at[] = {&s->q.at, &s->k.at, &s->v.at, &s->y.at};
    for (int i = 0; i < 4; i++)
        site_arrange(at[i], &a[i]);
    if (s->factors.n)
        memcpy(a[0].letters, "bhsd", 5);
    for (int i = 2; i < 4 && s->additive; i++) /* channels of values in one run */
        if (a[i].letters[3] != 'd')
            memcpy(a[i].letters, "bhsd", 5);
    if (s->table.failed) {
        body_fail(b, HEED_UNSUPPORTED, "there are too many axes to follow");
        return NULL;
    }
    ir_value *out[2] = {NULL};
    emit_any(&e, a, out);
    if (!b->status && s->weights.value)
        *weights = axes_emit(b, &s->table, out[1], e.scores, s->weights.at, false, &e.witness);
    return b->status
               ? NULL
               : axes_emit(b, &s->table, out[0], site_target(&a[3]), s->y.at, false, &e.witness);
}
