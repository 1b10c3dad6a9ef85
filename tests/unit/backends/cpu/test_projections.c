/* heed.Projections: several products in one job give what each gives by itself, with biases and
 * without, for few rows and many, empty ones, and matrices that are stored transposed. */
#include "check.h"

static double product_at(const DLTensor *x, const DLTensor *w, const DLTensor *bias, int transposed,
                         size_t i)
{
    size_t k = (size_t)w->shape[transposed], n = (size_t)w->shape[!transposed];
    size_t row = i / n, col = i % n;
    const float *a = mini_data(x), *b = mini_data(w);
    double sum = bias ? (double)((float *)mini_data(bias))[col] : 0;
    for (size_t j = 0; j < k; j++)
        sum += (double)a[row * k + j] * (double)b[transposed ? col * k + j : j * n + col];
    return sum;
}

/* `transposed` 2: and the matrices are no constants. */
static void one_case(int64_t batch, int64_t m, int64_t k, const int64_t *n, uint32_t count,
                     int transposed)
{
    mini_node node = {.op = "Projections", .n_in = 1 + 2 * count, .n_out = count};
    node.in[0] = random_tensor(3, (int64_t[]){batch, m, k});
    for (uint32_t i = 0; i < count; i++) {
        node.in[1 + i] = transposed ? random_tensor(2, (int64_t[]){n[i], k})
                                    : random_tensor(2, (int64_t[]){k, n[i]});
        node.in[1 + count + i] = any(2) ? random_tensor(1, &n[i]) : NULL;
        node.out[i] = random_tensor(3, (int64_t[]){batch, m, n[i]});
        node.constants |= transposed == 2 ? 0 : 1u << (1 + i);
    }
    mini_int(&node, "transposed", transposed != 0);
    run_node(&node);
    for (uint32_t o = 0; o < count; o++) {
        const float *y = mini_data(node.out[o]);
        for (size_t i = 0; i < mini_count(node.out[o]); i++)
            expect(
                &node, i, (double)y[i],
                product_at(node.in[0], node.in[1 + o], node.in[1 + count + o], transposed != 0, i),
                1e-5, 2e-5 * sqrt((double)k + 1));
    }
    for (uint32_t i = 0; i < node.n_in; i++)
        assert_true(!node.in[i] || mini_free(node.in[i]));
    for (uint32_t i = 0; i < node.n_out; i++)
        assert_true(mini_free(node.out[i]));
    assert_int_equal(mini_live_bytes(), 0);
}

static void projections_case(int64_t batch, int64_t m, int64_t k, const int64_t *n, uint32_t count)
{
    for (int transposed = 0; transposed < 3; transposed++)
        one_case(batch, m, k, n, count, transposed);
}

static void shapes(void)
{
    const int64_t equal[3] = {64, 64, 64}, heads[3] = {576, 192, 192}, odd[3] = {33, 1, 130};
    const int64_t empty[3] = {5, 0, 7};
    projections_case(1, 1, 576, heads, 3);
    projections_case(2, 17, 96, heads, 3);
    projections_case(1, 150, 300, heads, 2);
    projections_case(2, 5, 0, equal, 3);
    projections_case(0, 5, 8, equal, 3);
    projections_case(1, 3, 8, empty, 3);
    for (int i = 0; i < 30; i++) {
        int64_t m = any(40), k = 1 + any(90);
        projections_case(1 + any(3), m, k, i % 2 ? odd : equal, 1 + any(3));
    }
}

static void all_shapes(void **state)
{
    (void)state;
    for_each_isa(shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
