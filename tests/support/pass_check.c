/* The harness of pass_check.h: sessions run all passes, so this places and plans graphs itself. */
#include "pass_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_text.h"
#include "passes/pass.h"
#include "run/execute.h"
#include "run/model.h"

enum { MOST = 16, TEXT = 2000 };

static char wrong[3 * TEXT];

static const char *say(const char *what, const char *detail)
{
    snprintf(wrong, sizeof(wrong), "%s: %s", what, detail);
    return wrong;
}

/* ---- Listing ----------------------------------------------------------------------------------
 */

typedef struct listing {
    char text[TEXT];
    size_t used;
} listing;

static void put(listing *l, const char *text)
{
    int n = snprintf(l->text + l->used, TEXT - l->used, "%s", text);
    l->used += (size_t)n < TEXT - l->used ? (size_t)n : 0;
}

static void put_value(listing *l, const ir_value *v)
{
    char number[32];
    if (!v || v->name[0] != '#' || !v->constant) {
        put(l, v ? v->name : "-");
        return;
    }
    int64_t count = tensor_count(v->constant);
    for (int64_t i = 0; i < count && i < 4; i++) {
        snprintf(number, sizeof(number), "%s%g", i ? "," : "=", tensor_get_float(v->constant, i));
        put(l, number);
    }
}

static void put_graph(listing *l, const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        put(l, n->op->name);
        for (uint32_t i = 0; i < n->n_in; i++) {
            put(l, i ? "," : "(");
            put_value(l, n->in[i].value);
        }
        put(l, n->n_in ? ")->" : "()->");
        for (uint32_t o = 0; o < n->n_out; o++) {
            put(l, o ? "," : "");
            put_value(l, n->out[o]);
        }
        put(l, " ");
        for (uint32_t a = 0; a < n->n_attrs; a++) {
            if (!n->attrs[a].graph)
                continue;
            put(l, "{");
            put_graph(l, n->attrs[a].graph);
            put(l, "} ");
        }
    }
    put(l, "|");
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        put(l, " ");
        put_value(l, g->outputs[i]);
    }
}

/* ---- Running ------------------------------------------------------------------------------------
 */

typedef struct machine {
    place_table *places;
    program *programs[MOST];
    uint32_t n_programs;
    plan_store *store;
} machine;

static heed_status add_programs(machine *m, const ir_graph *g)
{
    if (m->n_programs == MOST)
        return HEED_INTERNAL;
    TRY(program_new(g, m->places, m->n_programs, &m->programs[m->n_programs]));
    m->n_programs++;
    for (const ir_node *n = g->first; n; n = n->next)
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(add_programs(m, n->attrs[a].graph));
    return HEED_OK;
}

static heed_status run_graph(ir_model *ir, heed_tensor *const *in, heed_tensor **out)
{
    machine m = {0};
    heed_status status = place_new("reference", &m.places);
    if (!status)
        status = place_nodes(m.places, ir);
    if (!status)
        status = add_programs(&m, ir->main);
    m.store = status ? NULL : plans_new(m.n_programs, 4);
    run_call call = {.store = m.store, .programs = m.programs, .n_programs = m.n_programs};
    if (!status)
        status = execute_program(&call, m.programs[0], (const heed_tensor *const *)in, out);
    plans_free(m.store);
    for (uint32_t i = 0; i < m.n_programs; i++)
        program_free(m.programs[i]);
    place_free(m.places);
    return status;
}

/* Inputs of 2, 3, 4... by symbol, small numbers, and true. */
static heed_status make_input(const ir_model *ir, const ir_value *v, heed_tensor **out)
{
    int64_t dims[TENSOR_MAX_RANK];
    char text[64];
    for (int32_t d = 0; d < v->type.rank; d++) {
        bool known = dim_known(v->type.dims[d]);
        dims_text(ir->dims, v->type.dims[d], text, sizeof(text));
        dims[d] = known ? v->type.dims[d] : 2 + *text % 3;
    }
    TRY(tensor_new(v->type.dtype, v->type.rank < 0 ? 0 : v->type.rank, dims, out));
    for (int64_t i = 0; i < tensor_count(*out); i++) {
        double value = v->type.dtype == HEED_BOOL ? 1 : 0.75 * (double)(i % 7) - 1;
        TRY(heed_tensor_write_f64(*out, i, 1, &value));
    }
    return HEED_OK;
}

/* Up to rounding: what was rounded several times is rounded once. */
static bool near(const heed_tensor *a, const heed_tensor *b)
{
    double most = dtype_bits(a->dtype) < 32 ? 0.02 : 1e-5;
    for (int64_t i = 0; i < tensor_count(a); i++) {
        double x = tensor_get_float(a, i), y = tensor_get_float(b, i);
        if (!(x == y || (x != x && y != y) || fabs(x - y) <= most * (fabs(y) + 1)))
            return false;
    }
    return true;
}

