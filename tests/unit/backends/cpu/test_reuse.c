/* What kernels say of memory that an output may share with an input: with every choice that
 * HEED_REUSE and HEED_INPLACE allow, a run gives the bits that it gives in memory of its own. */
#include <stdbool.h>

#include "check.h"

/* Operands by letters: f as large as the result, r a row, c a column, s one number, w a weight of a
 * row, b truth values, u the result as truth values, - left out. */
typedef struct row {
    const char *op, *in, *out, *attr;
} row;

// clang-format off
static const row rows[] = {
    {"Add", "ff", "f", ""}, {"Add", "fr", "f", ""}, {"Add", "rf", "f", ""}, {"Sub", "cf", "f", ""},
    {"Sub", "sf", "f", ""}, {"Sub", "fs", "f", ""}, {"Mul", "ff", "f", ""}, {"Div", "ff", "f", ""},
    {"Pow", "ff", "f", ""}, {"PRelu", "ff", "f", ""}, {"PRelu", "fr", "f", ""},
    {"Max", "ff", "f", ""}, {"Max", "rff", "f", ""}, {"Min", "fcff", "f", ""},
    {"Max", "f", "f", ""}, {"And", "bb", "b", ""}, {"Xor", "bb", "b", ""},
    {"Where", "bff", "f", ""}, {"Where", "bfr", "f", ""}, {"Where", "bsf", "f", ""},
    {"Relu", "f", "f", ""}, {"Gelu", "f", "f", ""}, {"Clip", "f", "f", ""},
    {"Softmax", "f", "f", "axis=2"}, {"Softmax", "f", "f", "axis=1"},
    {"LogSoftmax", "f", "f", "axis=1"}, {"LayerNormalization", "fww", "f", ""},
    {"RMSNormalization", "fw", "f", ""},
    {"GatedActivation", "ff", "f", "activation=swish"},
    {"GatedActivation", "ff", "f", "activation=gelu"},
    {"Pointwise", "ff", "f", "program=Add 0 1; Tanh 2; Mul 3 0"},
    {"Pointwise", "fff", "f", "program=Mul 0 1; Sigmoid 3; Sub 4 2"},
    {"Pointwise", "rfc", "f", "program=Add 0 1; Sub 3 2; Mul 4 1"},
    {"Pointwise", "bff", "f", "program=Neg 1; Where 0 3 2"},
    {"Pointwise", "ffb", "b", "program=Less 0 1; And 3 2"},
    {"ResidualNormalization", "ffww-", "ff", ""}, {"ResidualNormalization", "ffwww", "ff", ""},
    {"ResidualNormalization", "ffwww", "f-", ""}, {"ResidualNormalization", "ffww-", "f-", ""},
    {"ResidualNormalization", "ffw-w", "ff", "rms=1"},
    {"ResidualNormalization", "ffw--", "ff", "rms=1"},
};
// clang-format on

static const struct {
    int64_t dims[3];
} sizes[] = {{{5, 7, 129}}, {{3, 4, 1500}}, {{2, 700, 6}}, {{1, 1, 1}}};

static heed_dtype number;

static DLTensor *operand(char letter, const int64_t *full)
{
    int64_t column[2] = {full[1], 1};
    heed_dtype dtype = letter == 'b' ? HEED_BOOL : number;
    DLTensor *t = letter == 's'                    ? mini_tensor(dtype, 0, NULL)
                  : letter == 'c'                  ? mini_tensor(dtype, 2, column)
                  : letter == 'r' || letter == 'w' ? mini_tensor(dtype, 1, full + 2)
                                                   : mini_tensor(dtype, 3, full);
    for (size_t i = 0; i < mini_count(t); i++) {
        if (dtype == HEED_BOOL)
            ((uint8_t *)mini_data(t))[i] = (uint8_t)any(2);
        else if (dtype == HEED_FLOAT32)
            ((float *)mini_data(t))[i] = any_float();
        else /* from 1 to 2 in float16, from 1/128 to 2 in bfloat16 */
            ((uint16_t *)mini_data(t))[i] = (uint16_t)(0x3c00 | any(0x400) | any(2) << 15);
    }
    return t;
}

static void set_attr(mini_node *node, const char *text)
{
    static char name[32];
    const char *value = strchr(text, '=');
    if (!value)
        return;
    snprintf(name, sizeof(name), "%.*s", (int)(value - text), text);
    if (strchr("0123456789", value[1]))
        mini_int(node, name, atoi(value + 1));
    else
        mini_string(node, name, value + 1);
}

