/* typed.c - the typed data fields of TensorProto: float_data, int32_data, int64_data and so on.
 *
 * Each dtype has one field that may hold it (dtype.h). Small types share int32_data: 16-bit floats
 * as their bits, types below a byte as packed bytes. One packed run of floats or doubles has the
 * layout of the tensor and is borrowed; everything else is narrowed into scratch. */
#include <string.h>

#include "rules.h"
#include "tensor.h"

/* What one entry of the field becomes. */
typedef struct typed {
    onnx_context *c;
    const onnx_place *at;
    onnx_tensor *out;
    const onnx_rule *rule;
    uint32_t store;
    uint64_t entries; /* expected */
    uint32_t size;    /* bytes that an entry gives */
} typed;

/* Numbers that fields of this kind can hold must fit the target: value range of an int32 entry. */
typedef struct range {
    int64_t low, high;
} range;

// clang-format off
static const range ranges[HEED_DTYPE_COUNT] = {
    [HEED_UINT8] = {0, 255}, [HEED_INT8] = {-128, 127}, [HEED_UINT16] = {0, 65535},
    [HEED_INT16] = {-32768, 32767}, [HEED_BOOL] = {INT32_MIN, INT32_MAX},
    [HEED_INT32] = {INT32_MIN, INT32_MAX}, [HEED_FLOAT16] = {0, 65535},
    [HEED_BFLOAT16] = {0, 65535}, [HEED_FLOAT8E4M3FN] = {0, 255},
    [HEED_FLOAT8E4M3FNUZ] = {0, 255}, [HEED_FLOAT8E5M2] = {0, 255},
    [HEED_FLOAT8E5M2FNUZ] = {0, 255}, [HEED_UINT4] = {0, 255}, [HEED_INT4] = {-128, 255},
    [HEED_FLOAT4E2M1] = {0, 255}, [HEED_FLOAT8E8M0] = {0, 255}, [HEED_UINT2] = {0, 255},
    [HEED_INT2] = {-128, 255}, [HEED_UINT32] = {0, UINT32_MAX},
};
// clang-format on

static heed_status put_number(const typed *t, uint64_t i, uint64_t raw)
{
    int64_t value = t->store == STORE_INT32 ? (int32_t)(uint32_t)raw : (int64_t)raw;
    const range *r = &ranges[t->out->dtype];
    if (r->high && (value < r->low || value > r->high)) {
        onnx_place element = {t->at, t->rule->name, (int64_t)i, PLACE_BY_NAME};
        return onnx_report(t->c, HEED_INVALID, &element,
                           onnx_report_text(t->c, "a number from %lld to %lld", (long long)r->low,
                                            (long long)r->high),
                           onnx_report_text(t->c, "%lld", (long long)value), NULL);
    }
    if (t->out->dtype == HEED_BOOL)
        raw = raw != 0;
    memcpy((uint8_t *)t->out->dl.data + i * t->size, &raw, t->size); /* little-endian */
    return HEED_OK;
}

static heed_status put_varints(const typed *t, const onnx_field *field, uint64_t *i)
{
    if (field->type == WIRE_VARINT)
        return put_number(t, (*i)++, field->value);
    onnx_range rest = field->body;
    uint64_t value;
    while (onnx_wire_varint(&rest, &value))
        TRY(put_number(t, (*i)++, value));
    return HEED_OK;
}

static void put_fixed(const typed *t, const onnx_field *field, uint64_t *i)
{
    uint8_t *to = (uint8_t *)t->out->dl.data + *i * t->size;
    size_t size = field->type == WIRE_BYTES ? onnx_wire_size(field->body) : t->size;
    if (field->type == WIRE_BYTES && size)
        memcpy(to, field->body.at, size);
    else if (size)
        memcpy(to, &field->value, size);
    *i += size / t->size;
}

static void put_string(const typed *t, const onnx_field *field, uint64_t *i)
{
    heed_string *to = t->out->dl.data;
    to[(*i)++] = (heed_string){(const char *)field->body.at, onnx_wire_size(field->body)};
}

/* ---- Counting ------------------------------------------------------------------------------- */

