/* past_state.h - what the past tensors of one sequence hold after some of its tokens. Never changed
 * once it is made, so forks share it; counted, for one thread at a time. */
#ifndef HEED_GENERATE_PAST_STATE_H
#define HEED_GENERATE_PAST_STATE_H

#include "base/tensor.h"

typedef struct past_state {
    uint32_t references;
    uint32_t n;
    size_t length; /* tokens */
    heed_tensor *tensors[];
} past_state;

/* Room for n tensors, all NULL. One reference. */
past_state *past_state_new(uint32_t n, size_t length);
past_state *past_state_hold(past_state *s); /* NULL is legal */
void past_state_drop(past_state *s);
/* A tensor of `extent` along the axis, with what fits of `from`; zeros behind. */
heed_status past_resize(const heed_tensor *from, int32_t axis, int64_t extent, heed_tensor **out);

#endif
