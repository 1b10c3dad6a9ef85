/* place.h - where in the file an element stands, for messages.
 *
 * Places form a chain on the reader's stack, from an element up to the model; the text of a path
 * is written only when a message or the builder asks for it. */
#ifndef ONNX_PLACE_H
#define ONNX_PLACE_H

#include <stddef.h>
#include <stdint.h>

enum { PLACE_PATH_MAX = 320, PLACE_SINGLE = -1 };

typedef struct onnx_place {
    const struct onnx_place *parent; /* NULL: the element is a field of the file's top message */
    const char *field;               /* "node"; NULL for the file itself */
    int64_t index;                   /* in a repeated field, or PLACE_SINGLE */
    uint64_t offset;                 /* of the first byte, in the file */
} onnx_place;

/* The offset of a place that is known by its path only; a message looks it up. */
#define PLACE_BY_NAME UINT64_MAX

/* Writes "graph.node[3].attribute[0].g"; "model" for the file itself. A path that does not fit
 * keeps its end, which says more than its start, after "...". */
const char *onnx_place_path(const onnx_place *at, char out[PLACE_PATH_MAX]);

#endif
