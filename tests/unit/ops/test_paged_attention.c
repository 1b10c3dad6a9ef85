/* heed.PagedAttention by values that can be told without a computer: queries of 0 look at all
 * visible keys alike, so that a result is a mean of values; and what is refused. Two sequences: the
 * first has two tokens in page 2 and gets a third, in page 0; the second gets two, in page 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define TYPES(type, more)                                                                          \
    "in q float32 [b, h, t, d]\nin k float32 [b, g, t, d]\nin v float32 [b, g, t, e]\n"            \
    "in kp " type " [p, g, 2, d]\nin vp " type " [p, g, 2, e]\nin s int32 [m]\nin n int32 [r]\n"   \
    "in tb int32 [r, c]\n" more
#define PAGED(more, inputs, attrs)                                                                 \
    TYPES("float32", more) "out y\nout w\n"                                                        \
    "PagedAttention(q, k, v, kp, vp, s, n, tb" inputs ") -> (y, , w) " attrs " heed\n"
#define TOKENS "[[[[0][0][0]]]]; [[[[1][1][1]]]]; [[[[3][6][8]]]]; "
#define PAGES "[[[[0][0]]][[[0][0]]][[[5][5]]]]; [[[[0][0]]][[[0][0]]][[[1][2]]]]; "
#define PLACES "[0 1 3]; [2 0]; [[2 0][1 0]]"
#define WRITTEN "; [[[[3][0]]][[[6][8]]][[[1][2]]]]"

static const value_text_case values[] = {
    {"two sequences", PAGED("", "", ""), TOKENS PAGES PLACES, "[[[[2][6][7]]]]" WRITTEN},
    {"a window", PAGED("", "", "left_window=1"), TOKENS PAGES PLACES,
     "[[[[2.5][6][7]]]]" WRITTEN},
    {"a sink", PAGED("in z float32 [h]\n", ", z", ""), TOKENS PAGES PLACES "; [0]",
     "[[[[1.5][3][4.66667]]]]" WRITTEN},
    {"a sequence without tokens", PAGED("", "", ""), TOKENS PAGES "[0 1 1 3]; [2 2 0]; "
     "[[2 0][2 0][1 0]]", "[[[[2][6][7]]]]" WRITTEN},
    {"a page that was not given is not read", PAGED("", "", ""), TOKENS PAGES
     "[0 1 3]; [2 0]; [[2 0][1 -1]]", "[[[[2][6][7]]]]" WRITTEN},
    {"tokens first", TYPES("float32", "") "out y\nPagedAttention(q, k, v, kp, vp, s, n, tb) -> (y) "
     "q_layout='bshd' k_layout='bshd' v_layout='bshd' y_layout='bshd' heed\n",
     "[[[[0]][[0]][[0]]]]; [[[[1]][[1]][[1]]]]; [[[[3]][[6]][[8]]]]; " PAGES PLACES,
     "[[[[2]][[6]][[7]]]]"},
    {"pages of int8", TYPES("int8", "in ks float32 [p, g, 2]\nin vs float32 [p, g, 2]\n")
     "out y\nout w\nout x\nPagedAttention(q, k, v, kp, vp, s, n, tb, , ks, vs) -> (y, , w, , x) "
     "heed\n", TOKENS "[[[[0][0]]][[[0][0]]][[[5][5]]]]; "
     "[[[[0][0]]][[[0][0]]][[[1][2]]]]; " PLACES
     "; [[[0 0]][[0 0]][[1 1]]]; [[[0 0]][[0 0]][[1 1]]]",
     "[[[[2][6][7]]]]; [[[[127][0]]][[[127][127]]][[[1][2]]]]; "
     "[[[0.023622 0]][[0.0472441 0.0629921]][[1 1]]]"},
    {"a bias by key hides the first two",
     PAGED("in b float32 [h, x]\n", ", , , , b", "bias_by='key'"),
     TOKENS PAGES PLACES "; [[-1e9 -1e9 0 0]]", "[[[[3][6][7]]]]" WRITTEN},
    {"a bias by distance hides all but the last", PAGED("in b float32 [h, x]\n", ", , , , b", ""),
     TOKENS PAGES PLACES "; [[-1e9 -1e9 -1e9 0]]", "[[[[3][6][8]]]]" WRITTEN},
    {"two heads of a page", PAGED("", "", ""),
     "[[[[0][0][0]][[0][0][0]]]]; [[[[1][1][1]][[1][1][1]]]]; [[[[3][6][8]][[30][60][80]]]]; "
     "[[[[0][0]][[0][0]]][[[0][0]][[0][0]]][[[5][5]][[5][5]]]]; "
     "[[[[0][0]][[0][0]]][[[0][0]][[0][0]]][[[1][2]][[10][20]]]]; " PLACES,
     "[[[[2][6][7]][[20][60][70]]]]; "
     "[[[[3][0]][[30][0]]][[[6][8]][[60][80]]][[[1][2]][[10][20]]]]"},
    {"two heads read one", PAGED("", "", ""),
     "[[[[0][0][0]][[0][0][0]]]]; [[[[1][1][1]]]]; [[[[3][6][8]]]]; " PAGES PLACES,
     "[[[[2][6][7]][[2][6][7]]]]" WRITTEN},
};

static const value_text_case refused[] = {
    {"two batches", "in q float32 [2, h, t, d]\nin k float32 [2, g, t, d]\nin v float32 [2, g, t, e]\n"
     "in kp float32 [p, g, 2, d]\nin vp float32 [p, g, 2, e]\nin s int32 [m]\nin n int32 [r]\n"
     "in tb int32 [r, c]\nout y\nPagedAttention(q, k, v, kp, vp, s, n, tb) -> (y) heed\n",
     "[[[[0]]][[[0]]]]; [[[[1]]][[[1]]]]; [[[[3]]][[[3]]]]; " PAGES PLACES, "! one batch"},
    {"int8 without scales", TYPES("int8", "") "out y\n"
     "PagedAttention(q, k, v, kp, vp, s, n, tb) -> (y) heed\n",
     TOKENS PAGES PLACES, "! scales with pages of int8"},
    {"a layout that is none", TYPES("float32", "") "out y\n"
     "PagedAttention(q, k, v, kp, vp, s, n, tb) -> (y) q_layout='bsh' heed\n",
     TOKENS PAGES PLACES, "! a layout of the letters"},
};
// clang-format on

static void tokens_give_what_they_should(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(values, sizeof(values) / sizeof(*values)), 0);
}

static void refused_give_what_they_should(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(refused, sizeof(refused) / sizeof(*refused)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_give_what_they_should),
        cmocka_unit_test(refused_give_what_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
