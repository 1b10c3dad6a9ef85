/* The host of mini_host.h. Threads are started for each parallel call: slow, and sure to mix
 * the pieces differently every time. */
#include "mini_host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OFFSET = 64, GUARD = 64, CANARY = 0xa5, MAX_THREADS = 64 };
enum { LARGE = 16 << 20, HUGE_PAGE = 2 << 20 };

static const heed_backend *backend;
static void *device;
static unsigned threads = 1;
static mini_pool *pool;
static atomic_size_t live;
static _Thread_local char message[512];

/* ---- Host services -------------------------------------------------------------------------- */

static heed_status host_fail(heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return status;
}

static void host_log(uint32_t level, const char *format, ...) { (void)level, (void)format; }

typedef struct parallel_job {
    void (*body)(void *arg, uint32_t i);
    void *arg;
    uint32_t n;
    atomic_uint next;
} parallel_job;

static void *worker(void *arg)
{
    parallel_job *job = arg;
    for (;;) {
        uint32_t i = atomic_fetch_add(&job->next, 1);
        if (i >= job->n)
            return NULL;
        job->body(job->arg, i);
    }
}

static void host_parallel(void (*body)(void *arg, uint32_t i), void *arg, uint32_t n)
{
    if (pool) {
        pool(body, arg, n);
        return;
    }
    parallel_job job = {.body = body, .arg = arg, .n = n};
    pthread_t helpers[MAX_THREADS];
    unsigned started = 0;
    while (started + 1 < threads && started < MAX_THREADS &&
           !pthread_create(&helpers[started], NULL, worker, &job))
        started++;
    worker(&job);
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
}

static uint32_t host_threads(void) { return threads; }

static const void *host_get(const char *id)
{
    (void)id;
    return NULL;
}

static void *host_alloc(size_t bytes)
{
    atomic_fetch_add(&live, bytes);
    return aligned_alloc(64, (bytes + 127) / 64 * 64);
}

static void host_free(void *pointer, size_t bytes)
{
    if (pointer)
        atomic_fetch_sub(&live, bytes);
    free(pointer);
}

