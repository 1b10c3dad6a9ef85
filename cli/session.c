/* session.c - from flags to a model and a session, and where its nodes run. */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "machine.h"
#include "model_files.h"

// clang-format off
const cli_flag session_flags[] = {
    {"backends",       "LIST", "in order of preference: names or plugin paths (cpu,reference)"},
    {"allow-fallback", NULL,   "use the default backends when a named one cannot be had"},
    {"attention",      "MODE", "auto (default), off, mha, gqa or flash"},
    {"without",        "LIST", "passes to leave out (heed explain names them); --no-dropout: none draws"},
    {"no-dropout",     NULL,   NULL},
    {"precision",      "P",    "fp32, so far the only one"},
    {"threads",        "N",    "threads of the pool; 0 (default): what the machine allows"},
    {"mem-limit",      "SIZE", "hard limit for memory, such as 512M; 0: none"},
    {"log",            "LEVEL", "none, error, warning (default), info or debug, on stderr"},
    {NULL, NULL, NULL},
};
// clang-format on

static const char *const levels[] = {"none", "error", "warning", "info", "debug", NULL};
static const char *const modes[] = {"auto", "off", "mha", "gqa", "flash", NULL};
static const char *const precisions[] = {"fp32", NULL};

static int find(const char *const *list, const char *text)
{
    for (int i = 0; list[i]; i++)
        if (!strcmp(list[i], text))
            return i;
    return -1;
}

static void log_line(uint32_t level, const char *message, void *arg)
{
    (void)arg;
    fprintf(stderr, "heed: %s: %s\n", level < 5 ? levels[level] : "log", message);
}

/* Warnings are shown unless told otherwise. */
static int set_log(const cli_args *args)
{
    const char *text = args_get(args, "log");
    int level = find(levels, text ? text : "warning");
    if (level < 0)
        return exit_with(EXIT_USAGE, "--log is none, error, warning, info or debug, not '%s'",
                         text);
    heed_set_log(level ? log_line : NULL, NULL, (uint32_t)level);
    return EXIT_OK;
}

int session_prepare(const cli_args *args)
{
    int64_t threads = 0;
    uint64_t limit = 0;
    const char *precision = args_get(args, "precision");
    int code = set_log(args);
    if (code)
        return code;
    if (precision && find(precisions, precision) < 0)
        return exit_with(EXIT_USAGE, "--precision %s is not offered; only fp32 is", precision);
    if (!args_read_int(args, "threads", 0, 4096, &threads) ||
        !args_read_bytes(args, "mem-limit", &limit))
        return EXIT_USAGE;
    if (threads && heed_set_threads((uint32_t)threads))
        return exit_error("--threads");
    if (limit && heed_set_memory_limit(limit))
        return exit_error("--mem-limit");
    return EXIT_OK;
}

const char *session_find_mode(const char *text)
{
    int i = find(modes, text);
    if (i < 0)
        exit_with(EXIT_USAGE, "--attention is auto, off, mha, gqa or flash, not '%s'", text);
    return i < 0 ? NULL : modes[i];
}

int session_read_options(const cli_args *args, heed_session_options *out)
{
    const char *attention = args_get(args, "attention");
    if (attention && !session_find_mode(attention))
        return EXIT_USAGE;
    *out = (heed_session_options){.size = sizeof *out,
                                  .flags =
                                      args_is_on(args, "no-dropout") ? HEED_SESSION_NO_DROPOUT : 0,
                                  .backends = args_get(args, "backends"),
                                  .attention = attention,
                                  .without = args_get(args, "without")};
    return EXIT_OK;
}

int session_check_file(const char *path)
{
    if (!files_exists(path) && !files_is_folder(path))
        return exit_with(EXIT_USAGE, "%s: %s", path, strerror(errno));
    return EXIT_OK;
}

int session_load_model(const char *path, heed_model **out)
{
    int code = session_check_file(path);
    if (code)
        return code;
    if (files_is_folder(path))
        return model_files_refuse(path);
    heed_status status = heed_model_load(path, NULL, out);
    if (!status)
        return EXIT_OK;
    /* The model itself was there: what is missing now is a part of it. */
    code = exit_error(path);
    return status == HEED_NOTFOUND ? EXIT_MODEL : code;
}

heed_status session_new_or_fall_back(const cli_args *args, heed_model *model,
                                     const heed_session_options *options, bool loud,
                                     heed_session **out)
{
    heed_status status = heed_session_new(model, options, out);
    if (status != HEED_DEVICE || !options->backends || !args_is_on(args, "allow-fallback"))
        return status;
    if (loud)
        note("%s; falling back to the default backends", heed_error_get()->message);
    heed_session_options defaults = *options;
    defaults.backends = NULL;
    return heed_session_new(model, &defaults, out);
}

int session_make(const cli_args *args, heed_model *model, const char *path, heed_session **out)
{
    heed_session_options options;
    int code = session_read_options(args, &options);
    if (!code && session_new_or_fall_back(args, model, &options, true, out))
        code = exit_error(path);
    return code;
}

/* ---- Placement ---- */

static session_count *count_at(session_count *counts, size_t *n, const char *backend)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp(counts[i].backend, backend))
            return &counts[i];
    if (*n == SESSION_BACKENDS)
        return &counts[*n - 1];
    session_count *added = &counts[(*n)++];
    *added = (session_count){0};
    snprintf(added->backend, sizeof added->backend, "%s", backend);
    return added;
}

size_t session_count_placement(const heed_session *session, session_count out[SESSION_BACKENDS])
{
    size_t n = 0;
    size_t nodes = heed_session_get_placement_count(session);
    for (size_t i = 0; i < nodes; i++) {
        heed_placement place = {.size = sizeof place};
        if (!heed_session_get_placement(session, i, &place))
            count_at(out, &n, place.backend)->nodes++;
    }
    return n;
}

void session_print_placement(FILE *file, const heed_session *session)
{
    session_count counts[SESSION_BACKENDS];
    size_t n = session_count_placement(session, counts);
    for (size_t i = 0; i < n; i++)
        fprintf(file, "%s%s %zu", i ? ", " : "", counts[i].backend, counts[i].nodes);
    fputs(n ? " nodes" : "no nodes", file);
}

void session_json_placement(json_out *out, const heed_session *session)
{
    session_count counts[SESSION_BACKENDS];
    size_t n = session_count_placement(session, counts);
    json_open(out, "placement", '{');
    for (size_t i = 0; i < n; i++)
        json_int(out, counts[i].backend, (int64_t)counts[i].nodes);
    json_close(out, '}');
}

static char *join_words(int argc, char *const *argv)
{
    char *text = cli_copy("heed");
    for (int i = 1; i < argc; i++) {
        const char *quote = strpbrk(argv[i], " \t\"'") ? "'" : "";
        char *longer = cli_format("%s %s%s%s", text, quote, argv[i], quote);
        free(text);
        text = longer;
    }
    return text;
}

void session_json_row(json_out *out, const cli_args *args, const char *model_path)
{
    char hash[65], cpu[128];
    json_text(out, "model", model_path);
    if (files_sha256(model_path, hash))
        json_text(out, "sha256", hash);
    json_text(out, "version", heed_version());
    machine_cpu_name(cpu, sizeof cpu);
    json_text(out, "cpu", cpu);
    json_int(out, "threads", heed_get_threads());
    char *command = join_words(args->argc, args->argv);
    json_text(out, "command", command);
    free(command);
}
