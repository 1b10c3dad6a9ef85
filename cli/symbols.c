/* symbols.c - the symbols of symbolic dimensions: their values, expressions over them, guesses.
 *
 * A symbol has one value in all inputs of a model. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "shapes.h"

/* ---- Symbols -------------------------------------------------------------------------- */

const shape_symbol *shapes_find(const shape_env *env, const char *name)
{
    for (size_t i = 0; i < env->n; i++)
        if (!strcmp(env->symbols[i].name, name))
            return &env->symbols[i];
    return NULL;
}

bool shapes_bind(shape_env *env, const char *name, int64_t value, bool guessed, const char *origin)
{
    const shape_symbol *old = shapes_find(env, name);
    if (old)
        return old->value == value;
    env->symbols = cli_grow(env->symbols, env->n + 1, sizeof *env->symbols);
    env->symbols[env->n++] = (shape_symbol){cli_copy(name), value, guessed, cli_copy(origin)};
    return true;
}

void shapes_free(shape_env *env)
{
    for (size_t i = 0; i < env->n; i++) {
        free(env->symbols[i].name);
        free(env->symbols[i].origin);
    }
    free(env->symbols);
    *env = (shape_env){0};
}

/* ---- Expressions -------------------------------------------------------------------------------
 *   sum    = product {("+" | "-") product}
 *   product = factor {("*" | "//") factor}
 *   factor = number | name | "(" sum ")" | ("max" | "min") "(" sum "," sum ")" | "-" factor
 * Text that is no expression is one symbol by itself: exporters put anything into dim_param. */

enum { NAME_SIZE = 128, DEPTH = 32 };

typedef void (*name_fn)(void *arg, const char *name);

typedef struct parser {
    const char *at;
    const shape_env *env;
    name_fn visit; /* called for each name; values are then not needed */
    void *arg;
    int depth;
    bool broken;  /* no expression, or a value out of range */
    bool unknown; /* a symbol without a value */
} parser;

static int64_t parse_sum(parser *p);

static void skip_spaces(parser *p)
{
    while (*p->at == ' ')
        p->at++;
}

static bool accept(parser *p, const char *token)
{
    skip_spaces(p);
    size_t n = strlen(token);
    if (strncmp(p->at, token, n))
        return false;
    p->at += n;
    return true;
}

static void expect(parser *p, const char *token)
{
    if (!accept(p, token))
        p->broken = true;
}

static bool is_name_char(const char *at)
{
    return isalnum((unsigned char)*at) || (*at && strchr("_.:?@#$", *at)) ||
           (*at == '/' && at[1] != '/') || (*at & 0x80);
}

static int64_t symbol_value(parser *p, const char *name)
{
    if (p->visit) {
        p->visit(p->arg, name);
        return 1;
    }
    const shape_symbol *symbol = shapes_find(p->env, name);
    p->unknown |= !symbol;
    return symbol ? symbol->value : 1;
}

static int64_t parse_extreme(parser *p, bool largest)
{
    int64_t a = parse_sum(p);
    expect(p, ",");
    int64_t b = parse_sum(p);
    expect(p, ")");
    return (a > b) == largest ? a : b;
}

static int64_t parse_name(parser *p)
{
    char name[NAME_SIZE];
    size_t n = 0;
    while (is_name_char(p->at) && n + 1 < sizeof name)
        name[n++] = *p->at++;
    name[n] = 0;
    p->broken |= n == 0 || is_name_char(p->at);
    if (p->broken)
        return 1;
    if (*p->at != '(')
        return symbol_value(p, name);
    p->at++;
    if (!strcasecmp(name, "max") || !strcasecmp(name, "min"))
        return parse_extreme(p, !strcasecmp(name, "max"));
    p->broken = true;
    return 1;
}

static int64_t parse_number(parser *p)
{
    char *end;
    errno = 0;
    int64_t value = strtoll(p->at, &end, 10);
    p->broken |= errno != 0 || is_name_char(end);
    p->at = end;
    return value;
}

