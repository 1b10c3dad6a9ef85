/* past_model.h - a decoder as its file has it, with past tensors or without, one sequence at a
 * time. Slower than pages, and right for whatever the file is: where it has no past, the sequence
 * is computed from its beginning in each step. Used by one thread at a time. */
#ifndef HEED_GENERATE_PAST_MODEL_H
#define HEED_GENERATE_PAST_MODEL_H

#include "generate/past_state.h"
#include "passes/paging/caches.h"
#include "run/compiled.h"

typedef struct past_model {
    heed_model *model;
    heed_session *session;
    ir_model *bare; /* the graph without pasts, inferred; or NULL */
    arena memory;
    decoder_roles roles;
    cache_map caches;
    const char **names;    /* of the inputs */
    const ir_type **known; /* of the outputs, as inferred; NULL where there is none */
    bool keeps;            /* there are pasts */
    bool many;             /* several tokens at once, after others: no token sees later ones */
    bool cuts;             /* a past can be shortened */
    bool last_only;        /* a run gives the last row alone; known once one did */
    int64_t fixed;         /* as many tokens as a run must have; -1: any number */
    int64_t copies;        /* of the sequence that a run must have; 1 where it may be one */
    int64_t vocabulary;
    int64_t positions; /* most tokens of a sequence; -1: not known */
} past_model;

/* ---- past_new.c -------------------------------------------------------------------------- */

/* HEED_UNSUPPORTED, with the reason, when no input is one of tokens. The model is borrowed. */
heed_status past_model_new(heed_model *m, const compile_options *options, past_model **out);
void past_model_free(past_model *p);

/* ---- past_model.c ------------------------------------------------------------------------ */

typedef struct past_step {
    past_state *state;     /* NULL: of no tokens */
    const int32_t *tokens; /* all of the sequence, or NULL: the main input is given */
    uint32_t n_tokens;     /* all of the sequence, those of the state too */
    uint32_t n_rows;       /* results of that many of the last tokens */
    size_t n_inputs; /* what else the model wants: sides as they are, embeddings of all tokens */
    const char *const *names;
    const heed_tensor *const *inputs;
    uint64_t deadline_ns;
    heed_cancel *cancel;
} past_step;

/* rows: [n_rows, vocabulary] as float32. *next holds all tokens; it may be of no use (NULL) where
 * nothing is kept. */
heed_status past_model_run(past_model *p, const past_step *step, float *rows, past_state **next);
/* What the state was after n tokens; NULL where that cannot be told. The state is dropped. */
heed_status past_model_cut(const past_model *p, past_state *state, size_t n, past_state **out);

/* ---- past_inputs.c ----------------------------------------------------------------------------
 */

/* One run of the graph: tokens `first` to `last` - 1. */
typedef struct past_run {
    const past_model *p;
    const past_step *step;
    const past_state *state;
    uint32_t first, last;
    heed_tensor **in; /* owned, by input; NULL: it is left out, or is the step's or the state's */
    const heed_tensor **given;
} past_run;

/* Fills `given` with an input for each of the model's that must be given. */
heed_status past_make_inputs(past_run *r);

#endif
