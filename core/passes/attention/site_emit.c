/* site_emit.c - heed.Attention from what the walks found.
 *
 * The atoms of the scores fall into sequences (B), heads (H), queries (S) and
 * keys (T); those of the operands' own are channels. Queries that no operand
 * but Q has may be several heads that share keys. Operands keep the arrangement
 * that they have in memory; the layout attributes say which. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "passes/attention/site.h"

/* What the four axes of an operand are made of. */
typedef struct parts {
    axes_list batch, heads, groups, rows; /* groups: heads that share keys, inside of heads */
} parts;

static bool list_of(const axes_list *list, uint8_t atom) { return axes_list_has(list, atom); }

static void append(axes_list *list, uint8_t atom)
{
    if (list->n < AXES_LIST)
        list->atoms[list->n++] = atom;
}

/* The atom lies in one axis with channels of the result: it is a head. */
static bool beside_channels(const site *s, const axes_list *channels, uint8_t atom)
{
    for (int32_t i = 0; i < s->y.at.rank; i++)
        for (uint32_t k = 0; k < channels->n; k++)
            if (list_of(&s->y.at.axis[i], atom) && list_of(&s->y.at.axis[i], channels->atoms[k]))
                return true;
    return false;
}

/* Channels of the values: what the result has and the scores do not. */
static axes_list channels_of(const site *s)
{
    axes_list out = {0};
    for (int32_t i = 0; i < s->y.at.rank; i++)
        for (uint32_t k = 0; k < s->y.at.axis[i].n; k++)
            if (!axes_have(&s->frame, s->y.at.axis[i].atoms[k]))
                append(&out, s->y.at.axis[i].atoms[k]);
    return out;
}

static bool is_symbol(const site *s, uint8_t atom)
{
    return !dim_known(s->table.atoms[atom].extent);
}

/* Which of the atoms that only queries have is the sequence: the last one,
 * unless another is a symbol and it is a number. */
static uint8_t choose_rows(const site *s, const axes_list *own)
{
    uint8_t chosen = own->atoms[own->n - 1];
    for (uint32_t i = own->n; i-- > 0 && !is_symbol(s, chosen);)
        if (is_symbol(s, own->atoms[i]))
            chosen = own->atoms[i];
    return chosen;
}

static void sort_atoms(const site *s, const axes_list *channels, parts *out)
{
    axes_list shared = {0}, own = {0};
    *out = (parts){.batch = {0}};
    for (int32_t i = 0; i < s->frame.rank; i++)
        for (uint32_t k = 0; k < s->frame.axis[i].n; k++) {
            uint8_t atom = s->frame.axis[i].atoms[k];
            if (!list_of(&s->keys, atom))
                append(axes_have(&s->k.at, atom) || axes_have(&s->v.at, atom) ? &shared : &own,
                       atom);
        }
    if (s->additive) { /* nothing is shared by heads */
        out->rows = own;
    } else if (own.n) {
        uint8_t rows = choose_rows(s, &own);
        append(&out->rows, rows);
        for (uint32_t i = 0; i < own.n; i++)
            if (own.atoms[i] != rows)
                append(&out->groups, own.atoms[i]);
    }
    for (uint32_t i = 0; i < shared.n; i++) {
        bool head = beside_channels(s, channels, shared.atoms[i]) ||
                    (i + 1 == shared.n && i > 0 && !out->heads.n);
        append(head ? &out->heads : &out->batch, shared.atoms[i]);
    }
}

/* ---- Layouts
 * ----------------------------------------------------------------------------------
 */

/* The axes [b, h, s, d] of one operand, and their letters in the order of
 * memory. */
typedef struct arrangement {
    axes_list axis[4];
    char letters[5];
} arrangement;

static int which(const arrangement *a, uint8_t atom)
{
    for (int i = 0; i < 4; i++)
        if (list_of(&a->axis[i], atom))
            return i;
    return -1;
}

