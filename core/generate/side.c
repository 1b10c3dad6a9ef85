/* side.c - what an encoder gives: tensors by the names of the decoder's inputs, counted, since the
 * sequences of a beam search and of forks share them. */
#include <stdatomic.h>
#include <string.h>

#include "generate/decoder.h"

struct decoder_side {
    atomic_uint references;
    size_t n;
    heed_tensor **tensors;
    char **names; /* in memory of the arena */
    arena memory;
};

static heed_status fill(decoder_side *s, size_t n, const char *const *names,
                        heed_tensor *const *tensors)
{
    s->names = arena_array(&s->memory, n, sizeof(*s->names));
    s->tensors = arena_array(&s->memory, n, sizeof(*s->tensors));
    if (!s->names || !s->tensors)
        return HEED_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!(s->names[i] = arena_string(&s->memory, names[i])))
            return HEED_NOMEM;
    if (n > 0)
        memcpy(s->tensors, tensors, n * sizeof(*tensors));
    s->n = n;
    return HEED_OK;
}

heed_status decoder_side_new(size_t n, const char *const *names, heed_tensor *const *tensors,
                             decoder_side **out)
{
    decoder_side *s = mem_zero(sizeof(*s));
    heed_status status = s ? fill(s, n, names, tensors) : HEED_NOMEM;
    *out = NULL;
    if (!status) {
        atomic_store(&s->references, 1);
        *out = s;
        return HEED_OK;
    }
    for (size_t i = 0; i < n; i++)
        heed_tensor_free(tensors[i]);
    if (s)
        arena_free(&s->memory);
    mem_free(s);
    return status;
}

decoder_side *decoder_side_hold(decoder_side *s)
{
    if (s)
        atomic_fetch_add(&s->references, 1);
    return s;
}

void decoder_side_drop(decoder_side *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) > 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        heed_tensor_free(s->tensors[i]);
    arena_free(&s->memory);
    mem_free(s);
}

const heed_tensor *decoder_side_get(const decoder_side *s, const char *name)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (strcmp(s->names[i], name) == 0)
            return s->tensors[i];
    return NULL;
}
