/* heed.FlashAttention against its meaning, on drawn cases; the same bits on any number of threads;
 * and what is refused. */
#include "attention_case.h"

static void test_random_cases(void **state)
{
    (void)state;
    for_each_isa(attention_cases);
}

static void test_threads(void **state)
{
    (void)state;
    for_each_isa(same_bits_of_all);
}

static void refuse(mini_node *node, const char *reason)
{
    assert_int_equal(mini_run(node), HEED_UNSUPPORTED);
    if (!strstr(mini_message(), reason))
        fail_msg("'%s', not '%s'", mini_message(), reason);
    drop(node);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_null(mini_open("cpu", NULL));
    const int64_t dims[5] = {1, 2, 1, 3, 4}, scores[4] = {1, 2, 3, 4};
    mini_node node;
    fill_node(&node, HEED_FLOAT32, dims);
    node.n_out = 2, node.out[1] = random_tensor(4, scores);
    refuse(&node, "scores");
    fill_node(&node, HEED_FLOAT32, dims);
    mini_int(&node, "softmax_precision", HEED_FLOAT64);
    refuse(&node, "float32");
    fill_node(&node, HEED_FLOAT32, dims);
    mini_float(&node, "fill", INFINITY);
    refuse(&node, "fill");
    fill_node(&node, HEED_FLOAT32, dims);
    node.n_in = 4, node.in[BIAS] = tensor(HEED_INT32, 1, (int64_t[]){4});
    refuse(&node, "input 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_cases),
                                       cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
