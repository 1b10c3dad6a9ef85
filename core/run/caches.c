/* caches.c - see caches.h. */
#include "run/caches.h"

#include <stdio.h>
#include <string.h>

#include "passes/paging/layers.h"

/* What the paged form says of the model. */
typedef struct verdict {
    ir_model *ir;
    place_table *places;
    pass_paging about;
    bool paged;
    const char *reason, *at, *at_op; /* in memory of the list */
} verdict;

static heed_status takes(void *self, ir_node *n, bool *taken)
{
    return place_takes(((verdict *)self)->places, n, taken);
}

/* The operator of the node that stands in the way. */
static const char *operator_of(const ir_graph *g, const char *name)
{
    for (const ir_node *n = g->first; n && name[0]; n = n->next) {
        if (n->name && strcmp(n->name, name) == 0)
            return n->op->name;
        for (uint32_t a = 0; a < n->n_attrs; a++) {
            const char *found = n->attrs[a].graph ? operator_of(n->attrs[a].graph, name) : NULL;
            if (found && found[0])
                return found;
        }
    }
    return "";
}

static heed_status try_pages(const heed_model *m, const compile_options *o, arena *memory,
                             verdict *v)
{
    const char *const *report;
    size_t n_report;
    TRY(ir_model_copy(m->ir, &v->ir));
    TRY(place_new(o->backends, &v->places));
    pass_options passes = {.optimize = o->optimize,
                           .no_dropout = o->no_dropout,
                           .attention = o->attention,
                           .without = o->without,
                           .paging = &v->about,
                           .look_only = true,
                           .takes = takes,
                           .self = v};
    heed_status status = pass_pipeline(v->ir, &passes, &report, &n_report);
    v->paged = !status;
    if (status == HEED_NOMEM)
        return status;
    v->reason =
        !status ? "" : arena_string(memory, v->about.reason ? v->about.reason : err_get()->message);
    v->at = arena_string(memory, status ? v->about.at : "");
    if (!v->reason || !v->at)
        return HEED_NOMEM;
    v->at_op = arena_string(memory, operator_of(m->ir->main, v->at));
    err_clear();
    return v->at_op ? HEED_OK : HEED_NOMEM;
}

/* ---- What is told ---------------------------------------------------------------------------- */

static const char *const proof =
    "what is computed for a token depends on itself, on its place and, by causal attention, on the "
    "tokens before";

static heed_cache entry(const verdict *v, const char *form, int64_t layer)
{
    return (heed_cache){.size = sizeof(heed_cache),
                        .flags = v->paged ? HEED_CACHE_PAGED : 0,
                        .form = form,
                        .layer = layer,
                        .past_key = "",
                        .present_key = "",
                        .past_value = "",
                        .present_value = "",
                        .reason = v->reason,
                        .at = v->at,
                        .at_op = v->at_op,
                        .help = paging_help(v->reason),
                        .proof = v->paged ? proof : ""};
}

static const char *input_name(const decoder_roles *r, const cache_pair *p)
{
    return p->input == CACHE_NONE ? "" : r->g->inputs[p->input]->name;
}

static const char *output_name(const decoder_roles *r, const cache_pair *p)
{
    return p->input == CACHE_NONE || p->output == CACHE_NONE ? "" : r->g->output_names[p->output];
}

/* States and what an encoder gives have no pages, and need none. */
static void tell_kept(heed_cache *c, int form)
{
    static const char *const reasons[] = {
        [CACHE_STATE] = "a state of one size: each sequence keeps its own",
        [CACHE_ROLLING] = "a window of one size, which holds something before the first tokens "
                          "come: each sequence keeps its own",
        [CACHE_CROSS] = "what an encoder gives: computed once, and the same in each step",
    };
    if (form < CACHE_STATE)
        return;
    c->flags = 0;
    c->reason = reasons[form];
    c->at = c->at_op = c->help = c->proof = "";
}

static void tell_layers(const verdict *v, const decoder_roles *r, const cache_map *tensors,
                        const cache_layer *layers, uint32_t n, cache_list *out)
{
    bool merged = strcmp(tensors->form, "merged") == 0;
    for (uint32_t i = 0; i < n; i++) {
        const cache_layer *l = &layers[i];
        const char *form = merged && l->form < CACHE_STATE ? "merged" : cache_form_name(l->form);
        heed_cache c = entry(v, form, l->index);
        c.past_key = input_name(r, &l->keys);
        c.present_key = output_name(r, &l->keys);
        c.past_value = input_name(r, &l->values);
        c.present_value = output_name(r, &l->values);
        tell_kept(&c, l->form);
        out->items[out->n++] = c;
    }
}

static uint32_t count_causal(const compiled *form)
{
    uint32_t n = 0;
    for (size_t i = 0; i < form->sites.n; i++) {
        const heed_site *s = &form->sites.items[i].told;
        for (size_t k = 0; k < s->n_features; k++)
            n += strcmp(s->features[k], "causal") == 0;
    }
    return n;
}

static bool has_growing(const cache_layer *layers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (layers[i].form < CACHE_STATE)
            return true;
    return false;
}

/* Strings of the roles live in the model. */
static heed_status tell(const verdict *v, const compiled *form, const decoder_roles *r,
                        const cache_map *tensors, cache_list *out)
{
    cache_layer *layers = NULL;
    uint32_t n = 0;
    uint32_t n_none = v->paged ? v->about.n_layers : count_causal(form);
    TRY(cache_find_layers(r, tensors, &layers, &n));
    out->items = arena_array(&out->memory, n + n_none, sizeof(*out->items));
    if (!out->items)
        return HEED_NOMEM;
    bool grows = has_growing(layers, n);
    for (uint32_t i = 0; !grows && i < n_none; i++)
        out->items[out->n++] = entry(v, "none", i);
    if (grows || out->n > 0 || tensors->n > 0)
        tell_layers(v, r, tensors, layers, n, out);
    return HEED_OK;
}

heed_status caches_make(const heed_model *m, const compile_options *options, const compiled *form,
                        cache_list *out)
{
    verdict v = {0};
    decoder_roles roles;
    cache_map tensors = {.form = "none"};
    *out = (cache_list){.made = true};
    if (m->ir->main->n_outputs == 0)
        return HEED_OK;
    heed_status status = roles_find(m->ir, &out->memory, &roles);
    if (!status && roles.main != UINT32_MAX)
        status = caches_find(&roles, &tensors);
    bool asks = roles.main != UINT32_MAX || roles.unclear[0] != UINT32_MAX;
    if (!status && asks)
        status = try_pages(m, options, &out->memory, &v);
    if (!status && asks)
        status = tell(&v, form, &roles, &tensors, out);
    place_free(v.places);
    ir_model_free(v.ir);
    if (status)
        caches_free(out);
    return status;
}

void caches_free(cache_list *list)
{
    arena_free(&list->memory);
    *list = (cache_list){0};
}
