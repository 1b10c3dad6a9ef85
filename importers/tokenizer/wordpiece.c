/* wordpiece.c - the longest piece first. The hashes of all beginnings of the rest of a word come
 * from one walk over it, so a word costs the square of its length in look-ups, not its cube. */
#include "wordpiece.h"

#include <string.h>

#include "chars.h"

enum { LONGEST = 100, ENCODED_MAX = 4 };

static heed_status unknown(const wordpiece *p, tok_ids *out)
{
    if (p->unk_id < 0)
        return tok_host->fail(HEED_INVALID,
                              "a word is unknown, and the vocabulary has no \"%.*s\" for it",
                              p->unk.n > 40 ? 40 : (int)p->unk.n, p->unk.n ? p->unk.data : "");
    tok_push(out, p->unk_id);
    return HEED_OK;
}

/* The longest piece that the rest begins with: its id, and its end in *size. `text` has the prefix
 * before it, which counts for the hash, and `skip` is its size. */
static int32_t longest(const wordpiece *p, const char *text, size_t skip, size_t n, size_t *size)
{
    uint64_t hashes[ENCODED_MAX * WORDPIECE_LONGEST + 1];
    uint64_t hash = p->words->seed;
    for (size_t i = 0; i < skip; i++)
        hash = words_hash_add(hash, text[i]);
    hashes[0] = hash;
    for (size_t i = 0; i < n; i++)
        hashes[i + 1] = words_hash_add(hashes[i], text[skip + i]);
    for (*size = n; *size; *size = chars_before(text + skip, *size)) {
        int32_t id = words_find_hashed(p->words, hashes[*size], text, skip + *size, WORD_MODEL);
        if (id >= 0)
            return id;
    }
    return -1;
}

static heed_status pieces(const wordpiece *p, const char *text, size_t n, tok_text *room,
                          tok_ids *out)
{
    size_t first = out->n, size;
    for (size_t at = 0; at < n; at += size) {
        room->n = 0;
        tok_put(room, p->prefix.data, at ? p->prefix.n : 0);
        tok_put(room, text + at, n - at);
        if (room->failed)
            return tok_no_memory();
        int32_t id = longest(p, room->data, room->n - (n - at), n - at, &size);
        if (id < 0) {
            out->n = first;
            return unknown(p, out);
        }
        tok_push(out, id);
    }
    return HEED_OK;
}

heed_status wordpiece_encode(const wordpiece *p, tok_text *room, const char *text, size_t n,
                             tok_ids *out)
{
    if (p->whole) {
        int32_t id = words_find(p->words, text, n, WORD_MODEL);
        if (id < 0)
            return unknown(p, out);
        tok_push(out, id);
        return HEED_OK;
    }
    if (chars_count(text, n) > p->longest)
        return unknown(p, out);
    return pieces(p, text, n, room, out);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static heed_status read_text(const tree *t, uint32_t model, const char *key, const char *otherwise,
                             tok_text *out)
{
    size_t n = strlen(otherwise);
    const char *text = otherwise;
    if (tree_get(t, model, key) != TREE_NONE) {
        heed_status status = tree_want_text(t, model, key, &text, &n);
        if (status)
            return status;
    }
    tok_put(out, text, n);
    return tok_text_status(out);
}

heed_status wordpiece_read(wordpiece *p, const words *w, const tree *t, uint32_t model)
{
    int64_t most = LONGEST;
    uint32_t node = tree_get(t, model, "max_input_chars_per_word");
    *p = (wordpiece){.words = w, .unk_id = -1};
    if (node != TREE_NONE && (!tree_int(t, node, &most) || most < 0))
        return tree_fail(t, HEED_INVALID, node, "is no number of characters");
    if (most > WORDPIECE_LONGEST)
        return tree_fail(t, HEED_UNSUPPORTED, node, "is more than %d", WORDPIECE_LONGEST);
    p->longest = (size_t)most;
    heed_status status = read_text(t, model, "unk_token", "[UNK]", &p->unk);
    if (!status)
        status = read_text(t, model, "continuing_subword_prefix", "##", &p->prefix);
    if (!status)
        p->unk_id = words_find(w, p->unk.data, p->unk.n, WORD_MODEL);
    return status;
}

heed_status wordlevel_read(wordpiece *p, const words *w, const tree *t, uint32_t model)
{
    *p = (wordpiece){.words = w, .unk_id = -1, .whole = true};
    heed_status status = read_text(t, model, "unk_token", "<unk>", &p->unk);
    if (!status)
        p->unk_id = words_find(w, p->unk.data, p->unk.n, WORD_MODEL);
    return status;
}

void wordpiece_free(wordpiece *p)
{
    tok_free(p->prefix.data);
    tok_free(p->unk.data);
}
