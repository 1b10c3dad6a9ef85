/* plugin.c - the plugin's table: what the runtime sees of the ONNX importer. */
#include <string.h>

#include "model.h"
#include "value.h"

#ifndef HEED_VERSION
#define HEED_VERSION "0"
#endif

static const heed_host *host;

static heed_status load(const heed_source *source, heed_builder *builder)
{
    onnx_context c;
    onnx_context_open(&c, host, source, &onnx_model_rules, builder);
    heed_status status = onnx_model_load(&c);
    onnx_context_close(&c);
    return status;
}

static heed_status
read_value(const heed_source *source, const heed_type *type,
           heed_status (*sink)(void *arg, const char *name, const DLTensor *tensor), void *arg)
{
    return onnx_value_read(host, source, type, sink, arg);
}

static const char *const extensions[] = {".onnx", NULL};

static const heed_importer importer = {
    .size = sizeof importer,
    .name = "onnx",
    .extensions = extensions,
    .probe = onnx_model_probe,
    .load = load,
    .read_value = read_value,
};

static heed_status init(const heed_host *given)
{
    if (given->abi != HEED_ABI || !HEED_HAS(given, fail))
        return HEED_UNSUPPORTED;
    if (!HEED_HAS(given, alloc) || !HEED_HAS(given, free))
        return given->fail(HEED_UNSUPPORTED, "the onnx importer needs alloc and free of the host");
    host = given;
    return HEED_OK;
}

static const void *get(const char *id)
{
    return strcmp(id, HEED_IMPORTER_ID) == 0 ? &importer : NULL;
}

HEED_PLUGIN(onnx, .version = HEED_VERSION, .vendor = "heed", .init = init, .get = get);
