/* sums.c - pass: how many of the tokens so far are of some kind is asked of attention.
 *
 * before: n = CumSum(Cast(Not(Equal(tokens, padding))))
 * after:  n = Round(count * heed.Attention(0, 0, Cast(Not(Equal(tokens, padding))))) causal=1
 *
 * Only for paging. Attention that weighs all keys alike gives their mean, and the mean times the
 * number of tokens is the sum; so earlier tokens are read from pages as everything else is. Truths
 * alone, which are exact in any type of pages. A sum that does not depend on what the tokens are is
 * left: it says where they stand (positions.c). */
#include "passes/paging/flow.h"

enum { MOST_WIDTH = 64 };

/* Truths, as numbers of some type. */
static bool is_truth(const ir_value *v)
{
    for (int depth = 0; v && depth < 8; depth++) {
        const ir_node *n = v->producer;
        if (v->type.dtype == HEED_BOOL)
            return true;
        if (!paging_moves(n, MOVE_KEEPS))
            return false;
        v = ir_input(n, 0);
    }
    return false;
}

/* Elements that a token has; 0: tokens are not outermost, or it is not known. */
static int64_t width_of(const ir_type *type, int32_t axis)
{
    int64_t width = 1;
    for (int32_t k = 0; k < type->rank; k++) {
        if (k < axis ? type->dims[k] != 1 : k > axis && !dim_known(type->dims[k]))
            return 0;
        width *= k > axis ? type->dims[k] : 1;
    }
    return width <= MOST_WIDTH ? width : 0;
}

static bool is_sum_so_far(const flow_map *m, const ir_node *n, int64_t *width)
{
    const ir_value *x = ir_input(n, 0), *axis = ir_input(n, 1);
    if (!pass_is(n, "CumSum") || ir_attr_int(n, "reverse", 0) || !axis || !pass_constant(axis))
        return false;
    flow f = flow_of(m, x);
    int64_t at = tensor_get_int(axis->constant, 0);
    *width = flow_has_row_each(f) && f.data ? width_of(&x->type, f.axis) : 0;
    return *width > 0 && (at < 0 ? at + x->type.rank : at) == f.axis && is_truth(x);
}

static ir_value *write_sum(op_body *b, const ir_node *n, int32_t axis, int64_t width)
{
    ir_value *x = ir_input(n, 0), *zero = body_ints(b, 1, (int64_t[]){0});
    ir_value *own = body_cast(b, body_reshape(b, x, "1,1,-1,%lld", (long long)width), HEED_FLOAT32);
    ir_value *none = body_2(b, body_part(b, own, -1, 0, 1), body_number(b, HEED_FLOAT32, 0), "Mul");
    ir_value *mean = body_3(b, none, none, own, "heed.Attention causal=1 scale=1");
    ir_value *place = body_range(b, body_2(b, body_dim(b, x, axis), zero, "Squeeze"));
    ir_value *count = body_2(b, place, body_int(b, 1), "Add");
    count = body_reshape(b, body_cast(b, count, HEED_FLOAT32), "1,1,-1,1");
    ir_value *sum = body_1(b, body_2(b, mean, count, "Mul"), "Round");
    if (ir_attr_int(n, "exclusive", 0))
        sum = body_2(b, sum, own, "Sub");
    sum = body_cast(b, sum, x->type.dtype);
    return body_2(b, sum, body_1(b, x, "Shape"), "Reshape");
}

static heed_status rewrite(pass_run *p, flow_map *m)
{
    int64_t width;
    m->tokens = paging_tokens(p);
    TRY(flow_map_all(m));
    for (ir_node *n = p->model->main->first, *next; n; n = next) {
        next = n->next;
        if (!is_sum_so_far(m, n, &width))
            continue;
        op_body b = pass_body(p, n);
        ir_value *sum = write_sum(&b, n, flow_of(m, ir_input(n, 0)).axis, width);
        TRY(pass_settle(p, n, &b, sum));
        p->rewrites++;
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    flow_map flows = {.run = p};
    bool any = false;
    for (const ir_node *n = p->model->main->first; n; n = n->next)
        any = any || pass_is(n, "CumSum");
    if (!p->options->paging || !any || dim_known(paging_tokens(p)))
        return HEED_OK;
    heed_status status = rewrite(p, &flows);
    flow_map_free(&flows);
    return status;
}

const pass_def pass_sums = {
    .name = "sums",
    .purpose = "sums over the tokens so far are asked of attention",
    .order = 62,
    .required = true,
    .run = run,
};
