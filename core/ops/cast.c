/* cast.c - Cast and CastLike: any dtype to any other, strings in text.c. */
#include <string.h>

#include "base/half.h"
#include "ops/content.h"
#include "ops/loops.h"
#include "ops/text.h"

typedef struct cast {
    bool saturate;
    scale_round scale; /* rounding to float8e8m0 */
} cast;

/* The compute type through which a dtype travels without loss. */
static dtype_class via(heed_dtype from)
{
    dtype_class class = dtype_get_class(from);
    return class == CLASS_BOOL ? CLASS_U64 : class;
}

static void store_scales(heed_tensor *out, int64_t first, int64_t n, const double *in,
                         const cast *how)
{
    uint8_t *to = (uint8_t *)tensor_data(out) + first;
    for (int64_t i = 0; i < n; i++)
        to[i] = scale_from_float((float)in[i], how->scale, how->saturate);
}

static void cast_block(const heed_tensor *in, heed_tensor *out, int64_t first, int64_t n,
                       const cast *how)
{
    loop_block b;
    dtype_class class = out->dtype == HEED_FLOAT8E8M0 ? CLASS_F64 : via(in->dtype);
    loop_load(in, class, first, n, &b);
    if (out->dtype == HEED_FLOAT8E8M0)
        store_scales(out, first, n, b.f64, how);
    else if (class == CLASS_F32)
        dtype_store_f32(out->dtype, tensor_data(out), first, n, b.f32, how->saturate);
    else if (class == CLASS_F64)
        dtype_store_f64(out->dtype, tensor_data(out), first, n, b.f64, how->saturate);
    else
        loop_store(out, class, first, n, &b);
}

static scale_round scale_mode(const char *text)
{
    if (!strcmp(text, "nearest"))
        return SCALE_NEAREST;
    return strcmp(text, "down") ? SCALE_UP : SCALE_DOWN;
}

/* CastLike has its type from a second input, Cast from an attribute. */
static heed_dtype target(const op_call *c)
{
    return call_has(c, 1) ? c->in[1]->dtype : (heed_dtype)ir_attr_int(c->node, "to", 0);
}

static heed_status run_cast(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = c->out[0];
    const cast how = {.saturate = ir_attr_int(c->node, "saturate", 1) != 0,
                      .scale = scale_mode(ir_attr_string(c->node, "round_mode", "up"))};
    int64_t total = tensor_count(in);
    if (c->owned)
        TRY(call_output(c, 0, target(c), tensor_rank(in), in->dims));
    if (in->dtype == out->dtype)
        return tensor_copy_content(out, in);
    if (in->dtype == HEED_STRING || out->dtype == HEED_STRING) {
        heed_status status = text_cast(out, in);
        return status ? ir_node_error(c->node) : HEED_OK;
    }
    for (int64_t first = 0; first < total; first += LOOP_BLOCK)
        cast_block(in, out, first, total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK, &how);
    return HEED_OK;
}

/* Text that is made here must be owned by the output, as only late outputs are. */
static heed_status infer_shape(op_infer *c)
{
    bool made = c->out[0].dtype == HEED_STRING && c->in[0]->dtype != HEED_STRING;
    c->late = c->late || (made && !c->dims);
    return infer_same(c);
}

static heed_status infer_cast(op_infer *c)
{
    int64_t to = ir_attr_int(c->node, "to", 0);
    if (to <= 0 || to >= HEED_DTYPE_COUNT)
        return infer_error(c, "a data type in attribute \"to\"", "%lld", (long long)to);
    heed_dtype dtype = (heed_dtype)to;
    if (dtype_get_class(dtype) == CLASS_C64 || dtype_get_class(dtype) == CLASS_C128)
        return infer_error(c, "a real type in attribute \"to\"", "%s", dtype_name(dtype));
    c->out[0].dtype = dtype;
    return infer_shape(c);
}

static heed_status infer_like(op_infer *c)
{
    c->out[0].dtype = c->in[1]->dtype;
    return infer_shape(c);
}

/* Integers keep their value, if they fit; bools become 0 or 1. */
static void content_cast(op_infer *c)
{
    content_entry *list;
    int64_t n;
    heed_dtype to = c->out[0].dtype;
    if (to != HEED_BOOL) {
        if (dtype_bits(to) >= 32)
            content_forward(c);
        return;
    }
    if (!content_get(c, 0, &list, &n) || n > CONTENT_MAX)
        return;
    ir_dim *out = infer_dims_new(c, n);
    for (int64_t i = 0; out && i < n; i++)
        out[i] = list[i].known ? list[i].number != 0 : DIM_UNKNOWN;
    if (out)
        content_put(c, 0, n, out);
}

// clang-format off
static const op_def cast_op = {
    .domain = "", .name = "Cast", .since = 25, .flags = OP_ELEMENTWISE,
    .signature = "input:A -> output:B", .types = "A=real|bool|string B=any",
    .attrs = "to:int! saturate:int=1 round_mode:string=up",
    .infer = infer_cast, .content = content_cast, .run = run_cast};
static const op_def cast_like = {
    .domain = "", .name = "CastLike", .since = 25, .flags = 0,
    .signature = "input:A, target_type:B -> output:B",
    .types = "A=real|bool|string B=real|bool|string",
    .attrs = "saturate:int=1 round_mode:string=up",
    .infer = infer_like, .content = content_cast, .run = run_cast};

const op_def *const ops_cast[] = {&cast_op, &cast_like, NULL};
// clang-format on
