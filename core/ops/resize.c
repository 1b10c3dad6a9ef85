/* resize.c - interpolation to other extents: Resize. Every axis is resampled by itself (see
 * sampling.h); the nearest mode moves elements of any dtype, the others compute in double. */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"
#include "ops/sampling.h"

enum { ROI = 1, SCALES = 2, SIZES = 3 };

/* Which dims the lists speak of. Fails when attribute axes is wrong. */
static heed_status read_axes(op_infer *c, int32_t rank, int32_t *axes, int64_t *n)
{
    uint64_t count;
    const int64_t *given = ir_attr_ints(c->node, "axes", &count);
    bool seen[TENSOR_MAX_RANK] = {false};
    *n = given ? (int64_t)count : rank;
    if (*n > rank)
        return infer_error(c, "at most as many axes as dimensions", "%lld", (long long)*n);
    for (int32_t i = 0; i < *n; i++) {
        TRY(infer_axis(c, given ? given[i] : i, rank, &axes[i]));
        if (seen[axes[i]])
            return infer_error(c, "each axis once", "%d twice", axes[i]);
        seen[axes[i]] = true;
    }
    return HEED_OK;
}

/* An input that is there and not empty. */
static bool given_input(const op_infer *c, uint32_t i)
{
    return infer_has(c, i) && infer_dim(c, i, 0) != 0;
}

static ir_dim scaled(op_infer *c, ir_dim dim, double scale)
{
    double inverse = 1.0 / scale;
    if (dim_known(dim)) {
        double extent = floor((double)dim * scale);
        return extent > (double)TENSOR_MAX_DIM ? TENSOR_MAX_DIM + 1 : (ir_dim)extent;
    }
    if (scale == floor(scale) && scale < (double)INT32_MAX)
        return dims_mul(c->dims, dim, (ir_dim)scale);
    if (inverse == floor(inverse) && inverse < (double)INT32_MAX)
        return dims_floor_div(c->dims, dim, (ir_dim)inverse);
    return DIM_UNKNOWN;
}

static heed_status apply_scales(op_infer *c, const int32_t *axes, int64_t n, ir_dim *dims)
{
    const heed_tensor *t = c->in_tensors[SCALES];
    if (t && tensor_count(t) != n)
        return infer_error(c, "a scale for each axis", "%lld for %lld", (long long)tensor_count(t),
                           (long long)n);
    for (int64_t i = 0; i < n; i++) {
        double scale = t ? tensor_get_float(t, i) : 1.0;
        if (!(scale > 0.0) || isinf(scale))
            return infer_error(c, "scales above 0", "%g", scale);
        dims[axes[i]] = t ? scaled(c, dims[axes[i]], scale) : DIM_UNKNOWN;
    }
    return HEED_OK;
}

/* The one scale of keep_aspect_ratio_policy, from numbers. */
static double common_scale(const ir_node *n, const int64_t *sizes, const int64_t *dims,
                           const int32_t *axes, int64_t count)
{
    bool smaller =
        strcmp(ir_attr_string(n, "keep_aspect_ratio_policy", "stretch"), "not_larger") == 0;
    double result = smaller ? HUGE_VAL : 0.0;
    for (int64_t i = 0; i < count; i++) {
        double scale = (double)sizes[i] / (double)dims[axes ? axes[i] : i];
        result = smaller ? fmin(result, scale) : fmax(result, scale);
    }
    return result;
}

static bool stretches(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "keep_aspect_ratio_policy", "stretch"), "stretch") == 0;
}

static heed_status keep_ratio(op_infer *c, const content_entry *entries, const int32_t *axes,
                              int64_t n, ir_dim *dims)
{
    int64_t sizes[TENSOR_MAX_RANK];
    bool known = true;
    for (int64_t i = 0; i < n; i++) {
        known = known && entries[i].known && dim_known(dims[axes[i]]) && dims[axes[i]] > 0;
        sizes[i] = entries[i].number;
    }
    double scale = known ? common_scale(c->node, sizes, dims, axes, n) : 0.0;
    for (int64_t i = 0; i < n; i++) {
        double extent = floor(scale * (double)dims[axes[i]] + 0.5);
        if (extent > (double)TENSOR_MAX_DIM)
            return infer_error(c, "extents up to 2^40", "%g", extent);
        dims[axes[i]] = known ? (ir_dim)extent : DIM_UNKNOWN;
    }
    return HEED_OK;
}

