/* session.h - what parts of the library see of a session. */
#ifndef HEED_RUN_SESSION_H
#define HEED_RUN_SESSION_H

#include "run/compiled.h"

/* What a session is made with, so that it compiles with these. */
heed_session_options session_options(const compile_options *options);
/* The form that the names of dims allow. */
const compiled *session_form(const heed_session *session);

#endif
