/* pack.c - the largest first, each as low as it fits among those that live when it does. Large
 * blocks so do not end up above holes that small ones keep apart. */
#include "plan/pack.h"

#include <stdlib.h>
#include <string.h>

static size_t rounded(size_t bytes)
{
    return (bytes + MEM_ALIGNMENT - 1) & ~(size_t)(MEM_ALIGNMENT - 1);
}

/* Larger ones first; of equal ones the longer lives, then the earlier. */
static int by_size(const void *left, const void *right)
{
    const pack_block *a = *(pack_block *const *)left, *b = *(pack_block *const *)right;
    uint32_t age_a = a->dies - a->born, age_b = b->dies - b->born;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (age_a != age_b)
        return age_a < age_b ? 1 : -1;
    return a < b ? -1 : a > b;
}

static bool meet(const pack_block *a, const pack_block *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

/* The smallest hole among `placed`, which are sorted by offset, that is large enough. */
static bool place(pack_block *block, pack_block *const *placed, size_t n)
{
    size_t bytes = rounded(block->bytes), end = 0, best = SIZE_MAX, spare = SIZE_MAX, sum;
    for (size_t i = 0; i < n; i++) {
        const pack_block *other = placed[i];
        if (!meet(block, other))
            continue;
        if (other->offset >= end && other->offset - end >= bytes &&
            other->offset - end - bytes < spare) {
            best = end;
            spare = other->offset - end - bytes;
        }
        size_t top = other->offset + rounded(other->bytes);
        end = top > end ? top : end;
    }
    block->offset = best < SIZE_MAX ? best : end;
    return bytes >= block->bytes && size_add(block->offset, bytes, &sum);
}

static void insert(pack_block **placed, size_t n, pack_block *block)
{
    size_t i = n;
    while (i > 0 && placed[i - 1]->offset > block->offset)
        i--;
    memmove(placed + i + 1, placed + i, (n - i) * sizeof(*placed));
    placed[i] = block;
}

heed_status pack_blocks(pack_block *blocks, size_t n, size_t *peak)
{
    pack_block **order = mem_array(n, sizeof(*order)), **placed = mem_array(n, sizeof(*placed));
    heed_status status = order && placed ? HEED_OK : HEED_NOMEM;
    *peak = 0;
    for (size_t i = 0; !status && i < n; i++)
        order[i] = &blocks[i];
    if (!status)
        qsort(order, n, sizeof(*order), by_size);
    for (size_t i = 0; !status && i < n; i++) {
        pack_block *block = order[i];
        if (!place(block, placed, i)) {
            status = err_nomem(block->bytes);
            break;
        }
        insert(placed, i, block);
        size_t top = block->offset + rounded(block->bytes);
        *peak = top > *peak ? top : *peak;
    }
    mem_free(order);
    mem_free(placed);
    return status;
}
