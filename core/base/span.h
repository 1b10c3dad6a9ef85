/* span.h - memory that grows where it lies: its addresses are taken at once, and become memory as
 * it is used. So what has pointers into it, or its extent, stays as it is. */
#ifndef HEED_BASE_SPAN_H
#define HEED_BASE_SPAN_H

#include "base/mem.h"

typedef struct span {
    char *data;
    size_t most, used; /* bytes: of addresses, and of memory */
} span;                /* all zero is none */

/* HEED_UNSUPPORTED where the program has an allocator of its own, or has no addresses left. */
heed_status span_new(size_t most, span *out);
/* Memory up to `bytes`; what is new is zero. It counts as allocated. */
heed_status span_grow(span *s, size_t bytes);
void span_free(span *s);

#endif
