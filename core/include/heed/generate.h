/* heed/generate.h - text from any exported decoder, for many sequences at once. Included by heed.h.
 *
 * A streamed answer:
 *
 *     heed_generator *generator = NULL;
 *     heed_sequence *s = NULL;
 *     heed_piece piece = {.size = sizeof(piece)};
 *     heed_request ask = {.size = sizeof(ask), .text = "Once upon a time", .max_tokens = 64};
 *     heed_status status = heed_generator_open("model.onnx", NULL, &generator);
 *     if (!status)
 *         status = heed_generator_add(generator, &ask, &s);
 *     while (!status && !piece.finish && !(status = heed_sequence_next(s, &piece)))
 *         fwrite(piece.text, 1, piece.text_bytes, stdout);
 *     if (status)
 *         fprintf(stderr, "%s\n", heed_error_get()->message);
 *     heed_sequence_free(s);
 *     heed_generator_free(generator);
 *
 * Keys and values lie in pages that sequences share where their tokens agree (Kwon 2023, arXiv
 * 2309.06180). Each step takes tokens of all sequences that have some (continuous batching, Yu
 * 2022, Orca): one of each that generates, and parts of prompts up to a number a step. What a
 * sequence gives does not depend on the others, to the last bit. */
#ifndef HEED_GENERATE_H
#define HEED_GENERATE_H

#include "heed/heed.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_tokenizer heed_tokenizer; /* read-only; for any number of threads */
typedef struct heed_generator heed_generator; /* a decoder, its pages, and its sequences */
typedef struct heed_sequence heed_sequence;   /* one request, and what was generated for it */

/* ---- Tokenizers ------------------------------------------------------------------------------ */

/* path: a tokenizer.json, or a folder with one. HEED_NOTFOUND when there is none; HEED_INVALID and
 * HEED_UNSUPPORTED name the element of the file. *out is NULL on failure. Any thread. */
HEED_EXPORT heed_status heed_tokenizer_open(const char *path, heed_tokenizer **out);
HEED_EXPORT void heed_tokenizer_free(heed_tokenizer *tokenizer); /* NULL is legal */
/* *n: all tokens of the text; as many as fit into `capacity` are written. flags:
 * HEED_TOKENIZE_PLAIN. HEED_INVALID, with the byte, for text that is not UTF-8. Any thread. */
HEED_EXPORT heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text,
                                              size_t bytes, uint32_t flags, int32_t *tokens,
                                              size_t capacity, size_t *n);
/* *bytes: all of the text, without a NUL; as much as fits is written. It is UTF-8: what is no
 * character is U+FFFD. flags: HEED_TOKENIZE_SPECIAL. HEED_INVALID for an id that the tokenizer does
 * not have. Any thread. */
HEED_EXPORT heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer,
                                              const int32_t *tokens, size_t n, uint32_t flags,
                                              char *text, size_t capacity, size_t *bytes);
enum {
    HEED_TOKENIZE_PLAIN = 1u << 0,  /* encode: no tokens around the text ([CLS], <s>) */
    HEED_TOKENIZE_SPECIAL = 1u << 1 /* decode: special tokens show as text */
};
typedef struct heed_tokenizer_info {
    uint32_t size;
    int32_t n_tokens;                  /* all ids are below this */
    int32_t begin, pad, decoder_start; /* -1: none */
    uint32_t reserved;
    const int32_t *ends; /* [n_ends] tokens that end a text; live as long as the tokenizer */
    size_t n_ends;
    int64_t positions; /* tokens of the longest text, as configured; -1: not known */
} heed_tokenizer_info;
/* Set out->size before the call. */
HEED_EXPORT void heed_tokenizer_get_info(const heed_tokenizer *tokenizer, heed_tokenizer_info *out);

/* ---- Generators ------------------------------------------------------------------------------ */

typedef struct heed_generator_options {
    uint32_t size;
    uint32_t flags;                      /* HEED_GENERATOR_* */
    const heed_session_options *session; /* backends, attention; NULL: the defaults */
    const char *tokenizer;               /* NULL: from the model's folder, if there is one */
    const char *encoder;  /* of an encoder-decoder; NULL: as the model's folder has it */
    uint64_t kv_memory;   /* most bytes of pages; 0: a quarter of what may be used */
    uint32_t page_tokens; /* 1..4096; 0: 16 */
    heed_dtype kv_dtype;  /* float32, bfloat16, float16, int8 with a scale a head; 0: as computed */
    uint32_t step_tokens; /* most tokens a step; 0: 512 */
    uint32_t max_sequences; /* most that have pages at once, others wait; 0: 256 */
} heed_generator_options;
enum {
    HEED_GENERATOR_NO_SHARING = 1u << 0, /* equal prefixes get pages of their own */
    HEED_GENERATOR_CONTIGUOUS = 1u << 1, /* no pages: the model's own past tensors, or none */
    HEED_GENERATOR_SWAP = 1u << 2        /* where pages run out, a sequence's are copied away;
                                            without it they are computed again */
};

