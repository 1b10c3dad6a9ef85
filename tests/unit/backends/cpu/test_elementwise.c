/* Operators of one, two and three operands: random broadcasts against C in double, data types,
 * in-place runs, NaN and infinity, empty tensors. */
#include "check.h"

/* A random shape and two operands that broadcast to it. */
static int random_shape(int64_t *dims)
{
    int rank = (int)any(5);
    for (int d = 0; d < rank; d++)
        dims[d] = any(12) == 0 ? 0 : 1 + any(d == rank - 1 ? 40 : 6);
    return rank;
}

static int shrink(const int64_t *dims, int rank, int64_t *own)
{
    int skip = any(3) ? 0 : (int)any((uint32_t)rank + 1);
    for (int d = skip; d < rank; d++)
        own[d - skip] = any(3) ? dims[d] : 1;
    return rank - skip;
}

/* The output's extents: those of the operands, not of the shape they were made from. */
static int joined(const DLTensor *const *in, int n, int64_t *dims)
{
    int rank = 0;
    for (int i = 0; i < n; i++)
        rank = in[i]->ndim > rank ? in[i]->ndim : rank;
    for (int d = 0; d < rank; d++) {
        dims[d] = 1;
        for (int i = 0; i < n; i++) {
            int own = d - (rank - in[i]->ndim);
            if (own >= 0 && in[i]->shape[own] != 1)
                dims[d] = in[i]->shape[own];
        }
    }
    return rank;
}

/* ---- Two operands ---------------------------------------------------------------------------- */

static double f_add(double x, double y) { return x + y; }
static double f_sub(double x, double y) { return x - y; }
static double f_mul(double x, double y) { return x * y; }
static double f_div(double x, double y) { return x / y; }
static double f_max(double x, double y) { return isnan(x) || x > y ? x : y; }
static double f_min(double x, double y) { return isnan(x) || x < y ? x : y; }
static double f_pow(double x, double y) { return pow(x, y); }
static double f_prelu(double x, double y) { return x < 0 ? x * y : x; }
static double f_equal(double x, double y) { return x == y; }
static double f_less(double x, double y) { return x < y; }
static double f_less_equal(double x, double y) { return x <= y; }
static double f_greater(double x, double y) { return x > y; }
static double f_greater_equal(double x, double y) { return x >= y; }

typedef struct binary {
    const char *op;
    double (*exact)(double x, double y);
    int compares; /* the result is bool */
    int integers; /* int32 and int64 too */
} binary;

// clang-format off
static const binary binaries[] = {
    {"Add", f_add, 0, 1}, {"Sub", f_sub, 0, 1}, {"Mul", f_mul, 0, 1}, {"Div", f_div, 0, 0},
    {"Max", f_max, 0, 1}, {"Min", f_min, 0, 1}, {"Pow", f_pow, 0, 0}, {"PRelu", f_prelu, 0, 0},
    {"Equal", f_equal, 1, 1}, {"Less", f_less, 1, 1}, {"LessOrEqual", f_less_equal, 1, 1},
    {"Greater", f_greater, 1, 1}, {"GreaterOrEqual", f_greater_equal, 1, 1},
};
// clang-format on

static double read_as(const DLTensor *t, heed_dtype dtype, size_t i)
{
    const void *data = mini_data(t);
    if (dtype == HEED_FLOAT32)
        return (double)((const float *)data)[i];
    if (dtype == HEED_INT64)
        return (double)((const int64_t *)data)[i];
    if (dtype == HEED_INT32)
        return ((const int32_t *)data)[i];
    return ((const uint8_t *)data)[i];
}

static void write_as(DLTensor *t, heed_dtype dtype)
{
    const float rare[5] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
    for (size_t i = 0; i < mini_count(t); i++) {
        if (dtype == HEED_FLOAT32)
            ((float *)mini_data(t))[i] = any(16) ? any_float() : rare[any(5)];
        else if (dtype == HEED_INT64)
            ((int64_t *)mini_data(t))[i] = (int64_t)any(9) - 4;
        else if (dtype == HEED_INT32)
            ((int32_t *)mini_data(t))[i] = (int32_t)any(9) - 4;
        else
            ((uint8_t *)mini_data(t))[i] = (uint8_t)any(2);
    }
}

