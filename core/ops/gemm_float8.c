/* gemm_float8.c - GemmFloat8 of com.microsoft: a Gemm of floats of any width under scales, whose
 * result is scaled, activated and rounded to the type that is asked for. */
#include <string.h>

#include "ops/infer_as.h"
#include "ops/quant.h"

enum { A, B, C, A_SCALE, B_SCALE, Y_SCALE };

static heed_status infer_gemm8(op_infer *c)
{
    int64_t to = ir_attr_int(c->node, "dtype", 1);
    ir_type types[3];
    const ir_type *in[3] = {NULL};
    if (to <= 0 || to >= HEED_DTYPE_COUNT || !dtype_is_float((heed_dtype)to))
        return infer_error(c, "a type of floats in attribute dtype", "%lld", (long long)to);
    for (uint32_t i = 0; i < 3; i++)
        if (infer_has(c, i)) {
            types[i] = *c->in[i];
            types[i].dtype = HEED_FLOAT32;
            in[i] = &types[i];
        }
    c->out[0].dtype = (heed_dtype)to;
    return infer_as(c, "Gemm", 3, in);
}

/* Input i in float32, times the scale in input `scale`. */
static ir_value *real(op_body *b, uint32_t i, uint32_t scale)
{
    ir_value *x = body_in(b, i);
    if (!x)
        return NULL;
    x = body_cast(b, x, HEED_FLOAT32);
    ir_value *factor = scale ? quant_scalar(b, body_in(b, scale)) : NULL;
    return factor ? body_2(b, x, factor, "Mul") : x;
}

static ir_value *activated(op_body *b, ir_value *y)
{
    const char *name = ir_attr_string(b->node, "activation", "NONE");
    if (!strcmp(name, "RELU"))
        return body_1(b, y, "Relu");
    if (!strcmp(name, "GELU"))
        return body_1(b, y, "Gelu");
    if (*name && strcmp(name, "NONE") != 0)
        body_fail(b, HEED_INVALID, "activation \"%.32s\"", name);
    return y;
}

static void decompose_gemm8(op_body *b)
{
    ir_value *y = body_3(b, real(b, A, A_SCALE), real(b, B, B_SCALE), real(b, C, 0), "%s",
                         quant_with_attrs(b, "Gemm", "alpha beta transA transB"));
    ir_value *scale = quant_scalar(b, body_in(b, Y_SCALE));
    y = activated(b, y);
    y = scale ? body_2(b, y, scale, "Mul") : y;
    body_set(b, 0, body_cast(b, y, (heed_dtype)ir_attr_int(b->node, "dtype", 1)));
}

// clang-format off
#define FLOATS "float8e4m3fn|float8e5m2|float16|bfloat16|float32"
static const op_def gemm8 = {
    .domain = "com.microsoft", .name = "GemmFloat8", .since = 1,
    .signature = "A:S, B:T, C:U?, scaleA:float32?, scaleB:float32?, scaleY:float32? -> Y:V",
    .types = "S=" FLOATS " T=" FLOATS " U=float16|bfloat16|float32 V=" FLOATS,
    .attrs = "activation:string alpha:float=1.0 beta:float=0.0 dtype:int=1 transA:int=0 "
             "transB:int=0",
    .infer = infer_gemm8, .decompose = decompose_gemm8};

const op_def *const ops_gemm_float8[] = {&gemm8, NULL};
// clang-format on
