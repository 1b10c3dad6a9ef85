/* rules.c - the tables of rules.h, after schema/onnx-ml.proto, and of the value messages
 * (SequenceProto, OptionalProto) after the standard's onnx-data.proto. */
#include "rules.h"

#include <stddef.h>

enum { LIST = RULE_REPEATED, OUT = RULE_LEFT_OUT, LIST_OUT = RULE_REPEATED | RULE_LEFT_OUT };

static const onnx_rules map_rules;

// clang-format off
static const onnx_rule entry[] = {
    [1] = {RULE_TEXT, 0, "key", NULL},
    [2] = {RULE_TEXT, 0, "value", NULL},
};
const onnx_rules onnx_entry_rules = {"StringStringEntryProto", 48, 3, entry};

static const onnx_rule opset[] = {
    [1] = {RULE_TEXT, 0, "domain", NULL},
    [2] = {RULE_INT, 0, "version", NULL},
};
const onnx_rules onnx_opset_rules = {"OperatorSetIdProto", 48, 3, opset};

static const onnx_rule segment[] = {
    [1] = {RULE_INT, 0, "begin", NULL},
    [2] = {RULE_INT, 0, "end", NULL},
};
static const onnx_rules segment_rules = {"TensorProto.Segment", 48, 3, segment};

static const onnx_rule tensor[] = {
    [1] = {RULE_INT, LIST, "dims", NULL},
    [2] = {RULE_INT, 0, "data_type", NULL},
    [3] = {RULE_MESSAGE, 0, "segment", &segment_rules},
    [4] = {RULE_F32, LIST_OUT, "float_data", NULL},
    [5] = {RULE_INT, LIST_OUT, "int32_data", NULL},
    [6] = {RULE_BYTES, LIST_OUT, "string_data", NULL},
    [7] = {RULE_INT, LIST_OUT, "int64_data", NULL},
    [8] = {RULE_TEXT, 0, "name", NULL},
    [9] = {RULE_BYTES, OUT, "raw_data", NULL},
    [10] = {RULE_F64, LIST_OUT, "double_data", NULL},
    [11] = {RULE_INT, LIST_OUT, "uint64_data", NULL},
    [12] = {RULE_TEXT, OUT, "doc_string", NULL},
    [13] = {RULE_MESSAGE, LIST, "external_data", &onnx_entry_rules},
    [14] = {RULE_INT, 0, "data_location", NULL},
    [16] = {RULE_MESSAGE, LIST_OUT, "metadata_props", &onnx_entry_rules},
};
const onnx_rules onnx_tensor_rules = {"TensorProto", 232, 17, tensor};

static const onnx_rule sparse[] = {
    [1] = {RULE_MESSAGE, OUT, "values", &onnx_tensor_rules},
    [2] = {RULE_MESSAGE, OUT, "indices", &onnx_tensor_rules},
    [3] = {RULE_INT, LIST, "dims", NULL},
};
const onnx_rules onnx_sparse_rules = {"SparseTensorProto", 64, 4, sparse};

static const onnx_rule dimension[] = {
    [1] = {RULE_INT, 0, "dim_value", NULL},
    [2] = {RULE_TEXT, 0, "dim_param", NULL},
    [3] = {RULE_TEXT, 0, "denotation", NULL},
};
static const onnx_rules dimension_rules = {"TensorShapeProto.Dimension", 48, 4, dimension};

static const onnx_rule shape[] = {
    [1] = {RULE_MESSAGE, LIST, "dim", &dimension_rules},
};
static const onnx_rules shape_rules = {"TensorShapeProto", 40, 2, shape};

static const onnx_rule tensor_type[] = {
    [1] = {RULE_INT, 0, "elem_type", NULL},
    [2] = {RULE_MESSAGE, 0, "shape", &shape_rules},
};
static const onnx_rules tensor_type_rules = {"TypeProto.Tensor", 40, 3, tensor_type};
static const onnx_rules sparse_type_rules = {"TypeProto.SparseTensor", 40, 3, tensor_type};

static const onnx_rule item_type[] = {
    [1] = {RULE_MESSAGE, 0, "elem_type", &onnx_type_rules},
};
static const onnx_rules sequence_type_rules = {"TypeProto.Sequence", 32, 2, item_type};
static const onnx_rules optional_type_rules = {"TypeProto.Optional", 32, 2, item_type};

