/* A good one: a backend that counts and an importer of files that begin with LINES, in one plugin.
 * Its backend has two devices and takes the option "loud". */
#include <string.h>

#include "heed/importer.h"

static const heed_host *host;
static int open_devices;

static heed_status init(const heed_host *from)
{
    host = from;
    return HEED_OK;
}

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_OK;
}

static const heed_kernel old = HEED_KERNEL(.op = "Relu", .since = 1, .until = 5, .run = run);
static const heed_kernel new = HEED_KERNEL(.domain = "", .op = "Relu", .since = 6, .run = run);
static const heed_kernel own =
    HEED_KERNEL(.domain = "com.example", .op = "Relu", .since = 1, .run = run);
static const heed_kernel *const kernels[] = {&old, &new, &own, NULL};

static heed_status describe(uint32_t index, heed_device_info *info)
{
    static const char *const names[] = {"first", "second\nline"};
    if (index >= 2)
        return HEED_NOTFOUND;
    strcpy(info->description, names[index]);
    return HEED_OK;
}

static heed_status open(uint32_t index, const char *options, void **device)
{
    (void)index;
    if (strcmp(options, "") != 0 && strcmp(options, "loud") != 0)
        return host->fail(HEED_USAGE, "lines knows no option \"%s\"", options);
    open_devices++;
    *device = &open_devices;
    return HEED_OK;
}

static void close(void *device) { --*(int *)device; }

static const heed_backend backend = {.size = sizeof(backend),
                                     .name = "lines",
                                     .describe = describe,
                                     .open = open,
                                     .close = close,
                                     .kernels = kernels};

static uint32_t probe(const uint8_t *bytes, uint64_t n_bytes)
{
    return n_bytes >= 5 && memcmp(bytes, "LINES", 5) == 0 ? 100 : 0;
}

static heed_status load(const heed_source *source, heed_builder *builder)
{
    (void)source;
    (void)builder;
    return host->fail(HEED_UNSUPPORTED, "lines are no graph");
}

static const char *const extensions[] = {".lines", ".ln", NULL};
static const heed_importer importer = {.size = sizeof(importer),
                                       .name = "lines",
                                       .extensions = extensions,
                                       .probe = probe,
                                       .load = load};

static const void *get(const char *id)
{
    if (strcmp(id, HEED_BACKEND_ID) == 0)
        return &backend;
    return strcmp(id, HEED_IMPORTER_ID) == 0 ? &importer : NULL;
}

HEED_PLUGIN(lines, .version = "2", .vendor = "tests", .init = init, .get = get);
