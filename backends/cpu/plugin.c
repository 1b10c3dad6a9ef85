/* The plugin's entry: one backend with one device, the processor that heed runs on.
 *
 * OpenBLAS is kept to one thread: products are cut into tiles that the host's own thread pool
 * works on, so a second pool would only fight with it. */
#include <cblas.h>
#include <string.h>

#include "cpu.h"

const heed_host *cpu_host;

extern const heed_kernel *const *const kernel_table[];

enum { MAX_KERNELS = 256, MAX_DEVICES = 8 };

static const heed_kernel *kernels[MAX_KERNELS + 1];
static cpu_device devices[MAX_DEVICES];

/* The generated table has one list a file; the host wants one flat list. */
static heed_status flatten(void)
{
    size_t n = 0;
    for (const heed_kernel *const *const *list = kernel_table; *list; list++)
        for (const heed_kernel *const *kernel = *list; *kernel; kernel++) {
            if (n == MAX_KERNELS)
                return cpu_host->fail(HEED_INTERNAL, "cpu: more than %d kernels", MAX_KERNELS);
            kernels[n++] = *kernel;
        }
    kernels[n] = NULL;
    return HEED_OK;
}

static heed_status init(const heed_host *host)
{
    cpu_host = host;
    openblas_set_num_threads(1);
    return flatten();
}

static heed_status describe(uint32_t index, heed_device_info *info)
{
    if (index > 0)
        return HEED_NOTFOUND;
    heed_device_info full = {.size = info->size, .where = {kDLCPU, 0}};
    cpu_describe(full.description, sizeof(full.description));
    memcpy(info, &full, info->size < sizeof(full) ? info->size : sizeof(full));
    return HEED_OK;
}

/* Options: "isa=base", "isa=avx2" and so on, as device.c has them, ask for one kind of vector code,
 * for tests and comparisons; nothing asks for the best. */
static heed_status open_device(uint32_t index, const char *options, void **device)
{
    const char *name = options ? strstr(options, "isa=") : NULL;
    if (index > 0)
        return cpu_host->fail(HEED_NOTFOUND, "cpu: there is one device, number 0, not %u", index);
    char wanted[16] = "";
    if (name) {
        size_t n = strcspn(name + 4, " ");
        memcpy(wanted, name + 4, n < sizeof(wanted) ? n : sizeof(wanted) - 1);
    }
    const cpu_device *found = cpu_device_find(name ? wanted : NULL);
    if (!found)
        return cpu_host->fail(HEED_DEVICE, "cpu: this machine has no '%s'", wanted);
    size_t d = 0;
    while (devices[d].name && strcmp(devices[d].name, found->name))
        d++;
    devices[d] = *found;
    *device = &devices[d];
    return HEED_OK;
}

static void close_device(void *device) { (void)device; /* a row of a static table */ }

static const heed_backend backend = {
    .size = sizeof(heed_backend),
    .name = "cpu",
    .describe = describe,
    .open = open_device,
    .close = close_device,
    .kernels = kernels,
};

static const void *get(const char *id) { return strcmp(id, HEED_BACKEND_ID) ? NULL : &backend; }

HEED_PLUGIN(cpu, .version = "0.1.0", .vendor = "heed", .init = init, .get = get);
