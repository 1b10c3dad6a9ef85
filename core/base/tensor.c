/* tensor.c - tensors of the core: shape, memory, sharing and copying.
 *
 * A sequence's items live in a counted buffer as an array of tensor pointers, so that sharing a
 * sequence shares its items; they are never changed after tensor_set_items. */
#include "base/tensor.h"

#include <string.h>

int64_t tensor_count(const heed_tensor *t)
{
    int64_t count = 0;
    if (t->kind != HEED_TENSOR || !shape_count(t->dl.ndim, t->dims, &count))
        return 0;
    return count;
}

size_t tensor_bytes(const heed_tensor *t)
{
    size_t bytes = 0;
    if (!dtype_bytes(t->dtype, (uint64_t)tensor_count(t), &bytes))
        return 0;
    return bytes;
}

heed_status tensor_shape_set(heed_tensor *t, heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    int64_t count = 0;
    size_t bytes = 0;
    if (!dtype_valid(dtype))
        return err_fail(HEED_INVALID, "data type %u is not known", dtype);
    if (rank < 0 || rank > TENSOR_MAX_RANK)
        return err_fail(HEED_INVALID, "a tensor of rank %d; at most %d are possible", rank,
                        TENSOR_MAX_RANK);
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] < 0 || dims[i] > TENSOR_MAX_DIM)
            return err_fail(HEED_INVALID, "dimension %d of a tensor is %lld", i,
                            (long long)dims[i]);
    if (!shape_count(rank, dims, &count) || !dtype_bytes(dtype, (uint64_t)count, &bytes))
        return err_fail(HEED_INVALID, "a tensor with more elements than memory can have");
    t->kind = HEED_TENSOR;
    t->dtype = dtype;
    t->dl.dtype = dtype_to_dl(dtype);
    t->dl.ndim = rank;
    t->dl.device = (DLDevice){kDLCPU, 0};
    t->dl.shape = t->dims;
    t->dl.strides = NULL;
    t->dl.byte_offset = 0;
    if (rank > 0)
        memmove(t->dims, dims, (size_t)rank * sizeof *dims);
    return HEED_OK;
}

heed_status tensor_reserve(heed_tensor *t)
{
    buffer *b = buffer_new(tensor_bytes(t));
    if (!b)
        return HEED_NOMEM;
    buffer_unref(t->owner);
    t->owner = b;
    t->dl.data = b->data;
    t->dl.byte_offset = 0;
    return HEED_OK;
}

heed_status tensor_new_empty(heed_tensor **out)
{
    *out = mem_zero(sizeof **out);
    if (!*out)
        return HEED_NOMEM;
    (*out)->dl.device.device_type = kDLCPU;
    (*out)->dl.shape = (*out)->dims;
    return HEED_OK;
}

heed_status tensor_new(heed_dtype dtype, int32_t rank, const int64_t *dims, heed_tensor **out)
{
    heed_tensor *t = NULL;
    *out = NULL;
    TRY(tensor_new_empty(&t));
    heed_status status = tensor_shape_set(t, dtype, rank, dims);
    if (status == HEED_OK)
        status = tensor_reserve(t);
    if (status != HEED_OK) {
        tensor_free(t);
        return status;
    }
    *out = t;
    return HEED_OK;
}

void tensor_clear(heed_tensor *t)
{
    buffer_unref(t->owner);
    memset(t, 0, sizeof *t);
    t->dl.device.device_type = kDLCPU;
    t->dl.shape = t->dims;
}

void tensor_free(heed_tensor *t)
{
    if (!t)
        return;
    buffer_unref(t->owner);
    mem_free(t);
}

/* ---- Sequences and optionals ----------------------------------------------------------------- */

static void free_items(size_t n, heed_tensor *const *items)
{
    for (size_t i = 0; i < n; i++)
        tensor_free(items[i]);
}

static void release_items(buffer *b)
{
    free_items(b->bytes / sizeof(heed_tensor *), b->data);
    mem_free(b);
}

heed_status tensor_set_items(heed_tensor *t, uint32_t kind, heed_dtype dtype, size_t n,
                             heed_tensor *const *items)
{
    size_t bytes = 0;
    buffer *b = size_mul(n, sizeof *items, &bytes) ? buffer_new(bytes) : NULL;
    if (!b) {
        free_items(n, items);
        return HEED_NOMEM;
    }
    if (n > 0)
        memcpy(b->data, items, bytes);
    b->release = release_items;
    tensor_clear(t);
    t->kind = kind;
    t->dtype = dtype;
    t->owner = b;
    t->n_items = n;
    t->items = b->data;
    return HEED_OK;
}

