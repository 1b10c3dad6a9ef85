/* How float16 and bfloat16 reach float32 loops: blocks on the stack, converted in and out. */
#ifndef CPU_HALF_H
#define CPU_HALF_H

#include "cpu.h"

enum { CPU_HALF_BLOCK = 512 };

/* The two conversions of a half type; NULL for every other type. */
typedef struct cpu_half {
    cpu_map *widen, *narrow;
} cpu_half;

static inline bool cpu_half_is(heed_dtype dtype)
{
    return dtype == HEED_FLOAT16 || dtype == HEED_BFLOAT16;
}

/* What float32 loops can be for. */
static inline bool cpu_real_is(heed_dtype dtype)
{
    return dtype == HEED_FLOAT32 || cpu_half_is(dtype);
}

static inline cpu_half cpu_half_find(const cpu_lanes *lanes, heed_dtype dtype)
{
    cpu_half half = {NULL, NULL};
    if (cpu_half_is(dtype)) {
        half.widen = cpu_convert_find(lanes, dtype, HEED_FLOAT32);
        half.narrow = cpu_convert_find(lanes, HEED_FLOAT32, dtype);
    }
    return half;
}

#endif
