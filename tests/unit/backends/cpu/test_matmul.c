/* MatMul and Gemm against a product in double precision: random shapes, batches that broadcast,
 * vectors, transpositions, alpha, beta and C, empty extents. */
#include "check.h"

static double dot(const float *a, size_t a_step, const float *b, size_t b_step, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += (double)a[i * a_step] * (double)b[i * b_step];
    return sum;
}

/* ---- MatMul --------------------------------------------------------------------------------- */

static void matmul_case(const int64_t *batch_a, int rank_a, const int64_t *batch_b, int rank_b,
                        int64_t m, int64_t k, int64_t n, int constant)
{
    int64_t a[MINI_RANK], b[MINI_RANK], y[MINI_RANK], head[MINI_RANK];
    int rank = rank_a > rank_b ? rank_a : rank_b;
    for (int d = 0; d < rank; d++) {
        int64_t ea = d - (rank - rank_a) < 0 ? 1 : batch_a[d - (rank - rank_a)];
        int64_t eb = d - (rank - rank_b) < 0 ? 1 : batch_b[d - (rank - rank_b)];
        head[d] = y[d] = ea == 1 ? eb : ea;
    }
    memcpy(a, batch_a, (size_t)rank_a * sizeof(*a));
    memcpy(b, batch_b, (size_t)rank_b * sizeof(*b));
    a[rank_a] = y[rank] = m, a[rank_a + 1] = b[rank_b] = k, b[rank_b + 1] = y[rank + 1] = n;
    mini_node node = {.op = "MatMul", .n_in = 2, .n_out = 1, .constants = constant ? 2 : 0};
    node.in[0] = random_tensor(rank_a + 2, a);
    node.in[1] = random_tensor(rank_b + 2, b);
    node.out[0] = random_tensor(rank + 2, y);
    run_node(&node);

    DLTensor *whole = mini_tensor(HEED_UINT8, rank, head);
    DLTensor *ta = mini_tensor(HEED_UINT8, rank_a, batch_a);
    DLTensor *tb = mini_tensor(HEED_UINT8, rank_b, batch_b);
    const float *pa = mini_data(node.in[0]), *pb = mini_data(node.in[1]);
    const float *py = mini_data(node.out[0]);
    size_t sm = (size_t)m, sn = (size_t)n, sk = (size_t)k;
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        size_t entry = i / (sm * sn), r = i / sn % sm, c = i % sn;
        const float *ra = pa + broadcast_at(ta, whole, entry) * sm * sk + r * sk;
        const float *cb = pb + broadcast_at(tb, whole, entry) * sk * sn + c;
        expect(&node, i, (double)py[i], dot(ra, 1, cb, sn, sk), 1e-5, 2e-5 * sqrt((double)k + 1));
    }
    mini_free(whole), mini_free(ta), mini_free(tb);
    drop(&node);
}

static void matmul_shapes(void)
{
    const int64_t none[1] = {1}, two[2] = {2, 3}, one[2] = {1, 3}, left[2] = {2, 1};
    const int64_t fixed[][3] = {{1, 384, 1536}, {1, 300, 1},    {7, 0, 5},      {0, 4, 4},
                                {4, 4, 0},      {128, 32, 128}, {128, 128, 32}, {77, 64, 77},
                                {2, 513, 130},  {3, 257, 33},   {150, 70, 1},   {300, 520, 90}};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        matmul_case(none, 0, none, 0, fixed[i][0], fixed[i][1], fixed[i][2], i % 2);
    for (int i = 0; i < 60; i++) {
        int64_t m = 1 + any(50), k = 1 + any(70), n = 1 + any(70);
        matmul_case(two, i % 3, i % 2 ? two : one, i % 5 ? 2 : 0, i % 3 == 1 ? 2 : m, k, n, 0);
    }
    matmul_case(left, 2, one, 2, 5, 6, 7, 0);
    matmul_case(two, 2, none, 0, 40, 50, 60, 1);
    matmul_case(two, 2, none, 1, 9, 8, 7, 1);
}

static void vectors(void)
{
    int64_t k[1] = {37}, kn[2] = {37, 50}, n[1] = {50}, mk[3] = {3, 4, 37}, m[2] = {3, 4};
    mini_node row = {.op = "MatMul", .n_in = 2, .n_out = 1};
    row.in[0] = random_tensor(1, k), row.in[1] = random_tensor(2, kn);
    row.out[0] = random_tensor(1, n);
    run_node(&row);
    const float *a = mini_data(row.in[0]), *b = mini_data(row.in[1]), *y = mini_data(row.out[0]);
    for (size_t i = 0; i < 50; i++)
        expect(&row, i, (double)y[i], dot(a, 1, b + i, 50, 37), 1e-5, 1e-4);
    drop(&row);
    mini_node column = {.op = "MatMul", .n_in = 2, .n_out = 1};
    column.in[0] = random_tensor(3, mk), column.in[1] = random_tensor(1, k);
    column.out[0] = random_tensor(2, m);
    run_node(&column);
    a = mini_data(column.in[0]), b = mini_data(column.in[1]), y = mini_data(column.out[0]);
    for (size_t i = 0; i < 12; i++)
        expect(&column, i, (double)y[i], dot(a + i * 37, 1, b, 1, 37), 1e-5, 1e-4);
    drop(&column);
    mini_node scalar = {.op = "MatMul", .n_in = 2, .n_out = 1};
    scalar.in[0] = random_tensor(1, k), scalar.in[1] = random_tensor(1, k);
    scalar.out[0] = random_tensor(0, NULL);
    run_node(&scalar);
    a = mini_data(scalar.in[0]), b = mini_data(scalar.in[1]), y = mini_data(scalar.out[0]);
    expect(&scalar, 0, (double)*y, dot(a, 1, b, 1, 37), 1e-5, 1e-4);
    drop(&scalar);
}

