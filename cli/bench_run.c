/* bench_run.c - measures: at each point one set of inputs, then rounds in which every configuration
 * has its turn, in an order drawn anew, so that what drifts on the machine falls on all alike. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "interrupt.h"
#include "print.h"
#include "random.h"

enum {
    LEAST_ROUNDS = 10,
    LEAST_WARMUP = 3,
    TURN_RUNS = 32, /* at most in one turn */
    NOTHING = -1
};

static const double turn_ms = 4, settle_ms = 20 /* longer runs do not feel it */, warmup_ms = 200;

typedef struct turn_order {
    size_t *configs;
    uint64_t random;
} turn_order;

/* What is measured at one point. */
typedef struct stage {
    bench_report *r;
    const bench_rules *rules;
    size_t point;
    input_set in;
    size_t n_out;
    heed_tensor **out, **want; /* of the last run; of the reference */
    double slowest; /* of the configurations' best runs, in ms: turns are alike for all */
    size_t turn;    /* runs in a turn */
    bool settles;   /* one more run goes before them, on caches that others filled */
} stage;

static bench_cell *cell_of(const stage *s, size_t config)
{
    return bench_cell_at(s->r, s->point, config);
}

static void free_tensors(heed_tensor **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        heed_tensor_free(list[i]);
        list[i] = NULL;
    }
}

/* ---- One run ---- */

static void fail(stage *s, bench_cell *cell)
{
    const heed_error *error = heed_error_get();
    if (error->status == HEED_CANCELLED) {
        s->r->stopped = true;
        return;
    }
    cell->failed = cli_copy(error->message);
    if (!s->r->code)
        s->r->code = exit_code_of(error->status);
}

/* Milliseconds, or NOTHING when it failed. */
static double run_once(stage *s, size_t config)
{
    heed_run_options options = {.size = sizeof options, .cancel = interrupt_catch()};
    free_tensors(s->out, s->n_out);
    uint64_t begin = print_now();
    heed_status status = heed_session_run(s->r->configs[config].session, &options, s->in.n_fed,
                                          s->in.names, s->in.tensors, s->n_out, NULL, s->out);
    double ms = (double)(print_now() - begin) / 1e6;
    if (!status)
        return ms;
    fail(s, cell_of(s, config));
    return NOTHING;
}

/* ---- Before the rounds ---- */

static void compare_outputs(stage *s, size_t config)
{
    if (config == s->r->reference) {
        heed_tensor **taken = s->want;
        s->want = s->out;
        s->out = taken;
        bench_compare(cell_of(s, config), s->n_out, s->want, s->want);
    } else if (s->n_out && s->want[0]) {
        bench_compare(cell_of(s, config), s->n_out, s->out, s->want);
    }
}

/* A run that starts with nothing but weights: plan, arena, outputs are counted. */
static double measure_memory(stage *s, size_t config)
{
    heed_memory_use before = {.size = sizeof before}, after = before;
    bench_cell *cell = cell_of(s, config);
    free_tensors(s->out, s->n_out);
    heed_session_trim(s->r->configs[config].session);
    heed_memory_get(&before, 1);
    double ms = run_once(s, config);
    heed_memory_get(&after, 0);
    cell->measured_memory = ms >= 0;
    cell->memory_bytes = after.peak_bytes > before.bytes ? after.peak_bytes - before.bytes : 0;
    return ms;
}

static double warm_up(stage *s, size_t config, double best)
{
    int64_t least = s->rules->warmup ? s->rules->warmup : LEAST_WARMUP;
    double spent = 0;
    for (int64_t i = 1; i < least || (!s->rules->warmup && spent < warmup_ms); i++) {
        double ms = run_once(s, config);
        if (ms < 0)
            return NOTHING;
        spent += ms;
        best = ms < best ? ms : best;
    }
    return best;
}

