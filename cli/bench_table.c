/* bench_table.c - what `heed bench` says to people: a head that makes the figures repeatable, and
 * a table with a row for each cell; as Markdown for a README. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "files.h"
#include "machine.h"
#include "print.h"
#include "session.h"

enum { MOST_COLUMNS = 24 };

static const double much_variation = 0.025; /* of times: say that they are noisy */

typedef struct cells {
    size_t n;
    char *text[MOST_COLUMNS];
} cells;

static void put(cells *row, const char *text)
{
    if (row->n < MOST_COLUMNS)
        row->text[row->n++] = cli_copy(text);
}

static void put_time(cells *row, double ms)
{
    char text[PRINT_SIZE];
    put(row, print_time(text, (uint64_t)(ms * 1e6 + 0.5)));
}

static void flush_row(cells *row, print_table *table)
{
    const char *texts[MOST_COLUMNS];
    for (size_t i = 0; i < row->n; i++)
        texts[i] = row->text[i];
    table_add(table, row->n, texts);
    for (size_t i = 0; i < row->n; i++)
        free(row->text[i]);
    row->n = 0;
}

/* ---- Columns ---- */

static bool has_tokens(const bench_report *r)
{
    for (size_t p = 0; p < r->n_points; p++)
        if (r->points[p].tokens > 0)
            return true;
    return false;
}

static bool has_sessions(const bench_report *r) { return r->n_configs > 1; }

static void head(const bench_report *r, print_table *table)
{
    cells row = {0};
    for (size_t a = 0; a < r->n_axes; a++)
        put(&row, r->axes[a].name);
    if (has_sessions(r))
        put(&row, "configuration");
    put(&row, "median");
    put(&row, "95 % CI");
    put(&row, "p90");
    if (!has_sessions(r))
        put(&row, "p99"); /* of several, CSV and JSON have it: lines stay short */
    if (has_sessions(r)) {
        char *title = cli_format("time / %s", r->configs[0].label);
        put(&row, title);
        free(title);
    } else if (has_tokens(r)) {
        put(&row, "tokens/s");
    }
    put(&row, "memory");
    put(&row, "nodes");
    if (has_sessions(r))
        put(&row, "max error");
    flush_row(&row, table);
}

/* "3.19-3.22 ms": one unit for both, where it is the same. */
static void put_interval(cells *row, const stats_interval *i)
{
    char low[PRINT_SIZE], high[PRINT_SIZE];
    print_time(low, (uint64_t)(i->low * 1e6 + 0.5));
    print_time(high, (uint64_t)(i->high * 1e6 + 0.5));
    char *unit = strchr(low, ' ');
    if (unit && strchr(high, ' ') && !strcmp(unit, strchr(high, ' ')))
        *unit = 0;
    char *text = cli_format("%s-%s", low, high);
    put(row, text);
    free(text);
}

/* Three digits, with their zeros: 1.10, 15.2. */
static const char *print_ratio(char out[PRINT_SIZE], double ratio)
{
    int digits = ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0;
    snprintf(out, PRINT_SIZE, "%.*f", digits, ratio);
    return out;
}

static void put_ratio(cells *row, const bench_cell *c, bool first)
{
    char median[PRINT_SIZE], low[PRINT_SIZE], high[PRINT_SIZE];
    char *text = cli_copy(first ? "1" : "");
    if (c->related) {
        free(text);
        text = cli_format("%s (%s-%s)", print_ratio(median, c->ratio.median),
                          print_ratio(low, c->ratio.low), print_ratio(high, c->ratio.high));
    }
    put(row, text);
    free(text);
}

static void put_error(cells *row, const bench_report *r, size_t config, const bench_cell *c)
{
    char text[32] = "";
    if (config == r->reference)
        snprintf(text, sizeof text, "reference");
    else if (c->compared && c->max_abs == 0)
        snprintf(text, sizeof text, "0");
    else if (c->compared)
        snprintf(text, sizeof text, isfinite(c->max_abs) ? "%.1e" : "not finite", c->max_abs);
    put(row, text);
}

