/* tensor.c - TensorProto: its header, its shape, and where its data lies.
 *
 * Only the header goes through protobuf-c. raw_data is used where it lies in the mapping; typed
 * fields are decoded by typed.c, external files belong to external.c. */
#include "tensor.h"

#include <stdio.h>

#include "decode.h"
#include "onnx-ml.pb-c.h"

static heed_status bad_dim(onnx_context *c, const onnx_place *at, uint64_t i, int64_t dim)
{
    onnx_place element = {at, "dims", (int64_t)i, PLACE_BY_NAME};
    return onnx_report(c, HEED_INVALID, &element, "an extent from 0 to 2^40",
                       onnx_report_text(c, "%lld", (long long)dim), NULL);
}

/* The product of the dims. Zeros are left out of the overflow check's product on purpose: a shape
 * such as [2^40, 2^40, 0] would give overflowing strides, so it is refused as well. */
static heed_status count_elements(onnx_context *c, const onnx_place *at, uint64_t rank,
                                  const int64_t *dims, uint64_t *count)
{
    uint64_t product = 1;
    int empty = 0;
    for (uint64_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > TENSOR_DIM_MAX)
            return bad_dim(c, at, i, dims[i]);
        empty |= dims[i] == 0;
        if (dims[i] && __builtin_mul_overflow(product, (uint64_t)dims[i], &product))
            return onnx_report(c, HEED_INVALID, at, "dims whose product fits into 64 bits",
                               "a larger product", NULL);
    }
    *count = empty ? 0 : product;
    return HEED_OK;
}

heed_status onnx_tensor_shape(onnx_context *c, const onnx_place *at, int64_t dtype, uint64_t rank,
                              int64_t *dims, onnx_tensor *out)
{
    const onnx_dtype *type = onnx_dtype_get(dtype);
    int ok;
    if (!type)
        return onnx_report(c, HEED_INVALID, at, "a data_type from 1 to 26",
                           onnx_report_text(c, "%lld", (long long)dtype), NULL);
    if (rank > TENSOR_RANK_MAX)
        return onnx_report(c, HEED_UNSUPPORTED, at, "at most 16 dims",
                           onnx_report_text(c, "%llu", (unsigned long long)rank), NULL);
    TRY(count_elements(c, at, rank, dims, &out->count));
    out->dtype = (heed_dtype)dtype;
    out->bytes = onnx_dtype_bytes(type, out->count, &ok);
    if (!ok)
        return onnx_report(c, HEED_INVALID, at, "a tensor that fits into memory",
                           onnx_report_text(c, "%llu elements", (unsigned long long)out->count),
                           NULL);
    out->dl =
        (DLTensor){.device = {kDLCPU, 0}, .ndim = (int32_t)rank, .dtype = type->dl, .shape = dims};
    return HEED_OK;
}

/* ---- raw_data ------------------------------------------------------------------------------- */

static heed_status raw_size_differs(onnx_context *c, const onnx_place *at, const onnx_tensor *t,
                                    size_t size)
{
    return onnx_report(c, HEED_INVALID, at,
                       onnx_report_text(c, "%llu bytes for %llu elements of %s",
                                        (unsigned long long)t->bytes, (unsigned long long)t->count,
                                        onnx_dtype_get(t->dtype)->name),
                       onnx_report_text(c, "%zu bytes", size),
                       "dims and raw_data disagree; the file was cut or written wrongly");
}

/* A bool byte is 0 or 1 for everybody who reads the tensor; others become 1 in a copy. */
static heed_status clean_bools(onnx_context *c, const onnx_place *at, onnx_tensor *t)
{
    const uint8_t *from = t->dl.data;
    uint64_t i = 0;
    while (i < t->bytes && from[i] <= 1)
        i++;
    if (i == t->bytes)
        return HEED_OK;
    uint8_t *to = onnx_arena_alloc(&c->scratch, t->bytes);
    if (!to)
        return onnx_report_no_memory(c, at);
    for (i = 0; i < t->bytes; i++)
        to[i] = from[i] != 0;
    t->dl.data = to;
    t->flags = 0;
    return HEED_OK;
}

static heed_status use_raw(onnx_context *c, onnx_range raw, const onnx_place *at, onnx_tensor *t)
{
    onnx_place element = onnx_place_at(c, at, "raw_data", PLACE_SINGLE, raw.at);
    if (t->dtype == HEED_STRING)
        return onnx_report(c, HEED_INVALID, &element, "strings in string_data", "raw_data", NULL);
    if (onnx_wire_size(raw) != t->bytes)
        return raw_size_differs(c, &element, t, onnx_wire_size(raw));
    t->dl.data = (void *)(uintptr_t)raw.at; /* read-only: the builder borrows it */
    t->flags = HEED_TENSOR_BORROWED;
    return t->dtype == HEED_BOOL ? clean_bools(c, at, t) : HEED_OK;
}

/* ---- The message ---------------------------------------------------------------------------- */

static heed_status read_data(onnx_context *c, onnx_range body, const onnx_place *at,
                             const Onnx__TensorProto *header, onnx_tensor *out)
{
    onnx_field raw;
    onnx_range rest = body;
    int has_raw = 0;
    while (onnx_wire_find(&rest, STORE_RAW, &raw)) {
        if (has_raw)
            return onnx_report(c, HEED_INVALID, at, "raw_data once", "it twice", NULL);
        TRY(use_raw(c, raw.body, at, out));
        has_raw = 1;
    }
    int is_external = header->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (has_raw && is_external)
        return onnx_report(c, HEED_INVALID, at, "external data or raw_data", "both", NULL);
    if (is_external)
        return onnx_external_read(c, header, at, out);
    if (header->n_external_data)
        return onnx_report(c, HEED_INVALID, at, "data_location EXTERNAL beside external_data",
                           "external_data without it", NULL);
    if (!has_raw)
        return onnx_typed_read(c, body, at, out);
    return HEED_OK;
}

heed_status onnx_tensor_read(onnx_context *c, onnx_range body, const onnx_place *at,
                             onnx_tensor *out)
{
    *out = (onnx_tensor){.name = ""};
    Onnx__TensorProto *header =
        onnx_decode(c, &onnx__tensor_proto__descriptor, &onnx_tensor_rules, body);
    if (!header)
        return onnx_report_no_memory(c, at);
    if (header->segment)
        return onnx_report(c, HEED_UNSUPPORTED, at, "a whole tensor", "a segment of one",
                           "join the segments into one tensor");
    if (header->name)
        out->name = header->name;
    TRY(onnx_tensor_shape(c, at, header->data_type, header->n_dims, header->dims, out));
    return read_data(c, body, at, header, out);
}
