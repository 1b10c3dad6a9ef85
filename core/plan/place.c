/* place.c - see place.h. */
#include "plan/place.h"

#include <string.h>

#include "base/log.h"
#include "ops/op.h"
#include "plan/align.h"
#include "plan/view.h"

/* ---- The chain ------------------------------------------------------------------------------- */

static heed_status chain_add(place_table *t, const plugin_backend *b)
{
    const plugin_backend **longer = arena_array(&t->memory, t->n_chain + 1, sizeof(*longer));
    if (!longer)
        return HEED_NOMEM;
    if (t->n_chain)
        memcpy(longer, t->chain, t->n_chain * sizeof(*longer));
    longer[t->n_chain++] = b;
    t->chain = longer;
    return HEED_OK;
}

static heed_status chain_default(place_table *t)
{
    const plugin_backend *const *list;
    TRY(plugin_default_backends(&list));
    for (; *list; list++)
        TRY(chain_add(t, *list));
    return HEED_OK;
}

static heed_status chain_named(place_table *t, const char *backends)
{
    char *list = arena_string(&t->memory, backends);
    if (!list)
        return HEED_NOMEM;
    for (char *save = NULL, *name = strtok_r(list, ", ", &save); name;
         name = strtok_r(NULL, ", ", &save)) {
        const plugin_backend *b;
        if (strcmp(name, "reference") == 0)
            break; /* it takes everything, so what follows is never asked */
        TRY(plugin_open_backend(name, &b));
        TRY(chain_add(t, b));
    }
    return HEED_OK;
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

/* Views, control flow and values that are no tensors never reach a plugin. */
static bool host_only(const ir_node *n)
{
    if (n->op->flags & (OP_VIEW | OP_CONTROL))
        return true;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && n->in[i].value->type.kind != HEED_KIND_TENSOR)
            return true;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->type.kind != HEED_KIND_TENSOR)
            return true;
    return false;
}

static heed_status remember(place_table *t, place *p, const char *backend, const char *reason)
{
    if (p->refusal)
        return HEED_OK;
    p->refusal = arena_printf(&t->memory, "%s: %s", backend, reason);
    return p->refusal ? HEED_OK : HEED_NOMEM;
}

static const char *why(heed_status status)
{
    const char *message = err_get()->message;
    return *message ? message : heed_status_name(status);
}

/* One backend: HEED_OK with p->kernel set when it takes the node. */
static heed_status offer(place_table *t, const plugin_backend *b, ir_node *n, const heed_node *view,
                         arena *scratch, place *p)
{
    const heed_kernel *k = plugin_find_kernel(b, n->op->domain, n->op->name, n->op->since);
    if (!k)
        return remember(t, p, b->name, "no kernel");
    err_clear();
    heed_status status = HEED_HAS(k, accepts) ? k->accepts(b->device, view) : HEED_OK;
    if (!status && !(k->flags & HEED_UNALIGNED)) {
        TRY(align_constants(n));
        view = node_view_new(n, scratch);
        if (!view)
            return HEED_NOMEM;
    }
    if (!status && HEED_HAS(k, prepare)) {
        status = k->prepare(b->device, view, &p->state);
        if (status) {
            p->state = NULL;
            log_write(LOG_WARN, "%s: prepare of %s failed: %s", b->name, n->name, why(status));
        }
    }
    if (status == HEED_NOMEM) /* another backend would hide it, and be slow for ever */
        return err_get()->status == HEED_NOMEM ? ir_node_error(n) : err_nomem(0);
    if (status)
        return remember(t, p, b->name, why(status));
    p->backend = b;
    p->kernel = k;
    return HEED_OK;
}

static heed_status place_node(place_table *t, ir_node *n, arena *scratch)
{
    place *p = &t->by_node[n->id];
    t->nodes[t->n_nodes++] = n;
    if (t->n_chain == 0)
        return HEED_OK;
    if (host_only(n)) /* what it hands on comes to kernels as it is */
        return n->op->flags & (OP_VIEW | OP_CONTROL) ? align_constants(n) : HEED_OK;
    const heed_node *view = node_view_new(n, scratch);
    if (!view)
        return HEED_NOMEM;
    for (size_t i = 0; i < t->n_chain && !p->kernel; i++)
        TRY(offer(t, t->chain[i], n, view, scratch, p));
    arena_reset(scratch);
    return HEED_OK;
}

static heed_status place_graph(place_table *t, const ir_graph *g, arena *scratch)
{
    for (ir_node *n = g->first; n; n = n->next) {
        TRY(place_node(t, n, scratch));
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(place_graph(t, n->attrs[a].graph, scratch));
    }
    return HEED_OK;
}

heed_status place_new(const char *backends, place_table **out)
{
    place_table *t = mem_zero(sizeof(*t));
    *out = NULL;
    if (!t)
        return HEED_NOMEM;
    heed_status status = backends ? chain_named(t, backends) : chain_default(t);
    if (status)
        place_free(t);
    else
        *out = t;
    return status;
}

heed_status place_takes(place_table *t, ir_node *n, bool *taken)
{
    arena scratch = {0};
    const heed_node *view = NULL;
    heed_status status = HEED_OK;
    *taken = false;
    for (size_t i = 0; i < t->n_chain && !*taken && !status; i++) {
        const plugin_backend *b = t->chain[i];
        const heed_kernel *k = plugin_find_kernel(b, n->op->domain, n->op->name, n->op->since);
        if (!k)
            continue;
        if (!view && !(view = node_view_new(n, &scratch)))
            status = HEED_NOMEM;
        else
            *taken = !HEED_HAS(k, accepts) || k->accepts(b->device, view) == HEED_OK;
    }
    arena_free(&scratch);
    return status;
}

heed_status place_nodes(place_table *t, ir_model *m)
{
    arena scratch = {0};
    t->model = m;
    t->by_node = arena_array(&t->memory, m->n_nodes, sizeof(*t->by_node));
    t->nodes = arena_array(&t->memory, m->n_nodes, sizeof(ir_node *));
    if (!t->by_node || !t->nodes)
        return HEED_NOMEM;
    heed_status status = place_graph(t, m->main, &scratch);
    arena_free(&scratch);
    return status;
}

void place_free(place_table *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const place *p = &t->by_node[t->nodes[i]->id];
        if (p->kernel && HEED_HAS(p->kernel, release))
            p->kernel->release(p->backend->device, p->state);
    }
    arena_free(&t->memory);
    mem_free(t);
}

heed_status place_error(const place *where, const ir_node *n, heed_status status)
{
    if (err_get()->status != status) /* what is there is of an earlier failure */
        err_fail(status, "%s failed (%s) and gave no reason", where->backend->name,
                 heed_status_name(status));
    return ir_node_error(n);
}

const char *place_name(const place_table *t, const ir_node *n)
{
    if (n->op->flags & (OP_VIEW | OP_CONTROL))
        return "host";
    const plugin_backend *b = t->by_node[n->id].backend;
    return b ? b->name : "reference";
}
