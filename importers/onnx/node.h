/* node.h - a node on its way from the file to the builder.
 *
 * It is read with the names of the builder, raised to the newest form of its operator (opset/),
 * and emitted. Everything in it lives in scratch until it is emitted. */
#ifndef ONNX_NODE_H
#define ONNX_NODE_H

#include "scope.h"
#include "tensor.h"

/* An attribute: the builder's form, and what is needed to read a nested graph late. */
typedef struct onnx_attr {
    heed_attribute value;
    onnx_range graph;  /* GraphProto, for HEED_ATTR_GRAPH */
    onnx_scope *owner; /* whose names the graph uses */
    onnx_place at;
} onnx_attr;

enum { NODE_ATTRS_MAX = 1024 };

typedef struct onnx_node {
    onnx_scope *scope;
    onnx_place at;
    const char *domain, *op, *overload, *name;
    const char **in, **out; /* the builder's names; "" is left out */
    uint32_t n_in, n_out, in_capacity, out_capacity;
    onnx_attr *attrs;
    uint32_t n_attrs, attr_capacity;
    int done; /* an adapter has emitted something else instead */
} onnx_node;

/* Reads, raises and emits one node. */
heed_status onnx_node_read(onnx_scope *s, onnx_range body, const onnx_place *at);
/* Hands a node in its newest form to the builder, with its nested graphs. */
heed_status onnx_node_emit(onnx_node *n);
/* Appends room for an attribute; NULL when out of memory. */
onnx_attr *onnx_node_add(onnx_node *n, const char *name, uint32_t type);
const onnx_attr *onnx_node_attr(const onnx_node *n, const char *name);

/* One AttributeProto. *present is 0 for a reference to an attribute that the caller left out. */
heed_status onnx_attribute_read(onnx_scope *s, onnx_range body, const onnx_place *at,
                                onnx_attr *out, int *present);

/* A Constant node becomes a constant of the builder. */
heed_status onnx_constant_emit(onnx_node *n);
heed_status onnx_constant_tensor(onnx_scope *s, const char *name, const onnx_tensor *tensor,
                                 const onnx_place *at);

/* Raises a node of an older opset (opset/raise.c). */
heed_status onnx_node_raise(onnx_node *n);

#endif
