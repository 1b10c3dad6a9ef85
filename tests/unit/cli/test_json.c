/* What is written is JSON, and one string is found in any. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"

static void values_are_separated_and_quoted(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    json_out out = {.file = open_memstream(&text, &size)};
    json_open(&out, NULL, '{');
    json_text(&out, "a", "x\"\\\n\x01y");
    json_int(&out, "b", -7);
    json_open(&out, "c", '[');
    json_real(&out, NULL, 0.5);
    json_real(&out, NULL, (double)NAN);
    json_real(&out, NULL, (double)INFINITY);
    json_close(&out, ']');
    json_bool(&out, "d", true);
    json_null(&out, "e");
    json_open(&out, "f", '{');
    json_close(&out, '}');
    json_ints(&out, "g", (const int64_t[]){3, 4}, 2);
    json_texts(&out, "h", (const char *const[]){"x", "y\""}, 2);
    json_reals(&out, "i", (const double[]){0.5}, 1);
    json_close(&out, '}');
    json_end(&out);
    fclose(out.file);
    assert_string_equal(text, "{\"a\": \"x\\\"\\\\\\u000a\\u0001y\", \"b\": -7, "
                              "\"c\": [0.5, null, null], \"d\": true, \"e\": null, \"f\": {}, "
                              "\"g\": [3, 4], \"h\": [\"x\", \"y\\\"\"], \"i\": [0.5]}\n");
    free(text);
}

static bool find(const char *text, char out[32])
{
    return json_find_text(text, strlen(text), "dtype", out, 32);
}

static void a_string_of_the_top_object_is_found(void **state)
{
    static const char *const good[] = {
        "{\"dtype\": \"fp16\"}",
        " {\n \"a\": {\"dtype\": \"no\"}, \"b\": [\"dtype\", {\"x\": [1, 2]}],\"dtype\" : \"fp16\" "
        "}",
        "{\"a\": \"} \\\" \\\\\", \"n\": -1.5e3, \"t\": true, \"dtype\": \"fp16\", \"z\": 1}",
        "{\"a\":{},\"b\":[],\"dtype\":\"fp16\"",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char out[32] = "";
        assert_true(find(good[i], out));
        assert_string_equal(out, "fp16");
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{}",
                                      "null",
                                      "{\"dtype\"",
                                      "{\"dtype\":",
                                      "{\"dtype\": \"fp",
                                      "{\"dtype\": 3}",
                                      "{\"a\": {\"dtype\": \"x\"}}",
                                      "{\"a\": \"dtype\"}",
                                      "{\"a\": [}",
                                      "{a: 1, \"dtype\": \"x\"}",
                                      "{\"dtype\": \"much longer than thirty-two characters\"}",
                                      "{\"a\": \"\\"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char out[32];
        if (find(bad[i], out))
            fail_msg("found in '%s'", bad[i]);
    }
}

static void check_span(const char *found, size_t n, const char *want)
{
    assert_non_null(found);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(found, want, n);
}

static void check_item(const char *list, size_t size, size_t i, const char *want)
{
    size_t n = 0;
    const char *found = json_find_item(list, size, i, &n);
    check_span(found, n, want);
}

static void check_value(const char *text, size_t size, const char *key, const char *want)
{
    size_t n = 0;
    const char *found = json_find(text, size, key, &n);
    check_span(found, n, want);
}

static void any_value_is_found_as_it_stands(void **state)
{
    static const char text[] = "{\"a\": [1, {\"b\": \"],}\"}, []], \"t\": true, \"n\": -2.5}";
    size_t n = 0, size = sizeof text - 1;
    (void)state;
    const char *list = json_find(text, size, "a", &n);
    check_span(list, n, "[1, {\"b\": \"],}\"}, []]");
    size_t list_size = n;
    check_item(list, list_size, 0, "1");
    check_item(list, list_size, 1, "{\"b\": \"],}\"}");
    check_item(list, list_size, 2, "[]");
    assert_null(json_find_item(list, list_size, 3, &n));
    check_value(text, size, "t", "true");
    check_value(text, size, "n", "-2.5");
    assert_null(json_find(text, size, "b", &n));
    assert_null(json_find_item(text, size, 0, &n)); /* no array */
    assert_null(json_find_item("[]", 2, 0, &n));
    for (size_t cut = 0; cut < list_size; cut++) { /* broken: nothing is read past the end */
        (void)json_find(text, cut, "n", &n);
        (void)json_find_item(list, cut, 2, &n);
    }
}

static void a_text_may_hold_zeros(void **state)
{
    char *text = NULL;
    size_t size = 0;
    json_out out = {.file = open_memstream(&text, &size)};
    (void)state;
    json_text_n(&out, NULL, "a\0b", 3);
    fclose(out.file);
    assert_string_equal(text, "\"a\\u0000b\"");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_separated_and_quoted),
        cmocka_unit_test(a_string_of_the_top_object_is_found),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(any_value_is_found_as_it_stands),
        cmocka_unit_test(a_text_may_hold_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
