/* Norms with their sums, and activations that gate, in whole models: recognised, run by the cpu
 * backend in one node, in every float type, and equal to the same model with no pass at all on the
 * reference kernels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fused_case.h"

typedef struct fused {
    const char *op;    /* that the cpu backend runs */
    const char *model; /* "T" is the type */
} fused;

#define XR "in x T [2, 19, 40]\nin r T [2, 19, 40]\nout y T\n"
#define W  "const w T [40] random\n"
#define B  "const b T [40] random\n"

static const fused rows[] = {
    {"ResidualNormalization",
     XR "out s T\n" W B "Add(x, r) -> (s)\nLayerNormalization(s, w, b) -> (y)\n"},
    {"ResidualNormalization", XR W B "Add(x, r) -> (s)\nLayerNormalization(s, w, b) -> (y)\n"},
    {"ResidualNormalization", /* the sum is read before the norm, too */
     XR "out s T\nout z T\n" W
        "Add(x, r) -> (s)\nExp(s) -> (z)\nLayerNormalization(s, w) -> (y)\n"},
    {"ResidualNormalization", /* with the bias of a product */
     XR "out s T\n" W B "const c T [40] random\nconst p T [40, 40] random\nMatMul(x, p) -> (m)\n"
        "Add(c, m) -> (a)\nAdd(r, a) -> (s)\nLayerNormalization(s, w, b) -> (y)\n"},
    {"ResidualNormalization", XR
     "out s T\n" W "Add(x, r) -> (s)\nSimplifiedLayerNormalization(s, w) -> (y) com.microsoft\n"},
    {"ResidualNormalization",
     XR W "SkipSimplifiedLayerNormalization(x, r, w) -> (y) com.microsoft\n"},
    {"LayerNormalization",
     "in x T [2, 19, 40]\nout y T\n" W B "LayerNormalization(x, w, b) -> (y)\n"},
    {"LayerNormalization", "in x T [3, 4, 40]\nout y T\nconst w T [4, 40] random\n"
                           "LayerNormalization(x, w) -> (y) axis=1\n"},
    {"GatedActivation", XR "Sigmoid(x) -> (s)\nMul(x, s) -> (g)\nMul(g, r) -> (y)\n"},
    {"GatedActivation", XR "Gelu(x) -> (g) com.microsoft\nMul(r, g) -> (y)\n"},
    {"GatedActivation", XR "FastGelu(x) -> (g) com.microsoft\nMul(r, g) -> (y)\n"},
    {"GatedActivation", XR "QuickGelu(x) -> (g) com.microsoft\nMul(r, g) -> (y)\n"},
    {"GatedActivation", /* halves, the gate first and second */
     "in x T [3, 5, 1206]\nout y T\nSplit(x) -> (a, c) axis=-1 num_outputs=2\nSigmoid(a) -> (s)\n"
     "Mul(a, s) -> (g)\nMul(g, c) -> (y)\n"},
    {"GatedActivation",
     "in x T [3, 5, 1206]\nout y T\nSplit(x) -> (a, c) axis=2 num_outputs=2\nSigmoid(c) -> (s)\n"
     "Mul(c, s) -> (g)\nMul(g, a) -> (y)\n"},
    /* what must stay as it is, and be right */
    {"!ResidualNormalization", "in x T [2, 19, 40]\nin r T [1, 19, 40]\nout y T\n" W
                               "Add(x, r) -> (s)\nLayerNormalization(s, w) -> (y)\n"},
    {"!ResidualNormalization",
     XR "const w T [19, 40] random\nAdd(x, r) -> (s)\nLayerNormalization(s, w) -> (y) axis=1\n"},
    {"!ResidualNormalization", /* the weight comes later than the sum */
     XR "in v T [40]\nout s T\nAdd(x, r) -> (s)\nExp(v) -> (w)\nLayerNormalization(s, w) -> (y)\n"},
    {"!GatedActivation",
     "in x T [2, 19, 40]\nin r T [40]\nout y T\nSigmoid(x) -> (s)\nMul(x, s) -> (g)\n"
     "Mul(g, r) -> (y)\n"},
    {"!GatedActivation", XR "out g T\nSigmoid(x) -> (s)\nMul(x, s) -> (g)\nMul(g, r) -> (y)\n"},
    {"!GatedActivation", "in x T [2, 19, 40]\nout y T\nSigmoid(x) -> (s)\nMul(x, s) -> (g)\n"
                         "Mul(g, g) -> (y)\n"},
};

