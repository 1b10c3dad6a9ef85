/* Sequences and optionals in control flow: as states of loops, as what branches give, captured at
 * depth; and SequenceMap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

// clang-format off
/* Each iteration appends a longer tensor. */
#define GROW                                                                                       \
    "in n int64\nin x float32 [k]\nout s seq float32\nout count int64\n"                           \
    "SequenceEmpty() -> (e)\n"                                                                     \
    "Loop(n, , e, x) -> (s, last)\n"                                                               \
    "{ body\n in i int64\n in c bool\n in v seq float32\n in t float32 [m]\n"                      \
    "  Identity(c) -> (go)\n Concat(t, x) -> (u) axis=0\n SequenceInsert(v, t) -> (w)\n"           \
    "  out go\n out w\n out u\n}\n"                                                                \
    "SequenceLength(s) -> (count)\n"

/* Takes items from the back until there are none. */
#define DRAIN                                                                                      \
    "in s seq float32\nout sum float32\nout each float32 [k]\n"                                    \
    "const none int64 0\nconst start float32 0\n"                                                  \
    "SequenceLength(s) -> (n)\nGreater(n, none) -> (some)\n"                                       \
    "Loop(, some, s, start) -> (rest, sum, each)\n"                                                \
    "{ body\n in i int64\n in c bool\n in v seq float32\n in acc float32\n"                        \
    "  const last int64 -1\n SequenceAt(v, last) -> (x)\n ReduceSum(x) -> (t) keepdims=0\n"        \
    "  Add(acc, t) -> (more)\n SequenceErase(v) -> (w)\n SequenceLength(w) -> (m)\n"               \
    "  Greater(m, none) -> (go)\n Identity(t) -> (one)\n"                                          \
    "  out go\n out w\n out more\n out one\n}\n"

/* Two states that change places. */
#define SWAP                                                                                       \
    "in n int64\nin s seq float32\nin t seq float32\nout p seq float32\nout q seq float32\n"       \
    "Loop(n, , s, t) -> (p, q)\n"                                                                  \
    "{ body\n in i int64\n in c bool\n in v seq float32\n in w seq float32\n"                      \
    "  Identity(c) -> (go)\n Identity(v) -> (a)\n Identity(w) -> (b)\n"                            \
    "  out go\n out b\n out a\n}\n"

/* What is inserted is chosen two graphs deeper, and captured from the outermost one. */
#define DEEP                                                                                       \
    "in n int64\nin yes bool\nin s seq float32\nin x float32 [k]\nout r seq float32\n"             \
    "Neg(x) -> (y)\n"                                                                              \
    "Loop(n, , s) -> (r)\n"                                                                        \
    "{ body\n in i int64\n in c bool\n in v seq float32\n Identity(c) -> (go)\n"                   \
    "  If(yes) -> (w)\n"                                                                           \
    "  { then_branch\n"                                                                            \
    "    If(c) -> (a)\n"                                                                           \
    "    { then_branch\n SequenceInsert(v, y) -> (b)\n out b\n}\n"                                 \
    "    { else_branch\n SequenceErase(v) -> (d)\n out d\n}\n"                                     \
    "    out a\n}\n"                                                                               \
    "  { else_branch\n SequenceInsert(s, x, i) -> (e)\n out e\n}\n"                                \
    "  out go\n out w\n}\n"

/* Nothing is there until an even number is seen. */
#define FOUND                                                                                      \
    "in s seq int64\nout has bool\nout y opt int64\nconst two int64 2\nconst zero int64 0\n"       \
    "SequenceLength(s) -> (n)\nOptional() -> (o) type='tensor(int64)'\n"                           \
    "Loop(n, , o) -> (y)\n"                                                                        \
    "{ body\n in i int64\n in c bool\n in v opt int64\n Identity(c) -> (go)\n"                     \
    "  SequenceAt(s, i) -> (x)\n Mod(x, two) -> (r)\n Equal(r, zero) -> (even)\n"                  \
    "  If(even) -> (w)\n"                                                                          \
    "  { then_branch\n Optional(x) -> (a)\n out a\n}\n"                                            \
    "  { else_branch\n Identity(v) -> (b)\n out b\n}\n"                                            \
    "  out go\n out w\n}\n"                                                                        \
    "OptionalHasElement(y) -> (has)\n"

