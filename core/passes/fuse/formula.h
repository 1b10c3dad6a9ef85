/* formula.h - what a few nodes compute, found by trying it.
 *
 * Exporters write one function in many ways: halves in front or behind, constants divided or
 * multiplied, powers as products. A formula is a value, as a function of another value that
 * everything passes through. It is computed in double for chosen numbers, and whoever knows a
 * function compares. Analytic functions of a few constants that agree at dozens of points are the
 * same function, so no list of spellings is needed.
 *
 * Values are of four shapes: that of x; one number a row (the axes from `axis` on are a row); one
 * row for all (a weight, a bias); and constant numbers. Reductions are over rows only. */
#ifndef HEED_PASSES_FORMULA_H
#define HEED_PASSES_FORMULA_H

#include "passes/pass.h"

enum { FORMULA_NODES = 32, FORMULA_INPUTS = 3, FORMULA_POINTS = 64, FORMULA_PARAMS = 2 };

struct formula_rule;

typedef struct formula {
    ir_value *root;
    int32_t axis; /* where rows begin; the rank: there are none */
    uint32_t n;
    ir_node *nodes[FORMULA_NODES];                   /* what leads to the root, readers first */
    const struct formula_rule *rules[FORMULA_NODES]; /* of each node */
    uint32_t n_candidates; /* what may be x: each input once, the nearest to the root first */
    ir_value *candidates[FORMULA_NODES * FORMULA_INPUTS];
    /* Set by formula_bind. */
    ir_value *x;
    ir_value *params[FORMULA_PARAMS];
    uint32_t n_params;
    double extent; /* elements of a row; 0: not known */
    bool used[FORMULA_NODES];
    double epsilon; /* rounding of the least exact constant */
} formula;

/* Collects the nodes that a formula can be made of; false when the root is no formula. */
bool formula_collect(formula *f, ir_value *root, int32_t axis);
/* One of them is this operator. */
bool formula_has(const formula *f, const char *op);
/* The i-th value that may be x, the nearest to the root first; NULL: no more. */
ir_value *formula_candidate(const formula *f, uint32_t i);
/* The root as a function of x: false when it depends on anything else, when shapes do not fit, or
 * when a value between is read by others. */
bool formula_bind(formula *f, ir_value *x);
/* The root for FORMULA_POINTS numbers each. `rounded`: to each value's own type. */
void formula_compute(const formula *f, const double *x, const double *const *params, bool rounded,
                     double *out);
/* The root becomes `value`; what nobody reads any more goes. */
void formula_replace(formula *f, ir_value *value);

#endif
