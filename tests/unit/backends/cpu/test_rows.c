/* Reductions, softmax and norms against C in double: random axes, long and short rows, empty
 * extents, NaN and infinity. */
#include "check.h"

/* ---- Reductions ------------------------------------------------------------------------------ */

typedef struct reduction {
    const char *op;
    double first;
    double (*fold)(double total, double x);
    double (*finish)(double total, double n);
} reduction;

static double plus(double t, double x) { return t + x; }
static double plus_abs(double t, double x) { return t + fabs(x); }
static double plus_square(double t, double x) { return t + x * x; }
static double larger(double t, double x) { return isnan(t) || t > x ? t : x; }
static double smaller(double t, double x) { return isnan(t) || t < x ? t : x; }
static double as_is(double t, double n) { return t + 0 * n; }
static double mean(double t, double n) { return t / n; }
static double root(double t, double n) { return sqrt(t) + 0 * n; }

// clang-format off
static const reduction reductions[] = {
    {"ReduceSum", 0, plus, as_is}, {"ReduceMean", 0, plus, mean},
    {"ReduceMax", -INFINITY, larger, as_is}, {"ReduceMin", INFINITY, smaller, as_is},
    {"ReduceL1", 0, plus_abs, as_is}, {"ReduceL2", 0, plus_square, root},
    {"ReduceSumSquare", 0, plus_square, as_is},
};
// clang-format on

/* The flat index in y of flat index i of x. */
static size_t reduced_at(const DLTensor *x, const int *reduced, size_t i)
{
    size_t offset = 0, stride = 1;
    for (int d = x->ndim - 1; d >= 0; d--) {
        size_t place = i % (size_t)x->shape[d];
        i /= (size_t)x->shape[d];
        if (reduced[d])
            continue;
        offset += place * stride;
        stride *= (size_t)x->shape[d];
    }
    return offset;
}

static void reduce_case(const reduction *r, int rank, const int64_t *dims, const int *reduced,
                        int nan)
{
    int64_t kept[MINI_RANK], axes[MINI_RANK];
    size_t n_axes = 0;
    for (int d = 0; d < rank; d++) {
        kept[d] = reduced[d] ? 1 : dims[d];
        if (reduced[d])
            axes[n_axes++] = d % 2 ? d - rank : d;
    }
    mini_node node = {.op = r->op, .n_in = 2, .n_out = 1};
    node.in[0] = random_tensor(rank, dims);
    node.in[1] = integers(n_axes, axes);
    node.out[0] = random_tensor(rank, kept);
    mini_int(&node, "keepdims", 1);
    mini_int(&node, "noop_with_empty_axes", 1);
    size_t n = mini_count(node.in[0]), m = mini_count(node.out[0]);
    float *x = mini_data(node.in[0]);
    const float *y = mini_data(node.out[0]);
    if (nan && n)
        x[any((uint32_t)n)] = NAN;
    run_node(&node);
    double *want = calloc(m + 1, sizeof(*want)), count = m ? (double)n / (double)m : 1;
    for (size_t i = 0; i < m; i++)
        want[i] = r->first;
    for (size_t i = 0; i < n; i++) {
        double *total = &want[reduced_at(node.in[0], reduced, i)];
        *total = r->fold(*total, (double)x[i]);
    }
    for (size_t i = 0; i < m; i++)
        expect(&node, i, (double)y[i], r->finish(want[i], count), 2e-6, 1e-6 * count + 1e-6);
    free(want);
    drop(&node);
}

static void reduce_shapes(void)
{
    for (size_t r = 0; r < sizeof(reductions) / sizeof(reductions[0]); r++) {
        for (int round = 0; round < 60; round++) {
            int64_t dims[4];
            int rank = 1 + (int)any(4), reduced[4];
            for (int d = 0; d < rank; d++) {
                dims[d] = any(25) ? 1 + any(9) : 0;
                reduced[d] = (int)any(2);
            }
            reduce_case(&reductions[r], rank, dims, reduced, round % 4 == 0);
        }
        const int64_t big[2] = {70, 1000}, tall[2] = {3000, 5000 / 40};
        reduce_case(&reductions[r], 2, big, (int[]){0, 1}, 0);
        reduce_case(&reductions[r], 2, big, (int[]){1, 0}, 0);
        reduce_case(&reductions[r], 2, tall, (int[]){1, 0}, 1);
        reduce_case(&reductions[r], 2, tall, (int[]){1, 1}, 0);
    }
}

