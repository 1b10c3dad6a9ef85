/* forest.h - decision trees in the one form in which they are run: TreeEnsemble and the two older
 * operators, whose attributes spell trees differently, all become this. */
#ifndef HEED_OPS_FOREST_H
#define HEED_OPS_FOREST_H

#include "ops/op.h"

typedef enum forest_test {
    FOREST_LEQ,
    FOREST_LT,
    FOREST_GTE,
    FOREST_GT,
    FOREST_EQ,
    FOREST_NEQ,
    FOREST_MEMBER,
    FOREST_TESTS
} forest_test;

typedef struct forest_branch {
    int64_t to; /* a node, or a leaf */
    bool leaf;
} forest_branch;

typedef struct forest_node {
    forest_test test;
    bool missing; /* where NaN goes */
    int64_t feature;
    double split;
    int64_t first_member, n_members; /* FOREST_MEMBER */
    forest_branch branch[2];         /* when the test is false, true */
} forest_node;

typedef struct forest_vote {
    int64_t target;
    double weight;
} forest_vote;

typedef struct forest {
    int64_t n_nodes, n_roots, n_leaves, n_targets;
    forest_node *nodes;
    forest_branch *roots;
    int64_t *first_vote; /* of each leaf; n_leaves + 1 entries */
    forest_vote *votes;
    double *members;
} forest;

typedef enum forest_sum { FOREST_AVERAGE, FOREST_SUM, FOREST_MIN, FOREST_MAX } forest_sum;

/* Everything that the arrays point to is there, so that a row can be run without looking. */
heed_status forest_check(const op_call *c, const forest *f);
/* Scores of one row of features, without base values; has[t] says whether target t got a vote. */
heed_status forest_run(const op_call *c, const forest *f, forest_sum how, int64_t n_features,
                       const double *x, double *scores, bool *has);

/* ---- Attributes as arrays -------------------------------------------------------------------- */

/* An attribute with numbers (ints, floats or a tensor) in scratch memory; n 0 when it is absent. */
heed_status forest_reals(op_call *c, const char *name, int64_t *n, double **values);
heed_status forest_ints(op_call *c, const char *name, int64_t *n, int64_t **values);
/* Two parallel lists have one length. */
heed_status forest_same_length(const op_call *c, const char *a, int64_t n, const char *b,
                               int64_t m);

#endif
