/* recurrent.c - see recurrent.h. */
#include "ops/recurrent.h"

#include <string.h>

#include "ops/layout.h"
#include "ops/product.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

typedef struct layer {
    op_call *call;
    const recurrent_cell *cell;
    const product_type *type;
    recurrent_act acts[RECURRENT_MAX_ACTS];
    int64_t times, batch, input, hidden, directions;
    int64_t all, first;     /* width of all gates, and of those that h is multiplied with */
    const int64_t *lengths; /* of each sequence, or NULL */
    bool batch_first;
    const void *x; /* in the product's type */
} layer;

/* One direction. T: product type; everything else is double. */
typedef struct pass {
    const layer *l;
    int64_t direction;
    bool reverse;
    void *r_first, *r_rest;   /* T [hidden, first], [hidden, all - first] */
    void *x;                  /* T [times * batch, all]: input times W, with bias */
    void *bias;               /* T [all]: the state's */
    void *state, *operand;    /* T [batch, hidden] */
    void *u_first, *u_rest;   /* T [batch, first], [batch, all - first] */
    double *gx, *gu;          /* [batch, all] */
    double *h, *c, *operands; /* [batch, hidden] */
    double *peepholes;        /* [3, hidden] or NULL */
} pass;

/* rows * columns elements of `size` bytes; NULL: the error is set. */
static void *room(op_call *c, int64_t rows, int64_t columns, size_t size)
{
    size_t n, bytes;
    if (!size_mul((size_t)rows, (size_t)columns, &n) || !size_mul(n, size, &bytes)) {
        call_error(c, HEED_NOMEM, "the layer is too large");
        return NULL;
    }
    return call_scratch(c, bytes + 1);
}

/* Rows first..first+n of matrix `direction` of W or R, [all, columns], as [columns, n]. */
static void *transposed(const layer *l, uint32_t input, int64_t direction, int64_t first, int64_t n,
                        int64_t columns)
{
    const heed_tensor *t = l->call->in[input];
    int64_t from = (direction * l->all + first) * columns;
    void *out = room(l->call, n, columns, l->type->size);
    const void *rows = product_read(l->call, l->type, t->dtype, tensor_data(t), from, n * columns);
    layout_box box = {.rank = 2, .dims = {columns, n}, .dst = {n, 1}, .src = {1, columns}};
    if (!out || !rows)
        return NULL;
    if (n > 0 && columns > 0)
        layout_copy(l->type->dtype, &box, out, 0, rows, 0);
    return out;
}

/* The bias of the input (part 0) or of the state (part 1): zeros where there is none. */
static void *bias_of(const layer *l, int64_t direction, int64_t part)
{
    const heed_tensor *b = call_has(l->call, RECURRENT_BIAS) ? l->call->in[RECURRENT_BIAS] : NULL;
    void *out = room(l->call, 1, l->all, l->type->size);
    if (out && b)
        product_load(l->type, b->dtype, tensor_data(b), (2 * direction + part) * l->all, l->all,
                     out);
    return out;
}

static void repeat(void *to, const void *row, int64_t rows, size_t bytes)
{
    for (int64_t i = 0; i < rows && bytes; i++)
        memcpy((char *)to + (size_t)i * bytes, row, bytes);
}

/* All steps' inputs at once: one large product instead of many small ones. */
static heed_status multiply_inputs(pass *p)
{
    const layer *l = p->l;
    int64_t rows = l->times * l->batch;
    void *w = transposed(l, RECURRENT_W, p->direction, 0, l->all, l->input);
    void *bias = bias_of(l, p->direction, 0);
    p->x = room(l->call, rows, l->all, l->type->size);
    if (!w || !bias || !p->x)
        return err_get()->status;
    repeat(p->x, bias, rows, (size_t)l->all * l->type->size);
    product_run(l->type, rows, l->all, l->input, l->x, w, p->x);
    return HEED_OK;
}

/* Element 0 of the state of sequence b. */
static int64_t state_at(const layer *l, int64_t direction, int64_t b)
{
    int64_t row = l->batch_first ? b * l->directions + direction : direction * l->batch + b;
    return row * l->hidden;
}

