/* bpe.c - merging the pairs of a word, the lowest rank first, from left to right.
 *
 * A short word keeps the rank of each pair in an array and looks through it for the lowest. A long
 * one (a line without spaces, Chinese) has a heap of pairs, so that time stays n log n. */
#include <string.h>

#include "bpe_table.h"
#include "chars.h"

enum { SHORT_WORD = 48 };

/* ---- Characters to symbols ------------------------------------------------------------------ */

typedef struct symbol {
    int32_t id;
    uint32_t previous, next; /* of long words; NOWHERE */
    bool gone;
} symbol;
#define NOWHERE UINT32_MAX

typedef struct start {
    const bpe *b;
    tok_text *spelled;
    symbol *symbols;
    size_t n;
    int32_t unknown; /* one that is yet to be added, or BPE_NONE */
} start;

static void add(start *s, int32_t id) { s->symbols[s->n++].id = id; }

static void flush(start *s)
{
    if (s->unknown != BPE_NONE)
        add(s, s->unknown);
    s->unknown = BPE_NONE;
}

/* All bytes of a spelling as tokens <0x..>, if all are there. */
static bool fall_back(start *s, const char *text, size_t n)
{
    const bpe *b = s->b;
    bool all = b->byte_fallback;
    for (size_t i = 0; i < n && all; i++)
        all = b->bytes[(uint8_t)text[i]] != BPE_NONE;
    for (size_t i = 0; i < n && all; i++)
        add(s, b->bytes[(uint8_t)text[i]]);
    return all;
}

static heed_status add_unknown(start *s)
{
    const bpe *b = s->b;
    if (b->unk_id == BPE_LOST)
        return tok_host->fail(HEED_INVALID,
                              "the tokenizer's token for what is unknown, \"%.*s\", "
                              "is not in its vocabulary",
                              b->unk.n > 40 ? 40 : (int)b->unk.n, b->unk.n ? b->unk.data : "");
    if (!b->fuse_unk)
        flush(s);
    s->unknown = b->unk_id;
    return HEED_OK;
}

/* One character, spelled with what the vocabulary puts around it. */
static heed_status add_spelled(start *s, const char *text, size_t n)
{
    int32_t id = words_find(s->b->words, text, n, WORD_MODEL);
    if (id >= 0) {
        flush(s);
        add(s, id);
        return HEED_OK;
    }
    return fall_back(s, text, n) ? HEED_OK : add_unknown(s);
}

static heed_status add_decorated(start *s, const char *text, size_t n, bool first, bool last)
{
    tok_text *spelled = s->spelled;
    spelled->n = 0;
    tok_put(spelled, s->b->prefix.data, first ? 0 : s->b->prefix.n);
    tok_put(spelled, text, n);
    tok_put(spelled, s->b->suffix.data, last ? s->b->suffix.n : 0);
    if (spelled->failed)
        return tok_no_memory();
    return add_spelled(s, spelled->data, spelled->n);
}

static heed_status add_all(start *s, const char *text, size_t n)
{
    const bpe *b = s->b;
    heed_status status = HEED_OK;
    for (size_t at = 0; at < n && !status;) {
        size_t from = at;
        uint32_t c = chars_next(text, &at);
        bool plain = (from == 0 || !b->prefix.n) && (at < n || !b->suffix.n);
        if (!plain) {
            status = add_decorated(s, text + from, at - from, from == 0, at == n);
        } else if (c < BPE_DIRECT && b->direct[c] >= 0) {
            flush(s);
            add(s, b->direct[c]);
        } else {
            status = add_spelled(s, text + from, at - from);
        }
    }
    flush(s);
    return status;
}

/* ---- Merging short words -------------------------------------------------------------------- */

typedef struct pair {
    uint32_t rank; /* UINT32_MAX: not to be merged */
    int32_t made;
} pair;

static pair pair_of(const bpe *b, int32_t left, int32_t right)
{
    const bpe_merge *m = bpe_slot(b, (uint32_t)left, (uint32_t)right);
    return m->made ? (pair){m->rank, m->made - 1} : (pair){UINT32_MAX, 0};
}

static void merge_short(const bpe *b, const symbol *symbols, size_t n, tok_ids *out)
{
    int32_t ids[SHORT_WORD];
    pair pairs[SHORT_WORD]; /* of i and i + 1 */
    for (size_t i = 0; i < n; i++)
        ids[i] = symbols[i].id;
    for (size_t i = 0; i + 1 < n; i++)
        pairs[i] = pair_of(b, ids[i], ids[i + 1]);
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            best = pairs[i].rank < pairs[best].rank ? i : best;
        if (n < 2 || pairs[best].rank == UINT32_MAX)
            break;
        ids[best] = pairs[best].made;
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        memmove(pairs + best, pairs + best + 1, (n - best - 1) * sizeof *pairs);
        if (best + 1 < n)
            pairs[best] = pair_of(b, ids[best], ids[best + 1]);
        if (best)
            pairs[best - 1] = pair_of(b, ids[best - 1], ids[best]);
    }
    for (size_t i = 0; i < n; i++)
        tok_push(out, ids[i]);
}

