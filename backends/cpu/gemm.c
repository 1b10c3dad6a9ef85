/* The tiler of gemm.h. A tile is a range of rows and columns of one product of the batch; it is
 * computed by one thread, by our own loops (lanes/product.h), or by OpenBLAS where these are slow
 * and nobody was promised that a row's bits are its own: products of a batch whose matrices
 * differ.
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
    size_t rows, cols, depth;  /* of a tile; depth: of k */
    size_t down, across, deep; /* tiles of one product */
} tiling;

enum {
    TILE_ROWS = 288,            /* how often a tile uses what it reads of B */
    FEW_ROWS = 4,               /* rows that cost no more than reading B */
    WIDE_COLS = 512,            /* columns of a tile where there are plenty */
    WIDE_GRAIN = 128,           /* those of one row come in such steps */
    LONG_ROW = 8 * CPU_ROW_RUN, /* elements of a row of B that several threads share evenly */
    ROW_GRAIN = 12,             /* rows of a register block */
    COL_GRAIN = 32,             /* columns of a register block, or two or four of them */
    TILE_COLS = 128,            /* columns of a block of B */
    MANY_COLS = 8192,           /* of a row of B, where several blocks lie in one page */
    TILE_COUNT = 16,            /* tiles that several threads can share evenly */
    TILE_WORK = 1 << 19,        /* multiplications that a tile should have */
    PIECE_WORK = 1 << 18        /* and that are worth handing to a thread */
};

/* Equal parts of at most `limit`, rounded up to `grain`. */
static size_t part(size_t extent, size_t limit, size_t grain)
{
    size_t parts = (extent + limit - 1) / limit;
    size_t each = (extent + parts - 1) / parts;
    return (each + grain - 1) / grain * grain;
}

static size_t at_least(size_t x, size_t least) { return x > least ? x : least; }

static size_t parts_of(size_t extent, size_t each) { return (extent + each - 1) / each; }

/* Columns of a tile: those of one block of B, fewer if that gives few tiles and they are large, or
 * more where there are plenty. */
static size_t tile_cols(const cpu_gemm *g, size_t rows)
{
    size_t cols = TILE_COLS, k = at_least(g->k, 1);
    if (g->n >= MANY_COLS)
        return WIDE_COLS;
    while (cols > COL_GRAIN && parts_of(g->m, rows) * parts_of(g->n, cols) < TILE_COUNT &&
           rows * k > TILE_WORK / (cols - COL_GRAIN))
        cols -= COL_GRAIN;
    return cols;
}

/* One row and a matrix whose rows are no longer than some runs: threads take stretches of k, so
 * that each reads one block of memory. Shares of each row would be runs as short as what the
 * processor fetches ahead in vain. */
size_t cpu_gemm_parts(size_t m, size_t n, size_t k)
{
    if (m != 1 || n > LONG_ROW || k * n < PIECE_WORK)
        return 0;
    size_t stretches = parts_of(k, cpu_stretch(k));
    return stretches > 1 ? stretches * n : 0;
}

static bool has_parts(const cpu_gemm *g)
{
    return g->parts && !g->transpose_b && cpu_gemm_parts(g->m, g->n, g->k);
}

/* One row reads long runs of B, as long as they go if threads share k or there are many. */
static size_t row_cols(const cpu_gemm *g)
{
    size_t fair = at_least(TILE_WORK / 4 / at_least(g->k, 1), TILE_COLS);
    bool many = fair > WIDE_COLS || g->n >= 2 * WIDE_COLS;
    if (!g->transpose_b && (has_parts(g) || g->n > LONG_ROW))
        return part(g->n, CPU_ROW_RUN, WIDE_GRAIN);
    return part(g->n, many ? WIDE_COLS : fair, WIDE_GRAIN);
}

static tiling cut(const cpu_gemm *g)
{
    tiling t = {g, g->m, g->n, g->k, 1, 1, 1};
    if (has_parts(g))
        t.depth = cpu_stretch(g->k);
    if (g->m == 1)
        t.cols = row_cols(g);
    else if (g->m * g->n > (size_t)PIECE_WORK / at_least(g->k, 1)) {
        t.rows = part(g->m, TILE_ROWS, ROW_GRAIN);
        t.cols = tile_cols(g, t.rows);
    }
    t.down = parts_of(g->m, t.rows);
    t.across = parts_of(g->n, t.cols);
    t.deep = t.depth < g->k ? parts_of(g->k, t.depth) : 1;
    return t;
}

typedef struct tile {
    size_t row, rows, col, cols, from, depth;
    size_t entry;       /* of the batch */
    const float *a, *b; /* of the whole product */
    float *y;           /* first element of the tile */
} tile;

static size_t y_row(const cpu_gemm *g) { return g->y_row ? g->y_row : g->n; }

static tile tile_at(const tiling *t, size_t index)
{
    const cpu_gemm *g = t->gemm;
    size_t flat = t->down * t->across, each = flat * t->deep, entry = index / each;
    size_t place = index % flat, part = index % each / flat;
    tile at = {.row = place / t->across * t->rows, .col = place % t->across * t->cols};
    at.rows = g->m - at.row < t->rows ? g->m - at.row : t->rows;
    at.cols = g->n - at.col < t->cols ? g->n - at.col : t->cols;
    at.from = part * t->depth;
    at.depth = g->k - at.from < t->depth ? g->k - at.from : t->depth;
    at.entry = entry;
    at.a = g->a;
    at.b = g->b;
    at.y = t->deep > 1 ? g->parts + part * g->n + at.col
                       : g->y + (g->y_row ? 0 : entry * g->m * g->n) + at.row * y_row(g) + at.col;
    for (int d = g->batch_rank - 1; d >= 0; d--) {
        size_t own = entry % g->batch[d];
        at.a += own * g->a_stride[d];
        at.b += own * g->b_stride[d];
        at.y += g->y_row ? own * g->y_stride[d] : 0;
        entry /= g->batch[d];
    }
    return at;
}

