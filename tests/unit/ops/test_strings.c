/* Operators on text: cutting, joining, and regular expressions by the plugin text, patterns among
 * them that are made to take for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/service.h"
#include "heed/text.h"
#include "one_op.h"
#include "plugin/registry.h"

static heed_tensor *texts(int32_t rank, const int64_t *dims, const char *const *list)
{
    heed_tensor *t = one_op_tensor(HEED_STRING, rank, dims, NULL);
    for (int64_t i = 0; i < tensor_count(t); i++)
        assert_int_equal(tensor_set_string(t, i, list[i], strlen(list[i])), HEED_OK);
    return t;
}

static heed_tensor *text(const char *value) { return texts(0, NULL, &value); }

static void is_text(const heed_tensor *t, int64_t i, const char *expected)
{
    const heed_string *s = (const heed_string *)tensor_data(t) + i;
    assert_int_equal(s->size, strlen(expected));
    assert_memory_equal(s->size ? s->data : "", expected, s->size);
}

/* ---- Cutting and joining --------------------------------------------------------------------- */

static void split(const char *attrs, const char *value, size_t n, const char *const *parts)
{
    heed_tensor *in = text(value), *out[2];
    assert_int_equal(one_op_run("StringSplit", attrs, 1, &in, 2, out), HEED_OK);
    assert_int_equal(tensor_get_int(out[1], 0), n);
    assert_int_equal(out[0]->dims[0], n);
    for (size_t i = 0; i < n; i++)
        is_text(out[0], (int64_t)i, parts[i]);
    tensor_free(in);
    tensor_free(out[0]);
    tensor_free(out[1]);
}

static void splits(void **state)
{
    (void)state;
    split("", "  a \t b\n", 2, (const char *const[]){"a", "b"});
    split("", "   ", 0, NULL);
    split("maxsplit=1", " a  b  c  ", 2, (const char *const[]){"a", "b  c"});
    split("maxsplit=0", " a  b ", 1, (const char *const[]){"a  b"});
    split("delimiter=','", "a,,b,", 4, (const char *const[]){"a", "", "b", ""});
    split("delimiter=','", "", 1, (const char *const[]){""});
    split("delimiter=',,'", "a,,,b", 2, (const char *const[]){"a", ",b"});
    split("delimiter=',' maxsplit=1", "a,b,c", 2, (const char *const[]){"a", "b,c"});
    split("delimiter='longer'", "long", 1, (const char *const[]){"long"});
}

static void padding(void **state)
{
    const int64_t dims[2] = {2, 1};
    heed_tensor *in = texts(2, dims, (const char *const[]){"a b c", "d"}), *out[2];
    (void)state;
    assert_int_equal(one_op_run("StringSplit", "", 1, &in, 2, out), HEED_OK);
    assert_int_equal(out[0]->dims[2], 3);
    is_text(out[0], 3, "d");
    is_text(out[0], 4, "");
    is_text(out[0], 5, "");
    for (int i = 0; i < 2; i++)
        tensor_free(out[i]);
    tensor_free(in);
}

static void concat(void **state)
{
    const int64_t rows[2] = {2, 1}, columns = 3, none = 0;
    heed_tensor *in[2] = {texts(2, rows, (const char *const[]){"x", ""}),
                          texts(1, &columns, (const char *const[]){"1", "", "3"})};
    heed_tensor *out;
    (void)state;
    assert_int_equal(one_op_run("StringConcat", "", 2, in, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), 6);
    is_text(out, 0, "x1");
    is_text(out, 1, "x");
    is_text(out, 4, "");
    is_text(out, 5, "3");
    tensor_free(in[0]);
    tensor_free(out);
    in[0] = texts(1, &none, NULL);
    assert_int_equal(one_op_run("StringConcat", "", 2, in, 1, &out), HEED_INVALID);
    tensor_free(in[0]);
    tensor_free(in[1]);
}

static void normalizer(void **state)
{
    const int64_t wide[2] = {1, 2}, tall[2] = {2, 1}, n = 2;
    static const char *const words[] = {"aB", "c"};
    heed_tensor *in = texts(2, wide, words), *out;
    (void)state;
    assert_int_equal(one_op_run("StringNormalizer", "case_change_action='UPPER'", 1, &in, 1, &out),
                     HEED_OK);
    is_text(out, 0, "AB");
    is_text(out, 1, "C");
    tensor_free(out);
    assert_int_equal(one_op_run("StringNormalizer", "case_change_action='Up'", 1, &in, 1, &out),
                     HEED_INVALID);
    tensor_free(in);
    in = texts(2, tall, words);
    assert_int_equal(one_op_run("StringNormalizer", "", 1, &in, 1, &out), HEED_INVALID);
    tensor_free(in);
    in = texts(1, &n, words);
    assert_int_equal(one_op_run("StringNormalizer", "", 1, &in, 1, &out), HEED_OK);
    is_text(out, 0, "aB");
    tensor_free(in);
    tensor_free(out);
}

