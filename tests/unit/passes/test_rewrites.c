/* Every pass: graphs that it rewrites, and graphs that look alike and must stay as they are. After
 * each, the graph keeps its invariants and gives the same bits. */
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

static void check_rows(const char *pass, const row *rows, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *what = pass_check(pass, rows[i].before, rows[i].after);
        if (what) {
            print_message("%s\n%s\n", rows[i].before, what);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

#define CHECK(pass, rows) check_rows(pass, rows, sizeof(rows) / sizeof(*(rows)))

#define X  "in x float32 [n, 3]\n"
#define XC X "in c bool []\n"

static void dead(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out y\nExp(x) -> (a)\nNeg(a) -> (b)\nAbs(x) -> (y)\n", "Abs(x)->y | y"},
        {X "out y\nSplit(x) -> (y, z) axis=1 num_outputs=2\n", "Split(x)->y,z | y"},
        {XC "out y\nExp(x) -> (a)\nIf(c) -> (y)\n{ then_branch\nNeg(x) -> (d)\nAbs(a) -> (b)\n"
            "out b\n}\n{ else_branch\nNeg(x) -> (e)\nout e\n}\n",
         "Exp(x)->a If(c)->y {Abs(a)->b | b} {Neg(x)->e | e} | y"},
        {XC "out y\nIf(c) -> (u)\n{ then_branch\nNeg(x) -> (b)\nout b\n}\n"
            "{ else_branch\nout x\n}\nAbs(x) -> (y)\n",
         "Abs(x)->y | y"},
    };
    CHECK("dead", rows);
}

static void part(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out z\nSplit(x) -> (y, z, w) axis=1 num_outputs=3\nconst unused int64 [1] 0\n",
         "Slice(x,=1,=2,=1)->#* | #*"},
        {X "out w\nconst sizes int64 [2] 1 2\nSplit(x, sizes) -> (y, z) axis=-1\nNeg(z) -> (w)\n",
         "Slice(x,=1,=3,=1)->#* Neg(#*)->w | w"},
        /* two parts are read; where the part begins is not known */
        {X "out y\nout z\nSplit(x) -> (y, z, w) axis=1 num_outputs=3\n", "Split(x)->y,z,w | y z"},
        {X "out z\nSplit(x) -> (y, z) axis=0 num_outputs=2\n", "Split(x)->y,z | z"},
    };
    CHECK("part", rows);
}

static void fold(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out y\nconst a float32 [] 2\nconst b float32 [] 3\nAdd(a, b) -> (s)\n"
           "Mul(x, s) -> (y)\n",
         "Mul(x,=5)->y | y"},
        {"in x float32 [2, 3]\nout y int64\nShape(x) -> (y)\n", "| =2,3"},
        {X "out y int64\nconst one int64 [] 1\nShape(x) -> (s)\nGather(s, one) -> (y)\n",
         "Shape(x)->s | =3"},
        {X "out y int64\nShape(x) -> (y)\n", "Shape(x)->y | y"},
        /* the default of an input is no constant */
        {"in x float32 []\nin d float32 []\nout y\nconst d float32 [] 2\nNeg(d) -> (e)\n"
         "Mul(x, e) -> (y)\n",
         "Neg(d)->e Mul(x,e)->y | y"},
        {"out y int64\nconst b float32 [3] 0 4 5\nNonZero(b) -> (y)\n", "| =1,2"},
        {XC "out y\nconst k float32 [] 4\nIf(c) -> (y)\n{ then_branch\nSqrt(k) -> (r)\n"
            "Mul(x, r) -> (b)\nout b\n}\n{ else_branch\nNeg(x) -> (e)\nout e\n}\n",
         "If(c)->y {Mul(x,=2)->b | b} {Neg(x)->e | e} | y"},
        /* as large as nobody wants to keep */
        {X "out y\nconst d int64 [1] 1000000\nConstantOfShape(d) -> (z)\nReduceMax(z) -> (m)\n"
           "Add(x, m) -> (y)\n",
         "ConstantOfShape(d)->z ReduceMax(z)->m Add(x,m)->y | y"},
    };
    CHECK("fold", rows);
}

