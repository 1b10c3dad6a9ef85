/* half.c - encodings of floats below 32 bits, one element at a time: bit arithmetic that knows
 * nothing of buffers. The 16-bit ones are written without branches, so that loops over them
 * vectorise; the 8- and 4-bit ones share one routine driven by a table of formats. */
#include "base/half.h"

#include <math.h>
#include <string.h>

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- 16 bits ------------------------------------------------------------------------------- */

float half_to_float(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t rest = bits & 0x7fffu;
    uint32_t normal = (rest << 13) + (112u << 23);
    uint32_t special = (rest << 13) | 0x7f800000u;
    uint32_t subnormal = float_bits((float)(int32_t)rest * 0x1p-24f);
    uint32_t value = rest >= 0x7c00u ? special : (rest < 0x400u ? subnormal : normal);
    return float_of(sign | value);
}

uint16_t half_from_float(float value)
{
    uint32_t bits = float_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t rest = bits & 0x7fffffffu;
    uint32_t normal = ((rest + 0xfffu + ((rest >> 13) & 1u)) >> 13) - (112u << 10);
    /* Between 1/2 and 1 floats are 2^-24 apart, which is the distance of subnormal halves. */
    uint32_t subnormal = float_bits(float_of(rest) + 0.5f) - float_bits(0.5f);
    uint32_t special = rest > 0x7f800000u ? 0x7e00u : 0x7c00u;
    uint32_t out = rest >= 0x47800000u ? special : (rest < 0x38800000u ? subnormal : normal);
    return (uint16_t)(sign | out);
}

float bfloat_to_float(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t bfloat_from_float(float value)
{
    uint32_t bits = float_bits(value);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

float float_round_odd(double value)
{
    float nearest = (float)value;
    uint32_t bits = float_bits(nearest);
    if ((double)nearest == value || !isfinite(value) || (bits & 1u))
        return nearest;
    if (isinf(nearest))
        return float_of(bits - 1); /* the largest finite one is odd */
    /* Inexact and even: the odd neighbour on the other side of the value. */
    bool towards_zero = fabs((double)nearest) > fabs(value);
    return float_of(towards_zero ? bits - 1 : bits + 1);
}

/* ---- 8 and 4 bits ---------------------------------------------------------------------------- */

typedef struct small_format {
    int bits, mantissa, bias;
    uint8_t largest;    /* code of the largest finite number */
    uint8_t infinity;   /* 0: there is none */
    uint8_t nan;        /* 0: there is none */
    bool unsigned_zero; /* the code of -0 is the one NaN */
} small_format;

// clang-format off
static const small_format formats[HEED_DTYPE_COUNT] = {
    /*                       bits man bias largest inf   nan   unsigned zero */
    [HEED_FLOAT8E4M3FN]   = {8,   3,  7,   0x7e,   0,    0x7f, false},
    [HEED_FLOAT8E4M3FNUZ] = {8,   3,  8,   0x7f,   0,    0x80, true},
    [HEED_FLOAT8E5M2]     = {8,   2,  15,  0x7b,   0x7c, 0x7e, false},
    [HEED_FLOAT8E5M2FNUZ] = {8,   2,  16,  0x7f,   0,    0x80, true},
    [HEED_FLOAT4E2M1]     = {4,   1,  1,   0x07,   0,    0,    false},
};
// clang-format on

float small_to_float(heed_dtype dtype, uint8_t bits)
{
    const small_format *f = &formats[dtype];
    uint32_t sign_bit = 1u << (f->bits - 1);
    uint32_t sign = (bits & sign_bit) ? 0x80000000u : 0;
    uint32_t rest = bits & (sign_bit - 1);
    if (f->unsigned_zero && bits == f->nan)
        return NAN;
    if (rest > f->largest)
        return float_of(sign | (rest == f->infinity ? 0x7f800000u : 0x7fc00000u));
    uint32_t exponent = rest >> f->mantissa;
    if (exponent == 0) {
        float unit = float_of((uint32_t)(128 - f->bias - f->mantissa) << 23);
        return float_of(sign | float_bits((float)(int32_t)rest * unit));
    }
    uint32_t up = (uint32_t)(127 - f->bias) << 23;
    return float_of(sign | ((rest << (23 - f->mantissa)) + up));
}

/* The code of a finite magnitude, rounded to nearest even; may exceed the largest one. */
static uint32_t small_magnitude(const small_format *f, float value)
{
    if (value > 0x1p20f)
        return UINT32_MAX; /* beyond every format */
    int lowest = 1 - f->bias;
    int exponent = (int)(float_bits(value) >> 23) - 127;
    bool normal = exponent >= lowest;
    int unit = (normal ? exponent : lowest) - f->mantissa;
    /* A multiple of the unit; a carry moves on to the next exponent by itself. */
    uint32_t count = (uint32_t)rintf(ldexpf(value, -unit));
    if (!normal)
        return count;
    return ((uint32_t)(exponent - lowest) << f->mantissa) + count;
}

uint8_t small_from_float(heed_dtype dtype, float value, bool saturate)
{
    const small_format *f = &formats[dtype];
    uint32_t sign = signbit(value) ? 1u << (f->bits - 1) : 0;
    if (f->nan == 0)
        saturate = true;
    if (isnan(value))
        return (uint8_t)(f->unsigned_zero ? f->nan : sign | f->nan);
    uint32_t code = small_magnitude(f, fabsf(value));
    if (code > f->largest) {
        if (!saturate)
            return (uint8_t)(f->unsigned_zero ? f->nan
                                              : sign | (f->infinity ? f->infinity : f->nan));
        code = f->largest;
    }
    if (f->unsigned_zero && code == 0)
        return 0;
    return (uint8_t)(sign | code);
}

/* ---- Scales: 8 bits of exponent -------------------------------------------------------------- */

float scale_to_float(uint8_t bits)
{
    if (bits == 0xff)
        return NAN;
    return bits == 0 ? 0x1p-127f : float_of((uint32_t)bits << 23);
}

uint8_t scale_from_float(float value, scale_round mode, bool saturate)
{
    uint32_t bits = float_bits(value);
    if (isnan(value) || signbit(value))
        return 0xff;
    if (isinf(value))
        return saturate ? 0xfe : 0xff;
    uint32_t exponent = bits >> 23;
    uint32_t rest = bits & 0x7fffffu;
    uint32_t half = 0x400000u;
    if (exponent == 0) {
        /* Below 2^-126 only 2^-127 is left, whose mantissa is the half. */
        bool up = mode == SCALE_UP ? rest > half : mode == SCALE_NEAREST && rest > half + half / 2;
        return up ? 1 : 0;
    }
    bool up = mode == SCALE_UP ? rest > 0 : mode == SCALE_NEAREST && rest >= half;
    exponent += up;
    if (exponent >= 0xff)
        return saturate ? 0xfe : 0xff;
    return (uint8_t)exponent;
}
