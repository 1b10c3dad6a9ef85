/* heed.FlashAttention in bfloat16 arithmetic: the products of each kind of vector code against sums
 * in the same order, bit by bit; tiles of AMX in plain C, which run on any machine what is written
 * for tiles; turned tiles; whole calls against the meaning, and against the
 * bound of README.md; and rows that are divided by the sum of their own weights. */
#include "attention_case.h"
#include "cpu.h"
#include "flash_brain.h"
#include "lanes/tile_plain.h"

static const char *const kinds[] = {"base_bf16", "avx512_bf16", "base_amx", "amx_bf16"};
static const char *const options[] = {"isa=base_bf16", "isa=avx512_bf16", "isa=base_amx",
                                      "isa=amx_bf16"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

enum { MOST = 80, PAD = 192 };

/* ---- Kernels -------------------------------------------------------------------------------- */

/* What one lane of the instruction does with a pair: the second product first. */
static float dot(float sum, const uint16_t *x, const uint16_t *y)
{
    sum = fmaf(float_of_brain(x[1]), float_of_brain(y[1]), sum);
    return fmaf(float_of_brain(x[0]), float_of_brain(y[0]), sum);
}

static uint16_t *random_brains(size_t n)
{
    uint16_t *x = malloc(n * sizeof(*x));
    for (size_t i = 0; i < n; i++)
        x[i] = brain_of(any_float());
    return x;
}

/* c[m][rows] = a[m][n] b[n / 2][rows][2]; rows of a have PAD numbers. Behind n all are zeros. */
typedef struct product {
    size_t m, n, rows;
    uint16_t *a, *b;
    float *c, *alpha;
} product;

static product draw_product(const cpu_flash_brain *f)
{
    product p = {.m = 1 + any(MOST), .n = 1 + any(MOST)};
    p.rows = chance(2) ? f->rows : f->rows / 2;
    p.a = random_brains(p.m * PAD), p.b = random_brains(PAD * p.rows);
    p.c = malloc(p.m * p.rows * sizeof(float)), p.alpha = malloc(p.rows * sizeof(float));
    for (size_t i = 0; i < p.m * p.rows; i++)
        p.c[i] = any_float();
    for (size_t i = 0; i < p.rows; i++)
        p.alpha[i] = any_float();
    for (size_t i = p.n; i < PAD; i++) {
        for (size_t j = 0; j < p.m; j++)
            p.a[j * PAD + i] = 0;
        for (size_t r = 0; r < p.rows; r++)
            p.b[(i / 2 * p.rows + r) * 2 + i % 2] = 0;
    }
    return p;
}

static void free_product(product *p) { free(p->a), free(p->b), free(p->c), free(p->alpha); }

static float product_at(const product *p, size_t j, size_t r, float sum)
{
    for (size_t i = 0; i < p->n; i += 2)
        sum = dot(sum, p->a + j * PAD + i, p->b + (i / 2 * p->rows + r) * 2);
    return sum;
}

/* In the order of tiles, 32 numbers deep: even ones, odd ones, their sum. */
static float tiled_at(const product *p, size_t j, size_t r, float sum)
{
    for (size_t first = 0; first < p->n; first += 32) {
        float part[2] = {0, 0};
        for (size_t i = first; i < first + 32; i++) {
            float x = float_of_brain(p->a[j * PAD + i]);
            part[i % 2] =
                fmaf(x, float_of_brain(p->b[(i / 2 * p->rows + r) * 2 + i % 2]), part[i % 2]);
        }
        sum += part[0] + part[1];
    }
    return sum;
}

/* Rows that fill no tile are not summed in tiles. */
static float sum_of(const cpu_flash_brain *f, const product *p, size_t i, float sum)
{
    size_t j = i / p->rows, r = i % p->rows;
    bool tiled = f->depth == 32 && j < p->m / 16 * 16;
    return tiled ? tiled_at(p, j, r, sum) : product_at(p, j, r, sum);
}

static void expect_bits(const char *kind, const product *p, size_t i, float got, float want)
{
    if (memcmp(&got, &want, sizeof(got)))
        fail_msg("%s: %zu x %zu x %zu: element %zu is %.9g, not %.9g", kind, p->m, p->n, p->rows, i,
                 (double)got, (double)want);
}

static void check_products(const cpu_device *device)
{
    const cpu_flash_brain *f = device->brain;
    product p = draw_product(f);
    size_t vectors = p.rows / device->lanes->flash->lanes, count = p.m * p.rows;
    float *want = malloc(2 * count * sizeof(*want));
    for (size_t i = 0; i < count; i++) {
        float kept = p.c[i] * p.alpha[i % p.rows];
        want[i] = sum_of(f, &p, i, kept);
        want[count + i] = sum_of(f, &p, i, 0) * 0.375f;
    }
    if (f->begin)
        f->begin();
    f->values(p.c, p.a, PAD, p.m, p.b, p.n, p.alpha, vectors);
    for (size_t i = 0; i < count; i++)
        expect_bits(device->name, &p, i, p.c[i], want[i]);
    f->scores(p.c, p.a, PAD, p.m, p.b, flash_round(p.n, f->depth), vectors, 0.375f);
    for (size_t i = 0; i < count; i++)
        expect_bits(device->name, &p, i, p.c[i], want[count + i]);
    if (f->end)
        f->end();
    free(want);
    free_product(&p);
}

static void check_turn(const cpu_device *device)
{
    size_t rows = 1 + any(MOST), cols = 1 + any(MOST), all = flash_round(rows, BRAIN_STEP);
    uint16_t *from = random_brains(rows * PAD), *to = random_brains(cols * PAD);
    uint16_t last = to[(cols - 1) * PAD + all];
    device->brain->turn(to, PAD, from, PAD, rows, cols);
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < all; r++)
            assert_int_equal(to[c * PAD + r], r < rows ? from[r * PAD + c] : 0);
    assert_int_equal(last, to[(cols - 1) * PAD + all]);
    free(from), free(to);
}

