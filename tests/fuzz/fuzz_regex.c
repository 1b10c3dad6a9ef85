/* Any bytes as a regular expression, a newline, and a text. What must hold is in the sanitizers,
 * and that PCRE2's other matcher, which backtracks, gives the same answer where it comes to one. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "regex.h"
#include "service_host.h"
#include "syntax.h"

enum { LIMIT = 64 << 20, STEPS = 20000, TEXT_MAX = 200 };

/* Of the plugin's alloc.h; other plugins have a header of that name too. */
extern const heed_host *text_host;
void text_free(void *pointer, void *unused);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    text_host = &service_host;
    service.limit = LIMIT;
    return 0;
}

/* 1, 0, or -1 when it took too many steps. */
static int backtrack(const char *pattern, size_t pattern_size, const char *text, size_t size)
{
    int error, result;
    size_t offset;
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    pcre2_match_context *m = pcre2_match_context_create(NULL);
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    pcre2_set_match_limit(m, STEPS);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, pattern_size,
                      PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NO_AUTO_CAPTURE, &error, &offset, c);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    result = code ? pcre2_match(code, (PCRE2_SPTR)text, size, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED,
                                data, m)
                  : PCRE2_ERROR_MATCHLIMIT;
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    pcre2_match_context_free(m);
    pcre2_compile_context_free(c);
    return result >= 0 ? 1 : result == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *pattern = (const char *)bytes;
    const uint8_t *end = size ? memchr(bytes, '\n', size) : NULL;
    size_t n = end ? (size_t)(end - bytes) : size, rest = end ? size - n - 1 : 0;
    const char *text = pattern + (end ? n + 1 : 0);
    heed_regex *regex;
    char *translated;
    size_t translated_size;
    int32_t matches;
    if (rest > TEXT_MAX || regex_compile(pattern, n, &regex) != HEED_OK)
        return 0;
    heed_status status = regex_full_match(regex, text, rest, &matches);
    regex_free(regex);
    if (status != HEED_OK || syntax_translate(pattern, n, &translated, &translated_size) != HEED_OK)
        return 0;
    int other = backtrack(translated, translated_size, text, rest);
    text_free(translated, NULL);
    if (other >= 0 && other != matches)
        __builtin_trap();
    return 0;
}
