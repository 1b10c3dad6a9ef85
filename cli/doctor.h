/* doctor.h - the self-test's model, what goes into it and what must come out. */
#ifndef HEED_CLI_DOCTOR_H
#define HEED_CLI_DOCTOR_H

#include <stddef.h>

extern const unsigned char doctor_model[];
extern const size_t doctor_model_size;
extern const float doctor_input[8];  /* x, 2x4 */
extern const float doctor_output[4]; /* y, 2x2 */

#endif
