/* search.c - where an input leads. */
#include <string.h>

#include "passes/paging/roles.h"

/* From one input on. A path is plain while a number stays the number that it was, but for a
 * constant and the place that it has. */
typedef struct search {
    const ir_node *const *updates;
    uint32_t n_updates;
    uint8_t *seen; /* by id of values: 1, or 2 on a plain path */
    bool whole;    /* the input holds whole numbers or truths */
    roles_search out;
} search;

static bool is_one_of(const ir_node *n, const char *const *ops)
{
    for (; *ops; ops++)
        if (pass_is(n, *ops))
            return true;
    return false;
}

static const char *const moves[] = {"Identity",  "Cast",    "Reshape", "Transpose", "Squeeze",
                                    "Unsqueeze", "Flatten", "Expand",  NULL};
static const char *const plain_ops[] = {"Add", "Sub", "Clip", "Max", "Min", "Slice", NULL};
static const char *const waves[] = {"Sin", "Cos", NULL};
static const char *const shapes[] = {"Shape", "Size", NULL};
static const char *const products[] = {"MatMul", "Gemm", "Einsum", NULL};

/* Inputs of operators that say how long a cache is. */
static const struct {
    const char *name;
    unsigned sees;
} lengths[] = {
    {"seqlens_k", SEES_LAST},
    {"total_sequence_length", SEES_TOTAL},
    {"nonpad_kv_seqlen", SEES_TOTAL},
    {"write_indices", SEES_START},
    {"past_sequence_length", SEES_START},
};

static unsigned length_slot(const ir_use *use)
{
    size_t n;
    const char *name = growth_slot_name(use->node->op, false, use->slot, &n);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        if (strlen(lengths[i].name) == n && memcmp(lengths[i].name, name, n) == 0)
            return lengths[i].sees;
    return 0;
}

static bool is_update(const search *s, const ir_use *use)
{
    bool data = pass_is(use->node, "Where") ? use->slot != 0 : use->slot == 0;
    for (uint32_t i = 0; i < s->n_updates && !data; i++)
        if (s->updates[i] == use->node)
            return true;
    return false;
}

/* What is known at once; false: the search goes on behind the node. */
static bool ends_here(search *s, const ir_use *use, bool plain)
{
    const ir_node *n = use->node;
    const ir_value *table = ir_input(n, 0);
    bool attention = strstr(n->op->name, "Attention") != NULL;
    unsigned length = plain ? length_slot(use) : 0;
    if (length) {
        s->out.found |= length;
    } else if (pass_is(n, "If") && use->slot == 0) {
        s->out.found |= SEES_BRANCH;
    } else if (pass_is(n, "Gather") && use->slot == 1 && table->constant &&
               dtype_is_float(table->type.dtype)) {
        if (plain && !(s->out.found & SEES_TABLE))
            s->out.rows = table->type.dims[0];
        s->out.found |= plain ? SEES_TABLE : 0;
    } else if (s->whole && is_update(s, use)) {
        s->out.found |= SEES_PLACE;
    } else if (is_one_of(n, waves)) {
        s->out.found |= SEES_WAVE;
    } else if (pass_is(n, "Softmax") || (attention && use->slot > 2)) {
        s->out.found |= SEES_SOFTMAX | (plain ? SEES_SCORES : 0);
    } else {
        return attention || is_one_of(n, shapes) || (!s->whole && is_one_of(n, products));
    }
    return true;
}

static void look(search *s, const ir_value *v, bool plain)
{
    uint8_t state = plain ? 2 : 1;
    if (s->seen[v->id] >= state)
        return;
    s->seen[v->id] = state;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        bool stays = plain && (is_one_of(n, moves) || is_one_of(n, plain_ops));
        if (!ends_here(s, use, plain))
            for (uint32_t o = 0; o < n->n_out; o++)
                if (n->out[o])
                    look(s, n->out[o], stays);
    }
}

heed_status roles_search_from(const decoder_roles *r, const ir_value *v,
                              const ir_node *const *updates, uint32_t n_updates, roles_search *out)
{
    search s = {
        .updates = updates, .n_updates = n_updates, .whole = !dtype_is_float(v->type.dtype)};
    s.seen = arena_alloc(r->memory, r->model->n_values);
    if (!s.seen)
        return HEED_NOMEM;
    look(&s, v, true);
    *out = s.out;
    return HEED_OK;
}