static void prepare(stage *s, size_t config)
{
    bench_cell *cell = cell_of(s, config);
    double ms = run_once(s, config);
    if (ms < 0)
        return;
    cell->first_ms = ms;
    compare_outputs(s, config);
    ms = measure_memory(s, config);
    if (ms >= 0)
        ms = warm_up(s, config, ms);
    s->slowest = ms > s->slowest ? ms : s->slowest;
}

/* ---- Rounds ---- */

static void add_sample(double **list, size_t *n, double value)
{
    if (!(*n & (*n - 1))) /* room doubles at powers of two */
        *list = cli_grow(*list, *n ? *n * 2 : 1, sizeof **list);
    (*list)[(*n)++] = value;
}

/* Short runs have a few in a row. */
static void plan_turns(stage *s)
{
    double runs = s->slowest > 0 ? turn_ms / s->slowest : TURN_RUNS;
    s->turn = runs < 1 ? 1 : runs < TURN_RUNS ? (size_t)runs : TURN_RUNS;
    s->settles = s->r->n_configs > 1 && s->slowest < settle_ms;
}

static void take_turn(stage *s, size_t config)
{
    bench_cell *cell = cell_of(s, config);
    size_t before = cell->n;
    if (s->settles && run_once(s, config) < 0)
        return;
    for (size_t i = 0; i < s->turn; i++) {
        double ms = run_once(s, config);
        if (ms < 0)
            return;
        add_sample(&cell->ms, &cell->n, ms);
    }
    add_sample(&cell->rounds, &cell->n_rounds, stats_median(cell->ms + before, cell->n - before));
}

static void shuffle(turn_order *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t other = random_next(&order->random) % i, kept = order->configs[i - 1];
        order->configs[i - 1] = order->configs[other];
        order->configs[other] = kept;
    }
}

static size_t alive(const stage *s)
{
    size_t n = 0;
    for (size_t c = 0; c < s->r->n_configs; c++)
        n += !cell_of(s, c)->failed;
    return s->r->stopped ? 0 : n;
}

static bool is_enough(const stage *s, int64_t round, double seconds)
{
    size_t most = 0;
    if (s->rules->rounds)
        return round >= s->rules->rounds;
    for (size_t c = 0; c < s->r->n_configs; c++)
        most = cell_of(s, c)->n > most ? cell_of(s, c)->n : most;
    return round >= LEAST_ROUNDS &&
           (seconds >= s->rules->seconds * (double)alive(s) || most >= s->rules->most);
}

static void run_rounds(stage *s)
{
    size_t n = s->r->n_configs;
    turn_order order = {cli_alloc(n, sizeof *order.configs), s->r->seed + s->point};
    uint64_t begin = print_now();
    for (size_t c = 0; c < n; c++)
        order.configs[c] = c;
    for (int64_t round = 0; alive(s); round++) {
        if (is_enough(s, round, (double)(print_now() - begin) / 1e9))
            break;
        shuffle(&order, n);
        for (size_t c = 0; c < n && !s->r->stopped; c++)
            if (!cell_of(s, order.configs[c])->failed)
                take_turn(s, order.configs[c]);
    }
    free(order.configs);
}

/* ---- One point ---- */

static void summarise(stage *s)
{
    const bench_cell *base = cell_of(s, 0);
    for (size_t c = 0; c < s->r->n_configs; c++) {
        bench_cell *cell = cell_of(s, c);
        size_t pairs = cell->n_rounds < base->n_rounds ? cell->n_rounds : base->n_rounds;
        cell->stats = stats_of(cell->ms, cell->n, s->r->seed);
        cell->related = c > 0 && pairs > 0 && !cell->failed && !base->failed;
        if (cell->related)
            cell->ratio = stats_ratio(base->rounds, cell->rounds, pairs, s->r->seed);
    }
}

