/* fft.c - see fft.h. */
#include "ops/fft.h"

#include <math.h>
#include <string.h>

/* Primes up to this one are worth a butterfly of their own; 4 is faster than two times 2. */
static const int64_t radices[] = {4, 2, 3, 5, 7, 11, 13};
enum { RADIX_MAX = 13 };

static const double pi = 3.14159265358979323846;

static loop_c128 times(loop_c128 a, loop_c128 b)
{
    return (loop_c128){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static loop_c128 conjugate(loop_c128 a) { return (loop_c128){a.re, -a.im}; }

/* ---- Preparing ------------------------------------------------------------------------------ */

/* False when a factor is left over that no radix divides. */
static bool factorise(int64_t n, int64_t *factors)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof(radices) / sizeof(radices[0]); i++)
        for (; n % radices[i] == 0; n /= radices[i])
            factors[count++] = radices[i];
    factors[count] = 0;
    return n == 1;
}

static heed_status take(arena *memory, int64_t n, loop_c128 **out)
{
    *out = arena_array(memory, (size_t)n, sizeof(**out));
    return *out ? HEED_OK : HEED_NOMEM;
}

static heed_status prepare_mixed(fft_plan *p, arena *memory)
{
    TRY(take(memory, p->n, &p->roots));
    TRY(take(memory, p->n, &p->work));
    for (int64_t k = 0; k < p->n; k++) {
        double angle = 2 * pi * ((double)k / (double)p->n);
        p->roots[k] = (loop_c128){cos(angle), -sin(angle)};
    }
    return HEED_OK;
}

/* k^2 is kept modulo 2n, so that the angle stays exact for every length. */
static void make_chirp(fft_plan *p)
{
    int64_t square = 0;
    for (int64_t k = 0; k < p->n; k++) {
        double angle = pi * ((double)square / (double)p->n);
        p->chirp[k] = (loop_c128){cos(angle), -sin(angle)};
        square = (square + 2 * k + 1) % (2 * p->n);
    }
}

static heed_status prepare_bluestein(fft_plan *p, arena *memory)
{
    int64_t m = 1;
    while (m < 2 * p->n - 1)
        m *= 2;
    p->factors[0] = 0;
    p->inner = arena_alloc(memory, sizeof(*p->inner));
    if (!p->inner)
        return HEED_NOMEM;
    TRY(fft_prepare(p->inner, memory, m));
    TRY(take(memory, p->n, &p->chirp));
    TRY(take(memory, m, &p->filter));
    TRY(take(memory, m, &p->work));
    make_chirp(p);
    for (int64_t k = 0; k < p->n; k++) {
        p->filter[k] = conjugate(p->chirp[k]);
        p->filter[(m - k) % m] = p->filter[k];
    }
    fft_run(p->inner, p->filter, false);
    return HEED_OK;
}

heed_status fft_prepare(fft_plan *p, arena *memory, int64_t n)
{
    *p = (fft_plan){.n = n};
    return factorise(n, p->factors) ? prepare_mixed(p, memory) : prepare_bluestein(p, memory);
}

/* ---- Running -------------------------------------------------------------------------------- */

/* One butterfly: `radix` values of `in` that lie `step` apart are transformed into `out`. */
static void butterfly(const fft_plan *p, int64_t radix, const loop_c128 *in, int64_t step,
                      loop_c128 *out)
{
    int64_t turn = p->n / radix;
    for (int64_t k = 0; k < radix; k++) {
        loop_c128 sum = in[0];
        for (int64_t j = 1; j < radix; j++) {
            loop_c128 term = times(in[j * step], p->roots[(j * k % radix) * turn]);
            sum.re += term.re;
            sum.im += term.im;
        }
        out[k] = sum;
    }
}

/* A pass of Stockham's form: `stride` transforms of length `length` lose a factor `radix`. */
static void pass(const fft_plan *p, int64_t radix, int64_t length, int64_t stride,
                 const loop_c128 *in, loop_c128 *out)
{
    int64_t rest = length / radix;
    loop_c128 values[RADIX_MAX];
    for (int64_t i = 0; i < rest; i++)
        for (int64_t q = 0; q < stride; q++) {
            butterfly(p, radix, in + q + stride * i, stride * rest, values);
            for (int64_t k = 0; k < radix; k++)
                out[q + stride * (radix * i + k)] = times(values[k], p->roots[i * k * stride]);
        }
}

static void run_mixed(const fft_plan *p, loop_c128 *x)
{
    loop_c128 *from = x, *to = p->work;
    int64_t length = p->n, stride = 1;
    for (const int64_t *radix = p->factors; *radix; radix++) {
        pass(p, *radix, length, stride, from, to);
        length /= *radix;
        stride *= *radix;
        loop_c128 *other = from;
        from = to;
        to = other;
    }
    if (from != x)
        memcpy(x, from, (size_t)p->n * sizeof(*x));
}

/* kn = (k^2 + n^2 - (k - n)^2) / 2 makes the transform a convolution with a chirp. */
static void run_bluestein(const fft_plan *p, loop_c128 *x)
{
    int64_t m = p->inner->n;
    memset(p->work, 0, (size_t)m * sizeof(*p->work));
    for (int64_t k = 0; k < p->n; k++)
        p->work[k] = times(x[k], p->chirp[k]);
    fft_run(p->inner, p->work, false);
    for (int64_t k = 0; k < m; k++)
        p->work[k] = times(p->work[k], p->filter[k]);
    fft_run(p->inner, p->work, true);
    for (int64_t k = 0; k < p->n; k++)
        x[k] = times(p->work[k], p->chirp[k]);
}

static void run_forward(const fft_plan *p, loop_c128 *x)
{
    if (p->inner)
        run_bluestein(p, x);
    else
        run_mixed(p, x);
}

void fft_run(const fft_plan *p, loop_c128 *x, bool inverse)
{
    double scale = 1 / (double)p->n;
    for (int64_t k = 0; inverse && k < p->n; k++)
        x[k].im = -x[k].im;
    run_forward(p, x);
    for (int64_t k = 0; inverse && k < p->n; k++)
        x[k] = (loop_c128){x[k].re * scale, -x[k].im * scale};
}
