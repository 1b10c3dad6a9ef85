/* The recording builder and its host (see onnx_record.h). */
#include "onnx_record.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Host ----------------------------------------------------------------------------------- */

long onnx_record_live, onnx_record_peak, onnx_record_failing = -1;
static char message[1024];

static heed_status host_fail(heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return status;
}

static void host_log(uint32_t level, const char *format, ...) { (void)level, (void)format; }

static void *host_alloc(size_t bytes)
{
    if (onnx_record_failing == 0)
        return NULL;
    if (onnx_record_failing > 0)
        onnx_record_failing--;
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (memory)
        onnx_record_live += (long)bytes;
    if (onnx_record_live > onnx_record_peak)
        onnx_record_peak = onnx_record_live;
    return memory;
}

static void host_free(void *memory, size_t bytes)
{
    if (memory)
        onnx_record_live -= (long)bytes;
    free(memory);
}

static void host_parallel(void (*body)(void *arg, uint32_t i), void *arg, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        body(arg, i);
}

static uint32_t host_threads(void) { return 1; }

static const void *host_get(const char *id)
{
    (void)id;
    return NULL;
}

const heed_host onnx_record_host = {
    .size = sizeof(heed_host),
    .abi = HEED_ABI,
    .fail = host_fail,
    .log = host_log,
    .parallel = host_parallel,
    .get = host_get,
    .alloc = host_alloc,
    .free = host_free,
    .threads = host_threads,
};

const char *onnx_record_message(void) { return message; }

/* ---- Lines ---------------------------------------------------------------------------------- */

static void put(onnx_record *r, const char *format, ...) HEED_PRINTF(2, 3);
static void put(onnx_record *r, const char *format, ...)
{
    char piece[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1;
    if (r->size + size + 1 > r->capacity) {
        r->capacity = 2 * r->capacity + size + 4096;
        r->text = realloc(r->text, r->capacity);
    }
    memcpy(r->text + r->size, piece, size);
    r->size += size;
    r->text[r->size] = '\0';
}

static const char *dtype_text(DLDataType t)
{
    static const char *const codes[] = {"int",    "uint",    "float", "string",
                                        "bfloat", "complex", "bool"};
    static char text[32];
    if (t.code == kDLOpaqueHandle || t.code == kDLBool)
        return codes[t.code];
    if (t.code < sizeof(codes) / sizeof(codes[0]))
        snprintf(text, sizeof(text), "%s%u", codes[t.code], t.bits);
    else
        snprintf(text, sizeof(text), "code%u_%u", t.code, t.bits);
    return text;
}

static int64_t count(const DLTensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->ndim; i++)
        n *= t->shape[i];
    return n;
}

/* Numbers of four and eight bytes, bytes, and the packed bits of everything else. */
static void put_element(onnx_record *r, const DLTensor *t, int64_t i)
{
    const char *at = t->data;
    float f;
    double d;
    int32_t w;
    int64_t l;
    if (t->dtype.code == kDLOpaqueHandle) {
        const heed_string *s = (const heed_string *)t->data + i;
        put(r, " \"%.*s\"", (int)s->size, s->size ? s->data : "");
    } else if (t->dtype.code == kDLFloat && t->dtype.bits == 32) {
        memcpy(&f, at + 4 * i, sizeof(f));
        put(r, " %g", (double)f);
    } else if (t->dtype.code == kDLFloat && t->dtype.bits == 64) {
        memcpy(&d, at + 8 * i, sizeof(d));
        put(r, " %g", d);
    } else if (t->dtype.code <= kDLUInt && t->dtype.bits == 32) {
        memcpy(&w, at + 4 * i, sizeof(w));
        put(r, " %d", w);
    } else if (t->dtype.code <= kDLUInt && t->dtype.bits == 64) {
        memcpy(&l, at + 8 * i, sizeof(l));
        put(r, " %lld", (long long)l);
    } else if (i < (count(t) * t->dtype.bits + 7) / 8) {
        put(r, " %02x", (unsigned)(unsigned char)at[i]);
    }
}

