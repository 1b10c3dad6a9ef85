/* optional.c - a value that may be missing: Optional, OptionalHasElement, OptionalGetElement.
 *
 * What is no optional counts as one that is there (since opset 18), so that these operators cost
 * nothing on plain tensors: whether one is there is known at load, and getting it is the identity
 * (passes/identity.c). */
#include <string.h>

#include "ops/content.h"
#include "ops/items.h"

/* "seq(tensor(float32))": what an empty optional would hold. */
static heed_status read_type(op_infer *c, heed_dtype *dtype, bool *sequence)
{
    const char *text = ir_attr_string(c->node, "type", "");
    const char *open = strrchr(text, '(');
    *sequence = strstr(text, "seq(") != NULL;
    for (*dtype = 1; *dtype < HEED_DTYPE_COUNT; (*dtype)++) {
        const char *name = dtype_name(*dtype);
        size_t n = strlen(name);
        if (open && strncmp(open + 1, name, n) == 0 && open[1 + n] == ')')
            return HEED_OK;
    }
    return infer_error(c, "an element type in attribute \"type\" where there is no input", "\"%s\"",
                       text);
}

static heed_status infer_optional(op_infer *c)
{
    heed_dtype dtype;
    bool sequence;
    if (!infer_has(c, 0)) {
        TRY(read_type(c, &dtype, &sequence));
        return items_infer(c, 0, HEED_KIND_OPTIONAL, dtype, sequence);
    }
    if (c->in[0]->kind == HEED_KIND_OPTIONAL)
        return infer_error(c, "a tensor or a sequence", "an optional");
    return items_infer(c, 0, HEED_KIND_OPTIONAL, c->in[0]->dtype,
                       c->in[0]->kind == HEED_KIND_SEQUENCE);
}

static heed_status run_optional(op_call *c)
{
    control_list list = {0};
    heed_tensor *out = call_out(c, 0);
    heed_dtype dtype = call_has(c, 0) ? c->in[0]->dtype : (out ? out->dtype : 0);
    if (call_has(c, 0) && c->in[0]->kind == HEED_OPTIONAL)
        return call_error(c, HEED_INVALID, "an optional of an optional");
    if (call_has(c, 0))
        TRY(items_add(&list, c->in[0]));
    return items_give(c, 0, HEED_OPTIONAL, dtype, &list);
}

/* ---- OptionalHasElement ---------------------------------------------------------------------- */

static heed_status infer_has_element(op_infer *c)
{
    TRY(infer_set(c, 0, HEED_BOOL, 0, NULL));
    if (infer_has(c, 0) && (c->in[0]->kind == HEED_KIND_OPTIONAL || !c->in[0]->dtype))
        return HEED_OK;
    ir_dim there = infer_has(c, 0);
    infer_set_content(c, 0, 1, &there);
    return HEED_OK;
}

static heed_status run_has_element(op_call *c)
{
    const heed_tensor *in = call_has(c, 0) ? c->in[0] : NULL;
    int64_t there = in && (in->kind != HEED_OPTIONAL || in->n_items > 0);
    TRY(call_output(c, 0, HEED_BOOL, 0, NULL));
    if (call_out(c, 0))
        dtype_store_i64(HEED_BOOL, tensor_data(c->out[0]), 0, 1, &there);
    return HEED_OK;
}

/* ---- OptionalGetElement ---------------------------------------------------------------------- */

static heed_status infer_get_element(op_infer *c)
{
    const ir_type *in = c->in[0];
    if (in->kind != HEED_KIND_OPTIONAL)
        return infer_set_like(c, 0, 0);
    return items_infer(c, 0, in->optional_sequence ? HEED_KIND_SEQUENCE : HEED_KIND_TENSOR,
                       in->dtype, false);
}

static heed_status run_get_element(op_call *c)
{
    const heed_tensor *in = c->in[0];
    if (in->kind == HEED_OPTIONAL && in->n_items == 0)
        return call_error(c, HEED_INVALID, "the optional is empty");
    return call_forward(c, 0, in->kind == HEED_OPTIONAL ? in->items[0] : in);
}

// clang-format off
static const op_def optional = {
    .domain = "", .name = "Optional", .since = 28, .flags = OP_DATA_SHAPE,
    .signature = "input:V? -> output:O", .types = "V=all O=optional", .attrs = "type:string",
    .infer = infer_optional, .run = run_optional};
static const op_def has_element = {
    .domain = "", .name = "OptionalHasElement", .since = 28, .flags = OP_DATA_SHAPE,
    .signature = "input:O? -> output:bool", .types = "O=all",
    .infer = infer_has_element, .run = run_has_element};
static const op_def get_element = {
    .domain = "", .name = "OptionalGetElement", .since = 28, .flags = OP_DATA_SHAPE,
    .signature = "input:O -> output:V", .types = "O=all V=all",
    .infer = infer_get_element, .run = run_get_element};

const op_def *const ops_optional[] = {&optional, &has_element, &get_element, NULL};
// clang-format on
