/* interrupt.h - Ctrl-C: the first stops runs in order, a second one ends the program. */
#ifndef HEED_CLI_INTERRUPT_H
#define HEED_CLI_INTERRUPT_H

#include <stdbool.h>

#include "heed/heed.h"

heed_cancel *interrupt_catch(void); /* for heed_run_options; NULL when there is no memory */
bool interrupt_happened(void);
void interrupt_release(void); /* also without a catch */

#endif
