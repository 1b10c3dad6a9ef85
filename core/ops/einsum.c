/* einsum.c - sums of products over named axes: Einsum.
 *
 * Operands are folded in from the left. One step multiplies what is there with the next operand:
 * its labels fall into batch (in both, still needed), rows (left only), columns (right only) and
 * depth (not needed any more, summed), and the step is a batch of matrix products. Repeated
 * letters, missing axes and axes of extent 1 are strides: the sum of two, and 0. */
#include <string.h>

#include "ops/equation.h"
#include "ops/layout.h"
#include "ops/product.h"

/* ---- Inference ----------------------------------------------------------------------------- */

static heed_status label_dims(op_infer *c, const equation *e, ir_dim *dims)
{
    for (uint32_t i = 0; i < EQUATION_LABELS; i++)
        dims[i] = 1;
    for (uint32_t i = 0; i < e->n_terms; i++)
        for (int32_t k = 0; k < e->terms[i].rank; k++) {
            ir_dim *merged = &dims[e->terms[i].labels[k]], dim = c->in[i]->dims[k];
            if (!dims_broadcast(c->dims, *merged, dim, merged))
                return infer_error(c, "one extent for each letter of the equation",
                                   "%lld and %lld in input %u", (long long)*merged, (long long)dim,
                                   i);
        }
    return HEED_OK;
}