/* Weights as pairs, rounded to even, and their sum. */
static void check_weights(const cpu_device *device)
{
    size_t lanes = device->lanes->flash->lanes, keys = 1 + any(MOST);
    float s[MOST * 16], score[MOST * 16], top[16], sum[16], alpha[16];
    for (size_t i = 0; i < keys * lanes; i++)
        s[i] = score[i] = chance(9) ? -INFINITY : 3 * any_float();
    for (size_t r = 0; r < lanes; r++)
        top[r] = -INFINITY, sum[r] = 0;
    device->brain->weigh(s, keys, top, sum, alpha, 1);
    for (size_t r = 0; r < lanes; r++) {
        double total = 0;
        for (size_t j = 0; j < keys; j++) {
            float weight = float_of_brain(((uint16_t *)(void *)s)[(j / 2 * lanes + r) * 2 + j % 2]);
            double exact = exp((double)score[j * lanes + r] - (double)top[r]);
            exact = top[r] > -INFINITY ? exact : 0;
            assert_true(fabs((double)weight - exact) <= exact * (1.0 / 256 + 4e-6));
            total += (double)weight;
        }
        assert_true(fabs((double)sum[r] - total) <= 1e-6 * total);
    }
}

static void test_kernels(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const cpu_device *device = cpu_device_find(kinds[k]);
        for (int i = 0; device && i < 200; i++) {
            check_products(device);
            check_turn(device);
            check_weights(device);
        }
    }
}

/* ---- Tiles in plain C ----------------------------------------------------------------------- */

/* A tile of 2 x 2 pairs, times one of 2 x 3, with subnormal numbers and an order that shows. */
static void test_tiles(void **state)
{
    (void)state;
    const tile_config config = {
        .palette = 1, .bytes = {12, 8, 12}, .rows = {2, 2, 2}}; /* sums; a; b */
    const float tiny = 0x1p-130f, big = 0x1p24f;
    const float a[2][4] = {{1, 2, 3, 4}, {big, -big, tiny, 0x1p-100f}};
    const float b[2][6] = {{1, 1, 1, 0, 0, 1}, {1, 1, 0x1p126f, 0, 1, 0x1p-60f}};
    const float c[2][3] = {{10, tiny, 1}, {1, 2, 3}};
    /* 10 + (1 + 3) + (2 + 4), 0 + (1 + 3 2^126), 1 + 4 2^-60 + 2 + 3: subnormal is 0. */
    const float want[2][3] = {{20, 1 + 3 * 0x1p126f, 1 + (3 + 2)}, {1, 2 + big, 3 - big}};
    uint16_t x[8], y[12];
    float sum[2][3], got[3][3];
    for (size_t i = 0; i < 8; i++)
        x[i] = (uint16_t)(brain_of(((const float *)a)[i]));
    for (size_t i = 0; i < 12; i++)
        y[i] = brain_of(((const float *)b)[i]);
    memcpy(sum, c, sizeof(sum));
    memset(got, 0, sizeof(got));
    TILE_CONFIGURE(&config);
    TILE_LOAD(0, sum, sizeof(sum[0]));
    TILE_LOAD(1, x, 8);
    TILE_LOAD(2, y, 12);
    TILE_DOT(0, 1, 2);
    TILE_STORE(0, got, sizeof(got[0]));
    for (size_t i = 0; i < 6; i++)
        if (got[i / 3][i % 3] != want[i / 3][i % 3])
            fail_msg("tile: %zu is %.9g, not %.9g", i, (double)got[i / 3][i % 3],
                     (double)want[i / 3][i % 3]);
    assert_true(got[2][0] == 0); /* no more rows than it has */
    TILE_ZERO(0);
    TILE_STORE(0, got, sizeof(got[0]));
    for (size_t i = 0; i < 6; i++)
        assert_true(got[i / 3][i % 3] == 0);
    TILE_RELEASE();
}

