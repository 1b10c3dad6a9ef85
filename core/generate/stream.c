/* stream.c - a window over the last tokens, decoded again with each new one.
 *
 * Decoding is nearly local: what a token's text is depends on the tokens before it by a space at
 * most, and by the bytes of a character that began there. So the text of a window, which begins
 * where a character does, differs from that of all tokens at its beginning only, and what a new
 * token adds at its end is the same. The window slides on when it has become long. */
#include "generate/stream.h"

#include <string.h>

#include "generate/stops.h"

enum {
    WINDOW = 64, /* most tokens; more without a complete character among them are taken as given */
    LONG = 16,   /* then the window slides on ... */
    KEEP = 6     /* ... until about that many are left */
};

typedef struct text_buffer {
    char *bytes;
    size_t n, capacity;
} text_buffer;

struct stream {
    stream_options options; /* without stops */
    stops *stops;
    int32_t tokens[WINDOW];
    bool whole[WINDOW + 1]; /* before token i no character was incomplete */
    size_t n;
    size_t given;     /* bytes of the window's text that went on */
    text_buffer text; /* of the window */
    text_buffer scan; /* went on, but may be the beginning of a stop */
    text_buffer out;
    bool taken, stopped; /* taken: the caller has seen `out` */
};

/* ---- Buffers --------------------------------------------------------------------------------- */

/* Room for `more` bytes, and a NUL. */
static heed_status reserve(text_buffer *b, size_t more)
{
    size_t needed;
    if (!size_add(b->n, more, &needed) || !size_add(needed, 1, &needed))
        return err_nomem(UINT64_MAX);
    if (needed <= b->capacity)
        return HEED_OK;
    size_t capacity = needed < 128 ? 128 : needed + needed / 2;
    char *bytes = mem_resize(b->bytes, b->capacity, capacity);
    if (!bytes)
        return HEED_NOMEM;
    b->bytes = bytes;
    b->capacity = capacity;
    return HEED_OK;
}

/* There is room. */
static void append(text_buffer *b, const char *bytes, size_t n)
{
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
    b->bytes[b->n] = '\0';
}

static void drop_front(text_buffer *b, size_t n)
{
    b->n -= n;
    memmove(b->bytes, b->bytes + n, b->n);
}

static heed_status copy(const text_buffer *from, text_buffer *to)
{
    TRY(reserve(to, from->n));
    if (from->n > 0)
        append(to, from->bytes, from->n);
    return HEED_OK;
}

/* ---- Decoding -------------------------------------------------------------------------------- */

static heed_status decode(stream *s, const int32_t *tokens, size_t n)
{
    const stream_options *o = &s->options;
    size_t bytes = 0;
    s->text.n = 0;
    TRY(reserve(&s->text, 0));
    TRY(o->decode(o->tokenizer, tokens, n, o->flags, s->text.bytes, s->text.capacity, &bytes));
    if (bytes > s->text.capacity) {
        TRY(reserve(&s->text, bytes));
        TRY(o->decode(o->tokenizer, tokens, n, o->flags, s->text.bytes, s->text.capacity, &bytes));
    }
    s->text.n = bytes;
    return HEED_OK;
}

static bool is_replacement(const char *text) { return memcmp(text, "\xEF\xBF\xBD", 3) == 0; }

/* The text without the U+FFFD at its end: they may become characters. */
static size_t complete_bytes(const text_buffer *text)
{
    size_t n = text->n;
    while (n >= 3 && is_replacement(text->bytes + n - 3))
        n -= 3;
    return n;
}

/* The next place where a character begins. */
static size_t align(const text_buffer *text, size_t at)
{
    while (at < text->n && ((unsigned char)text->bytes[at] & 0xC0) == 0x80)
        at++;
    return at;
}

/* ---- What is given --------------------------------------------------------------------------- */

/* The window's text up to `end` goes on, and out, but for what may be a stop. */
static heed_status pass_on(stream *s, size_t end)
{
    size_t begin = align(&s->text, s->given);
    if (end <= begin || s->stopped)
        return HEED_OK;
    size_t n = end - begin, before = s->scan.n;
    TRY(reserve(&s->scan, n));
    TRY(reserve(&s->out, before + n));
    append(&s->scan, s->text.bytes + begin, n);
    size_t ready = stops_find(s->stops, s->scan.bytes, before, s->scan.n);
    s->stopped = ready < s->scan.n;
    if (!s->stopped)
        ready -= stops_may_begin(s->stops, s->scan.bytes, s->scan.n);
    append(&s->out, s->scan.bytes, ready);
    drop_front(&s->scan, s->stopped ? s->scan.n : ready);
    s->given = end;
    return HEED_OK;
}

/* What the caller has seen goes. */
static heed_status begin_call(stream *s)
{
    TRY(reserve(&s->out, 0));
    if (s->taken)
        s->out.n = 0;
    s->taken = false;
    return HEED_OK;
}

static void end_call(stream *s, stream_text *out)
{
    s->out.bytes[s->out.n] = '\0';
    *out = (stream_text){.text = s->out.bytes, .bytes = s->out.n, .stopped = s->stopped};
    s->taken = true;
}

/* ---- The window ------------------------------------------------------------------------------ */

/* The last place up to `at` where the window may begin. When it is full it may begin anywhere. */
static size_t whole_place(const stream *s, size_t at)
{
    size_t i = at;
    while (i > 0 && !s->whole[i])
        i--;
    return i == 0 && s->n == WINDOW ? at : i;
}

