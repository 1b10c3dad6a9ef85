/* sequence.c - lists of tensors: SequenceEmpty, SequenceConstruct, SequenceInsert, SequenceErase,
 * SequenceAt, SequenceLength.
 *
 * A sequence never changes: an operator makes a new one, whose items share their memory with those
 * of the old one. */
#include "ops/items.h"

/* ---- Inference ------------------------------------------------------------------------------- */

static heed_dtype dtype_of(const op_infer *c, uint32_t i)
{
    return infer_has(c, i) ? c->in[i]->dtype : HEED_UNDEFINED;
}

static heed_status infer_empty(op_infer *c)
{
    int64_t dtype = ir_attr_int(c->node, "dtype", HEED_FLOAT32);
    if (dtype <= 0 || dtype >= HEED_DTYPE_COUNT)
        return infer_error(c, "a data type in attribute \"dtype\"", "%lld", (long long)dtype);
    return items_infer(c, 0, HEED_KIND_SEQUENCE, (heed_dtype)dtype, false);
}

static heed_status infer_construct(op_infer *c)
{
    return items_infer(c, 0, HEED_KIND_SEQUENCE, dtype_of(c, 0), false);
}

/* A sequence goes in and one comes out. */
static heed_status infer_changed(op_infer *c)
{
    TRY(items_infer_sequence(c, 0));
    return items_infer(c, 0, HEED_KIND_SEQUENCE, dtype_of(c, 0), false);
}

static heed_status infer_at(op_infer *c)
{
    TRY(items_infer_sequence(c, 0));
    return items_infer(c, 0, HEED_KIND_TENSOR, dtype_of(c, 0), false);
}

static heed_status infer_length(op_infer *c)
{
    TRY(items_infer_sequence(c, 0));
    return infer_set(c, 0, HEED_INT64, 0, NULL);
}

/* ---- Running --------------------------------------------------------------------------------- */

static heed_status run_empty(op_call *c)
{
    control_list none = {0};
    heed_dtype dtype = (heed_dtype)ir_attr_int(c->node, "dtype", HEED_FLOAT32);
    return items_give(c, 0, HEED_SEQUENCE, dtype, &none);
}

/* Adds input i, which must be a tensor of the items' dtype. */
static heed_status add_input(const op_call *c, uint32_t i, heed_dtype dtype, control_list *list)
{
    const heed_tensor *t = c->in[i];
    if (t->kind != HEED_TENSOR)
        return call_error(c, HEED_INVALID, "input %u is no tensor", i);
    if (t->dtype != dtype)
        return call_error(c, HEED_INVALID, "input %u is %s, the items are %s", i,
                          dtype_name(t->dtype), dtype_name(dtype));
    return items_add(list, t);
}

static heed_status finish(op_call *c, heed_status status, heed_dtype dtype, control_list *list)
{
    if (!status)
        return items_give(c, 0, HEED_SEQUENCE, dtype, list);
    control_free(list);
    return status;
}

static heed_status run_construct(op_call *c)
{
    control_list list = {0};
    heed_dtype dtype = c->in[0]->dtype;
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < c->n_in && !status; i++)
        status = add_input(c, i, dtype, &list);
    return finish(c, status, dtype, &list);
}

static heed_status run_insert(op_call *c)
{
    const heed_tensor *old;
    control_list list = {0};
    TRY(items_sequence(c, 0, &old));
    int64_t n = (int64_t)old->n_items, at = n;
    if (call_has(c, 2))
        TRY(items_position(c, 2, n, n + 1, &at));
    /* An empty sequence of a default type takes what comes. */
    heed_dtype dtype = n > 0 || old->dtype ? old->dtype : c->in[1]->dtype;
    heed_status status = HEED_OK;
    for (int64_t i = 0; i <= n && !status; i++)
        status = i == at ? add_input(c, 1, dtype, &list)
                         : items_add(&list, old->items[i < at ? i : i - 1]);
    return finish(c, status, dtype, &list);
}

static heed_status run_erase(op_call *c)
{
    const heed_tensor *old;
    control_list list = {0};
    TRY(items_sequence(c, 0, &old));
    int64_t n = (int64_t)old->n_items, at = n - 1;
    heed_status status = HEED_OK;
    if (call_has(c, 1))
        TRY(items_position(c, 1, n, n, &at));
    else if (n == 0)
        return call_error(c, HEED_INVALID, "an empty sequence has no last item to erase");
    for (int64_t i = 0; i < n && !status; i++)
        if (i != at)
            status = items_add(&list, old->items[i]);
    return finish(c, status, old->dtype, &list);
}

static heed_status run_at(op_call *c)
{
    const heed_tensor *from;
    int64_t at;
    TRY(items_sequence(c, 0, &from));
    TRY(items_position(c, 1, (int64_t)from->n_items, (int64_t)from->n_items, &at));
    return call_forward(c, 0, from->items[at]);
}

static heed_status run_length(op_call *c)
{
    const heed_tensor *from;
    TRY(items_sequence(c, 0, &from));
    int64_t n = (int64_t)from->n_items;
    TRY(call_output(c, 0, HEED_INT64, 0, NULL));
    if (call_out(c, 0))
        dtype_store_i64(HEED_INT64, tensor_data(c->out[0]), 0, 1, &n);
    return HEED_OK;
}

// clang-format off
static const op_def empty = {
    .domain = "", .name = "SequenceEmpty", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "-> output:S", .types = "S=sequence", .attrs = "dtype:int",
    .infer = infer_empty, .run = run_empty};
static const op_def construct = {
    .domain = "", .name = "SequenceConstruct", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "inputs:T* -> output_sequence:S", .types = "T=any S=sequence",
    .infer = infer_construct, .run = run_construct};
static const op_def insert = {
    .domain = "", .name = "SequenceInsert", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input_sequence:S, tensor:S, position:I? -> output_sequence:S",
    .types = "S=sequence I=int32|int64", .infer = infer_changed, .run = run_insert};
static const op_def erase = {
    .domain = "", .name = "SequenceErase", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input_sequence:S, position:I? -> output_sequence:S",
    .types = "S=sequence I=int32|int64", .infer = infer_changed, .run = run_erase};
static const op_def at_op = {
    .domain = "", .name = "SequenceAt", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input_sequence:S, position:I -> tensor:T",
    .types = "S=sequence T=any I=int32|int64", .infer = infer_at, .run = run_at};
static const op_def length = {
    .domain = "", .name = "SequenceLength", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input_sequence:S -> length:int64", .types = "S=sequence",
    .infer = infer_length, .run = run_length};

const op_def *const ops_sequence[] = {&empty, &construct, &insert, &erase, &at_op, &length, NULL};
// clang-format on