/* ---- Regular expressions --------------------------------------------------------------------- */

static const heed_text *service;

static int find_service(void **state)
{
    const void *found;
    (void)state;
    service_provide(plugin_find_service);
    if (service_find(HEED_TEXT_ID, &found) == HEED_OK)
        service = found;
    else
        printf("the plugin text was not built: its tests are left out\n");
    return 0;
}

static void need_service(void)
{
    if (!service)
        skip();
}

/* 1, 0, or -1 when the pattern is refused. */
static int matches(const char *pattern, const char *value, size_t size)
{
    heed_regex *regex;
    int32_t result = 0;
    if (service->regex_compile(pattern, strlen(pattern), &regex) != HEED_OK)
        return -1;
    heed_status status = service->regex_full_match(regex, value, size, &result);
    service->regex_free(regex);
    return status == HEED_OK ? result : -2;
}

static void regex(void **state)
{
    static const struct {
        const char *pattern, *text;
        int expected;
    } cases[] = {
        {"", "", 1},
        {"", "a", 0},
        {"a|ab", "ab", 1},
        {".*b", "a,b,,c", 0},
        {"a*?", "aaa", 1},
        {"(a|ab)(c|bcd)", "abcd", 1},
        {".", "\xc3\xa9", 1},
        {".", "\n", 0},
        {"(?s).", "\n", 1},
        {"(?i)STRASSE", "strasse", 1},
        {"(?i:\xc3\x84)", "\xc3\xa4", 1},
        {"a$", "a\n", 0},
        {"(?m)a$\n", "a\n", 1},
        {"^a", "a", 1},
        {"\\d+", "\xd9\xa3", 0},
        {"\\s", "\v", 0},
        {"[\\s]", "\v", 0},
        {"[\\S]+", "a\vb", 1},
        {"[^\\S]", " ", 1},
        {"\\v", "\v", 1},
        {"\\Qa.b\\E+", "a.bb", 1},
        {"\\Qa.", "a.", 1},
        {"\\Qx\xc3\xa9\\E+", "x\xc3\xa9\xc3\xa9", 1},
        {"a\\Q\\E+", "aa", 1},
        {"a\\Q\\E+", "", 0},
        {"\xc3\xa9+", "\xc3\xa9\xc3\xa9", 1},
        {"\xc3\xa9+", "", 0},
        {"(ab)+", "abab", 1},
        {"[ab]+?c+", "abacc", 1},
        {"\\x41+\\d+\\.+", "AA1..", 1},
        {"\\x41+\\d+\\.+", "A1", 0},
        {"\\x41\\x{1F600}", "A\xf0\x9f\x98\x80", 1},
        {"\\101\\0", "A", 0},
        {"\\141", "a", 1},
        {"\\pL\\p{Greek}\\PN", "a\xce\xb1-", 1},
        {"[[:digit:]_-]{2,}", "3_-", 1},
        {"[]a]", "]", 1},
        {"[^]a]", "]", 0},
        {"[a-]", "-", 1},
        {"{,3}", "{,3}", 1},
        {"a{2}b{1,}c{0,1}", "aab", 1},
        {"a{,2}", "a{,2}", 1},
        {"(?P<n>x)(?<m>y)", "xy", 1},
        {"x#y z", "x#y z", 1},
        {"\\bfoo\\b", "foo", 1},
        {"\\Aa\\z", "a", 1},
        {"\xff", "a", -1},
        {".", "\xff", 0},
        {"(?=a)a", "a", -1},
        {"(?<=a)a", "a", -1},
        {"(?>a)", "a", -1},
        {"(a)\\1", "aa", -1},
        {"(?P<n>a)(?P=n)", "aa", -1},
        {"(?R)", "a", -1},
        {"(*UTF)a", "a", -1},
        {"(*ACCEPT)", "a", -1},
        {"a**", "a", -1},
        {"a*+", "a", -1},
        {"a{2}{2}", "aaaa", -1},
        {"*a", "a", -1},
        {"[a", "a", -1},
        {"(a", "a", -1},
        {"a)", "a", -1},
        {"a{1001}", "a", -1},
        {"\\C", "a", -1},
        {"\\K", "a", -1},
        {"\\", "a", -1},
        {"\\p", "a", -1},
        {"\\p{Nowhere}", "a", -1},
        {"\\x4", "a", -1},
        {"\\x{110000}", "a", -1},
        {"[[:nope:]]", "a", -1},
        {"[b-a]", "a", -1},
    };
    (void)state;
    need_service();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int found = matches(cases[i].pattern, cases[i].text, strlen(cases[i].text));
        if (found != cases[i].expected)
            print_error("pattern %s\n", cases[i].pattern);
        assert_int_equal(found, cases[i].expected);
    }
    assert_int_equal(matches("a.b", "a\0b", 3), 1);
    assert_int_equal(matches("a", "a\0", 2), 0);
}

