/* tensor_api.c - the tensor functions of heed.h: tensor.c behind checks of what a program passes.
 */
#include <string.h>

#include "base/tensor.h"

static heed_status missing(const char *what) { return err_fail(HEED_USAGE, "%s is NULL", what); }

/* What the program passed as a shape is its own mistake, not a model's. */
static heed_status as_usage(heed_status status)
{
    if (status != HEED_INVALID)
        return status;
    char message[256];
    const char *text = err_get()->message;
    size_t n = strlen(text);
    n = n < sizeof message ? n : sizeof message - 1;
    memcpy(message, text, n);
    message[n] = 0;
    return err_fail(HEED_USAGE, "%s", message);
}

heed_status heed_tensor_new(heed_dtype dtype, int32_t ndim, const int64_t *dims, heed_tensor **out)
{
    if (!out)
        return missing("out");
    *out = NULL;
    if (ndim > 0 && !dims)
        return missing("dims");
    return as_usage(tensor_new(dtype, ndim, dims, out));
}

static bool aligned(heed_dtype dtype, const void *data)
{
    uint32_t bytes = dtype_bits(dtype) / 8;
    return bytes < 2 || (uintptr_t)data % (bytes < 8 ? bytes : 8) == 0;
}

heed_tensor *heed_tensor_wrap(heed_dtype dtype, int32_t ndim, const int64_t *dims, void *data)
{
    heed_tensor *t = NULL;
    if (ndim > 0 && !dims) {
        missing("dims");
        return NULL;
    }
    if (tensor_new_empty(&t) != HEED_OK)
        return NULL;
    heed_status status = as_usage(tensor_shape_set(t, dtype, ndim, dims));
    if (status == HEED_OK && !data && tensor_count(t) > 0)
        status = missing("data");
    if (status == HEED_OK && !aligned(dtype, data))
        status = err_expected(HEED_USAGE, "data at a multiple of its element's size", "odd bytes",
                              "heed_tensor_from_dlpack makes a copy");
    if (status != HEED_OK) {
        tensor_free(t);
        return NULL;
    }
    t->dl.data = data;
    return t;
}

/* ---- DLPack --------------------------------------------------------------------------------- */

static heed_status dlpack_check(const DLTensor *tensor, heed_dtype *dtype)
{
    if (!tensor)
        return missing("tensor");
    *dtype = dtype_from_dl(tensor->dtype);
    if (*dtype == HEED_UNDEFINED)
        return err_fail(HEED_USAGE, "DLPack type code %u with %u bits and %u lanes is not known",
                        tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes);
    if (tensor->device.device_type != kDLCPU && tensor->device.device_type != kDLCUDAHost)
        return err_fail(HEED_USAGE, "the tensor is on device type %d, not in host memory",
                        (int)tensor->device.device_type);
    if (tensor->ndim > 0 && !tensor->shape)
        return missing("tensor->shape");
    return HEED_OK;
}

/* Where element i in row-major order lies, in elements. */
static int64_t strided_place(const DLTensor *tensor, int64_t i)
{
    int64_t place = 0;
    for (int32_t axis = tensor->ndim - 1; axis >= 0; axis--) {
        place += i % tensor->shape[axis] * tensor->strides[axis];
        i /= tensor->shape[axis];
    }
    return place;
}

static heed_status dlpack_copy(heed_tensor *t, const DLTensor *tensor)
{
    int64_t n = tensor_count(t);
    if (n == 0)
        return HEED_OK;
    if (!tensor->data)
        return missing("tensor->data");
    const char *data = (const char *)tensor->data + tensor->byte_offset;
    for (int64_t i = 0; i < n; i++) {
        int64_t place = tensor->strides ? strided_place(tensor, i) : i;
        if (t->dtype == HEED_STRING) {
            const heed_string *s = (const heed_string *)(const void *)data + place;
            TRY(tensor_set_string(t, i, s->data, s->size));
        } else if (tensor->strides) {
            dtype_copy(t->dtype, tensor_data(t), i, data, place, 1);
        } else {
            dtype_copy(t->dtype, tensor_data(t), 0, data, 0, n);
            break;
        }
    }
    return HEED_OK;
}

heed_status heed_tensor_from_dlpack(const DLTensor *tensor, heed_tensor **out)
{
    heed_dtype dtype = HEED_UNDEFINED;
    heed_tensor *t = NULL;
    if (!out)
        return missing("out");
    *out = NULL;
    TRY(dlpack_check(tensor, &dtype));
    TRY(as_usage(tensor_new(dtype, tensor->ndim, tensor->shape, &t)));
    heed_status status = dlpack_copy(t, tensor);
    if (status != HEED_OK) {
        tensor_free(t);
        return status;
    }
    *out = t;
    return HEED_OK;
}

/* ---- Sequences and optionals ---------------------------------------------------------------- */

static heed_status new_items(uint32_t kind, heed_dtype dtype, size_t n, heed_tensor *const *items,
                             heed_tensor **out)
{
    heed_tensor *t = NULL;
    heed_status status = tensor_new_empty(&t);
    for (size_t i = 0; status && i < n; i++)
        tensor_free(items[i]); /* taken, also when there is no memory */
    TRY(status);
    status = tensor_set_items(t, kind, dtype, n, items);
    if (status != HEED_OK) {
        tensor_free(t);
        return status;
    }
    *out = t;
    return HEED_OK;
}

