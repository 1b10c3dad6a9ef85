/* Beam search in generators: what transformers gives for the embedded model, alone and among other
 * sequences, with pages that beams share. */
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

typedef struct verse_case {
    size_t n_prompt;
    int32_t prompt[40];
    uint32_t width, tokens;
    float penalty;
    int early;
    uint32_t least;
    size_t n_ends;
    int32_t ends[3];
    size_t n;
    int32_t found[64];
} verse_case;

typedef struct told_case {
    size_t n_prompt;
    int32_t prompt[40];
    uint32_t width, tokens;
    float penalty;
    int early;
    float repetition;
    size_t n_stops;
    const char *stops[2];
    size_t n;
    int32_t found[40];
    float own[40];
    int32_t others[80];
    float chances[80];
} told_case;

#define VERSE_CASES
#include "beams_golden.h"
enum { CASES = sizeof(verse_cases) / sizeof(*verse_cases) };

static heed_generator *open_verse(const char *name, const heed_generator_options *options)
{
    char path[4096];
    heed_generator *g;
    const char *source = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/examples/verse/%s", source ? source : ".", name);
    if (heed_generator_open(path, options, &g))
        fail_msg("%s", heed_error_get()->message);
    return g;
}

static heed_sequence *ask(heed_generator *g, const verse_case *c, uint32_t flags)
{
    heed_request r = {.size = sizeof(r),
                      .flags = flags | HEED_REQUEST_NO_END | (c->early ? HEED_REQUEST_EARLY : 0),
                      .tokens = c->prompt,
                      .n_tokens = c->n_prompt,
                      .max_tokens = c->tokens,
                      .min_tokens = c->least,
                      .stop_tokens = c->ends,
                      .n_stop_tokens = c->n_ends,
                      .beams = c->width,
                      .length_penalty = c->penalty};
    heed_sequence *s;
    if (heed_generator_add(g, &r, &s))
        fail_msg("%s", heed_error_get()->message);
    return s;
}

static void expect(heed_sequence *s, const verse_case *c)
{
    heed_piece piece = {.size = sizeof(piece)};
    if (heed_sequence_next(s, &piece))
        fail_msg("%s", heed_error_get()->message);
    assert_true(piece.finish == HEED_FINISH_STOP || piece.finish == HEED_FINISH_LENGTH);
    assert_int_equal(piece.n_tokens, c->n);
    assert_memory_equal(piece.tokens, c->found, c->n * sizeof(*c->found));
    heed_sequence_stats stats = {.size = sizeof(stats)};
    heed_sequence_get_stats(s, &stats);
    assert_int_equal(stats.generated_tokens, c->n);
    heed_sequence_free(s);
}

static void results_are_those_of_transformers(void **state)
{
    (void)state;
    static const char *const names[] = {"verse.onnx", "verse-past.onnx"};
    for (int k = 0; k < 2; k++) {
        heed_generator *g = open_verse(names[k], NULL);
        for (size_t i = 0; i < CASES; i++)
            expect(ask(g, &verse_cases[i], 0), &verse_cases[i]);
        heed_generator_free(g);
    }
}

/* All at once, among sequences that do not search, with so few pages that some must give theirs up.
 */
static void others_change_nothing(void **state)
{
    (void)state;
    static const uint32_t flags[] = {0, HEED_GENERATOR_SWAP, HEED_GENERATOR_NO_SHARING};
    for (size_t k = 0; k < 3; k++) {
        heed_generator_options o = {.size = sizeof(o), .flags = flags[k], .page_tokens = 4};
        heed_generator *g = open_verse("verse.onnx", &o);
        heed_generator_stats stats = {.size = sizeof(stats)};
        heed_generator_get_stats(g, &stats);
        heed_generator_free(g);
        o.kv_memory = 60 * stats.page_bytes;
        g = open_verse("verse.onnx", &o);
        heed_sequence *s[2 * CASES];
        for (size_t i = 0; i < CASES; i++) {
            verse_case alone = verse_cases[i];
            alone.width = 1;
            s[i] = ask(g, &verse_cases[i], 0);
            s[CASES + i] = ask(g, &alone, 0);
        }
        for (size_t i = 0; i < CASES; i++)
            expect(s[i], &verse_cases[i]);
        for (size_t i = CASES; i < 2 * CASES; i++)
            heed_sequence_free(s[i]);
        heed_generator_get_stats(g, &stats);
        assert_int_equal(stats.pages_held, 0);
        assert_true(stats.preemptions > 0);
        heed_generator_free(g);
    }
}

