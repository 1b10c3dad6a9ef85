/* causal_conv.h - one channel of a causal convolution, which its operators share. */
#ifndef HEED_OPS_CAUSAL_CONV_H
#define HEED_OPS_CAUSAL_CONV_H

#include "ops/loops.h"

typedef struct causal {
    int64_t length, k, dilation;
    bool swish;
    double *row, *weight, *sum; /* row: what is carried, then the input */
} causal;

/* How much of the past a channel carries on. */
static inline int64_t causal_carried(const causal *w) { return (w->k - 1) * w->dilation; }

/* Reads the activation, and makes room for rows of up to w->length elements behind the carried. */
heed_status causal_open(op_call *c, causal *w);
/* sum[0..length) from row and weight. */
void causal_convolve(const op_call *c, const causal *w, double bias);

#endif
