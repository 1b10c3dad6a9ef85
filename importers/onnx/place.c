/* place.c - writes the path of an element (see place.h). */
#include "place.h"

#include <stdio.h>
#include <string.h>

static void step_text(char *out, size_t size, const onnx_place *at, const char *dot)
{
    if (at->index == PLACE_SINGLE)
        snprintf(out, size, "%s%s", at->field, dot);
    else
        snprintf(out, size, "%s[%lld]%s", at->field, (long long)at->index, dot);
}

const char *onnx_place_path(const onnx_place *at, char out[PLACE_PATH_MAX])
{
    char step[96];
    const size_t dots = 3; /* kept free in front, for a path that is cut */
    size_t start = PLACE_PATH_MAX - 1;
    out[start] = 0;
    for (; at && at->field; at = at->parent) {
        step_text(step, sizeof step, at, out[start] ? "." : "");
        size_t size = strlen(step);
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
