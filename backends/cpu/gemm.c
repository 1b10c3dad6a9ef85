/* The tiler of gemm.h. A tile is a range of rows and columns of one product of the batch; it is
 * computed by one thread, by our own loops (lanes/product.h) or by OpenBLAS where these are
 * missing or B is transposed.
 *
 * This is the seam for other ways of computing a tile: a layout of B that prepare makes once, a
 * data type of its own, an epilogue on the finished tile. */
#include "gemm.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "loop.h"

/* ---- Tiles -------------------------------------------------------------------------------- */

typedef struct tiling {
    const cpu_gemm *gemm;
    size_t rows, cols;   /* of a tile */
    size_t down, across; /* tiles of one product */
} tiling;

enum {
    TILE_ROWS = 144,    /* how often a tile uses what it reads of B */
    TALL_ROWS = 288,    /* the same where B is larger than LARGE_B */
    LARGE_B = 1 << 20,  /* elements: no longer held by caches that are shared */
    TILE_COLS = 512,    /* 256 rows of B of this width stay in L2 */
    ROW_GRAIN = 12,     /* rows of a register block */
    WIDE_GRAIN = 128,   /* columns of the register block for one or two rows */
    COL_GRAIN = 64,     /* two panels of the others */
    TILE_WORK = 1 << 20 /* multiplications that are worth handing to a thread */
};

/* Equal parts of at most `limit`, rounded up to `grain`. */
static size_t part(size_t extent, size_t limit, size_t grain)
{
    size_t parts = (extent + limit - 1) / limit;
    size_t each = (extent + parts - 1) / parts;
    return (each + grain - 1) / grain * grain;
}

static tiling cut(const cpu_gemm *g)
{
    tiling t = {g, g->m, g->n, 1, 1};
    if (g->m > (size_t)TILE_WORK / g->n || g->m * g->n > (size_t)TILE_WORK / (g->k ? g->k : 1)) {
        bool large = g->n > (size_t)LARGE_B / (g->k ? g->k : 1);
        t.rows = part(g->m, large ? TALL_ROWS : TILE_ROWS, ROW_GRAIN);
        size_t fair = (size_t)TILE_WORK / (t.rows * (g->k ? g->k : 1)) + 1;
        size_t grain = g->m > 2 ? COL_GRAIN : WIDE_GRAIN;
        size_t limit = fair < grain ? grain : fair < TILE_COLS ? fair : TILE_COLS;
        t.cols = part(g->n, g->m > TILE_ROWS ? TILE_COLS : limit, grain);
    }
    t.down = (g->m + t.rows - 1) / t.rows;
    t.across = (g->n + t.cols - 1) / t.cols;
    return t;
}

typedef struct tile {
    size_t row, rows, col, cols;
    size_t entry;       /* of the batch */
    const float *a, *b; /* of the whole product */
    float *y;           /* first element of the tile */
} tile;

static tile tile_at(const tiling *t, size_t index)
{
    const cpu_gemm *g = t->gemm;
    size_t each = t->down * t->across, entry = index / each, place = index % each;
    tile at = {.row = place / t->across * t->rows, .col = place % t->across * t->cols};
    at.rows = g->m - at.row < t->rows ? g->m - at.row : t->rows;
    at.cols = g->n - at.col < t->cols ? g->n - at.col : t->cols;
    at.entry = entry;
    at.a = g->a;
    at.b = g->b;
    at.y = g->y + entry * g->m * g->n + at.row * g->n + at.col;
    for (int d = g->batch_rank - 1; d >= 0; d--) {
        at.a += entry % g->batch[d] * g->a_stride[d];
        at.b += entry % g->batch[d] * g->b_stride[d];
        entry /= g->batch[d];
    }
    return at;
}

/* ---- One tile ----------------------------------------------------------------------------- */

static void fill_bias(const cpu_gemm *g, const tile *t)
{
    const float *bias = g->bias + t->entry * g->bias_entry + t->col * g->bias_col;
    for (size_t r = 0; r < t->rows; r++) {
        const float *from = bias + (t->row + r) * g->bias_row;
        float *to = t->y + r * g->n;
        float one;
        memcpy(&one, from, sizeof(one)); /* it may be a weight, at any byte of its file */
        for (size_t c = 0; c < t->cols && !g->bias_col; c++)
            to[c] = one;
        if (g->bias_col)
            memcpy(to, from, t->cols * sizeof(*to));
        if (g->beta != 1.0f)
            g->lanes->affine(to, to, t->cols, g->beta, 0.0f);
    }
}

