/* The bits of a row of a product follow from that row and the matrix alone: not from how many rows
 * there are, where the row stands, or how many threads work. Generation rests on it: the tokens of
 * a sequence do not depend on what else is in the batch, nor on how its prompt is cut. */
#include "check.h"

enum { MOST = 330 };

/* One way of asking for a product. */
typedef struct way {
    const char *op;
    int turned, constant, biased, batched; /* batched: A has three dimensions */
    double alpha;
} way;

static const way ways[] = {
    {"MatMul", 0, 1, 0, 0, 1},      {"MatMul", 0, 0, 0, 1, 1},      {"Gemm", 0, 1, 1, 0, 1},
    {"Gemm", 1, 1, 1, 0, 1},        {"Gemm", 1, 0, 0, 0, 1},        {"Gemm", 0, 0, 1, 0, 0.375},
    {"Gemm", 1, 0, 1, 0, -1.5},     {"Projections", 0, 1, 1, 0, 1}, {"Projections", 1, 1, 0, 1, 1},
    {"Projections", 1, 0, 1, 0, 1},
};

static DLTensor *part_of(const DLTensor *all, int64_t first, int64_t rows, int batched)
{
    int64_t k = all->shape[1], dims[3] = {1, rows, k};
    DLTensor *x = mini_tensor(HEED_FLOAT32, batched ? 3 : 2, batched ? dims : dims + 1);
    memcpy(mini_data(x), (const float *)mini_data(all) + first * k,
           (size_t)(rows * k) * sizeof(float));
    return x;
}

/* Rows [first, first + rows) of the product; the caller frees them. */
static DLTensor *multiply(const way *w, const DLTensor *all, DLTensor *b, DLTensor *bias,
                          int64_t first, int64_t rows)
{
    int64_t n = b->shape[w->turned ? 0 : 1], y[3] = {1, rows, n};
    mini_node node = {.op = w->op, .n_in = 2, .n_out = 1, .constants = w->constant ? 6 : 0};
    node.in[0] = part_of(all, first, rows, w->batched);
    node.in[1] = b;
    node.out[0] = mini_tensor(HEED_FLOAT32, w->batched ? 3 : 2, w->batched ? y : y + 1);
    if (w->biased || !strcmp(w->op, "Projections"))
        node.in[node.n_in++] = w->biased ? bias : NULL;
    if (!strcmp(w->op, "Gemm")) {
        mini_int(&node, "transB", w->turned);
        mini_float(&node, "alpha", w->alpha);
    } else if (!strcmp(w->op, "Projections")) {
        mini_int(&node, "transposed", w->turned);
    }
    run_node(&node);
    assert_true(mini_free(node.in[0]));
    return node.out[0];
}

static void same_rows(const way *w, const DLTensor *all, DLTensor *b, DLTensor *bias,
                      const DLTensor *whole, int64_t first, int64_t rows)
{
    size_t n = (size_t)b->shape[w->turned ? 0 : 1];
    DLTensor *some = multiply(w, all, b, bias, first, rows);
    const float *have = mini_data(some),
                *want = (const float *)mini_data(whole) + (size_t)first * n;
    for (size_t i = 0; i < (size_t)rows * n; i++)
        if (memcmp(&have[i], &want[i], sizeof(float)))
            fail_msg("%s (turned %d, constant %d) of [%d, %d] x %d: row %d of %d, alone with %d "
                     "others: column %d is %.9g, not %.9g",
                     w->op, w->turned, w->constant, (int)all->shape[0], (int)all->shape[1], (int)n,
                     (int)(first + (int64_t)(i / n)), (int)all->shape[0], (int)rows - 1,
                     (int)(i % n), (double)have[i], (double)want[i]);
    assert_true(mini_free(some));
}