/* Letters in the order in which the tensor has them, when each is in one piece
 * and in order. */
static bool read_letters(const axes *at, arrangement *a)
{
    static const char names[] = "bhsd";
    axes_list seen[4] = {{0}};
    int last = -1, n = 0;
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < at->axis[i].n; k++) {
            int at_letter = which(a, at->axis[i].atoms[k]);
            if (at_letter < 0 || (at_letter != last && seen[at_letter].n))
                return false;
            if (at_letter != last)
                a->letters[n++] = names[at_letter];
            last = at_letter;
            append(&seen[at_letter], at->axis[i].atoms[k]);
        }
    for (int i = 0; i < 4; i++) {
        if (seen[i].n && !axes_list_equal(&seen[i], &a->axis[i]))
            return false;
        if (seen[i].n != a->axis[i].n)
            return false; /* something is to be repeated */
    }
    for (int i = 3; i >= 0; i--) { /* axes of extent 1 go to the front */
        if (seen[i].n)
            continue;
        memmove(a->letters + 1, a->letters, (size_t)n);
        a->letters[0] = names[i];
        n++;
    }
    return true;
}

static axes target_of(const arrangement *a)
{
    static const char names[] = "bhsd";
    axes out = {.rank = 4};
    for (int i = 0; i < 4; i++)
        out.axis[i] = a->axis[strchr(names, a->letters[i]) - names];
    return out;
}

/* Only letters that the tensor has in one piece can be told apart without
 * moving elements. */
static void arrange(const axes *at, arrangement *a)
{
    memset(a->letters, 0, sizeof(a->letters));
    if (!read_letters(at, a))
        memcpy(a->letters, "bhsd", 5);
}

static axes_list joined(axes_table *t, const axes_list *a, const axes_list *b)
{
    axes_list out = *a;
    axes_list_add(t, &out, b);
    return out;
}

/* ---- Biases and masks
 * -------------------------------------------------------------------------
 */

typedef struct emission {
    site *s;
    op_body *b;
    axes scores; /* [B, H, S, T] */
    axes_witness witness;
    double fill;
} emission;

static ir_value *bring(const emission *e, const site_term *term, const axes *to)
{
    return site_bring(e->s, e->b, term, to, &e->witness);
}

/* Times the factors that stand outside of the term. */
static ir_value *multiplied(const emission *e, const site_term *term, ir_value *x, heed_dtype dtype)
{
    op_body *b = e->b;
    for (uint32_t k = 0; k < term->n_factors && !b->status; k++) {
        const site_term *by = &e->s->factors.items[k];
        x = body_2(b, x, body_cast(b, bring(e, by, &e->scores), dtype),
                   by->inverted ? "Div" : "Mul");
    }
    return x;
}

static ir_value *scaled_bias(const emission *e, const site_term *term, heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *x = body_cast(b, bring(e, term, &e->scores), dtype);
    if (term->number != 1)
        x = body_2(b, x, body_like(b, term->number, x), "Mul");
    return multiplied(e, term, x, dtype);
}

static ir_value *visible(const emission *e, const site_term *term)
{
    ir_value *x = bring(e, term, &e->scores);
    return term->inverted ? body_1(e->b, x, "Not") : x;
}

/* What the mask adds to scores that it hides. In the late order weak masks put in `fill` before,
 * and nothing may be left to add: NULL. */
static ir_value *hidden(const emission *e, const site_term *mask, const ir_value *sum,
                        heed_dtype dtype)
{
    bool weak = e->s->late && site_mask_is_weak(mask);
    double number = weak ? mask->number - e->fill : mask->number;
    ir_value *x = body_number(e->b, dtype, number);
    if (weak && number == 0 && !sum)
        return NULL;
    return weak ? multiplied(e, mask, x, dtype) : x;
}

/* One term, applied to what the terms inside of it add to the scores (NULL:
 * nothing). */
