/* bench_svg.c - the plot of `heed bench`: time and memory, over the first axis of a sweep or as
 * bars, one below the other's legend. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "machine.h"
#include "print.h"
#include "svg.h"

enum { TICKS = 24 };

static const double panel_width = 400, panel_height = 260, left = 70, top = 56, row = 18;

typedef double (*figure_fn)(const bench_cell *cell); /* NaN: not measured */

typedef struct panel {
    const bench_report *r;
    FILE *file;
    double x;
    const char *title;
    figure_fn figure;
    const char *(*label)(char out[PRINT_SIZE], double value);
    svg_axis across, up;
} panel;

static double time_of(const bench_cell *c) { return c->n ? c->stats.interval.median : (double)NAN; }

static double memory_of(const bench_cell *c)
{
    return c->measured_memory ? (double)c->memory_bytes : (double)NAN;
}

/* "5 ms", not "5.00 ms": ticks are round. */
static const char *shorten(char text[PRINT_SIZE])
{
    char *dot = strchr(text, '.'), *space = strchr(text, ' ');
    if (!dot || !space || dot > space)
        return text;
    char *end = space;
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    memmove(end, space, strlen(space) + 1);
    return text;
}

static const char *time_label(char out[PRINT_SIZE], double ms)
{
    if (ms <= 0)
        return "0";
    print_time(out, (uint64_t)(ms * 1e6 + 0.5));
    return shorten(out);
}

static const char *memory_label(char out[PRINT_SIZE], double bytes)
{
    print_bytes(out, (uint64_t)(bytes + 0.5));
    return shorten(out);
}

/* ---- Series: a configuration at all settings of the other axes ---- */

static size_t inner_points(const bench_report *r)
{
    return r->n_points / (r->n_axes ? r->axes[0].n_values : 1);
}

static size_t series_count(const bench_report *r) { return r->n_configs * inner_points(r); }

static const bench_cell *series_cell(const bench_report *r, size_t series, size_t i)
{
    return bench_cell_at(r, i * inner_points(r) + series / r->n_configs, series % r->n_configs);
}

