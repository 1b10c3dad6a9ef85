/* view.c - the same elements under another shape: Identity, Reshape, Flatten, Squeeze, Unsqueeze.
 *
 * All are OP_VIEW: they have no kernel, their output is the memory of their input. */
#include <stdio.h>

#include "ops/content.h"

/* ---- Reshape ------------------------------------------------------------------------------- */

typedef struct reshape {
    content_entry *entries;
    int32_t rank; /* of the target */
    int32_t free; /* the entry that is -1, or -1 */
    ir_dim dims[TENSOR_MAX_RANK];
    bool copied[TENSOR_MAX_RANK]; /* dims[i] is input dim i by definition */
} reshape;

static heed_status reshape_entry(op_infer *c, reshape *r, int32_t i)
{
    const content_entry *e = &r->entries[i];
    if (!e->known) {
        r->dims[i] = content_extent(c, e);
    } else if (e->number > 0 || (e->number == 0 && ir_attr_int(c->node, "allowzero", 0))) {
        r->dims[i] = e->number;
    } else if (e->number == 0) {
        if (infer_rank(c, 0) >= 0 && i >= infer_rank(c, 0))
            return infer_error(c, "a 0 only where the input has a dimension", "0 on axis %d", i);
        r->dims[i] = infer_dim(c, 0, i);
        r->copied[i] = true;
    } else if (e->number == -1 && r->free < 0) {
        r->free = i;
    } else {
        return infer_error(c, "extents, 0, and at most one -1", "%lld on axis %d",
                           (long long)e->number, i);
    }
    return HEED_OK;
}

/* Takes an input extent equal to `dim` out of the count; false when there is none left. */
static bool cancel(op_infer *c, ir_dim dim, bool *used)
{
    if (dim >= 0 || dim == DIM_UNKNOWN)
        return false;
    for (int32_t k = 0; k < infer_rank(c, 0); k++)
        if (!used[k] && c->in[0]->dims[k] == dim)
            return used[k] = true;
    return false;
}

/* Products of the input's and the target's extents, without those that stand in both. True when
 * one of these is or may be 0: then both counts may be 0, whatever the rest. */
static bool reshape_products(op_infer *c, const reshape *r, ir_dim *from, ir_dim *to)
{
    bool empty = false;
    bool used[TENSOR_MAX_RANK] = {false};
    *from = *to = 1;
    for (int32_t i = 0; i < r->rank; i++)
        used[i] = r->copied[i];
    for (int32_t i = 0; i < r->rank; i++)
        if (i != r->free && !r->copied[i] && !cancel(c, r->dims[i], used))
            *to = dims_mul(c->dims, *to, r->dims[i]);
    for (int32_t k = 0; k < infer_rank(c, 0); k++) {
        if (!used[k])
            *from = dims_mul(c->dims, *from, c->in[0]->dims[k]);
        else if (!dim_known(c->in[0]->dims[k]) || c->in[0]->dims[k] == 0)
            empty = true;
    }
    return empty;
}

static heed_status reshape_mismatch(const op_infer *c, ir_dim from, ir_dim to)
{
    char expected[128], text[64];
    snprintf(expected, sizeof(expected), "a shape of %s elements",
             dims_text(c->dims, from, text, sizeof(text)));
    return infer_error(c, expected, "one of %s", dims_text(c->dims, to, text, sizeof(text)));
}

/* The extent that stands for -1, or the check that the counts agree. */
static heed_status reshape_rest(op_infer *c, reshape *r)
{
    ir_dim from, to;
    if (infer_rank(c, 0) < 0) {
        if (r->free >= 0)
            r->dims[r->free] = DIM_UNKNOWN;
        return HEED_OK;
    }
    bool empty = reshape_products(c, r, &from, &to);
    bool known = dim_known(from) && dim_known(to);
    if (r->free < 0)
        return known && from != to && !empty ? reshape_mismatch(c, from, to) : HEED_OK;
    if (known && (to == 0 ? from != 0 : from % to != 0))
        return reshape_mismatch(c, from, to);
    r->dims[r->free] = to == 0 ? 0 : dims_floor_div(c->dims, from, to);
    return HEED_OK;
}

static heed_status infer_reshape(op_infer *c)
{
    reshape r = {.free = -1};
    int64_t n;
    if (infer_rank(c, 1) > 1)
        return infer_error(c, "a shape of rank 1", "rank %d", infer_rank(c, 1));
    if (!content_get(c, 1, &r.entries, &n)) {
        ir_dim rank = infer_dim(c, 1, 0);
        bool usable = rank >= 0 && rank <= TENSOR_MAX_RANK;
        return infer_set_unknown(c, 0, 0, usable ? (int32_t)rank : -1);
    }
    if (n > TENSOR_MAX_RANK)
        return infer_error(c, "at most 16 dims", "%lld", (long long)n);
    r.rank = (int32_t)n;
    for (int32_t i = 0; i < r.rank; i++)
        TRY(reshape_entry(c, &r, i));
    TRY(reshape_rest(c, &r));
    return infer_set(c, 0, 0, r.rank, r.dims);
}

/* ---- Flatten ------------------------------------------------------------------------------- */

