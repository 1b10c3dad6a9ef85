/* normalize.c - the steps of a normalizer; a sequence is a longer list of steps. */
#include "normalize.h"

#include "chars.h"
#include "unicode.h"

enum { LEFT = 1, RIGHT = 2 };

/* ---- Steps ---------------------------------------------------------------------------------- */

static heed_status run_form(const normalize_step *s, const char *text, size_t n, tok_text *out,
                            bool *first)
{
    (void)first;
    return uni_normal_form(s->flags, text, n, out);
}

static heed_status run_lower(const normalize_step *s, const char *text, size_t n, tok_text *out,
                             bool *first)
{
    (void)s, (void)first;
    for (size_t at = 0; at < n;) {
        uint32_t lower[2];
        size_t count = uni_lower(chars_next(text, &at), lower);
        for (size_t i = 0; i < count; i++)
            tok_put_char(out, lower[i]);
    }
    return tok_text_status(out);
}

/* What is left of a text without some characters. */
static heed_status without(bool (*dropped)(uint32_t), const char *text, size_t n, tok_text *out,
                           bool *first)
{
    size_t kept = 0; /* from here on, nothing is copied yet */
    for (size_t at = 0; at < n;) {
        size_t from = at;
        if (!dropped(chars_next(text, &at)))
            continue;
        tok_put(out, text + kept, from - kept);
        kept = at;
        *first = *first && from > 0;
    }
    tok_put(out, text + kept, n - kept);
    return tok_text_status(out);
}

static heed_status run_no_marks(const normalize_step *s, const char *text, size_t n, tok_text *out,
                                bool *first)
{
    (void)s;
    return without(uni_mark, text, n, out, first);
}

static heed_status run_no_nonspacing(const normalize_step *s, const char *text, size_t n,
                                     tok_text *out, bool *first)
{
    (void)s;
    return without(uni_nonspacing, text, n, out, first);
}

/* BERT's cleaning: no control characters, and every space is the same. */
static heed_status run_clean(const normalize_step *s, const char *text, size_t n, tok_text *out,
                             bool *first)
{
    (void)s;
    for (size_t at = 0; at < n;) {
        size_t from = at;
        uint32_t c = chars_next(text, &at);
        bool space = c == '\t' || c == '\n' || c == '\r' || uni_space(c);
        if (c == 0 || c == 0xFFFD || (uni_other(c) && c != '\t' && c != '\n' && c != '\r'))
            *first = *first && from > 0;
        else
            tok_put_char(out, space ? ' ' : c);
    }
    return tok_text_status(out);
}

static heed_status run_han(const normalize_step *s, const char *text, size_t n, tok_text *out,
                           bool *first)
{
    (void)s, (void)first;
    for (size_t at = 0; at < n;) {
        uint32_t c = chars_next(text, &at);
        if (uni_han(c))
            tok_put(out, " ", 1);
        tok_put_char(out, c);
        if (uni_han(c))
            tok_put(out, " ", 1);
    }
    return tok_text_status(out);
}

static heed_status run_strip(const normalize_step *s, const char *text, size_t n, tok_text *out,
                             bool *first)
{
    size_t from = 0, to = n, at = 0;
    while (s->flags & LEFT && at < n && uni_space(chars_next(text, &at)))
        from = at;
    while (s->flags & RIGHT && to > from) {
        size_t last = at = chars_before(text, to);
        if (!uni_space(chars_next(text, &at)))
            break;
        to = last;
    }
    *first = *first && from == 0;
    tok_put(out, text + from, to - from);
    return tok_text_status(out);
}

static heed_status run_replace(const normalize_step *s, const char *text, size_t n, tok_text *out,
                               bool *first)
{
    pattern_search search;
    size_t kept = 0, from, to;
    bool found = true;
    heed_status status = pattern_begin(s->pattern, text, n, &search);
    while (!status && !(status = pattern_next(&search, &found, &from, &to)) && found) {
        tok_put(out, text + kept, from - kept);
        tok_put(out, s->content.data, s->content.n);
        kept = to;
        if (from == 0 && to > 0) /* what stands there then is of the match's last character */
            *first = *first && s->content.n && chars_count(text, to) == 1;
    }
    pattern_end(&search);
    tok_put(out, text + kept, n - kept);
    return status ? status : tok_text_status(out);
}

static heed_status run_prepend(const normalize_step *s, const char *text, size_t n, tok_text *out,
                               bool *first)
{
    (void)first;
    if (n)
        tok_put(out, s->content.data, s->content.n);
    tok_put(out, text, n);
    return tok_text_status(out);
}

/* Of sentencepiece's nmt_nfkc rules, those that need no table. */
static bool is_nmt_control(uint32_t c)
{
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
}

