/* span.c - see span.h. */
#include "base/span.h"

#include <sys/mman.h>
#include <unistd.h>

enum { HUGE = 64 << 20 }; /* from here on large pages are worth what they round up */

static size_t round_up(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return bytes > SIZE_MAX - page ? 0 : (bytes + page - 1) / page * page;
}

heed_status span_new(size_t most, span *out)
{
    size_t bytes = round_up(most);
    *out = (span){0};
    if (!mem_is_default() || bytes == 0)
        return err_fail(HEED_UNSUPPORTED, "memory that grows where it lies is not to be had");
    void *data = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return err_fail(HEED_UNSUPPORTED, "no %zu bytes of addresses are left", bytes);
    *out = (span){.data = data, .most = bytes};
    return HEED_OK;
}

heed_status span_grow(span *s, size_t bytes)
{
    size_t wanted = round_up(bytes);
    if (bytes <= s->used)
        return HEED_OK;
    if (wanted == 0 || wanted > s->most)
        return err_nomem(bytes);
    TRY(mem_charge(wanted - s->used));
    if (mprotect(s->data + s->used, wanted - s->used, PROT_READ | PROT_WRITE) != 0) {
        mem_discharge(wanted - s->used);
        return err_nomem(wanted - s->used);
    }
    if (wanted >= HUGE && s->used < HUGE)
        (void)madvise(s->data, s->most, MADV_HUGEPAGE);
    s->used = wanted;
    return HEED_OK;
}

void span_free(span *s)
{
    if (s->data)
        munmap(s->data, s->most);
    mem_discharge(s->used);
    *s = (span){0};
}
