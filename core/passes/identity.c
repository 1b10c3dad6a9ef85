/* identity.c - pass: nodes that give back their input go.
 *
 * before: y = Reshape(Identity(x), shape) where y provably has the shape of x     after: y = x
 *
 * Each row says when its operator changes nothing. The proof is by type: the same dtype and,
 * dimension by dimension, the same symbolic extent. */
#include <string.h>

#include "passes/pass.h"

typedef struct row {
    const char *op;
    bool (*nothing)(const ir_node *n); /* beyond: input 0 and output 0 have the same type */
} row;

static bool always(const ir_node *n)
{
    (void)n;
    return true;
}

/* The mask is not read (pass_bypass checks), and no ratio is applied. */
static bool inference(const ir_node *n)
{
    const ir_value *training = ir_input(n, 2);
    return !training || (pass_constant(training) && tensor_get_int(training->constant, 0) == 0);
}

static bool ordered(const ir_node *n)
{
    uint64_t count;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    for (uint64_t i = 0; perm && i < count; i++)
        if (perm[i] != (int64_t)i)
            return false;
    return perm != NULL || n->in[0].value->type.rank <= 1;
}

static bool one_input(const ir_node *n) { return n->n_in == 1; }

/* Input `slot` is a constant filled with `value`. */
static bool filled(const ir_node *n, uint32_t slot, double value)
{
    const ir_value *v = ir_input(n, slot);
    if (!pass_constant(v) || dtype_get_class(v->constant->dtype) >= CLASS_STRING)
        return false;
    int64_t count = tensor_count(v->constant);
    for (int64_t i = 0; i < count; i++)
        if (tensor_get_float(v->constant, i) != value)
            return false;
    return count > 0;
}

static bool by_one(const ir_node *n) { return filled(n, 1, 1); }

/* x + 0 is x except for -0 + 0, which is +0; integers have no such case. */
static bool plus_zero(const ir_node *n)
{
    return dtype_is_int(n->in[0].value->type.dtype) && filled(n, 1, 0);
}

static bool minus_zero(const ir_node *n) { return filled(n, 1, 0); }

/* Every step is 1: with the same extents nothing can have been left out. */
static bool unit_steps(const ir_node *n) { return !ir_input(n, 4) || filled(n, 4, 1); }

static bool no_pads(const ir_node *n) { return filled(n, 1, 0); }

/* A value that is no optional is always there. */
static bool plain(const ir_node *n)
{
    const ir_type *type = &n->in[0].value->type;
    return type->dtype && type->kind != HEED_KIND_OPTIONAL;
}

static const row rows[] = {
    {"Identity", always},   {"Reshape", always},
    {"Flatten", always},    {"Squeeze", always},
    {"Unsqueeze", always},  {"Expand", always},
    {"Cast", always},       {"CastLike", always},
    {"Dropout", inference}, {"Transpose", ordered},
    {"Concat", one_input},  {"Tile", always},
    {"Slice", unit_steps},  {"Pad", no_pads},
    {"Mul", by_one},        {"Div", by_one},
    {"Add", plus_zero},     {"Sub", minus_zero},
    {"Pow", by_one},        {"OptionalGetElement", plain},
};

/* Identity passes on what is no tensor too, and what has no known shape. */
static bool same(const ir_node *n)
{
    const ir_value *in = ir_input(n, 0);
    if (!in || !n->out[0])
        return false;
    return pass_is(n, "Identity") || pass_is(n, "OptionalGetElement") ||
           (pass_is(n, "Dropout") && in->type.rank < 0) || pass_same_type(in, n->out[0]);
}

/* A graph input keeps its default only while it is read by name; a value of another graph may not
 * become the output of a body that has to make its own. Both are fine to bypass to. */
static heed_status visit(pass_run *p, ir_node *n)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (pass_is(n, rows[i].op) && same(n) && rows[i].nothing(n))
            return pass_bypass(p, n, n->in[0].value);
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_identity = {
    .name = "identity",
    .purpose = "remove nodes that give back their input",
    .order = 20,
    .again = 78,
    .repeat = true,
    .run = run,
};
