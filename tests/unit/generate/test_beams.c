/* Beam search against what transformers gives for tables of logits, against all continuations there
 * are, and with memory that runs out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "generate/beams.h"
#include "generate/sampler.h"

enum { TOKENS = 12, MOST_WIDTH = 5, MOST_TOKENS = 12, MOST_PROPOSALS = 64 };

typedef struct table_case {
    uint32_t seed, width;
    size_t tokens;
    float penalty;
    int early;
    size_t n_ends;
    int32_t ends[3];
    uint32_t n;
    size_t lengths[MOST_WIDTH];
    int32_t found[MOST_WIDTH][MOST_TOKENS];
    float scores[MOST_WIDTH];
} table_case;

#define TABLE_CASES
#include "beams_golden.h"

static float entry(uint32_t seed, uint32_t i)
{
    uint32_t h = seed + i * 2654435761u;
    h = (h ^ h >> 15) * 2246822519u;
    return (float)((h ^ h >> 13) & 0xFFFFF) / (1 << 17) - 4;
}

/* Logits of what comes after `token` at this place. */
static void logits_of(uint32_t seed, int32_t token, size_t at, float *logits)
{
    for (uint32_t i = 0; i < TOKENS; i++) {
        uint32_t turned = (uint32_t)(at * 5 % TOKENS);
        logits[i] =
            entry(seed, (uint32_t)token * TOKENS + i) + entry(seed, i * TOKENS + turned) / 4;
    }
}

static void propose(const float *logits, size_t n, heed_logprob *out)
{
    sampler_told told = {.likeliest = out, .n = n};
    sampler_look_up(logits, TOKENS, 0, &told);
}

static float logprob_of(const float *logits, int32_t token)
{
    sampler_told told = {.n = 0};
    sampler_look_up(logits, TOKENS, token, &told);
    return told.own.logprob;
}

/* One step of all that run. */
static heed_status step(beams *b, uint32_t seed, size_t length)
{
    static heed_logprob proposals[MOST_WIDTH * MOST_PROPOSALS];
    uint32_t n, each = beams_proposals(b);
    const beam *running = beams_running(b, &n);
    for (uint32_t i = 0; i < n; i++) {
        float logits[TOKENS];
        int32_t token = length > 0 ? running[i].token : 1;
        logits_of(seed, token, length, logits);
        propose(logits, each, proposals + i * each);
    }
    return beams_step(b, proposals);
}

static beams_options options_of(const table_case *c)
{
    return (beams_options){.width = c->width,
                           .length_penalty = c->penalty,
                           .early = c->early,
                           .ends = c->ends,
                           .n_ends = c->n_ends,
                           .max_tokens = c->tokens};
}

static void compare(const table_case *c, const beams *b)
{
    assert_true(beams_results(b) <= c->n);
    for (uint32_t r = 0; r < beams_results(b); r++) {
        heed_logprob found[MOST_TOKENS];
        float sum = 0;
        size_t n = beams_length(b, r);
        assert_int_equal(n, c->lengths[r]);
        beams_copy(b, r, found);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(found[i].token, c->found[r][i]);
            sum += found[i].logprob;
        }
        assert_float_equal(beams_score(b, r), c->scores[r], 1e-5);
        assert_float_equal(sum / powf((float)n, c->penalty), c->scores[r], 1e-5);
    }
}

static void results_are_those_of_transformers(void **state)
{
    (void)state;
    size_t early = 0;
    for (size_t i = 0; i < sizeof(table_cases) / sizeof(*table_cases); i++) {
        const table_case *c = &table_cases[i];
        beams_options o = options_of(c);
        beams *b;
        assert_int_equal(beams_new(&o, &b), HEED_OK);
        size_t length = 0;
        for (; !beams_are_over(b); length++)
            assert_int_equal(step(b, c->seed, length), HEED_OK);
        early += length < c->tokens;
        compare(c, b);
        beams_free(b);
    }
    assert_true(early > 5);
}

