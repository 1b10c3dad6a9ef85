/* shutdown.c - heed_shutdown: the process-wide services stop in the right order. */
#include "base/pool.h"
#include "plugin/registry.h"

void heed_shutdown(void)
{
    plugin_shutdown();
    pool_stop();
}
