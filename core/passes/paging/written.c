/* written.c - pass: attention over a cache that is written reads what is written.
 *
 * before: k = Scatter(cache [1, H, C, D], 0 to S - 1, new [1, H, S, D])
 *         y = heed.Attention(q, k, v) causal=1
 * after:  y = heed.Attention(q, new, ...) causal=1
 *
 * Only for paging, where a sequence is computed from its beginning: its tokens stand in the first
 * places of the cache. Query i, of S, sees no key behind its own place i, so none behind the first
 * S, whatever the cache holds there. Two proofs, then: that row i is written to place i (by the
 * algebra of masks, mask.h), and that attention hides what comes later, which its node says. */
#include <string.h>

#include "ops/heads.h"
#include "passes/mask/mask.h"
#include "passes/paging/flow.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, SEEN, FACTOR };
enum { MOST_DEPTH = 32 };

typedef struct reader {
    pass_run *run;
    mask *mask;
    op_body b;
    ir_dim tokens;
    flow_map *numbers; /* of which only numbers are asked */
    int64_t places;    /* that what was found is written to; 0: any number */
} reader;

/* Rows beyond the places cannot be written: the file's graph fails there. */
static ir_value *note_places(reader *r, const ir_node *n, int32_t axis, ir_value *rows)
{
    int64_t places = n->in[0].value->type.dims[axis];
    if (rows && places > 0 && (r->places == 0 || places < r->places))
        r->places = places;
    return rows;
}

/* ---- Row i is written to place i ------------------------------------------------------------- */

/* In every element of the indices stands its own index along this axis, of the first `rank`; others
 * have an extent of 1, and the only index there is 0. */
static bool counts(reader *r, ir_value *v, int32_t axis, int32_t rank)
{
    ir_dim extent[4] = {1, 1, 1, 1};
    axes at = {.rank = v->type.rank};
    mask_form form;
    mask_affine index;
    if (rank > 4 || v->type.rank < rank)
        return false;
    for (int32_t k = 0; k < rank; k++)
        extent[k] = v->type.dims[k];
    mask_init(r->mask, r->run, extent);
    for (int32_t k = 0; k < rank; k++)
        if (extent[k] != 1)
            at.axis[k] = (axes_list){1, {r->mask->frame[k]}};
    if (!mask_walk(r->mask, v, &at, &form) || form.leaf[0] == MASK_NONE)
        return false;
    for (uint32_t c = 1; c < 1u << form.n; c++)
        if (form.leaf[c] != form.leaf[0])
            return false;
    if (!mask_whole(r->mask, form.leaf[0], false, &index) || index.constant != 0)
        return false;
    if (extent[axis] == 1)
        return index.n == 0;
    return index.n == 1 && index.index[0] == r->mask->frame[axis] && index.factor[0] == 1;
}

/* All extents but that of the axis are those of the data. */
static bool covers(const ir_type *rows, const ir_type *data, int32_t axis)
{
    bool same = rows->rank == data->rank && axis >= 0 && axis < data->rank;
    for (int32_t k = 0; same && k < data->rank; k++)
        same = k == axis || rows->dims[k] == data->dims[k];
    return same;
}

static ir_value *scattered(reader *r, const ir_node *n, int32_t axis)
{
    ir_value *at = ir_input(n, 1), *rows = ir_input(n, 2);
    const ir_type *data = &n->in[0].value->type;
    int64_t along = ir_attr_int(n, "axis", 0);
    bool whole = (along < 0 ? along + data->rank : along) == axis &&
                 strcmp(ir_attr_string(n, "reduction", "none"), "none") == 0 &&
                 covers(&rows->type, data, axis) && covers(&at->type, data, axis) &&
                 at->type.dims[axis] == rows->type.dims[axis];
    return whole && counts(r, at, axis, data->rank) ? rows : NULL;
}

/* Which numbers of the lists go with axis k of the data; NULL: they are not apart. */
static ir_value *indices_of(const ir_node *n, int32_t k, int64_t depth)
{
    ir_value *at = ir_input(n, 1);
    const ir_node *joins = at->producer;
    if (depth == 1)
        return at;
    int64_t axis = pass_is(joins, "Concat") ? ir_attr_int(joins, "axis", 0) : 0;
    bool apart = pass_is(joins, "Concat") && joins->n_in == (uint64_t)depth &&
                 axis + (axis < 0 ? at->type.rank : 0) == at->type.rank - 1;
    ir_value *part = apart ? ir_input(joins, (uint32_t)k) : NULL;
    bool one = part && part->type.rank == at->type.rank && part->type.dims[at->type.rank - 1] == 1;
    return one ? part : NULL;
}

/* Lists of an index for each of the first axes: of all axes but one they say where the row stands
 * anyway. */