static uint64_t count_entries(const onnx_field *field, uint32_t kind)
{
    if (kind == RULE_BYTES || field->type != WIRE_BYTES)
        return 1;
    if (kind != RULE_INT)
        return onnx_wire_size(field->body) / (kind == RULE_F32 ? 4 : 8);
    uint64_t n = 0; /* every varint has one last byte, whose top bit is clear */
    for (const uint8_t *at = field->body.at; at < field->body.end; at++)
        n += !(*at & 0x80);
    return n;
}

static int is_data(uint32_t number)
{
    return number >= STORE_FLOAT && number <= STORE_UINT64 && number != 8 && number != STORE_RAW;
}

/* Counts the entries of the tensor's own field and refuses data in another one. */
static heed_status count_all(typed *t, onnx_range body, uint64_t *n, uint64_t *fields)
{
    onnx_field field;
    *n = *fields = 0;
    while (onnx_wire_next(&body, &field) == WIRE_FIELD) {
        if (!is_data(field.number))
            continue;
        const onnx_rule *rule = onnx_rules_find(&onnx_tensor_rules, field.number);
        uint64_t entries = count_entries(&field, rule->kind);
        if (entries && field.number != t->store) {
            onnx_place element = onnx_place_at(t->c, t->at, rule->name, PLACE_SINGLE, field.tag);
            return onnx_report(t->c, HEED_INVALID, &element,
                               onnx_report_text(t->c, "data of %s in %s",
                                                onnx_dtype_get(t->out->dtype)->name, t->rule->name),
                               onnx_report_text(t->c, "%s", rule->name), NULL);
        }
        *n += entries;
        ++*fields;
    }
    return HEED_OK;
}

static heed_status wrong_count(const typed *t, uint64_t n)
{
    const char *found = onnx_report_text(t->c, "%llu", (unsigned long long)n);
    onnx_place element = {t->at, t->rule->name, PLACE_SINGLE, PLACE_BY_NAME};
    return onnx_report(t->c, HEED_INVALID, n ? &element : t->at,
                       onnx_report_text(t->c, "%llu entries for %llu elements of %s",
                                        (unsigned long long)t->entries,
                                        (unsigned long long)t->out->count,
                                        onnx_dtype_get(t->out->dtype)->name),
                       n ? found : "no data", "dims and data disagree");
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* One packed run of float32 or float64: the bytes in the file are the tensor. */
static int borrow(const typed *t, onnx_range body)
{
    onnx_field field;
    if (t->store != STORE_FLOAT && t->store != STORE_DOUBLE)
        return 0;
    if (!onnx_wire_find(&body, t->store, &field) || field.type != WIRE_BYTES)
        return 0;
    t->out->dl.data = (void *)(uintptr_t)field.body.at;
    t->out->flags = HEED_TENSOR_BORROWED;
    return 1;
}

static heed_status put_all(const typed *t, onnx_range body)
{
    uint64_t i = 0;
    onnx_field field;
    while (onnx_wire_find(&body, t->store, &field)) {
        if (t->rule->kind == RULE_INT)
            TRY(put_varints(t, &field, &i));
        else if (t->rule->kind == RULE_BYTES)
            put_string(t, &field, &i);
        else
            put_fixed(t, &field, &i);
    }
    return HEED_OK;
}

/* Bytes of an entry: complex numbers take two, types below a byte share one. */
static uint32_t entry_size(const onnx_dtype *type)
{
    if (type->store == STORE_FLOAT)
        return 4;
    if (type->store == STORE_DOUBLE)
        return 8;
    if (type->store == STORE_STRING)
        return sizeof(heed_string);
    return type->bits < 8 ? 1 : type->bits / 8;
}

heed_status onnx_typed_read(onnx_context *c, onnx_range body, const onnx_place *at,
                            onnx_tensor *out)
{
    const onnx_dtype *type = onnx_dtype_get(out->dtype);
    typed t = {c,
               at,
               out,
               onnx_rules_find(&onnx_tensor_rules, type->store),
               type->store,
               0,
               entry_size(type)};
    uint64_t n, fields;
    t.entries = out->bytes / t.size;
    TRY(count_all(&t, body, &n, &fields));
    if (n != t.entries)
        return wrong_count(&t, n);
    if (!n || (fields == 1 && borrow(&t, body)))
        return HEED_OK;
    out->dl.data = onnx_arena_alloc(&c->scratch, out->bytes);
    if (!out->dl.data)
        return onnx_report_no_memory(c, at);
    return put_all(&t, body);
}
