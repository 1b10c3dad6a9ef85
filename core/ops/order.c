/* order.c - every real dtype is brought into one order of 64-bit keys, so that searching and
 * sorting are written once. */
#include "ops/order.h"

#include <string.h>

#define SIGN ((uint64_t)1 << 63)

static uint64_t key_of_double(double value, bool smallest, bool nan_first)
{
    uint64_t bits;
    if (value != value)
        return nan_first || !smallest ? UINT64_MAX : 0;
    value += 0.0; /* -0 becomes 0: the two are equal */
    memcpy(&bits, &value, sizeof bits);
    bits = bits & SIGN ? ~bits : bits | SIGN;
    return smallest ? ~bits : bits;
}

void order_keys(const heed_tensor *t, const loop_lines *lines, int64_t o, int64_t j, bool smallest,
                bool nan_first, uint64_t *keys)
{
    bool real = dtype_is_float(t->dtype);
    bool is_signed = dtype_is_signed(t->dtype);
    dtype_class class = real ? CLASS_F64 : (is_signed ? CLASS_I64 : CLASS_U64);
    loop_load_line(t, class, lines, o, j, keys);
    for (int64_t i = 0; i < lines->n; i++) {
        double value;
        memcpy(&value, &keys[i], sizeof value);
        uint64_t key = is_signed ? keys[i] ^ SIGN : keys[i];
        keys[i] = real ? key_of_double(value, smallest, nan_first) : (smallest ? ~key : key);
    }
}

/* ---- The k largest: a heap whose root is the worst that is kept ----------------------------- */

static bool before(const uint64_t *keys, int64_t a, int64_t b)
{
    return keys[a] > keys[b] || (keys[a] == keys[b] && a < b);
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t t = *a;
    *a = *b;
    *b = t;
}

/* Restores the heap of n entries below `at`: no child is worse than its parent is. */
static void sink(const uint64_t *keys, int64_t *heap, int64_t n, int64_t at)
{
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(keys, heap[child], heap[child + 1]))
            child++;
        if (!before(keys, heap[at], heap[child]))
            return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}

void order_top(const uint64_t *keys, int64_t n, int64_t k, int64_t *indices)
{
    if (k <= 0)
        return;
    for (int64_t i = 0; i < k; i++)
        indices[i] = i;
    for (int64_t i = k / 2; i-- > 0;)
        sink(keys, indices, k, i);
    for (int64_t i = k; i < n; i++) {
        if (!before(keys, i, indices[0]))
            continue;
        indices[0] = i;
        sink(keys, indices, k, 0);
    }
    for (int64_t left = k - 1; left > 0; left--) {
        swap(&indices[0], &indices[left]);
        sink(keys, indices, left, 0);
    }
}
