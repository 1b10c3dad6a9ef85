/* scope.h - where names mean something: a graph that is being read, or a function that is being
 * expanded into one. */
#ifndef ONNX_SCOPE_H
#define ONNX_SCOPE_H

#include "report.h"

struct onnx_call;

typedef struct onnx_scope {
    onnx_context *c;
    struct onnx_scope *outer;     /* the graph around it; for a function, the caller's */
    const struct onnx_call *call; /* the function call that it belongs to, or NULL */
    uint64_t graph;               /* the builder's number */
    int64_t opset;                /* of ai.onnx, here; 0: not imported */
    onnx_range body;              /* GraphProto; empty for a function */
    onnx_table types;             /* name -> its message in body, made when first asked for */
    int has_types;
} onnx_scope;

/* What the file says about a value, in names of the builder. dtype 0 and rank -1: nothing. */
typedef struct onnx_claim {
    heed_dtype dtype;
    int32_t rank;
} onnx_claim;
onnx_claim onnx_scope_claim(onnx_scope *s, const char *name);
int onnx_scope_is_initializer(onnx_scope *s, const char *name);

/* The builder's name for a name of this scope: the same in a graph, a new or the caller's one in a
 * function. NULL when out of memory. */
const char *onnx_scope_name(const onnx_scope *s, const char *name);
/* A name that nothing else has, beginning with `base`; NULL when out of memory. In scratch. */
const char *onnx_name_invent(onnx_context *c, const char *base);

/* Reads a nested graph into the builder and returns its number. */
heed_status onnx_graph_read(onnx_scope *outer, onnx_range body, const onnx_place *at,
                            uint64_t parent, uint64_t *graph);
/* Reads the elements of a graph that the builder knows already. */
heed_status onnx_graph_fill(onnx_scope *s, const onnx_place *at);

/* One more level of graphs or calls; to be left again after success. */
heed_status onnx_context_enter(onnx_context *c, const onnx_place *at);

#endif
