/* split.c - the stage that splits a text at what it finds, in five ways.
 *
 * Matches and what lies between them come one after another; a part is given on as soon as it is
 * clear that nothing will be added to it. So no list of parts is needed. */
#include "chars.h"
#include "stages.h"
#include "unicode.h"

typedef struct splitter {
    const stage *stage;
    stage_flow *flow;
    const char *text;
    bool first; /* of the whole text */
    bool held, held_match;
    size_t from, to; /* what is held back */
} splitter;

static heed_status give(const splitter *p, size_t from, size_t to)
{
    return stage_next(p->stage, p->flow, p->text + from, to - from, p->first && from == 0);
}

static heed_status let_go(splitter *p)
{
    bool held = p->held;
    p->held = false;
    return held ? give(p, p->from, p->to) : HEED_OK;
}

/* Whether the next part belongs to the one that is held. */
static bool belongs(const splitter *p, bool match)
{
    switch (p->stage->behavior) {
    case STAGE_CONTIGUOUS:
        return match == p->held_match;
    case STAGE_WITH_PREVIOUS:
        return match && !p->held_match;
    case STAGE_WITH_NEXT:
        return !match && p->held_match;
    default:
        return false;
    }
}

/* One part, in order. */
static heed_status put(splitter *p, size_t from, size_t to, bool match)
{
    match ^= p->stage->invert;
    if (p->stage->behavior == STAGE_REMOVED)
        return match ? HEED_OK : give(p, from, to);
    if (p->stage->behavior == STAGE_ISOLATED)
        return give(p, from, to);
    if (p->held && belongs(p, match)) {
        p->to = to;
        p->held_match = match;
        return HEED_OK;
    }
    heed_status status = let_go(p);
    p->held = true;
    p->held_match = match;
    p->from = from;
    p->to = to;
    return status;
}

static heed_status by_pattern(splitter *p, size_t n)
{
    pattern_search search;
    size_t done = 0, from = 0, to = 0;
    bool found = true;
    heed_status status = pattern_begin(p->stage->pattern, p->text, n, &search);
    while (!status && !(status = pattern_next(&search, &found, &from, &to)) && found) {
        if (done < from)
            status = put(p, done, from, false);
        if (!status)
            status = put(p, from, to, true);
        done = to;
    }
    pattern_end(&search);
    return status || done == n ? status : put(p, done, n, false);
}

static heed_status by_character(splitter *p, size_t n)
{
    size_t done = 0;
    heed_status status = HEED_OK;
    for (size_t at = 0; at < n && !status;) {
        size_t from = at;
        if (!p->stage->is(chars_next(p->text, &at)))
            continue;
        if (done < from)
            status = put(p, done, from, false);
        if (!status)
            status = put(p, from, at, true);
        done = at;
    }
    return status || done == n ? status : put(p, done, n, false);
}

/* 0: space, 1: of a word, 2: neither. */
static int kind_of(uint32_t c) { return uni_space(c) ? 0 : uni_word(c) ? 1 : 2; }

static heed_status by_words(splitter *p, size_t n)
{
    size_t from = 0, at = 0;
    heed_status status = HEED_OK;
    int kind = 0;
    while (at < n && !status) {
        size_t here = at;
        int next = kind_of(chars_next(p->text, &at));
        if (here && next != kind) {
            status = put(p, from, here, kind != 0);
            from = here;
        }
        kind = next;
    }
    return status ? status : put(p, from, n, kind != 0);
}

heed_status stage_split(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    splitter p = {.stage = s, .flow = f, .text = text, .first = first};
    heed_status status = s->pattern ? by_pattern(&p, n)
                         : s->words ? by_words(&p, n)
                                    : by_character(&p, n);
    return status ? status : let_go(&p);
}
