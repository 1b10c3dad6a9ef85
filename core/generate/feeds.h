/* feeds.h - the inputs of a model that no past and no pages give: an encoder's, and what a
 * decoder's tokens share. A request names some; the others are what their role says: the prompt's
 * tokens, masks of ones, places from 0 on.
 *
 * Feeds are fixed once made; any number of threads fill them. */
#ifndef HEED_GENERATE_FEEDS_H
#define HEED_GENERATE_FEEDS_H

#include "run/model.h"

/* What a request gives: batches of one. */
typedef struct feed_request {
    const int32_t *tokens; /* of the prompt, where they are the encoder's */
    size_t n_tokens;
    size_t n_inputs;
    const char *const *names;
    const heed_tensor *const *inputs;
} feed_request;

enum {
    FEED_GIVEN, /* by the request alone */
    FEED_TOKENS,
    FEED_MASK,      /* all tokens are seen */
    FEED_POSITIONS, /* 0, 1, ... */
    FEED_ZEROS,     /* kinds of tokens */
    FEED_RESULT,    /* of the model before it */
};

typedef struct feed {
    const heed_value_info *info;
    int kind;
    uint32_t result; /* which */
    bool added;      /* FEED_MASK: is added to scores, so that 0 means seen */
} feed;

typedef struct feeds {
    feed *all;
    uint32_t n;
} feeds;

/* The inputs of a model that must be given; `wanted` names those that count, NULL: all. */
heed_status feeds_find(const heed_model *m, const char *const *wanted, uint32_t n_wanted,
                       arena *memory, feeds *out);
bool feeds_take_tokens(const feeds *f);

/* One new tensor for each feed. `results` are those of the model before it, or NULL; `before` and
 * `fed` what that model was given: a mask of it is this one's mask, too. HEED_USAGE names an input
 * that is missing. On failure there are none. */
typedef struct feed_source {
    const feed_request *request;
    heed_tensor *const *results;
    const feeds *before;
    heed_tensor *const *fed;
} feed_source;
heed_status feeds_fill(const feeds *f, const feed_source *source, heed_tensor **out);

/* `"x" float32 [batch, 32]`, for messages. */
const char *feeds_describe(const heed_value_info *info, char *text, size_t size);

#endif
