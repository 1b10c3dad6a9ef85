/* Who gets what of a step, as docs/generation.md promises it: nobody starves, prompts and those
 * that generate do not hold back each other, limits end a sequence within a step, and of equal
 * prompts one is computed. The embedded model; every step is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "heed/heed.h"

enum { LONGEST = 100, MOST = 400 };

static void ok(heed_status status)
{
    if (status)
        fail_msg("%s", heed_error_get()->message);
}

static heed_generator_stats stats_of(heed_generator *g)
{
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator_get_stats(g, &stats);
    return stats;
}

/* pages 0: as many as there is memory for. */
static heed_generator *open_verse(uint32_t step_tokens, uint32_t sequences, uint64_t pages,
                                  uint32_t flags)
{
    char path[4096];
    heed_generator *g;
    static const heed_session_options on_cpu = {.size = sizeof(on_cpu), .backends = "cpu"};
    heed_generator_options o = {.size = sizeof(o),
                                .flags = flags,
                                .session = &on_cpu,
                                .kv_memory = pages * 4 * 1280, /* a page of 4 tokens */
                                .page_tokens = 4,
                                .step_tokens = step_tokens,
                                .max_sequences = sequences};
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/verse.onnx", source ? source : ".");
    ok(heed_generator_open(path, &o, &g));
    assert_true(pages == 0 || stats_of(g).pages_limit == pages);
    return g;
}

/* Prompts of different numbers have nothing in common. */
static heed_sequence *add(heed_generator *g, int number, size_t n_prompt, uint32_t most,
                          const heed_sampling *sampling, uint64_t deadline_ns)
{
    int32_t tokens[LONGEST];
    heed_sequence *s;
    for (size_t i = 0; i < n_prompt; i++)
        tokens[i] = (int32_t)(10 + (number * 7 + (int)i * 13) % 900);
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END,
                        .tokens = tokens,
                        .n_tokens = n_prompt,
                        .sampling = sampling,
                        .max_tokens = most,
                        .deadline_ns = deadline_ns};
    ok(heed_generator_add(g, &ask, &s));
    return s;
}

static void step(heed_generator *g) { ok(heed_generator_step(g, NULL)); }

static size_t given(const heed_sequence *s)
{
    size_t n;
    heed_sequence_get_tokens(s, &n);
    return n;
}

static heed_sequence_stats about(const heed_sequence *s)
{
    heed_sequence_stats stats = {.size = sizeof(stats)};
    heed_sequence_get_stats(s, &stats);
    return stats;
}

static void close_empty(heed_generator *g)
{
    heed_generator_stats stats = stats_of(g);
    assert_int_equal(stats.pages_held, 0);
    assert_int_equal(stats.running + stats.waiting, 0);
    heed_generator_free(g);
}

/* ---- Nobody starves ---------------------------------------------------------------------------
 */

/* Two short requests come with each step, for ever. The long one needs half of all pages. */
static void short_requests_do_not_hold_back_a_long_one(void **state)
{
    (void)state;
    heed_generator *g = open_verse(32, 6, 40, 0);
    heed_sequence *all[MOST], *slow = NULL;
    size_t n = 0, begun = 0, last = 0, steps = 0;
    for (; begun == 0 || !about(slow).finish; steps++) {
        assert_in_range(n, 0, MOST - 3);
        if (steps == 10) {
            slow = add(g, 1000, 60, 20, NULL, 0);
            begun = n;
        }
        for (int i = 0; i < 2; i++, n++)
            all[n] = add(g, (int)n, 6, 5, NULL, 0);
        step(g);
        if (!slow)
            continue;
        size_t now = given(slow);
        for (size_t i = begun; i < n && now == 0; i++) /* nobody passes it */
            assert_true(about(all[i]).generated_tokens == 0 || about(slow).wait_ns > 0);
        if (last > 0)
            assert_int_equal(now, last + 1); /* and then it has a token of each step */
        last = now;
    }
    assert_int_equal(given(slow), 20);
    assert_in_range(steps, 0, 10 + 25 + 2 + 20);
    heed_sequence_free(slow);
    for (size_t i = 0; i < n; i++)
        heed_sequence_free(all[i]);
    close_empty(g);
}

