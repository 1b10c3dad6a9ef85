/* The share that a sink leaves to the keys, in the spellings that it has, and what only looks
 * alike. */
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

/* Scores of two heads, values, a logit for each head, and the logarithm of the sum. */
#define X                                                                                          \
    "in x float32 [b, 2, s, t]\nin v float32 [b, 2, t, 8]\nout y\nconst l int64 [1] -1\n"          \
    "const k float32 [1, 2, 1, 1] 0.5 -1.25\nconst one float32 [] 1\n"
#define LOG    "ReduceLogSumExp(x, l) -> (g)\n"
#define VALUES "Softmax(x) -> (p)\nMatMul(p, v) -> (o)\n"
#define OUT    "Mul(o, f) -> (y)\n"

static bool is_found(const char *text, unsigned count)
{
    const char *what = pass_check_fused("sinks", text, "", "Slice", count);
    if (what)
        print_message("%s%s\n", text, what);
    return !what;
}

static void spellings(void **state)
{
    static const char *const graphs[] = {
        X LOG VALUES "Sub(g, k) -> (d)\nSigmoid(d) -> (f)\n" OUT,
        /* by the weights */
        X LOG "Softmax(x) -> (p)\nSub(g, k) -> (d)\nSigmoid(d) -> (f)\nMul(f, p) -> (w)\n"
              "MatMul(w, v) -> (y)\n",
        /* exp(l - logaddexp(l, k)), as one sum or by hand */
        X LOG VALUES "const to int64 [4] 2 2 1 1\nShape(g) -> (n)\nExpand(k, n) -> (e)\n"
                     "Concat(g, e) -> (c) axis=-1\nReduceLogSumExp(c, l) -> (a)\n"
                     "Sub(g, a) -> (d)\nExp(d) -> (f)\n" OUT,
        X LOG VALUES "Exp(g) -> (eg)\nExp(k) -> (ek)\nAdd(eg, ek) -> (a)\nLog(a) -> (la)\n"
                     "Sub(g, la) -> (d)\nExp(d) -> (f)\n" OUT,
        /* divided by 1 + exp(k - l) */
        X LOG VALUES "Sub(k, g) -> (d)\nExp(d) -> (e)\nAdd(e, one) -> (a)\nDiv(o, a) -> (y)\n",
        /* the logarithm without its axis, as kernels give it */
        X VALUES "const kb float32 [1, 2, 1] 0.5 -1.25\nReduceLogSumExp(x, l) -> (g) keepdims=0\n"
                 "Sub(g, kb) -> (d)\nSigmoid(d) -> (fb)\nUnsqueeze(fb, l) -> (f)\n" OUT,
        /* the logarithm by hand, with the largest taken out */
        X VALUES
        "ReduceMax(x, l) -> (m)\nSub(x, m) -> (xm)\nExp(xm) -> (e)\nReduceSum(e, l) -> (s)\n"
        "Log(s) -> (ls)\nAdd(ls, m) -> (g)\nSub(g, k) -> (d)\nSigmoid(d) -> (f)\n" OUT,
        /* a sink of 0 for all */
        X LOG VALUES "Sigmoid(g) -> (f)\n" OUT,
    };
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++)
        failed += !is_found(graphs[i], 1);
    assert_int_equal(failed, 0);
}

/* Where all scores are -infinity nobody has a share, and the fused operator knows it. */
static void hidden_rows(void **state)
{
    static const char hides[] =
        "in u float32 [b, 2, 3, t]\nin v float32 [b, 2, t, 8]\nout y\nconst l int64 [1] -1\n"
        "const k float32 [1, 2, 1, 1] 0.5 -1.25\nconst see bool [1, 1, 3, 1] 1 0 1\n"
        "const low float32 [] -inf\nWhere(see, u, low) -> (x)\n" LOG VALUES
        "Sub(g, k) -> (d)\nSigmoid(d) -> (f)\n" OUT;
    /* as this pass leaves it */
    static const char left[] =
        "in q float32 [b, 2, s, 4]\nin c float32 [b, 2, 4, 8]\nin v float32 [b, 2, 8, 8]\nout y\n"
        "in see bool [b, 1, s, 8]\nconst low float32 [] -inf\nconst l int64 [1] -1\n"
        "const k float32 [1, 2, 1, 1] 0.5 -1.25\nconst z int64 [1] 0\nconst n int64 [1] 8\n"
        "MatMul(q, c) -> (u)\nWhere(see, u, low) -> (x)\nReduceMax(x, l) -> (m)\n"
        "Sub(m, m) -> (d)\nAdd(k, d) -> (e)\nConcat(x, e) -> (xe) axis=-1\n"
        "Softmax(xe) -> (pe)\nSlice(pe, z, n, l) -> (p)\nMatMul(p, v) -> (y)\n";
    (void)state;
    assert_true(is_found(hides, 1));
    const char *what = pass_check_attr("recognise", left, "Attention", "empty", "share");
    if (what)
        print_message("%s\n", what);
    assert_null(what);
}

static void others(void **state)
{
    static const char *const graphs[] = {
        /* of other scores */
        X VALUES "Neg(x) -> (z)\nReduceLogSumExp(z, l) -> (g)\nSub(g, k) -> (d)\n"
                 "Sigmoid(d) -> (f)\n" OUT,
        /* along another axis */
        X VALUES "const q int64 [1] 1\nReduceLogSumExp(x, q) -> (g0)\nReduceMax(g0, l) -> (g)\n"
                 "Sub(g, k) -> (d)\nSigmoid(d) -> (f)\n" OUT,
        /* twice as steep; the other way round; the share of the sink */
        X LOG VALUES "const two float32 [] 2\nSub(g, k) -> (d)\nMul(d, two) -> (d2)\n"
                     "Sigmoid(d2) -> (f)\n" OUT,
        X LOG VALUES "Sub(k, g) -> (d)\nSigmoid(d) -> (f)\n" OUT,
        X LOG VALUES "Sub(g, k) -> (d)\nTanh(d) -> (f)\n" OUT,
        /* a gate of each query's own */
        X "in gate float32 [b, 2, s, 1]\n" LOG VALUES
          "Sub(g, gate) -> (d)\nSigmoid(d) -> (f)\n" OUT,
        /* a gate that does not know the scores */
        X VALUES "Sigmoid(k) -> (f)\n" OUT,
        /* somebody else reads the weights */
        X LOG VALUES "Sub(g, k) -> (d)\nSigmoid(d) -> (f)\n" OUT "Neg(p) -> (z)\nout z\n",
    };
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++)
        failed += !is_found(graphs[i], 0);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(hidden_rows),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
