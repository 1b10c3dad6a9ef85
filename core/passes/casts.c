/* casts.c - pass: a cast of a cast goes straight, where the one between loses nothing; and a cast
 * to the type of another value names the type, so that whoever knows casts knows it too.
 *
 * before: Cast(Cast(x: int32, int64), float)      after: Cast(x: int32, float)
 * before: CastLike(x, y: float)                   after: Cast(x, float) */
#include <string.h>

#include "passes/pass.h"

/* Every value of `from` is a value of `to`. */
static bool widens(heed_dtype from, heed_dtype to)
{
    bool narrow_float = from == HEED_FLOAT16 || from == HEED_BFLOAT16;
    if (from == to)
        return true;
    if (from == HEED_BOOL)
        return dtype_is_int(to) || to == HEED_FLOAT32 || to == HEED_FLOAT64;
    if (narrow_float && (to == HEED_FLOAT32 || to == HEED_FLOAT64))
        return true;
    if (from == HEED_FLOAT32)
        return to == HEED_FLOAT64;
    if (!dtype_is_int(from) || !dtype_is_int(to))
        return false;
    if (dtype_is_signed(from) == dtype_is_signed(to))
        return dtype_bits(from) < dtype_bits(to);
    return !dtype_is_signed(from) && dtype_bits(from) < dtype_bits(to);
}

/* One whose rounding is no word stays: the text of a body has words only. */
static heed_status name_type(pass_run *p, ir_node *n)
{
    ir_value *x = ir_input(n, 0);
    const char *mode = ir_attr_string(n, "round_mode", "up");
    if (strpbrk(mode, " =%\t\n\r\v\f") || !*mode)
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y = body_1(&b, x, "Cast to=%u saturate=%lld round_mode=%s", n->out[0]->type.dtype,
                         (long long)ir_attr_int(n, "saturate", 1), mode);
    p->rewrites++;
    return pass_settle(p, n, &b, y);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    if (pass_is(n, "CastLike"))
        return n->out[0] && n->out[0]->type.dtype ? name_type(p, n) : HEED_OK;
    ir_node *first = pass_is(n, "Cast") ? n->in[0].value->producer : NULL;
    if (!pass_is(first, "Cast") || first->graph != n->graph)
        return HEED_OK;
    ir_value *source = first->in[0].value;
    if (!widens(source->type.dtype, n->in[0].value->type.dtype))
        return HEED_OK;
    ir_node_set_input(n, 0, source);
    p->rewrites++;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_casts = {
    .name = "casts",
    .purpose = "a cast of a widening cast goes straight",
    .order = 40,
    .again = 80,
    .repeat = true,
    .run = run,
};
