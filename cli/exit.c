/* exit.c - how the command ends: exit codes, error lines, and memory that never comes back NULL.
 *
 * Separate because the mapping from a status to an exit code is a contract with scripts. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

// clang-format off
static const int codes[] = {
    [HEED_OK]          = EXIT_OK,
    [HEED_UNSUPPORTED] = EXIT_MODEL,
    [HEED_INVALID]     = EXIT_MODEL,
    [HEED_NOMEM]       = EXIT_MEMORY,
    [HEED_NOTFOUND]    = EXIT_USAGE, /* a file that the caller named */
    [HEED_DEVICE]      = EXIT_DEVICE,
    [HEED_INTERNAL]    = EXIT_INTERNAL,
    [HEED_CANCELLED]   = EXIT_STOPPED,
    [HEED_DEADLINE]    = EXIT_STOPPED,
    [HEED_IO]          = EXIT_USAGE,
    [HEED_USAGE]       = EXIT_USAGE,
    [HEED_FORKED]      = EXIT_INTERNAL,
};
// clang-format on

int exit_code_of(heed_status status)
{
    return status < sizeof codes / sizeof codes[0] ? codes[status] : EXIT_INTERNAL;
}

static void say(const char *format, va_list list) HEED_PRINTF(1, 0);
static void say(const char *format, va_list list)
{
    fflush(stdout); /* keeps the order when both go to one terminal */
    fputs("heed: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

int exit_with(int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
    return code;
}

void note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
}

int exit_error(const char *subject)
{
    const heed_error *error = heed_error_get();
    int code = exit_code_of(error->status);
    if (strcmp(error->element, subject) == 0) /* the message begins with it already */
        return exit_with(code, "%s", error->message);
    return exit_with(code, "%s: %s", subject, error->message);
}

void *cli_alloc(size_t n, size_t size)
{
    void *pointer = calloc(n ? n : 1, size ? size : 1);
    if (!pointer)
        exit(exit_with(EXIT_MEMORY, "out of memory (%zu x %zu bytes)", n, size));
    return pointer;
}

void *cli_grow(void *pointer, size_t n, size_t size)
{
    size_t bytes;
    void *grown = NULL;
    if (!__builtin_mul_overflow(n, size, &bytes))
        grown = realloc(pointer, bytes ? bytes : 1);
    if (!grown)
        exit(exit_with(EXIT_MEMORY, "out of memory (%zu x %zu bytes)", n, size));
    return grown;
}

char *cli_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(cli_alloc(size, 1), text, size);
}

char *cli_format(const char *format, ...)
{
    char *text = NULL;
    va_list list;
    va_start(list, format);
    int n = vasprintf(&text, format, list);
    va_end(list);
    if (n < 0)
        exit(exit_with(EXIT_MEMORY, "out of memory"));
    return text;
}