static const onnx_rule map_type[] = {
    [1] = {RULE_INT, 0, "key_type", NULL},
    [2] = {RULE_MESSAGE, 0, "value_type", &onnx_type_rules},
};
static const onnx_rules map_type_rules = {"TypeProto.Map", 40, 3, map_type};

static const onnx_rule opaque_type[] = {
    [1] = {RULE_TEXT, 0, "domain", NULL},
    [2] = {RULE_TEXT, 0, "name", NULL},
};
static const onnx_rules opaque_type_rules = {"TypeProto.Opaque", 40, 3, opaque_type};

static const onnx_rule type[] = {
    [1] = {RULE_MESSAGE, 0, "tensor_type", &tensor_type_rules},
    [4] = {RULE_MESSAGE, 0, "sequence_type", &sequence_type_rules},
    [5] = {RULE_MESSAGE, 0, "map_type", &map_type_rules},
    [6] = {RULE_TEXT, 0, "denotation", NULL},
    [7] = {RULE_MESSAGE, 0, "opaque_type", &opaque_type_rules},
    [8] = {RULE_MESSAGE, 0, "sparse_tensor_type", &sparse_type_rules},
    [9] = {RULE_MESSAGE, 0, "optional_type", &optional_type_rules},
};
const onnx_rules onnx_type_rules = {"TypeProto", 48, 10, type};

static const onnx_rule value[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_MESSAGE, 0, "type", &onnx_type_rules},
    [3] = {RULE_TEXT, OUT, "doc_string", NULL},
    [4] = {RULE_MESSAGE, LIST_OUT, "metadata_props", &onnx_entry_rules},
};
const onnx_rules onnx_value_rules = {"ValueInfoProto", 64, 5, value};

static const onnx_rule attribute[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_F32, 0, "f", NULL},
    [3] = {RULE_INT, 0, "i", NULL},
    [4] = {RULE_BYTES, 0, "s", NULL},
    [5] = {RULE_MESSAGE, OUT, "t", &onnx_tensor_rules},
    [6] = {RULE_MESSAGE, OUT, "g", &onnx_graph_rules},
    [7] = {RULE_F32, LIST, "floats", NULL},
    [8] = {RULE_INT, LIST, "ints", NULL},
    [9] = {RULE_BYTES, LIST, "strings", NULL},
    [10] = {RULE_MESSAGE, LIST_OUT, "tensors", &onnx_tensor_rules},
    [11] = {RULE_MESSAGE, LIST_OUT, "graphs", &onnx_graph_rules},
    [13] = {RULE_TEXT, OUT, "doc_string", NULL},
    [14] = {RULE_MESSAGE, 0, "tp", &onnx_type_rules},
    [15] = {RULE_MESSAGE, LIST, "type_protos", &onnx_type_rules},
    [20] = {RULE_INT, 0, "type", NULL},
    [21] = {RULE_TEXT, 0, "ref_attr_name", NULL},
    [22] = {RULE_MESSAGE, OUT, "sparse_tensor", &onnx_sparse_rules},
    [23] = {RULE_MESSAGE, LIST_OUT, "sparse_tensors", &onnx_sparse_rules},
};
const onnx_rules onnx_attribute_rules = {"AttributeProto", 232, 24, attribute};

static const onnx_rule simple_dim[] = {
    [1] = {RULE_INT, 0, "dim_value", NULL},
    [2] = {RULE_TEXT, 0, "dim_param", NULL},
    [3] = {RULE_INT, 0, "num_shards", NULL},
};
static const onnx_rules simple_dim_rules = {"SimpleShardedDimProto", 48, 4, simple_dim};

static const onnx_rule sharded_dim[] = {
    [1] = {RULE_INT, 0, "axis", NULL},
    [2] = {RULE_MESSAGE, LIST, "simple_sharding", &simple_dim_rules},
};
static const onnx_rules sharded_dim_rules = {"ShardedDimProto", 48, 3, sharded_dim};