static void load_state(const layer *l, uint32_t input, int64_t direction, double *to)
{
    const heed_tensor *t = call_has(l->call, input) ? l->call->in[input] : NULL;
    for (int64_t b = 0; t && b < l->batch; b++)
        dtype_load_f64(t->dtype, tensor_data(t), state_at(l, direction, b), l->hidden,
                       to + b * l->hidden);
}

static void store_state(const layer *l, uint32_t output, int64_t direction, const double *from)
{
    heed_tensor *t = call_out(l->call, output);
    for (int64_t b = 0; t && b < l->batch; b++)
        dtype_store_f64(t->dtype, tensor_data(t), state_at(l, direction, b), l->hidden,
                        from + b * l->hidden, true);
}

static heed_status load_peepholes(pass *p)
{
    const layer *l = p->l;
    if (!call_has(l->call, RECURRENT_PEEPHOLES))
        return HEED_OK;
    const heed_tensor *t = l->call->in[RECURRENT_PEEPHOLES];
    p->peepholes = room(l->call, 3, l->hidden, sizeof(double));
    if (!p->peepholes)
        return err_get()->status;
    dtype_load_f64(t->dtype, tensor_data(t), p->direction * 3 * l->hidden, 3 * l->hidden,
                   p->peepholes);
    return HEED_OK;
}

