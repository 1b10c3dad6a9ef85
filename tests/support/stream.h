/* stream.h - how fast this machine reads memory: the limit of decoding, whose tokens each read all
 * weights. */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>

/* Bytes a second that `threads` threads read together, each its own part of `bytes` (much more than
 * the caches hold), the best of `rounds`. 0 when there is no memory for it. */
double stream_read(size_t bytes, unsigned threads, int rounds);

#endif
