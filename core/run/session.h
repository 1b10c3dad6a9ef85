/* session.h - what parts of the library see of a session. */
#ifndef HEED_RUN_SESSION_H
#define HEED_RUN_SESSION_H

#include "run/compiled.h"

/* The form that the names of dims allow. */
const compiled *session_form(const heed_session *session);

#endif
