/* verb_bench.c - heed bench: how long a run takes and what it needs, what each fusion brings, and
 * how both grow. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "files.h"
#include "print.h"
#include "session.h"

// clang-format off
static const cli_flag flags[] = {
    {"fusion",  "LIST", "on, off, each (all but one, in turn), or all but the one named"},
    {"seq",     "LIST", "sequence lengths, such as 128,512,2048"},
    {"sweep",   "K=V,V", "values of a symbol, or of threads, seq, batch; several: all pairs"},
    {"shape",   "LIST", "x:1x128, X:[1,128] or symbol=N, separated by commas"},
    {"time",    "S",    "seconds for each configuration at each point (3)"},
    {"rounds",  "N",    "rounds instead of a time"},
    {"warmup",  "N",    "runs before that (until 200 ms and 3 runs)"},
    {"seed",    "N",    "of random inputs, of the order of turns and of the bootstrap (0)"},
    {"format",  "F",    "table (default), md, csv, json (all samples) or svg (a plot)"},
    {"json",    NULL,   "the same as --format json"},
    {"output",  "FILE", "write there, not to stdout"},
    {NULL, NULL, NULL},
};

static const struct {
    const char *name;
    void (*print)(FILE *file, const bench_report *r);
    bool for_people; /* says why something failed */
} formats[] = {
    {"table", bench_print_table, true},
    {"text", bench_print_table, true},
    {"md", bench_print_markdown, true},
    {"csv", bench_print_csv, false},
    {"json", bench_print_json, false},
    {"svg", bench_print_svg, false},
};
// clang-format on

enum { FORMATS = sizeof formats / sizeof *formats };

static int find_format(const cli_args *args, size_t *out)
{
    const char *name = args_format(args, "table");
    if (!name)
        return EXIT_USAGE;
    for (size_t i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i].name, name)) {
            *out = i;
            return EXIT_OK;
        }
    return exit_with(EXIT_USAGE, "--format is table, md, csv, json or svg, not '%s'", name);
}

static int read_rules(const cli_args *args, bench_report *r, bench_rules *rules)
{
    int64_t seed = 0;
    /* Short runs need not fill the time, unless somebody asks for it. */
    *rules = (bench_rules){.seconds = 3, .most = args_get(args, "time") ? 1000000 : 10000};
    if (!args_read_int(args, "rounds", 1, 1000000, &rules->rounds) ||
        !args_read_int(args, "warmup", 1, 1000000, &rules->warmup) ||
        !args_read_int(args, "seed", 0, INT64_MAX, &seed) ||
        !args_read_real(args, "time", &rules->seconds))
        return EXIT_USAGE;
    r->seed = (uint64_t)seed;
    return EXIT_OK;
}

static void read_facts(bench_report *r)
{
    const heed_weight_count *weights;
    heed_session_stats stats = {.size = sizeof stats};
    size_t n = heed_model_get_weight_counts(r->model, &weights);
    for (size_t i = 0; i < n; i++)
        r->weight_bytes += weights[i].bytes;
    heed_session_get_stats(r->configs[0].session, &stats);
    r->load_ms = (double)stats.load_ns / 1e6;
    r->nodes_imported = stats.nodes_imported;
}

static bool has_results(const bench_report *r)
{
    for (size_t i = 0; i < r->n_points * r->n_configs; i++)
        if (r->cells[i].n || r->cells[i].failed)
            return true;
    return false;
}

static int print_report(const bench_report *r, size_t format)
{
    const char *path = args_get(r->args, "output");
    FILE *file = path ? fopen(path, "w") : stdout;
    if (!file)
        return exit_with(EXIT_USAGE, "%s: %s", path, strerror(errno));
    formats[format].print(file, r);
    if (path && (ferror(file) | fclose(file)))
        return exit_with(EXIT_USAGE, "%s: writing failed", path);
    return EXIT_OK;
}

static int measure_and_print(bench_report *r, const bench_rules *rules, size_t format)
{
    int code = bench_measure(r, rules);
    if (code)
        return code;
    for (size_t i = 0; !formats[format].for_people && i < r->n_points * r->n_configs; i++)
        if (r->cells[i].failed)
            note("%s: %s", r->configs[i % r->n_configs].label, r->cells[i].failed);
    if (r->stopped)
        note("stopped%s", has_results(r) ? "; this is what was measured so far"
                                         : " before anything was measured");
    if (has_results(r))
        code = print_report(r, format);
    return code ? code : r->stopped ? EXIT_STOPPED : r->code;
}

static void free_report(bench_report *r)
{
    for (size_t i = 0; r->cells && i < r->n_points * r->n_configs; i++) {
        free(r->cells[i].ms);
        free(r->cells[i].rounds);
        free(r->cells[i].failed);
    }
    for (size_t i = 0; i < r->n_configs; i++) {
        heed_session_free(r->configs[i].session);
        free(r->configs[i].label);
        free(r->configs[i].without);
        free(r->configs[i].fusion);
    }
    for (size_t i = 0; r->points && i < r->n_points; i++) {
        free(r->points[i].settings);
        free(r->points[i].inputs);
    }
    for (size_t i = 0; i < r->n_axes; i++) {
        for (size_t k = 0; k < r->axes[i].n_symbols; k++)
            free(r->axes[i].symbols[k]);
        free(r->axes[i].symbols);
        free(r->axes[i].values);
        free(r->axes[i].name);
    }
    free(r->cells);
    free(r->configs);
    free(r->points);
    free(r->axes);
}

static int bench(bench_report *r, const bench_rules *rules, size_t format)
{
    int code = session_prepare(r->args);
    if (!code)
        code = files_check_output(r->args, "output");
    if (!code)
        code = session_load_model(r->path, &r->model);
    if (!code)
        code = bench_plan_points(r);
    if (!code)
        code = bench_plan_configs(r);
    if (!code) {
        read_facts(r);
        code = measure_and_print(r, rules, format);
    }
    free_report(r);
    heed_model_free(r->model);
    return code;
}

static int run(const cli_args *args)
{
    bench_report r = {.args = args};
    bench_rules rules;
    size_t format = 0;
    int code = find_format(args, &format);
    if (!code)
        code = read_rules(args, &r, &rules);
    if (!code && !args->n_words)
        code = exit_with(EXIT_USAGE, "heed bench needs a model");
    if (code)
        return code;
    r.path = args->words[0];
    return bench(&r, &rules, format);
}

const cli_verb verb_bench = {
    .name = "bench",
    .usage = "MODEL [NAME=VALUE...] [SYMBOL=N...]",
    .summary = "measures time, memory and errors, with and without fusions, over sizes",
    .flags = {flags, session_flags},
    .notes =
        "Inputs are made as 'heed run' makes them. --attention takes a list here (off,mha,gqa,\n"
        "flash), and each mode is a configuration. Configurations take turns, in an order drawn\n"
        "anew in each round; ratios are of pairs in one round. --seq sets all symbols that "
        "lengths\n"
        "of ids, masks and features have, but not those of a cache; --sweep can name a symbol.\n"
        "--fusion on,on shows the noise. Ctrl-C prints what was measured so far.\n",
    .run = run,
};
