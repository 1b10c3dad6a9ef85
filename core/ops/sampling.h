/* sampling.h - along one axis of Resize: which input elements make an output element, and how
 * much of each. */
#ifndef HEED_OPS_SAMPLING_H
#define HEED_OPS_SAMPLING_H

#include "ops/op.h"

typedef struct sampling_axis {
    int64_t in, out;
    double scale;      /* output over input, as given: out may be its rounding */
    double start, end; /* region of interest, in parts of the input */
} sampling_axis;

typedef struct sampling {
    int64_t taps;    /* input elements for each output element */
    int64_t *from;   /* [out, taps] */
    double *weights; /* [out, taps] */
    bool *outside;   /* [out]: takes the extrapolation value */
} sampling;

/* Reads mode, coordinate_transformation_mode, nearest_mode, antialias, cubic_coeff_a and
 * exclude_outside. The lists are in scratch. */
heed_status sampling_make(op_call *c, const sampling_axis *axis, sampling *out);

/* The weight that cubic interpolation of coefficient `a` gives to an element at distance x >= 0. */
double sampling_cubic(double x, double a);

#endif
