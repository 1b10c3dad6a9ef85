/* syntax.c - RE2's syntax, written as PCRE2 reads it.
 *
 * PCRE2 knows nearly all of it and much more. The walk lets through what means the same, rewrites
 * what does not (\s, \v, octal numbers), and refuses what RE2 does not have: lookaround,
 * backreferences, recursion, verbs, possessive quantifiers. It runs twice, first to count. */
#include "syntax.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

enum { REPEAT_MAX = 1000, LETTER_MAX = 0x10FFFF, DEPTH_MAX = 256 };
#define NO_ATOM SIZE_MAX

typedef struct walk {
    const char *text;
    size_t n, at;
    char *out; /* NULL: only count */
    size_t size;
    size_t atom;               /* where the last letter, escape or class starts in `out` */
    size_t depth;              /* of groups */
    bool multiline[DEPTH_MAX]; /* (?m) holds in the group of this depth */
} walk;

/* ---- Reading and writing -------------------------------------------------------------------- */

/* The byte `ahead` places further; 0 behind the end. */
static char peek(const walk *w, size_t ahead)
{
    return ahead < w->n - w->at ? w->text[w->at + ahead] : 0;
}

static bool at_end(const walk *w) { return w->at >= w->n; }

static void put(walk *w, const char *text, size_t n)
{
    if (w->out)
        memcpy(w->out + w->size, text, n);
    w->size += n;
}

static void put_text(walk *w, const char *text) { put(w, text, strlen(text)); }

/* The next n bytes as they are. */
static void copy(walk *w, size_t n)
{
    put(w, w->text + w->at, n);
    w->at += n;
}

