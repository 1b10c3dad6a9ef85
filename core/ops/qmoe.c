/* qmoe.c - mixtures of experts with small weights: QMoE of com.microsoft. Only the experts that are
 * chosen are made real, a piece of a row at a time. */
#include <string.h>

#include "ops/float_rows.h"
#include "ops/moe.h"
#include "ops/nbits.h"

/* One place (FC1, FC2, FC3) with its inputs. */
typedef struct small_matrix {
    moe_matrix matrix; /* first */
    nbits bits;        /* quant_type int */
    float_rows floats; /* the others */
    const heed_tensor *weights, *scales, *zeros, *global;
    int64_t block;
} small_matrix;

/* ---- Integers ------------------------------------------------------------------------------- */

static const row_source *open_bits(moe_matrix *m, int64_t expert)
{
    small_matrix *s = (small_matrix *)(void *)m;
    nbits *w = &s->bits;
    w->data = (const uint8_t *)tensor_data(s->weights) + expert * m->out * w->row_bytes;
    w->scale_first = expert * m->out * w->blocks;
    if (w->zeros)
        w->zero_first = expert * (tensor_count(w->zeros) / m->experts);
    return &w->rows;
}

static heed_status read_bits(const op_call *c, small_matrix *s, int64_t bits)
{
    const heed_tensor *w = s->weights;
    nbits *b = &s->bits;
    int64_t block = s->block > 0 ? s->block : s->matrix.in;
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
        return call_error(c, HEED_INVALID, "experts of %lld bits", (long long)bits);
    if (w->dtype != HEED_UINT8 || !s->scales || w->dims[2] != (s->matrix.in * bits + 7) / 8)
        return call_error(c, HEED_INVALID, "bytes of weights with scales are needed");
    b->bits = (uint32_t)bits;
    b->block = block > 0 ? block : 1;
    b->blocks = (s->matrix.in + b->block - 1) / b->block;
    b->row_bytes = w->dims[2];
    b->scales = s->scales;
    b->zeros = s->zeros;
    b->zeros_packed = s->zeros != NULL;
    b->zeros_by_row = s->zeros && tensor_rank(s->zeros) == 2;
    b->zero_bytes = (b->blocks * bits + 7) / 8;
    nbits_init(b);
    int64_t lines = s->matrix.experts * s->matrix.out, zeros = lines * b->zero_bytes;
    if (b->zeros_by_row)
        zeros = s->matrix.experts * ((s->matrix.out * bits + 7) / 8);
    if (tensor_count(s->scales) != lines * b->blocks ||
        (s->zeros && (tensor_count(s->zeros) != zeros || (b->zeros_by_row && b->blocks > 1))))
        return call_error(c, HEED_INVALID, "experts' scales or zero points do not fit");
    s->matrix.open = open_bits;
    return HEED_OK;
}

/* ---- Floats of 8 and 4 bits ----------------------------------------------------------------- */

static const row_source *open_floats(moe_matrix *m, int64_t expert)
{
    small_matrix *s = (small_matrix *)(void *)m;
    float_rows *w = &s->floats;
    w->first = expert * m->out * m->in;
    w->scale_first = expert * ((m->out + w->high - 1) / w->high) * w->scale_columns;
    w->global = 1.0f;
    if (s->global)
        dtype_load_f32(s->global->dtype, tensor_data(s->global), expert, 1, &w->global);
    return &w->rows;
}

/* Scales serve squares of floats of 8 bits, and runs of 32 in a row of those of 4. */
static heed_status read_floats(const op_call *c, small_matrix *s, heed_dtype dtype)
{
    const moe_matrix *m = &s->matrix;
    const heed_tensor *w = s->weights;
    float_rows *f = &s->floats;
    bool nibbles = dtype == HEED_FLOAT4E2M1, blocked = nibbles || s->block > 0;
    s->global = nibbles || !blocked ? s->global : NULL;
    if (w->dtype != (nibbles ? HEED_UINT8 : dtype) || s->zeros || blocked != (s->scales != NULL) ||
        w->dims[2] * (nibbles ? 2 : 1) != m->in)
        return call_error(c, HEED_INVALID, "experts' weights and scales do not fit");
    f->dtype = dtype;
    f->data = tensor_data(w);
    f->columns = m->in;
    f->wide = nibbles ? 32 : blocked ? s->block : INT32_MAX;
    f->high = nibbles || !blocked ? 1 : s->block;
    f->scales = s->scales;
    f->scale_dtype = blocked ? s->scales->dtype : HEED_UNDEFINED;
    f->scale_columns = (m->in + f->wide - 1) / f->wide;
    float_rows_init(f);
    int64_t lines = (m->out + f->high - 1) / f->high;
    bool fits = !blocked || tensor_count(s->scales) == m->experts * lines * f->scale_columns;
    if (nibbles || !blocked)
        fits = fits && s->global && tensor_count(s->global) == m->experts;
    if (!fits)
        return call_error(c, HEED_INVALID, "experts' scales do not fit");
    s->matrix.open = open_floats;
    return HEED_OK;
}