static void binary_case(const binary *b, heed_dtype dtype)
{
    int64_t dims[MINI_RANK], own[MINI_RANK];
    int rank = random_shape(dims);
    mini_node node = {.op = b->op, .n_in = 2, .n_out = 1};
    for (int i = 0; i < 2; i++) {
        int n = shrink(dims, rank, own);
        node.in[i] = tensor(dtype, n, own);
        write_as(node.in[i], dtype);
    }
    int out_rank = joined((const DLTensor *const *)node.in, 2, dims);
    heed_dtype out = b->compares ? HEED_BOOL : dtype;
    node.out[0] = tensor(out, out_rank, dims);
    run_node(&node);
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        double x = read_as(node.in[0], dtype, broadcast_at(node.in[0], node.out[0], i));
        double y = read_as(node.in[1], dtype, broadcast_at(node.in[1], node.out[0], i));
        expect(&node, i, read_as(node.out[0], out, i), b->exact(x, y), 3e-7, 1e-30);
    }
    drop(&node);
}

static void binary_shapes(void)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
        for (int round = 0; round < 30; round++) {
            binary_case(&binaries[i], HEED_FLOAT32);
            if (binaries[i].integers) {
                binary_case(&binaries[i], HEED_INT64);
                binary_case(&binaries[i], HEED_INT32);
            }
        }
}