/* No axes input: all of them. */
static void reduce_all(void)
{
    int64_t dims[2] = {6, 7};
    mini_node node = {.op = "ReduceSum", .n_in = 1, .n_out = 1};
    node.in[0] = random_tensor(2, dims), node.out[0] = random_tensor(0, NULL);
    mini_int(&node, "keepdims", 0);
    run_node(&node);
    double sum = 0;
    for (size_t i = 0; i < 42; i++)
        sum += (double)((float *)mini_data(node.in[0]))[i];
    expect(&node, 0, (double)*(float *)mini_data(node.out[0]), sum, 1e-6, 1e-5);
    drop(&node);
}

/* ---- Softmax -------------------------------------------------------------------------------- */

static void softmax_case(const char *op, int rank, const int64_t *dims, int axis, int rare)
{
    mini_node node = {.op = op, .n_in = 1, .n_out = 1};
    node.in[0] = random_tensor(rank, dims);
    node.out[0] = random_tensor(rank, dims);
    mini_int(&node, "axis", axis);
    float *x = mini_data(node.in[0]);
    const float *y = mini_data(node.out[0]);
    const float values[4] = {-INFINITY, INFINITY, NAN, 3000.0f};
    size_t n = (size_t)dims[axis], inner = 1, total = mini_count(node.in[0]);
    for (int d = axis + 1; d < rank; d++)
        inner *= (size_t)dims[d];
    for (size_t i = 0; i < total && rare; i += 1 + any(9))
        x[i] = rare == 1 ? -INFINITY : values[any(4)];
    for (size_t k = 0; rare == 1 && total && k < n; k++) /* the first row is masked wholly */
        x[k * inner] = -INFINITY;
    run_node(&node);
    for (size_t row = 0; total && row < total / n; row++) {
        size_t base = row / inner * n * inner + row % inner;
        double peak = -INFINITY, sum = 0;
        for (size_t k = 0; k < n; k++)
            peak = larger(peak, (double)x[base + k * inner]);
        for (size_t k = 0; k < n; k++)
            sum += exp((double)x[base + k * inner] - peak);
        for (size_t i = base; i < base + n * inner; i += inner) {
            double shifted = (double)x[i] - peak;
            double want = strcmp(op, "Softmax") ? shifted - log(sum) : exp(shifted) / sum;
            expect(&node, i, (double)y[i], want, 2e-6, strcmp(op, "Softmax") ? 2e-6 : 1e-37);
        }
    }
    drop(&node);
}

static void softmax_shapes(void)
{
    const char *const ops[2] = {"Softmax", "LogSoftmax"};
    for (int o = 0; o < 2; o++)
        for (int rare = 0; rare < 3; rare++) {
            for (int round = 0; round < 20; round++) {
                int64_t dims[3] = {1 + any(5), 1 + any(40), 1 + any(300)};
                softmax_case(ops[o], 3, dims, (int)any(3), rare);
            }
            softmax_case(ops[o], 2, (int64_t[]){300, 128}, 1, rare);
            softmax_case(ops[o], 2, (int64_t[]){0, 5}, 1, rare);
            softmax_case(ops[o], 2, (int64_t[]){5, 0}, 1, rare);
            softmax_case(ops[o], 1, (int64_t[]){20001}, 0, rare);
        }
}

/* ---- Norms ---------------------------------------------------------------------------------- */

static void row_statistics(const float *x, size_t n, int rms, double *center, double *factor)
{
    double sum = 0, squares = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)x[k];
    *center = rms ? 0 : sum / (double)n;
    for (size_t k = 0; k < n; k++)
        squares += ((double)x[k] - *center) * ((double)x[k] - *center);
    *factor = 1 / sqrt(squares / (double)n + (double)(float)1e-3);
}

