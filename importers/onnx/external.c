/* external.c - data of a tensor in a file beside the model.
 *
 * Which file may be opened is decided by the runtime (source->external), from what the kernel
 * says about the opened file and never from the text of the name. Here: which keys are known, and
 * that offset and length lie inside the file, before anything is touched. */
#include <string.h>

#include "onnx-ml.pb-c.h"
#include "tensor.h"

enum { KEY_LOCATION, KEY_OFFSET, KEY_LENGTH, KEY_CHECKSUM, KEY_COUNT };

static const char *const keys[KEY_COUNT] = {"location", "offset", "length", "checksum"};

static int key_number(const char *key)
{
    for (int i = 0; i < KEY_COUNT; i++)
        if (strcmp(key, keys[i]) == 0)
            return i;
    return -1;
}

static heed_status read_keys(onnx_context *c, const Onnx__TensorProto *header, const onnx_place *at,
                             const char *values[KEY_COUNT])
{
    for (size_t i = 0; i < header->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = header->external_data[i];
        onnx_place element = {at, "external_data", (int64_t)i, PLACE_BY_NAME};
        int key = key_number(e->key ? e->key : "");
        if (key < 0)
            return onnx_report(c, HEED_INVALID, &element,
                               "the key location, offset, length or checksum",
                               onnx_report_text(c, "\"%.60s\"", e->key ? e->key : ""), NULL);
        if (values[key])
            return onnx_report(c, HEED_INVALID, &element, "each key once",
                               onnx_report_text(c, "\"%s\" twice", keys[key]), NULL);
        values[key] = e->value ? e->value : "";
    }
    if (values[KEY_LOCATION] && *values[KEY_LOCATION])
        return HEED_OK;
    return onnx_report(c, HEED_INVALID, at, "external_data with a location", "none", NULL);
}

/* Decimal digits only, without a sign, that fit into 64 bits. */
static int parse_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (!*text)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return 0;
    }
    *out = value;
    return 1;
}

static heed_status read_number(onnx_context *c, const onnx_place *at, const char *key,
                               const char *text, uint64_t *out)
{
    if (!text || parse_number(text, out))
        return HEED_OK;
    return onnx_report(c, HEED_INVALID, at,
                       onnx_report_text(c, "decimal digits of a 64-bit number as %s", key),
                       onnx_report_text(c, "\"%.40s\"", text), NULL);
}

static heed_status outside(onnx_context *c, const onnx_place *at, uint64_t offset, uint64_t length,
                           uint64_t size, const char *location)
{
    return onnx_report(c, HEED_INVALID, at,
                       onnx_report_text(c, "data inside the %llu bytes of \"%.80s\"",
                                        (unsigned long long)size, location),
                       onnx_report_text(c, "%llu bytes at offset %llu", (unsigned long long)length,
                                        (unsigned long long)offset),
                       "the data file was cut, or belongs to another model");
}

static heed_status map_file(onnx_context *c, const onnx_place *at, const char *location,
                            const uint8_t **bytes, uint64_t *size)
{
    if (!HEED_HAS(c->source, external))
        return onnx_report(c, HEED_UNSUPPORTED, at, "data inside of the file",
                           onnx_report_text(c, "external data \"%.80s\"", location),
                           "load the model from its file, or name its folder");
    heed_status status = c->source->external(c->source, location, bytes, size);
    if (status) /* the runtime has said why; only the element is added */
        return onnx_report(c, status, at, NULL, NULL, NULL);
    return HEED_OK;
}

heed_status onnx_external_read(onnx_context *c, const Onnx__TensorProto *header,
                               const onnx_place *at, onnx_tensor *out)
{
    const char *values[KEY_COUNT] = {0};
    uint64_t offset = 0, length = out->bytes, size = 0;
    const uint8_t *bytes = NULL;
    if (out->dtype == HEED_STRING)
        return onnx_report(c, HEED_INVALID, at, "strings in string_data", "external data", NULL);
    TRY(read_keys(c, header, at, values));
    TRY(read_number(c, at, "offset", values[KEY_OFFSET], &offset));
    TRY(read_number(c, at, "length", values[KEY_LENGTH], &length));
    if (length != out->bytes)
        return onnx_report(c, HEED_INVALID, at,
                           onnx_report_text(c, "length %llu, as dims and data_type say",
                                            (unsigned long long)out->bytes),
                           onnx_report_text(c, "%llu", (unsigned long long)length), NULL);
    TRY(map_file(c, at, values[KEY_LOCATION], &bytes, &size));
    if (length > size || offset > size - length)
        return outside(c, at, offset, length, size, values[KEY_LOCATION]);
    out->dl.data = length ? (void *)(uintptr_t)(bytes + offset) : NULL;
    out->flags = HEED_TENSOR_BORROWED;
    return HEED_OK;
}
