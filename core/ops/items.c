/* items.c - see items.h. Separate because sequences, optionals and SequenceMap share it. */
#include "ops/items.h"

#include <stdio.h>

heed_status items_infer(op_infer *c, uint32_t o, uint32_t kind, heed_dtype dtype,
                        bool optional_sequence)
{
    if (o >= c->n_out)
        return HEED_OK;
    c->out[o].kind = kind;
    c->out[o].optional_sequence = kind == HEED_KIND_OPTIONAL && optional_sequence;
    return infer_set_unknown(c, o, dtype, -1);
}

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"a tensor", "a sequence", "an optional", "a map"};
    return names[kind & 3];
}

heed_status items_infer_sequence(const op_infer *c, uint32_t i)
{
    char expected[48];
    if (!infer_has(c, i) || c->in[i]->kind == HEED_KIND_SEQUENCE || !c->in[i]->dtype)
        return HEED_OK;
    snprintf(expected, sizeof(expected), "a sequence for input %u", i);
    return infer_error(c, expected, "%s", kind_name(c->in[i]->kind));
}

heed_status items_sequence(const op_call *c, uint32_t i, const heed_tensor **out)
{
    *out = c->in[i];
    if (c->in[i] && c->in[i]->kind == HEED_SEQUENCE)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "input %u is %s, not a sequence", i,
                      kind_name(c->in[i] ? c->in[i]->kind : 0));
}

heed_status items_position(const op_call *c, uint32_t i, int64_t n, int64_t limit, int64_t *out)
{
    const heed_tensor *t = c->in[i];
    if (t->kind != HEED_TENSOR || tensor_count(t) != 1)
        return call_error(c, HEED_INVALID, "the position is one number, not %lld",
                          (long long)tensor_count(t));
    int64_t at = tensor_get_int(t, 0);
    if (at < -n || at >= limit)
        return call_error(c, HEED_INVALID, "position %lld is not in [%lld, %lld) of %lld items",
                          (long long)at, (long long)-n, (long long)limit, (long long)n);
    *out = at < 0 ? at + n : at;
    return HEED_OK;
}

heed_status items_add(control_list *list, const heed_tensor *value)
{
    heed_tensor *item, view = {0};
    bool text = value->kind == HEED_TENSOR && value->dtype == HEED_STRING;
    TRY(tensor_new_empty(&item));
    if (text)
        tensor_borrow(&view, value);
    heed_status status = tensor_assign(item, text ? &view : value);
    if (status)
        tensor_free(item);
    return status ? status : control_push(list, item);
}

heed_status items_give(op_call *c, uint32_t o, uint32_t kind, heed_dtype dtype, control_list *list)
{
    heed_tensor *out = call_out(c, o);
    heed_status status = HEED_OK;
    if (out) {
        status = tensor_set_items(out, kind, dtype, list->n, list->items);
        list->n = 0; /* taken */
    }
    control_free(list);
    return status;
}

heed_status items_own_text(heed_tensor *t)
{
    const heed_string *from = tensor_data(t);
    for (int64_t i = 0, n = t->dtype == HEED_STRING ? tensor_count(t) : 0; i < n; i++)
        TRY(tensor_set_string(t, i, from[i].data, (size_t)from[i].size));
    return HEED_OK;
}
