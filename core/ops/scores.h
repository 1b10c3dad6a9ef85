/* scores.h - what scores of a classifier or regressor become in the end: the post_transform
 * attribute of ai.onnx.ml. */
#ifndef HEED_OPS_SCORES_H
#define HEED_OPS_SCORES_H

#include "ops/op.h"

typedef void scores_fn(int64_t n, double *scores); /* one row, in place */

/* By its name ("SOFTMAX"), or its number in TreeEnsemble; NULL when there is none. */
scores_fn *scores_by_name(const char *name);
scores_fn *scores_by_number(int64_t number);

/* Both scores of two classes, from that of the second one: what the first has is the rest of a
 * probability, or the negative of a margin. */
void scores_pair(scores_fn *finish, bool margin, double score, double *out);
int64_t scores_best(int64_t n, const double *scores); /* the first of the greatest */

/* ---- Labels of classes ---------------------------------------------------------------------- */

typedef struct scores_labels {
    uint64_t n; /* 0: labels are the numbers of classes */
    const int64_t *numbers;
    const heed_string *texts;
} scores_labels;

/* From two attributes of which one is there. */
scores_labels scores_labels_of(const ir_node *n, const char *numbers, const char *texts);
/* Infers output 0 of a classifier: a label for each of `rows`. */
heed_status scores_infer_labels(op_infer *c, const scores_labels *l, ir_dim rows);
/* Element i of output 0 becomes the label of a class; a class without one is refused. */
heed_status scores_set_label(op_call *c, const scores_labels *l, int64_t i, int64_t class);

#endif