static void put_tensor(onnx_record *r, const DLTensor *t)
{
    put(r, "%s[", dtype_text(t->dtype));
    for (int i = 0; i < t->ndim; i++)
        put(r, "%s%lld", i ? "," : "", (long long)t->shape[i]);
    put(r, "]");
    int64_t n = count(t), shown = n * (t->dtype.bits > 8 && t->dtype.bits % 32 ? 2 : 1);
    if (n && n <= 16)
        put(r, " =");
    for (int64_t i = 0; n <= 16 && i < shown; i++)
        put_element(r, t, i);
}

static void put_attr(onnx_record *r, const heed_attribute *a)
{
    put(r, " %s=", a->name);
    if (a->type == HEED_ATTR_INT)
        put(r, "%lld", (long long)a->i);
    if (a->type == HEED_ATTR_FLOAT)
        put(r, "%g", a->f);
    if (a->type == HEED_ATTR_STRING)
        put(r, "'%.*s'", (int)a->s.size, a->s.size ? a->s.data : "");
    if (a->type == HEED_ATTR_GRAPH)
        put(r, "graph %llu", (unsigned long long)a->graph);
    if (a->type == HEED_ATTR_TENSOR)
        put_tensor(r, a->tensor);
    for (uint64_t i = 0; a->type == HEED_ATTR_INTS && i < a->n; i++)
        put(r, "%s%lld", i ? "," : "", (long long)a->ints[i]);
    for (uint64_t i = 0; a->type == HEED_ATTR_FLOATS && i < a->n; i++)
        put(r, "%s%g", i ? "," : "", (double)a->floats[i]);
    for (uint64_t i = 0; a->type == HEED_ATTR_STRINGS && i < a->n; i++)
        put(r, "%s'%.*s'", i ? "," : "", (int)a->strings[i].size,
            a->strings[i].size ? a->strings[i].data : "");
}

static void put_type(onnx_record *r, const heed_type *t)
{
    static const char *const kinds[] = {"tensor", "seq", "optional", "map"};
    put(r, "%s(", t ? kinds[t->kind] : "any");
    if (t && t->element)
        put_type(r, t->element);
    else if (t)
        put(r, "%u", t->dtype);
    for (int i = 0; t && i < t->ndim; i++) {
        if (t->dims[i] >= 0)
            put(r, ",%lld", (long long)t->dims[i]);
        else
            put(r, ",%s", t->symbols[i] ? t->symbols[i] : "?");
    }
    put(r, "%s)", t && !t->element && t->ndim < 0 ? ",..." : "");
}

/* ---- Builder -------------------------------------------------------------------------------- */

static heed_status on_error(heed_builder *b, heed_status status, const heed_origin *origin,
                            const char *expected, const char *found, const char *hint)
{
    onnx_record *r = b->self;
    r->status = status;
    snprintf(r->error, sizeof(r->error), "%s at byte %llu: expected %s, found %s; %s", origin->path,
             (unsigned long long)origin->offset, expected ? expected : "-", found ? found : "-",
             hint ? hint : "-");
    return status;
}

static heed_status on_fact(heed_builder *b, const char *key, const char *value)
{
    put(b->self, "fact %s = %s\n", key, value);
    return HEED_OK;
}

static uint32_t on_knows(heed_builder *b, const char *domain, const char *op)
{
    const onnx_record *r = b->self;
    char name[256];
    snprintf(name, sizeof(name), "%s.%s", domain, op);
    for (size_t i = 0; r->known && r->known[i]; i++)
        if (strcmp(r->known[i], name) == 0)
            return 1;
    return 0;
}

static heed_status on_graph(heed_builder *b, uint64_t parent, const char *name,
                            const heed_origin *origin, uint64_t *graph)
{
    onnx_record *r = b->self;
    (void)origin;
    *graph = r->graphs++;
    put(r, "graph %llu in %llu '%s'\n", (unsigned long long)*graph, (unsigned long long)parent,
        name);
    return HEED_OK;
}

static heed_status put_value(onnx_record *r, const char *what, uint64_t graph, const char *name,
                             const heed_type *type)
{
    put(r, "%s %llu %s ", what, (unsigned long long)graph, name);
    put_type(r, type);
    put(r, "\n");
    return HEED_OK;
}

