/* roi_align.c - RoiAlign: regions cut into bins, and in each bin the mean or the maximum of samples
 * between the elements. */
#include <math.h>
#include <string.h>

#include "ops/layout.h"
#include "ops/roi.h"

#define MAX_RATIO   1024   /* samples along one axis of a bin that it can be told to take */
#define MAX_SAMPLES 0x1p31 /* and that follow from the extent of a region */

static heed_status infer_roi_align(op_infer *c)
{
    int64_t height = ir_attr_int(c->node, "output_height", 1);
    int64_t width = ir_attr_int(c->node, "output_width", 1);
    if (height < 1 || width < 1 || height > TENSOR_MAX_DIM || width > TENSOR_MAX_DIM)
        return infer_error(c, "output_height and output_width of at least 1", "%lld and %lld",
                           (long long)height, (long long)width);
    return roi_infer(c, 4, height, width);
}

/* One axis of a region: bins of equal extent, with `count` samples in each. */
typedef struct bins {
    double start, extent, count;
} bins;

static bins make_bins(const op_call *c, const roi_regions *r, double low, double high, int64_t n)
{
    bool half = strcmp(ir_attr_string(c->node, "coordinate_transformation_mode", "half_pixel"),
                       "half_pixel") == 0;
    double scale = ir_attr_float(c->node, "spatial_scale", 1.0), offset = half ? 0.5 : 0.0;
    int64_t ratio = ir_attr_int(c->node, "sampling_ratio", 0);
    bins b = {.start = roi_fit(r, roi_fit(r, low * scale) - offset)};
    double extent = roi_fit(r, roi_fit(r, roi_fit(r, high * scale) - offset) - b.start);
    if (!half && !(extent >= 1.0))
        extent = 1.0; /* whatever its ends say */
    b.extent = roi_fit(r, extent / (double)n);
    b.count = ratio > 0 ? (double)ratio : ceil(b.extent);
    if (!(b.count > 0.0) || isinf(b.count) || !isfinite(b.start))
        b.count = 0.0;
    return b;
}

static double sample_at(const roi_regions *r, const bins *b, int64_t bin, double i)
{
    double first = roi_fit(r, b->start + roi_fit(r, (double)bin * b->extent));
    return roi_fit(r, first + roi_fit(r, roi_fit(r, (i + 0.5) * b->extent) / b->count));
}

static bool is_near(double x, int64_t extent) { return x >= -1.0 && x <= (double)extent; }

/* The samples [*from, *to) of a bin that can lie near the image. There may be very many; those far
 * away are zero. */
static void near_samples(const roi_regions *r, const bins *b, int64_t bin, int64_t extent,
                         double *from, double *to)
{
    double step = b->extent / b->count, first = sample_at(r, b, bin, 0.0);
    *from = 0.0;
    *to = b->count;
    if (b->count <= MAX_RATIO || !(step > 0.0))
        return;
    *from = fmin(fmax(floor((-1.0 - first) / step) - 2.0, 0.0), b->count);
    *to = fmax(fmin(ceil(((double)extent - first) / step) + 3.0, b->count), *from);
}

static void set_sample(roi_regions *r, double y, double x)
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

static void add_sample(roi_regions *r, int64_t first, bin_result *result)
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

static void run_bin(roi_regions *r, const bins *axes, const int64_t *bin, int64_t first,
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

static heed_status align_region(op_call *c, roi_regions *r, int64_t roi, bin_result *result)
{
    double box[4];
    int64_t first = 0, bin[2] = {0};
    TRY(roi_image(c, r->batch[roi], &first));
    dtype_load_f64(c->in[ROI_BOXES]->dtype, tensor_data(c->in[ROI_BOXES]), roi * 4, 4, box);
    const bins axes[2] = {make_bins(c, r, box[1], box[3], r->out[0]),
                          make_bins(c, r, box[0], box[2], r->out[1])};
    if (axes[0].count > MAX_SAMPLES || axes[1].count > MAX_SAMPLES)
        return call_error(c, HEED_INVALID, "region %lld is too large", (long long)roi);
    for (int64_t i = 0; i < r->out_size; i++) {
        run_bin(r, axes, bin, first, result);
        for (int64_t ch = 0; ch < r->channels; ch++)
            roi_store(c, (roi * r->channels + ch) * r->out_size + i, bin_value(result, ch));
        layout_next(2, r->out, bin);
    }
    return HEED_OK;
}

static heed_status run_roi_align(op_call *c)
{
    const char *mode = ir_attr_string(c->node, "mode", "avg");
    const char *name = ir_attr_string(c->node, "coordinate_transformation_mode", "half_pixel");
    bin_result result = {.largest = strcmp(mode, "max") == 0};
    roi_regions r;
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    if (!result.largest && strcmp(mode, "avg") != 0)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    if (strcmp(name, "half_pixel") != 0 && strcmp(name, "output_half_pixel") != 0)
        return call_error(c, HEED_INVALID, "coordinate_transformation_mode %s is not known", name);
    if (ir_attr_int(c->node, "sampling_ratio", 0) > MAX_RATIO)
        return call_error(c, HEED_INVALID, "sampling_ratio is larger than %d", MAX_RATIO);
    TRY(roi_open(c, &r));
    result.values = call_scratch(c, (size_t)r.channels * sizeof(double));
    if (!result.values)
        return err_get()->status;
    for (int64_t roi = 0; roi < c->out[0]->dims[0]; roi++)
        TRY(align_region(c, &r, roi, &result));
    return HEED_OK;
}

// clang-format off
static const op_def roi_align = {
    .domain = "", .name = "RoiAlign", .since = 22,
    .signature = "X:T, rois:T, batch_indices:int64 -> Y:T", .types = "T=float",
    .attrs = "coordinate_transformation_mode:string=half_pixel mode:string=avg output_height:int=1 "
             "output_width:int=1 sampling_ratio:int=0 spatial_scale:float=1.0",
    .infer = infer_roi_align, .run = run_roi_align};
// clang-format on

const op_def *const ops_roi_align[] = {&roi_align, NULL};
