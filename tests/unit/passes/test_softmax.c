/* A softmax in pieces: many spellings become one, and what only looks like one stays as it is.
 * After each the graph keeps its invariants and gives the same numbers. */
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

typedef struct row {
    const char *graph;
    const char *made; /* what is left is in it; NULL: no softmax */
} row;

static void check_pass(const char *pass, const row *rows, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = pass_check(pass, rows[i].graph, rows[i].made ? rows[i].made : "");
        const char *found = what ? strstr(what, "found") : NULL;
        bool good = rows[i].made ? !what : found && !strstr(found, "Softmax");
        if (good)
            continue;
        print_message("%s\n%s\n", rows[i].graph, what ? what : "nothing is left");
        failed++;
    }
    assert_int_equal(failed, 0);
}

static void check(const row *rows, size_t n) { check_pass("softmax", rows, n); }

#define X     "in x float32 [n, 8]\nout y\nconst l int64 [1] -1\nconst one float32 [] 1\n"
#define SUM   "ReduceSum(e, l) -> (s)\n"
#define MAX   "ReduceMax(x, l) -> (m)\n"
#define POWER "Sub(x, m) -> (d)\nExp(d) -> (e)\n"

static void quotients(void **state)
{
    static const row rows[] = {
        {X "Exp(x) -> (e)\n" SUM "Div(e, s) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s Softmax(x)->#* | #*"},
        {X MAX POWER SUM "Reciprocal(s) -> (r)\nMul(r, e) -> (y)\n",
         "ReduceMax(x,l)->m Sub(x,m)->d Exp(d)->e ReduceSum(e,l)->s Reciprocal(s)->r "
         "Softmax(x)->#* | #*"},
        /* the largest, but at least 0 */
        {X "const z float32 [] 0\n" MAX "Max(z, m) -> (c)\nSub(x, c) -> (d)\nExp(d) -> (e)\n" SUM
           "Div(e, s) -> (y)\n",
         "ReduceMax(x,l)->m Max(z,m)->c Sub(x,c)->d Exp(d)->e ReduceSum(e,l)->s Softmax(x)->#* | "
         "#*"},
        /* axes that go and come back */
        {X "ReduceMax(x, l) -> (m) keepdims=0\nUnsqueeze(m, one_) -> (u)\nSub(x, u) -> (d)\n"
           "const one_ int64 [1] 1\nExp(d) -> (e)\nReduceSum(e, l) -> (s) keepdims=0\n"
           "Unsqueeze(s, one_) -> (t)\nDiv(e, t) -> (y)\n",
         "ReduceMax(x,l)->m Unsqueeze(m,one_)->u Sub(x,u)->d Exp(d)->e ReduceSum(e,l)->s "
         "Unsqueeze(s,one_)->t Softmax(x)->#* | #*"},
        /* powers of 2, a product with ones for a sum */
        {X "const two float32 [] 2\nconst ones float32 [8, 1] 1\nPow(two, x) -> (e)\n"
           "MatMul(e, ones) -> (s)\nDiv(e, s) -> (y)\n",
         "Pow(two,x)->e MatMul(e,ones)->s Mul(x,=0.693147)->#* Softmax(#*)->#* | #*"},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

static void logs(void **state)
{
    static const row rows[] = {
        {X "LogSoftmax(x) -> (g)\nExp(g) -> (y)\n", "LogSoftmax(x)->g Softmax(x)->#* | #*"},
        {X "ReduceLogSumExp(x, l) -> (g)\nSub(x, g) -> (d)\nExp(d) -> (y)\n",
         "ReduceLogSumExp(x,l)->g Sub(x,g)->d Softmax(x)->#* | #*"},
        /* several axes as one */
        {"in x float32 [2, 3, 4]\nout y\nconst l int64 [2] 1 2\nReduceLogSumExp(x, l) -> (g)\n"
         "Sub(x, g) -> (d)\nExp(d) -> (y)\n",
         "ReduceLogSumExp(x,l)->g Sub(x,g)->d Shape(x)->#* Concat(=2,=-1)->#* "
         "Reshape(x,#*)->#* Softmax(#*)->#* Reshape(#*,#*)->#* | #*"},
        {X "Exp(x) -> (e)\n" SUM "Log(s) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s Log(s)->g Sub(x,g)->f Softmax(x)->#* | #*"},
        {X MAX POWER SUM "Log(s) -> (h)\nAdd(m, h) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         "ReduceMax(x,l)->m Sub(x,m)->d Exp(d)->e ReduceSum(e,l)->s Log(s)->h Add(m,h)->g "
         "Sub(x,g)->f Softmax(x)->#* | #*"},
        /* the logarithm of a softmax by hand */
        {X MAX POWER SUM "Log(s) -> (g)\nSub(d, g) -> (f)\nExp(f) -> (y)\n",
         "ReduceMax(x,l)->m Sub(x,m)->d Exp(d)->e ReduceSum(e,l)->s Log(s)->g Sub(d,g)->f "
         "Softmax(x)->#* | #*"},
        /* 0 in place of a largest that is infinite: what the shift is does not matter */
        {X "const z float32 [] 0\nReduceMax(x, l) -> (k)\nIsInf(k) -> (i)\n"
           "Where(i, z, k) -> (m)\n" POWER SUM
           "Log(s) -> (h)\nAdd(h, m) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         "ReduceMax(x,l)->k IsInf(k)->i Where(i,z,k)->m Sub(x,m)->d Exp(d)->e ReduceSum(e,l)->s "
         "Log(s)->h Add(h,m)->g Sub(x,g)->f Softmax(x)->#* | #*"},
        /* another one is added than was subtracted, and one that differs along the axis */
        {X "in m float32 [n, 1]\nin o float32 [n, 1]\n" POWER SUM
           "Log(s) -> (h)\nAdd(h, o) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         NULL},
        {X "in m float32 [n, 8]\n" POWER SUM
           "Log(s) -> (h)\nAdd(h, m) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         NULL},
        {X "in z float32 [n, 8]\nExp(z) -> (e)\n" SUM
           "Log(s) -> (g)\nSub(x, g) -> (f)\nExp(f) -> (y)\n",
         NULL},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

/* Something stands between the powers and the division. */
static void between(void **state)
{
    static const row rows[] = {
        {X "in v float32 [8, 5]\nExp(x) -> (e)\n" SUM "MatMul(e, v) -> (p)\nDiv(p, s) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s MatMul(e,v)->p Softmax(x)->#* MatMul(#*,v)->#* | #*"},
        /* values first; the sum is turned, too */
        {X "in v float32 [5, 8]\nExp(x) -> (e)\n" SUM "Transpose(e) -> (u)\nMatMul(v, u) -> (p)\n"
           "Transpose(s) -> (r)\nDiv(p, r) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s Transpose(e)->u MatMul(v,u)->p Transpose(s)->r "
         "Softmax(x)->#* Transpose(#*)->#* MatMul(v,#*)->#* | #*"},
        /* the sum lacks the axis, and the product is turned so that rows are the last one */
        {X "in v float32 [8, 5]\nExp(x) -> (e)\nReduceSum(e, l) -> (s) keepdims=0\n"
           "MatMul(e, v) -> (p)\nTranspose(p) -> (q)\nDiv(q, s) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s MatMul(e,v)->p Transpose(p)->q Softmax(x)->#* "
         "MatMul(#*,v)->#* Transpose(#*)->#* | #*"},
        /* heads that share a key are rows of the product: the product is cut, and so is the sum */
        {"in x float32 [2, 3, n, 8]\nin v float32 [2, 8, 5]\nout y\nconst l int64 [1] -1\n"
         "const f int64 [3] 2 -1 8\nconst c int64 [4] 2 3 -1 5\nExp(x) -> (e)\n" SUM
         "Reshape(e, f) -> (u)\nMatMul(u, v) -> (p)\nReshape(p, c) -> (q)\nDiv(q, s) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s Reshape(e,f)->u MatMul(u,v)->p Reshape(p,c)->q "
         "Softmax(x)->#* Reshape(#*,f)->#* MatMul(#*,v)->#* Reshape(#*,c)->#* | #*"},
        {X "in w float32 [8]\nExp(x) -> (f)\nMul(w, f) -> (e)\n" SUM "Div(e, s) -> (y)\n",
         "Exp(x)->f Mul(w,f)->e ReduceSum(e,l)->s Softmax(x)->#* Mul(#*,w)->#* "
         "ReduceSum(#*,=1)->#* Div(#*,#*)->#* | #*"},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

#define SINK                                                                                       \
    "Shape(x)->#* Concat(#*,=1)->#* Expand(=0,#*)->#* Concat(x,#*)->#* Softmax(#*)->#* "           \
    "Slice(#*,=0,=8,=1)->#* | #*"
/* The same where the largest was subtracted: it is no number where that is infinite. */
#define TOUCHED                                                                                    \
    "Shape(x)->#* Concat(#*,=1)->#* Expand(=0,#*)->#* ReduceMax(x,=1)->#* Sub(#*,#*)->#* "         \
    "Add(#*,#*)->#* Concat(x,#*)->#* Softmax(#*)->#* Slice(#*,=0,=8,=1)->#* | #*"

/* One more element, of which only the power counts. */
static void one_more(void **state)
{
    static const row rows[] = {
        {X "Exp(x) -> (e)\n" SUM "Add(s, one) -> (t)\nDiv(e, t) -> (y)\n",
         "Exp(x)->e ReduceSum(e,l)->s Add(s,one)->t " SINK},
        {X MAX POWER SUM "Neg(m) -> (k)\nExp(k) -> (o)\nAdd(o, s) -> (t)\nDiv(e, t) -> (y)\n",
         "ReduceMax(x,l)->m Sub(x,m)->d Exp(d)->e ReduceSum(e,l)->s Neg(m)->k Exp(k)->o "
         "Add(o,s)->t " TOUCHED},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

static void others(void **state)
{
    static const row rows[] = {
        /* a sum along another axis, of something else, of squares */
        {X "const o int64 [1] 0\nExp(x) -> (e)\nReduceSum(e, o) -> (s)\nDiv(x, s) -> (y)\n", NULL},
        {X "Exp(x) -> (f)\nAbs(x) -> (e)\n" SUM "Div(f, s) -> (y)\n", NULL},
        {X "Exp(x) -> (e)\nMul(e, e) -> (q)\n" SUM "Div(q, s) -> (y)\n", NULL},
        /* a small number in the divisor of a weighted sum; 1 beside shifted powers that is data */
        {X "in w float32 [8]\nconst t float32 [] 1e-3\nExp(x) -> (f)\nMul(w, f) -> (e)\n" SUM
           "Add(s, t) -> (u)\nDiv(e, u) -> (y)\n",
         NULL},
        {X "in w float32 [n, 1]\nExp(x) -> (e)\n" SUM "Add(s, w) -> (u)\nDiv(e, u) -> (y)\n", NULL},
        /* a shift and no term for it */
        {X MAX POWER SUM "Add(s, one) -> (u)\nDiv(e, u) -> (y)\n", NULL},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

/* Another sum than that of the powers in the product divides it. */
static void late_others(void **state)
{
#define SQUARE                                                                                     \
    "in x float32 [4, 4]\nin v float32 [4, 4]\nout y\nconst l int64 [1] -1\nExp(x) -> (e)\n"
    static const row rows[] = {
        /* by columns */
        {SQUARE SUM "MatMul(e, v) -> (p)\nTranspose(s) -> (r)\nDiv(p, r) -> (y)\n", NULL},
        /* the product sums over the rows */
        {SQUARE SUM "MatMul(v, e) -> (p)\nDiv(p, s) -> (y)\n", NULL},
        /* of other powers; of both operands */
        {SQUARE "Exp(v) -> (o)\nReduceSum(o, l) -> (s)\nMatMul(e, v) -> (p)\nDiv(p, s) -> (y)\n",
         NULL},
        {SQUARE SUM "MatMul(e, e) -> (p)\nDiv(p, s) -> (y)\n", NULL},
        /* without the axis: a number for each column */
        {SQUARE "ReduceSum(e, l) -> (s) keepdims=0\nMatMul(e, v) -> (p)\nDiv(p, s) -> (y)\n", NULL},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

/* A sum over rows where the powers are divided by rows: the axis is the first one then. */
static void other_axis(void **state)
{
    static const row rows[] = {
        {X "const o int64 [1] 0\nExp(x) -> (e)\nReduceSum(e, o) -> (s)\nDiv(e, s) -> (y)\n",
         "Exp(x)->e ReduceSum(e,o)->s Softmax(x)->#* | #*"},
        /* a square whose reshape puts the sum along the other axis */
        {"in x float32 [4, 4]\nout y\nconst o int64 [1] 0\nconst c int64 [2] 4 1\nExp(x) -> (e)\n"
         "ReduceSum(e, o) -> (s)\nReshape(s, c) -> (t)\nDiv(e, t) -> (y)\n",
         NULL},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

/* ---- After a softmax ------------------------------------------------------------------------- */

#define P                                                                                          \
    "in x float32 [n, 8]\nout y\nconst l int64 [1] -1\nconst z float32 [] 0\nSoftmax(x) -> (p)\n"
#define SHARE "Mul(p, m) -> (e)\nReduceSum(e, l) -> (s)\n"
#define B     "in k bool [n, 8]\nCast(k) -> (m) to=1\n"

static void masked_weights(void **state)
{
    static const row rows[] = {
        {B P SHARE "Div(e, s) -> (y)\n",
         "Cast(k)->m Softmax(x)->p Mul(p,m)->e ReduceSum(e,l)->s Cast(m)->#* Where(#*,x,=-inf)->#* "
         "Softmax(#*)->#* | #*"},
        /* nothing counts: 0 instead of NaN */
        {B P SHARE "const one float32 [] 1\nGreater(s, z) -> (g)\nWhere(g, s, one) -> (t)\n"
                   "Div(e, t) -> (d)\nWhere(g, d, z) -> (y)\n",
         "Cast(k)->m Softmax(x)->p Mul(p,m)->e ReduceSum(e,l)->s Greater(s,z)->g Where(g,s,one)->t "
         "Div(e,t)->d Cast(m)->#* Where(#*,x,=-inf)->#* Softmax(#*)->#* IsNaN(#*)->#* "
         "Where(#*,=0,#*)->#* | #*"},
    };
    (void)state;
    check_pass("weights", rows, sizeof(rows) / sizeof(*rows));
}

#define WIDE                                                                                       \
    "Transpose(m)->#* Concat(=8,=1)->#* Mul(v,#*)->#* Expand(#*,#*)->#* Concat(#*,#*)->#* "        \
    "MatMul(p,#*)->#* "

/* Any number for each key goes to the values, and the sum is one more of them. */
static void weighed_keys(void **state)
{
    static const row rows[] = {
        {"in m float32 [1, 8]\nin v float32 [8, 5]\n" P SHARE "Div(e, s) -> (d)\n"
         "MatMul(d, v) -> (y)\n",
         "Softmax(x)->p Mul(p,m)->e ReduceSum(e,l)->s Div(e,s)->d " WIDE
         "Slice(#*,=5,=6,=1)->#* Slice(#*,=0,=5,=1)->#* Div(#*,#*)->#* | #*"},
        {"in m float32 [1, 8]\nin v float32 [8, 5]\nconst t float32 [] 1e-3\n" P SHARE
         "Add(s, t) -> (u)\nDiv(e, u) -> (d)\nMatMul(d, v) -> (y)\n",
         "Softmax(x)->p Mul(p,m)->e ReduceSum(e,l)->s Add(s,t)->u Div(e,u)->d " WIDE
         "Slice(#*,=5,=6,=1)->#* Add(#*,t)->#* Slice(#*,=0,=5,=1)->#* Div(#*,#*)->#* | #*"},
    };
    (void)state;
    check_pass("weights", rows, sizeof(rows) / sizeof(*rows));
}

#define NOT "Not(k) -> (i)\nCast(i) -> (o) to=1\n"

/* x * m + number * (1 - m) */
static void selections(void **state)
{
    static const row rows[] = {
        {B P NOT "Mul(m, p) -> (a)\nMul(z, o) -> (b)\nAdd(a, b) -> (y)\n",
         "Cast(k)->m Softmax(x)->p Not(k)->i Cast(i)->o Mul(m,p)->a Mul(z,o)->b "
         "Where(k,p,=0)->#* | #*"},
        {B X "Sub(one, m) -> (o)\nconst low float32 [] -1e9\nMul(o, low) -> (b)\n"
             "Mul(x, m) -> (a)\nAdd(b, a) -> (s)\nSoftmax(s) -> (p)\nMul(p, m) -> (y)\n",
         "Cast(k)->m Sub(one,m)->o Mul(o,low)->b Mul(x,m)->a Where(k,x,=-1e+09)->#* "
         "Softmax(#*)->p Mul(p,m)->y | y"},
    };
    static const row left[] = {
        /* another condition, the same one twice, data beside weights, scores alone */
        {B P "in w bool [n, 8]\nCast(w) -> (o) to=1\nMul(m, p) -> (a)\nMul(z, o) -> (b)\n"
             "Add(a, b) -> (y)\n",
         ""},
        {B P "Mul(m, p) -> (a)\nMul(z, m) -> (b)\nAdd(a, b) -> (y)\n", ""},
        {B P NOT "Mul(m, p) -> (a)\nMul(x, o) -> (b)\nAdd(a, b) -> (y)\n", ""},
        {B X NOT "const low float32 [] -1e9\nMul(x, m) -> (a)\nMul(low, o) -> (b)\n"
                 "Add(a, b) -> (s)\nSoftmax(s) -> (y)\n",
         ""},
    };
    (void)state;
    check_pass("selection", rows, sizeof(rows) / sizeof(*rows));
    for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
        const char *what = pass_check("selection", left[i].graph, "");
        if (!what || strstr(what, "Where"))
            fail_msg("%s\n%s", left[i].graph, what ? what : "nothing is left");
    }
}

static void finite_weights(void **state)
{
    static const row rows[] = {
        {P "const w float32 [] 7\nIsNaN(p) -> (a)\nWhere(a, z, p) -> (b)\nIsInf(b) -> (c)\n"
           "Greater(b, z) -> (d)\nAnd(d, c) -> (e)\nWhere(e, w, b) -> (y)\n",
         "Softmax(x)->p IsNaN(p)->a Where(a,z,p)->b IsInf(b)->c Greater(b,z)->d And(d,c)->e | b"},
    };
    (void)state;
    check_pass("weights", rows, sizeof(rows) / sizeof(*rows));
}

static void other_weights(void **state)
{
    static const char *const graphs[] = {
        /* numbers for each query and key; a mask over other axes; another sum; another divisor */
        "in m float32 [n, 8]\n" P SHARE "Div(e, s) -> (y)\n",
        "in m float32 [n, 8]\nin v float32 [8, 5]\n" P SHARE "Div(e, s) -> (d)\n"
        "MatMul(d, v) -> (y)\n",
        B P "Mul(p, m) -> (e)\nReduceSum(p, l) -> (s)\nDiv(e, s) -> (y)\n",
        B P SHARE "Add(s, z) -> (t)\nDiv(e, t) -> (y)\n",
        /* infinite scores are no weights */
        P "const w float32 [] 7\nIsInf(x) -> (c)\nWhere(c, w, p) -> (y)\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++) {
        const char *what = pass_check("weights", graphs[i], "");
        if (!what || strchr(what, '#'))
            fail_msg("%s%s", graphs[i], what ? what : "nothing is left");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_weights), cmocka_unit_test(weighed_keys),
        cmocka_unit_test(selections),     cmocka_unit_test(finite_weights),
        cmocka_unit_test(other_weights),  cmocka_unit_test(quotients),
        cmocka_unit_test(logs),           cmocka_unit_test(between),
        cmocka_unit_test(late_others),    cmocka_unit_test(one_more),
        cmocka_unit_test(others),         cmocka_unit_test(other_axis),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
