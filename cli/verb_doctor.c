/* verb_doctor.c - heed doctor: is this machine ready? Shows what heed found, and proves each
 * backend by running a small model on it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "json.h"
#include "machine.h"
#include "print.h"
#include "session.h"

enum { MAX_TESTS = 32 };

/* One backend's self-test. */
typedef struct trial {
    char backend[64];
    bool passed;
    size_t nodes; /* that ran on it */
    uint64_t ns;
    char why[256];
} trial;

typedef struct checkup {
    size_t n_plugins, refused, importers, n_trials, failed;
    trial trials[MAX_TESTS];
} checkup;

/* ---- Self-test ---- */

static bool give_up(trial *t, const char *why)
{
    snprintf(t->why, sizeof t->why, "%.*s", (int)sizeof t->why - 1, why);
    return false;
}

static bool check_output(trial *t, const heed_tensor *y)
{
    double values[4];
    if (heed_tensor_get_count(y) != 4 || heed_tensor_read_f64(y, 0, 4, values))
        return give_up(t, "its result has the wrong shape");
    for (size_t i = 0; i < 4; i++)
        if (!(fabs(values[i] - (double)doctor_output[i]) <= 1e-5)) {
            snprintf(t->why, sizeof t->why, "element %zu is %g, not %g", i, values[i],
                     (double)doctor_output[i]);
            return false;
        }
    return true;
}

static bool run_session(trial *t, heed_session *session)
{
    float data[8];
    memcpy(data, doctor_input, sizeof data);
    heed_tensor *x = heed_tensor_wrap(HEED_FLOAT32, 2, (const int64_t[]){2, 4}, data);
    heed_tensor *y = NULL;
    uint64_t start = print_now();
    bool good =
        x && !heed_session_run(session, NULL, 1, (const char *const[]){"x"}, &x, 1, NULL, &y);
    t->ns = print_now() - start;
    good = good ? check_output(t, y) : give_up(t, heed_error_get()->message);
    heed_tensor_free(x);
    heed_tensor_free(y);
    return good;
}

/* A kernel of the backend itself must have run: a right result may come from a fallback. */
static bool check_placement(trial *t, const heed_session *session)
{
    session_count counts[SESSION_BACKENDS];
    size_t n = session_count_placement(session, counts);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(counts[i].backend, t->backend))
            t->nodes = counts[i].nodes;
    return t->nodes > 0 || give_up(t, "no node was placed on it");
}

static void try_backend(trial *t)
{
    heed_model *model = NULL;
    heed_session *session = NULL;
    heed_session_options options = {.size = sizeof options, .backends = t->backend};
    /* Folding must not eat the model: the input is not a constant, so it cannot. */
    bool good = !heed_model_load_memory(doctor_model, doctor_model_size, NULL, &model) &&
                !heed_session_new(model, &options, &session);
    if (!good)
        give_up(t, heed_error_get()->message);
    t->passed = good && run_session(t, session) && check_placement(t, session);
    heed_session_free(session);
    heed_model_free(model);
}

static void examine(checkup *c)
{
    heed_plugin_info info = {.size = sizeof info};
    if (heed_plugin_scan(&c->n_plugins))
        note("plugins: %s", heed_error_get()->message);
    for (size_t i = 0; i < c->n_plugins && !heed_plugin_get(i, &info); i++) {
        c->refused += *info.error != 0;
        c->importers += !*info.error && !strcmp(info.kind, "importer");
        if (*info.error || strcmp(info.kind, "backend") || c->n_trials == MAX_TESTS)
            continue;
        trial *t = &c->trials[c->n_trials++];
        snprintf(t->backend, sizeof t->backend, "%s", info.name);
        try_backend(t);
        c->failed += !t->passed;
    }
}

/* ---- Text ---- */

static void print_machine(void)
{
    char cpu[128], isa[256], a[PRINT_SIZE];
    double quota;
    uint64_t limit;
    machine_cpu_name(cpu, sizeof cpu);
    machine_isa(isa, sizeof isa);
    printf("heed       %s\n           %s\n", heed_version(), heed_build_options());
    printf("cpu        %s\n           %s\n", cpu, isa);
    printf("threads    %u (affinity allows %u", heed_get_threads(), machine_cpus());
    if (machine_cgroup_cpus(&quota))
        printf(", cgroup %.2g", quota);
    printf(")\nmemory     %s", print_bytes(a, machine_memory()));
    if (machine_cgroup_memory(&limit))
        printf(", limited to %s", print_bytes(a, limit));
    puts("");
}