/* A tensor at first, an optional from then on: whether one is there may not be decided at load. */
#define LOST                                                                                       \
    "in n int64\nin x float32\nout y bool\n"                                                       \
    "Loop(n, , x) -> (o)\n"                                                                        \
    "{ body\n in i int64\n in c bool\n in v opt float32\n"                                         \
    "  OptionalHasElement(v) -> (has)\n And(c, has) -> (go)\n"                                     \
    "  Optional() -> (w) type='tensor(float32)'\n out go\n out w\n out has\n}\n"                   \
    "OptionalHasElement(o) -> (y)\n"

static const value_text_case loops[] = {
    {"grows", GROW, "3; [1 2]", "([1 2][1 2 1 2][1 2 1 2 1 2]); 3"},
    {"grows not at all", GROW, "0; [1 2]", "(); 0"},
    {"drains", DRAIN, "([1 2][5][3 3 3])", "17; [9 5 3]"},
    {"drains nothing", DRAIN, "()", "0; []"},
    {"swaps", SWAP, "3; ([1][2 3]); ([4])", "([4]); ([1][2 3])"},
    {"swaps not", SWAP, "0; ([1][2 3]); ([4])", "([1][2 3]); ([4])"},
    {"deep, one way", DEEP, "2; 1; ([1]); [7 8]", "([1][-7 -8][-7 -8])"},
    {"deep, the other way", DEEP, "2; 0; ([1]); [7 8]", "([1][7 8])"},
    {"found", FOUND, "(1 3 4 5)", "1; 4?"},
    {"not found", FOUND, "(1 3 5)", "0; none"},
    {"not looked for", FOUND, "()", "0; none"},
    {"lost", LOST, "3; 1", "0"},
    {"a body that gives what it got, what is around it, and a constant",
     "in n int64\nin s seq float32\nin x float32 [k]\nout p seq float32\nout q seq float32\n"
     "out r float32\nout all float32\nNeg(x) -> (y)\n"
     "Loop(n, , s, s, x) -> (p, q, r, all)\n"
     "{ body\n in i int64\n in c bool\n in v seq float32\n in w seq float32\n in z float32 [k]\n"
     "  const one float32 [1] 1\n SequenceInsert(v, y) -> (u)\n"
     "  out c\n out u\n out s\n out y\n out one\n}\n", "2; ([1]); [5 6]",
     "([1][-5 -6][-5 -6]); ([1]); [-5 -6]; [[1][1]]"},
    {"one value twice, one not at all",
     "in n int64\nin s seq float32\nin x float32\nout q seq float32\nout r seq float32\n"
     "Loop(n, , s, s, s) -> (, q, r)\n"
     "{ body\n in i int64\n in c bool\n in v seq float32\n in w seq float32\n in z seq float32\n"
     "  SequenceInsert(v, x) -> (u)\n out c\n out u\n out u\n out v\n}\n", "2; (1); 7",
     "(1 7 7); (1 7)"},
    {"a condition that is captured", "in go bool\nin s seq float32\nout p seq float32\n"
     "const three int64 3\nLoop(three, go, s) -> (p)\n"
     "{ body\n in i int64\n in c bool\n in v seq float32\n Not(go) -> (no)\n"
     "  SequenceErase(v) -> (w)\n out no\n out w\n}\n", "1; (1 2 3)", "(1 2)"},
    {"a loop in a branch in a loop", "in s seq float32\nin x float32 [k]\nout p seq float32\n"
     "const two int64 2\nconst one int64 1\nLoop(two, , s) -> (p)\n"
     "{ body\n in i int64\n in c bool\n in v seq float32\n Less(i, one) -> (early)\n"
     "  Cast(i) -> (f) to=1\n Add(x, f) -> (y)\n If(early) -> (w)\n"
     "  { then_branch\n Loop(two, , v) -> (a)\n"
     "    { body\n in j int64\n in d bool\n in t seq float32\n"
     "      Concat(y, x) -> (z) axis=0\n SequenceInsert(t, z, j) -> (u)\n out d\n out u\n}\n"
     "    out a\n}\n"
     "  { else_branch\n SequenceAt(v, i) -> (b)\n SequenceConstruct(b, y) -> (e)\n out e\n}\n"
     "  out c\n out w\n}\n", "([9]); [1 2]", "([1 2 1 2][2 3])"},
    {"a state of two kinds", "in n int64\nin x float32\nout y float32\nLoop(n, , x) -> (y)\n"
     "{ body\n in i int64\n in c bool\n in v float32\n Identity(c) -> (go)\n"
     "  SequenceConstruct(v) -> (w)\n out go\n out w\n}\n", "1; 2", "! a value of one type"},
    {"scanned sequences", "in n int64\nin x float32\nout y float32\nLoop(n) -> (y)\n"
     "{ body\n in i int64\n in c bool\n Identity(c) -> (go)\n"
     "  SequenceConstruct(x) -> (w)\n out go\n out w\n}\n", "1; 2", "! tensors as scanned outputs"},
    {"a position out of range in iteration 2", "in s seq float32\nout y float32 [n]\n"
     "const three int64 3\nLoop(three) -> (y)\n"
     "{ body\n in i int64\n in c bool\n Identity(c) -> (go)\n SequenceAt(s, i) -> (w)\n"
     "  out go\n out w\n}\n", "(1 2)", "! position 2 is not in [-2, 2) of 2 items"},
};