/* Large enough for several pieces, both as one run and as rows. */
static void binary_large(void)
{
    int64_t x[3] = {37, 41, 129}, rows[3] = {37, 41, 1}, row[1] = {129}, flat[1] = {70001};
    const struct {
        int rank_a, rank_b;
        const int64_t *a, *b;
    } cases[] = {
        {3, 3, x, x}, {3, 3, x, rows}, {3, 1, x, row}, {1, 0, flat, NULL}, {3, 0, x, NULL}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
        for (int swap = 0; swap < 2; swap++) {
            mini_node node = {.op = "Sub", .n_in = 2, .n_out = 1};
            node.in[swap] = random_tensor(cases[c].rank_a, cases[c].a);
            node.in[1 - swap] = random_tensor(cases[c].rank_b, cases[c].b);
            node.out[0] = random_tensor(cases[c].rank_a, cases[c].a);
            run_node(&node);
            const float *pa = mini_data(node.in[0]), *pb = mini_data(node.in[1]);
            const float *py = mini_data(node.out[0]);
            for (size_t i = 0; i < mini_count(node.out[0]); i++) {
                float a = pa[broadcast_at(node.in[0], node.out[0], i)];
                float b = pb[broadcast_at(node.in[1], node.out[0], i)];
                expect(&node, i, (double)py[i], (double)(a - b), 0, 0);
            }
            drop(&node);
        }
}

static void binary_in_place(void)
{
    int64_t x[2] = {300, 129}, row[1] = {129};
    DLTensor *a = random_tensor(2, x), *b = random_tensor(1, row), *before = random_tensor(2, x);
    memcpy(mini_data(before), mini_data(a), mini_bytes(a));
    mini_node node = {.op = "Mul", .n_in = 2, .n_out = 1, .in = {a, b}, .out = {a}};
    run_node(&node);
    const float *y = mini_data(a), *was = mini_data(before), *factor = mini_data(b);
    for (size_t i = 0; i < mini_count(a); i++)
        expect(&node, i, (double)y[i], (double)(was[i] * factor[i % 129]), 0, 0);
    mini_free(a), mini_free(b), mini_free(before);
}

/* Max of four operands, of which a later one may be wider than those before it. */
static void many_in_order(const int *order)
{
    int64_t x[2] = {5, 20}, row[1] = {20}, column[2] = {5, 1};
    mini_node node = {.op = "Max", .n_in = 4, .n_out = 1};
    node.in[order[0]] = random_tensor(1, row), node.in[order[1]] = random_tensor(2, column);
    node.in[order[2]] = random_tensor(2, x), node.in[order[3]] = random_tensor(0, NULL);
    node.out[0] = random_tensor(2, x);
    ((float *)mini_data(node.in[order[2]]))[7] = NAN;
    run_node(&node);
    const float *y = mini_data(node.out[0]);
    for (size_t i = 0; i < 100; i++) {
        double want = -INFINITY;
        for (int k = 0; k < 4; k++)
            want = f_max(want, (double)((float *)mini_data(
                                   node.in[k]))[broadcast_at(node.in[k], node.out[0], i)]);
        expect(&node, i, (double)y[i], i == 7 ? (double)NAN : want, 0, 0);
    }
    drop(&node);
}

static void many_operands(void)
{
    const int orders[][4] = {{0, 1, 2, 3}, {2, 1, 3, 0}, {3, 1, 2, 0}, {3, 2, 1, 0}};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        many_in_order(orders[i]);
}

/* Exponents that have a loop of their own. */
static void powers(void)
{
    const float bases[8] = {4.0f, 0.0f, -0.0f, INFINITY, -INFINITY, NAN, -2.0f, 0.3f};
    const float exponents[6] = {2.0f, 0.5f, 3.0f, -1.0f, 0.0f, 1.0f};
    int64_t dims[1] = {8};
    for (int e = 0; e < 6; e++) {
        mini_node node = {.op = "Pow", .n_in = 2, .n_out = 1};
        node.in[0] = random_tensor(1, dims), node.in[1] = random_tensor(0, NULL);
        node.out[0] = random_tensor(1, dims);
        memcpy(mini_data(node.in[0]), bases, sizeof(bases));
        memcpy(mini_data(node.in[1]), &exponents[e], sizeof(float));
        run_node(&node);
        for (size_t i = 0; i < 8; i++)
            expect(&node, i, (double)((float *)mini_data(node.out[0]))[i],
                   pow((double)bases[i], (double)exponents[e]), 3e-7, 0);
        drop(&node);
    }
}

/* ---- One operand ---------------------------------------------------------------------------- */

static void unary_case(const char *op, heed_dtype dtype, const char *attr, double value,
                       double (*exact)(double x, double a), int in_place)
{
    int64_t dims[2] = {1 + any(4), 1 + any(9000)};
    mini_node node = {.op = op, .n_in = 1, .n_out = 1};
    node.in[0] = tensor(dtype, 2, dims);
    write_as(node.in[0], dtype);
    DLTensor *before = tensor(dtype, 2, dims);
    memcpy(mini_data(before), mini_data(node.in[0]), mini_bytes(before));
    node.out[0] = in_place ? node.in[0] : tensor(dtype, 2, dims);
    if (attr)
        mini_float(&node, attr, value);
    run_node(&node);
    for (size_t i = 0; i < mini_count(before); i++)
        expect(&node, i, read_as(node.out[0], dtype, i),
               exact(read_as(before, dtype, i), (double)(float)value), 2e-6, 1e-7);
    mini_free(before);
    if (in_place)
        node.n_out = 0;
    drop(&node);
}

static double f_abs(double x, double a) { return a * 0 + fabs(x); }
static double f_neg(double x, double a) { return a * 0 - x; }
static double f_not(double x, double a) { return a * 0 + (x == 0); }
static double f_leaky(double x, double a) { return x < 0 ? a * x : x; }
static double f_elu(double x, double a) { return x < 0 ? a * expm1(x) : x; }
static double f_celu(double x, double a) { return x < 0 ? a * expm1(x / a) : x; }
static double f_thresholded(double x, double a) { return x > a || isnan(x) ? x : 0; }
static double f_swish(double x, double a) { return x / (1 + exp(-a * x)); }
static double f_hard(double x, double a) { return isnan(x) ? x : fmin(fmax(a * x + 0.5, 0), 1); }

static void unary_ops(void)
{
    for (int in_place = 0; in_place < 2; in_place++) {
        unary_case("Abs", HEED_FLOAT32, NULL, 0, f_abs, in_place);
        unary_case("Abs", HEED_INT64, NULL, 0, f_abs, in_place);
        unary_case("Neg", HEED_INT32, NULL, 0, f_neg, in_place);
        unary_case("Neg", HEED_FLOAT32, NULL, 0, f_neg, in_place);
        unary_case("Not", HEED_BOOL, NULL, 0, f_not, in_place);
        unary_case("LeakyRelu", HEED_FLOAT32, "alpha", 0.2, f_leaky, in_place);
        unary_case("Elu", HEED_FLOAT32, "alpha", 1.5, f_elu, in_place);
        unary_case("Celu", HEED_FLOAT32, "alpha", 1.5, f_celu, in_place);
        unary_case("ThresholdedRelu", HEED_FLOAT32, "alpha", 0.7, f_thresholded, in_place);
        unary_case("HardSigmoid", HEED_FLOAT32, "alpha", 0.2, f_hard, in_place);
    }
    mini_node node = {.op = "Swish", .n_in = 1, .n_out = 1};
    int64_t dims[1] = {999};
    node.in[0] = random_tensor(1, dims), node.out[0] = random_tensor(1, dims);
    mini_float(&node, "alpha", 1.25);
    run_node(&node);
    for (size_t i = 0; i < 999; i++)
        expect(&node, i, read_as(node.out[0], HEED_FLOAT32, i),
               f_swish(read_as(node.in[0], HEED_FLOAT32, i), 1.25), 2e-6, 1e-7);
    drop(&node);
}

static void clips(void)
{
    int64_t dims[1] = {500};
    for (int given = 0; given < 4; given++) {
        mini_node node = {.op = "Clip", .n_in = 3, .n_out = 1};
        node.in[0] = tensor(HEED_FLOAT32, 1, dims);
        write_as(node.in[0], HEED_FLOAT32);
        double low = -INFINITY, high = INFINITY;
        if (given & 1) {
            node.in[1] = random_tensor(0, NULL);
            low = *(float *)mini_data(node.in[1]) = -0.5f;
        }
        if (given & 2) {
            node.in[2] = random_tensor(0, NULL);
            high = *(float *)mini_data(node.in[2]) = 0.75f;
        }
        node.out[0] = random_tensor(1, dims);
        run_node(&node);
        for (size_t i = 0; i < 500; i++) {
            double x = read_as(node.in[0], HEED_FLOAT32, i);
            double want = isnan(x) ? x : fmin(fmax(x, low), high);
            expect(&node, i, read_as(node.out[0], HEED_FLOAT32, i), want, 0, 0);
        }
        drop(&node);
    }
}

/* ---- Where, Cast, halves -------------------------------------------------------------------- */

static void wheres(void)
{
    const heed_dtype kinds[4] = {HEED_FLOAT32, HEED_INT64, HEED_BOOL, HEED_INT32};
    for (int round = 0; round < 120; round++) {
        heed_dtype dtype = kinds[round % 4];
        int64_t dims[MINI_RANK], own[MINI_RANK];
        int rank = random_shape(dims);
        mini_node node = {.op = "Where", .n_in = 3, .n_out = 1};
        for (int i = 0; i < 3; i++) {
            int n = shrink(dims, rank, own);
            node.in[i] = tensor(i ? dtype : HEED_BOOL, n, own);
            write_as(node.in[i], i ? dtype : HEED_BOOL);
        }
        int out_rank = joined((const DLTensor *const *)node.in, 3, dims);
        node.out[0] = tensor(dtype, out_rank, dims);
        run_node(&node);
        for (size_t i = 0; i < mini_count(node.out[0]); i++) {
            const DLTensor *c = node.in[0];
            int yes = ((uint8_t *)mini_data(c))[broadcast_at(c, node.out[0], i)];
            const DLTensor *from = node.in[yes ? 1 : 2];
            expect(&node, i, read_as(node.out[0], dtype, i),
                   read_as(from, dtype, broadcast_at(from, node.out[0], i)), 0, 0);
        }
        drop(&node);
    }
}

static void casts(void)
{
    const heed_dtype kinds[4] = {HEED_FLOAT32, HEED_INT64, HEED_INT32, HEED_BOOL};
    int64_t dims[1] = {20011};
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++) {
            mini_node node = {.op = "Cast", .n_in = 1, .n_out = 1};
            node.in[0] = tensor(kinds[from], 1, dims);
            write_as(node.in[0], kinds[from]);
            if (from == 0) /* NaN and infinity to integers are left open */
                fill(node.in[0]);
            node.out[0] = tensor(kinds[to], 1, dims);
            mini_int(&node, "to", kinds[to]);
            run_node(&node);
            for (size_t i = 0; i < mini_count(node.out[0]); i++) {
                double x = read_as(node.in[0], kinds[from], i);
                double want = kinds[to] == HEED_BOOL ? x != 0 : to == 0 ? x : trunc(x);
                expect(&node, i, read_as(node.out[0], kinds[to], i), want, 0, 0);
            }
            drop(&node);
        }
}