/* ---- QMoE ----------------------------------------------------------------------------------- */

enum { WEIGHTS = 2, ZEROS = 11, MIXING = 14, GLOBAL = 15 };

static const heed_tensor *input(const op_call *c, uint32_t i)
{
    return call_has(c, i) ? c->in[i] : NULL;
}

/* `in` numbers are in a row of the weights of place i. */
static heed_status read_place(const op_call *c, uint32_t i, int64_t in, small_matrix *s)
{
    static const char *const bits_of[] = {"fc1_expert_weight_bits", "fc2_expert_weight_bits",
                                          "fc3_expert_weight_bits"};
    const char *type = ir_attr_string(c->node, "quant_type", "int");
    const heed_tensor *w = c->in[WEIGHTS + 3 * i];
    if (tensor_rank(w) != 3)
        return call_error(c, HEED_INVALID, "experts' weights of rank %d", tensor_rank(w));
    *s = (small_matrix){.weights = w,
                        .scales = input(c, WEIGHTS + 3 * i + 1),
                        .zeros = input(c, ZEROS + i),
                        .global = i < MOE_FC3 ? input(c, GLOBAL + i) : NULL,
                        .block = ir_attr_int(c->node, "block_size", 0)};
    s->matrix = (moe_matrix){.experts = w->dims[0], .out = w->dims[1], .in = in};
    s->matrix.bias = input(c, WEIGHTS + 3 * i + 2);
    int64_t bits = ir_attr_int(c->node, "expert_weight_bits", 4);
    if (s->block > INT32_MAX)
        return call_error(c, HEED_INVALID, "a block_size of %lld", (long long)s->block);
    if (!strcmp(type, "int"))
        return read_bits(c, s, ir_attr_int(c->node, bits_of[i], bits));
    if (!strcmp(type, "fp8"))
        return read_floats(c, s, HEED_FLOAT8E4M3FN);
    if (!strcmp(type, "fp4"))
        return read_floats(c, s, HEED_FLOAT4E2M1);
    return call_error(c, HEED_UNSUPPORTED, "quant_type \"%.32s\"", type);
}

static heed_status run_qmoe(op_call *c)
{
    small_matrix fc[3];
    moe m = {.mixing = input(c, MIXING)};
    int32_t rank = tensor_rank(c->in[0]);
    int64_t hidden = rank > 0 ? c->in[0]->dims[rank - 1] : 0;
    if (ir_attr_int(c->node, "weights_prepacked", -1) == 1)
        return call_error(c, HEED_UNSUPPORTED, "weights that are packed for a device");
    if (tensor_rank(c->in[5]) != 3)
        return call_error(c, HEED_INVALID, "experts' weights of rank %d", tensor_rank(c->in[5]));
    const char *name = ir_attr_string(c->node, "activation_type", "relu");
    bool both = !call_has(c, 8) && (!strcmp(name, "swiglu") || !strcmp(name, "geglu"));
    int64_t inner = tensor_rank(c->in[2]) == 3 ? c->in[2]->dims[1] / (both ? 2 : 1) : 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (!call_has(c, WEIGHTS + 3 * i))
            continue;
        TRY(read_place(c, i, i == MOE_FC2 ? inner : hidden, &fc[i]));
        m.fc[i] = &fc[i].matrix;
    }
    return moe_run(c, &m);
}

// clang-format off
#define PLACE(n) "fc" n "_experts_weights:W"
static const op_def qmoe = {
    .domain = "com.microsoft", .name = "QMoE", .since = 1,
    .signature = "input:T, router_probs:T, " PLACE("1") ", fc1_scales:S?, fc1_experts_bias:T?, "
                 PLACE("2") ", fc2_scales:S?, fc2_experts_bias:T?, " PLACE("3") "?, fc3_scales:S?, "
                 "fc3_experts_bias:T?, fc1_zero_points:W?, fc2_zero_points:W?, fc3_zero_points:W?, "
                 "router_weights:T?, fc1_global_scale:float32?, fc2_global_scale:float32?, "
                 "fc1_act_scale:float32?, fc2_act_scale:float32?, fc1_act_block_scale:S?, "
                 "fc2_act_block_scale:S? -> output:T",
    .types = "T=float32|float16|bfloat16 W=uint8|float8e4m3fn "
             "S=float32|float16|bfloat16|float8e8m0|float8e4m3fn",
    .attrs = "accuracy_level:int=0 activation_alpha:float=1.0 activation_beta:float=0.0 "
             "activation_type:string=relu block_size:int expert_weight_bits:int=4 "
             "fc1_expert_weight_bits:int fc2_expert_weight_bits:int fc3_expert_weight_bits:int "
             "k:int=1 normalize_routing_weights:int=0 quant_type:string=int swiglu_fusion:int=0 "
             "swiglu_limit:float swiglu_limit_after_activation:int=0 use_sparse_mixer:int=0 "
             "weights_prepacked:int=-1",
    .infer = infer_same, .run = run_qmoe};

const op_def *const ops_qmoe[] = {&qmoe, NULL};
// clang-format on
