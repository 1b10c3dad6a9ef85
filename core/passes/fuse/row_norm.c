/* row_norm.c - see row_norm.h. A formula over rows is tried on rows of chosen numbers.
 *
 * On rows that are tiny only epsilon is left below the root, which gives epsilon; then rows around
 * its square root and far from it, with and without a mean, must come out as the normalisation
 * does. So an epsilon at another place, a variance with another divisor, a maximum in place of a
 * sum or another axis do not pass, and any spelling of the same does: the mean of squares less the
 * squared mean, weights that are multiplied into the factor, powers, reciprocals, lengths.
 *
 * A chain in a half type is computed in float32 and rounded once: the same to the rounding of the
 * type. Where a chain is widened first, the cast back may stand before or behind the weight. */
#include "passes/fuse/row_norm.h"

#include <math.h>
#include <string.h>

#define AGREES 4e-6

typedef struct match {
    row_norm_kind kind;
    double epsilon;
    ir_value *x, *weight, *bias; /* weight and bias may be NULL */
} match;

typedef double row[FORMULA_POINTS];

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Numbers without pattern in [-1, 1], of mean 0 up to rounding. */
static void draw(uint32_t seed, double *x)
{
    double mean = 0;
    for (int i = 0; i < FORMULA_POINTS; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (double)(seed >> 8) / 8388608.0 - 1;
        mean += x[i] / FORMULA_POINTS;
    }
    for (int i = 0; i < FORMULA_POINTS; i++)
        x[i] -= mean;
}

static void moments(row_norm_kind kind, const double *x, double *mean, double *square)
{
    *mean = *square = 0;
    for (int i = 0; i < FORMULA_POINTS && kind == ROW_NORM_LAYER; i++)
        *mean += x[i] / FORMULA_POINTS;
    for (int i = 0; i < FORMULA_POINTS; i++)
        *square += (x[i] - *mean) * (x[i] - *mean) / FORMULA_POINTS;
}

/* Which parameter is the weight and which the bias: -1 for none. */
typedef struct roles {
    int weight, bias;
} roles;

/* The formula on x with the parameters of their roles. */
static void apply(const formula *f, roles r, const double *x, const double *weight,
                  const double *bias, double *y)
{
    const double *params[FORMULA_PARAMS] = {weight, weight};
    if (r.bias >= 0)
        params[r.bias] = bias;
    if (r.weight >= 0)
        params[r.weight] = weight;
    formula_compute(f, x, params, false, y);
}

/* What is left below the root when x is next to nothing; negative: this is no norm. */
static double find_epsilon(const formula *f, roles r, row_norm_kind kind)
{
    row x, weight, none = {0}, y;
    double mean, square;
    draw(1, x);
    draw(2, weight);
    for (int i = 0; i < FORMULA_POINTS; i++) {
        x[i] *= 1e-25;
        weight[i] = r.weight < 0 ? 1 : weight[i] + 2;
    }
    moments(kind, x, &mean, &square);
    apply(f, r, x, weight, none, y);
    double factor = weight[0] * (x[0] - mean) / y[0];
    double epsilon = factor * factor - square;
    if (!isfinite(epsilon))
        return -1;
    return epsilon < 1e-40 && epsilon > -1e-45 ? 0 : epsilon;
}

static bool agrees(const formula *f, roles r, const match *m, double size, double offset)
{
    row x, weight, bias, y;
    double mean, square;
    draw(3, x);
    draw(4, weight);
    draw(5, bias);
    for (int i = 0; i < FORMULA_POINTS; i++) {
        x[i] = (x[i] + offset) * size;
        weight[i] = r.weight < 0 ? 1 : weight[i] + 0.25;
        bias[i] = r.bias < 0 ? 0 : bias[i];
    }
    moments(m->kind, x, &mean, &square);
    apply(f, r, x, weight, bias, y);
    double factor = 1 / sqrt(square + m->epsilon);
    for (int i = 0; i < FORMULA_POINTS; i++) {
        double want = (x[i] - mean) * factor * weight[i] + bias[i];
        if (!(fabs(y[i] - want) <=
              AGREES * (fabs(x[i]) + fabs(mean)) * factor + AGREES * fabs(want)))
            return false;
    }
    return true;
}

