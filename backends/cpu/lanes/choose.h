/* The loop of Where: bits are moved, so one loop serves all data types of a size. */
#ifndef CPU_LANES_CHOOSE_H
#define CPU_LANES_CHOOSE_H

#include "lanes.h"

#define CHOOSE(name, type)                                                                         \
    static inline void name(type *z, const uint8_t *c, const type *x, const type *y, size_t n,     \
                            size_t sc, size_t sx, size_t sy)                                       \
    {                                                                                              \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                         \
        {                                                                                          \
            type yes = x[i * sx], no = y[i * sy];                                                  \
            z[i] = c[i * sc] ? yes : no;                                                           \
        }                                                                                          \
    }                                                                                              \
    static void name##_steps(void *z, const uint8_t *c, const void *x, const void *y, size_t n,    \
                             const size_t step[3])                                                 \
    {                                                                                              \
        unsigned form = (unsigned)(step[0] << 2 | step[1] << 1 | step[2]);                         \
        if (form == 7)                                                                             \
            name(z, c, x, y, n, 1, 1, 1);                                                          \
        else if (form == 6)                                                                        \
            name(z, c, x, y, n, 1, 1, 0);                                                          \
        else if (form == 5)                                                                        \
            name(z, c, x, y, n, 1, 0, 1);                                                          \
        else                                                                                       \
            name(z, c, x, y, n, step[0], step[1], step[2]);                                        \
    }

CHOOSE(choose_1, uint8_t)
CHOOSE(choose_2, uint16_t)
CHOOSE(choose_4, uint32_t)
CHOOSE(choose_8, uint64_t)

static void choose(void *z, const uint8_t *c, const void *x, const void *y, size_t n,
                   const size_t step[3], size_t bytes)
{
    if (bytes == 4)
        choose_4_steps(z, c, x, y, n, step);
    else if (bytes == 8)
        choose_8_steps(z, c, x, y, n, step);
    else if (bytes == 2)
        choose_2_steps(z, c, x, y, n, step);
    else
        choose_1_steps(z, c, x, y, n, step);
}

#undef CHOOSE
#endif
