/* options.c - the command line and the environment against a verb's flag tables.
 *
 * Values stay text and are looked up by the flag's name, so that a flag is one row and one use.
 * What stands on the command line wins over the environment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

// clang-format off
const cli_flag format_flags[] = {
    {"json",   NULL, "the same as --format json"},
    {"format", "F",  "text (default) or json, on stdout"},
    {NULL, NULL, NULL},
};
// clang-format on

enum { MAX_TABLES = 4 };

/* Flag i over all tables of the verb, or NULL past the end. */
static const cli_flag *flag_at(const cli_verb *verb, size_t i)
{
    for (size_t t = 0; t < MAX_TABLES && verb->flags[t]; t++)
        for (const cli_flag *flag = verb->flags[t]; flag->name; flag++)
            if (i-- == 0)
                return flag;
    return NULL;
}

static const char *flag_name_at(const void *verb, size_t i)
{
    const cli_flag *flag = flag_at(verb, i);
    return flag ? flag->name : NULL;
}

static const cli_flag *flag_find(const cli_verb *verb, const char *name, size_t length)
{
    const cli_flag *flag;
    for (size_t i = 0; (flag = flag_at(verb, i)); i++)
        if (strlen(flag->name) == length && !strncmp(flag->name, name, length))
            return flag;
    return NULL;
}

/* ---- Parsing -------------------------------------------------------------------------- */

static void add_word(cli_args *args, const char *word)
{
    args->words = cli_grow(args->words, args->n_words + 1, sizeof *args->words);
    args->words[args->n_words++] = word;
}

static void add_value(cli_args *args, const cli_flag *flag, const char *text)
{
    args->values = cli_grow(args->values, args->n_values + 1, sizeof *args->values);
    args->values[args->n_values++] = (cli_value){flag, text};
}

static int unknown_flag(const cli_verb *verb, const char *name, size_t length)
{
    char *word = cli_format("%.*s", (int)length, name);
    const char *near = help_nearest(word, flag_name_at, verb);
    if (near)
        exit_with(EXIT_USAGE, "unknown flag --%s; did you mean --%s?", word, near);
    else
        exit_with(EXIT_USAGE, "unknown flag --%s; see 'heed %s --help'", word, verb->name);
    free(word);
    return EXIT_USAGE;
}

/* argv[*i] starts with "--"; takes its value too when that is the next word. */
static int parse_flag(cli_args *args, int *i)
{
    const char *name = args->argv[*i] + 2;
    size_t length = strcspn(name, "=");
    if (length == 4 && !strncmp(name, "help", 4)) {
        args->help = true;
        return EXIT_OK;
    }
    const cli_flag *flag = flag_find(args->verb, name, length);
    if (!flag)
        return unknown_flag(args->verb, name, length);
    if (name[length] == '=')
        add_value(args, flag, name + length + 1);
    else if (!flag->argument)
        add_value(args, flag, "1");
    else if (*i + 1 < args->argc)
        add_value(args, flag, args->argv[++*i]);
    else
        return exit_with(EXIT_USAGE, "--%s needs a value (%s)", flag->name, flag->argument);
    return EXIT_OK;
}

static void add_environment(cli_args *args)
{
    const cli_flag *flag;
    for (size_t i = 0; (flag = flag_at(args->verb, i)); i++) {
        char name[64];
        help_env_name(flag, name, sizeof name);
        const char *text = getenv(name);
        if (text && *text && !args_get(args, flag->name))
            add_value(args, flag, text);
    }
}

static const char *const yes[] = {"1", "true", "yes", "on", NULL};
static const char *const no[] = {"0", "false", "no", "off", NULL};

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (!strcasecmp(text, *list))
            return true;
    return false;
}

static int check_switches(const cli_args *args)
{
    for (size_t i = 0; i < args->n_values; i++) {
        const cli_value *value = &args->values[i];
        if (!value->flag->argument && !is_one_of(value->text, yes) && !is_one_of(value->text, no))
            return exit_with(EXIT_USAGE, "--%s is a switch: 1 or 0, not '%s'", value->flag->name,
                             value->text);
    }
    return EXIT_OK;
}

