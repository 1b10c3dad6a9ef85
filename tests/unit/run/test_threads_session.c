/* One session from many threads: mixed shapes, plans that push each other out of the cache, trims,
 * cancels and deadlines, sessions that come and go. Runs under ThreadSanitizer too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

enum { THREADS = 64, ROUNDS = 8, SHAPES = 7, WIDTH = 8 };

/* Planned steps, a nested graph, and a shape that waits for data. */
static const char model_text[] = "in x float32 [n, 8]\n"
                                 "out y float32 [n, 4]\n"
                                 "out places int64 [2, found]\n"
                                 "out twice float32 [n, 8]\n"
                                 "const w float32 [8, 4] random\n"
                                 "const zero float32 0\n"
                                 "MatMul(x, w) -> (h)\n"
                                 "Softmax(h) -> (y)\n"
                                 "Greater(x, zero) -> (positive)\n"
                                 "NonZero(positive) -> (places)\n"
                                 "ReduceSum(x) -> (sum) keepdims=0\n"
                                 "Greater(sum, zero) -> (large)\n"
                                 "If(large) -> (twice)\n"
                                 "{ then_branch\n"
                                 "  Add(x, x) -> (a)\n"
                                 "  out a\n"
                                 "}\n"
                                 "{ else_branch\n"
                                 "  Sub(x, x) -> (b)\n"
                                 "  out b\n"
                                 "}\n";

/* A loop that takes for ever. */
static const char endless_text[] = "in x float32 [n]\n"
                                   "out y float32 [n]\n"
                                   "const many int64 1000000000\n"
                                   "Loop(many, , x) -> (y)\n"
                                   "{ body\n"
                                   "  in i int64\n"
                                   "  in c bool\n"
                                   "  in v float32 [n]\n"
                                   "  Identity(c) -> (go)\n"
                                   "  Neg(v) -> (w)\n"
                                   "  out go\n"
                                   "  out w\n"
                                   "}\n";

static heed_model *model, *endless;
static onnx_message model_bytes, endless_bytes;

static void fill(float *x, int64_t n, int seed)
{
    for (int64_t i = 0; i < n * WIDTH; i++)
        x[i] = (float)((i * 7 + seed * 13) % 23) - 11.0F + 0.25F * (float)(seed % 3);
}

/* Runs shape number `seed`; the outputs are the caller's. */
static heed_status run(heed_session *s, int seed, const heed_run_options *options,
                       heed_tensor **out)
{
    float x[SHAPES * WIDTH];
    int64_t dims[] = {1 + seed % SHAPES, WIDTH};
    fill(x, dims[0], seed);
    heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 2, dims, x);
    heed_status status = heed_session_run(s, options, 1, NULL, &in, 3, NULL, out);
    heed_tensor_free(in);
    return status;
}

static int same(const heed_tensor *a, const heed_tensor *b)
{
    return heed_tensor_get_bytes(a) == heed_tensor_get_bytes(b) &&
           heed_tensor_get_ndim(a) == heed_tensor_get_ndim(b) &&
           !memcmp(heed_tensor_get_dims(a), heed_tensor_get_dims(b),
                   (size_t)heed_tensor_get_ndim(a) * sizeof(int64_t)) &&
           !memcmp(heed_tensor_get_data(a), heed_tensor_get_data(b), heed_tensor_get_bytes(a));
}

static void drop(heed_tensor **out)
{
    for (int i = 0; i < 3; i++) {
        heed_tensor_free(out[i]);
        out[i] = NULL;
    }
}

/* ---- Many threads, one session -------------------------------------------------------------- */

typedef struct crowd {
    heed_session *session;
    heed_tensor *expected[SHAPES * 3][3]; /* by seed */
    atomic_int next, wrong, stop;
} crowd;

static void *run_often(void *arg)
{
    crowd *c = arg;
    int first = atomic_fetch_add(&c->next, 1);
    for (int i = 0; i < ROUNDS; i++) {
        int seed = (first + i * 5) % (SHAPES * 3);
        heed_tensor *out[3] = {0};
        if (run(c->session, seed, NULL, out)) {
            atomic_fetch_add(&c->wrong, 1);
            continue;
        }
        for (int k = 0; k < 3; k++)
            if (!same(out[k], c->expected[seed][k]))
                atomic_fetch_add(&c->wrong, 1);
        drop(out);
    }
    return NULL;
}

static void *trim_often(void *arg)
{
    crowd *c = arg;
    heed_session_stats stats;
    while (!atomic_load(&c->stop)) {
        heed_session_trim(c->session);
        heed_session_get_stats(c->session, &stats);
        usleep(500);
    }
    return NULL;
}

static void crowd_open(crowd *c, uint64_t plan_limit)
{
    heed_session_options options = {.size = sizeof(options), .plan_limit = plan_limit};
    *c = (crowd){0};
    assert_int_equal(heed_session_new(model, &options, &c->session), HEED_OK);
    for (int seed = 0; seed < SHAPES * 3; seed++) {
        assert_int_equal(run(c->session, seed, NULL, c->expected[seed]), HEED_OK);
        assert_int_equal(heed_tensor_get_dims(c->expected[seed][0])[0], 1 + seed % SHAPES);
    }
}

