/* heed/plugin.h - the contract between the runtime and a plugin, ABI 1.
 *
 * A plugin is one shared object that links to nothing of heed's and exports one const data
 * symbol, heed_plugin_entry. The host reads the ABI number before it calls anything, calls
 * init(host), then asks for interfaces by id: "heed.backend/1", "heed.importer/1".
 *
 * Rules that keep a plugin built today loadable in ten years:
 *   1. Every struct starts with its size, filled by macros.
 *   2. Structs only grow, at the end. A missing or zero field means "absent".
 *   3. Arrays hold pointers, never structs by value, so that rule 2 stays true.
 *   4. Enumerators are numbered, never renumbered, and travel as uint32_t.
 *   5. Anything optional is a separate interface asked for by id. An id never changes.
 *   6. Who allocates frees. Pointers passed in are borrowed for that call.
 *
 * Thread tags: [main] one caller at a time for the whole plugin; [device] one caller at a time
 * for one device state, except where a comment says more; [any] any thread at any time.
 *
 * Lifecycle: dlopen(absolute path, RTLD_NOW | RTLD_LOCAL), read abi, init, get, then
 *   describe / open -> per node: accepts -> prepare -> [ measure -> run* ]* -> release
 * -> close -> fini. init and fini come in pairs and may be called again. The host never calls
 * dlclose. No function of a plugin aborts, exits or asserts on what it is given. */
#ifndef HEED_PLUGIN_H
#define HEED_PLUGIN_H

#include "heed/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_ABI 1u

/* The one presence test: the struct is long enough to have the field, and it is not zero. */
#define HEED_HAS(p, field)                                                                         \
    ((p)->size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field) && (p)->field != 0)

/* ---- The host: what the runtime offers to a plugin --------------------------------------- */

enum { HEED_LOG_ERROR = 1, HEED_LOG_WARN = 2, HEED_LOG_INFO = 3, HEED_LOG_DEBUG = 4 };

typedef struct heed_host {
    uint32_t size;
    uint32_t abi;
    /* Stores the message for the calling thread and returns `status`, so that a refusal is one
     * line: return host->fail(HEED_UNSUPPORTED, "K %% 32 != 0: %d", k). [any] */
    heed_status (*fail)(heed_status status, const char *format, ...) HEED_PRINTF(2, 3);
    void (*log)(uint32_t level, const char *format, ...) HEED_PRINTF(2, 3); /* [any] */
    /* Runs body(arg, i) for every i in [0, n) on the one thread pool and returns when all are
     * done. May be called from inside a body. The number of pieces must follow from shapes, never
     * from the number of threads, so that results keep their bits. [any] */
    void (*parallel)(void (*body)(void *arg, uint32_t i), void *arg, uint32_t n);
    const void *(*get)(const char *id); /* host-side interfaces, or NULL [any] */
    /* Memory from the runtime's allocator, 64-byte aligned; NULL when exhausted. For prepare and
     * importers; run allocates nothing. free(NULL, n) is legal. [any] */
    void *(*alloc)(size_t bytes);
    void (*free)(void *pointer, size_t bytes);
    /* Threads that parallel has now, the caller among them; a later call may have others. To decide
     * who does what, where that does not show in results. Ask HEED_HAS first. [any] */
    uint32_t (*threads)(void);
} heed_host;

/* ---- The plugin: the exported symbol ------------------------------------------------------ */

typedef struct heed_plugin {
    uint32_t size;
    uint32_t abi;
    const char *name;    /* equals the file name: cpu.so is "cpu" */
    const char *version; /* text for people */
    const char *vendor;
    heed_status (*init)(const heed_host *host); /* host stays valid until fini [main] */
    void (*fini)(void);                         /* optional; only on explicit shutdown [main] */
    const void *(*get)(const char *id);         /* an interface, NULL for an unknown id [any] */
} heed_plugin;

#ifdef HEED_STATIC
#define HEED_PLUGIN_SYMBOL(name) heed_plugin_##name
#else
#define HEED_PLUGIN_SYMBOL(name) heed_plugin_entry
#endif

