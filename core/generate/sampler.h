/* sampler.h - which token comes next: a chain of small pieces over the logits of one sequence.
 *
 * Each piece changes logits in place (penalties, temperature), or leaves out tokens (-infinity:
 * top-k, top-p, min-p, and later grammars); the last one takes the likeliest or draws. A chain is
 * made for one sequence and knows nothing of others. The n-th draw depends on the seed and n alone,
 * so that batching, forks and preemption do not change it. */
#ifndef HEED_GENERATE_SAMPLER_H
#define HEED_GENERATE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "heed/heed.h"

typedef struct sampler sampler;

/* HEED_INVALID names the field that is out of its range. NULL: greedy. vocabulary: logits a row. */
heed_status sampler_new(const heed_sampling *options, int64_t vocabulary, sampler **out);
/* What comes after is asked for in `options` (NULL: as before); what was told and drawn stays. */
heed_status sampler_fork(const sampler *s, const heed_sampling *options, sampler **out);
void sampler_free(sampler *s);
/* Tokens that the sequence has: of its prompt, or generated. sample tells its own. */
heed_status sampler_tell(sampler *s, const int32_t *tokens, size_t n, bool generated);
/* Tokens that may not be chosen now (the end before min_tokens). Borrowed, for the next sample. */
void sampler_forbid(sampler *s, const int32_t *tokens, size_t n);

/* Logits are changed. NaN counts as -infinity; when nothing is left: HEED_INVALID. */
heed_status sampler_choose(sampler *s, float *logits, int32_t *token);

/* Log-probabilities of the model's own distribution, which sampling does not change: of the token
 * that is chosen or known, and of the n likeliest in order, lower ids first where they are equal
 * (-1, -infinity where there are fewer). */
typedef struct sampler_told {
    heed_logprob own, *likeliest; /* [n] */
    size_t n;
} sampler_told;
heed_status sampler_choose_told(sampler *s, float *logits, sampler_told *told, int32_t *token);
void sampler_look_up(const float *logits, int64_t vocabulary, int32_t token, sampler_told *told);

/* For a search: log-probabilities after penalties and without what is forbidden, the n first of
 * them; lower ids first where they are equal. They do not add up to 1, as transformers has it.
 * Logits are changed, and nothing is told. */
void sampler_propose(sampler *s, float *logits, size_t n, heed_logprob *out);

#endif
