/* site_arrange.c - which atoms of a site are sequences, heads, queries and keys, and how they lie
 * in memory.
 *
 * The atoms of the scores fall into sequences (B), heads (H), queries (S) and
 * keys (T); those of the operands' own are channels. Queries that no operand
 * but Q has may be several heads that share keys. Operands keep the site_arrangement
 * that they have in memory; the layout attributes say which. */
#include <string.h>

#include "passes/attention/site_emit.h"

static bool list_of(const axes_list *list, uint8_t atom) { return axes_list_has(list, atom); }

static void append(axes_list *list, uint8_t atom)
{
    if (list->n < AXES_LIST)
        list->atoms[list->n++] = atom;
}

/* The atom lies in one axis with channels of the result: it is a head. */
static bool beside_channels(const site *s, const axes_list *channels, uint8_t atom)
{
    for (int32_t i = 0; i < s->y.at.rank; i++)
        for (uint32_t k = 0; k < channels->n; k++)
            if (list_of(&s->y.at.axis[i], atom) && list_of(&s->y.at.axis[i], channels->atoms[k]))
                return true;
    return false;
}

axes_list site_channels(const site *s)
{
    axes_list out = {0};
    for (int32_t i = 0; i < s->y.at.rank; i++)
        for (uint32_t k = 0; k < s->y.at.axis[i].n; k++)
            if (!axes_have(&s->frame, s->y.at.axis[i].atoms[k]))
                append(&out, s->y.at.axis[i].atoms[k]);
    return out;
}

static bool is_symbol(const site *s, uint8_t atom)
{
    return !dim_known(s->table.atoms[atom].extent);
}

/* Which of the atoms that only queries have is the sequence: the last one,
 * unless another is a symbol and it is a number. */
static uint8_t choose_rows(const site *s, const axes_list *own)
{
    uint8_t chosen = own->atoms[own->n - 1];
    for (uint32_t i = own->n; i-- > 0 && !is_symbol(s, chosen);)
        if (is_symbol(s, own->atoms[i]))
            chosen = own->atoms[i];
    return chosen;
}

void site_sort_atoms(const site *s, const axes_list *channels, site_parts *out)
{
    axes_list shared = {0}, own = {0};
    *out = (site_parts){.batch = {0}};
    for (int32_t i = 0; i < s->frame.rank; i++)
        for (uint32_t k = 0; k < s->frame.axis[i].n; k++) {
            uint8_t atom = s->frame.axis[i].atoms[k];
            if (!list_of(&s->keys, atom))
                append(axes_have(&s->k.at, atom) || axes_have(&s->v.at, atom) ? &shared : &own,
                       atom);
        }
    if (s->additive) { /* nothing is shared by heads */
        out->rows = own;
    } else if (own.n) {
        uint8_t rows = choose_rows(s, &own);
        append(&out->rows, rows);
        for (uint32_t i = 0; i < own.n; i++)
            if (own.atoms[i] != rows)
                append(&out->groups, own.atoms[i]);
    }
    for (uint32_t i = 0; i < shared.n; i++) {
        bool head = beside_channels(s, channels, shared.atoms[i]) ||
                    (i + 1 == shared.n && i > 0 && !out->heads.n);
        append(head ? &out->heads : &out->batch, shared.atoms[i]);
    }
}

static int which(const site_arrangement *a, uint8_t atom)
{
    for (int i = 0; i < 4; i++)
        if (list_of(&a->axis[i], atom))
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
