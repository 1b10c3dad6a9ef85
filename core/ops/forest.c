/* forest.c - see forest.h. */
#include "ops/forest.h"

#include <math.h>

/* ---- Checking ------------------------------------------------------------------------------- */

static bool good_branch(const forest *f, const forest_branch *b)
{
    return b->to >= 0 && b->to < (b->leaf ? f->n_leaves : f->n_nodes);
}

heed_status forest_check(const op_call *c, const forest *f)
{
    for (int64_t i = 0; i < f->n_nodes; i++)
        for (int k = 0; k < 2; k++)
            if (!good_branch(f, &f->nodes[i].branch[k]))
                return call_error(c, HEED_INVALID, "node %lld of a tree has no %s branch",
                                  (long long)i, k ? "true" : "false");
    for (int64_t i = 0; i < f->n_roots; i++)
        if (!good_branch(f, &f->roots[i]))
            return call_error(c, HEED_INVALID, "tree %lld has no root", (long long)i);
    for (int64_t i = 0; i < f->first_vote[f->n_leaves]; i++)
        if (f->votes[i].target < 0 || f->votes[i].target >= f->n_targets)
            return call_error(c, HEED_INVALID, "a leaf votes for target %lld of %lld",
                              (long long)f->votes[i].target, (long long)f->n_targets);
    return HEED_OK;
}

/* ---- Running -------------------------------------------------------------------------------- */

static bool is_member(const forest *f, const forest_node *n, double x)
{
    for (int64_t i = 0; i < n->n_members; i++) {
        double member = f->members[n->first_member + i];
        if (member >= x && member <= x)
            return true;
    }
    return false;
}

static bool passes(const forest *f, const forest_node *n, double x)
{
    switch (n->test) {
    case FOREST_LEQ:
        return x <= n->split;
    case FOREST_LT:
        return x < n->split;
    case FOREST_GTE:
        return x >= n->split;
    case FOREST_GT:
        return x > n->split;
    case FOREST_EQ:
        return x >= n->split && x <= n->split;
    case FOREST_NEQ:
        return x < n->split || x > n->split;
    case FOREST_MEMBER:
        return is_member(f, n, x);
    case FOREST_TESTS:
        break;
    }
    return false;
}

/* A tree that is a circle would never end: no path is longer than there are nodes. */
static heed_status find_leaf(const op_call *c, const forest *f, forest_branch at,
                             int64_t n_features, const double *x, int64_t *leaf)
{
    for (int64_t steps = 0; !at.leaf; steps++) {
        const forest_node *n = &f->nodes[at.to];
        if (n->feature < 0 || n->feature >= n_features)
            return call_error(c, HEED_INVALID, "a tree asks for feature %lld of %lld",
                              (long long)n->feature, (long long)n_features);
        if (steps > f->n_nodes)
            return call_error(c, HEED_INVALID, "a tree leads back to node %lld", (long long)at.to);
        double value = x[n->feature];
        at = n->branch[isnan(value) ? n->missing : passes(f, n, value)];
    }
    *leaf = at.to;
    return HEED_OK;
}

static double combine(forest_sum how, double so_far, double vote)
{
    if (how == FOREST_MIN)
        return vote < so_far ? vote : so_far;
    if (how == FOREST_MAX)
        return vote > so_far ? vote : so_far;
    return so_far + vote;
}

heed_status forest_run(const op_call *c, const forest *f, forest_sum how, int64_t n_features,
                       const double *x, double *scores, bool *has)
{
    for (int64_t t = 0; t < f->n_targets; t++) {
        scores[t] = 0;
        has[t] = false;
    }
    for (int64_t i = 0; i < f->n_roots; i++) {
        int64_t leaf = 0;
        TRY(find_leaf(c, f, f->roots[i], n_features, x, &leaf));
        for (int64_t k = f->first_vote[leaf]; k < f->first_vote[leaf + 1]; k++) {
            const forest_vote *v = &f->votes[k];
            scores[v->target] =
                has[v->target] ? combine(how, scores[v->target], v->weight) : v->weight;
            has[v->target] = true;
        }
    }
    for (int64_t t = 0; how == FOREST_AVERAGE && t < f->n_targets; t++)
        scores[t] /= (double)f->n_roots;
    return HEED_OK;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

typedef struct source {
    heed_dtype dtype; /* 0: no such attribute */
    int64_t n;
    const void *data;
} source;

static source source_of(const ir_node *node, const char *name)
{
    const ir_attr *a = ir_node_attr(node, name);
    const heed_attribute *v = a ? &a->view : NULL;
    int64_t n;
    if (v && v->type == HEED_ATTR_INTS)
        return (source){HEED_INT64, (int64_t)v->n, v->ints};
    if (v && v->type == HEED_ATTR_FLOATS)
        return (source){HEED_FLOAT32, (int64_t)v->n, v->floats};
    if (!v || v->type != HEED_ATTR_TENSOR || !v->tensor ||
        !shape_count(v->tensor->ndim, v->tensor->shape, &n))
        return (source){0};
    heed_dtype dtype = dtype_from_dl(v->tensor->dtype);
    return (source){dtype == HEED_STRING ? HEED_UNDEFINED : dtype, n,
                    (const char *)v->tensor->data + v->tensor->byte_offset};
}

heed_status forest_reals(op_call *c, const char *name, int64_t *n, double **values)
{
    source s = source_of(c->node, name);
    *n = s.dtype ? s.n : 0;
    *values = call_scratch(c, (size_t)*n * sizeof **values + 1);
    if (!*values)
        return HEED_NOMEM;
    if (*n)
        dtype_load_f64(s.dtype, s.data, 0, *n, *values);
    return HEED_OK;
}

heed_status forest_ints(op_call *c, const char *name, int64_t *n, int64_t **values)
{
    source s = source_of(c->node, name);
    *n = s.dtype ? s.n : 0;
    *values = call_scratch(c, (size_t)*n * sizeof **values + 1);
    if (!*values)
        return HEED_NOMEM;
    if (*n)
        dtype_load_i64(s.dtype, s.data, 0, *n, *values);
    return HEED_OK;
}

heed_status forest_same_length(const op_call *c, const char *a, int64_t n, const char *b, int64_t m)
{
    if (n == m)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "%s has %lld entries, %s has %lld", a, (long long)n, b,
                      (long long)m);
}
