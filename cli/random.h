/* random.h - the command's one generator of random numbers: fills, orders, resampling. */
#ifndef HEED_CLI_RANDOM_H
#define HEED_CLI_RANDOM_H

#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood 2014); any state will do as a seed. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
