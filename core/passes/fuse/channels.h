/* channels.h - what each channel of a value is made of, looking through everything that only moves
 * channels: slices, splits, concatenations, reshapes, gathers, transposes, negations.
 *
 * The channels of a value are the elements of its trailing axes; what stands before them is the
 * row. Movement that touches rows ends the trace: the value is then a source of its own. A channel
 * is a sum of up to two terms, a term a source's channel or the product of two. Rows are never
 * named: they broadcast from the right, as the arithmetic itself does. */
#ifndef HEED_PASSES_CHANNELS_H
#define HEED_PASSES_CHANNELS_H

#include "passes/pass.h"

enum { CHANNELS_MOST = 1024, CHANNELS_AXES = 5 };

/* One channel of a source. */
typedef struct channel_ref {
    const ir_value *value;
    int32_t axes; /* how many trailing axes are its channels */
    int32_t at;
} channel_ref;

typedef struct channel_term {
    channel_ref factor[2]; /* the second has value NULL when there is only one */
    bool negative;
} channel_term;

typedef struct channel {
    int32_t n;
    channel_term term[2];
} channel;

/* A value that the trace came through. */
typedef struct channels {
    struct channels *next;
    ir_value *value;
    int32_t axes;
    bool sums; /* sums and products were looked into as well */
    int32_t n;
    channel *at;
} channels;

typedef struct channel_trace {
    arena *memory;
    channels *seen;
    int32_t n_seen, depth;
    bool failed; /* no memory; the error is set */
} channel_trace;

/* The channels of the last `axes` axes. With `sums`, sums and products are looked into; below a
 * product nothing but movement is. NULL: too many, or not known how many; or no memory. */
channels *channels_of(channel_trace *t, ir_value *v, int32_t axes, bool sums);

bool channel_same_ref(const channel_ref *a, const channel_ref *b);
bool channel_same(const channel *a, const channel *b);
/* It is one channel of a source as it stands. */
bool channel_plain(const channel *c);

#endif
