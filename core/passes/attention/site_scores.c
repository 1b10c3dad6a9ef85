/* site_scores.c - from a softmax up to the product of queries and keys.
 *
 * What stands between them is undone node by node (site_steps.c) or only moves elements. At a
 * product the walk ends: it is one of queries and keys, or one with the weights of additive
 * attention (site_additive.c), or there is no attention.
 */
#include <string.h>

#include "passes/attention/site_steps.h"
#include "passes/pass.h"

/* Dead ends count too, so that a graph of many sums costs no more. */
enum { MOST_STEPS = 64, MOST_TRIES = 256 };

bool site_stop(site *s, const ir_node *obstacle, const char *reason)
{
    if (!s->reason) {
        s->reason = reason;
        s->obstacle = obstacle;
    }
    return false;
}

/* ConstantOfShape: zeros, when it does not say what. */
static bool is_filled(const ir_node *n, double *number)
{
    const ir_attr *attr = ir_node_attr(n, "value");
    const DLTensor *value = attr ? attr->view.tensor : NULL;
    if (!pass_is(n, "ConstantOfShape") || (value && dtype_from_dl(value->dtype) != HEED_FLOAT32))
        return false;
    float x = 0;
    if (value)
        memcpy(&x, (const char *)value->data + value->byte_offset, sizeof(x));
    *number = (double)x;
    return true;
}

static bool is_uniform(const ir_value *v, double *number, int depth);

/* As float32 has it: other types round otherwise. */
static bool calculate(const ir_node *n, double a, double b, double *number)
{
    if (pass_is(n, "Mul"))
        *number = (double)(float)(a * b);
    else if (pass_is(n, "Add"))
        *number = (double)(float)(a + b);
    else if (pass_is(n, "Sub"))
        *number = (double)(float)(a - b);
    else
        return false;
    return true;
}

/* A number as truths and float32 have it; other types may not have it at all. */
static bool convert(const ir_node *n, double *number)
{
    heed_dtype to = n->out[0]->type.dtype;
    if (to == HEED_BOOL)
        *number = *number != 0;
    else
        *number = (double)(float)*number;
    return to == HEED_BOOL || to == HEED_FLOAT32;
}

/* Of tensors that have one value throughout: -1e9 * ones in the shape of another. */
static bool is_computed(const ir_value *v, double *number, int depth)
{
    const ir_node *n = v->producer;
    double a, b;
    if (is_filled(n, number))
        return true;
    if (pass_is(n, "Expand"))
        return is_uniform(ir_input(n, 0), number, depth);
    if (pass_is(n, "Cast") && depth > 0)
        return is_uniform(ir_input(n, 0), number, depth - 1) && convert(n, number);
    return n->n_in == 2 && v->type.dtype == HEED_FLOAT32 && depth > 0 &&
           is_uniform(ir_input(n, 0), &a, depth - 1) && is_uniform(ir_input(n, 1), &b, depth - 1) &&
           calculate(n, a, b, number);
}

static bool is_uniform(const ir_value *v, double *number, int depth)
{
    if (v && v->producer && !pass_constant(v))
        return is_computed(v, number, depth);
    if (!pass_constant(v) || dtype_get_class(v->constant->dtype) >= CLASS_STRING)
        return false;
    int64_t n = tensor_count(v->constant);
    if (n < 1 || n > 4096)
        return false;
    *number = tensor_get_float(v->constant, 0);
    for (int64_t i = 1; i < n; i++)
        if (tensor_get_float(v->constant, i) != *number)
            return false;
    return true;
}

enum { MOST_DEPTH = 5 }; /* of sums, products and casts */

bool site_is_scalar(const ir_value *v, double *number) { return is_uniform(v, number, MOST_DEPTH); }

axes site_beside(const axes *at, const ir_value *v)
{
    axes out = {.rank = v->type.rank};
    for (int32_t i = 0; i < out.rank && i < at->rank; i++)
        if (v->type.dims[out.rank - 1 - i] != 1)
            out.axis[out.rank - 1 - i] = at->axis[at->rank - 1 - i];
    return out;
}

bool site_is_spine(const ir_value *result, const ir_value *operand)
{
    if (operand->type.rank != result->type.rank)
        return false;
    for (int32_t i = 0; i < result->type.rank; i++) {
        ir_dim a = operand->type.dims[i], b = result->type.dims[i];
        if (a != b && (dim_known(a) || dim_known(b)))
            return false;
    }
    return true;
}

/* The scores have these extents, too. */
static bool adopt_extents(site *s, const axes *at, const ir_type *type)
{
    for (int32_t i = 0; i < type->rank; i++) {
        axes_list list = at->axis[i];
        axes_refresh_list(&s->table, &list);
        if (!axes_name(&s->table, &list, type->dims[i]))
            return false;
    }
    return true;
}

