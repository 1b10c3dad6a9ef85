/* model.c - loading: map the file, find the importer, let it build the graph. */
#include "run/model.h"

#include <string.h>
#include <time.h>

#include "base/service.h"
#include "ops/op.h"
#include "plan/align.h"
#include "plugin/registry.h"

static const ir_resolver resolver = {op_find, op_check_node};

/* What an importer reads from; `source` stands first, so that its callback finds the model. */
typedef struct model_source {
    heed_source source;
    heed_model *model;
} model_source;

static heed_status external(const heed_source *source, const char *location, const uint8_t **bytes,
                            uint64_t *n_bytes)
{
    heed_model *m = ((const model_source *)(const void *)source)->model;
    model_file *f = m->files;
    while (f && strcmp(f->location, location) != 0)
        f = f->next;
    if (!f) {
        if (m->folder.descriptor < 0)
            return err_expected(HEED_INVALID, "a model that holds its own data",
                                "external data in a model that was loaded from memory",
                                "give the folder in heed_model_options");
        f = arena_alloc(&m->memory, sizeof(*f));
        if (!f || !(f->location = arena_string(&m->memory, location)))
            return HEED_NOMEM;
        TRY(file_map_below(&m->folder, location, &f->map));
        f->next = m->files;
        m->files = f;
    }
    *bytes = f->map.bytes;
    *n_bytes = f->map.n_bytes;
    return HEED_OK;
}

static heed_status keep_facts(heed_model *m, const ir_builder *b)
{
    const ir_fact *facts;
    m->n_facts = ir_builder_facts(b, &facts);
    ir_fact *copy = arena_array(&m->memory, m->n_facts, sizeof(*copy));
    if (!copy)
        return HEED_NOMEM;
    if (m->n_facts)
        memcpy(copy, facts, m->n_facts * sizeof(*copy));
    m->facts = copy;
    return HEED_OK;
}

static heed_status align_defaults(ir_graph *g)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        TRY(align_value(g->inputs[i]));
    return HEED_OK;
}

static heed_status import(heed_model *m, const heed_source *source)
{
    const heed_importer *importer;
    service_provide(plugin_find_service);
    TRY(plugin_find_importer(source->bytes, source->n_bytes, source->path, &importer));
    ir_builder *b = ir_builder_new(&resolver);
    if (!b)
        return HEED_NOMEM;
    err_clear();
    heed_status status = importer->load(source, ir_builder_table(b));
    if (!status)
        status = keep_facts(m, b);
    if (!status)
        status = ir_builder_finish(b, &m->ir);
    if (!status)
        status = align_defaults(m->ir->main);
    ir_builder_free(b);
    return status ? status : model_describe(m);
}

static heed_status load(heed_model *m, const char *path, const void *bytes, uint64_t n_bytes)
{
    struct timespec begin, end;
    model_source s = {.source = {.size = sizeof(s.source),
                                 .path = path,
                                 .bytes = bytes,
                                 .n_bytes = n_bytes,
                                 .external = external},
                      .model = m};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    TRY(import(m, &s.source));
    clock_gettime(CLOCK_MONOTONIC, &end);
    m->load_ns = (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000u + (uint64_t)end.tv_nsec -
                 (uint64_t)begin.tv_nsec;
    return HEED_OK;
}

static heed_model *model_new(void)
{
    heed_model *m = mem_zero(sizeof(*m));
    if (m) {
        atomic_init(&m->references, 1);
        m->folder.descriptor = -1;
    }
    return m;
}

static heed_status check_options(const heed_model_options *options)
{
    if (options && options->size < sizeof(uint32_t) * 2)
        return err_fail(HEED_USAGE, "heed_model_options.size is not set");
    return HEED_OK;
}

heed_status heed_model_load(const char *path, const heed_model_options *options, heed_model **out)
{
    *out = NULL;
    TRY(check_options(options));
    if (!path)
        return err_fail(HEED_USAGE, "the path of the model is NULL");
    heed_model *m = model_new();
    if (!m)
        return HEED_NOMEM;
    heed_status status = file_map_open(path, &m->file);
    if (!status)
        status = file_folder_open(path, &m->folder);
    if (!status)
        status = load(m, path, m->file.bytes, m->file.n_bytes);
    if (status)
        heed_model_free(m);
    else
        *out = m;
    return status;
}

heed_status heed_model_load_memory(const void *bytes, size_t n_bytes,
                                   const heed_model_options *options, heed_model **out)
{
    *out = NULL;
    TRY(check_options(options));
    heed_model *m = model_new();
    if (!m)
        return HEED_NOMEM;
    heed_status status = HEED_OK;
    if (options && options->size >= sizeof(*options) && options->folder)
        status = file_folder_open_dir(options->folder, &m->folder);
    if (!status)
        status = load(m, NULL, bytes, n_bytes);
    if (status)
        heed_model_free(m);
    else
        *out = m;
    return status;
}

heed_model *heed_model_ref(heed_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void heed_model_free(heed_model *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) != 1)
        return;
    ir_model_free(m->ir);
    for (model_file *f = m->files; f; f = f->next)
        file_map_close(&f->map);
    file_folder_close(&m->folder);
    file_map_close(&m->file);
    arena_free(&m->memory);
    mem_free(m);
}
