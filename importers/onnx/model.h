/* model.h - ModelProto: versions, facts, functions, the main graph. */
#ifndef ONNX_MODEL_H
#define ONNX_MODEL_H

#include "report.h"

enum { OPSET_MIN = 1, OPSET_MAX = 28, IR_MIN = 3, IR_MAX = 14 };

struct Onnx__OperatorSetIdProto;

/* "" for ai.onnx, also when NULL; other domains unchanged. */
const char *onnx_domain_normal(const char *domain);
/* The version of ai.onnx among the imports, checked; 0 when it is not among them. */
heed_status onnx_opset_read(onnx_context *c, struct Onnx__OperatorSetIdProto *const *imports,
                            size_t n, const onnx_place *at, int64_t *version);
heed_status onnx_model_load(onnx_context *c);
/* How sure are we that these bytes are a ModelProto? As heed_importer.probe. */
uint32_t onnx_model_probe(const uint8_t *bytes, uint64_t n_bytes);

#endif
