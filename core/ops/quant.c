/* quant.c - see quant.h. */
#include "ops/quant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/infer_as.h"

ir_value *quant_real(op_body *b, ir_value *x, ir_value *scale, ir_value *zero)
{
    return body_3(b, x, scale, zero, "DequantizeLinear");
}

ir_value *quant_grid(op_body *b, ir_value *x, ir_value *scale, ir_value *zero, heed_dtype dtype)
{
    return body_3(b, x, scale, zero, "QuantizeLinear output_dtype=%u", dtype);
}

ir_value *quant_scalar(op_body *b, ir_value *x)
{
    if (b->status || !x || x->type.rank <= 0)
        return x;
    for (int32_t i = 0; i < x->type.rank; i++)
        if (body_extent(b, x, i) != 1)
            return x;
    return body_1(b, x, "Squeeze");
}

/* ---- Order of axes -------------------------------------------------------------------------- */

static ir_value *permute(op_body *b, ir_value *x, int32_t rank, const int32_t *perm)
{
    char text[8 * TENSOR_MAX_RANK] = "";
    for (int32_t i = 0; i < rank; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? ",%d" : "%d", perm[i]);
    return body_transpose(b, x, text);
}

ir_value *quant_permute(op_body *b, ir_value *x, const int32_t *perm)
{
    return permute(b, x, body_rank(b, x), perm);
}

/* The rank of an image: its own, or else that of the kernel that it meets. */
static int32_t image_rank(op_body *b, const ir_value *x)
{
    uint64_t spatial;
    const int64_t *kernel = ir_attr_ints(b->node, "kernel_shape", &spatial);
    if (b->status || !x || x->type.rank >= 0)
        return body_rank(b, x);
    if (kernel && spatial > 0 && spatial <= TENSOR_MAX_RANK - 2)
        return (int32_t)spatial + 2;
    for (uint32_t i = 0; i < b->node->n_in; i++)
        if (body_in(b, i) && body_in(b, i)->type.rank > 2)
            return body_in(b, i)->type.rank;
    return body_rank(b, x);
}

ir_value *quant_channels_first(op_body *b, ir_value *x, bool apply)
{
    int32_t perm[TENSOR_MAX_RANK], rank = apply ? image_rank(b, x) : 0;
    channels_first(rank, perm);
    return apply ? permute(b, x, rank, perm) : x;
}

ir_value *quant_channels_last(op_body *b, ir_value *x, bool apply)
{
    int32_t perm[TENSOR_MAX_RANK], rank = apply ? image_rank(b, x) : 0;
    channels_last(rank, perm);
    return apply ? permute(b, x, rank, perm) : x;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

typedef struct text_out {
    char *at;
    size_t size, used;
} text_out;

static void put(text_out *t, const char *format, ...) HEED_PRINTF(2, 3);

static void put(text_out *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = t->used < t->size ? t->size - t->used : 0;
    int n = vsnprintf(room ? t->at + t->used : NULL, room, format, args);
    t->used += n > 0 ? (size_t)n : 0;
    va_end(args);
}

static void put_attr(text_out *t, const heed_attribute *a)
{
    put(t, " %s=", a->name);
    if (a->type == HEED_ATTR_INT)
        put(t, "%lld", (long long)a->i);
    if (a->type == HEED_ATTR_FLOAT)
        put(t, "%.17g", a->f);
    if (a->type == HEED_ATTR_STRING)
        put(t, "%.*s", (int)a->s.size, a->s.data);
    for (uint64_t i = 0; a->type == HEED_ATTR_INTS && i < a->n; i++)
        put(t, i ? ",%lld" : "%lld", (long long)a->ints[i]);
}

/* What a node's text can hold of a list. */
static bool is_short(const heed_attribute *a)
{
    for (uint64_t i = 0; a->type == HEED_ATTR_INTS && i < a->n; i++)
        if (a->ints[i] < -9999 || a->ints[i] > 99999)
            return false;
    return a->type != HEED_ATTR_INTS || a->n <= 10;
}

static bool is_named(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += n)
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

const char *quant_with_attrs(op_body *b, const char *op, const char *names)
{
    text_out t = {arena_alloc(b->scratch, 256), 256, 0};
    if (!t.at) {
        body_fail(b, HEED_NOMEM, "no memory for the attributes of %s", op);
        return op;
    }
    bool fits = true;
    put(&t, "%s", op);
    for (uint32_t i = 0; i < b->node->n_attrs; i++) {
        const heed_attribute *a = &b->node->attrs[i].view;
        bool list = a->type == HEED_ATTR_INTS;
        if (!is_named(names, a->name) || (list && a->n == 0))
            continue;
        fits = fits && is_short(a);
        if (a->type == HEED_ATTR_STRING)
            body_word(b, a->name, "");
        put_attr(&t, a);
    }
    if (!fits || t.used >= t.size)
        body_fail(b, HEED_UNSUPPORTED, "the attributes of %s are too large", b->node->op->name);
    return t.at;
}
