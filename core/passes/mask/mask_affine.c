/* mask_affine.c - whole numbers that are affine in the indices of the scores. */
#include <string.h>

#include "ops/content.h"
#include "passes/mask/mask.h"

mask_affine mask_constant(ir_dim constant) { return (mask_affine){.constant = constant}; }

static bool put_term(mask *m, mask_affine *out, uint8_t index, ir_dim factor)
{
    uint32_t i = 0;
    while (i < out->n && out->index[i] < index)
        i++;
    if (i < out->n && out->index[i] == index) {
        out->factor[i] = dims_add(m->dims, out->factor[i], factor);
        if (out->factor[i] != 0)
            return out->factor[i] != DIM_UNKNOWN;
        out->n--;
        memmove(out->index + i, out->index + i + 1, out->n - i);
        memmove(out->factor + i, out->factor + i + 1, (out->n - i) * sizeof(*out->factor));
        return true;
    }
    if (factor == 0)
        return true;
    if (out->n == MASK_TERMS || factor == DIM_UNKNOWN)
        return false;
    memmove(out->index + i + 1, out->index + i, out->n - i);
    memmove(out->factor + i + 1, out->factor + i, (out->n - i) * sizeof(*out->factor));
    out->index[i] = index;
    out->factor[i] = factor;
    out->n++;
    return true;
}

bool mask_add(mask *m, const mask_affine *a, ir_dim factor, const mask_affine *b, mask_affine *out)
{
    mask_affine sum = *a;
    for (uint32_t i = 0; i < b->n; i++)
        if (!put_term(m, &sum, b->index[i], dims_mul(m->dims, factor, b->factor[i])))
            return false;
    sum.constant = dims_add(m->dims, a->constant, dims_mul(m->dims, factor, b->constant));
    *out = sum;
    return sum.constant != DIM_UNKNOWN;
}

bool mask_affine_equal(const mask_affine *a, const mask_affine *b)
{
    return a->n == b->n && a->constant == b->constant && memcmp(a->index, b->index, a->n) == 0 &&
           memcmp(a->factor, b->factor, a->n * sizeof(*a->factor)) == 0;
}

ir_dim mask_index_extent(const mask *m, uint8_t index) { return m->table.atoms[index].extent; }

static mask_affine index_of_atom(const mask *m, uint8_t atom)
{
    if (m->meaning[atom].known)
        return m->meaning[atom].index;
    mask_affine one = {.n = 1, .index = {atom}, .factor = {1}};
    return one;
}

bool mask_index_of(mask *m, const axes_list *list, mask_affine *out)
{
    ir_dim stride = 1;
    *out = mask_constant(0);
    for (uint32_t i = list->n; i-- > 0;) {
        mask_affine one = index_of_atom(m, list->atoms[i]);
        if (stride == DIM_UNKNOWN || !mask_add(m, out, stride, &one, out))
            return false;
        stride = dims_mul(m->dims, stride, m->table.atoms[list->atoms[i]].extent);
    }
    return true;
}

/* The term whose factor is the stride. */
static int find_stride(const mask_affine *index, ir_dim stride)
{
    for (uint32_t i = 0; i < index->n; i++)
        if (index->factor[i] == stride)
            return (int)i;
    return -1;
}

bool mask_axes_of(mask *m, const mask_affine *index, ir_dim extent, axes_list *out)
{
    ir_dim stride = 1;
    *out = (axes_list){0};
    if (index->constant != 0)
        return false;
    for (uint32_t i = 0; i < index->n; i++) {
        int at = find_stride(index, stride);
        if (at < 0 || out->n == AXES_LIST)
            return false;
        memmove(out->atoms + 1, out->atoms, out->n);
        out->atoms[0] = index->index[at];
        out->n++;
        stride = dims_mul(m->dims, stride, mask_index_extent(m, index->index[at]));
    }
    return stride == extent;
}

/* The largest value, when it is one of the indices' ends. */
static bool largest(mask *m, const mask_affine *index, ir_dim *out)
{
    *out = index->constant;
    for (uint32_t i = 0; i < index->n; i++) {
        int64_t factor;
        if (!dims_value(m->dims, index->factor[i], &factor))
            return false;
        ir_dim last = dims_sub(m->dims, mask_index_extent(m, index->index[i]), 1);
        if (factor > 0)
            *out = dims_add(m->dims, *out, dims_mul(m->dims, index->factor[i], last));
    }
    return *out != DIM_UNKNOWN;
}

int mask_sign(mask *m, const mask_affine *index)
{
    ir_dim most, minus_one = dims_constant(m->dims, -1);
    mask_affine zero = mask_constant(1), negated;
    if (largest(m, index, &most) && dims_nonnegative(m->dims, dims_mul(m->dims, most, minus_one)))
        return -1;
    /* 1 - index <= 0 */
    if (mask_add(m, &zero, minus_one, index, &negated) && largest(m, &negated, &most) &&
        dims_nonnegative(m->dims, dims_mul(m->dims, most, minus_one)))
        return 1;
    return 0;
}