/* Constants that had to be computed say what shapes are; what is a symbol stays one. */
static void refine(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [1, 5]\nout y int64\nconst f float32 [4] 0 -1 0 -2\nAbs(f) -> (a)\n"
         "Cast(a) -> (p) to=7\nPad(x, p) -> (q)\nNeg(q) -> (n)\nShape(n) -> (y)\n",
         "| =1,8"},
        {"in x float32 [n, 5]\nout y int64\nout z\nconst f float32 [4] 0 -1 0 -2\n"
         "const o int64 [1] 1\nAbs(f) -> (a)\nCast(a) -> (p) to=7\nPad(x, p) -> (q)\n"
         "Shape(q) -> (s)\nGather(s, o) -> (y)\nNeg(q) -> (z)\n",
         "Pad(x,=0,1,0,2)->q Neg(q)->z | =8 z"},
        /* an extent without a name is that of the input: the reshape changes nothing */
        {"in x float32 [?, 5]\nout z\nconst f float32 [4] 0 -1 0 -2\nconst e int64 [1] 8\n"
         "Abs(f) -> (a)\nCast(a) -> (p) to=7\nPad(x, p) -> (q)\nShape(x) -> (s) end=1\n"
         "Concat(s, e) -> (t) axis=0\nReshape(q, t) -> (r)\nNeg(r) -> (z)\n",
         "Pad(x,=0,1,0,2)->q Neg(q)->z | z"},
    };
    CHECK(NULL, rows);
}

static void identity(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out y\nIdentity(x) -> (a)\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {X "out y\nNeg(x) -> (a)\nIdentity(a) -> (y)\n", "Neg(x)->a | a"},
        {X "out y\nCast(x) -> (a) to=1\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {X "out y\nCast(x) -> (a) to=7\nNeg(a) -> (y)\n", "Cast(x)->a Neg(a)->y | y"},
        {X "out y\nTranspose(x) -> (a) perm=[0,1]\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {"in x float32 [3, 3]\nout y\nTranspose(x) -> (a) perm=[1,0]\nNeg(a) -> (y)\n",
         "Transpose(x)->a Neg(a)->y | y"},
        {X "out y\nconst s int64 [2] 0 3\nReshape(x, s) -> (a)\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {"in x float32 [2, 3]\nout y\nconst s int64 [2] 3 2\nReshape(x, s) -> (a)\n"
         "Neg(a) -> (y)\n",
         "Reshape(x,s)->a Neg(a)->y | y"},
        {X "out y\nconst o float32 [] 1\nMul(x, o) -> (a)\nDiv(a, o) -> (b)\nNeg(b) -> (y)\n",
         "Neg(x)->y | y"},
        /* broadcasting makes it another shape */
        {"in x float32 []\nout y\nconst o float32 [2] 1\nMul(x, o) -> (a)\nNeg(a) -> (y)\n",
         "Mul(x,o)->a Neg(a)->y | y"},
        /* -0 + 0 is 0, so this changes something */
        {X "out y\nconst z float32 [] 0\nAdd(x, z) -> (a)\nNeg(a) -> (y)\n",
         "Add(x,z)->a Neg(a)->y | y"},
        {"in x int64 [n]\nout y\nconst z int64 [] 0\nAdd(x, z) -> (a)\nNeg(a) -> (y)\n",
         "Neg(x)->y | y"},
        {X "out y\nConcat(x) -> (a) axis=0\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {"in x float32 [4]\nout y\nconst b int64 [1] 0\nconst e int64 [1] 4\n"
         "Slice(x, b, e) -> (a)\nNeg(a) -> (y)\n",
         "Neg(x)->y | y"},
        /* to the end, which is no number yet */
        {"in x float32 [n]\nout y\nconst b int32 [1] 0\nconst e int32 [1] 1000000000\n"
         "Slice(x, b, e) -> (a)\nNeg(a) -> (y)\n",
         "Neg(x)->y | y"},
        {"in x float32 [4]\nout y\nconst b int64 [1] 3\nconst e int64 [1] -9\nconst d int64 [1] 0\n"
         "const s int64 [1] -1\nSlice(x, b, e, d, s) -> (a)\nNeg(a) -> (y)\n",
         "Slice(x,b,e,d,s)->a Neg(a)->y | y"},
        {X "out y\nDropout(x) -> (a)\nNeg(a) -> (y)\n", "Neg(x)->y | y"},
        {X "out y\nout m\nDropout(x) -> (a, m)\nNeg(a) -> (y)\n",
         "Dropout(x)->a,m Neg(a)->y | y m"},
    };
    CHECK("identity", rows);
}

