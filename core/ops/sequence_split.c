/* sequence_split.c - one tensor cut into a sequence and put together again: SplitToSequence,
 * ConcatFromSequence. */
#include <string.h>

#include "ops/items.h"
#include "ops/layout.h"
#include "ops/loops.h"

/* A tensor without elements may have an axis of any length. */
#define MAX_PIECES ((int64_t)1 << 24)

/* ---- SplitToSequence ------------------------------------------------------------------------- */

static heed_status infer_split(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    if (rank >= 0)
        TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    if (infer_rank(c, 1) > 1)
        return infer_error(c, "a scalar or a list of sizes in input split", "rank %d",
                           infer_rank(c, 1));
    return items_infer(c, 0, HEED_KIND_SEQUENCE, infer_has(c, 0) ? c->in[0]->dtype : 0, false);
}

/* How the axis is cut: `n` pieces of `each` elements (the last may be shorter), or of `sizes`. */
typedef struct cut {
    int64_t extent, n, each;
    const int64_t *sizes;
    bool squeeze; /* pieces of one element lose the axis */
} cut;

static heed_status cut_by_sizes(op_call *c, cut *k)
{
    int64_t left = k->extent;
    k->sizes = call_ints(c, 1);
    k->n = tensor_count(c->in[1]);
    if (!k->sizes)
        return err_get()->status;
    for (int64_t i = 0; i < k->n; i++) {
        if (k->sizes[i] < 0 || k->sizes[i] > left)
            return call_error(c, HEED_INVALID, "size %lld of piece %lld with %lld elements left",
                              (long long)k->sizes[i], (long long)i, (long long)left);
        left -= k->sizes[i];
    }
    if (left)
        return call_error(c, HEED_INVALID, "the sizes leave %lld of %lld elements over",
                          (long long)left, (long long)k->extent);
    return HEED_OK;
}

static heed_status cut_new(op_call *c, int64_t extent, cut *k)
{
    *k = (cut){.extent = extent, .each = 1};
    k->squeeze = !call_has(c, 1) && !ir_attr_int(c->node, "keepdims", 1);
    if (call_has(c, 1) && tensor_rank(c->in[1]) > 0)
        return cut_by_sizes(c, k);
    if (call_has(c, 1))
        k->each = tensor_get_int(c->in[1], 0);
    if (k->each <= 0)
        return call_error(c, HEED_INVALID, "pieces of %lld elements", (long long)k->each);
    k->n = extent / k->each + (extent % k->each != 0);
    return HEED_OK;
}

static int64_t cut_size(const cut *k, int64_t i)
{
    int64_t left = k->extent - (k->sizes ? 0 : i * k->each);
    return k->sizes ? k->sizes[i] : (left < k->each ? left : k->each);
}

/* Elements first..first+n of the axis as a tensor of their own. */
static heed_status piece_new(const heed_tensor *in, int32_t axis, int64_t first, int64_t n,
                             bool squeeze, heed_tensor **out)
{
    int32_t rank = tensor_rank(in);
    int64_t dims[TENSOR_MAX_RANK];
    int64_t inner = layout_product(in->dims, axis + 1, rank);
    int64_t outer = layout_product(in->dims, 0, axis);
    memcpy(dims, in->dims, sizeof(dims));
    dims[axis] = n;
    if (squeeze)
        memmove(dims + axis, dims + axis + 1, (size_t)(rank - axis - 1) * sizeof(*dims));
    TRY(tensor_new(in->dtype, squeeze ? rank - 1 : rank, dims, out));
    for (int64_t o = 0; o < outer && n * inner > 0; o++)
        dtype_copy(in->dtype, tensor_data(*out), o * n * inner, tensor_data(in),
                   (o * in->dims[axis] + first) * inner, n * inner);
    heed_status status = items_own_text(*out);
    if (status)
        tensor_free(*out);
    return status;
}

