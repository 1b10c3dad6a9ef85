/* moves.c - operators that move elements, and what else they do: one table for all who follow a
 * value. Each says what it may pass through. */
#include <string.h>

#include "passes/paging/paging.h"

static const struct {
    const char *op;
    unsigned does;
} rows[] = {
    {"Identity", MOVE_KEEPS | MOVE_COPIES},
    {"Cast", MOVE_KEEPS | MOVE_COPIES},
    {"Reshape", MOVE_KEEPS | MOVE_FOLDS},
    {"Transpose", MOVE_KEEPS},
    {"Squeeze", MOVE_KEEPS | MOVE_FOLDS},
    {"Unsqueeze", MOVE_KEEPS | MOVE_FOLDS},
    {"Flatten", MOVE_KEEPS | MOVE_FOLDS},
    {"Expand", MOVE_KEEPS},
    {"Slice", MOVE_CUTS},
    {"Split", MOVE_CUTS},
    {"Gather", MOVE_PICKS},
    {"Concat", MOVE_JOINS},
    {"Tile", MOVE_REPEATS},
    {"Pad", MOVE_PADS},
    {"Neg", MOVE_NEGATES},
    {"Mul", MOVE_SCALES},
    {"Div", MOVE_SCALES},
    {"QuantizeLinear", MOVE_PACKS},
    {"DequantizeLinear", MOVE_PACKS},
    {"ScatterND", MOVE_WRITES},
    {"ScatterElements", MOVE_WRITES},
    {"Scatter", MOVE_WRITES},
    {"TensorScatter", MOVE_WRITES},
    {"Where", MOVE_WRITES},
};

bool paging_moves(const ir_node *n, unsigned may)
{
    for (size_t i = 0; n && i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(n->op->name, rows[i].op) == 0)
            return (rows[i].does & may) && !n->op->domain[0];
    return false;
}
