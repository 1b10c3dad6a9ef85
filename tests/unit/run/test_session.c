/* The public interface, sessions as things with a life: plans, memory, limits, stopping, placement,
 * options, logging, forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

static const char chain[] = "in x float32 [n, 64]\nout y float32 [n, 64]\n"
                            "const w float32 [64, 64] random\nMatMul(x, w) -> (a)\n"
                            "Softmax(a) -> (b)\nMatMul(b, w) -> (c)\nTanh(c) -> (y)\n";

static onnx_message bytes;

static heed_session *open(const char *text, const heed_session_options *options)
{
    heed_session *s = onnx_text_session(text, options, &bytes);
    assert_non_null(s);
    return s;
}

static void close_session(heed_session *s)
{
    heed_session_free(s);
    onnx_write_free(&bytes);
}

/* Runs on n rows of ones. */
static heed_status run(heed_session *s, int64_t n, const heed_run_options *options,
                       heed_tensor **out)
{
    heed_tensor *in;
    *out = NULL;
    if (heed_tensor_new(HEED_FLOAT32, 2, (int64_t[]){n, 64}, &in))
        return HEED_NOMEM;
    float *x = heed_tensor_get_mutable_data(in);
    for (int64_t i = 0; i < n * 64; i++)
        x[i] = 1;
    heed_status status = heed_session_run(s, options, 1, NULL, &in, 1, NULL, out);
    heed_tensor_free(in);
    return status;
}

static void must_run(heed_session *s, int64_t n)
{
    heed_tensor *out;
    if (run(s, n, NULL, &out))
        fail_msg("%s", heed_error_get()->message);
    assert_int_equal(heed_tensor_get_dims(out)[0], n);
    heed_tensor_free(out);
}

static uint64_t live(void)
{
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    return use.bytes;
}

/* ---- Plans and memory -------------------------------------------------------------------------
 */

static void plans_are_cached_by_shape(void **state)
{
    (void)state;
    heed_session_stats stats;
    heed_session_options options = {.size = sizeof(options), .plan_limit = 2};
    heed_session *s = open(chain, &options);
    for (int i = 0; i < 3; i++)
        must_run(s, 5);
    heed_session_get_stats(s, &stats);
    assert_int_equal(stats.plan_misses, 1);
    assert_int_equal(stats.plan_hits, 2);
    assert_int_equal(stats.plans, 1);
    assert_int_equal(stats.steps, 4);
    assert_int_equal(stats.nodes_imported, 4);
    must_run(s, 6);
    must_run(s, 7); /* pushes 5 out */
    must_run(s, 6);
    must_run(s, 5);
    heed_session_get_stats(s, &stats);
    assert_int_equal(stats.plan_misses, 4);
    assert_int_equal(stats.plan_hits, 3);
    assert_int_equal(stats.plans, 2);
    assert_true(stats.arena_bytes >= 7 * 64 * sizeof(float));
    close_session(s);
}

static void trimming_gives_memory_back(void **state)
{
    (void)state;
    heed_session_stats stats;
    heed_session *s = open(chain, NULL);
    uint64_t before = live();
    must_run(s, 1000);
    must_run(s, 500);
    assert_true(live() > before + 1000 * 64 * sizeof(float));
    heed_session_trim(s);
    assert_int_equal(live(), before);
    heed_session_get_stats(s, &stats);
    assert_int_equal(stats.plans, 0);
    must_run(s, 3);
    close_session(s);
}

/* Runs on 0..63 ones: as many shapes that wait for data. */
static void run_mask(heed_session *s, uint64_t mask)
{
    heed_tensor *in, *out = NULL;
    assert_int_equal(heed_tensor_new(HEED_BOOL, 1, (int64_t[]){64}, &in), HEED_OK);
    for (int i = 0; i < 64; i++)
        ((uint8_t *)heed_tensor_get_mutable_data(in))[i] = mask >> i & 1;
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out), HEED_OK);
    assert_int_equal(heed_tensor_get_dims(out)[1], 2 * __builtin_popcountll(mask));
    heed_tensor_free(in);
    heed_tensor_free(out);
}

