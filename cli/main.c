/* main.c - finds the verb and runs it. */
#include <string.h>

#include "cli.h"

static const char *verb_name_at(const void *unused, size_t i)
{
    (void)unused;
    return verb_table[i] ? verb_table[i]->name : NULL;
}

static const cli_verb *find_verb(const char *name)
{
    for (const cli_verb *const *verb = verb_table; *verb; verb++)
        if (!strcmp((*verb)->name, name))
            return *verb;
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *near = help_nearest(name, verb_name_at, NULL);
    if (near)
        note("unknown verb '%s'; did you mean '%s'?", name, near);
    else
        note("unknown verb '%s'", name);
    help_print_all(stderr);
    return EXIT_USAGE;
}

static int run_verb(const cli_verb *verb, int argc, char **argv)
{
    cli_args args;
    int code = args_parse(verb, argc, argv, &args);
    if (!code && args.help)
        help_print_verb(stdout, verb);
    else if (!code)
        code = verb->run(&args);
    args_free(&args);
    /* A full disk or a closed pipe must not look like success. */
    if ((fflush(stdout) || ferror(stdout)) && !code)
        code = exit_with(EXIT_USAGE, "writing to standard output failed");
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_print_all(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    bool help = !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
    if (help && argc == 2) {
        help_print_all(stdout);
        return EXIT_OK;
    }
    if (!strcmp(word, "--version")) {
        help_print_version();
        return EXIT_OK;
    }
    const cli_verb *verb = find_verb(help ? argv[2] : word);
    if (!verb)
        return unknown_verb(help ? argv[2] : word);
    if (help) {
        help_print_verb(stdout, verb);
        return EXIT_OK;
    }
    return run_verb(verb, argc, argv);
}
