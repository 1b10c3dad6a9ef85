/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: reductions, weights, labels that are
 * ignored, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define NLL(attrs)                                                                                 \
    "in x float32 [n, c]\nin l int64 [n]\nout y float32\n"                                         \
    "NegativeLogLikelihoodLoss(x, l) -> (y) " attrs "\n"
#define WEIGHTED(attrs)                                                                            \
    "in x float32 [n, c]\nin l int32 [n]\nin w float32 [k]\nout y float32\n"                       \
    "NegativeLogLikelihoodLoss(x, l, w) -> (y) " attrs "\n"
#define SCE(attrs)                                                                                 \
    "in x float32 [n, c]\nin l int64 [n]\nout y float32\nout p float32\n"                          \
    "SoftmaxCrossEntropyLoss(x, l) -> (y, p) " attrs "\n"
#define X "[[1 2 3][4 5 6]]"

static const value_text_case cases[] = {
    {"mean", NLL(""), X "; [0 2]", "-3.5"},
    {"sum", NLL("reduction='sum'"), X "; [0 2]", "-7"},
    {"each", NLL("reduction='none'"), X "; [1 2]", "[-2 -6]"},
    {"ignored", NLL("reduction='none' ignore_index=1"), X "; [1 2]", "[0 -6]"},
    {"ignored in the mean", NLL("ignore_index=1"), X "; [1 2]", "-6"},
    {"a label that is none, ignored", NLL("ignore_index=-100"), X "; [-100 0]", "-4"},
    {"a label that is none", NLL("ignore_index=-100"), X "; [-1 0]", "! label -1 of 3 classes"},
    {"a label too large", NLL(""), X "; [3 0]", "! label 3 of 3 classes"},
    {"all ignored", NLL("ignore_index=0"), X "; [0 0]", "nan"},
    {"all ignored in the sum", NLL("ignore_index=0 reduction='sum'"), X "; [0 0]", "0"},
    {"weights", WEIGHTED("reduction='none'"), X "; [1 2]; [9 2 0.5]", "[-4 -3]"},
    {"weights in the mean", WEIGHTED(""), X "; [1 2]; [9 2 0.5]", "-2.8"},
    {"weights in the sum", WEIGHTED("reduction='sum'"), X "; [1 2]; [9 2 0.5]", "-7"},
    {"weights and an ignored label", WEIGHTED("ignore_index=1"), X "; [1 2]; [9 2 0.5]", "-6"},
    {"too few weights", WEIGHTED(""), X "; [1 2]; [9]", "! a weight for each class"},
    {"places", "in x float32 [n, c, h]\nin l int64 [n, h]\nout y float32\n"
     "NegativeLogLikelihoodLoss(x, l) -> (y) reduction='none'\n", "[[[1 2 3][4 5 6]]]; [[0 1 0]]",
     "[[-1 -5 -3]]"},
    {"more places", "in x float32 [n, c, h, w]\nin l int64 [n, h, w]\nout y float32\n"
     "NegativeLogLikelihoodLoss(x, l) -> (y) reduction='none'\n",
     "[[[[1 2]][[3 4]]][[[5 6]][[7 8]]]]; [[[0 1]][[1 0]]]", "[[[-1 -4]][[-7 -6]]]"},
    {"no such reduction", NLL("reduction='max'"), X "; [0 0]", "! the reduction none, sum or mean"},
    {"too few labels", NLL(""), X "; [0]", "! a label for each place"},
    {"labels of another rank", "in x float32 [n, c]\nin l int64 [n, m]\nout y float32\n"
     "NegativeLogLikelihoodLoss(x, l) -> (y)\n", X "; [[0][1]]", "! labels of the rank"},
    {"scores of one axis", "in x float32 [n]\nin l int64\nout y float32\n"
     "NegativeLogLikelihoodLoss(x, l) -> (y)\n", "[1]; 0", "! scores of at least two dimensions"},
    {"bfloat16", "in x bfloat16 [n, c]\nin l int64 [n]\nout y bfloat16\n"
     "NegativeLogLikelihoodLoss(x, l) -> (y)\n", X "; [0 2]", "-3.5"},
    {"nothing", "in x float32 [n, c]\nin l int64 [n]\nout y float32\nconst none int64 [2] 0 3\n"
     "Reshape(x, none) -> (z) allowzero=1\n"
     "NegativeLogLikelihoodLoss(z, l) -> (y) reduction='sum'\n",
     "[[]]; []", "0"},

    {"cross entropy", SCE(""), "[[0 0][0 1]]; [0 1]",
     "0.503204; [[-0.693147 -0.693147][-1.31326 -0.313262]]"},
    {"cross entropy, each", SCE("reduction='none'"), "[[0 0][0 1]]; [0 0]",
     "[0.693147 1.31326]; [[-0.693147 -0.693147][-1.31326 -0.313262]]"},
    {"cross entropy, ignored", SCE("ignore_index=7"), "[[0 0][0 1]]; [7 1]",
     "0.313262; [[-0.693147 -0.693147][-1.31326 -0.313262]]"},
    {"cross entropy without log_prob", "in x float32 [n, c]\nin l int64 [n]\nin w float32 [c]\n"
     "out y float32\nSoftmaxCrossEntropyLoss(x, l, w) -> (y) reduction='sum'\n",
     "[[0 0][0 1]]; [0 1]; [2 10]", "4.51891"},
    {"cross entropy of a wrong label", SCE(""), "[[0 0][0 1]]; [0 2]", "! label 2 of 2 classes"},
    {"cross entropy of large scores", SCE("reduction='none'"), "[[1000 -1000]]; [1]",
     "[2000]; [[0 -2000]]"},
};
// clang-format on

VALUE_TEXT_HOLDS(cases)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
