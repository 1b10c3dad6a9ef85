/* The vector code of every instruction set that this machine has, against libm in double: errors
 * in units of the last place, special values, and the same bits wherever an element lies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"

static const char *const isas[] = {"base", "avx2", "avx512"};
static const float none[2];

static double ulp_of(double y)
{
    int e;
    frexp(y, &e);
    return ldexp(1.0, (e < -125 ? -125 : e) - 24);
}

static double gelu(double x) { return 0.5 * x * (1.0 + erf(x * 0.70710678118654752)); }

static double gelu_tanh(double x)
{
    return 0.5 * x * (1.0 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
}

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

typedef struct accuracy {
    const char *op;
    double (*exact)(double x);
    double from, to;
    double ulps;     /* largest error where the function is of order 1 or smaller and no zero */
    double absolute; /* or this, where terms cancel */
} accuracy;

// clang-format off
static const accuracy functions[] = {
    {"Exp", exp, -103.0, 88.7, 3.0, 0.0},
    {"Log", log, 1e-44, 3e38, 3.0, 0.0},
    {"Log", log, 0.5, 2.0, 3.0, 0.0},
    {"Erf", erf, -5.0, 5.0, 4.0, 0.0},
    {"Tanh", tanh, -12.0, 12.0, 4.0, 0.0},
    {"Sigmoid", sigmoid, -80.0, 40.0, 4.0, 0.0},
    {"Softplus", softplus, -80.0, 40.0, 4.0, 0.0},
    {"Sin", sin, -1000.0, 1000.0, 2.0, 1e-7},
    {"Cos", cos, -1000.0, 1000.0, 2.0, 1e-7},
    {"Sin", sin, -900000.0, 900000.0, 2.0, 1e-7},
    {"Cos", cos, -9e6, 9e6, 2.0, 1e-7},
    {"Gelu", gelu, -8.0, 8.0, 4.0, 2e-7},
    {"Gelu/tanh", gelu_tanh, -8.0, 8.0, 4.0, 4e-7},
    {"Sqrt", sqrt, 0.0, 1e30, 0.51, 0.0},
};
// clang-format on

static void check_accuracy(const cpu_lanes *lanes, const accuracy *f)
{
    enum { N = 4099 };
    float x[N], y[N];
    bool wide = f->from > 0 && f->to / f->from > 1e6;
    for (int round = 0; round < 16; round++) {
        for (int i = 0; i < N; i++) {
            double t = (i + round / 16.0) / N;
            x[i] =
                (float)(wide ? f->from * pow(f->to / f->from, t) : f->from + (f->to - f->from) * t);
        }
        cpu_map_find(lanes, f->op, HEED_FLOAT32)->run(y, x, N, none);
        for (int i = 0; i < N; i++) {
            double want = f->exact((double)x[i]);
            double error = fabs((double)y[i] - want);
            if (error > f->ulps * ulp_of(want) && error > f->absolute)
                fail_msg("%s %s(%.9g) = %.9g, not %.9g: %.2f ulp", lanes->name, f->op, (double)x[i],
                         (double)y[i], want, error / ulp_of(want));
        }
    }
}

static void test_accuracy(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = cpu_lanes_find(isas[i]);
        for (size_t f = 0; lanes && f < sizeof(functions) / sizeof(functions[0]); f++)
            check_accuracy(lanes, &functions[f]);
    }
}

typedef struct special {
    const char *op;
    float x, y;
} special;

// clang-format off
static const special specials[] = {
    {"Exp", INFINITY, INFINITY}, {"Exp", -INFINITY, 0.0f}, {"Exp", 89.0f, INFINITY},
    {"Exp", -200.0f, 0.0f}, {"Exp", 0.0f, 1.0f}, {"Exp", NAN, NAN},
    {"Log", 0.0f, -INFINITY}, {"Log", -0.0f, -INFINITY}, {"Log", -1.0f, NAN},
    {"Log", INFINITY, INFINITY}, {"Log", 1.0f, 0.0f}, {"Log", NAN, NAN}, {"Log", -INFINITY, NAN},
    {"Erf", INFINITY, 1.0f}, {"Erf", -INFINITY, -1.0f}, {"Erf", 0.0f, 0.0f}, {"Erf", NAN, NAN},
    {"Tanh", INFINITY, 1.0f}, {"Tanh", -INFINITY, -1.0f}, {"Tanh", NAN, NAN},
    {"Sigmoid", INFINITY, 1.0f}, {"Sigmoid", -INFINITY, 0.0f}, {"Sigmoid", NAN, NAN},
    {"Softplus", INFINITY, INFINITY}, {"Softplus", -INFINITY, 0.0f}, {"Softplus", NAN, NAN},
    {"Relu", NAN, NAN}, {"Relu", -1.0f, 0.0f}, {"Relu", INFINITY, INFINITY},
    {"Sqrt", -1.0f, NAN}, {"Sqrt", INFINITY, INFINITY}, {"Reciprocal", 0.0f, INFINITY},
    {"Sin", INFINITY, NAN}, {"Cos", -INFINITY, NAN}, {"Sin", NAN, NAN}, {"Cos", 0.0f, 1.0f},
    {"Sign", -3.0f, -1.0f}, {"Sign", 0.0f, 0.0f}, {"Sign", NAN, NAN},
    {"Round", 0.5f, 0.0f}, {"Round", 1.5f, 2.0f}, {"Round", -2.5f, -2.0f},
    {"Floor", -0.5f, -1.0f}, {"Ceil", -1.5f, -1.0f}, {"HardSwish", -4.0f, 0.0f},
    {"HardSwish", 4.0f, 4.0f}, {"Softsign", 1.0f, 0.5f},
};
// clang-format on