static void permutes(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [2, n, 4]\nout y\nEinsum(x) -> (y) equation='bsd->dbs'\n",
         "Transpose(x)->#2 | #2"},
        {"in x float32 [2, n, 4]\nout y\nEinsum(x) -> (y) equation='bsd->bs'\n",
         "Einsum(x)->y | y"},
        {"in x float32 [3, 3]\nout y\nEinsum(x) -> (y) equation='ii->i'\n", "Einsum(x)->y | y"},
    };
    CHECK("permutes", rows);
}

static void transposes(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [2, 3, 4]\nout y\nTranspose(x) -> (a) perm=[1,2,0]\n"
         "Transpose(a) -> (y) perm=[1,2,0]\n",
         "Transpose(x)->a Transpose(x)->y | y"},
        {"in x float32 [2, 3, 4]\nout y\nout z\nTranspose(x) -> (a) perm=[2,0,1]\n"
         "Transpose(a) -> (y) perm=[0,2,1]\nNeg(a) -> (z)\n",
         "Transpose(x)->a Transpose(x)->y Neg(a)->z | y z"},
    };
    CHECK("transposes", rows);
}

static void casts(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x int32 [n]\nout y\nCast(x) -> (a) to=7\nCast(a) -> (y) to=1\n",
         "Cast(x)->a Cast(x)->y | y"},
        {"in x float32 [n]\nout y\nCast(x) -> (a) to=7\nCast(a) -> (y) to=1\n",
         "Cast(x)->a Cast(a)->y | y"},
        {"in x int64 [n]\nout y\nCast(x) -> (a) to=6\nCast(a) -> (y) to=1\n",
         "Cast(x)->a Cast(a)->y | y"},
        {"in x int32 [n]\nin t float32 [1]\nout y\nCastLike(x, t) -> (y) round_mode='down'\n",
         "Cast(x)->#* | #*"},
        /* a rounding that is no word cannot be named; a Cast of it goes straight as any other */
        {"in x int32 [n]\nin t float32 [1]\nout y\nCastLike(x, t) -> (y) round_mode='a=b'\n",
         "CastLike(x,t)->y | y"},
        {"in x int32 [n]\nout y\nCast(x) -> (a) to=7\nCast(a) -> (y) to=1 round_mode='a=b'\n",
         "Cast(x)->a Cast(x)->y | y"},
        {"in x int8 [n]\nout y\nCast(x) -> (a) to=2\nCast(a) -> (y) to=6\n", /* uint8 between */
         "Cast(x)->a Cast(a)->y | y"},
    };
    CHECK("casts", rows);
}

static void common(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out y\nExp(x) -> (a)\nExp(x) -> (b)\nAdd(a, b) -> (y)\n", "Exp(x)->a Add(a,a)->y | y"},
        {X "out y\nSoftmax(x) -> (a) axis=0\nSoftmax(x) -> (b) axis=1\nAdd(a, b) -> (y)\n",
         "Softmax(x)->a Softmax(x)->b Add(a,b)->y | y"},
        /* small constants are compared by what is in them */
        {X "out y\nconst k float32 [] 3\nconst l float32 [] 3\nAdd(x, k) -> (a)\n"
           "Add(x, l) -> (b)\nMul(a, b) -> (y)\n",
         "Add(x,k)->a Mul(a,a)->y | y"},
        {X "out y\nconst k float32 [] 3\nconst l float32 [1] 3\nAdd(x, k) -> (a)\n"
           "Add(x, l) -> (b)\nMul(a, b) -> (y)\n",
         "Add(x,k)->a Add(x,l)->b Mul(a,b)->y | y"},
        {X "out y\nout z\nExp(x) -> (y)\nExp(x) -> (z)\n", "Exp(x)->y | y y"},
        /* each branch computes its own */
        {XC "out y\nIf(c) -> (y)\n{ then_branch\nNeg(x) -> (b)\nout b\n}\n"
            "{ else_branch\nNeg(x) -> (e)\nout e\n}\n",
         "If(c)->y {Neg(x)->b | b} {Neg(x)->e | e} | y"},
    };
    CHECK("common", rows);
}

