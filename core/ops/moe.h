/* moe.h - mixtures of experts: each token goes through the few experts that a router chooses for
 * it.
 *
 * An expert is two or three products with an activation between them. How its weights are stored is
 * the affair of who calls moe_run. */
#ifndef HEED_OPS_MOE_H
#define HEED_OPS_MOE_H

#include "ops/rows.h"

/* The matrices of all experts at one place: out rows of `in` elements each. */
typedef struct moe_matrix {
    int64_t experts, out, in;
    const heed_tensor *bias; /* [experts, out], or NULL */
    /* The rows of one expert, valid until the next call. */
    const row_source *(*open)(struct moe_matrix *m, int64_t expert);
} moe_matrix;

enum { MOE_FC1, MOE_FC2, MOE_FC3 };

typedef struct moe {
    moe_matrix *fc[3];         /* FC3 may be NULL */
    const heed_tensor *mixing; /* [tokens, experts]: weights of the chosen ones; NULL: softmax */
} moe;

/* Inputs 0 and 1 are the tokens and the router's logits. Checks that everything fits. */
heed_status moe_run(op_call *c, const moe *m);

#endif
