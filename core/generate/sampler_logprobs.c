/* sampler_logprobs.c - log-probabilities of the model's own distribution, which sampling does not
 * change: what users read, and what beams add up. */
#include "generate/sampler_parts.h"

typedef struct softmax {
    float top;
    double log_sum; /* of exp(x - top) */
} softmax;

static softmax measure(const float *x, size_t n)
{
    float tops[ROW_BLOCKS], top = row_top(tops, row_tops(x, n, tops));
    return (softmax){.top = top, .log_sum = top > -INFINITY ? log(row_weight_sum(x, n, top)) : 0};
}

static float logprob(const softmax *s, float x)
{
    if (!(x > -INFINITY))
        return -INFINITY;
    double below = x == s->top ? 0 : (double)x - (double)s->top; /* infinity - infinity is none */
    return (float)(below - s->log_sum);
}

heed_logprob sampler_logprob(const float *logits, int64_t vocabulary, int32_t token)
{
    softmax s = measure(logits, (size_t)vocabulary);
    bool there = token >= 0 && token < vocabulary;
    return (heed_logprob){.token = token,
                          .logprob = there ? logprob(&s, logits[token]) : -INFINITY};
}

/* Into its place among the n first; equal ones came earlier and have lower ids. */
static void insert(heed_logprob *out, size_t n, heed_logprob new)
{
    for (; n > 0 && out[n - 1].logprob < new.logprob; n--)
        out[n] = out[n - 1];
    out[n] = new;
}

void sampler_to_logprobs(float *logits, size_t n)
{
    softmax s = measure(logits, n);
    for (size_t i = 0; i < n; i++)
        logits[i] = logprob(&s, logits[i]);
}

void sampler_first(const float *logits, size_t size, size_t n, heed_logprob *out)
{
    float tops[ROW_BLOCKS];
    size_t each = row_block(size), found = 0;
    row_tops(logits, size, tops);
    row_cut cut = row_find_first(logits, size, tops, n);
    for (size_t b = 0, i = 0; i < size && found < n; b++, i += each)
        for (size_t j = i; tops[b] >= cut.least && j < i + each && j < size && found < n; j++)
            if (row_cut_keeps(&cut, logits[j])) {
                insert(out, found, (heed_logprob){(int32_t)j, logits[j]});
                found++;
            }
    for (; found < n; found++)
        out[found] = (heed_logprob){.token = -1, .logprob = -INFINITY};
}

void sampler_likeliest(const float *logits, int64_t vocabulary, size_t n, heed_logprob *out)
{
    softmax s = measure(logits, (size_t)vocabulary);
    sampler_first(logits, (size_t)vocabulary, n, out);
    for (size_t i = 0; i < n && out[i].token >= 0; i++)
        out[i].logprob = logprob(&s, out[i].logprob);
}
