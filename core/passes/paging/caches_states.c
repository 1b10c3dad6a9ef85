/* caches_states.c - caches that no way back tells: states, whose way is longer, by reachability;
 * and what branches only read, an encoder's keys, by the order in which products read it. */
#include <string.h>

#include "passes/paging/caches_find.h"

/* ---- States, by reachability ----------------------------------------------------------------- */

static void reach(uint8_t *seen, const ir_value *v)
{
    if (seen[v->id])
        return;
    seen[v->id] = 1;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                reach(seen, n->out[o]);
    }
}

/* The outputs that an input reaches and that may be its next; how many. */
static uint32_t candidates(cache_finder *f, uint32_t i, uint32_t *first)
{
    const ir_graph *g = f->r->g;
    uint32_t n = 0;
    memset(f->walk.seen, 0, f->r->model->n_values);
    reach(f->walk.seen, g->inputs[i]);
    for (uint32_t o = g->n_outputs; o-- > 0;)
        if (!f->taken[o] && o != f->map->result && f->walk.seen[g->outputs[o]->id] &&
            caches_could_be_next(&g->inputs[i]->type, &g->output_types[o])) {
            *first = o;
            n++;
        }
    return n;
}

static bool may_be_state(const cache_finder *f, uint32_t i)
{
    const ir_type *type = &f->r->g->inputs[i]->type;
    return f->pair_of[i] == CACHE_NONE && caches_may_be(f->r, i) && dtype_is_float(type->dtype) &&
           caches_open_axis(f->r, type) < 0;
}

/* What a state will be need not ask what it is: the newest token's own row, for the next one. Where
 * there are other states, and as many such inputs are left as outputs, they go in their order. */
static void find_left(cache_finder *f)
{
    const ir_graph *g = f->r->g;
    uint32_t n_in = 0, n_out = 0, o = 0;
    bool any = false;
    for (uint32_t k = 0; k < f->map->n; k++)
        any = any || f->map->pairs[k].form == CACHE_STATE;
    for (uint32_t i = 0; i < f->r->n; i++)
        n_in += may_be_state(f, i);
    for (uint32_t k = 0; k < g->n_outputs; k++)
        n_out += !f->taken[k] && k != f->map->result;
    for (uint32_t i = 0; any && n_in == n_out && i < f->r->n; i++) {
        if (!may_be_state(f, i))
            continue;
        while (f->taken[o] || o == f->map->result)
            o++;
        if (!caches_could_be_next(&g->inputs[i]->type, &g->output_types[o]))
            return;
        caches_add(f, (cache_pair){.input = i, .form = CACHE_STATE, .axis = -1}, o);
    }
}

/* A state of the last layer reaches one output, one of the first layer all of them. */
void caches_find_states(cache_finder *f)
{
    for (uint32_t round = 0; round < f->r->n; round++) {
        uint32_t least = UINT32_MAX, input = 0, output = 0;
        for (uint32_t i = 0; i < f->r->n; i++) {
            uint32_t first = 0;
            if (!may_be_state(f, i))
                continue;
            uint32_t n = candidates(f, i, &first);
            if (n > 0 && n < least) {
                least = n;
                input = i;
                output = first;
            }
        }
        if (least == UINT32_MAX)
            break;
        caches_add(f, (cache_pair){.input = input, .form = CACHE_STATE, .axis = -1}, output);
    }
    find_left(f);
}

/* ---- What branches only read ----------------------------------------------------------------- */

/* The first product or attention that reads what the value becomes. Nodes are numbered in the
 * order of the file. */
static uint32_t first_product(const ir_value *v, int depth)
{
    static const char *const products[] = {"MatMul", "Einsum", NULL};
    uint32_t least = UINT32_MAX;
    for (const ir_use *use = v->uses; use && depth < 16; use = use->next) {
        const ir_node *n = use->node;
        uint32_t id = UINT32_MAX;
        if (pass_is_one_of(n, products) || (n->op->flags & OP_ATTENTION))
            id = n->id;
        else if (paging_moves(n, MOVE_KEEPS | MOVE_SCALES) && n->n_out > 0 && n->out[0])
            id = first_product(n->out[0], depth + 1);
        least = id < least ? id : least;
    }
    return least;
}

/* Where the elements come from that an output has: attention may read them in another order. */
static const ir_value *before_moves(const ir_value *v)
{
    while (v->producer && paging_moves(v->producer, MOVE_KEEPS | MOVE_SCALES) &&
           ir_input(v->producer, 0))
        v = v->producer->in[0].value;
    return v;
}

/* What an output is made of in the branch that computes it. */
static const ir_value *computed_in_branch(const ir_value *v)
{
    const ir_node *n = v->producer;
    for (uint32_t a = 0; n && pass_is(n, "If") && a < n->n_attrs; a++) {
        const ir_graph *g = n->attrs[a].graph;
        const ir_value *own = g && v->slot < g->n_outputs ? g->outputs[v->slot] : NULL;
        if (own && own->producer && own->producer->n_in > 0)
            return before_moves(own);
    }
    return NULL;
}

typedef struct ranked {
    uint32_t which, order;
} ranked;

static void insert(ranked *list, uint32_t *n, ranked one)
{
    uint32_t i = *n;
    for (++*n; i > 0 && list[i - 1].order > one.order; i--)
        list[i] = list[i - 1];
    list[i] = one;
}

/* A branch with a past reads an encoder's keys, the other one makes them: both in the order of
 * their layers. */
heed_status caches_find_cross(cache_finder *f)
{
    const ir_graph *g = f->r->g;
    ranked *in = arena_array(f->r->memory, g->n_inputs, sizeof(*in));
    ranked *out = arena_array(f->r->memory, g->n_outputs, sizeof(*out));
    uint32_t n_in = 0, n_out = 0;
    if (!in || !out)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (f->pair_of[i] == CACHE_NONE && caches_may_be(f->r, i) && g->inputs[i]->type.rank > 3 &&
            g->inputs[i]->uses && g->inputs[i]->uses->node->graph != g)
            insert(in, &n_in, (ranked){i, first_product(g->inputs[i], 0)});
    for (uint32_t o = 0; o < g->n_outputs; o++) {
        const ir_value *own = computed_in_branch(g->outputs[o]);
        if (own && !f->taken[o] && g->output_types[o].rank > 3)
            insert(out, &n_out, (ranked){o, first_product(own, 0)});
    }
    for (uint32_t k = 0; n_in == n_out && k < n_in; k++)
        if (caches_could_be_next(&g->inputs[in[k].which]->type, &g->output_types[out[k].which]))
            caches_add(
                f,
                (cache_pair){
                    .input = in[k].which, .form = FORM_UNCHANGED, .axis = -1, .branch = true},
                out[k].which);
    return HEED_OK;
}
