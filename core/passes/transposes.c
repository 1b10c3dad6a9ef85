/* transposes.c - pass: two transposes in a row become one.
 *
 * before: Transpose(Transpose(x, p), q)      after: Transpose(x, p[q]) */
#include "passes/pass.h"

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_node *first = pass_is(n, "Transpose") ? n->in[0].value->producer : NULL;
    uint64_t count_p, count_q;
    int64_t perm[TENSOR_MAX_RANK];
    if (!pass_is(first, "Transpose") || first->graph != n->graph)
        return HEED_OK;
    const int64_t *inner = ir_attr_ints(first, "perm", &count_p);
    const int64_t *outer = ir_attr_ints(n, "perm", &count_q);
    if (!inner || !outer || count_p != count_q || count_p > TENSOR_MAX_RANK)
        return HEED_OK;
    for (uint64_t i = 0; i < count_p; i++) {
        if (outer[i] < 0 || (uint64_t)outer[i] >= count_p)
            return HEED_OK;
        perm[i] = inner[outer[i]];
    }
    heed_attribute attr = {
        .size = sizeof(attr), .type = HEED_ATTR_INTS, .name = "perm", .n = count_p, .ints = perm};
    TRY(ir_node_set_attr(n, &attr, NULL));
    ir_node_set_input(n, 0, first->in[0].value);
    p->rewrites++;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_transposes = {
    .name = "transposes",
    .purpose = "two transposes in a row become one",
    .order = 30,
    .again = 79,
    .repeat = true,
    .run = run,
};
