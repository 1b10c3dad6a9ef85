/* site_arrange.c - how the axes of a site's operands lie in memory.
 *
 * Operands keep the arrangement that they have; the layout attributes say which. */
#include <string.h>

#include "passes/attention/site_emit.h"

static void append(axes_list *list, uint8_t atom)
{
    if (list->n < AXES_LIST)
        list->atoms[list->n++] = atom;
}

static int which(const site_arrangement *a, uint8_t atom)
{
    for (int i = 0; i < 4; i++)
        if (axes_list_has(&a->axis[i], atom))
            return i;
    return -1;
}

/* Letters in the order in which the tensor has them, when each is in one piece
 * and in order. */
static bool read_letters(const axes *at, site_arrangement *a)
{
    static const char names[] = "bhsd";
    axes_list seen[4] = {{0}};
    int last = -1, n = 0;
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < at->axis[i].n; k++) {
            int at_letter = which(a, at->axis[i].atoms[k]);
            if (at_letter < 0 || (at_letter != last && seen[at_letter].n))
                return false;
            if (at_letter != last)
                a->letters[n++] = names[at_letter];
            last = at_letter;
            append(&seen[at_letter], at->axis[i].atoms[k]);
        }
    for (int i = 0; i < 4; i++) {
        if (seen[i].n && !axes_list_equal(&seen[i], &a->axis[i]))
            return false;
        if (seen[i].n != a->axis[i].n)
            return false; /* something is to be repeated */
    }
    for (int i = 3; i >= 0; i--) { /* axes of extent 1 go to the front */
        if (seen[i].n)
            continue;
        memmove(a->letters + 1, a->letters, (size_t)n);
        a->letters[0] = names[i];
        n++;
    }
    return true;
}

axes site_target(const site_arrangement *a)
{
    static const char names[] = "bhsd";
    axes out = {.rank = 4};
    for (int i = 0; i < 4; i++)
        out.axis[i] = a->axis[strchr(names, a->letters[i]) - names];
    return out;
}

void site_arrange(const axes *at, site_arrangement *a)
{
    memset(a->letters, 0, sizeof(a->letters));
    if (!read_letters(at, a))
        memcpy(a->letters, "bhsd", 5);
}
