/* case_run.c - runs one test case: every data set of its folder, compared with its outputs. */
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "dataset.h"
#include "files.h"
#include "json.h"
#include "print.h"
#include "session.h"

/* The model of a case and what its runs are given and give. */
typedef struct trial {
    heed_model *model;
    heed_session *session;
    size_t n_in, n_out;
    heed_tensor **in; /* by the model's inputs; NULL: not given */
    heed_tensor **out, **want;
    const compare_rules *rules;
    compare_result *result;
    bool no_device;
} trial;

static bool fail(trial *t, const char *reason)
{
    snprintf(t->result->why, sizeof t->result->why, "%.*s", COMPARE_WHY - 1, reason);
    return false;
}

static bool fail_with(trial *t, char *reason)
{
    fail(t, reason ? reason : "");
    free(reason);
    return false;
}

static void drop_values(trial *t)
{
    for (size_t i = 0; i < t->n_in; i++)
        heed_tensor_free(t->in[i]);
    for (size_t i = 0; i < t->n_out; i++) {
        heed_tensor_free(t->out[i]);
        heed_tensor_free(t->want[i]);
    }
    if (t->n_in)
        memset(t->in, 0, t->n_in * sizeof *t->in);
    if (t->n_out) {
        memset(t->out, 0, t->n_out * sizeof *t->out);
        memset(t->want, 0, t->n_out * sizeof *t->want);
    }
}

/* ---- One data set ---- */

static bool load_expected(trial *t, const char *folder, size_t *count)
{
    char *why = NULL;
    size_t outputs = heed_model_get_output_count(t->model);
    *count = 0;
    if (dataset_has(folder, "output", outputs))
        return fail_with(t, cli_format("more outputs are expected than the model's %zu", outputs));
    for (size_t i = 0; i < outputs; i++) {
        if (!dataset_has(folder, "output", i))
            continue;
        if (!dataset_load_output(t->model, folder, i, &t->want[i], &why))
            return fail_with(t, why);
        *count += 1;
    }
    return *count > 0 || fail(t, "the data set has no output_N.pb");
}

/* Runs with the inputs that are there, for the outputs that are expected. */
static bool run_model(trial *t)
{
    const char **names = cli_alloc(t->n_in + t->n_out, sizeof *names);
    heed_tensor **values = cli_alloc(t->n_in + t->n_out, sizeof *values);
    const char **asked = names + t->n_in;
    heed_tensor **got = values + t->n_in;
    size_t n_in = 0, n_out = 0;
    for (size_t i = 0; i < t->n_in; i++)
        if (t->in[i]) {
            names[n_in] = heed_model_get_input(t->model, i)->name;
            values[n_in++] = t->in[i];
        }
    for (size_t i = 0; i < t->n_out; i++)
        if (t->want[i])
            asked[n_out++] = heed_model_get_output(t->model, i)->name;
    bool good = !heed_session_run(t->session, NULL, n_in, names, values, n_out, asked, got);
    if (!good)
        fail(t, heed_error_get()->message);
    for (size_t i = 0, k = 0; good && i < t->n_out; i++)
        if (t->want[i])
            t->out[i] = got[k++];
    free(names);
    free(values);
    return good;
}

static bool compare_outputs(trial *t)
{
    for (size_t i = 0; i < t->n_out; i++)
        if (t->want[i] && !compare_tensors(heed_model_get_output(t->model, i)->name, t->out[i],
                                           t->want[i], t->rules, t->result))
            return false;
    return true;
}

static bool try_set(trial *t, const char *folder)
{
    char *why = NULL;
    size_t expected;
    bool good = dataset_load_inputs(t->model, folder, t->in, &why) || fail_with(t, why);
    good = good && load_expected(t, folder, &expected) && run_model(t) && compare_outputs(t);
    drop_values(t);
    return good;
}

/* ---- One case ---- */

/* Models of this precision round what flows through them to fewer than 16 bits of fraction: int4
 * ones round activations to 8 bits before each product, where a value between two steps may fall
 * to either. */
static bool is_narrow(const char *dtype)
{
    static const char *const names[] = {"fp16", "bf16", "int4"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(dtype, names[i]) == 0)
            return true;
    return false;
}

/* case.json says which precision a model was exported in; its tolerance follows from that. Cases
 * without one are held to the rule of the ONNX node tests. */
static const compare_rules *rules_of(const case_setup *setup, const char *folder)
{
    char dtype[32] = "";
    file_bytes text;
    if (setup->fixed)
        return &setup->rules;
    char *path = cli_format("%s/case.json", folder);
    bool found = files_exists(path) && files_read(path, &text);
    free(path);
    if (!found)
        return &compare_node_rules;
    bool said = json_find_text((const char *)text.data, text.size, "dtype", dtype, sizeof dtype);
    files_free(&text);
    if (!said)
        return &compare_node_rules;
    return is_narrow(dtype) ? &compare_narrow_rules : &compare_model_rules;
}

static bool open_model(trial *t, const case_setup *setup, const char *folder)
{
    char *path = cli_format("%s/model.onnx", folder);
    heed_status status = heed_model_load(path, NULL, &t->model);
    free(path);
    if (!status)
        status =
            session_new_or_fall_back(setup->args, t->model, &setup->options, false, &t->session);
    t->no_device = status == HEED_DEVICE;
    if (status)
        return fail(t, heed_error_get()->message);
    t->n_in = heed_model_get_input_count(t->model);
    t->n_out = heed_model_get_output_count(t->model);
    t->in = cli_alloc(t->n_in, sizeof *t->in);
    t->out = cli_alloc(t->n_out, sizeof *t->out);
    t->want = cli_alloc(t->n_out, sizeof *t->want);
    return true;
}

static bool try_sets(trial *t, const char *folder, size_t n, char *const *sets)
{
    for (size_t i = 0; i < n; i++) {
        char *path = cli_format("%s/%s", folder, sets[i]);
        bool good = try_set(t, path);
        free(path);
        if (!good && n > 1)
            return fail_with(t, cli_format("%s: %s", sets[i], t->result->why));
        if (!good)
            return false;
    }
    return true;
}

static void close_model(trial *t)
{
    heed_session_free(t->session);
    heed_model_free(t->model);
    free(t->in);
    free(t->out);
    free(t->want);
}

static int state_of(trial *t, const case_setup *setup, const char *folder)
{
    char **sets;
    size_t n = case_entries(folder, "test_data_set_", &sets);
    bool good = n > 0 && open_model(t, setup, folder) && try_sets(t, folder, n, sets);
    if (n == 0)
        fail(t, "no test_data_set_N folder");
    for (size_t i = 0; i < n; i++)
        free(sets[i]);
    free(sets);
    close_model(t);
    return n == 0 ? CASE_SKIPPED : good ? CASE_PASSED : CASE_FAILED;
}

void case_run(const case_setup *setup, const char *folder, case_result *out)
{
    compare_result result = {0};
    trial t = {.result = &result, .rules = rules_of(setup, folder)};
    uint64_t start = print_now();
    int state = state_of(&t, setup, folder);
    out->ms = (double)(print_now() - start) / 1e6;
    out->measured = result.measured;
    out->no_device = t.no_device;
    out->max_abs = result.max_abs;
    out->max_rel = result.max_rel;
    snprintf(out->reason, sizeof out->reason, "%s", state == CASE_PASSED ? "" : result.why);
    atomic_store(&out->state, state); /* last: a worker's parent goes by it */
}
