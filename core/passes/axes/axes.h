/* axes.h - which axes of one tensor are which axes of another, through reshapes, transposes and
 * broadcasts.
 *
 * Tensors of a region of a graph share atoms: each axis is a list of them, outermost first, and an
 * axis of extent 1 is the empty list. [B * N, S] may be {(b, n), (s)} where [B, S, N, D] is
 * {(b), (s), (n), (d)}. Where a reshape cuts an axis in two, its atom becomes two, everywhere.
 *
 * An axis may have several extents: a batch is one symbol in the queries, another in the keys, and
 * what broadcasting makes of both in the scores. The table notes which are the same; what is
 * emitted relies on it, and binding checks it. */
#ifndef HEED_PASSES_AXES_H
#define HEED_PASSES_AXES_H

#include "ops/body.h"

enum { AXES_ATOMS = 64, AXES_LIST = 8, AXES_SAME = 24 };

typedef struct axes_list {
    uint32_t n;
    uint8_t atoms[AXES_LIST];
} axes_list;

/* How a tensor's axes are made of atoms. */
typedef struct axes {
    int32_t rank;
    axes_list axis[TENSOR_MAX_RANK];
} axes;

typedef struct axes_table {
    ir_dims *dims;
    struct {
        ir_dim extent;
        uint8_t outer, inner; /* what it was cut into, both 0: whole (atom 0 is never a part) */
    } atoms[AXES_ATOMS];
    uint32_t n;
    struct {
        ir_dim symbol, is;
    } same[AXES_SAME];
    uint32_t n_same;
    bool failed; /* too many atoms, or lists too long */
} axes_table;

void axes_table_init(axes_table *t, ir_dims *dims);
uint8_t axes_atom(axes_table *t, ir_dim extent);
/* A list of a new atom; empty for an extent of 1. */
axes_list axes_new(axes_table *t, ir_dim extent);
/* An atom for each axis of a tensor of known rank. */
void axes_fresh(axes_table *t, const ir_type *type, axes *out);

/* Cut atoms are replaced by their parts. */
void axes_refresh(const axes_table *t, axes *a);
void axes_refresh_list(const axes_table *t, axes_list *list);
bool axes_list_has(const axes_list *list, uint8_t atom);
bool axes_list_equal(const axes_list *a, const axes_list *b);
void axes_list_add(axes_table *t, axes_list *list, const axes_list *more);
ir_dim axes_extent(const axes_table *t, const axes_list *list);
/* The dim in the terms of the table, where those that are the same are equal. */
ir_dim axes_dim(const axes_table *t, ir_dim d);
/* The extent of the list is this one as well. False when both are numbers and differ. */
bool axes_name(axes_table *t, const axes_list *list, ir_dim extent);
/* Some axis has the atom. */
bool axes_have(const axes *a, uint8_t atom);
/* Every atom of the list is in some axis. */
bool axes_have_all(const axes *a, const axes_list *atoms);

/* The same elements in the same order, seen with these extents, of which one may be unknown in each
 * run of axes that is rearranged. False when axes do not fit. */
bool axes_regroup(axes_table *t, const axes *from, int32_t rank, const ir_dim *dims, axes *to);

/* A node that only moves elements (Reshape, Transpose, Squeeze, Unsqueeze, Flatten; going up also
 * Expand, Tile and a Gather that repeats): the axes of input 0 from those of output 0, and the way
 * down. False for all other nodes. */
bool axes_up(axes_table *t, const ir_node *n, const axes *out, axes *in);
bool axes_down(axes_table *t, const ir_node *n, const axes *in, axes *out);

/* Emits what brings x from one arrangement into another. Atoms that x does not have become extents
 * of 1; with `expand` they are repeated. Extents that are not numbers are read from the witnesses,
 * and from graph inputs. */
typedef struct axes_witness {
    ir_value *const *values;
    uint32_t n;
} axes_witness;

/* The extents of the axes, as int64 [rank]; NULL and b->status when one cannot be read. */
ir_value *axes_shape(op_body *b, const axes_table *t, axes a, const axes_witness *w);
/* The extent as int64 [1], read from where some tensor has it; NULL when none does. */
ir_value *axes_find_extent(op_body *b, const axes_table *t, const axes_witness *w, ir_dim extent);

ir_value *axes_emit(op_body *b, const axes_table *t, ir_value *x, axes from, axes to, bool expand,
                    const axes_witness *w);

#endif
