/* regex.c - regular expressions by PCRE2's DFA matcher.
 *
 * The standard asks for RE2. That is C++, and a plugin in C with a C++ runtime underneath would be
 * a heavy guest; RE2's promise is what matters: time linear in the text. PCRE2's second matcher,
 * pcre2_dfa_match, keeps it, because it follows all alternatives at once and drops the states that
 * it has already, where the usual one backtracks. What it cannot do (backreferences) RE2's syntax
 * does not have, and syntax.c lets nothing else through. */
#include "regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "alloc.h"
#include "syntax.h"

enum {
    ROOM_FIRST = 1 << 10, /* ints of workspace */
    ROOM_MAX = 1 << 18,
    ROOM_OF_STATE = 6,         /* three in the list of now and of next */
    DEPTH_MAX = 250,           /* of brackets */
    HEAP_MAX = 16 * 1024,      /* kibibytes */
    COMPILED_MAX = 8 * 1 << 20 /* bytes */
};

/* Each letter compares all states with each other: so many comparisons are a few seconds. */
#define WORK_MAX ((uint64_t)1 << 35)

struct heed_regex {
    pcre2_code *code;
};

static pcre2_general_context *memory(void)
{
    return pcre2_general_context_create(text_alloc, text_free, NULL);
}

static heed_status no_memory(void)
{
    return text_host->fail(HEED_NOMEM, "out of memory for a regular expression");
}

/* ---- Compiling ------------------------------------------------------------------------------ */

static heed_status refuse(int code, size_t offset)
{
    PCRE2_UCHAR reason[128] = "";
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return no_memory();
    pcre2_get_error_message(code, reason, sizeof reason);
    return text_host->fail(HEED_INVALID, "the regular expression is wrong: %s (near byte %zu)",
                           (const char *)reason, offset);
}

static heed_status compile(const char *pattern, size_t bytes, pcre2_compile_context *context,
                           pcre2_code **out)
{
    int error;
    size_t offset, compiled;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, DEPTH_MAX);
    *out = pcre2_compile((PCRE2_SPTR)pattern, bytes,
                         PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C |
                             PCRE2_NO_AUTO_CAPTURE,
                         &error, &offset, context);
    if (!*out)
        return refuse(error, offset);
    if (pcre2_pattern_info(*out, PCRE2_INFO_SIZE, &compiled) == 0 && compiled <= COMPILED_MAX)
        return HEED_OK;
    pcre2_code_free(*out);
    return text_host->fail(HEED_UNSUPPORTED, "the regular expression is too large");
}

static heed_status compile_with(pcre2_general_context *general, const char *pattern, uint64_t bytes,
                                heed_regex **out)
{
    char *translated;
    size_t size;
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    heed_regex *regex = text_alloc(sizeof *regex, NULL);
    if (!context || !regex) {
        pcre2_compile_context_free(context);
        text_free(regex, NULL);
        return no_memory();
    }
    heed_status status = syntax_translate(pattern, bytes, &translated, &size);
    if (status == HEED_OK) {
        status = compile(translated, size, context, &regex->code);
        text_free(translated, NULL);
    }
    pcre2_compile_context_free(context);
    if (status != HEED_OK)
        text_free(regex, NULL);
    else
        *out = regex;
    return status;
}

heed_status regex_compile(const char *pattern, uint64_t bytes, heed_regex **out)
{
    *out = NULL;
    pcre2_general_context *general = memory();
    if (!general)
        return no_memory();
    heed_status status = compile_with(general, pattern, bytes, out);
    pcre2_general_context_free(general);
    return status;
}

void regex_free(heed_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    text_free(regex, NULL);
}

/* ---- Matching ------------------------------------------------------------------------------- */

typedef struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    int *room;
    size_t n_room;
} matcher;

/* The next size of the workspace may be tried: the first one always. */
static int may_grow(const matcher *m, size_t bytes)
{
    uint64_t states = m->n_room * 8 / ROOM_OF_STATE;
    return m->n_room == 0 || (m->n_room < ROOM_MAX && states * states * bytes <= WORK_MAX);
}

static int grow(matcher *m)
{
    text_free(m->room, NULL);
    m->n_room = m->n_room ? m->n_room * 8 : ROOM_FIRST;
    m->room = text_alloc(m->n_room * sizeof *m->room, NULL);
    return m->room != NULL;
}

/* The result of pcre2_dfa_match, with as much workspace as it needs. Not PCRE2_ENDANCHORED: 10.42
 * does not look at it here. The longest match comes first, so its end says what we ask. */
static int match(matcher *m, const pcre2_code *code, const char *text, size_t bytes)
{
    int result = PCRE2_ERROR_DFA_WSSIZE;
    while (result == PCRE2_ERROR_DFA_WSSIZE && may_grow(m, bytes)) {
        if (!grow(m))
            return PCRE2_ERROR_NOMEMORY;
        result = pcre2_dfa_match(code, (PCRE2_SPTR)text, bytes, 0, PCRE2_ANCHORED, m->data,
                                 m->context, m->room, m->n_room);
    }
    return result;
}

/* `end`: where the longest match ends. */
static heed_status judge(int result, size_t end, size_t bytes, int32_t *matches)
{
    *matches = result >= 0 && end == bytes;
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH)
        return HEED_OK;
    if (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21)
        return HEED_OK; /* text that is not UTF-8 matches nothing */
    if (result == PCRE2_ERROR_NOMEMORY)
        return no_memory();
    return text_host->fail(HEED_UNSUPPORTED,
                           "the regular expression is too large for a text of %zu bytes (%d)",
                           bytes, result);
}

heed_status regex_full_match(const heed_regex *regex, const char *text, uint64_t bytes,
                             int32_t *matches)
{
    pcre2_general_context *general = memory();
    matcher m = {.n_room = 0};
    size_t end = 0;
    int result = PCRE2_ERROR_NOMEMORY;
    if (general) {
        m.data = pcre2_match_data_create(1, general);
        m.context = pcre2_match_context_create(general);
    }
    if (m.data && m.context) {
        pcre2_set_heap_limit(m.context, HEAP_MAX);
        result = match(&m, regex->code, bytes ? text : "", bytes);
        end = pcre2_get_ovector_pointer(m.data)[1];
    }
    text_free(m.room, NULL);
    pcre2_match_data_free(m.data);
    pcre2_match_context_free(m.context);
    pcre2_general_context_free(general);
    return judge(result, end, bytes, matches);
}
