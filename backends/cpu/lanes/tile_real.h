/* The tile registers of AMX: configuration, load, zero, dot of pairs of bfloat16, store. Numbers of
 * tiles are constants; strides are in bytes. Compilers do not know what a load reads: TILE_FENCE
 * keeps them from moving stores past it. tile_plain.h has the same in plain C. */
#ifndef CPU_LANES_TILE_H
#define CPU_LANES_TILE_H

#include <immintrin.h>

#define TILE_CONFIGURE(config)    _tile_loadconfig(config)
#define TILE_FENCE()              __asm__ volatile("" ::: "memory")
#define TILE_RELEASE()            _tile_release()
#define TILE_ZERO(t)              _tile_zero(t)
#define TILE_LOAD(t, x, stride)   _tile_loadd(t, x, stride)
#define TILE_STORE(t, to, stride) _tile_stored(t, to, stride)
#define TILE_DOT(c, a, b)         _tile_dpbf16ps(c, a, b)

#endif
