/* failing_alloc.c - see failing_alloc.h. */
#include "failing_alloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "heed/heed.h"

static atomic_llong live, count, fail_at = -1;
static atomic_bool for_ever, reached;

static void *take(void *self, size_t bytes, size_t alignment)
{
    (void)self;
    long long n = atomic_fetch_add(&count, 1), at = atomic_load(&fail_at);
    if (at >= 0 && (n == at || (n > at && atomic_load(&for_ever)))) {
        atomic_store(&reached, true);
        return NULL;
    }
    atomic_fetch_add(&live, (long long)bytes);
    return aligned_alloc(alignment, bytes);
}

static void give(void *self, void *pointer, size_t bytes)
{
    (void)self;
    atomic_fetch_sub(&live, (long long)bytes);
    free(pointer);
}

bool failing_install(void)
{
    heed_allocator allocator = {.size = sizeof(allocator), .alloc = take, .free = give};
    return heed_set_allocator(&allocator) == HEED_OK;
}

void failing_arm(long long at, bool ever)
{
    atomic_store(&reached, false);
    atomic_store(&count, 0);
    atomic_store(&for_ever, ever);
    atomic_store(&fail_at, at);
}

bool failing_disarm(void)
{
    atomic_store(&fail_at, -1);
    return atomic_load(&reached);
}

long long failing_count(void) { return atomic_load(&count); }

long long failing_live(void) { return atomic_load(&live); }

int failing_end(int failed)
{
    heed_shutdown();
    if (failing_live() != 0)
        fprintf(stderr, "%lld bytes were not given back\n", failing_live());
    return failed || failing_live() != 0;
}