int args_parse(const cli_verb *verb, int argc, char **argv, cli_args *out)
{
    *out = (cli_args){.verb = verb, .argc = argc, .argv = argv};
    bool only_words = false;
    for (int i = 2; i < argc; i++) {
        const char *word = argv[i];
        int code = EXIT_OK;
        if (only_words || strncmp(word, "-", 1) || !word[1])
            add_word(out, word);
        else if (!strcmp(word, "--"))
            only_words = true;
        else if (!strcmp(word, "-h"))
            out->help = true;
        else if (!strncmp(word, "--", 2))
            code = parse_flag(out, &i);
        else
            code = exit_with(EXIT_USAGE, "unknown flag %s; flags start with two dashes", word);
        if (code)
            return code;
    }
    out->n_given = out->n_values;
    add_environment(out);
    return check_switches(out);
}

void args_free(cli_args *args)
{
    free(args->words);
    free(args->values);
    *args = (cli_args){0};
}

/* ---- Looking values up ---------------------------------------------------------------- */

const char *args_get_nth(const cli_args *args, const char *name, size_t i)
{
    for (size_t k = 0; k < args->n_values; k++)
        if (!strcmp(args->values[k].flag->name, name) && i-- == 0)
            return args->values[k].text;
    return NULL;
}

const char *args_get(const cli_args *args, const char *name)
{
    for (size_t k = args->n_values; k-- > 0;)
        if (!strcmp(args->values[k].flag->name, name))
            return args->values[k].text;
    return NULL;
}

bool args_is_on(const cli_args *args, const char *name)
{
    const char *text = args_get(args, name);
    return text && is_one_of(text, yes);
}

bool args_read_int(const cli_args *args, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const char *text = args_get(args, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < min || value > max) {
        note("--%s takes a whole number from %lld to %lld, not '%s'", name, (long long)min,
             (long long)max, text);
        return false;
    }
    *out = value;
    return true;
}

bool args_read_real(const cli_args *args, const char *name, double *out)
{
    const char *text = args_get(args, name);
    if (!text)
        return true;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0)) {
        note("--%s takes a number that is not negative, not '%s'", name, text);
        return false;
    }
    *out = value;
    return true;
}

bool args_read_between(const cli_args *args, const char *name, double min, double max, double *out)
{
    const char *text = args_get(args, name);
    if (!text)
        return true;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max)) {
        note("--%s takes a number from %g to %g, not '%s'", name, min, max, text);
        return false;
    }
    *out = value;
    return true;
}

/* The power of two that a size's suffix stands for, or -1: "", K, M, G, T, each also with B, iB. */
static int shift_of(const char *suffix)
{
    static const char letters[] = "KMGT";
    if (!*suffix || !strcasecmp(suffix, "B"))
        return 0;
    const char *letter = strchr(letters, suffix[0] & ~0x20);
    if (!letter || (suffix[1] && strcasecmp(suffix + 1, "B") && strcasecmp(suffix + 1, "iB")))
        return -1;
    return 10 * (int)(letter - letters + 1);
}

bool args_read_bytes(const cli_args *args, const char *name, uint64_t *out)
{
    const char *text = args_get(args, name);
    if (!text)
        return true;
    char *end;
    double value = strtod(text, &end);
    int shift = shift_of(end);
    if (end == text || shift < 0 || !(value >= 0) || value > 1e15) {
        note("--%s takes a size such as 512M or 2G, not '%s'", name, text);
        return false;
    }
    *out = (uint64_t)(value * (double)(UINT64_C(1) << shift));
    return true;
}

static bool is_given(const cli_args *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (!strcmp(args->values[i].flag->name, name))
            return true;
    return false;
}

const char *args_format(const cli_args *args, const char *otherwise)
{
    const char *format = args_get(args, "format");
    if (!args_is_on(args, "json"))
        return format ? format : otherwise;
    bool json = is_given(args, "json"), other = is_given(args, "format");
    if (json && other && strcmp(format, "json")) {
        note("--json and --format %s contradict each other: leave one out", format);
        return NULL;
    }
    return other ? format : "json";
}

bool args_want_json(const cli_args *args, bool *ok)
{
    const char *format = args_format(args, "text");
    bool json = format && !strcmp(format, "json");
    *ok = json || (format && !strcmp(format, "text"));
    if (format && !*ok)
        note("--format is text or json, not '%s'", format);
    return json;
}
