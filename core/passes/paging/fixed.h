/* fixed.h - a file of one number of tokens becomes one of any number. */
#ifndef HEED_PASSES_PAGING_FIXED_H
#define HEED_PASSES_PAGING_FIXED_H

#include "passes/paging/beginning.h"

/* Shapes inside the graph may fix the number that inputs leave open: then inputs say it, too. */
heed_status fixed_learn(beginning *d);
/* The main input has a number of tokens, more than one. HEED_UNSUPPORTED (paging_stop): some node
 * cannot be told to take others. */
heed_status fixed_free(beginning *d);

#endif
