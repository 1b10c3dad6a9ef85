/* mask.h - what a mask or bias of attention is, element by element.
 *
 * A tensor that broadcasts to the scores [B, H, S, T] is a function of four indices. It is followed
 * back through what moves and computes elements, and becomes a table: for each outcome of a few
 * atoms - "j - i <= past", "padding[b, j] is not 0" - a leaf, which is a number, an affine form of
 * the indices, or what some tensor holds there. What is not understood is a tensor again, so that
 * nothing is ever guessed. mask_prove.c reads attributes of heed.Attention from the table. */
#ifndef HEED_PASSES_MASK_H
#define HEED_PASSES_MASK_H

#include "passes/axes/axes.h"
#include "passes/pass.h"

enum {
    MASK_ATOMS = 6,
    MASK_CASES = 1 << MASK_ATOMS,
    MASK_LEAVES = 384,
    MASK_TERMS = 4,
    MASK_SYMBOLS = 4,
    MASK_MEMO = 192,
    MASK_NONE = 0, /* no leaf */
};

enum { MASK_B, MASK_H, MASK_S, MASK_T }; /* the axes of the scores */

/* A whole number: the sum of factor * index, and a constant. Indices are atoms of the table of
 * axes, in ascending order. */
typedef struct mask_affine {
    uint32_t n;
    uint8_t index[MASK_TERMS];
    ir_dim factor[MASK_TERMS];
    ir_dim constant;
} mask_affine;

enum { MASK_NUMBER = 1, MASK_INDEX, MASK_TENSOR, MASK_EXPR, MASK_LOOKUP };

typedef struct mask_leaf {
    int kind;
    heed_dtype dtype;
    double number;
    mask_affine index;
    ir_value *value;     /* the tensor */
    axes at;             /* ... and its axes */
    const ir_node *node; /* of an expression: what computes it, elementwise */
    uint16_t args[3];
    double most; /* no larger in magnitude, and no NaN; infinity: nobody knows */
} mask_leaf;

/* True when index <= 0, or when the leaf is not 0. */
typedef struct mask_atom {
    bool position;
    mask_affine index;
    uint16_t leaf;
} mask_atom;

/* The leaf of each case; bit k of a case: atom k is true. Atoms that came later do not matter. */
typedef struct mask_form {
    uint32_t n; /* atoms that there were */
    uint16_t leaf[MASK_CASES];
} mask_form;

typedef struct mask {
    ir_dims *dims;
    arena *scratch;
    bool uniform; /* look for numbers that are everywhere */
    bool halves;  /* look at each place of constants of two numbers */
    axes_table table;
    ir_dim extent[4];
    uint8_t frame[4]; /* atoms of the axes; 0 where the extent is 1 */
    struct {
        bool known;
        mask_affine index;
    } meaning[AXES_ATOMS]; /* of indices that are no axis of the scores: i + past */
    mask_leaf leaves[MASK_LEAVES];
    uint32_t n_leaves;
    mask_atom atoms[MASK_ATOMS];
    uint32_t n_atoms;
    struct {
        uint32_t yes, no;   /* atoms that are true, false, where this one is true */
        uint32_t otherwise; /* ... and true where it is false */
    } forces[MASK_ATOMS];
    struct {
        ir_dim dim;
        uint16_t leaf;
    } symbols[MASK_SYMBOLS]; /* numbers that are known when it runs, one a sequence */
    uint32_t n_symbols;
    struct {
        const ir_value *value;
        axes at;
        mask_form form;
    } memo[MASK_MEMO];
    uint32_t n_memo, steps, depth;
    bool looks_up;  /* curves of indices and lookups are followed, not only bounds */
    bool looked_up; /* ... and there were some */
} mask;

/* ---- mask_affine.c: whole numbers ------------------------------------------------------------ */

mask_affine mask_constant(ir_dim constant);
/* a + factor * b; false on overflow of any kind. */
bool mask_add(mask *m, const mask_affine *a, ir_dim factor, const mask_affine *b, mask_affine *out);
bool mask_affine_equal(const mask_affine *a, const mask_affine *b);
/* The index of a list of axes, outermost first, with strides from their extents. */
bool mask_index_of(mask *m, const axes_list *list, mask_affine *out);
/* The axes whose index it is, in an axis of this extent: the reverse of mask_index_of. */
bool mask_axes_of(mask *m, const mask_affine *index, ir_dim extent, axes_list *out);
/* It is never (always) above 0, whatever the indices: -1, 1, or 0 when that is not known. */
int mask_sign(mask *m, const mask_affine *index);
ir_dim mask_index_extent(const mask *m, uint8_t index);

/* ---- mask_leaf.c: leaves, atoms, cases ------------------------------------------------------- */

