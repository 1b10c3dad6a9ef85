/* pad.c - a tensor with a border, or cropped where the border is negative: Pad. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* ---- Inference ----------------------------------------------------------------------------- */

static heed_status pad_axis(op_infer *c, int64_t axis, const content_entry *before,
                            const content_entry *after, bool *padded, ir_dim *dims)
{
    int32_t a;
    int64_t value;
    TRY(infer_axis(c, axis, infer_rank(c, 0), &a));
    if (padded[a])
        return infer_error(c, "each axis once", "%d twice", a);
    padded[a] = true;
    dims[a] = dims_add(c->dims, dims[a], dims_add(c->dims, before->dim, after->dim));
    if (dims_value(c->dims, dims[a], &value) && value < 0)
        return infer_error(c, "pads that crop no more than there is", "extent %lld on axis %d",
                           (long long)value, a);
    return HEED_OK;
}

static heed_status infer_pad(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    const int64_t *axes = NULL;
    content_entry *pads;
    int64_t n_axes = rank, n;
    ir_dim dims[TENSOR_MAX_RANK];
    bool padded[TENSOR_MAX_RANK] = {false};
    bool listed = infer_has(c, 3);
    if (rank < 0 || !content_get(c, 1, &pads, &n) ||
        (listed && !infer_numbers(c, 3, &axes, &n_axes)))
        return infer_set_unknown(c, 0, 0, rank);
    if (n != 2 * n_axes)
        return infer_error(c, "two pads for each axis", "%lld pads for %lld axes", (long long)n,
                           (long long)n_axes);
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    for (int64_t k = 0; k < n_axes; k++)
        TRY(pad_axis(c, axes ? axes[k] : k, &pads[k], &pads[n_axes + k], padded, dims));
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

/* Input index for output index i of an axis, or -1 for the constant. */
typedef int64_t (*pad_source)(int64_t i, int64_t before, int64_t dim);

static int64_t source_constant(int64_t i, int64_t before, int64_t dim)
{
    int64_t from = i - before;
    return from >= 0 && from < dim ? from : -1;
}

static int64_t source_edge(int64_t i, int64_t before, int64_t dim)
{
    int64_t from = i - before;
    return from < 0 ? 0 : from >= dim ? dim - 1 : from;
}

static int64_t source_wrap(int64_t i, int64_t before, int64_t dim)
{
    int64_t from = (i - before) % dim;
    return from < 0 ? from + dim : from;
}

static int64_t source_reflect(int64_t i, int64_t before, int64_t dim)
{
    int64_t period = dim > 1 ? 2 * (dim - 1) : 1;
    int64_t from = (i - before) % period;
    from = from < 0 ? from + period : from;
    return from < dim ? from : period - from;
}

static const struct {
    const char *name;
    pad_source source;
} pad_modes[] = {{"constant", source_constant},
                 {"edge", source_edge},
                 {"wrap", source_wrap},
                 {"reflect", source_reflect}};

static pad_source find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof(pad_modes) / sizeof(pad_modes[0]); i++)
        if (strcmp(pad_modes[i].name, name) == 0)
            return pad_modes[i].source;
    return NULL;
}

/* For each axis, which input index each output index reads, one list after the other. */
static heed_status pad_maps(op_call *c, pad_source source, int64_t **maps)
{
    const heed_tensor *in = c->in[0], *out = c->out[0];
    int32_t rank = tensor_rank(in);
    int64_t before[TENSOR_MAX_RANK] = {0};
    int64_t n = tensor_count(c->in[1]) / 2;
    for (int64_t k = 0; k < n; k++) {
        int64_t axis = call_has(c, 3) ? tensor_get_int(c->in[3], k) : k;
        before[axis < 0 ? axis + rank : axis] = tensor_get_int(c->in[1], k);
    }
    for (int32_t a = 0; a < rank; a++) {
        maps[a] = call_scratch(c, ((size_t)out->dims[a] + 1) * sizeof(int64_t));
        if (!maps[a])
            return err_get()->status;
        if (in->dims[a] == 0 && out->dims[a] > 0 && source != source_constant)
            return call_error(c, HEED_INVALID, "axis %d has no element to pad from", a);
        for (int64_t i = 0; i < out->dims[a]; i++)
            maps[a][i] = source(i, before[a], in->dims[a]);
    }
    return HEED_OK;
}

/* One row of the output along the last axis; `from` is where its input row starts, -1: none. */
static void pad_row(const op_call *c, const int64_t *source, int64_t n, int64_t to, int64_t from)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = c->out[0];
    for (int64_t i = 0; i < n;) {
        int64_t run = 1;
        bool filled = from < 0 || source[i] < 0;
        while (i + run < n &&
               (filled ? (from < 0 || source[i + run] < 0) : source[i + run] == source[i] + run))
            run++;
        if (!filled)
            dtype_copy(in->dtype, tensor_data(out), to + i, tensor_data(in), from + source[i], run);
        else if (call_has(c, 2) && tensor_count(c->in[2]) > 0)
            layout_fill(in->dtype, tensor_data(out), to + i, run, tensor_data(c->in[2]), 0);
        else
            layout_zero(in->dtype, tensor_data(out), to + i, run);
        i += run;
    }
}

static void pad_rows(const op_call *c, int64_t *const *maps)
{
    const heed_tensor *in = c->in[0], *out = c->out[0];
    int32_t outer = tensor_rank(in) - 1;
    int64_t index[TENSOR_MAX_RANK] = {0}, strides[TENSOR_MAX_RANK], to = 0;
    layout_strides(outer + 1, in->dims, strides);
    do {
        int64_t from = 0;
        for (int32_t a = 0; a < outer && from >= 0; a++) {
            int64_t i = maps[a][index[a]];
            from = i < 0 ? -1 : from + i * strides[a];
        }
        pad_row(c, maps[outer], out->dims[outer], to, from);
        to += out->dims[outer];
    } while (layout_next(outer, out->dims, index));
}

static heed_status run_pad(op_call *c)
{
    const char *mode = ir_attr_string(c->node, "mode", "constant");
    pad_source source = find_mode(mode);
    int64_t *maps[TENSOR_MAX_RANK];
    if (!source)
        return call_error(c, HEED_INVALID, "mode is constant, edge, reflect or wrap, not %s", mode);
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    if (tensor_rank(out) == 0) {
        dtype_copy(out->dtype, tensor_data(out), 0, tensor_data(c->in[0]), 0, 1);
        return HEED_OK;
    }
    TRY(pad_maps(c, source, maps));
    pad_rows(c, maps);
    return HEED_OK;
}

// clang-format off
static const op_def pad = {
    .domain = "", .name = "Pad", .since = 25,
    .signature = "data:T, pads:int64, constant_value:T?, axes:I? -> output:T",
    .types = "T=any I=int32|int64", .attrs = "mode:string=constant",
    .infer = infer_pad, .run = run_pad};
// clang-format on

const op_def *const ops_pad[] = {&pad, NULL};