/* Shapes that come of data are remembered too, but not without end. */
static void late_shapes_do_not_pile_up(void **state)
{
    (void)state;
    uint64_t most = 0, after_some = 0;
    heed_session *s = open("in x bool [64]\nout y int64\nconst half int64 [1] 32\n"
                           "const a int64 [1] 0\nconst e int64 [1] 64\n"
                           "Slice(x, a, half) -> (l)\nSlice(x, half, e) -> (r)\n"
                           "NonZero(l) -> (p)\nNonZero(r) -> (q)\n"
                           "Concat(p, q) -> (z) axis=1\nConcat(z, z) -> (y) axis=1\n",
                           NULL);
    for (int left = 0; left < 32; left++) {
        for (int right = 0; right < 32; right++)
            run_mask(s, ((1ULL << left) - 1) | ((1ULL << right) - 1) << 32);
        most = live() > most ? live() : most;
        after_some = left == 20 ? most : after_some; /* more than the limit by then */
    }
    assert_true(most <= after_some + after_some / 10);
    close_session(s);
}

/* Allocations are counted by an allocator that wraps the system's. */
static atomic_llong allocations;

static void *count_alloc(void *self, size_t size, size_t alignment)
{
    (void)self;
    atomic_fetch_add(&allocations, 1);
    return aligned_alloc(alignment, size);
}

static void count_free(void *self, void *pointer, size_t size)
{
    (void)self;
    (void)size;
    free(pointer);
}

static long long count_run(heed_session *s, heed_tensor *in, heed_tensor *out)
{
    long long before = atomic_load(&allocations);
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out), HEED_OK);
    return atomic_load(&allocations) - before;
}

/* A run whose plan is cached takes no memory for what it computes: the number of allocations does
 * not grow with the graph. */
static void a_steady_run_allocates_next_to_nothing(void **state)
{
    (void)state;
    char text[4000] = "in x float32 [n, 64]\nout y float32 [n, 64]\nNeg(x) -> (v0)\n";
    for (int i = 0; i < 60; i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s(v%d) -> (v%d)\n", i % 2 ? "Softmax" : "Tanh", i, i + 1);
        strcat(text, line);
    }
    strcat(text, "Abs(v60) -> (y)\n");
    heed_session *s = open(text, NULL);
    heed_tensor *in, *out;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 2, (int64_t[]){9, 64}, &in), HEED_OK);
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 2, (int64_t[]){9, 64}, &out), HEED_OK);
    assert_true(count_run(s, in, out) > 10);
    count_run(s, in, out);
    long long steady = count_run(s, in, out);
    assert_true(steady <= 8);
    assert_int_equal(count_run(s, in, out), steady);
    heed_tensor_free(in);
    heed_tensor_free(out);
    close_session(s);
}

static void a_memory_limit_holds(void **state)
{
    (void)state;
    heed_tensor *out;
    heed_session *s = open(chain, NULL);
    must_run(s, 2);
    uint64_t limit = live() + 100000;
    assert_int_equal(heed_set_memory_limit(limit), HEED_OK);
    assert_int_equal(run(s, 1 << 16, NULL, &out), HEED_NOMEM);
    assert_null(out);
    assert_non_null(strstr(heed_error_get()->hint, "memory limit"));
    must_run(s, 2); /* the session lives on */
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 1);
    assert_true(use.peak_bytes >= use.bytes);
    heed_set_memory_limit(0);
    must_run(s, 1 << 12);
    close_session(s);
}

static void the_allocator_stays_while_memory_is_out(void **state)
{
    (void)state;
    heed_tensor *t;
    assert_int_equal(heed_tensor_new(HEED_INT8, 0, NULL, &t), HEED_OK);
    assert_int_equal(heed_set_allocator(NULL), HEED_USAGE);
    heed_tensor_free(t);
}