static void norm_case(const char *op, int rank, const int64_t *dims, int axis, int with_bias,
                      int broadcast_scale)
{
    int rms = !strcmp(op, "RMSNormalization");
    int64_t stat_dims[MINI_RANK];
    size_t n = 1;
    for (int d = 0; d < rank; d++) {
        stat_dims[d] = d < axis ? dims[d] : 1;
        n *= d < axis ? 1 : (size_t)dims[d];
    }
    mini_node node = {.op = op, .n_in = with_bias ? 3 : 2, .n_out = rms ? 1 : 3};
    node.in[0] = random_tensor(rank, dims);
    node.in[1] = broadcast_scale ? random_tensor(0, NULL) : random_tensor(rank - axis, dims + axis);
    if (with_bias)
        node.in[2] = random_tensor(rank - axis, dims + axis);
    node.out[0] = random_tensor(rank, dims);
    if (!rms) {
        node.out[1] = random_tensor(rank, stat_dims);
        node.out[2] = random_tensor(rank, stat_dims);
    }
    mini_int(&node, "axis", axis - rank);
    mini_float(&node, "epsilon", 1e-3);
    run_node(&node);
    const float *x = mini_data(node.in[0]), *y = mini_data(node.out[0]);
    double center = 0, factor = 0;
    for (size_t i = 0; i < mini_count(node.in[0]); i++) {
        if (i % n == 0)
            row_statistics(x + i, n, rms, &center, &factor);
        double scale = (double)((float *)mini_data(node.in[1]))[broadcast_scale ? 0 : i % n];
        double bias = with_bias ? (double)((float *)mini_data(node.in[2]))[i % n] : 0;
        expect(&node, i, (double)y[i], ((double)x[i] - center) * factor * scale + bias, 1e-5, 1e-5);
        if (!rms) {
            expect(&node, i, (double)((float *)mini_data(node.out[1]))[i / n], center, 1e-5, 1e-6);
            expect(&node, i, (double)((float *)mini_data(node.out[2]))[i / n], factor, 1e-5, 0);
        }
    }
    drop(&node);
}

static void norms(void)
{
    for (int round = 0; round < 30; round++) {
        int64_t dims[3] = {1 + any(9), 1 + any(30), 1 + any(500)};
        int axis = 1 + (int)any(2), bias = (int)any(2), wide = (int)any(4) == 0;
        norm_case("LayerNormalization", 3, dims, axis, bias, wide);
        norm_case("RMSNormalization", 3, dims, axis, 0, wide);
    }
    norm_case("LayerNormalization", 3, (int64_t[]){8, 64, 384}, 2, 1, 0);
    norm_case("LayerNormalization", 2, (int64_t[]){0, 16}, 1, 1, 0);
}

static void batch_norms(void)
{
    for (int round = 0; round < 10; round++) {
        int64_t dims[4] = {1 + any(3), 1 + any(20), 1 + any(9), 1 + any(30)};
        mini_node node = {.op = "BatchNormalization", .n_in = 5, .n_out = 1};
        node.in[0] = random_tensor(4, dims);
        for (int i = 1; i < 5; i++)
            node.in[i] = random_tensor(1, dims + 1);
        float *variance = mini_data(node.in[4]);
        for (int64_t c = 0; c < dims[1]; c++)
            variance[c] = fabsf(variance[c]) + 0.1f;
        node.out[0] = random_tensor(4, dims);
        mini_float(&node, "epsilon", 1e-4);
        run_node(&node);
        const float *x = mini_data(node.in[0]), *scale = mini_data(node.in[1]);
        const float *bias = mini_data(node.in[2]), *center = mini_data(node.in[3]);
        for (size_t i = 0; i < mini_count(node.in[0]); i++) {
            size_t c = i / (size_t)(dims[2] * dims[3]) % (size_t)dims[1];
            double want = ((double)x[i] - (double)center[c]) / sqrt((double)variance[c] + 1e-4) *
                              (double)scale[c] +
                          (double)bias[c];
            expect(&node, i, (double)((float *)mini_data(node.out[0]))[i], want, 1e-5, 2e-5);
        }
        drop(&node);
    }
}

static void test_reduce(void **state)
{
    (void)state;
    for_each_isa(reduce_shapes);
}
static void test_reduce_all(void **state)
{
    (void)state;
    for_each_isa(reduce_all);
}
static void test_softmax(void **state)
{
    (void)state;
    for_each_isa(softmax_shapes);
}
static void test_norms(void **state)
{
    (void)state;
    for_each_isa(norms);
}
static void test_batch_norms(void **state)
{
    (void)state;
    for_each_isa(batch_norms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reduce),      cmocka_unit_test(test_reduce_all),
        cmocka_unit_test(test_softmax),     cmocka_unit_test(test_norms),
        cmocka_unit_test(test_batch_norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