static void fill_zero(const cpu_gemm *g, const tile *t)
{
    for (size_t r = 0; r < t->rows; r++)
        memset(t->y + r * g->n, 0, t->cols * sizeof(*t->y));
}

static void run_ours(const cpu_gemm *g, const tile *t)
{
    cpu_product p = {.m = t->rows, .n = t->cols, .k = g->k, .alpha = g->alpha};
    p.a_row = g->transpose_a ? 1 : g->lda;
    p.a_col = g->transpose_a ? g->lda : 1;
    p.a = t->a + t->row * p.a_row;
    p.b = t->b + t->col;
    p.b_row = g->ldb;
    p.c = t->y;
    p.c_row = g->n;
    p.add = g->bias != NULL;
    g->lanes->product(&p);
}

static void run_openblas(const cpu_gemm *g, const tile *t)
{
    const float *a = t->a + t->row * (g->transpose_a ? 1 : g->lda);
    const float *b = t->b + t->col * (g->transpose_b ? g->ldb : 1);
    float add = g->bias ? 1.0f : 0.0f;
    if (g->n == 1 && !g->transpose_a) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)t->rows, (int)g->k, g->alpha, a, (int)g->lda,
                    b, g->transpose_b ? 1 : (int)g->ldb, add, t->y, 1);
        return;
    }
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans,
                g->transpose_b ? CblasTrans : CblasNoTrans, (int)t->rows, (int)t->cols, (int)g->k,
                g->alpha, a, (int)g->lda, b, (int)g->ldb, add, t->y, (int)g->n);
}

static void run_tile(const tiling *all, size_t index)
{
    const cpu_gemm *g = all->gemm;
    tile t = tile_at(all, index);
    if (g->bias)
        fill_bias(g, &t);
    else if (!g->k)
        fill_zero(g, &t);
    if (!g->k)
        return;
    if (g->lanes->product && !g->transpose_b && g->n > 1)
        run_ours(g, &t);
    else
        run_openblas(g, &t);
}

/* ---- Products, one or several ------------------------------------------------------------- */

typedef struct gemm_job {
    tiling tilings[CPU_GEMM_MOST];
    size_t end[CPU_GEMM_MOST]; /* tiles of this product and of those before it */
} gemm_job;

static void run_tiles(const void *arg, size_t first, size_t last)
{
    const gemm_job *job = arg;
    size_t k = 0, begin = 0;
    for (size_t i = first; i < last; i++) {
        while (i >= job->end[k])
            begin = job->end[k++];
        run_tile(&job->tilings[k], i - begin);
    }
}

static size_t count_entries(const cpu_gemm *g)
{
    size_t entries = g->m && g->n ? 1 : 0;
    for (int d = 0; d < g->batch_rank; d++)
        entries *= g->batch[d];
    return entries;
}

heed_status cpu_gemm_run_all(const cpu_gemm *gemms, size_t n)
{
    gemm_job job;
    size_t tiles = 0, work = 1;
    for (size_t i = 0; i < n; i++) {
        const cpu_gemm *g = &gemms[i];
        size_t entries = count_entries(g);
        if (entries && (g->m > INT_MAX || g->n > INT_MAX || g->k > INT_MAX))
            return cpu_host->fail(HEED_UNSUPPORTED,
                                  "cpu: a product of %zu x %zu x %zu is too large", g->m, g->n,
                                  g->k);
        tiling t = {g, 1, 1, 0, 0};
        if (entries)
            t = cut(g);
        size_t one = t.rows * t.cols * (g->k ? g->k : 1);
        job.tilings[i] = t;
        job.end[i] = tiles += entries * t.down * t.across;
        work = one > work ? one : work;
    }
    if (tiles)
        cpu_range_run(tiles, (TILE_WORK / 4 + work - 1) / work, run_tiles, &job);
    return HEED_OK;
}

heed_status cpu_gemm_run(const cpu_gemm *g) { return cpu_gemm_run_all(g, 1); }
