/* affine_grid.c - AffineGrid: where the elements of an image lie after an affine map, as the grid
 * that GridSample reads. */
#include "ops/content.h"
#include "ops/layout.h"
#include "ops/op.h"

/* Sizes are [N, C, (D,) H, W]; the grid has [N, (D,) H, W] and as many coordinates. */
static heed_status infer_affine(op_infer *c)
{
    content_entry *sizes;
    ir_dim dims[5], count = infer_dim(c, 1, 0);
    int64_t n;
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 3)
        return infer_error(c, "theta of rank 3", "rank %d", infer_rank(c, 0));
    if (!content_get(c, 1, &sizes, &n))
        return infer_set_unknown(c, 0, 0, count == 4 || count == 5 ? (int32_t)count : -1);
    if (n != 4 && n != 5)
        return infer_error(c, "4 or 5 sizes", "%lld", (long long)n);
    ir_dim rows = infer_dim(c, 0, 1), columns = infer_dim(c, 0, 2), images = infer_dim(c, 0, 0);
    if ((dim_known(rows) && rows != n - 2) || (dim_known(columns) && columns != n - 1))
        return infer_error(c, "theta of 2x3, or of 3x4 for 5 sizes", "%lldx%lld for %lld sizes",
                           (long long)rows, (long long)columns, (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (sizes[i].known && sizes[i].number < 0)
            return infer_error(c, "sizes of at least 0", "%lld", (long long)sizes[i].number);
    if (sizes[0].known && dim_known(images) && sizes[0].number != images)
        return infer_error(c, "a map for each image", "%lld for %lld", (long long)images,
                           (long long)sizes[0].number);
    dims[0] = dim_known(images) ? images : content_extent(c, &sizes[0]);
    for (int64_t i = 2; i < n; i++)
        dims[i - 1] = content_extent(c, &sizes[i]);
    dims[n - 1] = n - 2;
    return infer_set(c, 0, 0, (int32_t)n, dims);
}

/* Element i of an axis in [-1, 1], whose ends are centres or edges of the outermost elements. */
static double position(int64_t i, int64_t extent, bool corners)
{
    if (corners)
        return extent > 1 ? -1.0 + 2.0 * (double)i / (double)(extent - 1) : 0.0;
    return -1.0 + (2.0 * (double)i + 1.0) / (double)extent;
}

static heed_status run_affine(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    bool corners = ir_attr_int(c->node, "align_corners", 0) != 0;
    double theta[12], in[4], moved[3];
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    int32_t n = tensor_rank(out) - 2;
    int64_t points = layout_product(out->dims, 1, n + 1);
    for (int64_t image = 0, to = 0; image < out->dims[0]; image++) {
        int64_t index[3] = {0};
        dtype_load_f64(c->in[0]->dtype, tensor_data(c->in[0]), image * n * (n + 1), n * (n + 1),
                       theta);
        for (int64_t p = 0; p < points; p++, to += n) {
            for (int32_t i = 0; i < n; i++) /* coordinates begin with the innermost axis */
                in[n - 1 - i] = position(index[i], out->dims[1 + i], corners);
            for (int32_t row = 0; row < n; row++) {
                moved[row] = theta[row * (n + 1) + n];
                for (int32_t i = 0; i < n; i++)
                    moved[row] += theta[row * (n + 1) + i] * in[i];
            }
            dtype_store_f64(out->dtype, tensor_data(out), to, n, moved, true);
            layout_next(n, out->dims + 1, index);
        }
    }
    return HEED_OK;
}

// clang-format off
static const op_def affine_grid = {
    .domain = "", .name = "AffineGrid", .since = 20,
    .signature = "theta:T, size:int64 -> grid:T", .types = "T=float",
    .attrs = "align_corners:int=0",
    .infer = infer_affine, .run = run_affine};
// clang-format on

const op_def *const ops_affine_grid[] = {&affine_grid, NULL};
