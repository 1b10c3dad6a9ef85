/* locate.c - follows a path through the file again (see locate.h).
 *
 * protobuf-c forgets where things stood. So places of what it decoded have a path only, and the
 * byte is looked up when there is something to complain about. */
#include "locate.h"

#include <string.h>

/* What a path leads to. */
typedef struct spot {
    const onnx_rules *rules; /* of the message there; NULL: a number or text, or not found */
    onnx_range body;
    const uint8_t *at;
} spot;

static uint32_t number_of(const onnx_rules *rules, const char *name)
{
    for (uint32_t i = 1; i < rules->count; i++)
        if (rules->rules[i].name && strcmp(rules->rules[i].name, name) == 0)
            return i;
    return 0;
}

static spot step(const spot *from, const onnx_place *at)
{
    spot to = {NULL, from->body, from->at};
    uint32_t number = from->rules ? number_of(from->rules, at->field) : 0;
    onnx_range rest = from->body;
    onnx_field field;
    if (!number)
        return to;
    for (int64_t i = 0; onnx_wire_find(&rest, number, &field); i++) {
        to.at = field.type == WIRE_BYTES ? field.body.at : field.tag;
        to.body = field.body;
        to.rules = from->rules->rules[number].message;
        if (at->index == PLACE_SINGLE || at->index == i)
            return to;
    }
    to.rules = NULL;
    return to;
}

static spot find(const onnx_rules *top, onnx_range file, const onnx_place *at)
{
    if (!at || !at->field)
        return (spot){top, file, file.at};
    spot parent = find(top, file, at->parent);
    return step(&parent, at);
}

uint64_t onnx_locate(const onnx_rules *top, onnx_range file, const onnx_place *at)
{
    return (uint64_t)(find(top, file, at).at - file.at);
}
