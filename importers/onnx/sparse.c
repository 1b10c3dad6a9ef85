/* sparse.c - SparseTensorProto, expanded to a dense tensor, because the runtime knows no other.
 *
 * Indices are linear, [nnz], or by coordinates, [nnz, rank]; both must ascend. The dense size is
 * taken from the arena, so its budget bounds what a small file can ask for. */
#include <string.h>

#include "decode.h"
#include "onnx-ml.pb-c.h"
#include "tensor.h"

typedef struct parts {
    onnx_tensor values, indices;
    onnx_place values_at, indices_at;
} parts;

static heed_status read_part(onnx_context *c, onnx_range body, uint32_t number, const char *name,
                             const onnx_place *at, onnx_place *part_at, onnx_tensor *out)
{
    onnx_field field;
    if (!onnx_wire_find(&body, number, &field))
        return onnx_report(c, HEED_INVALID, at, onnx_report_text(c, "%s", name), "none", NULL);
    *part_at = onnx_place_at(c, at, name, PLACE_SINGLE, field.body.at);
    return onnx_tensor_read(c, field.body, part_at, out);
}

static heed_status check_parts(onnx_context *c, const parts *p, const onnx_tensor *dense)
{
    const onnx_tensor *i = &p->indices;
    if (p->values.dtype == HEED_STRING || onnx_dtype_get(p->values.dtype)->bits < 8)
        return onnx_report(c, HEED_UNSUPPORTED, &p->values_at, "sparse values of whole bytes",
                           onnx_dtype_get(p->values.dtype)->name, "store the tensor densely");
    if (i->dtype != HEED_INT64)
        return onnx_report(c, HEED_INVALID, &p->indices_at, "indices of int64",
                           onnx_dtype_get(i->dtype)->name, NULL);
    uint64_t n = p->values.count;
    int linear = i->dl.ndim == 1 && (uint64_t)i->dl.shape[0] == n;
    int coordinates =
        i->dl.ndim == 2 && (uint64_t)i->dl.shape[0] == n && i->dl.shape[1] == dense->dl.ndim;
    if (p->values.dl.ndim != 1 || !(linear || coordinates))
        return onnx_report(c, HEED_INVALID, &p->indices_at,
                           "values [nnz] and indices [nnz] or [nnz, rank]", "other shapes", NULL);
    return HEED_OK;
}

/* The linear index of entry k, or -1 when it lies outside. */
static int64_t linear_index(const parts *p, const onnx_tensor *dense, uint64_t k)
{
    int width = p->indices.dl.ndim == 1 ? 1 : dense->dl.ndim;
    const uint8_t *at = (const uint8_t *)p->indices.dl.data + k * (uint64_t)width * 8;
    int64_t linear = 0, index;
    for (int j = 0; j < width; j++) {
        memcpy(&index, at + 8 * j, sizeof index);
        int64_t limit = p->indices.dl.ndim == 1 ? (int64_t)dense->count : dense->dl.shape[j];
        if (index < 0 || index >= limit)
            return -1;
        linear = linear * limit + index;
    }
    return linear;
}

static heed_status scatter(onnx_context *c, const parts *p, onnx_tensor *dense)
{
    size_t each = onnx_dtype_get(dense->dtype)->bits / 8;
    int64_t last = -1;
    for (uint64_t k = 0; k < p->values.count; k++) {
        int64_t index = linear_index(p, dense, k);
        if (index <= last)
            return onnx_report(
                c, HEED_INVALID, &p->indices_at, "indices that ascend and lie inside the shape",
                onnx_report_text(c, "another at entry %llu", (unsigned long long)k), NULL);
        memcpy((uint8_t *)dense->dl.data + (uint64_t)index * each,
               (const uint8_t *)p->values.dl.data + k * each, each);
        last = index;
    }
    return HEED_OK;
}

heed_status onnx_sparse_read(onnx_context *c, onnx_range body, const onnx_place *at,
                             onnx_tensor *out)
{
    parts p;
    *out = (onnx_tensor){.name = ""};
    Onnx__SparseTensorProto *header =
        onnx_decode(c, &onnx__sparse_tensor_proto__descriptor, &onnx_sparse_rules, body);
    if (!header)
        return onnx_report_no_memory(c, at);
    TRY(read_part(c, body, 1, "values", at, &p.values_at, &p.values));
    TRY(read_part(c, body, 2, "indices", at, &p.indices_at, &p.indices));
    TRY(onnx_tensor_shape(c, at, p.values.dtype, header->n_dims, header->dims, out));
    TRY(check_parts(c, &p, out));
    if (out->bytes > c->scratch.budget)
        return onnx_report(c, HEED_UNSUPPORTED, at, "a dense size in proportion to the file",
                           onnx_report_text(c, "%llu bytes", (unsigned long long)out->bytes), NULL);
    out->name = p.values.name;
    out->dl.data = onnx_arena_alloc(&c->scratch, out->bytes);
    if (!out->dl.data)
        return onnx_report_no_memory(c, at);
    return scatter(c, &p, out);
}
