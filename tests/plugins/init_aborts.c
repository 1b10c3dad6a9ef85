/* Its init aborts, after printing to where the program prints its results. */
#include <stdio.h>
#include <stdlib.h>

#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    (void)host;
    puts("noise");
    abort();
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_PLUGIN(init_aborts, .init = init, .get = get);
