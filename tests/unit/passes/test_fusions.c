/* Activations and norms in pieces: many spellings become one node, and what only looks like one
 * stays as it is. After each the graph keeps its invariants and gives the same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "pass_check.h"

/* Every graph becomes what `made` lists. */
static void all_become(const char *pass, const char *made, const char *const *graphs, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = pass_check(pass, graphs[i], made);
        if (what) {
            print_message("%s\n%s\n", graphs[i], what);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* No graph has a node of the operator afterwards: what the listing says begins otherwise. */
static void none_becomes(const char *pass, const char *op, const char *const *graphs, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = pass_check(pass, graphs[i], "");
        const char *found = what ? strstr(what, "found") : NULL;
        if (!found || strstr(found, op)) {
            print_message("%s\n%s\n", graphs[i], what ? what : "nothing is left");
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

#define N(graphs) graphs, sizeof(graphs) / sizeof(*(graphs))

#define X    "in x float32 [n, 8]\nout y\n"
#define HALF "const h float32 [] 0.5\nconst one float32 [] 1\n"
#define ROOT "const r float32 [] 1.41421354\n"

/* ---- Activations ---------------------------------------------------------------------------- */

static void gelu_by_erf(void **state)
{
    static const char *const graphs[] = {
        X HALF ROOT "Div(x, r) -> (a)\nErf(a) -> (e)\nAdd(e, one) -> (p)\nMul(x, p) -> (m)\n"
                    "Mul(m, h) -> (y)\n",
        X HALF ROOT "Mul(x, h) -> (m)\nDiv(x, r) -> (a)\nErf(a) -> (e)\nAdd(one, e) -> (p)\n"
                    "Mul(m, p) -> (y)\n",
        /* 1 / sqrt(2) by a product; the half on the gate */
        X HALF "const r float32 [1] 0.70710677\nMul(r, x) -> (a)\nErf(a) -> (e)\n"
               "Add(e, one) -> (p)\nMul(p, h) -> (g)\nMul(g, x) -> (y)\n",
        /* a sum of two products, and a division by 2 */
        X HALF ROOT "const two float32 [] 2\nDiv(x, r) -> (a)\nErf(a) -> (e)\nMul(x, e) -> (p)\n"
                    "Add(p, x) -> (s)\nDiv(s, two) -> (y)\n",
        /* 1 - erf(-x / sqrt(2)) */
        X HALF ROOT "Neg(x) -> (n)\nDiv(n, r) -> (a)\nErf(a) -> (e)\nSub(one, e) -> (p)\n"
                    "Mul(x, p) -> (m)\nMul(m, h) -> (y)\n",
    };
    (void)state;
    all_become("gelu", "Gelu(x)->#* | #*", N(graphs));
}

static void gelu_by_tanh(void **state)
{
#define C X HALF "const k float32 [] 0.044715\nconst s float32 [] 0.7978845608\n"
    static const char *const graphs[] = {
        C "const three float32 [] 3\nPow(x, three) -> (c)\nMul(c, k) -> (d)\nAdd(x, d) -> (i)\n"
          "Mul(i, s) -> (j)\nTanh(j) -> (t)\nAdd(t, one) -> (p)\nMul(x, h) -> (m)\n"
          "Mul(m, p) -> (y)\n",
        C "Mul(x, x) -> (b)\nMul(b, x) -> (c)\nMul(k, c) -> (d)\nAdd(d, x) -> (i)\n"
          "Mul(s, i) -> (j)\nTanh(j) -> (t)\nAdd(one, t) -> (p)\nMul(p, x) -> (m)\n"
          "Mul(m, h) -> (y)\n",
        /* s x (1 + k x^2) */
        C "Mul(x, x) -> (b)\nMul(b, k) -> (c)\nAdd(c, one) -> (d)\nMul(x, s) -> (e)\n"
          "Mul(e, d) -> (j)\nTanh(j) -> (t)\nMul(t, h) -> (u)\nAdd(u, h) -> (p)\n"
          "Mul(x, p) -> (y)\n",
    };
    (void)state;
    all_become("gelu", "Gelu(x)->#* | #*", N(graphs));
#undef C
}

static void no_gelu(void **state)
{
    static const char *const graphs[] = {
        /* another root, another half */
        X HALF "const r float32 [] 1.4\nDiv(x, r) -> (a)\nErf(a) -> (e)\nAdd(e, one) -> (p)\n"
               "Mul(x, p) -> (m)\nMul(m, h) -> (y)\n",
        X ROOT "const h float32 [] 0.4\nconst one float32 [] 1\nDiv(x, r) -> (a)\nErf(a) -> (e)\n"
               "Add(e, one) -> (p)\nMul(x, p) -> (m)\nMul(m, h) -> (y)\n",
        /* two variables; a second reader; a row of constants */
        "in z float32 [n, 8]\n" X HALF ROOT
        "Div(x, r) -> (a)\nErf(a) -> (e)\nAdd(e, one) -> (p)\nMul(z, p) -> (m)\nMul(m, h) -> (y)\n",
        "out e\n" X HALF ROOT "Div(x, r) -> (a)\nErf(a) -> (e)\nAdd(e, one) -> (p)\n"
        "Mul(x, p) -> (m)\nMul(m, h) -> (y)\n",
        X HALF "const r float32 [8] 1.41421354\nDiv(x, r) -> (a)\nErf(a) -> (e)\n"
               "Add(e, one) -> (p)\nMul(x, p) -> (m)\nMul(m, h) -> (y)\n",
        /* x^2 for x^3, and another 0.044715 */
        X HALF "const k float32 [] 0.044715\nconst s float32 [] 0.79788456\nMul(x, x) -> (b)\n"
               "Mul(b, k) -> (d)\nAdd(x, d) -> (i)\nMul(i, s) -> (j)\nTanh(j) -> (t)\n"
               "Add(t, one) -> (p)\nMul(x, p) -> (m)\nMul(m, h) -> (y)\n",
        X HALF "const k float32 [] 0.0454\nconst s float32 [] 0.79788456\nMul(x, x) -> (b)\n"
               "Mul(b, x) -> (c)\nMul(c, k) -> (d)\nAdd(x, d) -> (i)\nMul(i, s) -> (j)\n"
               "Tanh(j) -> (t)\nAdd(t, one) -> (p)\nMul(x, p) -> (m)\nMul(m, h) -> (y)\n",
    };
    (void)state;
    none_becomes("gelu", "Gelu", N(graphs));
}

static void sigmoid_gates(void **state)
{
    static const char *const silu[] = {
        X "Sigmoid(x) -> (s)\nMul(x, s) -> (y)\n",
        X "const one float32 [] 1\nNeg(x) -> (n)\nExp(n) -> (e)\nAdd(one, e) -> (d)\n"
          "Div(x, d) -> (y)\n",
        X HALF "Mul(x, h) -> (a)\nTanh(a) -> (t)\nAdd(t, one) -> (p)\nMul(p, a) -> (y)\n",
    };
    static const char *const quick[] = {
        X "const k float32 [] 1.702\nMul(x, k) -> (a)\nSigmoid(a) -> (s)\nMul(s, x) -> (y)\n",
        X "const k float32 [] -1.702\nconst one float32 [] 1\nMul(x, k) -> (a)\nExp(a) -> (e)\n"
          "Add(e, one) -> (d)\nReciprocal(d) -> (r)\nMul(x, r) -> (y)\n",
    };
    static const char *const none[] = {
        /* e^x / (1 + e^x) overflows for large x, which a sigmoid does not */
        X "const one float32 [] 1\nExp(x) -> (e)\nAdd(one, e) -> (d)\nDiv(e, d) -> (s)\n"
          "Mul(x, s) -> (y)\n",
        X "const o float32 [] 0.1\nAdd(x, o) -> (a)\nSigmoid(a) -> (s)\nMul(x, s) -> (y)\n",
        X "Sigmoid(x) -> (s)\nMul(s, s) -> (y)\n",
        /* half of what has a curve in it, which is x sigmoid(0 x) */
        X HALF "Sigmoid(x) -> (s)\nMul(s, h) -> (y)\n",
    };
    (void)state;
    all_become("silu", "Swish(x)->#* | #*", N(silu));
    all_become("quick_gelu", "Swish(x)->#* | #*", N(quick));
    none_becomes("silu", "Swish", N(none));
    none_becomes("quick_gelu", "Swish", N(none));
    none_becomes("silu", "Swish", N(quick));
}

static void other_curves(void **state)
{
    static const char *const mish[] = {
        X "Softplus(x) -> (s)\nTanh(s) -> (t)\nMul(x, t) -> (y)\n",
        X "const one float32 [] 1\nExp(x) -> (e)\nAdd(e, one) -> (a)\nLog(a) -> (s)\n"
          "Tanh(s) -> (t)\nMul(t, x) -> (y)\n",
    };
    static const char *const hard[] = {
        X "const three float32 [] 3\nconst zero float32 [] 0\nconst six float32 [] 6\n"
          "Add(x, three) -> (a)\nClip(a, zero, six) -> (c)\nMul(x, c) -> (m)\nDiv(m, six) -> (y)\n",
        X "HardSigmoid(x) -> (s) alpha=0.16666667 beta=0.5\nMul(x, s) -> (y)\n",
    };
    static const char *const none[] = {
        X "HardSigmoid(x) -> (s)\nMul(x, s) -> (y)\n", /* 0.2 x + 0.5 */
    };
    (void)state;
    all_become("mish", "Mish(x)->#* | #*", N(mish));
    all_become("hard_swish", "HardSwish(x)->#* | #*", N(hard));
    none_becomes("hard_swish", "HardSwish", N(none));
}

static void half_types(void **state)
{
    static const char *const graphs[] = {
        "in x float16 [n, 8]\nout y\nCast(x) -> (w) to=1\nSigmoid(w) -> (s)\nMul(w, s) -> (m)\n"
        "Cast(m) -> (y) to=10\n",
        "in x bfloat16 [n, 8]\nout y\nSigmoid(x) -> (s)\nMul(x, s) -> (y)\n",
    };
    (void)state;
    all_become("silu", "Swish(x)->#* | #*", N(graphs));
}

/* ---- Norms ----------------------------------------------------------------------------------- */

#define LAST "const l int64 [1] -1\nconst e float32 [] 1e-5\nconst two float32 [] 2\n"
#define W    "const w float32 [8] random\n"
#define WB   W "const b float32 [8] random\n"
#define MEAN "ReduceMean(x, l) -> (m)\nSub(x, m) -> (d)\n"

static void layer_norms(void **state)
{
    static const char *const graphs[] = {
        X LAST WB MEAN "Pow(d, two) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\n"
                       "Sqrt(s) -> (r)\nDiv(d, r) -> (z)\nMul(z, w) -> (g)\nAdd(g, b) -> (y)\n",
        X LAST WB MEAN "Mul(d, d) -> (q)\nReduceMean(q, l) -> (v)\nAdd(e, v) -> (s)\n"
                       "Sqrt(s) -> (r)\nReciprocal(r) -> (i)\nMul(i, d) -> (z)\nMul(w, z) -> (g)\n"
                       "Add(b, g) -> (y)\n",
        /* a power of -1/2 */
        X LAST WB MEAN "const p float32 [] -0.5\nMul(d, d) -> (q)\nReduceMean(q, l) -> (v)\n"
                       "Add(v, e) -> (s)\nPow(s, p) -> (i)\nMul(d, i) -> (z)\nMul(z, w) -> (g)\n"
                       "Add(g, b) -> (y)\n",
        /* the weight in the factor, the mean behind */
        X LAST WB MEAN "Mul(d, d) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\n"
                       "Sqrt(s) -> (r)\nReciprocal(r) -> (i)\nMul(i, w) -> (f)\nMul(x, f) -> (a)\n"
                       "Mul(m, f) -> (c)\nSub(b, c) -> (k)\nAdd(a, k) -> (y)\n",
        /* the mean of squares less the squared mean */
        X LAST WB "ReduceMean(x, l) -> (m)\nMul(x, x) -> (xx)\nReduceMean(xx, l) -> (s2)\n"
                  "Mul(m, m) -> (mm)\nSub(s2, mm) -> (v)\nSub(x, m) -> (d)\nAdd(v, e) -> (s)\n"
                  "Sqrt(s) -> (r)\nDiv(d, r) -> (z)\nMul(z, w) -> (g)\nAdd(g, b) -> (y)\n",
        /* sums over 8, and axes that come back */
        X LAST WB "const k float32 [] 8\nReduceSum(x, l) -> (t) keepdims=0\nDiv(t, k) -> (u)\n"
                  "Unsqueeze(u, l) -> (m)\nSub(x, m) -> (d)\nReduceSumSquare(d, l) -> (q)\n"
                  "Div(q, k) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(d, r) -> (z)\n"
                  "Mul(z, w) -> (g)\nAdd(g, b) -> (y)\n",
    };
    static const char *const plain[] = {
        X LAST W MEAN
        "Mul(d, d) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\n"
        "Div(d, r) -> (z)\nMul(z, w) -> (y)\n",
    };
    (void)state;
    all_become("layer_norm", "LayerNormalization(x,w,b)->#* | #*", N(graphs));
    all_become("layer_norm", "LayerNormalization(x,w)->#* | #*", N(plain));
}

static void rms_norms(void **state)
{
    static const char *const graphs[] = {
        X LAST W "Pow(x, two) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\n"
                 "Div(x, r) -> (z)\nMul(z, w) -> (y)\n",
        X LAST W "const one float32 [] 1\nMul(x, x) -> (q)\nReduceMean(q, l) -> (v)\n"
                 "Add(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(one, r) -> (i)\nMul(x, i) -> (z)\n"
                 "Mul(w, z) -> (y)\n",
    };
    static const char *const half[] = {
        "in x float16 [n, 8]\nout y\nconst w float16 [8] random\n" LAST
        "Cast(x) -> (f) to=1\nMul(f, f) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\n"
        "Sqrt(s) -> (r)\nReciprocal(r) -> (i)\nMul(f, i) -> (z)\nCast(z) -> (c) to=10\n"
        "Mul(w, c) -> (y)\n",
    };
    (void)state;
    all_become("rms_norm", "RMSNormalization(x,w)->#* | #*", N(graphs));
    all_become("rms_norm", "RMSNormalization(x,w)->#* | #*", N(half));
}

static void no_norms(void **state)
{
    static const char *const graphs[] = {
        /* epsilon behind the root; none at all but a floor */
        X LAST WB MEAN "Mul(d, d) -> (q)\nReduceMean(q, l) -> (v)\nSqrt(v) -> (r)\n"
                       "Add(r, e) -> (s)\nDiv(d, s) -> (y)\n",
        X LAST WB MEAN "Mul(d, d) -> (q)\nReduceMean(q, l) -> (v)\nMax(v, e) -> (s)\n"
                       "Sqrt(s) -> (r)\nDiv(d, r) -> (y)\n",
        /* the deviation by n - 1 */
        X LAST WB MEAN "const k float32 [] 7\nMul(d, d) -> (q)\nReduceSum(q, l) -> (t)\n"
                       "Div(t, k) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(d, r) -> (y)\n",
        /* other axes: of the mean, of the squares */
        "in x float32 [4, 8]\nout y\nconst o int64 [1] 0\n" LAST
        "ReduceMean(x, o) -> (m)\nSub(x, m) -> (d)\nMul(d, d) -> (q)\nReduceMean(q, l) -> (v)\n"
        "Add(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(x, r) -> (z)\nMul(z, d) -> (y)\n",
        "in x float32 [4, 8]\nout y\nconst o int64 [1] 0\n" LAST
        "Mul(x, x) -> (q)\nReduceMean(q, o) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\n"
        "Div(x, r) -> (y)\n",
        /* epsilon for each column; a second reader of the squares */
        X "const l int64 [1] -1\nconst e float32 [8] 1e-5 1e-4\nMul(x, x) -> (q)\n"
          "ReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(x, r) -> (y)\n",
        "out q\n" X LAST "Mul(x, x) -> (q)\nReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\n"
        "Sqrt(s) -> (r)\nDiv(x, r) -> (y)\n",
        /* a negative epsilon; the fourth power */
        X "const l int64 [1] -1\nconst e float32 [] -1e-5\nMul(x, x) -> (q)\n"
          "ReduceMean(q, l) -> (v)\nAdd(v, e) -> (s)\nSqrt(s) -> (r)\nDiv(x, r) -> (y)\n",
        X LAST "Mul(x, x) -> (q)\nMul(q, q) -> (qq)\nReduceMean(qq, l) -> (v)\nAdd(v, e) -> (s)\n"
               "Sqrt(s) -> (r)\nDiv(x, r) -> (y)\n",
    };
    (void)state;
    none_becomes("layer_norm", "Normalization", N(graphs));
    none_becomes("rms_norm", "Normalization", N(graphs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_by_erf),  cmocka_unit_test(gelu_by_tanh),
        cmocka_unit_test(no_gelu),      cmocka_unit_test(sigmoid_gates),
        cmocka_unit_test(other_curves), cmocka_unit_test(half_types),
        cmocka_unit_test(layer_norms),  cmocka_unit_test(rms_norms),
        cmocka_unit_test(no_norms),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
