/* The attention operators of com.microsoft, by values that can be told without a computer: queries
 * of 0 look at all visible keys alike, so that a result is a mean of values. Random cases are in
 * tests/onnx/contrib. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define MULTI(more, inputs, attrs)                                                                 \
    "in q float32 [b, s, c]\nin k float32 [b, t, c]\nin v float32 [b, t, e]\n" more "out y\n"      \
    "MultiHeadAttention(q, k, v" inputs ") -> (y) com.microsoft num_heads=1 " attrs "\n"
#define ZEROS "[[[0][0][0]]]; [[[1][2][3]]]; [[[3][6][9]]]"
#define PADDING "in m int32 [b, t]\n"

static const value_text_case masks[] = {
    {"no mask", MULTI("", "", ""), ZEROS, "[[[6][6][6]]]"},
    {"causal", MULTI("", "", "unidirectional=1"), ZEROS, "[[[3][4.5][6]]]"},
    {"padding", MULTI(PADDING, ", , m", ""), ZEROS "; [[0 1 1]]", "[[[7.5][7.5][7.5]]]"},
    {"all is padding", MULTI(PADDING, ", , m", ""), ZEROS "; [[0 0 0]]", "[[[6][6][6]]]"},
    {"causal hides more than padding", MULTI(PADDING, ", , m", "unidirectional=1"),
     ZEROS "; [[0 0 1]]", "[[[3][4.5][9]]]"},
    {"the lowest filter hides as causal does",
     MULTI(PADDING, ", , m", "unidirectional=1 mask_filter_value=-3.4028234663852886e38"),
     ZEROS "; [[0 0 1]]", "[[[6][6][9]]]"},
    {"lengths", MULTI("in m int32 [b]\n", ", , m", ""), ZEROS "; [2]", "[[[4.5][4.5][4.5]]]"},
    {"starts that are not used", MULTI("in m int32 [five]\n", ", , m", ""), ZEROS "; [1 0 3 0 3]",
     "[[[3][3][3]]]"},
    {"ends and starts, if there are so many", MULTI("in m int32 [two]\n", ", , m", ""),
     ZEROS "; [2 1]", "[[[6][6][6]]]"},
    {"a mask for each query", MULTI("in m int32 [b, s, t]\n", ", , m", ""),
     ZEROS "; [[[1 0 0][0 1 0][0 1 1]]]", "[[[3][6][7.5]]]"},
    {"by positions", MULTI("in m int32 [b, 1, n, n]\n", ", , m", ""),
     ZEROS "; [[[[1 0 0 0][0 1 0 0][0 1 1 0][0 0 0 1]]]]", "[[[3][6][7.5]]]"},
};

#define SHARED                                                                                     \
    "in q float32 [b, s, c]\nin k float32 [b, t, c]\nin v float32 [b, t, e]\n"                     \
    "in pk float32 [b, 1, p, c]\nin pv float32 [b, 1, p, e]\nin n int32 [1]\nout y\nout w\n"       \
    "MultiHeadAttention(q, k, v, , , , pk, pv, n) -> (y, , w) com.microsoft num_heads=1\n"
#define BEAMS                                                                                      \
    "in q float32 [b, 1, 1]\nin k float32 [b, 1, 1]\nin v float32 [b, 1, 1]\n"                     \
    "in pk float32 [b, 1, p, 1]\nin pv float32 [b, 1, p, 1]\nin n int32 [1]\n"                     \
    "in w int32 [1]\nin i int32 [g, w, p]\nout y\n"                                                \
    "DecoderMaskedMultiHeadAttention(q, k, v, , , pk, pv, n, w, i) -> (y) com.microsoft "          \
    "num_heads=1 past_present_share_buffer=1\n"

static const value_text_case caches[] = {
    {"a buffer with room", SHARED,
     "[[[0]]]; [[[1]]]; [[[8]]]; [[[[1][1][1]]]]; [[[[4][100][200]]]]; [1]",
     "[[[6]]]; [[[[4][8][200]]]]"},
    {"a buffer without", SHARED,
     "[[[0]]]; [[[1]]]; [[[8]]]; [[[[1]]]]; [[[[4]]]]; [1]", "! in a cache of 1"},
    {"beams read from each other", BEAMS,
     "[[[0]][[0]]]; [[[1]][[1]]]; [[[3]][[6]]]; [[[[1][1]]][[[1][1]]]]; "
     "[[[[9][0]]][[[12][0]]]]; [1]; [2]; [[[1 0][0 0]]]", "[[[7.5]][[7.5]]]"},
};

#define GROUPED(more, inputs, attrs)                                                               \
    "in q float32 [b, s, c]\nin k float32 [b, s, d]\nin v float32 [b, s, d]\n"                     \
    "in pk float32 [b, 1, p, d]\nin pv float32 [b, 1, p, d]\nin n int32 [b]\nin t int32\n" more    \
    "out y\nout w\nGroupQueryAttention(q, k, v, pk, pv, n, t" inputs ") -> (y, , w) "              \
    "com.microsoft num_heads=1 kv_num_heads=1 " attrs "\n"
#define STEP "[[[0]]]; [[[1]]]; [[[8]]]; [[[[1][1][1]]]]; "

static const value_text_case groups[] = {
    {"a cache with room", GROUPED("", "", ""), STEP "[[[[4][100][200]]]]; [1]; 2",
     "[[[6]]]; [[[[4][8][200]]]]"},
    {"a cache that grows", GROUPED("", "", ""), STEP "[[[[4][6][2]]]]; [3]; 4",
     "[[[5]]]; [[[[4][6][2][8]]]]"},
    {"a window counts the token itself", GROUPED("", "", "local_window_size=2"),
     STEP "[[[[4][6][2]]]]; [3]; 4", "[[[5]]]; [[[[4][6][2][8]]]]"},
    {"a smooth softmax", GROUPED("", "", "smooth_softmax=1"), STEP "[[[[4][100][200]]]]; [1]; 2",
     "[[[4]]]; [[[[4][8][200]]]]"},
    {"a cache of a window", GROUPED("", "", "local_window_size=2 sliding_window_cache=1"),
     STEP "[[[[4][6][2]]]]; [3]; 4", "[[[5]]]; [[[[2][8][8]]]]"},
    {"a window that is none",
     GROUPED("", "", "local_window_size=-9223372036854775808 sliding_window_cache=1"),
     STEP "[[[[4][6][2]]]]; [3]; 4", "! cannot hold a window"},
    {"a total far beyond all tokens", GROUPED("", "", ""), STEP "[[[[4][6][2]]]]; [1]; 2147483647",
     "[[[6]]]; [[[[4][8][2][0]]]]"},
    {"a length below zero", GROUPED("", "", ""), STEP "[[[[4][6][2]]]]; [-9]; 2",
     "[[[0]]]; [[[[8][6][2]]]]"},
    {"no tables", GROUPED("", "", "do_rotary=1"), STEP "[[[[4][6][2]]]]; [1]; 2",
     "! do_rotary needs cos_cache"},
};

#define PAGED                                                                                      \
    "in q float32 [t, c]\nin k float32 [t, c]\nin v float32 [t, c]\n"                              \
    "in kc float32 [n, m, 1, c]\nin vc float32 [n, m, 1, c]\nin sums int32 [u]\n"                  \
    "in past int32 [b]\nin table int32 [b, w]\nin slots int32 [t]\nout y\nout z\n"                 \
    "PagedAttention(q, k, v, kc, vc, sums, past, table, , , slots) -> (y, , z) com.microsoft "     \
    "num_heads=1 kv_num_heads=1\n"
#define PADDED                                                                                     \
    "in x float32 [b, s, h]\nin n int32 [b]\nout y\nout o\nout c\nout m\n"                         \
    "RemovePadding(x, n) -> (y, o, c, m) com.microsoft\n"

static const value_text_case tokens[] = {
    {"pages", PAGED, "[[0][0]]; [[1][1]]; [[8][3]]; [[[[0]][[0]]][[[0]][[0]]]]; "
     "[[[[4]][[0]]][[[0]][[0]]]]; [0 1 2]; [1 0]; [[0 -1][1 -1]]; [1 2]",
     "[[6][3]]; [[[[4]][[8]]][[[3]][[0]]]]"},
    {"a write that is skipped", PAGED, "[[0][0]]; [[1][1]]; [[8][3]]; [[[[0]][[0]]][[[0]][[0]]]]; "
     "[[[[4]][[2]]][[[0]][[0]]]]; [0 1 2]; [1 0]; [[0 -1][1 -1]]; [-1 2]",
     "[[3][3]]; [[[[4]][[2]]][[[3]][[0]]]]"},
    {"a slot out of range", PAGED, "[[0]]; [[1]]; [[8]]; [[[[0]]]]; [[[[4]]]]; [0 1]; [0]; [[0]]; [7]",
     "! index"},
    {"sums that do not cover the tokens", PAGED,
     "[[0]]; [[1]]; [[8]]; [[[[0]]]]; [[[[4]]]]; [0 0]; [0]; [[0]]; [0]", "! index"},
    {"padding goes", PADDED, "[[[1][2]][[3][4]]]; [1 2]", "[[1][3][4]]; [[0 2][3 1]]; [0 1 3]; [2]"},
    {"nothing is left", PADDED, "[[[1][2]][[3][4]]]; [0 0]", "[]; [[0 1][2 3]]; [0 0 0]; [0]"},
    {"counts are known", "in x float32 [b, s, h]\nconst n int32 [2] 1 2\nout y\nout o\nout c\nout m\n"
     "RemovePadding(x, n) -> (y, o, c, m) com.microsoft\n", "[[[1][2]][[3][4]]]",
     "[[1][3][4]]; [[0 2][3 1]]; [0 1 3]; [2]"},
    {"padding comes back", "in x float32 [t, h]\nin o int32 [b, s]\nout y\n"
     "RestorePadding(x, o) -> (y) com.microsoft\n", "[[1][3][4]]; [[0 2][3 1]]", "[[[1][0]][[3][4]]]"},
    {"padding out of range", "in x float32 [t, h]\nin o int32 [b, s]\nout y\n"
     "RestorePadding(x, o) -> (y) com.microsoft\n", "[[1][3]]; [[0 9]]", "! index"},
};

#define REFUSED(attrs)                                                                             \
    "in q float32 [b, s, c]\nout y\n"                                                              \
    "MultiHeadAttention(q, q, q) -> (y) com.microsoft " attrs "\n"

static const value_text_case refused[] = {
    {"heads of different sizes", REFUSED("num_heads=2"), "[[[1 2 3]]]", "! "},
    {"no heads", REFUSED("num_heads=0"), "[[[1 2 3]]]", "! num_heads"},
    {"fewer than no heads", REFUSED("num_heads=-9223372036854775808"), "[[[1 2 3]]]", "! num_heads"},
    {"more heads than anything", REFUSED("num_heads=9223372036854775807"), "[[[1 2 3]]]",
     "! num_heads"},
    {"a query of another rank", "in q float32 [b, s, c, 1]\nout y\n"
     "MultiHeadAttention(q, q, q) -> (y) com.microsoft num_heads=1\n", "[[[[1]]]]", "! rank"},
    {"a key without values", "in q float32 [b, s, c]\nout y\n"
     "MultiHeadAttention(q, q) -> (y) com.microsoft num_heads=1\n", "[[[1]]]", "! values"},
    {"half of a cache", "in q float32 [b, s, c]\nin p float32 [b, 1, s, c]\nout y\n"
     "MultiHeadAttention(q, q, q, , , , p) -> (y) com.microsoft num_heads=1\n", "[[[1]]]; [[[[1]]]]",
     "! together"},
    {"a rotary size that is no size", "in x float32 [b, s, c]\nin w float32 [c, e]\nout y\n"
     "Attention(x, w) -> (y) com.microsoft num_heads=1 do_rotary=1 "
     "rotary_embedding_dim=4611686018427387904\n", "[[[1]]]; [[1 2 3]]", "! rotary_embedding_dim"},
    {"flags that only the run knows", "in x float32 [s, b, c]\nin w float32 [c, c]\n"
     "in z float32 [c, d]\nin a float32 [e]\nin f bool\nout y\n"
     "DecoderAttention(x, x, w, z, a, , , , f, f, f, f) -> (y) com.microsoft num_heads=1\n",
     "[[[1]]]; [[1]]; [[1 1]]; [1 1 1]; 0", "! no constant"},
    {"a window of too many states", "in q float32 [b, t, c]\nout y\n"
     "LinearAttention(q, q, q) -> (y) com.microsoft update_rule='linear' q_num_heads=1 "
     "kv_num_heads=1 state_window=9\n", "[[[1]]]", "! state_window"},
};
// clang-format on

VALUE_TEXT_HOLDS(masks)
VALUE_TEXT_HOLDS(caches)
VALUE_TEXT_HOLDS(groups)
VALUE_TEXT_HOLDS(tokens)
VALUE_TEXT_HOLDS(refused)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_hold),   cmocka_unit_test(caches_hold),
        cmocka_unit_test(groups_hold),  cmocka_unit_test(tokens_hold),
        cmocka_unit_test(refused_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
