/* heed/heed.h - the public interface for programs that run models.
 *
 * From file to numbers:
 *
 *     heed_session *session = NULL;
 *     heed_tensor *out = NULL;
 *     float x[2 * 3] = {1, 2, 3, 4, 5, 6};
 *     heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 2, (int64_t[]){2, 3}, x);
 *     if (heed_session_open("model.onnx", NULL, &session) ||
 *         heed_session_run(session, NULL, 1, (const char *[]){"x"}, &in, 1, NULL, &out))
 *         fprintf(stderr, "%s\n", heed_error_get()->message);
 *     else
 *         printf("%g\n", ((const float *)heed_tensor_get_data(out))[0]);
 *     heed_tensor_free(out);
 *     heed_tensor_free(in);
 *     heed_session_free(session);
 *
 * Conventions. Verbs carry ownership: new/free owned, get borrowed, take transferred, ref/unref
 * shared. Out parameters stand last and are set to NULL on failure. heed_*_free(NULL) is legal,
 * and so is a NULL options struct; one that is not NULL starts with its size, and its zeroed fields
 * mean the default. Functions that can fail return heed_status; the details wait in
 * heed_error_get(). Any call may give HEED_NOMEM, and HEED_USAGE for a NULL that is not legal or a
 * size that is not set. No function aborts or exits. Threads: a model and a session may be used by
 * any number of threads at once; a tensor by one writer or many readers. */
#ifndef HEED_H
#define HEED_H

#include "heed/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_model heed_model;     /* an imported graph; immutable, shared             */
typedef struct heed_session heed_session; /* a model placed on backends, with cached plans    */
typedef struct heed_tensor heed_tensor;   /* a tensor, a sequence, or an optional             */
typedef struct heed_cancel heed_cancel;   /* a flag that stops runs, one for any set of runs  */

/* ---- Errors ------------------------------------------------------------------------------ */

/* What the last failed call of this thread said. Strings are never NULL and live until this
 * thread's next call that returns a status. */
typedef struct heed_error {
    heed_status status;
    uint32_t reserved;
    uint64_t offset;      /* of the element in its file, in bytes; UINT64_MAX when it has none */
    const char *message;  /* one line that says everything below */
    const char *element;  /* `graph.node[3] "MatMul_7" input 1`, or "" */
    const char *expected; /* or "" */
    const char *found;    /* or "" */
    const char *hint;     /* what to do, or "" */
} heed_error;

HEED_EXPORT const heed_error *heed_error_get(void);
HEED_EXPORT const char *heed_status_name(heed_status status);
HEED_EXPORT const char *heed_version(void);       /* "0.1.0" */
HEED_EXPORT const char *heed_build_options(void); /* compiler, flags, ABI, for people */

/* ---- Process-wide services: set before the first model is loaded -------------------------- */

typedef struct heed_allocator {
    uint32_t size;
    uint32_t flags; /* 0 */
    void *self;
    void *(*alloc)(void *self, size_t bytes, size_t alignment); /* NULL when exhausted [any] */
    void (*free)(void *self, void *pointer, size_t bytes);      /* [any] */
} heed_allocator;

/* Every byte that heed and its importers allocate comes from here; NULL restores the default.
 * HEED_USAGE while anything is allocated. Copied. */
HEED_EXPORT heed_status heed_set_allocator(const heed_allocator *allocator);

/* A hard limit for everything that is allocated, 0 for none. Reaching it is HEED_NOMEM; sessions
 * stay usable. */
HEED_EXPORT heed_status heed_set_memory_limit(uint64_t bytes);

typedef struct heed_memory_use {
    uint32_t size;
    uint32_t flags;
    uint64_t bytes, peak_bytes; /* now, and the most since the last call with reset */
} heed_memory_use;
HEED_EXPORT void heed_memory_get(heed_memory_use *use, int reset_peak);

/* level: 1 error, 2 warning, 3 info, 4 debug. NULL: silent. The default prints nothing. [any] */
typedef void (*heed_log_fn)(uint32_t level, const char *message, void *arg);
HEED_EXPORT void heed_set_log(heed_log_fn log, void *arg, uint32_t level);

