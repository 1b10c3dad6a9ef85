/* log.h - messages for people, through the callback of the program. Silent by default;
 * HEED_LOG=error|warn|info|debug in the environment sends them to stderr. */
#ifndef HEED_BASE_LOG_H
#define HEED_BASE_LOG_H

#include <stdbool.h>

#include "heed/heed.h"

enum { LOG_ERROR = 1, LOG_WARN = 2, LOG_INFO = 3, LOG_DEBUG = 4 };

void log_write(uint32_t level, const char *format, ...) HEED_PRINTF(2, 3);
bool log_enabled(uint32_t level);

#endif