static bool is_norm(const formula *f, roles r, match *m)
{
    static const double sizes[] = {1e-3, 0.2, 1, 50, 1e3};
    m->epsilon = find_epsilon(f, r, m->kind);
    if (m->epsilon < 0 || m->epsilon > 1)
        return false;
    double root = sqrt(m->epsilon);
    const double near[] = {0.4 * root, root, 2 * root, 10 * root};
    for (int i = 0; i < 9; i++) {
        double size = i < 5 ? sizes[i] : near[i - 5];
        if (size > 0 && (!agrees(f, r, m, size, 0) || !agrees(f, r, m, size, 1.5)))
            return false;
    }
    return true;
}

/* The parameters in both orders. */
static bool find_roles(const formula *f, match *m)
{
    static const struct {
        uint32_t n;
        roles r;
    } ways[] = {{0, {-1, -1}}, {1, {0, -1}}, {1, {-1, 0}}, {2, {0, 1}}, {2, {1, 0}}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        roles r = ways[i].r;
        if (ways[i].n != f->n_params || (r.bias >= 0 && m->kind == ROW_NORM_RMS))
            continue;
        if (!is_norm(f, r, m))
            continue;
        m->weight = r.weight < 0 ? NULL : f->params[r.weight];
        m->bias = r.bias < 0 ? NULL : f->params[r.bias];
        return true;
    }
    return false;
}

/* ---- Types ------------------------------------------------------------------------------------
 */

/* A number of `from` that `to` holds as it is. */
static bool holds(heed_dtype to, const heed_tensor *t)
{
    int64_t count = tensor_count(t);
    for (int64_t i = 0; i < count; i++) {
        double value = tensor_get_float(t, i), room[2], back;
        dtype_store_f64(to, room, 0, 1, &value, false);
        dtype_load_f64(to, room, 0, 1, &back);
        if (back != value)
            return false;
    }
    return true;
}

/* The value in another type, when nothing is lost: it was widened from it, or is a constant that
 * the type holds. */
static bool has_type(const ir_value *v, heed_dtype dtype)
{
    const ir_node *cast = v ? v->producer : NULL;
    return !v || v->type.dtype == dtype ||
           (cast && pass_is(cast, "Cast") && ir_input(cast, 0)->type.dtype == dtype &&
            dtype_bits(dtype) < dtype_bits(v->type.dtype)) ||
           (pass_constant(v) && holds(dtype, v->constant));
}

static ir_value *converted(ir_value *v, heed_dtype dtype)
{
    heed_tensor *t;
    if (!v || v->type.dtype == dtype)
        return v;
    if (!pass_constant(v))
        return ir_input(v->producer, 0);
    if (tensor_new(dtype, tensor_rank(v->constant), v->constant->dims, &t))
        return NULL;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = tensor_get_float(v->constant, i);
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, false);
    }
    return ir_constant_new(v->graph, NULL, t);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static bool may_end(const ir_node *n)
{
    return pass_is(n, "Mul") || pass_is(n, "Div") || pass_is(n, "Add") || pass_is(n, "Sub") ||
           pass_is(n, "Cast");
}

static bool reduces(const ir_node *n) { return strncmp(n->op->name, "Reduce", 6) == 0; }

/* The first axis of what the formula reduces: all axes from there on. */
static int32_t row_axis(const formula *f)
{
    int32_t rank = f->root->type.rank;
    for (uint32_t i = 0; i < f->n; i++) {
        const ir_value *axes = ir_input(f->nodes[i], 1);
        if (!reduces(f->nodes[i]) || !pass_constant(axes) ||
            ir_input(f->nodes[i], 0)->type.rank != rank)
            continue;
        return rank - (int32_t)tensor_count(axes->constant);
    }
    return -1;
}

/* Between x and the root. Most candidates are behind it: trying them on rows would be in vain. */
static bool has_reduction(const formula *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->used[i] && reduces(f->nodes[i]))
            return true;
    return false;
}

