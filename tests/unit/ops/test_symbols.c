/* Shapes before any number is there: chains of shape computations as exporters write them, and what
 * inference must know of the result in terms of the inputs' symbols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_text.h"
#include "passes/pass.h"
#include "run/model.h"

typedef struct symbol_case {
    const char *text;
    const char *shape; /* of output 0; "?" is a symbol that nothing else has */
} symbol_case;

static const symbol_case cases[] = {
    /* x.view(b, s, 4, -1) */
    {"in x float32 [batch, seq, 32]\nout y float32\n"
     "const i0 int64 0\nconst i1 int64 1\nconst axis int64 [1] 0\nconst tail int64 [2] 4 -1\n"
     "Shape(x) -> (s)\nGather(s, i0) -> (b)\nGather(s, i1) -> (n)\n"
     "Unsqueeze(b, axis) -> (b1)\nUnsqueeze(n, axis) -> (n1)\n"
     "Concat(b1, n1, tail) -> (shape) axis=0\nReshape(x, shape) -> (y)\n",
     "batch, seq, 4, 8"},
    /* a cache: past and present meet */
    {"in past float32 [batch, 2, past, 8]\nin x float32 [batch, 2, seq, 8]\nout y float32\n"
     "Concat(past, x) -> (all) axis=2\nTranspose(all) -> (k) perm=[0,1,3,2]\n"
     "MatMul(x, k) -> (y)\n",
     "batch, 2, seq, past + seq"},
    /* expand(shape) as PyTorch writes it: -1 means "as it is" */
    {"in x float32 [batch, 1, seq]\nin like float32 [batch, 6, seq]\nout y float32\n"
     "const minus int64 -1\nconst one int64 1\n"
     "Shape(like) -> (s)\nEqual(s, minus) -> (free)\nWhere(free, one, s) -> (target)\n"
     "Expand(x, target) -> (y)\n",
     "batch, 6, seq"},
    /* positions past .. past + seq */
    {"in past float32 [past]\nin x float32 [seq]\nout y int64\n"
     "const one int64 1\nShape(past) -> (p1)\nShape(x) -> (n1)\n"
     "const axis int64 [1] 0\nSqueeze(p1, axis) -> (p)\nSqueeze(n1, axis) -> (n)\n"
     "Add(p, n) -> (end)\nRange(p, end, one) -> (y)\n",
     "seq"},
    /* the second half, its bound computed from the shape */
    {"in x float32 [batch, seq, 8]\nout y float32\n"
     "const last int64 [1] 2\nconst two int64 [1] 2\nconst far int64 [1] 2147483647\n"
     "Shape(x) -> (s)\nGather(s, last) -> (d)\nDiv(d, two) -> (half)\n"
     "Slice(x, half, far, last) -> (y)\n",
     "batch, seq, 4"},
    /* the last seq of past + seq */
    {"in past float32 [past]\nin x float32 [seq]\nout y float32\n"
     "const far int64 [1] 2147483647\nShape(x) -> (n)\nNeg(n) -> (from)\n"
     "Concat(past, x) -> (all) axis=0\nSlice(all, from, far) -> (y)\n",
     "seq"},
    /* a limit that may cut */
    {"in x float32 [seq]\nout y float32\n"
     "const zero int64 [1] 0\nconst some int64 [1] 64\nSlice(x, zero, some) -> (y)\n",
     "min(seq, 64)"},
    /* heads joined again; the product cancels */
    {"in x float32 [batch, 4, seq, 8]\nout y float32\n"
     "const shape int64 [3] 0 -1 32\nTranspose(x) -> (t) perm=[0,2,1,3]\nReshape(t, shape) -> "
     "(y)\n",
     "batch, seq, 32"},
    {"in x float32 [batch, seq, 32]\nout y float32\nconst shape int64 [2] -1 16\n"
     "Reshape(x, shape) -> (y)\n",
     "2*batch*seq, 16"},
    {"in x float32 [n, 3, h]\nin w float32 [5, 3, 3]\nout y float32\n"
     "Conv(x, w) -> (y) pads=[1,1]\n",
     "n, 5, h"},
    {"in x float32 [n, 2, h]\nout y float32\n"
     "MaxPool(x) -> (y) kernel_shape=[2] strides=[2]\n",
     "n, 2, floor(h - 2, 2) + 1"},
    {"in x float32 [n, 6]\nout y float32\nSplit(x) -> (y, z) axis=1 num_outputs=2\n", "n, 3"},
    {"in x float32 [n]\nin k int64 [2]\nout y float32\nExpand(x, k) -> (y)\n", "?, ?"},
    /* no proof, no equality: either may be 1 */
    {"in x float32 [a, 3]\nin y0 float32 [b, 3]\nout y float32\nAdd(x, y0) -> (y)\n",
     "broadcast(b, a), 3"},
    {"in x float32 [n, 4]\nin s float32 [4]\nout y float32\n"
     "Scan(s, x) -> (z, y) num_scan_inputs=1\n"
     "{ body\n  in a float32 [4]\n  in b float32 [4]\n  Add(a, b) -> (c)\n  Neg(c) -> (d)\n"
     "  out c\n  out d\n}\n",
     "n, 4"},
    {"in m int64\nin x float32 [k]\nout y float32\n"
     "Loop(m, , x) -> (y)\n"
     "{ body\n  in i int64\n  in c bool\n  in v float32 [len]\n  Identity(c) -> (go)\n"
     "  Concat(v, v) -> (w) axis=0\n  out go\n  out w\n}\n",
     "?"},
    /* bodies of attention */
    {"in x float32 [b, s, 32]\nin w float32 [32, 96]\nin past float32 [2, b, 4, p, 8]\n"
     "out y float32\nout z float32\n"
     "Attention(x, w, , , past) -> (z, y) com.microsoft num_heads=4\n",
     "2, b, 4, s + p, 8"},
    {"in q float32 [b, s, 32]\nin k float32 [b, t, 32]\nin past float32 [b, 4, p, 8]\n"
     "in m int32 [b, p + t]\nout y float32\nout z float32\n"
     "MultiHeadAttention(q, k, k, , m, , past, past) -> (y, , z) com.microsoft num_heads=4\n",
     "b, s, 32"},
    {"in q float32 [b, s, 64]\nin past float32 [b, 2, p, 8]\nin n int32 [b]\n"
     "in m int64 [b, all]\nout y float32\nconst i int64 1\n"
     "Shape(m) -> (shape)\nGather(shape, i) -> (t64)\nCast(t64) -> (t) to=6\n"
     "GroupQueryAttention(q, , , past, past, n, t) -> (y) com.microsoft num_heads=4 "
     "kv_num_heads=2\n",
     "b, s, 32"},
    {"in x float32 [b, s, h]\nin n int32 [b]\nout y float32\n"
     "RemovePadding(x, n) -> (y) com.microsoft\n",
     "?, h"},
    {"in m int64\nin x float32 [k]\nout y float32\n"
     "Loop(m, , x) -> (y)\n"
     "{ body\n  in i int64\n  in c bool\n  in v float32 [k]\n  Identity(c) -> (go)\n"
     "  Neg(v) -> (w)\n  out go\n  out w\n}\n",
     "k"},
};

/* Symbols without a name print as "?" and a number. */
static void shape_of(const ir_model *m, const ir_type *type, char *text, size_t size)
{
    text[0] = 0;
    for (int32_t i = 0; i < type->rank; i++) {
        char dim[128];
        dims_text(m->dims, type->dims[i], dim, sizeof(dim));
        size_t at = strlen(text);
        snprintf(text + at, size - at, "%s%s", i ? ", " : "", dim[0] == '?' ? "?" : dim);
    }
}

static void chains_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        onnx_message bytes;
        ir_model *m = NULL;
        const char *const *report;
        size_t n_report;
        char found[512];
        heed_model *model = onnx_text_load(cases[i].text, &bytes);
        assert_non_null(model);
        assert_int_equal(ir_model_copy(model->ir, &m), HEED_OK);
        assert_int_equal(pass_pipeline(m, &(pass_options){.check = true}, &report, &n_report),
                         HEED_OK);
        shape_of(m, &m->main->outputs[0]->type, found, sizeof(found));
        assert_string_equal(found, cases[i].shape);
        ir_model_free(m);
        heed_model_free(model);
        onnx_write_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_are_understood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
