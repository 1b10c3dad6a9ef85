/* fixed_rows.c - operands of a file of one number of tokens that have the file's number where
 * others may have any: the first rows of them. What has as many rows as there are sequences must
 * have the same for each, since a sequence is computed by itself. */
#include <string.h>

#include "passes/paging/freeing.h"

/* v[0 .. as many as axis `k` of `like` has] along `axis`. */
static ir_value *first_of(op_body *b, ir_value *v, int32_t axis, ir_value *like, int32_t k)
{
    return body_2(b, v, body_range(b, body_size(b, like, k)), "Gather axis=%d", axis);
}

/* All that lies along the axis is the same. */
static bool repeats(const ir_value *v, int32_t axis)
{
    const heed_tensor *t = v->constant;
    int64_t outer = 1;
    if (!pass_constant(v) || tensor_count(t) == 0)
        return false;
    for (int32_t k = 0; k < axis; k++)
        outer *= t->dims[k];
    size_t block = tensor_bytes(t) / (size_t)outer, row = block / (size_t)t->dims[axis];
    const char *data = tensor_data(t);
    for (int64_t i = 0; i < outer; i++, data += block)
        if (memcmp(data, data + row, block - row) != 0)
            return false;
    return true;
}

/* Of what has the file's number along an axis, as many as `like` has there. Sequences are not told
 * apart: one is as good as all where they are the same. */
static heed_status put_rows(freeing *f, ir_node *n, uint32_t input, int32_t axis, ir_value *like,
                            int32_t k, bool may_broadcast)
{
    ir_value *v = ir_input(n, input);
    op_body b = pass_body(f->run, n);
    bool one = may_broadcast && like->type.dims[k] == f->any_batch && repeats(v, axis);
    ir_value *rows = one ? body_part(&b, v, axis, 0, 1) : first_of(&b, v, axis, like, k);
    TRY(b.status);
    ir_node_set_input(n, input, rows);
    return HEED_OK;
}

heed_status freeing_operands(freeing *f, ir_node *n, bool joins)
{
    int32_t rank = n->out[0] ? freeing_was(f, n->out[0])->rank : -1;
    int64_t along = joins ? ir_attr_int(n, "axis", 0) : -1;
    along += joins && along < 0 ? rank : 0;
    for (int32_t k = 0; k < rank; k++) {
        ir_value *like = NULL;
        int32_t at = 0;
        for (uint32_t i = 0; i < n->n_in && k != along; i++) {
            ir_value *v = ir_input(n, i);
            int32_t own = v ? k - (rank - v->type.rank) : -1;
            if (own >= 0 && !dim_known(v->type.dims[own])) {
                like = v;
                at = own;
            }
        }
        for (uint32_t i = 0; i < n->n_in && like; i++) {
            ir_value *v = ir_input(n, i);
            int32_t own = v ? k - (rank - v->type.rank) : -1;
            if (own < 0 || !dim_known(v->type.dims[own]) || v->type.dims[own] == 1 ||
                v->type.dims[own] != freeing_number(f, like->type.dims[at]))
                continue;
            TRY(put_rows(f, n, i, own, like, at, !joins));
        }
    }
    return HEED_OK;
}

/* Masks and biases of attention, [.., queries, keys] that are constants. */
heed_status freeing_masks(freeing *f, ir_node *n)
{
    for (uint32_t i = 3; i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        int32_t rank = v && pass_constant(v) ? v->type.rank : 0;
        for (int32_t k = 0; k < rank && rank > 1; k++) {
            v = ir_input(n, i);
            if (k + 2 >= rank && v->type.dims[k] == f->tokens)
                TRY(put_rows(f, n, i, k, f->main, f->main->type.rank > 1, false));
            else if (k == 0 && rank == 4 && f->batch > 1 && v->type.dims[k] == f->batch)
                TRY(put_rows(f, n, i, k, f->main, 0, true));
        }
    }
    return HEED_OK;
}

/* Number c of each list of indices is the index of the list along the axis. */
static bool counts(const heed_tensor *t, int32_t axis, int64_t c)
{
    int32_t rank = tensor_rank(t);
    int64_t width = t->dims[rank - 1], inner = 1;
    for (int32_t k = axis + 1; k < rank - 1; k++)
        inner *= t->dims[k];
    for (int64_t i = 0; i < tensor_count(t) / width; i++)
        if (tensor_get_int(t, i * width + c) != i / inner % t->dims[axis])
            return false;
    return true;
}

/* All of the data, in order. */
static bool lists_all(const freeing *f, const heed_tensor *t, const ir_type *data)
{
    int32_t last = tensor_rank(t) - 1;
    bool all = t->dims[last] == last && data->rank >= last;
    for (int32_t c = 0; all && c < last; c++)
        all = t->dims[c] == freeing_number(f, data->dims[c]) && counts(t, c, c);
    return all;
}

/* GatherND with constant lists of all indices. */
heed_status freeing_lists(freeing *f, ir_node *n, bool *gone)
{
    *gone = false;
    ir_value *data = ir_input(n, 0), *lists = ir_input(n, 1);
    if (!pass_constant(lists) || lists->type.rank < 2)
        return HEED_OK;
    const heed_tensor *t = lists->constant;
    int32_t last = tensor_rank(t) - 1;
    *gone = lists_all(f, t, &data->type);
    if (*gone)
        return pass_bypass(f->run, n, data);
    for (int32_t c = 0; c < t->dims[last] && c < data->type.rank; c++)
        for (int32_t axis = 0; axis < last && !dim_known(data->type.dims[c]); axis++) {
            if (t->dims[axis] != freeing_number(f, data->type.dims[c]) || !counts(t, axis, c))
                continue;
            op_body b = pass_body(f->run, n);
            ir_value *rows = first_of(&b, ir_input(n, 1), axis, data, c);
            TRY(b.status);
            ir_node_set_input(n, 1, rows);
            break;
        }
    return HEED_OK;
}