/* ---- Stopping ---------------------------------------------------------------------------------
 */

static void runs_that_are_stopped(void **state)
{
    (void)state;
    heed_tensor *out;
    heed_cancel *cancel;
    heed_session *s = open(chain, NULL);
    heed_run_options options = {.size = sizeof(options), .deadline_ns = 1};
    assert_int_equal(run(s, 3, &options, &out), HEED_DEADLINE);
    assert_null(out);
    assert_int_equal(heed_cancel_new(&cancel), HEED_OK);
    options = (heed_run_options){.size = sizeof(options), .cancel = cancel};
    assert_int_equal(run(s, 3, &options, &out), HEED_OK);
    heed_tensor_free(out);
    heed_cancel_set(cancel, 1);
    assert_int_equal(run(s, 3, &options, &out), HEED_CANCELLED);
    heed_cancel_set(cancel, 0);
    assert_int_equal(run(s, 3, &options, &out), HEED_OK);
    heed_tensor_free(out);
    options = (heed_run_options){0};
    assert_int_equal(run(s, 3, &options, &out), HEED_USAGE);
    heed_cancel_free(cancel);
    close_session(s);
}

/* ---- Options ------------------------------------------------------------------------------------
 */

static size_t placed_on(heed_session *s, const char *backend)
{
    size_t n = 0;
    heed_placement p = {.size = sizeof(p)};
    for (size_t i = 0; i < heed_session_get_placement_count(s); i++) {
        assert_int_equal(heed_session_get_placement(s, i, &p), HEED_OK);
        assert_non_null(p.node);
        n += !strcmp(p.backend, backend);
    }
    assert_int_equal(heed_session_get_placement(s, heed_session_get_placement_count(s), &p),
                     HEED_NOTFOUND);
    return n;
}

static void placement_is_reported(void **state)
{
    (void)state;
    heed_session_options options = {.size = sizeof(options), .backends = "reference"};
    heed_session *s = open(chain, &options);
    assert_int_equal(placed_on(s, "reference"), 4);
    must_run(s, 4);
    close_session(s);
    options.backends = "cpu";
    s = open(chain, &options);
    assert_true(placed_on(s, "cpu") >= 2); /* the products at least */
    assert_int_equal(placed_on(s, "cpu") + placed_on(s, "reference"), 4);
    must_run(s, 4);
    close_session(s);
    s = open("in x float32 [2]\nout y float32\nconst z int64 [1] -1\nReshape(x, z) -> (a)\n"
             "Reshape(a, z) -> (d)\nNeg(d) -> (y)\n",
             NULL);
    heed_placement p = {.size = sizeof(p)};
    for (size_t i = 0; !heed_session_get_placement(s, i, &p); i++)
        if (!strcmp(p.op, "Reshape"))
            assert_string_equal(p.backend, "host");
    close_session(s);
}

/* A kernel that fails and says nothing: its status, its node, its backend, and not what failed
 * before. Planned and late. */
static void kernels_that_give_no_reason(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "in x float32 [n, 64]\nout y float32\nNeg(x) -> (y)\n",
        "in x float32 [n, 64]\nout y int64\nNonZero(x) -> (p)\nNeg(p) -> (y)\n",
        "in x float32 [n, 64]\nout y float32\nAbs(x) -> (y)\n"};
    char path[1000];
    heed_model *model;
    heed_tensor *out;
    snprintf(path, sizeof(path), "%s/tests/plugins/run_silent.so", getenv("HEED_BUILD"));
    heed_session_options options = {.size = sizeof(options), .backends = path};
    for (int i = 0; i < 3; i++) {
        heed_session *s = open(texts[i], &options);
        assert_int_equal(placed_on(s, "run_silent"), 1);
        assert_int_equal(heed_model_load("/no/such/model.onnx", NULL, &model), HEED_NOTFOUND);
        assert_int_equal(run(s, 2, NULL, &out), i == 2 ? HEED_UNSUPPORTED : HEED_DEVICE);
        assert_non_null(strstr(heed_error_get()->message, "run_silent failed"));
        assert_non_null(strstr(heed_error_get()->element, "graph.node["));
        close_session(s);
    }
}