static heed_status pass_new(const layer *l, int64_t direction, pass *p)
{
    op_call *c = l->call;
    size_t size = l->type->size;
    int64_t rest = l->all - l->first;
    bool reverse = strcmp(ir_attr_string(c->node, "direction", "forward"), "reverse") == 0;
    *p = (pass){.l = l, .direction = direction, .reverse = reverse || direction == 1};
    TRY(multiply_inputs(p));
    TRY(load_peepholes(p));
    p->r_first = transposed(l, RECURRENT_R, direction, 0, l->first, l->hidden);
    p->r_rest = transposed(l, RECURRENT_R, direction, l->first, rest, l->hidden);
    p->bias = bias_of(l, direction, 1);
    p->state = room(c, l->batch, l->hidden, size);
    p->operand = room(c, l->batch, l->hidden, size);
    p->u_first = room(c, l->batch, l->first, size);
    p->u_rest = room(c, l->batch, rest, size);
    p->gx = room(c, l->batch, l->all, sizeof(double));
    p->gu = room(c, l->batch, l->all, sizeof(double));
    p->h = room(c, l->batch, l->hidden, sizeof(double));
    p->c = room(c, l->batch, l->hidden, sizeof(double));
    p->operands = room(c, l->batch, l->hidden, sizeof(double));
    if (!p->r_first || !p->r_rest || !p->bias || !p->state || !p->operand || !p->u_first ||
        !p->u_rest || !p->gx || !p->gu || !p->h || !p->c || !p->operands)
        return err_get()->status;
    load_state(l, RECURRENT_H0, direction, p->h);
    if (l->cell->has_c)
        load_state(l, RECURRENT_C0, direction, p->c);
    return HEED_OK;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static int64_t length_of(const layer *l, int64_t b)
{
    return l->lengths ? l->lengths[b] : l->times;
}

/* The time of sequence b at step s; -1 when it has ended. */
static int64_t time_of(const pass *p, int64_t b, int64_t s)
{
    int64_t length = length_of(p->l, b);
    return s >= length ? -1 : (p->reverse ? length - 1 - s : s);
}

static void write_output(const pass *p, int64_t b, int64_t time)
{
    const layer *l = p->l;
    heed_tensor *y = call_out(l->call, 0);
    int64_t row = l->batch_first ? (b * l->times + time) * l->directions + p->direction
                                 : (time * l->directions + p->direction) * l->batch + b;
    if (y)
        dtype_store_f64(y->dtype, tensor_data(y), row * l->hidden, l->hidden, p->h + b * l->hidden,
                        true);
}

static recurrent_row row_of(const pass *p, int64_t b)
{
    const layer *l = p->l;
    const ir_node *n = l->call->node;
    return (recurrent_row){
        .size = l->hidden,
        .acts = l->acts + p->direction * l->cell->n_acts,
        .clip = ir_attr_float(n, "clip", 0),
        .option = l->cell->option && ir_attr_int(n, l->cell->option, 0) != 0,
        .peepholes = p->peepholes,
        .x = p->gx + b * l->all,
        .u = p->gu + b * l->all,
        .h = p->h + b * l->hidden,
        .c = p->c + b * l->hidden,
        .operand = p->operands + b * l->hidden,
    };
}

/* u = bias + state * R, for `n` gates from `first` on. */
static void multiply_state(pass *p, int64_t first, int64_t n, const double *state, void *narrow,
                           const void *r, void *u)
{
    const layer *l = p->l;
    size_t size = l->type->size;
    dtype_store_f64(l->type->dtype, narrow, 0, l->batch * l->hidden, state, true);
    repeat(u, (const char *)p->bias + (size_t)first * size, l->batch, (size_t)n * size);
    product_run(l->type, l->batch, n, l->hidden, narrow, r, u);
    for (int64_t b = 0; b < l->batch; b++)
        dtype_load_f64(l->type->dtype, u, b * n, n, p->gu + b * l->all + first);
}

static void load_inputs(pass *p, int64_t s)
{
    const layer *l = p->l;
    for (int64_t b = 0; b < l->batch; b++) {
        int64_t time = time_of(p, b, s);
        int64_t row = l->batch_first ? b * l->times + time : time * l->batch + b;
        if (time >= 0)
            dtype_load_f64(l->type->dtype, p->x, row * l->all, l->all, p->gx + b * l->all);
    }
}

static void run_step(pass *p, int64_t s)
{
    const layer *l = p->l;
    load_inputs(p, s);
    multiply_state(p, 0, l->first, p->h, p->state, p->r_first, p->u_first);
    for (int64_t b = 0; l->cell->before && b < l->batch; b++) {
        recurrent_row r = row_of(p, b);
        if (time_of(p, b, s) >= 0)
            l->cell->before(&r);
    }
    if (l->cell->before)
        multiply_state(p, l->first, l->all - l->first, p->operands, p->operand, p->r_rest,
                       p->u_rest);
    for (int64_t b = 0; b < l->batch; b++) {
        recurrent_row r = row_of(p, b);
        int64_t time = time_of(p, b, s);
        if (time < 0)
            continue;
        l->cell->step(&r);
        write_output(p, b, time);
    }
}

static heed_status run_direction(const layer *l, int64_t direction)
{
    pass p;
    int64_t steps = 0;
    TRY(pass_new(l, direction, &p));
    for (int64_t b = 0; b < l->batch; b++)
        steps = length_of(l, b) > steps ? length_of(l, b) : steps;
    for (int64_t s = 0; s < steps; s++)
        run_step(&p, s);
    store_state(l, 1, direction, p.h);
    store_state(l, 2, direction, p.c);
    return HEED_OK;
}

static heed_status read_lengths(layer *l)
{
    op_call *c = l->call;
    if (!call_has(c, RECURRENT_LENGTHS))
        return HEED_OK;
    l->lengths = call_ints(c, RECURRENT_LENGTHS);
    for (int64_t b = 0; l->lengths && b < l->batch; b++)
        if (l->lengths[b] < 0 || l->lengths[b] > l->times)
            return call_error(c, HEED_INVALID, "sequence %lld has length %lld of %lld",
                              (long long)b, (long long)l->lengths[b], (long long)l->times);
    return l->lengths ? HEED_OK : err_get()->status;
}

heed_status recurrent_run(op_call *c)
{
    const heed_tensor *x = c->in[RECURRENT_X];
    const recurrent_cell *cell = c->node->op->data;
    bool first = recurrent_batch_first(c->node);
    layer l = {.call = c,
               .cell = cell,
               .type = product_for(x->dtype),
               .times = x->dims[first],
               .batch = x->dims[!first],
               .input = x->dims[2],
               .hidden = c->in[RECURRENT_R]->dims[2],
               .directions = recurrent_directions(c->node),
               .batch_first = first};
    l.all = l.hidden * cell->gates;
    l.first = l.hidden * cell->first;
    TRY(recurrent_acts(c, cell, (uint32_t)l.directions, l.acts));
    TRY(read_lengths(&l));
    l.x = product_read(c, l.type, x->dtype, tensor_data(x), 0, tensor_count(x));
    if (!l.x)
        return err_get()->status;
    if (call_out(c, 0))
        layout_zero(x->dtype, tensor_data(c->out[0]), 0, tensor_count(c->out[0]));
    for (int64_t d = 0; d < l.directions && l.hidden > 0; d++)
        TRY(run_direction(&l, d));
    return HEED_OK;
}