/* So few pages that most give theirs up: the oldest that is left has a token of each step, once it
 * has computed again what it lost when it was younger. */
static void the_oldest_always_goes_on(void **state)
{
    (void)state;
    static const uint32_t flags[] = {0, HEED_GENERATOR_SWAP, HEED_GENERATOR_NO_SHARING};
    enum { N = 30, PROMPT = 10, ANSWER = 40 };
    for (size_t k = 0; k < 3; k++) {
        heed_generator *g = open_verse(24, 100, 40, flags[k]);
        heed_sequence *all[N];
        size_t oldest = 0, had = 0, idle = 0, before = 0;
        for (int i = 0; i < N; i++)
            all[i] = add(g, i, PROMPT, ANSWER, NULL, 0);
        while (oldest < N) {
            step(g);
            size_t now = given(all[oldest]);
            uint64_t lost = about(all[oldest]).preemptions;
            idle = now > had ? 0 : idle + 1;
            assert_in_range(idle, 0, (PROMPT + ANSWER) / 3 + 1); /* 24 / 8 tokens a step are left */
            if (had > 0 && before > 0)
                assert_int_equal(lost, before - 1); /* as the oldest it loses nothing */
            before = lost + 1;
            had = now;
            while (oldest < N && about(all[oldest]).finish) {
                assert_int_equal(given(all[oldest]), ANSWER);
                oldest++;
                before = idle = had = 0;
            }
        }
        assert_true(stats_of(g).preemptions > 20);
        for (int i = 0; i < N; i++)
            heed_sequence_free(all[i]);
        close_empty(g);
    }
}

/* ---- Prompts and answers ----------------------------------------------------------------------
 */

static void a_long_prompt_does_not_hold_back_answers(void **state)
{
    (void)state;
    heed_generator *g = open_verse(16, 100, 0, 0);
    heed_sequence *all[4], *slow;
    for (int i = 0; i < 4; i++)
        all[i] = add(g, i, 3, 60, NULL, 0);
    step(g);
    slow = add(g, 99, 96, 4, NULL, 0);
    for (size_t n = 2; n < 40; n++) {
        step(g);
        for (int i = 0; i < 4; i++)
            assert_int_equal(given(all[i]), n);
        /* 12 tokens of a step are the prompt's: 8 steps */
        assert_int_equal(given(slow), n < 9 ? 0 : n < 12 ? n - 8 : 4);
    }
    for (int i = 0; i < 4; i++)
        heed_sequence_free(all[i]);
    heed_sequence_free(slow);
    close_empty(g);
}

/* More answers than a step has tokens: prompts still have an eighth of it. */
static void answers_do_not_hold_back_a_prompt(void **state)
{
    (void)state;
    enum { N = 40, STEP = 16 };
    heed_generator *g = open_verse(STEP, 100, 0, 0);
    heed_sequence *all[N], *late;
    for (int i = 0; i < N; i++)
        all[i] = add(g, i, 1, 90, NULL, 0);
    for (int i = 0; i < N / 2 + 1; i++)
        step(g);
    size_t before[N];
    for (int i = 0; i < N; i++) {
        before[i] = given(all[i]);
        assert_true(before[i] > 0);
    }
    late = add(g, 999, 30, 3, NULL, 0);
    for (size_t n = 1; n <= 30 / (STEP / 8); n++) {
        assert_int_equal(given(late), 0);
        step(g);
        for (int i = 0; i < N; i++)
            assert_int_equal(given(all[i]), before[i] + n);
    }
    assert_int_equal(given(late), 1);
    for (int i = 0; i < N; i++)
        heed_sequence_free(all[i]);
    heed_sequence_free(late);
    close_empty(g);
}