bool site_go(site *s, site_place p, ir_value *to, arena *scratch)
{
    if (!site_is_spine(p.value, to) || !adopt_extents(s, &p.at, &to->type))
        return false;
    p.value = to;
    return site_walk(s, p, scratch);
}

void site_climb(site *s, site_operand *o, double *factor)
{
    for (int i = 0; i < MOST_STEPS && o->value->producer; i++) {
        const ir_node *n = o->value->producer;
        double number;
        axes in;
        bool scaled = false;
        for (uint32_t k = 0; factor && k < 2 && (pass_is(n, "Mul") || pass_is(n, "Div")); k++) {
            bool divide = pass_is(n, "Div");
            if ((divide && k) || !site_is_scalar(ir_input(n, 1 - k), &number) ||
                !site_is_spine(o->value, ir_input(n, k)))
                continue;
            *factor *= divide ? 1 / number : number;
            o->value = ir_input(n, k);
            scaled = true;
            break;
        }
        if (scaled)
            continue;
        axes_table before = s->table;
        if (!axes_up(&s->table, n, &o->at, &in)) {
            s->table = before;
            return;
        }
        o->value = ir_input(n, 0);
        o->at = in;
    }
}

/* ---- The product ----------------------------------------------------------------------------- */

static bool has_any(const axes *a, const axes_list *atoms)
{
    for (uint32_t i = 0; i < atoms->n; i++)
        if (axes_have(a, atoms->atoms[i]))
            return true;
    return false;
}

/* Atoms of both operands that the result lacks. */
static axes_list find_sum(site *s, const axes in[2], const axes *out)
{
    axes_list sum = {0};
    for (int32_t i = 0; i < in[0].rank; i++)
        for (uint32_t k = 0; k < in[0].axis[i].n; k++) {
            uint8_t atom = in[0].axis[i].atoms[k];
            axes_list one = {1, {atom}};
            if (axes_have(&in[1], atom) && !axes_have(out, atom))
                axes_list_add(&s->table, &sum, &one);
        }
    return sum;
}

static bool has_bound(const site *s)
{
    for (uint32_t i = 0; i < s->terms.n; i++)
        if (s->terms.items[i].kind == SITE_LEAST)
            return true;
    return false;
}

/* Queries that are weights have an axis in common with the keys and the scores, the heads. The
 * weights of a layer that scores each key have none. */
static bool is_learned_query(const contraction_term *q, const contraction_term *k,
                             const contraction_term *scores)
{
    for (int32_t i = 0; i < q->rank; i++)
        for (int32_t j = 0; j < k->rank && q->label[i] != LABEL_ONE; j++)
            for (int32_t o = 0; o < scores->rank && q->label[i] == k->label[j]; o++)
                if (scores->label[o] == q->label[i] && q->value->type.dims[i] > 1)
                    return true;
    return false;
}

const char *site_take_roles(site *s, const contraction *c, const axes in[2], const axes *out,
                            site_pair *pair)
{
    bool swap = has_any(&in[0], &s->keys);
    if (!axes_have_all(&in[!swap], &s->keys) || has_any(&in[swap], &s->keys))
        return "the softmax is not over the keys of a product";
    if (pass_constant(c->in[!swap].value) ||
        (pass_constant(c->in[swap].value) &&
         !is_learned_query(&c->in[swap], &c->in[!swap], &c->out)))
        return "the scores are a product with a layer's weights, not with keys";
    pair->sum = find_sum(s, in, out);
    pair->q = (site_operand){c->in[swap].value, in[swap]};
    pair->k = (site_operand){c->in[!swap].value, in[!swap]};
    return NULL;
}

/* Scores: a product of two tensors, but for moves and numbers. */
static bool are_scores(const ir_value *v, arena *scratch)
{
    static const char *const moves[] = {"Transpose", "Reshape", "Mul", "Div", "Cast", "Add"};
    contraction before;
    for (int i = 0; i < MOST_STEPS && v->producer; i++) {
        const ir_node *n = v->producer;
        bool moved = false;
        if (contraction_read(n, scratch, &before))
            return !pass_constant(before.in[0].value) && !pass_constant(before.in[1].value);
        for (size_t k = 0; k < sizeof(moves) / sizeof(*moves); k++)
            moved |= pass_is(n, moves[k]);
        if (!moved)
            return false;
        v = ir_input(n, pass_constant(ir_input(n, 0)));
    }
    return false;
}

static const char mixing[] = "a layer's weights mix the scores of all heads before the softmax";

