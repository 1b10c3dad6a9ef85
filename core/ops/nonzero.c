/* nonzero.c - the coordinates of what is not zero: NonZero. Its shape depends on data. */
#include "ops/layout.h"
#include "ops/op.h"

enum { BLOCK = 256 };

static heed_status infer_nonzero(op_infer *c)
{
    ir_dim dims[2] = {infer_rank(c, 0), DIM_UNKNOWN};
    if (dims[0] < 0)
        return infer_set_unknown(c, 0, 0, 2);
    return infer_set(c, 0, 0, 2, dims);
}

/* Which of the n <= BLOCK elements from `first` on are not zero, not empty, not false. */
static void find_true(const heed_tensor *t, int64_t first, int64_t n, bool *out)
{
    double real[BLOCK], both[2 * BLOCK];
    dtype_class class = dtype_get_class(t->dtype);
    if (class == CLASS_STRING) {
        const heed_string *s = tensor_data(t);
        for (int64_t i = 0; i < n; i++)
            out[i] = s[first + i].size > 0;
    } else if (class == CLASS_C64 || class == CLASS_C128) {
        heed_dtype part = class == CLASS_C64 ? HEED_FLOAT32 : HEED_FLOAT64;
        dtype_load_f64(part, tensor_data(t), 2 * first, 2 * n, both);
        for (int64_t i = 0; i < n; i++)
            out[i] = both[2 * i] != 0.0 || both[2 * i + 1] != 0.0;
    } else {
        dtype_load_f64(t->dtype, tensor_data(t), first, n, real);
        for (int64_t i = 0; i < n; i++)
            out[i] = real[i] != 0.0;
    }
}

/* Visits the true elements in order; with `to` NULL it only counts. to[axis * columns + k]. */
static int64_t visit(const heed_tensor *t, int64_t columns, int64_t *to)
{
    int64_t index[TENSOR_MAX_RANK] = {0}, found = 0, n = tensor_count(t);
    bool truth[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t some = n - first < BLOCK ? n - first : BLOCK;
        find_true(t, first, some, truth);
        for (int64_t i = 0; i < some; i++) {
            for (int32_t a = 0; to && truth[i] && a < tensor_rank(t); a++)
                to[a * columns + found] = index[a];
            found += truth[i];
            layout_next(tensor_rank(t), t->dims, index);
        }
    }
    return found;
}

static heed_status run_nonzero(op_call *c)
{
    int64_t n = visit(c->in[0], 0, NULL);
    int64_t dims[2] = {tensor_rank(c->in[0]), n};
    TRY(call_output(c, 0, HEED_INT64, 2, dims));
    if (call_out(c, 0))
        visit(c->in[0], n, tensor_data(c->out[0]));
    return HEED_OK;
}

// clang-format off
static const op_def nonzero = {
    .domain = "", .name = "NonZero", .since = 13, .flags = OP_DATA_SHAPE,
    .signature = "X:T -> Y:int64", .types = "T=any",
    .infer = infer_nonzero, .run = run_nonzero};
// clang-format on

const op_def *const ops_nonzero[] = {&nonzero, NULL};
