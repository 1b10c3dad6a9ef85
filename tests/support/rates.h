/* How many multiply-adds the machine can do, to compare kernels with. */
#ifndef RATES_H
#define RATES_H

#include <stdbool.h>

/* Billions of operations (two a multiply-add) a second of float32, or of products of bfloat16 where
 * the machine has an instruction for them, of all threads together. */
double rates_peak(unsigned threads, bool bf16);

#endif
