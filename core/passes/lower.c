/* lower.c - pass: fused operators that no backend computes become the nodes that define them.
 *
 * before: y = heed.Attention(q, k, v)      after: y = MatMul(Softmax(MatMul(q, Transpose(k))), v)
 */
#include <string.h>

#include "passes/pass.h"

static heed_status visit(pass_run *p, ir_node *n)
{
    bool taken = false;
    if (!n->op->decompose || n->op->run || strcmp(n->op->domain, "heed") != 0)
        return HEED_OK;
    TRY(pass_taken(p, n, &taken));
    return taken ? HEED_OK : pass_decompose_node(p, n);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_lower = {
    .name = "lower",
    .purpose = "fused operators that no backend computes become the nodes that define them",
    .order = 70,
    .required = true,
    .run = run,
};
