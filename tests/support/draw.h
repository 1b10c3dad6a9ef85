/* draw.h - numbers that are the same in each run: a linear congruential generator (Knuth, MMIX). */
#ifndef TESTS_DRAW_H
#define TESTS_DRAW_H

#include <stdint.h>

/* The state's next one. */
static inline uint64_t draw_next(uint64_t *state)
{
    return *state = *state * 6364136223846793005u + 1442695040888963407u;
}

/* Below n. */
static inline uint32_t draw_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(draw_next(state) >> 33) % n;
}

#endif
