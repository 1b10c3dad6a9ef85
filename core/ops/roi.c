/* roi.c - regions of interest brought to one size: RoiAlign and MaxRoiPool of ai.onnx,
 * CropAndResize of com.microsoft.
 *
 * Regions are data: any numbers. Coordinates are computed in the precision of the dtype, as bins
 * and edges would fall on other elements otherwise. */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"
#include "ops/point.h"

enum { X, ROIS, BATCH, SIZE };

#define MAX_RATIO   1024   /* samples along one axis of a bin that RoiAlign can be told to take */
#define MAX_SAMPLES 0x1p31 /* and that follow from the extent of a region */

/* ---- Inference ----------------------------------------------------------------------------- */

/* [rois, channels, height, width]; each region has `columns` numbers. */
static heed_status infer_regions(op_infer *c, ir_dim columns, ir_dim height, ir_dim width)
{
    int32_t rank = infer_rank(c, X), rois = infer_rank(c, ROIS);
    ir_dim own = infer_dim(c, ROIS, 1), count = infer_dim(c, ROIS, 0);
    if ((rank >= 0 && rank != 4) || (rois >= 0 && rois != 2))
        return infer_error(c, "an image of rank 4 and regions of rank 2", "ranks %d and %d", rank,
                           rois);
    if (dim_known(own) && own != columns)
        return infer_error(c, "the right number of columns in the regions", "%lld, not %lld",
                           (long long)own, (long long)columns);
    if (c->n_in > BATCH && infer_rank(c, BATCH) >= 0) {
        ir_dim indices = infer_dim(c, BATCH, 0);
        if (infer_rank(c, BATCH) != 1 ||
            (dim_known(indices) && dim_known(count) && indices != count))
            return infer_error(c, "the index of an image for each region", "%lld for %lld",
                               (long long)indices, (long long)count);
        count = dim_known(count) ? count : indices;
    }
    ir_dim dims[4] = {count, infer_dim(c, X, 1), height, width};
    return infer_set(c, 0, 0, 4, dims);
}

static heed_status infer_roi_align(op_infer *c)
{
    int64_t height = ir_attr_int(c->node, "output_height", 1);
    int64_t width = ir_attr_int(c->node, "output_width", 1);
    if (height < 1 || width < 1 || height > TENSOR_MAX_DIM || width > TENSOR_MAX_DIM)
        return infer_error(c, "output_height and output_width of at least 1", "%lld and %lld",
                           (long long)height, (long long)width);
    return infer_regions(c, 4, height, width);
}

static heed_status infer_max_roi(op_infer *c)
{
    uint64_t n;
    const int64_t *pooled = ir_attr_ints(c->node, "pooled_shape", &n);
    if (!pooled || n != 2 || pooled[0] < 1 || pooled[1] < 1 || pooled[0] > TENSOR_MAX_DIM ||
        pooled[1] > TENSOR_MAX_DIM)
        return infer_error(c, "two extents of at least 1 in pooled_shape", "others");
    return infer_regions(c, 5, pooled[0], pooled[1]);
}

static heed_status infer_crop_and_resize(op_infer *c)
{
    content_entry *size;
    int64_t n;
    if (!content_get(c, SIZE, &size, &n))
        return infer_set_unknown(c, 0, 0, 4);
    if (n != 2 || (size[0].known && size[0].number < 1) || (size[1].known && size[1].number < 1))
        return infer_error(c, "two extents of at least 1 in crop_size", "others");
    return infer_regions(c, 4, content_extent(c, &size[0]), content_extent(c, &size[1]));
}

/* ---- What the three share ------------------------------------------------------------------- */

typedef struct regions {
    const int64_t *in, *out; /* height and width */
    int64_t channels, in_size, out_size;
    bool single;          /* computed in float */
    const int64_t *batch; /* the image of each region; NULL: the region says it */
    point_image image;
    point point;
} regions;

