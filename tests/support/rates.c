/* See rates.h. */
#include "rates.h"

#include <pthread.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MOST_THREADS = 64, ROUNDS = 5 };

/* ---- Multiply-adds -------------------------------------------------------------------------- */

#if defined(__x86_64__)
static volatile float sink;

/* The sums start apart, or the compiler would keep one of them. */
#define PEAK_LOOP(name, isa, lanes)                                                                \
    typedef float vector_##name __attribute__((vector_size(lanes * 4)));                           \
    __attribute__((target(isa))) static double name(long n)                                        \
    {                                                                                              \
        vector_##name x = {1e-9f}, y = {0.5f}, a = x, b = x + 1, c = x + 2, d = x + 3, e = x + 4,  \
                      f = x + 5, g = x + 6, h = x + 7, i = x + 8, j = x + 9;                       \
        for (long k = 0; k < n; k++) {                                                             \
            a = a * y + x, b = b * y + x, c = c * y + x, d = d * y + x, e = e * y + x;             \
            f = f * y + x, g = g * y + x, h = h * y + x, i = i * y + x, j = j * y + x;             \
            __asm__ volatile("" : "+x"(y), "+x"(x));                                               \
        }                                                                                          \
        vector_##name all = a + b + c + d + e + f + g + h + i + j;                                 \
        sink = all[0];                                                                             \
        return 20.0 * lanes * (double)n;                                                           \
    }
PEAK_LOOP(peak_512, "avx512f", 16)
PEAK_LOOP(peak_256, "avx2,fma", 8)

#define PEAK_DOT(sum) sum = _mm512_dpbf16_ps(sum, x, y);

/* The same of pairs of bfloat16. */
__attribute__((target("avx512f,avx512bf16"))) static double peak_bf16(long n)
{
    __m512bh x = (__m512bh)_mm512_setzero_si512(), y = x;
    __m512 a = _mm512_set1_ps(1), b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6,
           h = a + 7, i = a + 8, j = a + 9, k = a + 10, l = a + 11, m = a + 12, o = a + 13,
           p = a + 14, q = a + 15;
    for (long r = 0; r < n; r++) {
        // clang-format off
        PEAK_DOT(a) PEAK_DOT(b) PEAK_DOT(c) PEAK_DOT(d) PEAK_DOT(e) PEAK_DOT(f)
        PEAK_DOT(g) PEAK_DOT(h) PEAK_DOT(i) PEAK_DOT(j) PEAK_DOT(k) PEAK_DOT(l)
        PEAK_DOT(m) PEAK_DOT(o) PEAK_DOT(p) PEAK_DOT(q)
            // clang-format on
            __asm__ volatile(""
                             : "+v"(y), "+v"(x));
    }
    __m512 all = a + b + c + d + e + f + g + h + i + j + k + l + m + o + p + q;
    sink = all[0];
    return 64.0 * 16 * (double)n;
}

static double peak_flops(long n, bool bf16)
{
    if (bf16 && __builtin_cpu_supports("avx512bf16"))
        return peak_bf16(n);
    return __builtin_cpu_supports("avx512f") ? peak_512(n) : peak_256(n);
}
#else
static double peak_flops(long n, bool bf16) { return 0 * (double)(n + bf16); }
#endif

/* ---- Threads -------------------------------------------------------------------------------- */

typedef struct rate {
    bool bf16;
    double best;
} rate;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *measure(void *arg)
{
    rate *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now(), done = peak_flops(1000000, r->bf16), took = now() - begin;
        r->best = done / took * 1e-9 > r->best ? done / took * 1e-9 : r->best;
    }
    return NULL;
}

double rates_peak(unsigned threads, bool bf16)
{
    pthread_t helpers[MOST_THREADS];
    rate rates[MOST_THREADS];
    double sum = 0;
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    for (unsigned i = 0; i < threads; i++) {
        rates[i] = (rate){.bf16 = bf16};
        pthread_create(&helpers[i], NULL, measure, &rates[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(helpers[i], NULL);
        sum += rates[i].best;
    }
    return sum;
}
