/* wire.h - a cursor over the fields of one protobuf message.
 *
 * It reads in place: a field of bytes is a range of the mapped file, so the address of anything
 * is also its offset for messages. It never reads outside of the range that it was given. */
#ifndef ONNX_WIRE_H
#define ONNX_WIRE_H

#include <stddef.h>
#include <stdint.h>

typedef struct onnx_range {
    const uint8_t *at, *end;
} onnx_range;

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

typedef struct onnx_field {
    uint32_t number;
    uint32_t type;      /* WIRE_* */
    const uint8_t *tag; /* first byte of the field */
    uint64_t value;     /* varint and fixed types */
    onnx_range body;    /* bytes */
} onnx_field;

typedef enum onnx_wire_state {
    WIRE_FIELD,      /* a field was read */
    WIRE_END,        /* nothing is left */
    WIRE_BAD_VARINT, /* longer than ten bytes, or cut off */
    WIRE_BAD_TAG,    /* field number zero or too large */
    WIRE_BAD_TYPE,   /* a group, or a wire type that does not exist */
    WIRE_CUT_OFF     /* the field ends behind its message */
} onnx_wire_state;

/* Reads the field at the start of `rest` and moves `rest` behind it. On a fault `rest` stays and
 * out->tag is where the field began; for WIRE_CUT_OFF,
 * `value` is the length that was claimed and `body` what is left. */
onnx_wire_state onnx_wire_next(onnx_range *rest, onnx_field *out);
/* The next field with this number; for messages that the scan has accepted. */
int onnx_wire_find(onnx_range *rest, uint32_t number, onnx_field *out);
/* One varint. Returns 0 when it is cut off or too long. */
int onnx_wire_varint(onnx_range *rest, uint64_t *value);

static inline size_t onnx_wire_size(onnx_range range) { return (size_t)(range.end - range.at); }

#endif
