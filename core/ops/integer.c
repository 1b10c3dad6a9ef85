/* integer.c - products of small integers, each less its zero point, summed in 32 bits:
 * MatMulInteger, com.microsoft MatMulInteger16.
 *
 * Separate from matmul.c because the operands stay as small as they are: what is widened is one
 * panel of the right matrix at a time, so a weight of 8 bits costs its 8 bits. */
#include "base/pool.h"
#include "ops/layout.h"
#include "ops/matmul.h"

enum { PANEL_COLUMNS = 256, PANEL_DEPTH = 64 };

/* ---- Inference ------------------------------------------------------------------------------ */

/* A zero point: one, or one for each of `lines` rows (columns), in every matrix or in each. */
static heed_status check_zeros(op_infer *c, uint32_t zeros, uint32_t matrix, int32_t line_axis)
{
    int32_t rank = infer_rank(c, matrix);
    ir_dim count = 1, lines = rank > 1 ? infer_dim(c, matrix, rank - line_axis) : 1;
    ir_dim all = lines;
    if (infer_rank(c, zeros) < 0 || rank < 0)
        return HEED_OK;
    for (int32_t i = 0; i < infer_rank(c, zeros); i++)
        count = dims_mul(c->dims, count, infer_dim(c, zeros, i));
    for (int32_t i = 0; i < rank - 2; i++)
        all = dims_mul(c->dims, all, infer_dim(c, matrix, i));
    bool known = dim_known(count) && dim_known(all) && dim_known(lines);
    if (known && count != 1 && count != lines && count != all)
        return infer_error(c, "one zero point, or one for each row of A and column of B",
                           "%lld in input %u", (long long)count, zeros);
    return HEED_OK;
}

static heed_status infer_integer(op_infer *c)
{
    TRY(check_zeros(c, 2, 0, 2));
    TRY(check_zeros(c, 3, 1, 1));
    return matmul_infer(c);
}

