/* recurrent_infer.c - the extents of a recurrent layer, and the check of every input against them,
 * on which the driver relies. */
#include <stdio.h>
#include <string.h>

#include "ops/recurrent.h"

int64_t recurrent_directions(const ir_node *n)
{
    const char *direction = ir_attr_string(n, "direction", "forward");
    if (strcmp(direction, "bidirectional") == 0)
        return 2;
    return strcmp(direction, "forward") == 0 || strcmp(direction, "reverse") == 0 ? 1 : 0;
}

bool recurrent_batch_first(const ir_node *n) { return ir_attr_int(n, "layout", 0) == 1; }

/* ---- Inference ------------------------------------------------------------------------------- */

/* Input i has these extents, where both are known. */
static heed_status check_input(const op_infer *c, uint32_t i, int32_t rank, const ir_dim *dims)
{
    char expected[64];
    if (infer_rank(c, i) < 0)
        return HEED_OK;
    snprintf(expected, sizeof(expected), "%d dimensions of input %u", rank, i);
    if (infer_rank(c, i) != rank)
        return infer_error(c, expected, "%d", infer_rank(c, i));
    for (int32_t k = 0; k < rank; k++) {
        ir_dim dim = infer_dim(c, i, k);
        if (!dim_known(dim) || !dim_known(dims[k]) || dim == dims[k])
            continue;
        snprintf(expected, sizeof(expected), "extent %lld on axis %d of input %u",
                 (long long)dims[k], k, i);
        return infer_error(c, expected, "%lld", (long long)dim);
    }
    return HEED_OK;
}

/* The extents that everything follows from. */
typedef struct extents {
    ir_dim times, batch, input, hidden, directions;
} extents;

static heed_status read_extents(const op_infer *c, extents *e)
{
    bool first = recurrent_batch_first(c->node);
    int64_t hidden = ir_attr_int(c->node, "hidden_size", -1), layout;
    layout = ir_attr_int(c->node, "layout", 0);
    *e = (extents){.times = infer_dim(c, RECURRENT_X, first),
                   .batch = infer_dim(c, RECURRENT_X, !first),
                   .input = infer_dim(c, RECURRENT_X, 2),
                   .hidden = infer_dim(c, RECURRENT_R, 2),
                   .directions = recurrent_directions(c->node)};
    if (e->directions == 0)
        return infer_error(c, "the direction forward, reverse or bidirectional", "\"%s\"",
                           ir_attr_string(c->node, "direction", ""));
    if (layout < 0 || layout > 1)
        return infer_error(c, "the layout 0 or 1", "%lld", (long long)layout);
    if (dim_known(e->hidden) && hidden >= 0 && hidden != e->hidden)
        return infer_error(c, "hidden_size to be that of R", "%lld for %lld", (long long)hidden,
                           (long long)e->hidden);
    if (hidden >= 0)
        e->hidden = hidden;
    return HEED_OK;
}

static heed_status check_inputs(const op_infer *c, const extents *e)
{
    const recurrent_cell *cell = c->op->data;
    bool first = recurrent_batch_first(c->node);
    ir_dim d = e->directions, gates = dims_mul(c->dims, e->hidden, cell->gates);
    ir_dim biases = dims_mul(c->dims, gates, 2), peepholes = dims_mul(c->dims, e->hidden, 3);
    ir_dim x[] = {DIM_UNKNOWN, DIM_UNKNOWN, DIM_UNKNOWN}, w[] = {d, gates, e->input};
    ir_dim r[] = {d, gates, e->hidden}, b[] = {d, biases}, p[] = {d, peepholes};
    ir_dim state[] = {first ? e->batch : d, first ? d : e->batch, e->hidden};
    TRY(check_input(c, RECURRENT_X, 3, x));
    TRY(check_input(c, RECURRENT_W, 3, w));
    TRY(check_input(c, RECURRENT_R, 3, r));
    TRY(check_input(c, RECURRENT_BIAS, 2, b));
    TRY(check_input(c, RECURRENT_LENGTHS, 1, &e->batch));
    TRY(check_input(c, RECURRENT_H0, 3, state));
    TRY(check_input(c, RECURRENT_C0, 3, state));
    return check_input(c, RECURRENT_PEEPHOLES, 2, p);
}

heed_status recurrent_infer(op_infer *c)
{
    extents e;
    bool first = recurrent_batch_first(c->node);
    TRY(read_extents(c, &e));
    TRY(check_inputs(c, &e));
    ir_dim y[] = {e.times, e.directions, e.batch, e.hidden};
    ir_dim y_first[] = {e.batch, e.times, e.directions, e.hidden};
    ir_dim state[] = {first ? e.batch : e.directions, first ? e.directions : e.batch, e.hidden};
    heed_dtype dtype = c->in[RECURRENT_X]->dtype;
    TRY(infer_set(c, 0, dtype, 4, first ? y_first : y));
    for (uint32_t o = 1; o < c->n_out; o++)
        TRY(infer_set(c, o, dtype, 3, state));
    return HEED_OK;
}
