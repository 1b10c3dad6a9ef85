/* random.c - MT19937: a linear recurrence over 624 words, and a tempering of each word drawn. */
#include "ops/random.h"

#include <math.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

enum { MIDDLE = 397 };

void random_seed(random_state *r, uint32_t seed)
{
    r->words[0] = seed;
    for (uint32_t i = 1; i < RANDOM_WORDS; i++) {
        uint32_t previous = r->words[i - 1];
        r->words[i] = 1812433253u * (previous ^ (previous >> 30)) + i;
    }
    r->next = RANDOM_WORDS;
    r->has_spare = false;
}

/* Without entropy of the system, the time and a count still make streams that differ. */
void random_seed_fresh(random_state *r)
{
    static atomic_uint count;
    struct timespec now = {0};
    uint32_t entropy[8] = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    random_seed(r, (uint32_t)now.tv_nsec ^ (uint32_t)now.tv_sec);
    r->words[1] += atomic_fetch_add(&count, 1);
    if (getrandom(entropy, sizeof entropy, GRND_NONBLOCK) == sizeof entropy)
        for (uint32_t i = 0; i < RANDOM_WORDS; i++)
            r->words[i] ^= entropy[i % 8];
    for (uint32_t i = 0; i < 4 * RANDOM_WORDS; i++) /* until the words are mixed */
        random_word(r);
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

/* The polar method (Marsaglia 1962): a point in the unit circle gives two numbers. */
double random_normal(random_state *r)
{
    double x, y, square;
    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    do {
        x = 2 * random_uniform(r) - 1;
        y = 2 * random_uniform(r) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square <= 0);
    double factor = sqrt(-2 * log(square) / square);
    r->spare = factor * x;
    r->has_spare = true;
    return factor * y;
}

bool random_bernoulli(random_state *r, double p)
{
    if (!(p > 0))
        return false;
    return p <= 0.5 ? random_uniform(r) > 1 - p : random_uniform(r) <= p;
}
