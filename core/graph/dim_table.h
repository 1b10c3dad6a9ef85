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

struct ir_dims {
    arena memory;
    map by_words; /* words -> index + 1 */
    map by_name;  /* symbol -> id + 1 */
    dim_stored *expressions;
    size_t n_expressions, expressions_capacity;
    const char **symbols;
    size_t n_symbols, symbols_capacity;
    uint64_t fresh;
    int64_t ranged; /* id + 1 of the symbol of dims_set_range; 0: there is none */
    int64_t least, most;
};

poly dims_load(const ir_dims *t, ir_dim d);   /* failed: unknown */
ir_dim dims_store(ir_dims *t, const poly *p); /* t may be NULL: numbers only */
ir_dim dims_symbol(ir_dims *t, const char *name);
int64_t dims_symbol_of(const ir_dims *t, ir_dim d); /* the one symbol that it is, or -1 */

#endif
