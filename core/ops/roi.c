/* roi.c - see roi.h; and the two that need little more: MaxRoiPool of ai.onnx, CropAndResize of
 * com.microsoft. */
#include "ops/roi.h"

#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* ---- What all share ------------------------------------------------------------------------- */

heed_status roi_infer(op_infer *c, ir_dim columns, ir_dim height, ir_dim width)
{
    int32_t rank = infer_rank(c, ROI_X), rois = infer_rank(c, ROI_BOXES);
    ir_dim own = infer_dim(c, ROI_BOXES, 1), count = infer_dim(c, ROI_BOXES, 0);
    if ((rank >= 0 && rank != 4) || (rois >= 0 && rois != 2))
        return infer_error(c, "an image of rank 4 and regions of rank 2", "ranks %d and %d", rank,
                           rois);
    if (dim_known(own) && own != columns)
        return infer_error(c, "the right number of columns in the regions", "%lld, not %lld",
                           (long long)own, (long long)columns);
    if (c->n_in > ROI_BATCH && infer_rank(c, ROI_BATCH) >= 0) {
        ir_dim indices = infer_dim(c, ROI_BATCH, 0);
        if (infer_rank(c, ROI_BATCH) != 1 ||
            (dim_known(indices) && dim_known(count) && indices != count))
            return infer_error(c, "the index of an image for each region", "%lld for %lld",
                               (long long)indices, (long long)count);
        count = dim_known(count) ? count : indices;
    }
    ir_dim dims[4] = {count, infer_dim(c, ROI_X, 1), height, width};
    return infer_set(c, 0, 0, 4, dims);
}

heed_status roi_open(op_call *c, roi_regions *r)
{
    const heed_tensor *in = c->in[ROI_X], *out = c->out[0];
    r->in = in->dims + 2;
    r->out = out->dims + 2;
    r->channels = in->dims[1];
    r->in_size = layout_product(in->dims, 2, 4);
    r->out_size = layout_product(out->dims, 2, 4);
    r->single = in->dtype != HEED_FLOAT64;
    r->batch = call_has(c, ROI_BATCH) ? call_ints(c, ROI_BATCH) : NULL;
    if (call_has(c, ROI_BATCH) && !r->batch)
        return err_get()->status;
    TRY(point_open(c, in, &r->image));
    return point_reserve(c, POINT_TAPS * POINT_TAPS, &r->point);
}

double roi_fit(const roi_regions *r, double x) { return r->single ? (double)(float)x : x; }

heed_status roi_image(const op_call *c, int64_t index, int64_t *first)
{
    const heed_tensor *in = c->in[ROI_X];
    if (index < 0 || index >= in->dims[0])
        return call_error(c, HEED_INVALID, "a region lies in image %lld of %lld", (long long)index,
                          (long long)in->dims[0]);
    *first = index * layout_product(in->dims, 1, 4);
    return HEED_OK;
}

void roi_store(const op_call *c, int64_t to, double value)
{
    heed_tensor *out = c->out[0];
    dtype_store_f64(out->dtype, tensor_data(out), to, 1, &value, true);
}

/* ---- MaxRoiPool ----------------------------------------------------------------------------- */

static heed_status infer_max_roi(op_infer *c)
{
    uint64_t n;
    const int64_t *pooled = ir_attr_ints(c->node, "pooled_shape", &n);
    if (!pooled || n != 2 || pooled[0] < 1 || pooled[1] < 1 || pooled[0] > TENSOR_MAX_DIM ||
        pooled[1] > TENSOR_MAX_DIM)
        return infer_error(c, "two extents of at least 1 in pooled_shape", "others");
    return roi_infer(c, 5, pooled[0], pooled[1]);
}

/* The elements [low, high) of a bin on one axis of a region from `first` to `last`. */
static void bin_range(const roi_regions *r, double first, double last, int64_t bin, int axis,
                      int64_t *low, int64_t *high)
{
    double extent = fmax(last - first + 1.0, 1.0), limit = (double)r->in[axis];
    double size = roi_fit(r, extent / (double)r->out[axis]);
    *low = (int64_t)fmin(fmax(floor(roi_fit(r, (double)bin * size)) + first, 0.0), limit);
    *high = (int64_t)fmin(fmax(ceil(roi_fit(r, (double)(bin + 1) * size)) + first, 0.0), limit);
}

static double largest_in(const roi_regions *r, int64_t plane, const int64_t *low,
                         const int64_t *high)
{
    double most = -HUGE_VAL;
    point one = {.n = 1, .at = &(int64_t){0}, .weight = &(double){1.0}};
    if (low[0] >= high[0] || low[1] >= high[1])
        return 0.0;
    for (int64_t y = low[0]; y < high[0]; y++)
        for (int64_t x = low[1]; x < high[1]; x++)
            most = fmax(most, point_value(&one, &r->image, plane + y * r->in[1] + x));
    return most;
}

