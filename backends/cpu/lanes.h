/* The vector code of the backend, as one table per instruction set.
 *
 * The loops are written once, in plain C, in the folder lanes; CMakeLists.txt has them compiled for
 * the baseline, for AVX2 with FMA and for AVX-512, and device.c picks a table by CPUID at run time.
 * The baseline table is the plain-C twin that the tests compare the others with.
 *
 * All functions here are single-threaded and work on one dense run of elements; what is split
 * over threads, and how, is decided by their callers from shapes alone. */
#ifndef CPU_LANES_H
#define CPU_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "heed/types.h"

/* y[i] = f(x[i]); y may be x. p[0] and p[1] are the operator's parameters, always
 * readable. */
typedef void cpu_map(void *y, const void *x, size_t n, const float *p);

/* z[i] = f(x[i], y[i]); z may be x. */
typedef void cpu_zip(void *z, const void *x, const void *y, size_t n, unsigned form);
enum { CPU_ZIP_VV = 0, CPU_ZIP_SV = 1, CPU_ZIP_VS = 2 }; /* which operand is one element */

typedef struct cpu_map_row {
    const char *op; /* NULL ends a table */
    heed_dtype in, out;
    cpu_map *run;
} cpu_map_row;

typedef struct cpu_zip_row {
    const char *op;
    heed_dtype in, out;
    cpu_zip *run;
} cpu_zip_row;

typedef struct cpu_convert_row {
    heed_dtype from, to; /* 0 ends the table */
    cpu_map *run;
} cpu_convert_row;

/* z[i] = c[i] ? x[i] : y[i] for elements of 1, 2, 4 or 8 bytes; a step of 0 repeats element 0. */
typedef void cpu_choose(void *z, const uint8_t *c, const void *x, const void *y, size_t n,
                        const size_t step[3], size_t bytes);

/* One reduction: of a dense row to one number, and of a row into a row of results. */
typedef struct cpu_fold_row {
    const char *op;
    float first;                                          /* the value over no elements */
    float (*row)(const float *x, size_t n);               /* over a dense run */
    void (*into)(float *total, const float *x, size_t n); /* total[i] = f(total[i], x[i]) */
    void (*join)(float *total, const float *x, size_t n); /* the same for results of row */
} cpu_fold_row;

/* A normalised row. stats[0] receives the mean, stats[1] the inverse deviation; scale and bias
 * may be NULL. */
typedef void cpu_norm(float *y, const float *x, size_t n, const float *scale, const float *bias,
                      float epsilon, float stats[2]);

/* sum = x + residual, or (x + row) + residual where there is a row; y: its norm. Both may lie in x
 * or in the residual, and y may be the sum. */
typedef void cpu_residual_norm(float *y, float *sum, const float *x, const float *residual,
                               const float *row, size_t n, const float *scale, const float *bias,
                               float epsilon);

/* k is cut into stretches of equal length, so many that two threads can share them evenly, each in
 * whole vectors of any instruction set. An element of a product is the sum of its stretches, in
 * order, and a stretch is a chain of multiply-adds. */
enum {
    CPU_STRETCH = 256,  /* the longest */
    CPU_ROW_RUN = 4096, /* elements of a row of B that one row reads on end */
};

static inline size_t cpu_stretch(size_t k)
{
    size_t parts = (k + CPU_STRETCH - 1) / CPU_STRETCH;
    parts += parts > 1 && parts % 2;
    return parts ? ((k + parts - 1) / parts + 15) / 16 * 16 : CPU_STRETCH;
}

/* A matrix product C = alpha A B, or C += alpha A B when `add` is set. A has any strides, C is
 * row-major, and B is too unless it is `turned`: then rows of B in memory are its columns. The bits
 * of an element of C follow from its row of A and its column of B alone. */
typedef struct cpu_product {
    size_t m, n, k;
    const float *a;
    size_t a_row, a_col;
    const float *b;
    size_t b_row; /* from row to row as stored */
    float *c;
    size_t c_row;
    float alpha;
    int turned, add;
} cpu_product;

/* Turns pairs of channels by angles: a row of 2 * pairs channels. `wide`: cosines and sines are
 * given for each channel (1) or for each pair (0). y may be x. */
typedef void cpu_rotary(float *y, const float *x, const float *cosine, const float *sine,
                        size_t pairs, unsigned wide);

/* scores[j] = sum of w[c] * tanh(q[c] + k[c * width + j]) over an even number of channels; `fast`
 * gets e^2q and e^2k instead (lanes/additive.h). */
typedef void cpu_additive(float *scores, const float *q, const float *w, const float *k, size_t d,
                          size_t width);

typedef struct cpu_flash_lanes cpu_flash_lanes; /* flash.h */
typedef struct cpu_flash_brain cpu_flash_brain; /* flash_brain.h */
typedef struct cpu_paged_lanes cpu_paged_lanes; /* paged.h */

typedef struct cpu_lanes {
    const char *name;
    const cpu_map_row *maps;
    const cpu_zip_row *zips;
    const cpu_convert_row *converts;
    const cpu_fold_row *folds;
    cpu_choose *choose;
    void (*softmax)(float *y, const float *x, size_t n);
    void (*log_softmax)(float *y, const float *x, size_t n);
    cpu_norm *layer_norm, *rms_norm;
    cpu_residual_norm *residual_layer_norm, *residual_rms_norm;
    cpu_rotary *rotary_halves, *rotary_neighbours; /* pairs (i, i + half); (2i, 2i + 1) */
    void (*axpy)(float *y, const float *x, size_t n, float a);            /* y += a x */
    void (*affine)(float *y, const float *x, size_t n, float a, float b); /* y = a x + b */
    void (*product)(const cpu_product *product);
    int product_is_slow; /* OpenBLAS may be the faster one */
    float (*additive_powers)(float *y, const float *x, size_t n); /* y = e^2x; the largest |x| */
    cpu_additive *additive_fast, *additive_exact;
    void (*additive_rows)(float *scores, const float *q, const float *w, const float *k,
                          size_t k_row, size_t d, size_t n);
    const cpu_flash_lanes *flash;
    const cpu_paged_lanes *paged;
} cpu_lanes;

extern const cpu_lanes cpu_lanes_base, cpu_lanes_avx2, cpu_lanes_avx512;
extern const cpu_flash_brain cpu_brain_base_bf16, cpu_brain_avx512_bf16;
extern const cpu_flash_brain cpu_brain_base_amx, cpu_brain_amx_bf16;

const cpu_map_row *cpu_map_find(const cpu_lanes *lanes, const char *op, heed_dtype in);
const cpu_zip_row *cpu_zip_find(const cpu_lanes *lanes, const char *op, heed_dtype in);
cpu_map *cpu_convert_find(const cpu_lanes *lanes, heed_dtype from, heed_dtype to);
const cpu_fold_row *cpu_fold_find(const cpu_lanes *lanes, const char *op);

#endif
