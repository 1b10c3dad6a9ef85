/* search.c - where an input leads. */
#include <string.h>

#include "passes/paging/roles.h"

/* From one input on. A path is plain while a number stays the number that it was, but for a
 * constant and the place that it has. */
typedef struct search {
    const decoder_roles *r;
    const ir_value *from;
    const ir_node *const *updates;
    uint32_t n_updates;
    uint8_t *seen; /* by id of values: 1, or 2 on a plain path */
    bool whole;    /* the input holds whole numbers or truths */
    heed_status status;
    roles_search out;
} search;

static const char *const plain_ops[] = {"Add", "Sub", "Clip", "Max", "Min", "Slice", NULL};
static const char *const waves[] = {"Sin", "Cos", NULL};
static const char *const shapes[] = {"Shape", "Size", NULL};
static const char *const orders[] = {"Less",           "LessOrEqual", "Greater",
                                     "GreaterOrEqual", "Sub",         NULL};
static const char *const products[] = {"MatMul", "Gemm", "Einsum", NULL};

/* Inputs of operators that say how long a cache is, or where tokens stand. */
static const struct {
    const char *name;
    unsigned sees;
} told[] = {
    {"seqlens_k", SEES_LAST},
    {"total_sequence_length", SEES_TOTAL},
    {"nonpad_kv_seqlen", SEES_TOTAL},
    {"write_indices", SEES_START},
    {"past_sequence_length", SEES_START},
    {"position_ids", SEES_ANGLE},
};

static unsigned told_by_slot(const ir_use *use, bool plain)
{
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        if ((plain || told[i].sees == SEES_ANGLE) &&
            growth_slot_find(use->node->op, told[i].name) == use->slot)
            return told[i].sees;
    return 0;
}

/* Operators that look tables up themselves: the input with the indices, and that with the table. */
static const struct {
    const char *op;
    uint32_t indices, table;
} looks_up[] = {
    {"EmbedLayerNormalization", 0, 2},                                       /* tokens */
    {"EmbedLayerNormalization", 1, 4},                                       /* segments */
    {"EmbedLayerNormalization", 8, 3},                                       /* positions */
    {"GatherBlockQuantized", 1, 0},    {"Gather", 1, 0}, {"GatherND", 1, 0}, /* by one index each */
};

/* Weights of few bits become numbers so: by an operator of its own, or by arithmetic. */
static const char *const widens[] = {"DequantizeLinear", "Mul", "Sub", NULL};

static bool has_constants(const ir_node *n)
{
    for (uint32_t i = 1; i < n->n_in; i++)
        if (n->in[i].value && !n->in[i].value->constant)
            return false;
    return n->n_in > 1;
}

/* The constant of which this is a part, in other extents; or NULL. *wide: what is made of it are
 * numbers, and no indices. */
static const ir_value *constant_of(const ir_value *v, bool *wide)
{
    while (v && !v->constant && v->producer) {
        const ir_node *n = v->producer;
        bool widened = pass_is_one_of(n, widens) && has_constants(n);
        if (!widened && !paging_moves(n, MOVE_KEEPS) && !pass_is(n, "Slice"))
            break;
        *wide = *wide || (widened && dtype_is_float(n->in[1].value->type.dtype));
        v = ir_input(n, 0);
    }
    *wide = *wide || (v && dtype_is_float(v->type.dtype));
    return v && pass_constant(v) ? v : NULL;
}

/* Rows of few bits that become numbers after they were looked up. */
static bool widens_rows(const ir_node *n)
{
    const ir_use *use = n->out[0] ? n->out[0]->uses : NULL;
    return use && !use->next && use->slot == 0 && pass_is(use->node, "DequantizeLinear");
}

/* Tables of angles of an operator that turns by them. */
static const ir_value *angles_of(const ir_node *n)
{
    uint32_t slot = growth_slot_find(n->op, "cos_cache");
    bool wide = false;
    return slot == UINT32_MAX ? NULL : constant_of(ir_input(n, slot), &wide);
}

bool roles_is_angles_slot(const ir_use *use)
{
    const op_def *op = use->node->op;
    return growth_slot_find(op, "cos_cache") == use->slot ||
           growth_slot_find(op, "sin_cache") == use->slot ||
           (growth_slot_find(op, "cos") == use->slot && growth_slot_find(op, "sin") == 2);
}

/* Of GatherND: an axis was added for the one index. */
static bool has_one_index(const ir_value *v) { return pass_is(v->producer, "Unsqueeze"); }

const ir_value *roles_table_of(const ir_use *use)
{
    const ir_node *n = use->node;
    for (size_t i = 0; i < sizeof(looks_up) / sizeof(*looks_up); i++) {
        if (strcmp(n->op->name, looks_up[i].op) != 0 || use->slot != looks_up[i].indices)
            continue;
        bool wide = strcmp(n->op->name, "GatherBlockQuantized") == 0;
        const ir_value *table = constant_of(ir_input(n, looks_up[i].table), &wide);
        bool one = !pass_is(n, "GatherND") || has_one_index(use->value);
        wide = wide || widens_rows(n);
        return table && table->type.rank > 1 && one && wide ? table : NULL;
    }
    return NULL;
}

/* Of the first extent that is more than 1. */
static int64_t rows_of(const ir_value *table)
{
    for (int32_t k = 0; k < table->type.rank; k++)
        if (table->type.dims[k] != 1)
            return table->type.dims[k];
    return 1;
}

static bool is_update(const search *s, const ir_use *use)
{
    bool data = pass_is(use->node, "Where") ? use->slot != 0 : use->slot == 0;
    for (uint32_t i = 0; i < s->n_updates && !data; i++)
        if (s->updates[i] == use->node)
            return true;
    return false;
}