static heed_status open_regions(op_call *c, regions *r)
{
    const heed_tensor *in = c->in[X], *out = c->out[0];
    r->in = in->dims + 2;
    r->out = out->dims + 2;
    r->channels = in->dims[1];
    r->in_size = layout_product(in->dims, 2, 4);
    r->out_size = layout_product(out->dims, 2, 4);
    r->single = in->dtype != HEED_FLOAT64;
    r->batch = call_has(c, BATCH) ? call_ints(c, BATCH) : NULL;
    if (call_has(c, BATCH) && !r->batch)
        return err_get()->status;
    TRY(point_open(c, in, &r->image));
    return point_reserve(c, POINT_TAPS * POINT_TAPS, &r->point);
}

/* A double as the result of float arithmetic. */
static double fit(const regions *r, double x) { return r->single ? (double)(float)x : x; }

static heed_status find_image(const op_call *c, int64_t index, int64_t *first)
{
    const heed_tensor *in = c->in[X];
    if (index < 0 || index >= in->dims[0])
        return call_error(c, HEED_INVALID, "a region lies in image %lld of %lld", (long long)index,
                          (long long)in->dims[0]);
    *first = index * layout_product(in->dims, 1, 4);
    return HEED_OK;
}

static void store(const op_call *c, int64_t to, double value)
{
    heed_tensor *out = c->out[0];
    dtype_store_f64(out->dtype, tensor_data(out), to, 1, &value, true);
}

/* ---- RoiAlign ------------------------------------------------------------------------------- */

/* One axis of a region: bins of equal extent, with `count` samples in each. */
typedef struct bins {
    double start, extent, count;
} bins;

static bins make_bins(const op_call *c, const regions *r, double low, double high, int64_t n)
{
    bool half = strcmp(ir_attr_string(c->node, "coordinate_transformation_mode", "half_pixel"),
                       "half_pixel") == 0;
    double scale = ir_attr_float(c->node, "spatial_scale", 1.0), offset = half ? 0.5 : 0.0;
    int64_t ratio = ir_attr_int(c->node, "sampling_ratio", 0);
    bins b = {.start = fit(r, fit(r, low * scale) - offset)};
    double extent = fit(r, fit(r, fit(r, high * scale) - offset) - b.start);
    if (!half && !(extent >= 1.0))
        extent = 1.0; /* whatever its ends say */
    b.extent = fit(r, extent / (double)n);
    b.count = ratio > 0 ? (double)ratio : ceil(b.extent);
    if (!(b.count > 0.0) || isinf(b.count) || !isfinite(b.start))
        b.count = 0.0;
    return b;
}

static double sample_at(const regions *r, const bins *b, int64_t bin, double i)
{
    double first = fit(r, b->start + fit(r, (double)bin * b->extent));
    return fit(r, first + fit(r, fit(r, (i + 0.5) * b->extent) / b->count));
}

static bool is_near(double x, int64_t extent) { return x >= -1.0 && x <= (double)extent; }

/* The samples [*from, *to) of a bin that can lie near the image. There may be very many; those far
 * away are zero. */
static void near_samples(const regions *r, const bins *b, int64_t bin, int64_t extent, double *from,
                         double *to)
{
    double step = b->extent / b->count, first = sample_at(r, b, bin, 0.0);
    *from = 0.0;
    *to = b->count;
    if (b->count <= MAX_RATIO || !(step > 0.0))
        return;
    *from = fmin(fmax(floor((-1.0 - first) / step) - 2.0, 0.0), b->count);
    *to = fmax(fmin(ceil(((double)extent - first) / step) + 3.0, b->count), *from);
}

static void set_sample(regions *r, double y, double x)
{
    point_axis axes[2];
    double at[2] = {y, x};
    for (int i = 0; i < 2; i++) {
        point_linear(&axes[i], fmin(fmax(at[i], 0.0), (double)(r->in[i] - 1)));
        point_clamp(&axes[i], r->in[i]);
    }
    point_set(&r->point, 2, axes, r->in);
}

typedef struct bin_result {
    bool largest;
    double samples; /* of the whole bin */
    double near;    /* samples that lie near the image */
    double *values; /* a sum or maximum for each channel */
} bin_result;

