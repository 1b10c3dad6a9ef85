/* sampling.c - along one axis of Resize: which input elements make an output element, and how
 * much of each.
 *
 * Separate from resize.c because the modes multiply: six ways to place a coordinate, four ways to
 * round it, three filters, each with and without antialiasing. Interpolation is separable, so all
 * of it happens on one axis at a time. */
#include "ops/sampling.h"

#include <math.h>
#include <string.h>

/* ---- Coordinates --------------------------------------------------------------------------- */

/* Where output element i lies on the input axis. */
typedef double (*coordinate_fn)(const sampling_axis *a, double i);

static double width(const sampling_axis *a) { return a->scale * (double)a->in; }

static double half_pixel(const sampling_axis *a, double i) { return (i + 0.5) / a->scale - 0.5; }

static double half_pixel_symmetric(const sampling_axis *a, double i)
{
    double adjustment = (double)a->out / width(a);
    return (double)a->in / 2.0 * (1.0 - adjustment) + half_pixel(a, i);
}

static double pytorch_half_pixel(const sampling_axis *a, double i)
{
    return a->out > 1 ? half_pixel(a, i) : 0.0;
}

static double align_corners(const sampling_axis *a, double i)
{
    return width(a) == 1.0 ? 0.0 : i * (double)(a->in - 1) / (width(a) - 1.0);
}

static double asymmetric(const sampling_axis *a, double i) { return i / a->scale; }

/* Of opsets 11 and 12. An axis that keeps its size is not moved by half an element. */
static double half_pixel_for_nearest(const sampling_axis *a, double i)
{
    return a->scale == 1.0 ? i : (i + 0.5) / a->scale;
}

static double crop_and_resize(const sampling_axis *a, double i)
{
    double last = (double)(a->in - 1);
    if (a->out <= 1)
        return 0.5 * (a->start + a->end) * last;
    return a->start * last + i * (a->end - a->start) * last / (double)(a->out - 1);
}

static const struct {
    const char *name;
    coordinate_fn at;
} coordinates[] = {
    {"half_pixel", half_pixel},
    {"half_pixel_symmetric", half_pixel_symmetric},
    {"pytorch_half_pixel", pytorch_half_pixel},
    {"align_corners", align_corners},
    {"asymmetric", asymmetric},
    {"tf_crop_and_resize", crop_and_resize},
    {"tf_half_pixel_for_nn", half_pixel_for_nearest},
};

static coordinate_fn find_coordinate(const char *name)
{
    for (size_t i = 0; i < sizeof(coordinates) / sizeof(coordinates[0]); i++)
        if (strcmp(coordinates[i].name, name) == 0)
            return coordinates[i].at;
    return NULL;
}

/* ---- Rounding of the nearest mode ---------------------------------------------------------- */

static double prefer_floor(double x) { return ceil(x - 0.5); }
static double prefer_ceil(double x) { return floor(x + 0.5); }

/* What opset 10, which had no nearest_mode, is raised to: it depends on the scale of the axis. */
#define SHRINK_CEIL "heed_shrink_ceil"

static const struct {
    const char *name;
    double (*round)(double);
} roundings[] = {
    {"round_prefer_floor", prefer_floor},
    {"round_prefer_ceil", prefer_ceil},
    {"floor", floor},
    {"ceil", ceil},
};

/* ---- Filters ------------------------------------------------------------------------------- */

/* Weight of an element at distance x from the coordinate; reach is how far it goes. */
typedef struct filter {
    const char *name;
    double reach;
    double (*weight)(double x, double a);
} filter;

static double linear(double x, double a)
{
    (void)a;
    return x < 1.0 ? 1.0 - x : 0.0;
}

