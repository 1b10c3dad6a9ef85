/* seq2seq.c - generates tokens with an encoder-decoder, for tests in Python.
 *
 *     seq2seq MODEL MAX_TOKENS END BEAMS [ENCODER] < requests
 *
 * A line for each request: "start N t...", then "tokens N t..." or "input NAME SEED RANK d...",
 * features of the numbers ((i * 7919 + SEED * 104729) mod 257 - 128) / 64. All are asked at once,
 * so that several sources are in a step. Prints the tokens of each, a line each, in their order;
 * 0: all went well. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "heed/heed.h"

enum { MOST_REQUESTS = 64, MOST_TOKENS = 4096 };

typedef struct asked {
    int32_t start[64], tokens[MOST_TOKENS];
    size_t n_start, n_tokens;
    char name[128];
    heed_tensor *input;
    heed_sequence *sequence;
} asked;

static bool read_tokens(int32_t *out, size_t *n, size_t most)
{
    if (scanf("%zu", n) != 1 || *n > most)
        return false;
    for (size_t i = 0; i < *n; i++)
        if (scanf("%d", &out[i]) != 1)
            return false;
    return true;
}

static bool read_input(asked *a)
{
    int64_t dims[8];
    long seed;
    int rank;
    if (scanf("%127s %ld %d", a->name, &seed, &rank) != 3 || rank > 8)
        return false;
    for (int k = 0; k < rank; k++)
        if (scanf("%ld", &dims[k]) != 1)
            return false;
    if (heed_tensor_new(HEED_FLOAT32, rank, dims, &a->input))
        return false;
    float *x = heed_tensor_get_mutable_data(a->input);
    for (int64_t i = 0; i < heed_tensor_get_count(a->input); i++)
        x[i] = (float)((i * 7919 + seed * 104729) % 257 - 128) / 64;
    return true;
}

static bool read_request(asked *a)
{
    char word[16];
    if (scanf("%15s", word) != 1 || strcmp(word, "start") != 0 ||
        !read_tokens(a->start, &a->n_start, 64) || scanf("%15s", word) != 1)
        return false;
    return strcmp(word, "tokens") == 0 ? read_tokens(a->tokens, &a->n_tokens, MOST_TOKENS)
                                       : read_input(a);
}

static heed_status add(heed_generator *g, asked *a, char **argv)
{
    const char *names[] = {a->name};
    int32_t end = atoi(argv[3]);
    heed_request r = {.size = sizeof(r),
                      .tokens = a->n_tokens ? a->tokens : NULL,
                      .n_tokens = a->n_tokens,
                      .decoder_tokens = a->start,
                      .n_decoder_tokens = a->n_start,
                      .n_inputs = a->input != NULL,
                      .input_names = names,
                      .inputs = &a->input,
                      .max_tokens = (uint32_t)atoi(argv[2]),
                      .stop_tokens = &end,
                      .n_stop_tokens = 1,
                      .beams = (uint32_t)atoi(argv[4]),
                      .length_penalty = 1};
    return heed_generator_add(g, &r, &a->sequence);
}

static heed_status finish(const asked *a)
{
    heed_piece piece = {.size = sizeof(piece)};
    size_t n;
    while (!piece.finish)
        TRY(heed_sequence_next(a->sequence, &piece));
    const int32_t *tokens = heed_sequence_get_tokens(a->sequence, &n);
    for (size_t i = 0; i < n; i++)
        printf("%s%d", i ? " " : "", tokens[i]);
    printf("\n");
    return HEED_OK;
}

int main(int argc, char **argv)
{
    static asked all[MOST_REQUESTS];
    heed_generator *g = NULL;
    size_t n = 0;
    if (argc < 5)
        return 2;
    heed_generator_options o = {
        .size = sizeof(o), .encoder = argc > 5 ? argv[5] : NULL, .kv_memory = 1 << 22};
    heed_status status = heed_generator_open(argv[1], &o, &g);
    while (!status && n < MOST_REQUESTS && read_request(&all[n]))
        status = add(g, &all[n++], argv);
    for (size_t i = 0; i < n && !status; i++)
        status = finish(&all[i]);
    if (status)
        fprintf(stderr, "%s\n", heed_error_get()->message);
    for (size_t i = 0; i < n; i++) {
        heed_sequence_free(all[i].sequence);
        heed_tensor_free(all[i].input);
    }
    heed_generator_free(g);
    return status != HEED_OK;
}