static void keep_from(stream *s, size_t first)
{
    s->n -= first;
    memmove(s->tokens, s->tokens + first, s->n * sizeof(*s->tokens));
    memmove(s->whole, s->whole + first, (s->n + 1) * sizeof(*s->whole));
    s->given = s->text.n;
}

/* Leaves the first tokens of the window. Those that stay must have some text: without it the next
 * token would be taken for the first of all, which has no space before it. */
static heed_status slide(stream *s)
{
    for (size_t keep = KEEP; keep < s->n && s->whole[s->n]; keep *= 2) {
        size_t first = whole_place(s, s->n - keep);
        if (first == 0)
            return HEED_OK;
        TRY(decode(s, s->tokens + first, s->n - first));
        if (s->text.n > 0) {
            keep_from(s, first);
            return HEED_OK;
        }
    }
    if (s->n < WINDOW)
        return HEED_OK;
    TRY(decode(s, s->tokens, WINDOW / 2)); /* the others have no text */
    s->n = WINDOW / 2;
    s->whole[s->n] = true;
    s->given = s->text.n;
    return HEED_OK;
}

static heed_status add(stream *s, int32_t token)
{
    if (s->n >= LONG)
        TRY(slide(s));
    s->tokens[s->n] = token;
    TRY(decode(s, s->tokens, s->n + 1));
    size_t end = s->n + 1 < WINDOW ? complete_bytes(&s->text) : s->text.n;
    TRY(pass_on(s, end));
    s->whole[++s->n] = end == s->text.n;
    return HEED_OK;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

heed_status stream_push(stream *s, const int32_t *tokens, size_t n, stream_text *out)
{
    TRY(begin_call(s));
    for (size_t i = 0; i < n && !s->stopped; i++)
        TRY(add(s, tokens[i]));
    end_call(s, out);
    return HEED_OK;
}

heed_status stream_end(stream *s, stream_text *out)
{
    TRY(begin_call(s));
    TRY(decode(s, s->tokens, s->n));
    TRY(pass_on(s, s->text.n));
    TRY(reserve(&s->out, s->scan.n));
    if (s->scan.n > 0)
        append(&s->out, s->scan.bytes, s->scan.n);
    s->scan.n = 0;
    end_call(s, out);
    return HEED_OK;
}

/* The window begins with token `first`; *whole: it has some text, and begins where a character
 * does.
 */
static heed_status begin_at(stream *s, const int32_t *tokens, size_t n, size_t first, bool *whole)
{
    TRY(decode(s, tokens + first, n - first));
    *whole = s->text.n > 0 && !(s->text.n >= 3 && is_replacement(s->text.bytes));
    s->n = n - first;
    memcpy(s->tokens, tokens + first, s->n * sizeof(*tokens));
    return HEED_OK;
}

/* The last tokens, as many as a window should have at first. A character has at most four bytes, so
 * one of four places is where one begins. */
static heed_status look_back(stream *s, const int32_t *tokens, size_t n)
{
    bool whole = false;
    for (size_t keep = KEEP; !whole && keep <= WINDOW / 2; keep *= 2)
        for (size_t more = 0; !whole && more < 4; more++) {
            size_t first = n > keep + more ? n - keep - more : 0;
            TRY(begin_at(s, tokens, n, first, &whole));
            if (first == 0)
                return HEED_OK;
        }
    return HEED_OK;
}

static heed_status give_all(stream *s, const int32_t *tokens, size_t n)
{
    TRY(decode(s, tokens, n));
    size_t bytes = complete_bytes(&s->text);
    TRY(reserve(&s->out, bytes));
    append(&s->out, s->text.bytes, bytes);
    return HEED_OK;
}

heed_status stream_begin(stream *s, const int32_t *tokens, size_t n, bool echo)
{
    if (n == 0)
        return HEED_OK;
    if (echo)
        TRY(give_all(s, tokens, n));
    TRY(look_back(s, tokens, n));
    memset(s->whole, 0, sizeof(s->whole));
    s->given = complete_bytes(&s->text);
    s->whole[0] = true;
    s->whole[s->n] = s->given == s->text.n;
    return HEED_OK;
}

heed_status stream_new(const stream_options *options, stream **out)
{
    stops *ends;
    *out = NULL;
    TRY(stops_new(options->stops, options->n_stops, &ends));
    stream *s = mem_zero(sizeof(*s));
    if (!s) {
        stops_drop(ends);
        return HEED_NOMEM;
    }
    s->options = *options;
    s->options.stops = NULL;
    s->options.n_stops = 0;
    s->stops = ends;
    s->whole[0] = true;
    *out = s;
    return HEED_OK;
}

/* Everything but options and buffers. */
static void copy_window(const stream *from, stream *to)
{
    memcpy(to->tokens, from->tokens, sizeof(to->tokens));
    memcpy(to->whole, from->whole, sizeof(to->whole));
    to->n = from->n;
    to->given = from->given;
    to->taken = from->taken;
    to->stopped = from->stopped;
}

heed_status stream_fork(const stream *s, const stream_options *options, stream **out)
{
    stream *fork;
    *out = NULL;
    TRY(stream_new(options ? options : &s->options, &fork));
    if (!options)
        fork->stops = stops_hold(s->stops);
    copy_window(s, fork);
    heed_status status = copy(&s->scan, &fork->scan);
    if (!status && !s->taken)
        status = copy(&s->out, &fork->out);
    if (status) {
        stream_free(fork);
        return status;
    }
    *out = fork;
    return HEED_OK;
}

void stream_free(stream *s)
{
    if (!s)
        return;
    stops_drop(s->stops);
    mem_free(s->text.bytes);
    mem_free(s->scan.bytes);
    mem_free(s->out.bytes);
    mem_free(s);
}
