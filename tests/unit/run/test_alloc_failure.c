/* Every allocation of load, session and run fails in turn: once, or that one and all after it.
 *
 * What must come of it: HEED_NOMEM or success, not a byte lost, and a session that works again as
 * soon as there is memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "heed/heed.h"
#include "onnx_text.h"

/* ---- What is run ---------------------------------------------------------------------------- */

enum { OUTPUTS = 4 };

typedef struct job {
    const char *text, *path; /* one of them */
    onnx_message bytes;
    heed_dtype dtype;
    int64_t dims[2], other_dims[2]; /* of the first and the second run */
    size_t n_in, n_out;
    heed_tensor *in[2], *other_in[2];
    heed_tensor *expected[OUTPUTS], *other_expected[OUTPUTS];
} job;

static heed_status open_session(const job *j, heed_session **session)
{
    heed_model *model = NULL;
    *session = NULL;
    heed_status status = j->path
                             ? heed_model_load(j->path, NULL, &model)
                             : heed_model_load_memory(j->bytes.bytes, j->bytes.size, NULL, &model);
    if (!status)
        status = heed_session_new(model, NULL, session);
    heed_model_free(model);
    return status;
}

static heed_status run(const job *j, heed_session *s, int other, heed_tensor **out)
{
    memset(out, 0, OUTPUTS * sizeof(*out));
    return heed_session_run(s, NULL, j->n_in, NULL, other ? j->other_in : j->in, j->n_out, NULL,
                            out);
}

static void drop(heed_tensor **out)
{
    for (int i = 0; i < OUTPUTS; i++) {
        heed_tensor_free(out[i]);
        out[i] = NULL;
    }
}

static int same(const heed_tensor *a, const heed_tensor *b)
{
    size_t bytes = heed_tensor_get_bytes(a);
    return bytes == heed_tensor_get_bytes(b) &&
           (bytes == 0 || heed_tensor_get_dtype(a) == HEED_STRING ||
            !memcmp(heed_tensor_get_data(a), heed_tensor_get_data(b), bytes));
}

static void check_outputs(const job *j, int other, heed_tensor **out, long long n)
{
    heed_tensor *const *expected = other ? j->other_expected : j->expected;
    for (size_t i = 0; i < j->n_out; i++)
        if (!same(out[i], expected[i]))
            fail_msg("allocation %lld, run %d: output %zu differs", n, other, i);
}

static void must_be_nomem(heed_status status, long long n)
{
    if (status != HEED_NOMEM)
        fprintf(stderr, "allocation %lld: %s\n", n, heed_error_get()->message);
    assert_int_equal(status, HEED_NOMEM);
    assert_int_equal(heed_error_get()->status, HEED_NOMEM);
}

/* One run under failure; when it fails, the same session does it again with memory. */
static void run_failing(const job *j, heed_session *s, int other, long long n)
{
    heed_tensor *out[OUTPUTS];
    heed_status status = run(j, s, other, out);
    if (status) {
        must_be_nomem(status, n);
        for (int i = 0; i < OUTPUTS; i++)
            assert_null(out[i]);
        failing_disarm();
        if (run(j, s, other, out))
            fail_msg("after allocation %lld: %s", n, heed_error_get()->message);
    }
    check_outputs(j, other, out, n);
    drop(out);
}

/* Everything, with allocation `n` failing. False when there are fewer. */
static int live_through(const job *j, long long n, int ever)
{
    heed_session *s;
    long long before = failing_live();
    failing_arm(n, ever);
    heed_status status = open_session(j, &s);
    if (status) {
        must_be_nomem(status, n);
        assert_null(s);
    } else {
        run_failing(j, s, 0, n);
        run_failing(j, s, 1, n);
        run_failing(j, s, 0, n);
    }
    heed_session_free(s);
    int reached = failing_disarm();
    if (failing_live() != before)
        fail_msg("allocation %lld, ever %d: %lld bytes lost", n, ever, failing_live() - before);
    return reached;
}

static void fail_each(const job *j)
{
    long long n[2] = {0, 0};
    for (int ever = 0; ever < 2; ever++)
        while (live_through(j, n[ever], ever))
            n[ever]++;
    printf("%lld allocations failed once, %lld for ever\n", n[0], n[1]);
    assert_true(n[0] > 100 && n[1] > 100);
}

/* ---- Models --------------------------------------------------------------------------------- */

static void job_open(job *j)
{
    heed_session *s;
    if (j->text)
        j->bytes = onnx_text_model(j->text);
    for (size_t i = 0; i < j->n_in; i++) {
        double value[64];
        for (int k = 0; k < 64; k++)
            value[k] = k % 5 + 1;
        assert_int_equal(heed_tensor_new(j->dtype, 2, j->dims, &j->in[i]), HEED_OK);
        assert_int_equal(heed_tensor_new(j->dtype, 2, j->other_dims, &j->other_in[i]), HEED_OK);
        heed_tensor_write_f64(j->in[i], 0, heed_tensor_get_count(j->in[i]), value);
        heed_tensor_write_f64(j->other_in[i], 0, heed_tensor_get_count(j->other_in[i]), value);
    }
    if (open_session(j, &s) || run(j, s, 0, j->expected) || run(j, s, 1, j->other_expected))
        fail_msg("%s", heed_error_get()->message);
    heed_session_free(s);
}

