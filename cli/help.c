/* help.c - the texts that explain the command, written from the tables, and near misses. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void help_env_name(const cli_flag *flag, char *out, size_t size)
{
    snprintf(out, size, "HEED_%s", flag->name);
    for (char *c = out; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
}

static int flag_left(const cli_flag *flag, char *out, size_t size)
{
    return snprintf(out, size, "--%s%s%s", flag->name, flag->argument ? " " : "",
                    flag->argument ? flag->argument : "");
}

static void print_flag(FILE *file, const cli_flag *flag, int width)
{
    char left[48];
    if (!flag->help)
        return;
    flag_left(flag, left, sizeof left);
    fprintf(file, "  %-*s %s\n", width, left, flag->help);
}

/* The widest flag, but not wider than leaves room for what it does. */
static int column_width(const cli_verb *verb)
{
    char left[48];
    int width = 20;
    for (size_t t = 0; t < 4 && verb->flags[t]; t++)
        for (const cli_flag *flag = verb->flags[t]; flag->name; flag++) {
            int n = flag->help ? flag_left(flag, left, sizeof left) : 0;
            width = n > width && n < 26 ? n : width;
        }
    return width;
}

void help_print_verb(FILE *file, const cli_verb *verb)
{
    int width = column_width(verb);
    fprintf(file, "heed %s%s%s\n%s\n\n", verb->name, *verb->usage ? " " : "", verb->usage,
            verb->summary);
    for (size_t t = 0; t < 4 && verb->flags[t]; t++)
        for (const cli_flag *flag = verb->flags[t]; flag->name; flag++)
            print_flag(file, flag, width);
    fputs("Each flag can be set in the environment: --some-flag as HEED_SOME_FLAG.\n", file);
    if (verb->notes)
        fprintf(file, "\n%s", verb->notes);
}

void help_print_all(FILE *file)
{
    fputs("heed VERB ...: runs exported ONNX transformers\n\n", file);
    for (const cli_verb *const *verb = verb_table; *verb; verb++)
        fprintf(file, "  %-10s %s\n", (*verb)->name, (*verb)->summary);
    fputs("\n'heed VERB --help' shows a verb's flags; 'heed --version' the build.\n"
          "Exit codes: 0 ok, 1 a test failed, 2 usage, 3 no such device or plugin, 4 bad or\n"
          "unsupported model, 5 out of memory, 6 deadline or cancelled, 70 internal error.\n",
          file);
}

void help_print_version(void) { printf("heed %s\n%s\n", heed_version(), heed_build_options()); }

/* ---- Near misses ---------------------------------------------------------------------- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's edit distance, one row at a time; long words count as far apart. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t row[LONGEST + 1];
    size_t n = strlen(b);
    if (n > LONGEST || strlen(a) > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[n];
}

const char *help_nearest(const char *word, const char *(*next)(const void *arg, size_t i),
                         const void *arg)
{
    const char *best = NULL;
    size_t least = (strlen(word) + 1) / 2 + 1; /* more than half wrong is no near miss */
    const char *candidate;
    for (size_t i = 0; (candidate = next(arg, i)); i++) {
        size_t d = distance(word, candidate);
        if (d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}
