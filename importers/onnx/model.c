/* model.c - ModelProto: which versions are accepted, what a model says about itself, and the order
 * in which its parts are read: scan, header, functions, graph. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "function.h"
#include "onnx-ml.pb-c.h"
#include "scan.h"

const char *onnx_domain_normal(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* ---- Versions ------------------------------------------------------------------------------- */

static heed_status check_ir(onnx_context *c, const Onnx__ModelProto *m, const onnx_place *at)
{
    onnx_place element = {at, "ir_version", PLACE_SINGLE, PLACE_BY_NAME};
    c->ir_version = m->ir_version;
    if (!m->has_ir_version)
        return onnx_report(c, HEED_INVALID, at, "an ir_version", "none", "is this an ONNX model?");
    if (m->ir_version >= IR_MIN && m->ir_version <= IR_MAX)
        return HEED_OK;
    return onnx_report(c, HEED_UNSUPPORTED, &element, "an IR version from 3 to 14",
                       onnx_report_text(c, "%lld", (long long)m->ir_version),
                       "export the model again with another version of the exporter");
}

static heed_status check_opset(onnx_context *c, int64_t version, const onnx_place *at)
{
    if (version >= OPSET_MIN && version <= OPSET_MAX)
        return HEED_OK;
    return onnx_report(c, HEED_UNSUPPORTED, at, "an opset of ai.onnx from 7 to 28",
                       onnx_report_text(c, "%lld", (long long)version),
                       "export the model again for a supported opset");
}

heed_status onnx_opset_read(onnx_context *c, Onnx__OperatorSetIdProto *const *imports, size_t n,
                            const onnx_place *at, int64_t *version)
{
    *version = 0;
    for (size_t i = 0; i < n; i++) {
        onnx_place element = {at, "opset_import", (int64_t)i, PLACE_BY_NAME};
        if (*onnx_domain_normal(imports[i]->domain))
            continue;
        if (*version && *version != imports[i]->version)
            return onnx_report(c, HEED_INVALID, &element, "one version of a domain", "two", NULL);
        TRY(check_opset(c, imports[i]->version, &element));
        *version = imports[i]->version;
    }
    return HEED_OK;
}

/* ---- Facts ---------------------------------------------------------------------------------- */

static heed_status add_fact(onnx_context *c, const char *key, const char *value)
{
    return value && *value ? c->builder->fact(c->builder, key, value) : HEED_OK;
}

static heed_status add_number(onnx_context *c, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return add_fact(c, key, text);
}

static heed_status add_opsets(onnx_context *c, const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = onnx_domain_normal(m->opset_import[i]->domain);
        TRY(add_number(c, onnx_report_text(c, "opset %s", *domain ? domain : "ai.onnx"),
                       m->opset_import[i]->version));
    }
    return HEED_OK;
}

static heed_status add_facts(onnx_context *c, const Onnx__ModelProto *m)
{
    const char *name = m->producer_name ? m->producer_name : "";
    const char *version = m->producer_version ? m->producer_version : "";
    TRY(add_fact(c, "producer", onnx_report_text(c, "%s%s%s", name, *version ? " " : "", version)));
    TRY(add_number(c, "ir version", m->ir_version));
    TRY(add_opsets(c, m));
    TRY(add_fact(c, "domain", m->domain));
    if (m->has_model_version)
        TRY(add_number(c, "model version", m->model_version));
    TRY(add_fact(c, "description", m->doc_string));
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *e = m->metadata_props[i];
        TRY(add_fact(c, onnx_report_text(c, "metadata %s", e->key ? e->key : ""), e->value));
    }
    return HEED_OK;
}

/* ---- The model ------------------------------------------------------------------------------ */

static heed_status read_header(onnx_context *c, onnx_range file, const onnx_place *at,
                               int64_t *opset)
{
    onnx_arena_mark mark = onnx_arena_save(&c->scratch);
    const Onnx__ModelProto *m =
        onnx_decode(c, &onnx__model_proto__descriptor, &onnx_model_rules, file);
    if (!m)
        return onnx_report_no_memory(c, at);
    TRY(check_ir(c, m, at));
    if (!m->n_opset_import)
        return onnx_report(c, HEED_INVALID, at, "an opset_import", "none",
                           "is this an ONNX model?");
    TRY(onnx_opset_read(c, m->opset_import, m->n_opset_import, at, opset));
    TRY(add_facts(c, m));
    onnx_arena_restore(&c->scratch, mark);
    return HEED_OK;
}

static heed_status read_graph(onnx_context *c, onnx_range file, const onnx_place *top,
                              int64_t opset)
{
    onnx_field field;
    onnx_range rest = file;
    if (!onnx_wire_find(&rest, 7, &field))
        return onnx_report(c, HEED_INVALID, top, "a graph", "none", "is this an ONNX model?");
    onnx_place at = onnx_place_at(c, NULL, "graph", PLACE_SINGLE, field.body.at);
    onnx_scope s = {.c = c, .opset = opset, .body = field.body};
    return onnx_graph_fill(&s, &at);
}

static heed_status other_format(onnx_context *c, onnx_range file, const onnx_place *top)
{
    uint8_t first[4] = {0};
    size_t size = onnx_wire_size(file);
    memcpy(first, file.at, size < sizeof first ? size : sizeof first);
    return onnx_report(c, HEED_INVALID, top, "an ONNX model",
                       onnx_report_text(c, "a file that begins with the bytes %02x %02x %02x %02x",
                                        first[0], first[1], first[2], first[3]),
                       "give the model's .onnx file");
}

heed_status onnx_model_load(onnx_context *c)
{
    onnx_range file = onnx_context_file(c);
    onnx_place top = {NULL, NULL, PLACE_SINGLE, 0};
    int64_t opset = 0;
    if (!c->source->n_bytes)
        return onnx_report(c, HEED_INVALID, &top, "an ONNX model", "an empty file",
                           "the file was cut or never written");
    if (!onnx_model_probe(file.at, onnx_wire_size(file)))
        return other_format(c, file, &top);
    TRY(onnx_scan(c));
    TRY(read_header(c, file, &top, &opset));
    TRY(onnx_functions_read(c, file));
    return read_graph(c, file, &top, opset);
}

/* ---- Recognising a file --------------------------------------------------------------------- */

enum { PROBE_FIELDS = 64, PROBE_SURE = 100, PROBE_PERHAPS = 50 };

/* A field of ModelProto with the wire type that it must have. */
static int is_model_field(const onnx_field *field)
{
    const onnx_rule *rule = onnx_rules_find(&onnx_model_rules, field->number);
    return rule && (rule->kind == RULE_INT) == (field->type == WIRE_VARINT) &&
           (field->type == WIRE_VARINT || field->type == WIRE_BYTES);
}

uint32_t onnx_model_probe(const uint8_t *bytes, uint64_t n_bytes)
{
    onnx_range rest = {bytes, n_bytes ? bytes + n_bytes : bytes}; /* NULL: nothing to read */
    onnx_field field;
    onnx_wire_state state = WIRE_END;
    int seen = 0, good = 0;
    while (seen < PROBE_FIELDS && (state = onnx_wire_next(&rest, &field)) == WIRE_FIELD) {
        seen++;
        good += is_model_field(&field);
    }
    if (!seen || good < seen)
        return good && good + 1 >= seen ? PROBE_PERHAPS : 0;
    return state == WIRE_END || seen == PROBE_FIELDS ? PROBE_SURE : PROBE_PERHAPS;
}
