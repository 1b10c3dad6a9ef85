/* value.c - single values in ONNX's serialisation: the .pb files of test data.
 *
 * A file holds a bare TensorProto, SequenceProto or OptionalProto; which one, it does not say, so
 * the caller's type does. A sequence or optional gives its tensors in order. */
#include "value.h"

#include <stddef.h>

#include "report.h"
#include "scan.h"
#include "tensor.h"

typedef heed_status (*sink_fn)(void *arg, const char *name, const DLTensor *tensor);

typedef struct reading {
    onnx_context *c;
    sink_fn sink;
    void *arg;
} reading;

/* The fields of a message that hold values, and what each holds. NULL: refused. */
typedef struct part {
    const onnx_rules *message;
    uint32_t number;
    const char *name;
    heed_status (*read)(const reading *r, onnx_range body, const onnx_place *at);
} part;

static heed_status read_tensor(const reading *r, onnx_range body, const onnx_place *at)
{
    onnx_tensor tensor;
    onnx_arena_mark mark = onnx_arena_save(&r->c->scratch);
    TRY(onnx_tensor_read(r->c, body, at, &tensor));
    TRY(r->sink(r->arg, tensor.name, &tensor.dl));
    onnx_arena_restore(&r->c->scratch, mark);
    return HEED_OK;
}

static heed_status read_sparse(const reading *r, onnx_range body, const onnx_place *at)
{
    onnx_tensor tensor;
    onnx_arena_mark mark = onnx_arena_save(&r->c->scratch);
    TRY(onnx_sparse_read(r->c, body, at, &tensor));
    TRY(r->sink(r->arg, tensor.name, &tensor.dl));
    onnx_arena_restore(&r->c->scratch, mark);
    return HEED_OK;
}

static heed_status read_sequence(const reading *r, onnx_range body, const onnx_place *at);
static heed_status read_optional(const reading *r, onnx_range body, const onnx_place *at);

static const part parts[] = {
    {&onnx_sequence_rules, 3, "tensor_values", read_tensor},
    {&onnx_sequence_rules, 4, "sparse_tensor_values", read_sparse},
    {&onnx_sequence_rules, 5, "sequence_values", read_sequence},
    {&onnx_sequence_rules, 6, "map_values", NULL},
    {&onnx_sequence_rules, 7, "optional_values", read_optional},
    {&onnx_optional_rules, 3, "tensor_value", read_tensor},
    {&onnx_optional_rules, 4, "sparse_tensor_value", read_sparse},
    {&onnx_optional_rules, 5, "sequence_value", read_sequence},
    {&onnx_optional_rules, 6, "map_value", NULL},
    {&onnx_optional_rules, 7, "optional_value", read_optional},
};

/* The scan has bounded how deep this goes. */
static heed_status read_part(const reading *r, const part *p, onnx_range body,
                             const onnx_place *parent)
{
    int single = p->message == &onnx_optional_rules;
    onnx_field field;
    for (int64_t i = 0; onnx_wire_find(&body, p->number, &field); i++) {
        onnx_place at =
            onnx_place_at(r->c, parent, p->name, single ? PLACE_SINGLE : i, field.body.at);
        if (!p->read)
            return onnx_report(r->c, HEED_UNSUPPORTED, &at, "tensors", "a map", NULL);
        TRY(p->read(r, field.body, &at));
    }
    return HEED_OK;
}

static heed_status read_parts(const reading *r, const onnx_rules *message, onnx_range body,
                              const onnx_place *at)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].message == message)
            TRY(read_part(r, &parts[i], body, at));
    return HEED_OK;
}

static heed_status read_sequence(const reading *r, onnx_range body, const onnx_place *at)
{
    return read_parts(r, &onnx_sequence_rules, body, at);
}

static heed_status read_optional(const reading *r, onnx_range body, const onnx_place *at)
{
    return read_parts(r, &onnx_optional_rules, body, at);
}

typedef struct kind {
    const onnx_rules *message;
    heed_status (*read)(const reading *r, onnx_range body, const onnx_place *at);
} kind;

heed_status onnx_value_read(const heed_host *host, const heed_source *source, const heed_type *type,
                            sink_fn sink, void *arg)
{
    static const kind kinds[] = {
        [HEED_KIND_TENSOR] = {&onnx_tensor_rules, read_tensor},
        [HEED_KIND_SEQUENCE] = {&onnx_sequence_rules, read_sequence},
        [HEED_KIND_OPTIONAL] = {&onnx_optional_rules, read_optional},
    };
    uint32_t number = type ? type->kind : HEED_KIND_TENSOR;
    if (number >= sizeof kinds / sizeof kinds[0])
        return host->fail(HEED_UNSUPPORTED, "a map cannot be read");
    onnx_context c;
    onnx_context_open(&c, host, source, kinds[number].message, NULL);
    reading r = {&c, sink, arg};
    onnx_place top = {NULL, NULL, PLACE_SINGLE, 0};
    heed_status status = onnx_scan(&c);
    if (!status)
        status = kinds[number].read(&r, onnx_context_file(&c), &top);
    onnx_context_close(&c);
    return status;
}
