/* shapes.c - shapes as people write them: 1x128 and [1,128], and comma lists of them. */
#include "shapes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Dialects ------------------------------------------------------------------------- */

/* One extent: digits, or ? for "to be found". */
static bool read_extent(const char **at, int64_t *out)
{
    while (**at == ' ')
        (*at)++;
    if (**at == '?') {
        *out = SHAPE_ANY;
        (*at)++;
        return true;
    }
    if (!isdigit((unsigned char)**at))
        return false;
    char *end;
    errno = 0;
    *out = strtoll(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* extent {separator extent}, up to `last`. */
static bool read_extents(const char *at, const char *separators, char last, shape_dims *out)
{
    out->ndim = 0;
    for (;;) {
        if (out->ndim == SHAPE_MAX || !read_extent(&at, &out->dims[out->ndim++]))
            return false;
        while (*at == ' ')
            at++;
        if (*at == last)
            return last == 0 || at[1] == 0;
        if (!*at || !strchr(separators, *at))
            return false;
        at++;
    }
}

bool shapes_parse(const char *text, shape_dims *out)
{
    out->ndim = 0;
    if (!strcmp(text, "scalar") || !strcmp(text, "[]"))
        return true;
    if (*text == '[')
        return read_extents(text + 1, ",", ']', out);
    return read_extents(text, "xX", 0, out);
}

bool shapes_next_item(const char **cursor, char *out, size_t size)
{
    const char *at = *cursor;
    size_t n = 0;
    int depth = 0;
    while (*at == ',' || *at == ' ')
        at++;
    for (; *at && (*at != ',' || depth > 0); at++) {
        depth += (*at == '[') - (*at == ']');
        if (n + 1 >= size)
            return false;
        out[n++] = *at;
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
    *cursor = at;
    return n > 0;
}