/* ---- Merging long words --------------------------------------------------------------------- */

typedef struct candidate {
    uint64_t order; /* rank, then place */
    int32_t made;
} candidate;

typedef struct heap {
    candidate *items;
    size_t n;
} heap;

static void heap_push(heap *h, candidate c)
{
    size_t i = h->n++;
    for (; i && h->items[(i - 1) / 2].order > c.order; i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = c;
}

static candidate heap_pop(heap *h)
{
    candidate top = h->items[0], last = h->items[--h->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < h->n) {
        child += child + 1 < h->n && h->items[child + 1].order < h->items[child].order;
        if (h->items[child].order >= last.order)
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return top;
}

static void consider(const bpe *b, heap *h, const symbol *symbols, size_t i)
{
    size_t next = symbols[i].next;
    if (next == NOWHERE)
        return;
    pair p = pair_of(b, symbols[i].id, symbols[next].id);
    if (p.rank != UINT32_MAX)
        heap_push(h, (candidate){(uint64_t)p.rank << 32 | i, p.made});
}

/* An entry is old when its pair has changed since. */
static bool is_old(const bpe *b, const symbol *symbols, size_t i, int32_t made)
{
    if (symbols[i].gone || symbols[i].next == NOWHERE)
        return true;
    pair p = pair_of(b, symbols[i].id, symbols[symbols[i].next].id);
    return p.rank == UINT32_MAX || p.made != made;
}

static void merge_long(const bpe *b, symbol *symbols, size_t n, heap *h, tok_ids *out)
{
    for (size_t i = 0; i < n; i++) {
        symbols[i].previous = i ? (uint32_t)(i - 1) : NOWHERE;
        symbols[i].next = i + 1 < n ? (uint32_t)(i + 1) : NOWHERE;
        symbols[i].gone = false;
    }
    for (size_t i = 0; i < n; i++)
        consider(b, h, symbols, i);
    while (h->n) {
        candidate c = heap_pop(h);
        size_t i = (uint32_t)c.order;
        if (is_old(b, symbols, i, c.made))
            continue;
        symbol *right = &symbols[symbols[i].next];
        symbols[i].id = c.made;
        symbols[i].next = right->next;
        right->gone = true;
        if (right->next != NOWHERE)
            symbols[right->next].previous = (uint32_t)i;
        if (symbols[i].previous != NOWHERE)
            consider(b, h, symbols, symbols[i].previous);
        consider(b, h, symbols, i);
    }
    for (size_t i = 0; i < n; i++)
        if (!symbols[i].gone)
            tok_push(out, symbols[i].id);
}

/* ---- The whole ------------------------------------------------------------------------------ */

/* At most one symbol a byte, and what the prefix and suffix add when they fall back to bytes; at
 * most one entry of the heap a pair, and two a merge. */
static bool make_room(const bpe *b, bpe_room *room, size_t n)
{
    size_t most = n + 1 + (b->byte_fallback ? b->prefix.n * n + b->suffix.n : 0);
    void *symbols =
        most < UINT32_MAX ? tok_grow(room->symbols, &room->n_symbols, most, sizeof(symbol)) : NULL;
    if (!symbols)
        return false;
    room->symbols = symbols;
    if (most <= SHORT_WORD)
        return true;
    void *grown = tok_grow(room->heap, &room->n_heap, 3 * most, sizeof(candidate));
    if (grown)
        room->heap = grown;
    return grown != NULL;
}

heed_status bpe_encode(const bpe *b, bpe_room *room, const char *text, size_t n, tok_ids *out)
{
    if (b->ignore_merges) {
        int32_t id = words_find(b->words, text, n, WORD_MODEL);
        if (id >= 0) {
            tok_push(out, id);
            return HEED_OK;
        }
    }
    if (!make_room(b, room, n))
        return tok_no_memory();
    start s = {.b = b, .spelled = &room->spelled, .symbols = room->symbols, .unknown = BPE_NONE};
    heed_status status = add_all(&s, text, n);
    if (status)
        return status;
    if (s.n <= SHORT_WORD) {
        merge_short(b, s.symbols, s.n, out);
    } else {
        heap h = {.items = room->heap};
        merge_long(b, s.symbols, s.n, &h, out);
    }
    return HEED_OK;
}

void bpe_room_free(bpe_room *room)
{
    tok_free(room->symbols);
    tok_free(room->heap);
    tok_free(room->spelled.data);
}
