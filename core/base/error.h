/* error.h - the error record of a thread: every failure in the library is set here, once.
 *
 * A function that fails returns the status that err_* returned. Callers pass it up and may add
 * where it happened (err_at). Nothing is allocated: the record is thread-local and bounded. */
#ifndef HEED_BASE_ERROR_H
#define HEED_BASE_ERROR_H

#include "heed/heed.h"

#define ERR_NO_OFFSET UINT64_MAX

/* A plain message. */
heed_status err_fail(heed_status status, const char *format, ...) HEED_PRINTF(2, 3);

/* Expected and found, each may be NULL; hint too. The element is added by err_at, or given. */
heed_status err_expected(heed_status status, const char *expected, const char *found,
                         const char *hint);

/* Says where the current error happened, if that is not known yet. `offset` may be
 * ERR_NO_OFFSET. Returns the current error's status. */
heed_status err_at(uint64_t offset, const char *format, ...) HEED_PRINTF(2, 3);

/* Adds what to do, if there is no hint yet. */
heed_status err_hint(const char *format, ...) HEED_PRINTF(1, 2);

heed_status err_nomem(uint64_t bytes); /* "out of memory: %llu bytes" */

const heed_error *err_get(void);
void err_clear(void);

/* An options struct of the caller is long enough to have this field. */
#define HEED_HAS_FIELD(p, field)                                                                   \
    ((p)->size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field))

/* Returns from the calling function when `call` fails. The one control-flow macro of the core. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        heed_status try_status_ = (call);                                                          \
        if (try_status_ != HEED_OK)                                                                \
            return try_status_;                                                                    \
    } while (0)

#endif
