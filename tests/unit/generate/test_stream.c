/* Streams against decoding all at once, with tokenizers of several kinds, pieces cut anywhere,
 * forks, stops and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "failing_alloc.h"
#include "generate/stream.h"

static uint64_t state_of_draws = 1;

static uint32_t draw(uint32_t n) { return draw_below(&state_of_draws, n); }

/* ---- Tokenizers ------------------------------------------------------------------------------ */

typedef struct line {
    char bytes[20000];
    size_t n;
} line;

static void put(line *out, const char *bytes, size_t n)
{
    assert_true(out->n + n <= sizeof(out->bytes));
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
}

/* How many bytes of a character stand here: *complete, or only the beginning of one. 1 and false:
 * no character begins so. */
static size_t character(const char *text, size_t n, bool *complete)
{
    unsigned char c = (unsigned char)text[0];
    size_t wanted = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : 0;
    *complete = false;
    if (wanted == 0)
        return 1;
    size_t i = 1;
    while (i < wanted && i < n && ((unsigned char)text[i] & 0xC0) == 0x80)
        i++;
    *complete = i == wanted;
    return i;
}

/* As byte-level decoders do: one U+FFFD for what began a character and did not end it. */
static void put_lossy(line *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        bool complete;
        size_t size = character(text + i, n - i, &complete);
        put(out, complete ? text + i : "\xEF\xBF\xBD", complete ? size : 3);
        i += size;
    }
}

typedef struct tokenizer {
    void (*decode)(const int32_t *tokens, size_t n, line *out);
    int32_t n_tokens;
    size_t longest; /* call */
    size_t calls;
} tokenizer;

static const char *const parts[] = {"a",    " b", "\xC3",         "\xA9",         "\xE2\x82",
                                    "\xAC", "",   "\xE2",         "\x82",         "the",
                                    " end", ".",  "\xE2\x82\xAC", "x\xC3",        "\xA9 y",
                                    "\n",   "ab", "abc",          "\xEF\xBF\xBD", "\xFF"};
enum { PARTS = sizeof(parts) / sizeof(*parts), WORDS = 12, BYTES = 6 };

static void by_bytes(const int32_t *tokens, size_t n, line *out)
{
    static line raw;
    raw.n = 0;
    for (size_t i = 0; i < n; i++)
        put(&raw, parts[tokens[i]], strlen(parts[tokens[i]]));
    put_lossy(out, raw.bytes, raw.n);
}

/* Words with a space between them, pieces of words without, and tokens that do not show. */
static void by_words(const int32_t *tokens, size_t n, line *out)
{
    static const char *const words[WORDS] = {"one", "##s",  "two",       "", "##\xC3\xA9", ".",
                                             "",    "stop", "##stopper", "", "",           "a"};
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        const char *word = words[tokens[i]];
        bool inner = !strncmp(word, "##", 2);
        if (word[0] == '\0')
            continue;
        if (!first && !inner)
            put(out, " ", 1);
        put(out, word + (inner && !first ? 2 : 0), strlen(word) - (inner && !first ? 2 : 0));
        first = false;
    }
}

/* SentencePiece: the first space goes; bytes in a run are characters when all of them are. */
static void by_pieces(const int32_t *tokens, size_t n, line *out)
{
    static const char *const pieces[] = {" a", "b", " ", "c d"}, bytes[] = "\xC3\xA9\xE2\x82\xAC";
    size_t begin = out->n;
    for (size_t i = 0; i < n;) {
        char run[2000];
        size_t m = 0, size = 0;
        bool all = true, complete;
        for (; i < n && tokens[i] < BYTES; i++)
            run[m++] = tokens[i] < 5 ? bytes[tokens[i]] : '!';
        for (size_t j = 0; j < m; j += size) {
            size = character(run + j, m - j, &complete);
            all = all && complete;
        }
        for (size_t j = 0; j < m; j++)
            put(out, all ? run + j : "\xEF\xBF\xBD", all ? 1 : 3);
        for (; i < n && tokens[i] >= BYTES; i++)
            put(out, pieces[tokens[i] - BYTES], strlen(pieces[tokens[i] - BYTES]));
    }
    if (out->n > begin && out->bytes[begin] == ' ')
        memmove(out->bytes + begin, out->bytes + begin + 1, --out->n - begin);
}