static void branch(void **state)
{
    (void)state;
    static const row rows[] = {
        {X "out y\nconst c bool [] 1\nIf(c) -> (y)\n{ then_branch\nconst k float32 [] 2\n"
           "Mul(x, k) -> (b)\nNeg(b) -> (d)\nout d\n}\n{ else_branch\nNeg(x) -> (e)\nout e\n}\n",
         "Mul(x,k)->b Neg(b)->d | d"},
        {X "out y\nconst c bool [1] 0\nAbs(x) -> (a)\nIf(c) -> (u)\n{ then_branch\nout x\n}\n"
           "{ else_branch\nout a\n}\nNeg(u) -> (y)\n",
         "Abs(x)->a Neg(a)->y | y"},
        /* a graph inside the branch moves with it */
        {XC "out y\nconst t bool [] 1\nIf(t) -> (y)\n{ then_branch\nconst k float32 [] 2\n"
            "Mul(x, k) -> (b)\nIf(c) -> (f)\n{ then_branch\nMul(b, k) -> (g)\nout g\n}\n"
            "{ else_branch\nout b\n}\nout f\n}\n{ else_branch\nout x\n}\n",
         "Mul(x,k)->b If(c)->f {Mul(b,k)->g | g} {| b} | f"},
        {XC "out y\nIf(c) -> (y)\n{ then_branch\nNeg(x) -> (b)\nout b\n}\n"
            "{ else_branch\nout x\n}\n",
         "If(c)->y {Neg(x)->b | b} {| x} | y"},
    };
    CHECK("branch", rows);
}

/* With the others, which take away what is not read any more. */
static void sequences(void **state)
{
    (void)state;
    static const row rows[] = {
        /* chunk, and an unbind of what is between */
        {"in x float32 [n, 4]\nout y\nconst two int64 [] 2\nconst one int64 [] 1\n"
         "SplitToSequence(x, two) -> (s) axis=-1\nSequenceAt(s, one) -> (h)\nNeg(h) -> (g)\n"
         "SplitToSequence(g) -> (t) axis=1 keepdims=0\nSequenceAt(t, one) -> (u)\nAbs(u) -> (y)\n",
         "Slice(x,=2,=4,=-1)->h Neg(h)->g Gather(g,=1)->u Abs(u)->y | y"},
        {"in x float32 [n, 4]\nout y\nconst sizes int64 [3] 1 0 3\nconst last int64 [] -1\n"
         "SplitToSequence(x, sizes) -> (s) axis=1\nSequenceAt(s, last) -> (h)\nNeg(h) -> (y)\n",
         "Slice(x,=1,=4,=1)->h Neg(h)->y | y"},
        /* lists: made, grown, shortened, joined */
        {X
         "out y\nout n int64\nconst zero int64 [] 0\nconst one int64 [] 1\n"
         "Abs(x) -> (a)\nExp(x) -> (b)\n"
         "SequenceEmpty() -> (e)\nSequenceInsert(e, a) -> (s)\nSequenceInsert(s, b, zero) -> (t)\n"
         "SequenceInsert(t, x) -> (u)\nSequenceErase(u, one) -> (v)\nSequenceLength(v) -> (n)\n"
         "ConcatFromSequence(v) -> (y) axis=0\n",
         "Exp(x)->b Concat(b,x)->y | y =2"},
        /* not known: how many rows, which one */
        {X "out y\nconst zero int64 [] 0\nSplitToSequence(x) -> (s)\nSequenceAt(s, zero) -> (y)\n",
         "SplitToSequence(x)->s SequenceAt(s,zero)->y | y"},
        {X "in i int64 []\nout y\nSequenceConstruct(x, x) -> (s)\nSequenceAt(s, i) -> (y)\n",
         "SequenceConstruct(x,x)->s SequenceAt(s,i)->y | y"},
    };
    CHECK(NULL, rows);
}