/* Threads of the one pool, the caller included; 0 restores what affinity and cgroup allow.
 * Idle threads spin for at most 50 us, then sleep. HEED_USAGE from inside a kernel. */
HEED_EXPORT heed_status heed_set_threads(uint32_t n);
HEED_EXPORT uint32_t heed_get_threads(void);

/* Unloads nothing, but calls fini of every plugin and stops the pool's threads. Call it only when
 * no model and no session is left; optional. The next call starts everything anew. */
HEED_EXPORT void heed_shutdown(void);

/* ---- Tensors ------------------------------------------------------------------------------ */

/* A dense, row-major tensor of its own memory, zeroed. dims: ndim extents >= 0; ndim <= 16.
 * HEED_USAGE for other ones, and for a dtype that there is not. */
HEED_EXPORT heed_status heed_tensor_new(heed_dtype dtype, int32_t ndim, const int64_t *dims,
                                        heed_tensor **out);
/* The same on the caller's memory, which must outlive it and be aligned to its elements. NULL when
 * out of memory or when the arguments are wrong; heed_error_get() says which. */
HEED_EXPORT heed_tensor *heed_tensor_wrap(heed_dtype dtype, int32_t ndim, const int64_t *dims,
                                          void *data);
/* A dense copy of a DLPack tensor with any strides. HEED_USAGE for one that is not in host memory.
 */
HEED_EXPORT heed_status heed_tensor_from_dlpack(const DLTensor *tensor, heed_tensor **out);
/* A sequence of n items (taken), n = 0 allowed; item_dtype matters when n is 0. */
HEED_EXPORT heed_status heed_tensor_new_sequence(heed_dtype item_dtype, size_t n,
                                                 heed_tensor *const *items, heed_tensor **out);
/* An optional: with an item (taken) or, with NULL, empty. */
HEED_EXPORT heed_status heed_tensor_new_optional(heed_tensor *item, heed_tensor **out);
/* A map: n different keys (int64 or string, of rank 1) and their n values (of rank 1), both taken.
 * Its items are these two tensors. */
HEED_EXPORT heed_status heed_tensor_new_map(heed_tensor *keys, heed_tensor *values,
                                            heed_tensor **out);
HEED_EXPORT void heed_tensor_free(heed_tensor *tensor);

enum { HEED_TENSOR = 0, HEED_SEQUENCE = 1, HEED_OPTIONAL = 2, HEED_MAP = 3 };
HEED_EXPORT uint32_t heed_tensor_get_kind(const heed_tensor *tensor);
HEED_EXPORT heed_dtype heed_tensor_get_dtype(const heed_tensor *tensor);
HEED_EXPORT int32_t heed_tensor_get_ndim(const heed_tensor *tensor);
HEED_EXPORT const int64_t *heed_tensor_get_dims(const heed_tensor *tensor);
HEED_EXPORT int64_t heed_tensor_get_count(const heed_tensor *tensor); /* elements */
HEED_EXPORT uint64_t heed_tensor_get_bytes(const heed_tensor *tensor);
/* Element 0; types below a byte are packed, low bits first. NULL of what is no tensor. */
HEED_EXPORT const void *heed_tensor_get_data(const heed_tensor *tensor);
HEED_EXPORT void *heed_tensor_get_mutable_data(heed_tensor *tensor);
HEED_EXPORT const DLTensor *heed_tensor_get_dlpack(const heed_tensor *tensor);
/* Sequences, optionals, maps. An empty optional has 0 items. */
HEED_EXPORT size_t heed_tensor_get_item_count(const heed_tensor *tensor);
HEED_EXPORT const heed_tensor *heed_tensor_get_item(const heed_tensor *tensor, size_t i);
/* Sets element i of a string tensor of its own memory; the bytes are copied. */
HEED_EXPORT heed_status heed_tensor_set_string(heed_tensor *tensor, int64_t i, const char *data,
                                               size_t size);