static void add_sample(regions *r, int64_t first, bin_result *result)
{
    for (int64_t ch = 0; ch < r->channels; ch++) {
        int64_t plane = first + ch * r->in_size;
        if (!result->largest) {
            result->values[ch] += point_value(&r->point, &r->image, plane);
            continue;
        }
        double value = point_largest(&r->point, &r->image, plane);
        if (result->near == 0.0 || value > result->values[ch])
            result->values[ch] = value;
    }
    result->near += 1.0;
}

static void run_bin(regions *r, const bins *axes, const int64_t *bin, int64_t first,
                    bin_result *result)
{
    double y0, y1, x0, x1;
    result->samples = axes[0].count * axes[1].count;
    result->near = 0.0;
    memset(result->values, 0, (size_t)r->channels * sizeof(*result->values));
    if (r->in_size == 0 || result->samples == 0.0)
        return;
    near_samples(r, &axes[0], bin[0], r->in[0], &y0, &y1);
    near_samples(r, &axes[1], bin[1], r->in[1], &x0, &x1);
    for (double i = y0; i < y1; i += 1.0) {
        double y = sample_at(r, &axes[0], bin[0], i);
        if (!is_near(y, r->in[0]))
            continue;
        for (double j = x0; j < x1; j += 1.0) {
            double x = sample_at(r, &axes[1], bin[1], j);
            if (!is_near(x, r->in[1]))
                continue;
            set_sample(r, y, x);
            add_sample(r, first, result);
        }
    }
}

static double bin_value(const bin_result *result, int64_t channel)
{
    double value = result->values[channel];
    if (!result->largest)
        return value / fmax(result->samples, 1.0);
    return result->near < result->samples ? fmax(value, 0.0) : value;
}

static heed_status align_region(op_call *c, regions *r, int64_t roi, bin_result *result)
{
    double box[4];
    int64_t first = 0, bin[2] = {0};
    TRY(find_image(c, r->batch[roi], &first));
    dtype_load_f64(c->in[ROIS]->dtype, tensor_data(c->in[ROIS]), roi * 4, 4, box);
    const bins axes[2] = {make_bins(c, r, box[1], box[3], r->out[0]),
                          make_bins(c, r, box[0], box[2], r->out[1])};
    if (axes[0].count > MAX_SAMPLES || axes[1].count > MAX_SAMPLES)
        return call_error(c, HEED_INVALID, "region %lld is too large", (long long)roi);
    for (int64_t i = 0; i < r->out_size; i++) {
        run_bin(r, axes, bin, first, result);
        for (int64_t ch = 0; ch < r->channels; ch++)
            store(c, (roi * r->channels + ch) * r->out_size + i, bin_value(result, ch));
        layout_next(2, r->out, bin);
    }
    return HEED_OK;
}

static heed_status run_roi_align(op_call *c)
{
    const char *mode = ir_attr_string(c->node, "mode", "avg");
    const char *name = ir_attr_string(c->node, "coordinate_transformation_mode", "half_pixel");
    bin_result result = {.largest = strcmp(mode, "max") == 0};
    regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    if (!result.largest && strcmp(mode, "avg") != 0)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    if (strcmp(name, "half_pixel") != 0 && strcmp(name, "output_half_pixel") != 0)
        return call_error(c, HEED_INVALID, "coordinate_transformation_mode %s is not known", name);
    if (ir_attr_int(c->node, "sampling_ratio", 0) > MAX_RATIO)
        return call_error(c, HEED_INVALID, "sampling_ratio is larger than %d", MAX_RATIO);
    TRY(open_regions(c, &r));
    result.values = call_scratch(c, (size_t)r.channels * sizeof(double));
    if (!result.values)
        return err_get()->status;
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(align_region(c, &r, roi, &result));
    return HEED_OK;
}

/* ---- MaxRoiPool ----------------------------------------------------------------------------- */

/* The elements [low, high) of a bin on one axis of a region from `first` to `last`. */
static void bin_range(const regions *r, double first, double last, int64_t bin, int axis,
                      int64_t *low, int64_t *high)
{
    double extent = fmax(last - first + 1.0, 1.0), limit = (double)r->in[axis];
    double size = fit(r, extent / (double)r->out[axis]);
    *low = (int64_t)fmin(fmax(floor(fit(r, (double)bin * size)) + first, 0.0), limit);
    *high = (int64_t)fmin(fmax(ceil(fit(r, (double)(bin + 1) * size)) + first, 0.0), limit);
}

