/* What a sampler is told, what it refuses, values at the edge, and memory that runs out. */
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
#include "sampler_case.h"

static void greedy_takes_the_first_of_equals(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 511, 512, 513, 8192, 8193, 100003};
    for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
        size_t n = sizes[k];
        float *x = malloc(n * sizeof(*x));
        sampler *s;
        assert_int_equal(sampler_new(NULL, (int64_t)n, &s), HEED_OK);
        for (int round = 0; round < 50; round++) {
            for (size_t i = 0; i < n; i++)
                x[i] = draw(8) ? (float)draw(3) - 2 : NAN; /* many ties, and both zeros */
            size_t a = draw((uint32_t)n), b = draw((uint32_t)n), first = a < b ? a : b;
            x[a] = x[b] = 3;
            assert_int_equal(choose(s, x, n), first);
            x[a] = -0.0f, x[b] = 0.0f;
            for (size_t i = 0; i < n; i++)
                x[i] = x[i] > 0 ? -1 : x[i];
            for (first = 0; x[first] != 0;)
                first++;
            assert_int_equal(choose(s, x, n), first);
        }
        sampler_free(s);
        free(x);
    }
}

/* ---- Penalties ------------------------------------------------------------------------------- */

static void penalties_follow_their_formulas(void **state)
{
    (void)state;
    enum { N = 1000 };
    heed_sampling o = {.size = sizeof(o),
                       .repetition_penalty = 1.3f,
                       .presence_penalty = 0.4f,
                       .frequency_penalty = 0.25f};
    float x[N], expected[N];
    int prompt[N] = {0}, generated[N] = {0};
    sampler *s = make(o, N);
    for (int round = 0; round < 2000; round++) {
        int32_t token = (int32_t)draw(N / 2);
        bool answer = draw(2);
        (answer ? generated : prompt)[token]++;
        assert_int_equal(sampler_tell(s, &token, 1, answer), HEED_OK);
    }
    for (int i = 0; i < N; i++) {
        expected[i] = x[i] = normal();
        if (prompt[i] || generated[i])
            expected[i] = x[i] < 0 ? x[i] * 1.3f : x[i] / 1.3f;
        if (generated[i])
            expected[i] -= (float)generated[i] * 0.25f + 0.4f;
    }
    sampler_row row = {.x = x, .n = N};
    sampler_penalise(s, &row);
    for (int i = 0; i < N; i++)
        assert_float_equal(x[i], expected[i], 1e-6f);
    sampler_free(s);
}

/* What is chosen is told, forbidden tokens are not chosen, once. */
static void choices_are_told(void **state)
{
    (void)state;
    static const float x[4] = {1.0f, 1.1f, 0.9f, 1.05f};
    static const int32_t forbidden[] = {1, 3, -1, 4}, prompt[] = {1, 9, -2};
    sampler *s = make((heed_sampling){.frequency_penalty = 0.3f}, 4);
    assert_int_equal(sampler_tell(s, prompt, 3, false), HEED_OK);
    sampler_forbid(s, forbidden, 4);
    assert_int_equal(choose(s, x, 4), 0);
    assert_int_equal(choose(s, x, 4), 1);
    assert_int_equal(choose(s, x, 4), 3);
    assert_int_equal(choose(s, x, 4), 2);
    assert_int_equal(choose(s, x, 4), 1);
    sampler_free(s);
}

/* ---- Values at the edge ---------------------------------------------------------------------- */

static void infinities_and_nan(void **state)
{
    (void)state;
    static const heed_sampling options[] = {{.size = sizeof(heed_sampling)},
                                            {.temperature = 1e-30f},
                                            {.temperature = 1e30f, .top_k = 2},
                                            {.temperature = 1, .top_p = 0.5f, .min_p = 0.5f}};
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        sampler *s = make(options[i], 4);
        int32_t token;
        float nothing[4] = {-INFINITY, NAN, NAN, -INFINITY}, one[4] = {NAN, -INFINITY, -3e38f, NAN},
              sure[4] = {3e38f, INFINITY, -INFINITY, NAN}, both[4] = {NAN, INFINITY, 1, INFINITY};
        assert_int_equal(sampler_choose(s, nothing, &token), HEED_INVALID);
        assert_int_equal(choose(s, one, 4), 2);
        assert_int_equal(choose(s, sure, 4), 1);
        token = choose(s, both, 4);
        assert_true(token == 1 || (token == 3 && options[i].temperature > 0));
        sampler_free(s);
    }
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    static const heed_sampling wrong[] = {
        {.temperature = -1},
        {.temperature = NAN},
        {.temperature = INFINITY},
        {.top_p = -0.1f},
        {.top_p = 1.5f},
        {.min_p = 2},
        {.repetition_penalty = -1},
        {.presence_penalty = INFINITY},
        {.frequency_penalty = NAN},
    };
    static const char *names[] = {
        "temperature",        "temperature",      "temperature",      "top_p", "top_p", "min_p",
        "repetition_penalty", "presence_penalty", "frequency_penalty"};
    sampler *s;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        heed_sampling o = wrong[i];
        o.size = sizeof(o);
        assert_int_equal(sampler_new(&o, 10, &s), HEED_INVALID);
        assert_null(s);
        assert_non_null(strstr(heed_error_get()->element, names[i]));
    }
    heed_sampling unset = {.temperature = 1};
    assert_int_equal(sampler_new(&unset, 10, &s), HEED_USAGE);
    assert_int_equal(sampler_new(NULL, 0, &s), HEED_INVALID);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static heed_status use(float *x, size_t n)
{
    heed_sampling o = {.size = sizeof(o), .top_k = 5, .temperature = 1, .repetition_penalty = 1.1f};
    int32_t prompt[100], chosen;
    sampler *s = NULL, *fork = NULL;
    for (int32_t i = 0; i < 100; i++)
        prompt[i] = i;
    heed_status status = sampler_new(&o, (int64_t)n, &s);
    status = status ? status : sampler_tell(s, prompt, 100, false);
    for (int i = 0; i < 200 && !status; i++)
        status = sampler_choose(s, x, &chosen);
    status = status ? status : sampler_fork(s, NULL, &fork);
    sampler_free(s);
    sampler_free(fork);
    return status;
}

static void failed_allocations_lose_nothing(void **state)
{
    (void)state;
    float x[2000];
    heed_status status = HEED_NOMEM;
    long long before = failing_live(), n = 0;
    for (; status && n < 100; n++) {
        for (int i = 0; i < 2000; i++)
            x[i] = normal();
        failing_arm(n, false);
        status = use(x, 2000);
        assert_true(status == HEED_OK || status == HEED_NOMEM);
        assert_true(failing_live() == before);
    }
    failing_disarm();
    assert_true(n > 4);
}

/* Once a sequence's tokens are known, nothing is allocated. */
static void steady_state_takes_no_memory(void **state)
{
    (void)state;
    float x[50];
    sampler *s = make((heed_sampling){.top_k = 10, .temperature = 1, .top_p = 0.9f}, 50);
    for (int i = 0; i < 5000; i++) {
        for (int j = 0; j < 50; j++)
            x[j] = normal();
        if (i == 100)
            failing_arm(-1, false);
        choose(s, x, 50);
    }
    assert_int_equal(failing_count(), 0);
    sampler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_first_of_equals),
        cmocka_unit_test(penalties_follow_their_formulas),
        cmocka_unit_test(choices_are_told),
        cmocka_unit_test(infinities_and_nan),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(failed_allocations_lose_nothing),
        cmocka_unit_test(steady_state_takes_no_memory),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
