/* The sampler against plain definitions: sort all, sum up, compare sets; and draws by chi-square.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sampler_case.h"

/* ---- Philox ---------------------------------------------------------------------------------- */

/* The known answers that come with the paper's library (Random123, kat_vectors). */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        uint32_t counter[4];
        memcpy(counter, known[i].counter, sizeof(counter));
        sampler_philox(counter, known[i].key);
        assert_memory_equal(counter, known[i].answer, sizeof(counter));
    }
}

static void uniform_numbers_are_below_one(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t n = 0; n < 100000; n++) {
        double u = sampler_uniform(~0ull, n << 20);
        assert_true(u >= 0 && u < 1);
        sum += u;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    assert_true(sampler_uniform(1, 2) == sampler_uniform(1, 2));
    assert_true(sampler_uniform(1, 2) != sampler_uniform(2, 1));
}

static float any_logit(int kind)
{
    switch (kind) {
    case 0:
        return normal() * 3;
    case 1:
        return (float)draw(6); /* many ties */
    case 2:
        return draw(20) ? -INFINITY : normal();
    case 3:
        return draw(10) ? normal() * 1e-3f : NAN;
    default:
        return normal() * 40 - (draw(2) ? 1000 : 0);
    }
}

/* ---- Sets that stay, by their definition ----------------------------------------------------- */

typedef struct token {
    float x;
    double weight;
    int32_t id;
} token;

static int by_order(const void *a, const void *b)
{
    const token *p = a, *q = b;
    if (p->x != q->x)
        return p->x > q->x ? -1 : 1;
    return p->id < q->id ? -1 : 1;
}

static int by_weight(const void *a, const void *b)
{
    const token *p = a, *q = b;
    if (p->weight != q->weight)
        return p->weight > q->weight ? -1 : 1;
    return p->id < q->id ? -1 : 1;
}

/* exp within 1e-5, which all that follows stands on. */
static void weights_are_exponentials(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        float x[2] = {any_logit(4) * 0.1f, 7.5f}, y[2], t = i % 2 ? 1 : 0.7f;
        row_weights(x, 2, 7.5f, t, y);
        double expected = x[0] > 7.5f ? 0 : exp(((double)x[0] - 7.5) / (double)t);
        assert_true(y[1] == 1 || x[0] > 7.5f);
        if (x[0] <= 7.5f)
            assert_true(fabs((double)y[0] - expected) <= 1e-5 * expected + 2e-37);
    }
    for (int i = 0; i < 100000; i++) { /* without a division: the last bits of exp alone */
        float x = -(float)i * 1e-5f, y;
        row_weights(&x, 1, 0, 1, &y);
        assert_true(fabs((double)y / exp((double)x) - 1) < 0x1p-22);
    }
}

/* Probabilities after all filters: [n]; the definition of each, on sorted tokens. Weights are those
 * of the sampler, so that rounding does not move the edge of a set. */
static void define(const heed_sampling *o, const float *x, size_t n, double *probability)
{
    token *t = calloc(n, sizeof(*t));
    size_t m = 0, kept = 0;
    double sum = 0, before = 0, left = 0;
    for (size_t i = 0; i < n; i++)
        if (x[i] > -INFINITY)
            t[m++] = (token){.x = x[i], .id = (int32_t)i};
    qsort(t, m, sizeof(*t), by_order);
    if (o->top_k > 0 && m > o->top_k)
        m = o->top_k;
    for (size_t i = 0; i < m; i++) {
        float weight;
        row_weights(&t[i].x, 1, t[0].x, o->temperature, &weight);
        sum += t[i].weight = (double)weight;
    }
    qsort(t, m, sizeof(*t), by_weight); /* equal in float32 is equal */
    for (; kept < m; kept++) {
        if (o->top_p > 0 && o->top_p < 1 && before >= (double)o->top_p * sum)
            break;
        before += t[kept].weight;
    }
    while (o->min_p > 0 && kept > 0 && t[kept - 1].weight < (double)o->min_p)
        kept--;
    memset(probability, 0, n * sizeof(*probability));
    for (size_t i = 0; i < kept; i++)
        left += t[i].weight;
    for (size_t i = 0; i < kept; i++)
        probability[t[i].id] = t[i].weight / left;
    free(t);
}

