/* dropout.c - pass: Dropout in training mode gives back its input, when the session asks for it.
 *
 * before: y = Dropout(x, ratio, training_mode = true)      after: y = Dropout(x)
 *
 * The standard says that such a node draws; who runs a model that was exported without eval() wants
 * what it would have computed with it. Required: it is no optimisation. What is left goes with
 * identity, or copies. */
#include "passes/pass.h"

enum { TRAINING = 2 }; /* an input */

static heed_status visit(pass_run *p, ir_node *n)
{
    if (!pass_is(n, "Dropout") || !ir_input(n, TRAINING))
        return HEED_OK;
    ir_node_set_input(n, TRAINING, NULL);
    p->rewrites++;
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    return p->options->no_dropout ? pass_each_node(p, visit) : HEED_OK;
}

const pass_def pass_dropout = {
    .name = "dropout",
    .purpose = "no Dropout draws, when the session asks for that",
    .order = 6,
    .required = true,
    .run = run,
};
