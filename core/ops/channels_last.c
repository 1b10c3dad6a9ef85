/* channels_last.c - com.microsoft's operators on images with channels last, as those on images with
 * channels first: NhwcMaxPool, GroupNorm, SkipGroupNorm; and ConvTransposeWithDynamicPads, whose
 * padding is data. */
#include "ops/infer_as.h"
#include "ops/quant.h"

/* ---- NhwcMaxPool ---------------------------------------------------------------------------- */

static heed_status infer_max_pool(op_infer *c) { return infer_as_last(c, "MaxPool", 1, c->in); }

static void decompose_max_pool(op_body *b)
{
    ir_value *x = quant_channels_first(b, body_in(b, 0), true);
    x = body_1(
        b, x, "%s",
        quant_with_attrs(b, "MaxPool", "auto_pad ceil_mode dilations kernel_shape pads strides"));
    body_set(b, 0, quant_channels_last(b, x, true));
}

/* ---- GroupNorm, SkipGroupNorm --------------------------------------------------------------- */

enum { X, GAMMA, BETA, SKIP, BIAS };

static bool has_channels_last(const ir_node *n) { return ir_attr_int(n, "channels_last", 1) != 0; }

/* In float32, as gamma and beta may be of another type than the image. */
static ir_value *normalise(op_body *b, ir_value *x)
{
    bool last = has_channels_last(b->node);
    int64_t activation = ir_attr_int(b->node, "activation", 0);
    ir_value *y = body_cast(b, x, HEED_FLOAT32);
    y = last ? body_transpose(b, y, "0,3,1,2") : y;
    y = body_3(b, y, body_cast(b, body_in(b, GAMMA), HEED_FLOAT32),
               body_cast(b, body_in(b, BETA), HEED_FLOAT32),
               "GroupNormalization num_groups=%lld epsilon=%.17g",
               (long long)ir_attr_int(b->node, "groups", 1),
               ir_attr_float(b->node, "epsilon", 1e-5));
    if (activation != 0 && activation != 1)
        body_fail(b, HEED_INVALID, "activation %lld is neither 0 nor 1", (long long)activation);
    if (activation == 1)
        y = body_1(b, y, "Swish");
    y = last ? body_transpose(b, y, "0,2,3,1") : y;
    return body_cast(b, y, body_in(b, X)->type.dtype);
}

static void decompose_group_norm(op_body *b) { body_set(b, 0, normalise(b, body_in(b, X))); }

/* [N, C], or an image of one pixel or of all: as [N, pixels, C] or [N, C, pixels] they broadcast
 * to each other, whatever they are. */
static ir_value *flat(op_body *b, ir_value *x, bool last)
{
    ir_value *image = body_in(b, X), *pixels = body_ints(b, 1, (const int64_t[]){-1});
    ir_value *batch = body_1(b, image, "Shape end=1");
    ir_value *channels = body_1(b, image, last ? "Shape start=3 end=4" : "Shape start=1 end=2");
    ir_value *order[] = {batch, last ? pixels : channels, last ? channels : pixels};
    return body_reshape_to(b, x, 3, order);
}

static void decompose_skip_group_norm(op_body *b)
{
    bool last = has_channels_last(b->node);
    ir_value *x = body_in(b, X), *bias = body_in(b, BIAS);
    ir_value *sum = body_2(b, flat(b, x, last), flat(b, body_in(b, SKIP), last), "Add");
    if (bias)
        sum = body_2(b, sum, last ? bias : body_unsqueeze(b, bias, "1"), "Add");
    sum = body_2(b, sum, body_1(b, x, "Shape"), "Reshape allowzero=1");
    body_set(b, 0, normalise(b, sum));
    body_set(b, 1, sum);
}

static heed_status infer_group_norm(op_infer *c)
{
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 4)
        return infer_error(c, "an image of rank 4", "rank %d", infer_rank(c, 0));
    return infer_same(c);
}

/* ---- ConvTransposeWithDynamicPads ----------------------------------------------------------- */

static heed_status infer_dynamic_pads(op_infer *c)
{
    return infer_set_unknown(c, 0, 0, infer_rank(c, 0));
}

/* Padding takes away what the convolution without it has too much at its ends: [2, axes] numbers,
 * and none of batch and channels. */
static void decompose_dynamic_pads(op_body *b)
{
    ir_value *pads = body_in(b, 2), *in[] = {body_in(b, 0), body_in(b, 1), body_in(b, 3)};
    const char *names = "auto_pad dilations group kernel_shape output_padding strides";
    ir_value *y = body_n(b, 3, in, "%s", quant_with_attrs(b, "ConvTranspose", names));
    if (pads) {
        ir_value *ends[2], *none = body_ints(b, 2, (const int64_t[]){0, 0});
        for (int side = 0; side < 2; side++) {
            ir_value *row = body_part(b, body_reshape(b, pads, "2,-1"), 0, side, side + 1);
            ends[side] = body_concat(b, none, body_reshape(b, row, "-1"), 0);
        }
        ends[1] = body_2(b, body_1(b, y, "Shape"), ends[1], "Sub");
        y = body_3(b, y, ends[0], ends[1], "Slice");
    }
    body_set(b, 0, y);
}

// clang-format off
static const op_def nhwc_max_pool = {
    .domain = "com.microsoft", .name = "NhwcMaxPool", .since = 1,
    .signature = "x:T -> y:T", .types = "T=float|int8|uint8",
    .attrs = "auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints kernel_shape:ints! pads:ints "
             "strides:ints",
    .infer = infer_max_pool, .decompose = decompose_max_pool};
static const op_def group_norm = {
    .domain = "com.microsoft", .name = "GroupNorm", .since = 1,
    .signature = "X:T, gamma:M, beta:M -> Y:T", .types = "T=float M=float",
    .attrs = "activation:int! channels_last:int=1 epsilon:float=0.00001 groups:int!",
    .infer = infer_group_norm, .decompose = decompose_group_norm};
static const op_def skip_group_norm = {
    .domain = "com.microsoft", .name = "SkipGroupNorm", .since = 1,
    .signature = "X:T, gamma:M, beta:M, skip:T, bias:T? -> Y:T, S:T?", .types = "T=float M=float",
    .attrs = "activation:int! channels_last:int=1 epsilon:float=0.00001 groups:int!",
    .infer = infer_group_norm, .decompose = decompose_skip_group_norm};
static const op_def dynamic_pads = {
    .domain = "com.microsoft", .name = "ConvTransposeWithDynamicPads", .since = 1,
    .signature = "X:T, W:T, Pads:int64?, B:T? -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints "
             "output_padding:ints strides:ints",
    .infer = infer_dynamic_pads, .decompose = decompose_dynamic_pads};

const op_def *const ops_channels_last[] = {&nhwc_max_pool, &group_norm, &skip_group_norm,
                                           &dynamic_pads, NULL};
// clang-format on
