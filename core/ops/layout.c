/* layout.c - moving elements of any dtype between strided places.
 *
 * Separate because Transpose, Expand, Tile, Slice, Concat, Split, Pad and DepthToSpace are all the
 * same copy of a strided box; each of them only says which strides. */
#include "ops/layout.h"

#include <string.h>

enum { SQUARE = 16 }; /* elements: 64 bytes of float32 */

void layout_join(heed_tensor *out, int32_t axis, size_t n, const heed_tensor *const *in)
{
    int32_t rank = tensor_rank(out);
    int64_t outer = layout_product(out->dims, 0, axis), at = 0;
    int64_t row = layout_product(out->dims, axis, rank);
    for (size_t i = 0; i < n; i++) {
        int64_t piece = layout_product(in[i]->dims, axis, rank);
        for (int64_t o = 0; o < outer && piece > 0; o++)
            dtype_copy(out->dtype, tensor_data(out), o * row + at, tensor_data(in[i]), o * piece,
                       piece);
        at += piece;
    }
}

void layout_strides(int32_t rank, const int64_t *dims, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= dims[i];
    }
}

int64_t layout_product(const int64_t *dims, int32_t from, int32_t to)
{
    int64_t product = 1;
    for (int32_t i = from; i < to; i++)
        product *= dims[i];
    return product;
}

bool layout_outermost(const ir_type *type, int32_t axis)
{
    return layout_product(type->dims, 0, axis) == 1;
}

void layout_broadcast(const heed_tensor *t, int32_t rank, int64_t *strides)
{
    int64_t dense[TENSOR_MAX_RANK];
    int32_t own = tensor_rank(t), skip = rank - own;
    layout_strides(own, t->dims, dense);
    for (int32_t i = 0; i < rank; i++)
        strides[i] = i < skip || t->dims[i - skip] == 1 ? 0 : dense[i - skip];
}

bool layout_next(int32_t rank, const int64_t *dims, int64_t *index)
{
    for (int32_t i = rank - 1; i >= 0; i--) {
        if (++index[i] < dims[i])
            return true;
        index[i] = 0;
    }
    return false;
}

void layout_index(int64_t flat, int32_t rank, const int64_t *dims, int64_t *index)
{
    for (int32_t i = rank - 1; i >= 0; i--) {
        index[i] = flat % dims[i];
        flat /= dims[i];
    }
}

/* ---- One row ------------------------------------------------------------------------------- */

typedef void (*row_copy)(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n);

static inline void copy_row(char *dst, int64_t dst_step, const char *src, int64_t src_step,
                            int64_t n, size_t size)
{
    dst_step *= (int64_t)size;
    src_step *= (int64_t)size;
    for (int64_t i = 0; i < n; i++)
        memcpy(dst + i * dst_step, src + i * src_step, size);
}

static void copy_row_1(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n)
{
    copy_row(dst, ds, src, ss, n, 1);
}

static void copy_row_2(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n)
{
    copy_row(dst, ds, src, ss, n, 2);
}

static void copy_row_4(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n)
{
    copy_row(dst, ds, src, ss, n, 4);
}

static void copy_row_8(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n)
{
    copy_row(dst, ds, src, ss, n, 8);
}

static void copy_row_16(char *dst, int64_t ds, const char *src, int64_t ss, int64_t n)
{
    copy_row(dst, ds, src, ss, n, 16);
}

static const struct {
    uint32_t bits;
    row_copy copy;
} row_copies[] = {
    {8, copy_row_1}, {16, copy_row_2}, {32, copy_row_4}, {64, copy_row_8}, {128, copy_row_16}};

static row_copy row_for(heed_dtype dtype)
{
    for (size_t i = 0; i < sizeof(row_copies) / sizeof(row_copies[0]); i++)
        if (row_copies[i].bits == dtype_bits(dtype))
            return row_copies[i].copy;
    return NULL; /* less than a byte: element by element */
}

static void copy_line(heed_dtype dtype, row_copy copy, const layout_box *box, void *dst, int64_t d,
                      const void *src, int64_t s)
{
    int32_t last = box->rank - 1;
    int64_t n = box->dims[last], d_step = box->dst[last], s_step = box->src[last];
    if (d_step == 1 && s_step == 1) {
        dtype_copy(dtype, dst, d, src, s, n);
    } else if (copy) {
        int64_t size = dtype_bits(dtype) / 8;
        copy((char *)dst + d * size, d_step, (const char *)src + s * size, s_step, n);
    } else {
        for (int64_t i = 0; i < n; i++)
            dtype_copy(dtype, dst, d + i * d_step, src, s + i * s_step, 1);
    }
}

