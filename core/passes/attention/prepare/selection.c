/* selection.c - pass: a selection of weights by arithmetic becomes a Where.
 *
 * before: p * m + 0 * (1 - m), p = Softmax(...), m a condition as zeros and ones
 * after:  Where(m, p, 0)
 *
 * And x * m + number * (1 - m) below the softmax, when the same m selects its weights again. Scores
 * alone stay as they are: of an infinite x the product with 0 is no number, and shows
 * (mask/mask_factor.c). */
#include <math.h>

#include "ops/body.h"
#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/pass.h"

enum { DEEPEST = 6 };

/* The condition that this is, as zeros and ones; NULL: it is none. */
static ir_value *condition(ir_value *v, bool *inverted)
{
    double one;
    for (int i = 0; v && v->type.dtype != HEED_BOOL && i < DEEPEST; i++)
        if (pieces_operand(v, "Cast", 0)) {
            v = ir_input(v->producer, 0);
        } else if (pieces_scalar(pieces_operand(v, "Sub", 0), &one) && one == 1) {
            v = ir_input(v->producer, 1);
            *inverted = !*inverted;
        } else {
            return NULL;
        }
    for (ir_value *x; (x = pieces_operand(v, "Not", 0)); v = x)
        *inverted = !*inverted;
    return v && v->type.dtype == HEED_BOOL ? v : NULL;
}

/* x where the condition holds, or where it does not. */
typedef struct half {
    ir_value *x, *condition;
    bool inverted;
} half;

static bool read_half(const ir_value *v, uint32_t i, half *h)
{
    *h = (half){.x = pieces_operand(v, "Mul", i)};
    h->condition = h->x ? condition(ir_input(v->producer, 1 - i), &h->inverted) : NULL;
    return h->condition != NULL;
}

static bool is_weights(const ir_value *v)
{
    while (pieces_operand(v, "Cast", 0))
        v = ir_input(v->producer, 0);
    return pieces_operand(v, "Softmax", 0);
}

static const ir_use *only_use(const ir_value *v)
{
    return v->uses && !v->uses->next && v->n_outputs == 0 ? v->uses : NULL;
}

/* A softmax is all that reads the scores, and of its weights the same are kept. */
static bool is_selected_again(const ir_value *scores, const half *h)
{
    const ir_use *u = only_use(scores);
    half again = {0};
    u = u && pass_is(u->node, "Softmax") ? only_use(u->node->out[0]) : NULL;
    while (u && pass_is(u->node, "Cast"))
        u = only_use(u->node->out[0]);
    return u && pass_is(u->node, "Mul") && read_half(u->node->out[0], u->slot, &again) &&
           again.condition == h->condition && again.inverted == h->inverted;
}

static ir_value *selected(const ir_node *n, const half *of, const half *other, op_body *b)
{
    double number;
    if (of->condition != other->condition || of->inverted == other->inverted ||
        !pieces_scalar(other->x, &number) || !isfinite(number) ||
        !(is_weights(of->x) ? number == 0 : is_selected_again(n->out[0], of)))
        return NULL;
    ir_value *rest = body_like(b, number, of->x);
    return of->inverted ? body_3(b, of->condition, rest, of->x, "Where")
                        : body_3(b, of->condition, of->x, rest, "Where");
}

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value *y = NULL;
    half h[2];
    if (!pass_is(n, "Add") || !dtype_is_float(n->out[0]->type.dtype))
        return HEED_OK;
    op_body b = pass_body(p, n);
    for (uint32_t i = 0; i < 8 && !y && !b.status; i++) {
        ir_value *in[2] = {ir_input(n, i >> 2), ir_input(n, 1 - (i >> 2))};
        if (read_half(in[0], i & 1, &h[0]) && read_half(in[1], (i >> 1) & 1, &h[1]))
            y = selected(n, &h[0], &h[1], &b);
    }
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_selection = {
    .name = "selection",
    .purpose = "weights that are selected by arithmetic are by a Where",
    .order = 56,
    .run = run,
};
