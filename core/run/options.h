/* options.h - what a caller asks of a session or a generator, checked and copied. */
#ifndef HEED_RUN_OPTIONS_H
#define HEED_RUN_OPTIONS_H

#include "run/compiled.h"

typedef struct session_options {
    compile_options compile;  /* its strings are those below, or constants */
    char *backends, *without; /* copies */
} session_options;

/* NULL: the defaults. After a failure too, free them. */
heed_status session_options_read(const heed_session_options *o, session_options *out);
void session_options_free(session_options *o);

#endif
