/* search.h - beam search of a sequence: each hypothesis is a lane of its job, and all of them
 * advance in the same steps, among other sequences. Lanes are forks: what they have in common lies
 * in pages that they share. Of the leader, as a sequence's job. */
#ifndef HEED_GENERATE_SEARCH_H
#define HEED_GENERATE_SEARCH_H

#include "heed/heed.h"

typedef struct search search;

/* For a sequence whose job and sampler are made. */
heed_status search_new(heed_sequence *s, const heed_request *request, search **out);
void search_free(search *q);

/* After a step in which all lanes had their last token: what comes after each, for which threads
 * may be many; and then each goes on, ends or gives way. Nothing was proposed: nothing happens. */
void search_propose(heed_sequence *s, float *logits);
heed_status search_step(heed_sequence *s);
/* The best hypothesis so far becomes what the sequence gives. */
heed_status search_give(heed_sequence *s);

#endif