static void crowd_close(crowd *c)
{
    for (int seed = 0; seed < SHAPES * 3; seed++)
        drop(c->expected[seed]);
    heed_session_free(c->session);
}

static void run_crowd(crowd *c, int trimming)
{
    pthread_t threads[THREADS], trimmer;
    if (trimming)
        assert_int_equal(pthread_create(&trimmer, NULL, trim_often, c), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&c->stop, 1);
    if (trimming)
        pthread_join(trimmer, NULL);
    assert_int_equal(atomic_load(&c->wrong), 0);
}

static void many_threads_share_a_session(void **state)
{
    (void)state;
    crowd c;
    heed_session_stats stats;
    crowd_open(&c, 0);
    run_crowd(&c, 0);
    heed_session_get_stats(c.session, &stats);
    assert_true(stats.plan_hits > stats.plan_misses);
    crowd_close(&c);
}

static void plans_push_each_other_out(void **state)
{
    (void)state;
    crowd c;
    heed_session_stats stats;
    crowd_open(&c, 2);
    run_crowd(&c, 0);
    heed_session_trim(c.session);
    heed_session_get_stats(c.session, &stats);
    assert_int_equal(stats.plans, 0);
    crowd_close(&c);
}

static void trimming_while_running(void **state)
{
    (void)state;
    crowd c;
    crowd_open(&c, 3);
    run_crowd(&c, 1);
    crowd_close(&c);
}

/* ---- Sessions come and go ------------------------------------------------------------------- */

static void *come_and_go(void *arg)
{
    crowd *c = arg;
    for (int i = 0; i < 3; i++) {
        int seed = atomic_fetch_add(&c->next, 1) % (SHAPES * 3);
        heed_model *own = NULL;
        heed_session *s = NULL;
        heed_tensor *out[3] = {0};
        heed_status status =
            i % 2 ? HEED_OK
                  : heed_model_load_memory(model_bytes.bytes, model_bytes.size, NULL, &own);
        if (!status)
            status = heed_session_new(own ? own : model, NULL, &s);
        heed_model_free(own); /* the session keeps it */
        if (status || run(s, seed, NULL, out) || !same(out[0], c->expected[seed][0]))
            atomic_fetch_add(&c->wrong, 1);
        drop(out);
        heed_session_free(s);
    }
    return NULL;
}

static void sessions_come_and_go(void **state)
{
    (void)state;
    crowd c;
    pthread_t threads[THREADS / 4];
    crowd_open(&c, 0);
    for (int i = 0; i < THREADS / 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
    for (int i = 0; i < THREADS / 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.wrong), 0);
    crowd_close(&c);
}

/* ---- Stopping ------------------------------------------------------------------------------- */

typedef struct patient {
    heed_session *session;
    heed_run_options options;
    heed_status status;
    char message[200];
} patient;

static void *run_for_ever(void *arg)
{
    patient *p = arg;
    float x[] = {1, 2, 3};
    heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 1, (int64_t[]){3}, x), *out = NULL;
    p->status = heed_session_run(p->session, &p->options, 1, NULL, &in, 1, NULL, &out);
    snprintf(p->message, sizeof(p->message), "%s", heed_error_get()->message);
    if (out)
        p->status = HEED_INTERNAL;
    heed_tensor_free(in);
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Two runs of one session: one is cancelled, the other has a deadline; neither stops the other. */
static void cancel_and_deadline(void **state)
{
    (void)state;
    pthread_t threads[2];
    heed_cancel *cancel;
    heed_session *session;
    assert_int_equal(heed_session_new(endless, NULL, &session), HEED_OK);
    assert_int_equal(heed_cancel_new(&cancel), HEED_OK);
    patient p[2] = {
        {.session = session, .options = {.size = sizeof(heed_run_options), .cancel = cancel}},
        {.session = session,
         .options = {.size = sizeof(heed_run_options), .deadline_ns = now_ns() + 300000000u}}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_for_ever, &p[i]), 0);
    usleep(50000);
    heed_cancel_set(cancel, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(p[0].status, HEED_CANCELLED);
    assert_int_equal(p[1].status, HEED_DEADLINE);
    assert_non_null(strstr(p[0].message, "cancelled"));
    assert_non_null(strstr(p[1].message, "deadline"));
    heed_cancel_free(cancel);
    heed_session_free(session);
}

static int load_models(void **state)
{
    (void)state;
    heed_set_threads(4);
    model = onnx_text_load(model_text, &model_bytes);
    endless = onnx_text_load(endless_text, &endless_bytes);
    return model && endless ? 0 : -1;
}

static int free_models(void **state)
{
    (void)state;
    heed_model_free(model);
    heed_model_free(endless);
    onnx_write_free(&model_bytes);
    onnx_write_free(&endless_bytes);
    heed_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_share_a_session), cmocka_unit_test(plans_push_each_other_out),
        cmocka_unit_test(trimming_while_running),       cmocka_unit_test(sessions_come_and_go),
        cmocka_unit_test(cancel_and_deadline),
    };
    return cmocka_run_group_tests(tests, load_models, free_models);
}
