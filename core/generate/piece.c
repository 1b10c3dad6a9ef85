/* piece.c - growing arrays of what a caller gets: text, tokens, log-probabilities. */
#include <string.h>

#include "generate/generator.h"

static heed_status reserve(void *items, size_t *capacity, size_t n, size_t each)
{
    while (*capacity < n)
        TRY(mem_grow(items, capacity, *capacity, each));
    return HEED_OK;
}

heed_status piece_buffer_add_token(piece_buffer *b, int32_t token)
{
    TRY(mem_grow(&b->tokens, &b->tokens_capacity, b->n_tokens, sizeof(*b->tokens)));
    b->tokens[b->n_tokens++] = token;
    return HEED_OK;
}

heed_status piece_buffer_add_text(piece_buffer *b, const char *text, size_t bytes)
{
    TRY(reserve(&b->text, &b->text_capacity, b->n_text + bytes, 1));
    if (bytes)
        memcpy(b->text + b->n_text, text, bytes);
    b->n_text += bytes;
    return HEED_OK;
}

heed_status piece_buffer_add_logprobs(piece_buffer *b, heed_logprob own, const heed_logprob *others,
                                      size_t n)
{
    TRY(reserve(&b->alternatives, &b->alternatives_capacity, b->n_alternatives + n,
                sizeof(*b->alternatives)));
    TRY(mem_grow(&b->logprobs, &b->logprobs_capacity, b->n_logprobs, sizeof(*b->logprobs)));
    b->logprobs[b->n_logprobs++] = own;
    if (n)
        memcpy(b->alternatives + b->n_alternatives, others, n * sizeof(*others));
    b->n_alternatives += n;
    return HEED_OK;
}

/* All or nothing. */
heed_status piece_buffer_append(piece_buffer *b, const piece_buffer *more)
{
    TRY(reserve(&b->tokens, &b->tokens_capacity, b->n_tokens + more->n_tokens, sizeof(*b->tokens)));
    TRY(reserve(&b->logprobs, &b->logprobs_capacity, b->n_logprobs + more->n_logprobs,
                sizeof(*b->logprobs)));
    TRY(reserve(&b->alternatives, &b->alternatives_capacity,
                b->n_alternatives + more->n_alternatives, sizeof(*b->alternatives)));
    TRY(piece_buffer_add_text(b, more->text, more->n_text));
    if (more->n_tokens)
        memcpy(b->tokens + b->n_tokens, more->tokens, more->n_tokens * sizeof(*b->tokens));
    if (more->n_logprobs)
        memcpy(b->logprobs + b->n_logprobs, more->logprobs,
               more->n_logprobs * sizeof(*b->logprobs));
    if (more->n_alternatives)
        memcpy(b->alternatives + b->n_alternatives, more->alternatives,
               more->n_alternatives * sizeof(*b->alternatives));
    b->n_tokens += more->n_tokens;
    b->n_logprobs += more->n_logprobs;
    b->n_alternatives += more->n_alternatives;
    return HEED_OK;
}

bool piece_buffer_is_empty(const piece_buffer *b) { return b->n_tokens == 0 && b->n_text == 0; }

void piece_buffer_empty(piece_buffer *b)
{
    b->n_text = b->n_tokens = b->n_logprobs = b->n_alternatives = 0;
}

void piece_buffer_free(piece_buffer *b)
{
    mem_free(b->text);
    mem_free(b->tokens);
    mem_free(b->logprobs);
    mem_free(b->alternatives);
    *b = (piece_buffer){0};
}