/* A NaN in A reaches its row, an infinity times zero is a NaN, and nothing else is touched. */
static void special_values(void)
{
    int64_t a[2] = {20, 40}, b[2] = {40, 50}, y[2] = {20, 50};
    mini_node node = {.op = "MatMul", .n_in = 2, .n_out = 1};
    node.in[0] = random_tensor(2, a), node.in[1] = random_tensor(2, b);
    node.out[0] = random_tensor(2, y);
    float *pa = mini_data(node.in[0]), *pb = mini_data(node.in[1]), *py = mini_data(node.out[0]);
    pa[3 * 40 + 7] = NAN;
    pa[11 * 40 + 39] = INFINITY;
    memset(pb + (size_t)39 * 50, 0, 50 * sizeof(float));
    run_node(&node);
    for (size_t i = 0; i < 20 * 50; i++)
        assert_int_equal(isnan(py[i]) != 0, i / 50 == 3 || i / 50 == 11);
    drop(&node);
}

/* ---- Gemm ----------------------------------------------------------------------------------- */

static void gemm_case(int64_t m, int64_t k, int64_t n, int flags, double alpha, double beta,
                      int c_rank, const int64_t *c_dims)
{
    int ta = flags & 1, tb = flags >> 1 & 1;
    int64_t a[2] = {ta ? k : m, ta ? m : k}, b[2] = {tb ? n : k, tb ? k : n}, y[2] = {m, n};
    mini_node node = {.op = "Gemm", .n_in = c_rank < 0 ? 2 : 3, .n_out = 1};
    node.constants = flags & 4 ? 2 : 0;
    node.in[0] = random_tensor(2, a), node.in[1] = random_tensor(2, b);
    if (c_rank >= 0)
        node.in[2] = random_tensor(c_rank, c_dims);
    node.out[0] = random_tensor(2, y);
    mini_int(&node, "transA", ta), mini_int(&node, "transB", tb);
    mini_float(&node, "alpha", alpha), mini_float(&node, "beta", beta);
    run_node(&node);
    const float *pa = mini_data(node.in[0]), *pb = mini_data(node.in[1]);
    const float *py = mini_data(node.out[0]), *pc = c_rank < 0 ? NULL : mini_data(node.in[2]);
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        size_t r = i / (size_t)n, c = i % (size_t)n, sk = (size_t)k, sm = (size_t)m;
        double sum = dot(ta ? pa + r : pa + r * sk, ta ? sm : 1, tb ? pb + c * sk : pb + c,
                         tb ? 1 : (size_t)n, sk);
        double want = (double)(float)alpha * sum;
        if (pc)
            want += (double)(float)beta * (double)pc[broadcast_at(node.in[2], node.out[0], i)];
        expect(&node, i, (double)py[i], want, 1e-5, 3e-5 * sqrt((double)k + 1));
    }
    drop(&node);
}

static void gemm_shapes(void)
{
    const int64_t row[2] = {1, 33}, column[2] = {17, 1}, full[2] = {17, 33}, flat[1] = {33};
    for (int flags = 0; flags < 8; flags++) {
        gemm_case(17, 29, 33, flags, 1.0, 1.0, 1, flat);
        gemm_case(17, 29, 33, flags, 0.5, 2.0, 2, row);
        gemm_case(17, 29, 33, flags, 1.0, -1.0, 2, column);
        gemm_case(17, 29, 33, flags, 2.0, 0.25, 2, full);
        gemm_case(17, 29, 33, flags, 1.0, 1.0, 0, NULL);
        gemm_case(17, 29, 33, flags, 1.0, 0.0, -1, NULL);
        gemm_case(17, 0, 33, flags, 1.0, 1.0, 2, full);
        gemm_case(1, 129, 1, flags, 1.0, 1.0, -1, NULL);
        gemm_case(200, 300, 257, flags, 1.0, 1.0, -1, NULL);
        gemm_case(60, 61, 1, flags, 1.5, 1.0, -1, NULL);
        gemm_case(1, 600, 200, flags, 1.5, 1.0, -1, NULL);
    }
}

static void test_matmul(void **state)
{
    (void)state;
    for_each_isa(matmul_shapes);
}

static void test_vectors(void **state)
{
    (void)state;
    for_each_isa(vectors);
}

static void test_special_values(void **state)
{
    (void)state;
    for_each_isa(special_values);
}

static void test_gemm(void **state)
{
    (void)state;
    for_each_isa(gemm_shapes);
}

static void test_refusal(void **state)
{
    (void)state;
    assert_null(mini_open("cpu", NULL));
    int64_t dims[2] = {2, 2};
    mini_node node = {.op = "MatMul", .n_in = 2, .n_out = 1};
    node.in[0] = tensor(HEED_FLOAT64, 2, dims), node.in[1] = tensor(HEED_FLOAT64, 2, dims);
    node.out[0] = tensor(HEED_FLOAT64, 2, dims);
    assert_int_equal(mini_run(&node), HEED_UNSUPPORTED);
    assert_non_null(strstr(mini_message(), "MatMul"));
    drop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul),         cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_special_values), cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
