/* cumsum.c - CumSum and CumProd: running sums and products along an axis that is an input. */
#include "ops/loops.h"

/* Combines `so_far` with an element; both are of the compute type. */
typedef struct running {
    double (*f64)(double so_far, double x);
    uint64_t (*u64)(uint64_t so_far, uint64_t x); /* wraps, so it serves both signs */
    uint64_t start;
} running;

static double add_f64(double a, double b) { return a + b; }

static uint64_t add_u64(uint64_t a, uint64_t b) { return a + b; }

static double mul_f64(double a, double b) { return a * b; }

static uint64_t mul_u64(uint64_t a, uint64_t b) { return a * b; }

typedef struct way {
    bool exclusive, reverse;
} way;

static void run_f64(const running *op, const way *w, int64_t n, double *x)
{
    double so_far = (double)op->start;
    for (int64_t i = 0; i < n; i++) {
        double *at = &x[w->reverse ? n - 1 - i : i];
        double next = op->f64(so_far, *at);
        *at = w->exclusive ? so_far : next;
        so_far = next;
    }
}

static void run_u64(const running *op, const way *w, int64_t n, uint64_t *x)
{
    uint64_t so_far = op->start;
    for (int64_t i = 0; i < n; i++) {
        uint64_t *at = &x[w->reverse ? n - 1 - i : i];
        uint64_t next = op->u64(so_far, *at);
        *at = w->exclusive ? so_far : next;
        so_far = next;
    }
}

static heed_status run_running(op_call *c)
{
    const running *op = c->node->op->data;
    const heed_tensor *in = c->in[0];
    const way w = {.exclusive = ir_attr_int(c->node, "exclusive", 0) != 0,
                   .reverse = ir_attr_int(c->node, "reverse", 0) != 0};
    bool real = dtype_is_float(in->dtype);
    dtype_class class = real ? CLASS_F64 : (dtype_is_signed(in->dtype) ? CLASS_I64 : CLASS_U64);
    int32_t axis;
    if (tensor_count(c->in[1]) != 1)
        return call_error(c, HEED_INVALID, "the axis of %s has %lld elements", c->node->op->name,
                          (long long)tensor_count(c->in[1]));
    TRY(loop_axis(c, tensor_get_int(c->in[1], 0), tensor_rank(in), &axis));
    loop_lines lines = loop_lines_of(in, axis);
    void *x = call_scratch(c, (size_t)lines.n * sizeof(double) + 1);
    if (!x)
        return HEED_NOMEM;
    for (int64_t o = 0; o < lines.outer; o++)
        for (int64_t j = 0; j < lines.inner; j++) {
            loop_load_line(in, class, &lines, o, j, x);
            if (real)
                run_f64(op, &w, lines.n, x);
            else
                run_u64(op, &w, lines.n, x);
            loop_store_line(c->out[0], class, &lines, o, j, x);
        }
    return HEED_OK;
}

// clang-format off
static const running sum = {add_f64, add_u64, 0};
static const running prod = {mul_f64, mul_u64, 1};

static const op_def cum_sum = {
    .domain = "", .name = "CumSum", .since = 14, .flags = OP_INPLACE, .data = &sum,
    .signature = "x:T, axis:I -> y:T", .types = "T=real I=int32|int64",
    .attrs = "exclusive:int=0 reverse:int=0",
    .infer = infer_same, .run = run_running};
static const op_def cum_prod = {
    .domain = "", .name = "CumProd", .since = 26, .flags = OP_INPLACE, .data = &prod,
    .signature = "x:T, axis:I -> y:T", .types = "T=real I=int32|int64",
    .attrs = "exclusive:int=0 reverse:int=0",
    .infer = infer_same, .run = run_running};

const op_def *const ops_cumsum[] = {&cum_sum, &cum_prod, NULL};
// clang-format on
