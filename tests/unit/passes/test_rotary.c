/* The pass that finds rotary embeddings: spellings that it must find, and their neighbours that
 * mean something else and must stay. Each graph gives the same bits before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "pass_check.h"

typedef struct row {
    const char *text;
    unsigned found;
} row;

static void check_rows(const char *pass, const row *rows, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what =
            pass_check_fused(pass, rows[i].text, "heed", "RotaryEmbedding", rows[i].found);
        if (what) {
            print_message("%s\n%s\n", rows[i].text, what);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

#define CHECK(pass, rows) check_rows(pass, rows, sizeof(rows) / sizeof(*(rows)))

/* x [b, heads, s, 8] and tables; bounds for slices of its last axis. */
#define IN                                                                                         \
    "in x float32 [b, 2, s, 8]\nout y\nconst last int64 [1] 3\nconst zero int64 [1] 0\n"           \
    "const half int64 [1] 4\nconst end int64 [1] 99\nconst one int64 [1] 1\n"                      \
    "const two int64 [1] 2\nconst five int64 [1] 5\nconst three int64 [1] 3\n"
#define WIDE     IN "in c float32 [b, 1, s, 8]\nin d float32 [b, 1, s, 8]\n"
#define NARROW   IN "in c float32 [s, 4]\nin d float32 [s, 4]\n"
#define PARTS    "Slice(x, zero, half, last) -> (a)\nSlice(x, half, end, last) -> (b)\n"
#define EVEN_ODD "Slice(x, zero, end, last, two) -> (a)\nSlice(x, one, end, last, two) -> (b)\n"
#define ROTATED  "Neg(b) -> (n)\nConcat(n, a) -> (r) axis=-1\n"
#define SUM      "Mul(x, c) -> (p)\nMul(r, d) -> (q)\nAdd(p, q) -> (y)\n"

static void halves(void **state)
{
    (void)state;
    static const row rows[] = {
        {WIDE PARTS ROTATED SUM, 1},
        {WIDE "Split(x) -> (a, b) axis=3 num_outputs=2\n" ROTATED
              "Mul(c, x) -> (p)\nMul(d, r) -> (q)\nAdd(q, p) -> (y)\n",
         1},
        /* the parts turn one by one, by half the angles */
        {NARROW PARTS "Mul(a, c) -> (p)\nMul(b, d) -> (q)\nSub(p, q) -> (u)\nMul(b, c) -> (r)\n"
                      "Mul(a, d) -> (t)\nAdd(r, t) -> (v)\nConcat(u, v) -> (y) axis=3\n",
         1},
        /* as a difference of negated products */
        {NARROW PARTS "Mul(a, c) -> (p)\nNeg(d) -> (m)\nMul(b, m) -> (q)\nAdd(p, q) -> (u)\n"
                      "Mul(b, c) -> (r)\nMul(a, m) -> (t)\nSub(r, t) -> (v)\n"
                      "Concat(u, v) -> (y) axis=3\n",
         1},
        /* halves as rows of a matrix, signs from a constant */
        {WIDE "const t int64 [5] 0 0 0 2 4\nconst k int64 [2] 1 0\nconst f int64 [4] 0 0 0 8\n"
              "const g float32 [8] -1 -1 -1 -1 1 1 1 1\nReshape(x, t) -> (m)\n"
              "Gather(m, k) -> (w) axis=3\nReshape(w, f) -> (z)\nMul(z, g) -> (r)\n" SUM,
         1},
        /* somebody else reads the rotated half: still right */
        {WIDE "out z\n" PARTS ROTATED SUM "Exp(r) -> (z)\n", 1},
    };
    CHECK("rotary", rows);
}

static void other_meanings(void **state)
{
    (void)state;
    static const row rows[] = {
        /* the sign is on the other half */
        {WIDE PARTS "Neg(a) -> (n)\nConcat(b, n) -> (r) axis=-1\n" SUM, 0},
        {WIDE PARTS "Concat(b, a) -> (r) axis=-1\n" SUM, 0},
        {WIDE PARTS ROTATED "Mul(x, c) -> (p)\nMul(r, d) -> (q)\nSub(p, q) -> (y)\n", 0},
        /* the halves are not swapped */
        {WIDE PARTS "Neg(a) -> (n)\nConcat(n, b) -> (r) axis=-1\n" SUM, 0},
        /* parts of 5 and 3 channels */
        {WIDE "Slice(x, zero, five, last) -> (a)\nSlice(x, five, end, last) -> (b)\n" ROTATED SUM,
         0},
        {WIDE "Slice(x, one, five, last) -> (a)\nSlice(x, half, end, last) -> (b)\n" ROTATED SUM,
         0},
        /* another axis */
        {"in x float32 [b, 2, 8, 8]\nout y\nin c float32 [b, 1, 8, 8]\nin d float32 [b, 1, 8, 8]\n"
         "Split(x) -> (a, b) axis=2 num_outputs=2\nNeg(b) -> (n)\nConcat(n, a) -> (r) axis=2\n" SUM,
         0},
        /* cosine and sine change places in one part */
        {NARROW PARTS "Mul(a, c) -> (p)\nMul(b, d) -> (q)\nSub(p, q) -> (u)\nMul(b, d) -> (r)\n"
                      "Mul(a, c) -> (t)\nAdd(r, t) -> (v)\nConcat(u, v) -> (y) axis=3\n",
         0},
        /* another value is rotated */
        {WIDE "Exp(x) -> (e)\nSplit(e) -> (a, b) axis=3 num_outputs=2\n" ROTATED SUM, 0},
    };
    CHECK("rotary", rows);
}

