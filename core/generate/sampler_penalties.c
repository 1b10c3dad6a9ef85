/* sampler_penalties.c - what a sequence has said already, and what that changes.
 *
 * Repetition: Keskar 2019 (arXiv 1909.05858), of prompt and answer. Presence and frequency: the
 * formulas that OpenAI gives for these parameters, of the answer alone. Their cost goes by the
 * tokens that were there, not by the vocabulary. */
#include <string.h>

#include "generate/sampler_parts.h"

static size_t place_of(const token_counts *c, int32_t token)
{
    size_t i = (uint32_t)token * 2654435769u & (c->capacity - 1);
    while (c->slots[i].token != token && c->slots[i].token >= 0)
        i = (i + 1) & (c->capacity - 1);
    return i;
}

static heed_status resize(token_counts *c, size_t capacity)
{
    token_counts grown = {.slots = mem_array(capacity, sizeof(*c->slots)), .capacity = capacity};
    if (!grown.slots)
        return HEED_NOMEM;
    for (size_t i = 0; i < capacity; i++)
        grown.slots[i].token = -1;
    for (size_t i = 0; i < c->capacity; i++)
        if (c->slots[i].token >= 0)
            grown.slots[place_of(&grown, c->slots[i].token)] = c->slots[i];
    grown.count = c->count;
    token_counts_free(c);
    *c = grown;
    return HEED_OK;
}

heed_status token_counts_reserve(token_counts *c, size_t n)
{
    size_t capacity = c->capacity ? c->capacity : 64, needed;
    if (!size_add(c->count, n, &needed) || needed > INT32_MAX)
        return err_fail(HEED_USAGE, "a sequence of %zu + %zu tokens is too long", c->count, n);
    while (needed > capacity / 2)
        capacity *= 2;
    return capacity == c->capacity ? HEED_OK : resize(c, capacity);
}

void token_counts_add(token_counts *c, int32_t token, bool generated)
{
    token_count *slot = &c->slots[place_of(c, token)];
    c->count += slot->token < 0;
    slot->token = token;
    slot->generated += generated;
}

heed_status token_counts_copy(const token_counts *from, token_counts *to)
{
    *to = (token_counts){0};
    if (from->capacity == 0)
        return HEED_OK;
    to->slots = mem_alloc(from->capacity * sizeof(*to->slots));
    if (!to->slots)
        return HEED_NOMEM;
    memcpy(to->slots, from->slots, from->capacity * sizeof(*to->slots));
    to->capacity = from->capacity;
    to->count = from->count;
    return HEED_OK;
}

void token_counts_free(token_counts *c)
{
    mem_free(c->slots);
    *c = (token_counts){0};
}

const token_count *token_counts_get(const token_counts *c, int32_t token)
{
    const token_count *slot = c->capacity ? &c->slots[place_of(c, token)] : NULL;
    return slot && slot->token == token ? slot : NULL;
}

static float repetition_of(const sampler *s)
{
    return s->options.repetition_penalty > 0 ? s->options.repetition_penalty : 1;
}

bool sampler_penalises(const sampler *s)
{
    const heed_sampling *o = &s->options;
    return repetition_of(s) != 1 || o->presence_penalty != 0 || o->frequency_penalty != 0;
}

void sampler_penalise(const sampler *s, sampler_row *row)
{
    const heed_sampling *o = &s->options;
    float repetition = repetition_of(s);
    for (size_t i = 0; i < s->counts.capacity && sampler_penalises(s); i++) {
        token_count *slot = &s->counts.slots[i];
        if (slot->token < 0)
            continue;
        float *x = &row->x[slot->token];
        slot->logit = *x;
        *x = *x < 0 ? *x * repetition : *x / repetition;
        if (slot->generated > 0)
            *x -= (float)slot->generated * o->frequency_penalty + o->presence_penalty;
    }
}

void sampler_leave_out(const sampler *s, sampler_row *row)
{
    for (size_t i = 0; i < s->n_forbidden; i++)
        if (s->forbidden[i] >= 0 && (size_t)s->forbidden[i] < row->n)
            row->x[s->forbidden[i]] = -INFINITY;
}
