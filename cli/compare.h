/* compare.h - is a result what was expected? Tolerances by dtype, first differing element. */
#ifndef HEED_CLI_COMPARE_H
#define HEED_CLI_COMPARE_H

#include "cli.h"

/* |got - want| <= atol + rtol * |want|; with `either`, within atol or within rtol * |want|. With
 * `normwise`, |want| is the largest magnitude of the tensor: a 16-bit network rounds at every node,
 * and those errors are relative to the terms of its sums, not to a result in which they cancel. */
typedef struct compare_rule {
    double rtol, atol;
    bool either, normwise;
} compare_rule;

/* Which rule a tensor falls under. Whole numbers, booleans and strings must be equal. */
typedef struct compare_rules {
    compare_rule wide;   /* float32, float64, complex */
    compare_rule narrow; /* 16 bits and fewer */
} compare_rules;

extern const compare_rules compare_node_rules;   /* those of the ONNX node tests */
extern const compare_rules compare_model_rules;  /* 1e-3, absolute or relative; narrow 2e-2 */
extern const compare_rules compare_narrow_rules; /* 2e-2 for all: models of 16 bits and fewer */

enum { COMPARE_WHY = 512 };

typedef struct compare_result {
    bool measured;           /* some floating-point values were compared */
    double max_abs, max_rel; /* over pairs of finite values */
    char why[COMPARE_WHY];   /* the first difference */
} compare_result;

/* Adds to the result's maxima; false with `why` when they differ. NaN equals NaN. */
bool compare_tensors(const char *name, const heed_tensor *got, const heed_tensor *want,
                     const compare_rules *rules, compare_result *result);

#endif