static heed_status infer_flatten(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    int64_t axis = ir_attr_int(c->node, "axis", 1);
    ir_dim dims[2] = {1, 1};
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, 2);
    if (axis < -rank || axis > rank)
        return infer_error(c, "an axis in [-rank, rank]", "%lld", (long long)axis);
    axis = axis < 0 ? axis + rank : axis;
    for (int32_t i = 0; i < rank; i++) {
        ir_dim *side = &dims[i < axis ? 0 : 1];
        *side = dims_mul(c->dims, *side, c->in[0]->dims[i]);
    }
    return infer_set(c, 0, 0, 2, dims);
}

/* ---- Squeeze, Unsqueeze -------------------------------------------------------------------- */

/* Marks the axes of input 1 in `marked`, which has `rank` entries. */
static heed_status mark_axes(op_infer *c, const int64_t *axes, int64_t n, int32_t rank,
                             bool *marked)
{
    for (int64_t k = 0; k < n; k++) {
        int32_t axis;
        TRY(infer_axis(c, axes[k], rank, &axis));
        if (marked[axis])
            return infer_error(c, "each axis once", "%d twice", axis);
        marked[axis] = true;
    }
    return HEED_OK;
}

static heed_status check_list(op_infer *c)
{
    if (infer_rank(c, 1) > 1)
        return infer_error(c, "a list of axes", "a tensor of rank %d", infer_rank(c, 1));
    return HEED_OK;
}

static heed_status infer_squeeze(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), kept = 0;
    const int64_t *axes = NULL;
    int64_t n = 0;
    bool marked[TENSOR_MAX_RANK] = {false};
    ir_dim dims[TENSOR_MAX_RANK];
    bool listed = infer_has(c, 1);
    TRY(check_list(c));
    if (rank < 0 || (listed && !infer_numbers(c, 1, &axes, &n))) {
        ir_dim gone = infer_rank(c, 1) == 1 ? infer_dim(c, 1, 0) : DIM_UNKNOWN;
        bool usable = rank >= 0 && gone >= 0 && gone <= rank;
        return infer_set_unknown(c, 0, 0, usable ? rank - (int32_t)gone : -1);
    }
    TRY(mark_axes(c, axes, n, rank, marked));
    for (int32_t i = 0; i < rank; i++) {
        ir_dim dim = c->in[0]->dims[i];
        if (!listed && !dim_known(dim))
            return infer_set_unknown(c, 0, 0, -1);
        if (listed && marked[i] && dim_known(dim) && dim != 1)
            return infer_error(c, "extent 1 on a squeezed axis", "%lld on axis %d", (long long)dim,
                               i);
        if (listed ? !marked[i] : dim != 1)
            dims[kept++] = dim;
    }
    return infer_set(c, 0, 0, kept, dims);
}

static heed_status infer_unsqueeze(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    const int64_t *axes;
    int64_t n;
    bool marked[TENSOR_MAX_RANK] = {false};
    ir_dim dims[TENSOR_MAX_RANK];
    TRY(check_list(c));
    if (rank < 0 || !infer_numbers(c, 1, &axes, &n)) {
        ir_dim more = infer_dim(c, 1, 0);
        bool usable =
            rank >= 0 && infer_rank(c, 1) == 1 && more >= 0 && more + rank <= TENSOR_MAX_RANK;
        return infer_set_unknown(c, 0, 0, usable ? rank + (int32_t)more : -1);
    }
    if (n > TENSOR_MAX_RANK - rank)
        return infer_error(c, "an output of at most 16 dimensions", "%lld", (long long)n + rank);
    int32_t total = rank + (int32_t)n;
    TRY(mark_axes(c, axes, n, total, marked));
    for (int32_t i = 0, from = 0; i < total; i++)
        dims[i] = marked[i] ? 1 : c->in[0]->dims[from++];
    return infer_set(c, 0, 0, total, dims);
}

// clang-format off
enum { VIEW = OP_VIEW | OP_INPLACE };
static const op_def identity = {
    .domain = "", .name = "Identity", .since = 25, .flags = VIEW,
    .signature = "input:V -> output:V", .types = "V=all",
    .infer = infer_same, .content = content_forward};
static const op_def reshape_op = {
    .domain = "", .name = "Reshape", .since = 25, .flags = VIEW,
    .signature = "data:T, shape:int64 -> reshaped:T", .types = "T=any", .attrs = "allowzero:int=0",
    .infer = infer_reshape, .content = content_forward};
static const op_def flatten = {
    .domain = "", .name = "Flatten", .since = 25, .flags = VIEW,
    .signature = "input:T -> output:T", .types = "T=any", .attrs = "axis:int=1",
    .infer = infer_flatten};
static const op_def squeeze = {
    .domain = "", .name = "Squeeze", .since = 25, .flags = VIEW,
    .signature = "data:T, axes:int64? -> squeezed:T", .types = "T=any",
    .infer = infer_squeeze, .content = content_forward};
static const op_def unsqueeze = {
    .domain = "", .name = "Unsqueeze", .since = 25, .flags = VIEW,
    .signature = "data:T, axes:int64 -> expanded:T", .types = "T=any",
    .infer = infer_unsqueeze, .content = content_forward};
// clang-format on

const op_def *const ops_view[] = {&identity, &reshape_op, &flatten, &squeeze, &unsqueeze, NULL};
