/* sampler_logprobs.c - log-probabilities of the model's own distribution, which sampling does not
 * change: what users read, and what beams add up. */
#include "generate/sampler_parts.h"

sampler_softmax sampler_measure(const float *x, size_t n)
{
    float tops[ROW_BLOCKS], top = row_top(tops, row_tops(x, n, tops));
    return (sampler_softmax){.top = top,
                             .log_sum = top > -INFINITY ? log(row_weight_sum(x, n, top)) : 0};
}

float sampler_logprob(const sampler_softmax *s, float x)
{
    if (!(x > -INFINITY))
        return -INFINITY;
    double below = x == s->top ? 0 : (double)x - (double)s->top; /* infinity - infinity is none */
    return (float)(below - s->log_sum);
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
    sampler_softmax s = sampler_measure(logits, n);
    for (size_t i = 0; i < n; i++)
        logits[i] = sampler_logprob(&s, logits[i]);
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

void sampler_likeliest(const sampler_softmax *s, const float *logits, size_t size,
                       sampler_told *told)
{
    heed_logprob *out = told->likeliest;
    if (told->n > 0)
        sampler_first(logits, size, told->n, out);
    for (size_t i = 0; i < told->n && out[i].token >= 0; i++)
        out[i].logprob = sampler_logprob(s, out[i].logprob);
}

void sampler_look_up(const float *logits, int64_t vocabulary, int32_t token, sampler_told *told)
{
    sampler_softmax s = sampler_measure(logits, (size_t)vocabulary);
    bool there = token >= 0 && token < vocabulary;
    told->own.token = token;
    told->own.logprob = there ? sampler_logprob(&s, logits[token]) : -INFINITY;
    sampler_likeliest(&s, logits, (size_t)vocabulary, told);
}
