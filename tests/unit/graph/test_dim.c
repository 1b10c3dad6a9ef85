/* Symbolic arithmetic: one form for one meaning, what divides and what does not, texts that are
 * read back as what they were, and agreement with numbers on random expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "graph/dim.h"

static ir_dims *t;

static int open_table(void **state)
{
    (void)state;
    t = dims_new();
    return t ? 0 : -1;
}

static int close_table(void **state)
{
    (void)state;
    dims_free(t);
    return 0;
}

static ir_dim parse(const char *text) { return dims_parse(t, text); }

static void check_text(ir_dim d, const char *expected)
{
    char text[256];
    assert_string_equal(dims_text(t, d, text, sizeof(text)), expected);
}

static void one_form_for_one_meaning(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"past + seq", "seq + past"},
        {"a + a", "2*a"},
        {"a*b", "b*a"},
        {"2*(a + 1)", "2*a + 2"},
        {"(a + b)*(a - b)", "a*a - b*b"},
        {"a - a", "0"},
        {"3*4 + 1", "13"},
        {"a + 1 - 1", "a"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
        assert_int_equal(parse(same[i][0]), parse(same[i][1]));
    assert_int_not_equal(parse("a"), parse("b"));
    assert_int_not_equal(parse("a + b"), parse("a*b"));
    assert_int_not_equal(parse("a"), parse("a + 1"));
    assert_false(dim_known(parse("a")));
    assert_int_equal(parse("12"), 12);
}

static void sums_and_products(void **state)
{
    (void)state;
    ir_dim past = parse("past"), seq = parse("seq");
    ir_dim all = dims_add(t, past, seq);
    check_text(all, "past + seq");
    assert_int_equal(all, parse("past + seq"));
    assert_int_equal(dims_sub(t, all, past), seq);
    assert_int_equal(dims_sub(t, all, all), 0);
    assert_int_equal(dims_add(t, all, 0), all);
    assert_int_equal(dims_mul(t, all, 1), all);
    assert_int_equal(dims_mul(t, all, 0), 0);
    assert_int_equal(dims_mul(t, all, 2), parse("2*past + 2*seq"));
    assert_int_equal(dims_mul(t, past, seq), dims_mul(t, seq, past));
}

static void division(void **state)
{
    (void)state;
    ir_dim s = parse("s"), h = parse("h");
    ir_dim whole = dims_mul(t, dims_mul(t, s, h), 6);
    assert_int_equal(dims_floor_div(t, whole, h), parse("6*s"));
    assert_int_equal(dims_ceil_div(t, whole, dims_mul(t, s, 3)), parse("2*h"));
    assert_int_equal(dims_floor_div(t, parse("s*h + s"), s), parse("h + 1"));
    assert_int_equal(dims_floor_div(t, 7, 2), 3);
    assert_int_equal(dims_ceil_div(t, 7, 2), 4);
    assert_int_equal(dims_floor_div(t, s, 1), s);
    ir_dim half = dims_floor_div(t, s, 2);
    assert_false(dim_known(half));
    assert_int_equal(half, dims_floor_div(t, s, 2));    /* the same symbol again */
    assert_int_not_equal(half, dims_ceil_div(t, s, 2)); /* not that one */
    assert_int_not_equal(half, dims_floor_div(t, h, 2));
    assert_int_equal(dims_floor_div(t, s, 0), DIM_UNKNOWN);
    assert_int_equal(dims_ceil_div(t, 5, 0), DIM_UNKNOWN);
}

static void extremes(void **state)
{
    (void)state;
    int64_t value;
    ir_dim s = parse("s");
    assert_int_equal(dims_max(t, 3, 8), 8);
    assert_int_equal(dims_min(t, 3, 8), 3);
    assert_int_equal(dims_max(t, s, parse("s + 2")), parse("s + 2"));
    assert_int_equal(dims_min(t, s, parse("s + 2")), s);
    assert_int_equal(dims_min(t, s, 7), dims_min(t, s, 7));
    assert_int_not_equal(dims_min(t, s, 7), dims_max(t, s, 7));
    ir_dim minus = dims_sub(t, 2, 5);
    assert_true(dims_value(t, minus, &value));
    assert_int_equal(value, -3);
    assert_int_equal(dims_constant(t, -3), minus);
    assert_int_equal(dims_constant(NULL, -3), minus);
    assert_int_equal(dims_floor_div(t, minus, 2), dims_constant(t, -2));
    assert_int_equal(dims_ceil_div(t, minus, 2), dims_constant(t, -1));
    assert_false(dims_value(t, s, &value));
}

