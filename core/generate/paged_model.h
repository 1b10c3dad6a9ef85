/* paged_model.h - a decoder in the form that reads earlier tokens from pages, and the bytes of
 * these pages. Used by one thread at a time.
 *
 * A step takes the next tokens of any sequences, one after the other, and gives the rows of the
 * model's first result that are wanted. Which pages a sequence has is the caller's to say; a page
 * must have been reserved, and copied where its table was forked, before it is written. */
#ifndef HEED_GENERATE_PAGED_MODEL_H
#define HEED_GENERATE_PAGED_MODEL_H

#include "generate/decoder.h"
#include "generate/page_store.h"
#include "generate/page_table.h"
#include "generate/side_model.h"

typedef struct paged_model paged_model;

/* kv_dtype: of what lies in pages, HEED_UNDEFINED: as computed. HEED_UNSUPPORTED, with the reason,
 * where the model cannot have pages. */
heed_status paged_model_new(const heed_model *m, const compile_options *options,
                            uint32_t page_tokens, heed_dtype kv_dtype, paged_model **out);
void paged_model_free(paged_model *p);
const pass_paging *paged_model_about(const paged_model *p);
int64_t paged_model_positions(const paged_model *p); /* most tokens of a sequence; -1: not known */
/* Its results are inputs of all steps of a sequence. NULL: there are none. */
const side_model *paged_model_side(const paged_model *p);
/* The steps' graph has an input of this name. */
bool paged_model_reads(const paged_model *p, const char *name);
/* The file's inputs that are the same for all tokens, and read by the steps or by side_model. */
heed_status paged_model_side_names(const paged_model *p, arena *memory, const char *const **out,
                                   uint32_t *n);

/* Where its pages lie. */
page_store *paged_model_pages(const paged_model *p);
/* There will be no more than n pages; before the first one. */
heed_status paged_model_limit(paged_model *p, uint32_t n);

typedef struct paged_step {
    uint32_t n_sequences;
    const page_table *const *tables; /* with the step's tokens */
    const uint32_t *counts;          /* how many these are, of each sequence */
    size_t n_inputs; /* the file's inputs but positions and what was taken as known: [1, T, ...] */
    const char *const *names;
    heed_tensor *const *inputs;
    uint32_t n_rows;
    const uint32_t *rows; /* of the T tokens */
    /* Used for inputs that are not among the above: of each sequence its tokens, and what an
     * encoder gave. Both may be NULL. */
    const int32_t *const *tokens;
    const decoder_side *side;
    uint64_t deadline_ns; /* as of a run */
    const heed_cancel *cancel;
} paged_step;

/* *out is a new tensor, [1, n_rows, ...] as the model has it. */
heed_status paged_model_run(paged_model *p, const paged_step *step, heed_tensor **out);
/* HEED_UNSUPPORTED where the model takes no tokens, or its result is no row of numbers for each. */
heed_status paged_model_vocabulary(const paged_model *p, int64_t *out);
/* Rows of the table of tokens; 0: not known. */
int64_t paged_model_ids(const paged_model *p);
/* logits: [n_rows, vocabulary]. */
heed_status paged_model_logits(paged_model *p, const paged_step *step, float *logits);

#endif
