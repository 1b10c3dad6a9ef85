/* linear_rule.c - see linear_rule.h. */
#include "ops/linear_rule.h"

#include <string.h>

static const linear_rule rules[] = {
    {"linear", false, false},
    {"gated", true, false},
    {"delta", false, true},
    {"gated_delta", true, true},
};

const linear_rule *linear_rule_of(const ir_node *n)
{
    const char *name = ir_attr_string(n, "update_rule", "gated_delta");
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    return NULL;
}
