/* inputs.c - see inputs.h. */
#include "run/inputs.h"

#include <stdio.h>
#include <string.h>

static heed_status wrong(const char *name, const char *expected, const char *found,
                         const char *hint)
{
    err_expected(HEED_USAGE, expected, found, hint);
    return err_at(ERR_NO_OFFSET, "input \"%.100s\"", name);
}

static const char *declared_text(const heed_value_info *info, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int32_t d = 0; d < info->ndim && at < size; d++) {
        const char *comma = d ? ", " : "";
        at +=
            info->dims[d] >= 0
                ? (size_t)snprintf(text + at, size - at, "%s%lld", comma, (long long)info->dims[d])
                : (size_t)snprintf(text + at, size - at, "%s%s", comma, info->symbols[d]);
    }
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}

static heed_status check_shape(const heed_value_info *info, const heed_tensor *t)
{
    char expected[256], found[128];
    bool same = info->ndim < 0 || info->ndim == tensor_rank(t);
    for (int32_t d = 0; same && d < info->ndim; d++)
        same = info->dims[d] < 0 || info->dims[d] == t->dims[d];
    if (same)
        return HEED_OK;
    return wrong(info->name, declared_text(info, expected, sizeof(expected)),
                 shape_text(tensor_rank(t), t->dims, found, sizeof(found)), NULL);
}

static heed_status check_type(const heed_value_info *info, const heed_tensor *t)
{
    static const char *const kinds[] = {"a tensor", "a sequence", "an optional", "a map"};
    if (info->kind != t->kind && !(info->kind == HEED_OPTIONAL))
        return wrong(info->name, kinds[info->kind & 3], kinds[t->kind & 3], NULL);
    if (info->dtype && t->dtype && info->dtype != t->dtype)
        return wrong(info->name, dtype_name(info->dtype), dtype_name(t->dtype), NULL);
    for (size_t i = 0; t->kind == HEED_SEQUENCE && i < t->n_items; i++)
        if ((t->items[i]->kind == HEED_MAP) != (info->keys != 0))
            return wrong(info->name, kinds[info->keys ? HEED_MAP : HEED_TENSOR],
                         kinds[t->items[i]->kind & 3], NULL);
    return info->kind == HEED_TENSOR ? check_shape(info, t) : HEED_OK;
}

static heed_status take_input(const heed_model *m, const char *name, const heed_tensor *t,
                              const heed_tensor **list)
{
    size_t n = heed_model_get_input_count(m), i = 0;
    while (i < n && strcmp(m->inputs[i].name, name) != 0)
        i++;
    if (i == n)
        return wrong(name, "an input of the model", "none of this name", NULL);
    if (!t || list[i])
        return wrong(name, "one tensor", t ? "two" : "NULL", NULL);
    TRY(check_type(&m->inputs[i], t));
    list[i] = t;
    return HEED_OK;
}

heed_status inputs_match(const heed_model *m, size_t n, const char *const *names,
                         heed_tensor *const *given, arena *memory, const heed_tensor ***out)
{
    size_t count = heed_model_get_input_count(m);
    const heed_tensor **list = arena_array(memory, count, sizeof(*list));
    if (!list)
        return HEED_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!names && i >= count)
            return err_fail(HEED_USAGE, "the model has %zu inputs, %zu were given", count, n);
        TRY(take_input(m, names ? names[i] : m->inputs[i].name, given[i], list));
    }
    for (size_t i = 0; i < count; i++) {
        if (!list[i])
            list[i] = m->ir->main->inputs[i]->constant;
        if (!list[i])
            return wrong(m->inputs[i].name, "a tensor", "none",
                         "every input without a default must be given");
    }
    *out = list;
    return HEED_OK;
}

heed_status outputs_match(const heed_model *m, size_t n, const char *const *names, arena *memory,
                          uint32_t **out)
{
    size_t count = heed_model_get_output_count(m);
    *out = arena_array(memory, n, sizeof(**out));
    if (!*out)
        return HEED_NOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t o = i;
        for (o = names ? 0 : i; names && o < count && strcmp(m->outputs[o].name, names[i]);)
            o++;
        if (o >= count) {
            err_expected(HEED_USAGE, "an output of the model", "none of this name", NULL);
            return err_at(ERR_NO_OFFSET, "output \"%.100s\"", names ? names[i] : "");
        }
        for (size_t k = 0; k < i; k++)
            if ((*out)[k] == o)
                return err_fail(HEED_USAGE, "output \"%.100s\" is asked for twice",
                                m->outputs[o].name);
        (*out)[i] = (uint32_t)o;
    }
    return HEED_OK;
}
