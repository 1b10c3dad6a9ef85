/* service.c - see service.h. */
#include "base/service.h"

#include <stdatomic.h>

static _Atomic(service_finder *) provided;

void service_provide(service_finder *finder) { atomic_store(&provided, finder); }

heed_status service_find(const char *id, const void **out)
{
    service_finder *finder = atomic_load(&provided);
    *out = NULL;
    if (!finder)
        return err_fail(HEED_UNSUPPORTED, "there is no plugin host to ask for \"%s\"", id);
    return finder(id, out);
}