/* All of them, to the end. */
static void together(void **state)
{
    (void)state;
    static const row rows[] = {
        {"in x float32 [n, 4]\nout y\nconst one int64 [] 1\nconst two int64 [1] 2\n"
         "const rest int64 [1] -1\nconst axes int64 [1] 0\nconst zero int64 [] 0\n"
         "Shape(x) -> (s)\nGather(s, zero) -> (n0)\nUnsqueeze(n0, axes) -> (n1)\n"
         "Concat(n1, two, rest) -> (t) axis=0\nReshape(x, t) -> (a)\n"
         "Transpose(a) -> (b) perm=[0,2,1]\nTranspose(b) -> (c) perm=[0,2,1]\n"
         "Identity(c) -> (d)\nReshape(d, s) -> (e)\nNeg(e) -> (y)\n",
         "Reshape(x,=0,2,2)->#* Reshape(#*,=0,4)->#* Neg(#*)->y | y"},
        {X "out y\nconst c bool [] 1\nNot(c) -> (d)\nIf(d) -> (y)\n{ then_branch\nNeg(x) -> (a)\n"
           "out a\n}\n{ else_branch\nIdentity(x) -> (b)\nExp(b) -> (e)\nExp(x) -> (f)\n"
           "Add(e, f) -> (g)\nout g\n}\n",
         "Exp(x)->e Add(e,e)->g | g"},
    };
    CHECK(NULL, rows);
}

#define XYZ    "in x float32 [n, m, 6]\nout y\n"
#define SHAPES "Shape(x) -> (a) end=1\nShape(x) -> (b) start=1 end=2\n"
#define SHAPED "Shape(x)->a Shape(x)->b "
#define TO(t)                                                                                      \
    XYZ SHAPES "const k int64 [2] 2 3\nconst o int64 [1] 1\nconst s int64 [1] 6\n" t               \
               "Reshape(x, t) -> (r)\nNeg(r) -> (y)\n"

static void reshapes(void **state)
{
    (void)state;
    static const row rows[] = {
        /* each extent is that of the same axis, or a number */
        {TO("Concat(a, b, k) -> (t) axis=0\n"),
         SHAPED "Concat(a,b,k)->t Reshape(x,=0,0,2,3)->#* Neg(#*)->y | y"},
        /* the only one that is no number */
        {"in x float32 [n, 6]\nout y\nconst k int64 [2] 2 3\nShape(x) -> (a) end=1\n"
         "Concat(k, a) -> (t) axis=0\nReshape(x, t) -> (r)\nNeg(r) -> (y)\n",
         "Shape(x)->a Concat(k,a)->t Reshape(x,=2,3,-1)->#* Neg(#*)->y | y"},
        {TO("Mul(a, b) -> (c)\nConcat(c, s) -> (t) axis=0\n"),
         SHAPED "Mul(a,b)->c Concat(c,s)->t Reshape(x,=-1,6)->#* Neg(#*)->y | y"},
        /* axes of 1 */
        {TO("Concat(o, a, b, s) -> (t) axis=0\n"),
         SHAPED "Concat(o,a,b,s)->t Unsqueeze(x,=0)->#* Neg(#*)->y | y"},
        {"in x float32 [1, n, 1, m]\nout y\nShape(x) -> (a) start=1 end=2\n"
         "Shape(x) -> (b) start=3\nConcat(a, b) -> (t) axis=0\nReshape(x, t) -> (r)\n"
         "Neg(r) -> (y)\n",
         "Shape(x)->a Shape(x)->b Concat(a,b)->t Squeeze(x,=0,2)->#* Neg(#*)->y | y"},
        /* two are neither */
        {TO("Concat(b, a, s) -> (t) axis=0\n"),
         SHAPED "Concat(b,a,s)->t Reshape(x,t)->r Neg(r)->y | y"},
        /* with no rows the other could not be found */
        {TO("const h int64 [1] 2\nMul(b, h) -> (c)\nConcat(a, c, o) -> (u) axis=0\n"
            "const i int64 [1] 3\nConcat(u, i) -> (t) axis=0\n"),
         SHAPED "Mul(b,h)->c Concat(a,c,o)->u Concat(u,i)->t Reshape(x,t)->r Neg(r)->y | y"},
        {"in x float32 [n, 6]\nin t int64 [2]\nout y\nReshape(x, t) -> (y)\n",
         "Reshape(x,t)->y | y"},
    };
    CHECK("reshapes", rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead),       cmocka_unit_test(part),      cmocka_unit_test(fold),
        cmocka_unit_test(refine),     cmocka_unit_test(identity),  cmocka_unit_test(permutes),
        cmocka_unit_test(transposes), cmocka_unit_test(casts),     cmocka_unit_test(common),
        cmocka_unit_test(branch),     cmocka_unit_test(sequences), cmocka_unit_test(reshapes),
        cmocka_unit_test(together),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