/* path: a model, or a folder with one. HEED_UNSUPPORTED, with the reason, when the model is no
 * decoder or gives hidden states; HEED_NOTFOUND for a file, HEED_DEVICE for a backend that is not
 * there; HEED_INVALID for an option or a broken file; HEED_NOMEM also when kv_memory has no room
 * for a page. *out is NULL on failure. Any thread. */
HEED_EXPORT heed_status heed_generator_open(const char *path, const heed_generator_options *options,
                                            heed_generator **out);
/* Frees its sequences too: their handles are then invalid. No call may be under way. NULL is legal.
 */
HEED_EXPORT void heed_generator_free(heed_generator *generator);
/* NULL: it has none. Lives as long as the generator. Any thread. */
HEED_EXPORT const heed_tokenizer *heed_generator_get_tokenizer(const heed_generator *generator);

typedef struct heed_generator_stats {
    uint32_t size;
    uint32_t page_tokens;                         /* 0: there are no pages */
    const char *form;                             /* the model's cache: "concat", "none", ... */
    const char *reason;                           /* why there are no pages, or "" */
    uint64_t page_bytes;                          /* keys and values of a page, in all layers */
    uint64_t pages_limit, pages_held, pages_kept; /* kept: for prefixes, nobody holds them */
    uint64_t pages_peak, tokens_held; /* places that are in use, of pages_held * page_tokens */
    uint64_t running, waiting, finished;
    uint64_t steps, prompt_tokens, shared_tokens, generated_tokens; /* since the start */
    uint64_t preemptions, copies; /* sequences that gave up their pages; pages copied on write */
    uint64_t load_ns, step_ns;    /* all steps together */
    uint64_t vocabulary;          /* logits of a token: all that is generated is below this */
} heed_generator_stats;
/* Set out->size before the call. Any thread. */
HEED_EXPORT void heed_generator_get_stats(heed_generator *generator, heed_generator_stats *out);

/* ---- Requests -------------------------------------------------------------------------------- */

/* How a token is chosen. Zeros are greedy. The order: penalties, temperature, top-k, top-p, min-p,
 * then a draw. */
typedef struct heed_sampling {
    uint32_t size;
    uint32_t top_k;           /* the k likeliest; 0: all */
    float temperature;        /* 0: the likeliest, lower id first (greedy) */
    float top_p;              /* the likeliest that have this probability together; 0, 1: all */
    float min_p;              /* at least this share of the likeliest's probability; 0: all */
    float repetition_penalty; /* Keskar 2019: logits of tokens that were there, prompt included, are
                                 divided by it, negative ones multiplied; 0, 1: none */
    float presence_penalty;   /* subtracted once a token was generated */
    float frequency_penalty;  /* subtracted each time */
    uint64_t seed;            /* the n-th draw of a sequence depends on seed and n alone */
} heed_sampling;

typedef struct heed_request {
    uint32_t size;
    uint32_t flags;        /* HEED_REQUEST_* */
    const char *text;      /* the prompt; NULL: tokens */
    size_t text_bytes;     /* 0: up to its NUL */
    const int32_t *tokens; /* the prompt as tokens, taken as they are */
    size_t n_tokens;
    /* What an encoder-decoder's decoder begins with; NULL: as its configuration says. HEED_INVALID
     * where there is no encoder. */
    const int32_t *decoder_tokens;
    size_t n_decoder_tokens;
    /* Other inputs of the model, or of its encoder, by name; copied. */
    size_t n_inputs;
    const char *const *input_names;
    heed_tensor *const *inputs;
    const heed_sampling *sampling; /* NULL: greedy */
    uint32_t max_tokens;           /* to generate; 0: until the end, or the model's last position */
    uint32_t min_tokens;           /* before this many no end token is chosen */
    const char *const *stops;      /* texts that end it, and are not given */
    size_t n_stops;
    const int32_t *stop_tokens; /* tokens that end it, besides the model's own */
    size_t n_stop_tokens;
    uint32_t n_logprobs; /* alternatives with their log-probabilities, for each token; at most 20 */
    uint32_t beams;      /* 0, 1: none. Beam search: the best comes at the end, as a whole */
    float length_penalty; /* of beams: sums of log-probabilities are divided by length to this */
    uint32_t reserved;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
} heed_request;
enum {
    HEED_REQUEST_PLAIN = 1u << 0,    /* no tokens around the text (<s>) */
    HEED_REQUEST_NO_END = 1u << 1,   /* the model's end tokens do not end it */
    HEED_REQUEST_SPECIAL = 1u << 2,  /* special tokens show as text */
    HEED_REQUEST_LOGPROBS = 1u << 3, /* pieces have log-probabilities of their tokens */
    HEED_REQUEST_ECHO = 1u << 4,     /* pieces have the prompt, too */
    HEED_REQUEST_EARLY = 1u << 5     /* beams: over as soon as as many have ended as there are */
};

