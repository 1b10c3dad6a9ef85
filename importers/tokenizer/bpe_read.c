/* bpe_read.c - "model" of type BPE: its options, and its merges as a table by pair. */
#include <stdio.h>
#include <string.h>

#include "bpe_table.h"
#include "chars.h"

/* ---- Options -------------------------------------------------------------------------------- */

/* A text or null. */
static heed_status read_text(const tree *t, uint32_t model, const char *key, tok_text *out)
{
    size_t n;
    uint32_t node = tree_get(t, model, key);
    const char *text = tree_text(t, node, &n);
    if (!text && tree_kind_of(t, node) != TREE_NULL)
        return tree_fail(t, HEED_INVALID, node, "is no text");
    tok_put(out, text, text ? n : 0);
    return tok_text_status(out);
}

static heed_status read_options(bpe *b, const tree *t, uint32_t model)
{
    heed_status status = read_text(t, model, "continuing_subword_prefix", &b->prefix);
    if (!status)
        status = read_text(t, model, "end_of_word_suffix", &b->suffix);
    if (!status)
        status = read_text(t, model, "unk_token", &b->unk);
    if (!status)
        status = tree_want_bool(t, model, "fuse_unk", &b->fuse_unk);
    if (!status)
        status = tree_want_bool(t, model, "byte_fallback", &b->byte_fallback);
    if (!status)
        status = tree_want_bool(t, model, "ignore_merges", &b->ignore_merges);
    b->unk_id = BPE_NONE;
    if (tree_kind_of(t, tree_get(t, model, "unk_token")) == TREE_TEXT) {
        int32_t id = words_find(b->words, b->unk.data, b->unk.n, WORD_MODEL);
        b->unk_id = id < 0 ? BPE_LOST : id;
    }
    return status;
}

static void read_direct(bpe *b)
{
    char text[8];
    for (uint32_t i = 0; i < 256; i++) {
        snprintf(text, sizeof text, "<0x%02X>", i);
        b->bytes[i] = b->byte_fallback ? words_find(b->words, text, 6, WORD_MODEL) : BPE_NONE;
    }
    for (uint32_t c = 0; c < BPE_DIRECT; c++)
        b->direct[c] = words_find(b->words, text, chars_encode(c, text), WORD_MODEL);
}

/* ---- Merges --------------------------------------------------------------------------------- */

/* The two halves of a merge: ["a", "b"] or "a b". */
static heed_status halves(const tree *t, uint32_t merge, const char *text[2], size_t size[2])
{
    if (tree_kind_of(t, merge) == TREE_LIST) {
        uint32_t first = tree_first(t, merge), second = tree_next(t, first);
        text[0] = tree_text(t, first, &size[0]);
        text[1] = tree_text(t, second, &size[1]);
        if (!text[0] || !text[1] || tree_next(t, second) != TREE_NONE)
            return tree_fail(t, HEED_INVALID, merge, "is no pair of texts");
        return HEED_OK;
    }
    size_t n;
    text[0] = tree_text(t, merge, &n);
    text[1] = text[0] && n ? memchr(text[0], ' ', n) : NULL;
    if (!text[1])
        return tree_fail(t, HEED_INVALID, merge, "is no pair of texts");
    size[0] = (size_t)(text[1]++ - text[0]);
    size[1] = n - size[0] - 1;
    if (size[1] && memchr(text[1], ' ', size[1]))
        return tree_fail(t, HEED_INVALID, merge, "is more than a pair of texts");
    return HEED_OK;
}

/* The id of what comes of a merge: the right half without the prefix of words that continue. */
static int32_t merged(const bpe *b, tok_text *scratch, const char *text[2], const size_t size[2])
{
    size_t skip = b->prefix.n;
    if (size[1] < skip)
        return -1;
    scratch->n = 0;
    tok_put(scratch, text[0], size[0]);
    tok_put(scratch, text[1] + skip, size[1] - skip);
    return scratch->failed ? -1 : words_find(b->words, scratch->data, scratch->n, WORD_MODEL);
}

static heed_status read_merge(bpe *b, const tree *t, uint32_t node, uint32_t rank,
                              tok_text *scratch)
{
    const char *text[2];
    size_t size[2];
    heed_status status = halves(t, node, text, size);
    if (status)
        return status;
    int32_t left = words_find(b->words, text[0], size[0], WORD_MODEL);
    int32_t right = words_find(b->words, text[1], size[1], WORD_MODEL);
    int32_t made = left < 0 || right < 0 ? -1 : merged(b, scratch, text, size);
    if (scratch->failed)
        return tok_no_memory();
    if (made < 0)
        return tree_fail(t, HEED_INVALID, node, "%s is not in the vocabulary",
                         left < 0    ? "its left half"
                         : right < 0 ? "its right half"
                                     : "what it makes");
    bpe_merge *m = bpe_slot(b, (uint32_t)left, (uint32_t)right);
    *m = (bpe_merge){(uint32_t)left, (uint32_t)right, rank, made + 1}; /* the last one counts */
    return HEED_OK;
}

/* "#version: 0.2" is a line of merges.txt that some files kept. */
static bool is_comment(const tree *t, uint32_t node)
{
    size_t n;
    const char *text = tree_text(t, node, &n);
    return text && n >= 8 && memcmp(text, "#version", 8) == 0;
}

static heed_status read_merges(bpe *b, const tree *t, uint32_t list)
{
    heed_status status = HEED_OK;
    tok_text scratch = {0};
    uint32_t rank = 0, n = 0, i;
    for (i = tree_first(t, list); i != TREE_NONE; i = tree_next(t, i))
        n++;
    for (b->n_slots = 16; b->n_slots < (size_t)n * 2; b->n_slots *= 2)
        ;
    b->merges = tok_zeroed(b->n_slots, sizeof *b->merges);
    if (!b->merges)
        return tok_no_memory();
    for (i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        if (!is_comment(t, i))
            status = read_merge(b, t, i, rank++, &scratch);
    tok_free(scratch.data);
    return status;
}

heed_status bpe_read(bpe *b, const words *w, const tree *t, uint32_t model)
{
    uint32_t list;
    *b = (bpe){.words = w, .seed = w->seed};
    heed_status status = read_options(b, t, model);
    if (!status)
        status = tree_want_list(t, model, "merges", &list);
    if (!status)
        status = read_merges(b, t, list);
    if (!status)
        read_direct(b);
    return status;
}

void bpe_free(bpe *b)
{
    tok_free(b->merges);
    tok_free(b->prefix.data);
    tok_free(b->suffix.data);
    tok_free(b->unk.data);
}