static heed_status decode(const void *self, const int32_t *tokens, size_t n, uint32_t flags,
                          char *text, size_t capacity, size_t *bytes)
{
    tokenizer *t = (tokenizer *)(uintptr_t)self;
    static line out;
    assert_int_equal(flags, 5);
    out.n = 0;
    t->longest = n > t->longest ? n : t->longest;
    t->calls++;
    t->decode(tokens, n, &out);
    *bytes = out.n;
    memcpy(text, out.bytes, out.n < capacity ? out.n : capacity);
    return HEED_OK;
}

/* ---- Sequences ------------------------------------------------------------------------------- */

enum { LONGEST = 400 };

typedef struct sequence {
    int32_t tokens[LONGEST];
    size_t n, n_prompt;
} sequence;

static void any_sequence(sequence *q, const tokenizer *t)
{
    q->n = 1 + draw(draw(4) ? 30 : LONGEST - 1);
    q->n_prompt = draw(2) ? 0 : draw((uint32_t)q->n);
    for (size_t i = 0; i < q->n; i++)
        q->tokens[i] = (int32_t)draw((uint32_t)t->n_tokens);
}

/* Runs of bytes are whole characters here (one that is not changes what was given before it). */
static void any_pieces(sequence *q, const tokenizer *t)
{
    size_t i = 0, wanted;
    any_sequence(q, t);
    wanted = q->n_prompt;
    while (i < q->n) {
        q->n_prompt = i <= wanted ? i : q->n_prompt;
        switch (q->n - i < 3 ? 2 : draw(3)) {
        case 0:
            for (int32_t b = 0; b < 2 && i < q->n; b++)
                q->tokens[i++] = b;
            break;
        case 1:
            for (int32_t b = 2; b < 5 && i < q->n; b++)
                q->tokens[i++] = b;
            break;
        default:
            q->tokens[i++] = BYTES - 1 + (int32_t)draw(5);
        }
    }
}

static bool continues(const line *text, size_t at)
{
    return at < text->n && ((unsigned char)text->bytes[at] & 0xC0) == 0x80;
}

/* What must come: all text after the prompt's, up to the stop that is complete first. */
static void expect(const tokenizer *t, const sequence *q, bool echo, const char *const *stops,
                   size_t n_stops, line *out)
{
    line all = {.n = 0}, prompt = {.n = 0};
    t->decode(q->tokens, q->n, &all);
    t->decode(q->tokens, q->n_prompt, &prompt);
    while (prompt.n >= 3 && !memcmp(prompt.bytes + prompt.n - 3, "\xEF\xBF\xBD", 3))
        prompt.n -= 3;
    size_t begin = echo ? 0 : prompt.n, end = all.n;
    for (size_t i = prompt.n + 1; i <= all.n && end == all.n; i++)
        for (size_t k = 0; k < n_stops; k++) {
            size_t size = strlen(stops[k]);
            if (i - prompt.n >= size && !memcmp(all.bytes + i - size, stops[k], size) &&
                i - size < end)
                end = i - size;
        }
    out->n = 0;
    assert_false(continues(&all, begin));
    put(out, all.bytes + begin, end > begin ? end - begin : 0);
}

static void give(line *out, const stream_text *piece)
{
    size_t size;
    bool complete = true;
    assert_int_equal(strlen(piece->text), piece->bytes);
    for (size_t i = 0; i < piece->bytes && complete; i += size)
        size = character(piece->text + i, piece->bytes - i, &complete);
    assert_true(complete);
    put(out, piece->text, piece->bytes);
}