/* The sums of unsigned products are unsigned. */
static heed_status infer_integer16(op_infer *c)
{
    bool is_signed = dtype_is_signed(c->in[0]->dtype) || dtype_is_signed(c->in[1]->dtype);
    c->out[0].dtype = is_signed ? HEED_INT32 : HEED_UINT32;
    return matmul_infer(c);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

typedef struct zeros {
    const int64_t *values; /* NULL: all of them are 0 */
    int64_t matrix_step, line_step;
} zeros;

static int64_t zero_at(const zeros *z, int64_t matrix, int64_t line)
{
    return z->values ? z->values[matrix * z->matrix_step + line * z->line_step] : 0;
}

static heed_status read_zeros(op_call *c, uint32_t i, int64_t lines, zeros *z)
{
    *z = (zeros){0};
    if (!call_has(c, i))
        return HEED_OK;
    int64_t count = tensor_count(c->in[i]);
    z->values = call_ints(c, i);
    z->line_step = count > 1;
    z->matrix_step = count > lines ? lines : 0;
    return z->values ? HEED_OK : err_get()->status;
}

/* One product of the batch: c[m,n] = a[m,k] * b[k,n]. */
typedef struct integer_job {
    int64_t m, n, k;
    const int32_t *a; /* less its zero points */
    const heed_tensor *b;
    int64_t b_matrix, b_first; /* which matrix, and its first element */
    const zeros *b_zeros;
    uint32_t *c; /* sums wrap, as the standard allows */
} integer_job;

static void load_panel(const integer_job *job, int64_t k0, int64_t depth, int64_t n0,
                       int64_t columns, int32_t *panel)
{
    int64_t row[PANEL_COLUMNS];
    for (int64_t p = 0; p < depth; p++) {
        int64_t first = job->b_first + (k0 + p) * job->n + n0;
        dtype_load_i64(job->b->dtype, tensor_data(job->b), first, columns, row);
        for (int64_t j = 0; j < columns; j++)
            panel[p * columns + j] =
                (int32_t)(row[j] - zero_at(job->b_zeros, job->b_matrix, n0 + j));
    }
}

static void add_panel(const integer_job *job, int64_t k0, int64_t depth, int64_t n0,
                      int64_t columns, const int32_t *panel)
{
    for (int64_t i = 0; i < job->m; i++) {
        const int32_t *row = job->a + i * job->k + k0;
        uint32_t *to = job->c + i * job->n + n0;
        for (int64_t p = 0; p < depth; p++) {
            const int32_t *from = panel + p * columns;
            uint32_t x = (uint32_t)row[p];
            for (int64_t j = 0; j < columns; j++)
                to[j] += x * (uint32_t)from[j];
        }
    }
}

static void run_columns(void *arg, uint32_t i)
{
    const integer_job *job = arg;
    int32_t panel[PANEL_DEPTH * PANEL_COLUMNS];
    int64_t n0 = (int64_t)i * PANEL_COLUMNS;
    int64_t columns = job->n - n0 < PANEL_COLUMNS ? job->n - n0 : PANEL_COLUMNS;
    for (int64_t row = 0; row < job->m; row++)
        layout_zero(HEED_UINT32, job->c, row * job->n + n0, columns);
    for (int64_t k0 = 0; k0 < job->k; k0 += PANEL_DEPTH) {
        int64_t depth = job->k - k0 < PANEL_DEPTH ? job->k - k0 : PANEL_DEPTH;
        load_panel(job, k0, depth, n0, columns, panel);
        add_panel(job, k0, depth, n0, columns, panel);
    }
}

/* The matrix of a at `matrix`, less the zero points of its rows. */
static void load_rows(const heed_tensor *a, const matmul *w, int64_t matrix, const zeros *z,
                      int32_t *to)
{
    int64_t block[PANEL_COLUMNS];
    for (int64_t i = 0; i < w->m; i++) {
        int64_t zero = zero_at(z, matrix, i), first = (matrix * w->m + i) * w->k;
        for (int64_t k0 = 0; k0 < w->k; k0 += PANEL_COLUMNS) {
            int64_t n = w->k - k0 < PANEL_COLUMNS ? w->k - k0 : PANEL_COLUMNS;
            dtype_load_i64(a->dtype, tensor_data(a), first + k0, n, block);
            for (int64_t j = 0; j < n; j++)
                to[i * w->k + k0 + j] = (int32_t)(block[j] - zero);
        }
    }
}

static heed_status run_integer(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t index[TENSOR_MAX_RANK] = {0}, ia, ib;
    zeros za, zb;
    matmul w;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    matmul_describe(c->in[0], c->in[1], out, &w);
    TRY(read_zeros(c, 2, w.m, &za));
    TRY(read_zeros(c, 3, w.n, &zb));
    int32_t *rows = call_scratch(c, (size_t)(w.m * w.k) * sizeof(int32_t) + 1);
    integer_job job = {w.m, w.n, w.k, rows, c->in[1], 0, 0, &zb, tensor_data(out)};
    if (!rows)
        return HEED_NOMEM;
    do {
        matmul_at(&w, index, &ia, &ib);
        load_rows(c->in[0], &w, ia, &za, rows);
        job.b_matrix = ib;
        job.b_first = ib * w.k * w.n;
        pool_run(run_columns, &job, (uint32_t)((w.n + PANEL_COLUMNS - 1) / PANEL_COLUMNS));
        job.c += w.m * w.n;
    } while (layout_next(w.batch_rank, w.batch, index));
    return HEED_OK;
}

// clang-format off
static const op_def matmul_integer = {
    .domain = "", .name = "MatMulInteger", .since = 10,
    .signature = "A:S, B:T, a_zero_point:S?, b_zero_point:T? -> Y:int32",
    .types = "S=int8|uint8 T=int8|uint8", .infer = infer_integer, .run = run_integer};
static const op_def matmul_integer16 = {
    .domain = "com.microsoft", .name = "MatMulInteger16", .since = 1,
    .signature = "A:S, B:T -> Y:U", .types = "S=int16|uint16 T=int16|uint16 U=int32|uint32",
    .infer = infer_integer16, .run = run_integer};

const op_def *const ops_integer[] = {&matmul_integer, &matmul_integer16, NULL};
// clang-format on
