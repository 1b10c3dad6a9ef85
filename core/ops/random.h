/* random.h - reproducible random numbers for operators with a seed: the Mersenne Twister MT19937
 * (Matsumoto and Nishimura 1998), seeded and read as NumPy's RandomState does, because the ONNX
 * evaluator draws from that. */
#ifndef HEED_OPS_RANDOM_H
#define HEED_OPS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { RANDOM_WORDS = 624 };

typedef struct random_state {
    uint32_t words[RANDOM_WORDS];
    uint32_t next;  /* index of the word that is drawn next */
    bool has_spare; /* a normal number that was drawn with the last one */
    double spare;
} random_state;

void random_seed(random_state *r, uint32_t seed);
void random_seed_fresh(random_state *r); /* another stream in every call */
uint32_t random_word(random_state *r);
double random_uniform(random_state *r); /* in [0, 1), 53 random bits */
double random_normal(random_state *r);  /* mean 0, variance 1 */
/* True with probability p; draws one uniform number, or none when p <= 0. */
bool random_bernoulli(random_state *r, double p);

#endif
