/* value_file.c - heed_tensor_load: one value in a model format's serialisation (test data). */
#include <string.h>

#include "plugin/registry.h"
#include "run/model.h"

typedef struct sink {
    heed_tensor **items;
    size_t n, capacity;
} sink;

static heed_status take(void *arg, const char *name, const DLTensor *tensor)
{
    sink *s = arg;
    (void)name;
    TRY(mem_grow(&s->items, &s->capacity, s->n, sizeof(*s->items)));
    TRY(heed_tensor_from_dlpack(tensor, &s->items[s->n]));
    s->n++;
    return HEED_OK;
}

static const heed_value_info *find(const heed_model *m, const char *name)
{
    for (size_t i = 0; m && name && i < heed_model_get_input_count(m); i++)
        if (strcmp(m->inputs[i].name, name) == 0)
            return &m->inputs[i];
    for (size_t i = 0; m && name && i < heed_model_get_output_count(m); i++)
        if (strcmp(m->outputs[i].name, name) == 0)
            return &m->outputs[i];
    return NULL;
}

static bool holds_sequence(const heed_model *m, const char *name)
{
    const ir_graph *g = m->ir->main;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (strcmp(g->inputs[i]->name, name) == 0)
            return g->inputs[i]->type.optional_sequence;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (strcmp(g->output_names[i], name) == 0)
            return g->output_types[i].optional_sequence;
    return false;
}

/* The items become what the kind says; they are taken, also on failure. */
static heed_status assemble(const heed_value_info *like, bool of_sequence, sink *s,
                            heed_tensor **out)
{
    uint32_t kind = like ? like->kind : HEED_TENSOR;
    heed_tensor *inner = NULL;
    if (kind == HEED_TENSOR && s->n != 1)
        return err_fail(HEED_INVALID, "expected one tensor, found %zu", s->n);
    if (kind == HEED_TENSOR) {
        *out = s->items[0];
        s->n = 0;
        return HEED_OK;
    }
    if (kind == HEED_OPTIONAL && !of_sequence) {
        inner = s->n ? s->items[0] : NULL;
    } else {
        size_t n = s->n;
        s->n = 0;
        TRY(heed_tensor_new_sequence(like->dtype, n, s->items, &inner));
    }
    if (kind == HEED_SEQUENCE) {
        *out = inner;
        return HEED_OK;
    }
    s->n = 0;
    return heed_tensor_new_optional(inner, out);
}

heed_status heed_tensor_load(const char *path, const heed_model *model, const char *like,
                             heed_tensor **out)
{
    file_map file;
    sink s = {0};
    const heed_importer *importer;
    const heed_value_info *info = find(model, like);
    bool of_sequence = info && info->kind == HEED_OPTIONAL && holds_sequence(model, like);
    *out = NULL;
    TRY(file_map_open(path, &file));
    heed_type item = {.size = sizeof(item), .ndim = -1, .dtype = info ? info->dtype : 0};
    heed_type list = {
        .size = sizeof(list), .kind = HEED_KIND_SEQUENCE, .ndim = -1, .element = &item};
    heed_type type = {.size = sizeof(type),
                      .kind = info ? info->kind : HEED_KIND_TENSOR,
                      .ndim = -1,
                      .dtype = item.dtype,
                      .element = of_sequence ? &list : &item};
    heed_source source = {
        .size = sizeof(source), .path = path, .bytes = file.bytes, .n_bytes = file.n_bytes};
    /* Values carry no magic number: the extension of a model of that format decides. */
    heed_status status = plugin_find_importer(NULL, 0, "value.onnx", &importer);
    if (!status && !HEED_HAS(importer, read_value))
        status = err_fail(HEED_UNSUPPORTED, "the importer %s reads no values", importer->name);
    if (!status)
        status = importer->read_value(&source, &type, take, &s);
    if (!status)
        status = assemble(info, of_sequence, &s, out);
    for (size_t i = 0; i < s.n; i++)
        tensor_free(s.items[i]);
    mem_free(s.items);
    file_map_close(&file);
    return status ? err_at(ERR_NO_OFFSET, "%s", path) : HEED_OK;
}
