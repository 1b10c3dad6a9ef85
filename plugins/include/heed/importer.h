/* heed/importer.h - "heed.importer/1": a foreign model format becomes a graph.
 *
 * The host maps the file, asks each importer how sure it is (probe), and calls load of the
 * surest one. The importer speaks to a builder: it names values, and the builder connects them,
 * checks them and reports what is wrong with the element and the byte offset. Elements may be
 * added in any order within a graph; the builder sorts nodes and finds cycles.
 *
 * The importer hands over every operator in its newest form, so that the runtime knows one form
 * of each. It allocates through host->alloc and keeps nothing after load returns. Pointers that
 * it passes are copied, except tensor data whose `borrowed` flag is set: these must lie inside
 * the mapped source or a mapped external file, which outlive the model. */
#ifndef HEED_IMPORTER_H
#define HEED_IMPORTER_H

#include "heed/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_NO_OFFSET UINT64_MAX

/* Where an element stands, for error messages: a path such as `graph.node[3].attribute[0]` and
 * the offset of its first byte in the file (HEED_NO_OFFSET when it has none). */
typedef struct heed_origin {
    const char *path;
    uint64_t offset;
} heed_origin;

/* The file that is read. `bytes` stays mapped as long as the model lives. */
typedef struct heed_source {
    uint32_t size;
    uint32_t flags;   /* 0 */
    const char *path; /* for messages; may be NULL for a model in memory */
    const uint8_t *bytes;
    uint64_t n_bytes;
    /* Maps a file beside the model, named by the model: inside the model's folder only, no links,
     * regular files only. The same location gives the same mapping. Fails with a message that
     * names the location. [main] */
    heed_status (*external)(const struct heed_source *source, const char *location,
                            const uint8_t **bytes, uint64_t *n_bytes);
} heed_source;

enum { HEED_KIND_TENSOR = 0, HEED_KIND_SEQUENCE = 1, HEED_KIND_OPTIONAL = 2, HEED_KIND_MAP = 3 };

/* A type. dims[i] >= 0 is a fixed extent; -1 means symbols[i] is its name or expression
 * ("batch", "past + seq", "2*s0"), or NULL when nothing is known. ndim -1: rank unknown. */
typedef struct heed_type {
    uint32_t size;
    uint32_t kind;    /* HEED_KIND_* */
    heed_dtype dtype; /* tensor: the element type; 0 when not known */
    int32_t ndim;
    const int64_t *dims;
    const char *const *symbols;
    const struct heed_type *element; /* sequence, optional: the element's type, or NULL */
} heed_type;

/* What becomes a graph node. Empty and NULL input names mean "left out", also in the middle.
 * Attribute type HEED_ATTR_GRAPH carries the number of a nested graph in `graph`. */
typedef struct heed_node_def {
    uint32_t size;
    uint32_t flags;
    const char *domain; /* "" is ai.onnx */
    const char *op;
    const char *name; /* may be empty: the builder makes one from op and place */
    uint32_t n_in, n_out, n_attrs;
    uint32_t reserved;
    const char *const *in;
    const char *const *out;
    const heed_attribute *const *attrs;
    heed_origin origin;
} heed_node_def;

enum { HEED_TENSOR_BORROWED = 1u << 0 };

typedef struct heed_builder {
    uint32_t size;
    uint32_t flags;
    void *self;
    /* Stores a message with element, offset, what was expected, what was found, and what to do
     * (hint; each of the three may be NULL), and returns `status`. */
    heed_status (*error)(struct heed_builder *b, heed_status status, const heed_origin *origin,
                         const char *expected, const char *found, const char *hint);
    /* Facts about the model for people and tools: ("producer", "pytorch 2.15"), ("opset ai.onnx",
     * "18"), ("metadata KEY", ...). */
    heed_status (*fact)(struct heed_builder *b, const char *key, const char *value);
    /* Does the runtime know this operator itself? An importer expands functions only if not. */
    uint32_t (*knows)(struct heed_builder *b, const char *domain, const char *op);
    /* A graph nested in `parent`, whose values its nodes may read. Graph 0 is the main graph. */
    heed_status (*graph)(struct heed_builder *b, uint64_t parent, const char *name,
                         const heed_origin *origin, uint64_t *graph);
    heed_status (*input)(struct heed_builder *b, uint64_t graph, const char *name,
                         const heed_type *type, const heed_origin *origin);
    /* `type` may be NULL. An output may name any value of the graph, or of a graph around it. */
    heed_status (*output)(struct heed_builder *b, uint64_t graph, const char *name,
                          const heed_type *type, const heed_origin *origin);
    /* What the file says about an inner value (value_info). A claim: inference checks it. */
    heed_status (*value)(struct heed_builder *b, uint64_t graph, const char *name,
                         const heed_type *type, const heed_origin *origin);
    /* A constant. Dense row-major. A graph input of the same name becomes its default: the
     * input may be left out in a run. The tensor's byte size must already be checked. */
    heed_status (*tensor)(struct heed_builder *b, uint64_t graph, const char *name,
                          const DLTensor *tensor, uint32_t flags, const heed_origin *origin);
    heed_status (*node)(struct heed_builder *b, uint64_t graph, const heed_node_def *node);
} heed_builder;

#define HEED_IMPORTER_ID "heed.importer/1"
typedef struct heed_importer {
    uint32_t size;
    uint32_t flags;
    const char *name;              /* of the format: "onnx" */
    const char *const *extensions; /* NULL-terminated: ".onnx" */
    /* 0: surely not; 1: only the extension speaks for it; 100: surely. [any] */
    uint32_t (*probe)(const uint8_t *bytes, uint64_t n_bytes);
    heed_status (*load)(const heed_source *source, heed_builder *builder); /* [any] */
    /* Reads one value in the format's own serialisation (ONNX: TensorProto, or SequenceProto /
     * OptionalProto as `type` says), for test data. Calls sink->tensor for each tensor in order:
     * a sequence gives its items, an absent optional gives none. */
    heed_status (*read_value)(const heed_source *source, const heed_type *type,
                              heed_status (*sink)(void *arg, const char *name,
                                                  const DLTensor *tensor),
                              void *arg);
} heed_importer;

#ifdef __cplusplus
}
#endif
#endif