/* What the request names is copied. HEED_INVALID for one that could never be served, with the
 * reason: an empty prompt, one that is longer than the model's positions or than all pages, text
 * that is not UTF-8 or that no tokenizer can read, a token out of range. HEED_USAGE where a size is
 * not set, HEED_FORKED in a child of the process that made the generator. *out is NULL on failure.
 * Any thread; waits for no step, but an encoder runs here. */
HEED_EXPORT heed_status heed_generator_add(heed_generator *generator, const heed_request *request,
                                           heed_sequence **out);
/* A second sequence with the same tokens so far, and pages shared; what comes next is asked for in
 * `request`, whose prompt is ignored. HEED_USAGE when it has finished, or has beams. Any thread;
 * waits for the step that is under way. */
HEED_EXPORT heed_status heed_sequence_fork(heed_sequence *sequence, const heed_request *request,
                                           heed_sequence **out);

enum {
    HEED_FINISH_NONE = 0,
    HEED_FINISH_END = 1,    /* an end token of the model */
    HEED_FINISH_STOP = 2,   /* a stop text or token of the request */
    HEED_FINISH_LENGTH = 3, /* max_tokens, or the model's last position */
    HEED_FINISH_CANCEL = 4,
    HEED_FINISH_DEADLINE = 5
};
typedef struct heed_logprob {
    int32_t token;
    float logprob; /* natural, of the model's own distribution */
} heed_logprob;
/* What is new. Pointers live until the next call of heed_sequence_next with this sequence. */
typedef struct heed_piece {
    uint32_t size;
    uint32_t finish;  /* HEED_FINISH_*: not 0 in the last piece */
    const char *text; /* whole characters; "" where there is no tokenizer */
    size_t text_bytes;
    const int32_t *tokens;
    size_t n_tokens;
    const heed_logprob *logprobs;     /* [n_tokens]; NULL: not asked for */
    const heed_logprob *alternatives; /* [n_tokens, n_logprobs], the likeliest first */
} heed_piece;

/* The next piece, as soon as there is one: runs steps, for all sequences, while no other thread
 * does. Set out->size before the call. One thread at a time for one sequence, any number for
 * several. An error of a step (HEED_NOMEM, where memory or pages ran out) ends the sequences that
 * it hit: each gives what came before, then the error. */
HEED_EXPORT heed_status heed_sequence_next(heed_sequence *sequence, heed_piece *out);
/* One step for all sequences, for a caller's own loop. *active (or NULL): those that have not
 * finished. Errors of a step are told by its sequences. Any thread; waits for one that leads. */
HEED_EXPORT heed_status heed_generator_step(heed_generator *generator, size_t *active);
HEED_EXPORT void heed_sequence_cancel(heed_sequence *sequence); /* any thread; within one step */
/* int32 [*n]: all that was generated so far; lives until the sequence's next call. *n is 0 also
 * where there is no memory for it. The thread that asks for pieces. */
HEED_EXPORT const int32_t *heed_sequence_get_tokens(const heed_sequence *sequence, size_t *n);

typedef struct heed_sequence_stats {
    uint32_t size;
    uint32_t finish;
    uint64_t prompt_tokens, shared_tokens, generated_tokens; /* shared: found in pages */
    uint64_t wait_ns, first_ns, total_ns; /* from add: to its first step, to its first token, to
                                             its end or now */
    uint64_t preemptions;
} heed_sequence_stats;
/* Set out->size before the call. Any thread. */
HEED_EXPORT void heed_sequence_get_stats(const heed_sequence *sequence, heed_sequence_stats *out);
/* Cancels it when it has not finished. NULL is legal. */
HEED_EXPORT void heed_sequence_free(heed_sequence *sequence);

#ifdef __cplusplus
}
#endif
#endif
