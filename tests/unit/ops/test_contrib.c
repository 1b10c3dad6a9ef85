/* Operators of com.microsoft: what ONNX Runtime has no kernel for on the CPU, extents of zero, and
 * what is refused. What it has is compared with it in tests/onnx/contrib. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define ONE(op, attrs)                                                                             \
    "in x float32 [n, m]\nout y float32\n" op "(x) -> (y) com.microsoft " attrs "\n"
#define TWO(op, attrs)                                                                             \
    "in a float32 [n, k]\nin b float32 [m, l]\nout y float32\n"                                    \
    op "(a, b) -> (y) com.microsoft " attrs "\n"
#define SKIP(op, outs)                                                                             \
    "in x float32 [n, h]\nin s float32 [n, h]\nin g float32 [h]\nout y float32\nout m float32\n"   \
    op "(x, s, g) -> (" outs ") com.microsoft epsilon=0.0\n"
#define EMBED(inputs, attrs)                                                                       \
    "in i int32 [n, s]\nin w float32 [v, h]\nin g float32 [h]\nout y float32\n"                    \
    "EmbedLayerNormalization(" inputs ") -> (y) com.microsoft " attrs "\n"
#define CONV(attrs)                                                                                \
    "in x float32 [b, c, n]\nin w float32 [c, 1, k]\nout y float32\nout s float32\n"               \
    "CausalConvWithState(x, w) -> (y, s) com.microsoft " attrs "\n"
#define PACKED                                                                                     \
    "in x float32 [t, c]\nin w float32 [c, 1, k]\nin l int32 [b]\nin s float32 [d, c, m]\n"        \
    "out y float32\n"                                                                              \
    "VarlenCausalConvWithState(x, w, l, , s) -> (y) com.microsoft\n"
#define BLOCK(attrs)                                                                               \
    "in i int64 [b, n]\nin s float32 [c, v]\nout y float32\n"                                      \
    "NGramRepeatBlock(i, s) -> (y) com.microsoft " attrs "\n"
#define FORK                                                                                       \
    "in s int64 [n]\nin c int64 [m]\nin i int64\nin p int64 [k]\nout t int64\nout f int64\n"       \
    "BifurcationDetector(s, c, i, p) -> (t, f) com.microsoft\n"
#define HASH(attrs)                                                                                \
    "in i int64 [b, n]\nin m int64 [k]\nin v int64 [h]\nout y int64\n"                             \
    "NGramHashMapping(i, m, v) -> (y) com.microsoft pad_id=0 " attrs "\n"
#define WORDS                                                                                      \
    "in s int32 [n, l]\nin w float32 [f, 1, k, e]\nin b float32 [f]\nin c float32 [v, e]\n"        \
    "out y float32\nWordConvEmbedding(s, w, b, c) -> (y) com.microsoft\n"
#define HUGE_AXIS                                                                                  \
    "in x float32 [n, m]\nin g float32 [m]\nout y float32\nout v float32\n"                        \
    "SimplifiedLayerNormalization(x, g) -> (y, v) com.microsoft axis=-9000000000\n"

static const value_text_case cases[] = {
    {"city blocks", TWO("CDist", "metric='cityblock'"), "[[0 0]]; [[3 4][1 -1]]", "[[7 2]]"},
    {"chess board", TWO("CDist", "metric='chebyshev'"), "[[0 0]]; [[3 -4]]", "[[4]]"},
    {"angle", TWO("CDist", "metric='cosine'"), "[[1 0]]; [[0 2][3 0]]", "[[1 0]]"},
    {"no such metric", TWO("CDist", "metric='yule'"), "[[0]]; [[0]]", "! a metric of CDist"},
    {"rows of two lengths", TWO("CDist", ""), "[[0 0]]; [[3]]", "! rows of one length"},
    {"no rows", TWO("CDist", ""), "[[]]; [[]]", "[[0]]"},

    {"inverse", ONE("Inverse", ""), "[[0 4][2 0]]", "[[0 0.5][0.25 0]]"},
    {"inverse of what is not square", ONE("Inverse", ""), "[[0 4 1][2 0 1]]", "! square matrices"},

    {"slices", ONE("UnfoldTensor", "size=2 step=2"), "[[1 2 3 4 5]]", "[[[1 2][3 4]]]"},
    {"slices of another axis", ONE("UnfoldTensor", "size=1 dim=0"), "[[1 2]]", "[[[1][2]]]"},
    {"slices too long", ONE("UnfoldTensor", "size=3"), "[[1 2]]", "! an axis that holds a slice"},
    {"no step", ONE("UnfoldTensor", "size=1 step=0"), "[[1 2]]", "! a size and a step"},
    {"no such axis", ONE("UnfoldTensor", "size=1 dim=2"), "[[1 2]]", "! "},

    {"a way", "in x float32 [n, m]\nout y int32\nDynamicTimeWarping(x) -> (y) com.microsoft\n",
     "[[0 1][1 0][9 0]]", "[[0 1 2][0 1 1]]"},
    {"no way", "in x float32 [n]\nout y int32\nDynamicTimeWarping(x) -> (y) com.microsoft\n", "[1]",
     "! costs of rank 2"},

    {"a hash", "in x string [n]\nout y uint32\nMurmurHash3(x) -> (y) com.microsoft\n", "[hello]",
     "[6.13153e+08]"},

    {"what was there", BLOCK("ngram_size=2"), "[[0 1 0]]; [[1 2]]", "[[1 -inf]]"},
    {"longer than all", BLOCK("ngram_size=4"), "[[0 1 0]]; [[1 2]]", "[[1 2]]"},
    {"no run", BLOCK("ngram_size=0"), "[[0 1 0]]; [[1 2]]", "! an ngram_size of one or more"},
    {"no such token", BLOCK("ngram_size=1"), "[[7]]; [[1 2]]", "! token 7 of 2"},
    {"another batch", BLOCK("ngram_size=1"), "[[7]]; [[1 2][3 4]]", "! ids and scores of one batch"},

    {"a draft", FORK, "[5 6 7 8]; [1]; 1; [6 9 9 9]", "[1 6 9]; -1"},
    {"a draft that is right", FORK, "[5 6 7]; [1]; 1; [6 7 5]", "[1 6 7 5]; 1"},
    {"a draft of another length", FORK, "[5 6 7]; [1]; 1; [6 7]", "! 2 predicted tokens"},
    {"a draft from nowhere", FORK, "[5 6 7]; [1]; 9; [6 7]", "! 2 predicted tokens"},

    {"mean and deviation", SKIP("SkipLayerNormalization", "y, m"), "[[1 3]]; [[1 1]]; [1 2]",
     "[[-1 2]]; [[3]]"},
    {"a mean where there is none", SKIP("SkipSimplifiedLayerNormalization", "y, m"),
     "[[1 3]]; [[1 1]]; [1 2]", "! is asked for one"},
    {"the factor", SKIP("SkipSimplifiedLayerNormalization", "y, , m"), "[[1 3]]; [[0 -2]]; [1 2]",
     "[[1 2]]; [[1]]"},
    {"an axis far out", HUGE_AXIS, "[[1 2]]; [1 1]", "! axis"},

    {"segments without a table", EMBED("i, i, w, w, , g, g", ""), "[[0]]; [[1 2]]; [1 1]",
     "! segment_ids without a segment_embedding"},
    {"words in a row", "in i int32 [n]\nin w float32 [v, h]\nout y float32\n"
     "EmbedLayerNormalization(i, , w, w, , w, w) -> (y) com.microsoft\n", "[0]; [[1 2]]",
     "! input_ids [batch, sequence]"},

    {"states for going back", CONV("state_window=3"), "[[[1 2]]]; [[[1 10]]]",
     "[[[10 21]]]; [[[[0]]][[[1]]][[[2]]]]"},
    {"a long carry", CONV("dilation=3"), "[[[1 2]]]; [[[1 10]]]", "[[[10 20]]]; [[[0 1 2]]]"},
    {"two axes", CONV("ndim=2"), "[[[1 2]]]; [[[1 10]]]", "! an ndim of 1"},
    {"too many states", CONV("state_window=9"), "[[[1 2]]]; [[[1 10]]]", "! a state_window"},
    {"no dilation", CONV("dilation=0"), "[[[1 2]]]; [[[1 10]]]", "! a dilation"},
    {"an activation", CONV("activation='relu'"), "[[[1 2]]]; [[[1 10]]]", "! activation relu"},
    {"other channels", CONV(""), "[[[1 2][3 4]]]; [[[1 10]]]", "! input 1 of"},
    {"sequences", PACKED, "[[1][2][3]]; [[[1 10]]]; [0 1 3]; [[[7]][[8]]]", "[[17][28][32]]"},
    {"tokens that are not there", PACKED, "[[1][2][3]]; [[[1 10]]]; [0 1 4]; [[[7]][[8]]]",
     "! tokens 1 to 4 of 3"},
    {"sequences without a state", PACKED, "[[1][2][3]]; [[[1 10]]]; [0 1 3]; [[[7]]]", "! input 2"},

    {"hashes", HASH("max_ngram_size=2 n_head_per_ngram=1"), "[[3 4]]; [1 10]; [100]",
     "[[[3][26]]]"},
    {"no vocabulary", HASH("max_ngram_size=2 n_head_per_ngram=1"), "[[3 4]]; [1 10]; [0]",
     "! a vocabulary of 0"},
    {"too few multipliers", HASH("max_ngram_size=2 n_head_per_ngram=1"), "[[3 4]]; [1]; [9]",
     "! 1 multipliers"},
    {"too many heads", HASH("max_ngram_size=9000000000000000000 n_head_per_ngram=9"),
     "[[3 4]]; [1]; [9]", "! a max_ngram_size"},
    {"runs without a past", HASH("max_ngram_size=1 n_head_per_ngram=1"), "[[3 4]]; [1]; [9]",
     "! a max_ngram_size"},

    {"a word", WORDS, "[[1 0][0 0]]; [[[[1]]]]; [0]; [[0][0.5]]", "[[0.462117][0]]"},
    {"no such character", WORDS, "[[2 0]]; [[[[1]]]]; [0]; [[0][0.5]]", "! character 2 of 2"},
    {"a window too long", WORDS, "[[1]]; [[[[1][1]]]]; [0]; [[0][0.5]]", "! that do not fit"},

    {"halves", ONE("SwiGLU", ""), "[[0 1 2 3]]", "[[0 2.19318]]"},
    {"a router of too many columns", TWO("RouterGateUpProj", "router_size=5"), "[[1]]; [[1 2 3]]",
     "! "},
    {"borders", "in x float32 [n, c, h, w]\nout y float32\nCrop(x) -> (y) border=[1]\n", "[[[[1]]]]",
     "! Crop with 1 borders"},
    {"spectra of two axes", ONE("Rfft", "signal_ndim=2"), "[[1 2]]", "! along more than one axis"},
    {"all finite", "in x float32 [n]\nin z float32 [n]\nout y bool\n"
     "IsAllFinite(x, z) -> (y) com.microsoft\n", "[1]; [2]", "1"},
};
// clang-format on

VALUE_TEXT_HOLDS(cases)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
