/* decoders.c - the decoders of tokenizer.json, each from a list of texts to another. */
#include "decoders.h"

#include <string.h>

#include "chars.h"

void decoder_piece_end(decoder_pieces *p)
{
    size_t *grown = p->failed ? NULL : tok_grow(p->ends, &p->room, p->n + 1, sizeof *p->ends);
    p->failed = !grown;
    if (!grown)
        return;
    p->ends = grown;
    grown[p->n++] = p->text.n;
}

static const char *piece(const decoder_pieces *p, size_t i, size_t *n)
{
    size_t from = i ? p->ends[i - 1] : 0;
    *n = p->ends[i] - from;
    return p->text.data ? p->text.data + from : "";
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

/* A spelling that is not all letters of bytes stands for itself. */
static void put_bytes(const char *text, size_t n, tok_text *out)
{
    size_t start = out->n;
    for (size_t at = 0; at < n;) {
        int byte = chars_to_byte(chars_next(text, &at));
        if (byte < 0) {
            out->n = start;
            tok_put(out, text, n);
            return;
        }
        char c = (char)byte;
        tok_put(out, &c, 1);
    }
}

static heed_status run_byte_level(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    tok_text bytes = {0};
    size_t n;
    (void)d;
    for (size_t i = 0; i < in->n; i++) {
        const char *text = piece(in, i, &n);
        put_bytes(text, n, &bytes);
    }
    chars_put_lossy(&out->text, bytes.data ? bytes.data : "", bytes.n);
    decoder_piece_end(out);
    heed_status status = tok_text_status(&bytes);
    tok_free(bytes.data);
    return status;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return !found ? -1 : found - digits < 16 ? (int)(found - digits) : (int)(found - digits) - 6;
}

/* <0x41>, or -1 */
static int byte_of(const char *text, size_t n)
{
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = text[3] == '+' ? 0 : hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A run of bytes is a text, or as many U+FFFD when it is no UTF-8. */
static void end_bytes(tok_text *bytes, decoder_pieces *out)
{
    if (bytes->n && chars_valid(bytes->data, bytes->n) == bytes->n) {
        tok_put(&out->text, bytes->data, bytes->n);
        decoder_piece_end(out);
    } else {
        for (size_t i = 0; i < bytes->n; i++) {
            tok_put_char(&out->text, 0xFFFD);
            decoder_piece_end(out);
        }
    }
    bytes->n = 0;
}

static heed_status run_byte_fallback(const decoder *d, const decoder_pieces *in,
                                     decoder_pieces *out)
{
    tok_text bytes = {0};
    size_t n;
    (void)d;
    for (size_t i = 0; i < in->n; i++) {
        const char *text = piece(in, i, &n);
        int byte = byte_of(text, n);
        char c = (char)byte;
        if (byte >= 0) {
            tok_put(&bytes, &c, 1);
            continue;
        }
        end_bytes(&bytes, out);
        tok_put(&out->text, text, n);
        decoder_piece_end(out);
    }
    end_bytes(&bytes, out);
    heed_status status = tok_text_status(&bytes);
    tok_free(bytes.data);
    return status;
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* All `what` in the text from `start` on become `with`. */
static void replace_all(tok_text *text, size_t start, const char *what, size_t size,
                        const char *with, size_t with_size)
{
    tok_text made = {0};
    size_t from = start;
    if (text->failed || !size)
        return;
    for (size_t at = start; at + size <= text->n;) {
        const char *found = memchr(text->data + at, what[0], text->n - size + 1 - at);
        if (!found)
            break;
        at = (size_t)(found - text->data);
        if (memcmp(found, what, size) != 0) {
            at++;
            continue;
        }
        tok_put(&made, text->data + from, at - from);
        tok_put(&made, with, with_size);
        from = at += size;
    }
    if (from > start) {
        tok_put(&made, text->data + from, text->n - from);
        text->n = start;
        tok_put(text, made.data, made.n);
        text->failed |= made.failed;
    }
    tok_free(made.data);
}

/* English as BERT's tokens leave it: in this order. */
static void clean_up(tok_text *text, size_t start)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    if (text->n > start && memchr(text->data + start, ' ', text->n - start))
        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
            replace_all(text, start, pairs[i][0], strlen(pairs[i][0]), pairs[i][1],
                        strlen(pairs[i][1]));
}

static heed_status run_wordpiece(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    size_t n;
    for (size_t i = 0; i < in->n; i++) {
        const char *text = piece(in, i, &n);
        size_t start = out->text.n, prefix = d->text.n;
        bool more = i && n >= prefix && (!prefix || memcmp(text, d->text.data, prefix) == 0);
        tok_put(&out->text, " ", i && !more);
        tok_put(&out->text, text + (more ? prefix : 0), n - (more ? prefix : 0));
        if (d->cleanup)
            clean_up(&out->text, start);
        decoder_piece_end(out);
    }
    return HEED_OK;
}

/* Piece i with its marks as spaces, or as nothing. */
static void put_unmarked(const decoder *d, const decoder_pieces *in, size_t i, bool shown,
                         decoder_pieces *out)
{
    size_t n, start = out->text.n;
    const char *text = piece(in, i, &n);
    tok_put(&out->text, text, n);
    replace_all(&out->text, start, d->text.data, d->text.n, " ", shown);
    decoder_piece_end(out);
}

static heed_status run_bpe(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    for (size_t i = 0; i < in->n; i++)
        put_unmarked(d, in, i, i + 1 < in->n, out);
    return HEED_OK;
}

/* Those of the first piece are nothing. */
static heed_status run_metaspace(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    for (size_t i = 0; i < in->n; i++)
        put_unmarked(d, in, i, i || d->keep_first, out);
    return HEED_OK;
}

static heed_status run_fuse(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    (void)d;
    tok_put(&out->text, in->text.data, in->text.n);
    decoder_piece_end(out);
    return HEED_OK;
}

static heed_status run_strip(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    size_t n, size = d->text.n;
    for (size_t i = 0; i < in->n; i++) {
        const char *text = piece(in, i, &n);
        size_t from = 0, to = n;
        for (size_t k = 0; k < d->start && n - from >= size; k++, from += size)
            if (memcmp(text + from, d->text.data, size) != 0)
                break;
        for (size_t k = 0; k < d->stop && to - from >= size; k++, to -= size)
            if (memcmp(text + to - size, d->text.data, size) != 0)
                break;
        tok_put(&out->text, text + from, to - from);
        decoder_piece_end(out);
    }
    return HEED_OK;
}

static heed_status run_replace(const decoder *d, const decoder_pieces *in, decoder_pieces *out)
{
    heed_status status = HEED_OK;
    size_t n, from = 0, to = 0;
    for (size_t i = 0; i < in->n && !status; i++) {
        pattern_search search;
        const char *text = piece(in, i, &n);
        size_t kept = 0;
        bool found = n > 0;
        status = pattern_begin(d->pattern, text, n, &search);
        while (found && !status && !(status = pattern_next(&search, &found, &from, &to)) && found) {
            tok_put(&out->text, text + kept, from - kept);
            tok_put(&out->text, d->text.data, d->text.n);
            kept = to;
        }
        pattern_end(&search);
        tok_put(&out->text, text + kept, n - kept);
        decoder_piece_end(out);
    }
    return status;
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef struct kind {
    const char *type;
    heed_status (*run)(const decoder *d, const decoder_pieces *in, decoder_pieces *out);
    const char *text; /* the key of decoder.text, or NULL */
    heed_status (*read)(decoder *d, const tree *t, uint32_t node); /* or NULL */
} kind;

static heed_status read_wordpiece(decoder *d, const tree *t, uint32_t node)
{
    d->cleanup = true;
    return tree_want_bool(t, node, "cleanup", &d->cleanup);
}

static heed_status read_metaspace(decoder *d, const tree *t, uint32_t node)
{
    bool prefix = true;
    heed_status status = tree_want_bool(t, node, "add_prefix_space", &prefix);
    d->keep_first = !prefix || tree_is(t, tree_get(t, node, "prepend_scheme"), "never");
    return status;
}

static heed_status read_size(const tree *t, uint32_t node, const char *key, size_t *out)
{
    int64_t value = 0;
    uint32_t found = tree_get(t, node, key);
    if (found != TREE_NONE && (!tree_int(t, found, &value) || value < 0))
        return tree_fail(t, HEED_INVALID, found, "is no number of characters");
    *out = (size_t)value;
    return HEED_OK;
}

static heed_status read_strip(decoder *d, const tree *t, uint32_t node)
{
    if (chars_count(d->text.data ? d->text.data : "", d->text.n) != 1)
        return tree_fail(t, HEED_INVALID, tree_get(t, node, "content"), "is not one character");
    heed_status status = read_size(t, node, "start", &d->start);
    return status ? status : read_size(t, node, "stop", &d->stop);
}

static heed_status read_replace(decoder *d, const tree *t, uint32_t node)
{
    return pattern_read(t, node, &d->pattern);
}

static const kind kinds[] = {
    {"ByteLevel", run_byte_level, NULL, NULL},
    {"ByteFallback", run_byte_fallback, NULL, NULL},
    {"Fuse", run_fuse, NULL, NULL},
    {"WordPiece", run_wordpiece, "prefix", read_wordpiece},
    {"BPEDecoder", run_bpe, "suffix", NULL},
    {"Metaspace", run_metaspace, "replacement", read_metaspace},
    {"Strip", run_strip, "content", read_strip},
    {"Replace", run_replace, "content", read_replace},
};

static heed_status read_kind(decoders *all, const tree *t, uint32_t node, const kind *k)
{
    heed_status status = HEED_OK;
    const char *text;
    size_t n;
    if (all->n >= DECODERS_MAX)
        return tree_fail(t, HEED_UNSUPPORTED, node, "more than %d decoders", DECODERS_MAX);
    decoder *d = &all->items[all->n++];
    d->run = k->run;
    if (k->text) {
        status = tree_want_text(t, node, k->text, &text, &n);
        if (status)
            return status;
        tok_put(&d->text, text, n);
        status = tok_text_status(&d->text);
    }
    return status || !k->read ? status : k->read(d, t, node);
}

static heed_status read_sequence(decoders *d, const tree *t, uint32_t node)
{
    uint32_t list;
    heed_status status = tree_want_list(t, node, "decoders", &list);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        status = decoders_read(d, t, i);
    return status;
}

heed_status decoders_read(decoders *d, const tree *t, uint32_t node)
{
    uint32_t type = tree_get(t, node, "type");
    if (tree_kind_of(t, node) == TREE_NULL) {
        d->none = true;
        return HEED_OK;
    }
    if (tree_is(t, type, "Sequence"))
        return read_sequence(d, t, node);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tree_is(t, type, kinds[i].type))
            return read_kind(d, t, node, &kinds[i]);
    return tree_fail_type(t, node, "decoder");
}

void decoders_free(decoders *d)
{
    for (size_t i = 0; i < d->n; i++) {
        pattern_free(d->items[i].pattern);
        tok_free(d->items[i].text.data);
    }
}

/* ---- Running -------------------------------------------------------------------------------- */

static heed_status join(const decoder_pieces *in, decoder_pieces *out)
{
    size_t n;
    for (size_t i = 0; i < in->n; i++) {
        const char *text = piece(in, i, &n);
        tok_put(&out->text, " ", i > 0);
        tok_put(&out->text, text, n);
    }
    return HEED_OK;
}

heed_status decoders_run(const decoders *d, decoder_pieces *a, decoder_pieces *b,
                         decoder_pieces **out)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < d->n + d->none && !status && a->n; i++) {
        b->n = b->text.n = 0;
        status = i < d->n ? d->items[i].run(&d->items[i], a, b) : join(a, b);
        if (!status && (b->failed || b->text.failed))
            status = tok_no_memory();
        decoder_pieces *swap = a;
        a = b;
        b = swap;
    }
    *out = a;
    if (!status && (a->failed || a->text.failed))
        status = tok_no_memory();
    return status;
}
