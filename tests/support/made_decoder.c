/* made_decoder.c - see made_decoder.h. */
#include "made_decoder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx_text.h"

heed_status made_decoder_save(const char *text, char *path)
{
    onnx_message bytes = onnx_text_model(text);
    int handle = mkstemps(path, 5);
    bool written = handle >= 0 && write(handle, bytes.bytes, bytes.size) == (ssize_t)bytes.size;
    if (handle >= 0)
        close(handle);
    onnx_write_free(&bytes);
    return written ? HEED_OK : HEED_IO;
}

/* ---- The file's own graph ---------------------------------------------------------------------
 */

static void fill_inputs(heed_tensor *const *in, uint32_t n_inputs, const int32_t *tokens, int64_t n)
{
    for (uint32_t i = 0; i < n_inputs; i++) {
        int64_t *to = heed_tensor_get_mutable_data(in[i]);
        for (int64_t k = 0; k < n; k++)
            to[k] = i == 0 ? tokens[k] : k;
    }
}

static int32_t likeliest(const double *scores)
{
    int32_t best = 0;
    for (int32_t i = 1; i < MADE_DECODER_WORDS; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static heed_status next_of(heed_session *session, uint32_t n_inputs, int32_t *tokens, int64_t n)
{
    static const char *const in_names[] = {"ids", "at"}, *const out_name = "y";
    heed_tensor *in[2] = {NULL, NULL}, *out = NULL;
    double scores[MADE_DECODER_WORDS];
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < n_inputs && !status; i++)
        status = heed_tensor_new(HEED_INT64, 2, (int64_t[]){1, n}, &in[i]);
    if (!status) {
        fill_inputs(in, n_inputs, tokens, n);
        status = heed_session_run(session, NULL, n_inputs, in_names, in, 1, &out_name, &out);
    }
    if (!status)
        status =
            heed_tensor_read_f64(out, (n - 1) * MADE_DECODER_WORDS, MADE_DECODER_WORDS, scores);
    if (!status)
        tokens[n] = likeliest(scores);
    heed_tensor_free(in[0]);
    heed_tensor_free(in[1]);
    heed_tensor_free(out);
    return status;
}

heed_status made_decoder_run(const char *text, uint32_t n_inputs, size_t n_prompt, size_t n,
                             int32_t *tokens)
{
    const heed_session_options on_cpu = {.size = sizeof(on_cpu), .backends = "cpu"};
    onnx_message bytes;
    heed_session *session = onnx_text_session(text, &on_cpu, &bytes);
    heed_status status = session ? HEED_OK : HEED_INVALID;
    for (size_t i = n_prompt; i < n && !status; i++)
        status = next_of(session, n_inputs, tokens, (int64_t)i);
    heed_session_free(session);
    onnx_write_free(&bytes);
    return status;
}

/* ---- A generator ------------------------------------------------------------------------------
 */

heed_status made_decoder_generate(heed_generator *g, const int32_t *tokens, size_t n_prompt,
                                  size_t n, int32_t *out)
{
    heed_sequence *s;
    size_t given = 0;
    heed_piece piece = {.size = sizeof(piece)};
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END,
                        .tokens = tokens,
                        .n_tokens = n_prompt,
                        .max_tokens = (uint32_t)(n - n_prompt)};
    heed_status status = heed_generator_add(g, &ask, &s);
    if (status)
        return status;
    while (!status && !piece.finish)
        status = heed_sequence_next(s, &piece);
    const int32_t *from = heed_sequence_get_tokens(s, &given);
    if (!status && given == n - n_prompt)
        memcpy(out, from, given * sizeof(*out));
    else if (!status)
        status = HEED_INTERNAL;
    heed_sequence_free(s);
    return status;
}
