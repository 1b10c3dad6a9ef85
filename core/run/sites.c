/* sites.c - see sites.h. */
#include "run/sites.h"

#include <string.h>

/* Exporters leave names out; then the place in the file serves. */
static const char *name_of(const ir_node *n)
{
    if (!n)
        return "";
    return *n->name || !n->path ? n->name : n->path;
}

static heed_status copy_names(site_list *list, const pass_verdict *v, heed_site *out)
{
    const char **nodes = arena_array(&list->memory, v->n_nodes, sizeof(*nodes));
    const char **features = arena_array(&list->memory, v->n_features, sizeof(*features));
    if (!nodes || !features)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < v->n_nodes; i++)
        nodes[i] = name_of(v->nodes[i]);
    for (uint32_t i = 0; i < v->n_features; i++)
        features[i] = v->features[i];
    out->nodes = nodes;
    out->n_nodes = v->n_nodes;
    out->features = features;
    out->n_features = v->n_features;
    return HEED_OK;
}

heed_status sites_add(site_list *list, const pass_verdict *v)
{
    TRY(mem_grow(&list->items, &list->capacity, list->n, sizeof(*list->items)));
    site_record *r = &list->items[list->n];
    *r = (site_record){.made = v->made};
    r->told = (heed_site){
        .size = sizeof(r->told),
        .flags = (v->fused ? HEED_SITE_FUSED : 0) | (v->attention ? HEED_SITE_ATTENTION : 0),
        .node = name_of(v->node),
        .domain = v->node->op->domain,
        .op = v->node->op->name,
        .backend = "",
        .reason = v->reason ? v->reason : "",
        .at = name_of(v->at),
        .at_op = v->at ? v->at->op->name : "",
        .help = v->help,
        .mask = v->mask ? v->mask : "",
        .q_heads = v->q_heads,
        .k_heads = v->k_heads,
        .v_heads = v->v_heads,
        .head_dim = v->head_dim,
        .v_head_dim = v->v_head_dim,
    };
    TRY(copy_names(list, v, &r->told));
    list->n++;
    return HEED_OK;
}

/* A node that was removed is not what its neighbours point to. */
static bool is_there(const ir_node *n)
{
    return (n->previous ? n->previous->next : n->graph->first) == n;
}

/* They are not replaced by an operator of another name, but by what defines them. */
static bool is_general(const op_def *op)
{
    return strcmp(op->name, "Attention") == 0 || strcmp(op->name, "AdditiveAttention") == 0;
}

/* The general form has no kernel: what is still that was written out as the nodes that define it.
 * A chosen operator that is gone was merged with one like it, or nobody read its result. */
static void place_one(heed_site *told, const ir_node *made, const place_table *places)
{
    told->domain = made->op->domain;
    told->op = made->op->name;
    if (is_there(made)) {
        told->backend = place_name(places, made);
    } else if (is_general(made->op)) {
        told->flags |= HEED_SITE_DECOMPOSED;
        told->backend = "reference";
    }
}

void sites_place(site_list *list, const place_table *places)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].made)
            place_one(&list->items[i].told, list->items[i].made, places);
}

void sites_free(site_list *list)
{
    mem_free(list->items);
    arena_free(&list->memory);
    *list = (site_list){.n = 0};
}
