/* mask_emit.c - tensors for what the table of a mask says: leaves, atoms, offsets. Each is as small
 * as what it depends on, with extents of 1 elsewhere. */
#include <stdio.h>

#include "graph/dim_table.h"
#include "passes/mask/mask.h"

/* ---- Numbers that are known when it runs ------------------------------------------------------
 */

static ir_value *symbol_value(mask_emission *e, ir_dim dim)
{
    for (uint32_t i = 0; i < e->m->n_symbols; i++)
        if (e->m->symbols[i].dim == dim) {
            const mask_leaf *l = &e->m->leaves[e->m->symbols[i].leaf];
            return body_reshape(e->b, body_cast(e->b, l->value, HEED_INT64), "-1");
        }
    return axes_find_extent(e->b, &e->m->table, &e->witness, dim);
}

static ir_value *times(op_body *b, ir_value *x, ir_value *y)
{
    return x ? body_2(b, x, y, "Mul") : y;
}

/* One product of symbols and a number. */
static ir_value *term_value(mask_emission *e, const int64_t *term)
{
    ir_value *x = NULL;
    for (int64_t k = 0; k < term[1] && !e->b->status; k++) {
        poly one = {.n = 3, .words = {1, 1, term[2 + k]}};
        ir_value *symbol = symbol_value(e, dims_store(e->m->dims, &one));
        if (!symbol) {
            body_fail(e->b, HEED_UNSUPPORTED, "a size can be read from no input");
            return NULL;
        }
        x = times(e->b, x, symbol);
    }
    return term[0] != 1 || !x ? times(e->b, x, body_ints(e->b, 1, &term[0])) : x;
}

ir_value *mask_emit_offset(mask_emission *e, ir_dim dim)
{
    int64_t number;
    op_body *b = e->b;
    if (dims_value(e->m->dims, dim, &number))
        return body_ints(b, 1, &number);
    ir_value *whole = axes_find_extent(b, &e->m->table, &e->witness, dim), *rows, *keys;
    if (whole)
        return whole;
    if (dim == dims_sub(e->m->dims, e->m->extent[MASK_T], e->m->extent[MASK_S]) &&
        (keys = axes_find_extent(b, &e->m->table, &e->witness, e->m->extent[MASK_T])) &&
        (rows = axes_find_extent(b, &e->m->table, &e->witness, e->m->extent[MASK_S])))
        return body_2(b, keys, rows, "Sub");
    poly p;
    dims_load(e->m->dims, dim, &p);
    ir_value *sum = NULL;
    for (size_t i = 0; !p.failed && i < p.n && !b->status; i += poly_term_size(p.words + i)) {
        ir_value *x = term_value(e, p.words + i);
        sum = sum && !b->status ? body_2(b, sum, x, "Add") : x;
    }
    if (p.failed)
        body_fail(b, HEED_UNSUPPORTED, "a size can be read from no input");
    return b->status ? NULL : sum;
}

/* ---- Forms of the indices --------------------------------------------------------------------
 */

/* 0, 1, 2... along one axis of the scores; of distances, as the last query sees its keys and
 * those that would follow. */
static ir_value *count_along(mask_emission *e, unsigned axis)
{
    static const char *const shapes[] = {"-1,1,1,1", "-1,1,1", "-1,1", "-1"};
    op_body *b = e->b;
    ir_value *n = mask_emit_offset(e, e->m->extent[axis]);
    ir_value *last = e->distances ? mask_emit_offset(e, e->m->extent[MASK_S]) : NULL;
    if (last && !b->status)
        last = body_2(b, last, body_ints(b, 1, (int64_t[]){1}), "Sub");
    if (e->distances && axis == MASK_S)
        return last;
    if (last && !b->status)
        n = body_2(b, n, last, "Add");
    if (b->status)
        return NULL;
    ir_value *range = body_range(b, body_2(b, n, body_ints(b, 1, (int64_t[]){0}), "Squeeze"));
    return axis == MASK_T ? range : body_reshape(b, range, "%s", shapes[axis]);
}

static ir_value *emit_index(mask_emission *e, const mask_affine *index)
{
    op_body *b = e->b;
    ir_value *sum = mask_emit_offset(e, index->constant);
    if (e->m->n_symbols && !b->status)
        sum = body_reshape(b, sum, "-1,1,1,1");
    for (uint32_t i = 0; i < index->n && !b->status; i++) {
        unsigned bits = 0, axis = 0;
        for (unsigned k = 0; k < 4; k++)
            if (e->m->frame[k] == index->index[i])
                bits = 1, axis = k;
        if (!bits) {
            body_fail(b, HEED_UNSUPPORTED, "an operand has an axis that neither product has");
            return NULL;
        }
        ir_value *one = count_along(e, axis);
        if (index->factor[i] != 1 && !b->status)
            one = body_2(b, one, mask_emit_offset(e, index->factor[i]), "Mul");
        sum = b->status ? NULL : body_2(b, sum, one, "Add");
    }
    return b->status ? NULL : sum;
}

