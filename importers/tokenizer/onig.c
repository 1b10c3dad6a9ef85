/* onig.c - Oniguruma's syntax (its Ruby dialect), written as PCRE2 reads it with UTF and UCP.
 *
 * Nearly all of it means the same. Rewritten are: \s \w \d \h and POSIX names, whose sets of
 * characters differ; the flag m, which lets a point match newlines; {,n}, {n}? and {n}+; and
 * classes with && or with a class in them, which PCRE2 spells by looking ahead. */
#include "onig.h"

#include <stdio.h>
#include <string.h>

#include "ages.h"

enum { DEEPEST = 64, NAME_MAX_BYTES = 48, NO_ATOM = -1 };

typedef struct walk {
    const char *text;
    size_t n, at;
    tok_text *out;
    ptrdiff_t atom; /* where what may be repeated starts in `out`, or NO_ATOM */
    ptrdiff_t groups[DEEPEST];
    unsigned depth, nested; /* of groups, of classes */
    const char *wrong;      /* what cannot be written */
} walk;

static char peek(const walk *w, size_t ahead)
{
    return ahead < w->n - w->at ? w->text[w->at + ahead] : 0;
}

static void put(walk *w, const char *text) { tok_put(w->out, text, strlen(text)); }

static void copy(walk *w, size_t n)
{
    tok_put(w->out, w->text + w->at, n);
    w->at += n;
}