double sampling_cubic(double x, double a)
{
    if (x <= 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

static const filter filters[] = {{"linear", 1.0, linear}, {"cubic", 2.0, sampling_cubic}};

static int64_t clamp(double x, int64_t in)
{
    return !(x >= 0.0) ? 0 : x > (double)(in - 1) ? in - 1 : (int64_t)x;
}

typedef struct filtering {
    const filter *filter;
    double stretch; /* at most 1: an antialiasing filter reaches 1 / stretch as far */
    double coefficient;
    bool exclude;
} filtering;

/* The weights of output element i, whose coordinate is x. */
static void filter_element(const filtering *f, const sampling_axis *a, sampling *s, int64_t i,
                           double x)
{
    double left = floor(x) - (double)(s->taps / 2 - 1), sum = 0.0;
    double *weights = s->weights + i * s->taps;
    for (int64_t k = 0; k < s->taps; k++) {
        double at = left + (double)k;
        bool outside = at < 0.0 || at >= (double)a->in;
        weights[k] = f->filter->weight(fabs(at - x) * f->stretch, f->coefficient);
        if (f->exclude && outside)
            weights[k] = 0.0;
        s->from[i * s->taps + k] = clamp(at, a->in);
        sum += weights[k];
    }
    /* Without exclusion and antialiasing the sum is 1 by itself. */
    bool normalise = (f->exclude || f->stretch < 1.0) && sum != 0.0;
    for (int64_t k = 0; normalise && k < s->taps; k++)
        weights[k] /= sum;
}

/* ---- The axis ------------------------------------------------------------------------------ */

static heed_status reserve(op_call *c, const sampling_axis *a, sampling *s)
{
    size_t n;
    if (!size_mul((size_t)a->out, (size_t)s->taps, &n) || n > (size_t)TENSOR_MAX_DIM)
        return call_error(c, HEED_NOMEM, "the filter is too large");
    s->from = call_scratch(c, n * sizeof(*s->from) + 1);
    s->weights = call_scratch(c, n * sizeof(*s->weights) + 1);
    s->outside = call_scratch(c, (size_t)a->out + 1);
    return s->from && s->weights && s->outside ? HEED_OK : err_get()->status;
}

static heed_status sample_nearest(op_call *c, const sampling_axis *a, coordinate_fn at, sampling *s)
{
    const char *name = ir_attr_string(c->node, "nearest_mode", "round_prefer_floor");
    double (*round_to)(double) = NULL;
    for (size_t i = 0; i < sizeof(roundings) / sizeof(roundings[0]); i++)
        if (strcmp(roundings[i].name, name) == 0)
            round_to = roundings[i].round;
    if (strcmp(name, SHRINK_CEIL) == 0)
        round_to = a->scale < 1.0 ? ceil : floor;
    if (!round_to)
        return call_error(c, HEED_INVALID, "nearest_mode %s is not known", name);
    s->taps = 1;
    TRY(reserve(c, a, s));
    for (int64_t i = 0; i < a->out; i++) {
        s->from[i] = clamp(round_to(at(a, (double)i)), a->in);
        s->weights[i] = 1.0;
    }
    return HEED_OK;
}

static heed_status sample_filtered(op_call *c, const sampling_axis *a, coordinate_fn at,
                                   const filter *kind, sampling *s)
{
    bool antialias = ir_attr_int(c->node, "antialias", 0) != 0;
    filtering f = {
        .filter = kind,
        .stretch = antialias && a->scale < 1.0 ? a->scale : 1.0,
        .coefficient = ir_attr_float(c->node, "cubic_coeff_a", -0.75),
        .exclude = ir_attr_int(c->node, "exclude_outside", 0) != 0,
    };
    double half = ceil(kind->reach / f.stretch);
    if (half > (double)INT32_MAX)
        return call_error(c, HEED_INVALID, "the scale is too small");
    s->taps = 2 * (int64_t)half;
    TRY(reserve(c, a, s));
    for (int64_t i = 0; i < a->out; i++)
        filter_element(&f, a, s, i, at(a, (double)i));
    return HEED_OK;
}

heed_status sampling_make(op_call *c, const sampling_axis *a, sampling *out)
{
    const char *mode = ir_attr_string(c->node, "mode", "nearest");
    const char *name = ir_attr_string(c->node, "coordinate_transformation_mode", "half_pixel");
    coordinate_fn at = find_coordinate(name);
    const filter *found = NULL;
    if (!at)
        return call_error(c, HEED_INVALID, "coordinate_transformation_mode %s is not known", name);
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (strcmp(filters[i].name, mode) == 0)
            found = &filters[i];
    if (!found && strcmp(mode, "nearest") != 0)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    if (found)
        TRY(sample_filtered(c, a, at, found, out));
    else
        TRY(sample_nearest(c, a, at, out));
    for (int64_t i = 0; at == crop_and_resize && i < a->out; i++) {
        double x = at(a, (double)i);
        out->outside[i] = x < 0.0 || x > (double)(a->in - 1);
    }
    return HEED_OK;
}
