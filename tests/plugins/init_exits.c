/* Its init ends the process. */
#include <unistd.h>

#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    (void)host;
    _exit(3);
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_PLUGIN(init_exits, .init = init, .get = get);
