/* decode.h - one small message at a time through protobuf-c, without its heavy fields. */
#ifndef ONNX_DECODE_H
#define ONNX_DECODE_H

#include "report.h"
#include "rules.h"

/* The decoded message in scratch, or NULL when out of memory: the scan has accepted the file, so
 * there is no other reason. Fields that the rules leave out, and unknown ones, are absent. */
void *onnx_decode(onnx_context *c, const ProtobufCMessageDescriptor *type, const onnx_rules *rules,
                  onnx_range body);

#endif
