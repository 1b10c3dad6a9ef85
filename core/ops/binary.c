/* binary.c - arithmetic and bit operators of two tensors with broadcasting: a row each.
 *
 * Integers wrap. Division by zero gives 0 for integers, so that no input can stop the program. */
#include <math.h>

#include "ops/content.h"
#include "ops/loops.h"

/* What a row knows beyond its op_def: the functions, and the same operation on content. */
typedef struct binary {
    loop_fn *rows[LOOP_CLASSES];
    bool (*numbers)(int64_t a, int64_t b, int64_t *out); /* false: not exact */
    ir_dim (*symbols)(ir_dims *t, ir_dim a, ir_dim b);
} binary;

// clang-format off
LOOP_MAP2(add_f32, float, float, x + y)
LOOP_MAP2(add_f64, double, double, x + y)
LOOP_MAP2(add_u64, uint64_t, uint64_t, x + y)
LOOP_MAP2(sub_f32, float, float, x - y)
LOOP_MAP2(sub_f64, double, double, x - y)
LOOP_MAP2(sub_u64, uint64_t, uint64_t, x - y)
LOOP_MAP2(mul_f32, float, float, x * y)
LOOP_MAP2(mul_f64, double, double, x * y)
LOOP_MAP2(mul_u64, uint64_t, uint64_t, x * y)
LOOP_MAP2(and_u64, uint64_t, uint64_t, x & y)
LOOP_MAP2(or_u64, uint64_t, uint64_t, x | y)
LOOP_MAP2(xor_u64, uint64_t, uint64_t, x ^ y)
LOOP_MAP2(left_u64, uint64_t, uint64_t, y < 64 ? x << y : 0)
LOOP_MAP2(right_u64, uint64_t, uint64_t, y < 64 ? x >> y : 0)
// clang-format on

/* ---- Division and remainder ---------------------------------------------------------------- */

static int64_t divide(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? (int64_t)((uint64_t)0 - (uint64_t)a) : a / b;
}

/* The remainder has the sign of a. */
static int64_t remainder_c(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }

