/* added_part.c - pass: what is added to a part of a tensor and written back is added to all of it.
 *
 * before: y = ScatterND(x, i, Add(Slice(x), b)), i the places of the slice
 * after:  y = Add(x, Pad(b))
 *
 * So vision models add a bias to the scores of patches alone, beside those of a class token. There
 * may be several additions, and moves between them. A part that is written back as it was, or a
 * second time, changes nothing. */
#include <stdio.h>
#include <string.h>

#include "passes/attention/prepare/scatter_block.h"
#include "passes/axes/axes.h"
#include "passes/pass.h"

enum { MOST_SUMS = 4, MOST_DATA = 8, DEEPEST = 24 };

typedef struct placed {
    ir_value *value;
    axes at;
    bool negated;
} placed;

typedef struct writing {
    axes_table t;
    scatter_block places;
    axes_list part[TENSOR_MAX_RANK], whole[TENSOR_MAX_RANK]; /* by axes of the data */
    placed data[MOST_DATA]; /* the data, and what it is an arrangement of */
    uint32_t n_data;
    placed sums[MOST_SUMS];
    uint32_t n_sums;
} writing;

/* ---- The walk -------------------------------------------------------------------------------- */

static bool same_axes(const axes_table *t, axes a, axes b)
{
    axes_refresh(t, &a);
    axes_refresh(t, &b);
    for (int32_t i = 0; i < a.rank && a.rank == b.rank; i++)
        if (!axes_list_equal(&a.axis[i], &b.axis[i]))
            return false;
    return a.rank == b.rank;
}

/* The data, in its own arrangement: nothing else was written there. */
static bool is_data(const writing *w, const ir_value *v, const axes *at)
{
    for (uint32_t i = 0; i < w->n_data; i++)
        if (w->data[i].value == v && same_axes(&w->t, w->data[i].at, *at))
            return true;
    return false;
}

static void climb_data(writing *w, ir_value *x)
{
    axes in, at = w->data[0].at;
    for (w->n_data = 1; w->n_data < MOST_DATA && x->producer; w->n_data++) {
        axes_table before = w->t;
        if (!axes_up(&w->t, x->producer, &at, &in)) {
            w->t = before;
            return;
        }
        x = ir_input(x->producer, 0);
        at = in;
        w->data[w->n_data] = (placed){.value = x, .at = at};
    }
}

/* Which axis of the data is cut into the one with these atoms; -1: none. */
static int32_t find_part(const writing *w, axes_list list)
{
    axes_refresh_list(&w->t, &list);
    for (int32_t i = 0; i < w->places.rank; i++) {
        axes_list part = w->part[i];
        axes_refresh_list(&w->t, &part);
        if (w->places.cut[i] && axes_list_equal(&part, &list))
            return i;
    }
    return -1;
}

/* The slice takes the very places that are written: its input has the whole axes. */
static bool undo_slice(const writing *w, const ir_node *n, axes *at)
{
    const ir_value *starts = ir_input(n, 1), *along = ir_input(n, 3), *steps = ir_input(n, 4);
    const ir_type *from = &ir_input(n, 0)->type, *to = &n->out[0]->type;
    if (!pass_constant(starts) || !pass_constant(along) || (steps && !pass_constant(steps)))
        return false;
    for (int64_t i = 0; i < tensor_count(along->constant); i++) {
        int64_t axis = tensor_get_int(along->constant, i);
        int64_t start = tensor_get_int(starts->constant, i);
        axis += axis < 0 ? from->rank : 0;
        if (axis < 0 || axis >= from->rank || !dim_known(from->dims[axis]))
            return false;
        if (from->dims[axis] == to->dims[axis])
            continue;
        int32_t k = find_part(w, at->axis[axis]);
        start += start < 0 ? from->dims[axis] : 0;
        if (k < 0 || start != w->places.start[k] || to->dims[axis] != w->places.n[k] ||
            from->dims[axis] != axes_extent(&w->t, &w->whole[k]) ||
            (steps && tensor_get_int(steps->constant, i) != 1))
            return false;
        at->axis[axis] = w->whole[k];
    }
    return true;
}