static void refused_options(heed_model *model, const heed_session_options *options,
                            heed_status expected, const char *says)
{
    heed_session *s;
    assert_int_equal(heed_session_new(model, options, &s), expected);
    assert_null(s);
    if (!strstr(heed_error_get()->message, says))
        fail_msg("\"%s\" is not in \"%s\"", says, heed_error_get()->message);
}

static void options_that_cannot_be(void **state)
{
    (void)state;
    heed_model *model = onnx_text_load(chain, &bytes);
    heed_session_options o = {.size = sizeof(o), .backends = "abacus"};
    refused_options(model, &o, HEED_DEVICE, "abacus");
    o = (heed_session_options){.size = sizeof(o), .attention = "sideways"};
    refused_options(model, &o, HEED_UNSUPPORTED, "sideways");
    o = (heed_session_options){.size = sizeof(o), .without = "fold,spoon"};
    refused_options(model, &o, HEED_USAGE, "no pass \"spoon\"; there are ");
    o = (heed_session_options){.size = sizeof(o), .without = "infer"};
    refused_options(model, &o, HEED_USAGE, "\"infer\" cannot be left out");
    o = (heed_session_options){.backends = "cpu"};
    refused_options(model, &o, HEED_USAGE, "size");
    heed_model_free(model);
    onnx_write_free(&bytes);
    assert_int_equal(heed_model_load("/", NULL, &model), HEED_INVALID);
    assert_null(model);
}

static void optimizing_changes_nothing_but_the_nodes(void **state)
{
    (void)state;
    static const char text[] = "in x float32 [n, 64]\nout y float32 [n, 64]\n"
                               "const a float32 [] 2\nconst b float32 [] 3\n"
                               "Add(a, b) -> (five)\nIdentity(x) -> (i)\nMul(i, five) -> (p)\n"
                               "Mul(i, five) -> (q)\nAdd(p, q) -> (y)\n";
    heed_session_options options = {.size = sizeof(options), .flags = HEED_SESSION_NO_OPTIMIZE};
    heed_session *s[2];
    heed_session_stats stats[2];
    heed_tensor *out[2];
    for (int i = 0; i < 2; i++) {
        s[i] = open(text, &options);
        assert_int_equal(run(s[i], 3, NULL, &out[i]), HEED_OK);
        heed_session_get_stats(s[i], &stats[i]);
        assert_int_equal(stats[i].nodes_imported, 5);
        options.flags = HEED_SESSION_CHECK;
        onnx_write_free(&bytes);
        bytes = (onnx_message){0};
    }
    assert_int_equal(stats[0].nodes, 5);
    assert_int_equal(stats[1].nodes, 1);
    assert_non_null(strstr(heed_session_get_pass_report(s[1], 0), ": "));
    assert_float_equal(((const float *)heed_tensor_get_data(out[0]))[0], 10, 0);
    assert_memory_equal(heed_tensor_get_data(out[0]), heed_tensor_get_data(out[1]),
                        heed_tensor_get_bytes(out[0]));
    for (int i = 0; i < 2; i++) {
        heed_tensor_free(out[i]);
        heed_session_free(s[i]);
    }
}

/* ---- Logging, forks -----------------------------------------------------------------------------
 */

static heed_fusion fusion_of(const heed_session *s, const char *name)
{
    heed_fusion f = {.size = sizeof(f)};
    for (size_t i = 0; i < heed_session_get_fusion_count(s); i++) {
        assert_int_equal(heed_session_get_fusion(s, i, &f), HEED_OK);
        if (strcmp(f.name, name) == 0)
            return f;
    }
    fail_msg("no fusion %s", name);
    return f;
}

