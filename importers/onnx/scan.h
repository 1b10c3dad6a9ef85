/* scan.h - checks the wire format of a whole file before anything is decoded.
 *
 * protobuf-c recurses without a limit, multiplies small inputs into large heaps and fails without
 * a reason. The scan does none of this: it is iterative, allocates nothing, and says where. After
 * it, every tag, length, wire type and text of the known fields is known to be sound. */
#ifndef ONNX_SCAN_H
#define ONNX_SCAN_H

#include "report.h"
#include "rules.h"

enum { SCAN_DEPTH_MAX = 100 };

heed_status onnx_scan(onnx_context *c);

#endif
