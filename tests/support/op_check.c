/* The checks of op_check.h. */
#include "op_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "op_draw.h"
#include "passes/pass.h"
#include "run/model.h"

enum { MEMORY = 64 << 20, RUN_NS = 200000000 };

/* ---- Memory that is never what it was -------------------------------------------------------- */

static int pattern;
static unsigned problems;

static void *take(void *self, size_t bytes, size_t alignment)
{
    (void)self;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes))
        return NULL;
    return memset(memory, pattern, bytes);
}

static void give(void *self, void *pointer, size_t bytes)
{
    (void)self, (void)bytes;
    free(pointer);
}

void op_check_start(void)
{
    heed_allocator allocator = {.size = sizeof(allocator), .alloc = take, .free = give};
    heed_set_allocator(&allocator);
    heed_set_memory_limit(MEMORY);
    heed_set_threads(1);
}

/* ---- One run --------------------------------------------------------------------------------- */

typedef struct result {
    heed_status status;
    heed_tensor *out[OP_DRAW_OUTPUTS];
} result;

static void result_free(result *r)
{
    for (int i = 0; i < OP_DRAW_OUTPUTS; i++)
        heed_tensor_free(r->out[i]);
}

static void print_value(const char *name, const heed_tensor *t)
{
    static const char *const kinds[] = {"", "sequence of ", "optional ", "map of "};
    fprintf(stderr, "  %s %s%s", name, kinds[t->kind & 3], heed_dtype_name(t->dtype));
    for (int32_t i = 0; t->kind == HEED_TENSOR && i < tensor_rank(t); i++)
        fprintf(stderr, "%s%lld", i ? "x" : " ", (long long)t->dims[i]);
    fprintf(stderr, "\n");
}

/* Says what is wrong, and counts it. */
static void stop(const op_model *m, const char *what, const result *r)
{
    const char *domain = m->op->domain[0] ? m->op->domain : "ai.onnx";
    fprintf(stderr, "%s: %s.%s: %s\n", what, domain, m->op->name, heed_error_get()->message);
    for (uint32_t i = 0; i < m->n_in; i++)
        print_value(m->names[i], m->in[i]);
    for (uint32_t i = 0; r && r->status == HEED_OK && i < m->n_out; i++)
        print_value("out", r->out[i]);
    problems++;
}

static result run(const op_model *m, heed_session *s)
{
    result r = {0};
    const char *names[OP_DRAW_INPUTS];
    struct timespec now;
    heed_run_options options = {.size = sizeof(options)};
    for (uint32_t i = 0; i < m->n_in; i++)
        names[i] = m->names[i];
    clock_gettime(CLOCK_MONOTONIC, &now);
    options.deadline_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + RUN_NS;
    r.status = heed_session_run(s, &options, m->n_in, names, m->in, m->n_out, NULL, r.out);
    if (r.status == HEED_INTERNAL)
        stop(m, "a defect", NULL);
    return r;
}

/* A session and one run in memory that is full of `fill`. */
static result run_in(const op_model *m, heed_model *model, const char *backends, int fill)
{
    heed_session_options options = {
        .size = sizeof(options), .flags = HEED_SESSION_CHECK, .backends = backends};
    heed_session *session = NULL;
    result r = {0};
    pattern = fill;
    r.status = heed_session_new(model, &options, &session);
    if (r.status == HEED_INTERNAL)
        stop(m, "a defect", NULL);
    if (r.status == HEED_OK)
        r = run(m, session);
    heed_session_free(session);
    return r;
}

/* ---- What must hold -------------------------------------------------------------------------- */

static bool same_shape(const heed_tensor *a, const heed_tensor *b)
{
    return a->kind == b->kind && a->dtype == b->dtype && tensor_rank(a) == tensor_rank(b) &&
           (a->kind != HEED_TENSOR || tensor_rank(a) < 1 ||
            !memcmp(a->dims, b->dims, (size_t)tensor_rank(a) * sizeof(*a->dims)));
}

static bool same(const heed_tensor *a, const heed_tensor *b)
{
    if (!same_shape(a, b) || heed_tensor_get_item_count(a) != heed_tensor_get_item_count(b))
        return false;
    for (size_t i = 0; a->kind != HEED_TENSOR && i < heed_tensor_get_item_count(a); i++)
        if (!same(heed_tensor_get_item(a, i), heed_tensor_get_item(b, i)))
            return false;
    if (a->kind != HEED_TENSOR || tensor_count(a) == 0)
        return true;
    const heed_string *x = heed_tensor_get_data(a), *y = heed_tensor_get_data(b);
    if (a->dtype != HEED_STRING)
        return !memcmp(x, y, heed_tensor_get_bytes(a));
    for (int64_t i = 0; i < tensor_count(a); i++)
        if (x[i].size != y[i].size || memcmp(x[i].data, y[i].data, x[i].size))
            return false;
    return true;
}

