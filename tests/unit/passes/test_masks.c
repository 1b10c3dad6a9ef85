/* What is proved of masks and biases of attention: the words that the pass writes on the node, for
 * spellings and for mutations that are off by one; and the body gives the graph's own numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pass_check.h"

typedef struct row {
    const char *mask;  /* nodes that make `m`, which is added to the scores */
    const char *proof; /* "": none */
} row;

/* i and j are queries and keys; `pad` is not 0 where a key counts. */
#define HEAD                                                                                       \
    "in q float32 [2, 2, 6, 4]\nin k float32 [2, 2, 4, 6]\nin v float32 [2, 2, 6, 4]\n"            \
    "in pad int64 [2, 1, 1, 6]\nin rows int64 [2, 1, 6, 1]\nin any float32 [2, 2, 6, 6]\n"         \
    "out y\nconst n0 int64 [] 0\nconst n1 int64 [] 1\nconst n2 int64 [] 2\nconst n6 int64 [] 6\n"  \
    "const ax int64 [1] 1\nconst z float32 [] 0\nconst low float32 [] -3.4028235e38\n"             \
    "const weak float32 [] -10000\nRange(n0, n6, n1) -> (j)\nUnsqueeze(j, ax) -> (i)\n"            \
    "Cast(pad) -> (keep) to=9\nWhere(keep, z, low) -> (hole)\n"
#define TAIL                                                                                       \
    "MatMul(q, k) -> (s)\nAdd(s, m) -> (t)\nSoftmax(t) -> (p) axis=-1\nMatMul(p, v) -> (y)\n"

static void check_before(const char *tail, const char *attr, const row *rows, size_t n)
{
    char graph[4000];
    int failed = 0;
    for (size_t r = 0; r < n; r++) {
        snprintf(graph, sizeof(graph), "%s%s%s", HEAD, rows[r].mask, tail);
        const char *what = pass_check_attr("recognise", graph, "Attention", attr, rows[r].proof);
        if (what)
            print_message("%s%s\n", rows[r].mask, what);
        failed += what != NULL;
    }
    assert_int_equal(failed, 0);
}

static void check_attr(const char *attr, const row *rows, size_t n)
{
    check_before(TAIL, attr, rows, n);
}

static void check(const row *rows, size_t n) { check_attr("proof", rows, n); }

