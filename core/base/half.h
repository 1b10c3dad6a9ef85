/* half.h - one element of the floats below 32 bits that are described by a format: 8 and 4 bits.
 * (float16 and bfloat16 are in dtype.h, for everyone; these are for convert.c and Cast.) */
#ifndef HEED_BASE_HALF_H
#define HEED_BASE_HALF_H

#include "base/dtype.h"

float small_to_float(heed_dtype dtype, uint8_t bits);
/* Rounds to nearest even. */
uint8_t small_from_float(heed_dtype dtype, float value, bool saturate);

/* Powers of two without sign or mantissa (float8e8m0). */
typedef enum scale_round { SCALE_NEAREST, SCALE_UP, SCALE_DOWN } scale_round;
float scale_to_float(uint8_t bits);
uint8_t scale_from_float(float value, scale_round mode, bool saturate);

/* double to float such that a later rounding to fewer bits is the rounding of the double: an
 * inexact result has its last bit set (rounding to odd). */
float float_round_odd(double value);

#endif