HEED_EXPORT const char *heed_dtype_name(heed_dtype dtype); /* "float32", "bfloat16", "?" */
HEED_EXPORT uint32_t heed_dtype_bits(heed_dtype dtype);    /* of an element; string: 128 */
/* Elements [first, first + n) of any numeric dtype, as doubles (a complex number's real part).
 * HEED_USAGE beyond the tensor, or of strings. */
HEED_EXPORT heed_status heed_tensor_read_f64(const heed_tensor *tensor, int64_t first, int64_t n,
                                             double *out);
/* Rounds to the tensor's dtype. */
HEED_EXPORT heed_status heed_tensor_write_f64(heed_tensor *tensor, int64_t first, int64_t n,
                                              const double *values);

/* Reads a value in a model format's serialisation (ONNX .pb test data). `like` tells the kind:
 * an input or output of `model` by name, or NULL for a plain tensor. */
HEED_EXPORT heed_status heed_tensor_load(const char *path, const heed_model *model,
                                         const char *like, heed_tensor **out);

/* ---- Models -------------------------------------------------------------------------------- */

typedef struct heed_model_options {
    uint32_t size;
    uint32_t flags;     /* 0 */
    const char *folder; /* load_memory: where external data may lie; NULL: none allowed */
} heed_model_options;

/* Maps the file; weights stay in it, so it must not change while the model lives. HEED_NOTFOUND or
 * HEED_IO for a file, HEED_INVALID for a broken model, HEED_UNSUPPORTED for a format, an operator
 * or a dtype that is not offered; the error has the element and its byte offset. Any thread. */
HEED_EXPORT heed_status heed_model_load(const char *path, const heed_model_options *options,
                                        heed_model **out);
/* `bytes` must outlive the model. */
HEED_EXPORT heed_status heed_model_load_memory(const void *bytes, size_t n_bytes,
                                               const heed_model_options *options, heed_model **out);
HEED_EXPORT heed_model *heed_model_ref(heed_model *model);
HEED_EXPORT void heed_model_free(heed_model *model); /* drops one reference */

/* An input or output. A dim of -1 has a symbol: its name or expression, such as "past + seq". */
typedef struct heed_value_info {
    uint32_t size;
    uint32_t kind; /* HEED_TENSOR... */
    const char *name;
    heed_dtype dtype;
    int32_t ndim; /* -1: any rank */
    const int64_t *dims;
    const char *const *symbols; /* ndim entries; NULL where the dim is fixed */
    uint32_t optional;          /* an input with a default: it may be left out */
    heed_dtype keys;            /* of a map, or of the maps in a sequence; 0: none */
} heed_value_info;
HEED_EXPORT size_t heed_model_get_input_count(const heed_model *model);
HEED_EXPORT size_t heed_model_get_output_count(const heed_model *model);
HEED_EXPORT const heed_value_info *heed_model_get_input(const heed_model *model, size_t i);
HEED_EXPORT const heed_value_info *heed_model_get_output(const heed_model *model, size_t i);

/* Facts ("producer", "opset ai.onnx", ...) and statistics, for tools. NULL past the end. */
HEED_EXPORT const char *heed_model_get_fact(const heed_model *model, size_t i, const char **value);
typedef struct heed_op_count {
    const char *domain, *op;
    size_t nodes;
} heed_op_count;
HEED_EXPORT size_t heed_model_get_op_counts(const heed_model *model, const heed_op_count **out);
typedef struct heed_weight_count {
    heed_dtype dtype;
    uint32_t reserved;
    size_t tensors;
    uint64_t elements, bytes;
} heed_weight_count;
HEED_EXPORT size_t heed_model_get_weight_counts(const heed_model *model,
                                                const heed_weight_count **out);

/* ---- Sessions ------------------------------------------------------------------------------- */

