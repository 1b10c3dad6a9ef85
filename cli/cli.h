/* cli.h - what every file of the command shares: verbs, flags, arguments, exit codes.
 *
 * The command stands on the public interface only (heed/heed.h). A verb is one file, verb_NAME.c,
 * that defines `const cli_verb verb_NAME`; the build collects them into verb_table. A flag is one
 * row of a table; from it come its parsing, its environment variable and its line of help. */
#ifndef HEED_CLI_H
#define HEED_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "heed/heed.h"

/* The exit codes are a contract with scripts. */
enum {
    EXIT_OK = 0,
    EXIT_DIFFERS = 1,  /* a compare or a test failed */
    EXIT_USAGE = 2,    /* wrong arguments, or a file that is not there */
    EXIT_DEVICE = 3,   /* the requested device or plugin is not available */
    EXIT_MODEL = 4,    /* the model is invalid or not supported */
    EXIT_MEMORY = 5,   /* out of memory */
    EXIT_STOPPED = 6,  /* deadline passed, or cancelled */
    EXIT_INTERNAL = 70 /* a defect of heed */
};

/* ---- Verbs and flags ------------------------------------------------------------------ */

/* --NAME, or --NAME ARGUMENT. The environment variable is HEED_NAME, dashes as underscores. */
typedef struct cli_flag {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* "N"; NULL for a switch */
    const char *help;     /* NULL: another flag's line tells of it, too */
} cli_flag;

typedef struct cli_args cli_args;

typedef struct cli_verb {
    const char *name;
    const char *usage;                /* what follows the name: "MODEL [name=VALUE...]" */
    const char *summary;              /* one line */
    const char *notes;                /* shown below the flags, or NULL */
    const cli_flag *flags[4];         /* tables, NULL after the last; common ones are shared */
    int (*run)(const cli_args *args); /* gives the exit code */
} cli_verb;

extern const cli_verb *const verb_table[]; /* generated; NULL-ended */

/* ---- Arguments (options.c) ------------------------------------------------------------ */

typedef struct cli_value {
    const cli_flag *flag;
    const char *text; /* "1" for a switch without a value */
} cli_value;

struct cli_args {
    const cli_verb *verb;
    size_t n_words, n_values;
    size_t n_given;     /* values of the command line, which come first */
    const char **words; /* what is not a flag, in order */
    cli_value *values;  /* flags given, in order; then those of the environment */
    bool help;          /* --help was among them */
    int argc;           /* the whole command line, for reports */
    char **argv;
};

/* Parses argv[2..]. Returns EXIT_OK, or the exit code after it printed what is wrong. */
int args_parse(const cli_verb *verb, int argc, char **argv, cli_args *out);
void args_free(cli_args *args);
const char *args_get(const cli_args *args, const char *name); /* the last value, or NULL */
const char *args_get_nth(const cli_args *args, const char *name, size_t i);
bool args_is_on(const cli_args *args, const char *name);
/* Reads a number within [min, max]; leaves *out alone when the flag is not given. False, after a
 * message, when the text is not one. */
bool args_read_int(const cli_args *args, const char *name, int64_t min, int64_t max, int64_t *out);
bool args_read_real(const cli_args *args, const char *name, double *out);
bool args_read_between(const cli_args *args, const char *name, double min, double max, double *out);
bool args_read_bytes(const cli_args *args, const char *name, uint64_t *out); /* 512M, 2G */
/* What --format or --json says, `otherwise` where neither stands; NULL, after a message, when both
 * do and they differ. */
const char *args_format(const cli_args *args, const char *otherwise);
/* Is it json? False with *ok = false for a format that is unknown. */
bool args_want_json(const cli_args *args, bool *ok);
extern const cli_flag format_flags[]; /* --json, --format */

/* ---- Help (help.c) -------------------------------------------------------------------- */

void help_print_all(FILE *file);
void help_print_verb(FILE *file, const cli_verb *verb);
void help_print_version(void);
/* The HEED_ name of a flag. */
void help_env_name(const cli_flag *flag, char *out, size_t size);
/* The candidate (next(i) until NULL) that is nearest to `word`, or NULL when none is near. */
const char *help_nearest(const char *word, const char *(*next)(const void *arg, size_t i),
                         const void *arg);

/* ---- Ends (exit.c) -------------------------------------------------------------------- */

int exit_code_of(heed_status status);
/* Prints "heed: ..." to stderr, and returns the code. */
int exit_with(int code, const char *format, ...) HEED_PRINTF(2, 3);
/* Prints "heed: SUBJECT: message" of the last error, and returns its code. */
int exit_error(const char *subject);
void note(const char *format, ...) HEED_PRINTF(1, 2); /* progress and remarks: stderr */

/* Memory of a program: out of memory ends it with code 5. */
void *cli_alloc(size_t n, size_t size); /* zeroed */
void *cli_grow(void *pointer, size_t n, size_t size);
char *cli_copy(const char *text);
char *cli_format(const char *format, ...) HEED_PRINTF(1, 2);

#endif
