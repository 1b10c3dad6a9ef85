/* utf8.h - is this text UTF-8 without zero bytes? Apart because it is a standard of its own. */
#ifndef ONNX_UTF8_H
#define ONNX_UTF8_H

#include "wire.h"

/* The first byte that breaks the encoding or is zero, or NULL. Along the way the longest run of
 * '~' is kept in *tildes, because a run that is longer marks the names that we invent. */
const uint8_t *onnx_utf8_fault(onnx_range text, uint32_t *tildes);

#endif
