/* run.c - encoding and decoding: a text through all parts of a tokenizer, and tokens back. */
#include <string.h>

#include "chars.h"
#include "vocabulary.h"

/* ---- Encoding ------------------------------------------------------------------------------- */

/* One call: what it works in, and what it found. */
typedef struct encoding {
    const heed_vocabulary *v;
    tok_ids ids;
    normalize_room normal;
    stage_flow flow;
    bpe_room bpe;
    tok_text piece;
} encoding;

static heed_status encode_word(void *to, const char *text, size_t n)
{
    encoding *e = to;
    if (e->v->model == MODEL_BPE)
        return bpe_encode(&e->v->bpe, &e->bpe, text, n, &e->ids);
    return wordpiece_encode(&e->v->pieces, &e->piece, text, n, &e->ids);
}

typedef heed_status part_fn(encoding *e, const char *text, size_t n, bool first);

/* Added tokens of a text, and what lies between them. */
static heed_status around(encoding *e, const added_tree *among, const char *text, size_t n,
                          bool first, part_fn *between)
{
    heed_status status = HEED_OK;
    added_match match;
    size_t at = 0, done = 0;
    while (!status && added_next(&e->v->added, among, text, n, &at, done, &match)) {
        if (done < match.from)
            status = between(e, text + done, match.from - done, first && done == 0);
        tok_push(&e->ids, match.id);
        done = match.to;
    }
    if (status || done >= n)
        return status;
    return between(e, text + done, n - done, first && done == 0);
}

static heed_status split(encoding *e, const char *text, size_t n, bool first)
{
    return stages_run(&e->flow, text, n, first);
}

static heed_status normalize(encoding *e, const char *text, size_t n, bool first)
{
    heed_status status = normalize_run(&e->v->normalizer, &e->normal, text, n, &text, &n, &first);
    return status ? status : around(e, &e->v->added.normalized, text, n, first, split);
}

static heed_status encode(encoding *e, const char *text, size_t n, uint32_t flags)
{
    size_t valid = chars_valid(text, n);
    if (valid < n)
        return tok_host->fail(HEED_INVALID, "the text is not UTF-8, at byte %zu", valid);
    heed_status status = around(e, &e->v->added.plain, text, n, true, normalize);
    if (!status && e->ids.failed)
        status = tok_no_memory();
    return status ? status : frame_run(&e->v->frame, flags & HEED_ENCODE_PLAIN, &e->ids);
}

heed_status vocabulary_encode(const heed_vocabulary *v, const char *text, uint64_t bytes,
                              uint32_t flags, int32_t *tokens, uint64_t capacity, uint64_t *needed)
{
    encoding *e = tok_zeroed(1, sizeof *e);
    *needed = 0;
    if (!e)
        return tok_no_memory();
    e->v = v;
    e->flow = (stage_flow){.stages = &v->stages, .give = encode_word, .to = e};
    heed_status status = encode(e, bytes ? text : "", bytes, flags);
    if (!status) {
        size_t n = e->ids.n < capacity ? e->ids.n : capacity;
        *needed = e->ids.n;
        if (n)
            memcpy(tokens, e->ids.data, n * sizeof *tokens);
    }
    normalize_room_free(&e->normal);
    stages_flow_free(&e->flow);
    bpe_room_free(&e->bpe);
    tok_free(e->piece.data);
    tok_free(e->ids.data);
    tok_free(e);
    return status;
}

/* ---- Decoding ------------------------------------------------------------------------------- */

static heed_status spell(const heed_vocabulary *v, const int32_t *tokens, size_t n, uint32_t flags,
                         decoder_pieces *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t size;
        const char *text = words_shown(&v->words, tokens[i], &size);
        if (!text)
            return tok_host->fail(HEED_INVALID,
                                  "token %d, number %zu of the list, is none of the "
                                  "tokenizer's",
                                  tokens[i], i);
        if (v->words.by_id[tokens[i]].flags & WORD_SPECIAL && !(flags & HEED_DECODE_SPECIAL))
            continue;
        tok_put(&out->text, text, size);
        decoder_piece_end(out);
    }
    return out->failed ? tok_no_memory() : tok_text_status(&out->text);
}

static void pieces_free(decoder_pieces *p)
{
    tok_free(p->text.data);
    tok_free(p->ends);
}

heed_status vocabulary_decode(const heed_vocabulary *v, const int32_t *tokens, uint64_t n,
                              uint32_t flags, char *text, uint64_t capacity, uint64_t *needed)
{
    decoder_pieces a = {0}, b = {0}, *out = &a;
    *needed = 0;
    heed_status status = spell(v, tokens, n, flags, &a);
    if (!status)
        status = decoders_run(&v->decoders, &a, &b, &out);
    if (!status) {
        size_t size = out->text.n < capacity ? out->text.n : capacity;
        *needed = out->text.n;
        if (size)
            memcpy(text, out->text.data, size);
    }
    pieces_free(&a);
    pieces_free(&b);
    return status;
}