/* Tokens: elements of the smallest input of ids, if any; masks may cover earlier tokens too. */
static void describe(bench_point *point, const input_set *in)
{
    char shape[PRINT_SIZE];
    point->inputs = cli_copy("");
    for (size_t i = 0; i < in->n; i++) {
        const heed_tensor *tensor = in->items[i].tensor;
        if (!tensor || heed_tensor_get_kind(tensor) != HEED_TENSOR)
            continue;
        int64_t count = heed_tensor_get_count(tensor);
        bool whole = strstr(heed_dtype_name(heed_tensor_get_dtype(tensor)), "int") != NULL;
        if (whole && heed_tensor_get_ndim(tensor) == 2 && count > 0 &&
            (!point->tokens || count < point->tokens))
            point->tokens = count;
        print_dims(shape, heed_tensor_get_ndim(tensor), heed_tensor_get_dims(tensor));
        char *longer = cli_format("%s%s%s %s", point->inputs, *point->inputs ? ", " : "",
                                  in->items[i].info->name, shape);
        free(point->inputs);
        point->inputs = longer;
    }
}

static char *name_point(const bench_report *r, const bench_point *point)
{
    char *text = cli_copy("");
    for (size_t a = 0; a < r->n_axes; a++) {
        char *longer = cli_format("%s%s%s=%lld", text, a ? " " : "", point->settings[a].name,
                                  (long long)point->settings[a].value);
        free(text);
        text = longer;
    }
    return text;
}

/* The user's words, then the point's, then a seed for what is filled with random numbers. */
static cli_args words_of(const bench_report *r, const bench_point *point)
{
    cli_args args = *r->args;
    args.words = cli_alloc(args.n_words, sizeof *args.words);
    args.n_words = 0;
    for (size_t i = 0; i < r->args->n_words; i++) {
        args.words[args.n_words++] = cli_copy(r->args->words[i]);
    }
    for (size_t a = 0; a < r->n_axes; a++)
        for (size_t k = 0; k < r->axes[a].n_symbols; k++) {
            args.words = cli_grow(args.words, args.n_words + 1, sizeof *args.words);
            args.words[args.n_words++] =
                cli_format("%s=%lld", r->axes[a].symbols[k], (long long)point->settings[a].value);
        }
    return args;
}

static void free_words(cli_args *args)
{
    for (size_t i = 0; i < args->n_words; i++)
        free((char *)(uintptr_t)args->words[i]);
    free(args->words);
}

static int build_inputs(stage *s, bench_point *point)
{
    cli_args args = words_of(s->r, point);
    int code = input_build_seeded(&s->in, s->r->model, &args, 1, s->r->seed, s->point == 0);
    free_words(&args);
    if (!code)
        describe(point, &s->in);
    return code;
}

static void measure(stage *s)
{
    size_t n = s->r->n_configs;
    prepare(s, s->r->reference);
    for (size_t c = 0; c < n && !s->r->stopped; c++)
        if (c != s->r->reference)
            prepare(s, c);
    plan_turns(s);
    run_rounds(s);
    summarise(s);
    for (size_t c = 0; c < n; c++)
        heed_session_trim(s->r->configs[c].session);
}

static int measure_point(bench_report *r, const bench_rules *rules, size_t index)
{
    bench_point *point = &r->points[index];
    stage s = {.r = r, .rules = rules, .point = index};
    char *name = name_point(r, point);
    if (heed_set_threads(point->threads))
        return exit_error("threads");
    if (r->n_points > 1)
        note("measuring %s (%zu of %zu)", name, index + 1, r->n_points);
    free(name);
    s.n_out = heed_model_get_output_count(r->model);
    s.out = cli_alloc(s.n_out, sizeof *s.out);
    s.want = cli_alloc(s.n_out, sizeof *s.want);
    int code = build_inputs(&s, point);
    if (!code)
        measure(&s);
    free_tensors(s.out, s.n_out);
    free_tensors(s.want, s.n_out);
    free(s.out);
    free(s.want);
    input_free(&s.in);
    return code;
}

int bench_measure(bench_report *r, const bench_rules *rules)
{
    int code = EXIT_OK;
    interrupt_catch();
    r->cells = cli_alloc(r->n_points * r->n_configs, sizeof *r->cells);
    for (size_t p = 0; p < r->n_points && !code && !r->stopped; p++)
        code = measure_point(r, rules, p);
    interrupt_release();
    return code;
}
