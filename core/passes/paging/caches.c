/* caches.c - see caches.h. From each output back to the input whose content it has (caches_back.c),
 * then what is left: states, and what branches only read (caches_states.c); and what that tells of
 * the other inputs (caches_roles.c). */
#include "passes/paging/caches_find.h"

#include <string.h>

const char *cache_form_name(int form)
{
    static const char *const names[] = {
        [CACHE_CONCAT] = "concat", [CACHE_BUFFER] = "buffer",
        [CACHE_STATIC] = "static", [CACHE_TENSOR_SCATTER] = "tensor_scatter",
        [CACHE_STATE] = "state",   [CACHE_ROLLING] = "rolling",
        [CACHE_CROSS] = "cross",
    };
    return names[form];
}

/* ---- What it is ------------------------------------------------------------------------------ */

/* The first axis, but that of sequences, whose extent only a run tells. */
int32_t caches_open_axis(const decoder_roles *r, const ir_type *type)
{
    ir_dim batch = roles_batch(r);
    bool skipped = false;
    for (int32_t k = 0; k < type->rank; k++) {
        if (dim_known(type->dims[k]))
            continue;
        if (!skipped && (type->dims[k] == batch || (k == 0 && !dim_known(batch))))
            skipped = true;
        else
            return k;
    }
    return -1;
}

static void settle(const decoder_roles *r, cache_pair *p)
{
    const ir_type *type = &r->g->inputs[p->input]->type;
    int64_t axis = p->update ? ir_attr_int(p->update, "axis", -2) : -1;
    if (p->form == FORM_UNCHANGED)
        p->form = type->rank > 3 ? CACHE_CROSS : CACHE_STATE; /* keys and values have heads */
    if (p->form == CACHE_CONCAT || p->form == CACHE_BUFFER)
        p->axis = r->axis[p->input] >= 0 ? r->axis[p->input] : caches_open_axis(r, type);
    if (p->form == CACHE_CONCAT && p->axis < 0)
        p->form = type->rank > 3 ? CACHE_ROLLING : CACHE_STATE; /* of a convolution */
    if (p->form == CACHE_TENSOR_SCATTER)
        p->axis = (int32_t)(axis < 0 ? axis + type->rank : axis);
    if (p->form == CACHE_STATIC)
        p->axis = caches_open_axis(r, type);
}

void caches_add(cache_finder *f, cache_pair pair, uint32_t output)
{
    pair.output = output;
    settle(f->r, &pair);
    f->pair_of[pair.input] = f->map->n;
    f->taken[output] = true;
    f->map->pairs[f->map->n++] = pair;
}

bool caches_could_be_next(const ir_type *now, const ir_type *next)
{
    if (now->dtype != next->dtype || now->rank != next->rank)
        return false;
    for (int32_t k = 0; k < now->rank; k++)
        if (dim_known(now->dims[k]) && dim_known(next->dims[k]) && now->dims[k] != next->dims[k])
            return false;
    return true;
}

/* Sums lead to much that is no cache: a state has its extents, and keeps them. */
static bool holds(const cache_finder *f, const cache_pair *p, uint32_t output)
{
    const ir_type *type = &f->r->g->inputs[p->input]->type;
    if (p->form != CACHE_STATE && p->form != CACHE_STATIC && p->form != FORM_UNCHANGED)
        return true;
    return caches_could_be_next(type, &f->r->g->output_types[output]) &&
           (p->form != CACHE_STATE || caches_open_axis(f->r, type) < 0);
}

