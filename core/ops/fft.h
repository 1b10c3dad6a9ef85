/* fft.h - discrete Fourier transforms of any length in double precision, O(n log n) for all.
 *
 * Lengths whose prime factors are small go through Stockham's mixed-radix form; others become a
 * convolution of a power of two (Bluestein 1970). */
#ifndef HEED_OPS_FFT_H
#define HEED_OPS_FFT_H

#include "ops/loops.h"

enum { FFT_FACTORS = 64 };

typedef struct fft_plan {
    int64_t n;
    int64_t factors[FFT_FACTORS]; /* ends with 0; none when Bluestein is used */
    loop_c128 *roots;             /* exp(-2 pi i k / n) */
    loop_c128 *work;              /* as much as a transform needs beside its data */
    struct fft_plan *inner;       /* Bluestein: the power of two */
    loop_c128 *chirp, *filter;    /* exp(-pi i k^2 / n), and its conjugate transformed */
} fft_plan;

/* Everything lies in the arena. n >= 1. One plan serves one transform at a time. */
heed_status fft_prepare(fft_plan *p, arena *memory, int64_t n);
/* x[0..n) becomes its transform; the inverse is divided by n. */
void fft_run(const fft_plan *p, loop_c128 *x, bool inverse);

#endif