static bool same(const heed_tensor *a, const heed_tensor *b, bool fused)
{
    bool alike = a && b && a->kind == HEED_TENSOR && b->kind == HEED_TENSOR &&
                 a->dtype == b->dtype &&
                 shape_equal(tensor_rank(a), a->dims, tensor_rank(b), b->dims);
    if (alike && fused && dtype_is_float(a->dtype))
        return near(a, b);
    return alike &&
           (tensor_bytes(a) == 0 || !memcmp(tensor_data(a), tensor_data(b), tensor_bytes(a)));
}

/* A fusion computes several nodes at once, so its results may differ by rounding; so do those of a
 * softmax that was spelled out. */
static bool is_fusion(const char *name)
{
    if (name && (strcmp(name, "softmax") == 0 || strcmp(name, "sinks") == 0 ||
                 strcmp(name, "weights") == 0))
        return true;
    for (const pass_def *const *p = pass_table; name && *p; p++)
        if (strncmp(name, (*p)->name, strcspn(name, ",")) == 0)
            return (*p)->fuses != NULL;
    return false;
}

static const char *compare_runs(ir_model *before, ir_model *after, bool fused)
{
    heed_tensor *in[MOST] = {0}, *was[MOST] = {0}, *is[MOST] = {0};
    const char *what = NULL;
    for (uint32_t i = 0; i < before->main->n_inputs && !what; i++)
        if (make_input(before, before->main->inputs[i], &in[i]))
            what = say("input", err_get()->message);
    if (!what && run_graph(before, in, was))
        what = say("run before", err_get()->message);
    if (!what && run_graph(after, in, is))
        what = say("run after", err_get()->message);
    for (uint32_t o = 0; o < before->main->n_outputs && !what; o++)
        if (!same(was[o], is[o], fused))
            what = say("another result", before->main->output_names[o]);
    for (int i = 0; i < MOST; i++) {
        tensor_free(in[i]);
        tensor_free(was[i]);
        tensor_free(is[i]);
    }
    return what;
}

/* ---- Passes -------------------------------------------------------------------------------------
 */

static heed_status take_all(void *self, ir_node *n, bool *taken)
{
    (void)self;
    *taken = strcmp(n->op->domain, "heed") == 0;
    return HEED_OK;
}

static heed_status run_pass_for(ir_model *m, const char *name, bool all_taken)
{
    for (const pass_def *const *p = pass_table; *p; p++) {
        arena scratch = {0};
        pass_options options = {.optimize = true, .takes = all_taken ? take_all : NULL};
        pass_run run = {.model = m, .options = &options, .scratch = &scratch};
        if (strcmp((*p)->name, name) != 0)
            continue;
        heed_status status = (*p)->run(&run);
        arena_free(&scratch);
        return status ? status : ir_verify(m);
    }
    return err_fail(HEED_NOTFOUND, "no pass %s", name);
}

static heed_status run_pass(ir_model *m, const char *name) { return run_pass_for(m, name, false); }

static heed_status apply(ir_model *m, const char *pass)
{
    const char *const *report;
    size_t n_report;
    if (!pass)
        return pass_pipeline(m, &(pass_options){.optimize = true, .check = true}, &report,
                             &n_report);
    TRY(run_pass(m, "infer"));
    for (char name[64]; *pass; pass += *pass == ',') {
        size_t n = strcspn(pass, ",");
        snprintf(name, sizeof(name), "%.*s", (int)n, pass);
        TRY(run_pass(m, name));
        pass += n;
    }
    return HEED_OK;
}

/* "#*" stands for the name of any value that a pass made. */
static bool matches(const char *found, const char *expected)
{
    while (*expected) {
        if (strncmp(expected, "#*", 2) == 0 && *found == '#') {
            found += 1 + strspn(found + 1, "0123456789");
            expected += 2;
        } else if (*found++ != *expected++) {
            return false;
        }
    }
    return !*found;
}

static const char *check(const heed_model *model, const char *pass, const char *expected)
{
    ir_model *before = NULL, *after = NULL;
    listing l = {.used = 0};
    const char *what = NULL;
    if (ir_model_copy(model->ir, &before) || ir_model_copy(model->ir, &after) ||
        run_pass(before, "infer") || apply(after, pass))
        what = say("pass", err_get()->message);
    if (!what)
        put_graph(&l, after->main);
    if (!what && !matches(l.text, expected)) {
        snprintf(wrong, sizeof(wrong), "\nexpected %s\nfound    %s", expected, l.text);
        what = wrong;
    }
    if (!what && run_pass(after, "lower"))
        what = say("lower", err_get()->message);
    if (!what)
        what = compare_runs(before, after, is_fusion(pass));
    ir_model_free(before);
    ir_model_free(after);
    return what;
}

