/* pass.h - what a pass is. A file NAME.c in this folder that defines `const pass_def pass_NAME` is
 * collected by the build. Passes run in ascending `order`; those with `repeat` set run again, as a
 * group, until none of them changes anything. */
#ifndef HEED_PASSES_PASS_H
#define HEED_PASSES_PASS_H

#include "ops/body.h"

/* What became of one softmax. Arrays live during the call, names as long as the model. */
typedef struct pass_verdict {
    const ir_node *node;
    bool fused;
    const char *reason;  /* not fused: why */
    const ir_node *at;   /* not fused: the node that stands in the way */
    bool attention;      /* false: a softmax of something else, a router or a classifier */
    const char *help;    /* not fused: what could be done, or "" */
    const ir_node *made; /* fused: heed.Attention; later passes may change its operator */
    int64_t q_heads, k_heads, v_heads, head_dim, v_head_dim; /* -1: no number, or not fused */
    bool over_channels; /* queries and keys are channels, and the sum is over positions */
    const char *const *features;
    uint32_t n_features;
    const char *mask;            /* fused: what is known of who sees whom, or "" */
    const ir_node *const *nodes; /* that only this attention needed, in their order */
    uint32_t n_nodes;
} pass_verdict;

typedef struct pass_def pass_def;
typedef struct pass_paging pass_paging; /* paging/paging.h */

typedef struct pass_options {
    bool optimize;         /* false: only what is needed to run at all */
    bool check;            /* verify the graph after each pass */
    bool no_dropout;       /* Dropout in training mode is the identity */
    const char *attention; /* auto (NULL too), off, mha, gqa, flash */
    const char *without;   /* passes that are left out: "gelu,rotary"; NULL: none */
    pass_paging *paging;   /* a decoder gets its cache in pages; NULL: as it is */
    bool look_only;        /* nothing will run: large weights need no new content */
    /* Does some backend compute this node as it is? NULL: none does. */
    heed_status (*takes)(void *self, ir_node *n, bool *taken);
    void *self;
    heed_status (*verdict)(void *self, const pass_verdict *verdict); /* NULL: nobody asks */
    /* After the last pass, for each that fuses, left out or not. NULL: nobody asks */
    heed_status (*fused)(void *self, const pass_def *pass, uint64_t count);
} pass_options;

typedef struct pass_run {
    ir_model *model;
    const pass_options *options;
    arena *scratch;    /* dropped after the pass */
    uint64_t rewrites; /* counted by the pass */
} pass_run;

struct pass_def {
    const char *name;
    const char *purpose; /* one line */
    const char *fuses;   /* several nodes become one: what reports call it ("Gelu"); or NULL */
    int order;
    int again; /* a second place in the order; 0: none */
    bool repeat;
    bool required; /* nothing runs without it */
    heed_status (*run)(pass_run *p);
};

extern const pass_def *const pass_table[]; /* generated; ends with NULL */

/* Calls visit(p, n) for every node of every graph, outer graphs first. The visitor may remove the
 * node that it gets, and nodes before it. */
heed_status pass_each_node(pass_run *p, heed_status (*visit)(pass_run *p, ir_node *n));

/* HEED_USAGE, saying which there are, when `without` names a pass that is none or is required. */
heed_status pass_check_without(const char *without);

/* Runs them all. The report has a line for each pass that did something, in arena memory of the
 * model. */
heed_status pass_pipeline(ir_model *m, const pass_options *options, const char *const **report,
                          size_t *n_report);

/* ---- What several passes need ------------------------------------------------------------- */

/* Some backend of the session has a kernel for the node as it is. */
heed_status pass_taken(const pass_run *p, ir_node *n, bool *taken);
/* The node becomes its body, which must have one. */
heed_status pass_decompose_node(pass_run *p, ir_node *n);
/* Infers one node whose inputs are inferred. */
heed_status pass_infer_node(pass_run *p, ir_node *n);
/* A body whose nodes will stand behind `n`, each inferred as it is emitted; and taking them back.
 */
op_body pass_body(pass_run *p, ir_node *n);
void pass_undo(const op_body *b);
/* Output 0 of the node is replaced by `y`, made by the body: when nothing failed and y, not NULL,
 * has its type. Otherwise the body is taken back. */
heed_status pass_settle(pass_run *p, ir_node *n, const op_body *b, ir_value *y);
bool pass_is(const ir_node *n, const char *op); /* an ai.onnx operator of this name */
bool pass_is_one_of(const ir_node *n, const char *const *ops); /* the list ends with NULL */
/* The value is a constant for good (not the default of an input). */
bool pass_constant(const ir_value *v);
/* Reading may be merged or moved: no randomness, no nested graphs. */
bool pass_pure(const ir_node *n);
/* Output 0 of the node is replaced by `value`, the node goes. Only when no other output is read. */
heed_status pass_bypass(pass_run *p, ir_node *n, ir_value *value);
/* Both types are tensors of one dtype and provably one shape. */
bool pass_same_type(const ir_value *a, const ir_value *b);

#endif
