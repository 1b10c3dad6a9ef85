/* log.c - messages for people: to the program's callback, or to stderr when HEED_LOG asks for it.
 *
 * A callback that the program has set replaces the environment's wish, also when it is NULL. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"", "error", "warn", "info", "debug"};

typedef struct sink {
    heed_log_fn log;
    void *arg;
} sink;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sink target;
static atomic_uint most; /* the highest level that is wanted */

/* One write a line, so that lines of several threads do not mix. A failure has no remedy. */
static void to_stderr(uint32_t level, const char *message, void *arg)
{
    (void)arg;
    char line[1100];
    int n = snprintf(line, sizeof(line), "heed: %s: %s\n", level_names[level], message);
    if (n <= 0)
        return;
    size_t size = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
}

static void read_environment(void)
{
    const char *wish = secure_getenv("HEED_LOG");
    for (uint32_t level = LOG_ERROR; wish && level <= LOG_DEBUG; level++) {
        if (strcmp(wish, level_names[level]) == 0) {
            target = (sink){.log = to_stderr};
            atomic_store(&most, level);
        }
    }
}

bool log_enabled(uint32_t level)
{
    pthread_once(&once, read_environment);
    return level <= atomic_load_explicit(&most, memory_order_relaxed);
}

void log_write(uint32_t level, const char *format, ...)
{
    if (level < LOG_ERROR || level > LOG_DEBUG)
        level = LOG_DEBUG;
    if (!log_enabled(level))
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    sink to = target;
    pthread_mutex_unlock(&lock);
    /* Outside the lock: the callback may set another one. */
    if (n >= 0 && to.log)
        to.log(level, text, to.arg);
}

void heed_set_log(heed_log_fn log, void *arg, uint32_t level)
{
    pthread_once(&once, read_environment);
    pthread_mutex_lock(&lock);
    target = (sink){.log = log, .arg = arg};
    atomic_store(&most, log ? level : 0);
    pthread_mutex_unlock(&lock);
}