uint16_t mask_number(mask *m, double number, heed_dtype dtype);
uint16_t mask_index(mask *m, const mask_affine *index, heed_dtype dtype);
uint16_t mask_tensor(mask *m, ir_value *value, const axes *at);
uint16_t mask_expr(mask *m, const ir_node *node, const uint16_t args[3]);
/* What a Gather found at indices that are positions: the tensor, of which more is known. */
uint16_t mask_lookup(mask *m, const ir_node *gather, const axes *at);
bool mask_is_number(const mask *m, uint16_t leaf, double *number);
/* The leaf as a whole number; a tensor of one number a sequence becomes a symbol. */
bool mask_whole(mask *m, uint16_t leaf, bool symbols, mask_affine *out);
/* Frame axes, as bits, on which it depends; bit 4: on something else. */
unsigned mask_depends(const mask *m, uint16_t leaf);
unsigned mask_index_depends(const mask *m, const mask_affine *index);

/* What comes out of one case: a leaf for each outcome of an atom. */
typedef struct mask_outcome {
    bool known;
    bool splits;
    uint32_t atom;
    uint16_t yes, no; /* without an atom both are the leaf */
} mask_outcome;

mask_outcome mask_plain(uint16_t leaf);
mask_outcome mask_truth(mask *m, bool value);
/* index <= 0: one or the other. */
mask_outcome mask_below(mask *m, const mask_affine *index, uint16_t yes, uint16_t no);
mask_outcome mask_nonzero(mask *m, uint16_t leaf, uint16_t yes, uint16_t no);
/* The same as a form; false when there is no room for it. */
bool mask_ask(mask *m, uint16_t leaf, uint16_t yes, uint16_t no, mask_form *out);

/* The case of the first n atoms can occur: they do not contradict each other. */
bool mask_possible(const mask *m, uint32_t n, uint32_t c);
/* The leaf in a case of the first n atoms, with what these say of it. */
uint16_t mask_at(const mask *m, const mask_form *form, uint32_t n, uint32_t c);
void mask_one(const mask *m, uint16_t leaf, mask_form *out);

/* ---- The walk -------------------------------------------------------------------------------- */

void mask_init(mask *m, pass_run *p, const ir_dim extent[4]);
/* mask_walk.c: `at` says which axes of the scores its axes are. */
bool mask_walk(mask *m, ir_value *v, const axes *at, mask_form *out);
/* What the value holds, as it is. */
bool mask_opaque(mask *m, ir_value *v, const axes *at, mask_form *out);
/* Axes of operand i of an elementwise node; false when broadcasting is not certain. */
bool mask_beside(mask *m, const ir_node *n, uint32_t i, const axes *at, axes *out);
/* mask_steps.c: elementwise nodes; false: not one that is understood. */
bool mask_step(mask *m, const ir_node *n, const axes *at, mask_form *out);
/* A number as the type has it, where that is more than the digits that it keeps. */
double mask_in_type(double x, heed_dtype dtype);
/* mask_source.c: where indices come from; constants. */
bool mask_source(mask *m, const ir_node *n, const axes *at, mask_form *out);
bool mask_table(mask *m, ir_value *v, const axes *at, mask_form *out);
/* mask_halves.c: a constant of 0 and one other number. */
bool mask_halves(mask *m, ir_value *v, const axes *at, mask_form *out);
/* mask_uniform.c: one number everywhere, and its running sum. Only where masks were taken for ones:
 * a search that others can do without. */
bool mask_uniform(mask *m, const ir_value *v, const axes *at, mask_form *out);
/* mask_pick.c: Slice, Gather, GatherND, ScatterND at indices that are understood. */
bool mask_pick(mask *m, const ir_node *n, const axes *at, mask_form *out);
/* The indices of a lookup, by case. */
bool mask_lookup_index(mask *m, const mask_leaf *lookup, mask_form *out);
/* An axis that is picked from, where its index is this form: one of the scores' or its own. */
bool mask_axis(mask *m, const mask_affine *index, ir_dim extent, axes_list *out);
/* Each case of `index` that is not more than 0 is `yes`, else `no`, by case. */
bool mask_choose(mask *m, const mask_affine *index, const mask_form *yes, const mask_form *no,
                 mask_form *out);

/* ---- What comes of it ------------------------------------------------------------------------ */

/* Replaces masks of heed.Attention by what they are proved to be; the node becomes another.
 * `exact`: a last extent that is shorter than the keys hides those behind it. */
heed_status mask_prove(pass_run *p, ir_node **n, bool exact);

/* mask_emit.c: tensors of leaves and atoms, broadcasting to the scores. */
typedef struct mask_emission {
    mask *m;
    op_body *b;
    axes_witness witness;
    bool distances; /* for each distance of key and query, instead of both: [.., 1, Sq + Skv - 1] */
} mask_emission;

ir_value *mask_emit_leaf(mask_emission *e, uint16_t leaf, heed_dtype dtype);
ir_value *mask_emit_atom(mask_emission *e, uint32_t atom);
/* One number a sequence, or one for all, as int64 [1] or [B]. */
ir_value *mask_emit_offset(mask_emission *e, ir_dim dim);

#endif
