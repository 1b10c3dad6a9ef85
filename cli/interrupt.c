/* interrupt.c - see interrupt.h. */
#include "interrupt.h"

#include <signal.h>

static heed_cancel *cancel;
static volatile sig_atomic_t happened;

static void on_interrupt(int signal_number)
{
    signal(signal_number, SIG_DFL);
    happened = 1;
    heed_cancel_set(cancel, 1);
}

heed_cancel *interrupt_catch(void)
{
    if (!cancel && !heed_cancel_new(&cancel))
        signal(SIGINT, on_interrupt);
    return cancel;
}

bool interrupt_happened(void) { return happened; }

void interrupt_release(void)
{
    signal(SIGINT, SIG_DFL);
    heed_cancel_free(cancel);
    cancel = NULL;
}
