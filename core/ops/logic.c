/* logic.c - And, Or, Xor of bools. */
#include "ops/loops.h"

LOOP_MAP2(and_bool, uint8_t, uint8_t, (x != 0) & (y != 0))
LOOP_MAP2(or_bool, uint8_t, uint8_t, (x != 0) | (y != 0))
LOOP_MAP2(xor_bool, uint8_t, uint8_t, (x != 0) ^ (y != 0))

static heed_status run_logic(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

static loop_fn *const and_rows[LOOP_CLASSES] = {[CLASS_BOOL] = and_bool};
static loop_fn *const or_rows[LOOP_CLASSES] = {[CLASS_BOOL] = or_bool};
static loop_fn *const xor_rows[LOOP_CLASSES] = {[CLASS_BOOL] = xor_bool};

// clang-format off
enum { LOGIC = OP_ELEMENTWISE | OP_COMMUTATIVE | OP_INPLACE };
static const op_def and = {
    .domain = "", .name = "And", .since = 7, .flags = LOGIC,
    .signature = "A:bool, B:bool -> C:bool", .data = and_rows,
    .infer = infer_broadcast, .run = run_logic};
static const op_def or = {
    .domain = "", .name = "Or", .since = 7, .flags = LOGIC,
    .signature = "A:bool, B:bool -> C:bool", .data = or_rows,
    .infer = infer_broadcast, .run = run_logic};
static const op_def xor = {
    .domain = "", .name = "Xor", .since = 7, .flags = LOGIC,
    .signature = "A:bool, B:bool -> C:bool", .data = xor_rows,
    .infer = infer_broadcast, .run = run_logic};

const op_def *const ops_logic[] = {&and, &or, &xor, NULL};
// clang-format on