static ir_value *scattered_nd(reader *r, const ir_node *n, int32_t axis)
{
    ir_value *at = ir_input(n, 1), *rows = ir_input(n, 2);
    const ir_type *data = &n->in[0].value->type;
    int64_t depth = at->type.rank > 0 ? at->type.dims[at->type.rank - 1] : -1;
    bool whole = depth > axis && depth <= data->rank && at->type.rank == depth + 1 &&
                 strcmp(ir_attr_string(n, "reduction", "none"), "none") == 0 &&
                 covers(&rows->type, data, axis);
    for (int32_t k = 0; whole && k < depth; k++) {
        ir_value *own = indices_of(n, k, depth);
        whole = at->type.dims[k] == rows->type.dims[k] && own && counts(r, own, k, (int32_t)depth);
    }
    return whole ? rows : NULL;
}

static ir_value *tensor_scattered(reader *r, const ir_node *n, int32_t axis)
{
    ir_value *at = ir_input(n, 2), *rows = ir_input(n, 1);
    const ir_type *data = &n->in[0].value->type;
    int64_t along = ir_attr_int(n, "axis", -2);
    bool whole = (along < 0 ? along + data->rank : along) == axis &&
                 strcmp(ir_attr_string(n, "mode", "linear"), "linear") == 0 &&
                 covers(&rows->type, data, axis);
    ir_dim first = 0;
    return whole && (!at || (flow_number(r->numbers, at, &first) && first == 0)) ? rows : NULL;
}

/* ---- The first rows of a value --------------------------------------------------------------- */

static ir_value *first_rows(reader *r, ir_value *v, int32_t axis, int depth);

static ir_value *transposed(reader *r, const ir_node *n, int32_t axis, int depth)
{
    uint64_t count = 0;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    char text[64];
    int at = 0;
    if (!perm || (uint64_t)axis >= count || count > 8)
        return NULL;
    ir_value *rows = first_rows(r, ir_input(n, 0), (int32_t)perm[axis], depth);
    for (uint64_t k = 0; k < count; k++)
        text[at++] = (char)('0' + perm[k]), text[at++] = k + 1 < count ? ',' : '\0';
    return rows ? body_transpose(&r->b, rows, text) : NULL;
}

/* As many elements lie before the axis, and it is as long. */
static ir_value *reshaped(reader *r, const ir_node *n, int32_t axis, int depth)
{
    const ir_type *to = &n->out[0]->type;
    int64_t shape[TENSOR_MAX_RANK];
    int32_t own = flow_find_axis(r->numbers, to, axis, &n->in[0].value->type);
    for (int32_t k = 0; k < to->rank; k++) {
        shape[k] = k == axis ? -1 : to->dims[k];
        if (k != axis && !dim_known(to->dims[k]))
            return NULL;
    }
    ir_value *rows = own < 0 ? NULL : first_rows(r, ir_input(n, 0), own, depth);
    return rows ? body_2(&r->b, rows, body_ints(&r->b, to->rank, shape), "Reshape") : NULL;
}

/* As many as there are tokens, or as there are places. */
static bool is_as_many(const reader *r, ir_dim extent, ir_dim places)
{
    int64_t most;
    return extent == r->tokens || (dims_is_cut(r->run->model->dims, extent, r->tokens, &most) &&
                                   dim_known(places) && most == places);
}

/* Places from 0 to no fewer than there are tokens. */
static ir_value *sliced(reader *r, const ir_node *n, int32_t axis, int depth)
{
    const ir_value *start = ir_input(n, 1), *along = ir_input(n, 3), *steps = ir_input(n, 4);
    const ir_type *from = &n->in[0].value->type, *to = &n->out[0]->type;
    if (to->rank != from->rank || !is_as_many(r, to->dims[axis], from->dims[axis]) ||
        !pass_constant(start) || tensor_count(start->constant) != 1 ||
        tensor_get_int(start->constant, 0) != 0 ||
        (steps && (!pass_constant(steps) || tensor_get_int(steps->constant, 0) != 1)))
        return NULL;
    int64_t k = along && pass_constant(along) ? tensor_get_int(along->constant, 0)
                : along                       ? -99
                                              : 0;
    return (k < 0 ? k + from->rank : k) == axis ? first_rows(r, ir_input(n, 0), axis, depth) : NULL;
}

/* As many as there are tokens, along the axis; NULL: they are not known to be those of the tokens.
 */
