/* tokens.c - a tokenizer for scripts: requests on standard input, answers on standard output.
 *
 *     tokens TOKENIZER
 *
 * A request is three numbers and what follows: what (0 encodes, 1 decodes), flags, and how many
 * bytes or tokens. An answer is two: a status, and how many tokens or bytes follow; for a failure,
 * the bytes of its message. All numbers are little-endian and have 32 bits. With `info` as second
 * argument it prints what heed_tokenizer_get_info says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/generate.h"

enum { ENCODE, DECODE };

static void *buffer(void *old, size_t bytes)
{
    void *made = realloc(old, bytes + 1);
    if (!made) {
        fputs("tokens: out of memory\n", stderr);
        exit(2);
    }
    return made;
}

static void answer(heed_status status, const void *data, size_t n, size_t size)
{
    uint32_t head[2] = {status, (uint32_t)n};
    if (status) {
        data = heed_error_get()->message;
        head[1] = (uint32_t)strlen(data);
        size = 1;
    }
    fwrite(head, sizeof head, 1, stdout);
    fwrite(data, size, head[1], stdout);
}

/* Asks for the size first, as callers do. */
static void encode(const heed_tokenizer *t, uint32_t flags, const char *text, size_t n)
{
    size_t needed = 0, again = 0;
    heed_status status = heed_tokenizer_encode(t, text, n, flags, NULL, 0, &needed);
    int32_t *tokens = buffer(NULL, needed * sizeof *tokens);
    if (!status)
        status = heed_tokenizer_encode(t, text, n, flags, tokens, needed, &again);
    answer(status, tokens, again, sizeof *tokens);
    free(tokens);
}

static void decode(const heed_tokenizer *t, uint32_t flags, const int32_t *tokens, size_t n)
{
    size_t needed = 0, again = 0;
    heed_status status = heed_tokenizer_decode(t, tokens, n, flags, NULL, 0, &needed);
    char *text = buffer(NULL, needed);
    if (!status)
        status = heed_tokenizer_decode(t, tokens, n, flags, text, needed, &again);
    answer(status, text, again, 1);
    free(text);
}

static void serve(const heed_tokenizer *t)
{
    uint32_t head[3];
    void *data = NULL;
    while (fread(head, sizeof head, 1, stdin) == 1) {
        size_t size = head[0] == ENCODE ? 1 : sizeof(int32_t);
        data = buffer(data, head[2] * size);
        if (fread(data, size, head[2], stdin) != head[2])
            break;
        if (head[0] == ENCODE)
            encode(t, head[1], data, head[2]);
        else
            decode(t, head[1], data, head[2]);
        fflush(stdout);
    }
    free(data);
}

static void tell(const heed_tokenizer *t)
{
    heed_tokenizer_info info = {.size = sizeof info};
    heed_tokenizer_get_info(t, &info);
    printf("tokens %d begin %d pad %d start %d positions %" PRId64 " ends", info.n_tokens,
           info.begin, info.pad, info.decoder_start, info.positions);
    for (size_t i = 0; i < info.n_ends; i++)
        printf(" %d", info.ends[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    heed_tokenizer *t = NULL;
    if (argc < 2)
        return 2;
    heed_status status = heed_tokenizer_open(argv[1], &t);
    if (status) {
        fprintf(stderr, "%u %s\n", status, heed_error_get()->message);
        return 1;
    }
    if (argc > 2)
        tell(t);
    else
        serve(t);
    heed_tokenizer_free(t);
    return 0;
}
