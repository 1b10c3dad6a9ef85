/* rows.c - see rows.h.
 *
 * Separate because every form of small weights (bits in blocks, code books, experts) ends in it. A
 * piece of a row stays in the cache while the rows of a pass by. */
#include "ops/rows.h"

#include "base/pool.h"

enum { ROWS_CHUNK = 8, LANES = 8 };

/* Lanes of their own keep the order of the sum fixed and let a compiler vectorise it. */
static float dot(int64_t n, const float *a, const float *b)
{
    float lanes[LANES] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t k = 0; k < LANES; k++)
            lanes[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        rest += a[i] * b[i];
    for (int64_t k = 0; k < LANES; k++)
        rest += lanes[k];
    return rest;
}

typedef struct rows_job {
    const row_source *w;
    int64_t m, n, k;
    const float *a;
    float *c;
} rows_job;

static void run_rows(void *arg, uint32_t i)
{
    const rows_job *job = arg;
    float piece[ROWS_PIECE];
    int64_t last = ((int64_t)i + 1) * ROWS_CHUNK < job->n ? ((int64_t)i + 1) * ROWS_CHUNK : job->n;
    for (int64_t row = (int64_t)i * ROWS_CHUNK; row < last; row++) {
        for (int64_t j = 0; j < job->m; j++)
            job->c[j * job->n + row] = 0.0f;
        for (int64_t first = 0; first < job->k; first += ROWS_PIECE) {
            int64_t n = job->k - first < ROWS_PIECE ? job->k - first : ROWS_PIECE;
            job->w->load(job->w, row, first, n, piece);
            for (int64_t j = 0; j < job->m; j++)
                job->c[j * job->n + row] += dot(n, job->a + j * job->k + first, piece);
        }
    }
}

void rows_multiply(const row_source *w, int64_t m, int64_t n, int64_t k, const float *a, float *c)
{
    rows_job job = {w, m, n, k, a, c};
    pool_run(run_rows, &job, (uint32_t)((n + ROWS_CHUNK - 1) / ROWS_CHUNK));
}
