/* sort.c - see sort.h. Merging from the bottom up: the same time for every input, no recursion, and
 * unlike qsort it is stable and takes a context. */
#include "ops/sort.h"

#include <string.h>

/* from[first..middle) and from[middle..last) become to[first..last). */
static void merge(int64_t first, int64_t middle, int64_t last, sort_compare *compare,
                  const void *context, const int64_t *from, int64_t *to)
{
    int64_t a = first, b = middle;
    for (int64_t i = first; i < last; i++) {
        bool left = a < middle && (b >= last || compare(context, from[a], from[b]) <= 0);
        to[i] = from[left ? a++ : b++];
    }
}

void sort_indices(int64_t n, sort_compare *compare, const void *context, int64_t *indices,
                  int64_t *spare)
{
    int64_t *from = indices, *to = spare;
    for (int64_t i = 0; i < n; i++)
        indices[i] = i;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t first = 0; first < n; first += 2 * width) {
            int64_t middle = first + width < n ? first + width : n;
            int64_t last = first + 2 * width < n ? first + 2 * width : n;
            merge(first, middle, last, compare, context, from, to);
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != indices)
        memcpy(indices, from, (size_t)n * sizeof(*indices));
}