/* Each of these takes a backtracking matcher longer than the sun will shine. */
static void hostile(void **state)
{
    static const char *const patterns[] = {
        "(a*)*b",           "(a|aa)+b",        "((a+)+)+b",   "(.*)*b",
        "(a?){200}a{200}b", "(a|a)*b",         "(a|a|a|a)+b", "([a-z]+)*[0-9]b",
        "(a*a*a*a*a*)*b",   "((((a*)*)*)*)*b", "(x+x+)+y",    "^(([a-z])+.)+b",
    };
    enum { LENGTH = 5000 };
    static char value[LENGTH];
    (void)state;
    need_service();
    memset(value, 'a', sizeof value);
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        assert_int_equal(matches(patterns[i], value, LENGTH), 0);
    assert_int_equal(matches("(a*)*", value, LENGTH), 1);
    assert_int_equal(matches("(a|aa)+", value, LENGTH), 1);
}

/* Patterns that unroll to much: refused, or run within their limits; never a crash. */
static void large(void **state)
{
    static char deep[4001];
    (void)state;
    need_service();
    assert_int_equal(matches("((((a{1000}){1000}){1000}){1000})", "a", 1), -1);
    assert_int_not_equal(matches("(a{1,1000}){1,1000}", "b", 1), 1);
    assert_int_not_equal(matches("(a{0,500}b{0,500}){1,20}c", "ababab", 6), 1);
    memset(deep, '(', 2000);
    memset(deep + 2000, ')', 2000);
    assert_int_equal(matches(deep, "", 0), -1);
}

static void regex_operator(void **state)
{
    const int64_t n = 3;
    heed_tensor *in = texts(1, &n, (const char *const[]){"ab", "", "b"}), *out;
    (void)state;
    need_service();
    assert_int_equal(one_op_run("RegexFullMatch", "pattern='a?b'", 1, &in, 1, &out), HEED_OK);
    assert_int_equal(tensor_get_int(out, 0), 1);
    assert_int_equal(tensor_get_int(out, 1), 0);
    assert_int_equal(tensor_get_int(out, 2), 1);
    tensor_free(out);
    assert_int_equal(one_op_run("RegexFullMatch", "pattern='a('", 1, &in, 1, &out), HEED_INVALID);
    assert_non_null(strstr(err_get()->message, "regular expression"));
    tensor_free(in);
}

static void letter_case(void **state)
{
    const char *street = "stra\xc3\x9f"
                         "e \xce\xb1 \xd0\x96 \xf0\x9f\x98\x80";
    char out[64];
    uint64_t needed;
    (void)state;
    need_service();
    assert_int_equal(
        service->change_case(HEED_TEXT_LOWER, "\xc3\x84-Z", 4, out, sizeof out, &needed), HEED_OK);
    assert_int_equal(needed, 4);
    assert_memory_equal(out, "\xc3\xa4-z", 4);
    assert_int_equal(
        service->change_case(HEED_TEXT_UPPER, street, strlen(street), NULL, 0, &needed), HEED_OK);
    assert_true(needed >= strlen(street));
    assert_int_equal(service->change_case(HEED_TEXT_LOWER, "\xff", 1, out, 1, &needed),
                     HEED_INVALID);
    assert_int_equal(service->change_case(7, "a", 1, out, 1, &needed), HEED_INVALID);
    const int64_t n = 1;
    heed_tensor *result, *in = texts(1, &n, (const char *const[]){"\xc3\xa4x"});
    assert_int_equal(
        one_op_run("StringNormalizer", "case_change_action='UPPER'", 1, &in, 1, &result), HEED_OK);
    is_text(result, 0, "\xc3\x84X");
    tensor_free(in);
    tensor_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),      cmocka_unit_test(padding),
        cmocka_unit_test(concat),      cmocka_unit_test(normalizer),
        cmocka_unit_test(regex),       cmocka_unit_test(hostile),
        cmocka_unit_test(large),       cmocka_unit_test(regex_operator),
        cmocka_unit_test(letter_case),
    };
    return cmocka_run_group_tests(tests, find_service, NULL);
}