static int64_t parse_factor(parser *p)
{
    int64_t value = 1;
    if (++p->depth > DEPTH)
        p->broken = true;
    skip_spaces(p);
    if (p->broken)
        return 1;
    if (accept(p, "(")) {
        value = parse_sum(p);
        expect(p, ")");
    } else if (accept(p, "-")) {
        int64_t right = parse_factor(p);
        p->broken |= __builtin_sub_overflow((int64_t)0, right, &value);
    } else if (isdigit((unsigned char)*p->at)) {
        value = parse_number(p);
    } else {
        value = parse_name(p);
    }
    p->depth--;
    return value;
}

static int64_t floor_divide(parser *p, int64_t a, int64_t b)
{
    if (b == 0 || (b == -1 && a == INT64_MIN)) {
        p->broken |= !p->visit && !p->unknown;
        return 1;
    }
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t parse_product(parser *p)
{
    int64_t value = parse_factor(p);
    while (!p->broken) {
        bool divides = accept(p, "//");
        if (!divides && !accept(p, "*"))
            break;
        int64_t right = parse_factor(p);
        if (divides)
            value = floor_divide(p, value, right);
        else
            p->broken |= __builtin_mul_overflow(value, right, &value);
    }
    return value;
}

static int64_t parse_sum(parser *p)
{
    int64_t value = parse_product(p);
    while (!p->broken) {
        bool adds = accept(p, "+");
        if (!adds && !accept(p, "-"))
            break;
        int64_t right = parse_product(p);
        p->broken |= adds ? __builtin_add_overflow(value, right, &value)
                          : __builtin_sub_overflow(value, right, &value);
    }
    return value;
}

static int64_t parse_all(parser *p)
{
    int64_t value = parse_sum(p);
    skip_spaces(p);
    p->broken |= *p->at != 0;
    return value;
}

bool shapes_eval(const shape_env *env, const char *text, int64_t *value)
{
    const shape_symbol *symbol = shapes_find(env, text);
    if (symbol) {
        *value = symbol->value;
        return true;
    }
    parser p = {.at = text, .env = env};
    *value = parse_all(&p);
    return !p.broken && !p.unknown && *value >= 0;
}

static void visit_nothing(void *arg, const char *name)
{
    (void)arg;
    (void)name;
}

/* Calls visit for every symbol of the expression, or once with all of it when it is none. */
static void visit_names(const char *text, name_fn visit, void *arg)
{
    parser dry = {.at = text, .visit = visit_nothing};
    parse_all(&dry);
    if (dry.broken) {
        visit(arg, text);
        return;
    }
    parser p = {.at = text, .visit = visit, .arg = arg};
    parse_all(&p);
}

/* ---- Guesses -------------------------------------------------------------------------- */

typedef struct guesser {
    shape_env *env;
    bool first_axis;
} guesser;

static void guess_one(void *arg, const char *name)
{
    guesser *g = arg;
    if (shapes_find(g->env, name))
        return;
    int64_t value = 128;
    if (strcasestr(name, "past"))
        value = 0;
    else if (g->first_axis || strcasestr(name, "batch"))
        value = 1;
    shapes_bind(g->env, name, value, true, "a guess");
}

void shapes_guess(shape_env *env, const char *text, bool first_axis)
{
    guesser g = {env, first_axis};
    visit_names(text, guess_one, &g);
}

typedef struct finder {
    const char *name;
    bool found;
} finder;

static void compare_name(void *arg, const char *name)
{
    finder *f = arg;
    f->found |= !strcmp(f->name, name);
}

bool shapes_mentions(const char *text, const char *name)
{
    finder f = {name, !strcmp(text, name)};
    visit_names(text, compare_name, &f);
    return f.found;
}

static void count_name(void *arg, const char *name)
{
    (void)name;
    ++*(size_t *)arg;
}

bool shapes_is_symbol(const char *text)
{
    size_t names = 0;
    visit_names(text, count_name, &names);
    return names == 1 && shapes_mentions(text, text) && !strpbrk(text, "+*() ");
}