/* ---- The box ------------------------------------------------------------------------------- */

/* Drops axes of one element and joins axes that are walked as one. False: the box is empty. */
static bool simplify(const layout_box *box, layout_box *out)
{
    out->rank = 0;
    for (int32_t i = 0; i < box->rank; i++) {
        int32_t k = out->rank;
        if (box->dims[i] == 0)
            return false;
        if (box->dims[i] == 1)
            continue;
        bool joins = k > 0 && out->dst[k - 1] == box->dst[i] * box->dims[i] &&
                     out->src[k - 1] == box->src[i] * box->dims[i];
        if (joins)
            k--;
        out->dims[k] = joins ? out->dims[k] * box->dims[i] : box->dims[i];
        out->dst[k] = box->dst[i];
        out->src[k] = box->src[i];
        out->rank = k + 1;
    }
    if (out->rank == 0) {
        out->rank = 1;
        out->dims[0] = out->dst[0] = out->src[0] = 1;
    }
    return true;
}

/* Where lines are read across memory, an axis along which they lie beside each other; or -1. */
static int32_t crossing(const layout_box *b)
{
    int32_t last = b->rank - 1;
    bool across = b->dst[last] == 1 && b->src[last] != 1 && b->src[last] != 0;
    for (int32_t i = 0; across && i < last; i++)
        if (b->src[i] == 1)
            return i;
    return -1;
}

/* The last axis and the one that it crosses, in squares: a line of the cache that was fetched for
 * one element is there for its neighbours, too. */
static void copy_squares(heed_dtype dtype, row_copy copy, const layout_box *b, int32_t cross,
                         void *dst, int64_t d, const void *src, int64_t s)
{
    int32_t last = b->rank - 1;
    layout_box part = {.rank = 1, .dst = {b->dst[last]}, .src = {b->src[last]}};
    for (int64_t k = 0; k < b->dims[last]; k += SQUARE)
        for (int64_t i = 0; i < b->dims[cross]; i += SQUARE) {
            int64_t end = i + SQUARE < b->dims[cross] ? i + SQUARE : b->dims[cross];
            part.dims[0] = b->dims[last] - k < SQUARE ? b->dims[last] - k : SQUARE;
            for (int64_t row = i; row < end; row++)
                copy_line(dtype, copy, &part, dst, d + row * b->dst[cross] + k, src,
                          s + row + k * b->src[last]);
        }
}

void layout_copy(heed_dtype dtype, const layout_box *box, void *dst, int64_t dst_first,
                 const void *src, int64_t src_first)
{
    layout_box b, outer;
    int64_t index[LAYOUT_MAX_RANK] = {0};
    if (!simplify(box, &b))
        return;
    row_copy copy = row_for(dtype);
    int32_t cross = crossing(&b);
    outer = b;
    outer.rank = b.rank - 1;
    if (cross >= 0)
        outer.dims[cross] = 1;
    do {
        int64_t d = dst_first, s = src_first;
        for (int32_t i = 0; i < outer.rank; i++) {
            d += index[i] * b.dst[i];
            s += index[i] * b.src[i];
        }
        if (cross >= 0)
            copy_squares(dtype, copy, &b, cross, dst, d, src, s);
        else
            copy_line(dtype, copy, &b, dst, d, src, s);
    } while (layout_next(outer.rank, outer.dims, index));
}

/* ---- Filling ------------------------------------------------------------------------------- */

void layout_fill(heed_dtype dtype, void *dst, int64_t dst_first, int64_t n, const void *value,
                 int64_t which)
{
    if (n <= 0)
        return;
    dtype_copy(dtype, dst, dst_first, value, which, 1);
    for (int64_t done = 1; done < n;) {
        int64_t more = done < n - done ? done : n - done;
        dtype_copy(dtype, dst, dst_first + done, dst, dst_first, more);
        done += more;
    }
}

void layout_zero(heed_dtype dtype, void *dst, int64_t dst_first, int64_t n)
{
    static const uint8_t zero[16];
    layout_fill(dtype, dst, dst_first, n, zero, 0);
}
