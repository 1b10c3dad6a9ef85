/* softmax_late.c - see softmax_late.h. */
#include "passes/attention/prepare/softmax_late.h"

/* A tensor, and its axes in the atoms of the quotient. */
typedef struct place {
    ir_value *value;
    axes at;
} place;

/* One node up, noted in the list unless that is NULL. */
static bool climb(axes_table *t, place *x, const ir_node **list, uint32_t *n)
{
    const ir_node *move = x->value->producer;
    axes in;
    if ((list && *n == LATE_MOVES) || !axes_up(t, move, &x->at, &in))
        return false;
    if (list)
        list[(*n)++] = move;
    *x = (place){ir_input(move, 0), in};
    return true;
}

/* The divisor beside what is divided: each axis is the same, or one number. */
static bool stand_beside(const place *y, place *under)
{
    int32_t rank = under->value->type.rank, shift = y->at.rank - rank;
    if (rank < 0 || shift < 0)
        return false;
    under->at = (axes){.rank = rank};
    for (int32_t i = 0; i < rank; i++) {
        ir_dim dim = under->value->type.dims[i];
        if (dim != 1 && (dim == DIM_UNKNOWN || dim != y->value->type.dims[i + shift]))
            return false;
        if (dim != 1)
            under->at.axis[i] = y->at.axis[i + shift];
    }
    return true;
}

/* The sum that the divisor is an arrangement of, and the axes of what is summed: that of the sum is
 * none of the quotient's. */
static bool find_sum(axes_table *t, place under, pieces *s, axes *summed)
{
    for (uint32_t i = 0; !pieces_read_sum(s, under.value); i++)
        if (i == LATE_MOVES || !climb(t, &under, NULL, NULL))
            return false;
    if (!s->x || s->n_axes != 1 || s->exp->type.rank > TENSOR_MAX_RANK)
        return false;
    *summed = (axes){.rank = s->exp->type.rank};
    for (int32_t i = 0, o = 0; i < summed->rank; i++) {
        if (i != s->axis)
            summed->axis[i] = under.at.axis[o];
        o += i != s->axis || !s->dropped;
    }
    return true;
}

/* Up from the product's operand to the powers, with the same axes but for the one that is summed,
 * which the quotient does not have. */
static bool reaches(axes_table *t, late_division *d, place x, axes y, axes summed)
{
    d->n_before = 0;
    while (x.value != d->pieces.exp)
        if (!x.value->producer || !climb(t, &x, d->before, &d->n_before))
            return false;
    axes_refresh(t, &x.at);
    axes_refresh(t, &y);
    axes_refresh(t, &summed);
    for (int32_t i = 0; i < x.at.rank; i++) {
        const axes_list *own = &x.at.axis[i];
        if (i != d->pieces.axis && !axes_list_equal(own, &summed.axis[i]))
            return false;
        for (uint32_t k = 0; i == d->pieces.axis && k < own->n; k++)
            if (axes_have(&y, own->atoms[k]))
                return false;
    }
    return true;
}

bool late_read(const ir_node *n, ir_dims *dims, arena *scratch, late_division *d)
{
    axes_table t;
    axes summed, in[2];
    place y = {.value = NULL}, under = {.value = NULL};
    *d = (late_division){.node = NULL};
    if (!pieces_quotient(n, &y.value, &under.value) || y.value->type.rank < 1 ||
        !dtype_is_float(y.value->type.dtype))
        return false;
    axes_table_init(&t, dims);
    axes_fresh(&t, &y.value->type, &y.at);
    const axes quotient = y.at;
    if (!stand_beside(&y, &under) || !find_sum(&t, under, &d->pieces, &summed))
        return false;
    while (!contraction_read(y.value->producer, scratch, &d->product))
        if (!y.value->producer || !climb(&t, &y, d->after, &d->n_after))
            return false;
    d->node = y.value->producer;
    if (d->product.added || d->product.in[0].value == d->product.in[1].value ||
        !contraction_up(&t, &d->product, &y.at, in))
        return false;
    for (d->operand = 0; d->operand < 2; d->operand++) {
        const axes_table before = t;
        place x = {d->product.in[d->operand].value, in[d->operand]};
        if (reaches(&t, d, x, quotient, summed))
            return true;
        t = before;
    }
    return false;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The node with one input exchanged. */
static ir_value *with(op_body *b, const ir_node *n, ir_value *old, ir_value *now)
{
    enum { MOST = 8 };
    ir_value *in[MOST];
    for (uint32_t i = 0; i < n->n_in && i < MOST; i++)
        in[i] = ir_input(n, i) == old ? now : ir_input(n, i);
    return n->n_in <= MOST ? body_again(b, n, in) : NULL;
}

ir_value *late_emit(const late_division *d, op_body *b, ir_value *p)
{
    for (uint32_t i = d->n_before; p && i-- > 0;)
        p = with(b, d->before[i], ir_input(d->before[i], 0), p);
    ir_value *old = d->product.in[d->operand].value;
    if (p && pass_is(d->node, "ReduceSum")) { /* of a Mul */
        ir_value *both = with(b, ir_input(d->node, 0)->producer, old, p);
        p = both ? with(b, d->node, ir_input(d->node, 0), both) : NULL;
    } else if (p) {
        p = with(b, d->node, old, p);
    }
    for (uint32_t i = d->n_after; p && i-- > 0;)
        p = with(b, d->after[i], ir_input(d->after[i], 0), p);
    return p;
}
