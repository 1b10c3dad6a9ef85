/* mem.c - the one file that takes memory from the system, or from the program's own allocator (but
 * for spans, which only count here).
 *
 * Each block has a 64-byte header that holds its size, so that freeing needs no size and the count
 * of live bytes is exact. Counters are atomic; nothing here locks. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct header {
    _Alignas(MEM_ALIGNMENT) size_t total; /* bytes with the header */
} header;

/* Blocks from here on the C library takes from the system each time, and their first use costs a
 * fault for every page: half the time of a layer whose result is that large. */
enum { LARGE = 32 << 20, LARGE_PAGE = 2 << 20 };

static void *large_alloc(size_t bytes)
{
    void *pointer;
    if (posix_memalign(&pointer, LARGE_PAGE, bytes) != 0)
        return NULL;
    (void)madvise(pointer, bytes, MADV_HUGEPAGE); /* where it is refused, pages stay small */
    return pointer;
}

static void *system_alloc(void *self, size_t bytes, size_t alignment)
{
    (void)self;
    return bytes >= LARGE ? large_alloc(bytes) : aligned_alloc(alignment, bytes);
}

static void system_free(void *self, void *pointer, size_t bytes)
{
    (void)self;
    (void)bytes;
    free(pointer);
}

static const heed_allocator system_allocator = {
    .size = sizeof(heed_allocator), .alloc = system_alloc, .free = system_free};

/* Changed only while nothing is allocated. */
static heed_allocator allocator = {
    .size = sizeof(heed_allocator), .alloc = system_alloc, .free = system_free};
static atomic_uint_fast64_t live, peak, limit;

static void raise_peak(uint64_t now)
{
    uint_fast64_t seen = atomic_load_explicit(&peak, memory_order_relaxed);
    while (seen < now && !atomic_compare_exchange_weak(&peak, &seen, now))
        continue;
}

/* Counts the bytes in, unless that would exceed the limit. */
static bool reserve(uint64_t bytes)
{
    uint64_t most = atomic_load_explicit(&limit, memory_order_relaxed);
    uint64_t now = atomic_fetch_add(&live, bytes) + bytes;
    if (most != 0 && now > most) {
        atomic_fetch_sub(&live, bytes);
        return false;
    }
    raise_peak(now);
    return true;
}

static void *refuse(size_t bytes)
{
    uint64_t most = atomic_load_explicit(&limit, memory_order_relaxed);
    err_nomem(bytes);
    if (most != 0)
        err_hint("%llu bytes are in use, and the memory limit is %llu",
                 (unsigned long long)atomic_load(&live), (unsigned long long)most);
    return NULL;
}

/* The header and `bytes` after it, rounded up to the alignment; 0 when that does not fit. */
static size_t total_size(size_t bytes)
{
    size_t total;
    if (bytes > PTRDIFF_MAX - 2 * sizeof(header))
        return 0;
    total = bytes + sizeof(header) + MEM_ALIGNMENT - 1;
    return total - total % MEM_ALIGNMENT;
}

static void give_back(header *block, size_t total)
{
    allocator.free(allocator.self, block, total);
    atomic_fetch_sub(&live, total);
}

void *mem_alloc(size_t bytes)
{
    size_t total = total_size(bytes);
    if (total == 0 || !reserve(total))
        return refuse(bytes);
    header *block = allocator.alloc(allocator.self, total, MEM_ALIGNMENT);
    if (block == NULL) {
        atomic_fetch_sub(&live, total);
        return refuse(bytes);
    }
    if ((uintptr_t)block % MEM_ALIGNMENT != 0) {
        give_back(block, total);
        err_fail(HEED_NOMEM, "the program's allocator ignores the alignment of %u bytes",
                 MEM_ALIGNMENT);
        return NULL;
    }
    block->total = total;
    return block + 1;
}

void *mem_zero(size_t bytes)
{
    void *pointer = mem_alloc(bytes);
    if (pointer)
        memset(pointer, 0, bytes);
    return pointer;
}

void *mem_array(size_t n, size_t each)
{
    size_t bytes;
    if (!size_mul(n, each, &bytes))
        return refuse(SIZE_MAX);
    return mem_zero(bytes);
}

void *mem_resize(void *pointer, size_t old_bytes, size_t bytes)
{
    void *bigger = mem_alloc(bytes);
    if (bigger == NULL)
        return NULL;
    if (pointer)
        memcpy(bigger, pointer, old_bytes < bytes ? old_bytes : bytes);
    mem_free(pointer);
    return bigger;
}

void mem_free(void *pointer)
{
    if (pointer == NULL)
        return;
    header *block = (header *)pointer - 1;
    give_back(block, block->total);
}

heed_status mem_charge(size_t bytes)
{
    if (reserve(bytes))
        return HEED_OK;
    refuse(bytes);
    return HEED_NOMEM;
}

void mem_discharge(size_t bytes) { atomic_fetch_sub(&live, bytes); }

bool mem_is_default(void) { return allocator.alloc == system_alloc; }

heed_status mem_grow(void *items, size_t *capacity, size_t count, size_t each)
{
    if (count < *capacity)
        return HEED_OK;
    size_t more = *capacity ? *capacity : 4;
    size_t n, bytes;
    if (!size_add(*capacity, more, &n) || !size_mul(n, each, &bytes))
        return err_nomem(SIZE_MAX);
    void *old; /* items is the address of a pointer to some type: copied, not cast */
    memcpy(&old, items, sizeof(old));
    void *bigger = mem_resize(old, *capacity * each, bytes);
    if (bigger == NULL)
        return HEED_NOMEM;
    memset((char *)bigger + *capacity * each, 0, bytes - *capacity * each);
    memcpy(items, &bigger, sizeof(bigger));
    *capacity = n;
    return HEED_OK;
}

/* ---- The public interface ------------------------------------------------------------------- */

heed_status heed_set_allocator(const heed_allocator *wanted)
{
    if (atomic_load(&live) != 0)
        return err_fail(HEED_USAGE,
                        "the allocator cannot be changed while %llu bytes are allocated",
                        (unsigned long long)atomic_load(&live));
    if (wanted == NULL) {
        allocator = system_allocator;
        return HEED_OK;
    }
    if (wanted->size < sizeof(heed_allocator) || !wanted->alloc || !wanted->free)
        return err_fail(HEED_USAGE, "an allocator needs its size, alloc and free");
    allocator = *wanted;
    return HEED_OK;
}

uint64_t mem_limit(void) { return atomic_load_explicit(&limit, memory_order_relaxed); }

heed_status heed_set_memory_limit(uint64_t bytes)
{
    atomic_store(&limit, bytes);
    return HEED_OK;
}

void heed_memory_get(heed_memory_use *use, int reset_peak)
{
    uint64_t now = atomic_load(&live);
    if (use && use->size >= sizeof(heed_memory_use)) {
        use->bytes = now;
        use->peak_bytes = atomic_load(&peak);
    }
    if (reset_peak)
        atomic_store(&peak, now);
}
