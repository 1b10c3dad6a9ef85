/* bench.h - what `heed bench` measures: configurations of a session at points of a sweep.
 *
 * A configuration is a session that differs in what is fused; a point is one choice of sizes and
 * threads. Each pair of them is a cell, and cells of one point have the same inputs and are
 * measured in alternating rounds. */
#ifndef HEED_CLI_BENCH_H
#define HEED_CLI_BENCH_H

#include "inputs.h"
#include "stats.h"

typedef struct bench_config {
    char *label;           /* "on", "off", "without Gelu", "flash" */
    const char *attention; /* as in heed_session_options */
    char *without;
    char *fusion;   /* the fusion that is left out by itself, or NULL */
    uint64_t found; /* of it, with all fusions on */
    heed_session *session;
    size_t nodes;
    double session_ms; /* to make the session */
} bench_config;

typedef struct bench_setting {
    const char *name;
    int64_t value;
} bench_setting;

/* One axis of the sweep: what is set, and to which values. */
typedef struct bench_axis {
    char *name;     /* as the user says it: "seq", "threads", a symbol */
    char **symbols; /* that take the value; none for threads */
    size_t n_symbols, n_values;
    int64_t *values;
} bench_axis;

typedef struct bench_point {
    bench_setting *settings; /* one an axis */
    uint32_t threads;
    int64_t tokens; /* of a run, 0 when there are none */
    char *inputs;   /* "input_ids 1x128, attention_mask 1x128" */
} bench_point;

typedef struct bench_cell {
    double *ms; /* every run */
    size_t n;
    double *rounds; /* the median of each round's runs */
    size_t n_rounds;
    double first_ms;       /* the first run, which makes a plan */
    uint64_t memory_bytes; /* the most that a run needs beside the weights */
    bool measured_memory;
    bool compared; /* the outputs, with the reference's */
    double max_abs, max_rel;
    char *failed; /* why there is nothing, or NULL */
    stats_summary stats;
    bool related; /* to the first configuration, in pairs */
    stats_interval ratio;
} bench_cell;

typedef struct bench_report {
    const cli_args *args;
    const char *path;
    heed_model *model;
    uint64_t seed;
    size_t n_configs, n_axes, n_points;
    bench_config *configs;
    size_t reference; /* the configuration whose outputs the others are compared with */
    bench_axis *axes;
    bench_point *points;
    bench_cell *cells; /* n_points x n_configs */
    double load_ms;
    uint64_t weight_bytes;
    size_t nodes_imported;
    bool stopped; /* by Ctrl-C: what is there, is there */
    int code;     /* the first failure's */
} bench_report;

typedef struct bench_rules {
    int64_t rounds, warmup; /* 0: until the time is over */
    double seconds;         /* for each cell */
    size_t most;            /* runs of a cell: it may end before its time */
} bench_rules;

/* ---- bench_plan.c: which configurations ---- */
int bench_plan_configs(bench_report *r);
/* ---- bench_axes.c: which points ---- */
int bench_plan_points(bench_report *r);
/* The symbols of sequence axes, or of batch axes, that the words of the user leave open. */
size_t bench_find_role(const heed_model *model, const cli_args *args, const char *role,
                       char ***symbols);
/* ---- bench_run.c ---- */
int bench_measure(bench_report *r, const bench_rules *rules);
/* ---- bench_error.c: how far outputs are from the reference's ---- */
void bench_compare(bench_cell *cell, size_t n, heed_tensor *const *got, heed_tensor *const *want);
/* ---- How it is told ---- */
void bench_print_table(FILE *file, const bench_report *r);
void bench_print_markdown(FILE *file, const bench_report *r);
void bench_print_csv(FILE *file, const bench_report *r);
void bench_print_json(FILE *file, const bench_report *r);
void bench_print_svg(FILE *file, const bench_report *r);

static inline bench_cell *bench_cell_at(const bench_report *r, size_t point, size_t config)
{
    return &r->cells[point * r->n_configs + config];
}

#endif
