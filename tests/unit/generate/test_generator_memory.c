/* Every allocation of a generator's work fails in turn: once, or that one and all after it.
 *
 * Several sequences run at once in pages that do not suffice: with text and stops, with draws,
 * penalties and log-probabilities, with beams, forked, an equal prompt, and one that is cancelled.
 * Each must give what it gives with memory, or say HEED_NOMEM; no byte and no page is lost, and the
 * generator serves the next request as if nothing had been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "heed/heed.h"

/* ---- The work ---------------------------------------------------------------------------------
 */

enum { SEQUENCES = 6, MOST = 16, TEXT = 256, FORKED = 5 };

typedef struct answer {
    heed_status status;
    uint32_t finish;
    int32_t tokens[MOST];
    float logprobs[MOST];
    size_t n, bytes;
    size_t skip; /* of a fork: tokens that its parent had given */
    char text[TEXT];
} answer;

static const int32_t prompt[] = {296, 303, 833, 259, 816, 345, 269, 259, 341, 12};
enum { PROMPT = sizeof(prompt) / sizeof(*prompt) };

static const heed_sampling drawn = {.size = sizeof(heed_sampling),
                                    .temperature = 0.8f,
                                    .top_k = 40,
                                    .top_p = 0.95f,
                                    .repetition_penalty = 1.1f,
                                    .seed = 3};
static const char *const stops[] = {"no such text", "nor this one"};

static const heed_request requests[SEQUENCES] = {
    {.max_tokens = 10, .flags = HEED_REQUEST_ECHO, .stops = stops, .n_stops = 2},
    {.max_tokens = 9, .sampling = &drawn, .n_logprobs = 3},
    {.max_tokens = 6, .beams = 2, .n_logprobs = 2, .stops = stops, .n_stops = 2},
    {.max_tokens = 9, .sampling = &drawn, .n_logprobs = 3}, /* as the second: the same prompt */
    {.max_tokens = 8},
    {.max_tokens = 7}, /* a fork of the second */
};

static heed_request request_of(int i)
{
    heed_request r = requests[i];
    r.size = sizeof(r);
    r.flags |= HEED_REQUEST_NO_END;
    r.tokens = i == 4 ? prompt + 3 : prompt;
    r.n_tokens = i == 4 ? PROMPT - 3 : PROMPT;
    return r;
}

static heed_generator *open_verse(uint32_t flags)
{
    char path[4096];
    heed_generator *g;
    static const heed_session_options on_cpu = {.size = sizeof(on_cpu), .backends = "cpu"};
    heed_generator_options o = {.size = sizeof(o),
                                .flags = flags,
                                .session = &on_cpu,
                                .page_tokens = 4,
                                .kv_memory = 8 * 4 * 1280, /* pages */
                                .step_tokens = 16};
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    return heed_generator_open(path, &o, &g) ? NULL : g;
}

static void note(answer *a, heed_status status)
{
    if (!a->status)
        a->status = status;
    if (status) {
        assert_int_equal(status, HEED_NOMEM);
        assert_int_equal(heed_error_get()->status, HEED_NOMEM);
        assert_true(strlen(heed_error_get()->message) > 10);
    }
}

static void take_piece(heed_sequence *s, answer *a)
{
    heed_piece piece = {.size = sizeof(piece)};
    note(a, heed_sequence_next(s, &piece));
    if (a->status)
        return;
    for (size_t i = 0; i < piece.n_tokens; i++, a->n++) {
        assert_in_range(a->n, 0, MOST + PROMPT - 1);
        if (a->n >= MOST)
            continue;
        a->tokens[a->n] = piece.tokens[i];
        a->logprobs[a->n] = piece.logprobs ? piece.logprobs[i].logprob : 0;
    }
    assert_in_range(a->bytes + piece.text_bytes, 0, TEXT);
    memcpy(a->text + a->bytes, piece.text, piece.text_bytes);
    a->bytes += piece.text_bytes;
    a->finish = piece.finish;
}

