/* Sequences and optionals: every operator as a model, what it gives and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "value_text.h"

#define IN_S "in s seq float32\n"
#define INSERT                                                                                     \
    IN_S "in x float32 [n]\nin at int64\nout t seq float32\nSequenceInsert(s, x, at) -> (t)\n"
#define ERASE    IN_S "in at int32\nout t seq float32\nSequenceErase(s, at) -> (t)\n"
#define AT       IN_S "in at int64\nout y float32\nSequenceAt(s, at) -> (y)\n"
#define SPLIT(a) "in x float32 [n, 4]\nout s seq float32\nSplitToSequence(x) -> (s) " a "\n"
#define SIZES(a)                                                                                   \
    "in x float32 [n, 4]\nin k int64 " a                                                           \
    "\nout s seq float32\nSplitToSequence(x, k) -> (s) axis=1 keepdims=0\n"
#define JOIN(a) IN_S "out y float32\nConcatFromSequence(s) -> (y) " a "\n"

// clang-format off
static const value_text_case sequences[] = {
    {"empty, of a dtype", "out s seq int64\nout n int64\nSequenceEmpty() -> (s) dtype=7\n"
     "SequenceLength(s) -> (n)\n", "", "(); 0"},
    {"empty takes its own dtype only", "in x int64\nout t seq float32\nSequenceEmpty() -> (s)\n"
     "SequenceInsert(s, x) -> (t)\n", "1", "! float32 for input 1"},
    {"empty of no dtype", "out s seq int64\nSequenceEmpty() -> (s) dtype=99\n", "",
     "! a data type"},
    {"construct", "in x float32 [n]\nin y float32 [n, m]\nout s seq float32\nout n int64\n"
     "SequenceConstruct(x, y, x) -> (s)\nSequenceLength(s) -> (n)\n", "[1]; [[2 3]]",
     "([1][[2 3]][1]); 3"},
    {"construct of two dtypes", "in x float32\nin y int64\nout s seq float32\n"
     "SequenceConstruct(x, y) -> (s)\n", "1; 2", "! float32 for input 1"},
    {"insert in front", INSERT, "([1][2]); [5 6]; 0", "([5 6][1][2])"},
    {"insert behind", INSERT, "([1][2]); [5 6]; 2", "([1][2][5 6])"},
    {"insert from the back", INSERT, "([1][2]); [5 6]; -1", "([1][5 6][2])"},
    {"insert in front from the back", INSERT, "([1][2]); []; -2", "([][1][2])"},
    {"insert at the end", IN_S "in x float32\nout t seq float32\nSequenceInsert(s, x) -> (t)\n",
     "([1]); 5", "([1] 5)"},
    {"insert too far", INSERT, "([1][2]); [5]; 3", "! position 3 is not in [-2, 3) of 2 items"},
    {"insert too far in front", INSERT, "([1][2]); [5]; -3", "! position -3 is not in"},
    {"erase", ERASE, "([1][2 3][4]); 1", "([1][4])"},
    {"erase from the back", ERASE, "([1][2 3][4]); -3", "([2 3][4])"},
    {"erase the last", IN_S "out t seq float32\nSequenceErase(s) -> (t)\n", "([1][2])", "([1])"},
    {"erase of nothing", IN_S "out t seq float32\nSequenceErase(s) -> (t)\n", "()",
     "! an empty sequence has no last item"},
    {"erase too far", ERASE, "([1][2]); 2", "! position 2 is not in [-2, 2) of 2 items"},
    {"at", AT, "([1][2 3]); 1", "[2 3]"},
    {"at the back", AT, "([1][2 3]); -2", "[1]"},
    {"at too far", AT, "([1][2 3]); 2", "! graph.node[0]"},
    {"at too far, as is known at load",
     "in x float32 [2]\nout y float32\nconst four int64 4\nSequenceConstruct(x, x) -> (s)\n"
     "SequenceAt(s, four) -> (y)\n", "[1 2]", "! position 4 is not in [-2, 2) of 2 items"},
    {"at of what was put behind others",
     IN_S "in x float32 [n]\nout y float32\nconst last int64 -1\n"
     "SequenceInsert(s, x) -> (t)\nSequenceAt(t, last) -> (y)\n", "([1]); [2 3]", "[2 3]"},
    {"at of pieces that are known", "in x float32 [3, 2]\nout y float32\nconst two int64 2\n"
     "SplitToSequence(x, two) -> (s)\nconst last int64 -1\nSequenceAt(s, last) -> (y)\n",
     "[[1 2][3 4][5 6]]", "[[5 6]]"},
    {"at of sizes that do not fit", "in x float32 [3, 2]\nout y float32\nconst k int64 [2] 1 1\n"
     "const zero int64 0\nSplitToSequence(x, k) -> (s)\nSequenceAt(s, zero) -> (y)\n",
     "[[1 2][3 4][5 6]]", "! the sizes leave 1 of 3 elements over"},
    {"at of nothing", AT, "(); 0", "! position 0 is not in [0, 0) of 0 items"},
    {"at two positions", IN_S "in at int64 [k]\nout y float32\nSequenceAt(s, at) -> (y)\n",
     "([1]); [0 0]", "! the position is one number"},
    {"at of a tensor", "in x float32 [n]\nin at int64\nout y float32\nSequenceAt(x, at) -> (y)\n",
     "[1]; 0", "! a sequence for input 0"},
    {"what was inserted has a shape", IN_S "in x float32 [n]\nout n int64\nout y float32\n"
     "const last int64 -1\nSequenceInsert(s, x) -> (t)\nSequenceAt(t, last) -> (u)\n"
     "Shape(u) -> (n)\nAdd(u, x) -> (y)\n", "([7]); [1 2]", "[2]; [2 4]"},
    {"strings", "in s seq string\nin x string [n]\nout t seq string\nout y string\n"
     "const zero int64 0\nConcat(x, x) -> (xx) axis=0\nSequenceInsert(s, xx) -> (t)\n"
     "SequenceAt(t, zero) -> (y)\n", "([a][b c]); [long-long-long]",
     "([a][b c][long-long-long long-long-long]); [a]"},
    {"a sequence goes through", IN_S "out t seq float32\nIdentity(s) -> (t)\n", "([1][2])",
     "([1][2])"},
};

static const value_text_case pieces[] = {
    {"split by one", SPLIT(""), "[[1 2 3 4][5 6 7 8]]", "([[1 2 3 4]][[5 6 7 8]])"},
    {"split by one, axis gone", SPLIT("keepdims=0 axis=-1"), "[[1 2 3 4][5 6 7 8]]",
     "([1 5][2 6][3 7][4 8])"},
    {"split by three", SIZES(""), "[[1 2 3 4]]; 3", "([[1 2 3]][[4]])"},
    {"split by more than there is", SIZES(""), "[[1 2 3 4]]; 9", "([[1 2 3 4]])"},
    {"split by sizes", SIZES("[k]"), "[[1 2 3 4]]; [1 0 3]", "([[1]][[]][[2 3 4]])"},
    {"split by nothing", SIZES(""), "[[1 2 3 4]]; 0", "! pieces of 0 elements"},
    {"split by less than nothing", SIZES(""), "[[1 2 3 4]]; -9223372036854775808",
     "! pieces of -9223372036854775808"},
    {"split by sizes that are too few", SIZES("[k]"), "[[1 2 3 4]]; [1 1]", "! leave 2 of 4"},
    {"split by sizes that are too many", SIZES("[k]"), "[[1 2 3 4]]; [4 1]", "! size 1 of piece 1"},
    {"split by a negative size", SIZES("[k]"), "[[1 2 3 4]]; [5 -1]", "! size 5 of piece 0"},
    {"split by a matrix", SIZES("[k, j]"), "[[1 2 3 4]]; [[4]]", "! a scalar or a list"},
    {"split on no axis", SPLIT("axis=2"), "[[1 2 3 4]]", "! an axis in [-2, 2)"},
    {"split of strings",
     "in x string [n]\nout s seq string\nSplitToSequence(x) -> (s) keepdims=0\n",
     "[a bc d]", "(a bc d)"},
    {"join", JOIN("axis=0"), "([[1 2]][[3 4][5 6]])", "[[1 2][3 4][5 6]]"},
    {"join on the last axis", JOIN("axis=-1"), "([[1][2]][[3 4][5 6]])", "[[1 3 4][2 5 6]]"},
    {"stack", JOIN("axis=0 new_axis=1"), "([1 2][3 4])", "[[1 2][3 4]]"},
    {"stack of what is known", "in x float32 [2]\nout y float32\nNeg(x) -> (z)\n"
     "SequenceConstruct(x, z) -> (s)\nConcatFromSequence(s) -> (y) axis=-1 new_axis=1\n", "[1 2]",
     "[[1 -1][2 -2]]"},
    {"join of what is known not to fit", "in x float32 [2]\nin z float32 [2, 1]\nout y float32\n"
     "SequenceConstruct(x, z) -> (s)\nConcatFromSequence(s) -> (y) axis=0\n", "[1 2]; [[1][2]]",
     "! items 0 and 1 do not fit together: 2 and 2x1"},
    {"stack behind", JOIN("axis=-1 new_axis=1"), "([1 2][3 4])", "[[1 3][2 4]]"},
    {"stack of scalars", JOIN("axis=0 new_axis=1"), "(1 2 3)", "[1 2 3]"},
    {"join of scalars", JOIN("axis=0"), "(1 2 3)", "! axis"},
    {"join of what does not fit", JOIN("axis=0"), "([[1 2]][[3]])",
     "! items 0 and 1 do not fit together: 1x2 and 1x1"},
    {"join of ranks", JOIN("axis=0"), "([[1]][3])", "! items 0 and 1 do not fit"},
    {"stack of what does not fit", JOIN("axis=0 new_axis=1"), "([1][2 3])",
     "! items 0 and 1 do not fit"},
    {"join of nothing", JOIN("axis=0"), "()", "! an empty sequence gives no tensor"},
    {"join on no axis", JOIN("axis=1"), "([1][2])", "! axis"},
    {"join of empty ones", JOIN("axis=0"), "([][]) ", "[]"},
    {"join of strings", "in s seq string\nout y string\nConcatFromSequence(s) -> (y) axis=0\n",
     "([a b][][c])", "[a b c]"},
};

static const value_text_case optionals[] = {
    {"has", "in o opt float32 [n]\nout y bool\nOptionalHasElement(o) -> (y)\n", "[1]", "1"},
    {"has not", "in o opt float32 [n]\nout y bool\nOptionalHasElement(o) -> (y)\n", "none", "0"},
    {"a tensor is there", "in x float32 [n]\nout y bool\nOptionalHasElement(x) -> (y)\n", "[1]",
     "1"},
    {"a sequence is there", IN_S "out y bool\nOptionalHasElement(s) -> (y)\n", "()", "1"},
    {"no input", "out y bool\nOptionalHasElement() -> (y)\n", "", "0"},
    {"get", "in o opt float32 [n]\nout y float32\nOptionalGetElement(o) -> (y)\n", "[1 2]",
     "[1 2]"},
    {"get a sequence", "in o opt seq float32\nout y seq float32\nOptionalGetElement(o) -> (y)\n",
     "([1][2])", "([1][2])"},
    {"get of a tensor",
     "in x float32 [n]\nout y float32\nNeg(x) -> (z)\nOptionalGetElement(z) -> (y)\n",
     "[1 2]", "[-1 -2]"},
    {"get of a sequence",
     IN_S "out n int64\nOptionalGetElement(s) -> (t)\nSequenceLength(t) -> (n)\n",
     "([1][2])", "2"},
    {"get of nothing", "in o opt float32 [n]\nout y float32\nOptionalGetElement(o) -> (y)\n",
     "none",
     "! the optional is empty"},
    {"make", "in x float32 [n]\nout o opt float32\nout h bool\nNeg(x) -> (z)\nOptional(z) -> (o)\n"
     "OptionalHasElement(o) -> (h)\n", "[1 2]", "[-1 -2]?; 1"},
    {"make of a sequence", IN_S "out o opt seq float32\nout n int64\nOptional(s) -> (o)\n"
     "OptionalGetElement(o) -> (t)\nSequenceLength(t) -> (n)\n", "([1][2])", "([1][2])?; 2"},
    {"make an empty one",
     "out o opt float32\nout h bool\nOptional() -> (o) type='tensor(float32)'\n"
     "OptionalHasElement(o) -> (h)\n", "", "none; 0"},
    {"make an empty sequence's", "in x float32\nout n int64\n"
     "Optional() -> (o) type='seq(tensor(float32))'\nOptionalGetElement(o) -> (s)\n"
     "SequenceLength(s) -> (n)\n", "1", "! the optional is empty"},
    {"make of no type", "out o opt float32\nOptional() -> (o)\n", "",
     "! an element type in attribute"},
    {"make of a type that is none",
     "out o opt float32\nOptional() -> (o) type='tensor(float)'\n", "",
     "! \"tensor(float)\""},
    {"make of an optional", "in x opt float32\nout o opt float32\nOptional(x) -> (o)\n", "1",
     "! a tensor or a sequence"},
    {"strings", "in x string [n]\nout y string\nConcat(x, x) -> (z) axis=0\nOptional(z) -> (o)\n"
     "OptionalGetElement(o) -> (y)\n", "[a long-long-long-long]",
     "[a long-long-long-long a long-long-long-long]"},
};
// clang-format on

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static void sequences_are_made_and_read(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(sequences, COUNT(sequences)), 0);
}

static void tensors_are_cut_and_joined(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(pieces, COUNT(pieces)), 0);
}

static void optionals_hold_or_do_not(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(optionals, COUNT(optionals)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_made_and_read),
        cmocka_unit_test(tensors_are_cut_and_joined),
        cmocka_unit_test(optionals_hold_or_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
