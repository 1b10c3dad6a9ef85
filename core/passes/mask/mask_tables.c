/* mask_tables.c - what a tensor looks like that is a bias or a mask by itself: an input, or a
 * constant whose numbers are looked at.
 *
 * A constant [.., N, N] whose numbers are a function of the differences of two coordinates of a
 * grid was looked up in a table of relative positions (Swin, BEiT, LeViT); one that shows blocks
 * to themselves is block-diagonal; rows of equal steps are slopes (ALiBi). Apart from mask_kinds.c
 * because here numbers count, and not how they were made. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask_proof.h"

enum { MOST_NUMBERS = 1 << 20, LEAST_GRID = 2 };

/* The last two axes, and how many such squares there are. */
typedef struct square {
    const double *x;
    int64_t n, rows, columns;
} square;

static bool same(double a, double b) { return !(a < b) && !(a > b); }

static bool is_near(double a, double b, double unit) { return fabs(a - b) <= unit * 1e-4; }

/* ---- Grids ----------------------------------------------------------------------------------- */

/* x[i, j] is x[i', j'] when both coordinates of j are as far from those of i: the one where the
 * nearer of i and j is 0 in each coordinate. `skip`: leading places that are no part of the grid.
 */
static bool goes_by_grid(const square *s, const double *x, int64_t width, int64_t skip)
{
    int64_t n = s->rows;
    for (int64_t i = skip; i < n; i++)
        for (int64_t j = skip; j < n; j++) {
            int64_t yi = (i - skip) / width, xi = (i - skip) % width;
            int64_t yj = (j - skip) / width, xj = (j - skip) % width;
            int64_t y = yi < yj ? yi : yj, z = xi < xj ? xi : xj, back = y * width + z;
            if (!same(x[i * n + j], x[(i - back) * n + j - back]))
                return false;
        }
    return true;
}

static bool varies(const square *s, const double *x)
{
    for (int64_t i = 1; i < s->rows * s->columns; i++)
        if (!same(x[i], x[0]))
            return true;
    return false;
}

/* Each square on a grid of this width. */
static bool all_go_by_grid(const square *s, int64_t width, int64_t skip)
{
    bool some = false;
    for (int64_t k = 0; k < s->n; k++) {
        const double *x = s->x + k * s->rows * s->columns;
        some |= varies(s, x);
        if (!goes_by_grid(s, x, width, skip))
            return false;
    }
    return some;
}

static bool is_grid(const square *s)
{
    for (int64_t skip = 0; skip < 2 && s->rows == s->columns; skip++)
        for (int64_t n = s->rows - skip, width = n; width >= LEAST_GRID; width--)
            if (n % width == 0 && n > LEAST_GRID && all_go_by_grid(s, width, skip))
                return true;
    return false;
}

/* ---- Slopes ---------------------------------------------------------------------------------- */

