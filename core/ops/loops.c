/* loops.c - the loop drivers of reference kernels: blocks in and out, broadcasting, lines. */
#include "ops/loops.h"

#include <string.h>

// clang-format off
static const size_t sizes[LOOP_CLASSES] = {
    [CLASS_F32] = 4, [CLASS_F64] = 8, [CLASS_I64] = 8, [CLASS_U64] = 8, [CLASS_BOOL] = 1,
    [CLASS_STRING] = sizeof(heed_string), [CLASS_C64] = 8, [CLASS_C128] = 16,
};
static const heed_dtype natives[LOOP_CLASSES] = {
    [CLASS_F32] = HEED_FLOAT32, [CLASS_F64] = HEED_FLOAT64, [CLASS_I64] = HEED_INT64,
    [CLASS_U64] = HEED_UINT64, [CLASS_BOOL] = HEED_BOOL, [CLASS_STRING] = HEED_STRING,
    [CLASS_C64] = HEED_COMPLEX64, [CLASS_C128] = HEED_COMPLEX128,
};
// clang-format on

size_t loop_size(dtype_class class) { return sizes[class]; }

/* ---- Elements by compute type ---------------------------------------------------------------- */

static void load_bool(heed_dtype dtype, const void *data, int64_t first, int64_t n, uint8_t *out)
{
    double values[64];
    for (int64_t done = 0; done < n; done += 64) {
        int64_t count = n - done < 64 ? n - done : 64;
        dtype_load_f64(dtype, data, first + done, count, values);
        dtype_store_f64(HEED_BOOL, out, done, count, values, false);
    }
}

void loop_load(const heed_tensor *t, dtype_class class, int64_t first, int64_t n, void *out)
{
    const void *data = tensor_data(t);
    if (t->dtype == natives[class])
        dtype_copy(t->dtype, out, 0, data, first, n);
    else if (class == CLASS_F32)
        dtype_load_f32(t->dtype, data, first, n, out);
    else if (class == CLASS_F64)
        dtype_load_f64(t->dtype, data, first, n, out);
    else if (class == CLASS_I64)
        dtype_load_i64(t->dtype, data, first, n, out);
    else if (class == CLASS_U64)
        dtype_load_u64(t->dtype, data, first, n, out);
    else if (class == CLASS_BOOL)
        load_bool(t->dtype, data, first, n, out);
    else
        memset(out, 0, (size_t)n * sizes[class]);
}

void loop_store(heed_tensor *t, dtype_class class, int64_t first, int64_t n, const void *in)
{
    void *data = tensor_data(t);
    double values[64];
    if (t->dtype == natives[class])
        dtype_copy(t->dtype, data, first, in, 0, n);
    else if (class == CLASS_F32)
        dtype_store_f32(t->dtype, data, first, n, in, false);
    else if (class == CLASS_F64)
        dtype_store_f64(t->dtype, data, first, n, in, false);
    else if (class == CLASS_I64)
        dtype_store_i64(t->dtype, data, first, n, in);
    else if (class == CLASS_U64)
        dtype_store_u64(t->dtype, data, first, n, in);
    else if (class == CLASS_BOOL)
        for (int64_t done = 0; done < n; done += 64) {
            int64_t count = n - done < 64 ? n - done : 64;
            dtype_load_f64(HEED_BOOL, in, done, count, values);
            dtype_store_f64(t->dtype, data, first + done, count, values, false);
        }
}

void loop_round(heed_dtype dtype, int64_t n, double *values)
{
    uint64_t bits[LOOP_BLOCK];
    if (dtype == HEED_FLOAT64)
        return;
    for (int64_t done = 0; done < n; done += LOOP_BLOCK) {
        int64_t count = n - done < LOOP_BLOCK ? n - done : LOOP_BLOCK;
        dtype_store_f64(dtype, bits, 0, count, values + done, false);
        dtype_load_f64(dtype, bits, 0, count, values + done);
    }
}

dtype_class loop_class(loop_fn *const *rows, heed_dtype dtype)
{
    dtype_class class = dtype_get_class(dtype);
    if (rows[class])
        return class;
    return class == CLASS_F32 && rows[CLASS_F64] ? CLASS_F64 : CLASS_NONE;
}