/* ---- Sharing and copying -------------------------------------------------------------------- */

/* Everything that t is made of is counted, so that a reference to it is enough. */
static bool is_owned(const heed_tensor *t)
{
    if (!t->owner)
        return false;
    for (size_t i = 0; i < t->n_items; i++)
        if (!is_owned(t->items[i]))
            return false;
    return true;
}

void tensor_borrow(heed_tensor *dst, const heed_tensor *src)
{
    if (dst == src)
        return;
    buffer *old = dst->owner;
    *dst = *src;
    dst->dl.shape = dst->dims;
    dst->owner = NULL;
    buffer_unref(old);
}

static heed_status copy_strings(heed_tensor *dst, const heed_tensor *src)
{
    const heed_string *from = tensor_data(src);
    int64_t n = tensor_count(src);
    for (int64_t i = 0; i < n; i++)
        TRY(tensor_set_string(dst, i, from[i].data, from[i].size));
    return HEED_OK;
}

heed_status tensor_copy_content(heed_tensor *dst, const heed_tensor *src)
{
    if (dst->kind != HEED_TENSOR || src->kind != HEED_TENSOR || dst->dtype != src->dtype ||
        tensor_count(dst) != tensor_count(src))
        return err_fail(HEED_INTERNAL, "a tensor is copied into one of another type or size");
    if (dst->dtype == HEED_STRING)
        return copy_strings(dst, src);
    size_t bytes = tensor_bytes(src);
    if (bytes > 0)
        memmove(tensor_data(dst), tensor_data(src), bytes);
    return HEED_OK;
}

static heed_status copy_tensor(heed_tensor *dst, const heed_tensor *src)
{
    TRY(tensor_shape_set(dst, src->dtype, src->dl.ndim, src->dims));
    TRY(tensor_reserve(dst));
    return tensor_copy_content(dst, src);
}

static heed_status copy_items(heed_tensor *dst, const heed_tensor *src)
{
    heed_tensor **items = mem_array(src->n_items, sizeof *items);
    heed_status status = items ? HEED_OK : HEED_NOMEM;
    size_t n = 0;
    while (status == HEED_OK && n < src->n_items) {
        status = tensor_new_empty(&items[n]);
        if (status != HEED_OK)
            break;
        status = tensor_assign(items[n], src->items[n]);
        n++;
    }
    if (status == HEED_OK)
        status = tensor_set_items(dst, src->kind, src->dtype, n, items);
    else if (items)
        free_items(n, items);
    mem_free(items);
    return status;
}

heed_status tensor_assign(heed_tensor *dst, const heed_tensor *src)
{
    heed_tensor copy = {0};
    if (dst == src)
        return HEED_OK;
    if (is_owned(src)) {
        copy = *src;
        buffer_ref(copy.owner);
    } else {
        heed_status status =
            src->kind == HEED_TENSOR ? copy_tensor(&copy, src) : copy_items(&copy, src);
        if (status != HEED_OK) {
            tensor_clear(&copy);
            return status;
        }
    }
    buffer_unref(dst->owner);
    *dst = copy;
    dst->dl.shape = dst->dims;
    return HEED_OK;
}

/* ---- Elements ------------------------------------------------------------------------------- */

heed_status tensor_set_string(heed_tensor *t, int64_t i, const char *data, size_t size)
{
    if (t->dtype != HEED_STRING || i < 0 || i >= tensor_count(t))
        return err_fail(HEED_USAGE, "element %lld of this tensor is no string", (long long)i);
    if (!t->owner)
        return err_fail(HEED_USAGE, "the tensor does not own its strings");
    char *copy = arena_copy(&t->owner->strings, data, size);
    if (!copy)
        return HEED_NOMEM;
    heed_string *element = (heed_string *)tensor_data(t) + i;
    element->data = copy;
    element->size = size;
    return HEED_OK;
}

int64_t tensor_get_int(const heed_tensor *t, int64_t i)
{
    int64_t value = 0;
    dtype_load_i64(t->dtype, tensor_data(t), i, 1, &value);
    return value;
}

double tensor_get_float(const heed_tensor *t, int64_t i)
{
    double value = 0;
    dtype_load_f64(t->dtype, tensor_data(t), i, 1, &value);
    return value;
}
