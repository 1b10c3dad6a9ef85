/* axes_emit.c - the reshapes and transposes between two arrangements of a tensor's axes. */
#include <stdio.h>
#include <string.h>

#include "passes/axes/axes.h"

/* ---- Extents as values ----------------------------------------------------------------------- */

/* Where extents are looked for. */
typedef struct finder {
    op_body *b;
    const axes_table *t;
    const axes_witness *w;
    ir_dim extent;
} finder;

static bool fits(const finder *f, ir_dim d) { return axes_dim(f->t, d) == f->extent; }

static ir_value *find_axis(const finder *f, ir_value *v)
{
    for (int32_t i = 0; v && v->type.kind == HEED_KIND_TENSOR && i < v->type.rank; i++)
        if (fits(f, v->type.dims[i]))
            return body_dim(f->b, v, i);
    return NULL;
}

/* The value holds it: a shape that the graph computes. */
static ir_value *find_content(const finder *f, ir_value *v)
{
    for (int64_t i = 0; v->content && i < v->n_content; i++)
        if (fits(f, v->content[i])) {
            ir_value *x = v->type.rank == 0 ? body_unsqueeze(f->b, v, "0")
                                            : body_slice(f->b, v, 0, body_ints(f->b, 1, &i),
                                                         body_ints(f->b, 1, (int64_t[]){i + 1}));
            return body_cast(f->b, x, HEED_INT64);
        }
    return NULL;
}

/* Nodes before the place, the first ones first: what they make is needed in any case. */
static ir_value *find_before(const finder *f, ir_value *(*find)(const finder *f, ir_value *v))
{
    ir_value *found = NULL;
    const ir_node *place = f->b->node;
    for (const ir_node *n = place->graph->first; n && n != place && !found; n = n->next)
        for (uint32_t o = 0; o < n->n_out && !found; o++)
            if (n->out[o])
                found = find(f, n->out[o]);
    return found;
}

/* A multiple of it stands there. */
static ir_value *find_multiple(const finder *f, ir_value *v)
{
    int64_t times;
    for (int32_t i = 0; v && i < v->type.rank; i++) {
        ir_dim have = axes_dim(f->t, v->type.dims[i]);
        ir_dim quotient = dims_floor_div(f->t->dims, have, f->extent);
        if (dims_value(f->t->dims, quotient, &times) && times > 1 &&
            dims_mul(f->t->dims, quotient, f->extent) == have)
            return body_2(f->b, body_dim(f->b, v, i), body_ints(f->b, 1, &times), "Div");
    }
    return NULL;
}

/* The extent of some axis, as int64 [1]. */
ir_value *axes_find_extent(op_body *b, const axes_table *t, const axes_witness *w, ir_dim extent)
{
    finder f = {b, t, w, axes_dim(t, extent)};
    ir_value *found = NULL;
    if (dim_known(f.extent))
        return body_ints(b, 1, &f.extent);
    for (const ir_graph *g = b->node->graph; g && !found; g = g->parent)
        for (uint32_t i = 0; i < g->n_inputs && !found && !g->parent; i++)
            found = find_axis(&f, g->inputs[i]);
    for (uint32_t i = 0; i < w->n && !found; i++)
        found = find_axis(&f, w->values[i]);
    for (uint32_t i = 0; i < w->n && !found; i++)
        found = find_multiple(&f, w->values[i]);
    found = found ? found : find_before(&f, find_content);
    return found ? found : find_before(&f, find_axis);
}

/* The product of the extents of a list; NULL (and b fails) when one cannot be written down. */
static ir_value *list_extent(op_body *b, const axes_table *t, const axes_list *list,
                             const axes_witness *w)
{
    ir_value *whole = axes_find_extent(b, t, w, axes_extent(t, list));
    for (uint32_t i = 0; i < list->n && !whole && !b->status; i++) {
        ir_value *product = NULL;
        for (uint32_t k = 0; k < list->n; k++) {
            ir_value *one = axes_find_extent(b, t, w, t->atoms[list->atoms[k]].extent);
            if (!one)
                break;
            product = product ? body_2(b, product, one, "Mul") : one;
            whole = k + 1 == list->n ? product : NULL;
        }
        break;
    }
    if (!whole)
        body_fail(b, HEED_UNSUPPORTED, "a size can be read from no input");
    return whole;
}

/* ---- Moves ----------------------------------------------------------------------------------- */