static ir_value *apply_term(const emission *e, const site_term *term, ir_value *sum,
                            heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *x;
    switch (term->kind) {
    case SITE_BIAS:
        x = scaled_bias(e, term, dtype);
        return sum ? body_2(b, sum, x, "Add") : x;
    case SITE_MASK:
        x = hidden(e, term, sum, dtype);
        sum = sum || !x ? sum : body_number(b, dtype, 0);
        return x ? body_3(b, visible(e, term), sum, x, "Where") : NULL;
    default:
        return sum ? body_2(b, sum, body_like(b, term->number, sum), "Max") : NULL;
    }
}

/* Masks that nothing follows stay masks; what is inside of them becomes one
 * bias. */
static uint32_t count_last_masks(const site *s)
{
    uint32_t n = 0;
    while (n < s->terms.n && s->terms.items[n].kind == SITE_MASK &&
           s->terms.items[n].number == s->terms.items[0].number)
        n++;
    return n;
}

/* What hidden scores become: the number of the last masks, or in the late order that of all weak
 * ones, which is 0 when they differ. */
static double find_fill(const site *s, uint32_t n_masks)
{
    const site_term *first = NULL;
    if (!s->late)
        return n_masks ? s->terms.items[0].number : -(double)INFINITY;
    for (uint32_t i = 0; i < s->terms.n; i++) {
        const site_term *t = &s->terms.items[i];
        if (!site_mask_is_weak(t))
            continue;
        first = first ? first : t;
        if (t->n_factors || t->number != first->number)
            return 0;
    }
    return first->number;
}

/* The last n, or in the late order all weak ones. */
static ir_value *join_masks(const emission *e, uint32_t n)
{
    ir_value *all = NULL;
    for (uint32_t i = 0; i < (e->s->late ? e->s->terms.n : n); i++) {
        const site_term *mask = &e->s->terms.items[i];
        if (e->s->late && !site_mask_is_weak(mask))
            continue;
        ir_value *x = visible(e, mask);
        all = all ? body_2(e->b, all, x, "And") : x;
    }
    return all;
}

static ir_value *sum_terms(const emission *e, uint32_t from, heed_dtype dtype)
{
    ir_value *sum = NULL;
    for (uint32_t i = e->s->terms.n; i-- > from;)
        sum = apply_term(e, &e->s->terms.items[i], sum, dtype);
    return sum;
}

/* A last extent of 1 would be that of one key. */
static ir_value *with_keys(op_body *b, ir_value *x, ir_value *k, const char *layout)
{
    if (b->status || !x || (x->type.rank && x->type.dims[x->type.rank - 1] != 1))
        return x;
    int32_t keys = (int32_t)(strchr(layout, 's') - layout);
    return body_2(b, x, body_dim(b, k, keys), "Expand");
}

/* The tensors that multiply scores key by key. */
static ir_value *join_factors(const emission *e, heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *all = NULL;
    for (uint32_t i = 0; i < e->s->factors.n && !b->status; i++) {
        const site_term *by = &e->s->factors.items[i];
        if (!by->keyed)
            continue;
        ir_value *x = body_cast(b, bring(e, by, &e->scores), dtype);
        if (by->inverted && !b->status)
            x = body_2(b, body_number(b, dtype, 1), x, "Div");
        all = all ? body_2(b, all, x, "Mul") : x;
    }
    return all;
}

/* Tensors that multiply the scores of a query multiply the query. */
static ir_value *apply_factors(const emission *e, ir_value *q, const arrangement *a)
{
    op_body *b = e->b;
    axes plain = {.rank = 4};
    for (int i = 0; i < 3; i++)
        plain.axis[i] = a->axis[i];
    for (uint32_t i = 0; i < e->s->factors.n && !b->status; i++) {
        const site_term *by = &e->s->factors.items[i];
        if (by->keyed)
            continue;
        ir_value *x = bring(e, by, &plain);
        x = body_cast(b, x, q->type.dtype);
        q = body_2(b, q, x, by->inverted ? "Div" : "Mul");
    }
    return q;
}

