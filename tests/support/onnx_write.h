/* Writes ONNX messages byte by byte, right ones and wrong ones, for tests of the importer.
 *
 * A message is a growing run of bytes. Nodes are written from one line of text:
 *
 *     Pad(x, pads, , axes) -> (y) mode='edge' pads=[0,1] value=1.5 local.domain
 */
#ifndef ONNX_WRITE_H
#define ONNX_WRITE_H

#include <stddef.h>
#include <stdint.h>

typedef struct onnx_message {
    uint8_t *bytes;
    size_t size, capacity;
} onnx_message;

void onnx_write_varint(onnx_message *m, uint64_t value);
void onnx_write_int(onnx_message *m, uint32_t field, int64_t value);
void onnx_write_float(onnx_message *m, uint32_t field, float value);
void onnx_write_bytes(onnx_message *m, uint32_t field, const void *bytes, size_t size);
void onnx_write_text(onnx_message *m, uint32_t field, const char *text);
/* Bytes as they are. */
void onnx_write_raw(onnx_message *m, const void *bytes, size_t size);
/* Writes `part` as a field of m and empties it. */
void onnx_write_part(onnx_message *m, uint32_t field, onnx_message *part);
void onnx_write_free(onnx_message *m);

/* A NodeProto. Attributes: INT, FLOAT (with a point), 'text', [ints], [floats],
 * ['texts'], @ref. */
onnx_message onnx_write_node(const char *text);
/* A ValueInfoProto; rank -1 leaves the shape out, dtype 0 the type. */
onnx_message onnx_write_value(const char *name, int dtype, int rank);
/* A ModelProto of IR 10 around a GraphProto, which is emptied. */
onnx_message onnx_write_model(onnx_message *graph, int64_t opset);

#endif