static ir_value *reshape(op_body *b, const axes_table *t, ir_value *x, const axes *to,
                         const axes_witness *w)
{
    ir_value *dims[TENSOR_MAX_RANK];
    bool same = x && x->type.rank == to->rank;
    for (int32_t i = 0; i < to->rank && same; i++)
        same = axes_dim(t, x->type.dims[i]) == axes_extent(t, &to->axis[i]);
    if (same || b->status)
        return x;
    for (int32_t i = 0; i < to->rank; i++)
        dims[i] = list_extent(b, t, &to->axis[i], w);
    return b->status ? NULL : body_reshape_to(b, x, (uint32_t)to->rank, dims);
}

ir_value *axes_shape(op_body *b, const axes_table *t, axes a, const axes_witness *w)
{
    ir_value *dims[TENSOR_MAX_RANK];
    axes_refresh(t, &a);
    for (int32_t i = 0; i < a.rank; i++)
        dims[i] = list_extent(b, t, &a.axis[i], w);
    return b->status ? NULL : body_n(b, (uint32_t)a.rank, dims, "Concat axis=0");
}

/* One axis for each atom, in the order of the lists; `only`: those that it has. */
static axes apart(const axes *a, const axes *only)
{
    axes out = {.rank = 0};
    for (int32_t i = 0; i < a->rank; i++)
        for (uint32_t k = 0; k < a->axis[i].n; k++) {
            uint8_t atom = a->axis[i].atoms[k];
            if (out.rank < TENSOR_MAX_RANK && (!only || axes_have(only, atom)))
                out.axis[out.rank++] = (axes_list){1, {atom}};
        }
    return out;
}

static ir_value *transpose(op_body *b, ir_value *x, const axes *from, const axes *to)
{
    char perm[4 * TENSOR_MAX_RANK] = "";
    size_t n = 0;
    bool ordered = true;
    for (int32_t i = 0; i < to->rank; i++)
        for (int32_t k = 0; k < from->rank; k++)
            if (from->axis[k].atoms[0] == to->axis[i].atoms[0]) {
                n += (size_t)snprintf(perm + n, sizeof(perm) - n, "%s%d", i ? "," : "", k);
                ordered = ordered && i == k;
            }
    return ordered ? x : body_transpose(b, x, perm);
}

/* The target without the atoms that x lacks. */
static axes reduced(const axes *to, const axes *from)
{
    axes out = {.rank = to->rank};
    for (int32_t i = 0; i < to->rank; i++)
        for (uint32_t k = 0; k < to->axis[i].n; k++)
            if (axes_have(from, to->axis[i].atoms[k]))
                out.axis[i].atoms[out.axis[i].n++] = to->axis[i].atoms[k];
    return out;
}

/* Atoms that x lacks are repeated: [.., 1, ..] in the midst of the others, then merged. */
static ir_value *repeat(op_body *b, const axes_table *t, ir_value *x, const axes *to,
                        const axes *have, const axes_witness *w)
{
    axes all = apart(to, NULL), single = {.rank = all.rank};
    ir_value *dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < all.rank; i++)
        if (axes_have(have, all.axis[i].atoms[0]))
            single.axis[i] = all.axis[i];
    x = reshape(b, t, x, &single, w);
    for (int32_t i = 0; i < all.rank; i++)
        dims[i] = list_extent(b, t, &all.axis[i], w);
    if (b->status)
        return NULL;
    x = body_2(b, x, body_n(b, (uint32_t)all.rank, dims, "Concat axis=0"), "Expand");
    return reshape(b, t, x, to, w);
}

/* An axis has some of its atoms, but not all. */
static bool is_partial(const axes *to, const axes *less)
{
    for (int32_t i = 0; i < to->rank; i++)
        if (less->axis[i].n && less->axis[i].n != to->axis[i].n)
            return true;
    return false;
}

static bool lacks_any(const axes *to, const axes *less)
{
    for (int32_t i = 0; i < to->rank; i++)
        if (less->axis[i].n != to->axis[i].n)
            return true;
    return false;
}

ir_value *axes_emit(op_body *b, const axes_table *t, ir_value *x, axes from, axes to, bool expand,
                    const axes_witness *w)
{
    axes_refresh(t, &from);
    axes_refresh(t, &to);
    axes less = reduced(&to, &from), split = apart(&from, NULL), order = apart(&to, &from);
    if (b->status || split.rank != order.rank) {
        body_fail(b, HEED_UNSUPPORTED, "an operand has an axis that neither product has");
        return NULL;
    }
    bool moved = false;
    for (int32_t i = 0; i < split.rank; i++)
        moved |= split.axis[i].atoms[0] != order.axis[i].atoms[0];
    if (moved)
        x = transpose(b, reshape(b, t, x, &split, w), &split, &order);
    if ((expand && lacks_any(&to, &less)) || is_partial(&to, &less))
        return repeat(b, t, x, &to, &order, w);
    return reshape(b, t, x, &less, w);
}