typedef struct heed_session_options {
    uint32_t size;
    uint32_t flags;        /* HEED_SESSION_* */
    const char *backends;  /* in order of preference: "cpu,reference"; NULL: the default.
                              An item may be a path to a plugin; "cpu:threads=2" has options.
                              A named backend that cannot be had is HEED_DEVICE. */
    uint64_t plan_limit;   /* most plans cached by shape; 0: 16 */
    const char *attention; /* "auto" (NULL too), "off", "mha", "gqa", "flash"; docs/command-line.md
                              says what each is. Another one is HEED_UNSUPPORTED. */
    const char *without;   /* passes that are left out: "rotary,norms"; NULL: none */
} heed_session_options;
enum {
    HEED_SESSION_NO_OPTIMIZE = 1u << 0, /* run the graph as imported (no fold, no simplify) */
    HEED_SESSION_CHECK = 1u << 1,       /* verify the graph's invariants after every pass */
    HEED_SESSION_NO_DROPOUT = 1u << 2   /* Dropout in training mode gives back its input */
};

/* Runs the passes, places nodes on backends, prepares kernels. HEED_DEVICE for a backend that
 * cannot be had; HEED_INVALID or HEED_UNSUPPORTED, with the node, for a graph that cannot be run;
 * HEED_USAGE for an option. Holds a reference to the model. Any thread. */
HEED_EXPORT heed_status heed_session_new(heed_model *model, const heed_session_options *options,
                                         heed_session **out);
/* Loads the model and makes a session that owns it. */
HEED_EXPORT heed_status heed_session_open(const char *path, const heed_session_options *options,
                                          heed_session **out);
HEED_EXPORT heed_model *heed_session_get_model(const heed_session *session);
HEED_EXPORT void heed_session_free(heed_session *session);
/* Gives back arenas, contexts and cached plans that no run is using. */
HEED_EXPORT void heed_session_trim(heed_session *session);

typedef struct heed_run_options {
    uint32_t size;
    uint32_t flags;       /* 0 */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none. Noticed within one node. */
    heed_cancel *cancel;  /* or NULL */
} heed_run_options;

/* Runs the model on n_in named inputs; writes one new tensor for each asked output (owned by the
 * caller), in the order of out_names, or of the model when out_names is NULL; in_names may be NULL
 * alike. Inputs with a default may be left out. out[i] may hold a
 * caller's tensor of the right dtype and shape on entry only if it is not NULL: then the result is
 * written into its memory. Initialise out[] with NULLs otherwise. HEED_USAGE, with its name, for an
 * input or output that is unknown, missing, or of another dtype or shape; HEED_INVALID or
 * HEED_UNSUPPORTED, with the node, for what the data of a run break; HEED_CANCELLED, HEED_DEADLINE;
 * HEED_FORKED in a child of the process that made the session. It stays usable. Any thread. */
HEED_EXPORT heed_status heed_session_run(heed_session *session, const heed_run_options *options,
                                         size_t n_in, const char *const *in_names,
                                         heed_tensor *const *in, size_t n_out,
                                         const char *const *out_names, heed_tensor **out);

HEED_EXPORT heed_status heed_cancel_new(heed_cancel **out);
HEED_EXPORT void heed_cancel_set(heed_cancel *cancel, int cancelled); /* any thread */
HEED_EXPORT void heed_cancel_free(heed_cancel *cancel);

/* Where each node of the session runs, and why not on an earlier backend of the chain. */
typedef struct heed_placement {
    uint32_t size;
    uint32_t reserved;
    const char *node, *domain, *op;
    const char *backend; /* "cpu", "reference", or "host" for control flow and views */
    const char *reason;  /* of the first refusal, or "" */
} heed_placement;
HEED_EXPORT size_t heed_session_get_placement_count(const heed_session *session);
/* Set out->size before the call: no more than that is written. HEED_NOTFOUND past the end. */
HEED_EXPORT heed_status heed_session_get_placement(const heed_session *session, size_t i,
                                                   heed_placement *out);
/* What became of each softmax: attention that was fused into one operator, attention that was not,
 * and softmaxes of something else (routers, classifiers). For the form that the names of dims
 * allow; with HEED_SESSION_NO_OPTIMIZE there are none. Pointers live as long as the session. */
