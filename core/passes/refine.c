/* refine.c - pass: what is computed from constants alone says more of shapes than it did before it
 * was computed.
 *
 * before: y = Pad(x [1, 56], pads) of unknown extents, pads made by many nodes
 * after:  y has the type [1, 57] once pads is a constant
 *
 * Apart from infer, which runs when nothing is known: here only numbers are taken over, and names
 * or symbols of other values in the place of what had none; any other symbol stays the one that
 * other values have. */
#include <string.h>

#include "passes/pass.h"

static bool has_symbols(const ir_value *v)
{
    bool open = v->type.rank < 0;
    for (int32_t i = 0; i < v->type.rank; i++)
        open = open || !dim_known(v->type.dims[i]);
    for (int64_t i = 0; i < v->n_content; i++)
        open = open || !dim_known(v->content[i]);
    return open ||
           (v->type.rank >= 0 && v->type.rank <= 1 && dtype_is_int(v->type.dtype) && !v->content);
}

static bool is_named(const ir_dims *t, ir_dim dim)
{
    char text[128];
    return dim != DIM_UNKNOWN && !strpbrk(dims_text(t, dim, text, sizeof(text)), "?#(");
}

/* A name for what had none, or symbols that were there before the one that was made up for it. */
static bool says_more(const ir_dims *t, ir_dim now, ir_dim was)
{
    return now != was && now != DIM_UNKNOWN &&
           ((is_named(t, now) && !is_named(t, was)) || dims_is_older(t, now, was));
}

/* Numbers and older symbols of the new list, else those of the old one. Returns how many are new.
 */
static uint32_t merge(const ir_dims *t, ir_dim *now, const ir_dim *was, int64_t n)
{
    uint32_t gained = 0;
    for (int64_t i = 0; i < n; i++)
        if (dim_known(now[i]))
            gained += !dim_known(was[i]);
        else if (says_more(t, now[i], was[i]))
            gained++;
        else if (was[i] != DIM_UNKNOWN)
            now[i] = was[i];
    return gained;
}

/* The value has been inferred anew: keeps what is better of both. */
static uint32_t keep_better(const ir_dims *t, ir_value *v, const ir_value *was)
{
    uint32_t gained = 0;
    if (was->type.rank < 0)
        gained += v->type.rank >= 0;
    else if (v->type.rank == was->type.rank)
        gained += merge(t, v->type.dims, was->type.dims, v->type.rank);
    else
        v->type = was->type;
    if (was->content && v->content && v->n_content == was->n_content)
        return gained + merge(t, v->content, was->content, v->n_content);
    if (!was->content && v->content) {
        for (int64_t i = 0; i < v->n_content; i++)
            gained += dim_known(v->content[i]);
        return gained;
    }
    v->content = was->content;
    v->n_content = was->n_content;
    return gained;
}

enum { MOST_OUTPUTS = 8 };

/* Something is not known yet. */
static bool is_open(const ir_node *n)
{
    bool open = false;
    for (uint32_t i = 0; i < n->n_out; i++)
        open = open || (n->out[i] && has_symbols(n->out[i]));
    return open && n->n_out <= MOST_OUTPUTS && !(n->op->flags & OP_CONTROL);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value was[MOST_OUTPUTS];
    if (!is_open(n))
        return HEED_OK;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            was[i] = *n->out[i];
    heed_status status = pass_infer_node(p, n);
    if (status == HEED_NOMEM)
        return status;
    if (status) /* an error only if it ever runs */
        err_clear();
    uint32_t gained = 0;
    for (uint32_t i = 0; i < n->n_out; i++) {
        ir_value *v = n->out[i];
        if (v && !status)
            gained += keep_better(p->model->dims, v, &was[i]);
        if (v && status) {
            v->type = was[i].type;
            v->content = was[i].content;
            v->n_content = was[i].n_content;
        }
    }
    p->rewrites += gained > 0;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_refine = {
    .name = "refine",
    .purpose = "shapes that constants made known",
    .order = 12,
    .repeat = true,
    .run = run,
};
