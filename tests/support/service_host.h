/* A host for service plugins that are linked into a test or a fuzzer: memory is counted, and can be
 * made to run out. One host, one thread. */
#ifndef SERVICE_HOST_H
#define SERVICE_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "heed/plugin.h"

enum { SERVICE_REASON = 512 };

typedef struct service_state {
    size_t live;                 /* bytes that the plugin holds */
    uint64_t limit;              /* larger allocations fail; 1 GiB at first */
    long allocations;            /* until one fails; negative: none does, as at first */
    char reason[SERVICE_REASON]; /* of the last failure */
} service_state;

extern service_state service;
extern const heed_host service_host;

void service_reset(void); /* as at first; `live` stays */

#endif
