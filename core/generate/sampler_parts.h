/* sampler_parts.h - what the pieces of a sampler share. Included by sampler*.c only.
 *
 * A row is what pieces work on: logits first; sampler_soften makes weights of them, which are
 * probabilities but for a common factor, the largest 1. To leave out a token is -infinity before
 * that, and 0 after it. The order of a row is that of ids, so "the first of equals" is the lower
 * id everywhere. */
#ifndef HEED_GENERATE_SAMPLER_PARTS_H
#define HEED_GENERATE_SAMPLER_PARTS_H

#include <math.h>

#include "base/mem.h"
#include "generate/sampler.h"

/* How often a sequence has each token: open addressing, since few of a vocabulary are ever there.
 */
typedef struct token_count {
    int32_t token;      /* -1: free */
    uint32_t generated; /* times; 0: in the prompt only */
    float logit;        /* before it was penalised */
} token_count;
typedef struct token_counts {
    token_count *slots;
    size_t capacity, count; /* a power of two, or 0; slots in use */
} token_counts;

/* Room for n more tokens, so that adding them cannot fail. */
heed_status token_counts_reserve(token_counts *c, size_t n);
void token_counts_add(token_counts *c, int32_t token, bool generated);
const token_count *token_counts_get(const token_counts *c, int32_t token); /* NULL: none */
heed_status token_counts_copy(const token_counts *from, token_counts *to);
void token_counts_free(token_counts *c);

struct sampler {
    heed_sampling options;
    size_t vocabulary;
    uint64_t drawn; /* tokens that were chosen: the number of the next draw */
    const int32_t *forbidden;
    size_t n_forbidden;
    int32_t *kept;  /* of top-k: which tokens they are [min(top_k, vocabulary)] */
    float *weights; /* of these; or of all tokens, where their logits are looked at afterwards */
    token_counts counts;
};

typedef struct sampler_row {
    float *x; /* [n] */
    size_t n;
    const int32_t *ids; /* [n], rising; NULL: x[i] is of token i */
    float *weights;     /* where they come; NULL: in place */
} sampler_row;

/* The pieces. */
bool sampler_penalises(const sampler *s);
void sampler_penalise(const sampler *s, sampler_row *row);
void sampler_leave_out(const sampler *s, sampler_row *row); /* what is forbidden */
void sampler_keep_k(const sampler *s, sampler_row *row);    /* the row gets shorter */
heed_status sampler_soften(const sampler *s, sampler_row *row);
void sampler_keep_p(const sampler *s, sampler_row *row);
void sampler_keep_min_p(const sampler *s, sampler_row *row);

/* What it takes to make log-probabilities of a row's logits, and the likeliest of them. */
typedef struct sampler_softmax {
    float top;
    double log_sum; /* of exp(x - top) */
} sampler_softmax;
sampler_softmax sampler_measure(const float *x, size_t n);
float sampler_logprob(const sampler_softmax *s, float x);
void sampler_likeliest(const sampler_softmax *s, const float *logits, size_t size,
                       sampler_told *told);

/* For searches: all as log-probabilities; the n first, in order; -1, -infinity where there are
 * fewer.
 */
void sampler_to_logprobs(float *logits, size_t n);
void sampler_first(const float *logits, size_t size, size_t n, heed_logprob *out);

/* The last piece: which place of the row. */
heed_status sampler_take_first(const sampler_row *row, size_t *place); /* of logits */
size_t sampler_draw(const sampler_row *row, double u);                 /* of weights; 0 <= u < 1 */

/* A number of [0, 1) with 53 bits that depends on these two alone: Philox4x32-10 (Salmon 2011,
 * "Parallel random numbers: as easy as 1, 2, 3"), key `seed`, counter `n`. */
double sampler_uniform(uint64_t seed, uint64_t n);
void sampler_philox(uint32_t counter[4], const uint32_t key[2]); /* changes the counter */

/* ---- sampler_rows.c: passes over many floats, by blocks ---------------------------------------
 */

enum { ROW_BLOCKS = 512 };

/* Elements in a block, all but the last, of a row of n. */
size_t row_block(size_t n);
/* The largest of each block, and how many blocks. NaN counts as -infinity. */
size_t row_tops(const float *x, size_t n, float tops[ROW_BLOCKS]);
/* The largest of all. */
float row_top(const float *tops, size_t blocks);
/* Sums of blocks, and of all. */
double row_sums(const float *x, size_t n, double sums[ROW_BLOCKS]);
/* out[i] = exp((x[i] - top) / temperature) within 1e-5 of itself, or 0 where that is below e^-85.
 * May be in place. */
void row_weights(const float *x, size_t n, float top, float temperature, float *out);
/* The sum of row_weights at temperature 1, without keeping them. */
double row_weight_sum(const float *x, size_t n, float top);

/* ---- sampler_cut.c: where the largest end -----------------------------------------------------
 */

typedef struct row_cut {
    float least; /* what is above stays, and of what equals it the first `equal` */
    size_t equal;
    bool more; /* there are more of these */
} row_cut;

/* The largest elements that reach `target` together, each counting 1, or its own value when
 * `by_value`. No element below `least` is one of them: the caller knows that, or says -infinity.
 * When all do not reach it, all stay. tops: as row_tops gives them for x. */
row_cut row_find_cut(const float *x, size_t n, const float *tops, float least, double target,
                     bool by_value);
/* The k largest. */
row_cut row_find_first(const float *x, size_t n, const float *tops, size_t k);
/* Whether the next element stays. To be asked in order. */
static inline bool row_cut_keeps(row_cut *cut, float x)
{
    return x > cut->least || (x == cut->least && cut->equal > 0 && cut->equal--);
}

#endif