/* The same by the pieces. */
static void filter(const heed_sampling *o, const float *x, size_t n, double *probability)
{
    float *copy = malloc(n * sizeof(*copy));
    sampler *s = make(*o, n);
    sampler_row row = {.x = copy, .n = n};
    double sum = 0;
    memcpy(copy, x, n * sizeof(*copy));
    sampler_keep_k(s, &row);
    assert_int_equal(sampler_soften(s, &row), HEED_OK);
    sampler_keep_p(s, &row);
    sampler_keep_min_p(s, &row);
    memset(probability, 0, n * sizeof(*probability));
    for (size_t i = 0; i < row.n; i++)
        sum += (double)row.x[i];
    for (size_t i = 0; i < row.n; i++) {
        assert_true(i == 0 || !row.ids || row.ids[i] > row.ids[i - 1]);
        probability[row.ids ? (size_t)row.ids[i] : i] = (double)row.x[i] / sum;
    }
    sampler_free(s);
    free(copy);
}

static void filters_agree(const heed_sampling *o, const float *x, size_t n)
{
    double *a = malloc(n * sizeof(*a)), *b = malloc(n * sizeof(*b));
    define(o, x, n, a);
    filter(o, x, n, b);
    for (size_t i = 0; i < n; i++)
        if (fabs(a[i] - b[i]) > 1e-12 * a[i])
            fail_msg("token %zu of %zu: %g and %g (k %u, p %g, min %g, t %g)", i, n, a[i], b[i],
                     o->top_k, (double)o->top_p, (double)o->min_p, (double)o->temperature);
    free(a);
    free(b);
}

static void filters_agree_with_their_definition(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 7, 16, 100, 511, 513, 1000, 8200, 20011};
    static const float ps[] = {0, 0.05f, 0.5113f, 0.9071f, 0.9917f, 1},
                       temperatures[] = {1, 0.7f, 3};
    for (int round = 0; round < 1500; round++) {
        size_t n = sizes[draw(10)];
        float *x = malloc(n * sizeof(*x));
        int kind = (int)draw(5);
        for (size_t i = 0; i < n; i++)
            x[i] = any_logit(kind);
        x[draw((uint32_t)n)] = 1;
        heed_sampling o = {.top_k = draw(3) ? 0 : 1 + draw((uint32_t)n + 3),
                           .temperature = temperatures[draw(3)],
                           .top_p = ps[draw(6)],
                           .min_p = draw(2) ? 0 : 0.0713f * (float)draw(14)};
        filters_agree(&o, x, n);
        free(x);
    }
}

/* Ties at the edge: exactly k stay, the lower ids. */
static void top_k_keeps_exactly_k(void **state)
{
    (void)state;
    float x[40];
    for (int i = 0; i < 40; i++)
        x[i] = (float)(i % 4);
    for (uint32_t k = 1; k < 40; k++) {
        sampler *s = make((heed_sampling){.top_k = k, .temperature = 1}, 40);
        float copy[40];
        sampler_row row = {.x = copy, .n = 40};
        memcpy(copy, x, sizeof(x));
        sampler_keep_k(s, &row);
        assert_int_equal(row.n, k);
        for (uint32_t i = 0; i < 40; i++) {
            uint32_t place = (3 - i % 4) * 10 + i / 4; /* in the order of all */
            bool kept = false;
            for (size_t j = 0; j < row.n; j++)
                kept |= row.ids[j] == (int32_t)i;
            assert_int_equal(kept, place < k);
        }
        sampler_free(s);
    }
}

/* ---- Draws ----------------------------------------------------------------------------------- */