/* Memory and time run out at different points. */
static bool cut_short(const result *r)
{
    return r->status == HEED_NOMEM || r->status == HEED_DEADLINE;
}

static void check_same(const op_model *m, const result *a, const result *b)
{
    if (cut_short(a) || cut_short(b))
        return;
    if (a->status != b->status) {
        stop(m, "refused once, and once not", a);
        return;
    }
    for (uint32_t o = 0; a->status == HEED_OK && o < m->n_out; o++)
        if (m->op->flags & OP_RANDOM ? !same_shape(a->out[o], b->out[o])
                                     : !same(a->out[o], b->out[o]))
            stop(m, "results depend on what was in memory", b);
}

/* An index into nothing is believed by some. */
static bool is_empty(const op_model *m, const result *r)
{
    for (uint32_t o = 0; o < m->n_out; o++)
        if (r->out[o] && tensor_count(r->out[o]) == 0)
            return true;
    return false;
}

static void check_backends(const op_model *m, const result *a, const result *b)
{
    if (cut_short(a) || cut_short(b) || is_empty(m, a) || is_empty(m, b))
        return;
    if ((a->status == HEED_OK) != (b->status == HEED_OK)) {
        stop(m, "one backend refuses what another does", a);
        return;
    }
    for (uint32_t o = 0; a->status == HEED_OK && o < m->n_out; o++)
        if (!same_shape(a->out[o], b->out[o]))
            stop(m, "backends give different shapes", b);
}

static heed_status infer(ir_model *ir)
{
    arena scratch = {0};
    pass_options options = {.optimize = false};
    pass_run run = {.model = ir, .options = &options, .scratch = &scratch};
    heed_status status = HEED_OK;
    for (const pass_def *const *p = pass_table; *p; p++)
        if (!strcmp((*p)->name, "infer"))
            status = (*p)->run(&run);
    arena_free(&scratch);
    return status;
}

static bool promised(const ir_type *type, const heed_tensor *t)
{
    if (type->kind != t->kind || (type->dtype && t->dtype && type->dtype != t->dtype))
        return false;
    if (t->kind != HEED_TENSOR || type->rank < 0)
        return true;
    if (type->rank != tensor_rank(t))
        return false;
    for (int32_t i = 0; i < type->rank; i++)
        if (dim_known(type->dims[i]) && type->dims[i] != t->dims[i])
            return false;
    return true;
}

/* A body broadcasts where its operator does not; that shows at load only where shapes do. */
static bool checked_at_load(const op_model *m, const heed_model *model)
{
    for (size_t i = 0; m->op->decompose && i < heed_model_get_input_count(model); i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        for (int32_t k = 0; k < info->ndim; k++)
            if (info->dims[k] < 0)
                return false;
        if (info->ndim < 0)
            return false;
    }
    return true;
}

/* What inference says before anything is bound must be true of what came. */
static void check_inference(const op_model *m, const heed_model *model, const result *r)
{
    ir_model *ir = NULL;
    if (r->status != HEED_OK || !checked_at_load(m, model) || ir_model_copy(model->ir, &ir))
        return;
    heed_status status = infer(ir);
    if (status != HEED_OK && status != HEED_NOMEM)
        stop(m, "inference refuses what runs", r);
    for (uint32_t o = 0; status == HEED_OK && o < m->n_out; o++)
        if (!promised(&ir->main->outputs[o]->type, r->out[o]))
            stop(m, "inference promised another type", r);
    ir_model_free(ir);
}

static void check(const op_model *m, heed_model *model)
{
    result first = run_in(m, model, "reference", 0xa5);
    result second = run_in(m, model, "reference", 0x5b);
    check_same(m, &first, &second);
    check_inference(m, model, &first);
    result other = run_in(m, model, "cpu,reference", 0xff);
    check_backends(m, &first, &other);
    result_free(&first);
    result_free(&second);
    result_free(&other);
}

unsigned op_check_bytes(const uint8_t *bytes, size_t size)
{
    op_draw d = op_draw_start(bytes, size);
    op_model m;
    heed_model *model = NULL;
    problems = 0;
    pattern = 0x3c;
    if (op_draw_model(&d, &m)) {
        heed_status status = heed_model_load_memory(m.bytes.bytes, m.bytes.size, NULL, &model);
        if (status == HEED_INTERNAL || status == HEED_NOTFOUND)
            stop(&m, "a defect", NULL);
        if (status == HEED_OK)
            check(&m, model);
    }
    heed_model_free(model);
    op_draw_free(&m);
    return problems;
}