/* ---- In which order tokens stand ------------------------------------------------------------- */

/* 0, 1, 2, ... as a constant or counted. */
static bool counts_up(const ir_value *v)
{
    const heed_tensor *t = v->constant;
    if (!v->constant || v->is_input)
        return pass_is(v->producer, "Range");
    double first, next;
    if (tensor_count(t) < 3 || heed_tensor_read_f64(t, 0, 1, &first))
        return false;
    for (int64_t i = 1; i < tensor_count(t); i++)
        if (heed_tensor_read_f64(t, i, 1, &next) || next != first + (double)i)
            return false;
    return true;
}

/* The input's own numbers again, or places: what is less or more than them, or how far from them,
 * is a place too. A mask is never compared so. */
static bool is_places(const search *s, const ir_value *v)
{
    for (int depth = 0; v && depth < 24; depth++) {
        if (v == s->from || counts_up(v))
            return true;
        const ir_node *n = v->producer;
        if (!paging_moves(n, MOVE_KEEPS) && !pass_is_one_of(n, plain_ops))
            return false;
        const ir_value *first = ir_input(n, 0);
        v = first && pass_constant(first) && n->n_in > 1 ? ir_input(n, 1) : first;
    }
    return false;
}

static bool is_ordered(const search *s, const ir_use *use)
{
    const ir_node *n = use->node;
    return s->whole && pass_is_one_of(n, orders) && is_places(s, ir_input(n, !use->slot));
}

/* ---- Choices of numbers ---------------------------------------------------------------------- */

/* A truth as a number, before types are known. */
static bool is_truth(const ir_value *v)
{
    static const char *const tells[] = {"Less",  "LessOrEqual", "Greater", "Not", "GreaterOrEqual",
                                        "Equal", "And",         "Or",      NULL};
    bool cast = false;
    while (v && paging_moves(v->producer, MOVE_KEEPS)) {
        cast = cast || pass_is(v->producer, "Cast");
        v = ir_input(v->producer, 0);
    }
    return cast && v && pass_is_one_of(v->producer, tells);
}

/* Gives the number that it gets, or another: Where, or a product with 0 or 1, as indices have it
 * that count from the end where they are negative. */
static bool chooses(const ir_use *use)
{
    const ir_node *n = use->node;
    return (pass_is(n, "Where") && use->slot > 0) ||
           (pass_is(n, "Mul") && is_truth(ir_input(n, !use->slot)));
}

/* ---- The search ------------------------------------------------------------------------------ */

static void see_table(search *s, const ir_node *n, const ir_value *table)
{
    unsigned become = 0;
    if (!s->status)
        s->status = rows_become(s->r, n, &become);
    if (become == ROWS_TURN) {
        s->out.turn_rows = rows_of(table);
        s->out.found |= SEES_ANGLE;
        return;
    }
    if (!s->out.table) {
        s->out.rows = rows_of(table);
        s->out.table = table;
        s->out.lookup = n;
    }
    s->out.found |= SEES_TABLE;
}

static void see_slot(search *s, const ir_node *n, unsigned told_of)
{
    const ir_value *angles = told_of == SEES_ANGLE ? angles_of(n) : NULL;
    s->out.found |= told_of;
    s->out.turn_rows = angles ? rows_of(angles) : s->out.turn_rows;
}

/* What is known at once; false: the search goes on behind the node. */
static bool ends_here(search *s, const ir_use *use, bool plain)
{
    const ir_node *n = use->node;
    const ir_value *table = roles_table_of(use);
    bool attention = (n->op->flags & OP_ATTENTION) != 0;
    unsigned slot = table ? 0 : told_by_slot(use, plain);
    s->out.found |= plain && is_ordered(s, use) ? SEES_ORDER : 0;
    if (slot) {
        see_slot(s, n, slot);
    } else if (pass_is(n, "If") && use->slot == 0) {
        s->out.found |= SEES_BRANCH;
    } else if (table) {
        if (plain)
            see_table(s, n, table);
    } else if (s->whole && is_update(s, use)) {
        s->out.found |= SEES_PLACE;
    } else if (pass_is_one_of(n, waves)) {
        s->out.found |= SEES_ANGLE;
    } else if (pass_is(n, "Softmax") || (attention && use->slot > 2)) {
        s->out.found |= SEES_SOFTMAX | (plain ? SEES_SCORES : 0);
    } else {
        return attention || pass_is_one_of(n, shapes) || (!s->whole && pass_is_one_of(n, products));
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
        bool stays = plain && (paging_moves(n, MOVE_KEEPS) || pass_is_one_of(n, plain_ops) ||
                               (s->whole && chooses(use)));
        if (!ends_here(s, use, plain))
            for (uint32_t o = 0; o < n->n_out; o++)
                if (n->out[o])
                    look(s, n->out[o], stays);
    }
}

heed_status roles_search_from(const decoder_roles *r, const ir_value *v,
                              const ir_node *const *updates, uint32_t n_updates, roles_search *out)
{
    search s = {.r = r,
                .from = v,
                .updates = updates,
                .n_updates = n_updates,
                .whole = !dtype_is_float(v->type.dtype)};
    s.seen = arena_alloc(r->memory, r->model->n_values);
    if (!s.seen)
        return HEED_NOMEM;
    look(&s, v, true);
    *out = s.out;
    unsigned does = 0;
    if (!s.status && (out->found & SEES_SOFTMAX))
        s.status = polarity_find(r, v, &does);
    out->found |= does;
    return s.status;
}
