/* Kernels that compute float16 and bfloat16 by way of float32: the same as a run of float32 on the
 * same numbers, rounded. */
#include "attention_case.h"

typedef struct widen_case {
    const char *op;
    uint32_t n_in;
    int rank[3], y_rank;
    int64_t dims[3][4], y[4];
} widen_case;

// clang-format off
static const widen_case cases[] = {
    {"MatMul", 2, {2, 2}, 2, {{7, 33}, {33, 19}}, {7, 19}},
    {"MatMul", 2, {4, 2}, 4, {{2, 3, 1, 40}, {40, 64}}, {2, 3, 1, 64}},
    {"MatMul", 2, {4, 4}, 4, {{2, 3, 5, 8}, {2, 1, 8, 6}}, {2, 3, 5, 6}},
    {"MatMul", 2, {1, 3}, 2, {{9}, {4, 9, 5}}, {4, 5}},
    {"MatMul", 2, {2, 2}, 2, {{300, 100}, {100, 400}}, {300, 400}},
    {"MatMul", 2, {2, 2}, 2, {{3, 0}, {0, 2}}, {3, 2}},
    {"MatMul", 2, {2, 2}, 2, {{1, 600}, {600, 500}}, {1, 500}},
    {"Gemm", 3, {2, 2, 1}, 2, {{5, 31}, {31, 12}, {12}}, {5, 12}},
    {"Gemm", 2, {2, 2}, 2, {{16, 16}, {16, 16}}, {16, 16}},
    {"Softmax", 1, {3}, 3, {{4, 3, 50}}, {4, 3, 50}},
    {"LogSoftmax", 1, {2}, 2, {{4, 21}}, {4, 21}},
    {"ReduceMax", 1, {3}, 3, {{2, 3, 4}}, {1, 1, 1}},
    {"ReduceMean", 1, {2}, 2, {{30, 41}}, {1, 1}},
    {"ReduceSum", 1, {0}, 0, {{0}}, {0}},
};
// clang-format on

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void make_node(mini_node *node, const widen_case *c, heed_dtype type)
{
    *node = (mini_node){.op = c->op, .n_in = c->n_in, .n_out = 1};
    for (uint32_t i = 0; i < c->n_in; i++)
        node->in[i] = tensor(type, c->rank[i], c->dims[i]);
    node->out[0] = tensor(type, c->y_rank, c->y);
}

/* Both runs have the numbers that the type holds. */
static void check_type(const widen_case *c, heed_dtype type)
{
    mini_node half, wide;
    make_node(&half, c, type);
    make_node(&wide, c, HEED_FLOAT32);
    for (uint32_t i = 0; i < c->n_in; i++)
        for (size_t j = 0; j < mini_count(half.in[i]); j++) {
            put(half.in[i], type, j, any_float());
            put(wide.in[i], HEED_FLOAT32, j, get(half.in[i], type, j));
        }
    run_node(&wide);
    run_node(&half);
    for (size_t j = 0; j < mini_count(half.out[0]); j++) {
        double want = rounded(type, (double)get(wide.out[0], HEED_FLOAT32, j));
        expect(&half, j, (double)get(half.out[0], type, j), want, 0, 0);
    }
    for (uint32_t i = 0; i < c->n_in; i++)
        assert_true(mini_free(wide.in[i]));
    assert_true(mini_free(wide.out[0]));
    drop(&half);
}

static void check_all(void)
{
    for (size_t i = 0; i < CASES; i++) {
        check_type(&cases[i], HEED_FLOAT16);
        check_type(&cases[i], HEED_BFLOAT16);
    }
}

static void test_types(void **state)
{
    (void)state;
    for_each_isa(check_all);
}

/* Types do not mix. */
static void test_refusals(void **state)
{
    (void)state;
    assert_null(mini_open("cpu", NULL));
    mini_node node;
    make_node(&node, &cases[0], HEED_FLOAT16);
    assert_true(mini_free(node.in[1]));
    node.in[1] = tensor(HEED_FLOAT32, 2, cases[0].dims[1]);
    assert_int_equal(mini_run(&node), HEED_UNSUPPORTED);
    assert_non_null(strstr(mini_message(), "input 1"));
    drop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
