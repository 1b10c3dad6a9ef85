/* complex_mul.c - ComplexMul and ComplexMulConj of com.microsoft: products of complex numbers whose
 * parts lie side by side on the last axis. */
#include "ops/body.h"

static heed_status infer_complex(op_infer *c)
{
    for (uint32_t i = 0; i < 2; i++) {
        ir_dim parts = infer_dim(c, i, infer_rank(c, i) - 1);
        if (dim_known(parts) && parts != 2)
            return infer_error(c, "a last axis of real and imaginary part", "%lld",
                               (long long)parts);
    }
    return infer_broadcast(c);
}

static void decompose_complex(op_body *b)
{
    const bool *conjugate = b->node->op->data;
    ir_value *x = body_in(b, 0), *y = body_in(b, 1), *a[2], *c[2];
    ir_value *parts = body_ints(b, 2, (int64_t[]){1, 1});
    body_nodes(b, 2, (ir_value *[]){x, parts}, 2, a, "Split axis=-1");
    body_nodes(b, 2, (ir_value *[]){y, parts}, 2, c, "Split axis=-1");
    ir_value *same = body_2(b, a[0], c[0], "Mul"), *other = body_2(b, a[1], c[1], "Mul");
    ir_value *left = body_2(b, a[0], c[1], "Mul"), *right = body_2(b, a[1], c[0], "Mul");
    ir_value *real = body_2(b, same, other, *conjugate ? "Add" : "Sub");
    ir_value *imaginary =
        *conjugate ? body_2(b, right, left, "Sub") : body_2(b, left, right, "Add");
    body_set(b, 0, body_concat(b, real, imaginary, -1));
}

// clang-format off
static const bool plain = false, conjugate = true;

static const op_def mul = {
    .domain = "com.microsoft", .name = "ComplexMul", .since = 1, .data = &plain,
    .signature = "A:T, B:T -> C:T", .types = "T=float",
    .infer = infer_complex, .decompose = decompose_complex};
static const op_def mul_conj = {
    .domain = "com.microsoft", .name = "ComplexMulConj", .since = 1, .data = &conjugate,
    .signature = "A:T, B:T -> C:T", .types = "T=float",
    .infer = infer_complex, .decompose = decompose_complex};

const op_def *const ops_complex_mul[] = {&mul, &mul_conj, NULL};
// clang-format on