static heed_status pool_region(op_call *c, const roi_regions *r, int64_t roi)
{
    double box[5], scale = ir_attr_float(c->node, "spatial_scale", 1.0);
    int64_t first = 0, bin[2] = {0}, low[2], high[2];
    dtype_load_f64(c->in[ROI_BOXES]->dtype, tensor_data(c->in[ROI_BOXES]), roi * 5, 5, box);
    TRY(roi_image(c, box[0] >= 0.0 && box[0] < 0x1p40 ? (int64_t)box[0] : -1, &first));
    for (int i = 1; i < 5; i++) {
        box[i] = round(roi_fit(r, box[i] * scale));
        if (!(fabs(box[i]) < 0x1p40))
            return call_error(c, HEED_INVALID, "a region ends at %g", box[i]);
    }
    for (int64_t i = 0; i < r->out_size; i++) {
        bin_range(r, box[2], box[4], bin[0], 0, &low[0], &high[0]);
        bin_range(r, box[1], box[3], bin[1], 1, &low[1], &high[1]);
        for (int64_t ch = 0; ch < r->channels; ch++)
            roi_store(c, (roi * r->channels + ch) * r->out_size + i,
                      largest_in(r, first + ch * r->in_size, low, high));
        layout_next(2, r->out, bin);
    }
    return HEED_OK;
}

static heed_status run_max_roi(op_call *c)
{
    roi_regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    TRY(roi_open(c, &r));
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(pool_region(c, &r, roi));
    return HEED_OK;
}

/* ---- CropAndResize -------------------------------------------------------------------------- */

static heed_status infer_crop_and_resize(op_infer *c)
{
    content_entry *size;
    int64_t n;
    if (!content_get(c, ROI_SIZE, &size, &n))
        return infer_set_unknown(c, 0, 0, 4);
    if (n != 2 || (size[0].known && size[0].number < 1) || (size[1].known && size[1].number < 1))
        return infer_error(c, "two extents of at least 1 in crop_size", "others");
    return roi_infer(c, 4, content_extent(c, &size[0]), content_extent(c, &size[1]));
}

/* Corners of the region lie on the centres of the outermost elements of the crop. */
static double crop_at(const roi_regions *r, double low, double high, int64_t i, int axis)
{
    int64_t n = r->out[axis];
    double last = (double)(r->in[axis] - 1);
    if (n == 1)
        return roi_fit(r, 0.5 * roi_fit(r, low + high) * last);
    if (i == n - 1)
        return roi_fit(r, high * last);
    double step = roi_fit(r, roi_fit(r, roi_fit(r, high - low) * last) / (double)(n - 1));
    return roi_fit(r, roi_fit(r, low * last) + roi_fit(r, (double)i * step));
}

static heed_status crop_region(op_call *c, roi_regions *r, int64_t roi, bool nearest)
{
    double box[4], outside = ir_attr_float(c->node, "extrapolation_value", 0.0);
    int64_t first = 0, index[2] = {0};
    TRY(roi_image(c, r->batch[roi], &first));
    dtype_load_f64(c->in[ROI_BOXES]->dtype, tensor_data(c->in[ROI_BOXES]), roi * 4, 4, box);
    for (int64_t i = 0; i < r->out_size; i++) {
        point_axis axes[2];
        bool inside = true;
        for (int a = 0; a < 2; a++) {
            double at = crop_at(r, box[a], box[a + 2], index[a], a);
            inside = inside && at >= 0.0 && at <= (double)(r->in[a] - 1);
            if (nearest)
                point_nearest(&axes[a], round(at));
            else
                point_linear(&axes[a], at);
            point_clamp(&axes[a], r->in[a]);
        }
        point_set(&r->point, 2, axes, r->in);
        for (int64_t ch = 0; ch < r->channels; ch++)
            roi_store(c, (roi * r->channels + ch) * r->out_size + i,
                      inside ? point_value(&r->point, &r->image, first + ch * r->in_size)
                             : outside);
        layout_next(2, r->out, index);
    }
    return HEED_OK;
}

static heed_status run_crop_and_resize(op_call *c)
{
    const char *mode = ir_attr_string(c->node, "mode", "bilinear");
    bool nearest = strcmp(mode, "nearest") == 0;
    roi_regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    if (!nearest && strcmp(mode, "bilinear") != 0)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    TRY(roi_open(c, &r));
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(crop_region(c, &r, roi, nearest));
    return HEED_OK;
}

// clang-format off
static const op_def max_roi_pool = {
    .domain = "", .name = "MaxRoiPool", .since = 22,
    .signature = "X:T, rois:T -> Y:T", .types = "T=float",
    .attrs = "pooled_shape:ints! spatial_scale:float=1.0",
    .infer = infer_max_roi, .run = run_max_roi};
static const op_def crop_and_resize = {
    .domain = "com.microsoft", .name = "CropAndResize", .since = 1,
    .signature = "X:T, rois:T, batch_indices:int32, crop_size:int32 -> Y:T", .types = "T=float",
    .attrs = "extrapolation_value:float=0.0 mode:string=bilinear",
    .infer = infer_crop_and_resize, .run = run_crop_and_resize};
// clang-format on

const op_def *const ops_roi[] = {&max_roi_pool, &crop_and_resize, NULL};
