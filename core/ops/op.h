/* op.h - what an operator is: schema, shape inference, reference kernel; and the registry.
 *
 * One row of op_def, in one file a family, defines an operator. A file NAME.c in this folder that
 * defines `const op_def *const ops_NAME[]` (ends with NULL) is collected by the build; there is no
 * list to keep. The form is always the newest one of the standard (importers raise older ones).
 *
 * Signature. "data:T, indices:I?, inputs:T* -> output:T, extra:I?" with `?` optional and `*`
 * variadic (last only; `**` variadic and not all of one type). `types` binds the letters:
 * "T=any I=int32|int64". Sets: any (every tensor dtype, strings too), numeric (int, float,
 * complex), real (int, float), float, int, signed, unsigned, sequence, optional, map, all (any
 * plus these three). Attributes: "axis:int=0 keepdims:int=1 axes:ints to:int! alpha:float=0.01
 * mode:string=linear body:graph! value:tensor strings:strings floats:floats"; `!` is required. */
#ifndef HEED_OPS_OP_H
#define HEED_OPS_OP_H

#include "graph/ir.h"

typedef struct op_infer op_infer;
typedef struct op_call op_call;
struct op_body;

enum {
    OP_ELEMENTWISE = 1u << 0, /* output 0: one element from the broadcast elements of the inputs */
    OP_COMMUTATIVE = 1u << 1, /* inputs 0 and 1 may be swapped */
    OP_VIEW = 1u << 2,        /* output 0 is input 0's elements in the same order: no kernel call */
    OP_DATA_SHAPE = 1u << 3,  /* the output's shape depends on data: NonZero */
    OP_RANDOM = 1u << 4,      /* two runs differ: never folded, never merged */
    OP_CONTROL = 1u << 5,     /* has graph attributes that the executor runs: If, Loop, Scan */
    OP_NO_FOLD = 1u << 6,     /* never evaluated at load */
    OP_INPLACE = 1u << 7,     /* the reference kernel may write output 0 over input 0 */
    OP_ATTENTION = 1u << 8    /* reads other tokens: what follows the first three inputs says which
                                 ones, where they are, or how they count */
};

typedef struct op_def {
    const char *domain; /* "" is ai.onnx */
    const char *name;
    int since; /* opset of the newest form */
    uint32_t flags;
    const char *signature;
    const char *types;
    const char *attrs;
    const char
        *causal;      /* the attribute by which no query sees a key behind its own place, of an
                         operator with an input "offsets" once that is given; NULL: there is none */
    const void *data; /* for the family's own use: which function, which mode */
    /* Sets type and shape of every output. Called before binding with symbols, and at binding with
     * numbers; the same function serves both. */
    heed_status (*infer)(op_infer *c);
    /* Integer content of the outputs where it follows from symbolic content of the inputs (Shape,
     * Gather, Concat, Add...). Optional; never fails. */
    void (*content)(op_infer *c);
    /* The reference kernel: plain C, complete in dtypes. NULL for OP_VIEW and with `decompose`. */
    heed_status (*run)(op_call *c);
    /* The nodes that compute the same (body.h), for function operators. */
    void (*decompose)(struct op_body *b);
    /* At binding: output o is the elements of input 0 from `first` on, one after the other, so that
     * it needs no kernel call and no memory (a slice of the outermost axis). Optional. */
    bool (*part)(op_infer *c, uint32_t o, int64_t *first);
} op_def;

/* ---- Shape inference -----------------------------------------------------------------------
 * Inputs that are left out are NULL. Before binding, dtype is always known, rank may be -1. */
struct op_infer {
    const ir_node *node;
    const op_def *op;
    ir_dims *dims; /* NULL at binding */
    uint32_t n_in, n_out;
    const ir_type *const *in;
    const heed_tensor *const *in_tensors; /* content where it is known, else NULL entries */
    const ir_dim *const *in_content;      /* symbolic int content where known, else NULL entries */
    const int64_t *in_n_content;
    ir_type *out;         /* kind and dtype preset from the signature where it binds them;
                             rank -1 until set */
    ir_dim **out_content; /* set by infer_set_content */
    int64_t *out_n_content;
    arena *memory; /* for dims arrays */
    bool late;     /* set by infer_late: outputs wait for data (at binding only) */
    /* Infers a nested graph for given input types (control flow); before binding only. */
    heed_status (*body)(op_infer *c, ir_graph *graph, uint32_t n, const ir_type *const *types);
    void *self;
};

/* Input i is there. */
bool infer_has(const op_infer *c, uint32_t i);
/* Rank of input i, or -1 when it is not known (or the input is left out). */
int32_t infer_rank(const op_infer *c, uint32_t i);
ir_dim infer_dim(const op_infer *c, uint32_t i, int32_t axis); /* DIM_UNKNOWN when out of range */
/* axis in [-rank, rank) to [0, rank); fails with a message naming the attribute or input. */
heed_status infer_axis(const op_infer *c, int64_t axis, int32_t rank, int32_t *out);
/* Integer content of input i, from its tensor or its symbolic content: `count` dims in arena
 * memory. False when not known. Values may be negative: use dims_value. */
