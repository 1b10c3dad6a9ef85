/* locate.h - finds the byte at which an element stands, from its path. Only messages need it. */
#ifndef ONNX_LOCATE_H
#define ONNX_LOCATE_H

#include "place.h"
#include "rules.h"
#include "wire.h"

/* The offset of `at` in a file whose top message follows `top`; where it cannot be found (an entry
 * of a packed run), that of the closest element around it. */
uint64_t onnx_locate(const onnx_rules *top, onnx_range file, const onnx_place *at);

#endif