static const heed_host host = {
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

const char *mini_open(const char *name, const char *options)
{
    const char *folder = getenv("HEED_PLUGIN_PATH");
    if (!folder)
        return "HEED_PLUGIN_PATH is not set";
    char path[4096];
    snprintf(path, sizeof(path), "%.*s/%s.so", (int)strcspn(folder, ":"), folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return dlerror();
    const heed_plugin *plugin = dlsym(library, "heed_plugin_entry");
    if (!plugin || plugin->abi != HEED_ABI)
        return "no plugin of this ABI";
    if (plugin->init(&host))
        return message;
    backend = plugin->get(HEED_BACKEND_ID);
    if (!backend)
        return "no backend";
    device = NULL;
    return HEED_HAS(backend, open) && backend->open(0, options, &device) ? message : NULL;
}

const heed_backend *mini_backend(void) { return backend; }

void mini_threads(unsigned n) { threads = n; }

void mini_use_pool(mini_pool *use) { pool = use; }

const char *mini_message(void) { return message; }

size_t mini_live_bytes(void) { return atomic_load(&live); }

/* ---- Tensors -------------------------------------------------------------------------------- */

typedef struct owned_tensor {
    DLTensor tensor;
    int64_t shape[MINI_RANK];
    size_t bytes;
} owned_tensor;

// clang-format off
static const DLDataType types[HEED_DTYPE_COUNT] = {
    [HEED_FLOAT32] = {kDLFloat, 32, 1}, [HEED_FLOAT64] = {kDLFloat, 64, 1},
    [HEED_FLOAT16] = {kDLFloat, 16, 1}, [HEED_BFLOAT16] = {kDLBfloat, 16, 1},
    [HEED_BOOL] = {kDLBool, 8, 1}, [HEED_UINT8] = {kDLUInt, 8, 1}, [HEED_INT8] = {kDLInt, 8, 1},
    [HEED_UINT16] = {kDLUInt, 16, 1}, [HEED_INT16] = {kDLInt, 16, 1},
    [HEED_INT32] = {kDLInt, 32, 1}, [HEED_INT64] = {kDLInt, 64, 1},
    [HEED_UINT32] = {kDLUInt, 32, 1}, [HEED_UINT64] = {kDLUInt, 64, 1},
};
// clang-format on

size_t mini_count(const DLTensor *tensor)
{
    size_t count = 1;
    for (int d = 0; d < tensor->ndim; d++)
        count *= (size_t)tensor->shape[d];
    return count;
}

size_t mini_bytes(const DLTensor *tensor) { return mini_count(tensor) * tensor->dtype.bits / 8; }

void *mini_data(const DLTensor *tensor) { return (char *)tensor->data + tensor->byte_offset; }

static void *take(size_t bytes)
{
    void *data;
    if (bytes < LARGE)
        return aligned_alloc(64, bytes);
    if (posix_memalign(&data, HUGE_PAGE, bytes))
        return NULL;
    (void)madvise(data, bytes, MADV_HUGEPAGE);
    return data;
}

DLTensor *mini_tensor(heed_dtype dtype, int rank, const int64_t *dims)
{
    owned_tensor *t = calloc(1, sizeof(*t));
    if (rank)
        memcpy(t->shape, dims, (size_t)rank * sizeof(*dims));
    t->tensor = (DLTensor){.ndim = rank, .dtype = types[dtype], .shape = t->shape};
    t->tensor.device = (DLDevice){kDLCPU, 0};
    t->tensor.byte_offset = OFFSET;
    t->bytes = mini_bytes(&t->tensor);
    t->tensor.data = take((OFFSET + t->bytes + GUARD + 63) / 64 * 64);
    memset(t->tensor.data, 0, OFFSET + t->bytes);
    memset((char *)mini_data(&t->tensor) + t->bytes, CANARY, GUARD);
    return &t->tensor;
}

int mini_free(DLTensor *tensor)
{
    owned_tensor *t = (owned_tensor *)tensor;
    if (!t)
        return 1;
    const unsigned char *guard = (const unsigned char *)mini_data(tensor) + t->bytes;
    int good = 1;
    for (int i = 0; i < GUARD; i++)
        good &= guard[i] == CANARY;
    free(t->tensor.data);
    free(t);
    return good;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static heed_attribute *add(mini_node *node, const char *name, uint32_t type)
{
    heed_attribute *a = &node->attrs[node->n_attrs++];
    *a = (heed_attribute){.size = sizeof(*a), .type = type, .name = name};
    return a;
}

void mini_int(mini_node *node, const char *name, int64_t value)
{
    add(node, name, HEED_ATTR_INT)->i = value;
}

void mini_float(mini_node *node, const char *name, double value)
{
    add(node, name, HEED_ATTR_FLOAT)->f = value;
}

void mini_string(mini_node *node, const char *name, const char *value)
{
    add(node, name, HEED_ATTR_STRING)->s = (heed_string){value, strlen(value)};
}

void mini_ints(mini_node *node, const char *name, const int64_t *values, size_t n)
{
    heed_attribute *a = add(node, name, HEED_ATTR_INTS);
    a->ints = values;
    a->n = n;
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

/* What the plugin sees; `view` is first, so that attr finds the rest. */
typedef struct seen_node {
    heed_node view;
    const mini_node *node;
    heed_value values[2 * MINI_ARGS];
    const heed_value *in[MINI_ARGS], *out[MINI_ARGS];
} seen_node;

static const heed_attribute *find_attr(const heed_node *view, const char *name)
{
    const mini_node *node = ((const seen_node *)view)->node;
    for (uint32_t i = 0; i < node->n_attrs; i++)
        if (!strcmp(node->attrs[i].name, name))
            return &node->attrs[i];
    return NULL;
}

static const heed_value *show(heed_value *value, const DLTensor *tensor, int constant)
{
    if (!tensor)
        return NULL;
    *value = (heed_value){.size = sizeof(*value), .dtype = tensor->dtype, .ndim = tensor->ndim};
    value->dims = tensor->shape;
    value->constant = constant ? tensor : NULL;
    return value;
}

static void see(seen_node *seen, const mini_node *node)
{
    *seen = (seen_node){.node = node};
    for (uint32_t i = 0; i < node->n_in; i++)
        seen->in[i] = show(&seen->values[i], node->in[i], node->constants >> i & 1);
    for (uint32_t i = 0; i < node->n_out; i++)
        seen->out[i] = show(&seen->values[MINI_ARGS + i], node->out[i], 0);
    seen->view = (heed_node){.size = sizeof(heed_node), .domain = "", .op = node->op};
    seen->view.name = "node";
    seen->view.version = 28;
    seen->view.n_in = node->n_in;
    seen->view.n_out = node->n_out;
    seen->view.in = seen->in;
    seen->view.out = seen->out;
    seen->view.attr = find_attr;
}

static const heed_kernel *find_kernel(const char *op)
{
    for (const heed_kernel *const *k = backend->kernels; *k; k++)
        if (!strcmp((*k)->op, op))
            return *k;
    return NULL;
}

struct mini_ready {
    const heed_kernel *kernel;
    mini_node node;
    void *state, *workspace; /* its own */
    heed_call call;
    heed_status status;
};

static heed_status begin(mini_ready *r)
{
    seen_node seen;
    see(&seen, &r->node);
    if (!r->kernel)
        return host_fail(HEED_NOTFOUND, "no kernel for %s", r->node.op);
    if (HEED_HAS(r->kernel, accepts)) {
        heed_status status = r->kernel->accepts(device, &seen.view);
        if (status)
            return status;
    }
    return HEED_HAS(r->kernel, prepare) ? r->kernel->prepare(device, &seen.view, &r->state)
                                        : HEED_OK;
}

static heed_status size_up(mini_ready *r)
{
    r->call = (heed_call){.size = sizeof(heed_call), .state = r->state, .device = device};
    r->call.n_in = r->node.n_in;
    r->call.n_out = r->node.n_out;
    r->call.in = (const DLTensor *const *)r->node.in;
    r->call.out = r->node.out;
    uint64_t bytes = 0;
    heed_status status = HEED_OK;
    if (HEED_HAS(r->kernel, measure))
        status = r->kernel->measure(device, r->state, &r->call, &bytes);
    r->workspace = bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
    if (bytes)
        memset(r->workspace, 0xff, bytes); /* NaNs, for who reads what nobody wrote */
    r->call.workspace = r->workspace;
    return status;
}

mini_ready *mini_prepare(const mini_node *node)
{
    mini_ready *r = calloc(1, sizeof(*r));
    r->node = *node;
    r->kernel = find_kernel(node->op);
    r->status = begin(r);
    if (!r->status)
        r->status = size_up(r);
    return r;
}

void mini_borrow(mini_ready *ready, const mini_ready *owner)
{
    free(ready->workspace);
    ready->workspace = NULL;
    ready->call.workspace = owner->call.workspace;
}

heed_status mini_again(mini_ready *ready)
{
    return ready->status ? ready->status : ready->kernel->run(&ready->call);
}

void mini_release(mini_ready *ready)
{
    if (ready->kernel && HEED_HAS(ready->kernel, release) && ready->state)
        ready->kernel->release(device, ready->state);
    free(ready->workspace);
    free(ready);
}

heed_status mini_run(const mini_node *node)
{
    mini_ready *ready = mini_prepare(node);
    heed_status status = mini_again(ready);
    mini_release(ready);
    return status;
}
