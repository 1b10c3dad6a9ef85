/* layers.c - see layers.h. */
#include "passes/paging/layers.h"

#include <string.h>

enum { IS_KEYS = 1, IS_VALUES = 2, MOST_DEPTH = 40 };

/* What reads a tensor: the first product or attention on each way. */
typedef struct reading {
    uint8_t *seen;
    unsigned as;    /* IS_* */
    uint32_t order; /* of the first */
} reading;

enum {
    MOVES = MOVE_KEEPS | MOVE_CUTS | MOVE_PICKS | MOVE_JOINS | MOVE_REPEATS | MOVE_WRITES |
            MOVE_SCALES | MOVE_PACKS
};

static const char *const score_ops[] = {"Add",     "Sub",       "Mul", "Div",  "Where",
                                        "Cast",    "Max",       "Min", "Tanh", "Clip",
                                        "Reshape", "Transpose", NULL};

/* The product becomes weights. */
static bool is_scored(const ir_value *v, int depth)
{
    for (const ir_use *use = v->uses; use && depth < 16; use = use->next) {
        const ir_node *n = use->node;
        if (strstr(n->op->name, "Softmax"))
            return true;
        if (pass_is_one_of(n, score_ops) && n->n_out > 0 && n->out[0] &&
            is_scored(n->out[0], depth + 1))
            return true;
    }
    return false;
}

static unsigned slot_as(const ir_use *use)
{
    size_t length;
    const char *name = growth_slot_name(use->node->op, false, use->slot, &length);
    bool values = (length == 1 && name[0] == 'V') ||
                  (length >= 5 && memcmp(name + length - 5, "value", 5) == 0);
    bool keys = (length == 1 && name[0] == 'K') ||
                (length >= 3 && memcmp(name + length - 3, "key", 3) == 0);
    bool both = length == 4 && memcmp(name, "past", 4) == 0;
    return both ? IS_KEYS | IS_VALUES : keys ? IS_KEYS : values ? IS_VALUES : 0;
}

static void note(reading *r, const ir_node *n, unsigned as)
{
    r->as |= as;
    r->order = as && n->id < r->order ? n->id : r->order;
}

static void follow(reading *r, const ir_value *v, int depth)
{
    static const char *const products[] = {"MatMul", "Einsum", NULL};
    if (r->seen[v->id] || depth > MOST_DEPTH)
        return;
    r->seen[v->id] = 1;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        const ir_value *other = n->n_in > 1 ? ir_input(n, use->slot == 0) : NULL;
        if (n->op->flags & OP_ATTENTION)
            note(r, n, slot_as(use));
        else if (pass_is_one_of(n, products))
            note(r, n,
                 other && other->constant  ? 0
                 : is_scored(n->out[0], 0) ? IS_KEYS
                                           : IS_VALUES);
        else if (paging_moves(n, MOVES))
            for (uint32_t o = 0; o < n->n_out; o++)
                if (n->out[o])
                    follow(r, n->out[o], depth + 1);
    }
}

/* ---- In order -------------------------------------------------------------------------------- */

typedef struct tensor_use {
    cache_pair pair;
    unsigned as;
    uint32_t order;
} tensor_use;

typedef struct list {
    const decoder_roles *r;
    uint8_t *seen;
    tensor_use *items;
    uint32_t n;
} list;

/* Concat, scatters and operators are one form of what grows; their layers are counted together. */
static int family(int form) { return form < CACHE_STATE ? 0 : form; }

static void add(list *l, cache_pair pair)
{
    reading r = {.seen = l->seen, .order = UINT32_MAX};
    memset(l->seen, 0, l->r->model->n_values);
    follow(&r, l->r->g->inputs[pair.input], 0);
    if (pair.output == CACHE_NONE && !r.as)
        return;
    uint32_t i = l->n++;
    for (; i > 0 && l->items[i - 1].order > r.order; i--)
        l->items[i] = l->items[i - 1];
    l->items[i] = (tensor_use){pair, r.as, r.order};
}

/* What an encoder gives as keys and values, and comes from outside in each step. */
static void add_given(list *l)
{
    for (uint32_t i = 0; i < l->r->n; i++) {
        const ir_value *v = l->r->g->inputs[i];
        if (l->r->role[i] == PAGING_SIDE && roles_is_given(v) && v->type.rank > 3 &&
            dtype_is_float(v->type.dtype))
            add(l, (cache_pair){.input = i, .output = CACHE_NONE, .form = CACHE_CROSS, .axis = -1});
    }
}

/* The next tensor of the family behind `from` that is read so; l->n: none. */
static uint32_t next_as(const list *l, uint32_t from, int of, unsigned as)
{
    while (from < l->n && (family(l->items[from].pair.form) != of || l->items[from].as != as))
        from++;
    return from;
}

heed_status cache_find_layers(const decoder_roles *r, const cache_map *caches, cache_layer **out,
                              uint32_t *n)
{
    list l = {.r = r};
    uint32_t values[CACHE_CROSS + 1] = {0}, counts[CACHE_CROSS + 1] = {0};
    l.seen = arena_alloc(r->memory, r->model->n_values);
    l.items = arena_array(r->memory, caches->n + r->n, sizeof(*l.items));
    *out = arena_array(r->memory, caches->n + r->n, sizeof(**out));
    *n = 0;
    if (!l.seen || !l.items || !*out)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < caches->n; i++)
        add(&l, caches->pairs[i]);
    add_given(&l);
    for (uint32_t i = 0; i < l.n; i++) {
        const tensor_use *t = &l.items[i];
        int of = family(t->pair.form);
        cache_layer layer = {.form = t->pair.form, .keys = t->pair, .values = t->pair};
        if (t->as == IS_KEYS) {
            uint32_t k = next_as(&l, values[of], of, IS_VALUES);
            values[of] = k < l.n ? k + 1 : k;
            if (k < l.n)
                layer.values = l.items[k].pair;
            else
                layer.values.input = CACHE_NONE;
        } else if (t->as == IS_VALUES && counts[of] > 0) {
            continue; /* with its keys, which are read before */
        } else if (t->as == 0) {
            layer.values.input = CACHE_NONE;
        }
        layer.index = (int32_t)counts[of]++;
        (*out)[(*n)++] = layer;
    }
    return HEED_OK;
}
