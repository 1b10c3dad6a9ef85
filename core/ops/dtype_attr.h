/* dtype_attr.h - the output type that an attribute names: dtype=11, output_datatype=1. */
#ifndef HEED_OPS_DTYPE_ATTR_H
#define HEED_OPS_DTYPE_ATTR_H

#include "ops/op.h"

/* Sets output 0's dtype from the attribute, or to `missing` when it is not there. `allowed` says
 * which types the operator can give; the error names the attribute. */
heed_status infer_dtype_attr(op_infer *c, const char *attr, heed_dtype missing,
                             bool (*allowed)(heed_dtype dtype));

bool dtype_is_real(heed_dtype dtype); /* integers and floats */

#endif
