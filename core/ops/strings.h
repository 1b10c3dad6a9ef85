/* strings.h - what operators on text share: reading elements, and outputs that are made of text. */
#ifndef HEED_OPS_STRINGS_H
#define HEED_OPS_STRINGS_H

#include "ops/op.h"

/* Element i of a string tensor; its data is never NULL. */
heed_string strings_get(const heed_tensor *t, int64_t i);
bool strings_equal(heed_string a, heed_string b);
bool strings_ascii(heed_string s);

/* Text that is made here must be owned by its output, as only late outputs are: call it in
 * inference of operators that make text, whatever the shapes. */
void strings_infer_made(op_infer *c);

#endif
