/* common.c - pass: common subexpressions. Of two nodes that compute the same, one stays.
 *
 * before: a = Shape(x); b = Shape(x)      after: a = Shape(x), read in both places */
#include <string.h>

#include "base/map.h"
#include "passes/pass.h"

/* ---- Keys: everything that decides what a node computes, as bytes --------------------------- */

typedef struct key {
    uint8_t *bytes;
    size_t n, capacity;
    bool failed;
} key;

static void put(key *k, const void *bytes, size_t n)
{
    while (!k->failed && k->n + n > k->capacity)
        k->failed = mem_grow(&k->bytes, &k->capacity, k->capacity, 1) != HEED_OK;
    if (k->failed || n == 0)
        return;
    memcpy(k->bytes + k->n, bytes, n);
    k->n += n;
}

static void put_attr(key *k, const heed_attribute *a)
{
    put(k, a->name, strlen(a->name) + 1);
    put(k, &a->type, sizeof(a->type));
    put(k, &a->i, sizeof(a->i));
    put(k, &a->f, sizeof(a->f));
    put(k, &a->n, sizeof(a->n));
    put(k, &a->s.size, sizeof(a->s.size));
    put(k, a->s.data, a->type == HEED_ATTR_STRING ? a->s.size : 0);
    put(k, a->ints, a->type == HEED_ATTR_INTS ? a->n * sizeof(*a->ints) : 0);
    put(k, a->floats, a->type == HEED_ATTR_FLOATS ? a->n * sizeof(*a->floats) : 0);
    for (uint64_t i = 0; a->type == HEED_ATTR_STRINGS && i < a->n; i++) {
        put(k, &a->strings[i].size, sizeof(a->strings[i].size));
        put(k, a->strings[i].data, a->strings[i].size);
    }
    put(k, &a->tensor, sizeof(a->tensor)); /* by identity */
}

/* Small constants are compared by content, large ones by identity. */
static void put_value(key *k, const ir_value *v)
{
    const heed_tensor *t = pass_constant(v) ? v->constant : NULL;
    uint32_t by_content = t && t->dtype != HEED_STRING && tensor_bytes(t) <= 256;
    put(k, &by_content, sizeof(by_content));
    if (!by_content) {
        put(k, &v, sizeof(v));
        return;
    }
    int32_t rank = tensor_rank(t);
    put(k, &t->dtype, sizeof(t->dtype));
    put(k, &rank, sizeof(rank));
    put(k, t->dims, (size_t)rank * sizeof(*t->dims));
    put(k, tensor_data(t), tensor_bytes(t));
}

static void make_key(key *k, const ir_node *n)
{
    k->n = 0;
    put(k, &n->op, sizeof(n->op));
    put(k, &n->graph, sizeof(n->graph));
    put(k, &n->n_in, sizeof(n->n_in));
    put(k, &n->n_out, sizeof(n->n_out));
    for (uint32_t i = 0; i < n->n_in; i++)
        put_value(k, n->in[i].value);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        put_attr(k, &n->attrs[i].view);
}

/* ---- The sweep ------------------------------------------------------------------------------ */

static bool outputs_alike(const ir_node *a, const ir_node *b)
{
    for (uint32_t i = 0; i < a->n_out; i++)
        if (!a->out[i] && ir_value_used(b->out[i]))
            return false;
    return true;
}

static void merge(pass_run *p, ir_node *first, ir_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && ir_value_used(n->out[i]))
            ir_value_replace(n->out[i], first->out[i]);
    ir_node_remove(n);
    p->rewrites++;
}

static heed_status visit(pass_run *p, map *seen, key *k, ir_node *n)
{
    if (!pass_pure(n) || n->n_out == 0)
        return HEED_OK;
    make_key(k, n);
    if (k->failed)
        return HEED_NOMEM;
    ir_node *first = map_get(seen, k->bytes, k->n);
    if (first && outputs_alike(first, n)) {
        merge(p, first, n);
        return HEED_OK;
    }
    const char *kept = arena_copy(p->scratch, k->bytes, k->n);
    return kept ? map_put(seen, kept, k->n, n) : HEED_NOMEM;
}

static heed_status sweep(pass_run *p, map *seen, key *k, ir_graph *g)
{
    for (ir_node *next, *n = g->first; n; n = next) {
        next = n->next;
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(sweep(p, seen, k, n->attrs[a].graph));
        TRY(visit(p, seen, k, n));
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    map seen = {0};
    key k = {0};
    heed_status status = sweep(p, &seen, &k, p->model->main);
    map_free(&seen);
    mem_free(k.bytes);
    return status;
}

const pass_def pass_common = {
    .name = "common",
    .purpose = "of nodes that compute the same, one stays",
    .order = 50,
    .again = 82,
    .repeat = true,
    .run = run,
};