static void put_throughput(cells *row, const bench_point *point, const bench_cell *c)
{
    char text[PRINT_SIZE] = "";
    if (point->tokens > 0 && c->stats.interval.median > 0)
        print_count(text, (uint64_t)((double)point->tokens / c->stats.interval.median * 1000));
    put(row, text);
}

static void put_measured(cells *row, const bench_report *r, size_t point, size_t config)
{
    const bench_cell *c = bench_cell_at(r, point, config);
    char text[PRINT_SIZE] = "";
    put_time(row, c->stats.interval.median);
    put_interval(row, &c->stats.interval);
    put_time(row, c->stats.p90);
    if (!has_sessions(r))
        put_time(row, c->stats.p99);
    if (has_sessions(r))
        put_ratio(row, c, config == 0);
    else if (has_tokens(r))
        put_throughput(row, &r->points[point], c);
    put(row, c->measured_memory ? print_bytes(text, c->memory_bytes) : "");
    snprintf(text, sizeof text, "%zu", r->configs[config].nodes);
    put(row, text);
    if (has_sessions(r))
        put_error(row, r, config, c);
}

/* `repeat`: settings stand in each row. */
static void add_cell(const bench_report *r, print_table *table, size_t point, size_t config,
                     bool repeat)
{
    const bench_cell *c = bench_cell_at(r, point, config);
    cells row = {0};
    if (!c->n && !c->failed)
        return; /* stopped before its turn */
    for (size_t a = 0; a < r->n_axes; a++) {
        char value[32];
        snprintf(value, sizeof value, "%lld", (long long)r->points[point].settings[a].value);
        put(&row, repeat || !config ? value : "");
    }
    if (has_sessions(r))
        put(&row, r->configs[config].label);
    if (c->failed)
        put(&row, "failed");
    else
        put_measured(&row, r, point, config);
    flush_row(&row, table);
}

static void fill(const bench_report *r, print_table *table, bool repeat)
{
    head(r, table);
    for (size_t p = 0; p < r->n_points; p++)
        for (size_t c = 0; c < r->n_configs; c++)
            add_cell(r, table, p, c, repeat);
}

/* ---- Head and foot ---- */

/* The first few: a cache has many. JSON has them all. */
static void print_inputs(FILE *file, const bench_report *r, const char *mark)
{
    enum { SHOWN = 4 };
    const char *text = r->points[0].inputs, *end = text;
    size_t more = 0;
    for (int i = 0; i < SHOWN && *end; i++)
        end += strcspn(end + 1, ",") + 1;
    for (const char *at = end; *at; at++)
        more += *at == ',';
    fprintf(file, "%sinputs   %.*s", mark, (int)(end - text), text);
    if (more)
        fprintf(file, " and %zu more", more);
    fprintf(file, "%s\n", r->n_points > 1 ? " (at the first point)" : "");
}

static bool sweeps_threads(const bench_report *r)
{
    for (size_t a = 0; a < r->n_axes; a++)
        if (!r->axes[a].n_symbols)
            return true;
    return false;
}

static void print_source(FILE *file, const bench_report *r, const char *mark)
{
    char hash[65] = "?", cpu[128], isa[256], weights[PRINT_SIZE];
    files_sha256(r->path, hash);
    machine_cpu_name(cpu, sizeof cpu);
    machine_isa(isa, sizeof isa);
    const char *widest = strrchr(isa, ' ');
    fprintf(file, "%smodel    %s, %s of weights, sha256 %.16s\n", mark, r->path,
            print_bytes(weights, r->weight_bytes), hash);
    fprintf(file, "%smachine  %s, up to %s, %u CPU%s\n", mark, cpu, widest ? widest + 1 : isa,
            machine_cpus(), machine_cpus() == 1 ? "" : "s");
    fprintf(file, "%sheed     %s, ", mark, heed_version());
    if (sweeps_threads(r))
        fputs("threads as below", file);
    else
        fprintf(file, "%u thread%s", r->points[0].threads, r->points[0].threads == 1 ? "" : "s");
    fprintf(file, "; model loaded in %.3g ms, session made in %.3g ms\n", r->load_ms,
            r->configs[0].session_ms);
    fprintf(file, "%sgraph    %zu nodes in the file; with '%s' ", mark, r->nodes_imported,
            r->configs[0].label);
    session_print_placement(file, r->configs[0].session);
    fputc('\n', file);
    if (r->points[0].inputs)
        print_inputs(file, r, mark);
}