/* The same results with attention fused and without, or the same refusal. Inputs are of 4 dims. */
static void check_fused(const char *text, int n, const char *const *names, int64_t (*dims)[4],
                        heed_status expected)
{
    heed_session_options options = {.size = sizeof(options)};
    heed_tensor *in[4], *out[2] = {NULL, NULL};
    for (int i = 0; i < n; i++) {
        assert_int_equal(heed_tensor_new(HEED_FLOAT32, 4, dims[i], &in[i]), HEED_OK);
        float *x = heed_tensor_get_mutable_data(in[i]);
        for (int64_t e = 0; e < heed_tensor_get_count(in[i]); e++)
            x[e] = (float)((e * 7 + i) % 11) / 11.0f;
    }
    for (int i = 0; i < 2; i++) {
        heed_session *s = open(text, &options);
        assert_int_equal(heed_session_get_site_count(s), i == 0);
        assert_int_equal(heed_session_run(s, NULL, (size_t)n, names, in, 1, NULL, &out[i]),
                         expected);
        heed_session_free(s);
        onnx_write_free(&bytes);
        options.flags = HEED_SESSION_NO_OPTIMIZE;
    }
    for (int64_t e = 0; !expected && e < heed_tensor_get_count(out[1]); e++)
        assert_float_equal(((const float *)heed_tensor_get_data(out[0]))[e],
                           ((const float *)heed_tensor_get_data(out[1]))[e], 1e-6);
    for (int i = 0; i < n; i++)
        heed_tensor_free(in[i]);
    heed_tensor_free(out[0]), heed_tensor_free(out[1]);
}

/* Queries of one sequence and keys of three, or the reverse: their extents have two names, and only
 * a run tells that they are not the same. */
static void sequences_that_broadcast(void **state)
{
    (void)state;
    static const char text[] = "in q float32 [b, 2, s, 4]\nin k float32 [c, 2, t, 4]\n"
                               "in v float32 [c, 2, t, 4]\nout y float32\n"
                               "Transpose(k) -> (u) perm=[0,1,3,2]\nMatMul(q, u) -> (a)\n"
                               "Softmax(a) -> (p) axis=-1\nMatMul(p, v) -> (y)\n";
    static const char *const names[] = {"q", "k", "v"};
    static const int64_t batches[][2] = {{3, 3}, {1, 3}, {3, 1}, {2, 3}};
    for (size_t k = 0; k < sizeof(batches) / sizeof(*batches); k++) {
        int64_t q = batches[k][0], kv = batches[k][1];
        int64_t dims[][4] = {{q, 2, 3, 4}, {kv, 2, 5, 4}, {kv, 2, 5, 4}};
        check_fused(text, 3, names, dims, k == 3 ? HEED_INVALID : HEED_OK);
    }
}

/* A mask of one key holds for all of them, and one of two keys for none. */
static void masks_that_broadcast(void **state)
{
    (void)state;
    static const char text[] = "in q float32 [b, 2, s, 4]\nin k float32 [b, 2, t, 4]\n"
                               "in v float32 [b, 2, t, 4]\nin m float32 [b, h, r, n]\n"
                               "out y float32\nTranspose(k) -> (u) perm=[0,1,3,2]\n"
                               "MatMul(q, u) -> (a)\nAdd(a, m) -> (c)\n"
                               "Softmax(c) -> (p) axis=-1\nMatMul(p, v) -> (y)\n";
    static const char *const names[] = {"q", "k", "v", "m"};
    static const int64_t keys[] = {5, 1, 2};
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        int64_t dims[][4] = {{3, 2, 3, 4}, {3, 2, 5, 4}, {3, 2, 5, 4}, {3, 1, 1, keys[k]}};
        check_fused(text, 4, names, dims, keys[k] == 2 ? HEED_INVALID : HEED_OK);
    }
}

