/* layout.c - ABI 1 as it was on its first day: where every field of every struct that a plugin and
 * the runtime share lies, and the number of every enumerator (LP64).
 *
 * Compiling this file is the test (tests/abi/test_layout.sh). Fields may be added to the end of a
 * struct that begins with its size: AT_LEAST allows it. Nothing here ever changes: an assertion
 * that fails means that plugins in the world would stop working. */
#include "heed/image.h"
#include "heed/importer.h"
#include "heed/text.h"

#define AT(type, field, offset)                                                                    \
    _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define AT_LEAST(type, bytes) _Static_assert(sizeof(type) >= (bytes), #type " shrank")
#define FROZEN(type, bytes)   _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define VALUE(name, number)   _Static_assert((int)(name) == (number), #name " was renumbered")

_Static_assert(HEED_ABI == 1, "this file is about ABI 1");

/* ---- Structs -------------------------------------------------------------------------------- */

/* heed_string */
AT(heed_string, data, 0);
AT(heed_string, size, 8);
FROZEN(heed_string, 16);

/* DLDevice */
AT(DLDevice, device_type, 0);
AT(DLDevice, device_id, 4);
FROZEN(DLDevice, 8);

/* DLDataType */
AT(DLDataType, code, 0);
AT(DLDataType, bits, 1);
AT(DLDataType, lanes, 2);
FROZEN(DLDataType, 4);

/* DLTensor */
AT(DLTensor, data, 0);
AT(DLTensor, device, 8);
AT(DLTensor, ndim, 16);
AT(DLTensor, dtype, 20);
AT(DLTensor, shape, 24);
AT(DLTensor, strides, 32);
AT(DLTensor, byte_offset, 40);
FROZEN(DLTensor, 48);

/* heed_host */
AT(heed_host, size, 0);
AT(heed_host, abi, 4);
AT(heed_host, fail, 8);
AT(heed_host, log, 16);
AT(heed_host, parallel, 24);
AT(heed_host, get, 32);
AT(heed_host, alloc, 40);
AT(heed_host, free, 48);
AT_LEAST(heed_host, 56);

/* heed_plugin */
AT(heed_plugin, size, 0);
AT(heed_plugin, abi, 4);
AT(heed_plugin, name, 8);
AT(heed_plugin, version, 16);
AT(heed_plugin, vendor, 24);
AT(heed_plugin, init, 32);
AT(heed_plugin, fini, 40);
AT(heed_plugin, get, 48);
AT_LEAST(heed_plugin, 56);

/* heed_value */
AT(heed_value, size, 0);
AT(heed_value, flags, 4);
AT(heed_value, dtype, 8);
AT(heed_value, ndim, 12);
AT(heed_value, dims, 16);
AT(heed_value, constant, 24);
AT_LEAST(heed_value, 32);

/* heed_attribute */
AT(heed_attribute, size, 0);
AT(heed_attribute, type, 4);
AT(heed_attribute, name, 8);
AT(heed_attribute, i, 16);
AT(heed_attribute, f, 24);
AT(heed_attribute, s, 32);
AT(heed_attribute, n, 48);
AT(heed_attribute, ints, 56);
AT(heed_attribute, floats, 64);
AT(heed_attribute, strings, 72);
AT(heed_attribute, tensor, 80);
AT(heed_attribute, graph, 88);
AT_LEAST(heed_attribute, 96);

/* heed_node */
AT(heed_node, size, 0);
AT(heed_node, flags, 4);
AT(heed_node, domain, 8);
AT(heed_node, op, 16);
AT(heed_node, name, 24);
AT(heed_node, version, 32);
AT(heed_node, index, 40);
AT(heed_node, n_in, 48);
AT(heed_node, n_out, 52);
AT(heed_node, in, 56);
AT(heed_node, out, 64);
AT(heed_node, attr, 72);
AT_LEAST(heed_node, 80);

/* heed_call */
AT(heed_call, size, 0);
AT(heed_call, flags, 4);
AT(heed_call, state, 8);
AT(heed_call, device, 16);
AT(heed_call, stream, 24);
AT(heed_call, n_in, 32);
AT(heed_call, n_out, 36);
AT(heed_call, in, 40);
AT(heed_call, out, 48);
AT(heed_call, workspace, 56);
AT_LEAST(heed_call, 64);

/* heed_kernel */
AT(heed_kernel, size, 0);
AT(heed_kernel, flags, 4);
AT(heed_kernel, domain, 8);
AT(heed_kernel, op, 16);
AT(heed_kernel, since, 24);
AT(heed_kernel, until, 32);
AT(heed_kernel, accepts, 40);
AT(heed_kernel, prepare, 48);
AT(heed_kernel, measure, 56);
AT(heed_kernel, run, 64);
AT(heed_kernel, release, 72);
AT_LEAST(heed_kernel, 80);

/* heed_device_info */
AT(heed_device_info, size, 0);
AT(heed_device_info, flags, 4);
AT(heed_device_info, where, 8);
AT(heed_device_info, description, 16);
AT(heed_device_info, memory_total, 136);
AT(heed_device_info, memory_free, 144);
AT_LEAST(heed_device_info, 152);

/* heed_memory */
AT(heed_memory, size, 0);
AT(heed_memory, flags, 4);
AT(heed_memory, alignment, 8);
AT(heed_memory, alloc, 16);
AT(heed_memory, free, 24);
AT(heed_memory, copy, 32);
AT_LEAST(heed_memory, 40);

/* heed_backend */
AT(heed_backend, size, 0);
AT(heed_backend, flags, 4);
AT(heed_backend, name, 8);
AT(heed_backend, describe, 16);
AT(heed_backend, open, 24);
AT(heed_backend, close, 32);
AT(heed_backend, kernels, 40);
AT(heed_backend, memory, 48);
AT(heed_backend, get, 56);
AT_LEAST(heed_backend, 64);

/* heed_origin */
AT(heed_origin, path, 0);
AT(heed_origin, offset, 8);
FROZEN(heed_origin, 16);

/* heed_source */
AT(heed_source, size, 0);
AT(heed_source, flags, 4);
AT(heed_source, path, 8);
AT(heed_source, bytes, 16);
AT(heed_source, n_bytes, 24);
AT(heed_source, external, 32);
AT_LEAST(heed_source, 40);

/* heed_type */
AT(heed_type, size, 0);
AT(heed_type, kind, 4);
AT(heed_type, dtype, 8);
AT(heed_type, ndim, 12);
AT(heed_type, dims, 16);
AT(heed_type, symbols, 24);
AT(heed_type, element, 32);
AT_LEAST(heed_type, 40);

/* heed_node_def */
AT(heed_node_def, size, 0);
AT(heed_node_def, flags, 4);
AT(heed_node_def, domain, 8);
AT(heed_node_def, op, 16);
AT(heed_node_def, name, 24);
AT(heed_node_def, n_in, 32);
AT(heed_node_def, n_out, 36);
AT(heed_node_def, n_attrs, 40);
AT(heed_node_def, reserved, 44);
AT(heed_node_def, in, 48);
AT(heed_node_def, out, 56);
AT(heed_node_def, attrs, 64);
AT(heed_node_def, origin, 72);
AT_LEAST(heed_node_def, 88);

/* heed_builder */
AT(heed_builder, size, 0);
AT(heed_builder, flags, 4);
AT(heed_builder, self, 8);
AT(heed_builder, error, 16);
AT(heed_builder, fact, 24);
AT(heed_builder, knows, 32);
AT(heed_builder, graph, 40);
AT(heed_builder, input, 48);
AT(heed_builder, output, 56);
AT(heed_builder, value, 64);
AT(heed_builder, tensor, 72);
AT(heed_builder, node, 80);
AT_LEAST(heed_builder, 88);

/* heed_importer */
AT(heed_importer, size, 0);
AT(heed_importer, flags, 4);
AT(heed_importer, name, 8);
AT(heed_importer, extensions, 16);
AT(heed_importer, probe, 24);
AT(heed_importer, load, 32);
AT(heed_importer, read_value, 40);
AT_LEAST(heed_importer, 48);

/* heed_image_size */
AT(heed_image_size, height, 0);
AT(heed_image_size, width, 8);
FROZEN(heed_image_size, 16);

/* heed_image */
AT(heed_image, size, 0);
AT(heed_image, flags, 4);
AT(heed_image, measure, 8);
AT(heed_image, decode, 16);
AT_LEAST(heed_image, 24);

/* heed_text */
AT(heed_text, size, 0);
AT(heed_text, flags, 4);
AT(heed_text, regex_compile, 8);
AT(heed_text, regex_full_match, 16);
AT(heed_text, regex_free, 24);
AT(heed_text, change_case, 32);
AT_LEAST(heed_text, 40);

/* ---- Enumerators ---------------------------------------------------------------------------- */

VALUE(HEED_OK, 0);
VALUE(HEED_UNSUPPORTED, 1);
VALUE(HEED_INVALID, 2);
VALUE(HEED_NOMEM, 3);
VALUE(HEED_NOTFOUND, 4);
VALUE(HEED_DEVICE, 5);
VALUE(HEED_INTERNAL, 6);
VALUE(HEED_CANCELLED, 7);
VALUE(HEED_DEADLINE, 8);
VALUE(HEED_IO, 9);
VALUE(HEED_USAGE, 10);
VALUE(HEED_FORKED, 11);
VALUE(HEED_UNDEFINED, 0);
VALUE(HEED_FLOAT32, 1);
VALUE(HEED_UINT8, 2);
VALUE(HEED_INT8, 3);
VALUE(HEED_UINT16, 4);
VALUE(HEED_INT16, 5);
VALUE(HEED_INT32, 6);
VALUE(HEED_INT64, 7);
VALUE(HEED_STRING, 8);
VALUE(HEED_BOOL, 9);
VALUE(HEED_FLOAT16, 10);
VALUE(HEED_FLOAT64, 11);
VALUE(HEED_UINT32, 12);
VALUE(HEED_UINT64, 13);
VALUE(HEED_COMPLEX64, 14);
VALUE(HEED_COMPLEX128, 15);
VALUE(HEED_BFLOAT16, 16);
VALUE(HEED_FLOAT8E4M3FN, 17);
VALUE(HEED_FLOAT8E4M3FNUZ, 18);
VALUE(HEED_FLOAT8E5M2, 19);
VALUE(HEED_FLOAT8E5M2FNUZ, 20);
VALUE(HEED_UINT4, 21);
VALUE(HEED_INT4, 22);
VALUE(HEED_FLOAT4E2M1, 23);
VALUE(HEED_FLOAT8E8M0, 24);
VALUE(HEED_UINT2, 25);
VALUE(HEED_INT2, 26);
VALUE(kDLCPU, 1);
VALUE(kDLCUDA, 2);
VALUE(kDLCUDAHost, 3);
VALUE(kDLOpenCL, 4);
VALUE(kDLVulkan, 7);
VALUE(kDLMetal, 8);
VALUE(kDLROCM, 10);
VALUE(kDLExtDev, 12);
VALUE(kDLCUDAManaged, 13);
VALUE(kDLInt, 0);
VALUE(kDLUInt, 1);
VALUE(kDLFloat, 2);
VALUE(kDLOpaqueHandle, 3);
VALUE(kDLBfloat, 4);
VALUE(kDLComplex, 5);
VALUE(kDLBool, 6);
#if !defined(DLPACK_MAJOR_VERSION) || DLPACK_MAJOR_VERSION * 100 + DLPACK_MINOR_VERSION > 100
/* DLPack 1.0 did not have these yet. */
VALUE(kDLFloat8_e4m3fn, 10);
VALUE(kDLFloat8_e4m3fnuz, 11);
VALUE(kDLFloat8_e5m2, 12);
VALUE(kDLFloat8_e5m2fnuz, 13);
VALUE(kDLFloat8_e8m0fnu, 14);
VALUE(kDLFloat4_e2m1fn, 17);
#endif
VALUE(HEED_LOG_ERROR, 1);
VALUE(HEED_LOG_WARN, 2);
VALUE(HEED_LOG_INFO, 3);
VALUE(HEED_LOG_DEBUG, 4);
VALUE(HEED_ATTR_NONE, 0);
VALUE(HEED_ATTR_INT, 1);
VALUE(HEED_ATTR_FLOAT, 2);
VALUE(HEED_ATTR_STRING, 3);
VALUE(HEED_ATTR_INTS, 4);
VALUE(HEED_ATTR_FLOATS, 5);
VALUE(HEED_ATTR_STRINGS, 6);
VALUE(HEED_ATTR_TENSOR, 7);
VALUE(HEED_ATTR_GRAPH, 8);
VALUE(HEED_STRIDED, 1 << 0);
VALUE(HEED_INPLACE, 1 << 1);
VALUE(HEED_KIND_TENSOR, 0);
VALUE(HEED_KIND_SEQUENCE, 1);
VALUE(HEED_KIND_OPTIONAL, 2);
VALUE(HEED_KIND_MAP, 3);
VALUE(HEED_TENSOR_BORROWED, 1 << 0);
VALUE(HEED_PIXELS_RGB, 1);
VALUE(HEED_PIXELS_BGR, 2);
VALUE(HEED_PIXELS_GRAY, 3);
VALUE(HEED_TEXT_LOWER, 1);
VALUE(HEED_TEXT_UPPER, 2);
