/* beams.h - beam search: which hypotheses go on, and which are the best that ended.
 *
 * Pure choice: it sees log-probabilities and says from which row each beam goes on and by which
 * token. Who calls keeps the sequences, and forks them (their pages stay shared).
 *
 * As in transformers' generate(num_beams): of all continuations of the beams the likeliest
 * (1 + n_ends) * width are looked at; those of the first `width` that end (by their token, by what
 * `stops` finds, or because they are as long as may be) are kept with the score
 * sum of log-probabilities / length^length_penalty, at most `width` of them; the first `width`
 * that do not end go on. It is over at max_tokens; or when `width` have ended and none that goes on
 * could be better than the worst of them if it ended now, or at once when `early`. Of equal scores
 * the lower beam comes first, then the lower id. */
#ifndef HEED_GENERATE_BEAMS_H
#define HEED_GENERATE_BEAMS_H

#include "base/mem.h"
#include "heed/heed.h"

typedef struct beams beams;

typedef struct beams_options {
    uint32_t width;
    float length_penalty;
    bool early;
    const int32_t *ends; /* tokens; borrowed, as long as the beams are used */
    size_t n_ends;
    size_t max_tokens; /* SIZE_MAX: no limit; else at least 1 */
    /* Does what goes on from row `parent` end with this token for another reason? Or NULL. */
    bool (*stops)(void *arg, uint32_t parent, int32_t token);
    void *arg;
    uint32_t n_alternatives; /* to be remembered of each token, with it */
} beams_options;

typedef struct beam {
    uint32_t parent; /* which of the rows it goes on from */
    int32_t token;
    float score; /* sum of log-probabilities */
} beam;

heed_status beams_new(const beams_options *options, beams **out);
void beams_free(beams *b);

/* Beams that go on, the best first. Before the first step one, without a token. */
const beam *beams_running(const beams *b, uint32_t *n);
/* How many continuations of each row a step wants, alternatives among them. */
uint32_t beams_proposals(const beams *b);
/* One step: of each running beam its likeliest continuations in order, [n, beams_proposals]; those
 * that are none have token -1 or -infinity. After a failure (HEED_NOMEM) nothing has changed. */
heed_status beams_step(beams *b, const heed_logprob *proposals);
bool beams_are_over(const beams *b);

/* The hypotheses that ended, the best first; where none has, those that run. */
uint32_t beams_results(const beams *b);
size_t beams_length(const beams *b, uint32_t result);
float beams_score(const beams *b, uint32_t result);
/* What was generated, the end token included: [beams_length]. */
void beams_copy(const beams *b, uint32_t result, heed_logprob *out);
/* The likeliest continuations of what came before each token: [beams_length, n_alternatives]. */
void beams_copy_alternatives(const beams *b, uint32_t result, heed_logprob *out);

#endif
