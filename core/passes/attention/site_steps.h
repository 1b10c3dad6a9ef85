/* site_steps.h - one step of the walk from a softmax to the product of queries and keys.
 *
 * Apart from site.h: only the two halves of that walk need it. */
#ifndef HEED_PASSES_SITE_STEPS_H
#define HEED_PASSES_SITE_STEPS_H

#include "passes/attention/site.h"

/* Where the walk stands: everything said so far holds of `value`, whose axes are `at`. */
typedef struct site_place {
    ir_value *value;
    axes at;
    double factor; /* of the scores, since the last softcap */
} site_place;

/* On from here, and from the operand `to` of the node here, which has the shape of its result. */
bool site_walk(site *s, site_place p, arena *scratch);
bool site_go(site *s, site_place p, ir_value *to, arena *scratch);
/* Which operand of the product is the queries and which the keys, and their channels, from their
 * axes and those of the result. Returns why it is no such product, or NULL. */
const char *site_take_roles(site *s, const contraction *c, const axes in[2], const axes *out,
                            site_pair *pair);
/* Biases that are products of queries and keys, too, become pairs. */
void site_join_products(site *s, arena *scratch);
/* The value is added to the scores here, times a number. */
bool site_add_bias(site *s, const site_place *p, ir_value *value, double number);
/* Undoes the node and walks on; *found is what became of that. False for nodes that do nothing to
 * scores, or nothing that is known. */
bool site_step(site *s, const site_place *p, const ir_node *n, arena *scratch, bool *found);

#endif
