/* An element's bits follow from its operands alone: not from where it lies in a run, how long the
 * run is, or where the run begins in memory. So what is left over behind whole vectors gives what
 * the vectors give, and a token's result does not depend on the tokens beside it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"

enum { N = 203, BYTES = 8 * (N + 64) };

static const char *const isas[] = {"base", "avx2", "avx512"};
static const float parameters[2] = {0.3f, 0.7f};
static uint32_t seed = 2463534242u;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    return seed ^= seed << 5;
}

static float draw_float(void) { return ((float)(draw() % 200001) - 100000.0f) / 20000.0f; }

static size_t bytes_of(heed_dtype type)
{
    return type == HEED_FLOAT64 || type == HEED_INT64 ? 8
           : type == HEED_FLOAT32 || type == HEED_INT32 || type == HEED_UINT32 ||
                   type == HEED_UINT64
               ? (type == HEED_UINT64 ? 8 : 4)
           : type == HEED_BOOL || type == HEED_INT8 || type == HEED_UINT8 ? 1
                                                                          : 2;
}

/* Numbers of ordinary size in any type; none that is 0, which an integer may not be divided by. */
static void fill(void *to, heed_dtype type)
{
    for (size_t i = 0; i < N; i++) {
        float x = draw_float();
        uint64_t bits = 1 + draw() % 100;
        if (type == HEED_FLOAT32)
            ((float *)to)[i] = x;
        else if (type == HEED_FLOAT64)
            ((double *)to)[i] = (double)x;
        else if (type == HEED_FLOAT16 || type == HEED_BFLOAT16)
            ((uint16_t *)to)[i] = (uint16_t)(0x3c00 + draw() % 512);
        else
            memcpy((char *)to + i * bytes_of(type), &bits, bytes_of(type));
    }
}

static const cpu_lanes *next_isa(size_t i)
{
    return i < sizeof(isas) / sizeof(isas[0]) ? cpu_lanes_find(isas[i]) : NULL;
}

/* ---- Elements ------------------------------------------------------------------------------- */

static void check_map(const cpu_lanes *lanes, const char *op, cpu_map *run, heed_dtype in,
                      heed_dtype out)
{
    static char x[BYTES], whole[BYTES], some[BYTES];
    size_t bx = bytes_of(in), by = bytes_of(out);
    fill(x, in);
    run(whole, x, N, parameters);
    for (int round = 0; round < 60; round++) {
        size_t first = draw() % N, n = round < 30 ? 1 : 1 + draw() % (N - first);
        n = first + n > N ? N - first : n;
        run(some, x + first * bx, n, parameters);
        if (memcmp(some, whole + first * by, n * by))
            fail_msg("%s %s: elements %zu to %zu differ when they are alone", lanes->name, op,
                     first, first + n);
    }
}

static void test_maps(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = next_isa(i);
        for (const cpu_map_row *row = lanes ? lanes->maps : NULL; row && row->op; row++)
            check_map(lanes, row->op, row->run, row->in, row->out);
        for (const cpu_convert_row *row = lanes ? lanes->converts : NULL; row && row->from; row++)
            check_map(lanes, "Cast", row->run, row->from, row->to);
    }
}

static void check_zip(const cpu_lanes *lanes, const cpu_zip_row *row, unsigned form)
{
    static char x[BYTES], y[BYTES], whole[BYTES], some[BYTES];
    size_t b = bytes_of(row->in), bz = bytes_of(row->out);
    fill(x, row->in), fill(y, row->in);
    row->run(whole, x, y, N, form);
    for (int round = 0; round < 40; round++) {
        size_t first = draw() % N, n = round < 20 ? 1 : 1 + draw() % (N - first);
        n = first + n > N ? N - first : n;
        row->run(some, x + (form == CPU_ZIP_SV ? 0 : first * b),
                 y + (form == CPU_ZIP_VS ? 0 : first * b), n, form);
        if (memcmp(some, whole + first * bz, n * bz))
            fail_msg("%s %s: elements %zu to %zu differ when they are alone", lanes->name, row->op,
                     first, first + n);
    }
}

static void test_zips(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cpu_lanes *lanes = next_isa(i);
        for (const cpu_zip_row *row = lanes ? lanes->zips : NULL; row && row->op; row++)
            for (unsigned form = 0; form < 3; form++)
                check_zip(lanes, row, form);
    }
}

/* ---- Rows ----------------------------------------------------------------------------------- */

typedef void row_function(const cpu_lanes *lanes, float *y, const float *x, size_t n);

static float scale[N + 1], bias[N + 1];

static void run_softmax(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    l->softmax(y, x, n);
}

static void run_log_softmax(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    l->log_softmax(y, x, n);
}

static void run_layer_norm(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    float stats[2];
    l->layer_norm(y, x, n, scale, bias, 1e-5f, stats);
}

static void run_rms_norm(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    float stats[2];
    l->rms_norm(y, x, n, scale, NULL, 1e-5f, stats);
}

static void run_residual_layer(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    float sum[N];
    l->residual_layer_norm(y, sum, x, bias, NULL, n, scale, bias, 1e-5f);
}

static void run_residual_rms(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    float sum[N];
    l->residual_rms_norm(y, sum, x, bias, scale, n, scale, NULL, 1e-5f);
}

static void run_halves(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    memset(y, 0, n * sizeof(*y));
    l->rotary_halves(y, x, scale, bias, n / 2, 0);
}

static void run_neighbours(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    memset(y, 0, n * sizeof(*y));
    l->rotary_neighbours(y, x, scale, bias, n / 2, 0);
}

static void run_folds(const cpu_lanes *l, float *y, const float *x, size_t n)
{
    memset(y, 0, n * sizeof(*y));
    for (const cpu_fold_row *row = l->folds; row->op; row++)
        y[(row - l->folds) % (ptrdiff_t)n] += row->row(x, n);
}

static const struct {
    const char *name;
    row_function *run;
} rows[] = {
    {"softmax", run_softmax},
    {"log_softmax", run_log_softmax},
    {"layer norm", run_layer_norm},
    {"RMS norm", run_rms_norm},
    {"residual layer norm", run_residual_layer},
    {"residual RMS norm", run_residual_rms},
    {"rotary halves", run_halves},
    {"rotary neighbours", run_neighbours},
    {"reductions", run_folds},
};

/* The same row anywhere in memory. */
static void check_row(const cpu_lanes *lanes, size_t r, size_t n)
{
    float x[N], want[N], from[N + 32], to[N + 32];
    for (size_t i = 0; i < n; i++)
        x[i] = draw_float(), scale[i] = draw_float(), bias[i] = draw_float();
    rows[r].run(lanes, want, x, n);
    for (size_t shift = 0; shift < 32; shift++) {
        memcpy(from + shift, x, n * sizeof(*x));
        rows[r].run(lanes, to + (shift * 7) % 32, from + shift, n);
        if (memcmp(to + (shift * 7) % 32, want, n * sizeof(*want)))
            fail_msg("%s %s of %zu: a row's bits depend on where it lies", lanes->name,
                     rows[r].name, n);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
            for (size_t n = 1; n <= N && next_isa(i); n += n < 40 ? 1 : 27)
                check_row(next_isa(i), r, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_maps), cmocka_unit_test(test_zips),
                                       cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