static const onnx_rule int_list[] = {
    [1] = {RULE_INT, 0, "key", NULL},
    [2] = {RULE_INT, LIST, "value", NULL},
};
static const onnx_rules int_list_rules = {"IntIntListEntryProto", 56, 3, int_list};

static const onnx_rule sharding[] = {
    [1] = {RULE_TEXT, 0, "tensor_name", NULL},
    [2] = {RULE_INT, LIST, "device", NULL},
    [3] = {RULE_MESSAGE, LIST, "index_to_device_group_map", &int_list_rules},
    [4] = {RULE_MESSAGE, LIST, "sharded_dim", &sharded_dim_rules},
};
static const onnx_rules sharding_rules = {"ShardingSpecProto", 80, 5, sharding};

static const onnx_rule node_device[] = {
    [1] = {RULE_TEXT, 0, "configuration_id", NULL},
    [2] = {RULE_MESSAGE, LIST, "sharding_spec", &sharding_rules},
    [3] = {RULE_INT, 0, "pipeline_stage", NULL},
};
static const onnx_rules node_device_rules = {"NodeDeviceConfigurationProto", 56, 4, node_device};

static const onnx_rule node[] = {
    [1] = {RULE_TEXT, LIST, "input", NULL},
    [2] = {RULE_TEXT, LIST, "output", NULL},
    [3] = {RULE_TEXT, 0, "name", NULL},
    [4] = {RULE_TEXT, 0, "op_type", NULL},
    [5] = {RULE_MESSAGE, LIST_OUT, "attribute", &onnx_attribute_rules},
    [6] = {RULE_TEXT, OUT, "doc_string", NULL},
    [7] = {RULE_TEXT, 0, "domain", NULL},
    [8] = {RULE_TEXT, 0, "overload", NULL},
    [9] = {RULE_MESSAGE, LIST_OUT, "metadata_props", &onnx_entry_rules},
    [10] = {RULE_MESSAGE, LIST_OUT, "device_configurations", &node_device_rules},
};
const onnx_rules onnx_node_rules = {"NodeProto", 160, 11, node};

static const onnx_rule annotation[] = {
    [1] = {RULE_TEXT, 0, "tensor_name", NULL},
    [2] = {RULE_MESSAGE, LIST, "quant_parameter_tensor_names", &onnx_entry_rules},
};
static const onnx_rules annotation_rules = {"TensorAnnotation", 48, 3, annotation};

static const onnx_rule graph[] = {
    [1] = {RULE_MESSAGE, LIST_OUT, "node", &onnx_node_rules},
    [2] = {RULE_TEXT, 0, "name", NULL},
    [5] = {RULE_MESSAGE, LIST_OUT, "initializer", &onnx_tensor_rules},
    [10] = {RULE_TEXT, OUT, "doc_string", NULL},
    [11] = {RULE_MESSAGE, LIST_OUT, "input", &onnx_value_rules},
    [12] = {RULE_MESSAGE, LIST_OUT, "output", &onnx_value_rules},
    [13] = {RULE_MESSAGE, LIST_OUT, "value_info", &onnx_value_rules},
    [14] = {RULE_MESSAGE, LIST_OUT, "quantization_annotation", &annotation_rules},
    [15] = {RULE_MESSAGE, LIST_OUT, "sparse_initializer", &onnx_sparse_rules},
    [16] = {RULE_MESSAGE, LIST_OUT, "metadata_props", &onnx_entry_rules},
};
const onnx_rules onnx_graph_rules = {"GraphProto", 200, 17, graph};

static const onnx_rule training[] = {
    [1] = {RULE_MESSAGE, OUT, "initialization", &onnx_graph_rules},
    [2] = {RULE_MESSAGE, OUT, "algorithm", &onnx_graph_rules},
    [3] = {RULE_MESSAGE, LIST_OUT, "initialization_binding", &onnx_entry_rules},
    [4] = {RULE_MESSAGE, LIST_OUT, "update_binding", &onnx_entry_rules},
};
static const onnx_rules training_rules = {"TrainingInfoProto", 80, 5, training};

