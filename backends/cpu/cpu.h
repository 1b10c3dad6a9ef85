/* What the files of the CPU backend share: the host, the device, and small questions about
 * tensors. Loop planning is in loop.h, copying in copy.h, products in gemm.h, vector code in
 * lanes.h. */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>

#include "heed/plugin.h"
#include "lanes.h"

enum { CPU_MAX_RANK = 16 };

/* A device is a choice of vector code; open returns a pointer to one of a static table. */
typedef struct cpu_device {
    const char *name;
    const cpu_lanes *lanes;
    const cpu_flash_brain *brain; /* products of bfloat16; NULL: they are done in float32 */
} cpu_device;

extern const heed_host *cpu_host;

/* The best vector code that this machine can run, or the one that `name` asks for (the names are
 * in device.c); NULL when the machine cannot run it. */
const cpu_device *cpu_device_find(const char *name);
const cpu_lanes *cpu_lanes_find(const char *name);
void cpu_describe(char *text, size_t size);

static inline const cpu_lanes *cpu_lanes_of(void *device)
{
    return ((const cpu_device *)device)->lanes;
}

static inline const cpu_flash_brain *cpu_brain_of(void *device)
{
    return ((const cpu_device *)device)->brain;
}

/* ---- Tensors ------------------------------------------------------------------------------ */

heed_dtype cpu_dtype(DLDataType type);
size_t cpu_element_bytes(DLDataType type); /* 0 for types that are packed below a byte */
size_t cpu_count(const DLTensor *tensor);

/* Product of the extents [first, last). */
size_t cpu_extent(const DLTensor *tensor, int first, int last);

static inline void *cpu_data(const DLTensor *tensor)
{
    return (char *)tensor->data + tensor->byte_offset;
}

/* A negative axis counts from the end; -1 when it is out of range. */
int cpu_axis(int64_t axis, int rank);

/* The integers of an int32 or int64 tensor, read one by one. */
int64_t cpu_integer(const DLTensor *tensor, size_t i);

/* ---- Nodes -------------------------------------------------------------------------------- */

heed_status cpu_refuse_dtype(const heed_node *node, uint32_t input);
heed_status cpu_accept_f32(void *device, const heed_node *node);   /* input 0 is float32 */
heed_status cpu_accept_float(void *device, const heed_node *node); /* float32, float16, bfloat16 */
heed_status cpu_accept_bytes(void *device, const heed_node *node); /* 1, 2, 4, 8 bytes an element */

int64_t cpu_attr_int(const heed_node *node, const char *name, int64_t otherwise);
float cpu_attr_float(const heed_node *node, const char *name, float otherwise);
bool cpu_attr_is(const heed_node *node, const char *name, const char *text);
bool cpu_string_is(heed_string string, const char *text);

/* ---- State that a kernel keeps for a node ------------------------------------------------- */

/* Zeroed memory for prepare; NULL after the message is stored. */
void *cpu_state_new(size_t bytes);
heed_status cpu_nomem(size_t bytes);

#endif