static void overflow_is_unknown(void **state)
{
    (void)state;
    ir_dim large = (ir_dim)1 << 61, s = parse("s");
    assert_int_equal(dims_mul(t, large, 8), DIM_UNKNOWN);
    assert_int_equal(dims_mul(NULL, large, 8), DIM_UNKNOWN);
    assert_int_equal(dims_mul(t, dims_mul(t, s, large), 8), DIM_UNKNOWN);
    assert_int_equal(dims_add(t, DIM_UNKNOWN, 1), DIM_UNKNOWN);
    ir_dim d = s;
    for (int i = 0; i < 100; i++) /* s + s*s + ... grows until it is too long */
        d = dims_add(t, dims_mul(t, d, parse("q")), s);
    (void)d;
    ir_dim power = s;
    for (int i = 0; i < 40; i++)
        power = dims_mul(t, power, s);
    assert_int_equal(power, DIM_UNKNOWN);
}

static void without_a_table(void **state)
{
    (void)state;
    ir_dim s = parse("s"), out;
    assert_int_equal(dims_add(NULL, 3, 4), 7);
    assert_int_equal(dims_mul(NULL, 3, 4), 12);
    assert_int_equal(dims_floor_div(NULL, 7, 2), 3);
    assert_int_equal(dims_max(NULL, 3, 4), 4);
    assert_int_equal(dims_add(NULL, DIM_UNKNOWN, 4), DIM_UNKNOWN);
    assert_true(dims_broadcast(NULL, 3, 1, &out));
    assert_int_equal(out, 3);
    assert_false(dims_broadcast(NULL, 3, 2, &out));
    assert_true(dims_broadcast(t, s, 1, &out));
    assert_int_equal(out, s);
    assert_true(dims_broadcast(t, s, 5, &out));
    assert_int_equal(out, 5);
    assert_true(dims_broadcast(t, s, parse("q"), &out));
    ir_dim other;
    assert_true(dims_broadcast(t, parse("q"), s, &other));
    assert_int_equal(out, other);
}

/* max(min(s + from, entries) - from, 0) */
static ir_dim slice_from(ir_dim s, ir_dim from, ir_dim entries)
{
    return dims_max(t, dims_sub(t, dims_min(t, dims_add(t, s, from), entries), from), 0);
}

static void cuts_of_tables(void **state)
{
    (void)state;
    ir_dim s = parse("s"), q = parse("q"), out;
    int64_t most = 0;
    assert_true(dims_is_cut(t, dims_min(t, s, 64), s, &most));
    assert_int_equal(most, 64);
    assert_true(dims_is_cut(t, slice_from(s, 2, 64), s, &most));
    assert_int_equal(most, 62);
    assert_true(dims_is_cut(t, slice_from(dims_add(t, s, q), 2, 64), dims_add(t, s, q), &most));
    assert_false(dims_is_cut(t, slice_from(s, 2, 64), q, &most));
    assert_false(dims_is_cut(t, slice_from(s, 2, 64), dims_add(t, s, 1), &most));
    assert_false(dims_is_cut(t, slice_from(s, 65, 64), s, &most));
    assert_false(dims_is_cut(t, dims_max(t, dims_sub(t, s, 64), 0), s, &most));
    assert_false(dims_is_cut(t, dims_mul(t, 2, dims_min(t, s, 64)), s, &most));
    assert_false(dims_is_cut(t, s, s, &most));
    assert_false(dims_is_cut(NULL, 3, 3, &most));
    assert_true(dims_broadcast(t, slice_from(s, 2, 64), s, &out));
    assert_int_equal(out, s);
    assert_true(
        dims_broadcast(t, slice_from(s, 2, 3), s, &out)); /* a single entry may be repeated */
    assert_int_not_equal(out, s);
}