/* Chi-square of draws against the definition; the bound is passed once in 10^9 if all is well. */
static void draws_follow(const heed_sampling *o, const float *x, size_t n)
{
    enum { DRAWS = 15000 };
    double *p = malloc(n * sizeof(*p)), chi = 0, rest = 0;
    size_t *count = calloc(n, sizeof(*count)), freedom = 0, rest_count = 0;
    sampler *s = make(*o, n);
    define(o, x, n, p);
    for (int i = 0; i < DRAWS; i++) {
        size_t token = (size_t)choose(s, x, n);
        assert_true(p[token] > 0);
        count[token]++;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] * DRAWS < 10) { /* the rare ones together */
            rest += p[i] * DRAWS;
            rest_count += count[i];
            continue;
        }
        double d = (double)count[i] - p[i] * DRAWS;
        chi += d * d / (p[i] * DRAWS);
        freedom++;
    }
    if (rest > 5) {
        chi += ((double)rest_count - rest) * ((double)rest_count - rest) / rest;
        freedom++;
    }
    double f = (double)freedom - 1;
    assert_true(freedom > 1 && chi < f + 6 * sqrt(2 * f) + 25);
    sampler_free(s);
    free(count);
    free(p);
}

static void draws_follow_the_probabilities(void **state)
{
    (void)state;
    float x[1500];
    for (size_t i = 0; i < 1500; i++)
        x[i] = normal() * 2;
    draws_follow(&(heed_sampling){.temperature = 1, .seed = 1}, x, 5);
    draws_follow(&(heed_sampling){.temperature = 0.5f, .seed = 2}, x, 40);
    draws_follow(&(heed_sampling){.temperature = 1, .seed = 3}, x, 1500);
    draws_follow(&(heed_sampling){.temperature = 2, .top_k = 37, .seed = 4}, x, 1500);
    draws_follow(&(heed_sampling){.temperature = 1.3f, .top_p = 0.9f, .seed = 5}, x, 1500);
    draws_follow(&(heed_sampling){.temperature = 1, .min_p = 0.1f, .seed = 6}, x, 1500);
    draws_follow(&(heed_sampling){.temperature = 1, .top_k = 100, .top_p = 0.8f, .min_p = 0.02f}, x,
                 1500);
}

/* Draw n depends on the seed and n: a fork goes on as the sequence would, and so does one that was
 * told what was drawn; two seeds differ. */
static void draws_depend_on_seed_and_number(void **state)
{
    (void)state;
    float x[300];
    for (size_t i = 0; i < 300; i++)
        x[i] = normal();
    heed_sampling options = {.size = sizeof(options), .temperature = 1, .seed = 7};
    sampler *a = make(options, 300), *b, *c;
    for (int i = 0; i < 5; i++)
        choose(a, x, 300);
    assert_int_equal(sampler_fork(a, NULL, &b), HEED_OK);
    options.seed = 8;
    assert_int_equal(sampler_fork(a, &options, &c), HEED_OK);
    int different = 0;
    for (int i = 0; i < 20; i++) {
        int32_t token = choose(a, x, 300);
        assert_int_equal(choose(b, x, 300), token);
        different += choose(c, x, 300) != token;
    }
    assert_true(different > 15);
    sampler_free(a);
    sampler_free(b);
    sampler_free(c);
}

/* ---- Log-probabilities ----------------------------------------------------------------------- */

static void likeliest(const float *x, int64_t size, size_t n, heed_logprob *out)
{
    sampler_told told = {.likeliest = out, .n = n};
    sampler_look_up(x, size, 0, &told);
}

static float logprob_of(const float *x, int64_t size, int32_t token)
{
    sampler_told told = {.n = 0};
    sampler_look_up(x, size, token, &told);
    return told.own.logprob;
}