#define CHOICE                                                                                     \
    "in c bool\nin s seq float32\nin x float32 [n]\nout r seq float32\nout n int64\n"              \
    "If(c) -> (r)\n"                                                                               \
    "{ then_branch\n SequenceInsert(s, x) -> (a)\n out a\n}\n"                                     \
    "{ else_branch\n SequenceConstruct(x, x) -> (b)\n out b\n}\n"                                  \
    "SequenceLength(r) -> (n)\n"

#define MAYBE                                                                                      \
    "in o opt float32 [n]\nin x float32 [m]\nout y float32\n"                                      \
    "OptionalHasElement(o) -> (has)\nIf(has) -> (y)\n"                                             \
    "{ then_branch\n OptionalGetElement(o) -> (a)\n Neg(a) -> (b)\n out b\n}\n"                    \
    "{ else_branch\n Identity(x) -> (d)\n out d\n}\n"

static const value_text_case branches[] = {
    {"then", CHOICE, "1; ([1]); [2 3]", "([1][2 3]); 2"},
    {"else", CHOICE, "0; (); [2 3]", "([2 3][2 3]); 2"},
    {"is there", MAYBE, "[1 2]; [5]", "[-1 -2]"},
    {"is not there", MAYBE, "none; [5]", "[5]"},
    {"no optional: decided at load", "in x float32 [n]\nout y float32\n"
     "OptionalHasElement(x) -> (has)\nIf(has) -> (y)\n"
     "{ then_branch\n OptionalGetElement(x) -> (a)\n Neg(a) -> (b)\n out b\n}\n"
     "{ else_branch\n Identity(x) -> (d)\n out d\n}\n", "[1 2]", "[-1 -2]"},
    {"branches that give what is around them", "in c bool\nin s seq float32\nin t seq float32\n"
     "out r seq float32\nIf(c) -> (r)\n"
     "{ then_branch\n out s\n}\n{ else_branch\n out t\n}\n", "0; (1); (2 3)", "(2 3)"},
    {"both or none", "in c bool\nin o opt float32\nin x float32\nout r opt float32\n"
     "If(c) -> (r)\n{ then_branch\n Optional(x) -> (a)\n out a\n}\n"
     "{ else_branch\n out o\n}\n", "0; none; 3", "none"},
    {"branches of two kinds", "in c bool\nin x float32\nout y float32\nIf(c) -> (y)\n"
     "{ then_branch\n SequenceConstruct(x) -> (a)\n out a\n}\n"
     "{ else_branch\n Neg(x) -> (b)\n out b\n}\n", "1; 2", "! branches that give one type"},
};

