/* verb_run.c - heed run: runs a model once or more, and says what came out, where it ran, and how
 * long and how much it took. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "interrupt.h"
#include "npy.h"
#include "print.h"
#include "run_report.h"
#include "session.h"

// clang-format off
static const cli_flag flags[] = {
    {"shape",       "LIST", "x:1x128, X:[1,128] or symbol=N, separated by commas"},
    {"output",      "FILE", "write the outputs to a .npz (or one output to a .npy)"},
    {"repeat",      "N",    "run N times (1) and report the least and the median time"},
    {"deadline-ms", "N",    "stop after N milliseconds, with exit code 6"},
    {"dry-run",     NULL,   "print the plan: inputs, placement, weights; run nothing"},
    {"timing",      NULL,   "break the load time down"},
    {NULL, NULL, NULL},
};
// clang-format on

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && !strcmp(path + n - m, ending);
}

/* ---- Outputs to a file ---- */

/* A sequence becomes one member an item. */
static bool add_member(npz_writer *writer, const char *name, const heed_tensor *tensor, char *why)
{
    if (heed_tensor_get_kind(tensor) == HEED_TENSOR)
        return npz_add(writer, name, tensor, why);
    bool good = true;
    for (size_t i = 0; i < heed_tensor_get_item_count(tensor) && good; i++) {
        char *item = cli_format("%s.%zu", name, i);
        good = add_member(writer, item, heed_tensor_get_item(tensor, i), why);
        free(item);
    }
    return good;
}

static int save_npz(const run_report *report, const char *path)
{
    npz_writer writer = {0};
    char why[NPY_WHY] = "";
    bool good = true;
    for (size_t i = 0; i < report->n_out && good; i++)
        good =
            add_member(&writer, heed_model_get_output(report->model, i)->name, report->out[i], why);
    if (good && !npz_save(&writer, path)) {
        snprintf(why, sizeof why, "%s", strerror(errno));
        good = false;
    }
    npz_free(&writer);
    return good ? EXIT_OK : exit_with(EXIT_USAGE, "%s: %s", path, why);
}

static int save_npy(const run_report *report, const char *path)
{
    file_bytes bytes = {0};
    char why[NPY_WHY];
    if (report->n_out != 1)
        return exit_with(EXIT_USAGE, "%s: the model has %zu outputs; write a .npz", path,
                         report->n_out);
    bool good = npy_encode(report->out[0], &bytes, why);
    if (good && !files_write(path, &bytes)) {
        snprintf(why, sizeof why, "%s", strerror(errno));
        good = false;
    }
    files_free(&bytes);
    return good ? EXIT_OK : exit_with(EXIT_USAGE, "%s: %s", path, why);
}

static int save_outputs(const run_report *report)
{
    const char *path = args_get(report->args, "output");
    if (!path)
        return EXIT_OK;
    return has_ending(path, ".npy") ? save_npy(report, path) : save_npz(report, path);
}

/* ---- Running ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void free_outputs(run_report *report)
{
    for (size_t i = 0; i < report->n_out; i++)
        heed_tensor_free(report->out[i]);
    if (report->n_out)
        memset(report->out, 0, report->n_out * sizeof *report->out);
}

static heed_status run_once(run_report *report, const heed_run_options *options, uint64_t *ns)
{
    const input_set *in = &report->inputs;
    free_outputs(report);
    uint64_t start = print_now();
    heed_status status = heed_session_run(report->session, options, in->n_fed, in->names,
                                          in->tensors, report->n_out, NULL, report->out);
    *ns = print_now() - start;
    return status;
}

/* The first run binds a plan to the shapes; its time is kept apart from those that follow. */
static int run_all(run_report *report, int64_t repeat, int64_t deadline_ms)
{
    heed_run_options options = {.size = sizeof options, .cancel = interrupt_catch()};
    uint64_t *times = cli_alloc((size_t)repeat, sizeof *times);
    heed_status status = HEED_OK;
    if (deadline_ms > 0)
        options.deadline_ns = print_now() + (uint64_t)deadline_ms * 1000000u;
    for (int64_t i = 0; i < repeat && !status; i++)
        status = run_once(report, &options, &times[i]);
    report->first_ns = times[0];
    report->runs = (size_t)repeat;
    qsort(times, (size_t)repeat, sizeof *times, by_value);
    report->least_ns = times[0];
    report->median_ns = times[repeat / 2];
    free(times);
    return status ? exit_error(report->path) : EXIT_OK;
}

static int run_and_print(run_report *report, int64_t repeat, int64_t deadline_ms)
{
    int code = EXIT_OK;
    report->n_out = heed_model_get_output_count(report->model);
    report->out = cli_alloc(report->n_out, sizeof *report->out);
    if (!report->dry)
        code = run_all(report, repeat, deadline_ms);
    if (!code)
        run_report_print(report);
    if (!code && !report->dry)
        code = save_outputs(report);
    free_outputs(report);
    free(report->out);
    return code;
}

static int run_model(run_report *report, int64_t repeat, int64_t deadline_ms)
{
    const cli_args *args = report->args;
    int code = session_prepare(args);
    if (!code)
        code = files_check_output(args, "output");
    if (!code)
        code = session_load_model(report->path, &report->model);
    if (!code)
        code = session_make(args, report->model, report->path, &report->session);
    if (!code)
        code = input_build(&report->inputs, report->model, args, 1);
    if (!code)
        code = run_and_print(report, repeat, deadline_ms);
    interrupt_release();
    input_free(&report->inputs);
    heed_session_free(report->session);
    heed_model_free(report->model);
    return code;
}

static int run(const cli_args *args)
{
    run_report report = {.args = args, .dry = args_is_on(args, "dry-run")};
    int64_t repeat = 1, deadline_ms = 0;
    bool ok;
    report.json = args_want_json(args, &ok);
    if (!ok || !args_read_int(args, "repeat", 1, 1000000, &repeat) ||
        !args_read_int(args, "deadline-ms", 1, INT64_C(1) << 40, &deadline_ms))
        return EXIT_USAGE;
    if (!args->n_words)
        return exit_with(EXIT_USAGE, "heed run needs a model");
    report.path = args->words[0];
    return run_model(&report, repeat, deadline_ms);
}

const cli_verb verb_run = {
    .name = "run",
    .usage = "MODEL [NAME=VALUE...] [SYMBOL=N...]",
    .summary = "runs a model; inputs that are not given are made up, dims are guessed and said",
    .flags = {flags, session_flags, format_flags},
    .notes = "VALUE: @file.npy, @file.npz, @file.pb, @folder, rand[:SEED], zeros, ones, range,\n"
             "2x2xf32=1 2 3 4, or numbers. @file.npz or @folder alone gives all inputs.\n",
    .run = run,
};
