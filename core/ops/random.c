/* random.c - MT19937: a linear recurrence over 624 words, and a tempering of each word drawn. */
#include "ops/random.h"

enum { MIDDLE = 397 };

void random_seed(random_state *r, uint32_t seed)
{
    r->words[0] = seed;
    for (uint32_t i = 1; i < RANDOM_WORDS; i++) {
        uint32_t previous = r->words[i - 1];
        r->words[i] = 1812433253u * (previous ^ (previous >> 30)) + i;
    }
    r->next = RANDOM_WORDS;
}

/* The next 624 words, each from three of the old ones. */
static void renew(random_state *r)
{
    for (uint32_t i = 0; i < RANDOM_WORDS; i++) {
        uint32_t after = r->words[(i + 1) % RANDOM_WORDS];
        uint32_t mixed = (r->words[i] & 0x80000000u) | (after & 0x7fffffffu);
        uint32_t twist = (mixed >> 1) ^ (mixed & 1u ? 0x9908b0dfu : 0);
        r->words[i] = r->words[(i + MIDDLE) % RANDOM_WORDS] ^ twist;
    }
    r->next = 0;
}

uint32_t random_word(random_state *r)
{
    if (r->next == RANDOM_WORDS)
        renew(r);
    uint32_t x = r->words[r->next++];
    x ^= x >> 11;
    x ^= (x << 7) & 0x9d2c5680u;
    x ^= (x << 15) & 0xefc60000u;
    return x ^ (x >> 18);
}

double random_uniform(random_state *r)
{
    double high = random_word(r) >> 5, low = random_word(r) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}
