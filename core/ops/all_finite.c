/* all_finite.c - IsAllFinite of com.microsoft: is no element of any input infinite or no number? */
#include <math.h>

#include "ops/loops.h"

static heed_status infer_finite(op_infer *c) { return infer_set(c, 0, HEED_BOOL, 0, NULL); }

static heed_status run_finite(op_call *c)
{
    bool inf_only = ir_attr_int(c->node, "isinf_only", 0) != 0, fine = true;
    bool nan_only = ir_attr_int(c->node, "isnan_only", 0) != 0;
    double x[LOOP_BLOCK];
    for (uint32_t i = 0; i < c->n_in; i++) {
        int64_t total = call_has(c, i) ? tensor_count(c->in[i]) : 0;
        for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
            int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
            loop_load(c->in[i], CLASS_F64, first, n, x);
            for (int64_t k = 0; k < n; k++)
                fine = fine && (nan_only || !isinf(x[k])) && (inf_only || !isnan(x[k]));
        }
    }
    *(uint8_t *)tensor_data(c->out[0]) = fine;
    return HEED_OK;
}

// clang-format off
static const op_def all_finite = {
    .domain = "com.microsoft", .name = "IsAllFinite", .since = 1,
    .signature = "input:V* -> output:B", .types = "V=float B=bool",
    .attrs = "isinf_only:int=0 isnan_only:int=0",
    .infer = infer_finite, .run = run_finite};
// clang-format on

const op_def *const ops_all_finite[] = {&all_finite, NULL};