static void older_symbols(void **state)
{
    (void)state;
    ir_dim n = parse("n"), first = dims_fresh(t), second = dims_fresh(t), third = dims_fresh(t);
    ir_dim made = dims_max(t, dims_sub(t, second, 1), first);
    assert_true(dims_is_older(t, n, first));
    assert_true(dims_is_older(t, 8, first));
    assert_true(dims_is_older(t, dims_add(t, first, 1), second));
    assert_true(dims_is_older(t, made, third));
    assert_true(dims_is_older(t, n, made));
    assert_false(dims_is_older(t, made, second));
    assert_false(dims_is_older(t, third, second));
    assert_false(dims_is_older(t, second, second));
    assert_false(dims_is_older(t, first, parse("later"))); /* it has a name */
    assert_false(dims_is_older(t, 8, 8));
    assert_false(dims_is_older(t, DIM_UNKNOWN, first));
    assert_false(dims_is_older(t, first, DIM_UNKNOWN));
}

static void broadcasting_again_changes_nothing(void **state)
{
    (void)state;
    ir_dim x = parse("x"), y = parse("y"), z = parse("z"), xy, all, again;
    assert_true(dims_broadcast(t, x, dims_mul(t, 3, y), &xy));
    assert_true(dims_broadcast(t, z, xy, &all));
    assert_true(dims_broadcast(t, all, x, &again));
    assert_int_equal(again, all);
    assert_true(dims_broadcast(t, dims_mul(t, 3, y), all, &again));
    assert_int_equal(again, all);
    assert_true(dims_broadcast(t, all, y, &again));
    assert_int_not_equal(again, all);
    assert_true(dims_broadcast(t, dims_add(t, xy, z), z, &again)); /* a sum, no broadcast */
    assert_int_not_equal(again, dims_add(t, xy, z));
}

/* What is printed means the same when it is read again, also in a copy of the table. */
/* What stands for a symbol reaches into maxima and quotients, also into those within others, and
 * what is decided by it is: the two of each pair become the same. */
static void equalities_reach_into_operands(void **state)
{
    (void)state;
    ir_dim x = parse("x"), y = parse("y"), more = dims_add(t, x, 2);
    ir_dim nested = dims_mul(t, 3, dims_max(t, dims_floor_div(t, y, 4), more));
    assert_true(dims_substitute(t, dims_floor_div(t, y, 4), y, 9) == 2);
    assert_true(dims_substitute(t, dims_max(t, x, y), x, y) == y);
    assert_true(dims_substitute(t, dims_min(t, x, 64), x, 100) == 64);
    assert_true(dims_substitute(t, nested, y, dims_mul(t, 4, x)) == dims_mul(t, 3, more));
    assert_true(dims_substitute(t, nested, parse("z"), 1) == nested);
    assert_false(dims_nonnegative(t, dims_min(t, x, dims_sub(t, y, 1))));
    assert_true(dims_nonnegative(t, dims_max(t, x, dims_sub(t, y, 1))));
}

static void texts_are_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"seq",        "past + seq",    "2*s0 - 1",
                                        "a*b + 3*c",  "a*a*b",         "-a + b",
                                        "batch_size", "?weird name!",  "x.1",
                                        "12",         "(a + 1)*(b+2)", "past_sequence_length + 1"};
    char text[256];
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        ir_dim d = parse(texts[i]);
        assert_int_not_equal(d, DIM_UNKNOWN);
        assert_int_equal(parse(dims_text(t, d, text, sizeof(text))), d);
    }
    ir_dim half = dims_floor_div(t, parse("seq"), 2);
    ir_dims *copy = dims_copy(t);
    char again[256];
    assert_non_null(copy);
    assert_string_equal(dims_text(t, half, text, sizeof(text)),
                        dims_text(copy, half, again, sizeof(again)));
    assert_int_equal(dims_parse(copy, "past + seq"), parse("past + seq"));
    assert_int_equal(dims_floor_div(copy, dims_parse(copy, "seq"), 2), half);
    assert_int_not_equal(dims_fresh(copy), half);
    assert_int_not_equal(dims_fresh(t), dims_fresh(t));
    assert_true(dims_nonnegative(t, dims_floor_div(t, dims_fresh(t), 2)));
    assert_false(dims_nonnegative(t, dims_floor_div(t, dims_fresh_integer(t), 2)));
    dims_free(copy);
    check_text(DIM_UNKNOWN, "?");
}