/* ---- Ends -------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void expect_end(heed_sequence *s, uint32_t finish, size_t n)
{
    heed_piece piece = {.size = sizeof(piece)};
    assert_int_equal(about(s).finish, finish);
    assert_int_equal(given(s), n);
    ok(heed_sequence_next(s, &piece)); /* all that there was, at once */
    assert_int_equal(piece.finish, finish);
    assert_int_equal(piece.n_tokens, n);
    heed_sequence_free(s);
}

/* Each by its own limit, in the step in which it is reached, whether it runs or waits. */
static void limits_end_within_a_step(void **state)
{
    (void)state;
    heed_generator *g = open_verse(64, 3, 0, 0);
    heed_sequence *other = add(g, 0, 5, 30, NULL, 0), *three = add(g, 1, 5, 3, NULL, 0);
    heed_sequence *cancelled = add(g, 2, 5, 0, NULL, 0), *waits = add(g, 3, 5, 0, NULL, 0);
    heed_sequence *over = add(g, 4, 5, 0, NULL, 1), *next = add(g, 5, 5, 2, NULL, 0);
    for (size_t n = 1; n <= 2; n++) {
        step(g);
        assert_int_equal(given(other), n);
    }
    assert_int_equal(stats_of(g).running, 3);
    expect_end(over, HEED_FINISH_DEADLINE, 0);
    heed_sequence_cancel(cancelled);
    heed_sequence_cancel(waits);
    step(g);
    expect_end(three, HEED_FINISH_LENGTH, 3);
    expect_end(cancelled, HEED_FINISH_CANCEL, 2);
    expect_end(waits, HEED_FINISH_CANCEL, 0);
    step(g);
    expect_end(next, HEED_FINISH_LENGTH, 2);
    assert_int_equal(given(other), 4);
    heed_sequence_free(other);
    close_empty(g);
}

/* However slow the machine: what there is before the step in which the time is over is all. */
static void deadlines_end_within_a_step(void **state)
{
    (void)state;
    heed_generator *g = open_verse(64, 2, 0, 0);
    uint64_t soon = now_ns() + 30000000u;
    heed_sequence *other = add(g, 0, 5, 30, NULL, 0), *runs = add(g, 1, 5, 0, NULL, soon);
    heed_sequence *waits = add(g, 2, 5, 0, NULL, soon);
    step(g);
    step(g);
    while (now_ns() < soon)
        continue;
    size_t n = given(runs);
    step(g);
    expect_end(runs, HEED_FINISH_DEADLINE, n);
    expect_end(waits, HEED_FINISH_DEADLINE, 0);
    assert_int_equal(given(other), 3);
    heed_sequence_free(other);
    close_empty(g);
}

/* ---- Equal prompts ----------------------------------------------------------------------------
 */

enum { SAMPLES = 8, LENGTH = 50, TOKENS = 12 };

static heed_sampling sampling_of(int i)
{
    return (heed_sampling){
        .size = sizeof(heed_sampling), .temperature = 0.9f, .seed = (uint64_t)i + 1};
}

/* Samples of one prompt, all added at once; `cancel`: the first, after two steps. */
static heed_generator_stats sample(uint32_t step_tokens, uint32_t flags, uint64_t pages,
                                   bool cancel, int32_t tokens[SAMPLES][TOKENS])
{
    heed_generator *g = open_verse(step_tokens, 100, pages, flags);
    heed_sequence *all[SAMPLES];
    uint64_t shared = 0;
    size_t active = 1, n;
    for (int i = 0; i < SAMPLES; i++) {
        heed_sampling sampling = sampling_of(i);
        all[i] = add(g, 5, LENGTH, TOKENS, &sampling, 0);
    }
    for (int steps = 0; active > 0; steps++) {
        if (cancel && steps == 2)
            heed_sequence_cancel(all[0]);
        ok(heed_generator_step(g, &active));
    }
    for (int i = 0; i < SAMPLES; i++) {
        const int32_t *t = heed_sequence_get_tokens(all[i], &n);
        assert_int_equal(n, cancel && i == 0 ? 0 : TOKENS);
        memcpy(tokens[i], t, n * sizeof(*t));
        shared += about(all[i]).shared_tokens;
        heed_sequence_free(all[i]);
    }
    heed_generator_stats stats = stats_of(g);
    assert_true(stats.preemptions > 0 || stats.shared_tokens == shared);
    close_empty(g);
    return stats;
}