static uint64_t reuse_of(const char *op)
{
    for (const heed_kernel *const *k = mini_backend()->kernels; *k; k++)
        if (!strcmp((*k)->op, op))
            return (HEED_HAS(*k, reuse) ? (*k)->reuse : 0) |
                   ((*k)->flags & HEED_INPLACE ? HEED_REUSE(0, 0) : 0);
    fail_msg("no kernel for %s", op);
    return 0;
}

static DLTensor *copy(const DLTensor *t)
{
    DLTensor *to = mini_tensor(t->dtype.code == kDLBool ? HEED_BOOL : number, t->ndim, t->shape);
    memcpy(mini_data(to), mini_data(t), mini_bytes(t));
    return to;
}

/* Output o in the memory of input over[o], or in its own (-1). */
static void run_over(const mini_node *plain, const int *over)
{
    mini_node node = *plain;
    for (uint32_t i = 0; i < node.n_in; i++)
        node.in[i] = plain->in[i] ? copy(plain->in[i]) : NULL;
    for (uint32_t o = 0; o < node.n_out; o++)
        if (plain->out[o])
            node.out[o] = over[o] < 0 ? copy(plain->out[o]) : node.in[over[o]];
    run_node(&node);
    for (uint32_t o = 0; o < node.n_out; o++)
        if (node.out[o] &&
            memcmp(mini_data(node.out[o]), mini_data(plain->out[o]), mini_bytes(node.out[o])) != 0)
            fail_msg("%s %s: output %u over input %d differs", node.op,
                     node.n_attrs ? node.attrs[0].name : "", o, over[o]);
    for (uint32_t o = 0; o < node.n_out; o++)
        if (node.out[o] && over[o] < 0)
            assert_true(mini_free(node.out[o]));
    for (uint32_t i = 0; i < node.n_in; i++)
        if (node.in[i])
            assert_true(mini_free(node.in[i]));
}

static bool may(const mini_node *node, uint64_t reuse, uint32_t o, int i)
{
    return i < 0 || (node->out[o] && node->in[i] && (reuse & HEED_REUSE(o, i)) &&
                     mini_bytes(node->in[i]) == mini_bytes(node->out[o]));
}

/* Every choice; the number of those that share anything. */
static int run_choices(const mini_node *node)
{
    uint64_t reuse = reuse_of(node->op);
    int n = (int)node->n_in, tried = 0;
    for (int a = -1; a < n; a++)
        for (int b = -1; b < (node->n_out > 1 ? n : 0); b++) {
            const int over[2] = {a, b};
            if ((a < 0 && b < 0) || (a == b && a >= 0) || !may(node, reuse, 0, a) ||
                (node->n_out > 1 && !may(node, reuse, 1, b)))
                continue;
            run_over(node, over);
            tried++;
        }
    return tried;
}

static bool build(const row *r, const int64_t *dims, mini_node *node)
{
    *node = (mini_node){.op = r->op};
    for (const char *c = r->in; *c; c++)
        node->in[node->n_in++] = *c == '-' ? NULL : operand(*c, dims);
    for (const char *c = r->out; *c; c++)
        node->out[node->n_out++] = *c == '-' ? NULL : operand(*c, dims);
    set_attr(node, r->attr);
    return mini_run(node) == HEED_OK; /* not every kernel takes halves */
}

static void run_row(const row *r)
{
    int ran = 0;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        mini_node node;
        if (build(r, sizes[s].dims, &node))
            ran += run_choices(&node);
        for (uint32_t i = 0; i < node.n_in + node.n_out; i++) {
            DLTensor *t = i < node.n_in ? node.in[i] : node.out[i - node.n_in];
            assert_true(!t || mini_free(t));
        }
    }
    if (!ran && number == HEED_FLOAT32)
        fail_msg("%s %s: nothing is shared", r->op, r->in);
}

static void run_all(void)
{
    static const heed_dtype numbers[] = {HEED_FLOAT32, HEED_FLOAT16, HEED_BFLOAT16};
    for (size_t d = 0; d < sizeof(numbers) / sizeof(*numbers); d++) {
        number = numbers[d];
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            run_row(&rows[i]);
    }
}

static void same_bits_in_shared_memory(void **state)
{
    (void)state;
    for_each_isa(run_all);
}

/* The table above has every kernel that shares its memory in a way of its own. Pages are always
 * written where they lie: test_paged.c. */
static void each_kernel_is_tried(void **state)
{
    (void)state;
    assert_null(mini_open("cpu", ""));
    for (const heed_kernel *const *k = mini_backend()->kernels; *k; k++) {
        bool found =
            !HEED_HAS(*k, reuse) || !strcmp((*k)->op, "Or") || !strcmp((*k)->op, "PagedAttention");
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            found |= !strcmp(rows[i].op, (*k)->op);
        if (!found)
            fail_msg("%s is not tried", (*k)->op);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_shared_memory),
        cmocka_unit_test(each_kernel_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
