/* site_sums.c - scores that are sums of several products of queries and keys.
 *
 * before: q k^T + r p^T      after: [q, r] [k, p]^T
 *
 * The walk has taken one product; the others are biases so far, tensors as large as the scores.
 * What is one by the same rules is joined to it along the channels, unless a mask stands in
 * between. */
#include "passes/attention/site_steps.h"
#include "passes/pass.h"

/* Extents that may turn out to be 1 are not joined: the bias would be repeated. */
static bool is_certain(site *s, const site_term *t)
{
    for (int32_t i = 0; i < t->at.rank; i++) {
        axes_list list = t->at.axis[i];
        axes_refresh_list(&s->table, &list);
        if (list.n && axes_dim(&s->table, t->value->type.dims[i]) != axes_extent(&s->table, &list))
            return false;
    }
    return t->kind == SITE_BIAS && !t->n_factors;
}

static bool read_pair(site *s, const site_term *t, arena *scratch, site_pair *out)
{
    contraction c;
    axes in[2];
    site_operand o = {t->value, t->at};
    *out = (site_pair){.factor = t->number};
    axes_refresh(&s->table, &o.at);
    site_climb(s, &o, &out->factor);
    if (!contraction_read(o.value->producer, scratch, &c) || c.added ||
        !contraction_up(&s->table, &c, &o.at, in) || site_take_roles(s, &c, in, &o.at, out) != NULL)
        return false;
    out->factor *= c.alpha;
    site_climb(s, &out->q, &out->factor);
    site_climb(s, &out->k, &out->factor);
    return out->sum.n > 0 && !s->table.failed;
}

/* Keys of b have no axis that those of a lack, but for the channels. */
static bool fits_into(const site *s, const site_pair *a, const site_pair *b)
{
    axes mine = a->k.at, other = b->k.at;
    axes_list sum = b->sum;
    axes_refresh(&s->table, &mine);
    axes_refresh(&s->table, &other);
    axes_refresh_list(&s->table, &sum);
    for (int32_t i = 0; i < other.rank; i++)
        for (uint32_t k = 0; k < other.axis[i].n; k++)
            if (!axes_list_has(&sum, other.axis[i].atoms[k]) &&
                !axes_have(&mine, other.axis[i].atoms[k]))
                return false;
    return true;
}

static bool join(site *s, const site_term *t, arena *scratch)
{
    site_pair first = {s->q, s->k, s->sum, s->scale}, pair;
    if (s->n_pairs == SITE_PAIRS || !is_certain(s, t) || !read_pair(s, t, scratch, &pair))
        return false;
    if (!fits_into(s, &first, &pair)) {
        if (s->n_pairs || !fits_into(s, &pair, &first))
            return false;
        s->q = pair.q;
        s->k = pair.k;
        s->sum = pair.sum;
        s->scale = pair.factor;
        pair = first;
    }
    s->pairs[s->n_pairs++] = pair;
    return true;
}

void site_join_products(site *s, arena *scratch)
{
    if (s->softcap != 0 || s->bounded || s->factors.n || s->late || s->scale == 0)
        return;
    for (uint32_t i = s->terms.n; i-- > 0 && s->terms.items[i].kind == SITE_BIAS;) {
        site before = *s;
        if (!join(s, &s->terms.items[i], scratch)) {
            *s = before;
            continue;
        }
        s->terms.n--;
        for (uint32_t k = i; k < s->terms.n; k++)
            s->terms.items[k] = s->terms.items[k + 1];
    }
}
