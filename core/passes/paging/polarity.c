/* polarity.c - does a mask hide where it is true, or show?
 *
 * Both are common: attention masks are 1 where a token is visible, padding masks are true where it
 * is not. What a mask becomes tells: where it chooses, or is multiplied with, a number far below
 * all scores. On the way a Not, 1 - x and x == 0 turn it around. */
#include "passes/paging/roles.h"

enum { MOST_DEPTH = 48 };

typedef struct polarity {
    uint8_t *seen; /* by id of values: 1 as it is, 2 turned around */
    unsigned found;
} polarity;

static bool read_number(const ir_value *v, double *x)
{
    return v && pass_constant(v) && tensor_count(v->constant) == 1 &&
           !heed_tensor_read_f64(v->constant, 0, 1, x);
}

/* A constant that no score is as low as. */
static bool is_low(const ir_value *v)
{
    double x;
    return v && dtype_is_float(v->type.dtype) && read_number(v, &x) && x < -1000;
}

static bool is_number(const ir_value *v, double wanted)
{
    double x;
    return read_number(v, &x) && x == wanted;
}

static bool turns(const ir_use *use)
{
    const ir_node *n = use->node;
    return pass_is(n, "Not") ||
           (pass_is(n, "Sub") && use->slot == 1 && is_number(ir_input(n, 0), 1)) ||
           (pass_is(n, "Equal") && is_number(ir_input(n, !use->slot), 0));
}

static bool keeps(const ir_use *use)
{
    static const char *const truths[] = {"Or", "And", NULL};
    const ir_node *n = use->node;
    return (paging_moves(n, MOVE_KEEPS) && use->slot == 0) || pass_is(n, "Cast") ||
           pass_is_one_of(n, truths) || (pass_is(n, "Slice") && use->slot == 0) ||
           (pass_is(n, "Equal") && is_number(ir_input(n, !use->slot), 1));
}

static void note(polarity *p, bool hides) { p->found |= hides ? SEES_HIDES : SEES_SHOWS; }

static void look(polarity *p, const ir_value *v, bool turned, int depth)
{
    uint8_t bit = turned ? 2 : 1;
    if ((p->seen[v->id] & bit) || depth > MOST_DEPTH)
        return;
    p->seen[v->id] |= bit;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        if (pass_is(n, "Where") && use->slot == 0 && is_low(ir_input(n, 1)))
            note(p, !turned);
        else if (pass_is(n, "Where") && use->slot == 0 && is_low(ir_input(n, 2)))
            note(p, turned);
        else if (pass_is(n, "Mul") && is_low(ir_input(n, !use->slot)))
            note(p, !turned);
        else if ((turns(use) || keeps(use)) && n->n_out > 0 && n->out[0])
            look(p, n->out[0], turned != turns(use), depth + 1);
    }
}

heed_status polarity_find(const decoder_roles *r, const ir_value *mask, unsigned *found)
{
    polarity p = {.seen = arena_alloc(r->memory, r->model->n_values)};
    if (!p.seen)
        return HEED_NOMEM;
    look(&p, mask, false, 0);
    *found = p.found;
    return HEED_OK;
}