static char *series_label(const bench_report *r, size_t series)
{
    const bench_point *point = &r->points[series / r->n_configs];
    char *text = cli_copy(r->configs[series % r->n_configs].label);
    for (size_t a = 1; a < r->n_axes; a++) {
        char *longer = cli_format("%s, %s=%lld", text, point->settings[a].name,
                                  (long long)point->settings[a].value);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- Panels ---- */

static void fit_up(panel *p, double from, double to, bool log)
{
    double least = (double)INFINITY, most = 0;
    for (size_t i = 0; i < p->r->n_points * p->r->n_configs; i++) {
        const bench_cell *cell = &p->r->cells[i];
        double value = p->figure(cell);
        if (!isfinite(value))
            continue;
        bool timed = p->figure == time_of; /* then there are whiskers */
        least = fmin(least, timed ? cell->stats.interval.low : value);
        most = fmax(most, timed ? cell->stats.interval.high : value);
    }
    p->up = svg_axis_fit(least, most, from, to, log && isfinite(least) && most > 3 * least);
}

static void draw_frame(const panel *p)
{
    double right = p->x + panel_width, bottom = top + panel_height;
    svg_line(p->file, p->x, bottom, right, bottom, "#000000");
    svg_line(p->file, p->x, top, p->x, bottom, "#000000");
    svg_text(p->file, p->x, top - 14, 13, "start", false, p->title);
}

static void draw_up(const panel *p)
{
    double ticks[TICKS];
    char label[PRINT_SIZE];
    size_t n = svg_axis_ticks(&p->up, ticks, TICKS);
    for (size_t i = 0; i < n; i++) {
        double y = svg_axis_place(&p->up, ticks[i]);
        svg_line(p->file, p->x, y, p->x + panel_width, y, "#dddddd");
        svg_text(p->file, p->x - 6, y + 4, 11, "end", false, p->label(label, ticks[i]));
    }
}

/* The swept values themselves are the ticks. */
static void draw_across(const panel *p)
{
    const bench_axis *axis = &p->r->axes[0];
    double bottom = top + panel_height;
    for (size_t i = 0; i < axis->n_values; i++) {
        char text[32];
        double x = svg_axis_place(&p->across, (double)axis->values[i]);
        snprintf(text, sizeof text, "%lld", (long long)axis->values[i]);
        svg_line(p->file, x, bottom, x, bottom + 5, "#000000");
        svg_text(p->file, x, bottom + 18, 11, "middle", false, text);
    }
    const char *what = !strcmp(axis->name, "seq") ? "sequence length (tokens)" : axis->name;
    svg_text(p->file, p->x + panel_width / 2, bottom + 38, 12, "middle", false, what);
}

static void draw_whisker(const panel *p, const bench_cell *cell, double x, const char *colour)
{
    if (p->figure != time_of)
        return;
    double low = svg_axis_place(&p->up, cell->stats.interval.low);
    double high = svg_axis_place(&p->up, cell->stats.interval.high);
    svg_line(p->file, x, low, x, high, colour);
    svg_line(p->file, x - 3, low, x + 3, low, colour);
    svg_line(p->file, x - 3, high, x + 3, high, colour);
}

static void draw_series(const panel *p, size_t series)
{
    const bench_axis *axis = &p->r->axes[0];
    double *x = cli_alloc(axis->n_values, sizeof *x), *y = cli_alloc(axis->n_values, sizeof *y);
    size_t n = 0;
    for (size_t i = 0; i < axis->n_values; i++) {
        const bench_cell *cell = series_cell(p->r, series, i);
        double value = p->figure(cell);
        if (!isfinite(value))
            continue;
        x[n] = svg_axis_place(&p->across, (double)axis->values[i]);
        y[n] = svg_axis_place(&p->up, value);
        /* beside each other where they would hide each other */
        double shift = 3 * ((double)series - (double)(series_count(p->r) - 1) / 2);
        draw_whisker(p, cell, x[n] + shift, svg_colour(series));
        n++;
    }
    if (n > 1)
        svg_path(p->file, x, y, n, series);
    for (size_t i = 0; i < n; i++)
        svg_mark(p->file, x[i], y[i], series);
    free(x);
    free(y);
}

static void draw_lines(panel *p)
{
    const bench_axis *axis = &p->r->axes[0];
    double least = (double)axis->values[0], most = least;
    for (size_t i = 0; i < axis->n_values; i++) {
        least = fmin(least, (double)axis->values[i]);
        most = fmax(most, (double)axis->values[i]);
    }
    p->across = svg_axis_fit(least, most, p->x, p->x + panel_width, most >= 3 * least);
    fit_up(p, top + panel_height, top, true);
    draw_up(p);
    draw_frame(p);
    draw_across(p);
    for (size_t s = 0; s < series_count(p->r); s++)
        draw_series(p, s);
}

static void draw_bars(panel *p)
{
    size_t n = series_count(p->r);
    double slot = panel_width / (double)n, width = slot * 0.7 < 60 ? slot * 0.7 : 60;
    fit_up(p, top + panel_height, top, false);
    draw_up(p);
    for (size_t s = 0; s < n; s++) {
        const bench_cell *cell = series_cell(p->r, s, 0);
        double value = p->figure(cell), x = p->x + slot * ((double)s + 0.5);
        char label[PRINT_SIZE];
        if (!isfinite(value))
            continue;
        double y = svg_axis_place(&p->up, value);
        svg_box(p->file, x - width / 2, y, width, top + panel_height - y, s);
        draw_whisker(p, cell, x, "#000000");
        if (p->figure == time_of)
            y = svg_axis_place(&p->up, cell->stats.interval.high);
        if (n <= 6)
            svg_text(p->file, x, y - 6, 11, "middle", false,
                     p->figure == time_of ? print_time(label, (uint64_t)(value * 1e6))
                                          : print_bytes(label, (uint64_t)value));
    }
    draw_frame(p);
}

static bool is_swept(const bench_report *r) { return r->n_axes && r->axes[0].n_values > 1; }

static void draw_panel(panel p)
{
    if (is_swept(p.r))
        draw_lines(&p);
    else
        draw_bars(&p);
}

static void draw_legend(FILE *file, const bench_report *r, double y)
{
    for (size_t s = 0; s < series_count(r); s++) {
        double x = left + (double)(s % 3) * 300, line = y + row * (double)(s / 3);
        char *label = series_label(r, s);
        if (is_swept(r)) {
            svg_path(file, (const double[]){x, x + 28}, (const double[]){line, line}, 2, s);
            svg_mark(file, x + 14, line, s);
        } else {
            svg_box(file, x, line - 6, 28, 12, s);
        }
        svg_text(file, x + 36, line + 4, 12, "start", false, label);
        free(label);
    }
}

/* The file with its folder: most are called model.onnx. */
static const char *short_path(const char *path)
{
    const char *at = path;
    for (const char *c = path; *c; c++) {
        const char *next = *c == '/' ? strchr(c + 1, '/') : NULL;
        if (next && !strchr(next + 1, '/'))
            at = c + 1;
    }
    return at;
}

/* Two lines: what was measured, and where and how. */
static void draw_source(FILE *file, const bench_report *r, double y)
{
    char cpu[128];
    bool swept = r->n_axes > 0 && r->axes[0].n_values > 1;
    const char *inputs = swept || !r->points[0].inputs ? "" : r->points[0].inputs;
    char *model = cli_format("%s%s%s", short_path(r->path), *inputs ? "; " : "", inputs);
    machine_cpu_name(cpu, sizeof cpu);
    char *how =
        cli_format("heed %s; %s, %u thread%s; medians with 95 %% intervals; memory: "
                   "peak of a run beside the weights",
                   heed_version(), cpu, r->points[0].threads, r->points[0].threads == 1 ? "" : "s");
    svg_text(file, left, y, 10, "start", false, model);
    svg_text(file, left, y + 14, 10, "start", false, how);
    free(model);
    free(how);
}

void bench_print_svg(FILE *file, const bench_report *r)
{
    double second = left + panel_width + 100, width = second + panel_width + 30;
    double legend = top + panel_height + 66;
    double source = legend + row * (double)((series_count(r) + 2) / 3) + 14;
    svg_open(file, width, source + 30, short_path(r->path));
    draw_panel((panel){.r = r,
                       .file = file,
                       .x = left,
                       .title = "Time of a run",
                       .figure = time_of,
                       .label = time_label});
    draw_panel((panel){.r = r,
                       .file = file,
                       .x = second,
                       .title = "Peak memory of a run",
                       .figure = memory_of,
                       .label = memory_label});
    draw_legend(file, r, legend);
    draw_source(file, r, source);
    svg_close(file);
}