static heed_status apply_sizes(op_infer *c, const int32_t *axes, int64_t n, ir_dim *dims)
{
    content_entry *entries;
    int64_t count;
    if (!content_get(c, SIZES, &entries, &count)) {
        for (int64_t i = 0; i < n; i++)
            dims[axes[i]] = DIM_UNKNOWN;
        return HEED_OK;
    }
    if (count != n)
        return infer_error(c, "a size for each axis", "%lld for %lld", (long long)count,
                           (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (entries[i].known && entries[i].number < 0)
            return infer_error(c, "sizes of at least 0", "%lld", (long long)entries[i].number);
    if (!stretches(c->node))
        return keep_ratio(c, entries, axes, n, dims);
    for (int64_t i = 0; i < n; i++)
        dims[axes[i]] = content_extent(c, &entries[i]);
    return HEED_OK;
}

static heed_status infer_resize(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axes[TENSOR_MAX_RANK];
    ir_dim dims[TENSOR_MAX_RANK];
    int64_t n;
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(read_axes(c, rank, axes, &n));
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    if (given_input(c, SIZES))
        TRY(apply_sizes(c, axes, n, dims));
    else if (given_input(c, SCALES))
        TRY(apply_scales(c, axes, n, dims));
    else
        return infer_error(c, "scales or sizes", "neither");
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

typedef struct resize {
    sampling_axis axes[TENSOR_MAX_RANK]; /* one for each dimension */
    sampling samplings[TENSOR_MAX_RANK];
    bool changed[TENSOR_MAX_RANK]; /* else the axis stays as it is */
} resize;

static bool given_tensor(const op_call *c, uint32_t i)
{
    return call_has(c, i) && tensor_count(c->in[i]) > 0;
}

static void set_scales(const op_call *c, const int32_t *axes, int64_t n, resize *r)
{
    bool sizes = given_tensor(c, SIZES);
    int64_t in[TENSOR_MAX_RANK], wanted[TENSOR_MAX_RANK];
    double scale = 0.0;
    for (int64_t i = 0; i < n; i++) {
        in[i] = r->axes[axes[i]].in;
        wanted[i] = sizes ? tensor_get_int(c->in[SIZES], i) : 0;
    }
    if (sizes && !stretches(c->node))
        scale = common_scale(c->node, wanted, in, NULL, n);
    for (int64_t i = 0; i < n; i++) {
        sampling_axis *a = &r->axes[axes[i]];
        a->scale = !sizes        ? tensor_get_float(c->in[SCALES], i)
                   : scale > 0.0 ? scale
                                 : (double)a->out / (double)a->in;
    }
}

static heed_status describe(op_call *c, resize *r)
{
    const heed_tensor *in = c->in[0], *out = c->out[0];
    int32_t axes[TENSOR_MAX_RANK], rank = tensor_rank(in);
    uint64_t count;
    const int64_t *given = ir_attr_ints(c->node, "axes", &count);
    int64_t n = given ? (int64_t)count : rank;
    bool region = given_tensor(c, ROI) && tensor_count(c->in[ROI]) == 2 * n;
    for (int32_t i = 0; i < rank; i++) {
        r->axes[i] = (sampling_axis){in->dims[i], out->dims[i], 1.0, 0.0, 1.0};
        if (in->dims[i] == 0)
            return call_error(c, HEED_INVALID, "axis %d has no element to resize", i);
    }
    for (int32_t i = 0; i < n; i++) {
        int64_t axis = given ? given[i] : i;
        axes[i] = (int32_t)(axis < 0 ? axis + rank : axis);
        if (region) {
            r->axes[axes[i]].start = tensor_get_float(c->in[ROI], i);
            r->axes[axes[i]].end = tensor_get_float(c->in[ROI], n + i);
        }
    }
    set_scales(c, axes, n, r);
    for (int32_t i = 0; i < rank; i++) {
        const sampling_axis *a = &r->axes[i];
        r->changed[i] = a->scale != 1.0 || a->in != a->out || a->start != 0.0 || a->end != 1.0;
        TRY(sampling_make(c, a, &r->samplings[i]));
    }
    return HEED_OK;
}

/* ---- Nearest: elements move ----------------------------------------------------------------- */

static void move_row(const op_call *c, const sampling *last, int64_t n, int64_t to, int64_t from,
                     bool outside, const void *fill)
{
    heed_tensor *out = c->out[0];
    for (int64_t i = 0; i < n; i++) {
        if (outside || last->outside[i])
            dtype_copy(out->dtype, tensor_data(out), to + i, fill, 0, 1);
        else
            dtype_copy(out->dtype, tensor_data(out), to + i, tensor_data(c->in[0]),
                       from + last->from[i], 1);
    }
}

static heed_status move_nearest(op_call *c, const resize *r)
{
    const heed_tensor *in = c->in[0], *out = c->out[0];
    int32_t last = tensor_rank(in) - 1;
    int64_t index[TENSOR_MAX_RANK] = {0}, strides[TENSOR_MAX_RANK], to = 0;
    double value = ir_attr_float(c->node, "extrapolation_value", 0.0);
    uint64_t fill[2] = {0, 0};
    if (dtype_get_class(in->dtype) <= CLASS_BOOL)
        dtype_store_f64(in->dtype, fill, 0, 1, &value, true);
    layout_strides(last + 1, in->dims, strides);
    do {
        int64_t from = 0;
        bool outside = false;
        for (int32_t a = 0; a < last; a++) {
            from += r->samplings[a].from[index[a]] * strides[a];
            outside = outside || r->samplings[a].outside[index[a]];
        }
        move_row(c, &r->samplings[last], out->dims[last], to, from, outside, fill);
        to += out->dims[last];
    } while (layout_next(last, out->dims, index));
    return HEED_OK;
}

/* ---- Filters: axis by axis ------------------------------------------------------------------ */

/* [outer, in, inner] to [outer, out, inner]. */
static void filter_axis(const sampling *s, const sampling_axis *a, int64_t outer, int64_t inner,
                        double extrapolation, const double *from, double *to)
{
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < a->out; i++) {
            double *row = to + (o * a->out + i) * inner;
            for (int64_t k = 0; k < inner; k++)
                row[k] = s->outside[i] ? extrapolation : 0.0;
            for (int64_t t = 0; t < s->taps && !s->outside[i]; t++) {
                const double *tap = from + (o * a->in + s->from[i * s->taps + t]) * inner;
                double weight = s->weights[i * s->taps + t];
                for (int64_t k = 0; k < inner; k++)
                    row[k] += weight * tap[k];
            }
        }
}

/* Integers are rounded to even and clipped to their range. */
static void clip_integers(heed_dtype dtype, double *values, int64_t n)
{
    int bits = (int)dtype_bits(dtype);
    double high = ldexp(1.0, dtype_is_signed(dtype) ? bits - 1 : bits);
    double low = dtype_is_signed(dtype) ? -high : 0.0;
    double top = bits < 53 ? high - 1.0 : nextafter(high, 0.0);
    for (int64_t i = 0; i < n; i++)
        values[i] = fmin(fmax(nearbyint(values[i]), low), top);
}

static heed_status filter_all(op_call *c, const resize *r)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = c->out[0];
    int64_t dims[TENSOR_MAX_RANK], n = tensor_count(in);
    double extrapolation = ir_attr_float(c->node, "extrapolation_value", 0.0);
    double *values = call_scratch(c, (size_t)n * sizeof(double) + 1);
    if (!values)
        return err_get()->status;
    dtype_load_f64(in->dtype, tensor_data(in), 0, n, values);
    memcpy(dims, in->dims, sizeof(dims));
    for (int32_t a = 0; a < tensor_rank(in); a++) {
        if (!r->changed[a])
            continue;
        int64_t inner = layout_product(dims, a + 1, tensor_rank(in));
        dims[a] = out->dims[a];
        if (!shape_count(tensor_rank(in), dims, &n))
            return call_error(c, HEED_NOMEM, "an intermediate is too large");
        double *next = call_scratch(c, (size_t)n * sizeof(double) + 1);
        if (!next)
            return err_get()->status;
        filter_axis(&r->samplings[a], &r->axes[a], layout_product(dims, 0, a), inner, extrapolation,
                    values, next);
        values = next;
    }
    if (dtype_is_int(out->dtype))
        clip_integers(out->dtype, values, n);
    dtype_store_f64(out->dtype, tensor_data(out), 0, n, values, true);
    return HEED_OK;
}

static heed_status run_resize(op_call *c)
{
    bool nearest = strcmp(ir_attr_string(c->node, "mode", "nearest"), "nearest") == 0;
    dtype_class class = dtype_get_class(c->in[0]->dtype);
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    if (tensor_rank(out) == 0)
        return tensor_copy_content(out, c->in[0]);
    if (!nearest && class > CLASS_U64)
        return call_error(c, HEED_UNSUPPORTED, "%s has no interpolation", dtype_name(out->dtype));
    resize *r = call_scratch(c, sizeof(*r));
    if (!r)
        return err_get()->status;
    TRY(describe(c, r));
    return nearest ? move_nearest(c, r) : filter_all(c, r);
}

// clang-format off
static const op_def resize_op = {
    .domain = "", .name = "Resize", .since = 19,
    .signature = "X:T, roi:R?, scales:float32?, sizes:int64? -> Y:T", .types = "T=any R=float",
    .attrs = "antialias:int=0 axes:ints coordinate_transformation_mode:string=half_pixel "
             "cubic_coeff_a:float=-0.75 exclude_outside:int=0 extrapolation_value:float=0.0 "
             "keep_aspect_ratio_policy:string=stretch mode:string=nearest "
             "nearest_mode:string=round_prefer_floor",
    .infer = infer_resize, .run = run_resize};
// clang-format on

const op_def *const ops_resize[] = {&resize_op, NULL};
