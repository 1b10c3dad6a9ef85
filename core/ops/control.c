/* control.c - what If, Loop and Scan share: types that live through iterations, and stacking.
 *
 * Separate because Loop and Scan differ in where their values come from, not in what becomes of
 * them. */
#include "ops/control.h"

#include <string.h>

#include "ops/layout.h"

enum { MAX_ROUNDS = 6 };

/* ---- Inference ----------------------------------------------------------------------------- */

heed_status control_keep_type(op_infer *c, const ir_type *from, ir_type *to)
{
    *to = *from;
    if (from->kind != HEED_KIND_TENSOR || from->rank < 0) {
        to->rank = -1;
        to->dims = NULL;
        return HEED_OK;
    }
    to->dims = arena_array(&c->node->graph->model->memory, (size_t)from->rank + 1, sizeof(ir_dim));
    if (!to->dims)
        return err_get()->status;
    for (int32_t i = 0; i < from->rank; i++)
        to->dims[i] = from->dims[i] == DIM_UNKNOWN ? dims_fresh(c->dims) : from->dims[i];
    return HEED_OK;
}

/* Loosens what differs in the next iteration. True: something was loosened. */
static bool widen(op_infer *c, control_state *s, const ir_type *next)
{
    bool changed = false;
    if (next->kind == HEED_KIND_OPTIONAL && s->type.kind != HEED_KIND_OPTIONAL) {
        s->type = *next; /* what was there may be missing from now on */
        return true;
    }
    if (s->type.kind != HEED_KIND_TENSOR || s->type.rank < 0)
        return false;
    if (next->rank != s->type.rank || next->kind != HEED_KIND_TENSOR) {
        s->type.rank = -1;
        return true;
    }
    for (int32_t i = 0; i < s->type.rank; i++) {
        if (s->loose[i] || s->type.dims[i] == next->dims[i])
            continue;
        s->loose[i] = true;
        s->type.dims[i] = dims_fresh(c->dims);
        changed = true;
    }
    return changed;
}

heed_status control_settle(op_infer *c, ir_graph *body, uint32_t n_types, const ir_type **types,
                           uint32_t n, uint32_t first_in, uint32_t first_out, control_state *states,
                           bool *changed)
{
    bool again = true;
    *changed = false;
    for (int round = 0; again; round++) {
        again = false;
        for (uint32_t k = 0; k < n; k++)
            types[first_in + k] = &states[k].type;
        TRY(c->body(c, body, n_types, types));
        for (uint32_t k = 0; k < n; k++) {
            const ir_type *next = &body->outputs[first_out + k]->type;
            ir_type *own = &states[k].type;
            bool optional = own->kind == HEED_KIND_OPTIONAL || next->kind == HEED_KIND_OPTIONAL;
            if (own->dtype && next->dtype && own->kind != next->kind && !optional)
                return infer_error(c, "a value of one type through all iterations",
                                   "a tensor and a sequence in value %u", k);
            if (own->dtype && next->dtype && own->dtype != next->dtype)
                return infer_error(c, "a value of one type through all iterations",
                                   "%s becomes %s in value %u", dtype_name(own->dtype),
                                   dtype_name(next->dtype), k);
            again = widen(c, &states[k], next) || again;
            if (again && round >= MAX_ROUNDS)
                own->rank = -1;
        }
        *changed = *changed || again;
    }
    return HEED_OK;
}

heed_status control_set(op_infer *c, uint32_t o, const ir_type *type)
{
    if (o >= c->n_out)
        return HEED_OK;
    c->out[o].kind = type->kind;
    c->out[o].optional_sequence = type->optional_sequence;
    c->out[o].keys = type->keys;
    if (type->kind != HEED_KIND_TENSOR || type->rank < 0)
        return infer_set_unknown(c, o, type->dtype, -1);
    return infer_set(c, o, type->dtype, type->rank, type->dims);
}

heed_status control_set_state(op_infer *c, uint32_t o, const control_state *state,
                              const ir_type *result)
{
    ir_dim dims[TENSOR_MAX_RANK];
    ir_type type = *result;
    if (type.kind == HEED_KIND_TENSOR) {
        type.rank = state->type.rank;
        type.dims = dims;
        for (int32_t i = 0; i < type.rank; i++)
            dims[i] = state->loose[i] ? DIM_UNKNOWN : state->type.dims[i];
    }
    return control_set(c, o, &type);
}

