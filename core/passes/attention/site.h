/* site.h - one place of a graph that may be attention: what the walks from a
 * softmax find out.
 *
 * Upwards from the softmax: factors, biases and masks, to the product of
 * queries and keys, and through what only moves elements to the tensors that
 * these come from. Downwards: guards, to the product with the values.
 * Everything is said in atoms (axes.h) of the scores at the softmax. */
#ifndef HEED_PASSES_SITE_H
#define HEED_PASSES_SITE_H

#include "ops/heads.h"
#include "passes/axes/contraction.h"
#include "passes/pass.h"

enum { SITE_TERMS = 8, SITE_SHAPES = 8, SITE_PARTS = 6, SITE_PAIRS = 3, SITE_CHANGES = 4 };

enum { SITE_BIAS, SITE_MASK, SITE_LEAST, SITE_FACTOR };

/* What is done to the scores: a tensor is added (bias), says which of them
 * count (mask) or multiplies them (factor); or they are raised to a number
 * (least). */
typedef struct site_term {
    int kind;
    ir_value *value;
    axes at;            /* right-aligned with the scores' where it met them */
    double number;      /* bias: its factor; mask: what hidden scores become; least:
                           the number; all times what stands outside: */
    double outer;       /* the number that multiplies the term and what is inside of it */
    uint32_t n_factors; /* tensors that multiply a bias, or what hidden scores become, too: the
                           first so many of site.factors */
    bool inverted;      /* mask: true hides; factor: divides */
    bool keyed;         /* factor: differs between keys */
} site_term;

/* Of this type, the number stays what it is when a score is added to it. */
bool site_absorbs(double number, heed_dtype dtype);
/* A mask that what stands outside of it may change: as a bias it would not be exact. */
bool site_mask_is_weak(const site_term *mask);

typedef struct site_terms {
    site_term items[SITE_TERMS];
    uint32_t n;
} site_terms;

/* An operand, and the tensor that it is an arrangement of. */
typedef struct site_operand {
    ir_value *value;
    axes at;
} site_operand;

/* A term of the sum inside of the tanh of additive scores. */
typedef struct site_part {
    site_operand o;
    bool negated;
    bool keyed; /* one of the keys', not of the queries' */
    bool leads; /* the sum has its shape: it is q or k */
} site_part;

/* One more product of queries and keys, which is added to the first. */
typedef struct site_pair {
    site_operand q, k;
    axes_list sum;
    double factor;
} site_pair;

enum { SITE_NOWHERE, SITE_VALUES, SITE_RESULT };

/* A node between the weights and the values that multiplies them, or makes some of them 0. */
typedef struct site_change {
    const ir_node *node;
    site_term term; /* inverted: true keeps */
    int to;         /* where it is done instead */
} site_change;

typedef struct site {
    ir_node *named; /* the file has an operator for all of it; there is no softmax */
    ir_node *softmax, *scores, *product; /* the products before and after */
    axes_table table;
    axes frame;     /* of the scores, as the biases see them */
    axes outer;     /* of the softmax itself: with sinks its axis is longer */
    axes_list keys; /* its axis */
    axes_list sum;  /* channels of queries and keys */
    site_operand q, k, v, y;
    site_pair pairs[SITE_PAIRS];
    uint32_t n_pairs;
    bool additive;       /* scores are energy^T tanh(q + k) */
    site_operand energy; /* value NULL: ones */
    site_part parts[SITE_PARTS];
    uint32_t n_parts;
    site_operand sinks; /* a logit for each head beside the keys; value NULL: none */
    bool sink_first;    /* it stands before the keys */
    bool sink_shares;   /* it takes its share of what the keys have, also of no numbers */
    double scale, softcap;
    double least, most; /* what the scores are brought between */
    bool bounded;
    site_terms terms;   /* biases, masks and bounds, the last one to be applied first */
    site_terms factors; /* the last one first, too */
    uint32_t steps;     /* taken upwards, also those that led nowhere */
    bool late;          /* biases are added to hidden scores, too */
    bool guard;         /* NaN after the softmax becomes 0 */
    bool zero;          /* rows that the mask hides give 0 */
    site_change changes[SITE_CHANGES];
    uint32_t n_changes;
    uint32_t n_changed;               /* those before the weights that others read */
    double gain;                      /* of the product with the values */
    heed_dtype inner;                 /* of the softmax, when it is not that of the products; 0 */
    site_operand weights;             /* the softmax's result when others read it too */
    site_operand shapes[SITE_SHAPES]; /* results on the way whose shape is read */
    uint32_t n_shapes;
    bool channels[AXES_ATOMS]; /* atoms that a layer before or after has as channels */
    bool asked;                /* the layer after was found */
    int64_t k_heads, v_heads;  /* that the graph has, once it is emitted; 0: no number */
    bool over_channels;        /* queries and keys are channels, and the sum is over positions */
    /* Why not: the first obstacle. */
    const char *reason;
    const ir_node *obstacle;
} site;

/* Says why the site is none, once; false. */
bool site_stop(site *s, const ir_node *obstacle, const char *reason);
bool site_is_scalar(const ir_value *v, double *number); /* a constant with one value throughout */
/* The operand that is the scores; the other one is seen beside them, with their
 * shape. Two symbols are taken for the same extent: otherwise one of them would
 * be 1, and the scores those of a single query or key that a mask repeats.
 * Binding checks it. */
bool site_is_spine(const ir_value *result, const ir_value *operand);
/* Axes of a tensor that is broadcast along these. */
axes site_beside(const axes *at, const ir_value *v);

/* Up through what moves elements or, with `factor`, multiplies all of them with one number. */
void site_climb(site *s, site_operand *o, double *factor);
/* The node sums the tanh of queries and keys over their channels: the site is additive. Its result
 * has the axes `at`. */
bool site_take_energy(site *s, const ir_node *n, const axes *at, arena *scratch, double *alpha);
/* The sum of the queries' or the keys' terms, and the vector, of these axes. */
ir_value *site_sum_parts(const site *s, op_body *b, bool keyed, const axes *to,
                         const axes_witness *w);
ir_value *site_weigh_channels(const site *s, op_body *b, const axes_list *heads, heed_dtype dtype,
                              const axes_witness *w);

/* From the softmax's input up to the products' operands. */
bool site_walk_up(site *s, arena *scratch);
/* From its output down to the product with the values, and on through what
 * moves elements. */
bool site_walk_down(site *s, arena *scratch);
/* The way on from y, through what moves elements and is read by nobody else. */
void site_descend(site *s);
/* heed.Attention as a site; false when its operands are nothing but themselves. */
bool site_read_named(site *s, ir_node *n);
/* Finds the layers before and after both: site.channels. */
void site_ask_layers(site *s, arena *scratch);
/* The use changes the weights, whose axes are `at`: it is noted. */
bool site_note_change(site *s, const ir_use *u, const axes *at);
/* The product with the values is known: decides where the changes are made instead. */
bool site_place_changes(site *s);
/* A mask, bias or factor, arranged so that it is broadcast along these axes. */
ir_value *site_bring(site *s, op_body *b, const site_term *term, const axes *to,
                     const axes_witness *w);
/* Notes the value on the way, whose axes are `at`, when Shape nodes read it; later
 * they read the extents elsewhere, and the site replaces it for them, too. */
void site_note_shape(site *s, ir_value *v, const axes *at);
heed_status site_emit_shapes(site *s, pass_run *p);
/* Emits heed.Attention and what arranges its operands; NULL and b->status when
 * it cannot. *weights is set when somebody else reads them. */
ir_value *site_emit(site *s, op_body *b, ir_value **weights);

#endif
