/* Streams with a tokenizer of real models: pieces add up to what decoding all tokens gives. The
 * embedded model's always; any others whose folders HEED_TEST_TOKENIZERS names, with ':' between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "generate/stream.h"
#include "heed/heed.h"

enum { ROUNDS = 300, LONGEST = 120, ROOM = 1 << 16 };

static uint64_t state_of_draws = 1;

static uint32_t draw(uint32_t n) { return draw_below(&state_of_draws, n); }

static heed_status decode(const void *tokenizer, const int32_t *tokens, size_t n, uint32_t flags,
                          char *text, size_t capacity, size_t *bytes)
{
    return heed_tokenizer_decode(tokenizer, tokens, n, flags, text, capacity, bytes);
}

static size_t decode_all(const heed_tokenizer *t, const int32_t *tokens, size_t n, uint32_t flags,
                         char *text)
{
    size_t bytes;
    assert_int_equal(heed_tokenizer_decode(t, tokens, n, flags, text, ROOM, &bytes), HEED_OK);
    assert_true(bytes < ROOM);
    return bytes;
}

/* Tokens of text in many scripts, or any tokens at all. */
static size_t any_tokens(const heed_tokenizer *t, int32_t n_tokens, int32_t *tokens)
{
    static const char *const texts[] = {"The quick brown fox, isn't it? ",
                                        "\xC3\xA9t\xC3\xA9 \xC3\xBC\xC3\x9F ",
                                        "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C",
                                        "\xF0\x9F\x98\x80\xF0\x9F\x91\x8D ",
                                        "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 ",
                                        "  two  spaces\n\n\ttab ",
                                        "x = [1, 2];  // 3.14 ",
                                        "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D "};
    size_t n = 1 + draw(LONGEST);
    if (draw(2)) {
        for (size_t i = 0; i < n; i++)
            tokens[i] = (int32_t)draw((uint32_t)n_tokens);
        return n;
    }
    char text[1000] = "";
    for (int i = 0; i < 8; i++)
        strcat(text, texts[draw(8)]);
    assert_int_equal(heed_tokenizer_encode(t, text, strlen(text), 0, tokens, LONGEST, &n), HEED_OK);
    return n < LONGEST ? n : LONGEST;
}

/* Bytes at the end that are U+FFFD: they may become characters. */
static size_t open_end(const char *text, size_t n)
{
    while (n >= 3 && !memcmp(text + n - 3, "\xEF\xBF\xBD", 3))
        n -= 3;
    return n;
}

static void stream_once(const heed_tokenizer *t, int32_t n_tokens)
{
    static char all[ROOM], prompt[ROOM], found[ROOM];
    int32_t tokens[LONGEST];
    uint32_t flags = draw(2) ? HEED_TOKENIZE_SPECIAL : 0;
    size_t n = any_tokens(t, n_tokens, tokens), n_prompt = draw(2) ? 0 : draw((uint32_t)n), m = 0;
    stream_options o = {.decode = decode, .tokenizer = t, .flags = flags};
    stream *s;
    stream_text piece;
    assert_int_equal(stream_new(&o, &s), HEED_OK);
    assert_int_equal(stream_begin(s, tokens, n_prompt, false), HEED_OK);
    for (size_t i = n_prompt; i <= n; i++) {
        assert_int_equal(i < n ? stream_push(s, tokens + i, 1, &piece) : stream_end(s, &piece),
                         HEED_OK);
        memcpy(found + m, piece.text, piece.bytes);
        m += piece.bytes;
    }
    size_t expected = decode_all(t, tokens, n, flags, all);
    size_t begin = open_end(prompt, decode_all(t, tokens, n_prompt, flags, prompt));
    if (m != expected - begin || memcmp(found, all + begin, m) != 0)
        fail_msg("prompt %zu of %zu:\n%.*s\n%.*s", n_prompt, n, (int)m, found,
                 (int)(expected - begin), all + begin);
    stream_free(s);
}

static void stream_folder(const char *path)
{
    heed_tokenizer *t;
    heed_tokenizer_info info = {.size = sizeof(info)};
    if (heed_tokenizer_open(path, &t))
        fail_msg("%s: %s", path, heed_error_get()->message);
    heed_tokenizer_get_info(t, &info);
    for (int round = 0; round < ROUNDS; round++)
        stream_once(t, info.n_tokens);
    heed_tokenizer_free(t);
}

static void pieces_add_up(void **state)
{
    (void)state;
    char path[4096];
    const char *source = getenv("HEED_SOURCE"), *more = getenv("HEED_TEST_TOKENIZERS");
    snprintf(path, sizeof(path), "%s/examples/verse", source ? source : ".");
    stream_folder(path);
    while (more && *more) {
        size_t n = strcspn(more, ":");
        snprintf(path, sizeof(path), "%.*s", (int)n, more);
        stream_folder(path);
        more += n + (more[n] == ':');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
