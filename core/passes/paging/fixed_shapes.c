/* fixed_shapes.c - shapes of a file of one number of tokens, for any number: those of Reshape,
 * whose axes are taken apart into runs of as many elements on both sides, and those of Expand. */
#include "passes/paging/freeing.h"

/* ---- Reshape --------------------------------------------------------------------------------- */

/* One extent of a result: the product of extents `first` to `last` - 1 of the input, or of the main
 * one, times more. */
typedef struct made_of {
    int32_t first, last;
    int64_t more;
    bool of_main;
} made_of;

/* Axes of the input and of the result that hold the same elements, in order. */
typedef struct run_of_axes {
    int32_t in, in_end, out, out_end;
} run_of_axes;

/* The next shortest run of axes with as many elements on both sides; false: there is none. */
static bool next_run(const extents *in, const extents *out, run_of_axes *r)
{
    int64_t a = 1, b = 1;
    r->in = r->in_end;
    r->out = r->out_end;
    while (r->in_end < in->rank || r->out_end < out->rank) {
        bool more_in = r->in_end < in->rank && (a <= b || r->out_end == out->rank);
        const extents *e = more_in ? in : out;
        int32_t *at = more_in ? &r->in_end : &r->out_end;
        if (!dim_known(e->dims[*at]) || e->dims[*at] == 0 ||
            __builtin_mul_overflow(more_in ? a : b, e->dims[*at], more_in ? &a : &b))
            return false;
        ++*at;
        if (a == b && r->in_end > r->in && r->out_end > r->out)
            return true;
    }
    return a == b;
}

/* Sequences, or tokens, or both, that were part of a longer axis have one of their own again: where
 * symbols multiply to the same. */
static bool part_again(const freeing *f, const ir_type *now, const extents *out,
                       const run_of_axes *r, int32_t first, made_of *parts)
{
    enum { BATCH = 1, TOKENS = 2 };
    const ir_dim number[] = {f->batch, f->tokens}, symbol[] = {f->any_batch, f->any_number};
    ir_dim wanted = 1;
    for (int32_t k = r->in; k < r->in_end; k++)
        wanted = dims_mul(f->dims, wanted, now->dims[k]);
    for (int with = BATCH; with <= (BATCH | TOKENS); with++) {
        ir_dim have = 1;
        int32_t at = first;
        for (int i = 0; i < 2; i++) {
            if (!(with >> i & 1) || number[i] == 1 || at == r->out_end ||
                out->dims[at] % number[i] != 0)
                continue;
            int32_t axis = f->main->type.rank > 1 ? i : 0;
            parts[at] = (made_of){axis, axis + 1, out->dims[at] / number[i], true};
            have = dims_mul(f->dims, have, dims_mul(f->dims, symbol[i], parts[at++].more));
        }
        for (int32_t k = at; k < r->out_end; k++) {
            parts[k] = (made_of){.more = out->dims[k]};
            have = dims_mul(f->dims, have, out->dims[k]);
        }
        if (have == wanted && have != DIM_UNKNOWN)
            return true;
    }
    return false;
}

/* Symbols of a run are in its outermost axes; the outermost axis of the result takes them all. */
static bool divide(const freeing *f, const ir_type *now, const extents *in, const extents *out,
                   const run_of_axes *r, made_of *parts)
{
    int32_t end = r->in;
    int64_t held = 1;
    for (int32_t k = r->in; k < r->in_end; k++)
        if (!dim_known(now->dims[k]))
            end = k + 1;
    for (int32_t k = r->in; k < end; k++)
        held *= in->dims[k];
    for (int32_t k = r->out; k < r->out_end; k++)
        parts[k] = (made_of){.more = out->dims[k]};
    int32_t first = r->out;
    while (end > r->in && first < r->out_end && out->dims[first] == 1)
        first++;
    if (end == r->in)
        return true;
    if (first == r->out_end)
        return false;
    parts[first] = (made_of){r->in, end, out->dims[first] / held, false};
    return out->dims[first] % held == 0 || part_again(f, now, out, r, first, parts);
}

static ir_value *extent_of(const freeing *f, op_body *b, ir_value *x, const made_of *part)
{
    x = part->of_main ? f->main : x;
    ir_value *all =
        part->more != 1 || part->first == part->last ? body_ints(b, 1, &part->more) : NULL;
    for (int32_t k = part->first; k < part->last; k++) {
        ir_value *one = body_dim(b, x, k);
        all = all ? body_2(b, all, one, "Mul") : one;
    }
    return all;
}

static ir_dim count_of(const freeing *f, const ir_type *type)
{
    ir_dim count = 1;
    for (int32_t k = 0; k < type->rank; k++)
        count = dims_mul(f->dims, count, type->dims[k]);
    return count;
}

/* Its shape fits as it is. */
static bool fits_already(const freeing *f, ir_node *n)
{
    bool fits = !pass_infer_node(f->run, n) && freeing_agrees(f, n->out[0]) &&
                count_of(f, &n->out[0]->type) == count_of(f, &n->in[0].value->type);
    err_clear();
    return fits;
}

static bool divide_all(const freeing *f, const ir_node *n, made_of *parts)
{
    const ir_type *now = &n->in[0].value->type;
    const extents *in = freeing_was(f, n->in[0].value), *out = freeing_was(f, n->out[0]);
    run_of_axes r = {0};
    if (in->rank < 0 || out->rank < 1 || now->rank != in->rank)
        return false;
    while (r.in_end < in->rank || r.out_end < out->rank)
        if (!next_run(in, out, &r) || !divide(f, now, in, out, &r, parts))
            return false;
    return true;
}

/* A shape that is computed from others is taken as it is where it fits. In one of numbers the
 * file's own stand: [2, 12, -1] fits whatever the -1 is, and would be of two sequences for good. */
heed_status freeing_reshape(freeing *f, ir_node *n, bool *done)
{
    ir_value *x = ir_input(n, 0), *shape = NULL;
    const extents *out = freeing_was(f, n->out[0]);
    made_of parts[TENSOR_MAX_RANK];
    *done =
        !freeing_has_symbols(&x->type) || (!pass_constant(ir_input(n, 1)) && fits_already(f, n));
    if (*done || !divide_all(f, n, parts))
        return HEED_OK;
    op_body b = pass_body(f->run, n);
    for (int32_t k = 0; k < out->rank; k++) {
        ir_value *one = extent_of(f, &b, x, &parts[k]);
        shape = shape ? body_concat(&b, shape, one, 0) : one;
    }
    TRY(b.status);
    ir_node_set_input(n, 1, shape);
    *done = true;
    return HEED_OK;
}

/* An extent that stays is 1; the file's number of sequences, where it repeats one, is any. */
heed_status freeing_expand(freeing *f, ir_node *n, bool *done)
{
    ir_value *x = ir_input(n, 0), *shape = NULL;
    const extents *in = freeing_was(f, x), *out = freeing_was(f, n->out[0]);
    *done = true;
    if (in->rank < 0 || out->rank < 1 || !freeing_has_symbols(&x->type))
        return HEED_OK;
    op_body b = pass_body(f->run, n);
    for (int32_t k = 0; k < out->rank; k++) {
        int32_t own = k - (out->rank - in->rank);
        bool stays = own >= 0 && in->dims[own] == out->dims[k];
        ir_value *one = body_ints(&b, 1, stays ? &(int64_t){1} : &out->dims[k]);
        shape = shape ? body_concat(&b, shape, one, 0) : one;
    }
    TRY(b.status);
    ir_node_set_input(n, 1, shape);
    return HEED_OK;
}
