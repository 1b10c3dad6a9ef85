/* Draws models of one operator from bytes: which operator of the registry, which inputs are there,
 * their types, shapes and values, its attributes. Most of each is plausible, some of it hostile.
 * The fuzzer gives the bytes, or a test gives a few and the rest are random. */
#ifndef OP_DRAW_H
#define OP_DRAW_H

#include "onnx_write.h"
#include "ops/op.h"

enum { OP_DRAW_INPUTS = 16, OP_DRAW_OUTPUTS = 8 };

/* Numbers from bytes; when they end, from a generator that the first bytes seed. */
typedef struct op_draw {
    const uint8_t *bytes;
    size_t size, at;
    uint64_t state;
    uint32_t hostile; /* of 64 numbers, how many shall be hostile */
    int64_t pool[4];  /* extents that shapes share */
} op_draw;

/* An operator as a model: what must be fed, in order; inputs that are weights are not among it. */
typedef struct op_model {
    const op_def *op;
    onnx_message bytes;
    uint32_t n_in, n_out;
    char names[OP_DRAW_INPUTS][8];
    heed_tensor *in[OP_DRAW_INPUTS];
} op_model;

op_draw op_draw_start(const uint8_t *bytes, size_t size);
uint32_t op_draw_below(op_draw *d, uint32_t n); /* 0 when n is 0 */
bool op_draw_chance(op_draw *d, uint32_t of_64);
int64_t op_draw_int(op_draw *d);
float op_draw_float(op_draw *d);
const char *op_draw_word(op_draw *d);

/* "float32|int" to a dtype; 0 when the set has none. `kind` is what the set adds to it. */
heed_dtype op_draw_dtype(op_draw *d, const char *set, size_t n, uint32_t *kind);
/* A value of this kind with content; NULL: out of memory. */
heed_tensor *op_draw_value(op_draw *d, uint32_t kind, heed_dtype dtype);

/* False when there was no memory for the inputs. */
bool op_draw_model(op_draw *d, op_model *m);
void op_draw_free(op_model *m);

#endif
