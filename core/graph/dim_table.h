/* dim_table.h - the table behind dim.h, for the files that read and write dims. Each distinct
 * polynomial is stored once; ir_dim -(i + 1) names number i. */
#ifndef HEED_GRAPH_DIM_TABLE_H
#define HEED_GRAPH_DIM_TABLE_H

#include "base/map.h"
#include "graph/dim.h"
#include "graph/poly.h"

#define DIM_TEXT_SIZE 256

typedef struct dim_stored {
    const int64_t *words;
    size_t n;
} dim_stored;

/* A symbol is a name, or stands for what is no polynomial: an operation on two dims. */
typedef enum dim_operation {
    DIM_NAMED,
    DIM_FLOOR,
    DIM_CEIL,
    DIM_MAX,
    DIM_MIN,
    DIM_BROADCAST,
} dim_operation;

typedef struct dim_symbol {
    const char *name; /* what people read; of an operation, made of the text of its operands */
    dim_operation operation;
    ir_dim a, b;     /* the operands; 0 of a name */
    bool is_integer; /* it may be negative; otherwise it is an extent */
} dim_symbol;

struct ir_dims {
    arena memory;
    map by_words;    /* words -> index + 1 */
    map by_name;     /* named symbol -> id + 1 */
    map by_operands; /* operation and operands -> id + 1 */
    dim_stored *expressions;
    size_t n_expressions, expressions_capacity;
    dim_symbol *symbols;
    size_t n_symbols, symbols_capacity;
    uint64_t fresh;
    int64_t ranged; /* id + 1 of the symbol of dims_set_range; 0: there is none */
    int64_t least, most;
};

void dims_load(const ir_dims *t, ir_dim d, poly *out); /* failed: unknown */
ir_dim dims_store(ir_dims *t, const poly *p);          /* t may be NULL: numbers only */
ir_dim dims_symbol(ir_dims *t, const char *name);      /* the one of this name, new or known */
ir_dim dims_add_symbol(ir_dims *t, const dim_symbol *symbol); /* a new one; copies its name */
ir_dim dims_symbol_at(ir_dims *t, int64_t id);
int64_t dims_symbol_of(const ir_dims *t, ir_dim d); /* the one symbol that it is, or -1 */

#endif
