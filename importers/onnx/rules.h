/* rules.h - the shape of the ONNX messages, as data: field number -> kind, name, sub-message.
 *
 * The scan checks a file against these tables before anything is decoded, and the decoder leaves
 * out the fields that they mark: weights stay in the mapping, comments are not worth memory. */
#ifndef ONNX_RULES_H
#define ONNX_RULES_H

#include <stdint.h>

enum { RULE_UNKNOWN, RULE_INT, RULE_F32, RULE_F64, RULE_BYTES, RULE_TEXT, RULE_MESSAGE };
enum {
    RULE_REPEATED = 1, /* numbers: single fields or packed */
    RULE_LEFT_OUT = 2  /* not given to protobuf-c: read from the file when needed, or never */
};

struct onnx_rules;
typedef struct onnx_rule {
    uint8_t kind;
    uint8_t flags;
    const char *name;
    const struct onnx_rules *message;
} onnx_rule;

/* One message type. */
typedef struct onnx_rules {
    const char *name;
    uint32_t weight; /* bytes that one decoded message takes, about */
    uint32_t count;  /* of rules; the index is the field's number */
    const onnx_rule *rules;
} onnx_rules;

extern const onnx_rules onnx_model_rules, onnx_graph_rules, onnx_node_rules, onnx_attribute_rules,
    onnx_tensor_rules, onnx_sparse_rules, onnx_value_rules, onnx_type_rules, onnx_entry_rules,
    onnx_opset_rules, onnx_function_rules, onnx_sequence_rules, onnx_optional_rules;

/* The rule of a field, or NULL for one that this version of the schema does not know. */
const onnx_rule *onnx_rules_find(const onnx_rules *message, uint32_t number);

#endif