static void of_equal_prompts_one_is_computed(void **state)
{
    (void)state;
    int32_t alone[SAMPLES][TOKENS], found[SAMPLES][TOKENS];
    heed_generator_stats stats = sample(512, HEED_GENERATOR_NO_SHARING, 0, false, alone);
    assert_int_equal(stats.shared_tokens, 0);
    assert_int_equal(stats.steps, TOKENS);
    assert_memory_not_equal(alone[0], alone[1], sizeof(alone[0]));

    stats = sample(512, 0, 0, false, found);
    assert_memory_equal(alone, found, sizeof(alone));
    assert_int_equal(stats.shared_tokens, (SAMPLES - 1) * (LENGTH - 1));
    assert_int_equal(stats.steps, TOKENS + 1); /* the others are one step behind the first */
    uint64_t whole = LENGTH / 4, own = (LENGTH % 4 + TOKENS + 3) / 4;
    assert_in_range(stats.pages_peak, whole + SAMPLES, whole + SAMPLES * own);

    stats =
        sample(16, 0, 0, false, found); /* parts of a prompt: less than a page is not waited for */
    assert_memory_equal(alone, found, sizeof(alone));
    assert_int_equal(stats.shared_tokens, (SAMPLES - 1) * (LENGTH / 16 * 16));

    stats = sample(16, 0, 0, true, found); /* the second goes on where the first stopped */
    assert_memory_equal(alone[1], found[1], (SAMPLES - 1) * sizeof(alone[0]));
    assert_int_equal(stats.shared_tokens, 32 + (SAMPLES - 2) * (LENGTH / 16 * 16));

    stats = sample(16, 0, 22, false, found); /* so few pages that some give theirs up */
    assert_memory_equal(alone, found, sizeof(alone));
    assert_true(stats.preemptions > 0);
}

/* Those that have other prompts, or want the log-probabilities of theirs, wait for nobody. */
static void others_do_not_wait(void **state)
{
    (void)state;
    heed_generator *g = open_verse(512, 100, 0, 0);
    heed_sequence *first = add(g, 5, LENGTH, 4, NULL, 0), *second = add(g, 5, LENGTH, 4, NULL, 0);
    heed_sequence *other = add(g, 6, LENGTH, 4, NULL, 0), *begins = add(g, 5, 3, 4, NULL, 0), *echo;
    int32_t tokens[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        tokens[i] = 10 + (5 * 7 + i * 13) % 900;
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END | HEED_REQUEST_ECHO,
                        .tokens = tokens,
                        .n_tokens = LENGTH,
                        .max_tokens = 4};
    ok(heed_generator_add(g, &ask, &echo));
    step(g);
    assert_int_equal(given(first), 1);
    assert_int_equal(given(second), 0);
    assert_int_equal(given(other), 1);
    assert_int_equal(given(begins), 1); /* of so few tokens nothing is waited for */
    assert_int_equal(given(echo), 1);
    assert_int_equal(stats_of(g).waiting, 1);
    step(g);
    assert_int_equal(given(second), 1);
    assert_int_equal(about(second).shared_tokens, LENGTH - 1);
    assert_int_equal(about(echo).shared_tokens, 0);
    heed_sequence *const all[] = {first, second, other, begins, echo};
    for (int i = 0; i < 5; i++)
        heed_sequence_free(all[i]);
    close_empty(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_requests_do_not_hold_back_a_long_one),
        cmocka_unit_test(the_oldest_always_goes_on),
        cmocka_unit_test(a_long_prompt_does_not_hold_back_answers),
        cmocka_unit_test(answers_do_not_hold_back_a_prompt),
        cmocka_unit_test(limits_end_within_a_step),
        cmocka_unit_test(deadlines_end_within_a_step),
        cmocka_unit_test(of_equal_prompts_one_is_computed),
        cmocka_unit_test(others_do_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
