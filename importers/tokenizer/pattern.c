/* pattern.c - searching by PCRE2, compiled to machine code where that is allowed.
 *
 * A pattern of a hostile file may backtrack for ever; limits on steps and memory end each search
 * with an error. */
#include "pattern.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "chars.h"
#include "onig.h"

enum {
    SOURCE_MAX = 1 << 16,
    DEPTH_MAX = 250,         /* of brackets */
    COMPILED_MAX = 16 << 20, /* bytes */
    STEPS_MAX = 20 * 1000 * 1000,
    HEAP_MAX = 64 * 1024 /* kibibytes */
};

struct pattern {
    pcre2_code *code; /* NULL: a literal */
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    size_t n;
    char text[]; /* of a literal */
};

static void *give(size_t bytes, void *unused)
{
    (void)unused;
    return tok_alloc(bytes);
}

static void take_back(void *block, void *unused)
{
    (void)unused;
    tok_free(block);
}

void pattern_free(pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    pcre2_general_context_free(p->memory);
    tok_free(p);
}

heed_status pattern_literal(const tree *t, uint32_t node, const char *text, size_t n, pattern **out)
{
    *out = NULL;
    if (n > SOURCE_MAX)
        return tree_fail(t, HEED_UNSUPPORTED, node, "a pattern of %zu bytes", n);
    pattern *p = tok_zeroed(1, sizeof *p + n);
    if (!p)
        return tok_no_memory();
    if (n)
        memcpy(p->text, text, n);
    p->n = n;
    *out = p;
    return HEED_OK;
}

/* ---- Compiling ------------------------------------------------------------------------------ */

/* Where a regular expression stands, for errors. */
typedef struct origin {
    const tree *tree;
    uint32_t node;
} origin;

static heed_status refuse(const origin *o, int code, size_t offset)
{
    PCRE2_UCHAR reason[128] = "";
    if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
        return tok_no_memory();
    pcre2_get_error_message(code, reason, sizeof reason);
    return tree_fail(o->tree, HEED_UNSUPPORTED, o->node,
                     "the regular expression: %s (near byte %zu)", (const char *)reason, offset);
}

static heed_status compile(pattern *p, const origin *o, const tok_text *source,
                           pcre2_compile_context *context)
{
    int error;
    size_t offset, size = 0;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, DEPTH_MAX);
    p->code = pcre2_compile((PCRE2_SPTR)(source->n ? source->data : ""), source->n,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                            &error, &offset, context);
    if (!p->code)
        return refuse(o, error, offset);
    pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &size);
    if (size > COMPILED_MAX)
        return tree_fail(o->tree, HEED_UNSUPPORTED, o->node, "the regular expression is too large");
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it PCRE2 interprets */
    pcre2_set_match_limit(p->limits, STEPS_MAX);
    pcre2_set_heap_limit(p->limits, HEAP_MAX);
    return HEED_OK;
}

static heed_status compile_source(pattern *p, const origin *o, const tok_text *source)
{
    p->memory = pcre2_general_context_create(give, take_back, NULL);
    p->limits = p->memory ? pcre2_match_context_create(p->memory) : NULL;
    pcre2_compile_context *context = p->limits ? pcre2_compile_context_create(p->memory) : NULL;
    heed_status status = context ? compile(p, o, source, context) : tok_no_memory();
    pcre2_compile_context_free(context);
    return status;
}

static heed_status translate(const origin *o, const char *text, size_t n, tok_text *out)
{
    size_t place;
    if (n > SOURCE_MAX)
        return tree_fail(o->tree, HEED_UNSUPPORTED, o->node, "a pattern of %zu bytes", n);
    const char *wrong = onig_translate(text, n, out, &place);
    if (wrong)
        return tree_fail(o->tree, HEED_UNSUPPORTED, o->node,
                         "the regular expression has %s (byte %zu)", wrong, place);
    return tok_text_status(out);
}

