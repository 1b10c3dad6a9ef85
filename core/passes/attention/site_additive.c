/* site_additive.c - the second seed of attention: scores w^T tanh(q + k) (Bahdanau 2015).
 *
 * The sum over the channels is a product with weights, which for other scores would be the end of
 * the walk; or it is spelled Mul and ReduceSum. Above it stands the tanh of a sum. Terms of the sum
 * that have the keys' axis are the keys, the others the queries; a scale vector or a mask of the
 * scores has been met before. Separate from site_scores.c: no product of two tensors is looked for.
 */
#include <string.h>

#include "passes/attention/site.h"
#include "passes/pass.h"

enum { MOST_STEPS = 16 };

/* The tanh above what only moves elements; the operand becomes the tanh's result. */
static const ir_node *find_tanh(axes_table *t, site_operand *o)
{
    axes in;
    for (int i = 0; i < MOST_STEPS && o->value->producer; i++) {
        const ir_node *n = o->value->producer;
        if (pass_is(n, "Tanh"))
            return n;
        if (!axes_up(t, n, &o->at, &in))
            return NULL;
        *o = (site_operand){ir_input(n, 0), in};
    }
    return NULL;
}

/* ---- The sum over the channels -------------------------------------------------------------- */

/* What is read of it: the tanh, the weights of its channels (value NULL: all are 1). */
typedef struct energy {
    site_operand tanh, w;
    axes_list sum;
    double alpha;
    const ir_node *node; /* the tanh */
} energy;

/* Channels as a new axis at this place. */
static void insert_sum(axes *a, int32_t place, const axes_list *sum)
{
    memmove(&a->axis[place + 1], &a->axis[place], (size_t)(a->rank - place) * sizeof(*a->axis));
    a->axis[place] = *sum;
    a->rank++;
}

/* Atoms of both operands that the result lacks. */
static axes_list summed(axes_table *t, const axes in[2], const axes *out)
{
    axes_list sum = {0};
    for (int32_t i = 0; i < in[0].rank; i++)
        for (uint32_t k = 0; k < in[0].axis[i].n; k++) {
            axes_list one = {1, {in[0].axis[i].atoms[k]}};
            if (axes_have_all(&in[1], &one) && !axes_have_all(out, &one))
                axes_list_add(t, &sum, &one);
        }
    return sum;
}

static bool read_product(axes_table *t, const ir_node *n, const axes *at, arena *scratch, energy *e)
{
    contraction c;
    axes in[2];
    if (!contraction_read(n, scratch, &c) || !contraction_up(t, &c, at, in))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        e->tanh = (site_operand){c.in[i].value, in[i]};
        if (!(e->node = find_tanh(t, &e->tanh)))
            continue;
        e->w = (site_operand){c.in[1 - i].value, in[1 - i]};
        e->sum = summed(t, in, at);
        e->alpha = c.alpha;
        return e->sum.n > 0;
    }
    return false;
}

/* The sum over one axis of the tanh itself. */
static bool read_plain_sum(axes_table *t, const ir_node *n, const axes *at, energy *e)
{
    site_operand x = {ir_input(n, 0), *at};
    int32_t rank = x.value->type.rank, axis = -1;
    uint32_t reduced = rank > 0 && rank <= 32 ? contraction_reduced(n, rank) : 0;
    bool keeps = ir_attr_int(n, "keepdims", 1) != 0;
    for (int32_t i = 0; i < rank; i++)
        axis = reduced == 1u << i ? i : axis;
    if (axis < 0 || rank > TENSOR_MAX_RANK || at->rank != (keeps ? rank : rank - 1))
        return false;
    e->sum = axes_new(t, x.value->type.dims[axis]);
    if (keeps)
        x.at.axis[axis] = e->sum;
    else
        insert_sum(&x.at, axis, &e->sum);
    e->tanh = x;
    return e->sum.n && (e->node = find_tanh(t, &e->tanh));
}

/* ---- The sum inside of the tanh ------------------------------------------------------------- */

static bool has_keys(const site *s, const axes *at)
{
    for (uint32_t i = 0; i < s->keys.n; i++)
        if (axes_have(at, s->keys.atoms[i]))
            return true;
    return false;
}

static bool name_extents(axes_table *t, const site_operand *o)
{
    for (int32_t i = 0; i < o->at.rank; i++)
        if (o->at.axis[i].n && !axes_name(t, &o->at.axis[i], o->value->type.dims[i]))
            return false;
    return true;
}

/* One term, or those that an Add or Sub has. */
static bool add_part(site *s, site_operand o, bool negated)
{
    const ir_node *n = o.value->producer;
    if (pass_is(n, "Add") || pass_is(n, "Sub")) {
        for (uint32_t i = 0; i < 2; i++) {
            ir_value *in = ir_input(n, i);
            bool other = negated != (i == 1 && pass_is(n, "Sub"));
            if (in->type.rank < 0 ||
                !add_part(s, (site_operand){in, site_beside(&o.at, in)}, other))
                return false;
        }
        return true;
    }
    if (s->n_parts == SITE_PARTS || !name_extents(&s->table, &o))
        return false;
    site_climb(s, &o, NULL);
    s->parts[s->n_parts++] = (site_part){.o = o, .negated = negated};
    return true;
}

