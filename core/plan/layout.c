/* layout.c - best fit over holes that are kept sorted and merged. The planner calls take and give
 * in the order of execution, so that one pass over the nodes plans the arena. */
#include "plan/layout.h"

#include <string.h>

typedef struct layout_hole {
    size_t offset, bytes;
} layout_hole;

static size_t rounded(size_t bytes)
{
    return (bytes + MEM_ALIGNMENT - 1) & ~(size_t)(MEM_ALIGNMENT - 1);
}

static void remove_hole(layout *l, size_t i)
{
    memmove(l->holes + i, l->holes + i + 1, (l->n_holes - i - 1) * sizeof(*l->holes));
    l->n_holes--;
}

static heed_status insert_hole(layout *l, size_t i, layout_hole hole)
{
    TRY(mem_grow(&l->holes, &l->capacity, l->n_holes, sizeof(*l->holes)));
    memmove(l->holes + i + 1, l->holes + i, (l->n_holes - i) * sizeof(*l->holes));
    l->holes[i] = hole;
    l->n_holes++;
    return HEED_OK;
}

heed_status layout_take(layout *l, size_t bytes, size_t *offset)
{
    size_t best = l->n_holes, want = rounded(bytes);
    for (size_t i = 0; i < l->n_holes; i++)
        if (l->holes[i].bytes >= want &&
            (best == l->n_holes || l->holes[i].bytes < l->holes[best].bytes))
            best = i;
    if (want < bytes)
        return err_nomem(bytes);
    if (best < l->n_holes) {
        layout_hole *hole = &l->holes[best];
        *offset = hole->offset;
        hole->offset += want;
        hole->bytes -= want;
        if (hole->bytes == 0)
            remove_hole(l, best);
        return HEED_OK;
    }
    size_t top;
    if (!size_add(l->top, want, &top))
        return err_nomem(bytes);
    *offset = l->top;
    l->top = top;
    l->peak = l->top > l->peak ? l->top : l->peak;
    return HEED_OK;
}

heed_status layout_give(layout *l, size_t offset, size_t bytes)
{
    layout_hole hole = {offset, rounded(bytes)};
    size_t i = 0;
    if (hole.bytes == 0)
        return HEED_OK;
    while (i < l->n_holes && l->holes[i].offset < offset)
        i++;
    if (i < l->n_holes && hole.offset + hole.bytes == l->holes[i].offset) {
        hole.bytes += l->holes[i].bytes;
        remove_hole(l, i);
    }
    if (i > 0 && l->holes[i - 1].offset + l->holes[i - 1].bytes == hole.offset) {
        hole.offset = l->holes[i - 1].offset;
        hole.bytes += l->holes[i - 1].bytes;
        remove_hole(l, --i);
    }
    if (hole.offset + hole.bytes == l->top) {
        l->top = hole.offset;
        return HEED_OK;
    }
    return insert_hole(l, i, hole);
}

void layout_free(layout *l)
{
    mem_free(l->holes);
    *l = (layout){0};
}
