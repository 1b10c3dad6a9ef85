/* value.h - single values in ONNX's serialisation, for heed_importer.read_value. */
#ifndef ONNX_VALUE_H
#define ONNX_VALUE_H

#include "heed/importer.h"

heed_status onnx_value_read(const heed_host *host, const heed_source *source, const heed_type *type,
                            heed_status (*sink)(void *arg, const char *name,
                                                const DLTensor *tensor),
                            void *arg);

#endif
