/* The error record: the sentence, what is added later, bounds, aliases, hostile bytes, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void sentence_has_the_parts_that_are_there(void **state)
{
    (void)state;
    assert_int_equal(err_fail(HEED_IO, "cannot read %d", 7), HEED_IO);
    assert_string_equal(err_get()->message, "cannot read 7");
    assert_int_equal(err_expected(HEED_INVALID, "2 inputs", "3", "drop one"), HEED_INVALID);
    assert_string_equal(err_get()->message, "expected 2 inputs, found 3; drop one");
    assert_int_equal(err_expected(HEED_INVALID, "2 inputs", NULL, NULL), HEED_INVALID);
    assert_string_equal(err_get()->message, "expected 2 inputs");
    assert_int_equal(err_expected(HEED_INVALID, NULL, "3", NULL), HEED_INVALID);
    assert_string_equal(err_get()->message, "found 3");
    err_at(12, "graph.node[%d]", 3);
    assert_string_equal(err_get()->message, "graph.node[3] at byte 12: found 3");
    assert_string_equal(err_get()->element, "graph.node[3]");
    assert_int_equal(err_get()->offset, 12);
}

static void first_place_and_first_hint_win(void **state)
{
    (void)state;
    err_fail(HEED_INVALID, "x");
    assert_int_equal(err_at(ERR_NO_OFFSET, "inner"), HEED_INVALID);
    assert_int_equal(err_at(5, "outer"), HEED_INVALID);
    assert_int_equal(err_hint("try %s", "a"), HEED_INVALID);
    assert_int_equal(err_hint("try b"), HEED_INVALID);
    assert_string_equal(err_get()->message, "inner: x; try a");
    assert_true(err_get()->offset == ERR_NO_OFFSET);
}

static void messages_may_be_made_of_messages(void **state)
{
    (void)state;
    err_fail(HEED_INVALID, "deep");
    err_fail(HEED_DEVICE, "outer: %s", err_get()->message);
    assert_string_equal(heed_error_get()->message, "outer: deep");
    err_expected(HEED_INVALID, "a", err_get()->message, NULL);
    assert_string_equal(err_get()->message, "expected a, found outer: deep");
    assert_string_equal(err_get()->hint, "");
}

static void a_failure_is_never_ok(void **state)
{
    (void)state;
    assert_int_equal(err_fail(HEED_OK, "a plugin said OK"), HEED_INTERNAL);
    err_clear();
    assert_int_equal(err_get()->status, HEED_OK);
    assert_string_equal(err_get()->message, "");
    assert_int_equal(err_at(3, "node"), HEED_INTERNAL);
    assert_non_null(strstr(err_get()->message, "without saying why"));
}

static void text_is_bounded_and_harmless(void **state)
{
    (void)state;
    static char text[5000];
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    err_expected(HEED_INVALID, text, text, text);
    size_t n = strlen(err_get()->expected);
    assert_in_range(n, 400, 511);
    assert_int_equal(n % 2, 0); /* no half character */
    assert_in_range(strlen(err_get()->message), 1200, 2047);
    err_fail(HEED_INVALID, "a\x1b[31m\n\x7f%s", "\xC3\xA4");
    assert_string_equal(err_get()->message, "a?[31m??\xC3\xA4");
}

static void *fail_in_a_thread(void *arg)
{
    err_fail(HEED_IO, "of the thread");
    *(bool *)arg = strcmp(err_get()->message, "of the thread") == 0;
    return NULL;
}

static void each_thread_has_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    bool right = false;
    err_fail(HEED_INVALID, "of main");
    assert_int_equal(pthread_create(&thread, NULL, fail_in_a_thread, &right), 0);
    pthread_join(thread, NULL);
    assert_true(right);
    assert_string_equal(err_get()->message, "of main");
}

static void statuses_have_names(void **state)
{
    (void)state;
    assert_string_equal(heed_status_name(HEED_OK), "ok");
    assert_string_equal(heed_status_name(HEED_FORKED), "forked");
    assert_string_equal(heed_status_name(12345), "unknown");
    assert_string_equal(heed_version(), HEED_VERSION);
    assert_non_null(strstr(heed_build_options(), "plugin ABI 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentence_has_the_parts_that_are_there),
        cmocka_unit_test(first_place_and_first_hint_win),
        cmocka_unit_test(messages_may_be_made_of_messages),
        cmocka_unit_test(a_failure_is_never_ok),
        cmocka_unit_test(text_is_bounded_and_harmless),
        cmocka_unit_test(each_thread_has_its_own),
        cmocka_unit_test(statuses_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
