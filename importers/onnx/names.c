/* names.c - names that do not stand in the file.
 *
 * The scan has measured the longest run of '~' in any text of the file. A name that we invent has
 * a run that is one longer, and a number that is never used twice, so it equals no other name. */
#include <stdio.h>
#include <string.h>

#include "function.h"

enum { BASE_MAX = 200 };

const char *onnx_name_invent(onnx_context *c, const char *base)
{
    char number[32];
    size_t run = (size_t)c->tildes + 1, size = strnlen(base, BASE_MAX);
    int digits = snprintf(number, sizeof number, "%llu", (unsigned long long)++c->names);
    char *name = onnx_arena_alloc(&c->scratch, size + run + (size_t)digits + 1);
    if (!name)
        return NULL;
    memcpy(name, base, size);
    memset(name + size, '~', run);
    memcpy(name + size + run, number, (size_t)digits + 1);
    return name;
}

const char *onnx_scope_name(const onnx_scope *s, const char *name)
{
    if (!name)
        return "";
    return s->call ? onnx_call_name(s->c, s->call, name) : name;
}