/* The axes are none of the part's, but of all that it was cut from. */
static bool is_whole(const writing *w, axes at)
{
    axes_refresh(&w->t, &at);
    for (int32_t i = 0; i < w->places.rank; i++) {
        axes_list whole = w->whole[i];
        axes_refresh_list(&w->t, &whole);
        for (uint32_t k = 0; k < whole.n && w->places.cut[i]; k++)
            if (axes_have(&at, whole.atoms[k]))
                return true;
    }
    return false;
}

/* Axes of what is added; false when it may be broadcast in another way. */
static bool beside(const axes *at, const ir_value *sum, const ir_value *v, axes *out)
{
    *out = (axes){.rank = v->type.rank};
    if (v->type.rank < 0 || v->type.rank > at->rank)
        return false;
    for (int32_t i = 0; i < out->rank; i++) {
        int32_t k = at->rank - out->rank + i;
        if (v->type.dims[i] == 1)
            continue;
        if (v->type.dims[i] != sum->type.dims[k])
            return false;
        out->axis[i] = at->axis[k];
    }
    return true;
}

static bool same_extents(const ir_value *a, const ir_value *b)
{
    return a->type.rank == b->type.rank && pass_same_type(a, b);
}

static bool climb(writing *w, ir_value *v, axes at, int depth);

static bool climb_sum(writing *w, const ir_node *n, const axes *at, int depth)
{
    bool subtract = pass_is(n, "Sub");
    for (uint32_t i = 0; i < (subtract ? 1u : 2u); i++) {
        axes other;
        writing before = *w;
        if (!same_extents(ir_input(n, i), n->out[0]) || w->n_sums == MOST_SUMS ||
            !beside(at, n->out[0], ir_input(n, 1 - i), &other) || is_whole(w, other))
            continue;
        w->sums[w->n_sums++] = (placed){ir_input(n, 1 - i), other, subtract};
        if (climb(w, ir_input(n, i), *at, depth + 1))
            return true;
        *w = before;
    }
    return false;
}

/* From what is written to the data. */
static bool climb(writing *w, ir_value *v, axes at, int depth)
{
    const ir_node *n = v->producer;
    axes in;
    if (is_data(w, v, &at))
        return true;
    if (!n || depth == DEEPEST || v->type.rank < 0)
        return false;
    if (pass_is(n, "Add") || pass_is(n, "Sub"))
        return climb_sum(w, n, &at, depth);
    if (pass_is(n, "Slice"))
        return undo_slice(w, n, &at) && climb(w, ir_input(n, 0), at, depth + 1);
    return axes_up(&w->t, n, &at, &in) && climb(w, ir_input(n, 0), in, depth + 1);
}

/* An axis of a part, also of one element. */
static axes_list fresh(axes_table *t, int64_t n) { return (axes_list){1, {axes_atom(t, n)}}; }

static bool read_writing(const ir_node *n, writing *w)
{
    ir_value *x = ir_input(n, 0), *update = ir_input(n, 2);
    if (x->type.rank < 1 || ir_input(n, 1)->type.rank < 2 ||
        !scatter_read(ir_input(n, 1), &x->type, &w->places))
        return false;
    axes whole, part;
    axes_fresh(&w->t, &x->type, &whole);
    part = whole;
    for (int32_t i = 0; i < w->places.rank; i++) {
        w->whole[i] = whole.axis[i];
        if (w->places.cut[i])
            part.axis[i] = fresh(&w->t, w->places.n[i]);
        w->part[i] = part.axis[i];
    }
    w->data[0] = (placed){.value = x, .at = whole};
    climb_data(w, x);
    if (!climb(w, update, part, 0))
        return false;
    w->data[0].at = part; /* what is emitted has these */
    return true;
}