/* ---- Whole calls ---------------------------------------------------------------------------- */

/* A row's result lies no further from that of exact weights than their rounding can move it, and
 * half a step of bfloat16. */
static void check_bound(const attention_case *c)
{
    double *w = malloc((size_t)c->keys * sizeof(*w));
    int64_t heads = c->group * c->kv_heads;
    for (int64_t row = 0; row < c->batch * heads * c->queries; row++) {
        int64_t i = row % c->queries, h = row / c->queries % heads, b = row / c->queries / heads;
        bool filled = row_weights(c, b, h, i, w);
        for (int64_t d = 0; filled && d < c->dv; d++) {
            double want = 0, spread = 0;
            for (int64_t j = 0; j < c->keys; j++)
                want += w[j] * operand(c, V, b, h, j, d);
            for (int64_t j = 0; j < c->keys; j++)
                spread += w[j] * fabs(operand(c, V, b, h, j, d) - want);
            size_t at = place(c->node.out[0], c->layout[3], (int64_t[]){b, h, i, d});
            double got = (double)get(c->node.out[0], c->type, at);
            double bound = (spread + fabs(want)) / 256 * 1.01 + 2e-5;
            if (!(fabs(got - want) <= bound))
                fail_at(c, (int64_t[]){b, h, i, d}, got, want);
        }
    }
    free(w);
}

static void bound_case(void)
{
    attention_case c = {.type = HEED_BFLOAT16, .kv_heads = 1 + any(2), .empty = "zero"};
    c.batch = 1, c.group = 1 + any(3), c.queries = 1 + any(chance(2) ? 4 : 50);
    c.keys = 1 + any(600), c.d = 1 + any(130), c.dv = 1 + any(130);
    c.left = c.right = -1, c.fill = -INFINITY, c.causal = chance(2);
    c.node = (mini_node){.op = "FlashAttention", .n_in = 3, .n_out = 1};
    int64_t heads = c.group * c.kv_heads;
    c.own[K] = c.kv_heads, c.own[V] = chance(2) ? c.kv_heads : 1;
    c.node.in[Q] = draw_operand(&c, 0, (int64_t[]){c.batch, heads, c.queries, c.d});
    c.node.in[K] = draw_operand(&c, 1, (int64_t[]){c.batch, c.kv_heads, c.keys, c.d});
    c.node.in[V] = draw_operand(&c, 2, (int64_t[]){c.batch, c.own[V], c.keys, c.dv});
    c.node.out[0] = draw_operand(&c, 3, (int64_t[]){c.batch, heads, c.queries, c.dv});
    mini_int(&c.node, "causal", c.causal);
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < mini_count(c.node.in[k]); i++)
            put(c.node.in[k], c.type, i, any_float());
    run_node(&c.node);
    check_bound(&c);
    drop(&c.node);
}

/* Values that are all the same come out as they are: no weight is lost. */
static void constant_case(void)
{
    mini_node node;
    fill_node(&node, HEED_BFLOAT16,
              (int64_t[]){1, 2, 1, 1 + any(chance(2) ? 3 : 60), 1 + any(700)});
    for (size_t i = 0; i < mini_count(node.in[V]); i++)
        put(node.in[V], HEED_BFLOAT16, i, 1.2265625f);
    run_node(&node);
    for (size_t i = 0; i < mini_count(node.out[0]); i++)
        expect(&node, i, (double)get(node.out[0], HEED_BFLOAT16, i), 1.2265625, 0, 0);
    drop(&node);
}

static void all_cases(void)
{
    attention_cases();
    for (int i = 0; i < 60; i++)
        bound_case();
    for (int i = 0; i < 20; i++)
        constant_case();
    same_bits_of_all();
}

static void test_calls(void **state)
{
    (void)state;
    attention_only = HEED_BFLOAT16;
    assert_true(for_each_of(options, KINDS, all_cases) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_tiles),
                                       cmocka_unit_test(test_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