#define TWO                                                                                        \
    "in s seq float32\nin t seq float32\nin w float32 [1]\nout p seq float32\nout q seq int64\n"   \
    "SequenceMap(s, t, w) -> (p, q)\n"                                                             \
    "{ body\n in a float32 [n]\n in b float32 [n]\n in z float32 [1]\n"                            \
    "  Mul(a, z) -> (c)\n Add(c, b) -> (d)\n Shape(d) -> (e)\n out d\n out e\n}\n"

static const value_text_case maps[] = {
    {"two sequences and a tensor", TWO, "([1][2 3]); ([10][20 30]); [2]",
     "([12][24 36]); ([1][2])"},
    {"none", TWO, "(); (); [2]", "(); ()"},
    {"of two lengths", TWO, "([1][2]); ([1]); [2]", "! sequences of 2 and 1 items"},
    {"captures and loops inside", "in s seq float32\nin x float32 [k]\nout p seq float32\n"
     "const two int64 2\nSequenceMap(s) -> (p)\n"
     "{ body\n in a float32 [n]\n Loop(two, , a) -> (b)\n"
     "  { body\n in i int64\n in c bool\n in v float32 [m]\n Identity(c) -> (go)\n"
     "    Concat(v, x) -> (w) axis=0\n out go\n out w\n}\n"
     "  out b\n}\n", "([1][2 3]); [7]", "([1 7 7][2 3 7 7])"},
    {"in a loop", "in n int64\nin s seq float32\nout p seq float32\nLoop(n, , s) -> (p)\n"
     "{ body\n in i int64\n in c bool\n in v seq float32\n Identity(c) -> (go)\n"
     "  SequenceMap(v) -> (w)\n"
     "  { body\n in a float32 [m]\n Add(a, a) -> (b)\n out b\n}\n"
     "  out go\n out w\n}\n", "3; ([1][2 3])", "([8][16 24])"},
    {"between split and join", "in x float32 [n, m]\nout y float32\n"
     "SplitToSequence(x) -> (s) axis=1 keepdims=0\nSequenceMap(s) -> (t)\n"
     "{ body\n in a float32 [k]\n Neg(a) -> (b)\n out b\n}\n"
     "ConcatFromSequence(t) -> (y) axis=-1 new_axis=1\n", "[[1 2][3 4]]", "[[-1 -2][-3 -4]]"},
    {"a body that gives what it got, and what is around it",
     "in s seq float32\nin x float32 [k]\nout p seq float32\nout q seq float32\n"
     "SequenceMap(s) -> (p, q)\n{ body\n in a float32 [n]\n out a\n out x\n}\n",
     "([1][2 3]); [7]", "([1][2 3]); ([7][7])"},
    {"a body of too few inputs", "in s seq float32\nin x float32\nout p seq float32\n"
     "SequenceMap(s, x) -> (p)\n{ body\n in a float32\n Neg(a) -> (b)\n out b\n}\n", "(1); 2",
     "! a body with the inputs and outputs of the node"},
    {"over a tensor", "in x float32 [n]\nout p seq float32\n"
     "SequenceMap(x) -> (p)\n{ body\n in a float32\n Neg(a) -> (b)\n out b\n}\n", "[1]",
     "! a sequence for input 0"},
    {"a body that gives a sequence", "in s seq float32\nout p seq float32\n"
     "SequenceMap(s) -> (p)\n{ body\n in a float32\n SequenceConstruct(a) -> (b)\n out b\n}\n",
     "(1)", "! output 0 of the body is no tensor"},
    {"strings", "in s seq string\nout p seq string\nSequenceMap(s) -> (p)\n"
     "{ body\n in a string [n]\n Concat(a, a) -> (b) axis=0\n out b\n}\n", "([a][b c])",
     "([a a][b c b c])"},
};
// clang-format on

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static void loops_carry_them(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(loops, COUNT(loops)), 0);
}

static void branches_give_them(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(branches, COUNT(branches)), 0);
}

static void sequences_are_mapped(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(maps, COUNT(maps)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_carry_them),
        cmocka_unit_test(branches_give_them),
        cmocka_unit_test(sequences_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
