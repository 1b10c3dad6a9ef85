/* What the machine can do, to compare kernels with: multiply-adds and bytes read from memory. */
#ifndef RATES_H
#define RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Billions of operations (two a multiply-add) a second of float32, or of products of bfloat16 where
 * the machine has an instruction for them, of all threads together. */
double rates_peak(unsigned threads, bool bf16);
/* Billions of bytes a second that threads read from memory of so many bytes. */
double rates_stream(unsigned threads, size_t bytes);

#endif