/* A search as wide as there are continuations finds the best of all. */
static float best_of(uint32_t seed, int32_t token, size_t at, size_t length)
{
    float logits[TOKENS], best = -INFINITY;
    if (at == length)
        return 0;
    logits_of(seed, token, at, logits);
    for (int32_t i = 0; i < TOKENS; i++) {
        float rest = logprob_of(logits, i) + best_of(seed, i, at + 1, length);
        best = rest > best ? rest : best;
    }
    return best;
}

static void a_wide_search_is_exhaustive(void **state)
{
    (void)state;
    enum { WIDTH = TOKENS * TOKENS };
    static heed_logprob proposals[WIDTH * 2 * WIDTH];
    for (uint32_t seed = 1; seed < 6; seed++) {
        beams_options o = {.width = WIDTH, .max_tokens = 3};
        beams *b;
        assert_int_equal(beams_new(&o, &b), HEED_OK);
        for (size_t length = 0; !beams_are_over(b); length++) {
            uint32_t n, each = beams_proposals(b);
            const beam *running = beams_running(b, &n);
            for (uint32_t i = 0; i < n; i++) {
                float logits[TOKENS];
                logits_of(seed, length > 0 ? running[i].token : 1, length, logits);
                propose(logits, each, proposals + i * each);
            }
            assert_int_equal(beams_step(b, proposals), HEED_OK);
        }
        assert_int_equal(beams_results(b), WIDTH);
        assert_float_equal(beams_score(b, 0), best_of(seed, 1, 0, 3), 1e-5);
        for (uint32_t r = 1; r < WIDTH; r++)
            assert_true(beams_score(b, r) <= beams_score(b, r - 1));
        beams_free(b);
    }
}

/* Equal scores: the lower beam, then the lower id. Tokens that are none are not taken. */
static void ties_go_to_the_lower(void **state)
{
    (void)state;
    heed_logprob first[4] = {{2, -1}, {5, -1}, {7, -1}, {-1, -INFINITY}};
    heed_logprob second[8] = {{4, -1}, {6, -1}, {8, -1}, {9, -1},
                              {1, -1}, {3, -1}, {8, -1}, {9, -INFINITY}};
    beams_options o = {.width = 2, .max_tokens = SIZE_MAX};
    beams *b;
    uint32_t n;
    assert_int_equal(beams_new(&o, &b), HEED_OK);
    assert_int_equal(beams_step(b, first), HEED_OK);
    const beam *running = beams_running(b, &n);
    assert_int_equal(n, 2);
    assert_true(running[0].token == 2 && running[1].token == 5);
    assert_int_equal(beams_step(b, second), HEED_OK);
    running = beams_running(b, &n);
    assert_true(running[0].token == 4 && running[0].parent == 0);
    assert_true(running[1].token == 6 && running[1].parent == 0);
    assert_int_equal(beams_length(b, 0), 2); /* of those that run, since none has ended */
    beams_free(b);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void failed_allocations_lose_nothing(void **state)
{
    (void)state;
    const table_case *c = &table_cases[0];
    for (size_t i = 0; i < sizeof(table_cases) / sizeof(*table_cases); i++)
        if (table_cases[i].width == 5 && table_cases[i].lengths[0] > 8)
            c = &table_cases[i];
    long long before = failing_live(), n = 0;
    for (bool reached = true; reached; n++) {
        beams_options o = options_of(c);
        beams *b;
        failing_arm(n, false);
        if (beams_new(&o, &b))
            assert_int_equal(beams_new(&o, &b), HEED_OK);
        for (size_t length = 0; !beams_are_over(b); length++)
            if (step(b, c->seed, length))
                assert_int_equal(step(b, c->seed, length), HEED_OK);
        compare(c, b);
        beams_free(b);
        reached = failing_disarm();
        assert_true(failing_live() == before);
    }
    assert_true(n > 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_transformers),
        cmocka_unit_test(a_wide_search_is_exhaustive),
        cmocka_unit_test(ties_go_to_the_lower),
        cmocka_unit_test(failed_allocations_lose_nothing),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
