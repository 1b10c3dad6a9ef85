/* scan.c - the iterative wire scan (see scan.h).
 *
 * One frame per open message. A frame does not count its fields: which index a faulty element has
 * is found by reading its parent again, so the good path pays nothing for messages. */
#include "scan.h"

#include <stdio.h>

#include "utf8.h"

typedef struct frame {
    const onnx_rules *message;
    const onnx_rule *rule; /* the field of the parent that holds it */
    const uint8_t *tag;    /* of that field */
    onnx_range body, rest;
    uint64_t seen; /* a bit for each single sub-message */
} frame;

typedef struct scan {
    onnx_context *c;
    uint64_t weight, weight_max;
    int depth; /* of the top frame */
    frame frames[SCAN_DEPTH_MAX];
} scan;

/* ---- Messages ------------------------------------------------------------------------------- */

/* How many fields with this number stand in `body` before `tag`. */
static int64_t index_before(onnx_range body, uint32_t number, const uint8_t *tag)
{
    int64_t n = 0;
    onnx_field field;
    while (onnx_wire_find(&body, number, &field) && field.tag < tag)
        n++;
    return n;
}

static onnx_place element(const scan *s, const onnx_place *parent, const frame *in,
                          const onnx_rule *rule, const uint8_t *tag, const uint8_t *at)
{
    int64_t index = PLACE_SINGLE;
    if (rule->flags & RULE_REPEATED)
        index = index_before(in->body, (uint32_t)(rule - in->message->rules), tag);
    return onnx_place_at(s->c, parent, rule->name, index, at);
}

/* Reports a fault at `at`, in the field `rule` of the open message, or in the message itself. */
static heed_status fault(scan *s, const onnx_rule *rule, const uint8_t *tag, const uint8_t *at,
                         const char *expected, const char *found, const char *hint)
{
    onnx_place places[SCAN_DEPTH_MAX + 1];
    places[0] = onnx_place_at(s->c, NULL, NULL, PLACE_SINGLE, at);
    int n = 0;
    for (int i = 1; i <= s->depth; i++, n++) {
        const frame *f = &s->frames[i];
        places[n + 1] = element(s, &places[n], f - 1, f->rule, f->tag, at);
    }
    if (rule) {
        places[n + 1] = element(s, &places[n], &s->frames[s->depth], rule, tag, at);
        n++;
    }
    return onnx_report(s->c, HEED_INVALID, &places[n], expected, found, hint);
}

static const char *const damaged =
    "the file is damaged or no ONNX model; get it again from its source";

/* A field that the cursor could not read. */
static heed_status broken_field(scan *s, onnx_wire_state state, const onnx_field *field)
{
    const frame *top = &s->frames[s->depth];
    const onnx_rule *rule = onnx_rules_find(top->message, field->number);
    size_t left = onnx_wire_size(field->body);
    const char *found = "";
    switch (state) {
    case WIRE_CUT_OFF:
        found = onnx_report_text(s->c, "a field of %llu bytes where %zu are left",
                                 (unsigned long long)field->value, left);
        return fault(s, rule, field->tag, field->tag,
                     onnx_report_text(s->c, "a field that ends inside its %s", top->message->name),
                     found, damaged);
    case WIRE_BAD_VARINT:
        return fault(s, rule, field->tag, field->tag, "a varint of at most ten bytes",
                     "one that is longer or cut off", damaged);
    case WIRE_BAD_TYPE:
        found = onnx_report_text(s->c, "wire type %u in field %u", field->type, field->number);
        return fault(s, rule, field->tag, field->tag, "wire type 0, 1, 2 or 5", found, damaged);
    default:
        return fault(s, NULL, NULL, field->tag, "a field number from 1 to 536870911", "another",
                     damaged);
    }
}

static heed_status wrong_wire_type(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    static const char *const names[] = {
        [RULE_INT] = "a varint", [RULE_F32] = "four bytes",       [RULE_F64] = "eight bytes",
        [RULE_BYTES] = "bytes",  [RULE_TEXT] = "length and text", [RULE_MESSAGE] = "a message",
    };
    return fault(s, rule, field->tag, field->tag, names[rule->kind],
                 onnx_report_text(s->c, "wire type %u", field->type), damaged);
}

