/* site_roles.c - which atoms of a site are sequences, heads, queries and keys.
 *
 * The atoms of the scores fall into sequences (B), heads (H), queries (S) and keys (T); those of
 * the operands' own are channels. Heads are what layers have as channels (site_layers.c): an axis
 * of windows beside the batch is none, and rows of an image beside the queries are queries. Where
 * no layer tells, a head lies in one axis with channels of the result, or alone in the last axis
 * before the queries. Atoms of the queries alone are heads that share keys, or more queries. */
#include "passes/attention/site_emit.h"

static void append(axes_list *list, uint8_t atom)
{
    if (list->n < AXES_LIST)
        list->atoms[list->n++] = atom;
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

/* One axis has both the atom and some of the list. */
static bool stands_beside(const axes *at, uint8_t atom, const axes_list *others)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < others->n && axes_list_has(&at->axis[i], atom); k++)
            if (others->atoms[k] != atom && axes_list_has(&at->axis[i], others->atoms[k]))
                return true;
    return false;
}

/* ---- Queries --------------------------------------------------------------------------------- */

static bool is_symbol(const site *s, uint8_t atom)
{
    return !dim_known(s->table.atoms[atom].extent);
}

/* What has a sink of its own is a head. */
static axes_list with_sinks(const site *s, const axes_list *list)
{
    axes_list out = {0}, differ = {0};
    if (s->sinks.value)
        differ = site_differs_in(s, &s->sinks);
    for (uint32_t i = 0; i < list->n; i++)
        if (axes_list_has(&differ, list->atoms[i]))
            append(&out, list->atoms[i]);
    return out;
}

/* Which of the atoms that only queries have, and that are no heads by their sinks, is the sequence:
 * one that is no layer's channels, a symbol rather than a number, the last one. 0: none is left. */
static uint8_t choose_rows(const site *s, const axes_list *own, const axes_list *heads)
{
    uint8_t chosen = 0;
    int best = -1;
    for (uint32_t i = own->n; i-- > 0;) {
        if (axes_list_has(heads, own->atoms[i]) && !is_symbol(s, own->atoms[i]))
            continue;
        int worth = 2 * !s->channels[own->atoms[i]] + is_symbol(s, own->atoms[i]);
        if (worth > best)
            chosen = own->atoms[i];
        best = worth > best ? worth : best;
    }
    return chosen;
}

/* A bias, a mask or a factor that differs between the rows is the same along the atom. */
static bool is_repeated_along(const site *s, uint8_t atom, uint8_t rows)
{
    const site_terms *all[] = {&s->terms, &s->factors};
    for (size_t i = 0; i < 2; i++)
        for (uint32_t k = 0; k < all[i]->n; k++) {
            axes at = all[i]->items[k].at;
            axes_refresh(&s->table, &at);
            if (axes_have(&at, rows) && !axes_have(&at, atom))
                return true;
        }
    return false;
}

/* More queries, not a head: they lie in one axis with the others, or the layer after says so. */
static bool is_more_rows(const site *s, uint8_t atom, uint8_t rows)
{
    const axes_list one = {1, {rows}};
    return !s->channels[atom] &&
           (stands_beside(&s->frame, atom, &one) || stands_beside(&s->y.at, atom, &one) ||
            (s->asked && !is_repeated_along(s, atom, rows)));
}

