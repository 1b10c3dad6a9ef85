/* compare.c - Equal, Less, LessOrEqual, Greater, GreaterOrEqual: two tensors to bool. */
#include <string.h>

#include "ops/content.h"
#include "ops/loops.h"

LOOP_MAP2(equal_f32, float, uint8_t, x >= y && x <= y)
LOOP_MAP2(equal_f64, double, uint8_t, x >= y && x <= y)
LOOP_MAP2(equal_i64, int64_t, uint8_t, x == y)
LOOP_MAP2(equal_u64, uint64_t, uint8_t, x == y)
LOOP_MAP2(equal_bool, uint8_t, uint8_t, !x == !y)
LOOP_MAP2(equal_string, heed_string, uint8_t,
          x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0))
LOOP_MAP2(less_f32, float, uint8_t, x < y)
LOOP_MAP2(less_f64, double, uint8_t, x < y)
LOOP_MAP2(less_i64, int64_t, uint8_t, x < y)
LOOP_MAP2(less_u64, uint64_t, uint8_t, x < y)
LOOP_MAP2(less_equal_f32, float, uint8_t, x <= y)
LOOP_MAP2(less_equal_f64, double, uint8_t, x <= y)
LOOP_MAP2(less_equal_i64, int64_t, uint8_t, x <= y)
LOOP_MAP2(less_equal_u64, uint64_t, uint8_t, x <= y)

static heed_status run_compare(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data, .out = CLASS_BOOL};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

/* a > b is b < a. */
static heed_status run_swapped(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data, .out = CLASS_BOOL};
    const heed_tensor *const in[2] = {c->in[1], c->in[0]};
    return loop_run(c, &m, 2, in, c->out[0]);
}

/* Where both sides are the same expression, or both are numbers, the answer is known; also where
 * one is provably larger: an extent is never -1. */
static void content_equal(op_infer *c)
{
    content_entry *a, *b;
    int64_t n_a, n_b;
    if (!content_get(c, 0, &a, &n_a) || !content_get(c, 1, &b, &n_b))
        return;
    int64_t n = n_a > n_b ? n_a : n_b;
    if ((n_a != n && n_a != 1) || (n_b != n && n_b != 1))
        return;
    ir_dim *out = infer_dims_new(c, n);
    for (int64_t i = 0; out && i < n; i++) {
        const content_entry *x = &a[n_a == 1 ? 0 : i], *y = &b[n_b == 1 ? 0 : i];
        out[i] = DIM_UNKNOWN;
        if (x->known && y->known)
            out[i] = x->number == y->number;
        else if (x->dim == y->dim && x->dim != DIM_UNKNOWN)
            out[i] = 1;
        else if (content_less(c->dims, x->dim, y->dim) || content_less(c->dims, y->dim, x->dim))
            out[i] = 0;
    }
    if (out)
        content_put(c, 0, n, out);
}

typedef loop_fn *const rows[LOOP_CLASSES];

// clang-format off
static rows equal_rows = {
    [CLASS_F32] = equal_f32, [CLASS_F64] = equal_f64, [CLASS_I64] = equal_i64,
    [CLASS_U64] = equal_u64, [CLASS_BOOL] = equal_bool, [CLASS_STRING] = equal_string};
static rows less_rows = {
    [CLASS_F32] = less_f32, [CLASS_F64] = less_f64, [CLASS_I64] = less_i64,
    [CLASS_U64] = less_u64};
static rows less_equal_rows = {
    [CLASS_F32] = less_equal_f32, [CLASS_F64] = less_equal_f64, [CLASS_I64] = less_equal_i64,
    [CLASS_U64] = less_equal_u64};

static const op_def equal = {
    .domain = "", .name = "Equal", .since = 19, .flags = OP_ELEMENTWISE | OP_COMMUTATIVE,
    .signature = "A:T, B:T -> C:bool", .types = "T=real|bool|string", .data = equal_rows,
    .infer = infer_broadcast, .content = content_equal, .run = run_compare};
static const op_def less = {
    .domain = "", .name = "Less", .since = 13, .flags = OP_ELEMENTWISE,
    .signature = "A:T, B:T -> C:bool", .types = "T=real", .data = less_rows,
    .infer = infer_broadcast, .run = run_compare};
static const op_def less_equal = {
    .domain = "", .name = "LessOrEqual", .since = 16, .flags = OP_ELEMENTWISE,
    .signature = "A:T, B:T -> C:bool", .types = "T=real", .data = less_equal_rows,
    .infer = infer_broadcast, .run = run_compare};
static const op_def greater = {
    .domain = "", .name = "Greater", .since = 13, .flags = OP_ELEMENTWISE,
    .signature = "A:T, B:T -> C:bool", .types = "T=real", .data = less_rows,
    .infer = infer_broadcast, .run = run_swapped};
static const op_def greater_equal = {
    .domain = "", .name = "GreaterOrEqual", .since = 16, .flags = OP_ELEMENTWISE,
    .signature = "A:T, B:T -> C:bool", .types = "T=real", .data = less_equal_rows,
    .infer = infer_broadcast, .run = run_swapped};

const op_def *const ops_compare[] = {&equal, &less, &less_equal, &greater, &greater_equal, NULL};
// clang-format on