/* ---- What becomes of it ---------------------------------------------------------------------- */

/* Repeated to the extents of the part, and padded with zeros to those of the data. */
static ir_value *pad(const writing *w, op_body *b, ir_value *sum)
{
    int64_t pads[2 * TENSOR_MAX_RANK] = {0}, shape[TENSOR_MAX_RANK];
    const ir_type *type = &w->data[0].value->type;
    bool repeat = false;
    for (int32_t i = 0; i < type->rank; i++) {
        shape[i] = 1;
        if (!w->places.cut[i])
            continue;
        shape[i] = w->places.n[i];
        repeat |= sum->type.dims[i] == 1 && shape[i] != 1;
        pads[i] = w->places.start[i];
        pads[type->rank + i] = type->dims[i] - pads[i] - shape[i];
    }
    if (repeat)
        sum = body_2(b, sum, body_ints(b, type->rank, shape), "Expand");
    return body_2(b, sum, body_ints(b, 2 * type->rank, pads), "Pad");
}

/* All that is added to the part, in its arrangement; NULL: b->status. */
static ir_value *emit_sums(writing *w, op_body *b)
{
    ir_value *all = NULL;
    axes to = w->data[0].at;
    axes_witness witness = {&w->data[0].value, 1};
    axes_refresh(&w->t, &to);
    for (uint32_t i = 0; i < w->n_sums; i++) {
        axes at = w->sums[i].at;
        axes_refresh(&w->t, &at);
        ir_value *one = axes_emit(b, &w->t, w->sums[i].value, at, to, false, &witness);
        if (b->status)
            return NULL;
        if (w->sums[i].negated)
            one = body_1(b, one, "Neg");
        all = all ? body_2(b, all, one, "Add") : one;
    }
    return all;
}

static bool is_writing(const ir_node *n)
{
    return pass_is(n, "ScatterND") && strcmp(ir_attr_string(n, "reduction", "none"), "none") == 0;
}

static bool same_places(const ir_node *a, const ir_node *b)
{
    const ir_value *at = ir_input(a, 1), *other = ir_input(b, 1);
    const ir_type *data = &a->out[0]->type;
    scatter_block of_a, of_b;
    return at == other || (data->rank > 0 && at->type.rank > 1 && other->type.rank > 1 &&
                           scatter_read(at, data, &of_a) && scatter_read(other, data, &of_b) &&
                           scatter_same(&of_a, &of_b));
}

/* The same is written again. */
static heed_status forget(pass_run *p, ir_node *n)
{
    const ir_node *first = is_writing(n) ? ir_input(n, 0)->producer : NULL;
    if (!first || !is_writing(first) || ir_input(first, 2) != ir_input(n, 2))
        return HEED_OK;
    if (!same_places(n, first))
        return HEED_OK;
    p->rewrites++;
    ir_node_set_input(n, 0, ir_input(first, 0));
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    writing w = {.n_data = 0};
    axes_table_init(&w.t, p->model->dims);
    if (!is_writing(n) || !dtype_is_float(n->out[0]->type.dtype) || !read_writing(n, &w))
        return HEED_OK;
    if (w.n_sums == 0)
        return pass_bypass(p, n, ir_input(n, 0));
    op_body b = pass_body(p, n);
    ir_value *sums = emit_sums(&w, &b);
    ir_value *y = sums ? body_2(&b, ir_input(n, 0), pad(&w, &b, sums), "Add") : NULL;
    if (b.status && b.status != HEED_NOMEM) { /* an extent that stands nowhere */
        pass_undo(&b);
        err_clear();
        return HEED_OK;
    }
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p)
{
    TRY(pass_each_node(p, forget));
    return pass_each_node(p, visit);
}

const pass_def pass_added_part = {
    .name = "added-part",
    .purpose = "what is added to a part of a tensor and written back is added to all of it",
    .order = 54,
    .run = run,
};
