/* alloc.h - memory from the host, for a library that frees without saying how much. */
#ifndef TEXT_ALLOC_H
#define TEXT_ALLOC_H

#include <stddef.h>

#include "heed/plugin.h"

extern const heed_host *text_host; /* set by init */

void *text_alloc(size_t bytes, void *unused); /* NULL when exhausted */
void text_free(void *pointer, void *unused);

#endif
