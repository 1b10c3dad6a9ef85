/* Turning pairs of channels: the two loops of heed.RotaryEmbedding, for pairs that lie half a row
 * apart and for neighbours. `wide` is 1 when cosines and sines are given for each channel, 0 when
 * for each pair. y may be x. */
#ifndef CPU_LANES_ROTARY_H
#define CPU_LANES_ROTARY_H

#include "lanes.h"

static void rotary_halves(float *y, const float *x, const float *cosine, const float *sine,
                          size_t pairs, unsigned wide)
{
    const float *cosine2 = cosine + wide * pairs, *sine2 = sine + wide * pairs;
#pragma omp simd
    for (size_t i = 0; i < pairs; i++) {
        float a = x[i], b = x[pairs + i];
        y[i] = a * cosine[i] - b * sine[i];
        y[pairs + i] = b * cosine2[i] + a * sine2[i];
    }
}

static void rotary_neighbours(float *y, const float *x, const float *cosine, const float *sine,
                              size_t pairs, unsigned wide)
{
    size_t step = 1 + wide;
#pragma omp simd
    for (size_t i = 0; i < pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        y[2 * i] = a * cosine[i * step] - b * sine[i * step];
        y[2 * i + 1] = b * cosine[i * step + wide] + a * sine[i * step + wide];
    }
}

#endif
