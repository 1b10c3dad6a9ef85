/* Outputs in the memory of inputs: a kernel says which it allows (HEED_REUSE), the plan does it
 * where the input is needed no more, and never elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/evaluate.h"
#include "plan_case.h"

#define ALL_OF_TWO (HEED_REUSE(0, 0) | HEED_REUSE(0, 1))
#define PAIRS      (ALL_OF_TWO | HEED_REUSE(1, 0) | HEED_REUSE(1, 1))

/* The nodes of `op` have a kernel with this mask; `value` must lie in `over`, or (NULL) in memory
 * of its own. */
typedef struct expectation {
    const char *name, *op;
    uint64_t reuse;
    const char *value, *over, *text;
} expectation;

#define HEAD  "in x float32 [8, 4]\nin z float32 [8, 4]\nout o\n"
#define TWO   HEAD "Neg(x) -> (a)\nTanh(z) -> (b)\n"
#define BOTH  TWO "const w float32 [4] 1\n"
#define SUM   "Add(a, b) -> (y)\n"
#define END   "Neg(y) -> (o)\n"
#define NORM  "ResidualNormalization(a, b, w) -> (y, s) heed\n"
#define NORMS "ResidualNormalization"

// clang-format off
static const expectation expectations[] = {
    {"the first input", "Add", ALL_OF_TWO, "y", "a", TWO SUM END},
    {"the second input", "Add", HEED_REUSE(0, 1), "y", "b", TWO SUM END},
    {"the second, since the first is read later", "Add", ALL_OF_TWO, "y", "b",
     TWO SUM "Mul(y, a) -> (o)\n"},
    {"through a view", "Add", HEED_REUSE(0, 1), "y", "b",
     HEAD "const s int64 [2] 4 8\nReshape(x, s) -> (u)\nReshape(z, s) -> (v)\nNeg(u) -> (a)\n"
     "Tanh(v) -> (t)\nconst k int64 [2] 4 8\nReshape(t, k) -> (b)\n" SUM
     "const h int64 [2] 8 4\nReshape(y, h) -> (c)\nNeg(c) -> (o)\n"},
    {"an old kernel says nothing", "Add", 0, "y", NULL, TWO SUM END},
    {"not an input that is read later", "Add", HEED_REUSE(0, 1), "y", NULL,
     TWO SUM "Mul(y, b) -> (o)\n"},
    {"not an input that a view has alive", "Add", HEED_REUSE(0, 1), "y", NULL,
     TWO "const s int64 [1] -1\nReshape(b, s) -> (v)\n" SUM "ReduceMax(v) -> (m)\n"
     "Mul(y, m) -> (o)\n"},
    {"not a weight", "Add", HEED_REUSE(0, 1), "y", NULL,
     HEAD "Neg(x) -> (a)\nconst b float32 [8, 4] random\n" SUM END},
    {"not a view of a weight", "Add", HEED_REUSE(0, 1), "y", NULL,
     HEAD "Neg(x) -> (a)\nconst w float32 [32] random\nShape(x) -> (s)\nReshape(w, s) -> (b)\n" SUM
     END},
    {"not an input of the graph", "Add", HEED_REUSE(0, 1), "y", NULL,
     HEAD "Neg(x) -> (a)\nAdd(a, z) -> (y)\n" END},
    {"not an output of the graph", "Add", HEED_REUSE(0, 1), "y", NULL, "out b\n" TWO SUM END},
    {"not for an output of the graph", "Add", ALL_OF_TWO, "y", NULL, "out y\n" TWO SUM END},
    {"not what broadcasts", "Add", HEED_REUSE(0, 1), "y", NULL,
     HEAD "Neg(x) -> (a)\nReduceMax(z) -> (b)\n" SUM END},
    {"not a part", "Add", HEED_REUSE(0, 1), "y", NULL,
     HEAD "Concat(x, z) -> (c) axis=0\nSplit(c) -> (b, a) axis=0 num_outputs=2\n" SUM END},
    {"not a part that broadcasts to the size of the whole", "Add", ALL_OF_TWO, "y", NULL,
     "in x float32 [2, 4]\nout o\nNeg(x) -> (c)\nSplit(c) -> (a, b) axis=0 num_outputs=2\n"
     "Add(b, x) -> (y)\n" END},
    {"not twice the same", "Add", ALL_OF_TWO, "y", NULL, TWO "Add(a, a) -> (y)\nMul(y, b) -> (o)\n"},
    {"two outputs: the norm", NORMS, PAIRS, "y", "a", BOTH NORM "Sub(y, s) -> (o)\n"},
    {"two outputs: the sum", NORMS, PAIRS, "s", "b", BOTH NORM "Sub(y, s) -> (o)\n"},
    {"two outputs, one input", NORMS, HEED_REUSE(0, 0) | HEED_REUSE(1, 0), "s", NULL,
     BOTH NORM "Sub(y, s) -> (o)\n"},
    {"a ninth input has no bit", NORMS, HEED_REUSE(0, 8), "s", NULL,
     BOTH NORM "Sub(y, s) -> (o)\n"},
    {"two outputs, of which nobody reads the first", NORMS,
     HEED_REUSE(0, 0) | HEED_REUSE(1, 0), "s", NULL, BOTH NORM "Neg(s) -> (o)\n"},
};
// clang-format on

/* ---- A plan with kernels of our own -------------------------------------------------------- */

static heed_status no_run(const heed_call *call) { return call ? HEED_INTERNAL : HEED_OK; }

/* Where a value lies: storage and offset of what it is an alias of, at the end. */
static plan_value find(const plan_case *f, const char *name)
{
    const program *p = f->program;
    for (uint32_t i = 0; i < f->stretch->n_values; i++) {
        plan_value v = f->stretch->values[i];
        if (strcmp(p->values[v.local]->name, name) != 0)
            continue;
        while (v.storage == PLAN_ALIAS) {
            uint32_t k = 0;
            while (f->stretch->values[k].local != v.root)
                k++;
            v = f->stretch->values[k];
        }
        return v;
    }
    fail_msg("no value %s", name);
    return (plan_value){0};
}

static void check(const expectation *e)
{
    const heed_kernel kernel = HEED_KERNEL(.op = e->op, .run = no_run, .reuse = e->reuse);
    plan_case f;
    plan_case_open(&f, e->text, e->op, &kernel);
    plan_value y = find(&f, e->value);
    if (e->over) {
        plan_value over = find(&f, e->over);
        if (y.storage != PLAN_ARENA || y.local != over.local)
            fail_msg("%s: %s does not lie in %s", e->name, e->value, e->over);
    } else if (strcmp(f.program->values[y.local]->name, e->value) != 0) {
        fail_msg("%s: %s lies in %s", e->name, e->value, f.program->values[y.local]->name);
    }
    plan_case_close(&f);
}

static void where_it_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++)
        check(&expectations[i]);
}

/* A plugin that was built before the field was there. */
static void short_kernels_have_none(void **state)
{
    (void)state;
    const expectation e = {"short", "Add", 0, "y", NULL, TWO SUM END};
    heed_kernel kernel = HEED_KERNEL(.op = "Add", .run = no_run, .reuse = ALL_OF_TWO);
    plan_case f;
    kernel.size = offsetof(heed_kernel, reuse);
    plan_case_open(&f, e.text, e.op, &kernel);
    assert_string_equal(f.program->values[find(&f, "y").local]->name, "y");
    plan_case_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_it_is_sound),
        cmocka_unit_test(short_kernels_have_none),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