/* The model's text for a type. */
static void in_type(char *text, size_t size, const char *model, const char *type)
{
    size_t n = 0;
    for (const char *at = model; *at && n + 16 < size; at++) {
        bool word = *at == 'T' && (at == model || at[-1] == ' ') && (at[1] == ' ' || at[1] == '\n');
        n += (size_t)snprintf(text + n, size - n, "%.*s", word ? 16 : 1, word ? type : at);
    }
}

static void check(const fused *row, const char *type, double most)
{
    char text[1000];
    heed_tensor *got[FUSED_MOST] = {NULL}, *want[FUSED_MOST] = {NULL};
    bool found, wanted = row->op[0] != '!', other;
    const char *op = row->op + !wanted;
    in_type(text, sizeof(text), row->model, type);
    fused_case c = {.text = text, .backends = "cpu,reference", .op = op, .size = 3, .others = 3};
    size_t n = fused_case_run(&c, &found, got);
    c.backends = "reference";
    c.flags = HEED_SESSION_NO_OPTIMIZE;
    fused_case_run(&c, &other, want);
    if (found != wanted)
        fail_msg("%s is %s\n%s", op, found ? "there" : "missing", text);
    for (size_t i = 0; i < n; i++) {
        fused_case_compare(text, got[i], want[i], most);
        heed_tensor_free(got[i]);
        heed_tensor_free(want[i]);
    }
}

static void test_float32(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], "float32", 1e-5);
}

static void test_float16(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], "float16", 4e-3);
}

static void test_bfloat16(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], "bfloat16", 3e-2);
}

/* Extents of two names are not one shape, whoever computes: with one of them 1 the bodies would
 * broadcast, and the kernels refuse. */
static void two_names_are_not_one_shape(void **state)
{
    static const char *const backends[] = {"cpu,reference", "reference"};
    static const struct {
        const char *model, *error; /* NULL: fine */
    } models[] = {
        {"in x float32 [n, 4]\nin u float32 [m, 4]\nout y\nGatedActivation(x, u) -> (y) heed\n",
         "one shape"},
        {"in x float32 [n, 4]\nin u float32 [n, 4]\nout y\nGatedActivation(x, u) -> (y) heed\n",
         NULL},
        {"in x float32 [n, 4]\nin u float32 [m, 4]\nin w float32 [4]\nout y\n"
         "ResidualNormalization(x, u, w) -> (y) heed\n",
         "one shape"},
        {"in x float32 [n, 4]\nin u float32 [n, 4]\nin w float32 [m]\nout y\n"
         "ResidualNormalization(x, u, w) -> (y) heed\n",
         "one row of the last axis"},
        {"in x float32 [n, m]\nin u float32 [n, m]\nin w float32 [m]\nout y\n"
         "ResidualNormalization(x, u, w) -> (y) heed\n",
         NULL},
        {"in x float32 [n, 4]\nin c float32 [m]\nin s float32 [m]\nout y\n"
         "RotaryEmbedding(x, c, s) -> (y) heed\n",
         "a number of channels that is known"},
        {"in x float32 [n, 4]\nin c float32 [4]\nin s float32 [4]\nout y\n"
         "RotaryEmbedding(x, c, s) -> (y) heed\n",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(models) / sizeof(*models); i++) {
        heed_session_options options = {.size = sizeof(options), .backends = backends[i % 2]};
        onnx_message bytes = {0};
        heed_session *session = NULL;
        heed_model *model = onnx_text_load(models[i / 2].model, &bytes);
        assert_non_null(model);
        heed_status status = heed_session_new(model, &options, &session);
        if (models[i / 2].error)
            assert_true(status && strstr(heed_error_get()->message, models[i / 2].error));
        else
            assert_int_equal(status, HEED_OK);
        heed_session_free(session);
        heed_model_free(model);
        onnx_write_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float32), cmocka_unit_test(test_float16),
        cmocka_unit_test(two_names_are_not_one_shape), cmocka_unit_test(test_bfloat16)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
