/* body.h - what a function operator is written with: its definition in terms of others.
 *
 * An operator with `decompose` instead of `run` emits nodes that compute the same. A pass does it
 * unless a backend has a kernel for the operator. Each emitted node is inferred at once, so a body
 * may ask for the ranks and extents of what it has just made. The first failure sticks: from then
 * on nothing is emitted and every value is NULL, so that a body reads like a formula:
 *
 *     ir_value *x = body_in(b, 0);
 *     ir_value *gate = body_1(b, body_2(b, x, body_like(b, 1.702, x), "Mul"), "Sigmoid");
 *     body_set(b, 0, body_2(b, x, gate, "Mul"));
 *
 * A node's text is the operator's name, with its domain before a dot when it is not ai.onnx, and
 * attributes: "Softmax axis=-1", "Transpose perm=0,2,1,3", "com.microsoft.FastGelu". Lists have no
 * blanks; attributes that are left out get their defaults. Texts are printf formats. */
#ifndef HEED_OPS_BODY_H
#define HEED_OPS_BODY_H

#include "ops/op.h"

typedef struct op_body {
    const ir_node *node; /* the one that is replaced: its attributes, its types */
    ir_dims *dims;
    arena *scratch;
    heed_status status; /* of the first failure */
    ir_node *last;      /* what was emitted last; new nodes stand after it */
    ir_value **out;     /* what body_set gave, one an output of the node */
    heed_status (*infer)(struct op_body *b, ir_node *made);
    void *self;
} op_body;

/* ---- The node that is replaced ------------------------------------------------------------- */

ir_value *body_in(const op_body *b, uint32_t i);        /* NULL when left out */
bool body_wants(const op_body *b, uint32_t o);          /* is output o read by anyone? */
void body_set(op_body *b, uint32_t o, ir_value *value); /* output o is this value */
/* A string attribute as one word, such as a mode: fails when it could be read as more than that. */
const char *body_word(op_body *b, const char *name, const char *missing);
/* HEED_INVALID / HEED_UNSUPPORTED; sticks. */
void body_fail(op_body *b, heed_status status, const char *format, ...) HEED_PRINTF(3, 4);

/* ---- Nodes ---------------------------------------------------------------------------------- */

/* Any number of inputs (NULL: left out), `n_out` outputs into out[]. */
void body_nodes(op_body *b, uint32_t n_in, ir_value *const *in, uint32_t n_out, ir_value **out,
                const char *format, ...) HEED_PRINTF(6, 7);
/* The same with one output. */
ir_value *body_n(op_body *b, uint32_t n_in, ir_value *const *in, const char *format, ...)
    HEED_PRINTF(4, 5);
ir_value *body_1(op_body *b, ir_value *x, const char *format, ...) HEED_PRINTF(3, 4);
ir_value *body_2(op_body *b, ir_value *x, ir_value *y, const char *format, ...) HEED_PRINTF(4, 5);
ir_value *body_3(op_body *b, ir_value *x, ir_value *y, ir_value *z, const char *format, ...)
    HEED_PRINTF(5, 6);
/* Output 0 of the node once more, with all of its attributes, on other inputs, as many as it has.
 * It has no nested graphs. */
ir_value *body_again(op_body *b, const ir_node *n, ir_value *const *in);
/* The nodes of a graph attribute of the node, once, reading in[] for its inputs. */
void body_inline(op_body *b, ir_graph *graph, uint32_t n_in, ir_value *const *in, uint32_t n_out,
                 ir_value **out);

/* ---- Constants ------------------------------------------------------------------------------ */

ir_value *body_int(op_body *b, int64_t value);                       /* int64 scalar */
ir_value *body_ints(op_body *b, int64_t n, const int64_t *values);   /* int64 [n] */
ir_value *body_number(op_body *b, heed_dtype dtype, double value);   /* scalar */
ir_value *body_like(op_body *b, double value, const ir_value *like); /* scalar of like's dtype */

/* ---- What bodies often need ----------------------------------------------------------------- */

/* Rank of a value; fails (and gives 0) when it is not known. */
int32_t body_rank(op_body *b, const ir_value *x);
/* Extent of an axis (negative counts from the end) when it is a number, else -1. */
int64_t body_extent(const op_body *b, const ir_value *x, int32_t axis);
ir_value *body_dim(op_body *b, ir_value *x, int32_t axis);  /* the extent as int64 [1] */
ir_value *body_size(op_body *b, ir_value *x, int32_t axis); /* ... as a scalar */
/* Reshape to "0,-1,%d": 0 keeps the extent, as ai.onnx has it. */
ir_value *body_reshape(op_body *b, ir_value *x, const char *format, ...) HEED_PRINTF(3, 4);
/* Reshape to extents that are values: int64 [1] each. */
ir_value *body_reshape_to(op_body *b, ir_value *x, uint32_t n, ir_value *const *dims);
ir_value *body_transpose(op_body *b, ir_value *x, const char *perm); /* "0,2,1,3" */
ir_value *body_unsqueeze(op_body *b, ir_value *x, const char *axes); /* "0,1" */
ir_value *body_cast(op_body *b, ir_value *x, heed_dtype dtype);      /* x itself when it is so */
/* x[start:end] along an axis; bounds are int64 [1], NULL for the beginning and the end. */
ir_value *body_slice(op_body *b, ir_value *x, int32_t axis, ir_value *start, ir_value *end);
/* The same with numbers. */
ir_value *body_part(op_body *b, ir_value *x, int32_t axis, int64_t start, int64_t end);
ir_value *body_concat(op_body *b, ir_value *x, ir_value *y, int32_t axis);
/* 0, 1 ... n-1 as int64 [n]; n is an int64 scalar. */
ir_value *body_range(op_body *b, ir_value *n);

#endif