static heed_status refuse(walk *w, const char *what)
{
    w->wrong = what;
    return HEED_UNSUPPORTED;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- Sets of characters --------------------------------------------------------------------- */

#define SPACE                                                                                      \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"        \
    "\\x{205f}\\x{3000}"
#define NOT_SPACE                                                                                  \
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"       \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{10ffff}"
#define CIRCLED "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define L       "\\p{L}" AGES_NEW_L
#define M       "\\p{M}" AGES_NEW_M
#define N       "\\p{N}" AGES_NEW_N
#define ND      "\\p{Nd}" AGES_NEW_ND
#define P       "\\p{P}" AGES_NEW_P
#define S       "\\p{S}" AGES_NEW_S
#define ALPHA   L "\\p{Nl}" CIRCLED
/* Of other numbers those of Latin-1. */
#define WORD ALPHA M ND "\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

/* What an escape or a name stands for: the inside of a class; NULL where it has no inside. */
typedef struct set {
    const char *name;
    const char *inside, *negated;
} set;

static const set escapes[] = {
    {"s", SPACE, NOT_SPACE},
    {"w", WORD, NULL},
    {"d", ND, "\\P{Nd}"},
    {"h", "0-9a-fA-F", "\\x00-/:-@G-`g-\\x{10ffff}"},
};

static const set names[] = {
    {"space", SPACE, NOT_SPACE},
    {"whitespace", SPACE, NOT_SPACE},
    {"word", WORD, NULL},
    {"alpha", ALPHA M, NULL},
    {"alphabetic", ALPHA M, NULL},
    {"digit", ND, "\\P{Nd}"},
    {"alnum", ALPHA M ND, NULL},
    {"punct", P "$+<=>^`|~", NULL},
    {"xdigit", "0-9a-fA-F", NULL},
    {"blank", "\\x09\\p{Zs}", NULL},
    {"cntrl", "\\p{Cc}", "\\P{Cc}"},
    {"upper", "\\p{Lu}", "\\P{Lu}"},
    {"lower", "\\p{Ll}", "\\P{Ll}"},
    {"ascii", "\\x00-\\x7f", "\\x{80}-\\x{10ffff}"},
    {"l", L, "\\P{L}"},
    {"letter", L, "\\P{L}"},
    {"uppercaseletter", "\\p{Lu}", "\\P{Lu}"},
    {"lowercaseletter", "\\p{Ll}", "\\P{Ll}"},
    {"titlecaseletter", "\\p{Lt}", "\\P{Lt}"},
    {"modifierletter", "\\p{Lm}", "\\P{Lm}"},
    {"otherletter", "\\p{Lo}", "\\P{Lo}"},
    {"m", M, "\\P{M}"},
    {"mark", M, "\\P{M}"},
    {"nonspacingmark", "\\p{Mn}", "\\P{Mn}"},
    {"n", N, "\\P{N}"},
    {"number", N, "\\P{N}"},
    {"nd", ND, "\\P{Nd}"},
    {"decimalnumber", ND, "\\P{Nd}"},
    {"letternumber", "\\p{Nl}", "\\P{Nl}"},
    {"othernumber", "\\p{No}", "\\P{No}"},
    {"p", P, "\\P{P}"},
    {"punctuation", P, "\\P{P}"},
    {"s", S, "\\P{S}"},
    {"symbol", S, "\\P{S}"},
    {"mathsymbol", "\\p{Sm}", "\\P{Sm}"},
    {"currencysymbol", "\\p{Sc}", "\\P{Sc}"},
    {"separator", "\\p{Z}", "\\P{Z}"},
    {"spaceseparator", "\\p{Zs}", "\\P{Zs}"},
    {"control", "\\p{Cc}", "\\P{Cc}"},
    {"format", "\\p{Cf}", "\\P{Cf}"},
    {"other", "\\p{C}", "\\P{C}"},
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const set *find_set(const set *sets, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(sets[i].name, name) == 0)
            return &sets[i];
    return NULL;
}

/* A set where it stands: alone, or inside of a class. A negated one may have no inside. */
static heed_status put_set(walk *w, const set *s, bool negated, bool inside)
{
    const char *what = negated ? s->negated : s->inside;
    if (inside && !what)
        return refuse(w, "a negated set of characters in a class");
    if (inside) {
        put(w, what);
        return HEED_OK;
    }
    put(w, negated ? "[^" : "[");
    put(w, s->inside);
    put(w, "]");
    return HEED_OK;
}

/* ---- Escapes -------------------------------------------------------------------------------- */

/* The name up to `end` in lower case without what does not count. False: too long, or no end. */
static bool read_name(walk *w, size_t from, char end, char *name, size_t *length)
{
    size_t n = 0, i = from;
    for (; peek(w, i) && peek(w, i) != end; i++) {
        char c = peek(w, i);
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if ((!is_alpha(c) && !is_digit(c)) || n + 1 >= NAME_MAX_BYTES)
            return false;
        name[n++] = (char)(is_alpha(c) ? c | 0x20 : c);
    }
    name[n] = 0;
    *length = i;
    return n && peek(w, i) == end;
}

/* \p{Name}, \p{^Name}, \P{Name}, \pL */
static heed_status property(walk *w, bool inside)
{
    char name[NAME_MAX_BYTES], text[NAME_MAX_BYTES + 16];
    size_t end = 2, from = 3;
    bool negated = peek(w, 1) == 'P';
    if (peek(w, 2) == '{') {
        if (peek(w, 3) == '^') {
            negated = !negated;
            from = 4;
        }
        if (!read_name(w, from, '}', name, &end))
            return refuse(w, "\\p without a property");
    } else if (is_alpha(peek(w, 2))) {
        snprintf(name, sizeof name, "%c", peek(w, 2) | 0x20);
    } else {
        return refuse(w, "\\p without a property");
    }
    const set *known = find_set(names, COUNT(names), name);
    if (known) {
        heed_status status = put_set(w, known, negated, inside);
        w->at += end + 1;
        return status;
    }
    /* A category has one letter or two; a longer name is a script, not its extensions. */
    name[0] = (char)(name[0] & ~0x20);
    snprintf(text, sizeof text, "\\%c{%s%s}", negated ? 'P' : 'p',
             strlen(name) > 2 && strcmp(name, "Any") != 0 ? "sc:" : "", name);
    put(w, text);
    w->at += end + 1;
    return HEED_OK;
}

/* \x41 and \x{41} mean the same to both; \u0041 is Ruby's. */
static heed_status number(walk *w)
{
    char text[16];
    size_t i = 0;
    if (peek(w, 1) == 'x') {
        if (peek(w, 2) == '{') {
            for (i = 3; is_hex(peek(w, i)); i++)
                ;
            if (i == 3 || peek(w, i) != '}')
                return refuse(w, "\\x{ without a number");
            copy(w, i + 1);
            return HEED_OK;
        }
        for (i = 2; i < 4 && is_hex(peek(w, i)); i++)
            ;
        if (i == 2)
            return refuse(w, "\\x without a number");
        copy(w, i);
        return HEED_OK;
    }
    for (i = 2; i < 6; i++)
        if (!is_hex(peek(w, i)))
            return refuse(w, "\\u without four digits");
    snprintf(text, sizeof text, "\\x{%.4s}", w->text + w->at + 2);
    put(w, text);
    w->at += 6;
    return HEED_OK;
}

static void put_boundary(walk *w, bool negated)
{
    static const char *const looks[] = {"(?:(?<=[", "])(?![", "])|(?<![", "])(?=["};
    put(w, negated ? "(?!" : "");
    for (size_t i = 0; i < COUNT(looks); i++) {
        put(w, looks[i]);
        put(w, WORD);
    }
    put(w, negated ? "])))" : "]))");
}

static heed_status escape(walk *w, bool inside)
{
    char c = peek(w, 1), lower = (char)(is_alpha(c) ? c | 0x20 : c);
    char name[2] = {lower, 0};
    const set *known = is_alpha(c) ? find_set(escapes, COUNT(escapes), name) : NULL;
    if (w->at + 1 >= w->n)
        return refuse(w, "a \\ at its end");
    if (known) {
        heed_status status = put_set(w, known, c != lower, inside);
        w->at += 2;
        return status;
    }
    if (lower == 'p')
        return property(w, inside);
    if (c == 'x' || c == 'u')
        return number(w);
    if (c == 'v') {
        put(w, "\\x0b");
        w->at += 2;
        return HEED_OK;
    }
    if (lower == 'b' && !inside) { /* between what is of a word and what is not */
        put_boundary(w, c == 'B');
        w->at += 2;
        return HEED_OK;
    }
    if (strchr("tnrfae", c) || is_digit(c) || (!inside && strchr("AzZGRXKkgN", c))) {
        copy(w, 2);
        return HEED_OK;
    }
    if (is_alpha(c) && strchr("OyYMCcQE", c))
        return refuse(w, "an escape that is not known");
    if (is_alpha(c)) { /* as it stands */
        w->at++;
        copy(w, 1);
        return HEED_OK;
    }
    copy(w, c >= 0 ? 2 : 1);
    return HEED_OK;
}

/* ---- Classes -------------------------------------------------------------------------------- */

/* [:alpha:], [:^alpha:] */
static heed_status posix(walk *w, bool *found)
{
    char name[NAME_MAX_BYTES];
    size_t end;
    bool negated = peek(w, 2) == '^';
    *found = peek(w, 1) == ':' && read_name(w, negated ? 3 : 2, ':', name, &end) &&
             peek(w, end + 1) == ']';
    if (!*found)
        return HEED_OK;
    const set *known = find_set(names, COUNT(names), name);
    if (!known)
        return refuse(w, "a POSIX class that is not known");
    heed_status status = put_set(w, known, negated, true);
    w->at += end + 2;
    return status;
}

/* Where the class that starts at `from` ends (its bracket), or n; *complex: it has && or a class
 * in it. */
static size_t class_end(const walk *w, size_t from, bool *complex)
{
    size_t i = from + 1, depth = 1;
    bool first = true;
    i += i < w->n && w->text[i] == '^';
    for (; i < w->n; i++, first = false) {
        char c = w->text[i];
        if (c == '\\') {
            i++;
        } else if (c == '[' && i + 1 < w->n && w->text[i + 1] == ':') {
            const char *close = memchr(w->text + i + 2, ']', w->n - i - 2);
            if (close && close[-1] == ':')
                i = (size_t)(close - w->text);
        } else if (c == '[') {
            *complex = true;
            depth++;
            i += i + 1 < w->n && w->text[i + 1] == '^';
        } else if (c == '&' && i + 1 < w->n && w->text[i + 1] == '&') {
            *complex = true;
        } else if (c == ']' && !first && --depth == 0) {
            return i;
        }
    }
    return w->n;
}

static heed_status class_item(walk *w)
{
    bool found = false;
    char c = peek(w, 0);
    if (c == '\\')
        return escape(w, true);
    if (c == '[') {
        heed_status status = posix(w, &found);
        if (status || found)
            return status;
        put(w, "\\");
    }
    copy(w, 1);
    return HEED_OK;
}

static heed_status simple_class(walk *w, size_t end)
{
    copy(w, peek(w, 1) == '^' ? 2 : 1);
    if (peek(w, 0) == ']') {
        put(w, "\\");
        copy(w, 1);
    }
    while (w->at < end) {
        heed_status status = class_item(w);
        if (status)
            return status;
    }
    copy(w, 1);
    return HEED_OK;
}

static heed_status class(walk *w);

/* One operand of &&, to the next or to the end: single characters and classes, one of them. */
static heed_status operand(walk *w, size_t end)
{
    heed_status status = HEED_OK;
    bool open = false, any = false;
    put(w, "(?:");
    while (!status && w->at < end && !(peek(w, 0) == '&' && peek(w, 1) == '&')) {
        bool nested = peek(w, 0) == '[' && peek(w, 1) != ':';
        if (nested && open)
            put(w, "]");
        if (nested || !open) {
            put(w, any ? "|" : "");
            put(w, nested ? "" : "[");
        }
        open = !nested;
        any = true;
        status = nested ? class(w) : class_item(w);
    }
    put(w, open ? "])" : any ? ")" : "(?!))");
    return status;
}

/* [A&&B] as (?=A)(?=B)., and [^A&&B] as what is not that. */
static heed_status complex_class(walk *w, size_t end)
{
    heed_status status = HEED_OK;
    bool negated = peek(w, 1) == '^';
    put(w, negated ? "(?:(?!" : "(?:");
    w->at += negated ? 2 : 1;
    while (!status) {
        put(w, "(?=");
        status = operand(w, end);
        put(w, ")");
        if (w->at >= end)
            break;
        w->at += 2;
    }
    put(w, negated ? "(?s:.))(?s:.))" : "(?s:.))");
    w->at++;
    return status;
}

static heed_status class(walk *w)
{
    bool complex = false;
    size_t end = class_end(w, w->at, &complex);
    if (end >= w->n)
        return refuse(w, "a [ without its ]");
    if (++w->nested > DEEPEST)
        return refuse(w, "classes that are nested too deep");
    heed_status status = complex ? complex_class(w, end) : simple_class(w, end);
    w->nested--;
    return status;
}

/* ---- Groups and repetitions ----------------------------------------------------------------- */

static heed_status enter(walk *w, ptrdiff_t start)
{
    if (w->depth >= DEEPEST)
        return refuse(w, "groups that are nested too deep");
    w->groups[w->depth++] = start;
    w->atom = NO_ATOM;
    return HEED_OK;
}

/* (?imx-imx) and (?imx-imx: ...); m is PCRE2's s. */
static heed_status flags(walk *w)
{
    ptrdiff_t start = (ptrdiff_t)w->out->n;
    size_t i = 2;
    put(w, "(?");
    for (; peek(w, i) && strchr("imx-", peek(w, i)); i++) {
        char c[2] = {peek(w, i) == 'm' ? 's' : peek(w, i), 0};
        put(w, c);
    }
    char last = peek(w, i);
    if ((last != ':' && last != ')') || (i == 2 && last == ')'))
        return refuse(w, "a group that is not known");
    w->at += i;
    copy(w, 1);
    w->atom = NO_ATOM;
    return last == ':' ? enter(w, start) : HEED_OK;
}

static heed_status group(walk *w)
{
    ptrdiff_t start = (ptrdiff_t)w->out->n;
    if (peek(w, 1) == '*')
        return refuse(w, "a callout");
    if (peek(w, 1) != '?') {
        copy(w, 1);
        return enter(w, start);
    }
    if (peek(w, 2) && strchr("=!>:", peek(w, 2))) {
        copy(w, 3);
        return enter(w, start);
    }
    if (peek(w, 2) == '<' && (peek(w, 3) == '=' || peek(w, 3) == '!')) {
        copy(w, 4);
        return enter(w, start);
    }
    if (peek(w, 2) == '<') {
        copy(w, 3);
        while (peek(w, 0) && peek(w, 0) != '>')
            copy(w, 1);
        copy(w, w->at < w->n);
        return enter(w, start);
    }
    if (peek(w, 2) == '#') {
        while (w->at < w->n && peek(w, 0) != ')')
            w->at++;
        w->at += w->at < w->n;
        return HEED_OK;
    }
    return flags(w);
}

/* Puts (?: before the atom and ) behind it. */
static void wrap(walk *w)
{
    tok_text *out = w->out;
    size_t from = (size_t)w->atom;
    put(w, "(?:)");
    if (out->failed)
        return;
    memmove(out->data + from + 3, out->data + from, out->n - from - 4);
    memcpy(out->data + from, "(?:", 3);
    out->data[out->n - 1] = ')';
}

/* {2}, {2,}, {,5}, {2,5}: the length, or 0 when it is just a brace. */
static size_t interval(const walk *w, bool *fixed, bool *no_low)
{
    size_t i = 1, low = 1, high;
    while (is_digit(peek(w, i)))
        i++;
    *no_low = i == low;
    *fixed = peek(w, i) != ',';
    if (*fixed)
        return !*no_low && peek(w, i) == '}' ? i + 1 : 0;
    for (high = ++i; is_digit(peek(w, i)); i++)
        ;
    return peek(w, i) == '}' && (!*no_low || i > high) ? i + 1 : 0;
}

static heed_status repeat(walk *w, size_t n, bool counted, bool fixed, bool no_low)
{
    if (w->atom == NO_ATOM)
        return refuse(w, "a repetition of nothing");
    if (no_low) {
        put(w, "{0");
        w->at++;
        n--;
    }
    copy(w, n);
    char next = peek(w, 0);
    if (counted && (next == '+' || (next == '?' && fixed))) {
        wrap(w); /* a repetition of the whole, where PCRE2 sees another kind of interval */
        copy(w, 1);
    } else if (next == '?' || (next == '+' && !counted)) {
        copy(w, 1);
    }
    next = peek(w, 0);
    if (next && strchr("*+?", next))
        wrap(w); /* a repetition of a repetition */
    return HEED_OK;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static heed_status close_group(walk *w)
{
    if (!w->depth)
        return refuse(w, "a ) without its (");
    copy(w, 1);
    w->atom = w->groups[--w->depth];
    return HEED_OK;
}

static heed_status letter(walk *w)
{
    char c = peek(w, 0);
    size_t n = 1;
    while (c < 0 && (peek(w, n) & 0xC0) == 0x80)
        n++;
    w->atom = c == '|' || c == '^' ? NO_ATOM : (ptrdiff_t)w->out->n;
    if (c == ']' || c == '{' || c == '}')
        put(w, "\\");
    copy(w, n);
    return HEED_OK;
}

static heed_status item(walk *w)
{
    bool fixed = false, no_low = false;
    char c = peek(w, 0);
    size_t n = c == '{' ? interval(w, &fixed, &no_low) : c && strchr("*+?", c) ? 1 : 0;
    if (n)
        return repeat(w, n, c == '{', fixed, no_low);
    if (c == '(')
        return group(w);
    if (c == ')')
        return close_group(w);
    if (c != '\\' && c != '[')
        return letter(w);
    w->atom = (ptrdiff_t)w->out->n;
    return c == '[' ? class(w) : escape(w, false);
}

const char *onig_translate(const char *pattern, size_t n, tok_text *out, size_t *place)
{
    walk w = {.text = pattern, .n = n, .out = out, .atom = NO_ATOM};
    while (w.at < n && item(&w) == HEED_OK)
        ;
    *place = w.at;
    return w.wrong;
}
