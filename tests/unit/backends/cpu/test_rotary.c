/* heed.RotaryEmbedding against its definition in double: halves and neighbours, all channels or
 * some, tables for each channel or each pair that leave out axes, half types, in place. */
#include "check.h"

typedef struct geometry {
    int rank;
    int64_t dims[4];
    int64_t turned, width; /* channels that turn; of the tables */
    int interleaved;
    unsigned left_out; /* axes that the tables have as 1 */
    int short_rank;    /* the tables lack so many leading axes */
} geometry;

static DLTensor *table_of(const geometry *g)
{
    int64_t dims[4];
    for (int d = 0; d < g->rank; d++)
        dims[d] = g->left_out >> d & 1 ? 1 : g->dims[d];
    dims[g->rank - 1] = g->width;
    return random_tensor(g->rank - g->short_rank, dims + g->short_rank);
}

/* Where in a table the row of the flat index i of x begins. */
static size_t table_row(const DLTensor *t, const DLTensor *x, size_t i)
{
    size_t offset = 0, stride = (size_t)t->shape[t->ndim - 1];
    i /= (size_t)x->shape[x->ndim - 1];
    for (int d = x->ndim - 2; d >= 0; d--) {
        int own = d - (x->ndim - t->ndim);
        size_t place = i % (size_t)x->shape[d];
        i /= (size_t)x->shape[d];
        if (own < 0)
            continue;
        offset += t->shape[own] == 1 ? 0 : place * stride;
        stride *= (size_t)t->shape[own];
    }
    return offset;
}

static double expected(const geometry *g, const mini_node *node, const float *x, size_t i)
{
    size_t n = (size_t)g->dims[g->rank - 1], j = i % n, half = (size_t)g->turned / 2;
    if (j >= (size_t)g->turned)
        return (double)x[i];
    size_t pair = g->interleaved ? j / 2 : j % half;
    int first = g->interleaved ? j % 2 == 0 : j < half;
    size_t other = g->interleaved ? j ^ 1 : (j + half) % (2 * half);
    size_t at = g->width == g->turned ? j : pair;
    const float *c = mini_data(node->in[1]), *s = mini_data(node->in[2]);
    double cosine = (double)c[table_row(node->in[1], node->in[0], i) + at];
    double sine = (double)s[table_row(node->in[2], node->in[0], i) + at];
    double across = (double)x[i - j + other] * sine;
    return (double)x[i] * cosine + (first ? -across : across);
}

static void rotary_case(const geometry *g, int in_place)
{
    mini_node node = {.op = "RotaryEmbedding", .n_in = 3, .n_out = 1};
    node.in[0] = random_tensor(g->rank, g->dims);
    node.in[1] = table_of(g);
    node.in[2] = table_of(g);
    node.out[0] = in_place ? node.in[0] : random_tensor(g->rank, g->dims);
    mini_int(&node, "interleaved", g->interleaved);
    mini_int(&node, "rotary_dim", g->turned == g->dims[g->rank - 1] ? 0 : g->turned);
    size_t n = mini_count(node.in[0]);
    float *x = malloc((n + 1) * sizeof(*x));
    memcpy(x, mini_data(node.in[0]), n * sizeof(*x));
    run_node(&node);
    const float *y = mini_data(node.out[0]);
    for (size_t i = 0; i < n; i++)
        expect(&node, i, (double)y[i], expected(g, &node, x, i), 1e-6, 1e-6);
    free(x);
    node.n_out = in_place ? 0 : 1;
    drop(&node);
}

static void shapes(void)
{
    for (int round = 0; round < 120; round++) {
        geometry g = {.rank = 1 + (int)any(4), .interleaved = round % 2};
        for (int d = 0; d < g.rank - 1; d++)
            g.dims[d] = any(20) ? 1 + any(6) : 0;
        g.turned = 2 + 2 * any(round % 5 ? 20 : 80);
        g.dims[g.rank - 1] = g.turned + (any(2) ? any(9) : 0);
        g.width = any(2) ? g.turned : g.turned / 2;
        g.left_out = any(16);
        g.short_rank = (int)any((uint32_t)g.rank);
        rotary_case(&g, round % 3 == 0);
    }
    const geometry large = {4, {2, 12, 100, 64}, 64, 64, 0, 2, 0};
    rotary_case(&large, 0);
    rotary_case(&large, 1);
}

static uint16_t to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)(bits >> 16);
}

static float from_bfloat16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The same numbers in float32 and in bfloat16. */
static void halves_of(const geometry *g)
{
    mini_node wide = {.op = "RotaryEmbedding", .n_in = 3, .n_out = 1}, node = wide;
    for (int k = 0; k < 4; k++) {
        DLTensor **at = k < 3 ? &wide.in[k] : &wide.out[0];
        DLTensor **to = k < 3 ? &node.in[k] : &node.out[0];
        *at = k == 1 || k == 2 ? table_of(g) : random_tensor(g->rank, g->dims);
        *to = tensor(HEED_BFLOAT16, (*at)->ndim, (*at)->shape);
        float *x = mini_data(*at);
        uint16_t *y = mini_data(*to);
        for (size_t i = 0; i < mini_count(*at); i++)
            x[i] = from_bfloat16(y[i] = to_bfloat16(x[i]));
    }
    mini_node *both[2] = {&wide, &node};
    for (int k = 0; k < 2; k++) {
        mini_int(both[k], "interleaved", g->interleaved);
        mini_int(both[k], "rotary_dim", g->turned);
        run_node(both[k]);
    }
    const float *want = mini_data(wide.out[0]);
    const uint16_t *have = mini_data(node.out[0]);
    for (size_t i = 0; i < mini_count(wide.out[0]); i++)
        expect(&node, i, (double)from_bfloat16(have[i]), (double)want[i], 0.005, 1e-6);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 4; i++)
            assert_true(mini_free(i < 3 ? both[k]->in[i] : both[k]->out[0]));
}

static void half_types(void)
{
    const geometry cases[] = {{4, {2, 3, 5, 40}, 32, 32, 0, 2, 0},
                              {4, {2, 3, 5, 40}, 32, 16, 1, 1, 1},
                              {2, {7, 512, 0, 0}, 512, 256, 0, 0, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        halves_of(&cases[i]);
}

static void all_shapes(void **state)
{
    (void)state;
    for_each_isa(shapes);
}

static void all_half_types(void **state)
{
    (void)state;
    for_each_isa(half_types);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_shapes),
                                       cmocka_unit_test(all_half_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