heed_status pattern_regex(const tree *t, uint32_t node, const char *text, size_t n, pattern **out)
{
    tok_text source = {0};
    origin o = {t, node};
    *out = NULL;
    heed_status status = translate(&o, text, n, &source);
    pattern *p = status ? NULL : tok_zeroed(1, sizeof *p);
    if (!status)
        status = p ? compile_source(p, &o, &source) : tok_no_memory();
    tok_free(source.data);
    if (status)
        pattern_free(p);
    else
        *out = p;
    return status;
}

heed_status pattern_read(const tree *t, uint32_t object, pattern **out)
{
    size_t n;
    uint32_t node = tree_get(t, object, "pattern");
    const char *text = tree_text(t, tree_get(t, node, "Regex"), &n);
    *out = NULL;
    if (text)
        return pattern_regex(t, node, text, n, out);
    text = tree_text(t, tree_get(t, node, "String"), &n);
    if (!text)
        text = tree_text(t, node, &n);
    if (text)
        return pattern_literal(t, node, text, n, out);
    return tree_fail(t, HEED_INVALID, object, "\"pattern\" has neither \"String\" nor \"Regex\"");
}

/* ---- Searching ------------------------------------------------------------------------------ */

heed_status pattern_begin(const pattern *p, const char *text, size_t n, pattern_search *out)
{
    *out = (pattern_search){.pattern = p, .text = text, .n = n, .last = SIZE_MAX};
    if (!p->code)
        return HEED_OK;
    out->matches = pcre2_match_data_create(1, p->memory);
    return out->matches ? HEED_OK : tok_no_memory();
}

void pattern_end(pattern_search *s) { pcre2_match_data_free(s->matches); }

static bool next_literal(const pattern_search *s, size_t *from)
{
    const pattern *p = s->pattern;
    const char *at = s->text + s->at, *end = s->text + s->n;
    if (!p->n) {
        *from = s->at;
        return true;
    }
    while ((size_t)(end - at) >= p->n) {
        at = memchr(at, p->text[0], (size_t)(end - at) - p->n + 1);
        if (!at)
            return false;
        if (memcmp(at, p->text, p->n) == 0) {
            *from = (size_t)(at - s->text);
            return true;
        }
        at++;
    }
    return false;
}

static heed_status next_regex(const pattern_search *s, bool *found, size_t *from, size_t *to)
{
    const pattern *p = s->pattern;
    PCRE2_SPTR text = (PCRE2_SPTR)s->text;
    int result = pcre2_match(p->code, text, s->n, s->at, PCRE2_NO_UTF_CHECK, s->matches, p->limits);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
        result = pcre2_match(p->code, text, s->n, s->at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             s->matches, p->limits);
    *found = result >= 0;
    if (*found) {
        const size_t *ends = pcre2_get_ovector_pointer(s->matches);
        *to = ends[1];
        *from = ends[0] <= ends[1] ? ends[0] : ends[1];
    }
    if (*found || result == PCRE2_ERROR_NOMATCH)
        return HEED_OK;
    if (result == PCRE2_ERROR_NOMEMORY)
        return tok_no_memory();
    return tok_host->fail(HEED_UNSUPPORTED,
                          "a regular expression of the tokenizer takes too many steps (%d)",
                          result);
}

static heed_status find(const pattern_search *s, bool *found, size_t *from, size_t *to)
{
    if (s->pattern->code)
        return next_regex(s, found, from, to);
    *found = next_literal(s, from);
    *to = *from + s->pattern->n;
    return HEED_OK;
}

/* An empty match where the match before ended is none. */
heed_status pattern_next(pattern_search *s, bool *found, size_t *from, size_t *to)
{
    *found = false;
    *from = *to = 0;
    while (s->at <= s->n) {
        heed_status status = find(s, found, from, to);
        if (status || !*found)
            return status;
        if (*from < *to || *to != s->last) {
            s->at = s->last = *to;
            return HEED_OK;
        }
        *found = false;
        if (s->at < s->n)
            chars_next(s->text, &s->at);
        else
            s->at++;
    }
    return HEED_OK;
}
