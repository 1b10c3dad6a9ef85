/* point.h - values of a tensor at places between its elements.
 *
 * A coordinate on an axis becomes the elements around it with a weight each (point_linear ...), a
 * rule says what lies outside of the axis (point_inside ...), the axes together make a point
 * (point_set), and a point is read in as many planes as there are (point_value). */
#ifndef HEED_OPS_POINT_H
#define HEED_OPS_POINT_H

#include "ops/op.h"

#define POINT_TAPS 4 /* most elements of one axis */

typedef struct point_axis {
    int32_t n;
    int64_t at[POINT_TAPS]; /* may lie outside until a rule was applied */
    double weight[POINT_TAPS];
} point_axis;

/* Any x: what is no number or far away lies outside. */
void point_nearest(point_axis *a, double x); /* the element at x, which is whole */
void point_linear(point_axis *a, double x);
void point_cubic(point_axis *a, double x);

void point_inside(point_axis *a, int64_t extent); /* what lies outside is left out */
void point_clamp(point_axis *a, int64_t extent);  /* the outermost element goes on for ever */
/* Elements are mirrored at low and at high, as often as it takes. */
void point_reflect(point_axis *a, int64_t extent, double low, double high);
double point_mirror(double x, double low, double high);
/* Elements that occur more than once become one: at most `extent` are left. */
void point_merge(point_axis *a);

typedef struct point {
    int64_t n;
    int64_t *at; /* offsets in a plane */
    double *weight;
} point;

/* Room for `taps` elements. */
heed_status point_reserve(op_call *c, int64_t taps, point *p);
void point_set(point *p, int32_t rank, const point_axis *axes, const int64_t *extents);

/* A tensor to be read at points: in place, or widened into scratch. */
typedef struct point_image {
    const float *f32;
    const double *f64;
    int parts; /* 2: complex numbers */
} point_image;

heed_status point_open(op_call *c, const heed_tensor *t, point_image *image);
/* In the plane whose first element is `first`: the sum of the weighted elements (the real part). */
double point_value(const point *p, const point_image *image, int64_t first);
/* The same, stored as element `to`; complex numbers whole. */
void point_store(const point *p, const point_image *image, int64_t first, heed_tensor *out,
                 int64_t to);
/* The largest of the weighted elements, each by itself. */
double point_largest(const point *p, const point_image *image, int64_t first);

#endif
