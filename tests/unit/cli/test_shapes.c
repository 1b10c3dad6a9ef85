/* Shapes as people write them, symbols, expressions over them, and guesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shapes.h"

static void three_spellings_give_one_shape(void **state)
{
    static const char *const same[] = {"2x3x128", "2X3X128", "[2,3,128]", "[ 2, 3 , 128 ]"};
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        shape_dims shape;
        assert_true(shapes_parse(same[i], &shape));
        assert_int_equal(shape.ndim, 3);
        assert_int_equal(shape.dims[0], 2);
        assert_int_equal(shape.dims[2], 128);
    }
}

static void scalars_single_axes_and_open_axes(void **state)
{
    (void)state;
    shape_dims shape;
    assert_true(shapes_parse("[]", &shape) && shape.ndim == 0);
    assert_true(shapes_parse("scalar", &shape) && shape.ndim == 0);
    assert_true(shapes_parse("7", &shape) && shape.ndim == 1 && shape.dims[0] == 7);
    assert_true(shapes_parse("?x0", &shape) && shape.dims[0] == SHAPE_ANY && shape.dims[1] == 0);
}

static void what_is_no_shape_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "1x",
                                      "x1",
                                      "1xx2",
                                      "[1",
                                      "[1,]",
                                      "1]",
                                      "[1]2",
                                      "a",
                                      "-1",
                                      "1 2",
                                      "99999999999999999999",
                                      "1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        shape_dims shape;
        if (shapes_parse(bad[i], &shape))
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void lists_are_split_outside_brackets(void **state)
{
    (void)state;
    static const char *const want[] = {"x:[1,2]", "y:3x4", "batch=1"};
    const char *at = "x:[1,2], y:3x4,batch=1,";
    char item[32];
    for (size_t i = 0; i < 3; i++) {
        assert_true(shapes_next_item(&at, item, sizeof item));
        assert_string_equal(item, want[i]);
    }
    assert_false(shapes_next_item(&at, item, sizeof item));
    assert_int_equal(*at, 0);
    at = "much too long for it";
    assert_false(shapes_next_item(&at, item, 8));
    assert_true(*at != 0);
}

typedef struct expression {
    const char *text;
    int64_t value; /* -1: none */
} expression;

static void expressions_over_symbols(void **state)
{
    static const expression list[] = {
        {"seq", 5},
        {"past + seq", 12},
        {"past+seq", 12},
        {"2*seq", 10},
        {"2 * (past + seq) - 1", 23},
        {"seq // 2", 2},
        {"-seq // 2 + 10", 7},
        {"-(0 - seq)", 5},
        {"max(past, seq)", 7},
        {"min(past, seq) + 1", 6},
        {"a.b/c:0", 3},
        {"not one (of them", 4},
        {"17", 17},
        {"past - seq - seq", -1},
        {"other", -1},
        {"past + other", -1},
        {"seq // 0", -1},
        {"seq +", -1},
        {"(seq", -1},
        {"seq seq", -1},
        {"sin(seq)", -1},
        {"9223372036854775807 + seq", -1},
        {"9223372036854775807 * 9", -1},
        {"", -1},
        {"((((((((((((((((((((((((((((((((((((((((seq))))))))))))))))))))))))))))))))))))))))", -1},
    };
    (void)state;
    shape_env env = {0};
    assert_true(shapes_bind(&env, "seq", 5, false, "test"));
    assert_true(shapes_bind(&env, "past", 7, false, "test"));
    assert_true(shapes_bind(&env, "a.b/c:0", 3, false, "test"));
    assert_true(shapes_bind(&env, "not one (of them", 4, false, "test"));
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        int64_t value;
        bool known = shapes_eval(&env, list[i].text, &value);
        if (known != (list[i].value >= 0) || (known && value != list[i].value))
            fail_msg("'%s' gave %s %lld", list[i].text, known ? "" : "nothing,", (long long)value);
    }
    shapes_free(&env);
}

static void a_symbol_keeps_its_value(void **state)
{
    (void)state;
    shape_env env = {0};
    assert_true(shapes_bind(&env, "n", 5, false, "test"));
    assert_true(shapes_bind(&env, "n", 5, false, "test"));
    assert_false(shapes_bind(&env, "n", 6, false, "test"));
    assert_int_equal(shapes_find(&env, "n")->value, 5);
    assert_null(shapes_find(&env, "m"));
    shapes_free(&env);
}

static int64_t guess(shape_env *env, const char *text, bool first, const char *name)
{
    shapes_guess(env, text, first);
    const shape_symbol *symbol = shapes_find(env, name);
    assert_non_null(symbol);
    return symbol->value;
}

static void guesses_follow_the_rule(void **state)
{
    (void)state;
    shape_env env = {0};
    assert_true(shapes_bind(&env, "width", 64, false, "test"));
    assert_int_equal(guess(&env, "n", true, "n"), 1);
    assert_int_equal(guess(&env, "batch_size", false, "batch_size"), 1);
    assert_int_equal(guess(&env, "past_len + seq", false, "past_len"), 0);
    assert_int_equal(shapes_find(&env, "seq")->value, 128);
    assert_int_equal(guess(&env, "n", false, "n"), 1);
    assert_int_equal(guess(&env, "width", true, "width"), 64);
    assert_false(shapes_find(&env, "width")->guessed);
    assert_true(shapes_find(&env, "seq")->guessed);
    assert_int_equal(guess(&env, "strange (one", false, "strange (one"), 128);
    shapes_free(&env);
}

static void symbols_are_told_from_expressions(void **state)
{
    (void)state;
    assert_true(shapes_is_symbol("seq"));
    assert_true(shapes_is_symbol("x.0"));
    assert_false(shapes_is_symbol("past + seq"));
    assert_false(shapes_is_symbol("2*seq"));
    assert_true(shapes_mentions("past + seq", "seq"));
    assert_false(shapes_mentions("past + seq", "se"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_spellings_give_one_shape),
        cmocka_unit_test(scalars_single_axes_and_open_axes),
        cmocka_unit_test(what_is_no_shape_is_refused),
        cmocka_unit_test(lists_are_split_outside_brackets),
        cmocka_unit_test(expressions_over_symbols),
        cmocka_unit_test(a_symbol_keeps_its_value),
        cmocka_unit_test(guesses_follow_the_rule),
        cmocka_unit_test(symbols_are_told_from_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