static heed_status on_input(heed_builder *b, uint64_t graph, const char *name,
                            const heed_type *type, const heed_origin *origin)
{
    (void)origin;
    return put_value(b->self, "input", graph, name, type);
}

static heed_status on_output(heed_builder *b, uint64_t graph, const char *name,
                             const heed_type *type, const heed_origin *origin)
{
    (void)origin;
    return put_value(b->self, "output", graph, name, type);
}

static heed_status on_value(heed_builder *b, uint64_t graph, const char *name,
                            const heed_type *type, const heed_origin *origin)
{
    (void)origin;
    return put_value(b->self, "value", graph, name, type);
}

static heed_status on_tensor(heed_builder *b, uint64_t graph, const char *name,
                             const DLTensor *tensor, uint32_t flags, const heed_origin *origin)
{
    onnx_record *r = b->self;
    (void)origin;
    r->n_tensors++;
    if (flags & HEED_TENSOR_BORROWED)
        r->borrowed_bytes += (uint64_t)(count(tensor) * tensor->dtype.bits + 7) / 8;
    put(r, "tensor %llu %s ", (unsigned long long)graph, name);
    put_tensor(r, tensor);
    put(r, "\n");
    return HEED_OK;
}

static heed_status on_node(heed_builder *b, uint64_t graph, const heed_node_def *node)
{
    onnx_record *r = b->self;
    r->n_nodes++;
    put(r, "node %llu %s%s%s(", (unsigned long long)graph, node->domain, *node->domain ? "." : "",
        node->op);
    for (uint32_t i = 0; i < node->n_in; i++)
        put(r, "%s%s", i ? ", " : "", node->in[i]);
    put(r, ") -> (");
    for (uint32_t i = 0; i < node->n_out; i++)
        put(r, "%s%s", i ? ", " : "", node->out[i]);
    put(r, ")");
    for (uint32_t i = 0; i < node->n_attrs; i++)
        put_attr(r, node->attrs[i]);
    put(r, "\n");
    return HEED_OK;
}

void onnx_record_open(onnx_record *r)
{
    *r = (onnx_record){.graphs = 1};
    r->builder = (heed_builder){.size = sizeof(r->builder),
                                .self = r,
                                .error = on_error,
                                .fact = on_fact,
                                .knows = on_knows,
                                .graph = on_graph,
                                .input = on_input,
                                .output = on_output,
                                .value = on_value,
                                .tensor = on_tensor,
                                .node = on_node};
    put(r, "\n");
}

void onnx_record_close(onnx_record *r)
{
    free(r->text);
    r->text = NULL;
}

int onnx_record_has(const onnx_record *r, const char *line)
{
    char text[2048];
    snprintf(text, sizeof(text), "\n%s\n", line);
    return strstr(r->text, text) != NULL;
}

/* ---- The importer --------------------------------------------------------------------------- */

/* Loaded as a stranger's plugin is: dlopen, the entry symbol, init, get. */
const heed_importer *onnx_record_importer(void)
{
    static const heed_importer *importer;
    char path[4096];
    if (importer)
        return importer;
    const char *folder = getenv("HEED_PLUGIN_PATH");
    snprintf(path, sizeof(path), "%.*s/onnx.so", folder ? (int)strcspn(folder, ":") : 1,
             folder ? folder : ".");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const heed_plugin *plugin = library ? dlsym(library, "heed_plugin_entry") : NULL;
    if (!plugin || plugin->abi != HEED_ABI || plugin->init(&onnx_record_host))
        return NULL;
    importer = plugin->get(HEED_IMPORTER_ID);
    return importer;
}

static heed_status no_external(const heed_source *source, const char *location,
                               const uint8_t **bytes, uint64_t *n_bytes)
{
    (void)source, (void)location;
    *bytes = NULL;
    *n_bytes = 0;
    return HEED_NOTFOUND;
}

heed_status onnx_record_load(onnx_record *r, const void *bytes, size_t size)
{
    heed_source source = {
        .size = sizeof(source), .bytes = bytes, .n_bytes = size, .external = no_external};
    return onnx_record_importer()->load(&source, &r->builder);
}
