/* lives.h - how long what attention reads is kept, by the order of the nodes.
 *
 * For passes that come when the order is the last one. A value that is a view of another lives in
 * it; Shape reads nothing. */
#ifndef HEED_PASSES_LIVES_H
#define HEED_PASSES_LIVES_H

#include "passes/pass.h"

#define LIVES_FOREVER UINT32_MAX

/* By node id: the place in its graph, from 1 on; memory of the pass. NULL: there is none. */
uint32_t *lives_places(pass_run *p);
/* The value whose elements these are, in the same order. */
ir_value *lives_root(ir_value *v);
/* Where the value or a view of it is read last, but for the readers that are left out (NULL:
 * none is); LIVES_FOREVER when it is a result, or read in a nested graph. */
uint32_t lives_last(const uint32_t *places, const ir_value *v,
                    bool (*leave_out)(const void *self, const ir_node *reader), const void *self);

#endif