/* ---- Reading with broadcasting -------------------------------------------------------------- */

static bool aligned(const heed_tensor *t, dtype_class class)
{
    size_t alignment = sizes[class] < 8 ? sizes[class] : 8;
    return (uintptr_t)tensor_data(t) % alignment == 0;
}

void loop_reader_init(loop_reader *r, const heed_tensor *t, dtype_class class, int32_t rank,
                      const int64_t *dims)
{
    int64_t stride = 1;
    int32_t at = TENSOR_MAX_RANK; /* filled from the back, then moved to the front */
    r->tensor = t;
    r->class = class;
    r->direct = t->dtype == natives[class] && aligned(t, class);
    for (int32_t axis = rank - 1; axis >= 0; axis--) {
        int32_t own = axis - (rank - tensor_rank(t));
        int64_t extent = own >= 0 ? t->dims[own] : 1;
        int64_t step = extent == 1 ? 0 : stride;
        stride *= extent;
        if (dims[axis] == 1)
            continue;
        if (at < TENSOR_MAX_RANK && r->strides[at] * r->dims[at] == step) {
            r->dims[at] *= dims[axis];
            continue;
        }
        at--;
        r->dims[at] = dims[axis];
        r->strides[at] = step;
    }
    r->rank = TENSOR_MAX_RANK - at;
    memmove(r->dims, r->dims + at, (size_t)r->rank * sizeof *r->dims);
    memmove(r->strides, r->strides + at, (size_t)r->rank * sizeof *r->strides);
}

/* n copies of element `first`. */
static void repeat(const loop_reader *r, int64_t first, int64_t n, void *out)
{
    size_t size = sizes[r->class];
    char *to = out;
    if (n <= 0)
        return;
    loop_load(r->tensor, r->class, first, 1, out);
    for (int64_t done = 1; done < n;) {
        int64_t count = done < n - done ? done : n - done;
        memcpy(to + (size_t)done * size, out, (size_t)count * size);
        done += count;
    }
}

/* Moves on to the next line of the reader's inner axis; returns where it starts. */
static int64_t next_line(const loop_reader *r, int64_t *index, int64_t place)
{
    for (int32_t axis = r->rank - 2; axis >= 0; axis--) {
        place += r->strides[axis];
        if (++index[axis] < r->dims[axis])
            return place;
        place -= r->strides[axis] * r->dims[axis];
        index[axis] = 0;
    }
    return place;
}

static void read_lines(const loop_reader *r, int64_t first, int64_t n, char *out)
{
    int64_t index[TENSOR_MAX_RANK] = {0};
    int64_t line = r->dims[r->rank - 1], step = r->strides[r->rank - 1];
    int64_t at = first % line, rest = first / line, place = 0;
    for (int32_t axis = r->rank - 2; axis >= 0; axis--) {
        index[axis] = rest % r->dims[axis];
        rest /= r->dims[axis];
        place += index[axis] * r->strides[axis];
    }
    for (int64_t done = 0; done < n;) {
        int64_t count = line - at < n - done ? line - at : n - done;
        char *to = out + (size_t)done * sizes[r->class];
        if (step)
            loop_load(r->tensor, r->class, place + at, count, to);
        else
            repeat(r, place, count, to);
        done += count;
        at = 0;
        place = next_line(r, index, place);
    }
}

const void *loop_read(const loop_reader *r, int64_t first, int64_t n, loop_block *block)
{
    bool dense = r->rank == 1 && r->strides[0] == 1;
    if (r->direct && dense)
        return (const char *)tensor_data(r->tensor) + (size_t)first * sizes[r->class];
    if (dense)
        loop_load(r->tensor, r->class, first, n, block);
    else if (r->rank == 0 || (r->rank == 1 && r->strides[0] == 0))
        repeat(r, 0, n, block);
    else
        read_lines(r, first, n, (char *)block);
    return block;
}

/* ---- Elementwise ---------------------------------------------------------------------------- */