static bool find_kind(formula *f, match *m)
{
    heed_dtype dtype = f->root->type.dtype;
    for (uint32_t i = 0; (m->x = formula_candidate(f, i)); i++)
        if (has_type(m->x, dtype) && formula_bind(f, m->x) && has_reduction(f) &&
            find_roles(f, m) && has_type(m->weight, dtype) && has_type(m->bias, dtype))
            return true;
    return false;
}

static bool find_one(formula *f, ir_value *root, row_norm_kind kind, match *m)
{
    if (!may_end(root->producer) || !formula_collect(f, root, -1))
        return false;
    f->axis = row_axis(f);
    m->kind = kind;
    return f->axis > 0 && find_kind(f, m);
}

/* A layer norm of x is an RMS norm of x less its mean, and counts as the former. */
static bool find(formula *f, ir_value *root, row_norm_kind kind, match *m)
{
    formula other;
    match layer;
    return find_one(f, root, kind, m) &&
           (kind == ROW_NORM_LAYER || !find_one(&other, root, ROW_NORM_LAYER, &layer));
}

/* A weight, a bias or a cast follows, and the whole is a norm too: its last node will be asked. */
static bool goes_on(const ir_value *root)
{
    formula f;
    match m;
    for (int steps = 0; steps < 3; steps++) {
        const ir_use *u = root->uses;
        if (!u || u->next || root->n_outputs || u->node->n_out != 1 ||
            u->node->graph != root->graph)
            return false;
        ir_value *next = u->node->out[0];
        if (find_one(&f, next, ROW_NORM_RMS, &m) || find_one(&f, next, ROW_NORM_LAYER, &m))
            return true;
        root = next;
    }
    return false;
}

/* ---- Replacing ------------------------------------------------------------------------------- */

/* Ones for a norm without weight: a row of them where its extents are numbers. */
static ir_value *ones(op_body *b, const formula *f)
{
    int64_t dims[TENSOR_MAX_RANK], n = 1;
    int32_t rank = f->x->type.rank - f->axis;
    heed_tensor *t;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = f->x->type.dims[f->axis + i];
        if (!dim_known(dims[i]) || dims[i] > INT32_MAX)
            return body_like(b, 1, f->root);
        n *= dims[i];
    }
    if (n > 1 << 20 || tensor_new(f->root->type.dtype, rank, dims, &t))
        return body_like(b, 1, f->root);
    for (int64_t i = 0; i < n; i++)
        dtype_store_f64(t->dtype, tensor_data(t), i, 1, &(double){1}, false);
    return ir_constant_new(b->node->graph, NULL, t);
}

static ir_value *emit(op_body *b, const formula *f, const match *m)
{
    heed_dtype dtype = f->root->type.dtype;
    const char *op = m->kind == ROW_NORM_LAYER ? "LayerNormalization" : "RMSNormalization";
    ir_value *in[] = {converted(m->x, dtype), m->weight ? converted(m->weight, dtype) : ones(b, f),
                      converted(m->bias, dtype)};
    if (!b->status && (!in[0] || !in[1] || (m->bias && !in[2])))
        b->status = HEED_NOMEM;
    return body_n(b, in[2] ? 3 : 2, in, "%s axis=%d epsilon=%.9g", op, f->axis - f->x->type.rank,
                  m->epsilon);
}

static heed_status fuse_node(pass_run *p, ir_node *n, row_norm_kind kind)
{
    formula f;
    match m;
    if (n->n_out != 1 || !find(&f, n->out[0], kind, &m) || goes_on(n->out[0]))
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y = emit(&b, &f, &m);
    TRY(b.status);
    formula_replace(&f, y);
    p->rewrites++;
    return HEED_OK;
}

static heed_status fuse_graph(pass_run *p, ir_graph *g, row_norm_kind kind)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(fuse_graph(p, n->attrs[a].graph, kind));
        TRY(fuse_node(p, n, kind));
        next = n->next;
    }
    return HEED_OK;
}

heed_status row_norm_fuse(pass_run *p, row_norm_kind kind)
{
    return fuse_graph(p, p->model->main, kind);
}
