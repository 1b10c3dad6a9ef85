/* The same bits for any number of threads: large runs of each kind of kernel on 1, 2, 5 and 16
 * threads are compared byte by byte. */
#include "check.h"

static void same_bits(mini_node *node)
{
    size_t bytes = mini_bytes(node->out[0]);
    void *first = malloc(bytes);
    const unsigned counts[4] = {1, 2, 5, 16};
    for (int i = 0; i < 4; i++) {
        mini_threads(counts[i]);
        memset(mini_data(node->out[0]), 0x5a, bytes);
        run_node(node);
        if (i == 0)
            memcpy(first, mini_data(node->out[0]), bytes);
        else if (memcmp(first, mini_data(node->out[0]), bytes))
            fail_msg("%s: other bits on %u threads", node->op, counts[i]);
    }
    free(first);
    drop(node);
}

static void products(void)
{
    const int64_t shapes[4][3] = {{300, 384, 500}, {1, 700, 900}, {30, 600, 1500}, {500, 300, 1}};
    for (int i = 0; i < 4; i++) {
        int64_t a[2] = {shapes[i][0], shapes[i][1]}, b[2] = {shapes[i][1], shapes[i][2]};
        int64_t y[2] = {shapes[i][0], shapes[i][2]};
        mini_node node = {.op = "MatMul", .n_in = 2, .n_out = 1};
        node.in[0] = random_tensor(2, a), node.in[1] = random_tensor(2, b);
        node.out[0] = random_tensor(2, y);
        same_bits(&node);
    }
    int64_t q[3] = {40, 60, 32}, k[3] = {40, 32, 60}, s[3] = {40, 60, 60};
    mini_node batched = {.op = "MatMul", .n_in = 2, .n_out = 1};
    batched.in[0] = random_tensor(3, q), batched.in[1] = random_tensor(3, k);
    batched.out[0] = random_tensor(3, s);
    same_bits(&batched);
}

static void one_operand(const char *op, int rank, const int64_t *dims, const int64_t *out)
{
    mini_node node = {.op = op, .n_in = 1, .n_out = 1};
    node.in[0] = random_tensor(rank, dims);
    node.out[0] = random_tensor(rank, out);
    mini_int(&node, "axis", -1);
    mini_int(&node, "keepdims", 1);
    if (!strncmp(op, "Reduce", 6)) {
        node.in[node.n_in++] = integers(1, (int64_t[]){-1});
    }
    same_bits(&node);
}

static void rows(void)
{
    const int64_t dims[2] = {700, 333}, kept[2] = {700, 1};
    one_operand("Softmax", 2, dims, dims);
    one_operand("LogSoftmax", 2, dims, dims);
    one_operand("Erf", 2, dims, dims);
    one_operand("Gelu", 2, dims, dims);
    one_operand("ReduceMean", 2, dims, kept);
    one_operand("ReduceMax", 2, dims, kept);
    int64_t flipped[2] = {333, 700}, row[1] = {333};
    one_operand("Transpose", 2, dims, flipped);
    mini_node add = {.op = "Add", .n_in = 2, .n_out = 1};
    add.in[0] = random_tensor(2, dims), add.in[1] = random_tensor(1, row);
    add.out[0] = random_tensor(2, dims);
    same_bits(&add);
    mini_node norm = {.op = "LayerNormalization", .n_in = 3, .n_out = 1};
    norm.in[0] = random_tensor(2, dims);
    norm.in[1] = random_tensor(1, row), norm.in[2] = random_tensor(1, row);
    norm.out[0] = random_tensor(2, dims);
    same_bits(&norm);
}

/* Boxes of some heads, of whole sequences, and rows of keys. */
static void attention(void)
{
    const int64_t shapes[3][5] = {{2, 8, 2, 300, 300}, {3, 4, 1, 20, 90}, {1, 8, 2, 1, 3000}};
    for (int i = 0; i < 6; i++) {
        const int64_t *n = shapes[i / 2];
        int64_t q[4] = {n[0], n[1], n[3], 64}, k[4] = {n[0], n[2], n[4], 64};
        mini_node node = {
            .op = i % 2 ? "MultiHeadAttention" : "GroupedQueryAttention", .n_in = 3, .n_out = 1};
        node.in[0] = random_tensor(4, q), node.in[1] = random_tensor(4, k);
        node.in[2] = random_tensor(4, k), node.out[0] = random_tensor(4, q);
        mini_int(&node, "causal", 1);
        same_bits(&node);
    }
}

static void test_products(void **state)
{
    (void)state;
    for_each_isa(products);
}
static void test_rows(void **state)
{
    (void)state;
    for_each_isa(rows);
}
static void test_attention(void **state)
{
    (void)state;
    for_each_isa(attention);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
