/* bench_data.c - what `heed bench` says to programs: CSV with one row for each cell and a column
 * for each variable (tidy), and JSON with every sample. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "files.h"
#include "json.h"
#include "machine.h"
#include "session.h"

/* ---- CSV ---- */

static void csv_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text == '\n' ? ' ' : *text, file);
    }
    fputs("\",", file);
}

static void csv_real(FILE *file, bool there, double value)
{
    if (there)
        fprintf(file, "%.9g", value);
    fputc(',', file);
}

static void csv_head(FILE *file, const bench_report *r)
{
    fputs("model,sha256,version,cpu,threads,", file);
    for (size_t a = 0; a < r->n_axes; a++)
        if (r->axes[a].n_symbols)
            csv_text(file, r->axes[a].name);
    fputs("configuration,attention,without,tokens,runs,rounds,min_ms,median_ms,median_low_ms,"
          "median_high_ms,p90_ms,p95_ms,p99_ms,mean_ms,sd_ms,first_ms,ratio,ratio_low,ratio_high,"
          "memory_bytes,nodes,max_abs_error,max_rel_error,failed\n",
          file);
}

static void csv_times(FILE *file, const bench_cell *c)
{
    const stats_summary *s = &c->stats;
    const double times[] = {
        s->min,  s->interval.median, s->interval.low, s->interval.high, s->p90, s->p95, s->p99,
        s->mean, s->deviation,       c->first_ms};
    fprintf(file, "%zu,%zu,", c->n, c->n_rounds);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        csv_real(file, c->n > 0, times[i]);
    csv_real(file, c->related, c->ratio.median);
    csv_real(file, c->related, c->ratio.low);
    csv_real(file, c->related, c->ratio.high);
}

static void csv_cell(FILE *file, const bench_report *r, size_t point, size_t config)
{
    const bench_cell *c = bench_cell_at(r, point, config);
    const bench_config *how = &r->configs[config];
    for (size_t a = 0; a < r->n_axes; a++)
        if (r->axes[a].n_symbols)
            fprintf(file, "%lld,", (long long)r->points[point].settings[a].value);
    csv_text(file, how->label);
    csv_text(file, how->attention);
    csv_text(file, how->without);
    fprintf(file, "%lld,", (long long)r->points[point].tokens);
    csv_times(file, c);
    csv_real(file, c->measured_memory, (double)c->memory_bytes);
    fprintf(file, "%zu,", how->nodes);
    csv_real(file, c->compared, c->max_abs);
    csv_real(file, c->compared, c->max_rel);
    fprintf(file, "%s\n", c->failed ? "1" : "0");
}

void bench_print_csv(FILE *file, const bench_report *r)
{
    char hash[65] = "", cpu[128];
    files_sha256(r->path, hash);
    machine_cpu_name(cpu, sizeof cpu);
    csv_head(file, r);
    for (size_t i = 0; i < r->n_points * r->n_configs; i++) {
        if (!r->cells[i].n && !r->cells[i].failed)
            continue;
        csv_text(file, r->path);
        fprintf(file, "%s,%s,", hash, heed_version());
        csv_text(file, cpu);
        fprintf(file, "%u,", r->points[i / r->n_configs].threads);
        csv_cell(file, r, i / r->n_configs, i % r->n_configs);
    }
}

/* ---- JSON ---- */

static void json_config(json_out *out, const bench_config *c)
{
    json_open(out, NULL, '{');
    json_text(out, "label", c->label);
    json_text(out, "attention", c->attention);
    json_text(out, "without", c->without);
    json_int(out, "nodes", (int64_t)c->nodes);
    json_real(out, "session_ms", c->session_ms);
    session_json_placement(out, c->session);
    json_open(out, "fusions", '{');
    for (size_t i = 0; i < heed_session_get_fusion_count(c->session); i++) {
        heed_fusion f = {.size = sizeof f};
        if (!heed_session_get_fusion(c->session, i, &f))
            json_int(out, f.name, (int64_t)f.count);
    }
    json_close(out, '}');
    json_close(out, '}');
}

static void json_interval(json_out *out, const char *key, const stats_interval *i)
{
    json_open(out, key, '{');
    json_real(out, "median", i->median);
    json_real(out, "low", i->low);
    json_real(out, "high", i->high);
    json_close(out, '}');
}

static void json_times(json_out *out, const bench_cell *c)
{
    const stats_summary *s = &c->stats;
    json_open(out, "time_ms", '{');
    json_interval(out, "ci95", &s->interval);
    json_real(out, "median", s->interval.median);
    json_real(out, "min", s->min);
    json_real(out, "p90", s->p90);
    json_real(out, "p95", s->p95);
    json_real(out, "p99", s->p99);
    json_real(out, "mean", s->mean);
    json_real(out, "sd", s->deviation);
    json_real(out, "first", c->first_ms);
    json_close(out, '}');
}

static void json_cell(json_out *out, const bench_report *r, size_t point, size_t config)
{
    const bench_cell *c = bench_cell_at(r, point, config);
    const bench_point *at = &r->points[point];
    json_open(out, NULL, '{');
    json_open(out, "point", '{');
    for (size_t a = 0; a < r->n_axes; a++)
        json_int(out, at->settings[a].name, at->settings[a].value);
    json_close(out, '}');
    json_text(out, "configuration", r->configs[config].label);
    json_int(out, "threads", at->threads);
    json_text(out, "inputs", at->inputs ? at->inputs : "");
    json_int(out, "tokens", at->tokens);
    json_int(out, "runs", (int64_t)c->n);
    json_int(out, "rounds", (int64_t)c->n_rounds);
    if (c->failed)
        json_text(out, "failed", c->failed);
    if (c->n)
        json_times(out, c);
    if (c->related)
        json_interval(out, "ratio", &c->ratio);
    if (c->measured_memory)
        json_int(out, "memory_bytes", (int64_t)c->memory_bytes);
    if (c->compared) {
        json_real(out, "max_abs_error", c->max_abs);
        json_real(out, "max_rel_error", c->max_rel);
    }
    json_reals(out, "samples_ms", c->ms, c->n);
    json_reals(out, "round_medians_ms", c->rounds, c->n_rounds);
    json_close(out, '}');
}

void bench_print_json(FILE *file, const bench_report *r)
{
    json_out out = {.file = file};
    char isa[256];
    machine_isa(isa, sizeof isa);
    json_open(&out, NULL, '{');
    session_json_row(&out, r->args, r->path);
    json_text(&out, "isa", isa);
    json_int(&out, "cpus", machine_cpus());
    json_int(&out, "seed", (int64_t)r->seed);
    json_real(&out, "load_ms", r->load_ms);
    json_int(&out, "weight_bytes", (int64_t)r->weight_bytes);
    json_int(&out, "nodes_imported", (int64_t)r->nodes_imported);
    json_bool(&out, "stopped", r->stopped);
    json_text(&out, "ratio_to", r->configs[0].label);
    json_text(&out, "errors_to", r->configs[r->reference].label);
    json_open(&out, "configurations", '[');
    for (size_t c = 0; c < r->n_configs; c++)
        json_config(&out, &r->configs[c]);
    json_close(&out, ']');
    json_open(&out, "cells", '[');
    for (size_t i = 0; i < r->n_points * r->n_configs; i++)
        if (r->cells[i].n || r->cells[i].failed)
            json_cell(&out, r, i / r->n_configs, i % r->n_configs);
    json_close(&out, ']');
    json_close(&out, '}');
    json_end(&out);
}