static void positions(void **state)
{
    static const row rows[] = {
        {"LessOrEqual(j, i) -> (c)\nWhere(c, z, low) -> (m)\n", "causal: key <= query"},
        {"Less(j, i) -> (c)\nWhere(c, z, low) -> (m)\n", "causal: key <= query - 1"},
        {"Add(i, n1) -> (e)\nLessOrEqual(j, e) -> (c)\nWhere(c, z, low) -> (m)\n",
         "causal: key <= query + 1"},
        {"Add(i, n1) -> (e)\nLess(j, e) -> (c)\nWhere(c, z, low) -> (m)\n", "causal: key <= query"},
        {"Greater(j, i) -> (c)\nWhere(c, low, z) -> (m)\n", "causal: key <= query"},
        /* the other triangle */
        {"LessOrEqual(i, j) -> (c)\nWhere(c, z, low) -> (m)\n", "window: key >= query"},
        {"Less(i, j) -> (c)\nWhere(c, z, low) -> (m)\n", "window: key >= query + 1"},
        /* i - 2 < j <= i */
        {"LessOrEqual(j, i) -> (c)\nSub(i, n2) -> (e)\nLess(e, j) -> (d)\nAnd(c, d) -> (b)\n"
         "Where(b, z, low) -> (m)\n",
         "causal: key <= query; window: key >= query - 1"},
        /* or: nothing is hidden by both */
        {"LessOrEqual(j, i) -> (c)\nLess(i, j) -> (d)\nOr(c, d) -> (b)\nWhere(b, z, low) -> (m)\n",
         "a mask that hides nothing"},
        /* rows and columns of a counter */
        {"Mul(n6, n6) -> (all)\nRange(n0, all, n1) -> (at)\nconst sq int64 [2] 6 6\n"
         "Reshape(at, sq) -> (grid)\nDiv(grid, n6) -> (row)\nMod(grid, n6) -> (column)\n"
         "LessOrEqual(column, row) -> (c)\nWhere(c, z, low) -> (m)\n",
         "causal: key <= query"},
        {"Mul(n6, n6) -> (all)\nRange(n0, all, n1) -> (at)\nconst sq int64 [2] 6 6\n"
         "Reshape(at, sq) -> (grid)\nDiv(grid, n6) -> (row)\nMod(grid, n2) -> (column)\n"
         "LessOrEqual(column, row) -> (c)\nWhere(c, z, low) -> (m)\n",
         ""},
        /* keys of a cache, which all see, before a square that is causal */
        {"const four int64 [] 4\nRange(n0, four, n1) -> (l)\nLessOrEqual(l, i) -> (c)\n"
         "Where(c, z, low) -> (tri)\nconst open float32 [6, 2]\n"
         "Concat(open, tri) -> (m) axis=1\n",
         "causal: key <= query + 2"},
        {"const four int64 [] 4\nRange(n0, four, n1) -> (l)\nLess(l, i) -> (c)\n"
         "Where(c, z, low) -> (tri)\nconst open float32 [6, 2]\n"
         "Concat(open, tri) -> (m) axis=1\n",
         "causal: key <= query + 1"},
        {"const four int64 [] 4\nRange(n0, four, n1) -> (l)\nLessOrEqual(l, i) -> (c)\n"
         "Where(c, z, low) -> (tri)\nconst open float32 [6, 2]\n"
         "Concat(tri, open) -> (m) axis=1\n",
         ""},
        /* every second diagonal */
        {"Sub(i, j) -> (e)\nMod(e, n2) -> (f)\nCast(f) -> (c) to=9\nWhere(c, low, z) -> (m)\n", ""},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

#define CAUSAL "LessOrEqual(j, i) -> (c)\nWhere(c, z, low) -> (tri)\n"
#define WEAK   "LessOrEqual(j, i) -> (c)\nWhere(c, z, weak) -> (tri)\n"

/* Fills that are added up, in whatever order; a row may have no key left. */
static void sums(void **state)
{
    static const row rows[] = {
        {CAUSAL "Add(tri, hole) -> (m)\n", "causal: key <= query; bias for each sequence and key"},
        {CAUSAL "Add(hole, tri) -> (m)\n", "causal: key <= query; bias for each sequence and key"},
        {WEAK "Add(tri, hole) -> (m)\n", "causal: key <= query; bias for each sequence and key"},
        {WEAK "Identity(tri) -> (m)\n", "causal: key <= query"},
        /* one weak fill for what either hides */
        {"LessOrEqual(j, i) -> (c)\nAnd(c, keep) -> (b)\nWhere(b, z, weak) -> (m)\n",
         "causal: key <= query; mask for each sequence and key"},
        {"LessOrEqual(j, i) -> (c)\nAnd(c, keep) -> (b)\nWhere(b, z, weak) -> (x)\n"
         "const weaker float32 [] -20000\nWhere(c, x, weaker) -> (m)\n",
         ""},
        /* less by one key */
        {"Less(j, i) -> (c)\nWhere(c, z, weak) -> (tri)\nAdd(tri, hole) -> (m)\n",
         "causal: key <= query - 1; bias for each sequence and key"},
        /* a bias over all scores stays one */
        {WEAK "Add(tri, any) -> (m)\n",
         "causal: key <= query; bias for each sequence, head, query and key"},
        /* a key that padding hides is as low as one out of bounds: beside a bias nobody knows */
        {"LessOrEqual(j, i) -> (c)\nWhere(c, any, low) -> (x)\nAdd(x, hole) -> (m)\n", ""},
        /* twice the bias out of bounds: no sum with a number */
        {"Add(any, any) -> (two)\nLessOrEqual(j, i) -> (c)\nWhere(c, any, two) -> (m)\n", ""},
        /* the fill depends on the key */
        {WEAK "Cast(pad) -> (f) to=1\nMul(tri, f) -> (m)\n", ""},
        /* a product of fills is a fill only where both are */
        {"LessOrEqual(j, i) -> (c)\nNot(c) -> (d)\nNot(keep) -> (e)\nAnd(d, e) -> (f)\n"
         "Where(f, weak, z) -> (m)\n",
         ""},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

/* What hides whole rows hides no keys. */
static void queries(void **state)
{
    static const row rows[] = {
        {"Cast(rows) -> (r) to=9\nWhere(r, z, low) -> (m)\n", ""},
        {"Cast(rows) -> (r) to=9\nWhere(r, z, low) -> (a)\nAdd(a, hole) -> (m)\n", ""},
        {"LessOrEqual(j, i) -> (c)\nCast(rows) -> (r) to=9\nAnd(c, r) -> (b)\n"
         "Where(b, z, low) -> (m)\n",
         "causal: key <= query; the mask as the graph has it"},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

#define DISTANCE                                                                                   \
    "Sub(j, i) -> (d)\nCast(d) -> (df) to=1\nconst slopes float32 [2, 1, 1] 0.5 0.25\n"            \
    "const table float32 [9, 2] random\nconst n4 int64 [] 4\nNeg(d) -> (e)\n"

/* A function of heads and of how far keys are from queries is one row. */
static void distances(void **state)
{
    static const row rows[] = {
        {DISTANCE "Mul(slopes, df) -> (m)\n", "bias by distance, for each head"},
        {DISTANCE "Abs(d) -> (a)\nCast(a) -> (b) to=1\nMul(b, slopes) -> (c)\nNeg(c) -> (m)\n",
         "bias by distance, for each head"},
        {DISTANCE "Mul(slopes, df) -> (b)\nLessOrEqual(j, i) -> (c)\nWhere(c, b, low) -> (m)\n",
         "causal: key <= query; bias by distance, for each head"},
        {DISTANCE "Mul(slopes, df) -> (b)\nAnd(keep, keep) -> (c)\nWhere(c, b, low) -> (m)\n",
         "mask for each sequence and key; bias by distance, for each head"},
        /* looked up at a distance that is cut off, and at one that is bent */
        {DISTANCE
         "Neg(n4) -> (least)\nMax(d, least) -> (f)\nMin(f, n4) -> (g)\n"
         "Add(g, n4) -> (at)\nGather(table, at) -> (tab)\nTranspose(tab) -> (m) perm=[2,0,1]\n",
         "bias by distance, for each head"},
        {DISTANCE "Abs(d) -> (a)\nCast(a) -> (b) to=1\nconst one float32 [] 1\nAdd(b, one) -> (c)\n"
                  "Log(c) -> (l)\nCast(l) -> (at) to=7\nGather(table, at) -> (tab)\n"
                  "Transpose(tab) -> (m) perm=[2,0,1]\n",
         "bias by distance, for each head"},
        /* of keys alone, of query and key apart, and of the sequence */
        {DISTANCE "Cast(j) -> (f) to=1\nMul(slopes, f) -> (m)\n", ""},
        {DISTANCE "Add(i, j) -> (a)\nCast(a) -> (f) to=1\nMul(slopes, f) -> (m)\n", ""},
        {DISTANCE "Add(d, j) -> (a)\nCast(a) -> (f) to=1\nMul(slopes, f) -> (m)\n", ""},
        {DISTANCE "Mul(slopes, df) -> (b)\nCast(pad) -> (f) to=1\nMul(b, f) -> (m)\n", ""},
        {DISTANCE
         "Min(i, n4) -> (a)\nGather(table, a) -> (tab)\nTranspose(tab) -> (m) perm=[2,0,1]\n",
         ""},
    };
    (void)state;
    check(rows, sizeof(rows) / sizeof(*rows));
}

#define KEEPS                                                                                      \
    "LessOrEqual(j, i) -> (c)\nCast(c) -> (b) to=1\nconst one float32 [] 1\nSub(one, b) -> (d)\n"
#define TRIANGLE                                                                                   \
    "const b float32 [6, 6] 1 0 0 0 0 0 1 1 0 0 0 0 1 1 1 0 0 0 1 1 1 1 0 0 1 1 1 1 1 0 1 1 1 1 "  \
    "1 1\n"
#define HOLES                                                                                      \
    "const b float32 [6, 6] 1 0 0 1 1 1 0 1 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1 1 1 1 1 1 0 1 1 1 1 "  \
    "1 "                                                                                           \
    "1\n"

/* Scores that are multiplied by 0 where a fill is added: the factor goes. 0: it stays. */
static void factors(void **state)
{
    static const char tail[] =
        "MatMul(q, k) -> (s)\nMul(s, b) -> (u)\nAdd(u, m) -> (t)\nSoftmax(t) -> (p) axis=-1\n"
        "MatMul(p, v) -> (y)\n";
    static const row rows[] = {
        {KEEPS "Mul(d, weak) -> (m)\n", "1"},
        {KEEPS "Mul(d, low) -> (m)\n", "1"},
        {KEEPS "Not(c) -> (e)\nCast(e) -> (f) to=1\nMul(f, weak) -> (m)\n", "1"},
        {KEEPS "Mul(d, weak) -> (e)\nAdd(hole, e) -> (m)\n", "1"},
        {KEEPS "Mul(d, weak) -> (e)\nAdd(e, any) -> (m)\n", "1"},
        {TRIANGLE "LessOrEqual(j, i) -> (c)\nWhere(c, z, weak) -> (m)\n", "1"},
        /* what hides is no bound, and smaller than both tensors */
        {"Cast(keep) -> (b) to=1\nWhere(keep, z, weak) -> (m)\n", "1"},
        {"LessOrEqual(j, i) -> (c)\nAnd(c, keep) -> (a)\nCast(a) -> (b) to=1\n"
         "Where(a, z, weak) -> (m)\n",
         "1"},
        /* no bound at all: one constant says what the other says */
        {HOLES
         "const m float32 [1, 1, 6, 6] 0 -9 -9 0 0 0 -9 0 0 0 0 0 0 0 0 -9 0 0 0 0 0 0 0 0 0 0 "
         "0 0 0 -9 0 0 0 0 0 0\n",
         "1"},
        {HOLES "const one float32 [] 1\nSub(one, b) -> (d)\nMul(d, weak) -> (m)\n", "1"},
        {HOLES
         "const m float32 [1, 1, 6, 6] 0 -9 -9 0 0 0 -9 0 0 0 0 0 0 0 0 -9 0 0 0 0 0 0 0 0 0 0 "
         "0 0 0 0 0 0 0 0 0 0\n",
         "0"},
        {HOLES
         "const m float32 [1, 1, 6, 6] 0 -9 -9 0 0 0 -8 0 0 0 0 0 0 0 0 -9 0 0 0 0 0 0 0 0 0 0 "
         "0 0 0 -9 0 0 0 0 0 0\n",
         "0"},
        /* another triangle, another number, -infinity, or none at all */
        {KEEPS "Less(j, i) -> (e)\nWhere(e, z, weak) -> (m)\n", "0"},
        {KEEPS "Where(c, weak, z) -> (m)\n", "0"},
        {"LessOrEqual(j, i) -> (c)\nconst half float32 [] 0.5\nWhere(c, half, z) -> (b)\n"
         "Where(c, z, weak) -> (m)\n",
         "0"},
        {KEEPS "const inf float32 [] -inf\nWhere(c, z, inf) -> (m)\n", "0"},
        {KEEPS "Identity(any) -> (m)\n", "0"},
        {"Cast(pad) -> (b) to=1\nWhere(keep, z, weak) -> (m)\n", "0"},
    };
    (void)state;
    check_before(tail, "fill_zeroed", rows, sizeof(rows) / sizeof(*rows));
}

/* A part of a bigger table, of as many queries and keys as there are. */
static void factor_of_a_table(void **state)
{
    static const char before[] =
        "in q float32 [?, 2, s, 4]\nin kp float32 [?, 2, 4, p]\nin kn float32 [?, 2, 4, s]\n"
        "in vp float32 [?, 2, p, 4]\nin vn float32 [?, 2, s, 4]\nout y\nconst rows int64 [1] 2\n"
        "const columns int64 [1] 3\nconst zero int64 [1] 0\nconst one float32 [] 1\n"
        "const weak float32 [] -10000\nconst table float32 [1, 1, 12, 12]";
    static const char after[] =
        "\nConcat(kp, kn) -> (k) axis=3\nConcat(vp, vn) -> (v) axis=2\nMatMul(q, k) -> (s)\n"
        "Shape(s) -> (queries) start=2 end=3\nShape(s) -> (keys) start=3\n"
        "Sub(keys, queries) -> (past)\nSlice(table, past, keys, rows) -> (some)\n"
        "Slice(some, zero, keys, columns) -> (b)\nSub(one, b) -> (d)\nMul(d, weak) -> (m)\n"
        "Mul(s, b) -> (u)\nAdd(u, m) -> (x)\nSoftmax(x) -> (p) axis=-1\nMatMul(p, v) -> (y)\n";
    static const char *const expected[][2] = {{"proof", "causal: key <= query + p"},
                                              {"fill_zeroed", "1"}};
    char graph[2000], table[12 * 12 * 2 + 1];
    (void)state;
    for (size_t i = 0; i < 12 * 12; i++)
        snprintf(table + 2 * i, 3, " %d", i % 12 <= i / 12);
    snprintf(graph, sizeof(graph), "%s%s%s", before, table, after);
    for (size_t i = 0; i < 2; i++) {
        const char *what =
            pass_check_attr("recognise", graph, "Attention", expected[i][0], expected[i][1]);
        assert_string_equal(what ? what : "", "");
    }
}

#define SEGMENTS                                                                                   \
    "in ids int64 [2, 6]\nin others int64 [2, 6]\nconst a1 int64 [2] 1 2\nconst a2 int64 [2] 1 "   \
    "3\n"                                                                                          \
    "Unsqueeze(ids, a1) -> (of_keys)\nUnsqueeze(ids, a2) -> (of_queries)\n"                        \
    "Unsqueeze(others, a1) -> (strange)\n"

/* Names, which are claimed only where they hold. */
static void names(void **state)
{
    static const row rows[] = {
        {DISTANCE "Mul(slopes, df) -> (m)\n", "alibi"},
        {DISTANCE "Cast(j) -> (f) to=1\nMul(slopes, f) -> (m)\n", "alibi"},
        {DISTANCE "Mul(df, df) -> (f)\nMul(slopes, f) -> (m)\n", "relative-position-bias"},
        {DISTANCE
         "Neg(n4) -> (least)\nMax(d, least) -> (f)\nMin(f, n4) -> (g)\n"
         "Add(g, n4) -> (at)\nGather(table, at) -> (tab)\nTranspose(tab) -> (m) perm=[2,0,1]\n",
         "relative-position-bias"},
        {"const tab float32 [2, 6, 6] random\nIdentity(tab) -> (m)\n", "constant-bias"},
        {"Identity(any) -> (m)\n", "input-bias"},
        {"Identity(hole) -> (m)\n", "padding"},
        /* a prefix that all see */
        {"Less(j, n2) -> (a)\nLessOrEqual(j, i) -> (b)\nOr(a, b) -> (c)\nWhere(c, z, low) -> (m)\n",
         "prefix-lm"},
        {"Less(j, n2) -> (a)\nLessOrEqual(j, i) -> (b)\nAnd(a, b) -> (c)\n"
         "Where(c, z, low) -> (m)\n",
         "causal,padding"},
        {SEGMENTS "Equal(of_keys, of_queries) -> (c)\nWhere(c, z, low) -> (m)\n", "block-diagonal"},
        {SEGMENTS "Sub(of_queries, of_keys) -> (e)\nCast(e) -> (c) to=9\nWhere(c, low, z) -> (m)\n",
         "block-diagonal"},
        {SEGMENTS "Equal(strange, of_queries) -> (c)\nWhere(c, z, low) -> (m)\n", ""},
        {SEGMENTS "Equal(of_keys, of_queries) -> (c)\nWhere(c, low, z) -> (m)\n", ""},
        {"Div(j, n2) -> (a)\nDiv(i, n2) -> (b)\nEqual(a, b) -> (c)\nWhere(c, z, low) -> (m)\n",
         "block-diagonal"},
        {"const tab float32 [4, 4] 0 0 -9 -9 0 0 -9 -9 -9 -9 0 0 -9 -9 0 0\nconst pads int64 [4] 0 "
         "0 2 "
         "2\n"
         "Pad(tab, pads, z) -> (m)\n",
         ""},
        {"const tab float32 [6, 6] 0 -9 -9 -9 -9 -9 -9 0 0 0 -9 -9 -9 0 0 0 -9 -9 -9 0 0 0 -9 -9 "
         "-9 -9 -9 -9 0 0 -9 -9 -9 -9 0 0\nIdentity(tab) -> (m)\n",
         "block-diagonal"},
        {"const tab float32 [6, 6] 0 -9 -9 -9 -9 -9 -9 0 0 0 -9 -9 -9 0 0 0 -9 -9 -9 0 0 0 -9 -9 "
         "-9 -9 -9 -9 0 0 0 -9 -9 -9 0 0\nIdentity(tab) -> (m)\n",
         "constant-bias"},
    };
    (void)state;
    check_attr("mask_kinds", rows, sizeof(rows) / sizeof(*rows));
}

/* Extents without a name are the same where one tensor was made of the other's shape. */
static void extents_without_names(void **state)
{
    (void)state;
    static const char graph[] =
        "in q float32 [?, 2, ?, 4]\nin k float32 [?, 2, 4, ?]\nin v float32 [?, 2, ?, 4]\n"
        "out y\nconst one float32 [] 1\nconst z float32 [] 0\nconst low float32 [] -inf\n"
        "MatMul(q, k) -> (s)\nShape(s) -> (of) start=2\nExpand(one, of) -> (ones)\n"
        "Trilu(ones) -> (tri) upper=0\nCast(tri) -> (seen) to=9\nWhere(seen, z, low) -> (m)\n"
        "Add(s, m) -> (t)\nSoftmax(t) -> (p) axis=-1\nMatMul(p, v) -> (y)\n";
    const char *what =
        pass_check_attr("recognise", graph, "Attention", "proof", "causal: key <= query");
    assert_string_equal(what ? what : "", "");
}

/* The number that hides is a tensor as large as the scores: a sum of expanded ones and of truths.
 */
static void fills_that_are_computed(void **state)
{
    (void)state;
    static const char graph[] =
        "in q float32 [1, 2, 5, 4]\nin k float32 [1, 2, 4, n]\nin v float32 [1, 2, n, 4]\n"
        "out y\nconst none float32 [1] 0\nconst low float32 [1] -1e9\nin w bool [5, n]\n"
        "MatMul(q, k) -> (s)\nShape(s) -> (of)\nExpand(low, of) -> (lows)\n"
        "Expand(none, of) -> (zeros)\nCast(zeros) -> (no) to=9\nCast(no) -> (nos) to=1\n"
        "Add(zeros, nos) -> (more)\nAdd(s, more) -> (s2)\nAdd(lows, more) -> (l2)\n"
        "Where(w, s2, l2) -> (t)\nSoftmax(t) -> (p) axis=-1\nMatMul(p, v) -> (y)\n";
    const char *what = pass_check_fused("recognise", graph, "heed", "Attention", 1);
    assert_string_equal(what ? what : "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions),
        cmocka_unit_test(extents_without_names),
        cmocka_unit_test(sums),
        cmocka_unit_test(queries),
        cmocka_unit_test(distances),
        cmocka_unit_test(names),
        cmocka_unit_test(factors),
        cmocka_unit_test(factor_of_a_table),
        cmocka_unit_test(fills_that_are_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
