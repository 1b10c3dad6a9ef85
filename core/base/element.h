/* element.h - how elements of each dtype lie in memory: one row each, with how they are loaded into
 * their compute type and stored from it. convert.c builds every other conversion on these. */
#ifndef HEED_BASE_ELEMENT_H
#define HEED_BASE_ELEMENT_H

#include "base/dtype.h"

/* Compute types of blocks. BOOL travels as uint64 0 or 1, with conversions of its own: any value
 * but zero is true. */
typedef enum element_via {
    VIA_NONE,
    VIA_F32,
    VIA_F64,
    VIA_I64,
    VIA_U64,
    VIA_BOOL,
    VIA_COUNT
} element_via;

typedef void element_load(heed_dtype dtype, const uint8_t *data, int64_t first, int64_t n,
                          void *out);
typedef void element_store(heed_dtype dtype, uint8_t *data, int64_t first, int64_t n,
                           const void *in, bool saturate);

typedef struct element_row {
    element_via via; /* VIA_NONE: not numeric, load and store are NULL */
    element_load *load;
    element_store *store;
    bool rounded; /* has fewer digits than its compute type: doubles arrive rounded to odd */
} element_row;

extern const element_row element_rows[HEED_DTYPE_COUNT];

/* Element i of a packed type of 2 or 4 bits. */
uint8_t element_get_packed(uint32_t bits, const uint8_t *data, int64_t i);
void element_set_packed(uint32_t bits, uint8_t *data, int64_t i, uint32_t value);

#endif
