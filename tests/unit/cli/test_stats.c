/* Statistics of times: quantiles, medians, bootstrap intervals, ratios in pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "stats.h"

static void quantiles_lie_between_neighbours(void **state)
{
    (void)state;
    const double v[] = {1, 2, 4, 8, 16};
    assert_float_equal(stats_quantile(v, 5, 0), 1, 0);
    assert_float_equal(stats_quantile(v, 5, 0.5), 4, 0);
    assert_float_equal(stats_quantile(v, 5, 0.9), 12.8, 1e-12);
    assert_float_equal(stats_quantile(v, 5, 1), 16, 0);
    assert_float_equal(stats_median((const double[]){9, 1, 3, 5}, 4), 4, 0);
}

static void a_summary_says_what_was_measured(void **state)
{
    (void)state;
    stats_summary s = stats_of((const double[]){4, 2, 6, 8}, 4, 1);
    assert_int_equal(s.n, 4);
    assert_float_equal(s.min, 2, 0);
    assert_float_equal(s.max, 8, 0);
    assert_float_equal(s.mean, 5, 1e-12);
    assert_float_equal(s.interval.median, 5, 1e-12);
    assert_float_equal(s.deviation, 2.581988897, 1e-9); /* sqrt(20 / 3) */
    assert_float_equal(s.variation, s.deviation / 5, 1e-12);
    assert_int_equal(stats_of(NULL, 0, 1).n, 0);
    s = stats_of((const double[]){7}, 1, 1);
    assert_float_equal(s.interval.low, 7, 0);
    assert_float_equal(s.p99, 7, 0);
}

static double uniform(uint64_t *state) { return (double)(random_next(state) >> 11) * 0x1p-53; }

/* 95 % intervals hold the true median about 95 times of 100: 0.5 of uniform values. */
static void intervals_hold_the_median(void **state)
{
    (void)state;
    uint64_t random = 7;
    int held = 0;
    for (int trial = 0; trial < 200; trial++) {
        double v[41];
        for (int i = 0; i < 41; i++)
            v[i] = uniform(&random);
        stats_interval ci = stats_bootstrap(v, 41, random);
        assert_true(ci.low <= ci.median && ci.median <= ci.high);
        held += ci.low <= 0.5 && 0.5 <= ci.high;
    }
    assert_in_range(held, 180, 200);
}

static void intervals_shrink_and_repeat(void **state)
{
    (void)state;
    static double v[10000];
    uint64_t random = 3;
    for (int i = 0; i < 10000; i++)
        v[i] = uniform(&random);
    stats_interval few = stats_bootstrap(v, 100, 1), many = stats_bootstrap(v, 10000, 1);
    stats_interval again = stats_bootstrap(v, 100, 1);
    assert_memory_equal(&few, &again, sizeof few);
    /* A median of n uniform values deviates by 1 / (2 sqrt(n)); the interval is 3.92 of it wide. */
    assert_true(few.high - few.low > 0.1 && few.high - few.low < 0.3);
    assert_true(many.high - many.low > 0.01 && many.high - many.low < 0.03);
}

static void ratios_are_of_pairs(void **state)
{
    (void)state;
    /* The machine slows down more and more, and each pair alike: 2 exactly. */
    const double before[] = {1, 2, 4, 8, 16}, after[] = {2, 4, 8, 16, 32};
    stats_interval r = stats_ratio(before, after, 5, 1);
    assert_float_equal(r.median, 2, 0);
    assert_float_equal(r.low, 2, 0);
    assert_float_equal(r.high, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_lie_between_neighbours),
        cmocka_unit_test(a_summary_says_what_was_measured),
        cmocka_unit_test(intervals_hold_the_median),
        cmocka_unit_test(intervals_shrink_and_repeat),
        cmocka_unit_test(ratios_are_of_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
