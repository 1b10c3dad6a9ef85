/* wire.c - the cursor over protobuf fields (see wire.h). */
#include "wire.h"

#include <string.h>

int onnx_wire_varint(onnx_range *rest, uint64_t *value)
{
    uint64_t result = 0;
    const uint8_t *at = rest->at;
    for (unsigned shift = 0; shift < 70 && at < rest->end; shift += 7) {
        uint8_t byte = *at++;
        result |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80)) {
            *value = result;
            rest->at = at;
            return 1;
        }
    }
    return 0;
}

static onnx_wire_state read_fixed(onnx_range *rest, size_t size, onnx_field *out)
{
    out->value = size;
    out->body = *rest;
    if (onnx_wire_size(*rest) < size)
        return WIRE_CUT_OFF;
    uint64_t value = 0;
    memcpy(&value, rest->at, size);
    out->value = value;
    rest->at += size;
    return WIRE_FIELD;
}

static onnx_wire_state read_bytes(onnx_range *rest, onnx_field *out)
{
    if (!onnx_wire_varint(rest, &out->value))
        return WIRE_BAD_VARINT;
    out->body = *rest;
    if (out->value > onnx_wire_size(*rest))
        return WIRE_CUT_OFF;
    out->body = (onnx_range){rest->at, rest->at + out->value};
    rest->at = out->body.end;
    return WIRE_FIELD;
}

static onnx_wire_state read_value(onnx_range *rest, onnx_field *out)
{
    switch (out->type) {
    case WIRE_VARINT:
        return onnx_wire_varint(rest, &out->value) ? WIRE_FIELD : WIRE_BAD_VARINT;
    case WIRE_FIXED64:
        return read_fixed(rest, 8, out);
    case WIRE_BYTES:
        return read_bytes(rest, out);
    case WIRE_FIXED32:
        return read_fixed(rest, 4, out);
    default:
        return WIRE_BAD_TYPE;
    }
}

onnx_wire_state onnx_wire_next(onnx_range *rest, onnx_field *out)
{
    if (rest->at == rest->end)
        return WIRE_END;
    onnx_range ahead = *rest;
    uint64_t tag;
    *out = (onnx_field){.tag = rest->at};
    if (!onnx_wire_varint(&ahead, &tag))
        return WIRE_BAD_VARINT;
    if (tag >> 32 || !(tag >> 3))
        return WIRE_BAD_TAG;
    out->number = (uint32_t)(tag >> 3);
    out->type = (uint32_t)(tag & 7);
    onnx_wire_state state = read_value(&ahead, out);
    if (state == WIRE_FIELD)
        *rest = ahead;
    return state;
}

int onnx_wire_find(onnx_range *rest, uint32_t number, onnx_field *out)
{
    while (onnx_wire_next(rest, out) == WIRE_FIELD)
        if (out->number == number)
            return 1;
    return 0;
}
