/* linear_rule.h - how the state of linear attention takes in a key and a value (linear_attention.c
 * has the formulas); the standard's operator and com.microsoft's name the rules alike. */
#ifndef HEED_OPS_LINEAR_RULE_H
#define HEED_OPS_LINEAR_RULE_H

#include "ops/op.h"

typedef struct linear_rule {
    const char *name;
    bool gated, delta; /* the state decays; what it says of the key is taken away first */
} linear_rule;

/* The node's update_rule; NULL: it is none. */
const linear_rule *linear_rule_of(const ir_node *n);

#endif
