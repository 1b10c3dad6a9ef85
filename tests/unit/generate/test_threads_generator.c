/* One generator, many threads: each adds sequences, takes their pieces, cancels some, forks some,
 * while others step the generator in a loop of their own. Every sequence that ends gives what it
 * gives alone. Runs under ThreadSanitizer too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

enum { THREADS = 8, ROUNDS = 6, KINDS = 5, LONGEST = 12 };

static int32_t prompts[KINDS][20], tokens[KINDS][LONGEST];
static heed_generator *shared;
static atomic_int failures, working;

static heed_generator *open_verse(uint64_t pages)
{
    char path[4096];
    heed_generator *g = NULL;
    heed_session_options on_cpu = {.size = sizeof(on_cpu), .backends = "cpu"};
    heed_generator_options options = {
        .size = sizeof(options), .session = &on_cpu, .kv_memory = pages * 20480};
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    if (heed_generator_open(path, &options, &g))
        fail_msg("%s", heed_error_get()->message);
    return g;
}

static heed_request request_of(int kind, uint32_t most)
{
    return (heed_request){.size = sizeof(heed_request),
                          .flags = HEED_REQUEST_NO_END,
                          .tokens = prompts[kind],
                          .n_tokens = (size_t)(4 * kind + 3),
                          .max_tokens = most};
}

static void expect_at(bool fine, int line)
{
    if (fine)
        return;
    atomic_fetch_add(&failures, 1);
    fprintf(stderr, "line %d: %s\n", line, heed_error_get()->message);
}
#define expect(fine) expect_at(fine, __LINE__)

/* To its end; the tokens are those from `first` on of the kind. */
static void follow(heed_sequence *s, int kind, size_t first, bool whole)
{
    heed_piece piece = {.size = sizeof(piece)};
    size_t n = first;
    while (!piece.finish) {
        heed_status status = heed_sequence_next(s, &piece);
        expect(status == HEED_OK && n + piece.n_tokens <= LONGEST);
        if (status || n + piece.n_tokens > LONGEST)
            return;
        expect(piece.n_tokens == 0 ||
               memcmp(piece.tokens, tokens[kind] + n, piece.n_tokens * sizeof(int32_t)) == 0);
        n += piece.n_tokens;
    }
    expect(!whole || (piece.finish == HEED_FINISH_LENGTH && n == LONGEST));
    size_t all;
    const int32_t *given = heed_sequence_get_tokens(s, &all);
    expect(all == n - first && (all == 0 || given[0] == tokens[kind][first]));
}

static void one_round(unsigned number)
{
    int kind = (int)(number % KINDS);
    heed_sequence *s, *second = NULL;
    heed_request ask = request_of(kind, LONGEST);
    heed_piece piece = {.size = sizeof(piece)};
    if (heed_generator_add(shared, &ask, &s)) {
        expect(false);
        return;
    }
    if (number % 4 == 1) /* others lead meanwhile: what it has by then is known afterwards only */
        expect(heed_sequence_fork(s, &ask, &second) == HEED_OK || heed_error_get()->status);
    if (number % 4 == 2) {
        heed_sequence_cancel(s);
        follow(s, kind, 0, false);
    } else if (number % 4 == 3) {
        expect(heed_sequence_next(s, &piece) == HEED_OK);
        heed_sequence_stats stats = {.size = sizeof(stats)};
        heed_sequence_get_stats(s, &stats);
        expect(stats.generated_tokens > 0);
    } else {
        follow(s, kind, 0, true);
    }
    heed_sequence_free(second);
    heed_sequence_free(s);
}

static void *work(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(self * 7 + i);
    atomic_fetch_sub(&working, 1);
    return NULL;
}

static void *step(void *arg)
{
    (void)arg;
    heed_generator_stats stats = {.size = sizeof(stats)};
    while (atomic_load(&working) > 0) {
        size_t active;
        expect(heed_generator_step(shared, &active) == HEED_OK);
        heed_generator_get_stats(shared, &stats);
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS + 1];
    shared = open_verse(8);
    atomic_store(&working, THREADS);
    for (unsigned i = 0; i <= THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < THREADS ? work : step, (void *)(uintptr_t)i), 0);
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t active = 1;
    while (active > 0)
        assert_int_equal(heed_generator_step(shared, &active), HEED_OK);
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator_get_stats(shared, &stats);
    assert_int_equal(stats.pages_held, 0);
    assert_int_equal(atomic_load(&failures), 0);
    heed_generator_free(shared);
}

static int prepare(void **state)
{
    (void)state;
    heed_generator *g = open_verse(1000);
    for (int k = 0; k < KINDS; k++) {
        heed_sequence *s;
        size_t n;
        heed_piece piece = {.size = sizeof(piece)};
        for (int i = 0; i < 20; i++)
            prompts[k][i] = 1 + (37 * k + 11 * i) % 1000;
        heed_request ask = request_of(k, LONGEST);
        if (heed_generator_add(g, &ask, &s))
            return 1;
        while (!piece.finish && heed_sequence_next(s, &piece) == HEED_OK)
            continue;
        const int32_t *all = heed_sequence_get_tokens(s, &n);
        if (n != LONGEST)
            return 1;
        memcpy(tokens[k], all, sizeof(tokens[k]));
        heed_sequence_free(s);
    }
    heed_generator_free(g);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_threads)};
    return cmocka_run_group_tests(tests, prepare, NULL);
}
