/* stream.c - a streamed answer: text from any exported decoder, as it comes.
 *
 * The twelve lines between open and free are all that it takes. Usage: stream [MODEL [PROMPT]] */
#include <stdio.h>

#include "heed/heed.h"

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "examples/verse/verse.onnx";
    const char *prompt = argc > 2 ? argv[2] : "And I saw";
    heed_generator *generator = NULL;
    heed_sequence *s = NULL;
    heed_piece piece = {.size = sizeof piece};
    heed_request ask = {.size = sizeof ask, .text = prompt, .max_tokens = 64};
    heed_status status = heed_generator_open(path, NULL, &generator);
    if (!status)
        status = heed_generator_add(generator, &ask, &s);
    while (!status && !piece.finish && !(status = heed_sequence_next(s, &piece))) {
        fwrite(piece.text, 1, piece.text_bytes, stdout);
        fflush(stdout);
    }
    if (status)
        fprintf(stderr, "%s: %s\n", path, heed_error_get()->message);
    heed_sequence_free(s);
    heed_generator_free(generator);
    return status != HEED_OK;
}
