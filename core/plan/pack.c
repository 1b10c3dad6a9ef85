/* pack.c - one block after the other, each as low as it fits among those that live when it does.
 *
 * The largest come first, so that they do not end up above holes that small ones keep apart. Where
 * that needs more than lives at any one time, the block that ended highest comes first in the next
 * try, and the best of a few tries is taken. */
#include "plan/pack.h"

#include <stdlib.h>
#include <string.h>

/* Placing takes n^2 steps, the rest of planning n: many tries only for few blocks cost little
 * beside it. */
enum { MOST_TRIES = 16, MOST_PLACED = 1024 };

typedef struct item {
    pack_block *block;
    size_t bytes, offset; /* rounded; in the order that is tried */
} item;

typedef struct packing {
    item *items;
    item **order, **placed; /* placed: sorted by offset */
    size_t n, least;        /* the most that lives at one time */
    size_t best;            /* of the orders so far */
} packing;

static size_t rounded(size_t bytes)
{
    return (bytes + MEM_ALIGNMENT - 1) & ~(size_t)(MEM_ALIGNMENT - 1);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* Larger ones first; of equal ones the longer lives, then the earlier. */
static int by_size(const void *left, const void *right)
{
    const item *a = *(item *const *)left, *b = *(item *const *)right;
    uint32_t age_a = a->block->dies - a->block->born, age_b = b->block->dies - b->block->born;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (age_a != age_b)
        return age_a < age_b ? 1 : -1;
    return a < b ? -1 : a > b;
}

static int by_birth(const void *left, const void *right)
{
    const item *a = *(item *const *)left, *b = *(item *const *)right;
    if (a->block->born != b->block->born)
        return a->block->born < b->block->born ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_death(const void *left, const void *right)
{
    const item *a = *(item *const *)left, *b = *(item *const *)right;
    if (a->block->dies != b->block->dies)
        return a->block->dies < b->block->dies ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Sums that wrap around belong to blocks that fit nowhere. */
static void find_least(packing *p)
{
    size_t dead = 0, load = 0;
    item **born = p->order, **dying = p->placed;
    for (size_t i = 0; i < p->n; i++)
        born[i] = dying[i] = &p->items[i];
    qsort(born, p->n, sizeof(*born), by_birth);
    qsort(dying, p->n, sizeof(*dying), by_death);
    for (size_t i = 0, end; i < p->n; i = end) {
        uint32_t at = born[i]->block->born;
        for (end = i; end < p->n && born[end]->block->born == at; end++)
            load += born[end]->bytes;
        while (dying[dead]->block->dies < at)
            load -= dying[dead++]->bytes;
        p->least = load > p->least ? load : p->least;
    }
}

/* ---- Placing --------------------------------------------------------------------------------- */

static bool meet(const pack_block *a, const pack_block *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

/* The smallest hole among those placed that is large enough. */
static bool place(item *own, item *const *placed, size_t n)
{
    size_t bytes = own->bytes, end = 0, best = SIZE_MAX, spare = SIZE_MAX, sum;
    for (size_t i = 0; i < n; i++) {
        const item *other = placed[i];
        if (!meet(own->block, other->block))
            continue;
        if (other->offset >= end && other->offset - end >= bytes &&
            other->offset - end - bytes < spare) {
            best = end;
            spare = other->offset - end - bytes;
        }
        size_t top = other->offset + other->bytes;
        end = top > end ? top : end;
    }
    own->offset = best < SIZE_MAX ? best : end;
    return bytes >= own->block->bytes && size_add(own->offset, bytes, &sum);
}

static void insert(item **placed, size_t n, item *own)
{
    size_t i = n;
    while (i > 0 && placed[i - 1]->offset > own->offset)
        i--;
    memmove(placed + i + 1, placed + i, (n - i) * sizeof(*placed));
    placed[i] = own;
}

/* Keeps the offsets where they are the best so far; *top is which ended highest. */
static heed_status try_order(packing *p, size_t *top)
{
    size_t peak = 0;
    *top = 0;
    for (size_t i = 0; i < p->n; i++) {
        item *own = p->order[i];
        if (!place(own, p->placed, i))
            return err_nomem(own->block->bytes);
        insert(p->placed, i, own);
        if (own->offset + own->bytes > peak) {
            peak = own->offset + own->bytes;
            *top = i;
        }
    }
    for (size_t i = 0; i < p->n && peak < p->best; i++)
        p->items[i].block->offset = p->items[i].offset;
    p->best = peak < p->best ? peak : p->best;
    return HEED_OK;
}

static heed_status try_orders(packing *p)
{
    size_t tries = p->n ? MOST_PLACED / p->n : 0, top;
    find_least(p);
    qsort(p->order, p->n, sizeof(*p->order), by_size);
    TRY(try_order(p, &top));
    for (size_t i = 0; i < tries && i < MOST_TRIES && p->best > p->least; i++) {
        item *own = p->order[top];
        memmove(p->order + 1, p->order, top * sizeof(*p->order));
        p->order[0] = own;
        TRY(try_order(p, &top));
    }
    return HEED_OK;
}

heed_status pack_blocks(pack_block *blocks, size_t n, size_t *peak)
{
    packing p = {.items = mem_array(n, sizeof(item)),
                 .order = mem_array(n, sizeof(item *)),
                 .placed = mem_array(n, sizeof(item *)),
                 .n = n,
                 .best = SIZE_MAX};
    heed_status status = p.items && p.order && p.placed ? HEED_OK : HEED_NOMEM;
    for (size_t i = 0; !status && i < n; i++)
        p.items[i] = (item){.block = &blocks[i], .bytes = rounded(blocks[i].bytes)};
    if (!status)
        status = try_orders(&p);
    *peak = status ? 0 : p.best;
    mem_free(p.items);
    mem_free(p.order);
    mem_free(p.placed);
    return status;
}
