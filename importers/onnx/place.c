/* place.c - writes the path of an element (see place.h). */
#include "place.h"

#include <stdbool.h>
#include <string.h>

/* "field.", or "field[12].". By hand: each node of a model is told its place. Returns the size. */
static size_t step_text(char *out, size_t size, const onnx_place *at, bool dot)
{
    char number[24], *first = number + sizeof number;
    size_t n = strlen(at->field), left = (size_t)at->index;
    if (at->index != PLACE_SINGLE) {
        *--first = ']';
        do
            *--first = (char)('0' + left % 10);
        while (left /= 10);
        *--first = '[';
    }
    size_t digits = (size_t)(number + sizeof number - first);
    n = n + digits + 1 > size ? size - digits - 1 : n;
    memcpy(out, at->field, n);
    memcpy(out + n, first, digits);
    n += digits;
    if (dot)
        out[n++] = '.';
    return n;
}

const char *onnx_place_path(const onnx_place *at, char out[PLACE_PATH_MAX])
{
    char step[96];
    const size_t dots = 3; /* kept free in front, for a path that is cut */
    size_t start = PLACE_PATH_MAX - 1;
    out[start] = 0;
    for (; at && at->field; at = at->parent) {
        size_t size = step_text(step, sizeof step, at, out[start]);
        if (size + dots > start) {
            start -= dots;
            memcpy(out + start, "...", dots);
            break;
        }
        start -= size;
        memcpy(out + start, step, size);
    }
    return out[start] ? out + start : "model";
}
