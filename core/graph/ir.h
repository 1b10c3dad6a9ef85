/* ir.h - the graph: values in static single assignment, nodes, attributes, nested graphs.
 *
 * One arena owns a model's graph and everything in it; nothing is freed one by one. Edits unlink
 * nodes and rewire uses; what is unlinked stays in the arena until the graph goes. The invariants
 * are numbered in core/README.md and checked by ir_verify. */
#ifndef HEED_GRAPH_IR_H
#define HEED_GRAPH_IR_H

#include "base/map.h"
#include "base/tensor.h"
#include "graph/dim.h"
#include "heed/importer.h"

typedef struct ir_model ir_model;
typedef struct ir_graph ir_graph;
typedef struct ir_node ir_node;
typedef struct ir_value ir_value;
typedef struct ir_use ir_use;
struct op_def;

/* What is known of a value before it exists. */
typedef struct ir_type {
    uint32_t kind;              /* HEED_KIND_TENSOR, _SEQUENCE, _OPTIONAL, _MAP */
    heed_dtype dtype;           /* of the tensor, the items, or the map's values; 0: not known */
    int32_t rank;               /* -1: not known */
    uint32_t optional_sequence; /* HEED_KIND_OPTIONAL: 1 if it holds a sequence */
    ir_dim *dims;               /* rank entries; each may be a symbol */
    heed_dtype keys;            /* of the map, or of the maps in the sequence; 0: there are none */
} ir_type;

/* One reading of a value by input `slot` of a node. Embedded in the node; linked in the value. */
struct ir_use {
    ir_node *node;
    uint32_t slot;
    ir_value *value; /* NULL: the optional input is left out */
    ir_use *next, *previous;
};

struct ir_value {
    const char *name; /* unique within its graph */
    ir_graph *graph;
    ir_node *producer; /* NULL: graph input, constant */
    uint32_t slot;     /* which output of the producer, or which graph input */
    uint32_t id;       /* dense within the model; index of side tables */
    bool is_input;     /* of its graph; with `constant` set it has a default */
    ir_type type;
    heed_tensor *constant; /* content known for good, or the default of an input */
    ir_dim *content;       /* int tensors of rank 0 or 1: symbolic content, or NULL */
    int64_t n_content;
    ir_use *uses;
    uint32_t n_outputs; /* how many graph outputs (of any graph) it is */
    uint64_t offset;    /* in the file, or ERR_NO_OFFSET */
};

typedef struct ir_attr {
    heed_attribute view; /* as plugins see it */
    ir_graph *graph;     /* HEED_ATTR_GRAPH */
} ir_attr;

struct ir_node {
    const struct op_def *op;
    const char *name;
    ir_graph *graph;
    ir_node *next, *previous; /* in topological order */
    uint32_t n_in, n_out, n_attrs;
    uint32_t id; /* dense within the model */
    ir_use *in;
    ir_value **out;   /* NULL entries: output left out */
    ir_attr *attrs;   /* complete: defaults filled in */
    const char *path; /* graph.node[3] */
    uint64_t offset;
};

struct ir_graph {
    ir_model *model;
    ir_graph *parent; /* whose values it may read; NULL: the main graph */
    ir_node *owner;   /* the node that has this graph as attribute */
    const char *name;
    ir_node *first, *last;
    ir_value **inputs, **outputs;
    uint32_t n_inputs, n_outputs, n_nodes;
    const char **output_names; /* as the file calls them; a value may be several outputs */
    ir_type *output_types;     /* as the file declares them */
};

struct ir_model {
    arena memory;
    ir_dims *dims;
    ir_graph *main;
    uint32_t n_values, n_nodes; /* ids given out so far */

    struct ir_tensor_list *owned; /* constants, cleared with the model */
};

/* ---- Making and editing -------------------------------------------------------------------
 * All return NULL or a status on failure, with the error set. */

ir_model *ir_model_new(void);
void ir_model_free(ir_model *m);
/* A deep copy that shares constant memory and some strings with the original, which must outlive
 * it; a session optimises a copy of the model's graph. */
heed_status ir_model_copy(const ir_model *m, ir_model **out);

ir_graph *ir_graph_new(ir_model *m, ir_graph *parent, const char *name);
ir_value *ir_value_new(ir_graph *g, const char *name);
/* A constant value whose tensor belongs to the model from now on (taken, also on failure). */
ir_value *ir_constant_new(ir_graph *g, const char *name, heed_tensor *tensor);

/* A node of `op` after node `after` (NULL: at the end), with n_out fresh outputs when `out` is
 * NULL. Attributes are copied; defaults are not filled in here (op_check_node does that). */
ir_node *ir_node_new(ir_graph *g, ir_node *after, const struct op_def *op, const char *name,
                     uint32_t n_in, ir_value *const *in, uint32_t n_out, ir_value *const *out);
heed_status ir_node_set_attr(ir_node *n, const heed_attribute *attr, ir_graph *graph);

void ir_node_set_input(ir_node *n, uint32_t slot, ir_value *value); /* NULL leaves it out */
/* Every reading of `from`, graph outputs too, becomes a reading of `to`. */
void ir_value_replace(ir_value *from, ir_value *to);
/* The nodes of a nested graph move behind `after`, into its graph; the nested graph is empty
 * then, but for the list of its outputs. Its inputs must have been replaced. */
void ir_graph_splice(ir_graph *nested, ir_node *after);
/* The node stands behind `after` from now on, in its graph; the order must stay one. */
void ir_node_move(ir_node *n, ir_node *after);
/* Unlinks a node that nobody reads. Its inputs lose a use. */
void ir_node_remove(ir_node *n);

static inline ir_value *ir_input(const ir_node *n, uint32_t slot)
{
    return slot < n->n_in ? n->in[slot].value : NULL;
}

static inline ir_value *ir_output(const ir_node *n, uint32_t slot)
{
    return slot < n->n_out ? n->out[slot] : NULL;
}

bool ir_value_used(const ir_value *v);
/* No rank and no number of theirs differ; what is not known may be anything. */
bool ir_shapes_may_agree(const ir_type *a, const ir_type *b);
size_t ir_graph_count(const ir_graph *g); /* nodes, those of nested graphs as well */
const ir_attr *ir_node_attr(const ir_node *n, const char *name); /* NULL: not there */

/* Attributes with a schema default are always there; `missing` serves those without. */
int64_t ir_attr_int(const ir_node *n, const char *name, int64_t missing);
double ir_attr_float(const ir_node *n, const char *name, double missing);
/* NUL-terminated. */
const char *ir_attr_string(const ir_node *n, const char *name, const char *missing);
const int64_t *ir_attr_ints(const ir_node *n, const char *name, uint64_t *count); /* NULL: none */
const float *ir_attr_floats(const ir_node *n, const char *name, uint64_t *count);
ir_graph *ir_attr_graph(const ir_node *n, const char *name);

/* Checks the invariants; the message names the first that is broken. */
heed_status ir_verify(const ir_model *m);
/* Sorts the nodes of a graph topologically (stable); HEED_INVALID names a node of the cycle. */
heed_status ir_sort(ir_graph *g);

/* `graph.node[3] "MatMul_7"` into `text`. */
const char *ir_node_text(const ir_node *n, char *text, size_t size);
/* Adds the node's place to the current error and returns its status. */
heed_status ir_node_error(const ir_node *n);

#endif
