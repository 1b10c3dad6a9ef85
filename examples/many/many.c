/* many.c - many sequences at once: each step takes tokens of all of them as one batch, and what a
 * sequence gives is what it gives alone. The prompts begin alike, so that they share pages.
 *
 * Usage: many [MODEL [N]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "heed/heed.h"

enum { MOST = 1000 };

int main(int argc, char **argv)
{
    const char *start =
        "In those days came the word of the LORD unto all the children of Israel, and";
    static const char *const ends[] = {"David", "Moses", "the sea", "the people", "my God"};
    const char *path = argc > 1 ? argv[1] : "examples/verse/verse.onnx";
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 20, added = 0, active = 1;
    heed_generator *generator = NULL;
    heed_sequence *sequences[MOST] = {NULL};
    heed_status status = heed_generator_open(path, NULL, &generator);
    for (n = n > MOST ? MOST : n; !status && added < n; added += !status) {
        char prompt[128];
        heed_sampling draw = {.size = sizeof draw, .temperature = 0.8F, .seed = added};
        heed_request ask = {.size = sizeof ask, .text = prompt, .sampling = &draw};
        ask.max_tokens = (uint32_t)(16 + added % 32); /* they need not end together */
        snprintf(prompt, sizeof prompt, "%s %s", start, ends[added % 5]);
        status = heed_generator_add(generator, &ask, &sequences[added]);
    }
    while (!status && active)
        status = heed_generator_step(generator, &active);
    for (size_t i = 0; i < added && !status; i++) {
        heed_piece piece = {.size = sizeof piece};
        printf("%s%zu: ", i ? "\n" : "", i);
        while (!piece.finish && !(status = heed_sequence_next(sequences[i], &piece)))
            fwrite(piece.text, 1, piece.text_bytes, stdout);
    }
    heed_generator_stats stats = {.size = sizeof stats};
    if (status)
        fprintf(stderr, "%s: %s\n", path, heed_error_get()->message);
    else
        heed_generator_get_stats(generator, &stats);
    printf("\n%" PRIu64 " tokens in %" PRIu64 " steps, %" PRIu64 " prompt tokens shared\n",
           stats.generated_tokens, stats.steps, stats.shared_tokens);
    heed_generator_free(generator); /* and its sequences */
    return status != HEED_OK;
}
