/* random.h - reproducible random numbers for operators with a seed: the Mersenne Twister MT19937
 * (Matsumoto and Nishimura 1998), seeded and read as NumPy's RandomState does, because the ONNX
 * evaluator draws from that. */
#ifndef HEED_OPS_RANDOM_H
#define HEED_OPS_RANDOM_H

#include <stdint.h>

enum { RANDOM_WORDS = 624 };

typedef struct random_state {
    uint32_t words[RANDOM_WORDS];
    uint32_t next; /* index of the word that is drawn next */
} random_state;

void random_seed(random_state *r, uint32_t seed);
uint32_t random_word(random_state *r);
double random_uniform(random_state *r); /* in [0, 1), 53 random bits */

#endif
