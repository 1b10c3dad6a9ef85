/* buffer.c - counted memory that tensors share. */
#include "base/tensor.h"

/* The data follows its head at the alignment of the allocator. */
enum { HEAD = (sizeof(buffer) + MEM_ALIGNMENT - 1) / MEM_ALIGNMENT * MEM_ALIGNMENT };

static void release(buffer *b)
{
    arena_free(&b->strings);
    mem_free(b);
}

buffer *buffer_new(size_t bytes)
{
    size_t total = 0;
    if (!size_add(bytes, HEAD, &total)) {
        err_nomem(bytes);
        return NULL;
    }
    buffer *b = mem_zero(total);
    if (!b)
        return NULL;
    atomic_init(&b->references, 1);
    b->bytes = bytes;
    b->data = (char *)b + HEAD;
    b->release = release;
    return b;
}

buffer *buffer_ref(buffer *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    return b;
}

void buffer_unref(buffer *b)
{
    if (b && atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) == 1)
        b->release(b);
}
