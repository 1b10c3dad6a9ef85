/* mask_source.c - where indices come from: ranges, running sums, triangles; and constants, whose
 * elements are looked at. */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "passes/mask/mask.h"

enum { MOST_ELEMENTS = 1 << 22 };

/* ---- Operands -------------------------------------------------------------------------------- */

/* The value is one number, the same everywhere. */
static bool read_one(mask *m, ir_value *v, mask_affine *out)
{
    axes at = {.rank = v ? v->type.rank : -1};
    mask_form form;
    uint64_t one = 1;
    for (int32_t i = 0; i < at.rank; i++)
        one &= v->type.dims[i] == 1;
    if (!v || at.rank < 0 || !one || !mask_walk(m, v, &at, &form) || form.n != 0)
        return false;
    return mask_whole(m, form.leaf[0], true, out);
}

/* The index along an axis. */
static bool read_axis(mask *m, const axes *at, int64_t axis, mask_affine *out)
{
    axis = axis < 0 ? axis + at->rank : axis;
    return axis >= 0 && axis < at->rank && mask_index_of(m, &at->axis[axis], out);
}

static bool put_index(mask *m, const ir_node *n, const mask_affine *index, mask_form *out)
{
    uint16_t leaf = mask_index(m, index, n->out[0]->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

/* Positions as this type has them: no scores are so large that float32 would lose count. */
static bool counts_exactly(heed_dtype dtype)
{
    return dtype == HEED_INT64 || dtype == HEED_INT32 || dtype == HEED_FLOAT32 ||
           dtype == HEED_FLOAT64;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static bool range(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    mask_affine start, step, index;
    if (!counts_exactly(n->out[0]->type.dtype) || !read_axis(m, at, 0, &index) ||
        !read_one(m, ir_input(n, 0), &start) || !read_one(m, ir_input(n, 2), &step) || step.n)
        return false;
    return mask_add(m, &start, step.constant, &index, &index) && put_index(m, n, &index, out);
}

static bool is_one_leaf(const mask_form *form)
{
    for (uint32_t c = 1; c < 1u << form->n; c++)
        if (form->leaf[c] != form->leaf[0])
            return false;
    return true;
}

/* Of the same number everywhere. */
static bool running_sum(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    mask_affine axis, each, index, zero = mask_constant(0);
    mask_form form;
    int64_t place;
    if (!counts_exactly(n->out[0]->type.dtype) || ir_attr_int(n, "reverse", 0) ||
        !read_one(m, ir_input(n, 1), &axis) || axis.n ||
        !dims_value(m->dims, axis.constant, &place) || !read_axis(m, at, place, &index) ||
        !mask_walk(m, ir_input(n, 0), at, &form) || !is_one_leaf(&form) ||
        !mask_whole(m, form.leaf[0], false, &each) || each.n)
        return false;
    index.constant = dims_add(m->dims, index.constant, ir_attr_int(n, "exclusive", 0) ? 0 : 1);
    return mask_add(m, &zero, each.constant, &index, &index) && put_index(m, n, &index, out);
}

static bool filled(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    const ir_attr *value = ir_node_attr(n, "value");
    double x = 0;
    (void)at;
    if (value && value->view.tensor)
        dtype_load_f64(n->out[0]->type.dtype,
                       (const char *)value->view.tensor->data + value->view.tensor->byte_offset, 0,
                       1, &x);
    uint16_t leaf = mask_number(m, x, n->out[0]->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

/* Column - row - k of the last two axes. */
static bool diagonal(mask *m, const axes *at, const mask_affine *k, mask_affine *out)
{
    mask_affine row, column;
    ir_dim minus_one = dims_constant(m->dims, -1);
    return at->rank >= 2 && read_axis(m, at, -2, &row) && read_axis(m, at, -1, &column) &&
           mask_add(m, &column, minus_one, &row, out) && mask_add(m, out, minus_one, k, out);
}

static bool triangle(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    mask_affine k = mask_constant(0), d, below, one = mask_constant(1);
    mask_form kept, none;
    if ((ir_input(n, 1) && !read_one(m, ir_input(n, 1), &k)) || !diagonal(m, at, &k, &d) ||
        !mask_walk(m, ir_input(n, 0), at, &kept))
        return false;
    mask_one(m, 1, &none);
    if (!ir_attr_int(n, "upper", 1))
        return mask_choose(m, &d, &kept, &none, out);
    /* d >= 0: not d + 1 <= 0 */
    return mask_add(m, &d, 1, &one, &below) && mask_choose(m, &below, &none, &kept, out);
}

static bool eye(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    mask_affine k = mask_constant(dims_constant(m->dims, ir_attr_int(n, "k", 0)));
    mask_affine d, above, one = mask_constant(1);
    mask_form ones, none, low;
    uint16_t leaf = mask_number(m, 1, n->out[0]->type.dtype);
    if (!leaf || !diagonal(m, at, &k, &d) || !mask_add(m, &d, 1, &one, &above))
        return false;
    mask_one(m, leaf, &ones);
    mask_one(m, 1, &none);
    return mask_choose(m, &d, &ones, &none, &low) && mask_choose(m, &above, &none, &low, out);
}

static const struct {
    const char *op;
    bool (*read)(mask *m, const ir_node *n, const axes *at, mask_form *out);
} rows[] = {
    {"Range", range},    {"CumSum", running_sum}, {"ConstantOfShape", filled},
    {"Trilu", triangle}, {"EyeLike", eye},
};

bool mask_source(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (pass_is(n, rows[i].op))
            return n->out[0]->type.rank == at->rank && rows[i].read(m, n, at, out);
    return false;
}

/* ---- Constants ------------------------------------------------------------------------------- */

/* A constant over its last two axes that are not 1, rows and columns; along others it repeats. */
typedef struct table {
    const heed_tensor *tensor;
    int64_t rows, columns;
    mask_affine row, column;
    double *numbers; /* all of them, in the order of the tensor */
} table;

/* Each block of n numbers is the first one. */
static bool repeats(const double *numbers, int64_t n, int64_t count)
{
    for (int64_t i = n; i < count; i++)
        if (!(numbers[i] == numbers[i - n]))
            return false;
    return true;
}

static bool read_table(mask *m, const ir_value *v, const axes *at, table *t)
{
    int64_t count = tensor_count(v->constant);
    int32_t used = 0;
    *t = (table){.tensor = v->constant, .rows = 1, .columns = 1};
    t->row = t->column = mask_constant(0);
    if (count < 1 || count > MOST_ELEMENTS)
        return false;
    for (int32_t i = at->rank; i-- > 0;) {
        if (v->type.dims[i] == 1)
            continue;
        if (++used > 2)
            continue;
        if (!mask_index_of(m, &at->axis[i], used == 1 ? &t->column : &t->row))
            return false;
        *(used == 1 ? &t->columns : &t->rows) = v->type.dims[i];
    }
    t->numbers = arena_alloc(m->scratch, (size_t)count * sizeof(double));
    return t->numbers && !heed_tensor_read_f64(v->constant, 0, count, t->numbers) &&
           repeats(t->numbers, t->rows * t->columns, count);
}

/* start + i * step */
static bool counts(mask *m, const ir_value *v, const table *t, mask_form *out)
{
    double step = t->columns > 1 ? t->numbers[1] - t->numbers[0] : 0;
    if (t->rows != 1 || t->columns < 2 || v->type.dtype == HEED_BOOL ||
        fabs(t->numbers[0]) > 0x1p31 || fabs(step) > 0x1p31 || step == 0 || step != floor(step) ||
        t->numbers[0] != floor(t->numbers[0]))
        return false;
    for (int64_t i = 0; i < t->columns; i++)
        if (t->numbers[i] != t->numbers[0] + (double)i * step)
            return false;
    mask_affine index = mask_constant(dims_constant(m->dims, (int64_t)t->numbers[0]));
    if (!mask_add(m, &index, dims_constant(m->dims, (int64_t)step), &t->column, &index))
        return false;
    uint16_t leaf = mask_index(m, &index, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

static double at_diagonal(const table *t, int64_t d)
{
    return d < 0 ? t->numbers[-d * t->columns] : t->numbers[d];
}

/* Elements depend on column - row alone. */
static bool is_banded(const table *t)
{
    for (int64_t r = 1; r < t->rows; r++)
        for (int64_t c = 1; c < t->columns; c++)
            if (t->numbers[r * t->columns + c] != t->numbers[(r - 1) * t->columns + c - 1])
                return false;
    return true;
}

/* Where the number changes along the diagonals, each change is a bound: two of them at most. */
static bool bands(mask *m, const ir_value *v, const table *t, mask_form *out)
{
    enum { MOST = 2 };
    int64_t change[MOST];
    uint32_t n = 0;
    mask_affine d;
    if (!mask_add(m, &t->column, dims_constant(m->dims, -1), &t->row, &d) ||
        !(mask_index_depends(m, &d) & (1u << MASK_S | 1u << MASK_T))) /* numbers of heads */
        return false;
    for (int64_t k = 1 - t->rows; k + 1 < t->columns; k++)
        if (at_diagonal(t, k) != at_diagonal(t, k + 1)) {
            if (n == MOST)
                return false;
            change[n++] = k;
        }
    uint16_t leaf = mask_number(m, at_diagonal(t, t->columns - 1), v->type.dtype);
    mask_one(m, leaf, out);
    while (leaf && n-- > 0) {
        mask_affine index = d;
        mask_form below, above = *out;
        index.constant = dims_sub(m->dims, index.constant, dims_constant(m->dims, change[n]));
        leaf = mask_number(m, at_diagonal(t, change[n]), v->type.dtype);
        mask_one(m, leaf, &below);
        if (!leaf || !mask_choose(m, &index, &below, &above, out))
            return false;
    }
    return leaf != MASK_NONE;
}

static bool is_one(const table *t, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (!(t->numbers[i] == t->numbers[0]))
            return false;
    return true;
}

bool mask_table(mask *m, ir_value *v, const axes *at, mask_form *out)
{
    table t;
    double first;
    int64_t count = tensor_count(v->constant);
    if (v->constant->dtype == HEED_STRING || count < 1)
        return false;
    if (count > 1 && read_table(m, v, at, &t)) {
        if (!is_one(&t, t.rows * t.columns))
            return counts(m, v, &t, out) || (is_banded(&t) && bands(m, v, &t, out)) ||
                   (m->halves && mask_halves(m, v, at, out));
    } else if (count > 1) {
        return m->halves && mask_halves(m, v, at, out);
    }
    if (heed_tensor_read_f64(v->constant, 0, 1, &first))
        return false;
    uint16_t leaf = mask_number(m, first, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}