static const onnx_rule function[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [4] = {RULE_TEXT, LIST, "input", NULL},
    [5] = {RULE_TEXT, LIST, "output", NULL},
    [6] = {RULE_TEXT, LIST, "attribute", NULL},
    [7] = {RULE_MESSAGE, LIST_OUT, "node", &onnx_node_rules},
    [8] = {RULE_TEXT, OUT, "doc_string", NULL},
    [9] = {RULE_MESSAGE, LIST, "opset_import", &onnx_opset_rules},
    [10] = {RULE_TEXT, 0, "domain", NULL},
    [11] = {RULE_MESSAGE, LIST_OUT, "attribute_proto", &onnx_attribute_rules},
    [12] = {RULE_MESSAGE, LIST_OUT, "value_info", &onnx_value_rules},
    [13] = {RULE_TEXT, 0, "overload", NULL},
    [14] = {RULE_MESSAGE, LIST_OUT, "metadata_props", &onnx_entry_rules},
};
const onnx_rules onnx_function_rules = {"FunctionProto", 200, 15, function};

static const onnx_rule device[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_INT, 0, "num_devices", NULL},
    [3] = {RULE_TEXT, LIST, "device", NULL},
};
static const onnx_rules device_rules = {"DeviceConfigurationProto", 64, 4, device};

static const onnx_rule model[] = {
    [1] = {RULE_INT, 0, "ir_version", NULL},
    [2] = {RULE_TEXT, 0, "producer_name", NULL},
    [3] = {RULE_TEXT, 0, "producer_version", NULL},
    [4] = {RULE_TEXT, 0, "domain", NULL},
    [5] = {RULE_INT, 0, "model_version", NULL},
    [6] = {RULE_TEXT, 0, "doc_string", NULL},
    [7] = {RULE_MESSAGE, OUT, "graph", &onnx_graph_rules},
    [8] = {RULE_MESSAGE, LIST, "opset_import", &onnx_opset_rules},
    [14] = {RULE_MESSAGE, LIST, "metadata_props", &onnx_entry_rules},
    [20] = {RULE_MESSAGE, LIST_OUT, "training_info", &training_rules},
    [25] = {RULE_MESSAGE, LIST_OUT, "functions", &onnx_function_rules},
    [26] = {RULE_MESSAGE, LIST_OUT, "configuration", &device_rules},
};
const onnx_rules onnx_model_rules = {"ModelProto", 200, 27, model};

static const onnx_rule sequence[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_INT, 0, "elem_type", NULL},
    [3] = {RULE_MESSAGE, LIST, "tensor_values", &onnx_tensor_rules},
    [4] = {RULE_MESSAGE, LIST, "sparse_tensor_values", &onnx_sparse_rules},
    [5] = {RULE_MESSAGE, LIST, "sequence_values", &onnx_sequence_rules},
    [6] = {RULE_MESSAGE, LIST, "map_values", &map_rules},
    [7] = {RULE_MESSAGE, LIST, "optional_values", &onnx_optional_rules},
};
const onnx_rules onnx_sequence_rules = {"SequenceProto", 64, 8, sequence};

static const onnx_rule map[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_INT, 0, "key_type", NULL},
    [3] = {RULE_INT, LIST, "keys", NULL},
    [4] = {RULE_BYTES, LIST, "string_keys", NULL},
    [5] = {RULE_MESSAGE, 0, "values", &onnx_sequence_rules},
};
static const onnx_rules map_rules = {"MapProto", 64, 6, map};

static const onnx_rule optional[] = {
    [1] = {RULE_TEXT, 0, "name", NULL},
    [2] = {RULE_INT, 0, "elem_type", NULL},
    [3] = {RULE_MESSAGE, 0, "tensor_value", &onnx_tensor_rules},
    [4] = {RULE_MESSAGE, 0, "sparse_tensor_value", &onnx_sparse_rules},
    [5] = {RULE_MESSAGE, 0, "sequence_value", &onnx_sequence_rules},
    [6] = {RULE_MESSAGE, 0, "map_value", &map_rules},
    [7] = {RULE_MESSAGE, 0, "optional_value", &onnx_optional_rules},
};
const onnx_rules onnx_optional_rules = {"OptionalProto", 64, 8, optional};
// clang-format on

const onnx_rule *onnx_rules_find(const onnx_rules *message, uint32_t number)
{
    if (number >= message->count || message->rules[number].kind == RULE_UNKNOWN)
        return NULL;
    return &message->rules[number];
}
