/* Attention and what stands around it, by values that can be told without a computer: queries of 0
 * look at all visible keys alike, so that a result is a mean of values. And what is refused. Random
 * cases are in tests/onnx/test_attention.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define QKV "in q float32 [b, h, s, d]\nin k float32 [b, g, t, d]\nin v float32 [b, g, t, e]\n"    \
            "out y\n"
#define HEED(more, inputs, attrs)                                                                  \
    QKV more "Attention(q, k, v" inputs ") -> (y) " attrs " heed\n"
#define ZEROS "[[[[0][0][0]]]]; [[[[1][2][3]]]]; [[[[3][6][9]]]]"
#define LENGTHS "in n int32 [b]\n"

static const value_text_case masks[] = {
    {"no mask", HEED("", "", ""), ZEROS, "[[[[6][6][6]]]]"},
    {"causal", HEED("", "", "causal=1"), ZEROS, "[[[[3][4.5][6]]]]"},
    {"causal beats the right window", HEED("", "", "causal=1 right_window=1"), ZEROS,
     "[[[[3][4.5][6]]]]"},
    {"left window", HEED("", "", "left_window=0"), ZEROS, "[[[[6][7.5][9]]]]"},
    {"right window", HEED("", "", "right_window=0"), ZEROS, "[[[[3][4.5][6]]]]"},
    {"both windows", HEED("", "", "left_window=0 right_window=0"), ZEROS, "[[[[3][6][9]]]]"},
    {"a window beyond all positions",
     HEED("", "", "left_window=9223372036854775807 right_window=9223372036854775807"), ZEROS,
     "[[[[6][6][6]]]]"},
    {"lengths", HEED(LENGTHS, ", , n", ""), ZEROS "; [2]", "[[[[4.5][4.5][4.5]]]]"},
    {"no length", HEED(LENGTHS, ", , n", ""), ZEROS "; [0]", "[[[[0][0][0]]]]"},
    {"a length beyond the keys", HEED(LENGTHS, ", , n", ""), ZEROS "; [2000000000]",
     "[[[[6][6][6]]]]"},
    {"a length below zero", HEED(LENGTHS, ", , n", ""), ZEROS "; [-5]", "[[[[0][0][0]]]]"},
    {"an offset", HEED("in o int64\n", ", , , o", "causal=1"), ZEROS "; 1", "[[[[4.5][6][6]]]]"},
    {"an offset below zero", HEED("in o int64\n", ", , , o", "causal=1"), ZEROS "; -2",
     "[[[[0][0][3]]]]"},
    {"what the arithmetic gives", QKV "in o int64\nAttention(q, k, v, , , o) -> (z) causal=1 "
     "empty='nan' heed\nIsNaN(z) -> (y)\n", ZEROS "; -1", "[[[[1][0][0]]]]"},
    {"a fill that does not hide", HEED("in o int64\n", ", , , o", "causal=1 fill=-10000.0"),
     ZEROS "; -1", "[[[[6][3][4.5]]]]"},
    {"a sink", HEED("in z float32 [h]\n", ", , , , z", ""), ZEROS "; [0]", "[[[[4.5][4.5][4.5]]]]"},
    {"a sink alone", HEED("in z float32 [h]\nin n int32 [b]\n", ", , n, , z", ""),
     ZEROS "; [0]; [0]", "[[[[0][0][0]]]]"},
    {"bool bias", HEED("in m bool [t]\n", ", m", ""), ZEROS "; [1 0 1]", "[[[[6][6][6]]]]"},
    {"a bias for fewer keys", HEED("in m bool [u]\n", ", m", ""), ZEROS "; [0 1]",
     "[[[[6][6][6]]]]"},
    {"an added bias for fewer keys", HEED("in m float32 [u]\n", ", m", ""), ZEROS "; [0 0]",
     "[[[[4.5][4.5][4.5]]]]"},
    {"a bias of distances", HEED("in m float32 [n]\n", ", m", "relative=1"),
     ZEROS "; [-900 0 -900 -900 -900]", "[[[[6][3][6]]]]"},
    {"a bias of distances of each head", HEED("in m float32 [a, c, 1, n]\n", ", m", "relative=1"),
     "[[[[0][0]]]]; [[[[1][2]]]]; [[[[3][6]]]]; [[[[-900 -900 0]]]]", "[[[[6][4.5]]]]"},
    {"a bias of integers is added", HEED("in m int32 [t]\n", ", m", ""), ZEROS "; [-900 0 -900]",
     "[[[[6][6][6]]]]"},
};

static const value_text_case forms[] = {
    {"two heads read one key head", HEED("", "", ""),
     "[[[[0]][[1000]]]]; [[[[1][2]]]]; [[[[4][6]]]]", "[[[[5]][[6]]]]"},
    {"softcap after the scale",
     QKV "Attention(q, k, v) -> (z, y) softcap=2.0 scale=0.5 scores=0 heed\n",
     "[[[[4]]]]; [[[[1]]]]; [[[[1]]]]", "[[[[2]]]]"},
    {"an explicit scale of 0", QKV "Attention(q, k, v) -> (y) scale=0.0\n",
     "[[[[5]]]]; [[[[1][2]]]]; [[[[1][3]]]]", "[[[[2]]]]"},
    {"a cache outside", QKV "in n int64 [b]\nAttention(q, k, v, , , , n) -> (y) is_causal=1\n",
     ZEROS "; [2]", "[[[[0][3][4.5]]]]"},
    {"a past", QKV "in p float32 [b, g, u, d]\nin r float32 [b, g, u, e]\n"
     "out c float32\nAttention(q, k, v, , p, r) -> (y, c) is_causal=1\n",
     "[[[[0][0]]]]; [[[[1][2]]]]; [[[[3][6]]]]; [[[[9]]]]; [[[[0]]]]",
     "[[[[1.5][3]]]]; [[[[9][1][2]]]]"},
    {"heads side by side",
     "in q float32 [b, s, 2]\nin k float32 [b, t, 1]\nin v float32 [b, t, 1]\n"
     "out y float32\nAttention(q, k, v) -> (y) q_num_heads=2 kv_num_heads=1\n",
     "[[[0 1000]]]; [[[1][2]]]; [[[4][6]]]", "[[[5 6]]]"},
};

#define BAD(attrs) HEED("", "", attrs)
#define STANDARD(attrs) QKV "Attention(q, k, v) -> (y) " attrs "\n"
#define ONE "[[[[0]]]]"

static const value_text_case refused[] = {
    {"rank", "in q float32 [s, d]\nout y float32\nAttention(q, q, q) -> (y) heed\n", "[[1]]",
     "! rank 4"},
    {"sizes of keys", BAD(""), "[[[[0 0]]]]; " ONE "; " ONE, "! equal extents"},
    {"bias", QKV "in m bool [2, 1]\nAttention(q, k, v, m) -> (y) heed\n",
     "[[[[0][0][0]]]]; " ONE "; " ONE "; [[1][1]]", "! broadcast"},
    {"heads", "in q float32 [1, 3, 1, 1]\nin k float32 [1, 2, 1, 1]\nout y\n"
     "Attention(q, k, k) -> (y) heed\n", "[[[[1]][[1]][[1]]]]; [[[[1]][[1]]]]", "! groups"},
    {"no heads", "in q float32 [b, s, 4]\nout y float32\nAttention(q, q, q) -> (y)\n",
     "[[[1 2 3 4]]]", "! number of heads"},
    {"uneven heads", "in q float32 [b, s, 4]\nout y\n"
     "Attention(q, q, q) -> (y) q_num_heads=3 kv_num_heads=3\n", "[[[1 2 3 4]]]",
     "! heads of one size"},
    {"distances", HEED("in m float32 [n]\n", ", m", "relative=1"), ZEROS "; [1 2 3 4]",
     "! each distance"},
    {"distances of queries", HEED("in m float32 [s, n]\n", ", m", "relative=1"),
     "[[[[0][0]]]]; [[[[1][2]]]]; [[[[3][6]]]]; [[1 2 3][1 2 3]]", "! broadcasts"},
    {"distances that hide", HEED("in m bool [n]\n", ", m", "relative=1"),
     ZEROS "; [1 1 1 1 1]", "! float bias"},
    {"half a past", QKV "Attention(q, k, v, , k) -> (y)\n", ONE "; " ONE "; " ONE, "! together"},
    {"past and lengths", QKV "in n int64 [b]\nAttention(q, k, v, , k, v, n) -> (y)\n",
     ONE "; " ONE "; " ONE "; [1]", "! both"},
    {"window", STANDARD("left_window_size=-2"), ONE "; " ONE "; " ONE, "! windows of -1 or more"},
    {"precision", STANDARD("softmax_precision=7"), ONE "; " ONE "; " ONE, "! expected float"},
    {"a stage that is none", STANDARD("qk_matmul_output_mode=4"), ONE "; " ONE "; " ONE,
     "! stage 0 to 3"},
    {"other empty rows", BAD("empty='mean'"), ONE "; " ONE "; " ONE, "! zero, nan, guard or share"},
    {"no precision", STANDARD("softmax_precision=99"), ONE "; " ONE "; " ONE, "! "},
};

#define FLEX "in q float32 [b, h, s, d]\nin v float32 [b, h, t, d]\nin w float32\nout y\n"
static const value_text_case flexible[] = {
    {"captures", FLEX "FlexAttention(q, v, v) -> (y) ai.onnx.preview\n"
     "{ score_mod\n in x float32 [b, h, s, t]\n Mul(x, w) -> (z)\n out z\n}\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "[[[[5]]]]"},
    {"both graphs", FLEX "FlexAttention(q, v, v) -> (y) ai.onnx.preview\n"
     "{ score_mod\n in x float32\n Mul(x, w) -> (z)\n out z\n}\n"
     "{ prob_mod\n in x float32\n Add(x, x) -> (z)\n out z\n}\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "[[[[10]]]]"},
    {"a function inside", FLEX "FlexAttention(q, v, v) -> (y) ai.onnx.preview\n"
     "{ score_mod\n in x float32\n QuickGelu(x) -> (u) com.microsoft\n"
     " Mul(u, w) -> (z)\n out z\n}\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "[[[[5]]]]"},
    {"a graph of two inputs", FLEX "FlexAttention(q, v, v) -> (y) ai.onnx.preview\n"
     "{ score_mod\n in x float32\n in u float32\n Mul(x, u) -> (z)\n out z\n}\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "! one input and one output"},
    {"a graph that loses an axis", FLEX "FlexAttention(q, v, v) -> (y) ai.onnx.preview\n"
     "{ prob_mod\n in x float32\n ReduceSum(x) -> (z) keepdims=0\n out z\n}\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "! prob_mod gives a tensor of rank 0"},
    {"a precision that is none",
     FLEX "FlexAttention(q, v, v) -> (y) softmax_precision=8 ai.onnx.preview\n",
     "[[[[1]]]]; [[[[4][6]]]]; 0", "! a floating type"},
};

#define ROTARY(more, inputs, attrs)                                                                \
    "in x float32\nin c float32\nin s float32\n" more "out y float32\n"                            \
    "RotaryEmbedding(x, c, s" inputs ") -> (y) " attrs "\n"
#define IDS ROTARY("in p int64\n", ", p", "")
#define CACHE "[[[[1 2 3 4]]]]; [[1 1][0 0]]; [[0 0][1 1]]"

static const value_text_case rotary[] = {
    {"a quarter turn", IDS, CACHE "; [[1]]", "[[[[-3 -4 1 2]]]]"},
    {"neighbours", ROTARY("in p int64\n", ", p", "interleaved=1"), CACHE "; [[1]]",
     "[[[[-2 1 -4 3]]]]"},
    {"a part", ROTARY("", "", "rotary_embedding_dim=2"), "[[[[1 2 3 4]]]]; [[[0]]]; [[[1]]]",
     "[[[[-2 1 3 4]]]]"},
    {"one cache for all", ROTARY("", "", ""), "[[[[1 2]]][[[3 4]]]]; [[[0]]]; [[[1]]]",
     "[[[[-2 1]]][[[-4 3]]]]"},
    {"heads side by side", ROTARY("", "", "num_heads=2"), "[[[1 2 3 4]]]; [[[0]]]; [[[1]]]",
     "[[[-2 1 -4 3]]]"},
    {"heads side by side, uncounted", ROTARY("", "", ""), "[[[1 2 3 4]]]; [[[0]]]; [[[1]]]",
     "[[[-2 1 -4 3]]]"},
    {"a position behind the cache", IDS, CACHE "; [[2]]", "! position 2"},
    {"a position far before it", IDS, CACHE "; [[-3]]", "! position -3"},
    {"too few positions", IDS, "[[[[1 2 3 4][1 2 3 4]]]]; [[1 1]]; [[0 0]]; [[0]]",
     "! each position"},
    {"too few angles", ROTARY("", "", ""), "[[[[1 2 3 4]]]]; [[[0]]]; [[[1]]]",
     "! turned by 1 angles"},
    {"unequal caches", ROTARY("", "", ""), "[[[[1 2]]]]; [[[0]]]; [[[1 1]]]", "! one shape"},
    {"more channels than there are", ROTARY("", "", "rotary_embedding_dim=4"),
     "[[[[1 2]]]]; [[[0 0]]]; [[[1 1]]]", "! 4 of 2 channels"},
    {"heads that do not fit", ROTARY("", "", "num_heads=3"), "[[[1 2 3 4]]]; [[[0]]]; [[[1]]]",
     "! 4 channels for 3 heads"},
    {"more heads than channels", ROTARY("", "", "num_heads=9223372036854775807"),
     "[[[1 2 3 4]]]; [[[0]]]; [[[1]]]", "! 4 channels"},
};

#define SCATTER(attrs) "in p float32\nin u float32\nin w int64\nout y float32\n"                   \
    "TensorScatter(p, u, w) -> (y) " attrs "\n"
#define PLACE "[[[1][2][3]][[4][5][6]]]; [[[7][8]][[7][8]]]; "

static const value_text_case caches[] = {
    {"each at its place", SCATTER(""), PLACE "[0 1]", "[[[7][8][3]][[4][7][8]]]"},
    {"around the end", SCATTER("mode='circular'"), PLACE "[2 -2]", "[[[8][2][7]][[4][7][8]]]"},
    {"over the end", SCATTER(""), PLACE "[0 2]", "! 2 rows from row 2"},
    {"before the beginning", SCATTER(""), PLACE "[-1 0]", "! from row -1"},
    {"the last place there is", SCATTER(""), PLACE "[9223372036854775807 0]", "! in a cache of 3"},
    {"the same around", SCATTER("mode='circular'"),
     PLACE "[9223372036854775807 -9223372036854775808]",
     "[[[1][7][8]][[4][7][8]]]"},
    {"another mode", SCATTER("mode='other'"), PLACE "[0 0]", "! neither linear nor circular"},
    {"the batch as axis", SCATTER("axis=0"), PLACE "[0 0]", "! behind the batch"},
    {"too few places", SCATTER(""), PLACE "[0]", "! 1 write_indices"},
    {"too long an update", SCATTER(""), "[[[1]]]; [[[1][2]]]; [0]", "! fits into the cache"},
};

#define CONV(more, inputs, attrs)                                                                  \
    "in x float32\nin w float32\n" more "out y float32\nout s float32\n"                           \
    "CausalConvWithState(x, w" inputs ") -> (y, s) " attrs "\n"
#define LINEAR(more, inputs, attrs)                                                                \
    "in q float32\nin k float32\nin v float32\n" more "out y float32\nout s float32\n"             \
    "LinearAttention(q, k, v" inputs ") -> (y, s) " attrs "\n"
#define HEADS " q_num_heads=1 kv_num_heads=1"

static const value_text_case states[] = {
    {"nothing before", CONV("", "", ""), "[[[1 2 3]]]; [[[10 1]]]", "[[[1 12 23]]]; [[[3]]]"},
    {"a state", CONV("in p float32\n", ", , p", ""), "[[[1 2]]]; [[[10 1]]]; [[[5]]]",
     "[[[51 12]]]; [[[2]]]"},
    {"shorter than the state", CONV("in p float32\n", ", , p", ""),
     "[[[1]]]; [[[1 1 1]]]; [[[5 7]]]",
     "[[[13]]]; [[[7 1]]]"},
    {"nothing new", CONV("in p float32\n", ", , p", ""), "[[[]]]; [[[1 1 1]]]; [[[5 7]]]",
     "[[[]]]; [[[5 7]]]"},
    {"no kernel", CONV("", "", ""), "[[[1]]]; [[[]]]", "! a kernel of 1 or more"},
    {"channels", CONV("", "", ""), "[[[1]]]; [[[1]][[1]]]", "! weight [C, 1, k]"},
    {"activation", CONV("", "", "activation='relu'"), "[[[1]]]; [[[1]]]",
     "! none of none, silu, swish"},
    {"sums", LINEAR("", "", "update_rule='linear'" HEADS), "[[[1][1]]]; [[[1][2]]]; [[[3][4]]]",
     "[[[3][11]]]; [[[[11]]]]"},
    {"corrects", LINEAR("in b float32\n", ", , , b", "update_rule='delta'" HEADS),
     "[[[1][1]]]; [[[1][1]]]; [[[3][4]]]; [[[1][0.5]]]", "[[[3][3.5]]]; [[[[3.5]]]]"},
    {"another rule", LINEAR("", "", "update_rule='other'" HEADS), "[[[1]]]; [[[1]]]; [[[1]]]",
     "! update_rule linear"},
    {"a rule without its decay", LINEAR("", "", "update_rule='gated'" HEADS),
     "[[[1]]]; [[[1]]]; [[[1]]]", "! without decay"},
    {"heads without groups", LINEAR("", "", "update_rule='linear' q_num_heads=1 kv_num_heads=0"),
     "[[[1]]]; [[[1]]]; [[[1]]]", "! groups"},
    {"heads of nothing", LINEAR("", "",
     "update_rule='linear' q_num_heads=4611686018427387904 kv_num_heads=1"),
     "[[[]]]; [[[]]]; [[[]]]", "! groups"},
    {"keys of another size", LINEAR("", "", "update_rule='linear'" HEADS),
     "[[[1]]]; [[[1 1]]]; [[[1]]]", "! keys as long as queries"},
};
// clang-format on

VALUE_TEXT_HOLDS(masks)
VALUE_TEXT_HOLDS(forms)
VALUE_TEXT_HOLDS(refused)
VALUE_TEXT_HOLDS(flexible)
VALUE_TEXT_HOLDS(rotary)
VALUE_TEXT_HOLDS(caches)
VALUE_TEXT_HOLDS(states)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_hold),   cmocka_unit_test(forms_hold),
        cmocka_unit_test(refused_hold), cmocka_unit_test(flexible_hold),
        cmocka_unit_test(rotary_hold),  cmocka_unit_test(caches_hold),
        cmocka_unit_test(states_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