/* float16 and bfloat16 arithmetic is float32's, rounded: compared by casting around it. */
static void halves(void)
{
    const heed_dtype kinds[2] = {HEED_FLOAT16, HEED_BFLOAT16};
    int64_t dims[2] = {3, 1100}, row[1] = {1100};
    for (int k = 0; k < 2; k++) {
        DLTensor *a = random_tensor(2, dims), *b = random_tensor(1, row);
        mini_node add = {.op = "Add", .n_in = 2, .n_out = 1};
        add.in[0] = tensor(kinds[k], 2, dims), add.in[1] = tensor(kinds[k], 1, row);
        add.out[0] = tensor(kinds[k], 2, dims);
        mini_node down = {.op = "Cast", .n_in = 1, .n_out = 1, .in = {a}, .out = {add.in[0]}};
        mini_int(&down, "to", kinds[k]);
        run_node(&down);
        down.in[0] = b, down.out[0] = add.in[1];
        run_node(&down);
        run_node(&add);
        DLTensor *sum = random_tensor(2, dims);
        mini_node up = {.op = "Cast", .n_in = 1, .n_out = 1, .in = {add.out[0]}, .out = {sum}};
        mini_int(&up, "to", HEED_FLOAT32);
        run_node(&up);
        const float *x = mini_data(a), *y = mini_data(b), *z = mini_data(sum);
        for (size_t i = 0; i < mini_count(a); i++)
            expect(&add, i, (double)z[i], (double)(x[i] + y[i % 1100]), k ? 0.02 : 2e-3,
                   k ? 0.04 : 5e-3);
        mini_free(a), mini_free(b), mini_free(sum);
        drop(&add);
    }
}

static void test_binary(void **state)
{
    (void)state;
    for_each_isa(binary_shapes);
}
static void test_large(void **state)
{
    (void)state;
    for_each_isa(binary_large);
}
static void test_in_place(void **state)
{
    (void)state;
    for_each_isa(binary_in_place);
}
static void test_many(void **state)
{
    (void)state;
    for_each_isa(many_operands);
}
static void test_powers(void **state)
{
    (void)state;
    for_each_isa(powers);
}
static void test_unary(void **state)
{
    (void)state;
    for_each_isa(unary_ops);
}
static void test_clip(void **state)
{
    (void)state;
    for_each_isa(clips);
}
static void test_where(void **state)
{
    (void)state;
    for_each_isa(wheres);
}
static void test_cast(void **state)
{
    (void)state;
    for_each_isa(casts);
}
static void test_halves(void **state)
{
    (void)state;
    for_each_isa(halves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binary),   cmocka_unit_test(test_large),
        cmocka_unit_test(test_in_place), cmocka_unit_test(test_many),
        cmocka_unit_test(test_powers),   cmocka_unit_test(test_unary),
        cmocka_unit_test(test_clip),     cmocka_unit_test(test_where),
        cmocka_unit_test(test_cast),     cmocka_unit_test(test_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