/* ---- Against numbers ---------------------------------------------------------------------------
 */

enum { SYMBOLS = 4 };
static ir_dim symbols[SYMBOLS];
static const int64_t numbers[SYMBOLS] = {3, 5, 11, 17};

static uint32_t random_number(void)
{
    static uint64_t seed = 5;
    return draw_below(&seed, UINT32_MAX);
}

/* A random expression, and what it is with the numbers put in. */
static ir_dim grow(int depth, int64_t *value)
{
    int64_t a, b;
    uint32_t choice = random_number();
    if (depth == 0 && choice % 3 == 0)
        return *value = (int64_t)(choice / 3 % 9);
    if (depth == 0) {
        *value = numbers[choice / 3 % SYMBOLS];
        return symbols[choice / 3 % SYMBOLS];
    }
    ir_dim x = grow(depth - 1, &a), y = grow(depth - 1, &b);
    if (choice % 3 == 0) {
        *value = a * b;
        return dims_mul(t, x, y);
    }
    *value = choice % 3 == 1 ? a + b : a - b;
    return choice % 3 == 1 ? dims_add(t, x, y) : dims_sub(t, x, y);
}

static void random_expressions_agree_with_numbers(void **state)
{
    (void)state;
    static const char *const names[SYMBOLS] = {"w", "x", "y", "z"};
    int64_t values[SYMBOLS + 1], constant;
    ir_dim dims[SYMBOLS + 1];
    int checked = 0;
    for (int i = 0; i < SYMBOLS; i++) {
        dims[i] = symbols[i] = parse(names[i]);
        values[i] = numbers[i];
    }
    for (int i = 0; i < 2000; i++) {
        dims[SYMBOLS] = grow(i % 4, &values[SYMBOLS]);
        if (dims[SYMBOLS] == DIM_UNKNOWN)
            continue;
        checked++;
        if (dims_value(t, dims[SYMBOLS], &constant)) {
            assert_int_equal(constant, values[SYMBOLS]);
            continue;
        }
        assert_true(dims_agree(t, dims, values, SYMBOLS + 1));
        int plain = 0;
        for (int k = 0; k < SYMBOLS; k++)
            plain += dims[SYMBOLS] == symbols[k];
        if (plain) /* its number is what it says */
            continue;
        values[SYMBOLS]++;
        assert_false(dims_agree(t, dims, values, SYMBOLS + 1));
    }
    assert_true(checked > 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_form_for_one_meaning, open_table, close_table),
        cmocka_unit_test_setup_teardown(sums_and_products, open_table, close_table),
        cmocka_unit_test_setup_teardown(division, open_table, close_table),
        cmocka_unit_test_setup_teardown(extremes, open_table, close_table),
        cmocka_unit_test_setup_teardown(overflow_is_unknown, open_table, close_table),
        cmocka_unit_test_setup_teardown(without_a_table, open_table, close_table),
        cmocka_unit_test_setup_teardown(cuts_of_tables, open_table, close_table),
        cmocka_unit_test_setup_teardown(older_symbols, open_table, close_table),
        cmocka_unit_test_setup_teardown(broadcasting_again_changes_nothing, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(equalities_reach_into_operands, open_table, close_table),
        cmocka_unit_test_setup_teardown(texts_are_read_back, open_table, close_table),
        cmocka_unit_test_setup_teardown(random_expressions_agree_with_numbers, open_table,
                                        close_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