static double largest_in(const regions *r, int64_t plane, const int64_t *low, const int64_t *high)
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

static heed_status pool_region(op_call *c, const regions *r, int64_t roi)
{
    double box[5], scale = ir_attr_float(c->node, "spatial_scale", 1.0);
    int64_t first = 0, bin[2] = {0}, low[2], high[2];
    dtype_load_f64(c->in[ROIS]->dtype, tensor_data(c->in[ROIS]), roi * 5, 5, box);
    TRY(find_image(c, box[0] >= 0.0 && box[0] < 0x1p40 ? (int64_t)box[0] : -1, &first));
    for (int i = 1; i < 5; i++) {
        box[i] = round(fit(r, box[i] * scale));
        if (!(fabs(box[i]) < 0x1p40))
            return call_error(c, HEED_INVALID, "a region ends at %g", box[i]);
    }
    for (int64_t i = 0; i < r->out_size; i++) {
        bin_range(r, box[2], box[4], bin[0], 0, &low[0], &high[0]);
        bin_range(r, box[1], box[3], bin[1], 1, &low[1], &high[1]);
        for (int64_t ch = 0; ch < r->channels; ch++)
            store(c, (roi * r->channels + ch) * r->out_size + i,
                  largest_in(r, first + ch * r->in_size, low, high));
        layout_next(2, r->out, bin);
    }
    return HEED_OK;
}

static heed_status run_max_roi(op_call *c)
{
    regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    TRY(open_regions(c, &r));
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(pool_region(c, &r, roi));
    return HEED_OK;
}

/* ---- CropAndResize -------------------------------------------------------------------------- */

/* Corners of the region lie on the centres of the outermost elements of the crop. */
static double crop_at(const regions *r, double low, double high, int64_t i, int axis)
{
    int64_t n = r->out[axis];
    double last = (double)(r->in[axis] - 1);
    if (n == 1)
        return fit(r, 0.5 * fit(r, low + high) * last);
    if (i == n - 1)
        return fit(r, high * last);
    double step = fit(r, fit(r, fit(r, high - low) * last) / (double)(n - 1));
    return fit(r, fit(r, low * last) + fit(r, (double)i * step));
}

static heed_status crop_region(op_call *c, regions *r, int64_t roi, bool nearest)
{
    double box[4], outside = ir_attr_float(c->node, "extrapolation_value", 0.0);
    int64_t first = 0, index[2] = {0};
    TRY(find_image(c, r->batch[roi], &first));
    dtype_load_f64(c->in[ROIS]->dtype, tensor_data(c->in[ROIS]), roi * 4, 4, box);
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
            store(c, (roi * r->channels + ch) * r->out_size + i,
                  inside ? point_value(&r->point, &r->image, first + ch * r->in_size) : outside);
        layout_next(2, r->out, index);
    }
    return HEED_OK;
}

static heed_status run_crop_and_resize(op_call *c)
{
    const char *mode = ir_attr_string(c->node, "mode", "bilinear");
    bool nearest = strcmp(mode, "nearest") == 0;
    regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    if (!nearest && strcmp(mode, "bilinear") != 0)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    TRY(open_regions(c, &r));
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(crop_region(c, &r, roi, nearest));
    return HEED_OK;
}

// clang-format off
static const op_def roi_align = {
    .domain = "", .name = "RoiAlign", .since = 22,
    .signature = "X:T, rois:T, batch_indices:int64 -> Y:T", .types = "T=float",
    .attrs = "coordinate_transformation_mode:string=half_pixel mode:string=avg output_height:int=1 "
             "output_width:int=1 sampling_ratio:int=0 spatial_scale:float=1.0",
    .infer = infer_roi_align, .run = run_roi_align};
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

const op_def *const ops_roi[] = {&roi_align, &max_roi_pool, &crop_and_resize, NULL};
