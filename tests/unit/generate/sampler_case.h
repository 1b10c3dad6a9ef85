/* sampler_case.h - random logits, and a sampler's choice among them, for the tests of samplers. */
#ifndef TESTS_SAMPLER_CASE_H
#define TESTS_SAMPLER_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "generate/sampler_parts.h"

static uint64_t state_of_draws = 1;

static inline uint32_t draw(uint32_t n) { return draw_below(&state_of_draws, n); }

/* Nearly normal: mean 0, deviation 1. */
static inline float normal(void)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (float)draw(1 << 20) / (1 << 20);
    return sum - 6;
}

/* The logits stay as they are. */
static inline int32_t choose(sampler *s, const float *logits, size_t n)
{
    float *copy = malloc(n * sizeof(*copy));
    int32_t token = -1;
    memcpy(copy, logits, n * sizeof(*copy));
    assert_int_equal(sampler_choose(s, copy, &token), HEED_OK);
    assert_true(token >= 0 && (size_t)token < n);
    free(copy);
    return token;
}

static inline sampler *make(heed_sampling options, size_t n)
{
    sampler *s = NULL;
    options.size = sizeof(options);
    assert_int_equal(sampler_new(&options, (int64_t)n, &s), HEED_OK);
    return s;
}

#endif
