/* Gradient: where it differentiates, by what, and what it refuses. Its rules are checked against
 * differences in tests/onnx/test_gradient.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
#define IN       "in a float32 [2]\nin b float32 [2]\nout da float32\nout db float32\n"
#define TRAIN    " ai.onnx.preview.training\n"
#define GRADIENT "Gradient(a, b) -> (da, db) xs=['a','b'] y='y'" TRAIN

static const value_text_case cases[] = {
    {"a product", IN "Mul(a, b) -> (y)\n" GRADIENT, "[2 3]; [5 7]", "[5 7]; [2 3]"},
    {"a value read twice", IN "Mul(a, a) -> (s)\nAdd(s, b) -> (y)\n" GRADIENT, "[2 3]; [5 7]",
     "[4 6]; [1 1]"},
    {"what y does not depend on", IN "Neg(a) -> (y)\n" GRADIENT, "[2 inf]; [5 inf]",
     "[-1 -1]; [0 0]"},
    {"by y itself", "in a float32 [2]\nout g float32\nNeg(a) -> (y)\n"
     "Gradient(y) -> (g) xs=['y'] y='y'" TRAIN, "[2 3]", "[1 1]"},
    {"one output left out", "in a float32 [2]\nin b float32 [2]\nout db float32\nMul(a, b) -> (y)\n"
     "Gradient(a, b) -> (, db) xs=['a','b'] y='y'" TRAIN, "[2 3]; [5 7]", "[2 3]"},
    {"not by zs", "in a float32 []\nin b float32 []\nout da float32\nMul(a, b) -> (y)\n"
     "Gradient(a, b) -> (da) xs=['a'] zs=['b'] y='y'" TRAIN, "2; 5", "5"},
    {"by an inner value",
     "in a float32 []\nin b float32 []\nout dh float32\nExp(a) -> (h)\nMul(h, b) -> (p)\n"
     "Mul(p, h) -> (y)\nGradient(h, b) -> (dh) xs=['h'] zs=['b'] y='y'" TRAIN,
     "0; 5", "10"},
    {"at another point", "in a float32 []\nin other float32 []\nout y float32\nout da float32\n"
     "Mul(a, a) -> (y)\nGradient(other) -> (da) xs=['a'] y='y'" TRAIN,
     "2; 5", "4; 10"},
    {"by a weight", "in a float32 [1, 2]\nout dw float32\nconst w float32 [2, 1] 3 4\n"
     "MatMul(a, w) -> (y)\nGradient(w, a) -> (dw) xs=['w'] zs=['a'] y='y'" TRAIN,
     "[[5 6]]", "[[5][6]]"},
    {"of a derivative", "in a float32 []\nout d2 float32\nMul(a, a) -> (s)\nMul(s, a) -> (y)\n"
     "Gradient(a) -> (d) xs=['a'] y='y'" TRAIN
     "Gradient(a) -> (d2) xs=['a'] y='d'" TRAIN, "2", "12"},
    {"of a function operator",
     "in a float32 []\nin b float32 []\nout da float32\nSwiGLU(a, b) -> (y)\n"
     "Gradient(a, b) -> (da) xs=['a'] zs=['b'] y='y'" TRAIN, "0; 3",
     "! the derivative of Swish is not known"},
    {"the bell of Erf", "in a float32 [3]\nout da float32\nErf(a) -> (y)\n"
     "Gradient(a) -> (da) xs=['a'] y='y'" TRAIN, "[0 2 -2]",
     "[1.12838 0.020667 0.020667]"},
    {"of nothing", IN "Mul(a, b) -> (z)\nGradient(a, b) -> (da, db) xs=['a','b'] y='y'" TRAIN,
     "[1 1]; [1 1]", "! the graph has no value \"y\""},
    {"too few inputs", "in a float32 []\nout da float32\nNeg(a) -> (y)\n"
     "Gradient(a) -> (da) xs=['a','y'] y='y'" TRAIN, "1", "! an input for each of xs and zs"},
    {"of itself", "in a float32 []\nout da float32\nGradient(a) -> (da) xs=['a'] y='da'" TRAIN,
     "1", "! Gradient cannot be differentiated"},
    {"through control flow", "in c bool\nin a float32 []\nout da float32\nIf(c) -> (y)\n"
     "{ then_branch\n Neg(a) -> (p)\n out p\n}\n{ else_branch\n Exp(a) -> (q)\n out q\n}\n"
     "Gradient(a) -> (da) xs=['a'] y='y'" TRAIN, "1; 1",
     "! If cannot be differentiated"},
};
// clang-format on

VALUE_TEXT_HOLDS(cases)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
