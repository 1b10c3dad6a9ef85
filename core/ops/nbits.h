/* nbits.h - weights of 2, 3, 4 or 8 bits in bytes, low bits first, with a scale and a zero point
 * for each block of neighbours in a row. */
#ifndef HEED_OPS_NBITS_H
#define HEED_OPS_NBITS_H

#include "ops/rows.h"

typedef struct nbits {
    row_source rows; /* first */
    uint32_t bits;
    int64_t block, blocks; /* elements of a block; blocks of a row */
    int64_t row_bytes;     /* from one row to the next */
    const uint8_t *data;
    const heed_tensor *scales; /* [rows, blocks], from scale_first on */
    int64_t scale_first;
    const heed_tensor *zeros; /* NULL: 2^(bits-1) each */
    bool zeros_packed;        /* as the weights are, each row from a byte of its own */
    int64_t zero_first;       /* elements; bytes when packed */
    int64_t zero_bytes;       /* of a row when packed */
    bool zeros_by_row;        /* packed, one a row and one after the other */
    const int64_t *groups;    /* the block of each element of a row, or NULL: in order */
} nbits;

/* Sets rows.load. */
void nbits_init(nbits *w);

/* Element i of bytes that hold numbers of so many bits, of which some may begin in one byte and end
 * in the next. */
static inline uint32_t nbits_get(uint32_t bits, const uint8_t *data, int64_t i)
{
    int64_t at = i * (int64_t)bits;
    uint32_t shift = (uint32_t)(at % 8), value = (uint32_t)data[at / 8] >> shift;
    if (shift + bits > 8)
        value |= (uint32_t)data[at / 8 + 1] << (8 - shift);
    return value & ((1u << bits) - 1);
}

#endif