const char *pass_check(const char *pass, const char *before, const char *after)
{
    onnx_message bytes;
    heed_model *model = onnx_text_load(before, &bytes);
    const char *what = model ? check(model, pass, after) : "the text is no model";
    heed_model_free(model);
    onnx_write_free(&bytes);
    return what;
}

/* ---- Fusions ------------------------------------------------------------------------------------
 */

static unsigned count_nodes(const ir_graph *g, const char *domain, const char *op)
{
    unsigned n = 0;
    for (const ir_node *node = g->first; node; node = node->next) {
        n += strcmp(node->op->domain, domain) == 0 && strcmp(node->op->name, op) == 0;
        for (uint32_t a = 0; a < node->n_attrs; a++)
            n += node->attrs[a].graph ? count_nodes(node->attrs[a].graph, domain, op) : 0;
    }
    return n;
}

/* Unless something is wrong already: do both give the same? Frees them. */
static const char *end_check(const char *what, ir_model *before, ir_model *after)
{
    if (!what && run_pass(after, "lower"))
        what = say("lower", err_get()->message);
    if (!what)
        what = compare_runs(before, after, true);
    ir_model_free(before);
    ir_model_free(after);
    return what;
}

static const char *check_fused(const heed_model *model, const char *pass, const char *domain,
                               const char *op, unsigned count)
{
    ir_model *before = NULL, *after = NULL;
    const char *what = NULL;
    if (ir_model_copy(model->ir, &before) || ir_model_copy(model->ir, &after) ||
        run_pass(before, "infer") || run_pass(after, "infer") || run_pass(before, "decompose") ||
        run_pass(before, "lower") || run_pass_for(after, "decompose", true) ||
        run_pass_for(after, pass, true))
        what = say("pass", err_get()->message);
    unsigned found = what ? 0 : count_nodes(after->main, domain, op);
    if (!what && found != count) {
        snprintf(wrong, sizeof(wrong), "expected %u %s, found %u", count, op, found);
        what = wrong;
    }
    return end_check(what, before, after);
}

const char *pass_check_fused(const char *pass, const char *before, const char *domain,
                             const char *op, unsigned count)
{
    onnx_message bytes;
    heed_model *model = onnx_text_load(before, &bytes);
    const char *what = model ? check_fused(model, pass, domain, op, count) : "the text is no model";
    heed_model_free(model);
    onnx_write_free(&bytes);
    return what;
}

/* ---- Attributes --------------------------------------------------------------------------------
 */

static const ir_node *find_node(const ir_graph *g, const char *op)
{
    const ir_node *n = g->first;
    while (n && strcmp(n->op->name, op) != 0)
        n = n->next;
    return n;
}

/* A string as it is, a whole number in digits; nothing when it is not there. */
static const char *attr_text(const ir_node *n, const char *attr, char digits[32])
{
    const ir_attr *a = ir_node_attr(n, attr);
    if (!a || a->view.type != HEED_ATTR_INT)
        return ir_attr_string(n, attr, "");
    snprintf(digits, 32, "%lld", (long long)a->view.i);
    return digits;
}

static const char *check_attr(const heed_model *model, const char *pass, const char *op,
                              const char *attr, const char *expected)
{
    ir_model *before = NULL, *after = NULL;
    const char *what = NULL;
    if (ir_model_copy(model->ir, &before) || ir_model_copy(model->ir, &after) ||
        run_pass(before, "infer") || run_pass(after, "infer") || run_pass_for(after, pass, true))
        what = say("pass", err_get()->message);
    const ir_node *n = what ? NULL : find_node(after->main, op);
    char digits[32];
    const char *found = n ? attr_text(n, attr, digits) : "no such node";
    if (!what && strcmp(found, expected) != 0) {
        snprintf(wrong, sizeof(wrong), "expected %s, found %s", expected, found);
        what = wrong;
    }
    return end_check(what, before, after);
}

const char *pass_check_attr(const char *pass, const char *before, const char *op, const char *attr,
                            const char *expected)
{
    onnx_message bytes;
    heed_model *model = onnx_text_load(before, &bytes);
    const char *what = model ? check_attr(model, pass, op, attr, expected) : "the text is no model";
    heed_model_free(model);
    onnx_write_free(&bytes);
    return what;
}
