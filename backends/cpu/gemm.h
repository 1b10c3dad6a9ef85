/* Batched matrix products on the thread pool: Y = alpha A B + beta C. */
#ifndef CPU_GEMM_H
#define CPU_GEMM_H

#include "cpu.h"

enum { CPU_GEMM_BATCH_RANK = CPU_MAX_RANK, CPU_GEMM_MOST = 8 };

typedef struct cpu_gemm {
    const cpu_lanes *lanes;
    size_t m, n, k;
    const float *a, *b;
    size_t lda, ldb; /* elements from row to row as stored */
    bool transpose_a, transpose_b;
    float alpha;
    const float *bias; /* NULL, or added with factor beta; strides may be 0 */
    size_t bias_row, bias_col;
    size_t bias_entry; /* from one product of the batch to the next */
    float beta;
    float *y;     /* dense, row-major, the products of the batch one after the other */
    size_t y_row; /* 0, or elements from row to row (n at least, and n > 1), and then y_stride */
    float *parts; /* NULL, or cpu_gemm_parts(m, n, k) elements for sums over parts of k */
    /* The batch: extents, the outermost first, and strides of A and B (0: shared). */
    int batch_rank;
    size_t batch[CPU_GEMM_BATCH_RANK];
    size_t a_stride[CPU_GEMM_BATCH_RANK], b_stride[CPU_GEMM_BATCH_RANK];
    size_t y_stride[CPU_GEMM_BATCH_RANK];
} cpu_gemm;

/* Runs all of the batch, cut into tiles that follow from the shapes alone. Zero extents are
 * legal; k = 0 gives beta C, or zeros. */
heed_status cpu_gemm_run(const cpu_gemm *gemm);

/* Elements of `parts` that let threads share k as well; 0: they would not. */
size_t cpu_gemm_parts(size_t m, size_t n, size_t k);

/* The same for up to CPU_GEMM_MOST of them, as one job whose tiles the threads share. */
heed_status cpu_gemm_run_all(const cpu_gemm *gemms, size_t n);

/* A matrix [n, k] as [k, n], in memory of the host's of as many bytes; NULL where there are none.
 */
heed_status cpu_gemm_turn(const DLTensor *b, float **turned);

#endif
