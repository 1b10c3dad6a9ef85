/* Additive attention (Bahdanau 2015) in many spellings, and what only looks like it. After each the
 * graph keeps its invariants and gives the same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "pass_check.h"

/* The graph has one node heed.AdditiveAttention afterwards, or none. */
static void check(const char *const *graphs, size_t n, unsigned count)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what =
            pass_check_fused("recognise", graphs[i], "heed", "AdditiveAttention", count);
        if (!what)
            continue;
        print_message("%s\n%s\n", graphs[i], what);
        failed++;
    }
    assert_int_equal(failed, 0);
}

#define CHECK(rows, count) check(rows, sizeof(rows) / sizeof(*(rows)), count)

#define IN  "in q float32 [b, s, 6]\nin k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n"
#define ONE "const m1 int64 [1] -1\nconst i1 int64 [1] 1\nconst i2 int64 [1] 2\n"
#define W1  "const w float32 [6] 0.5 -1 2 0.25 -0.75 1.5\n"
#define W2  "const w float32 [6, 1] 0.5 -1 2 0.25 -0.75 1.5\n"
#define SUM                                                                                        \
    "Unsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\nAdd(q4, k4) -> (a)\nTanh(a) -> (e)\n"
#define VALUES "Softmax(z) -> (p) axis=-1\nMatMul(p, v) -> (y)\n"

static void spellings(void **state)
{
    static const char *const rows[] = {
        IN ONE W2 SUM "MatMul(e, w) -> (x)\nSqueeze(x, m1) -> (z)\n" VALUES,
        IN ONE W1 SUM "MatMul(e, w) -> (z)\n" VALUES,
        /* a layer with a bias, keys first */
        IN ONE W2 "const c float32 [1] 3\nUnsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\n"
                  "Add(k4, q4) -> (a)\nTanh(a) -> (e)\nMatMul(e, w) -> (x)\nAdd(x, c) -> (x1)\n"
                  "Squeeze(x1, m1) -> (z)\n" VALUES,
        /* a sum of products; and with no weights at all */
        IN ONE W1 SUM "Mul(w, e) -> (x)\nReduceSum(x, m1) -> (z) keepdims=0\n" VALUES,
        IN ONE SUM "ReduceSum(e, m1) -> (z) keepdims=0\n" VALUES,
        IN ONE W1 SUM "Mul(e, w) -> (x)\nReduceSum(x, m1) -> (x1)\nSqueeze(x1, m1) -> (z)\n" VALUES,
        IN ONE W1 SUM "Einsum(e, w) -> (z) equation='bstd,d->bst'\n" VALUES,
        /* a difference, and what is added inside of the tanh */
        IN ONE W1 "const c float32 [6] 1 2 3 -1 -2 -3\nUnsqueeze(q, i2) -> (q4)\n"
                  "Unsqueeze(k, i1) -> (k4)\nSub(q4, k4) -> (a)\nAdd(a, c) -> (a1)\n"
                  "Tanh(a1) -> (e)\nMatMul(e, w) -> (z)\n" VALUES,
        IN ONE W1 "const c float32 [6] 1 2 3 -1 -2 -3\nin g float32 [b, 1, t, 6]\n"
                  "Unsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\nAdd(k4, c) -> (k5)\n"
                  "Sub(k5, q4) -> (a)\nSub(a, g) -> (a1)\nTanh(a1) -> (e)\n"
                  "MatMul(e, w) -> (z)\n" VALUES,
        /* scaled, then masked */
        IN ONE W1 SUM "in m bool [b, 1, t]\nconst f float32 [] -1e9\nconst h float32 [] 0.5\n"
                      "MatMul(e, w) -> (x)\nMul(x, h) -> (x1)\nWhere(m, x1, f) -> (z)\n" VALUES,
        IN ONE W1 SUM "in m float32 [b, 1, t]\nMatMul(e, w) -> (x)\nAdd(x, m) -> (z)\n" VALUES,
    };
    (void)state;
    CHECK(rows, 1);
}

