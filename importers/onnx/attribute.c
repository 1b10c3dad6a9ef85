/* attribute.c - AttributeProto becomes an attribute of the builder. One row for each of the
 * types; a nested graph is only noted here and read when its node is emitted. */
#include <string.h>

#include "decode.h"
#include "function.h"
#include "node.h"
#include "onnx-ml.pb-c.h"
#include "type.h"

typedef struct reading {
    onnx_context *c;
    onnx_scope *scope;
    const Onnx__AttributeProto *proto;
    onnx_range body;
    const onnx_place *at;
    onnx_attr *out;
} reading;

static heed_status read_int(const reading *r)
{
    r->out->value.i = r->proto->i;
    return HEED_OK;
}

static heed_status read_float(const reading *r)
{
    r->out->value.f = (double)r->proto->f;
    return HEED_OK;
}

static heed_string to_string(ProtobufCBinaryData bytes)
{
    return (heed_string){(const char *)bytes.data, bytes.len};
}

static heed_status read_string(const reading *r)
{
    r->out->value.s = to_string(r->proto->s);
    return HEED_OK;
}

static heed_status read_ints(const reading *r)
{
    r->out->value.ints = r->proto->ints;
    r->out->value.n = r->proto->n_ints;
    return HEED_OK;
}

static heed_status read_floats(const reading *r)
{
    r->out->value.floats = r->proto->floats;
    r->out->value.n = r->proto->n_floats;
    return HEED_OK;
}

static heed_status read_strings(const reading *r)
{
    size_t n = r->proto->n_strings;
    heed_string *strings = onnx_arena_array(&r->c->scratch, n, sizeof *strings);
    if (!strings)
        return onnx_report_no_memory(r->c, r->at);
    for (size_t i = 0; i < n; i++)
        strings[i] = to_string(r->proto->strings[i]);
    r->out->value.strings = strings;
    r->out->value.n = n;
    return HEED_OK;
}

static heed_status find_body(const reading *r, uint32_t number, const char *name, onnx_range *body,
                             onnx_place *at)
{
    onnx_range rest = r->body;
    onnx_field field;
    if (!onnx_wire_find(&rest, number, &field))
        return onnx_report(r->c, HEED_INVALID, r->at,
                           onnx_report_text(r->c, "a value in field %s", name), "none", NULL);
    *body = field.body;
    *at = onnx_place_at(r->c, r->at, name, PLACE_SINGLE, field.body.at);
    return HEED_OK;
}

static heed_status read_tensor(const reading *r)
{
    onnx_range body;
    onnx_place at;
    onnx_tensor *tensor = onnx_arena_alloc(&r->c->scratch, sizeof *tensor);
    if (!tensor)
        return onnx_report_no_memory(r->c, r->at);
    TRY(find_body(r, 5, "t", &body, &at));
    TRY(onnx_tensor_read(r->c, body, &at, tensor));
    r->out->value.tensor = &tensor->dl;
    r->out->value.i = tensor->flags; /* for Constant: is the data borrowed? */
    return HEED_OK;
}

/* Only Constant has one: it becomes a dense tensor. */
static heed_status read_sparse(const reading *r)
{
    onnx_range body;
    onnx_place at;
    onnx_tensor *tensor = onnx_arena_alloc(&r->c->scratch, sizeof *tensor);
    if (!tensor)
        return onnx_report_no_memory(r->c, r->at);
    TRY(find_body(r, 22, "sparse_tensor", &body, &at));
    TRY(onnx_sparse_read(r->c, body, &at, tensor));
    r->out->value.tensor = &tensor->dl;
    return HEED_OK;
}

/* The graph is read after the reading of this attribute has ended, so its place is kept. */
static heed_status read_graph(const reading *r)
{
    onnx_place *parent = onnx_arena_alloc(&r->c->scratch, sizeof *parent);
    if (!parent)
        return onnx_report_no_memory(r->c, r->at);
    *parent = *r->at;
    r->out->owner = r->scope;
    TRY(find_body(r, 6, "g", &r->out->graph, &r->out->at));
    r->out->at.parent = parent;
    return HEED_OK;
}

/* A type becomes its text, "optional(tensor(float32))". */
static heed_status read_type(const reading *r)
{
    const heed_type *type;
    TRY(onnx_type_read(r->c, r->proto->tp, r->at, &type));
    const char *text = onnx_type_text(r->c, type);
    if (!text)
        return onnx_report_no_memory(r->c, r->at);
    r->out->value.s = (heed_string){text, strlen(text)};
    return HEED_OK;
}

