/* The pass that joins products of one value: what it joins, and what must stay apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "pass_check.h"

#define IN                                                                                         \
    "in x float32 [2, n, 4]\nout y\nconst v float32 [4, 3] random\n"                               \
    "const w float32 [4, 5] random\nconst b float32 [3] random\nconst c float32 [5] random\n"
#define TWO "out z\n"
#define G   "in x float32 [n, 4]\nout y\nout z\nconst b float32 [3] random\n"

typedef struct row {
    const char *text;
    unsigned found;
} row;

// clang-format off
static const row rows[] = {
    {IN TWO "MatMul(x, v) -> (y)\nMatMul(x, w) -> (z)\n", 1},
    {IN TWO "MatMul(x, v) -> (p)\nMatMul(x, w) -> (z)\nAdd(p, b) -> (y)\n", 1},
    {IN TWO "MatMul(x, v) -> (p)\nAdd(b, p) -> (y)\nMatMul(x, w) -> (q)\nAdd(q, c) -> (z)\n", 1},
    {IN "MatMul(x, v) -> (p)\nAdd(p, b) -> (y)\n", 1},
    {"in x float32 [n, 4]\nout y\nout z\nconst v float32 [4, 3] random\n"
     "const b float32 [3] random\nGemm(x, v, b) -> (y)\nMatMul(x, v) -> (z)\n", 1},
    /* weights as Gemm may have them; not with the others in one node */
    {G "const v float32 [3, 4] random\nconst u float32 [3, 4] random\n"
     "Gemm(x, v, b) -> (y) transB=1\nGemm(x, u) -> (z) transB=1\n", 1},
    {G "const v float32 [3, 4] random\nconst u float32 [4, 3] random\n"
     "Gemm(x, v, b) -> (y) transB=1\nGemm(x, u, b) -> (z)\n", 0},
    /* between them: a sum over what was read last there, a view, shapes */
    {IN TWO "MatMul(x, v) -> (p)\nTanh(p) -> (y)\nMatMul(x, w) -> (z)\n", 1},
    {IN TWO "const s int64 [1] -1\nMatMul(x, v) -> (p)\nReshape(p, s) -> (y)\n"
     "MatMul(x, w) -> (z)\n", 1},
    {IN TWO "out s\nMatMul(x, v) -> (y)\nShape(x) -> (s)\nMatMul(x, w) -> (z)\n", 1},
    /* what takes memory, or sets the first result free before the second is there */
    {IN TWO "MatMul(x, v) -> (p)\nTranspose(p) -> (y) perm=[0,2,1]\nMatMul(x, w) -> (z)\n", 0},
    {IN TWO "MatMul(x, v) -> (p)\nReduceMax(p) -> (y)\nMatMul(x, w) -> (z)\n", 0},
    {IN TWO "out e\nMatMul(x, v) -> (y)\nExp(x) -> (e)\nMatMul(x, w) -> (z)\n", 0},
    /* one without a bias stays */
    {IN "MatMul(x, v) -> (y)\n", 0},
    /* of different values */
    {IN TWO "Exp(x) -> (e)\nMatMul(x, v) -> (y)\nMatMul(e, w) -> (z)\n", 0},
    /* the product is read twice: it is there with the bias and without */
    {IN TWO "MatMul(x, v) -> (p)\nAdd(p, b) -> (y)\nExp(p) -> (z)\n", 0},
    {IN TWO "MatMul(x, v) -> (z)\nAdd(z, b) -> (y)\n", 0},
    /* what is added is no bias */
    {IN "const k float32 [2, 1, 3] random\nMatMul(x, v) -> (p)\nAdd(p, k) -> (y)\n", 0},
    {IN "const k float32 [1] 2\nMatMul(x, v) -> (p)\nAdd(p, k) -> (y)\n", 0},
    {IN "in k float32 [3]\nMatMul(x, v) -> (p)\nAdd(p, k) -> (y)\n", 0},
    {IN "MatMul(x, v) -> (p)\nSub(p, b) -> (y)\n", 0},
    /* an input's default is no constant */
    {IN TWO "in m float32 [4, 5]\nconst m float32 [4, 5] random\nMatMul(x, m) -> (z)\n"
     "MatMul(x, v) -> (y)\n", 0},
    /* the other operand */
    {"in x float32 [3, 4]\nout y\nout z\nconst v float32 [4, 3] random\n"
     "const w float32 [4, 3] random\nMatMul(x, v) -> (y)\nMatMul(w, x) -> (z)\n", 0},
    {"in x float32 [n, 4]\nout y\nconst v float32 [4, 3] random\nconst b float32 [3] random\n"
     "Gemm(x, v, b) -> (y) alpha=2.0\n", 0},
    /* attention stands between them */
    {IN TWO "MatMul(x, v) -> (p)\nSoftmax(p) -> (y)\nMatMul(x, w) -> (z)\n", 0},
    /* in a branch; the weights are outside */
    {IN "in t bool []\nIf(t) -> (y)\n{ then_branch\nMatMul(x, v) -> (p)\nAdd(p, b) -> (q)\n"
     "MatMul(x, v) -> (r)\nMul(q, r) -> (s)\nout s\n}\n{ else_branch\nMatMul(x, v) -> (u)\n"
     "out u\n}\n", 1},
};
// clang-format on

static void joins(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *what =
            pass_check_fused("projections", rows[i].text, "heed", "Projections", rows[i].found);
        if (what) {
            print_message("%s\n%s\n", rows[i].text, what);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(joins)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
