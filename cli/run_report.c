/* run_report.c - what `heed run` tells about a run, as text or as JSON. */
#include "run_report.h"

#include <string.h>

#include "json.h"
#include "machine.h"
#include "print.h"
#include "session.h"
#include "summary.h"

static heed_session_stats stats_of(const heed_session *session)
{
    heed_session_stats stats = {.size = sizeof stats};
    heed_session_get_stats(session, &stats);
    return stats;
}

static heed_memory_use memory_now(void)
{
    heed_memory_use use = {.size = sizeof use};
    heed_memory_get(&use, 0);
    return use;
}

static uint64_t weight_bytes(const heed_model *model)
{
    const heed_weight_count *weights;
    size_t n = heed_model_get_weight_counts(model, &weights);
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += weights[i].bytes;
    return bytes;
}

/* ---- Text ---- */

static void print_inputs(const run_report *report)
{
    print_table table = {0};
    table_add(&table, 4, (const char *const[]){"input", "dtype", "shape", "values"});
    for (size_t i = 0; i < report->inputs.n; i++) {
        const input_item *item = &report->inputs.items[i];
        char shape[PRINT_SIZE] = "";
        if (!item->tensor)
            continue;
        if (heed_tensor_get_kind(item->tensor) == HEED_TENSOR)
            print_dims(shape, heed_tensor_get_ndim(item->tensor),
                       heed_tensor_get_dims(item->tensor));
        table_add(&table, 4,
                  (const char *const[]){item->info->name,
                                        heed_dtype_name(heed_tensor_get_dtype(item->tensor)), shape,
                                        item->from ? item->from : ""});
    }
    if (table.n_rows > 1)
        table_print(stdout, &table, "");
    table_free(&table);
}

static void print_outputs(const run_report *report)
{
    print_table table = {0};
    summary_head(&table);
    for (size_t i = 0; i < report->n_out; i++)
        summary_add(&table, heed_model_get_output(report->model, i)->name, report->out[i]);
    table_print(stdout, &table, "");
    table_free(&table);
}

static void print_times(const run_report *report, const heed_session_stats *stats)
{
    char a[PRINT_SIZE], b[PRINT_SIZE], c[PRINT_SIZE];
    if (args_is_on(report->args, "timing"))
        printf("loading    model %s, passes %s, prepare %s\n", print_time(a, stats->load_ns),
               print_time(b, stats->passes_ns), print_time(c, stats->prepare_ns));
    if (report->dry)
        return;
    printf("time       %s", print_time(a, report->first_ns));
    if (report->runs > 1)
        printf(" first, %s least, %s median of %zu", print_time(b, report->least_ns),
               print_time(c, report->median_ns), report->runs);
    printf(", %u thread%s\n", heed_get_threads(), heed_get_threads() == 1 ? "" : "s");
}

static void print_memory(const run_report *report, const heed_session_stats *stats)
{
    char weights[PRINT_SIZE], arena[PRINT_SIZE], heap[PRINT_SIZE], peak[PRINT_SIZE];
    heed_memory_use use = memory_now();
    print_bytes(weights, weight_bytes(report->model));
    print_bytes(arena, stats->arena_bytes);
    print_bytes(heap, use.peak_bytes);
    print_bytes(peak, machine_peak_memory());
    if (report->dry)
        printf("memory     weights %s, allocated %s so far\n", weights, heap);
    else
        printf("memory     weights %s, arena %s, allocated %s, resident %s at most\n", weights,
               arena, heap, peak);
}

static void print_passes(const run_report *report)
{
    const char *line;
    for (size_t i = 0; (line = heed_session_get_pass_report(report->session, i)); i++)
        printf("pass       %s\n", line);
}

static void print_text(const run_report *report)
{
    heed_session_stats stats = stats_of(report->session);
    if (report->dry)
        print_inputs(report);
    else
        print_outputs(report);
    puts("");
    if (report->dry)
        print_passes(report);
    fputs("placement  ", stdout);
    session_print_placement(stdout, report->session);
    printf(" (imported %zu)\n", stats.nodes_imported);
    print_times(report, &stats);
    print_memory(report, &stats);
}

/* ---- JSON ---- */

static void json_inputs(json_out *out, const run_report *report)
{
    json_open(out, "inputs", '[');
    for (size_t i = 0; i < report->inputs.n; i++) {
        const input_item *item = &report->inputs.items[i];
        if (!item->tensor)
            continue;
        json_open(out, NULL, '{');
        json_text(out, "name", item->info->name);
        json_text(out, "dtype", heed_dtype_name(heed_tensor_get_dtype(item->tensor)));
        if (heed_tensor_get_kind(item->tensor) == HEED_TENSOR)
            json_ints(out, "shape", heed_tensor_get_dims(item->tensor),
                      (size_t)heed_tensor_get_ndim(item->tensor));
        json_text(out, "from", item->from ? item->from : "");
        json_close(out, '}');
    }
    json_close(out, ']');
    json_open(out, "guessed", '{');
    for (size_t i = 0; i < report->inputs.env.n; i++)
        if (report->inputs.env.symbols[i].guessed)
            json_int(out, report->inputs.env.symbols[i].name, report->inputs.env.symbols[i].value);
    json_close(out, '}');
}

static void json_outputs(json_out *out, const run_report *report)
{
    json_open(out, "outputs", '[');
    for (size_t i = 0; i < report->n_out; i++)
        summary_json(out, heed_model_get_output(report->model, i)->name, report->out[i]);
    json_close(out, ']');
}

static void json_costs(json_out *out, const run_report *report)
{
    heed_session_stats stats = stats_of(report->session);
    json_int(out, "nodes_before", (int64_t)stats.nodes_imported);
    json_int(out, "nodes_after", (int64_t)stats.nodes);
    json_open(out, "time", '{');
    json_real(out, "load_ms", (double)stats.load_ns / 1e6);
    json_real(out, "passes_ms", (double)stats.passes_ns / 1e6);
    json_real(out, "prepare_ms", (double)stats.prepare_ns / 1e6);
    if (!report->dry) {
        json_int(out, "runs", (int64_t)report->runs);
        json_real(out, "first_ms", (double)report->first_ns / 1e6);
        json_real(out, "least_ms", (double)report->least_ns / 1e6);
        json_real(out, "median_ms", (double)report->median_ns / 1e6);
    }
    json_close(out, '}');
    json_open(out, "memory", '{');
    json_int(out, "weights_bytes", (int64_t)weight_bytes(report->model));
    json_int(out, "arena_bytes", (int64_t)stats.arena_bytes);
    json_int(out, "allocated_peak_bytes", (int64_t)memory_now().peak_bytes);
    json_int(out, "resident_peak_bytes", (int64_t)machine_peak_memory());
    json_close(out, '}');
}

static void print_json(const run_report *report)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    session_json_row(&out, report->args, report->path);
    json_inputs(&out, report);
    if (!report->dry)
        json_outputs(&out, report);
    session_json_placement(&out, report->session);
    json_costs(&out, report);
    json_close(&out, '}');
    json_end(&out);
}

void run_report_print(const run_report *report)
{
    if (report->json)
        print_json(report);
    else
        print_text(report);
}