static void fusions_are_counted_and_can_be_left_out(void **state)
{
    (void)state;
    static const char text[] =
        "in q float32 [2, 8, 4]\nin k float32 [2, 4, 8]\nin v float32 [2, 8, 4]\n"
        "out y float32 [2, 8, 4]\nMatMul(q, k) -> (s)\nSoftmax(s) -> (p)\nMatMul(p, v) -> (y)\n";
    heed_session_options options = {.size = sizeof(options)};
    heed_session *s = open(text, &options);
    heed_fusion f = fusion_of(s, "Attention");
    assert_int_equal(f.count, 1);
    assert_string_equal(f.pass, "recognise");
    assert_true(*f.purpose);
    f.size = offsetof(heed_fusion, name);
    f.name = NULL;
    assert_int_equal(heed_session_get_fusion(s, 0, &f), HEED_OK);
    assert_null(f.name); /* no more than was asked for */
    assert_int_equal(heed_session_get_fusion(s, heed_session_get_fusion_count(s), &f),
                     HEED_NOTFOUND);
    close_session(s);
    options.without = "fold,recognise";
    s = open(text, &options);
    assert_int_equal(fusion_of(s, "Attention").count, 0);
    assert_int_equal(heed_session_get_site_count(s), 0);
    close_session(s);
}

static void remember(uint32_t level, const char *message, void *arg)
{
    int *seen = arg;
    *seen += level <= 3 && strstr(message, "pass ") != NULL;
}

static void messages_go_to_the_callback(void **state)
{
    (void)state;
    int seen = 0;
    heed_set_log(remember, &seen, 3);
    heed_session *s =
        open("in x float32\nout y float32\nIdentity(x) -> (i)\nNeg(i) -> (y)\n", NULL);
    heed_set_log(NULL, NULL, 0);
    assert_true(seen > 0);
    close_session(s);
}

/* 0: the child is told, and a session of its own works. */
static int in_the_child(heed_session *s)
{
    heed_tensor *out;
    heed_session *own;
    if (run(s, 3, NULL, &out) != HEED_FORKED)
        return 1;
    if (heed_session_new(heed_session_get_model(s), NULL, &own))
        return 2;
    if (run(own, 300, NULL, &out))
        return 3;
    heed_tensor_free(out);
    heed_session_free(own);
    return 0;
}

static void a_forked_child_is_told(void **state)
{
    (void)state;
    int status;
    assert_int_equal(heed_set_threads(3), HEED_OK);
    heed_session *s = open(chain, NULL);
    must_run(s, 300);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        _exit(in_the_child(s));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    must_run(s, 300);
    close_session(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_cached_by_shape),
        cmocka_unit_test(trimming_gives_memory_back),
        cmocka_unit_test(late_shapes_do_not_pile_up),
        cmocka_unit_test(a_steady_run_allocates_next_to_nothing),
        cmocka_unit_test(a_memory_limit_holds),
        cmocka_unit_test(the_allocator_stays_while_memory_is_out),
        cmocka_unit_test(runs_that_are_stopped),
        cmocka_unit_test(placement_is_reported),
        cmocka_unit_test(kernels_that_give_no_reason),
        cmocka_unit_test(options_that_cannot_be),
        cmocka_unit_test(optimizing_changes_nothing_but_the_nodes),
        cmocka_unit_test(sequences_that_broadcast),
        cmocka_unit_test(masks_that_broadcast),
        cmocka_unit_test(fusions_are_counted_and_can_be_left_out),
        cmocka_unit_test(messages_go_to_the_callback),
        cmocka_unit_test(a_forked_child_is_told),
    };
    heed_allocator allocator = {
        .size = sizeof(allocator), .alloc = count_alloc, .free = count_free};
    if (heed_set_allocator(&allocator))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed || live() != 0;
}
