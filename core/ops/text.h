/* text.h - numbers as text and text as numbers, for Cast. */
#ifndef HEED_OPS_TEXT_H
#define HEED_OPS_TEXT_H

#include "base/tensor.h"

/* Casts every element of `in` to `out`'s dtype, where at least one of them is string. */
heed_status text_cast(heed_tensor *out, const heed_tensor *in);

#endif
