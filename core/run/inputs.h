/* inputs.h - the names, types and shapes that a caller gives, checked against the model. */
#ifndef HEED_RUN_INPUTS_H
#define HEED_RUN_INPUTS_H

#include "run/model.h"

/* One tensor for each graph input, defaults where the caller gives none. HEED_USAGE names what is
 * missing, unknown, doubled or of another type. */
heed_status inputs_match(const heed_model *m, size_t n, const char *const *names,
                         heed_tensor *const *given, arena *memory, const heed_tensor ***out);

/* Which graph output each asked name is; `names` NULL asks for the first n in order. */
heed_status outputs_match(const heed_model *m, size_t n, const char *const *names, arena *memory,
                          uint32_t **out);

#endif
