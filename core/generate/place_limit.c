/* place_limit.c - see place_limit.h. Separate so that a prompt that is too long is refused before
 * it runs, in place of an index out of its range within some node. */
#include "generate/place_limit.h"

#include <string.h>

#include "ops/op.h"

enum { DEEPEST = 32 };

static bool is_position(const ir_value *v, const pass_paging *about)
{
    if (!v->is_input)
        return false;
    for (uint32_t i = 0; i < about->n_inputs; i++)
        if (about->inputs[i].role == PAGING_POSITIONS && !strcmp(about->inputs[i].name, v->name))
            return true;
    return about->positions && !strcmp(v->name, "heed.positions");
}

/* The value is the same whole number in every element, as far as is known without a run. */
static bool read_number(const ir_value *v, int64_t *out)
{
    for (int depth = 0; v && paging_moves(v->producer, MOVE_KEEPS) && depth < DEEPEST; depth++)
        v = ir_input(v->producer, 0);
    if (!v || !v->constant || v->is_input || tensor_count(v->constant) < 1)
        return false;
    *out = tensor_get_int(v->constant, 0);
    for (int64_t i = 1; i < tensor_count(v->constant); i++)
        if (tensor_get_int(v->constant, i) != *out)
            return false;
    return true;
}

/* One step from a value to what it is made of: a position stays one when it is moved, when a number
 * is added, and when it is multiplied by one. NULL: it is something else. */
static const ir_value *step_back(const ir_node *n, int64_t *offset)
{
    int64_t number = 0;
    if (paging_moves(n, MOVE_KEEPS))
        return ir_input(n, 0);
    bool add = pass_is(n, "Add"), multiply = pass_is(n, "Mul");
    uint32_t other = (add || multiply) && read_number(ir_input(n, 0), &number) ? 0 : 1;
    if (!(add || multiply || pass_is(n, "Sub")) || !read_number(ir_input(n, other), &number) ||
        (multiply && number != 1))
        return NULL;
    *offset += multiply ? 0 : add ? number : -number;
    return ir_input(n, !other);
}

/* Is the value a position plus *offset, in every element? */
static bool find_offset(const ir_value *v, const pass_paging *about, int64_t *offset)
{
    *offset = 0;
    for (int depth = 0; v && depth < DEEPEST; depth++) {
        if (is_position(v, about))
            return true;
        v = v->producer ? step_back(v->producer, offset) : NULL;
    }
    return false;
}

/* Operators that read rows of a table: which input is the table, and which the indices. */
static const struct table_reader {
    const char *op, *axis; /* the attribute that names the axis; NULL: the first */
    uint32_t table, index;
} readers[] = {
    {"Gather", "axis", 0, 1}, {"GatherND", "batch_dims", 0, 1}, {"RotaryEmbedding", NULL, 1, 3}};

static const struct table_reader *find_reader(const ir_node *n)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
        if (pass_is(n, readers[i].op))
            return &readers[i];
    return NULL;
}

/* Rows that a node reads by a position plus *offset; -1: it is no such node. */
static int64_t rows_of(const ir_node *n, const pass_paging *about, int64_t *offset)
{
    const struct table_reader *r = find_reader(n);
    const ir_value *table = r ? ir_input(n, r->table) : NULL;
    const ir_value *index = r ? ir_input(n, r->index) : NULL;
    int64_t axis = r && r->axis ? ir_attr_int(n, r->axis, 0) : 0;
    if (!table || !index || table->type.rank < 1 || index->type.rank < 1 ||
        !find_offset(index, about, offset))
        return -1;
    axis += axis < 0 ? table->type.rank : 0;
    bool one = !pass_is(n, "GatherND") || index->type.dims[index->type.rank - 1] == 1;
    return one && axis < table->type.rank && dim_known(table->type.dims[axis])
               ? table->type.dims[axis]
               : -1;
}

int64_t place_limit(const ir_graph *g, const pass_paging *about)
{
    int64_t least = about->most > 0 ? about->most : -1, offset;
    for (const ir_node *n = g->first; n; n = n->next) {
        int64_t rows = rows_of(n, about, &offset);
        if (rows < 0)
            continue;
        rows -= offset > 0 ? offset : 0;
        least = least < 0 || rows < least ? rows : least;
    }
    return least < 0 ? -1 : least;
}
