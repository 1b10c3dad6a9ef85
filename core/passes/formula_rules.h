/* formula_rules.h - operators as functions of numbers: what a formula (fuse/formula.h) may have,
 * and who else tries what nodes compute. */
#ifndef HEED_PASSES_FORMULA_RULES_H
#define HEED_PASSES_FORMULA_RULES_H

#include "passes/pass.h"

typedef enum formula_kind {
    FORMULA_EACH,    /* each element by itself, with broadcasting */
    FORMULA_RESHAPE, /* of one number a row only: axes of extent 1 come back */
    FORMULA_REDUCE   /* a row to one number */
} formula_kind;

typedef struct formula_rule {
    const char *op;
    uint32_t n_in; /* inputs that are numbers; others are axes and shapes */
    formula_kind kind;
    double (*compute)(const ir_node *n, const double *in);
} formula_rule;

const formula_rule *formula_find_rule(const ir_node *n); /* NULL: none */

#endif
