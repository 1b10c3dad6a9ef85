/* service.h - what operators borrow from plugins: regular expressions, Unicode, image formats.
 *
 * Operators stand to the left of the plugin host and must not include it, so the host puts its
 * finder here. The interfaces are in plugins/include/heed/: text.h, image.h. */
#ifndef HEED_BASE_SERVICE_H
#define HEED_BASE_SERVICE_H

#include "base/error.h"

typedef heed_status service_finder(const char *id, const void **out);

/* Called by whoever makes models and sessions, any number of times. Thread-safe. */
void service_provide(service_finder *finder);

/* The interface "heed.NAME/1" of the plugin NAME, which is loaded when it is not yet. Valid until
 * the library is shut down. HEED_UNSUPPORTED with the reason when it cannot be had. Thread-safe. */
heed_status service_find(const char *id, const void **out);

#endif