/* A prompt's pages are held once, however many beams go on from it. */
static void beams_share_pages(void **state)
{
    (void)state;
    const verse_case *c = &verse_cases[CASES - 1]; /* 40 tokens, 8 beams */
    heed_generator_options o = {.size = sizeof(o), .page_tokens = 4};
    heed_generator *g = open_verse("verse.onnx", &o);
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_sequence *s = ask(g, c, 0);
    size_t active = 1;
    uint64_t most = 0, steps = 0;
    for (; active; steps++) {
        assert_int_equal(heed_generator_step(g, &active), HEED_OK);
        heed_generator_get_stats(g, &stats);
        most = stats.pages_held > most ? stats.pages_held : most;
    }
    assert_true(most > c->n_prompt / 4 + 2);
    assert_true(most < c->n_prompt / 4 + c->width * ((c->tokens + 3) / 4 + 1));
    assert_int_equal(stats.pages_held, 0);
    expect(s, c);
    heed_generator_free(g);
}

/* Log-probabilities add up to the score, and are those that the model gives for these tokens. */
static void logprobs_are_told(void **state)
{
    (void)state;
    const verse_case *c = &verse_cases[0];
    heed_generator *g = open_verse("verse.onnx", NULL);
    heed_sequence *s = ask(g, c, HEED_REQUEST_LOGPROBS), *echo;
    heed_piece piece = {.size = sizeof(piece)};
    assert_int_equal(heed_sequence_next(s, &piece), HEED_OK);
    assert_int_equal(piece.n_tokens, c->n);
    float told[64];
    int32_t tokens[64];
    for (size_t i = 0; i < c->n; i++) {
        assert_int_equal(piece.logprobs[i].token, c->found[i]);
        told[i] = piece.logprobs[i].logprob;
    }
    memcpy(tokens, c->prompt, c->n_prompt * sizeof(*tokens));
    memcpy(tokens + c->n_prompt, c->found, c->n * sizeof(*tokens));
    heed_request r = {.size = sizeof(r),
                      .flags = HEED_REQUEST_ECHO | HEED_REQUEST_LOGPROBS,
                      .tokens = tokens,
                      .n_tokens = c->n_prompt + c->n,
                      .max_tokens = 1};
    assert_int_equal(heed_generator_add(g, &r, &echo), HEED_OK);
    size_t at = 0;
    for (piece.finish = 0; !piece.finish;) {
        assert_int_equal(heed_sequence_next(echo, &piece), HEED_OK);
        for (size_t i = 0; i < piece.n_tokens; i++, at++)
            if (at >= c->n_prompt && at < c->n_prompt + c->n)
                assert_float_equal(piece.logprobs[i].logprob, told[at - c->n_prompt], 1e-4);
    }
    assert_int_equal(at, c->n_prompt + c->n + 1);
    heed_sequence_free(s);
    heed_sequence_free(echo);
    heed_generator_free(g);
}

/* A hypothesis ends where a stop is complete, and others go on; each token has the
 * log-probabilities that output_scores gives there. */
static void stops_end_hypotheses(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(told_cases) / sizeof(*told_cases); k++) {
        const told_case *c = &told_cases[k];
        heed_generator *g = open_verse("verse.onnx", NULL);
        heed_piece piece = {.size = sizeof(piece)};
        heed_sampling sampling = {.size = sizeof(sampling), .repetition_penalty = c->repetition};
        heed_request r = {.size = sizeof(r),
                          .flags = HEED_REQUEST_NO_END | HEED_REQUEST_LOGPROBS |
                                   (c->early ? HEED_REQUEST_EARLY : 0),
                          .tokens = c->prompt,
                          .n_tokens = c->n_prompt,
                          .sampling = &sampling,
                          .max_tokens = c->tokens,
                          .stops = c->stops,
                          .n_stops = c->n_stops,
                          .n_logprobs = 2,
                          .beams = c->width,
                          .length_penalty = c->penalty};
        heed_sequence *s;
        assert_int_equal(heed_generator_add(g, &r, &s), HEED_OK);
        assert_int_equal(heed_sequence_next(s, &piece), HEED_OK);
        assert_int_equal(piece.finish, c->n < c->tokens ? HEED_FINISH_STOP : HEED_FINISH_LENGTH);
        assert_int_equal(piece.n_tokens, c->n);
        assert_memory_equal(piece.tokens, c->found, c->n * sizeof(*c->found));
        for (size_t i = 0; i < c->n_stops; i++)
            assert_null(memmem(piece.text, piece.text_bytes, c->stops[i], strlen(c->stops[i])));
        for (size_t i = 0; i < c->n; i++)
            assert_float_equal((double)piece.logprobs[i].logprob, (double)c->own[i], 1e-3);
        for (size_t i = 0; i < 2 * c->n; i++) {
            assert_int_equal(piece.alternatives[i].token, c->others[i]);
            assert_float_equal((double)piece.alternatives[i].logprob, (double)c->chances[i], 1e-3);
        }
        heed_sequence_free(s);
        heed_generator_free(g);
    }
}

