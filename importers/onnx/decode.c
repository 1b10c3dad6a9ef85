/* decode.c - hands messages to protobuf-c (see decode.h).
 *
 * protobuf-c copies every bytes field and keeps unknown fields too. So a message that has fields
 * to leave out is first copied without them; the copies are metadata and small. */
#include "decode.h"

#include <string.h>

static int is_kept(const onnx_rules *rules, uint32_t number)
{
    const onnx_rule *rule = onnx_rules_find(rules, number);
    return rule && !(rule->flags & RULE_LEFT_OUT);
}

/* Bytes of the fields that stay; copies them when `out` is not NULL. */
static size_t filter(const onnx_rules *rules, onnx_range body, uint8_t *out)
{
    size_t total = 0;
    onnx_field field;
    while (onnx_wire_next(&body, &field) == WIRE_FIELD) {
        size_t size = (size_t)(body.at - field.tag);
        if (!is_kept(rules, field.number))
            continue;
        if (out)
            memcpy(out + total, field.tag, size);
        total += size;
    }
    return total;
}

void *onnx_decode(onnx_context *c, const ProtobufCMessageDescriptor *type, const onnx_rules *rules,
                  onnx_range body)
{
    size_t size = filter(rules, body, NULL);
    const uint8_t *bytes = body.at;
    if (size != onnx_wire_size(body)) {
        uint8_t *copy = onnx_arena_alloc(&c->scratch, size);
        if (!copy)
            return NULL;
        filter(rules, body, copy);
        bytes = copy;
    }
    return protobuf_c_message_unpack(type, &c->scratch.protobuf, size, bytes);
}