/* HEED_PLUGIN(cpu, .version = "1.0", .init = init, .get = get); */
#define HEED_PLUGIN(ident, ...)                                                                    \
    HEED_EXPORT extern const heed_plugin HEED_PLUGIN_SYMBOL(ident);                                \
    HEED_EXPORT const heed_plugin HEED_PLUGIN_SYMBOL(ident) = {                                    \
        .size = sizeof(heed_plugin), .abi = HEED_ABI, .name = #ident, __VA_ARGS__}

/* ---- What a kernel sees of a graph --------------------------------------------------------- */

typedef struct heed_value {
    uint32_t size;
    uint32_t flags; /* 0 */
    DLDataType dtype;
    int32_t ndim;             /* -1 when the rank is not known yet */
    const int64_t *dims;      /* -1 where not known yet */
    const DLTensor *constant; /* the content in host memory when known at load, or NULL */
} heed_value;

enum {
    HEED_ATTR_NONE = 0,
    HEED_ATTR_INT = 1,
    HEED_ATTR_FLOAT = 2,
    HEED_ATTR_STRING = 3,
    HEED_ATTR_INTS = 4,
    HEED_ATTR_FLOATS = 5,
    HEED_ATTR_STRINGS = 6,
    HEED_ATTR_TENSOR = 7,
    HEED_ATTR_GRAPH = 8
};

/* One attribute. `n` counts ints, floats or strings. Graph attributes are shown by type only. */
typedef struct heed_attribute {
    uint32_t size;
    uint32_t type; /* HEED_ATTR_* */
    const char *name;
    int64_t i;
    double f;
    heed_string s;
    uint64_t n;
    const int64_t *ints;
    const float *floats;
    const heed_string *strings;
    const DLTensor *tensor;
    uint64_t graph; /* importers: the number that the builder gave */
} heed_attribute;

/* A node in accepts and prepare: read-only, valid during the call. Domain "" is ai.onnx.
 * Attributes are complete: defaults of the schema are filled in. */
typedef struct heed_node {
    uint32_t size;
    uint32_t flags; /* 0 */
    const char *domain;
    const char *op;
    const char *name;
    int64_t version; /* opset of the domain; always the newest form that the runtime knows */
    uint64_t index;  /* place in the graph */
    uint32_t n_in, n_out;
    const heed_value *const *in; /* in[i] is NULL where an optional input is left out */
    const heed_value *const *out;
    /* The attribute, or NULL when it has neither value nor default. [any] */
    const heed_attribute *(*attr)(const struct heed_node *node, const char *name);
} heed_node;

/* One execution. Outputs arrive shaped and allocated, their memory not initialised. */
typedef struct heed_call {
    uint32_t size;
    uint32_t flags; /* 0 */
    void *state;    /* what prepare returned */
    void *device;   /* what open returned */
    void *stream;   /* NULL: finish before returning */
    uint32_t n_in, n_out;
    const DLTensor *const *in; /* in[i] is NULL where an optional input is left out */
    DLTensor *const *out;      /* out[i] is NULL where nobody reads an optional output */
    void *workspace;           /* as many bytes as measure asked for, 64-byte aligned */
} heed_call;

/* ---- Kernels and backends ------------------------------------------------------------------ */

enum {
    HEED_STRIDED = 1u << 0, /* inputs may have strides; without it they are dense row-major */
    HEED_INPLACE = 1u << 1, /* output 0 may have the memory of input 0: HEED_REUSE(0, 0) */
    /* Constant inputs may lie at any byte, as their file has them. Without it the host aligns them
     * to their elements, by a copy where it must. Other tensors are always aligned. */
    HEED_UNALIGNED = 1u << 2
};

/* Output o may have the memory of input i. The first 8 of each have a bit; others: 0, nothing. */
#define HEED_REUSE(o, i) ((o) < 8 && (i) < 8 ? UINT64_C(1) << ((8 * (o) + (i)) & 63) : 0)

/* How one backend computes one operator. Only `run` is required. */
typedef struct heed_kernel {
    uint32_t size;
    uint32_t flags;
    const char *domain; /* NULL and "" mean ai.onnx */
    const char *op;
    int64_t since, until; /* opsets that it serves; until 0: still valid */
    /* May refuse, with a reason by host->fail that the user sees; absent: accepts all. [any] */
    heed_status (*accepts)(void *device, const heed_node *node);
    /* Once a node: pack weights, choose an algorithm. A failure hands the node to the next
     * backend; HEED_NOMEM ends making the session, since another backend would only hide it. [any]
     */
    heed_status (*prepare)(void *device, const heed_node *node, void **state);
    /* Workspace bytes for concrete shapes; data pointers are NULL. Runs again when shapes change,
     * so that rebinding never repeats prepare. [any] */
    heed_status (*measure)(void *device, void *state, const heed_call *shapes, uint64_t *bytes);
    /* Several runs of one node may be under way at once, each with a call of its own: `state` is
     * read-only here. Allocates nothing. [any] */
    heed_status (*run)(const heed_call *call);
    void (*release)(void *device, void *state); /* [any] */
    /* HEED_REUSE(o, i) | ...: an input that is read last here, and has as many bytes as the output,
     * may lie where the output is written. Each output gets the memory of one input at most, no
     * two the same, and no other input shares it; any such choice may come. */
    uint64_t reuse;
    /* Instead of `reuse`, where that depends on the node: `state` is what prepare made of it. [any]
     */
    uint64_t (*reuses)(void *device, const void *state);
} heed_kernel;

#define HEED_KERNEL(...)                                                                           \
    {                                                                                              \
        .size = sizeof(heed_kernel), __VA_ARGS__                                                   \
    }

typedef struct heed_device_info {
    uint32_t size;
    uint32_t flags; /* 0 */
    DLDevice where;
    char description[120];
    uint64_t memory_total, memory_free; /* bytes; 0 when not known */
} heed_device_info;

/* Memory of a device. Absent: the backend computes in host memory. */
typedef struct heed_memory {
    uint32_t size;
    uint32_t flags; /* 0 */
    uint64_t alignment;
    heed_status (*alloc)(void *device, uint64_t bytes, void **pointer); /* [device] */
    void (*free)(void *device, void *pointer);                          /* [device] */
    heed_status (*copy)(void *device, void *stream, DLDevice to, void *dst, DLDevice from,
                        const void *src, uint64_t bytes); /* [device] */
} heed_memory;

/* A device plugin, id "heed.backend/1". describe and open both absent: one anonymous device in
 * host memory. */
#define HEED_BACKEND_ID "heed.backend/1"
typedef struct heed_backend {
    uint32_t size;
    uint32_t flags;   /* 0 */
    const char *name; /* as the plugin's */
    /* Fills info up to the size that it arrives with; HEED_NOTFOUND ends the list. [main] */
    heed_status (*describe)(uint32_t index, heed_device_info *info);
    heed_status (*open)(uint32_t index, const char *options, void **device); /* [main] */
    void (*close)(void *device);                                             /* [main] */
    const heed_kernel *const *kernels;                                       /* NULL-terminated */
    const heed_memory *memory;
    const void *(*get)(void *device, const char *id); /* backend-side interfaces [any] */
} heed_backend;

#ifdef __cplusplus
}
#endif
#endif
