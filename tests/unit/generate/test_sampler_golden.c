/* The chain against transformers' logits processors, in the same order. Where transformers keeps
 * all tokens that equal the last one of top-k, heed keeps the lower ids; these logits have none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "generate/sampler_parts.h"

enum { TOKENS = 48, DRAWS = 3000 };

typedef struct golden_case {
    uint32_t seed;
    size_t n_prompt, n_answer;
    int32_t prompt[12], answer[12];
    heed_sampling options;
    double left[TOKENS]; /* probabilities */
} golden_case;

#include "sampler_golden.h"

static float entry(uint32_t seed, uint32_t i)
{
    uint32_t h = seed + i * 2654435761u;
    h = (h ^ h >> 15) * 2246822519u;
    return (float)((h ^ h >> 13) & 0xFFFFF) / (1 << 17) - 4;
}

static void fill(const golden_case *c, float *logits)
{
    for (uint32_t i = 0; i < TOKENS; i++)
        logits[i] = entry(c->seed, i);
}

static sampler *make(const golden_case *c)
{
    heed_sampling options = c->options;
    sampler *s;
    options.size = sizeof(options);
    options.seed = c->seed;
    assert_int_equal(sampler_new(&options, TOKENS, &s), HEED_OK);
    assert_int_equal(sampler_tell(s, c->prompt, c->n_prompt, false), HEED_OK);
    assert_int_equal(sampler_tell(s, c->answer, c->n_answer, true), HEED_OK);
    return s;
}

static void probabilities_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(golden_cases) / sizeof(*golden_cases); k++) {
        const golden_case *c = &golden_cases[k];
        sampler *s = make(c);
        float logits[TOKENS];
        double sum = 0, left[TOKENS] = {0};
        sampler_row row = {.x = logits, .n = TOKENS};
        fill(c, logits);
        sampler_penalise(s, &row);
        sampler_keep_k(s, &row);
        assert_int_equal(sampler_soften(s, &row), HEED_OK);
        sampler_keep_p(s, &row);
        sampler_keep_min_p(s, &row);
        for (size_t i = 0; i < row.n; i++)
            sum += (double)row.x[i];
        for (size_t i = 0; i < row.n; i++)
            left[row.ids ? (size_t)row.ids[i] : i] = (double)row.x[i] / sum;
        for (size_t i = 0; i < TOKENS; i++)
            if (fabs(left[i] - c->left[i]) > 1e-5 * c->left[i])
                fail_msg("case %zu, token %zu: %g, not %g", k, i, left[i], c->left[i]);
        sampler_free(s);
    }
}

/* Draws take no token that is not left, and the likely ones about as often as they should. */
static void draws_are_of_what_is_left(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(golden_cases) / sizeof(*golden_cases); k++) {
        const golden_case *c = &golden_cases[k];
        int count[TOKENS] = {0};
        for (uint64_t n = 0; n < DRAWS; n++) {
            sampler *s = make(c);
            float logits[TOKENS];
            int32_t token;
            fill(c, logits);
            s->drawn = n;
            assert_int_equal(sampler_choose(s, logits, &token), HEED_OK);
            count[token]++;
            sampler_free(s);
        }
        for (size_t i = 0; i < TOKENS; i++) {
            double mean = c->left[i] * DRAWS, spread = sqrt(mean * (1 - c->left[i]));
            assert_true(c->left[i] > 0 || count[i] == 0);
            assert_true(fabs(count[i] - mean) <= 6 * spread + 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_of_transformers),
        cmocka_unit_test(draws_are_of_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