/* A layer's weights meet scores. */
static bool mixes_heads(const contraction *c, arena *scratch)
{
    return are_scores(c->in[pass_constant(c->in[0].value)].value, scratch);
}

static bool take_product(site *s, const site_place *p, const contraction *c, const ir_node *n,
                         arena *scratch)
{
    axes in[2], at = p->at;
    site_pair pair;
    if (s->late && has_bound(s))
        return site_stop(s, n, "masked scores are changed and then clipped");
    axes_refresh(&s->table, &at);
    axes_refresh_list(&s->table, &s->keys);
    if (!contraction_up(&s->table, c, &at, in))
        return site_stop(s, n, "there are too many axes to follow");
    const char *reason = site_take_roles(s, c, in, &at, &pair);
    if (reason && mixes_heads(c, scratch))
        return site_stop(s, n, mixing);
    if (reason)
        return site_stop(s, n, reason);
    s->scores = (ir_node *)(uintptr_t)n;
    s->q = pair.q;
    s->k = pair.k;
    s->sum = pair.sum;
    s->scale = p->factor * c->alpha;
    site_climb(s, &s->q, &s->scale);
    site_climb(s, &s->k, &s->scale);
    site_join_products(s, scratch);
    return true;
}

/* Gemm adds a tensor to its product. */
static bool take_added(site *s, const site_place *p, const contraction *c)
{
    if (s->softcap != 0 || s->bounded)
        return site_stop(s, p->value->producer,
                         "biases or masks are applied before the scores are capped or clipped");
    return site_add_bias(s, p, c->added, c->beta);
}

/* Nothing but biases and masks may follow them. */
static bool take_additive(site *s, const site_place *p, double alpha, const ir_node *n)
{
    if (s->late && has_bound(s))
        return site_stop(s, n, "masked scores are changed and then clipped");
    if (s->softcap != 0 || s->bounded || s->factors.n || s->sinks.value)
        return site_stop(
            s, n, "the scores of additive attention are clipped, or multiplied with a tensor");
    s->scale = p->factor * alpha;
    return true;
}

/* The node is none that the walk knows. Channels of a Conv are heads. */
static const char *why_not(const ir_node *n, arena *scratch)
{
    if (pass_is(n, "DequantizeLinear") || pass_is(n, "QuantizeLinear"))
        return "the scores are quantised before the softmax";
    if (!ir_input(n, 0) || !are_scores(ir_input(n, 0), scratch))
        return "no product of queries and keys comes before it";
    return pass_is(n, "Conv") ? mixing
                              : "an operator that attention has no place for changes the scores";
}

/* ---- The walk -------------------------------------------------------------------------------- */

bool site_walk(site *s, site_place p, arena *scratch)
{
    const ir_node *n = p.value->producer;
    contraction c;
    if (!n)
        return site_stop(s, s->softmax, "the scores are an input or a constant");
    if (s->steps++ > MOST_TRIES)
        return site_stop(s, n, "too many nodes before the softmax");
    site_note_shape(s, p.value, &p.at);
    double alpha;
    bool product = contraction_read(n, scratch, &c);
    if (product && c.added && !take_added(s, &p, &c))
        return false;
    if (site_take_energy(s, n, &p.at, scratch, &alpha))
        return take_additive(s, &p, alpha, n);
    if (product)
        return take_product(s, &p, &c, n, scratch);
    bool found;
    if (site_step(s, &p, n, scratch, &found))
        return found;
    axes in;
    if (!axes_up(&s->table, n, &p.at, &in))
        return site_stop(s, n, why_not(n, scratch));
    p.value = ir_input(n, 0);
    p.at = in;
    return site_walk(s, p, scratch);
}

bool site_walk_up(site *s, arena *scratch)
{
    ir_value *in = ir_input(s->softmax, 0);
    int32_t rank = in->type.rank;
    int64_t axis = ir_attr_int(s->softmax, "axis", -1);
    if (rank < 1)
        return site_stop(s, s->softmax, "the rank of the scores is not known");
    axes_fresh(&s->table, &in->type, &s->frame);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return site_stop(s, s->softmax, "the softmax's axis is none of the scores'");
    if (!s->frame.axis[axis].n) /* the keys are an axis, also when there is one key */
        s->frame.axis[axis] = (axes_list){1, {axes_atom(&s->table, 1)}};
    s->keys = s->frame.axis[axis];
    s->outer = s->frame;
    s->scale = 1;
    site_place p = {.value = in, .at = s->frame, .factor = 1};
    if (!site_walk(s, p, scratch))
        return false;
    s->reason = NULL; /* of ways that were tried and left */
    return true;
}
