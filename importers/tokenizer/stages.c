/* stages.c - the pre-tokenizers of tokenizer.json as stages; a sequence is a longer list. */
#include "stages.h"

#include <string.h>

#include "chars.h"
#include "unicode.h"

enum { NEVER, FIRST, ALWAYS }; /* Metaspace's prepend_scheme */

/* GPT-2's words (Radford 2019). */
static const char byte_level_words[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* ---- Stages --------------------------------------------------------------------------------- */

/* A space before a text that does not begin with one. */
static heed_status run_prefix(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    tok_text *room = &f->room[s - f->stages->items];
    if (text[0] == ' ')
        return stage_next(s, f, text, n, first);
    room->n = 0;
    tok_put(room, " ", 1);
    tok_put(room, text, n);
    return room->failed ? tok_no_memory() : stage_next(s, f, room->data, room->n, first);
}

static heed_status run_bytes(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    tok_text *room = &f->room[s - f->stages->items];
    room->n = 0;
    for (size_t i = 0; i < n; i++)
        tok_put_char(room, chars_of_byte((uint8_t)text[i]));
    return room->failed ? tok_no_memory() : stage_next(s, f, room->data, room->n, first);
}

/* Spaces become a mark, which may also come before the text. */
static heed_status run_mark(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    tok_text *room = &f->room[s - f->stages->items];
    const tok_text *mark = &s->mark;
    bool there = text[0] == ' ' || (n >= mark->n && memcmp(text, mark->data, mark->n) == 0);
    room->n = 0;
    if (!there && (s->scheme == ALWAYS || (s->scheme == FIRST && first)))
        tok_put(room, mark->data, mark->n);
    for (size_t at = 0; at < n;) {
        const char *space = memchr(text + at, ' ', n - at);
        size_t to = space ? (size_t)(space - text) : n;
        tok_put(room, text + at, to - at);
        if (space)
            tok_put(room, mark->data, mark->n);
        at = to + (space != NULL);
    }
    return room->failed ? tok_no_memory() : stage_next(s, f, room->data, room->n, first);
}

static heed_status run_length(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    heed_status status = HEED_OK;
    for (size_t at = 0, from = 0; at < n && !status; from = at) {
        for (size_t i = 0; i < s->length && at < n; i++)
            chars_next(text, &at);
        status = stage_next(s, f, text + from, at - from, first && from == 0);
    }
    return status;
}

heed_status stage_next(const stage *s, stage_flow *f, const char *text, size_t n, bool first)
{
    if (!n)
        return HEED_OK;
    s++;
    if (s == f->stages->items + f->stages->n)
        return f->give(f->to, text, n);
    return s->run(s, f, text, n, first);
}

heed_status stages_run(stage_flow *f, const char *text, size_t n, bool first)
{
    const stage *s = f->stages->items;
    if (!n)
        return HEED_OK;
    return f->stages->n ? s->run(s, f, text, n, first) : f->give(f->to, text, n);
}

void stages_flow_free(stage_flow *f)
{
    for (size_t i = 0; i < STAGES_MAX; i++)
        tok_free(f->room[i].data);
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef struct kind {
    const char *type;
    heed_status (*read)(stages *s, const tree *t, uint32_t node);
} kind;

static heed_status add(stages *s, const tree *t, uint32_t node, stage item)
{
    if (s->n >= STAGES_MAX) {
        pattern_free(item.pattern);
        return tree_fail(t, HEED_UNSUPPORTED, node, "more than %d stages", STAGES_MAX);
    }
    s->items[s->n++] = item;
    return HEED_OK;
}

static heed_status add_characters(stages *s, const tree *t, uint32_t node, bool (*is)(uint32_t),
                                  stage_behavior behavior)
{
    return add(s, t, node, (stage){.run = stage_split, .is = is, .behavior = behavior});
}

static heed_status read_behavior(const tree *t, uint32_t node, stage_behavior *out)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"}; /* as stage_behavior */
    uint32_t found = tree_get(t, node, "behavior");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (tree_is(t, found, names[i])) {
            *out = (stage_behavior)i;
            return HEED_OK;
        }
    if (found == TREE_NONE)
        return tree_fail(t, HEED_INVALID, node, "\"behavior\" is missing");
    return tree_fail(t, HEED_INVALID, found, "is no behavior of a split");
}

static heed_status read_byte_level(stages *s, const tree *t, uint32_t node)
{
    bool prefix = true, regex = true;
    heed_status status = tree_want_bool(t, node, "add_prefix_space", &prefix);
    if (!status)
        status = tree_want_bool(t, node, "use_regex", &regex);
    if (!status && prefix)
        status = add(s, t, node, (stage){.run = run_prefix});
    if (!status && regex) {
        stage split = {.run = stage_split, .behavior = STAGE_ISOLATED};
        status =
            pattern_regex(t, node, byte_level_words, sizeof byte_level_words - 1, &split.pattern);
        if (!status)
            status = add(s, t, node, split);
    }
    return status ? status : add(s, t, node, (stage){.run = run_bytes});
}

static heed_status read_whitespace(stages *s, const tree *t, uint32_t node)
{
    return add(
        s, t, node,
        (stage){.run = stage_split, .words = true, .behavior = STAGE_REMOVED, .invert = true});
}

static heed_status read_whitespace_split(stages *s, const tree *t, uint32_t node)
{
    return add_characters(s, t, node, uni_space, STAGE_REMOVED);
}

static heed_status read_words(stages *s, const tree *t, uint32_t node)
{
    heed_status status = add_characters(s, t, node, uni_space, STAGE_REMOVED);
    return status ? status : add_characters(s, t, node, uni_punctuation, STAGE_ISOLATED);
}

static heed_status read_punctuation(stages *s, const tree *t, uint32_t node)
{
    stage_behavior behavior = STAGE_ISOLATED;
    heed_status status = HEED_OK;
    if (tree_get(t, node, "behavior") != TREE_NONE)
        status = read_behavior(t, node, &behavior);
    return status ? status : add_characters(s, t, node, uni_punctuation, behavior);
}

static heed_status read_digits(stages *s, const tree *t, uint32_t node)
{
    bool each = false;
    heed_status status = tree_want_bool(t, node, "individual_digits", &each);
    return status
               ? status
               : add_characters(s, t, node, uni_numeric, each ? STAGE_ISOLATED : STAGE_CONTIGUOUS);
}

static heed_status read_split(stages *s, const tree *t, uint32_t node)
{
    stage split = {.run = stage_split};
    heed_status status = read_behavior(t, node, &split.behavior);
    if (!status)
        status = tree_want_bool(t, node, "invert", &split.invert);
    if (!status)
        status = pattern_read(t, node, &split.pattern);
    return status ? status : add(s, t, node, split);
}

static heed_status read_delimiter(stages *s, const tree *t, uint32_t node)
{
    stage split = {.run = stage_split, .behavior = STAGE_REMOVED};
    const char *text;
    size_t n;
    heed_status status = tree_want_text(t, node, "delimiter", &text, &n);
    if (!status)
        status = pattern_literal(t, node, text, n, &split.pattern);
    return status ? status : add(s, t, node, split);
}

static heed_status read_length(stages *s, const tree *t, uint32_t node)
{
    int64_t length = 5;
    uint32_t found = tree_get(t, node, "length");
    if (found != TREE_NONE && (!tree_int(t, found, &length) || length < 1))
        return tree_fail(t, HEED_INVALID, found, "is no length");
    return add(s, t, node, (stage){.run = run_length, .length = (size_t)length});
}

/* "add_prefix_space": false is the older way to say never. */
static heed_status read_scheme(const tree *t, uint32_t node, int *out)
{
    static const char *const names[] = {"never", "first", "always"};
    uint32_t scheme = tree_get(t, node, "prepend_scheme");
    bool prefix = true;
    heed_status status = tree_want_bool(t, node, "add_prefix_space", &prefix);
    if (status)
        return status;
    *out = prefix ? ALWAYS : NEVER;
    if (scheme == TREE_NONE)
        return HEED_OK;
    for (int i = 0; i < 3; i++)
        if (tree_is(t, scheme, names[i])) {
            *out = i;
            return HEED_OK;
        }
    return tree_fail(t, HEED_INVALID, scheme, "is neither never, first nor always");
}

static heed_status read_metaspace(stages *s, const tree *t, uint32_t node)
{
    stage mark = {.run = run_mark}, split = {.run = stage_split, .behavior = STAGE_WITH_NEXT};
    const char *text;
    size_t n;
    bool splits = true;
    heed_status status = read_scheme(t, node, &mark.scheme);
    if (!status)
        status = tree_want_bool(t, node, "split", &splits);
    if (!status)
        status = tree_want_text(t, node, "replacement", &text, &n);
    if (!status && chars_count(text, n) != 1)
        status =
            tree_fail(t, HEED_INVALID, tree_get(t, node, "replacement"), "is not one character");
    if (!status)
        status = add(s, t, node, mark);
    if (!status) {
        tok_text *kept = &s->items[s->n - 1].mark;
        tok_put(kept, text, n);
        status = tok_text_status(kept);
    }
    if (status || !splits)
        return status;
    status = pattern_literal(t, node, text, n, &split.pattern);
    return status ? status : add(s, t, node, split);
}

static heed_status read_sequence(stages *s, const tree *t, uint32_t node)
{
    uint32_t list;
    heed_status status = tree_want_list(t, node, "pretokenizers", &list);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        status = stages_read(s, t, i);
    return status;
}

static const kind kinds[] = {
    {"Sequence", read_sequence},
    {"ByteLevel", read_byte_level},
    {"Whitespace", read_whitespace},
    {"WhitespaceSplit", read_whitespace_split},
    {"BertPreTokenizer", read_words},
    {"Punctuation", read_punctuation},
    {"Digits", read_digits},
    {"Split", read_split},
    {"CharDelimiterSplit", read_delimiter},
    {"Delimiter", read_delimiter},
    {"FixedLength", read_length},
    {"Metaspace", read_metaspace},
};

heed_status stages_read(stages *s, const tree *t, uint32_t node)
{
    if (tree_kind_of(t, node) == TREE_NULL)
        return HEED_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tree_is(t, tree_get(t, node, "type"), kinds[i].type))
            return kinds[i].read(s, t, node);
    return tree_fail_type(t, node, "pre-tokenizer");
}

void stages_free(stages *s)
{
    for (size_t i = 0; i < s->n; i++) {
        pattern_free(s->items[i].pattern);
        tok_free(s->items[i].mark.data);
    }
}