/* All of them to their ends. */
static void work(heed_generator *g, answer answers[SEQUENCES])
{
    heed_sequence *all[SEQUENCES] = {0};
    memset(answers, 0, SEQUENCES * sizeof(*answers));
    for (int i = 0; i < FORKED; i++) {
        heed_request r = request_of(i);
        note(&answers[i], heed_generator_add(g, &r, &all[i]));
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(heed_generator_step(g, NULL), HEED_OK);
    heed_request r = request_of(FORKED);
    heed_sequence_stats stats = {.size = sizeof(stats)};
    if (all[1])
        heed_sequence_get_stats(all[1], &stats);
    answers[FORKED].skip = stats.generated_tokens;
    heed_status status = all[1] ? heed_sequence_fork(all[1], &r, &all[FORKED]) : HEED_NOMEM;
    if (!all[1] || heed_error_get()->status == HEED_USAGE)
        answers[FORKED].status = HEED_NOMEM; /* there is nothing to fork */
    else
        note(&answers[FORKED], status);
    if (all[4])
        heed_sequence_cancel(all[4]);
    for (int i = 0; i < SEQUENCES; i++) {
        while (all[i] && !answers[i].status && !answers[i].finish)
            take_piece(all[i], &answers[i]);
        heed_sequence_free(all[i]);
    }
}

static answer run_alone(heed_generator *g, int i, uint32_t most)
{
    answer a = {0};
    heed_sequence *s = NULL;
    heed_request r = request_of(i);
    r.max_tokens = most;
    note(&a, heed_generator_add(g, &r, &s));
    while (!a.status && !a.finish)
        take_piece(s, &a);
    heed_sequence_free(s);
    return a;
}

/* What each gives alone; of the one that is forked, as much as it and its fork give together. */
static void work_alone(answer wanted[SEQUENCES])
{
    heed_generator *g = open_verse(0);
    assert_non_null(g);
    for (int i = 0; i < FORKED; i++)
        wanted[i] = run_alone(g, i, requests[i].max_tokens);
    wanted[FORKED] = run_alone(g, 1, MOST);
    heed_generator_free(g);
}

static bool is_right(const answer *found, const answer *wanted, int i)
{
    if (i == FORKED)
        return found->n == requests[i].max_tokens &&
               !memcmp(found->tokens, wanted->tokens + found->skip, found->n * sizeof(int32_t));
    if (found->finish == HEED_FINISH_CANCEL)
        return i == 4 && !memcmp(found->tokens, wanted->tokens, found->n * sizeof(int32_t));
    return found->finish == wanted->finish && found->n == wanted->n &&
           !memcmp(found->tokens, wanted->tokens, sizeof(found->tokens)) &&
           !memcmp(found->logprobs, wanted->logprobs, sizeof(found->logprobs)) &&
           found->bytes == wanted->bytes && !memcmp(found->text, wanted->text, TEXT);
}

static void expect(const answer *found, const answer *wanted, int i, long long n)
{
    if (!found->status && !is_right(found, wanted, i))
        fail_msg("allocation %lld: sequence %d gives something else", n, i);
}

static void holds_nothing(heed_generator *g, long long n)
{
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator_get_stats(g, &stats);
    if (stats.pages_held || stats.running || stats.waiting)
        fail_msg("allocation %lld: %llu pages are held, %llu run, %llu wait", n,
                 (unsigned long long)stats.pages_held, (unsigned long long)stats.running,
                 (unsigned long long)stats.waiting);
}

/* False when there are fewer than n allocations. */
static bool live_through(heed_generator *g, const answer *wanted, long long n, bool ever,
                         size_t failed[SEQUENCES])
{
    answer found[SEQUENCES];
    failing_arm(n, ever);
    work(g, found);
    bool reached = failing_disarm();
    for (int i = 0; i < SEQUENCES; i++) {
        expect(&found[i], &wanted[i], i, n);
        failed[i] += found[i].status != HEED_OK;
    }
    holds_nothing(g, n);
    found[0] = run_alone(g, 0, requests[0].max_tokens);
    if (found[0].status)
        fail_msg("after allocation %lld: %s", n, heed_error_get()->message);
    expect(&found[0], &wanted[0], 0, n);
    holds_nothing(g, n);
    return reached;
}

/* In a new generator, whose steps are not planned yet and whose arrays have no room. */
static bool live_through_first(uint32_t flags, const answer *wanted, long long n, bool ever,
                               size_t failed[SEQUENCES])
{
    long long before = failing_live();
    heed_generator *g = open_verse(flags);
    assert_non_null(g);
    bool reached = live_through(g, wanted, n, ever, failed);
    heed_generator_free(g);
    if (failing_live() != before)
        fail_msg("allocation %lld, ever %d: %lld bytes lost", n, ever, failing_live() - before);
    return reached;
}

static void expect_failures(const size_t failed[SEQUENCES])
{
    for (int i = 0; i < SEQUENCES; i++) {
        print_message("sequence %d failed %zu times\n", i, failed[i]);
        assert_true(failed[i] > 1);
    }
}

/* One thread has no races: under ThreadSanitizer, which makes each work 20 times as long, a few of
 * them show that it has nothing to say. */
static long long stride(long long n)
{
    const char *sanitizers = getenv("HEED_SANITIZE");
    return sanitizers && strstr(sanitizers, "thread") ? 7 * n : n;
}

/* Opening takes most of the time: not each of them. Where memory is out for good, most say the
 * same. */
static void walk_first(uint32_t flags, const answer *wanted)
{
    size_t failed[SEQUENCES] = {0};
    for (int ever = 0; ever < 2; ever++) {
        long long n = 0;
        while (live_through_first(flags, wanted, n, ever, failed))
            n += stride(ever ? 31 : 7);
        print_message("%lld allocations of new generators\n", n);
        assert_true(n > 300);
    }
    expect_failures(failed);
}

static void walk(uint32_t flags, const answer *wanted)
{
    size_t failed[SEQUENCES] = {0};
    long long before = failing_live();
    heed_generator *g = open_verse(flags);
    assert_non_null(g);
    for (int ever = 0; ever < 2; ever++) {
        long long n = 0;
        while (live_through(g, wanted, n, ever, failed))
            n += stride(ever ? 7 : 1);
        print_message("%lld allocations\n", n);
        assert_true(n > 100);
    }
    heed_generator_free(g);
    if (failing_live() != before)
        fail_msg("%lld bytes lost", failing_live() - before);
    expect_failures(failed);
}

/* With memory, too, all of it is there: preemption, sharing, a fork, an end before the end. */
static void run(uint32_t flags)
{
    answer wanted[SEQUENCES], found[SEQUENCES];
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator *g = open_verse(flags);
    assert_non_null(g);
    work_alone(wanted);
    work(g, found);
    heed_generator_get_stats(g, &stats);
    assert_true(stats.preemptions > 0);
    assert_true(stats.shared_tokens > 0);
    heed_generator_free(g);
    for (int i = 0; i < SEQUENCES; i++) {
        assert_int_equal(found[i].status, HEED_OK);
        expect(&found[i], &wanted[i], i, -1);
    }
    assert_int_equal(found[4].finish, HEED_FINISH_CANCEL);
    walk(flags, wanted);
    walk_first(flags, wanted);
}

static void a_run_that_computes_again(void **state)
{
    (void)state;
    run(0);
}

static void a_run_that_swaps(void **state)
{
    (void)state;
    run(HEED_GENERATOR_SWAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_computes_again),
        cmocka_unit_test(a_run_that_swaps),
    };
    if (!failing_install() || heed_set_threads(1))
        return 1;
    return failing_end(cmocka_run_group_tests(tests, NULL, NULL));
}
