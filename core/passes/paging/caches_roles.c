/* caches_roles.c - what a decoder's caches tell of its other inputs. */
#include "passes/paging/caches_find.h"

/* A mask has an entry for each place of a cache that is written. */
static bool is_over_places(const cache_finder *f, const ir_type *mask)
{
    ir_dim keys = mask->rank > 0 ? mask->dims[mask->rank - 1] : 1;
    for (uint32_t i = 0; i < f->map->n; i++) {
        const cache_pair *p = &f->map->pairs[i];
        const ir_type *type = &f->r->g->inputs[p->input]->type;
        bool written = p->form == CACHE_STATIC || p->form == CACHE_TENSOR_SCATTER;
        for (int32_t k = 0; written && k < type->rank; k++)
            if (type->dims[k] == keys && keys != 1)
                return true;
    }
    return false;
}

/* One number, to which places of any number of tokens are counted on. */
static bool is_start(const decoder_roles *r, const ir_type *type)
{
    return type->rank == 0 || (type->rank == 1 && type->dims[0] == 1 && roles_tokens(r) != 1);
}

static heed_status refine_role(cache_finder *f, uint32_t i, const ir_node *const *updates,
                               uint32_t n)
{
    decoder_roles *r = f->r;
    const ir_type *type = &r->g->inputs[i]->type;
    bool whole = !dtype_is_float(type->dtype);
    roles_search s;
    if (f->pair_of[i] != CACHE_NONE) {
        r->role[i] = PAGING_PAST;
        r->axis[i] = f->map->pairs[f->pair_of[i]].axis;
        return HEED_OK;
    }
    if (i == r->main || !roles_is_given(r->g->inputs[i]) || type->kind != HEED_KIND_TENSOR ||
        type->rank < 0 ||
        (r->role[i] != PAGING_SIDE && r->role[i] != PAGING_MASK && r->role[i] != PAGING_POSITIONS))
        return HEED_OK;
    TRY(roles_search_from(r, r->g->inputs[i], updates, n, &s));
    r->writes[i] = whole && (s.found & SEES_PLACE);
    if (r->role[i] == PAGING_POSITIONS) {
        r->role[i] = is_start(r, type) ? PAGING_START : PAGING_POSITIONS;
        return HEED_OK;
    }
    bool truths = !whole && (s.found & (SEES_HIDES | SEES_SHOWS)) && (s.found & SEES_SOFTMAX);
    if (is_over_places(f, type) && (truths || (s.found & (whole ? SEES_SOFTMAX : SEES_SCORES)))) {
        r->role[i] = PAGING_MASK;
        r->added[i] = !whole && !truths;
        return HEED_OK;
    }
    if (!whole)
        return HEED_OK;
    if (s.found & SEES_START)
        r->role[i] = PAGING_START;
    else if (s.found & SEES_TOTAL)
        r->role[i] = PAGING_TOTAL;
    else if (s.found & SEES_LAST)
        r->role[i] = PAGING_LAST;
    else if (s.found & SEES_PLACE)
        r->role[i] = is_start(r, type) ? PAGING_START : PAGING_POSITIONS;
    else if (r->role[i] == PAGING_SIDE && type->rank == 0 && r->g->inputs[i]->uses &&
             type->dtype != HEED_BOOL)
        r->role[i] = PAGING_START;
    return HEED_OK;
}

heed_status caches_refine_roles(cache_finder *f)
{
    const ir_node **updates = arena_array(f->r->memory, f->map->n, sizeof(*updates));
    uint32_t n = 0;
    if (!updates)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < f->map->n; i++)
        if (f->map->pairs[i].form == CACHE_STATIC)
            updates[n++] = f->map->pairs[i].update;
    for (uint32_t i = 0; i < f->r->n; i++)
        TRY(refine_role(f, i, updates, n));
    return HEED_OK;
}
