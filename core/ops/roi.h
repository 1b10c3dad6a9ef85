/* roi.h - what operators on regions of interest share: RoiAlign, MaxRoiPool, CropAndResize.
 *
 * Regions are data: any numbers. Coordinates are computed in the precision of the dtype, as bins
 * and edges would fall on other elements otherwise. */
#ifndef HEED_OPS_ROI_H
#define HEED_OPS_ROI_H

#include "ops/point.h"

enum { ROI_X, ROI_BOXES, ROI_BATCH, ROI_SIZE }; /* inputs; MaxRoiPool has the first two */

/* Output [rois, channels, height, width]; each region has `columns` numbers. */
heed_status roi_infer(op_infer *c, ir_dim columns, ir_dim height, ir_dim width);

typedef struct roi_regions {
    const int64_t *in, *out; /* height and width */
    int64_t channels, in_size, out_size;
    bool single;          /* computed in float */
    const int64_t *batch; /* the image of each region; NULL: the region says it */
    point_image image;
    point point;
} roi_regions;

heed_status roi_open(op_call *c, roi_regions *r);
double roi_fit(const roi_regions *r, double x); /* a double as the result of float arithmetic */
/* The first element of image `index`; fails when there is none. */
heed_status roi_image(const op_call *c, int64_t index, int64_t *first);
void roi_store(const op_call *c, int64_t to, double value);

#endif