static void logprobs_agree_with_their_definition(void **state)
{
    (void)state;
    enum { N = 3001 };
    static float x[N];
    for (int kind = 0; kind < 5; kind++) {
        token t[N];
        double sum = 0;
        heed_logprob out[20];
        for (int i = 0; i < N; i++) {
            float y = any_logit(kind);
            x[i] = y;
            t[i] = (token){.x = isnan(y) ? -INFINITY : y, .id = i};
        }
        qsort(t, N, sizeof(*t), by_order);
        for (int i = 0; i < N; i++)
            sum += exp((double)t[i].x - (double)t[0].x);
        likeliest(x, N, 20, out);
        for (int i = 0; i < 20; i++) {
            double expected = (double)t[i].x - (double)t[0].x - log(sum);
            assert_int_equal(out[i].token, t[i].id);
            assert_float_equal((double)out[i].logprob, expected, 2e-6);
            assert_float_equal((double)logprob_of(x, N, t[i].id), expected, 2e-6);
        }
    }
}

static void logprobs_of_few_and_of_infinities(void **state)
{
    (void)state;
    static const float x[3] = {INFINITY, 1, INFINITY}, nothing[2] = {NAN, -INFINITY};
    heed_logprob out[5];
    likeliest(x, 3, 5, out);
    assert_int_equal(out[0].token, 0);
    assert_int_equal(out[1].token, 2);
    assert_float_equal((double)out[1].logprob, -0.6931472, 1e-6);
    assert_int_equal(out[2].token, 1);
    assert_true(out[2].logprob == -INFINITY && out[3].token == -1 && out[4].token == -1);
    assert_true(logprob_of(nothing, 2, 1) == -INFINITY);
    assert_true(logprob_of(nothing, 2, 7) == -INFINITY);
}

/* Told with a choice: the token that would be chosen anyway, and what its logits gave before. */
static void what_is_told_is_of_the_model(void **state)
{
    (void)state;
    enum { N = 700 };
    static const heed_sampling options[] = {
        {.size = sizeof(heed_sampling)},
        {.size = sizeof(heed_sampling), .repetition_penalty = 1.5f},
        {.size = sizeof(heed_sampling), .temperature = 0.7f},
        {.size = sizeof(heed_sampling), .temperature = 2, .top_k = 9, .presence_penalty = 0.5f},
        {.size = sizeof(heed_sampling), .temperature = 1.3f, .top_p = 0.8f, .min_p = 0.01f},
        {.size = sizeof(heed_sampling),
         .temperature = 1,
         .top_p = 0.9f,
         .repetition_penalty = 1.2f,
         .frequency_penalty = 0.3f},
    };
    for (size_t o = 0; o < sizeof(options) / sizeof(*options); o++) {
        sampler *plain = make(options[o], N), *tells = make(options[o], N);
        for (int step = 0; step < 60; step++) {
            float x[N], y[N], before[N];
            heed_logprob found[5], expected[5];
            int32_t token, told_token, never = step % N;
            sampler_told told = {.likeliest = found, .n = 5};
            for (int i = 0; i < N; i++)
                x[i] = y[i] = before[i] = any_logit(1);
            sampler_forbid(plain, &never, 1);
            sampler_forbid(tells, &never, 1);
            assert_int_equal(sampler_choose(plain, x, &token), HEED_OK);
            assert_int_equal(sampler_choose_told(tells, y, &told, &told_token), HEED_OK);
            likeliest(before, N, 5, expected);
            assert_int_equal(token, told_token);
            assert_int_equal(token, told.own.token);
            assert_true(told.own.logprob == logprob_of(before, N, token));
            assert_memory_equal(found, expected, sizeof(expected));
        }
        sampler_free(plain);
        sampler_free(tells);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(uniform_numbers_are_below_one),
        cmocka_unit_test(weights_are_exponentials),
        cmocka_unit_test(filters_agree_with_their_definition),
        cmocka_unit_test(top_k_keeps_exactly_k),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(draws_depend_on_seed_and_number),
        cmocka_unit_test(logprobs_agree_with_their_definition),
        cmocka_unit_test(logprobs_of_few_and_of_infinities),
        cmocka_unit_test(what_is_told_is_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