/* All tokens in pieces of any size; now and then a fork goes on in its parent's place. */
static void stream_all(const stream_options *o, const sequence *q, bool echo, line *out)
{
    stream *s = NULL, *fork;
    stream_text piece = {0};
    size_t i = q->n_prompt;
    out->n = 0;
    assert_int_equal(stream_new(o, &s), HEED_OK);
    assert_int_equal(stream_begin(s, q->tokens, q->n_prompt, echo), HEED_OK);
    while (i < q->n && !piece.stopped) {
        size_t n = 1 + (draw(3) ? 0 : draw((uint32_t)(q->n - i)));
        if (draw(8) == 0) {
            assert_int_equal(stream_fork(s, draw(2) ? NULL : o, &fork), HEED_OK);
            stream_free(s);
            s = fork;
        }
        assert_int_equal(stream_push(s, q->tokens + i, n, &piece), HEED_OK);
        give(out, &piece);
        i += n;
    }
    assert_int_equal(stream_end(s, &piece), HEED_OK);
    give(out, &piece);
    stream_free(s);
}

static const char *const some_stops[] = {"stop", "one two", "b\xE2\x82\xAC", "abc",
                                         "c d",  ". end",   "\xC3\xA9 y",    "a",
                                         "ab",   " b a",    "\n\n"};

static void streams_agree(tokenizer *t, void (*any)(sequence *, const tokenizer *), int rounds)
{
    size_t stopped = 0;
    for (int round = 0; round < rounds; round++) {
        static line expected, found;
        sequence q;
        stream_options o = {.decode = decode, .tokenizer = t, .flags = 5};
        bool echo = draw(4) == 0;
        any(&q, t);
        o.n_stops = draw(2) ? 0 : draw(4);
        o.stops = some_stops + draw(11 - 4);
        expect(t, &q, echo, o.stops, o.n_stops, &expected);
        stream_all(&o, &q, echo, &found);
        if (found.n != expected.n || memcmp(found.bytes, expected.bytes, found.n) != 0)
            fail_msg("round %d: %zu bytes, not %zu:\n%.*s\n%.*s", round, found.n, expected.n,
                     (int)found.n, found.bytes, (int)expected.n, expected.bytes);
        stopped += o.n_stops > 0;
    }
    assert_true(stopped > (size_t)rounds / 8);
}

static void bytes_agree(void **state)
{
    (void)state;
    tokenizer t = {.decode = by_bytes, .n_tokens = PARTS};
    streams_agree(&t, any_sequence, 4000);
}

static void words_agree(void **state)
{
    (void)state;
    tokenizer t = {.decode = by_words, .n_tokens = WORDS};
    streams_agree(&t, any_sequence, 4000);
}

static void pieces_agree(void **state)
{
    (void)state;
    tokenizer t = {.decode = by_pieces, .n_tokens = BYTES + 4};
    streams_agree(&t, any_pieces, 4000);
}

/* ---- Single things --------------------------------------------------------------------------- */

static void push(stream *s, int32_t token, const char *expected)
{
    stream_text piece;
    assert_int_equal(stream_push(s, &token, 1, &piece), HEED_OK);
    assert_string_equal(piece.text, expected);
}

static void text_comes_as_soon_as_it_is_known(void **state)
{
    (void)state;
    static const char *const stop = "a.b";
    tokenizer t = {.decode = by_bytes};
    stream_options o = {
        .decode = decode, .tokenizer = &t, .flags = 5, .stops = &stop, .n_stops = 1};
    stream_text piece;
    stream *s;
    assert_int_equal(stream_new(&o, &s), HEED_OK);
    push(s, 9, "the");
    push(s, 2, "");         /* half a character */
    push(s, 3, "\xC3\xA9"); /* and the other half */
    push(s, 0, "");         /* may be a stop */
    push(s, 1, "a b");      /* is none */
    push(s, 0, "");
    push(s, 11, "");
    push(s, 11, "a..");
    push(s, 0, "");
    assert_int_equal(stream_end(s, &piece), HEED_OK);
    assert_string_equal(piece.text, "a");
    stream_free(s);
}

/* Long sequences of every kind, such as bytes that never become characters, or tokens without text:
 * the window stays a window. */
