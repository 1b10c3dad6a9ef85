/* verb_test.c - heed test: runs folders of test cases and compares what comes out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "json.h"
#include "machine.h"
#include "session.h"

// clang-format off
static const cli_flag flags[] = {
    {"rtol", "R", "relative tolerance (1e-3, or by the case.json beside a model)"},
    {"atol", "A", "absolute tolerance (1e-7, or by the case.json beside a model)"},
    {"jobs", "N", "cases run at a time, each in a process (1); 0: one a CPU"},
    {NULL, NULL, NULL},
};
// clang-format on

typedef struct tally {
    const case_list *list;
    bool json, progress;
    size_t passed, failed, skipped;
    size_t no_device; /* of the failed */
} tally;

static void print_json(const case_result *result, const char *name, const char *status)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    json_text(&out, "case", name);
    json_text(&out, "status", status);
    json_text(&out, "reason", result->reason);
    if (result->measured) {
        json_real(&out, "max_abs", result->max_abs);
        json_real(&out, "max_rel", result->max_rel);
    } else {
        json_null(&out, "max_abs");
        json_null(&out, "max_rel");
    }
    json_real(&out, "ms", result->ms);
    json_close(&out, '}');
    json_end(&out);
    fflush(stdout);
}

static void print_line(tally *t, const case_result *result, const char *name, const char *status)
{
    if (t->progress)
        fputs("\r\033[K", stderr);
    if (result->state != CASE_PASSED)
        printf("%s %s: %s\n", status, name, result->reason);
    if (t->progress)
        fprintf(stderr, "%zu of %zu", t->passed + t->failed + t->skipped, t->list->n);
}

static void case_done(void *arg, size_t i, const case_result *result)
{
    static const char *const status[] = {"untried", "started", "passed", "failed", "skipped"};
    tally *t = arg;
    int state = atomic_load(&result->state);
    const char *name = t->list->names[i];
    t->passed += state == CASE_PASSED;
    t->failed += state == CASE_FAILED;
    t->skipped += state == CASE_SKIPPED;
    t->no_device += result->no_device;
    if (t->json)
        print_json(result, name, status[state]);
    else
        print_line(t, result, name, status[state]);
}

static bool read_rules(const cli_args *args, case_setup *setup)
{
    compare_rule rule = compare_node_rules.wide;
    setup->fixed = args_get(args, "rtol") || args_get(args, "atol");
    bool good =
        args_read_real(args, "rtol", &rule.rtol) && args_read_real(args, "atol", &rule.atol);
    setup->rules = (compare_rules){rule, rule};
    return good;
}

static int find_cases(const cli_args *args, case_list *list)
{
    for (size_t i = 0; i < args->n_words; i++)
        if (!case_find(list, args->words[i], args->n_words > 1 ? args->words[i] : ""))
            return exit_with(EXIT_USAGE, "%s: %s; heed test takes folders with cases",
                             args->words[i], strerror(errno));
    if (!list->n)
        return exit_with(EXIT_USAGE, "no folder with a model.onnx below %s", args->words[0]);
    return EXIT_OK;
}

static int run_cases(const case_setup *setup, const case_list *list, size_t jobs, bool json)
{
    tally t = {.list = list, .json = json, .progress = !json && isatty(STDERR_FILENO)};
    int code = case_run_all(setup, list, jobs, case_done, &t);
    if (t.progress)
        fputs("\r\033[K", stderr);
    if (code)
        return code;
    t.failed += list->n - t.passed - t.failed - t.skipped; /* what no worker got to */
    fflush(stdout);
    fprintf(json ? stderr : stdout, "%zu passed, %zu failed, %zu skipped\n", t.passed, t.failed,
            t.skipped);
    if (t.no_device)
        return EXIT_DEVICE;
    return t.failed ? EXIT_DIFFERS : EXIT_OK;
}

static int run(const cli_args *args)
{
    case_setup setup = {.args = args};
    case_list list = {0};
    int64_t jobs = 1;
    bool ok;
    bool json = args_want_json(args, &ok);
    if (!ok || !args_read_int(args, "jobs", 0, 64, &jobs) || !read_rules(args, &setup))
        return EXIT_USAGE;
    if (!args->n_words)
        return exit_with(EXIT_USAGE, "heed test needs a folder");
    int code = session_read_options(args, &setup.options);
    if (!code)
        code = find_cases(args, &list);
    if (!code)
        code = run_cases(&setup, &list, jobs ? (size_t)jobs : machine_cpus(), json);
    case_free(&list);
    return code;
}

const cli_verb verb_test = {
    .name = "test",
    .usage = "DIR...",
    .summary = "runs every model below DIR on its test data and compares the outputs",
    .flags = {flags, session_flags, format_flags},
    .notes =
        "A case is a folder with model.onnx and test_data_set_N/{input,output}_M.pb. Those that\n"
        "fail are printed with the first differing element; the last line counts them. With\n"
        "--json each case is one object on a line, and the count goes to stderr.\n",
    .run = run,
};
