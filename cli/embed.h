/* embed.h - the parts of `heed embed`: which input is what, batches, pooling, what is shown. */
#ifndef HEED_CLI_EMBED_H
#define HEED_CLI_EMBED_H

#include "cli.h"
#include "prompts.h"

/* ---- How token vectors become one (embed_pool.c) ---- */

typedef struct embed_pooling {
    const char *name;
    const char *key; /* in a 1_Pooling/config.json, or NULL */
    /* The share of token s of n; NULL: the largest of each channel, or with "none" all of them. */
    double (*weight)(size_t s, size_t n);
} embed_pooling;

const embed_pooling *embed_pooling_find(const char *name); /* NULL, after a message */
extern const embed_pooling embed_poolings[];               /* ended by a NULL name */
bool embed_keeps_tokens(const embed_pooling *pooling);
/* out[channels] from rows [n, channels]. */
void embed_pool(const embed_pooling *pooling, const double *rows, size_t n, size_t channels,
                double *out);
void embed_normalize(double *vector, size_t channels); /* to length 1; zeros stay */

/* ---- What the files beside a model say (embed_config.c) ---- */

typedef struct embed_config {
    const embed_pooling *pooling; /* NULL: nothing is said */
    int normalize;                /* 1, 0, or -1: nothing is said */
    size_t limit;                 /* most tokens of a text; 0: nothing is said */
    char *from;                   /* the file, or NULL */
} embed_config;

/* modules.json of the model's folder or of the one above, or a 1_Pooling alone. EXIT_OK, or an exit
 * code after a message. */
int embed_config_read(const char *model, embed_config *out);

/* ---- Inputs (embed_inputs.c) ---- */

typedef enum embed_role {
    EMBED_UNKNOWN,
    EMBED_IDS,
    EMBED_MASK,
    EMBED_TYPES,
    EMBED_POSITIONS,
    EMBED_ONES,
    EMBED_ZEROS,
    EMBED_EMPTY, /* a past of no tokens */
    EMBED_LEFT_OUT
} embed_role;

typedef struct embed_input {
    const heed_value_info *info;
    embed_role role;
} embed_input;

typedef struct embed_inputs {
    size_t n;
    embed_input *items;
    bool pads;             /* a mask makes texts of several lengths one batch */
    int64_t batch, length; /* fixed extents of the ids, or -1 */
} embed_inputs;

/* Roles by names and types, or as words NAME=ROLE say. EXIT_OK, or an exit code after a message. */
int embed_inputs_find(const cli_args *args, const heed_model *model, embed_inputs *out);
/* The tensors of a batch: rows of `length` tokens, those of text i in row i, then `pad`. Names and
 * tensors get one entry for each input that is given; *n of them. */
heed_status embed_inputs_make(const embed_inputs *inputs, const prompt *const *texts,
                              size_t n_texts, int64_t rows, int64_t length, int32_t pad,
                              const char **names, heed_tensor **tensors, size_t *n);
void embed_inputs_free(embed_inputs *inputs);

/* ---- All of it ---- */

typedef struct embed_vectors {
    double *values; /* [rows, channels]; one row, or with --pool none one for each token */
    size_t rows;
} embed_vectors;

typedef struct embed_job {
    const cli_args *args;
    const char *path;
    bool json;
    prompt_list texts; /* tokens are added to those that are text */
    heed_tokenizer *tokenizer;
    heed_model *model;
    heed_session *session;
    embed_config config;
    const embed_pooling *pooling; /* as the output needs it; NULL: taken as it is */
    bool normalize;
    embed_inputs inputs;
    const heed_value_info *output;
    size_t batch; /* most texts of a run */
    int32_t pad;
    size_t channels;
    embed_vectors *vectors; /* one entry for each text */
    uint64_t ns;
} embed_job;

int embed_run(embed_job *job);          /* embed_run.c: tokens, batches, vectors */
int embed_report(const embed_job *job); /* embed_report.c */

#endif
