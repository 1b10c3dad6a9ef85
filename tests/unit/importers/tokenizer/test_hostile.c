/* Tokenizers that are broken: cut off anywhere, a byte changed, memory that runs out. Each is read
 * or refused with a reason, and leaves no memory behind. The files are the seeds of the fuzzer,
 * tests/fuzz/corpus/tokenizer: a tokenizer.json, a NUL and a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_host.h"
#include "vocabulary.h"

enum { MOST = 1 << 14, TOKENS = 4096 };

static const char *const seeds[] = {"bytes", "pieces", "fallback", "stages"};

static char data[MOST];
static size_t n_data, n_json;

static int set_up(void **state)
{
    (void)state;
    tok_host = &service_host;
    service_reset();
    return 0;
}

static void read_seed(const char *name)
{
    char path[1024];
    const char *root = getenv("HEED_SOURCE");
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/tokenizer/%s", root ? root : ".", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    n_data = fread(data, 1, sizeof(data), file);
    fclose(file);
    const char *end = memchr(data, 0, n_data);
    assert_non_null(end);
    n_json = (size_t)(end - data);
}

/* ---- One try ------------------------------------------------------------------------------- */

static heed_status use(const heed_vocabulary *v)
{
    static int32_t tokens[TOKENS];
    static char text[TOKENS];
    uint64_t n = 0, bytes = 0;
    heed_status status =
        vocabulary_encode(v, data + n_json + 1, n_data - n_json - 1, 0, tokens, TOKENS, &n);
    if (!status)
        status = vocabulary_decode(v, tokens, n, HEED_DECODE_SPECIAL, text, TOKENS, &bytes);
    return status;
}

/* Opens the JSON and uses what came of it. A refusal has a reason, and nothing is left. */
static heed_status try(const char *json, size_t n)
{
    heed_vocabulary *v = NULL;
    service.reason[0] = 0;
    heed_status status = vocabulary_open_memory(json, n, &v);
    assert_true(status ? v == NULL : v != NULL);
    if (!status)
        status = use(v);
    vocabulary_close(v);
    if (status)
        assert_true(service.reason[0] != 0);
    assert_int_equal(service.live, 0);
    return status;
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        read_seed(seeds[i]);
        heed_status status = try(data, n_json);
        if (status)
            print_error("%s: %s\n", seeds[i], service.reason);
        assert_int_equal(status, HEED_OK);
    }
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        read_seed(seeds[i]);
        for (size_t n = 0; n < n_json; n++)
            assert_int_equal(try(data, n), HEED_INVALID);
    }
}

/* Each byte becomes what JSON, numbers, patterns and UTF-8 care about. */
static void test_changed(void **state)
{
    static const char changes[] = {0, '"', '\\', '[', '{', '9', '-', ')', '*', '|', 'x', '\xC3'};
    static char changed[MOST];
    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        read_seed(seeds[i]);
        memcpy(changed, data, n_json);
        for (size_t at = 0; at < n_json; at++) {
            for (size_t c = at % 3; c < sizeof(changes); c += 3) {
                changed[at] = changes[c];
                try(changed, n_json);
            }
            changed[at] = data[at];
        }
    }
}

/* The first allocation fails, then the second, until all is well. */
static void test_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        heed_status status = HEED_NOMEM;
        read_seed(seeds[i]);
        for (long n = 0; status; n++) {
            service.allocations = n;
            status = try(data, n_json);
            if (status != HEED_NOMEM && status)
                print_error("%s: allocation %ld: %u %s\n", seeds[i], n, status, service.reason);
            assert_true(status == HEED_OK || status == HEED_NOMEM);
            assert_true(n < 100000);
        }
        service.allocations = -1;
    }
}

static void test_deep(void **state)
{
    static char deep[1 << 12];
    (void)state;
    memset(deep, '[', sizeof(deep));
    assert_int_equal(try(deep, sizeof(deep)), HEED_INVALID);
    assert_non_null(strstr(service.reason, "too deep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_changed), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