/* The whole against a product in double precision, so that what is the same is also right. */
static void right(const way *w, const DLTensor *all, const DLTensor *b, const DLTensor *bias,
                  const DLTensor *whole)
{
    size_t k = (size_t)all->shape[1], n = (size_t)b->shape[w->turned ? 0 : 1];
    const float *x = mini_data(all), *m = mini_data(b), *y = mini_data(whole);
    for (int check = 0; check < 40; check++) {
        size_t r = any((uint32_t)all->shape[0]), c = any((uint32_t)n);
        double sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += (double)x[r * k + i] * (double)m[w->turned ? c * k + i : i * n + c];
        sum = w->alpha * sum + (w->biased ? (double)((const float *)mini_data(bias))[c] : 0);
        if (!close_to((double)y[r * n + c], sum, 1e-5, 2e-5 * sqrt((double)k + 1)))
            fail_msg("%s: %.9g, not %.9g", w->op, (double)y[r * n + c], sum);
    }
}

static void rows_case(const way *w, int64_t m, int64_t k, int64_t n)
{
    int64_t a[2] = {m, k}, b[2] = {w->turned ? n : k, w->turned ? k : n};
    DLTensor *all = random_tensor(2, a), *matrix = random_tensor(2, b),
             *bias = random_tensor(1, &n);
    DLTensor *whole = multiply(w, all, matrix, bias, 0, m);
    right(w, all, matrix, bias, whole);
    for (int64_t rows = 1; rows <= 20 && rows < m; rows++)
        same_rows(w, all, matrix, bias, whole, any((uint32_t)(m - rows + 1)), rows);
    for (int i = 0; i < 4; i++) {
        int64_t rows = 1 + any((uint32_t)m);
        same_rows(w, all, matrix, bias, whole, any((uint32_t)(m - rows + 1)), rows);
    }
    mini_threads(3);
    same_rows(w, all, matrix, bias, whole, 0, m);
    mini_threads(1);
    assert_true(mini_free(all) && mini_free(matrix) && mini_free(bias) && mini_free(whole));
    assert_int_equal(mini_live_bytes(), 0);
}

/* Stretches of k of one, two and three parts; columns that fill blocks, panels, vectors, or do not;
 * rows of B that are short, long, or collide in a cache; a matrix that is too large to be read in
 * place with few rows; ones of which threads take stretches of k where there is one row: whole rows
 * of B, several runs of them, and columns alone where rows are longer than that. */
static void all_ways(void)
{
    static const int64_t shapes[][3] = {
        {MOST, 64, 96},   {70, 257, 131}, {61, 300, 1},   {40, 1, 50},
        {30, 600, 1040},  {26, 33, 2048}, {50, 96, 7},    {25, 530, 64},
        {150, 1024, 160}, {13, 40, 4100}, {5, 1100, 333}, {4, 530, 1000},
        {3, 576, 576},    {3, 275, 2500}, {3, 530, 4500}, {2, 261, 33000}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
            rows_case(&ways[i], shapes[s][0], shapes[s][1], shapes[s][2]);
    for (int i = 0; i < 30; i++)
        rows_case(&ways[any(sizeof(ways) / sizeof(ways[0]))], 2 + any(90), 1 + any(600),
                  1 + any(300));
}

/* A projection gives the bits that MatMul gives: what is fused is not seen. */
static void same_as_matmul(void)
{
    const way one = {"MatMul", 0, 1, 0, 0, 1}, two = {"Projections", 0, 1, 0, 0, 1};
    for (int64_t m = 1; m < 40; m += 6) {
        int64_t a[2] = {m, 333}, b[2] = {333, 200};
        DLTensor *all = random_tensor(2, a), *matrix = random_tensor(2, b);
        DLTensor *x = multiply(&one, all, matrix, NULL, 0, m);
        DLTensor *y = multiply(&two, all, matrix, NULL, 0, m);
        assert_memory_equal(mini_data(x), mini_data(y), mini_bytes(x));
        assert_true(mini_free(all) && mini_free(matrix) && mini_free(x) && mini_free(y));
    }
}

static void test_rows(void **state)
{
    (void)state;
    for_each_isa(all_ways);
}

static void test_fused(void **state)
{
    (void)state;
    for_each_isa(same_as_matmul);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_fused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
