/* loops.h - the loop drivers of reference kernels.
 *
 * A driver brings elements of any dtype into blocks of a few compute types (dtype_class) and back.
 * So an operator is one small function on dense blocks for each compute type that it serves, never
 * one for each dtype, and knows nothing of broadcasting. Operands that are dense and of the compute
 * type already are read in place. */
#ifndef HEED_OPS_LOOPS_H
#define HEED_OPS_LOOPS_H

#include "ops/op.h"

#define LOOP_BLOCK   512 /* most elements that a block function sees at once */
#define LOOP_CLASSES (CLASS_C128 + 1)
#define LOOP_MAX_IN  3 /* operands that one block function can have */

typedef struct loop_c64 {
    float re, im;
} loop_c64;

typedef struct loop_c128 {
    double re, im;
} loop_c128;

/* One block of any compute type. */
typedef union loop_block {
    float f32[LOOP_BLOCK];
    double f64[LOOP_BLOCK];
    int64_t i64[LOOP_BLOCK];
    uint64_t u64[LOOP_BLOCK];
    uint8_t boolean[LOOP_BLOCK];
    heed_string string[LOOP_BLOCK];
    loop_c64 c64[LOOP_BLOCK];
    loop_c128 c128[LOOP_BLOCK];
} loop_block;

/* Element i of each operand in, element i out, for i in [0, n). `out` overlaps no operand. */
typedef void loop_fn(const void *args, int64_t n, const void *const *in, void *out);

/* Define a block function from an expression over x (and y), of types `from` and `to`. Macros
 * because a compiler vectorises the loop only when it sees the expression inside. */
#define LOOP_MAP1(name, from, to, expression)                                                      \
    static void name(const void *args, int64_t n, const void *const *in, void *out)                \
    {                                                                                              \
        const from *a = in[0];                                                                     \
        to *restrict o = out;                                                                      \
        (void)args;                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            from x = a[i];                                                                         \
            o[i] = (to)(expression);                                                               \
        }                                                                                          \
    }

#define LOOP_MAP2(name, from, to, expression)                                                      \
    static void name(const void *args, int64_t n, const void *const *in, void *out)                \
    {                                                                                              \
        const from *a = in[0], *b = in[1];                                                         \
        to *restrict o = out;                                                                      \
        (void)args;                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            from x = a[i], y = b[i];                                                               \
            o[i] = (to)(expression);                                                               \
        }                                                                                          \
    }

/* ---- Elements by compute type -------------------------------------------------------------- */

size_t loop_size(dtype_class class);
/* Loads n elements of a dense tensor of any dtype as blocks of `class`, and stores them. Strings
 * and complex numbers convert to nothing else. */
void loop_load(const heed_tensor *t, dtype_class class, int64_t first, int64_t n, void *out);
void loop_store(heed_tensor *t, dtype_class class, int64_t first, int64_t n, const void *in);
/* Rounds doubles as if stored in `dtype` and loaded again. */
void loop_round(heed_dtype dtype, int64_t n, double *values);

/* The compute type in which `rows` (LOOP_CLASSES functions, NULL where there is none) serves a
 * dtype: its own class, or float64 for the other floats; CLASS_NONE when not at all. */
dtype_class loop_class(loop_fn *const *rows, heed_dtype dtype);

/* ---- Elementwise with broadcasting ---------------------------------------------------------- */

typedef struct loop_map {
    loop_fn *const *rows; /* LOOP_CLASSES functions, by compute type of the operands */
    const void *args;     /* handed to the block function */
    dtype_class in;       /* CLASS_NONE: loop_class of operand 0 */
    dtype_class out;      /* of what the function writes; CLASS_NONE: the same */
} loop_map;

/* out = fn(in[0], in[1]...), broadcast to out's shape. Output may be the memory of an operand. */
heed_status loop_run(op_call *c, const loop_map *m, uint32_t n_in, const heed_tensor *const *in,
                     heed_tensor *out);

/* Reads a tensor in blocks as if it had been broadcast to `dims`. */
typedef struct loop_reader {
    const heed_tensor *tensor;
    dtype_class class;
    int32_t rank; /* of dims and strides below: axes are merged where they can be */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t strides[TENSOR_MAX_RANK];
    bool direct; /* of the compute type already, and aligned */
} loop_reader;

void loop_reader_init(loop_reader *r, const heed_tensor *t, dtype_class class, int32_t rank,
                      const int64_t *dims);
/* Elements first..first+n in row-major order (n <= LOOP_BLOCK): in place, or in `block`. */
const void *loop_read(const loop_reader *r, int64_t first, int64_t n, loop_block *block);

/* ---- Lines: all elements along one axis ----------------------------------------------------- */

typedef struct loop_lines {
    int64_t outer, n, inner; /* a tensor seen as [outer, n, inner]; a line has n elements */
} loop_lines;

loop_lines loop_lines_of(const heed_tensor *t, int32_t axis);
/* Line (outer o, inner j) into a dense buffer of `class`, and back. */
void loop_load_line(const heed_tensor *t, dtype_class class, const loop_lines *lines, int64_t o,
                    int64_t j, void *out);
void loop_store_line(heed_tensor *t, dtype_class class, const loop_lines *lines, int64_t o,
                     int64_t j, const void *in);
/* The attribute's axis in [0, rank); fails with the node's place. */
heed_status loop_axis(const op_call *c, int64_t axis, int32_t rank, int32_t *out);

#endif
