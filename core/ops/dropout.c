/* dropout.c - Dropout: the identity, except where a model asks for training mode.
 *
 * The standard leaves the random numbers open; ours are those of its own evaluator (random.h), so
 * that a seed means the same as there. */
#include <string.h>

#include "ops/loops.h"
#include "ops/random.h"

static void drop(const op_call *c, double ratio, uint32_t seed)
{
    heed_tensor *mask = call_out(c, 1);
    int64_t total = tensor_count(c->in[0]);
    double scale = ratio < 1 ? 1 / (1 - ratio) : 0;
    double block[LOOP_BLOCK];
    random_state random;
    random_seed(&random, seed);
    for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        loop_load(c->in[0], CLASS_F64, first, n, block);
        for (int64_t i = 0; i < n; i++) {
            bool keep = random_uniform(&random) >= ratio;
            block[i] = keep ? block[i] * scale : 0;
            if (mask)
                ((uint8_t *)tensor_data(mask))[first + i] = keep;
        }
        if (call_out(c, 0))
            loop_store(c->out[0], CLASS_F64, first, n, block);
    }
}

static heed_status run_dropout(op_call *c)
{
    bool training = call_has(c, 2) && tensor_count(c->in[2]) > 0 && tensor_get_int(c->in[2], 0);
    bool given = call_has(c, 1) && tensor_count(c->in[1]) > 0;
    double ratio = given ? tensor_get_float(c->in[1], 0) : 0.5;
    heed_tensor *mask = call_out(c, 1);
    if (training && !(ratio >= 0 && ratio <= 1))
        return call_error(c, HEED_INVALID, "the ratio of Dropout is %g", ratio);
    if (training && ratio > 0) {
        drop(c, ratio, (uint32_t)ir_attr_int(c->node, "seed", c->node->id));
        return HEED_OK;
    }
    if (mask && tensor_count(mask) > 0)
        memset(tensor_data(mask), 1, (size_t)tensor_count(mask));
    return call_out(c, 0) ? tensor_copy_content(c->out[0], c->in[0]) : HEED_OK;
}

// clang-format off
static const op_def dropout = {
    .domain = "", .name = "Dropout", .since = 22, .flags = OP_INPLACE | OP_RANDOM,
    .signature = "data:T, ratio:R?, training_mode:bool? -> output:T, mask:bool?",
    .types = "T=float R=float", .attrs = "seed:int",
    .infer = infer_same, .run = run_dropout};

const op_def *const ops_dropout[] = {&dropout, NULL};
// clang-format on