static void sort_queries(const site *s, const axes_list *own, site_parts *out)
{
    if (s->additive || own->n == 0) { /* nothing is shared by heads */
        out->rows = *own;
        return;
    }
    const axes_list heads = with_sinks(s, own);
    uint8_t rows = choose_rows(s, own, &heads);
    for (uint32_t i = 0; i < own->n; i++) {
        uint8_t atom = own->atoms[i];
        bool more = !axes_list_has(&heads, atom) && is_more_rows(s, atom, rows);
        append(atom == rows || more ? &out->rows : &out->groups, atom);
    }
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static axes_list layered(const site *s, const axes_list *shared)
{
    axes_list out = {0};
    for (uint32_t i = 0; i < shared->n; i++)
        if (s->channels[shared->atoms[i]])
            append(&out, shared->atoms[i]);
    return out;
}

static axes_list beside_channels(const site *s, const axes_list *shared, const axes_list *channels)
{
    axes_list out = {0};
    for (uint32_t i = 0; i < shared->n; i++)
        if (stands_beside(&s->y.at, shared->atoms[i], channels))
            append(&out, shared->atoms[i]);
    return out;
}

/* [B, H, S, T] and its like: an axis of its own, and not the first one, with all its parts. */
static axes_list last_alone(const site *s, const axes_list *shared, const axes_list *rows)
{
    axes_list out = {0};
    uint8_t last = shared->n ? shared->atoms[shared->n - 1] : 0;
    if (shared->n == 0 || stands_beside(&s->y.at, last, rows) ||
        stands_beside(&s->y.at, last, shared))
        return out;
    for (int32_t i = 1; i < s->frame.rank; i++)
        for (uint32_t k = 0; axes_list_has(&s->frame.axis[i], last) && k < shared->n; k++)
            if (axes_list_has(&s->frame.axis[i], shared->atoms[k]))
                append(&out, shared->atoms[k]);
    return out;
}

/* `found`: rows and groups; groups that are a layer's channels are all the heads that there are
 * where it has no others. */
static axes_list find_heads(const site *s, const axes_list *shared, const axes_list *channels,
                            const site_parts *found)
{
    bool told = s->asked || layered(s, &found->groups).n > 0;
    axes_list heads = with_sinks(s, shared);
    if (heads.n == 0)
        heads = layered(s, shared);
    if (heads.n == 0)
        heads = beside_channels(s, shared, channels);
    if (heads.n == 0 && !told)
        heads = last_alone(s, shared, &found->rows);
    return heads;
}

void site_sort_atoms(const site *s, const axes_list *channels, site_parts *out)
{
    axes_list shared = {0}, own = {0};
    *out = (site_parts){.batch = {0}};
    for (int32_t i = 0; i < s->frame.rank; i++)
        for (uint32_t k = 0; k < s->frame.axis[i].n; k++) {
            uint8_t atom = s->frame.axis[i].atoms[k];
            if (!axes_list_has(&s->keys, atom))
                append(axes_have(&s->k.at, atom) || axes_have(&s->v.at, atom) ? &shared : &own,
                       atom);
        }
    sort_queries(s, &own, out);
    out->heads = find_heads(s, &shared, channels, out);
    for (uint32_t i = 0; i < shared.n; i++)
        if (!axes_list_has(&out->heads, shared.atoms[i]))
            append(&out->batch, shared.atoms[i]);
}

/* ---- For reports ----------------------------------------------------------------------------- */

/* The heads of the list that the operand has, before any is repeated; 0: no number. */
static int64_t count_heads(const site *s, const axes_list *heads, const axes *at)
{
    axes_list own = {0};
    for (uint32_t i = 0; i < heads->n; i++)
        if (axes_have(at, heads->atoms[i]))
            append(&own, heads->atoms[i]);
    ir_dim count = axes_extent(&s->table, &own);
    return dim_known(count) ? count : 0;
}

static bool are_channels(const site *s, const axes_list *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (!s->channels[list->atoms[i]])
            return false;
    return list->n > 0;
}

void site_count_heads(site *s, const site_parts *parts)
{
    bool sums_channels = false;
    for (uint32_t i = 0; i < s->sum.n; i++)
        sums_channels = sums_channels || s->channels[s->sum.atoms[i]];
    s->k_heads = count_heads(s, &parts->heads, &s->k.at);
    s->v_heads = count_heads(s, &parts->heads, &s->v.at);
    s->over_channels = are_channels(s, &parts->rows) && are_channels(s, &s->keys) && s->sum.n > 0 &&
                       !sums_channels;
}