typedef struct row {
    const char *name;
    uint32_t field; /* of AttributeProto */
    uint32_t type;  /* HEED_ATTR_* */
    heed_status (*read)(const reading *r);
} row;

// clang-format off
static const row rows[] = {
    [1] = {"FLOAT", 2, HEED_ATTR_FLOAT, read_float},
    [2] = {"INT", 3, HEED_ATTR_INT, read_int},
    [3] = {"STRING", 4, HEED_ATTR_STRING, read_string},
    [4] = {"TENSOR", 5, HEED_ATTR_TENSOR, read_tensor},
    [5] = {"GRAPH", 6, HEED_ATTR_GRAPH, read_graph},
    [6] = {"FLOATS", 7, HEED_ATTR_FLOATS, read_floats},
    [7] = {"INTS", 8, HEED_ATTR_INTS, read_ints},
    [8] = {"STRINGS", 9, HEED_ATTR_STRINGS, read_strings},
    [9] = {"TENSORS", 10, HEED_ATTR_NONE, NULL},
    [10] = {"GRAPHS", 11, HEED_ATTR_NONE, NULL},
    [11] = {"SPARSE_TENSOR", 22, HEED_ATTR_TENSOR, read_sparse},
    [12] = {"SPARSE_TENSORS", 23, HEED_ATTR_NONE, NULL},
    [13] = {"TYPE_PROTO", 14, HEED_ATTR_STRING, read_type},
    [14] = {"TYPE_PROTOS", 15, HEED_ATTR_NONE, NULL},
};
// clang-format on
enum { ROWS = sizeof rows / sizeof rows[0] };

static uint32_t row_of_field(uint32_t field)
{
    for (uint32_t i = 1; i < ROWS; i++)
        if (rows[i].field == field)
            return i;
    return 0;
}

/* A file may leave the type out (IR 1) and a value that is zero or empty, but a value of another
 * type than it says is a mistake. */
static heed_status find_row(const reading *r, uint32_t *out)
{
    int64_t said = r->proto->type;
    onnx_range rest = r->body;
    onnx_field field;
    uint32_t present = 0;
    if (said < 0 || said >= ROWS)
        return onnx_report(r->c, HEED_INVALID, r->at, "an attribute type from 1 to 14",
                           onnx_report_text(r->c, "%lld", (long long)said), NULL);
    while (onnx_wire_next(&rest, &field) == WIRE_FIELD) {
        uint32_t i = row_of_field(field.number);
        if (i && said && i != said)
            return onnx_report(r->c, HEED_INVALID, r->at,
                               onnx_report_text(r->c, "a value of type %s", rows[said].name),
                               onnx_report_text(r->c, "one of type %s", rows[i].name), NULL);
        present = i ? i : present;
    }
    *out = said ? (uint32_t)said : present;
    if (*out)
        return HEED_OK;
    return onnx_report(r->c, HEED_INVALID, r->at, "an attribute with a type",
                       "neither type nor value", NULL);
}

static heed_status read_value(const reading *r)
{
    uint32_t i;
    TRY(find_row(r, &i));
    r->out->value.type = rows[i].type;
    if (rows[i].read)
        return rows[i].read(r);
    return onnx_report(r->c, HEED_UNSUPPORTED, r->at,
                       "an attribute with one value or with a list of numbers or strings",
                       onnx_report_text(r->c, "a list of type %s", rows[i].name), NULL);
}

heed_status onnx_attribute_read(onnx_scope *s, onnx_range body, const onnx_place *at,
                                onnx_attr *out, int *present)
{
    onnx_context *c = s->c;
    const Onnx__AttributeProto *proto =
        onnx_decode(c, &onnx__attribute_proto__descriptor, &onnx_attribute_rules, body);
    if (!proto)
        return onnx_report_no_memory(c, at);
    if (!proto->name || !*proto->name)
        return onnx_report(c, HEED_INVALID, at, "an attribute with a name", "none", NULL);
    *out = (onnx_attr){.at = *at};
    *present = 1;
    if (proto->ref_attr_name && *proto->ref_attr_name)
        return onnx_function_attr(s, proto->ref_attr_name, proto->name, at, out, present);
    out->value = (heed_attribute){.size = sizeof out->value, .name = proto->name};
    reading r = {c, s, proto, body, at, out};
    return read_value(&r);
}
