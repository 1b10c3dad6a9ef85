/* encoder.h - what comes before a decoder: the model that makes its side inputs, run once a
 * request. It is a file of its own, or part of the decoder's, or the request gives its results.
 *
 * Immutable; any number of threads run it. */
#ifndef HEED_GENERATE_ENCODER_H
#define HEED_GENERATE_ENCODER_H

#include "generate/decoder.h"
#include "generate/feeds.h"

typedef struct encoder encoder;

/* For the decoder d of the model m; both are borrowed. *out is NULL where all inputs of the decoder
 * come from its tokens. path: the encoder's file; NULL: one in `folder` (NULL: none) whose results
 * fit. HEED_UNSUPPORTED when path does not fit, with the input that lacks; without a path that is
 * an error of a request that does not give the input itself. */
heed_status encoder_new(const heed_model *m, const decoder *d, const char *path, const char *folder,
                        const heed_session_options *options, encoder **out);
void encoder_free(encoder *e);

/* The prompt is the encoder's; the decoder begins with tokens of its own. */
bool encoder_takes_tokens(const encoder *e);
/* What nobody makes, so that each request must give it; NULL: nothing. NULL is legal. */
const char *encoder_missing(const encoder *e);
/* The file of the encoder, or "". */
const char *encoder_path(const encoder *e);

/* Runs it: what all sequences of a request share. */
heed_status encoder_run(const encoder *e, const feed_request *request, decoder_side **out);

#endif