/* The remainder has the sign of b. */
static int64_t remainder_floor(int64_t a, int64_t b)
{
    int64_t r = remainder_c(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static double remainder_floor_f64(double a, double b)
{
    double r = fmod(a, b);
    return (r < 0 || r > 0) && (r < 0) != (b < 0) ? r + b : r;
}

LOOP_MAP2(div_f32, float, float, x / y)
LOOP_MAP2(div_f64, double, double, x / y)
LOOP_MAP2(div_i64, int64_t, int64_t, divide(x, y))
LOOP_MAP2(div_u64, uint64_t, uint64_t, y ? x / y : 0)
LOOP_MAP2(mod_f64, double, double, remainder_floor_f64(x, y))
LOOP_MAP2(mod_i64, int64_t, int64_t, remainder_floor(x, y))
LOOP_MAP2(mod_u64, uint64_t, uint64_t, y ? x % y : 0)
LOOP_MAP2(fmod_f64, double, double, fmod(x, y))
LOOP_MAP2(fmod_i64, int64_t, int64_t, remainder_c(x, y))

/* ---- Power ---------------------------------------------------------------------------------- */

static float power_f32(float x, float y) { return y >= 2.0f && y <= 2.0f ? x * x : powf(x, y); }

static double power_f64(double x, double y) { return y >= 2.0 && y <= 2.0 ? x * x : pow(x, y); }

static int64_t power_i64(int64_t x, int64_t y)
{
    uint64_t base = (uint64_t)x, result = 1;
    if (y < 0) /* the fraction is cut off */
        return x == 1 || (x == -1 && y % 2 == 0) ? 1 : (x == -1 ? -1 : 0);
    for (; y > 0; y >>= 1) {
        if (y & 1)
            result *= base;
        base *= base;
    }
    return (int64_t)result;
}

LOOP_MAP2(pow_f32, float, float, power_f32(x, y))
LOOP_MAP2(pow_f64, double, double, power_f64(x, y))
LOOP_MAP2(pow_i64, int64_t, int64_t, power_i64(x, y))
LOOP_MAP2(pow_u64, uint64_t, uint64_t, power_i64((int64_t)x, (int64_t)y))

/* ---- Kernels -------------------------------------------------------------------------------- */

static heed_status run_binary(op_call *c)
{
    const binary *b = c->node->op->data;
    const loop_map m = {.rows = b->rows};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

/* Base and exponent may differ in type; the result has the base's. */
static heed_status run_pow(op_call *c)
{
    const binary *b = c->node->op->data;
    bool mixed = !dtype_is_float(c->in[0]->dtype) && dtype_is_float(c->in[1]->dtype);
    bool wide = c->in[1]->dtype == HEED_FLOAT64;
    const loop_map m = {.rows = b->rows, .in = mixed || wide ? CLASS_F64 : CLASS_NONE};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

static loop_fn *const fmod_rows[LOOP_CLASSES] = {
    [CLASS_F64] = fmod_f64, [CLASS_I64] = fmod_i64, [CLASS_U64] = mod_u64};

static heed_status run_mod(op_call *c)
{
    const binary *b = c->node->op->data;
    const loop_map m = {.rows = ir_attr_int(c->node, "fmod", 0) ? fmod_rows : b->rows};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

static loop_fn *const left_rows[LOOP_CLASSES] = {[CLASS_U64] = left_u64};
static loop_fn *const right_rows[LOOP_CLASSES] = {[CLASS_U64] = right_u64};

static heed_status run_shift(op_call *c)
{
    bool left = ir_attr_string(c->node, "direction", "LEFT")[0] == 'L';
    const loop_map m = {.rows = left ? left_rows : right_rows};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

/* ---- Integer content ------------------------------------------------------------------------ */

static bool number_add(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static bool number_sub(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}

static bool number_mul(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool number_div(int64_t a, int64_t b, int64_t *out)
{
    *out = divide(a, b);
    return b != 0;
}

static bool number_mod(int64_t a, int64_t b, int64_t *out)
{
    *out = remainder_floor(a, b);
    return b != 0;
}

/* Symbolic quotients round down; the operator rounds to zero: the same where nothing is negative.
 */
static ir_dim symbol_div(ir_dims *t, ir_dim a, ir_dim b)
{
    bool same = b != 0 && dims_nonnegative(t, a) && dims_nonnegative(t, b);
    return same ? dims_floor_div(t, a, b) : DIM_UNKNOWN;
}

static ir_dim symbol_mod(ir_dims *t, ir_dim a, ir_dim b)
{
    ir_dim quotient = symbol_div(t, a, b);
    if (quotient == DIM_UNKNOWN)
        return DIM_UNKNOWN;
    return dims_sub(t, a, dims_mul(t, quotient, b));
}

static ir_dim content_of(op_infer *c, const binary *b, const content_entry *x,
                         const content_entry *y)
{
    int64_t number;
    if (x->known && y->known)
        return b->numbers(x->number, y->number, &number) ? dims_constant(c->dims, number)
                                                         : DIM_UNKNOWN;
    if (x->dim == DIM_UNKNOWN || y->dim == DIM_UNKNOWN)
        return DIM_UNKNOWN;
    return b->symbols(c->dims, x->dim, y->dim);
}

static void content_binary(op_infer *c)
{
    const binary *b = c->op->data;
    content_entry *x, *y;
    int64_t n_x, n_y;
    if (!content_get(c, 0, &x, &n_x) || !content_get(c, 1, &y, &n_y))
        return;
    int64_t n = n_x == 1 ? n_y : n_x;
    if ((n_x != n && n_x != 1) || (n_y != n && n_y != 1) || n > CONTENT_MAX)
        return;
    ir_dim *out = infer_dims_new(c, n);
    for (int64_t i = 0; out && i < n; i++)
        out[i] = content_of(c, b, &x[n_x == 1 ? 0 : i], &y[n_y == 1 ? 0 : i]);
    if (out)
        content_put(c, 0, n, out);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

/* Wrapping arithmetic has the same bits for signed and unsigned, so both classes share. */
// clang-format off
static const binary add_data = {
    .rows = {[CLASS_F32] = add_f32, [CLASS_F64] = add_f64, [CLASS_I64] = add_u64,
             [CLASS_U64] = add_u64},
    .numbers = number_add, .symbols = dims_add};
static const binary sub_data = {
    .rows = {[CLASS_F32] = sub_f32, [CLASS_F64] = sub_f64, [CLASS_I64] = sub_u64,
             [CLASS_U64] = sub_u64},
    .numbers = number_sub, .symbols = dims_sub};
static const binary mul_data = {
    .rows = {[CLASS_F32] = mul_f32, [CLASS_F64] = mul_f64, [CLASS_I64] = mul_u64,
             [CLASS_U64] = mul_u64},
    .numbers = number_mul, .symbols = dims_mul};
static const binary div_data = {
    .rows = {[CLASS_F32] = div_f32, [CLASS_F64] = div_f64, [CLASS_I64] = div_i64,
             [CLASS_U64] = div_u64},
    .numbers = number_div, .symbols = symbol_div};
static const binary mod_data = {
    .rows = {[CLASS_F64] = mod_f64, [CLASS_I64] = mod_i64, [CLASS_U64] = mod_u64},
    .numbers = number_mod, .symbols = symbol_mod};
static const binary pow_data = {
    .rows = {[CLASS_F32] = pow_f32, [CLASS_F64] = pow_f64, [CLASS_I64] = pow_i64,
             [CLASS_U64] = pow_u64}};
static const binary and_data = {.rows = {[CLASS_I64] = and_u64, [CLASS_U64] = and_u64}};
static const binary or_data = {.rows = {[CLASS_I64] = or_u64, [CLASS_U64] = or_u64}};
static const binary xor_data = {.rows = {[CLASS_I64] = xor_u64, [CLASS_U64] = xor_u64}};

enum { PLAIN = OP_ELEMENTWISE | OP_INPLACE, EITHER = PLAIN | OP_COMMUTATIVE };

static const op_def add = {
    .domain = "", .name = "Add", .since = 14, .flags = EITHER,
    .signature = "A:T, B:T -> C:T", .types = "T=real", .data = &add_data,
    .infer = infer_broadcast, .content = content_binary, .run = run_binary};
static const op_def sub = {
    .domain = "", .name = "Sub", .since = 14, .flags = PLAIN,
    .signature = "A:T, B:T -> C:T", .types = "T=real", .data = &sub_data,
    .infer = infer_broadcast, .content = content_binary, .run = run_binary};
static const op_def mul = {
    .domain = "", .name = "Mul", .since = 14, .flags = EITHER,
    .signature = "A:T, B:T -> C:T", .types = "T=real", .data = &mul_data,
    .infer = infer_broadcast, .content = content_binary, .run = run_binary};
static const op_def div_op = {
    .domain = "", .name = "Div", .since = 14, .flags = PLAIN,
    .signature = "A:T, B:T -> C:T", .types = "T=real", .data = &div_data,
    .infer = infer_broadcast, .content = content_binary, .run = run_binary};
static const op_def mod = {
    .domain = "", .name = "Mod", .since = 13, .flags = PLAIN,
    .signature = "A:T, B:T -> C:T", .types = "T=real", .attrs = "fmod:int=0", .data = &mod_data,
    .infer = infer_broadcast, .content = content_binary, .run = run_mod};
static const op_def pow_op = {
    .domain = "", .name = "Pow", .since = 15, .flags = PLAIN,
    .signature = "X:T, Y:E -> Z:T", .types = "T=real E=real", .data = &pow_data,
    .infer = infer_broadcast, .run = run_pow};
static const op_def bit_and = {
    .domain = "", .name = "BitwiseAnd", .since = 18, .flags = EITHER,
    .signature = "A:T, B:T -> C:T", .types = "T=int", .data = &and_data,
    .infer = infer_broadcast, .run = run_binary};
static const op_def bit_or = {
    .domain = "", .name = "BitwiseOr", .since = 18, .flags = EITHER,
    .signature = "A:T, B:T -> C:T", .types = "T=int", .data = &or_data,
    .infer = infer_broadcast, .run = run_binary};
static const op_def bit_xor = {
    .domain = "", .name = "BitwiseXor", .since = 18, .flags = EITHER,
    .signature = "A:T, B:T -> C:T", .types = "T=int", .data = &xor_data,
    .infer = infer_broadcast, .run = run_binary};
static const op_def shift = {
    .domain = "", .name = "BitShift", .since = 11, .flags = PLAIN,
    .signature = "X:T, Y:T -> Z:T", .types = "T=unsigned", .attrs = "direction:string!",
    .infer = infer_broadcast, .run = run_shift};

const op_def *const ops_binary[] = {&add, &sub, &mul, &div_op, &mod, &pow_op, &bit_and, &bit_or,
                                    &bit_xor, &shift, NULL};
// clang-format on