heed_status control_set_stack(op_infer *c, uint32_t o, const ir_type *element, int64_t axis,
                              ir_dim extent, bool numbers_only)
{
    ir_dim dims[TENSOR_MAX_RANK + 1];
    int32_t rank = element->rank + 1, at;
    if (o >= c->n_out)
        return HEED_OK;
    if (element->kind != HEED_KIND_TENSOR)
        return infer_error(c, "tensors as scanned outputs", "another kind");
    c->out[o].kind = HEED_KIND_TENSOR;
    if (element->rank < 0)
        return infer_set_unknown(c, o, element->dtype, -1);
    TRY(infer_axis(c, axis, rank, &at));
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = i == at ? extent : element->dims[i < at ? i : i - 1];
        if (i != at && numbers_only && !dim_known(dims[i]))
            dims[i] = DIM_UNKNOWN;
    }
    return infer_set(c, o, element->dtype, rank, dims);
}

/* ---- Running --------------------------------------------------------------------------------- */

heed_status control_push(control_list *list, heed_tensor *item)
{
    heed_status status = mem_grow(&list->items, &list->capacity, list->n, sizeof(*list->items));
    if (status)
        tensor_free(item);
    else
        list->items[list->n++] = item;
    return status;
}

void control_free(control_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        tensor_free(list->items[i]);
    mem_free(list->items);
    *list = (control_list){0};
}

/* An empty stack: the element's shape as far as it is known. */
static heed_status stack_nothing(op_call *c, uint32_t o, int64_t axis, const ir_type *type)
{
    int64_t dims[TENSOR_MAX_RANK + 1];
    int32_t rank = (type->rank < 0 ? 0 : type->rank) + 1;
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return call_error(c, HEED_INVALID, "axis %lld is not one of %d", (long long)axis, rank);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim dim = i == axis ? 0 : type->dims[i < axis ? i : i - 1];
        dims[i] = dim_known(dim) ? dim : 0;
    }
    return call_output(c, o, type->dtype, rank, dims);
}

/* Copies an item to its place; strings are copied with their bytes, because the item goes. */
static heed_status put_item(heed_tensor *out, const layout_box *box, int64_t first,
                            const heed_tensor *item)
{
    int64_t index[TENSOR_MAX_RANK] = {0};
    if (out->dtype != HEED_STRING) {
        layout_copy(out->dtype, box, tensor_data(out), first, tensor_data(item), 0);
        return HEED_OK;
    }
    const heed_string *from = tensor_data(item);
    for (int64_t i = 0, n = tensor_count(item); i < n; i++) {
        int64_t to = first;
        for (int32_t a = 0; a < box->rank; a++)
            to += index[a] * box->dst[a];
        TRY(tensor_set_string(out, to, from[i].data, (size_t)from[i].size));
        layout_next(box->rank, box->dims, index);
    }
    return HEED_OK;
}

static heed_status check_item(op_call *c, const heed_tensor *first, const heed_tensor *item)
{
    char a[96], b[96];
    if (item->kind == HEED_TENSOR && item->dtype == first->dtype &&
        shape_equal(tensor_rank(item), item->dims, tensor_rank(first), first->dims))
        return HEED_OK;
    return call_error(c, HEED_INVALID, "a scanned output is %s in one iteration and %s in another",
                      shape_text(tensor_rank(first), first->dims, a, sizeof(a)),
                      shape_text(tensor_rank(item), item->dims, b, sizeof(b)));
}

heed_status control_stack(op_call *c, uint32_t o, const control_list *items, int64_t axis,
                          bool reversed, const ir_type *type)
{
    int64_t dims[TENSOR_MAX_RANK + 1], strides[TENSOR_MAX_RANK + 1];
    if (!call_out(c, o))
        return HEED_OK;
    if (items->n == 0)
        return stack_nothing(c, o, axis, type);
    const heed_tensor *first = items->items[0];
    int32_t rank = tensor_rank(first) + 1;
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank || rank > TENSOR_MAX_RANK)
        return call_error(c, HEED_INVALID, "axis %lld is not one of %d", (long long)axis, rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == axis ? (int64_t)items->n : first->dims[i < axis ? i : i - 1];
    TRY(call_output(c, o, first->dtype, rank, dims));
    heed_tensor *out = call_out(c, o);
    layout_strides(rank, dims, strides);
    layout_box box = {.rank = rank - 1};
    memcpy(box.dims, first->dims, (size_t)box.rank * sizeof(int64_t));
    layout_strides(box.rank, box.dims, box.src);
    for (int32_t i = 0; i < box.rank; i++)
        box.dst[i] = strides[i < axis ? i : i + 1];
    for (size_t i = 0; i < items->n; i++) {
        int64_t at = (int64_t)(reversed ? items->n - 1 - i : i);
        TRY(check_item(c, first, items->items[i]));
        TRY(put_item(out, &box, at * strides[axis], items->items[i]));
    }
    return HEED_OK;
}