/* Cancelled: the best so far is given. */
static void a_cancelled_search_gives_its_best(void **state)
{
    (void)state;
    const verse_case *c = &verse_cases[CASES - 2];
    heed_generator *g = open_verse("verse.onnx", NULL);
    heed_sequence *s = ask(g, c, 0);
    heed_piece piece = {.size = sizeof(piece)};
    for (int i = 0; i < 6; i++)
        assert_int_equal(heed_generator_step(g, NULL), HEED_OK);
    heed_sequence_cancel(s);
    assert_int_equal(heed_sequence_next(s, &piece), HEED_OK);
    assert_int_equal(piece.finish, HEED_FINISH_CANCEL);
    assert_int_equal(piece.n_tokens, 6);
    heed_sequence_free(s);
    heed_generator_free(g);
}

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    heed_sampling draws = {.size = sizeof(draws), .temperature = 1};
    heed_request r = {.size = sizeof(r), .tokens = verse_cases[0].prompt, .n_tokens = 3};
    heed_generator *g = open_verse("verse.onnx", NULL);
    heed_sequence *s;
    r.beams = 100000;
    assert_int_equal(heed_generator_add(g, &r, &s), HEED_INVALID);
    r.beams = 3;
    r.sampling = &draws;
    assert_int_equal(heed_generator_add(g, &r, &s), HEED_INVALID);
    assert_non_null(strstr(heed_error_get()->message, "temperature"));
    r.sampling = NULL;
    r.n_logprobs = 21;
    assert_int_equal(heed_generator_add(g, &r, &s), HEED_INVALID);
    heed_generator_free(g);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static const char *const never[] = {"no such text"};

static heed_request request_of(const verse_case *c)
{
    return (heed_request){.size = sizeof(heed_request),
                          .flags = HEED_REQUEST_NO_END,
                          .tokens = c->prompt,
                          .n_tokens = c->n_prompt,
                          .max_tokens = 6,
                          .stop_tokens = c->ends,
                          .n_stop_tokens = c->n_ends,
                          .stops = never,
                          .n_stops = 1,
                          .n_logprobs = 3,
                          .beams = c->width,
                          .length_penalty = c->penalty};
}

/* A search while allocation n fails: it is refused, fails, or gives what it should. */
static heed_status search_failing(heed_generator *g, const heed_request *r, int32_t *tokens)
{
    heed_sequence *s = NULL;
    heed_piece piece = {.size = sizeof(piece)};
    heed_status status = heed_generator_add(g, r, &s);
    if (!status)
        status = heed_sequence_next(s, &piece);
    if (!status) {
        assert_int_equal(piece.n_tokens, 6);
        memcpy(tokens, piece.tokens, 6 * sizeof(*tokens));
    }
    heed_sequence_free(s);
    return status;
}

/* Each allocation of a search fails in turn: no page and no byte is lost, and the next one is as if
 * nothing had been. Text is decoded, too. */
static void failed_allocations_lose_nothing(void **state)
{
    (void)state;
    heed_generator_options o = {
        .size = sizeof(o), .flags = HEED_GENERATOR_NO_SHARING, .kv_memory = 16 << 20};
    heed_generator *g = open_verse("verse.onnx", &o);
    heed_request r = request_of(&verse_cases[CASES - 2]);
    int32_t expected[6], found[6];
    size_t failed = 0;
    for (int i = 0; i < 2; i++) /* plans are kept from the first time on */
        assert_int_equal(search_failing(g, &r, expected), HEED_OK);
    long long before = failing_live();
    bool reached = true;
    for (long long n = 0; reached; n++) {
        failing_arm(n, false);
        heed_status status = search_failing(g, &r, found);
        reached = failing_disarm();
        failed += status != HEED_OK;
        assert_true(status == HEED_OK || status == HEED_NOMEM);
        if (!status)
            assert_memory_equal(found, expected, sizeof(expected));
        heed_generator_stats stats = {.size = sizeof(stats)};
        heed_generator_get_stats(g, &stats);
        assert_int_equal(stats.pages_held, 0);
    }
    printf("%zu searches failed\n", failed);
    assert_true(failed > 30);
    assert_int_equal(search_failing(g, &r, found), HEED_OK);
    assert_memory_equal(found, expected, sizeof(expected));
    if (failing_live() > before + 65536) /* what steps keep for the next may have grown */
        fail_msg("%lld bytes were lost", failing_live() - before);
    heed_generator_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_transformers),
        cmocka_unit_test(others_change_nothing),
        cmocka_unit_test(beams_share_pages),
        cmocka_unit_test(logprobs_are_told),
        cmocka_unit_test(stops_end_hypotheses),
        cmocka_unit_test(a_cancelled_search_gives_its_best),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(failed_allocations_lose_nothing),
    };
    if (!failing_install() || heed_set_threads(1))
        return 1;
    return failing_end(cmocka_run_group_tests(tests, NULL, NULL));
}
