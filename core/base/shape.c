/* shape.c - arithmetic on shapes: plain numbers without tensors around them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/tensor.h"

bool shape_count(int32_t rank, const int64_t *dims, int64_t *count)
{
    int64_t n = 1;
    bool fits = true;
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        empty |= dims[i] == 0;
        fits &= !__builtin_mul_overflow(n, dims[i], &n);
    }
    *count = empty ? 0 : n;
    return fits || empty;
}

bool shape_equal(int32_t rank_a, const int64_t *a, int32_t rank_b, const int64_t *b)
{
    if (rank_a != rank_b)
        return false;
    for (int32_t i = 0; i < rank_a; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

const char *shape_text(int32_t rank, const int64_t *dims, char *text, size_t size)
{
    size_t used = 0;
    if (rank == 0)
        snprintf(text, size, "scalar");
    for (int32_t i = 0; i < rank && used < size; i++) {
        const char *between = i > 0 ? "x" : "";
        int n = dims[i] < 0 ? snprintf(text + used, size - used, "%s?", between)
                            : snprintf(text + used, size - used, "%s%" PRId64, between, dims[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}
