/* variadic.c - Min, Max, Sum, Mean of any number of tensors with broadcasting. */
#include <string.h>

#include "ops/content.h"
#include "ops/loops.h"

typedef struct variadic {
    loop_fn *rows[LOOP_CLASSES]; /* combines what there is so far with the next operand */
    bool mean;
    ir_dim (*content)(ir_dims *t, ir_dim a, ir_dim b);
} variadic;

/* A NaN on either side wins. */
LOOP_MAP2(min_f64, double, double, x < y || x != x ? x : y)
LOOP_MAP2(min_i64, int64_t, int64_t, x < y ? x : y)
LOOP_MAP2(min_u64, uint64_t, uint64_t, x < y ? x : y)
LOOP_MAP2(max_f64, double, double, x > y || x != x ? x : y)
LOOP_MAP2(max_i64, int64_t, int64_t, x > y ? x : y)
LOOP_MAP2(max_u64, uint64_t, uint64_t, x > y ? x : y)
LOOP_MAP2(sum_f64, double, double, x + y)

/* Elements first..first+n of the output. Two blocks take turns in holding what there is so far. */
static void combine(op_call *c, const variadic *v, dtype_class class, const loop_reader *readers,
                    int64_t first, int64_t n)
{
    loop_block operand, sums[2];
    const void *so_far = loop_read(&readers[0], first, n, &sums[1]);
    for (uint32_t i = 1; i < c->n_in; i++) {
        const void *in[2] = {so_far, loop_read(&readers[i], first, n, &operand)};
        void *out = &sums[i % 2 ? 0 : 1];
        v->rows[class](NULL, n, in, out);
        so_far = out;
    }
    if (v->mean) {
        if (so_far != &sums[0] && so_far != &sums[1])
            memcpy(&sums[0], so_far, (size_t)n * sizeof(double));
        double *values = so_far == &sums[1] ? sums[1].f64 : sums[0].f64;
        for (int64_t i = 0; i < n; i++)
            values[i] /= c->n_in;
        so_far = values;
    }
    loop_store(c->out[0], class, first, n, so_far);
}

static heed_status run_variadic(op_call *c)
{
    const variadic *v = c->node->op->data;
    heed_tensor *out = c->out[0];
    int64_t total = tensor_count(out);
    dtype_class class = loop_class(v->rows, out->dtype);
    loop_reader *readers = call_scratch(c, c->n_in * sizeof *readers);
    if (!readers)
        return HEED_NOMEM;
    if (class == CLASS_NONE)
        return call_error(c, HEED_UNSUPPORTED, "%s has no reference kernel for %s",
                          c->node->op->name, dtype_name(out->dtype));
    if (total == 0)
        return HEED_OK;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!c->in[i])
            return call_error(c, HEED_INVALID, "input %u of %s is left out", i, c->node->op->name);
    for (uint32_t i = 0; i < c->n_in; i++)
        loop_reader_init(&readers[i], c->in[i], class, tensor_rank(out), out->dims);
    for (int64_t first = 0; first < total; first += LOOP_BLOCK)
        combine(c, v, class, readers, first,
                total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK);
    return HEED_OK;
}

/* ---- Integer content ------------------------------------------------------------------------- */

static void content_variadic(op_infer *c)
{
    const variadic *v = c->op->data;
    content_entry *list;
    int64_t n = 0, count = 1;
    ir_dim out[CONTENT_MAX] = {0};
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (!content_get(c, i, &list, &n) || (n != 1 && count != 1 && n != count) ||
            n > CONTENT_MAX || n == 0)
            return;
        for (int64_t k = count; k < n; k++)
            out[k] = out[0];
        count = n > count ? n : count;
        for (int64_t k = 0; k < count; k++) {
            ir_dim x = list[n == 1 ? 0 : k].dim;
            if (x == DIM_UNKNOWN || out[k] == DIM_UNKNOWN)
                return;
            out[k] = i == 0 ? x : v->content(c->dims, out[k], x);
        }
    }
    content_put(c, 0, count, out);
}

// clang-format off
static const variadic min_data = {
    .rows = {[CLASS_F64] = min_f64, [CLASS_I64] = min_i64, [CLASS_U64] = min_u64},
    .content = dims_min};
static const variadic max_data = {
    .rows = {[CLASS_F64] = max_f64, [CLASS_I64] = max_i64, [CLASS_U64] = max_u64},
    .content = dims_max};
static const variadic sum_data = {.rows = {[CLASS_F64] = sum_f64}};
static const variadic mean_data = {.rows = {[CLASS_F64] = sum_f64}, .mean = true};

enum { VARIADIC = OP_ELEMENTWISE | OP_COMMUTATIVE };
static const op_def min_op = {
    .domain = "", .name = "Min", .since = 13, .flags = VARIADIC,
    .signature = "data_0:T* -> min:T", .types = "T=real", .data = &min_data,
    .infer = infer_broadcast, .content = content_variadic, .run = run_variadic};
static const op_def max_op = {
    .domain = "", .name = "Max", .since = 13, .flags = VARIADIC,
    .signature = "data_0:T* -> max:T", .types = "T=real", .data = &max_data,
    .infer = infer_broadcast, .content = content_variadic, .run = run_variadic};
static const op_def sum = {
    .domain = "", .name = "Sum", .since = 13, .flags = VARIADIC,
    .signature = "data_0:T* -> sum:T", .types = "T=float", .data = &sum_data,
    .infer = infer_broadcast, .run = run_variadic};
static const op_def mean = {
    .domain = "", .name = "Mean", .since = 13, .flags = VARIADIC,
    .signature = "data_0:T* -> mean:T", .types = "T=float", .data = &mean_data,
    .infer = infer_broadcast, .run = run_variadic};

const op_def *const ops_variadic[] = {&min_op, &max_op, &sum, &mean, NULL};
// clang-format on