/* ---- Fields --------------------------------------------------------------------------------- */

static heed_status check_text(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    const uint8_t *bad = onnx_utf8_fault(field->body, &s->c->tildes);
    if (!bad)
        return HEED_OK;
    return fault(s, rule, field->tag, bad, "UTF-8 text without zero bytes",
                 onnx_report_text(s->c, "byte 0x%02x", *bad), damaged);
}

static heed_status check_varints(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    onnx_range rest = field->body;
    uint64_t value;
    while (rest.at < rest.end)
        if (!onnx_wire_varint(&rest, &value))
            return fault(s, rule, field->tag, rest.at, "packed varints of at most ten bytes",
                         "one that is longer or cut off", damaged);
    return HEED_OK;
}

/* Numbers in one field, packed. */
static heed_status check_packed(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    if (rule->kind == RULE_INT)
        return check_varints(s, rule, field);
    size_t each = rule->kind == RULE_F32 ? 4 : 8, size = onnx_wire_size(field->body);
    if (size % each == 0)
        return HEED_OK;
    return fault(s, rule, field->tag, field->body.at,
                 onnx_report_text(s->c, "a multiple of %zu bytes", each),
                 onnx_report_text(s->c, "%zu bytes", size), damaged);
}

static heed_status open_message(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    frame *top = &s->frames[s->depth];
    uint64_t bit = (uint64_t)1 << (field->number & 63);
    if (!(rule->flags & RULE_REPEATED) && top->seen & bit)
        return fault(s, rule, field->tag, field->tag, "this message once", "it twice", damaged);
    top->seen |= bit;
    s->weight += rule->message->weight;
    if (s->weight > s->weight_max)
        return fault(s, rule, field->tag, field->body.at, "messages in proportion to the file",
                     "so many small ones that decoding would take far more than the file",
                     "no exporter writes such a file");
    if (s->depth + 1 >= SCAN_DEPTH_MAX)
        return fault(
            s, rule, field->tag, field->body.at,
            onnx_report_text(s->c, "at most %d messages inside each other", (int)SCAN_DEPTH_MAX),
            "one more", "flatten the nested graphs or types");
    s->frames[++s->depth] = (frame){
        .message = rule->message, .rule = rule, .tag = field->tag, field->body, field->body, 0};
    return HEED_OK;
}

static heed_status check_field(scan *s, const onnx_rule *rule, const onnx_field *field)
{
    static const uint8_t types[] = {
        [RULE_INT] = WIRE_VARINT,  [RULE_F32] = WIRE_FIXED32, [RULE_F64] = WIRE_FIXED64,
        [RULE_BYTES] = WIRE_BYTES, [RULE_TEXT] = WIRE_BYTES,  [RULE_MESSAGE] = WIRE_BYTES,
    };
    int is_number = types[rule->kind] != WIRE_BYTES;
    if (is_number && rule->flags & RULE_REPEATED && field->type == WIRE_BYTES)
        return check_packed(s, rule, field);
    if (field->type != types[rule->kind])
        return wrong_wire_type(s, rule, field);
    if (rule->kind == RULE_TEXT)
        return check_text(s, rule, field);
    return rule->kind == RULE_MESSAGE ? open_message(s, rule, field) : HEED_OK;
}

/* ---- The loop ------------------------------------------------------------------------------- */

heed_status onnx_scan(onnx_context *c)
{
    scan s;
    s.c = c;
    s.weight = 0;
    s.weight_max = c->keep.budget;
    s.depth = 0;
    s.frames[0] =
        (frame){.message = c->top, .body = onnx_context_file(c), .rest = onnx_context_file(c)};
    while (s.depth >= 0) {
        frame *f = &s.frames[s.depth];
        onnx_field field;
        onnx_wire_state state = onnx_wire_next(&f->rest, &field);
        if (state == WIRE_END) {
            s.depth--;
            continue;
        }
        if (state != WIRE_FIELD)
            return broken_field(&s, state, &field);
        const onnx_rule *rule = onnx_rules_find(f->message, field.number);
        heed_status status = rule ? check_field(&s, rule, &field) : HEED_OK;
        if (status)
            return status;
    }
    return HEED_OK;
}