bool infer_ints(const op_infer *c, uint32_t i, const ir_dim **values, int64_t *count);
/* The same when every entry is a number. */
bool infer_numbers(const op_infer *c, uint32_t i, const int64_t **values, int64_t *count);
/* Output o gets a shape; dtype 0 keeps what the signature bound. Checks rank and extents. */
heed_status infer_set(op_infer *c, uint32_t o, heed_dtype dtype, int32_t rank, const ir_dim *dims);
/* Output o has input i's shape (and dtype, when dtype is 0 and none is bound). */
heed_status infer_set_like(op_infer *c, uint32_t o, uint32_t i);
/* Output o has an unknown shape of this rank (-1: rank unknown too). At binding the same as
 * infer_late. */
heed_status infer_set_unknown(op_infer *c, uint32_t o, heed_dtype dtype, int32_t rank);
/* Output o has the broadcast shape of the inputs first..last. */
heed_status infer_set_broadcast(op_infer *c, uint32_t o, heed_dtype dtype, uint32_t first,
                                uint32_t last);
/* The outputs' shapes need the content of an input that is not there yet. Sets them unknown. */
heed_status infer_late(op_infer *c);
void infer_set_content(op_infer *c, uint32_t o, int64_t n, const ir_dim *values);
ir_dim *infer_dims_new(op_infer *c, int64_t n); /* arena; NULL: error is set */
/* HEED_INVALID with expected/found and the node's place. */
heed_status infer_error(const op_infer *c, const char *expected, const char *format, ...)
    HEED_PRINTF(3, 4);

/* Ready-made inference. */
heed_status infer_same(op_infer *c);      /* every output like input 0 */
heed_status infer_broadcast(op_infer *c); /* output 0: broadcast of all inputs */

/* ---- Reference kernels -------------------------------------------------------------------------
 * Outputs are shaped and allocated (memory not initialised): late shapes are inferred once more
 * when the data is there. Only an operator with OP_DATA_SHAPE or OP_CONTROL, and one whose values
 * are no tensors, shapes its outputs itself, by call_output or call_forward. An output that nobody
 * asked for is NULL. Inputs are dense. */
struct op_call {
    const ir_node *node;
    uint32_t n_in, n_out;
    const heed_tensor *const *in;
    heed_tensor *const *out;
    arena *scratch; /* dropped after the call */
    bool owned;     /* outputs own their memory (call_output may be called) */
    /* Runs a nested graph: n_in values in, n_out owned tensors out. OP_CONTROL only. */
    heed_status (*body)(op_call *c, ir_graph *graph, uint32_t n_in, const heed_tensor *const *in,
                        uint32_t n_out, heed_tensor **out);
    void *self;
};

static inline bool call_has(const op_call *c, uint32_t i) { return i < c->n_in && c->in[i]; }

static inline heed_tensor *call_out(const op_call *c, uint32_t i)
{
    return i < c->n_out ? c->out[i] : NULL;
}

/* Makes sure that output i has this dtype (0: as it is) and shape, allocating when it is owned.
 * Fails when the shape differs from the planned one. */
heed_status call_output(op_call *c, uint32_t i, heed_dtype dtype, int32_t rank,
                        const int64_t *dims);
/* Output i becomes what `value` is (tensor, sequence, optional). */
heed_status call_forward(op_call *c, uint32_t i, const heed_tensor *value);
void *call_scratch(op_call *c, size_t bytes); /* NULL: error is set */
/* Runs the reference kernel; an error when the operator has none and could not be decomposed. */
heed_status call_run(op_call *c);
/* The integers of input i, widened into scratch memory; NULL: error is set. */
int64_t *call_ints(op_call *c, uint32_t i);
/* An index in [-dim, dim) to [0, dim); the error names it and its range. */
heed_status call_index(const op_call *c, int64_t *index, int64_t dim);
/* HEED_INVALID / HEED_UNSUPPORTED with the node's place. */
heed_status call_error(const op_call *c, heed_status status, const char *format, ...)
    HEED_PRINTF(3, 4);

/* Core itself can compute it: it has a reference kernel, or needs none. */
static inline bool op_computes(const op_def *op) { return op->run || (op->flags & OP_VIEW); }

/* ---- Registry ------------------------------------------------------------------------------- */

extern const op_def *const *const op_table[]; /* generated from the folder; ends with NULL */

/* Thread-safe; NULL when there is none. "ai.onnx" is "". */
const op_def *op_find(const char *domain, const char *name);
/* Checks a node against its operator's schema: number of inputs and outputs, attribute names and
 * types, required ones; fills in defaults. Errors name the node. */
heed_status op_check_node(ir_node *n);
/* Sets attributes from text, "axis=-1 perm=0,2,1": their types are the schema's. */
heed_status op_set_attrs(ir_node *n, const char *text);
/* Checks input dtypes against the signature and presets the outputs' dtypes. */
heed_status op_bind_types(const ir_node *n, const ir_type *const *in, ir_type *out);
#endif