static bool scalar(const loop_reader *r)
{
    return r->rank == 0 || (r->rank == 1 && r->strides[0] == 0);
}

static heed_status refuse(const op_call *c, const heed_tensor *t)
{
    return call_error(c, HEED_UNSUPPORTED, "%s has no reference kernel for %s", c->node->op->name,
                      dtype_name(t->dtype));
}

/* The output is written in place when nothing else can be read from there. */
static bool writes_direct(dtype_class class, uint32_t n_in, const heed_tensor *const *in,
                          const heed_tensor *out)
{
    for (uint32_t i = 0; i < n_in; i++)
        if (tensor_data(in[i]) == tensor_data(out))
            return false;
    return out->dtype == natives[class] && aligned(out, class);
}

static void map_blocks(const loop_map *m, loop_fn *fn, uint32_t n_in, const loop_reader *readers,
                       dtype_class out_class, bool direct, heed_tensor *out)
{
    loop_block blocks[LOOP_MAX_IN], result;
    const void *in[LOOP_MAX_IN] = {NULL};
    int64_t total = tensor_count(out);
    char *data = tensor_data(out);
    for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        for (uint32_t i = 0; i < n_in; i++)
            if (first == 0 || !scalar(&readers[i])) /* a scalar's block is filled once */
                in[i] = loop_read(&readers[i], first, n, &blocks[i]);
        void *to = direct ? data + (size_t)first * sizes[out_class] : (void *)&result;
        fn(m->args, n, in, to);
        if (!direct)
            loop_store(out, out_class, first, n, &result);
    }
}

heed_status loop_run(op_call *c, const loop_map *m, uint32_t n_in, const heed_tensor *const *in,
                     heed_tensor *out)
{
    loop_reader readers[LOOP_MAX_IN];
    dtype_class class = m->in ? m->in : loop_class(m->rows, in[0]->dtype);
    dtype_class out_class = m->out ? m->out : class;
    if (n_in > LOOP_MAX_IN || class == CLASS_NONE || !m->rows[class])
        return refuse(c, in[0]);
    if (tensor_count(out) == 0)
        return HEED_OK;
    for (uint32_t i = 0; i < n_in; i++)
        loop_reader_init(&readers[i], in[i], class, tensor_rank(out), out->dims);
    bool direct = writes_direct(out_class, n_in, in, out);
    map_blocks(m, m->rows[class], n_in, readers, out_class, direct, out);
    return HEED_OK;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

loop_lines loop_lines_of(const heed_tensor *t, int32_t axis)
{
    loop_lines lines = {1, 1, 1};
    for (int32_t i = 0; i < tensor_rank(t); i++) {
        int64_t *side = i < axis ? &lines.outer : (i == axis ? &lines.n : &lines.inner);
        *side *= t->dims[i];
    }
    return lines;
}

void loop_load_line(const heed_tensor *t, dtype_class class, const loop_lines *lines, int64_t o,
                    int64_t j, void *out)
{
    int64_t first = o * lines->n * lines->inner + j;
    if (lines->inner == 1) {
        loop_load(t, class, first, lines->n, out);
        return;
    }
    for (int64_t k = 0; k < lines->n; k++)
        loop_load(t, class, first + k * lines->inner, 1, (char *)out + (size_t)k * sizes[class]);
}

void loop_store_line(heed_tensor *t, dtype_class class, const loop_lines *lines, int64_t o,
                     int64_t j, const void *in)
{
    int64_t first = o * lines->n * lines->inner + j;
    const char *from = in;
    if (lines->inner == 1) {
        loop_store(t, class, first, lines->n, in);
        return;
    }
    for (int64_t k = 0; k < lines->n; k++)
        loop_store(t, class, first + k * lines->inner, 1, from + (size_t)k * sizes[class]);
}

heed_status loop_axis(const op_call *c, int64_t axis, int32_t rank, int32_t *out)
{
    if (axis < -rank || axis >= rank)
        return call_error(c, HEED_INVALID, "axis %lld of a tensor of rank %d", (long long)axis,
                          rank);
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return HEED_OK;
}