static heed_status infer_einsum(op_infer *c)
{
    equation e;
    ir_dim by_label[EQUATION_LABELS], dims[TENSOR_MAX_RANK];
    const char *text = ir_attr_string(c->node, "equation", "");
    int32_t *ranks = arena_array(c->memory, c->n_in + 1, sizeof(*ranks));
    if (!ranks)
        return err_get()->status;
    for (uint32_t i = 0; i < c->n_in; i++) {
        ranks[i] = infer_rank(c, i);
        if (ranks[i] < 0)
            return infer_set_unknown(c, 0, 0, -1);
    }
    const char *problem = equation_read(text, c->n_in, ranks, c->memory, &e);
    if (problem)
        return *problem ? infer_error(c, problem, "\"%.100s\"", text) : err_get()->status;
    TRY(label_dims(c, &e, by_label));
    for (int32_t i = 0; i < e.out.rank; i++)
        dims[i] = by_label[e.out.labels[i]];
    return infer_set(c, 0, 0, e.out.rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

/* An operand, or an intermediate: dense data with a stride for each label. */
typedef struct factor {
    const void *data;
    bool has[EQUATION_LABELS];
    int64_t strides[EQUATION_LABELS];
} factor;

typedef struct einsum {
    op_call *call;
    const product_type *type;
    equation equation;
    int64_t extents[EQUATION_LABELS];
    uint32_t last_use[EQUATION_LABELS]; /* 1 + the last operand with it; the output never ends */
} einsum;

static void describe(einsum *w)
{
    const equation *e = &w->equation;
    for (uint32_t i = 0; i < EQUATION_LABELS; i++)
        w->extents[i] = 1;
    for (uint32_t i = 0; i < e->n_terms; i++)
        for (int32_t k = 0; k < e->terms[i].rank; k++) {
            uint8_t label = e->terms[i].labels[k];
            if (w->call->in[i]->dims[k] != 1)
                w->extents[label] = w->call->in[i]->dims[k];
            w->last_use[label] = i + 1;
        }
    for (int32_t k = 0; k < e->out.rank; k++)
        w->last_use[e->out.labels[k]] = UINT32_MAX;
}

static heed_status read_factor(const einsum *w, uint32_t i, factor *f)
{
    const heed_tensor *t = w->call->in[i];
    const equation_term *term = &w->equation.terms[i];
    int64_t strides[TENSOR_MAX_RANK];
    memset(f, 0, sizeof(*f));
    f->data = product_read(w->call, w->type, t->dtype, tensor_data(t), 0, tensor_count(t));
    layout_strides(term->rank, t->dims, strides);
    for (int32_t k = 0; k < term->rank; k++) {
        uint8_t label = term->labels[k];
        f->has[label] = true;
        f->strides[label] += t->dims[k] == 1 ? 0 : strides[k];
    }
    return f->data ? HEED_OK : err_get()->status;
}

/* A list of labels that is walked as one axis. */
typedef struct group {
    int32_t n;
    uint8_t labels[EQUATION_LABELS];
    int64_t count;
} group;

static void group_add(const einsum *w, group *g, uint8_t label)
{
    g->labels[g->n++] = label;
    if (__builtin_mul_overflow(g->count, w->extents[label], &g->count))
        g->count = INT64_MAX; /* pack and fold refuse it */
}

enum { BATCH, ROWS, COLUMNS, DEPTH, GROUPS };

/* Sorts the labels of a and b for the step that folds in operand `i`. */
static void sort_labels(const einsum *w, const factor *a, const factor *b, uint32_t i,
                        group groups[GROUPS])
{
    for (int32_t k = 0; k < GROUPS; k++)
        groups[k] = (group){.count = 1};
    for (uint8_t label = 0; label < EQUATION_LABELS; label++) {
        if (!a->has[label] && !b->has[label])
            continue;
        bool needed = w->last_use[label] > i + 1;
        int32_t kind = !needed                          ? DEPTH
                       : a->has[label] && b->has[label] ? BATCH
                       : a->has[label]                  ? ROWS
                                                        : COLUMNS;
        group_add(w, &groups[kind], label);
    }
}

/* Copies a factor into dense [first, second, third] form. NULL: the error is set. */
static void *pack(const einsum *w, const factor *f, const group *first, const group *second,
                  const group *third)
{
    const group *order[3] = {first, second, third};
    layout_box box = {.rank = 0};
    for (int32_t g = 0; g < 3; g++)
        for (int32_t k = 0; k < order[g]->n; k++) {
            uint8_t label = order[g]->labels[k];
            if (w->extents[label] == 1)
                continue;
            if (box.rank == LAYOUT_MAX_RANK) {
                call_error(w->call, HEED_UNSUPPORTED,
                           "more than %d axes in one step of an "
                           "equation",
                           LAYOUT_MAX_RANK);
                return NULL;
            }
            box.dims[box.rank] = w->extents[label];
            box.src[box.rank++] = f->strides[label];
        }
    layout_strides(box.rank, box.dims, box.dst);
    int64_t count = 0;
    size_t bytes = 0;
    if (!shape_count(box.rank, box.dims, &count) ||
        !size_mul((size_t)count + 1, w->type->size, &bytes)) {
        call_error(w->call, HEED_NOMEM, "an intermediate of the equation is too large");
        return NULL;
    }
    void *to = call_scratch(w->call, bytes);
    if (to)
        layout_copy(w->type->dtype, &box, to, 0, f->data, 0);
    return to;
}

/* What a step leaves: dense [batch, rows, columns]. */
static void describe_result(const einsum *w, const group *groups, const void *data, factor *out)
{
    static const int order[] = {COLUMNS, ROWS, BATCH};
    int64_t step = 1;
    memset(out, 0, sizeof(*out));
    out->data = data;
    for (size_t g = 0; g < 3; g++)
        for (int32_t k = groups[order[g]].n - 1; k >= 0; k--) {
            uint8_t label = groups[order[g]].labels[k];
            out->has[label] = true;
            out->strides[label] = step;
            step *= w->extents[label];
        }
}

/* a becomes the product of a and b, summed over the labels that end with operand i. */
static heed_status fold(const einsum *w, factor *a, const factor *b, uint32_t i)
{
    group g[GROUPS];
    sort_labels(w, a, b, i, g);
    const char *left = pack(w, a, &g[BATCH], &g[ROWS], &g[DEPTH]);
    const char *right = left ? pack(w, b, &g[BATCH], &g[DEPTH], &g[COLUMNS]) : NULL;
    int64_t m = g[ROWS].count, n = g[COLUMNS].count, k = g[DEPTH].count, total = 0;
    int64_t dims[3] = {g[BATCH].count, m, n};
    size_t size = w->type->size, bytes = 0;
    if (!right)
        return err_get()->status;
    if (!shape_count(3, dims, &total) || !size_mul((size_t)total + 1, size, &bytes))
        return call_error(w->call, HEED_NOMEM, "an intermediate of the equation is too large");
    char *to = call_scratch(w->call, bytes); /* zeroed */
    if (!to)
        return err_get()->status;
    for (int64_t batch = 0; batch < g[BATCH].count; batch++)
        product_run(w->type, m, n, k, left + (size_t)(batch * m * k) * size,
                    right + (size_t)(batch * k * n) * size, to + (size_t)(batch * m * n) * size);
    describe_result(w, g, to, a);
    return HEED_OK;
}

static heed_status write_result(const einsum *w, const factor *f)
{
    heed_tensor *out = w->call->out[0];
    layout_box box = {.rank = tensor_rank(out)};
    memcpy(box.dims, out->dims, (size_t)box.rank * sizeof(int64_t));
    layout_strides(box.rank, out->dims, box.dst);
    for (int32_t k = 0; k < box.rank; k++)
        box.src[k] = f->strides[w->equation.out.labels[k]];
    bool direct = out->dtype == w->type->dtype;
    int64_t n = tensor_count(out);
    void *to = direct ? tensor_data(out) : call_scratch(w->call, (size_t)n * w->type->size + 1);
    if (!to)
        return err_get()->status;
    layout_copy(w->type->dtype, &box, to, 0, f->data, 0);
    if (!direct)
        product_write(w->type, out->dtype, tensor_data(out), 0, n, to);
    return HEED_OK;
}

/* The neutral operand: one, with no axes. */
static heed_status read_one(const einsum *w, factor *f)
{
    static const int64_t one = 1;
    memset(f, 0, sizeof(*f));
    f->data = product_read(w->call, w->type, HEED_INT64, &one, 0, 1);
    return f->data ? HEED_OK : err_get()->status;
}

static heed_status run_einsum(op_call *c)
{
    einsum w = {.call = c, .type = product_for(c->in[0]->dtype)};
    factor sum, next;
    int32_t *ranks = call_scratch(c, (c->n_in + 1) * sizeof(*ranks));
    if (!w.type)
        return call_error(c, HEED_UNSUPPORTED, "no product of %s", dtype_name(c->in[0]->dtype));
    if (!call_out(c, 0) || !ranks)
        return ranks ? HEED_OK : err_get()->status;
    for (uint32_t i = 0; i < c->n_in; i++)
        ranks[i] = tensor_rank(c->in[i]);
    const char *problem = equation_read(ir_attr_string(c->node, "equation", ""), c->n_in, ranks,
                                        c->scratch, &w.equation);
    if (problem)
        return *problem ? call_error(c, HEED_INVALID, "expected %s", problem) : HEED_NOMEM;
    describe(&w);
    TRY(read_factor(&w, 0, &sum));
    if (c->n_in == 1) {
        TRY(read_one(&w, &next));
        TRY(fold(&w, &sum, &next, 0));
    }
    for (uint32_t i = 1; i < c->n_in; i++) {
        TRY(read_factor(&w, i, &next));
        TRY(fold(&w, &sum, &next, i));
    }
    return write_result(&w, &sum);
}

// clang-format off
static const op_def einsum_op = {
    .domain = "", .name = "Einsum", .since = 28,
    .signature = "Inputs:T* -> Output:T", .types = "T=real", .attrs = "equation:string!",
    .infer = infer_einsum, .run = run_einsum};
// clang-format on

const op_def *const ops_einsum[] = {&einsum_op, NULL};