static ir_value *first_rows(reader *r, ir_value *v, int32_t axis, int depth)
{
    const ir_node *n = v->producer;
    ir_value *rows = NULL;
    if (!n || depth > MOST_DEPTH || axis < 0 || axis >= v->type.rank)
        return NULL;
    ++depth;
    if (paging_moves(n, MOVE_COPIES))
        rows = first_rows(r, ir_input(n, 0), axis, depth);
    else if (pass_is(n, "Transpose"))
        rows = transposed(r, n, axis, depth);
    else if (paging_moves(n, MOVE_FOLDS))
        rows = reshaped(r, n, axis, depth);
    else if (pass_is(n, "Slice"))
        rows = sliced(r, n, axis, depth);
    else if (pass_is(n, "ScatterElements"))
        rows = note_places(r, n, axis, scattered(r, n, axis));
    else if (pass_is(n, "ScatterND"))
        rows = note_places(r, n, axis, scattered_nd(r, n, axis));
    else if (pass_is(n, "TensorScatter"))
        rows = note_places(r, n, axis, tensor_scattered(r, n, axis));
    rows = rows ? body_cast(&r->b, rows, v->type.dtype) : NULL;
    return rows && rows->type.rank == v->type.rank && rows->type.dims[axis] == r->tokens ? rows
                                                                                         : NULL;
}

/* ---- Attention that reads them --------------------------------------------------------------- */

static bool is_number(reader *r, const ir_node *n, uint32_t input, ir_dim wanted)
{
    ir_value *v = ir_input(n, input);
    ir_dim number;
    return !v || (flow_number(r->numbers, v, &number) && number == wanted);
}

/* No query sees a key behind the first `tokens`. */
static bool hides_others(reader *r, const ir_node *n)
{
    bool later = ir_attr_int(n, "causal", 0) && is_number(r, n, OFFSETS, 0);
    bool behind = ir_input(n, LENGTHS) && is_number(r, n, LENGTHS, r->tokens);
    return (later || behind) && (n->n_out < 2 || !ir_value_used(n->out[1])) &&
           !ir_attr_int(n, "relative", 0);
}

/* What is said of each key, for the first ones. */
static ir_value *of_first_keys(reader *r, ir_value *v, ir_dim keys, ir_value *count)
{
    if (!v || keys == r->tokens || v->type.rank < 1 || v->type.dims[v->type.rank - 1] != keys)
        return v;
    return body_slice(&r->b, v, -1, NULL, count);
}

static heed_status shorten(reader *r, ir_node *n)
{
    static const uint32_t of_keys[] = {BIAS, SEEN, FACTOR};
    heads_layout q, k, v;
    heads_layout_read(n, "q_layout", &q);
    heads_layout_read(n, "k_layout", &k);
    heads_layout_read(n, "v_layout", &v);
    ir_dim n_keys = n->in[K].value->type.dims[k.place[2]];
    if (n->in[Q].value->type.dims[q.place[2]] != r->tokens ||
        (n_keys != r->tokens && !hides_others(r, n)))
        return HEED_OK;
    r->b = pass_body(r->run, n);
    r->places = 0;
    ir_value *keys = first_rows(r, ir_input(n, K), k.place[2], 0);
    ir_value *values = keys ? first_rows(r, ir_input(n, V), v.place[2], 0) : NULL;
    if (!values || r->b.status) {
        pass_undo(&r->b);
        return r->b.status == HEED_NOMEM ? HEED_NOMEM : HEED_OK;
    }
    ir_value *count = body_dim(&r->b, ir_input(n, Q), q.place[2]);
    ir_value *parts[3];
    for (int i = 0; i < 3; i++)
        parts[i] = of_first_keys(r, ir_input(n, of_keys[i]), n_keys, count);
    TRY(r->b.status);
    for (uint32_t i = 0; i < 3; i++)
        if (parts[i])
            ir_node_set_input(n, of_keys[i], parts[i]);
    if (r->places > 0)
        paging_limit(r->run, r->places);
    ir_node_set_input(n, K, keys);
    ir_node_set_input(n, V, values);
    r->run->rewrites++;
    return HEED_OK;
}

static bool is_attention(const ir_node *n)
{
    return strcmp(n->op->name, "Attention") == 0 && strcmp(n->op->domain, "heed") == 0;
}

static heed_status run(pass_run *p)
{
    flow_map numbers = {.run = p};
    reader r = {.run = p, .numbers = &numbers};
    heed_status status = HEED_OK;
    if (!p->options->paging)
        return HEED_OK;
    r.tokens = numbers.tokens = paging_tokens(p);
    r.mask = mem_zero(sizeof(*r.mask));
    if (!r.mask)
        return HEED_NOMEM;
    for (ir_node *n = p->model->main->first; n && !status; n = n->next)
        if (is_attention(n))
            status = shorten(&r, n);
    mem_free(r.mask);
    flow_map_free(&numbers);
    return status || p->rewrites == 0 ? status : ir_sort(p->model->main);
}

const pass_def pass_written = {
    .name = "written",
    .purpose = "attention over a cache that is written reads what is written",
    .order = 61,
    .required = true,
    .run = run,
};
