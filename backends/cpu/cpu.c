/* The small questions of cpu.h: data types, extents, attributes, refusals. */
#include "cpu.h"

#include <string.h>

typedef struct type_row {
    uint8_t code, bits;
    heed_dtype dtype;
} type_row;

// clang-format off
static const type_row types[] = {
    {kDLFloat, 32, HEED_FLOAT32}, {kDLFloat, 16, HEED_FLOAT16}, {kDLFloat, 64, HEED_FLOAT64},
    {kDLBfloat, 16, HEED_BFLOAT16}, {kDLBool, 8, HEED_BOOL},
    {kDLInt, 8, HEED_INT8}, {kDLInt, 16, HEED_INT16},
    {kDLInt, 32, HEED_INT32}, {kDLInt, 64, HEED_INT64},
    {kDLUInt, 8, HEED_UINT8}, {kDLUInt, 16, HEED_UINT16},
    {kDLUInt, 32, HEED_UINT32}, {kDLUInt, 64, HEED_UINT64},
};
// clang-format on

heed_dtype cpu_dtype(DLDataType type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].code == type.code && types[i].bits == type.bits && type.lanes == 1)
            return types[i].dtype;
    return HEED_UNDEFINED;
}

size_t cpu_element_bytes(DLDataType type)
{
    return type.bits % 8 == 0 ? (size_t)type.bits / 8 * type.lanes : 0;
}

size_t cpu_extent(const DLTensor *tensor, int first, int last)
{
    size_t count = 1;
    for (int d = first; d < last; d++)
        count *= (size_t)tensor->shape[d];
    return count;
}

size_t cpu_count(const DLTensor *tensor) { return cpu_extent(tensor, 0, tensor->ndim); }

int cpu_axis(int64_t axis, int rank)
{
    if (axis < 0)
        axis += rank;
    return axis >= 0 && axis < rank ? (int)axis : -1;
}

int64_t cpu_integer(const DLTensor *tensor, size_t i)
{
    const char *data = cpu_data(tensor);
    if (tensor->dtype.bits == 32) {
        int32_t value;
        memcpy(&value, data + i * sizeof(value), sizeof(value));
        return value;
    }
    int64_t value;
    memcpy(&value, data + i * sizeof(value), sizeof(value));
    return value;
}

heed_status cpu_refuse_dtype(const heed_node *node, uint32_t input)
{
    DLDataType type = node->in[input]->dtype;
    return cpu_host->fail(HEED_UNSUPPORTED,
                          "cpu: no fast %s for input %u of type (code %d, %d bits)", node->op,
                          input, type.code, type.bits);
}

heed_status cpu_accept_f32(void *device, const heed_node *node)
{
    (void)device;
    return cpu_dtype(node->in[0]->dtype) == HEED_FLOAT32 ? HEED_OK : cpu_refuse_dtype(node, 0);
}

heed_status cpu_accept_float(void *device, const heed_node *node)
{
    (void)device;
    heed_dtype dtype = cpu_dtype(node->in[0]->dtype);
    bool good = dtype == HEED_FLOAT32 || dtype == HEED_FLOAT16 || dtype == HEED_BFLOAT16;
    return good ? HEED_OK : cpu_refuse_dtype(node, 0);
}

heed_status cpu_accept_bytes(void *device, const heed_node *node)
{
    (void)device;
    size_t bytes = cpu_element_bytes(node->in[0]->dtype);
    bool good = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    return good ? HEED_OK : cpu_refuse_dtype(node, 0);
}

int64_t cpu_attr_int(const heed_node *node, const char *name, int64_t otherwise)
{
    const heed_attribute *attribute = node->attr(node, name);
    return attribute && attribute->type == HEED_ATTR_INT ? attribute->i : otherwise;
}

float cpu_attr_float(const heed_node *node, const char *name, float otherwise)
{
    const heed_attribute *attribute = node->attr(node, name);
    return attribute && attribute->type == HEED_ATTR_FLOAT ? (float)attribute->f : otherwise;
}

bool cpu_string_is(heed_string string, const char *text)
{
    return string.size == strlen(text) && (!string.size || !memcmp(string.data, text, string.size));
}

bool cpu_attr_is(const heed_node *node, const char *name, const char *text)
{
    const heed_attribute *attribute = node->attr(node, name);
    return attribute && attribute->type == HEED_ATTR_STRING && cpu_string_is(attribute->s, text);
}

heed_status cpu_nomem(size_t bytes)
{
    return cpu_host->fail(HEED_NOMEM, "cpu: no memory for %zu bytes", bytes);
}

void *cpu_state_new(size_t bytes)
{
    void *state = cpu_host->alloc(bytes);
    if (!state) {
        (void)cpu_nomem(bytes);
        return NULL;
    }
    return memset(state, 0, bytes);
}
