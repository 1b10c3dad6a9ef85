/* decoder.h - a decoder that takes the next tokens of any sequences and gives logits, whatever
 * keeps what it knows of earlier tokens: pages, the model's own past tensors, or nothing.
 *
 * What a sequence's tokens give does not depend on the other sequences of a step, nor on how its
 * tokens are cut into steps, to the last bit where decoder_about.exact says so. Used by one thread
 * at a time. */
#ifndef HEED_GENERATE_DECODER_H
#define HEED_GENERATE_DECODER_H

#include "generate/pages.h"
#include "run/compiled.h"

typedef struct decoder decoder;
typedef struct decoder_seq decoder_seq; /* what is kept of one sequence */

typedef struct decoder_options {
    compile_options compile;
    uint32_t page_tokens;
    uint32_t page_limit; /* computed from bytes by decoder_new when 0 */
    uint64_t kv_bytes;
    heed_dtype kv_dtype; /* HEED_UNDEFINED: as computed */
    bool share;          /* sequences find the pages of others that begin alike */
    bool contiguous;     /* no pages */
} decoder_options;

typedef struct decoder_about {
    const char *form;   /* of the cache that the file has: "concat", "none", "static"... */
    const char *reason; /* why there are no pages; "": there are */
    bool paged, exact;
    bool shares;                      /* sequences find the pages of others that begin alike */
    uint32_t page_tokens, page_limit; /* 0 without pages */
    uint64_t page_bytes;
    int64_t vocabulary; /* logits of a row */
    int64_t ids;        /* tokens are below this; 0: not known */
    uint64_t copies;    /* pages copied on write */
    int64_t positions;  /* most tokens of a sequence that the graph can take; -1: not known */
    uint32_t n_side;    /* inputs that are the same for all tokens, and must be given */
    const char *const *side;
} decoder_about;

/* What all steps of some sequences share: an encoder's results, by the names of the decoder's
 * inputs. Counted; NULL where a model needs none. */
typedef struct decoder_side decoder_side;

typedef struct decoder_step {
    uint32_t n;
    decoder_seq *const *seqs;     /* each once, and extended by as many tokens as it gets */
    const int32_t *const *tokens; /* of each, the next ones */
    const uint32_t *counts;       /* at least one */
    const uint32_t *wanted;       /* logits of that many of its last tokens; 0: none */
    uint64_t deadline_ns;         /* as of a run */
    const heed_cancel *cancel;
} decoder_step;

/* HEED_UNSUPPORTED, with the reason, when the model is no decoder. The model is borrowed. */
heed_status decoder_new(heed_model *m, const decoder_options *options, decoder **out);
void decoder_free(decoder *d);
const decoder_about *decoder_get_about(const decoder *d);
page_counts decoder_count(const decoder *d); /* zeros without pages */

/* Makes ready what the tokens of any number of sequences share: inputs by name, decoder_about.side
 * among them, [1, ...] each. The tensors are taken, also on failure. Any thread. */
heed_status decoder_prepare(const decoder *d, size_t n, const char *const *names,
                            heed_tensor *const *tensors, decoder_side **out);

/* A sequence that will begin with these n tokens. Those whose pages are known already have their
 * place, fewer than n: decoder_length. `side` is held. */
heed_status decoder_begin(decoder *d, decoder_side *side, const int32_t *tokens, size_t n,
                          decoder_seq **out);
/* A second one with the same tokens. Nothing is copied before one of the two goes on. */
heed_status decoder_fork(decoder *d, const decoder_seq *seq, decoder_seq **out);
void decoder_end(decoder *d, decoder_seq *seq);
size_t decoder_length(const decoder_seq *seq); /* tokens that have their place */

/* Places for n more tokens. HEED_NOMEM: there is no room, and nothing has changed. */
heed_status decoder_extend(decoder *d, decoder_seq *seq, size_t n);
/* Gives up all tokens from n on. */
void decoder_cut(decoder *d, decoder_seq *seq, size_t n);
/* After a step: what was computed for these tokens (all of the sequence so far) may be found by
 * others. */
heed_status decoder_publish(decoder *d, decoder_seq *seq, const int32_t *tokens);

/* Copies what is kept away and gives up its room; and brings it back (HEED_NOMEM: no room yet).
 * HEED_UNSUPPORTED where that is not to be had. */
heed_status decoder_swap_out(decoder *d, decoder_seq *seq);
heed_status decoder_swap_in(decoder *d, decoder_seq *seq);

/* logits: [sum of wanted, vocabulary], float32, in the order of the sequences. After a failure the
 * step's tokens have no content: cut them. */
heed_status decoder_run(decoder *d, const decoder_step *step, float *logits);

/* How one kind of memory does the above; decoder.c chooses. The first member of a decoder and of a
 * sequence of that kind are a decoder and a decoder_seq. */
typedef struct decoder_kind {
    heed_status (*prepare)(const decoder *d, size_t n, const char *const *names,
                           heed_tensor *const *tensors, decoder_side **out); /* or NULL */
    heed_status (*begin)(decoder *d, decoder_side *side, const int32_t *tokens, size_t n,
                         decoder_seq **out);
    heed_status (*fork)(decoder *d, const decoder_seq *seq, decoder_seq **out);
    void (*end)(decoder *d, decoder_seq *seq);
    heed_status (*extend)(decoder *d, decoder_seq *seq, size_t n);
    void (*cut)(decoder *d, decoder_seq *seq, size_t n);
    heed_status (*publish)(decoder *d, decoder_seq *seq, const int32_t *tokens); /* or NULL */
    heed_status (*swap_out)(decoder *d, decoder_seq *seq);                       /* or NULL */
    heed_status (*swap_in)(decoder *d, decoder_seq *seq);
    heed_status (*run)(decoder *d, const decoder_step *step, float *logits);
    page_counts (*count)(const decoder *d); /* or NULL */
    void (*free)(decoder *d);
} decoder_kind;

struct decoder {
    const decoder_kind *kind;
    decoder_about about;
    char why[256]; /* about.reason, where there are no pages */
};
struct decoder_seq {
    size_t length;
    decoder_side *side;
};

/* The kinds. HEED_UNSUPPORTED, with the reason, when the model is not for them. */
heed_status decoder_paged_new(heed_model *m, const decoder_options *options, decoder **out);
heed_status decoder_contiguous_new(heed_model *m, const decoder_options *options, decoder **out);

/* ---- side.c: what an encoder gives ------------------------------------------------------------
 */

/* The tensors are taken, also on failure. One reference. */
heed_status decoder_side_new(size_t n, const char *const *names, heed_tensor *const *tensors,
                             decoder_side **out);
decoder_side *decoder_side_hold(decoder_side *side); /* NULL is legal */
void decoder_side_drop(decoder_side *side);
const heed_tensor *decoder_side_get(const decoder_side *side, const char *name); /* or NULL */

#endif
