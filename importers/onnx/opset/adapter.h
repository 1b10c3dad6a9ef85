/* adapter.h - raising a node of an older opset to the newest form of its operator.
 *
 * Each file of this folder has the adapters of one family, in `const adapter_def adapters_NAME[]`,
 * ended by a row without a name; the build collects them. An adapter changes the node in place, or
 * emits other nodes and sets node->done. */
#ifndef ONNX_ADAPTER_H
#define ONNX_ADAPTER_H

#include "node.h"

typedef struct adapter_def {
    const char *op;
    int64_t until; /* for opsets below this; rows of one operator stand in ascending order */
    heed_status (*raise)(onnx_node *n, const struct adapter_def *def);
    const char *attr; /* what `raise` is told: an attribute ... */
    uint32_t input;   /* ... and an input */
} adapter_def;

/* The attribute (an int or ints) becomes an int64 input with one dim; left out when absent or
 * empty. */
heed_status onnx_raise_move(onnx_node *n, const adapter_def *def);

/* ---- Reading attributes ---- */
int64_t onnx_raise_int(const onnx_node *n, const char *attr, int64_t otherwise);
double onnx_raise_float(const onnx_node *n, const char *attr, double otherwise);
int onnx_raise_is(const onnx_node *n, const char *attr, const char *text);
/* Is there an input i that is not left out? */
int onnx_raise_has(const onnx_node *n, uint32_t i);
int onnx_raise_reads(const onnx_node *n, uint32_t output);

/* ---- Changing a node ---- */
void onnx_raise_drop(onnx_node *n, const char *attr);
heed_status onnx_raise_set_int(onnx_node *n, const char *attr, int64_t value);
heed_status onnx_raise_set_text(onnx_node *n, const char *attr, const char *value);
heed_status onnx_raise_set_in(onnx_node *n, uint32_t i, const char *name);

/* ---- New values and nodes. Names are the builder's. ---- */
heed_status onnx_raise_name(const onnx_node *n, const char **name);
heed_status onnx_raise_ints(const onnx_node *n, const int64_t *values, uint64_t count,
                            const char **name);
/* A scalar of int64. */
heed_status onnx_raise_index(const onnx_node *n, int64_t value, const char **name);
heed_status onnx_raise_floats(const onnx_node *n, const float *values, uint64_t count,
                              const char **name);
/* A scalar of the element type that `like` has. */
heed_status onnx_raise_scalar(const onnx_node *n, double value, const char *like,
                              const char **name);
/* A node of ai.onnx in its newest form, at the place of `from`: then inputs, attributes, emit. */
heed_status onnx_raise_node(const onnx_node *from, const char *op, const char *out,
                            onnx_node *node);
/* The same with up to two inputs and nothing else, emitted. *out NULL gets a new name. */
heed_status onnx_raise_emit(const onnx_node *from, const char *op, const char *a, const char *b,
                            const char **out);
heed_status onnx_raise_unsupported(const onnx_node *n, const char *expected, const char *found);

#endif