heed_status heed_tensor_new_sequence(heed_dtype item_dtype, size_t n, heed_tensor *const *items,
                                     heed_tensor **out)
{
    if (!out)
        return missing("out");
    *out = NULL;
    if (n > 0 && !items)
        return missing("items");
    for (size_t i = 0; i < n; i++)
        if (!items[i])
            return err_fail(HEED_USAGE, "item %zu of the sequence is NULL", i);
    return new_items(HEED_SEQUENCE, n > 0 ? items[0]->dtype : item_dtype, n, items, out);
}

heed_status heed_tensor_new_optional(heed_tensor *item, heed_tensor **out)
{
    if (!out)
        return missing("out");
    *out = NULL;
    return new_items(HEED_OPTIONAL, item ? item->dtype : HEED_UNDEFINED, item ? 1 : 0, &item, out);
}

static bool is_list(const heed_tensor *t) { return t->kind == HEED_TENSOR && t->dl.ndim == 1; }

heed_status heed_tensor_new_map(heed_tensor *keys, heed_tensor *values, heed_tensor **out)
{
    if (!out)
        return missing("out");
    *out = NULL;
    if (!keys || !values)
        return missing(keys ? "values" : "keys");
    if (!is_list(keys) || !is_list(values) || keys->dims[0] != values->dims[0])
        return err_fail(HEED_USAGE, "a map has a list of keys and a list of as many values");
    if (keys->dtype != HEED_INT64 && keys->dtype != HEED_STRING)
        return err_fail(HEED_USAGE, "keys of a map are int64 or string, not %s",
                        dtype_name(keys->dtype));
    heed_tensor *const items[] = {keys, values};
    return new_items(HEED_MAP, values->dtype, 2, items, out);
}

void heed_tensor_free(heed_tensor *tensor) { tensor_free(tensor); }

/* ---- Reading what a tensor is --------------------------------------------------------------- */

uint32_t heed_tensor_get_kind(const heed_tensor *tensor) { return tensor->kind; }

heed_dtype heed_tensor_get_dtype(const heed_tensor *tensor) { return tensor->dtype; }

int32_t heed_tensor_get_ndim(const heed_tensor *tensor) { return tensor->dl.ndim; }

const int64_t *heed_tensor_get_dims(const heed_tensor *tensor) { return tensor->dims; }

int64_t heed_tensor_get_count(const heed_tensor *tensor) { return tensor_count(tensor); }

uint64_t heed_tensor_get_bytes(const heed_tensor *tensor) { return tensor_bytes(tensor); }

const void *heed_tensor_get_data(const heed_tensor *tensor)
{
    return tensor->dl.data ? tensor_data(tensor) : NULL;
}

void *heed_tensor_get_mutable_data(heed_tensor *tensor)
{
    return tensor->dl.data ? tensor_data(tensor) : NULL;
}

const DLTensor *heed_tensor_get_dlpack(const heed_tensor *tensor) { return &tensor->dl; }

size_t heed_tensor_get_item_count(const heed_tensor *tensor) { return tensor->n_items; }

const heed_tensor *heed_tensor_get_item(const heed_tensor *tensor, size_t i)
{
    return i < tensor->n_items ? tensor->items[i] : NULL;
}

/* ---- Elements ------------------------------------------------------------------------------- */

heed_status heed_tensor_set_string(heed_tensor *tensor, int64_t i, const char *data, size_t size)
{
    if (!tensor)
        return missing("tensor");
    if (!data && size > 0)
        return missing("data");
    return tensor_set_string(tensor, i, data, size);
}

static heed_status check_range(const heed_tensor *tensor, int64_t first, int64_t n,
                               const void *values)
{
    if (!tensor)
        return missing("tensor");
    if (!values && n > 0)
        return missing("the array of values");
    if (tensor->kind != HEED_TENSOR || tensor->dtype == HEED_STRING ||
        tensor->dtype == HEED_UNDEFINED)
        return err_fail(HEED_USAGE, "elements of a %s tensor are no numbers",
                        dtype_name(tensor->dtype));
    int64_t count = tensor_count(tensor);
    if (first < 0 || n < 0 || first > count || n > count - first)
        return err_fail(HEED_USAGE, "elements %lld to %lld of a tensor of %lld", (long long)first,
                        (long long)first + (long long)n, (long long)count);
    return HEED_OK;
}

heed_status heed_tensor_read_f64(const heed_tensor *tensor, int64_t first, int64_t n, double *out)
{
    TRY(check_range(tensor, first, n, out));
    if (n > 0)
        dtype_load_f64(tensor->dtype, tensor_data(tensor), first, n, out);
    return HEED_OK;
}

heed_status heed_tensor_write_f64(heed_tensor *tensor, int64_t first, int64_t n,
                                  const double *values)
{
    TRY(check_range(tensor, first, n, values));
    if (n > 0)
        dtype_store_f64(tensor->dtype, tensor_data(tensor), first, n, values, false);
    return HEED_OK;
}

const char *heed_dtype_name(heed_dtype dtype) { return dtype_name(dtype); }

uint32_t heed_dtype_bits(heed_dtype dtype) { return dtype_bits(dtype); }