/* Rows of equal steps, with another step in each square (head); of squares, by the distance. */
static bool is_slope(const square *s)
{
    if (s->n * (s->rows > 1 ? 1 : s->rows) < 1 || s->columns < 3)
        return false;
    int64_t heads = s->n;
    double first = 0;
    bool differ = heads == 1;
    for (int64_t h = 0; h < heads; h++) {
        const double *x = s->x + h * s->rows * s->columns;
        double step = x[1] - x[0];
        if (!(fabs(step) > 0) || !isfinite(step))
            return false;
        for (int64_t r = 0; r < s->rows; r++)
            for (int64_t c = 1; c < s->columns; c++) {
                double by = x[r * s->columns + c] - x[r * s->columns + c - 1];
                double unit = fabs(step) * (double)s->columns;
                if (!is_near(by, step, unit) && !(s->rows > 1 && is_near(by, -step, unit)))
                    return false;
            }
        differ |= h > 0 && !is_near(step, first, fabs(first));
        first = step;
    }
    return differ && heads > 1;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* Visible is an equivalence: each row is that of the first place that it sees, which sees itself.
 */
static bool shows_blocks(const square *s, const double *x, double shown, bool *some)
{
    int64_t n = s->columns;
    for (int64_t i = 0; i < n; i++) {
        int64_t first = 0;
        while (first < n && !same(x[i * n + first], shown))
            first++;
        if (first > i || !same(x[i * n + i], shown))
            return false;
        for (int64_t j = 0; j < n; j++) {
            *some |= !same(x[i * n + j], shown);
            if (same(x[i * n + j], shown) != same(x[first * n + j], shown))
                return false;
        }
    }
    return true;
}

static bool is_blocks(const square *s)
{
    bool some = false;
    double low = s->x[0], high = s->x[0];
    if (s->rows != s->columns || s->columns < 2)
        return false;
    for (int64_t i = 0; i < s->n * s->rows * s->columns; i++) {
        low = s->x[i] < low ? s->x[i] : low;
        high = s->x[i] > high ? s->x[i] : high;
    }
    for (int64_t i = 0; i < s->n * s->rows * s->columns; i++)
        if (!same(s->x[i], low) && !same(s->x[i], high))
            return false;
    for (int64_t k = 0; k < s->n; k++)
        if (!shows_blocks(s, s->x + k * s->rows * s->columns, high, &some))
            return false;
    return some;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* [N, N, H], as tables are looked up, becomes [H, N, N]; false without memory. */
static bool bring_heads(const ir_value *v, square *s, double **x)
{
    int32_t rank = v->type.rank;
    const ir_dim *dims = v->type.dims + rank - 3;
    if (rank < 3 || dims[0] != dims[1] || dims[1] == dims[2] ||
        tensor_count(v->constant) != dims[0] * dims[1] * dims[2])
        return true;
    double *turned = mem_array((size_t)tensor_count(v->constant), sizeof(*turned));
    for (int64_t i = 0, n = dims[0] * dims[1]; turned && i < n; i++)
        for (int64_t h = 0; h < dims[2]; h++)
            turned[h * n + i] = (*x)[i * dims[2] + h];
    *s = (square){turned, dims[2], dims[0], dims[1]};
    mem_free(*x);
    *x = turned;
    return turned != NULL;
}

/* Axes of 1 between the last that are not: [H, 1, N] has N columns and one row. */
static void read_square(const ir_value *v, square *s)
{
    int32_t rank = v->type.rank;
    s->columns = v->type.dims[rank - 1];
    s->rows = rank > 1 ? v->type.dims[rank - 2] : 1;
    s->n = tensor_count(v->constant) / (s->rows * s->columns);
    if (s->n == 1 && s->rows < s->columns && rank == 2) /* [H, N] */
        s->n = s->rows, s->rows = 1;
}

static const char *kind_of_constant(const ir_value *v)
{
    int64_t n = tensor_count(v->constant);
    square s;
    const char *kind = dtype_is_float(v->type.dtype) ? "constant-bias" : "constant-mask";
    if (n < 4 || n > MOST_NUMBERS || v->type.rank < 1 || v->constant->dtype == HEED_STRING)
        return n < 4 ? "" : kind;
    double *x = mem_array((size_t)n, sizeof(*x));
    if (!x || heed_tensor_read_f64(v->constant, 0, n, x)) {
        mem_free(x);
        err_clear();
        return kind;
    }
    read_square(v, &s);
    s.x = x;
    if (!bring_heads(v, &s, &x)) {
        err_clear();
        return kind;
    }
    if (is_blocks(&s))
        kind = "block-diagonal";
    else if (dtype_is_float(v->type.dtype) && is_slope(&s))
        kind = "alibi";
    else if (dtype_is_float(v->type.dtype) && is_grid(&s))
        kind = "relative-position-bias";
    mem_free(x);
    return kind;
}

const char *mask_table_kind(const ir_value *v)
{
    if (pass_constant(v))
        return kind_of_constant(v);
    if (v->is_input && v->type.rank >= 2)
        return dtype_is_float(v->type.dtype) ? "input-bias" : "input-mask";
    return "";
}
