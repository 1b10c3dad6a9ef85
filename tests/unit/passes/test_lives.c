/* What attention reads is kept no longer than it must be: copies, order, and shapes of scores. */
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
    const char *before, *after;
} row;

static void check_rows(const char *passes, const row *rows, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = pass_check(passes, rows[i].before, rows[i].after);
        if (what) {
            print_message("%s\n%s\n", rows[i].before, what);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

#define CHECK(passes, rows) check_rows(passes, rows, sizeof(rows) / sizeof(*(rows)))

/* Four heads of eight channels, of x or of a layer of it. */
#define X     "in x float32 [2, s, 4, 8]\nconst w float32 [8, 8] random\n"
#define HEADS "Abs(x) -> (q)\nTranspose(q) -> (qt) perm=[0,2,1,3]\n"
#define KEYS                                                                                       \
    "Neg(x) -> (k)\nTranspose(k) -> (kt) perm=[0,2,3,1]\nTranspose(k) -> (v) perm=[0,2,1,3]\n"
#define SCORES "MatMul(qt, kt) -> (a)\nSoftmax(a) -> (p)\nMatMul(p, v) -> (y)\n"

static void copies(void **state)
{
    (void)state;
    static const row rows[] = {
        /* a mean of the queries wants them turned, and is there before attention */
        {X HEADS "ReduceMean(qt) -> (m)\n" KEYS SCORES "out y\nout m\n",
         "Abs(x)->q Transpose(q)->qt ReduceMean(qt)->m Neg(x)->k "
         "Attention(qt,k,k,-,-,-,-,-,-)->#* | #* m"},
        /* nobody else does */
        {X HEADS KEYS SCORES "out y\n",
         "Abs(x)->q Neg(x)->k Attention(q,k,k,-,-,-,-,-,-)->#* | #*"},
        /* the queries are read behind attention, so that the copy would be kept beside them */
        {X HEADS "ReduceMean(qt) -> (m)\n" KEYS SCORES "Neg(q) -> (z)\nout y\nout m\nout z\n",
         "Abs(x)->q Transpose(q)->qt ReduceMean(qt)->m Neg(x)->k "
         "Attention(q,k,k,-,-,-,-,-,-)->#* Neg(q)->z | #* m z"},
        /* kernels want channels innermost */
        {X HEADS KEYS "ReduceMean(kt) -> (m)\n" SCORES "out y\nout m\n",
         "Abs(x)->q Neg(x)->k Transpose(k)->kt ReduceMean(kt)->m "
         "Attention(q,k,k,-,-,-,-,-,-)->#* | #* m"},
    };
    CHECK("recognise,dead,turned", rows);
}

#define VALUES "Transpose(l) -> (v) perm=[0,2,1,3]\n"
#define READ                                                                                       \
    "Abs(x) -> (q)\nTranspose(q) -> (qt) perm=[0,2,1,3]\n"                                         \
    "Neg(x) -> (k)\nTranspose(k) -> (kt) perm=[0,2,3,1]\n" SCORES "out y\n"

static void order(void **state)
{
    (void)state;
    static const row rows[] = {
        /* the layer's input is there anyway */
        {X "MatMul(x, w) -> (l)\n" VALUES READ,
         "Abs(x)->q Neg(x)->k MatMul(x,w)->l Attention(q,k,l,-,-,-,-,-,-)->#* | #*"},
        {X "Exp(x) -> (e)\nMatMul(e, w) -> (l)\n" VALUES READ "Neg(e) -> (z)\nout z\n",
         "Exp(x)->e Abs(x)->q Neg(x)->k MatMul(e,w)->l Attention(q,k,l,-,-,-,-,-,-)->#* "
         "Neg(e)->z | #* z"},
        /* it would be kept for the layer */
        {X "Exp(x) -> (e)\nMatMul(e, w) -> (l)\n" VALUES READ,
         "Exp(x)->e MatMul(e,w)->l Abs(x)->q Neg(x)->k Attention(q,k,l,-,-,-,-,-,-)->#* | #*"},
        /* somebody else reads the values before */
        {X "MatMul(x, w) -> (l)\nNeg(l) -> (z)\n" VALUES READ "out z\n",
         "MatMul(x,w)->l Neg(l)->z Abs(x)->q Neg(x)->k Attention(q,k,l,-,-,-,-,-,-)->#* | #* z"},
        /* what is between two layers may be larger than the values */
        {X "const u float32 [8, 90] random\nconst d float32 [90, 8] random\n"
           "MatMul(x, u) -> (h)\nMatMul(h, d) -> (l)\n" VALUES READ,
         "MatMul(x,u)->h MatMul(h,d)->l Abs(x)->q Neg(x)->k "
         "Attention(q,k,l,-,-,-,-,-,-)->#* | #*"},
    };
    CHECK("recognise,dead,late", rows);
}

/* Scores whose shape is read are not computed for that. */
static void shapes(void **state)
{
    (void)state;
    static const row rows[] = {
        {X HEADS KEYS "MatMul(qt, kt) -> (a)\nShape(a) -> (n)\nSoftmax(a) -> (p)\n"
                      "MatMul(p, v) -> (y)\nout y\nout n int64\n",
         "Abs(x)->q Neg(x)->k Shape(x)->#* Shape(x)->#* Concat(=2,=4,#*,#*)->#* "
         "Attention(q,k,k,-,-,-,-,-,-)->#* | #* #*"},
    };
    CHECK("recognise,dead", rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(order),
        cmocka_unit_test(shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