static heed_status refuse(const walk *w, const char *what)
{
    return text_host->fail(HEED_INVALID,
                           "the regular expression is wrong: %s (byte %zu); the syntax is RE2's",
                           what, w->at);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_octal(char c) { return c >= '0' && c <= '7'; }

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_'; }

static bool is_one_of(char c, const char *set) { return c != 0 && strchr(set, c) != NULL; }

/* A byte of the text that stands for itself: ASCII that is no word character is escaped. Of a
 * letter of several bytes the first one begins the atom. */
static void put_literal(walk *w, char c)
{
    if ((c & 0xC0) != 0x80)
        w->atom = w->size;
    if (c > 0 && !is_word(c) && c >= ' ')
        put(w, "\\", 1);
    put(w, &c, 1);
}

static void put_letter(walk *w, uint32_t letter)
{
    char text[16];
    int n = snprintf(text, sizeof text, "\\x{%x}", letter);
    put(w, text, (size_t)n);
}

/* ---- Escapes -------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | (is_alpha(c) ? 0x20 : 0)) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* \x41, \x{1F600} */
static heed_status hex(walk *w)
{
    uint32_t letter = 0;
    bool braces = peek(w, 2) == '{';
    size_t i = braces ? 3 : 2, first = i;
    for (; hex_digit(peek(w, i)) >= 0 && (braces || i < first + 2) && letter <= LETTER_MAX; i++)
        letter = letter * 16 + (uint32_t)hex_digit(peek(w, i));
    bool whole = braces ? i > first && peek(w, i) == '}' : i == first + 2;
    if (!whole || letter > LETTER_MAX)
        return refuse(w, "\\x without a letter's number");
    put_letter(w, letter);
    w->at += braces ? i + 1 : i;
    return HEED_OK;
}

/* \0, \12, \123; \1 alone would be a backreference. */
static heed_status octal(walk *w)
{
    uint32_t letter = 0;
    size_t i = 1;
    if (peek(w, 1) != '0' && !is_octal(peek(w, 2)))
        return refuse(w, "a backreference");
    for (; i < 4 && is_octal(peek(w, i)); i++)
        letter = letter * 8 + (uint32_t)(peek(w, i) - '0');
    put_letter(w, letter);
    w->at += i;
    return HEED_OK;
}

/* \pN, \p{Greek}, \p{^Greek} */
static heed_status property(walk *w)
{
    size_t i = 3;
    if (peek(w, 2) != '{') {
        if (!is_alpha(peek(w, 2)))
            return refuse(w, "\\p without a property");
        copy(w, 3);
        return HEED_OK;
    }
    i += peek(w, i) == '^';
    while (is_alpha(peek(w, i)) || peek(w, i) == '_')
        i++;
    if (peek(w, i) != '}')
        return refuse(w, "\\p without a property");
    copy(w, i + 1);
    return HEED_OK;
}

/* \Q...\E, or to the end */
static void quote(walk *w)
{
    w->atom = NO_ATOM; /* nothing may be quoted */
    for (w->at += 2; !at_end(w); w->at++) {
        if (peek(w, 0) == '\\' && peek(w, 1) == 'E') {
            w->at += 2;
            return;
        }
        put_literal(w, peek(w, 0));
    }
}

/* What means something else to PCRE2, outside and inside of a class. */
typedef struct spelling {
    char escape;
    const char *outside, *inside;
} spelling;

static const spelling spellings[] = {
    {'s', "[\\t\\n\\f\\r\\x20]", "\\t\\n\\f\\r\\x20"},
    {'S', "[^\\t\\n\\f\\r\\x20]", "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}"},
    {'v', "\\x0b", "\\x0b"},
};

static heed_status escape(walk *w, bool inside)
{
    char c = peek(w, 1);
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (c && c == spellings[i].escape) {
            put_text(w, inside ? spellings[i].inside : spellings[i].outside);
            w->at += 2;
            return HEED_OK;
        }
    if (is_one_of(c, "dDwWnrtfa") || (!inside && is_one_of(c, "AzbB"))) {
        copy(w, 2);
        return HEED_OK;
    }
    if (c == 'p' || c == 'P')
        return property(w);
    if (c == 'x')
        return hex(w);
    if (is_octal(c))
        return octal(w);
    if (c == 'Q' && !inside) {
        quote(w);
        return HEED_OK;
    }
    if (c <= 0 || is_word(c))
        return refuse(w, "an escape that does not exist");
    put_literal(w, c);
    w->at += 2;
    return HEED_OK;
}

/* ---- Classes: [a-z], [^[:digit:]\s] --------------------------------------------------------- */

/* [:alpha:]: its length, or 0. */
static size_t named_class(const walk *w)
{
    size_t i = 2;
    if (peek(w, 0) != '[' || peek(w, 1) != ':')
        return 0;
    i += peek(w, i) == '^';
    while (is_alpha(peek(w, i)))
        i++;
    return peek(w, i) == ':' && peek(w, i + 1) == ']' ? i + 2 : 0;
}

static heed_status class_item(walk *w)
{
    size_t named = named_class(w);
    if (named) {
        copy(w, named);
        return HEED_OK;
    }
    if (peek(w, 0) == '\\')
        return escape(w, true);
    if (peek(w, 0) == '-')
        put(w, "-", 1);
    else
        put_literal(w, peek(w, 0));
    w->at++;
    return HEED_OK;
}

static heed_status class(walk *w)
{
    size_t start = w->size;
    copy(w, peek(w, 1) == '^' ? 2 : 1);
    for (bool first = true; first || peek(w, 0) != ']'; first = false) {
        if (at_end(w))
            return refuse(w, "a [ without its ]");
        heed_status status = class_item(w);
        if (status != HEED_OK)
            return status;
    }
    copy(w, 1);
    w->atom = start; /* items of a class are none */
    return HEED_OK;
}

/* ---- Groups and quantifiers ----------------------------------------------------------------- */

/* A group begins, with the flags of the one around it. */
static heed_status enter(walk *w)
{
    if (w->depth + 1 >= DEPTH_MAX)
        return refuse(w, "groups that are nested too deep");
    w->depth++;
    w->multiline[w->depth] = w->multiline[w->depth - 1];
    return HEED_OK;
}

/* (?P<name> and (?<name>: nobody asks what a group matched. */
static heed_status named_group(walk *w, size_t i)
{
    size_t first = i;
    while (is_word(peek(w, i)))
        i++;
    if (i == first || peek(w, i) != '>')
        return refuse(w, "a group whose name is wrong");
    put_text(w, "(?:");
    w->at += i + 1;
    return enter(w);
}

/* (?im-s) holds from here on, (?im-s: ...) in a group. */
static heed_status flags(walk *w)
{
    size_t i = 2;
    bool on = true, multiline = w->multiline[w->depth];
    for (; is_one_of(peek(w, i), "imsU-"); i++) {
        on = on && peek(w, i) != '-';
        multiline = peek(w, i) == 'm' ? on : multiline;
    }
    bool group = peek(w, i) == ':';
    if (!group && (peek(w, i) != ')' || i == 2))
        return refuse(w, "a group that RE2 does not have");
    copy(w, i + 1);
    heed_status status = group ? enter(w) : HEED_OK;
    w->multiline[w->depth] = multiline;
    return status;
}

static heed_status group(walk *w)
{
    if (peek(w, 1) == '*')
        return refuse(w, "a repetition of nothing");
    if (peek(w, 1) != '?') {
        copy(w, 1);
        return enter(w);
    }
    if (peek(w, 2) == 'P' && peek(w, 3) == '<')
        return named_group(w, 4);
    if (peek(w, 2) == '<' && is_word(peek(w, 3)))
        return named_group(w, 3);
    return flags(w);
}

/* The digits at `i`: a number, or -1. */
static int64_t number(const walk *w, size_t *i)
{
    int64_t value = is_digit(peek(w, *i)) ? 0 : -1;
    for (; is_digit(peek(w, *i)); ++*i)
        value = value > REPEAT_MAX ? value : value * 10 + (peek(w, *i) - '0');
    return value;
}

/* {2}, {2,}, {2,5}: the length, or 0 when it is just a brace. */
static size_t counted(const walk *w, int64_t *most)
{
    size_t i = 1;
    int64_t low = number(w, &i), high = low;
    if (low < 0)
        return 0;
    if (peek(w, i) == ',') {
        i++;
        high = number(w, &i);
    }
    *most = high > low ? high : low;
    return peek(w, i) == '}' ? i + 1 : 0;
}

/* The length of a quantifier without its lazy mark, or 0. */
static size_t quantifier(const walk *w, int64_t *most)
{
    *most = 0;
    if (is_one_of(peek(w, 0), "*+?"))
        return 1;
    return peek(w, 0) == '{' ? counted(w, most) : 0;
}

/* x+ as xx*: PCRE2 counts how often it saw the x of x+, and each count is a state of its own, so
 * that their number would grow with the text. */
static void put_plus(walk *w)
{
    size_t first = w->atom, n = w->size - first;
    if (w->out)
        memcpy(w->out + w->size, w->out + first, n);
    w->size += n;
    put(w, "*", 1);
    w->at++;
}

static heed_status repeat(walk *w, size_t n, int64_t most)
{
    int64_t unused;
    if (most > REPEAT_MAX)
        return refuse(w, "more than 1000 repetitions");
    if (peek(w, 0) == '+' && w->atom != NO_ATOM)
        put_plus(w);
    else
        copy(w, n);
    if (peek(w, 0) == '?')
        copy(w, 1);
    return quantifier(w, &unused) ? refuse(w, "a repetition of a repetition") : HEED_OK;
}

/* ---- The whole ------------------------------------------------------------------------------ */

/* A letter, or one of ^ . | ) that mean the same to both. */
static heed_status letter(walk *w)
{
    char c = peek(w, 0);
    w->depth -= c == ')' && w->depth > 0;
    if (is_one_of(c, "|)"))
        w->atom = NO_ATOM;
    else if ((c & 0xC0) != 0x80)
        w->atom = w->size;
    if (is_one_of(c, "{}]"))
        put(w, "\\", 1);
    copy(w, 1);
    return HEED_OK;
}

/* Not before a newline at the end, as PCRE2 has it. */
static heed_status end_of_text(walk *w)
{
    w->atom = w->size;
    put_text(w, w->multiline[w->depth] ? "$" : "\\z");
    w->at++;
    return HEED_OK;
}

static heed_status item(walk *w)
{
    int64_t most;
    size_t n = quantifier(w, &most);
    if (n)
        return repeat(w, n, most);
    switch (peek(w, 0)) {
    case '\\':
        w->atom = w->size;
        return escape(w, false);
    case '[':
        return class(w);
    case '(':
        w->atom = NO_ATOM;
        return group(w);
    case '$':
        return end_of_text(w);
    default:
        return letter(w);
    }
}

static heed_status translate(walk *w)
{
    while (!at_end(w)) {
        heed_status status = item(w);
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

heed_status syntax_translate(const char *pattern, uint64_t bytes, char **out, size_t *size)
{
    walk w = {.text = pattern, .n = bytes, .atom = NO_ATOM};
    heed_status status = translate(&w);
    if (status != HEED_OK)
        return status;
    *size = w.size;
    *out = text_alloc(w.size + 1, NULL);
    if (!*out)
        return text_host->fail(HEED_NOMEM, "out of memory for a regular expression");
    w = (walk){.text = pattern, .n = bytes, .out = *out, .atom = NO_ATOM};
    return translate(&w); /* as before */
}