static void print_one(FILE *file, const bench_report *r)
{
    const bench_cell *c = &r->cells[0];
    char least[PRINT_SIZE], mean[PRINT_SIZE], first[PRINT_SIZE];
    fprintf(file, "\n%zu runs: least %s, mean %s, standard deviation %.1f %%; the first took %s\n",
            c->n, print_time(least, (uint64_t)(c->stats.min * 1e6)),
            print_time(mean, (uint64_t)(c->stats.mean * 1e6)), 100 * c->stats.variation,
            print_time(first, (uint64_t)(c->first_ms * 1e6)));
}

static void print_meaning(FILE *file, const bench_report *r)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < r->n_points * r->n_configs; i++) {
        size_t n = r->cells[i].n_rounds;
        least = n && n < least ? n : least;
        most = n > most ? n : most;
    }
    if (!most)
        return;
    fprintf(file, "\nRounds: %zu", least);
    if (most != least)
        fprintf(file, " to %zu", most);
    fprintf(file, ". Memory: the most that a run needs beside the weights.\n");
    if (!has_sessions(r))
        return;
    fprintf(file, "time / %s: the median over rounds, which alternate, with its 95 %% interval; ",
            r->configs[0].label);
    fprintf(file,
            "above 1 is slower.\nMax error: largest difference of an output from that of "
            "'%s'.\n",
            r->configs[r->reference].label);
}

static void print_failures(FILE *file, const bench_report *r)
{
    for (size_t i = 0; i < r->n_points * r->n_configs; i++)
        if (r->cells[i].failed)
            fprintf(file, "failed: %s: %s\n", r->configs[i % r->n_configs].label,
                    r->cells[i].failed);
}

static void warn_of_noise(const bench_report *r)
{
    double worst = 0;
    for (size_t i = 0; i < r->n_points * r->n_configs; i++)
        worst = fmax(worst, r->cells[i].n ? r->cells[i].stats.variation : 0);
    if (worst > much_variation)
        note("times vary by up to %.0f %% (standard deviation); the medians and their intervals "
             "stand, but a quieter machine would make them narrower",
             100 * worst);
}

void bench_print_table(FILE *file, const bench_report *r)
{
    print_table table = {0};
    print_source(file, r, "");
    fputc('\n', file);
    fill(r, &table, false);
    table_print(file, &table, "");
    table_free(&table);
    if (r->n_points * r->n_configs == 1 && r->cells[0].n)
        print_one(file, r);
    print_meaning(file, r);
    print_failures(file, r);
    warn_of_noise(r);
}

/* ---- Markdown ---- */

static void print_markdown_row(FILE *file, const print_table *table, size_t row)
{
    fputc('|', file);
    for (size_t i = 0; i < table->columns; i++)
        fprintf(file, " %s |", table->cells[row * table->columns + i]);
    fputc('\n', file);
}

void bench_print_markdown(FILE *file, const bench_report *r)
{
    print_table table = {0};
    fill(r, &table, true);
    for (size_t row = 0; row < table.n_rows; row++) {
        print_markdown_row(file, &table, row);
        if (row)
            continue;
        fputc('|', file);
        for (size_t i = 0; i < table.columns; i++)
            fputs("---|", file);
        fputc('\n', file);
    }
    table_free(&table);
    fputc('\n', file);
    print_source(file, r, "    ");
    print_meaning(file, r);
    print_failures(file, r);
}