static heed_status run_split(op_call *c)
{
    const heed_tensor *in = c->in[0];
    control_list list = {0};
    heed_status status = HEED_OK;
    int32_t axis;
    cut k;
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), tensor_rank(in), &axis));
    TRY(cut_new(c, in->dims[axis], &k));
    if (k.n > MAX_PIECES)
        return call_error(c, HEED_UNSUPPORTED, "a sequence of %lld tensors", (long long)k.n);
    for (int64_t i = 0, first = 0; i < k.n && !status; first += cut_size(&k, i), i++) {
        heed_tensor *piece;
        status = piece_new(in, axis, first, cut_size(&k, i), k.squeeze, &piece);
        status = status ? status : control_push(&list, piece);
    }
    if (!status)
        return items_give(c, 0, HEED_SEQUENCE, in->dtype, &list);
    control_free(&list);
    return status;
}

/* ---- ConcatFromSequence ---------------------------------------------------------------------- */

static heed_status infer_concat(op_infer *c)
{
    TRY(items_infer_sequence(c, 0));
    return items_infer(c, 0, HEED_KIND_TENSOR, infer_has(c, 0) ? c->in[0]->dtype : 0, false);
}

/* Items must agree on every axis but `axis` (-1: on every one). */
static heed_status check_items(const op_call *c, const heed_tensor *s, int32_t axis)
{
    const heed_tensor *first = s->items[0];
    char a[96], b[96];
    for (size_t i = 1; i < s->n_items; i++) {
        const heed_tensor *item = s->items[i];
        bool same = tensor_rank(item) == tensor_rank(first) && item->dtype == first->dtype;
        for (int32_t k = 0; same && k < tensor_rank(first); k++)
            same = k == axis || item->dims[k] == first->dims[k];
        if (!same)
            return call_error(c, HEED_INVALID, "items 0 and %zu do not fit together: %s and %s", i,
                              shape_text(tensor_rank(first), first->dims, a, sizeof(a)),
                              shape_text(tensor_rank(item), item->dims, b, sizeof(b)));
    }
    return HEED_OK;
}

static heed_status join(op_call *c, const heed_tensor *s, int32_t axis)
{
    int64_t dims[TENSOR_MAX_RANK];
    TRY(check_items(c, s, axis));
    memcpy(dims, s->items[0]->dims, sizeof(dims));
    for (size_t i = 1; i < s->n_items; i++)
        if (__builtin_add_overflow(dims[axis], s->items[i]->dims[axis], &dims[axis]))
            return call_error(c, HEED_INVALID, "the items are too long together");
    TRY(call_output(c, 0, s->items[0]->dtype, tensor_rank(s->items[0]), dims));
    if (!call_out(c, 0))
        return HEED_OK;
    layout_join(c->out[0], axis, s->n_items, (const heed_tensor *const *)s->items);
    return items_own_text(c->out[0]);
}

static heed_status run_concat(op_call *c)
{
    const heed_tensor *s;
    int32_t axis;
    bool stack = ir_attr_int(c->node, "new_axis", 0) != 0;
    TRY(items_sequence(c, 0, &s));
    if (s->n_items == 0)
        return call_error(c, HEED_INVALID, "an empty sequence gives no tensor");
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), tensor_rank(s->items[0]) + stack, &axis));
    if (!stack)
        return join(c, s, axis);
    control_list list = {.items = s->items, .n = s->n_items};
    TRY(check_items(c, s, -1));
    return control_stack(c, 0, &list, axis, false, NULL);
}

// clang-format off
static const op_def split = {
    .domain = "", .name = "SplitToSequence", .since = 24, .flags = OP_DATA_SHAPE,
    .signature = "input:T, split:I? -> output_sequence:S",
    .types = "T=any S=sequence I=int32|int64", .attrs = "axis:int=0 keepdims:int=1",
    .infer = infer_split, .run = run_split};
static const op_def concat = {
    .domain = "", .name = "ConcatFromSequence", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input_sequence:S -> concat_result:T", .types = "S=sequence T=any",
    .attrs = "axis:int! new_axis:int=0", .infer = infer_concat, .run = run_concat};

const op_def *const ops_sequence_split[] = {&split, &concat, NULL};
// clang-format on