static void find_direct(cache_finder *f)
{
    const ir_graph *g = f->r->g;
    for (uint32_t o = 0; o < g->n_outputs; o++) {
        memset(f->walk.seen, 0, f->r->model->n_values);
        if (!caches_back(&f->walk, g->outputs[o]) || !holds(f, &f->walk.found, o))
            continue;
        f->taken[o] = true;
        if (f->pair_of[f->walk.found.input] == CACHE_NONE)
            caches_add(f, f->walk.found, o);
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static bool reads(const ir_graph *g, const ir_value *v)
{
    for (const ir_use *use = v->uses; use; use = use->next)
        for (const ir_graph *at = use->node->graph; at; at = at->parent)
            if (at == g)
                return true;
    return false;
}

/* The branch that reads a past is the one with it. */
static void find_switch(cache_finder *f)
{
    const ir_graph *g = f->r->g;
    f->map->cached_when = true;
    for (const ir_node *n = g->first; n; n = n->next) {
        ir_graph *other = pass_is(n, "If") ? ir_attr_graph(n, "else_branch") : NULL;
        for (uint32_t i = 0; other && i < f->map->n; i++)
            if (reads(other, g->inputs[f->map->pairs[i].input]) &&
                !reads(ir_attr_graph(n, "then_branch"), g->inputs[f->map->pairs[i].input]))
                f->map->cached_when = false;
    }
}

static bool has_switch(const decoder_roles *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->role[i] == PAGING_SWITCH)
            return true;
    return false;
}

/* The one that most of them have; what has a length tells more than a state. */
static const char *form_of_all(const cache_finder *f)
{
    uint32_t count[CACHE_CROSS + 1] = {0};
    int most = -1;
    for (uint32_t i = 0; i < f->map->n; i++)
        count[f->map->pairs[i].form]++;
    for (int k = 0; k < CACHE_STATE; k++)
        if (count[k] > 0 && (most < 0 || count[k] > count[most]))
            most = k;
    for (int k = CACHE_STATE; k <= CACHE_CROSS; k++)
        if (count[k] > 0 && most < 0)
            most = k;
    if (most >= 0 && has_switch(f->r))
        return "merged";
    return most < 0 || most == CACHE_CROSS ? "none" : cache_form_name(most);
}

/* Scores of the tokens' table: a number for each of its rows. */
static bool has_classes(const cache_finder *f, uint32_t output)
{
    const ir_type *type = &f->r->g->output_types[output];
    int64_t rows = f->r->main == UINT32_MAX ? 0 : f->r->rows[f->r->main];
    return rows > 0 && type->rank > 1 && type->dims[type->rank - 1] == rows &&
           dtype_is_float(type->dtype);
}

/* The first that is no cache; but where it has other numbers, that which has scores. */
static void find_result(cache_finder *f)
{
    const ir_graph *g = f->r->g;
    uint32_t first = 0;
    while (first + 1 < g->n_outputs && f->taken[first])
        first++;
    const ir_type *type = &g->output_types[first];
    bool other = type->rank >= 0 && (type->rank < 2 || dim_known(type->dims[type->rank - 1]) ||
                                     type->dims[type->rank - 1] == roles_tokens(f->r));
    f->map->result = first;
    for (uint32_t o = g->n_outputs; other && !has_classes(f, first) && o-- > first;)
        if (!f->taken[o] && has_classes(f, o))
            f->map->result = o;
}

static void sort_pairs(cache_finder *f)
{
    for (uint32_t i = 1; i < f->map->n; i++)
        for (uint32_t k = i; k > 0 && f->map->pairs[k - 1].input > f->map->pairs[k].input; k--) {
            cache_pair swap = f->map->pairs[k];
            f->map->pairs[k] = f->map->pairs[k - 1];
            f->map->pairs[k - 1] = swap;
        }
    for (uint32_t i = 0; i < f->map->n; i++)
        f->pair_of[f->map->pairs[i].input] = i;
}

heed_status caches_find(decoder_roles *r, cache_map *out)
{
    cache_finder f = {.r = r, .map = out, .walk.r = r};
    *out = (cache_map){.pairs = arena_array(r->memory, r->n, sizeof(*out->pairs))};
    f.pair_of = arena_array(r->memory, r->n, sizeof(*f.pair_of));
    f.taken = arena_array(r->memory, r->g->n_outputs, sizeof(*f.taken));
    f.walk.seen = arena_alloc(r->memory, r->model->n_values);
    if (!out->pairs || !f.pair_of || !f.taken || !f.walk.seen)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < r->n; i++)
        f.pair_of[i] = CACHE_NONE;
    find_direct(&f);
    find_result(&f);
    caches_find_states(&f);
    TRY(caches_find_cross(&f));
    sort_pairs(&f);
    TRY(caches_refine_roles(&f));
    find_switch(&f);
    out->form = form_of_all(&f);
    return HEED_OK;
}
