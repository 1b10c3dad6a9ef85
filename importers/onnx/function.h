/* function.h - model-local functions: operators that a model defines by a body of nodes. */
#ifndef ONNX_FUNCTION_H
#define ONNX_FUNCTION_H

#include "node.h"

struct Onnx__FunctionProto;

typedef struct onnx_function {
    const char *domain, *name, *overload;
    const char **inputs, **outputs;
    size_t n_inputs, n_outputs;
    int64_t opset; /* of ai.onnx, in its body */
    onnx_range body;
    onnx_place at;
} onnx_function;

/* One expansion. */
typedef struct onnx_call {
    const onnx_function *function;
    const onnx_node *node; /* of the caller */
    const struct onnx_call *outer;
    const char *suffix; /* that its inner names get */
} onnx_call;

/* Notes the functions of a model. */
heed_status onnx_functions_read(onnx_context *c, onnx_range model);
const onnx_function *onnx_function_find(const onnx_node *n);
/* Emits the body of the function instead of the node. */
heed_status onnx_function_expand(const onnx_node *n, const onnx_function *f);

/* The builder's name for a name in the body of a called function; NULL: no memory. */
const char *onnx_call_name(onnx_context *c, const onnx_call *call, const char *name);
/* The attribute `ref` of the call that `s` belongs to, as attribute `name`. */
heed_status onnx_function_attr(onnx_scope *s, const char *ref, const char *name,
                               const onnx_place *at, onnx_attr *out, int *present);

#endif
