/* point.c - values of a tensor at places between its elements.
 *
 * Separate from sampling.c, which resamples whole axes: here every output element has coordinates
 * of its own, so nothing is separable, and the coordinates are data, which may be anything. */
#include "ops/point.h"

#include <math.h>
#include <string.h>

#include "ops/sampling.h"

#define FAR 0x1p42 /* outside of every axis, and still an int64 with room around it */

/* ---- The elements around a coordinate ------------------------------------------------------- */

static double bounded(double x) { return x >= -FAR && x <= FAR ? x : x > FAR ? FAR : -FAR; }

void point_nearest(point_axis *a, double x)
{
    a->n = 1;
    a->at[0] = (int64_t)bounded(x);
    a->weight[0] = 1.0;
}

void point_linear(point_axis *a, double x)
{
    double below = floor(bounded(x)), part = bounded(x) - below;
    a->n = 2;
    a->at[0] = (int64_t)below;
    a->at[1] = a->at[0] + 1;
    a->weight[0] = 1.0 - part;
    a->weight[1] = part;
}

void point_cubic(point_axis *a, double x)
{
    double below = floor(bounded(x)), part = bounded(x) - below;
    a->n = 4;
    for (int32_t i = 0; i < 4; i++) {
        a->at[i] = (int64_t)below + i - 1;
        a->weight[i] = sampling_cubic(fabs(part - (double)(i - 1)), -0.75);
    }
}

/* ---- What lies outside ---------------------------------------------------------------------- */

void point_inside(point_axis *a, int64_t extent)
{
    int32_t n = 0;
    for (int32_t i = 0; i < a->n; i++)
        if (a->at[i] >= 0 && a->at[i] < extent) {
            a->at[n] = a->at[i];
            a->weight[n++] = a->weight[i];
        }
    a->n = n;
}

void point_clamp(point_axis *a, int64_t extent)
{
    if (extent == 0)
        a->n = 0;
    for (int32_t i = 0; i < a->n; i++)
        a->at[i] = a->at[i] < 0 ? 0 : a->at[i] >= extent ? extent - 1 : a->at[i];
}

double point_mirror(double x, double low, double high)
{
    double range = high - low;
    if (!(range > 0.0))
        return low;
    double way = fmod(fabs(x - low), 2.0 * range);
    return low + (way <= range ? way : 2.0 * range - way);
}

void point_reflect(point_axis *a, int64_t extent, double low, double high)
{
    for (int32_t i = 0; i < a->n; i++)
        if (a->at[i] < 0 || a->at[i] >= extent)
            a->at[i] = (int64_t)point_mirror((double)a->at[i], low, high);
    point_clamp(a, extent);
}

void point_merge(point_axis *a)
{
    int32_t n = 0;
    for (int32_t i = 0; i < a->n; i++) {
        int32_t same = 0;
        while (same < n && a->at[same] != a->at[i])
            same++;
        if (same == n) {
            a->at[n] = a->at[i];
            a->weight[n++] = 0.0 + a->weight[i];
        } else {
            a->weight[same] += a->weight[i];
        }
    }
    a->n = n;
}

/* ---- Points --------------------------------------------------------------------------------- */

heed_status point_reserve(op_call *c, int64_t taps, point *p)
{
    p->n = 0;
    p->at = call_scratch(c, (size_t)taps * sizeof(*p->at) + 1);
    p->weight = call_scratch(c, (size_t)taps * sizeof(*p->weight) + 1);
    return p->at && p->weight ? HEED_OK : err_get()->status;
}

/* Axis by axis: each offset so far is followed by those of the next axis, from the back so that
 * nothing is overwritten that is still needed. */
void point_set(point *p, int32_t rank, const point_axis *axes, const int64_t *extents)
{
    p->n = 1;
    p->at[0] = 0;
    p->weight[0] = 1.0;
    for (int32_t d = 0; d < rank; d++) {
        const point_axis *a = &axes[d];
        for (int64_t i = p->n - 1; i >= 0; i--) {
            int64_t offset = p->at[i] * extents[d];
            double weight = p->weight[i];
            for (int32_t k = a->n - 1; k >= 0; k--) {
                p->at[i * a->n + k] = offset + a->at[k];
                p->weight[i * a->n + k] = weight * a->weight[k];
            }
        }
        p->n *= a->n;
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* float32 in place where it is aligned; complex numbers as they are; the rest as doubles. */
heed_status point_open(op_call *c, const heed_tensor *t, point_image *image)
{
    dtype_class class = dtype_get_class(t->dtype);
    bool complex = class == CLASS_C64 || class == CLASS_C128;
    size_t bytes = tensor_bytes(t);
    *image = (point_image){.parts = complex ? 2 : 1};
    if (class == CLASS_STRING)
        return call_error(c, HEED_UNSUPPORTED, "%s has no interpolation", dtype_name(t->dtype));
    if (t->dtype == HEED_FLOAT32 && (uintptr_t)tensor_data(t) % sizeof(float) == 0) {
        image->f32 = tensor_data(t);
        return HEED_OK;
    }
    if (!complex && !size_mul((size_t)tensor_count(t), sizeof(double), &bytes))
        return call_error(c, HEED_NOMEM, "the image is too large");
    void *values = call_scratch(c, bytes + 1);
    if (!values)
        return err_get()->status;
    if (complex)
        memcpy(values, tensor_data(t), bytes);
    else
        dtype_load_f64(t->dtype, tensor_data(t), 0, tensor_count(t), values);
    image->f32 = class == CLASS_C64 ? values : NULL;
    image->f64 = class == CLASS_C64 ? NULL : values;
    return HEED_OK;
}

static double element(const point_image *image, int64_t i, int part)
{
    int64_t at = i * image->parts + part;
    return image->f32 ? (double)image->f32[at] : image->f64[at];
}

static double value(const point *p, const point_image *image, int64_t first, int part)
{
    double sum = 0.0;
    for (int64_t i = 0; i < p->n; i++)
        sum += p->weight[i] * element(image, first + p->at[i], part);
    return sum;
}

double point_value(const point *p, const point_image *image, int64_t first)
{
    return value(p, image, first, 0);
}

void point_store(const point *p, const point_image *image, int64_t first, heed_tensor *out,
                 int64_t to)
{
    double values[2] = {value(p, image, first, 0), 0.0};
    if (image->parts == 1) {
        dtype_store_f64(out->dtype, tensor_data(out), to, 1, values, true);
        return;
    }
    values[1] = value(p, image, first, 1);
    heed_dtype part = out->dtype == HEED_COMPLEX64 ? HEED_FLOAT32 : HEED_FLOAT64;
    dtype_store_f64(part, tensor_data(out), 2 * to, 2, values, true);
}

double point_largest(const point *p, const point_image *image, int64_t first)
{
    double most = -HUGE_VAL;
    for (int64_t i = 0; i < p->n; i++)
        most = fmax(most, p->weight[i] * element(image, first + p->at[i], 0));
    return most;
}
