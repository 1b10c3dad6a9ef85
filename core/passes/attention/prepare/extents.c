/* extents.c - pass: shapes are read before a softmax rather than behind it.
 *
 * before: Shape(Unsqueeze(Softmax(x)))      after: Concat(parts of Shape(an input), numbers)
 *
 * Exporters read the extents of the weights to reshape them, which makes a second reader of what a
 * fused attention never has in memory. Extents are read from another tensor that has the very same
 * symbol: an input of the graph, or one of those that the scores come from. */
#include "ops/body.h"
#include "passes/pass.h"

enum { MOST_MOVES = 8, MOST_SOURCES = 96 };

/* What has the shape of its inputs, or moves their elements. */
static const char *const through[] = {
    "Cast",    "Div",       "IsNaN",     "Mul",   "Reshape", "Slice", "Split",
    "Squeeze", "Transpose", "Unsqueeze", "Where", "Equal",   "Not",   "Identity",
};

static bool leads_through(const ir_node *n)
{
    for (size_t i = 0; i < sizeof(through) / sizeof(*through); i++)
        if (pass_is(n, through[i]))
            return true;
    return false;
}

/* The softmax that the value is the result of, but for moves. */
static const ir_node *find_softmax(const ir_value *v, int moves)
{
    const ir_node *n = v ? v->producer : NULL, *found = NULL;
    if (!n || pass_is(n, "Softmax"))
        return n; /* NULL: an input */
    if (moves == MOST_MOVES || !leads_through(n))
        return NULL;
    for (uint32_t i = 0; i < n->n_in && i < 3 && !found; i++)
        found = find_softmax(ir_input(n, i), moves + 1);
    return found;
}

static ir_value *axis_of(op_body *b, ir_value *v, ir_dim extent)
{
    for (int32_t i = 0; v && v->type.kind == HEED_KIND_TENSOR && i < v->type.rank; i++)
        if (v->type.dims[i] == extent)
            return body_dim(b, v, i);
    return NULL;
}

/* Tensors that the softmax's input is made of, the nearest first; not those on the way, which fall
 * away as it does: they have the extent of the last axis. */
static ir_value *search_up(op_body *b, const ir_node *softmax, ir_dim extent)
{
    const ir_node *queue[MOST_SOURCES] = {softmax};
    ir_value *found = NULL;
    uint32_t n = 1;
    for (uint32_t i = 0; i < n && !found; i++) {
        bool product = pass_is(queue[i], "MatMul") || pass_is(queue[i], "Einsum");
        for (uint32_t k = 0; k < queue[i]->n_in && !found; k++) {
            ir_value *v = ir_input(queue[i], k);
            found = product ? axis_of(b, v, extent) : NULL;
            if (!product && v && v->producer && n < MOST_SOURCES)
                queue[n++] = v->producer;
        }
    }
    return found;
}

static ir_value *read_extent(op_body *b, const ir_node *softmax, ir_dim extent)
{
    ir_value *found = dim_known(extent) ? body_ints(b, 1, &extent) : NULL;
    for (const ir_graph *g = b->node->graph; g && !found; g = g->parent)
        for (uint32_t i = 0; i < g->n_inputs && !found && !g->parent; i++)
            found = axis_of(b, g->inputs[i], extent);
    return found ? found : search_up(b, softmax, extent);
}

static int64_t clamped(int64_t i, int32_t rank)
{
    i = i < 0 ? i + rank : i;
    return i < 0 ? 0 : i > rank ? rank : i;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value *v = pass_is(n, "Shape") ? ir_input(n, 0) : NULL, *parts[TENSOR_MAX_RANK];
    const ir_node *softmax = v ? find_softmax(v, 0) : NULL;
    if (!softmax || v->type.rank < 1)
        return HEED_OK;
    int64_t from = clamped(ir_attr_int(n, "start", 0), v->type.rank);
    int64_t to = clamped(ir_attr_int(n, "end", v->type.rank), v->type.rank);
    uint32_t count = 0;
    op_body b = pass_body(p, n);
    bool all = from < to;
    for (int64_t i = from; i < to && all; i++) {
        parts[count] = read_extent(&b, softmax, v->type.dims[i]);
        all = parts[count++] != NULL;
    }
    if (!all || b.status) {
        pass_undo(&b);
        return b.status == HEED_NOMEM ? HEED_NOMEM : HEED_OK;
    }
    ir_value *whole = body_n(&b, count, parts, "Concat axis=0");
    return b.status ? b.status : pass_bypass(p, n, whole);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_extents = {
    .name = "extents",
    .purpose = "shapes are read before a softmax rather than behind it",
    .order = 57,
    .run = run,
};
