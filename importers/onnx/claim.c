/* claim.c - what the file says about the type of a value: element type and rank.
 *
 * Asked only when a node of an old opset is raised, so the table of a graph's values is made on
 * the first question. Claims are hints: an operator's meaning never depends on one being there. */
#include <string.h>

#include "scope.h"

typedef struct note {
    int is_tensor; /* TensorProto, else ValueInfoProto */
    onnx_range body;
} note;

static int add_notes(onnx_scope *s, uint32_t list, uint32_t name_number, int is_tensor)
{
    onnx_range rest = s->body;
    onnx_field field, name;
    while (onnx_wire_find(&rest, list, &field)) {
        onnx_range inner = field.body;
        note *n = onnx_arena_alloc(&s->c->keep, sizeof *n);
        if (!n)
            return 0;
        *n = (note){is_tensor, field.body};
        if (onnx_wire_find(&inner, name_number, &name) &&
            !onnx_table_put(&s->types, &s->c->keep, (const char *)name.body.at,
                            onnx_wire_size(name.body), n))
            return 0;
    }
    return 1;
}

/* Fields of GraphProto that name values: value_info, output, input, initializer. */
static void make_table(onnx_scope *s)
{
    s->has_types = 1;
    if (!add_notes(s, 13, 1, 0) || !add_notes(s, 12, 1, 0) || !add_notes(s, 11, 1, 0) ||
        !add_notes(s, 5, 8, 1))
        s->types = (onnx_table){0}; /* no memory for hints: do without */
}

static uint64_t find_number(onnx_range body, uint32_t number)
{
    onnx_field field;
    uint64_t value = 0;
    while (onnx_wire_find(&body, number, &field))
        value = field.value;
    return value;
}

static int32_t count_fields(onnx_range body, uint32_t number)
{
    onnx_field field;
    int32_t n = 0;
    while (onnx_wire_find(&body, number, &field))
        n++;
    return n;
}

/* dims are single fields or packed. */
static int32_t count_dims(onnx_range tensor)
{
    onnx_field field;
    int32_t n = 0;
    while (onnx_wire_find(&tensor, 1, &field)) {
        onnx_range rest = field.body;
        uint64_t value;
        n += field.type == WIRE_VARINT;
        while (field.type == WIRE_BYTES && onnx_wire_varint(&rest, &value))
            n++;
    }
    return n;
}

static onnx_claim claim_of_value(onnx_range body)
{
    onnx_claim claim = {0, -1};
    onnx_field field;
    if (!onnx_wire_find(&body, 2, &field))
        return claim;
    body = field.body; /* TypeProto */
    if (!onnx_wire_find(&body, 1, &field))
        return claim;
    body = field.body; /* TypeProto.Tensor */
    claim.dtype = (heed_dtype)find_number(body, 1);
    if (onnx_wire_find(&body, 2, &field))
        claim.rank = count_fields(field.body, 1);
    return claim;
}

static onnx_claim claim_of_note(const note *n)
{
    if (!n->is_tensor)
        return claim_of_value(n->body);
    return (onnx_claim){(heed_dtype)find_number(n->body, 2), count_dims(n->body)};
}

static const note *find_note(onnx_scope *s, const char *name)
{
    if (s->call) /* its names are not those of the builder */
        return NULL;
    if (!s->has_types)
        make_table(s);
    return onnx_table_get(&s->types, name, strlen(name));
}

int onnx_scope_is_initializer(onnx_scope *s, const char *name)
{
    const note *n = find_note(s, name);
    return n && n->is_tensor;
}

onnx_claim onnx_scope_claim(onnx_scope *s, const char *name)
{
    for (; s; s = s->outer) {
        const note *n = find_note(s, name);
        if (n)
            return claim_of_note(n);
    }
    return (onnx_claim){0, -1};
}