static bool same(float a, float b) { return isnan(a) ? isnan(b) : a == b; }

static void test_specials(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = cpu_lanes_find(isas[i]);
        for (size_t k = 0; lanes && k < sizeof(specials) / sizeof(specials[0]); k++) {
            const special *s = &specials[k];
            float x[67], y[67];
            for (int j = 0; j < 67; j++)
                x[j] = j % 2 ? 0.25f : s->x;
            cpu_map_find(lanes, s->op, HEED_FLOAT32)->run(y, x, 67, none);
            for (int j = 0; j < 67; j += 2)
                if (!same(y[j], s->y))
                    fail_msg("%s %s(%g) = %g, not %g", lanes->name, s->op, (double)s->x,
                             (double)y[j], (double)s->y);
        }
    }
}

/* In place gives what out of place gives. */
static void test_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = cpu_lanes_find(isas[i]);
        for (const cpu_map_row *row = lanes ? lanes->maps : NULL; row && row->op; row++) {
            if (row->in != HEED_FLOAT32 || row->out != HEED_FLOAT32)
                continue;
            float x[133], y[133], p[2] = {0.5f, 1.5f};
            for (int j = 0; j < 133; j++)
                x[j] = 0.1f + (float)j / 40.0f;
            row->run(y, x, 133, p);
            row->run(x, x, 133, p);
            if (memcmp(x, y, sizeof(x)))
                fail_msg("%s %s differs in place", lanes->name, row->op);
        }
    }
}

/* float16 and bfloat16: every value survives the way to float32 and back, and rounding is to
 * nearest even. */
static void test_halves(void **state)
{
    (void)state;
    static uint16_t in[65536], out[65536];
    static float wide[65536];
    const heed_dtype kinds[] = {HEED_FLOAT16, HEED_BFLOAT16};
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = cpu_lanes_find(isas[i]);
        for (size_t k = 0; lanes && k < 2; k++) {
            for (unsigned v = 0; v < 65536; v++)
                in[v] = (uint16_t)v;
            cpu_convert_find(lanes, kinds[k], HEED_FLOAT32)(wide, in, 65536, none);
            cpu_convert_find(lanes, HEED_FLOAT32, kinds[k])(out, wide, 65536, none);
            for (unsigned v = 0; v < 65536; v++)
                if (!isnan(wide[v]))
                    assert_int_equal(in[v], out[v]);
            assert_true(k ? wide[0x3fc0] == 1.5f : wide[0x3e00] == 1.5f);
        }
        if (!lanes)
            continue;
        float x[6] = {2049.0f, 2051.0f, 65519.0f, 65520.0f, 5.9604645e-8f * 1.5f, NAN};
        const uint16_t want[5] = {0x6800, 0x6802, 0x7bff, 0x7c00, 2};
        cpu_convert_find(lanes, HEED_FLOAT32, HEED_FLOAT16)(out, x, 6, none);
        assert_memory_equal(out, want, sizeof(want));
        assert_true((out[5] & 0x7fff) > 0x7c00);
    }
}

enum { ROW_MOST = 80, ROW_EDGE = 16 };

/* One row, between elements that must stay as they are; in place or not. */
static void check_row(const cpu_lanes *lanes, const float *x, size_t n, bool in_place)
{
    float from[ROW_MOST + 2 * ROW_EDGE], to[ROW_MOST + 2 * ROW_EDGE];
    double peak = -INFINITY, sum = 0;
    bool nan = false;
    for (size_t i = 0; i < ROW_MOST + 2 * ROW_EDGE; i++)
        from[i] = to[i] = 1000.0f + (float)i;
    memcpy(from + ROW_EDGE, x, n * sizeof(*x));
    float *y = in_place ? from : to;
    lanes->softmax(y + ROW_EDGE, from + ROW_EDGE, n);
    for (size_t i = 0; i < ROW_MOST + 2 * ROW_EDGE; i++)
        if (i < ROW_EDGE || i >= ROW_EDGE + n)
            assert_true(y[i] == 1000.0f + (float)i);
    for (size_t i = 0; i < n; i++) {
        nan |= isnan(x[i]) || x[i] == INFINITY;
        peak = x[i] > peak ? (double)x[i] : peak;
    }
    nan |= peak == -INFINITY;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - peak);
    for (size_t i = 0; i < n; i++)
        if (nan)
            assert_true(isnan(y[ROW_EDGE + i]));
        else
            assert_true(fabs((double)y[ROW_EDGE + i] - exp((double)x[i] - peak) / sum) < 1e-6);
}

/* Rows of a few vectors have loops of their own, and end in the middle of one. */
static void test_short_softmax(void **state)
{
    (void)state;
    const float odd[] = {0.0f, NAN, INFINITY, -INFINITY};
    float x[ROW_MOST];
    for (size_t k = 0; k < sizeof(isas) / sizeof(*isas); k++) {
        const cpu_lanes *lanes = cpu_lanes_find(isas[k]);
        for (size_t n = 1; lanes && n <= ROW_MOST; n++)
            for (size_t v = 0; v < 2 * n; v++) {
                for (size_t i = 0; i < n; i++)
                    x[i] = (float)((i * 7919 + n) % 97) / 9.0f - 5.0f;
                x[v / 2] = odd[(v + n) % 4];
                check_row(lanes, x, n, v % 2);
                for (size_t i = 0; i < n && v == 0; i++)
                    x[i] = -INFINITY;
                check_row(lanes, x, n, v % 2);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),      cmocka_unit_test(test_specials),
        cmocka_unit_test(test_in_place),      cmocka_unit_test(test_halves),
        cmocka_unit_test(test_short_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