/* Weights over channels alone: a projection's bias. With nothing else the sum has no queries. */
static bool is_bias(const site *s, const site_operand *o)
{
    for (int32_t i = 0; i < o->at.rank; i++)
        for (uint32_t k = 0; k < o->at.axis[i].n; k++)
            if (!axes_list_has(&s->sum, o->at.axis[i].atoms[k]))
                return false;
    return pass_constant(o->value);
}

static bool split_parts(site *s, const energy *e)
{
    site_operand x = {ir_input(e->node, 0), e->tanh.at};
    axes in;
    for (int i = 0; i < MOST_STEPS && x.value->producer; i++) {
        if (!axes_up(&s->table, x.value->producer, &x.at, &in))
            break;
        x = (site_operand){ir_input(x.value->producer, 0), in};
    }
    return x.value->type.rank >= 0 && add_part(s, x, false);
}

static uint32_t count_atoms(const axes *at)
{
    uint32_t n = 0;
    for (int32_t i = 0; i < at->rank; i++)
        n += at->axis[i].n;
    return n;
}

/* The term of each kind that is repeated along the fewest axes leads. */
static bool choose_leaders(site *s)
{
    site_part *lead[2] = {NULL, NULL};
    axes_refresh_list(&s->table, &s->sum);
    for (uint32_t i = 0; i < s->n_parts; i++) {
        site_part *p = &s->parts[i];
        axes_refresh(&s->table, &p->o.at);
        p->keyed = has_keys(s, &p->o.at);
        if (!lead[p->keyed] || count_atoms(&p->o.at) > count_atoms(&lead[p->keyed]->o.at))
            lead[p->keyed] = p;
    }
    for (int i = 0; i < 2; i++)
        if (lead[i])
            lead[i]->leads = true;
    return lead[0] && lead[1] && !is_bias(s, &lead[0]->o) && !pass_constant(lead[1]->o.value) &&
           axes_have_all(&lead[1]->o.at, &s->keys);
}

static bool read_energy(site *s, const ir_node *n, const axes *at, arena *scratch, energy *e)
{
    *e = (energy){.alpha = 1};
    return read_product(&s->table, n, at, scratch, e) ||
           (pass_is(n, "ReduceSum") && read_plain_sum(&s->table, n, at, e));
}

static bool take(site *s, const energy *e, const ir_node *n)
{
    s->sum = e->sum;
    if (!split_parts(s, e) || s->table.failed || !choose_leaders(s))
        return false;
    s->energy = e->w;
    if (s->energy.value)
        site_climb(s, &s->energy, NULL);
    if (s->energy.value && has_keys(s, &s->energy.at))
        return false;
    for (uint32_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].leads)
            *(s->parts[i].keyed ? &s->k : &s->q) = s->parts[i].o;
    s->scores = (ir_node *)(uintptr_t)n;
    return true;
}

bool site_take_energy(site *s, const ir_node *n, const axes *at, arena *scratch, double *alpha)
{
    energy e;
    site before = *s;
    axes here = *at;
    axes_refresh(&s->table, &here);
    axes_refresh_list(&s->table, &s->keys);
    if (read_energy(s, n, &here, scratch, &e) && take(s, &e, n)) {
        *alpha = e.alpha;
        s->additive = true;
        return true;
    }
    *s = before;
    return false;
}

/* ---- Emission ------------------------------------------------------------------------------- */

ir_value *site_sum_parts(const site *s, op_body *b, bool keyed, const axes *to,
                         const axes_witness *w)
{
    ir_value *sum = NULL;
    for (uint32_t pass = 0; pass < 2; pass++) /* the leader comes first */
        for (uint32_t i = 0; i < s->n_parts && !b->status; i++) {
            const site_part *p = &s->parts[i];
            if (p->keyed != keyed || p->leads == (pass == 1))
                continue;
            ir_value *x = axes_emit(b, &s->table, p->o.value, p->o.at, *to, p->leads, w);
            if (p->leads)
                sum = p->negated ? body_1(b, x, "Neg") : x;
            else
                sum = body_2(b, sum, x, p->negated ? "Sub" : "Add");
        }
    return sum;
}

ir_value *site_weigh_channels(const site *s, op_body *b, const axes_list *heads, heed_dtype dtype,
                              const axes_witness *w)
{
    axes one = {.rank = 1, .axis = {s->sum}}, each = {.rank = 2, .axis = {*heads, s->sum}};
    site_operand o = s->energy;
    bool by_head = false;
    if (!o.value)
        o = (site_operand){body_number(b, dtype, 1), {.rank = 0}};
    axes_refresh(&s->table, &o.at);
    for (uint32_t i = 0; i < heads->n; i++)
        by_head |= axes_have(&o.at, heads->atoms[i]);
    ir_value *x =
        b->status ? NULL : axes_emit(b, &s->table, o.value, o.at, by_head ? each : one, true, w);
    return b->status ? NULL : body_cast(b, x, dtype);
}