static void print_plugins(size_t n)
{
    heed_plugin_info info = {.size = sizeof info};
    const char *path = getenv("HEED_PLUGIN_PATH");
    printf("searched   HEED_PLUGIN_PATH (%s), then the folder of the installation\n",
           path && *path ? path : "not set");
    for (size_t i = 0; i < n && !heed_plugin_get(i, &info); i++) {
        if (*info.error)
            printf("refused    %s: %s\n", *info.path ? info.path : info.name, info.error);
        else
            printf("%-10s %s %s, %zu offers, %s\n", info.kind, info.name, info.version, info.offers,
                   *info.path ? info.path : "built in");
    }
}

static void print_trials(const checkup *c)
{
    char time[PRINT_SIZE];
    for (size_t i = 0; i < c->n_trials; i++) {
        const trial *t = &c->trials[i];
        if (t->passed)
            printf("self-test  %s: ok, %zu nodes ran on it in %s and gave the right numbers\n",
                   t->backend, t->nodes, print_time(time, t->ns));
        else
            printf("self-test  %s: FAILED: %s\n", t->backend, t->why);
    }
}

static bool is_well(const checkup *c)
{
    return !c->failed && !c->refused && c->n_trials > 0 && c->importers > 0;
}

static void print_text(const checkup *c)
{
    print_machine();
    print_plugins(c->n_plugins);
    print_trials(c);
    if (!c->importers)
        puts("missing    no importer: no model file can be read");
    if (!c->n_trials)
        puts("missing    no backend");
    puts(is_well(c) ? "result     ready" : "result     not ready");
}

/* ---- JSON ---- */

static void json_machine(json_out *out)
{
    char cpu[128], isa[256];
    double quota;
    uint64_t limit;
    machine_cpu_name(cpu, sizeof cpu);
    machine_isa(isa, sizeof isa);
    json_text(out, "version", heed_version());
    json_text(out, "build", heed_build_options());
    json_text(out, "cpu", cpu);
    json_text(out, "isa", isa);
    json_int(out, "threads", heed_get_threads());
    json_int(out, "cpus", machine_cpus());
    if (machine_cgroup_cpus(&quota))
        json_real(out, "cgroup_cpus", quota);
    json_int(out, "memory_bytes", (int64_t)machine_memory());
    if (machine_cgroup_memory(&limit))
        json_int(out, "cgroup_memory_bytes", (int64_t)limit);
}

static void json_plugins(json_out *out, size_t n)
{
    heed_plugin_info info = {.size = sizeof info};
    json_open(out, "plugins", '[');
    for (size_t i = 0; i < n && !heed_plugin_get(i, &info); i++) {
        json_open(out, NULL, '{');
        json_text(out, "name", info.name);
        json_text(out, "kind", info.kind);
        json_text(out, "path", info.path);
        json_int(out, "offers", (int64_t)info.offers);
        json_text(out, "error", info.error);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void print_json(const checkup *c)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    json_machine(&out);
    json_plugins(&out, c->n_plugins);
    json_open(&out, "self_tests", '[');
    for (size_t i = 0; i < c->n_trials; i++) {
        const trial *t = &c->trials[i];
        json_open(&out, NULL, '{');
        json_text(&out, "backend", t->backend);
        json_bool(&out, "passed", t->passed);
        json_int(&out, "nodes", (int64_t)t->nodes);
        json_real(&out, "ms", (double)t->ns / 1e6);
        json_text(&out, "reason", t->why);
        json_close(&out, '}');
    }
    json_close(&out, ']');
    json_bool(&out, "ready", is_well(c));
    json_close(&out, '}');
    json_end(&out);
}

static int run(const cli_args *args)
{
    bool ok;
    bool json = args_want_json(args, &ok);
    if (!ok)
        return EXIT_USAGE;
    if (args->n_words)
        return exit_with(EXIT_USAGE, "heed doctor takes no words, such as '%s'", args->words[0]);
    checkup *c = cli_alloc(1, sizeof *c);
    examine(c);
    if (json)
        print_json(c);
    else
        print_text(c);
    int code = is_well(c) ? EXIT_OK : EXIT_DEVICE;
    free(c);
    return code;
}

const cli_verb verb_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "shows machine, plugins and search path, and proves each backend by a run",
    .flags = {format_flags},
    .notes = "Exit code 0 when all is well, 3 when a plugin was refused or a backend failed.\n",
    .run = run,
};