/* One logit for each query head. */
static ir_value *head_sinks(const emission *e, const axes_list *heads)
{
    axes one = {.rank = 1};
    one.axis[0] = *heads;
    return axes_emit(e->b, &e->s->table, e->s->sinks.value, e->s->sinks.at, one, true, &e->witness);
}

/* ---- All of it
 * --------------------------------------------------------------------------------
 */

static ir_value *operand(const emission *e, const site_operand *o, const arrangement *a)
{
    return axes_emit(e->b, &e->s->table, o->value, o->at, target_of(a), true, &e->witness);
}

static void refresh(site *s)
{
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

static void write_layouts(const arrangement a[4], char *text, size_t size)
{
    snprintf(text, size, "q_layout=%s k_layout=%s v_layout=%s y_layout=%s", a[0].letters,
             a[1].letters, a[2].letters, a[3].letters);
}

/* Where scores and values are of two types, all is computed in the wider one. */
static void widen(op_body *b, ir_value *in[3])
{
    heed_dtype widest = in[0]->type.dtype;
    for (int i = 1; i < 3; i++)
        if (dtype_bits(in[i]->type.dtype) > dtype_bits(widest))
            widest = in[i]->type.dtype;
    for (int i = 0; i < 3; i++)
        in[i] = body_cast(b, in[i], widest);
}

/* Results in the types that their readers know. */
static void narrow(const emission *e, ir_value *out[2])
{
    site *s = e->s;
    if (e->b->status)
        return;
    out[0] = body_cast(e->b, out[0], s->product->out[0]->type.dtype);
    if (s->weights.value)
        out[1] = body_cast(e->b, out[1], s->weights.value->type.dtype);
}

/* Output 1 is wanted by those who read the weights. */
static void emit_node(emission *e, const arrangement a[4], ir_value *out[2])
{
    site *s = e->s;
    op_body *b = e->b;
    char layouts[64];
    ir_value *in[9] = {NULL};
    in[0] = operand(e, &s->q, &a[0]);
    in[1] = operand(e, &s->k, &a[1]);
    in[2] = operand(e, &s->v, &a[2]);
    if (b->status)
        return;
    widen(b, in);
    in[0] = apply_factors(e, in[0], &a[0]);
    uint32_t n_masks = s->late ? 0 : count_last_masks(s);
    e->fill = find_fill(s, n_masks);
    in[3] = with_keys(b, sum_terms(e, n_masks, in[2]->type.dtype), in[1], a[1].letters);
    in[6] = s->sinks.value ? head_sinks(e, &a[0].axis[1]) : NULL;
    in[7] = with_keys(b, join_masks(e, n_masks), in[1], a[1].letters);
    in[8] = with_keys(b, join_factors(e, in[2]->type.dtype), in[1], a[1].letters);
    write_layouts(a, layouts, sizeof(layouts));
    body_nodes(b, 9, in, s->weights.value ? 2 : 1, out,
               "heed.Attention scale=%.17g softcap=%.17g fill=%.17g fill_first=%d "
               "scores_min=%.17g scores_max=%.17g empty=%s "
               "scores=3 softmax_precision=%u %s",
               s->scale, s->softcap, e->fill, s->late, s->bounded ? s->least : -(double)INFINITY,
               s->bounded ? s->most : (double)INFINITY, s->guard ? "guard" : "nan",
               precision(s, in[2]), layouts);
    narrow(e, out);
}

/* One number for all scores of a row drops out of the softmax, unless what hidden scores become
 * could tell. The bias of the layer that sums up the channels is one. */
static void drop_numbers(site_terms *terms)
{
    double number;
    uint32_t n = 0;
    for (uint32_t i = 0; i < terms->n; i++)
        if (terms->items[i].kind != SITE_BIAS &&
            (terms->items[i].kind != SITE_MASK || site_mask_is_weak(&terms->items[i])))
            return;
    for (uint32_t i = 0; i < terms->n; i++) {
        const site_term *t = &terms->items[i];
        if (t->kind != SITE_BIAS || !site_is_scalar(t->value, &number) ||
            !(fabs(number * t->number) < -SITE_ABSORBS * (double)FLT_EPSILON))
            terms->items[n++] = *t;
    }
    terms->n = n;
}

/* heed.AdditiveAttention: the queries and the keys are sums, and a vector joins them. */
static void emit_additive(emission *e, const arrangement a[4], ir_value *out[2])
{
    site *s = e->s;
    op_body *b = e->b;
    char layouts[64];
    axes to[] = {target_of(&a[0]), target_of(&a[1])};
    ir_value *in[6] = {site_sum_parts(s, b, false, &to[0], &e->witness),
                       site_sum_parts(s, b, true, &to[1], &e->witness), operand(e, &s->v, &a[2])};
    if (b->status)
        return;
    widen(b, in);
    drop_numbers(&s->terms);
    heed_dtype dtype = in[2]->type.dtype;
    uint32_t n_masks = s->late ? 0 : count_last_masks(s);
    e->fill = find_fill(s, n_masks);
    in[3] = site_weigh_channels(s, b, &a[0].axis[1], dtype, &e->witness);
    in[4] = sum_terms(e, n_masks, dtype);
    in[5] = join_masks(e, n_masks);
    write_layouts(a, layouts, sizeof(layouts));
    body_nodes(b, 6, in, s->weights.value ? 2 : 1, out,
               "heed.AdditiveAttention scale=%.17g fill=%.17g fill_first=%d empty=%s "
               "softmax_precision=%u %s",
               s->scale, e->fill, s->late, s->guard ? "guard" : "nan", precision(s, in[2]),
               layouts);
    narrow(e, out);
}

static void emit_any(emission *e, const arrangement a[4], ir_value *out[2])
{
    (e->s->additive ? emit_additive : emit_node)(e, a, out);
}

ir_value *site_emit(site *s, op_body *b, ir_value **weights)
{
    parts p;
    refresh(s);
    axes_list channels = channels_of(s);
    sort_atoms(s, &channels, &p);
    axes_list heads = joined(&s->table, &p.heads, &p.groups);
    ir_value *witness[] = {s->q.value, s->k.value, s->v.value};
    emission e = {.s = s, .b = b, .scores = {.rank = 4}, .witness = {witness, 3}};
    e.scores.axis[0] = p.batch;
    e.scores.axis[1] = heads;
    e.scores.axis[2] = p.rows;
    e.scores.axis[3] = s->keys;
    arrangement a[4] = {
        {.axis = {p.batch, heads, p.rows, s->sum}},
        {.axis = {p.batch, p.heads, s->keys, s->sum}},
        {.axis = {p.batch, p.heads, s->keys, channels}},
        {.axis = {p.batch, heads, p.rows, channels}},
    };
    const axes *at[] = {&s->q.at, &s->k.at, &s->v.at, &s->y.at};
    for (int i = 0; i < 4; i++)
        arrange(at[i], &a[i]);
    if (s->factors.n)
        memcpy(a[0].letters, "bhsd", 5);
    for (int i = 2; i < 4 && s->additive; i++) /* channels of values in one run */
        if (a[i].letters[3] != 'd')
            memcpy(a[i].letters, "bhsd", 5);
    if (s->table.failed) {
        body_fail(b, HEED_UNSUPPORTED, "more axes than are looked at");
        return NULL;
    }
    ir_value *out[2] = {NULL};
    emit_any(&e, a, out);
    if (!b->status && s->weights.value)
        *weights = axes_emit(b, &s->table, out[1], e.scores, s->weights.at, false, &e.witness);
    return b->status
               ? NULL
               : axes_emit(b, &s->table, out[0], target_of(&a[3]), s->y.at, false, &e.witness);
}