enum {
    HEED_SITE_ATTENTION = 1u << 0, /* left out: a softmax of something else */
    HEED_SITE_FUSED = 1u << 1,
    HEED_SITE_DECOMPOSED = 1u << 2 /* fused, then written out again: no backend computes it */
};
typedef struct heed_site {
    uint32_t size;
    uint32_t flags;   /* HEED_SITE_* */
    const char *node; /* the softmax, by its name in the file, or by its place when it has none */
    const char *domain, *op; /* fused: what a run executes, "heed" and "FlashAttention"; otherwise
                                the softmax itself */
    const char *backend;     /* fused: who computes it, "reference" when decomposed, "" when the
                                result is shared with another site or read by nobody */
    const char *reason;      /* not fused: the first thing that stood in the way, or "" */
    const char *at, *at_op;  /* not fused: the node that does, and its operator, or "" */
    const char *help;        /* not fused: what could be done about it, or "" */
    int64_t q_heads, k_heads, v_heads; /* fused: numbers, -1 where only a run tells */
    int64_t head_dim, v_head_dim;      /* of queries and keys; of values */
    const char *const *features;       /* "causal", "bias", "gqa"... */
    size_t n_features;
    const char *const *nodes; /* fused: those that the operator took the place of */
    size_t n_nodes;
    const char *mask; /* fused: what is known of who sees whom, "causal: key <= query", or "" */
} heed_site;
HEED_EXPORT size_t heed_session_get_site_count(const heed_session *session);
/* Set out->size before the call: no more than that is written. HEED_NOTFOUND past the end. */
HEED_EXPORT heed_status heed_session_get_site(const heed_session *session, size_t i,
                                              heed_site *out);

/* How a decoder remembers earlier tokens: an entry for each layer of attention that its file has a
 * cache for, or that can be given one; others for states and for what an encoder gives. A model
 * that is no decoder has none. Pointers live as long as the session. */
enum { HEED_CACHE_PAGED = 1u << 0 /* heed_generator keeps it in pages */ };
typedef struct heed_cache {
    uint32_t size;
    uint32_t flags;   /* HEED_CACHE_* */
    const char *form; /* "concat", "buffer" (com.microsoft), "static", "tensor_scatter", "merged"
                         (two forms and a switch), "state", "rolling" (the newest tokens alone),
                         "cross", or "none" */
    int64_t layer;    /* among those of its kind */
    const char *past_key, *present_key; /* input and output of the model, or "" */
    const char *past_value, *present_value;
    const char *proof;      /* paged: what was proved, or "" */
    const char *reason;     /* not paged: why, or "" */
    const char *at, *at_op; /* not paged: the node that does not let it, its operator, or "" */
    const char *help;       /* not paged: what could be done about it, or "" */
} heed_cache;
/* Looks for them, once a session: a second sweep of passes over a copy of the graph, a fraction of
 * what making the session took. Any thread. */
HEED_EXPORT heed_status heed_session_find_caches(heed_session *session, size_t *count);
/* Set out->size before the call: no more than that is written. HEED_NOTFOUND past the end. */
HEED_EXPORT heed_status heed_session_get_cache(const heed_session *session, size_t i,
                                               heed_cache *out);

typedef struct heed_session_stats {
    uint32_t size;
    uint32_t reserved;
    size_t nodes_imported, nodes; /* before and after the passes, those of branches too */
    uint64_t load_ns, passes_ns, prepare_ns;
    uint64_t plans, plan_hits, plan_misses;
    uint64_t arena_bytes; /* of the largest plan */
    uint64_t steps;       /* of the plan that ran last */
} heed_session_stats;
/* Set out->size before the call. */
HEED_EXPORT void heed_session_get_stats(const heed_session *session, heed_session_stats *out);
/* What each pass did: "fold: 12 nodes". NULL past the end. */
HEED_EXPORT const char *heed_session_get_pass_report(const heed_session *session, size_t i);
/* The passes that make one operator of several nodes, in the order in which they run, and how often
 * each did so in this session: 0 too, where nothing was found or the pass was left out. */
