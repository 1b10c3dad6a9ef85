/* verdict.h - what is told of a softmax after the walks: fused into what, or why not.
 *
 * The walks know reasons; what a reader of a report wants besides is found here, and only when
 * somebody listens: whether it is attention at all, what would help, which nodes are gone. */
#ifndef HEED_PASSES_VERDICT_H
#define HEED_PASSES_VERDICT_H

#include "passes/attention/site.h"
#include "passes/pass.h"

/* Tells p->options->verdict about the site. `made`: the fused node, NULL when there is none. */
heed_status verdict_tell(pass_run *p, const site *s, const ir_node *made);
/* The same of a node that is heed.Attention already, because the file has an operator for it, and
 * of what became of it. `reason`: why it will not stay, or NULL. */
heed_status verdict_tell_named(pass_run *p, const ir_node *n, const ir_node *made,
                               const char *reason);

/* Queries and keys meet before the softmax, and its result meets values. */
bool verdict_is_attention(const ir_node *softmax);
/* What the user could do about a reason of site_stop; "" when nothing. */
const char *verdict_help(const char *reason);
/* The reason that stands somewhere in an error's message; `missing` when none does. */
const char *verdict_find_reason(const char *message, const char *missing);

/* What the heads and the fused node show: "causal", "gqa"... Names are constants. */
enum { VERDICT_FEATURES = 32 };
uint32_t verdict_features(const pass_verdict *v, const char *out[VERDICT_FEATURES]);

/* What is known of who sees whom, in words; "" when all see all. */
const char *verdict_mask(const ir_node *made);

#endif