static void cost_does_not_grow(void **state)
{
    (void)state;
    static const struct {
        void (*decode)(const int32_t *tokens, size_t n, line *out);
        int32_t tokens[2];
    } kinds[] = {{by_bytes, {9, 1}},   {by_bytes, {19, 19}}, {by_bytes, {2, 2}},
                 {by_words, {0, 1}},   {by_words, {3, 3}},   {by_words, {2, 3}},
                 {by_pieces, {0, 1}},  {by_pieces, {8, 8}},  {by_pieces, {0, 0}},
                 {by_bytes, {12, 12}}, {by_bytes, {6, 6}}};
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        static line all, found;
        int32_t tokens[3000];
        tokenizer t = {.decode = kinds[k].decode};
        stream_options o = {.decode = decode, .tokenizer = &t, .flags = 5};
        stream *s;
        stream_text piece;
        all.n = found.n = 0;
        assert_int_equal(stream_new(&o, &s), HEED_OK);
        for (size_t i = 0; i < 3000; i++) {
            tokens[i] = kinds[k].tokens[i % 2];
            assert_int_equal(stream_push(s, tokens + i, 1, &piece), HEED_OK);
            give(&found, &piece);
        }
        assert_int_equal(stream_end(s, &piece), HEED_OK);
        give(&found, &piece);
        assert_true(t.longest <= 64 && t.calls < 3000 * 6);
        if (t.decode != by_pieces) {
            t.decode(tokens, 3000, &all);
            assert_int_equal(found.n, all.n);
            assert_memory_equal(found.bytes, all.bytes, all.n);
        }
        stream_free(s);
    }
}

static void wrong_stops_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"good", ""}, *const half[] = {"\xA9z"};
    stream_options o = {.decode = decode, .stops = wrong, .n_stops = 2};
    stream *s;
    assert_int_equal(stream_new(&o, &s), HEED_INVALID);
    assert_non_null(strstr(heed_error_get()->message, "stop 1"));
    o.stops = half;
    o.n_stops = 1;
    assert_int_equal(stream_new(&o, &s), HEED_INVALID);
    assert_null(s);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* A call that failed is made again; tokens come one by one, so that it is known which was taken. */
static heed_status use(const stream_options *o, const sequence *q, line *out)
{
    stream *s = NULL, *fork = NULL;
    stream_text piece;
    out->n = 0;
    if (stream_new(o, &s))
        assert_int_equal(stream_new(o, &s), HEED_OK);
    if (stream_begin(s, q->tokens, q->n_prompt, false))
        assert_int_equal(stream_begin(s, q->tokens, q->n_prompt, false), HEED_OK);
    for (size_t i = q->n_prompt; i < q->n; i++) {
        if (stream_push(s, q->tokens + i, 1, &piece))
            assert_int_equal(stream_push(s, q->tokens + i, 1, &piece), HEED_OK);
        give(out, &piece);
    }
    heed_status status = stream_fork(s, NULL, &fork);
    stream_free(fork);
    if (stream_end(s, &piece))
        assert_int_equal(stream_end(s, &piece), HEED_OK);
    give(out, &piece);
    stream_free(s);
    return status;
}

static void failed_allocations_lose_nothing(void **state)
{
    (void)state;
    tokenizer t = {.decode = by_bytes, .n_tokens = PARTS};
    static line expected, found;
    sequence q;
    stream_options o = {.decode = decode, .tokenizer = &t, .flags = 5};
    o.stops = some_stops + 3;
    do
        any_sequence(&q, &t);
    while (q.n < 200);
    expect(&t, &q, false, o.stops, 0, &expected);
    long long before = failing_live(), n = 0;
    for (bool reached = true; reached; n++) {
        failing_arm(n, false);
        use(&o, &q, &found);
        reached = failing_disarm();
        assert_int_equal(found.n, expected.n);
        assert_memory_equal(found.bytes, expected.bytes, expected.n);
        assert_true(failing_live() == before);
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_agree),
        cmocka_unit_test(words_agree),
        cmocka_unit_test(pieces_agree),
        cmocka_unit_test(text_comes_as_soon_as_it_is_known),
        cmocka_unit_test(cost_does_not_grow),
        cmocka_unit_test(wrong_stops_are_refused),
        cmocka_unit_test(failed_allocations_lose_nothing),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
