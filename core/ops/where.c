/* where.c - one of two values for each element: Where. Moves any dtype. */
#include "ops/content.h"
#include "ops/layout.h"

static heed_status infer_where(op_infer *c)
{
    if (infer_has(c, 1))
        return infer_set_broadcast(c, 0, c->in[1]->dtype, 0, 2);
    return infer_set_broadcast(c, 0, 0, 0, 2);
}

/* Entry i of a list that may be a single element. */
static const content_entry *entry_at(const content_entry *list, int64_t n, int64_t i)
{
    return &list[n == 1 ? 0 : i];
}

/* Decidable where the condition is a number, or where both sides are the same expression. */
static void content_where(op_infer *c)
{
    content_entry *e[3];
    int64_t n[3], count = c->out[0].rank == 0 ? 1 : DIM_UNKNOWN;
    if (c->out[0].rank == 1)
        count = c->out[0].dims[0];
    if (count < 0 || count > CONTENT_MAX || !dtype_is_int(c->out[0].dtype))
        return;
    for (uint32_t i = 0; i < 3; i++)
        if (!content_get(c, i, &e[i], &n[i]) || (n[i] != 1 && n[i] != count))
            return;
    ir_dim *values = infer_dims_new(c, count);
    for (int64_t i = 0; values && i < count; i++) {
        const content_entry *condition = entry_at(e[0], n[0], i);
        const content_entry *x = entry_at(e[1], n[1], i), *y = entry_at(e[2], n[2], i);
        if (!condition->known && x->dim != y->dim)
            return;
        values[i] = condition->known && !condition->number ? y->dim : x->dim;
    }
    if (values)
        content_put(c, 0, count, values);
}

/* n elements from one source: a run of it, or one element repeated (step 0). */
static void put(heed_tensor *out, int64_t to, const heed_tensor *from, int64_t at, int64_t step,
                int64_t n)
{
    if (step == 0)
        layout_fill(out->dtype, tensor_data(out), to, n, tensor_data(from), at);
    else
        dtype_copy(out->dtype, tensor_data(out), to, tensor_data(from), at, n);
}

typedef struct operand {
    const heed_tensor *tensor;
    int64_t strides[TENSOR_MAX_RANK];
    int64_t at, step; /* where the row starts, and how far apart its elements are: 0 or 1 */
} operand;

static void where_row(heed_tensor *out, const operand *o, int64_t to, int64_t n)
{
    const uint8_t *condition = tensor_data(o[0].tensor);
    for (int64_t i = 0; i < n;) {
        bool first = condition[o[0].at + i * o[0].step] != 0;
        int64_t run = o[0].step == 0 ? n - i : 1;
        while (i + run < n && (condition[o[0].at + (i + run) * o[0].step] != 0) == first)
            run++;
        const operand *from = &o[first ? 1 : 2];
        put(out, to + i, from->tensor, from->at + i * from->step, from->step, run);
        i += run;
    }
}

static heed_status run_where(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t index[TENSOR_MAX_RANK] = {0}, to = 0;
    operand o[3];
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    int32_t rank = tensor_rank(out), outer = rank > 0 ? rank - 1 : 0;
    int64_t row = rank > 0 ? out->dims[outer] : 1;
    for (uint32_t i = 0; i < 3; i++) {
        o[i].tensor = c->in[i];
        layout_broadcast(c->in[i], rank, o[i].strides);
        o[i].step = rank > 0 ? o[i].strides[outer] : 0;
    }
    do {
        for (uint32_t i = 0; i < 3; i++) {
            o[i].at = 0;
            for (int32_t a = 0; a < outer; a++)
                o[i].at += index[a] * o[i].strides[a];
        }
        where_row(out, o, to, row);
        to += row;
    } while (layout_next(outer, out->dims, index));
    return HEED_OK;
}

// clang-format off
static const op_def where = {
    .domain = "", .name = "Where", .since = 16, .flags = OP_ELEMENTWISE,
    .signature = "condition:bool, X:T, Y:T -> output:T", .types = "T=any",
    .infer = infer_where, .content = content_where, .run = run_where};
// clang-format on

const op_def *const ops_where[] = {&where, NULL};