static bool is_ours(const cpu_gemm *g) { return !g->lanes->product_is_slow || !g->batch_rank; }

/* A product with a column is one of a row: the column times A turned. */
static cpu_gemm as_row(const cpu_gemm *g)
{
    cpu_gemm r = *g;
    r.m = 1;
    r.n = g->m;
    r.a = g->b;
    r.transpose_a = true;
    r.lda = g->transpose_b ? 1 : g->ldb;
    r.b = g->a;
    r.transpose_b = !g->transpose_a;
    r.ldb = g->lda;
    r.bias_row = g->bias_col;
    r.bias_col = g->bias_row;
    r.parts = NULL;
    memcpy(r.a_stride, g->b_stride, sizeof(r.a_stride));
    memcpy(r.b_stride, g->a_stride, sizeof(r.b_stride));
    return r;
}

/* ---- One tile ----------------------------------------------------------------------------- */

static void fill_bias(const cpu_gemm *g, const tile *t)
{
    const float *bias = g->bias + t->entry * g->bias_entry + t->col * g->bias_col;
    for (size_t r = 0; r < t->rows; r++) {
        const float *from = bias + (t->row + r) * g->bias_row;
        float *to = t->y + r * y_row(g);
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
        memset(t->y + r * y_row(g), 0, t->cols * sizeof(*t->y));
}

static void run_ours(const cpu_gemm *g, const tile *t)
{
    cpu_product p = {.m = t->rows, .n = t->cols, .k = t->depth, .alpha = g->alpha};
    p.a_row = g->transpose_a ? 1 : g->lda;
    p.a_col = g->transpose_a ? g->lda : 1;
    p.a = t->a + t->row * p.a_row + t->from * p.a_col;
    p.turned = g->transpose_b;
    p.b = t->b + (g->transpose_b ? t->col * g->ldb : t->col + t->from * g->ldb);
    p.b_row = g->ldb;
    p.c = t->y;
    p.c_row = y_row(g);
    p.add = g->bias && t->depth == g->k;
    g->lanes->product(&p);
}

static void run_openblas(const cpu_gemm *g, const tile *t)
{
    const float *a = t->a + t->row * (g->transpose_a ? 1 : g->lda);
    const float *b = t->b + t->col * (g->transpose_b ? g->ldb : 1);
    float add = g->bias ? 1.0f : 0.0f;
    if (g->n == 1 && !g->y_row && !g->transpose_a) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)t->rows, (int)g->k, g->alpha, a, (int)g->lda,
                    b, g->transpose_b ? 1 : (int)g->ldb, add, t->y, 1);
        return;
    }
    cblas_sgemm(CblasRowMajor, g->transpose_a ? CblasTrans : CblasNoTrans,
                g->transpose_b ? CblasTrans : CblasNoTrans, (int)t->rows, (int)t->cols, (int)g->k,
                g->alpha, a, (int)g->lda, b, (int)g->ldb, add, t->y, (int)y_row(g));
}

static void run_tile(const tiling *all, size_t index)
{
    const cpu_gemm *g = all->gemm;
    tile t = tile_at(all, index);
    if (g->bias && all->deep == 1)
        fill_bias(g, &t);
    else if (!g->k)
        fill_zero(g, &t);
    if (!g->k)
        return;
    if (is_ours(g))
        run_ours(g, &t);
    else
        run_openblas(g, &t);
}

/* The sum of stretches that were computed apart, in their order. */
static void add_parts(const tiling *all)
{
    const cpu_gemm *g = all->gemm;
    tile t = {.rows = 1, .cols = g->n, .y = g->y};
    if (g->bias)
        fill_bias(g, &t);
    else
        memcpy(g->y, g->parts, g->n * sizeof(*g->y));
    for (size_t i = g->bias ? 0 : 1; i < all->deep; i++)
        g->lanes->axpy(g->y, g->parts + i * g->n, g->n, 1.0f);
}

/* ---- Products, one or several ------------------------------------------------------------- */

typedef struct gemm_job {
    cpu_gemm gemms[CPU_GEMM_MOST];
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
        const cpu_gemm *g = &job.gemms[i];
        job.gemms[i] = gemms[i].n == 1 && is_ours(&gemms[i]) ? as_row(&gemms[i]) : gemms[i];
        size_t entries = count_entries(g);
        if (entries && (g->m > INT_MAX || g->n > INT_MAX || g->k > INT_MAX))
            return cpu_host->fail(HEED_UNSUPPORTED,
                                  "cpu: a product of %zu x %zu x %zu is too large", g->m, g->n,
                                  g->k);
        tiling t = {g, 1, 1, 1, 0, 0, 1};
        if (entries)
            t = cut(g);
        size_t one = at_least(t.rows, FEW_ROWS) * t.cols * at_least(t.depth, 1);
        job.tilings[i] = t;
        job.end[i] = tiles += entries * t.down * t.across * t.deep;
        work = one > work ? one : work;
    }
    if (tiles)
        cpu_range_run(tiles, (PIECE_WORK + work - 1) / work, run_tiles, &job);
    for (size_t i = 0; i < n; i++)
        if (job.tilings[i].deep > 1)
            add_parts(&job.tilings[i]);
    return HEED_OK;
}

heed_status cpu_gemm_run(const cpu_gemm *g) { return cpu_gemm_run_all(g, 1); }