static void job_close(job *j)
{
    for (size_t i = 0; i < j->n_in; i++) {
        heed_tensor_free(j->in[i]);
        heed_tensor_free(j->other_in[i]);
    }
    drop(j->expected);
    drop(j->other_expected);
    onnx_write_free(&j->bytes);
}

static void fail_job(job *j)
{
    job_open(j);
    fail_each(j);
    job_close(j);
}

static const char control_text[] = "in x float32 [n, m]\n"
                                   "out picked float32 [n, m]\n"
                                   "out found int64\n"
                                   "out looped float32\n"
                                   "out words string\n"
                                   "const half float32 [] 0.5\n"
                                   "const zero float32 [] 0\n"
                                   "const three int64 [] 3\n"
                                   "const one int64 [1] 1\n"
                                   "const letters string [3] a bc def\n"
                                   "Shape(x) -> (shape)\n"
                                   "ReduceProd(shape) -> (elements) keepdims=0\n"
                                   "Reshape(x, flat) -> (line)\n"
                                   "const flat int64 [1] -1\n"
                                   "Greater(x, half) -> (mask)\n"
                                   "NonZero(mask) -> (found)\n"
                                   "ReduceMax(line) -> (top) keepdims=0\n"
                                   "Greater(top, zero) -> (some)\n"
                                   "If(some) -> (picked)\n"
                                   "{ then_branch\n"
                                   "  Mul(x, half) -> (a)\n"
                                   "  Softmax(a) -> (b)\n"
                                   "  out b\n"
                                   "}\n"
                                   "{ else_branch\n"
                                   "  Neg(x) -> (c)\n"
                                   "  out c\n"
                                   "}\n"
                                   "Loop(three, , line) -> (last, looped)\n"
                                   "{ body\n"
                                   "  in i int64 []\n"
                                   "  in c bool []\n"
                                   "  in v float32\n"
                                   "  Identity(c) -> (go)\n"
                                   "  Concat(v, line) -> (longer) axis=0\n"
                                   "  ReduceSum(longer) -> (sum)\n"
                                   "  out go\n"
                                   "  out longer\n"
                                   "  out sum\n"
                                   "}\n"
                                   "Concat(letters, letters) -> (words) axis=0\n";

static void control_flow(void **state)
{
    (void)state;
    job j = {.text = control_text,
             .dtype = HEED_FLOAT32,
             .dims = {2, 3},
             .other_dims = {3, 4},
             .n_in = 1,
             .n_out = 4};
    fail_job(&j);
}

static const char sequences_text[] = "in x float32 [n, m]\n"
                                     "out joined float32\n"
                                     "out values float32\n"
                                     "out state float32\n"
                                     "out words string\n"
                                     "const two int64 [] 2\n"
                                     "const zero int64 [] 0\n"
                                     "const letters string [3] a bc a\n"
                                     "const third int64 [3] 1 -1 1\n"
                                     "const w float32 [1, 8, 1] random\n"
                                     "const r float32 [1, 8, 2] random\n"
                                     "SplitToSequence(x) -> (rows) keepdims=0\n"
                                     "Optional(rows) -> (perhaps)\n"
                                     "Loop(two, , perhaps) -> (last)\n"
                                     "{ body\n"
                                     "  in i int64 []\n"
                                     "  in c bool []\n"
                                     "  in v opt seq float32\n"
                                     "  OptionalGetElement(v) -> (s)\n"
                                     "  SequenceAt(s, i) -> (item)\n"
                                     "  SequenceInsert(s, item, zero) -> (longer)\n"
                                     "  SequenceErase(longer) -> (shorter)\n"
                                     "  Optional(shorter) -> (next)\n"
                                     "  out c\n"
                                     "  out next\n"
                                     "}\n"
                                     "OptionalGetElement(last) -> (list)\n"
                                     "SequenceMap(list, x) -> (mapped)\n"
                                     "{ body\n"
                                     "  in item float32\n"
                                     "  in all float32\n"
                                     "  MatMul(all, item) -> (product)\n"
                                     "  out product\n"
                                     "}\n"
                                     "ConcatFromSequence(mapped) -> (joined) axis=0\n"
                                     "Unique(x) -> (values)\n"
                                     "Reshape(x, third) -> (line)\n"
                                     "LSTM(line, w, r) -> (, state) layout=0\n"
                                     "Unique(letters) -> (different)\n"
                                     "SequenceConstruct(different, letters) -> (texts)\n"
                                     "ConcatFromSequence(texts) -> (words) axis=0\n";