/* ---- Leaves and atoms ------------------------------------------------------------------------ */

static axes scores_axes(const mask *m)
{
    axes to = {.rank = 4};
    for (int k = 0; k < 4; k++)
        if (m->frame[k])
            to.axis[k] = (axes_list){1, {m->frame[k]}};
    return to;
}

static ir_value *emit_expr(mask_emission *e, const mask_leaf *l)
{
    ir_value *in[3] = {NULL};
    uint32_t n = l->node->n_in;
    for (uint32_t i = 0; i < n && i < 3 && !e->b->status; i++)
        if (l->args[i])
            in[i] = mask_emit_leaf(e, l->args[i], l->node->in[i].value->type.dtype);
    if (e->b->status)
        return NULL;
    if (pass_is(l->node, "Cast"))
        return body_cast(e->b, in[0], l->dtype);
    return body_n(e->b, n, in, "%s", l->node->op->name);
}

/* The leaf of each case of a form, chosen by its atoms; `set` ones are as `as` says. */
static ir_value *emit_form(mask_emission *e, const mask_form *form, uint32_t set, uint32_t as,
                           heed_dtype dtype)
{
    const mask *m = e->m;
    uint16_t leaf = MASK_NONE;
    bool several = false;
    for (uint32_t c = 0; c < 1u << form->n; c++)
        if ((c & set) == as && mask_possible(m, form->n, c)) {
            uint16_t own = mask_at(m, form, form->n, c);
            several |= leaf && leaf != own;
            leaf = own;
        }
    if (!leaf) /* no such case: anything */
        return body_number(e->b, dtype, 0);
    if (!several)
        return mask_emit_leaf(e, leaf, dtype);
    uint32_t atom = 0;
    while (set >> atom & 1)
        atom++;
    ir_value *yes = emit_form(e, form, set | 1u << atom, as | 1u << atom, dtype);
    ir_value *no = emit_form(e, form, set | 1u << atom, as, dtype);
    if (e->b->status || yes == no)
        return e->b->status ? NULL : yes;
    ir_value *x = mask_emit_atom(e, atom);
    return e->b->status ? NULL : body_3(e->b, x, yes, no, "Where");
}

/* Looked up for each distance: [1, H, 1, distances], or without heads. */
static ir_value *look_up(mask_emission *e, const mask_leaf *l)
{
    op_body *b = e->b;
    ir_value *table = ir_input(l->node, 0), *indices = ir_input(l->node, 1);
    int32_t axis = (int32_t)ir_attr_int(l->node, "axis", 0), heads = -1;
    axis += axis < 0 ? table->type.rank : 0;
    for (int32_t i = 0; i < table->type.rank; i++)
        if (i != axis && l->at.axis[i < axis ? i : i - 1 + indices->type.rank].n)
            heads = i;
    mask_form form;
    if (!mask_lookup_index(e->m, l, &form)) {
        body_fail(b, HEED_UNSUPPORTED, "a table that is looked up otherwise");
        return NULL;
    }
    ir_value *at = emit_form(e, &form, 0, 0, indices->type.dtype);
    at = b->status ? NULL : body_reshape(b, at, "-1");
    ir_value *x = body_2(b, table, at, "Gather axis=%d", axis);
    if (b->status || heads < 0)
        return b->status ? NULL : body_reshape(b, x, "1,1,1,-1");
    long long count = (long long)table->type.dims[heads];
    if (heads > axis)
        x = body_transpose(b, body_reshape(b, x, "-1,%lld", count), "1,0");
    return body_reshape(b, x, "1,%lld,1,-1", count);
}

ir_value *mask_emit_leaf(mask_emission *e, uint16_t leaf, heed_dtype dtype)
{
    const mask_leaf *l = &e->m->leaves[leaf];
    ir_value *x = NULL;
    if (e->b->status)
        return NULL;
    if (l->kind == MASK_NUMBER)
        return body_number(e->b, dtype, l->number);
    if (l->kind == MASK_INDEX)
        x = emit_index(e, &l->index);
    else if (l->kind == MASK_EXPR)
        x = emit_expr(e, l);
    else if (l->kind == MASK_LOOKUP && e->distances)
        x = look_up(e, l);
    else
        x = axes_emit(e->b, &e->m->table, l->value, l->at, scores_axes(e->m), false, &e->witness);
    return e->b->status ? NULL : body_cast(e->b, x, dtype);
}

ir_value *mask_emit_atom(mask_emission *e, uint32_t atom)
{
    const mask_atom *a = &e->m->atoms[atom];
    op_body *b = e->b;
    if (!a->position) {
        heed_dtype dtype = e->m->leaves[a->leaf].dtype;
        ir_value *x = mask_emit_leaf(e, a->leaf, dtype);
        return b->status ? NULL : body_cast(b, x, HEED_BOOL);
    }
    ir_value *x = emit_index(e, &a->index);
    return b->status ? NULL : body_2(b, x, body_int(b, 0), "LessOrEqual");
}