typedef struct heed_fusion {
    uint32_t size;
    uint32_t reserved;
    const char *pass; /* for heed_session_options.without */
    const char *name; /* what it makes: "Attention", "LayerNorm" */
    const char *purpose;
    uint64_t count;
} heed_fusion;
HEED_EXPORT size_t heed_session_get_fusion_count(const heed_session *session);
/* Set out->size before the call: no more than that is written. HEED_NOTFOUND past the end. */
HEED_EXPORT heed_status heed_session_get_fusion(const heed_session *session, size_t i,
                                                heed_fusion *out);

/* ---- Graphs, for tools that show them -------------------------------------------------------- */

/* A copy of the graph as it stands: of a model as its file has it, of a session after the passes.
 * It may be used after the model or session is gone, by any thread; heed_graph_free frees it. */
typedef struct heed_graph heed_graph;
typedef struct heed_graph_node {
    uint32_t size;
    uint32_t graph; /* 0: the main graph; others are bodies of control flow */
    const char *name, *domain, *op;
    const char *attributes;          /* "axis=-1 perm=0,2,1"; long lists are cut */
    const char *backend;             /* of a session: who computes it; "" of a model */
    const int64_t *inputs, *outputs; /* numbers of values; -1: left out */
    size_t n_inputs, n_outputs;
    int64_t site; /* of a session: the site (heed_session_get_site) that it is the
                     result of; -1: of none */
} heed_graph_node;
typedef struct heed_graph_value {
    uint32_t size;
    uint32_t flags; /* HEED_GRAPH_* */
    const char *name;
    const char *type; /* "float32 [batch, 12, seq, 64]"; "" when it is not known */
} heed_graph_value;
enum { HEED_GRAPH_INPUT = 1u << 0, HEED_GRAPH_OUTPUT = 1u << 1, HEED_GRAPH_CONSTANT = 1u << 2 };

HEED_EXPORT heed_status heed_model_get_graph(const heed_model *model, heed_graph **out);
HEED_EXPORT heed_status heed_session_get_graph(const heed_session *session, heed_graph **out);
HEED_EXPORT void heed_graph_free(heed_graph *graph);
/* In an order in which they can run, a node before those of its bodies. NULL past the end. */
HEED_EXPORT const heed_graph_node *heed_graph_get_node(const heed_graph *graph, size_t i);
HEED_EXPORT const heed_graph_value *heed_graph_get_value(const heed_graph *graph, size_t i);

/* ---- Plugins --------------------------------------------------------------------------------- */

/* Loads a plugin from an absolute path. Folders are searched by themselves: HEED_PLUGIN_PATH
 * (not when set-id), then the install folder. HEED_NO_PLUGINS=1 turns all of it off. */
HEED_EXPORT heed_status heed_plugin_load(const char *path);

typedef struct heed_plugin_info {
    uint32_t size;
    uint32_t abi;
    const char *name, *version, *vendor, *path; /* path "" is built in */
    const char *kind;                           /* "backend", "importer", "service" */
    const char *error;                          /* why it was refused, or "" */
    size_t offers;                              /* kernels, file extensions, interfaces */
    size_t devices;
} heed_plugin_info;
/* Scans the folders, and lists everything found there, refused ones too. */
HEED_EXPORT heed_status heed_plugin_scan(size_t *count);
/* Set out->size before the call: no more than that is written. HEED_NOTFOUND past the end. */
HEED_EXPORT heed_status heed_plugin_get(size_t i, heed_plugin_info *out);
/* Offer j of plugin i: "ai.onnx.MatMul 1+", ".onnx", "heed.text/1". NULL past the end. */
HEED_EXPORT const char *heed_plugin_get_offer(size_t i, size_t j);
/* Device j of plugin i, as text. NULL past the end. */
HEED_EXPORT const char *heed_plugin_get_device(size_t i, size_t j);

#ifdef __cplusplus
}
#endif
#include "heed/generate.h" /* text: tokenizers, generators */

#endif