static void steps(void **state)
{
    static const char *const rows[] = {
        /* one query a sequence: the scores have no axis for it */
        "in q float32 [b, 6]\nin k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n" ONE W1
        "Unsqueeze(q, i1) -> (q3)\nAdd(q3, k) -> (a)\nTanh(a) -> (e)\nMatMul(e, w) -> (s)\n"
        "Softmax(s) -> (p) axis=-1\nUnsqueeze(p, i1) -> (p3)\nMatMul(p3, v) -> (y)\n",
        /* the vector's product comes out as a column, the softmax is over axis 1 */
        "in q float32 [b, 6]\nin k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n" ONE W2
        "Unsqueeze(q, i1) -> (q3)\nAdd(q3, k) -> (a)\nTanh(a) -> (e)\nMatMul(e, w) -> (s)\n"
        "Softmax(s) -> (p) axis=1\nTranspose(p) -> (p3) perm=[0,2,1]\nMatMul(p3, v) -> (y)\n",
        /* the vector on the left */
        "in q float32 [b, 6]\nin k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n" ONE
        "const w float32 [1, 6] 0.5 -1 2 0.25 -0.75 1.5\n"
        "Unsqueeze(q, i1) -> (q3)\nAdd(q3, k) -> (a)\nTanh(a) -> (e)\n"
        "Transpose(e) -> (e3) perm=[0,2,1]\nMatMul(w, e3) -> (s)\n"
        "Softmax(s) -> (p) axis=-1\nMatMul(p, v) -> (y)\n",
        /* several heads, each with a vector */
        "in q float32 [b, s, 12]\nin k float32 [b, t, 12]\nin v float32 [b, t, 12]\nout y\n"
        "const d int64 [4] 0 0 2 6\nconst i2 int64 [1] 2\nconst i3 int64 [1] 3\n"
        "const w float32 [2, 1, 1, 6] 1 2 3 -1 -2 -3 0.5 0.25 -1 1.5 0.75 -2\n"
        "const m1 int64 [1] -1\nReshape(q, d) -> (qr)\nReshape(k, d) -> (kr)\n"
        "Reshape(v, d) -> (vr)\nTranspose(qr) -> (qt) perm=[0,2,1,3]\n"
        "Transpose(kr) -> (kt) perm=[0,2,1,3]\nTranspose(vr) -> (vt) perm=[0,2,1,3]\n"
        "Unsqueeze(qt, i3) -> (q5)\nUnsqueeze(kt, i2) -> (k5)\nAdd(q5, k5) -> (a)\n"
        "Tanh(a) -> (e)\nMul(e, w) -> (x)\nReduceSum(x, m1) -> (z) keepdims=0\n"
        "Softmax(z) -> (p) axis=-1\nMatMul(p, vt) -> (y)\n",
    };
    (void)state;
    CHECK(rows, 1);
}

static void others(void **state)
{
    static const char *const rows[] = {
        /* another function */
        IN ONE W1 "Unsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\nAdd(q4, k4) -> (a)\n"
                  "Sigmoid(a) -> (e)\nMatMul(e, w) -> (z)\n" VALUES,
        /* a product, not a sum */
        IN ONE W1 "Unsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\nMul(q4, k4) -> (a)\n"
                  "Tanh(a) -> (e)\nMatMul(e, w) -> (z)\n" VALUES,
        /* weights that depend on the key */
        IN ONE "in w float32 [b, 1, t, 6]\n" SUM
               "Mul(e, w) -> (x)\nReduceSum(x, m1) -> (z) keepdims=0\n" VALUES,
        /* no queries: a pooling */
        "in k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n" ONE W2
        "const c float32 [6] 1 2 3 -1 -2 -3\nAdd(k, c) -> (a)\nTanh(a) -> (e)\n"
        "MatMul(e, w) -> (s)\nTranspose(s) -> (s1) perm=[0,2,1]\nSoftmax(s1) -> (p) axis=-1\n"
        "MatMul(p, v) -> (y)\n",
        "in k float32 [b, t, 6]\nin v float32 [b, t, 5]\nout y\n" ONE W2
        "const c float32 [1, 1, 6] 1 2 3 -1 -2 -3\nAdd(k, c) -> (a)\nTanh(a) -> (e)\n"
        "MatMul(e, w) -> (s)\nTranspose(s) -> (s1) perm=[0,2,1]\nSoftmax(s1) -> (p) axis=-1\n"
        "MatMul(p, v) -> (y)\n",
        /* a softmax over the channels, before the sum */
        IN ONE W1 SUM "Softmax(e) -> (g) axis=-1\nMatMul(g, w) -> (z)\nMatMul(z, v) -> (y)\n",
        /* bounded */
        IN ONE W1 SUM "const lo float32 [] -1\nconst hi float32 [] 1\nMatMul(e, w) -> (x)\n"
                      "Clip(x, lo, hi) -> (z)\n" VALUES,
    };
    (void)state;
    CHECK(rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(steps),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests_name("passes/additive", tests, NULL, NULL);
}
