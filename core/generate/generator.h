/* generator.h - what generators and sequences are made of, for the files that share them.
 *
 * Any number of threads call; one of them leads. The leader alone touches the scheduler, the
 * decoder, and what of a sequence is marked so. What others read is guarded by the lock, which
 * nobody holds while a step runs: the leader brings new sequences in before a step, and hands over
 * what it gave afterwards. */
#ifndef HEED_GENERATE_GENERATOR_H
#define HEED_GENERATE_GENERATOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "generate/encoder.h"
#include "generate/sampler.h"
#include "generate/scheduler.h"
#include "generate/search.h"
#include "generate/stream.h"
#include "run/options.h"

enum { MOST_LOGPROBS = 20 };

/* Growing arrays of what a caller gets; emptied without giving up their memory. */
typedef struct piece_buffer {
    char *text;
    size_t n_text, text_capacity;
    int32_t *tokens;
    size_t n_tokens, tokens_capacity;
    heed_logprob *logprobs; /* one a token, where they are asked for */
    size_t n_logprobs, logprobs_capacity;
    heed_logprob *alternatives; /* n_logprobs of the request, a token */
    size_t n_alternatives, alternatives_capacity;
} piece_buffer;

struct heed_sequence {
    /* of the leader */
    sched_job job; /* first, so that a job is its sequence */
    sampler *chooser;
    search *search;     /* of beams, or NULL */
    stream *text;       /* NULL: there is no tokenizer */
    piece_buffer fresh; /* of this step */
    uint32_t ended;     /* HEED_FINISH_*, as of this step */
    size_t n_prompt, n_generated;
    size_t n_chosen;             /* in this step */
    size_t n_echoed;             /* tokens of the prompt that were told, or need not be */
    uint64_t first_ns, begin_ns; /* 0: not yet */
    struct heed_sequence *newer; /* in the generator's list of all that have not finished */
    struct heed_sequence *older;

    /* fixed */
    heed_generator *generator;
    uint32_t flags, min_tokens, n_logprobs;
    size_t max_tokens; /* SIZE_MAX: no limit */
    int32_t *stop_tokens;
    size_t n_stop_tokens;
    int32_t *forbidden; /* before min_tokens */
    size_t n_forbidden;
    uint64_t deadline_ns, added_ns;
    arena memory; /* of the arrays above */

    atomic_int cancelled;

    /* under the lock */
    pthread_cond_t changed;
    bool waits; /* its thread sleeps on `changed` */
    bool freed; /* the leader frees it */
    bool done;  /* out of the generator's hands */
    uint32_t finish;
    heed_status failed;
    char error_text[256];
    struct heed_sequence *next_of_all, *before_of_all;
    piece_buffer ready;
    int32_t *generated; /* all of them */
    size_t n_all, all_capacity;
    heed_sequence_stats stats;

    /* of the thread that calls next */
    piece_buffer given;
    int32_t *shown;
    size_t shown_capacity;
};

struct heed_generator {
    heed_model *model;
    session_options options;
    decoder *decoder;
    encoder *encoder; /* NULL: all inputs of the decoder come from its tokens */
    scheduler *scheduler;
    uint32_t generation; /* of forks, when it was made */
    uint64_t load_ns, step_ns;
    heed_tokenizer *tokenizer; /* or NULL */
    heed_tokenizer *settings;  /* without one: what else stands beside the model; or NULL */
    char no_tokenizer[512];    /* why there is none */
    heed_tokenizer_info words;

    pthread_mutex_t lock;
    pthread_cond_t free_to_lead; /* for those that have no sequence to wait for */
    bool led;
    uint32_t callers;                  /* that wait on free_to_lead */
    heed_sequence *inbox, *inbox_last; /* by `newer` */
    size_t n_freed;                    /* while there was a leader, who lets them go */
    heed_sequence *oldest, *newest;    /* of the leader: in the scheduler's hands */
    heed_sequence *all;                /* finished ones too, until they are freed */
    uint64_t arrivals;
    heed_generator_stats stats;
    size_t n_active;
};

static inline uint64_t generate_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* open.c: what a generator is made of, from a model's path or its folder; and all but the tokenizer
 * freed again. */
heed_status generator_open_parts(heed_generator *g, const char *path,
                                 const heed_generator_options *o);
void generator_close_parts(heed_generator *g);

/* tokenizer.c: what the configuration files of a folder say, where it has no tokenizer: for
 * heed_tokenizer_get_info alone. HEED_UNSUPPORTED when the plugin cannot. */
heed_status tokenizer_open_settings(const char *folder, heed_tokenizer **out);

/* request.c: a sequence that nobody knows yet. */
heed_status sequence_new(heed_generator *g, const heed_request *request, heed_sequence **out);
/* One that goes on from another, with its tokens for a prompt. The leader's. */
heed_status sequence_fork(const heed_sequence *from, const heed_request *request,
                          heed_sequence **out);
void sequence_delete(heed_sequence *s); /* in no list */

/* piece.c */
heed_status piece_buffer_add_token(piece_buffer *b, int32_t token);
heed_status piece_buffer_add_text(piece_buffer *b, const char *text, size_t bytes);
heed_status piece_buffer_add_logprobs(piece_buffer *b, heed_logprob own, const heed_logprob *others,
                                      size_t n);
heed_status piece_buffer_append(piece_buffer *b, const piece_buffer *more);
bool piece_buffer_is_empty(const piece_buffer *b);
void piece_buffer_empty(piece_buffer *b);
void piece_buffer_free(piece_buffer *b);

/* choose.c: what comes after the rows of logits that the job's lanes have in this step. On failure
 * the job has failed. Logits are changed. Threads may choose for several sequences at once; where
 * that leads to forks, which are of the decoder, the leader makes them afterwards. */
void sequence_choose(heed_sequence *s, float *logits);
void sequence_branch(heed_sequence *s);
/* A token that was found otherwise, with n_logprobs others: it is told, and may end the sequence.
 */
heed_status sequence_give(heed_sequence *s, heed_logprob token, const heed_logprob *others);
void sequence_end_text(heed_sequence *s); /* what was held back, for one that is stopped */

/* lead.c: all with the lock, which a step gives up meanwhile. */
void generator_step(heed_generator *g);
void generator_put_in(heed_generator *g, heed_sequence *s);
void generator_take_in(heed_generator *g); /* new ones; there is no leader, or it is this thread */
void generator_drop(heed_generator *g, heed_sequence *s); /* for heed_sequence_free */

#endif