static void sequences(void **state)
{
    (void)state;
    job j = {.text = sequences_text,
             .dtype = HEED_FLOAT32,
             .dims = {2, 3},
             .other_dims = {3, 4},
             .n_in = 1,
             .n_out = 4};
    fail_job(&j);
}

static const char bodies_text[] = "in x float32 [n, m]\n"
                                  "out normed float32\n"
                                  "out attended float32\n"
                                  "out maps\n"
                                  "out words string\n"
                                  "const third int64 [3] 1 -1 4\n"
                                  "const flat int64 [2] -1 4\n"
                                  "const gamma float32 [4] 1 2 3 4\n"
                                  "const w float32 [4, 12] random\n"
                                  "const bias float32 [12] random\n"
                                  "const letters string [3] a,b bc d,e,f\n"
                                  "Reshape(x, third) -> (tokens)\n"
                                  "SkipLayerNormalization(tokens, tokens, gamma) -> (normed) "
                                  "com.microsoft\n"
                                  "Attention(normed, w, bias) -> (attended) num_heads=2 "
                                  "com.microsoft\n"
                                  "Reshape(attended, flat) -> (scores)\n"
                                  "ZipMap(scores) -> (maps) "
                                  "classlabels_strings=['a','b','c','d'] ai.onnx.ml\n"
                                  "StringSplit(letters) -> (parts, counts) delimiter=','\n"
                                  "StringConcat(parts, parts) -> (twice)\n"
                                  "RegexFullMatch(letters) -> (matches) pattern='[a-z]+'\n"
                                  "Compress(letters, matches) -> (some)\n"
                                  "StringNormalizer(some) -> (words) "
                                  "case_change_action='UPPER' is_case_sensitive=1\n";

/* Function operators that become nodes, maps, strings, and a service of a plugin. */
static void bodies(void **state)
{
    (void)state;
    job j = {.text = bodies_text,
             .dtype = HEED_FLOAT32,
             .dims = {2, 4},
             .other_dims = {3, 4},
             .n_in = 1,
             .n_out = 4};
    fail_job(&j);
}

/* Two inputs whose dims of one name differ: a second form is compiled within the run. */
static void contradicting_names(void **state)
{
    (void)state;
    job j = {.text = "in x float32 [n, 3]\n"
                     "in y float32 [n, 3]\n"
                     "out z float32\n"
                     "Concat(x, y) -> (a) axis=0\n"
                     "Relu(a) -> (z)\n",
             .dtype = HEED_FLOAT32,
             .dims = {2, 3},
             .other_dims = {4, 3},
             .n_in = 2,
             .n_out = 1};
    job_open(&j);
    heed_tensor_free(j.other_in[1]); /* [2, 3] beside [4, 3] */
    assert_int_equal(heed_tensor_new(j.dtype, 2, j.dims, &j.other_in[1]), HEED_OK);
    drop(j.other_expected);
    heed_session *s;
    assert_int_equal(open_session(&j, &s), HEED_OK);
    assert_int_equal(run(&j, s, 1, j.other_expected), HEED_OK);
    heed_session_free(s);
    fail_each(&j);
    job_close(&j);
}

static void transformer(void **state)
{
    (void)state;
    char path[1000];
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    if (access(path, R_OK)) {
        printf("%s is not there\n", path);
        skip();
    }
    job j = {.path = path,
             .dtype = HEED_INT64,
             .dims = {1, 3},
             .other_dims = {2, 4},
             .n_in = 1,
             .n_out = 1};
    fail_job(&j);
}

/* Finding and loading plugins fails in the same way, and is tried again the next time. */
static void plugins(void **state)
{
    (void)state;
    job j = {.text = "in x float32 [n, m]\nout y float32\nRelu(x) -> (y)\n",
             .dtype = HEED_FLOAT32,
             .dims = {2, 3},
             .other_dims = {1, 3},
             .n_in = 1,
             .n_out = 1};
    job_open(&j);
    for (int ever = 0; ever < 2; ever++) {
        int reached = 1;
        for (long long n = 0; reached; n++) {
            heed_session *s;
            heed_shutdown();
            long long before = failing_live();
            failing_arm(n, ever);
            heed_status status = open_session(&j, &s);
            if (status)
                must_be_nomem(status, n);
            heed_session_free(s);
            reached = failing_disarm();
            if (open_session(&j, &s))
                fail_msg("after allocation %lld: %s", n, heed_error_get()->message);
            heed_session_free(s);
            heed_shutdown();
            assert_int_equal(failing_live(), before);
        }
    }
    job_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_flow), cmocka_unit_test(sequences),
        cmocka_unit_test(bodies),       cmocka_unit_test(contradicting_names),
        cmocka_unit_test(transformer),  cmocka_unit_test(plugins),
    };
    if (!failing_install() || heed_set_threads(1))
        return 1;
    return failing_end(cmocka_run_group_tests(tests, NULL, NULL));
}