static void neighbours(void **state)
{
    (void)state;
    static const row rows[] = {
        /* stacked and flattened */
        {WIDE EVEN_ODD "Neg(b) -> (n)\nconst m int64 [1] -1\nconst f int64 [4] 0 0 0 8\n"
                       "Unsqueeze(n, m) -> (n1)\nUnsqueeze(a, m) -> (a1)\n"
                       "Concat(n1, a1) -> (st) axis=-1\nReshape(st, f) -> (r)\n" SUM,
         1},
        /* complex multiplication */
        {NARROW "const t int64 [5] 0 0 0 4 2\nconst re int64 [] 0\nconst im int64 [] 1\n"
                "const m int64 [1] -1\nconst f int64 [4] 0 0 0 8\nReshape(x, t) -> (z)\n"
                "Gather(z, re) -> (a) axis=4\nGather(z, im) -> (b) axis=-1\n"
                "Mul(a, c) -> (p)\nMul(b, d) -> (q)\nSub(p, q) -> (u)\nMul(a, d) -> (r)\n"
                "Mul(b, c) -> (v)\nAdd(r, v) -> (w)\nUnsqueeze(u, m) -> (u1)\n"
                "Unsqueeze(w, m) -> (w1)\nConcat(u1, w1) -> (st) axis=-1\nReshape(st, f) -> (y)\n",
         1},
        /* even and odd channels in halves: what turns is the value with its channels so ordered */
        {WIDE "const t int64 [5] 0 0 0 4 2\nconst f int64 [4] 0 0 0 8\nReshape(x, t) -> (z)\n"
              "Transpose(z) -> (zt) perm=[0,1,2,4,3]\nReshape(zt, f) -> (o)\n"
              "Split(o) -> (a, b) axis=3 num_outputs=2\n" ROTATED
              "Mul(o, c) -> (p)\nMul(r, d) -> (q)\nAdd(p, q) -> (y)\n",
         1},
        /* stacked the wrong way round */
        {WIDE EVEN_ODD "Neg(b) -> (n)\nconst m int64 [1] -1\nconst f int64 [4] 0 0 0 8\n"
                       "Unsqueeze(n, m) -> (n1)\nUnsqueeze(a, m) -> (a1)\n"
                       "Concat(a1, n1) -> (st) axis=-1\nReshape(st, f) -> (r)\n" SUM,
         0},
        /* pairs taken apart as neighbours, put together as halves */
        {WIDE EVEN_ODD ROTATED SUM, 0},
    };
    CHECK("rotary", rows);
}

#define TURNED6                                                                                    \
    IN "in c float32 [s, 6]\nin d float32 [s, 6]\nconst six int64 [1] 6\n"                         \
       "const seven int64 [1] 7\nSlice(x, zero, six, last) -> (h)\n"                               \
       "Split(h) -> (a, b) axis=3 num_outputs=2\n" ROTATED                                         \
       "Mul(h, c) -> (p)\nMul(r, d) -> (q)\nAdd(p, q) -> (u)\n"

static void partial(void **state)
{
    (void)state;
    static const row rows[] = {
        /* a second one, for all of x, takes the place of the first */
        {TURNED6 "Slice(x, six, end, last) -> (v)\nConcat(u, v) -> (y) axis=-1\n", 2},
        /* the rest is not the rest */
        {TURNED6 "Slice(x, zero, two, last) -> (v)\nConcat(u, v) -> (y) axis=-1\n", 1},
        {TURNED6 "Slice(x, six, end, last) -> (v)\nConcat(v, u) -> (y) axis=-1\n", 1},
        {TURNED6 "Slice(x, six, end, last) -> (v)\nExp(v) -> (w)\nConcat(u, w) -> (y) axis=-1\n",
         1},
        /* parts that turn one by one, and the rest behind them */
        {IN "in c float32 [s, 3]\nin d float32 [s, 3]\nconst six int64 [1] 6\n"
            "Slice(x, zero, three, last) -> (a)\nSlice(x, three, six, last) -> (b)\n"
            "Slice(x, six, end, last) -> (v)\nMul(a, c) -> (p)\nMul(b, d) -> (q)\n"
            "Sub(p, q) -> (u)\nMul(b, c) -> (r)\nMul(a, d) -> (t)\nAdd(r, t) -> (w)\n"
            "Concat(u, w, v) -> (y) axis=3\n",
         1},
    };
    CHECK("rotary", rows);
}

#define TABLES "const c float32 [9, 4] random\nconst d float32 [9, 4] random\n"
#define AT     "const at int64 [2, 3] 0 5 2 -1 8 3\n"

static void tables(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [2, 3, 3, 8]\nout y\n" TABLES AT "RotaryEmbedding(x, c, d, at) -> (y)\n", 1},
        {"in x float32 [2, 3, 16]\nout y\n" TABLES AT
         "RotaryEmbedding(x, c, d, at) -> (y) num_heads=2 interleaved=1\n",
         1},
        {"in x float32 [2, 3, 24]\nout y\n" TABLES AT
         "RotaryEmbedding(x, c, d, at) -> (y) num_heads=2 rotary_embedding_dim=8\n",
         1},
        {"in x float32 [2, 3, 16]\nout y\n" TABLES AT "RotaryEmbedding(x, c, d, at) -> (y)\n", 1},
        {"in x float32 [2, 4, 3, 8]\nout y\nin c float32 [1, 3, 4]\nin d float32 [1, 3, 4]\n"
         "RotaryEmbedding(x, c, d) -> (y)\n",
         1},
    };
    CHECK("rotary-tables", rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves),  cmocka_unit_test(other_meanings), cmocka_unit_test(neighbours),
        cmocka_unit_test(partial), cmocka_unit_test(tables),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