static bool is_nmt_space(uint32_t c)
{
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
           (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xFEFF || c == 0xFFFD;
}

static heed_status run_nmt(const normalize_step *s, const char *text, size_t n, tok_text *out,
                           bool *first)
{
    (void)s;
    for (size_t at = 0; at < n;) {
        size_t from = at;
        uint32_t c = chars_next(text, &at);
        if (is_nmt_control(c))
            *first = *first && from > 0;
        else
            tok_put_char(out, is_nmt_space(c) ? ' ' : c);
    }
    return tok_text_status(out);
}

static heed_status run_bytes(const normalize_step *s, const char *text, size_t n, tok_text *out,
                             bool *first)
{
    (void)s, (void)first;
    for (size_t i = 0; i < n; i++)
        tok_put_char(out, chars_of_byte((uint8_t)text[i]));
    return tok_text_status(out);
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef heed_status step_run(const normalize_step *s, const char *text, size_t n, tok_text *out,
                             bool *first);

struct normalize_kind {
    const char *type;
    step_run *run;
    int flags;
    heed_status (*read)(normalizer *n, const tree *t, uint32_t node, const normalize_kind *kind);
};

static heed_status add(normalizer *n, const tree *t, uint32_t node, step_run *run, int flags)
{
    if (n->n >= NORMALIZE_STEPS)
        return tree_fail(t, HEED_UNSUPPORTED, node, "more than %d steps", NORMALIZE_STEPS);
    n->steps[n->n++] = (normalize_step){.run = run, .flags = flags};
    return HEED_OK;
}

static heed_status read_simple(normalizer *n, const tree *t, uint32_t node,
                               const normalize_kind *kind)
{
    return add(n, t, node, kind->run, kind->flags);
}

static heed_status read_cleaning(normalizer *n, const tree *t, uint32_t node,
                                 const normalize_kind *kind)
{
    bool clean = true, han = true, lower = true, accents;
    heed_status status = tree_want_bool(t, node, "clean_text", &clean);
    if (!status)
        status = tree_want_bool(t, node, "handle_chinese_chars", &han);
    if (!status)
        status = tree_want_bool(t, node, "lowercase", &lower);
    accents = lower;
    if (!status)
        status = tree_want_bool(t, node, "strip_accents", &accents);
    if (!status && clean)
        status = add(n, t, node, run_clean, 0);
    if (!status && han)
        status = add(n, t, node, run_han, 0);
    if (!status && accents)
        status = add(n, t, node, run_form, 0);
    if (!status && accents)
        status = add(n, t, node, run_no_nonspacing, 0);
    if (!status && lower)
        status = add(n, t, node, kind->run, 0);
    return status;
}

static heed_status read_strip(normalizer *n, const tree *t, uint32_t node,
                              const normalize_kind *kind)
{
    bool left = true, right = true;
    heed_status status = tree_want_bool(t, node, "strip_left", &left);
    if (!status)
        status = tree_want_bool(t, node, "strip_right", &right);
    return status ? status : add(n, t, node, kind->run, (left ? LEFT : 0) | (right ? RIGHT : 0));
}

static heed_status read_content(normalizer *n, const tree *t, uint32_t node, const char *key)
{
    size_t size;
    const char *text;
    normalize_step *s = &n->steps[n->n - 1];
    heed_status status = tree_want_text(t, node, key, &text, &size);
    if (status)
        return status;
    tok_put(&s->content, text, size);
    return tok_text_status(&s->content);
}

static heed_status read_replace(normalizer *n, const tree *t, uint32_t node,
                                const normalize_kind *kind)
{
    heed_status status = add(n, t, node, kind->run, 0);
    if (!status)
        status = read_content(n, t, node, "content");
    return status ? status : pattern_read(t, node, &n->steps[n->n - 1].pattern);
}

static heed_status read_prepend(normalizer *n, const tree *t, uint32_t node,
                                const normalize_kind *kind)
{
    heed_status status = add(n, t, node, kind->run, 0);
    return status ? status : read_content(n, t, node, "prepend");
}

static heed_status read_sequence(normalizer *n, const tree *t, uint32_t node,
                                 const normalize_kind *kind)
{
    uint32_t list;
    (void)kind;
    heed_status status = tree_want_list(t, node, "normalizers", &list);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        status = normalize_read(n, t, i);
    return status;
}

static const normalize_kind kinds[] = {
    {"Sequence", NULL, 0, read_sequence},
    {"BertNormalizer", run_lower, 0, read_cleaning},
    {"NFD", run_form, 0, read_simple},
    {"NFC", run_form, UNI_COMPOSE, read_simple},
    {"NFKD", run_form, UNI_COMPATIBLE, read_simple},
    {"NFKC", run_form, UNI_COMPATIBLE | UNI_COMPOSE, read_simple},
    {"Lowercase", run_lower, 0, read_simple},
    {"StripAccents", run_no_marks, 0, read_simple},
    {"Strip", run_strip, 0, read_strip},
    {"Replace", run_replace, 0, read_replace},
    {"Prepend", run_prepend, 0, read_prepend},
    {"Nmt", run_nmt, 0, read_simple},
    {"ByteLevel", run_bytes, 0, read_simple},
};

heed_status normalize_read(normalizer *n, const tree *t, uint32_t node)
{
    if (tree_kind_of(t, node) == TREE_NULL)
        return HEED_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tree_is(t, tree_get(t, node, "type"), kinds[i].type))
            return kinds[i].read(n, t, node, &kinds[i]);
    return tree_fail_type(t, node, "normalizer");
}

void normalize_free(normalizer *n)
{
    for (size_t i = 0; i < n->n; i++) {
        pattern_free(n->steps[i].pattern);
        tok_free(n->steps[i].content.data);
    }
}

/* ---- Running -------------------------------------------------------------------------------- */

heed_status normalize_run(const normalizer *n, normalize_room *room, const char *text, size_t size,
                          const char **out, size_t *out_size, bool *first)
{
    for (size_t i = 0; i < n->n; i++) {
        tok_text *to = &room->text[i & 1];
        to->n = 0;
        heed_status status = n->steps[i].run(&n->steps[i], text, size, to, first);
        if (status)
            return status;
        text = to->data ? to->data : "";
        size = to->n;
    }
    *out = text;
    *out_size = size;
    return HEED_OK;
}

void normalize_room_free(normalize_room *room)
{
    tok_free(room->text[0].data);
    tok_free(room->text[1].data);
}
