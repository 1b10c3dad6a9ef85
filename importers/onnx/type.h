/* type.h - TypeProto becomes heed_type. */
#ifndef ONNX_TYPE_H
#define ONNX_TYPE_H

#include "report.h"

struct Onnx__TypeProto;

/* In scratch. *out is NULL for an absent type; HEED_UNSUPPORTED for one the runtime lacks. */
heed_status onnx_type_read(onnx_context *c, const struct Onnx__TypeProto *proto,
                           const onnx_place *at, const heed_type **out);
/* A type as text, "seq(tensor(float32))", for attributes that hold one. NULL: no memory. */
const char *onnx_type_text(onnx_context *c, const heed_type *type);

#endif
