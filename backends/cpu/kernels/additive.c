/* heed.AdditiveAttention: scores of a block of queries against tiles of keys, a softmax of each
 * row, the product with the values.
 *
 * Memory holds a block's scores and one tile of keys for each thread, never Sq x Skv x D. The
 * meaning is that of core/ops/additive_attention.c. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

enum { Q, K, V, W, BIAS, MASK, INPUTS };
enum { B, H, S, D };

enum {
    ROWS = 32, /* queries of a block */
    FEW = 2,   /* queries for which keys are not prepared */
    TILE = 64, /* keys of a tile */
    STEP = 16, /* the width of a tile is a multiple of it */
    CUT = 64,  /* keys of a query that are worth a piece of their own */
    MOST_SLOTS = 64,
    WORTH = 1 << 16 /* terms that are worth a thread */
};

/* Products of two powers, and of two sums of them, stay far from overflow. */
#define LARGE 10.0f

typedef struct rules {
    const cpu_lanes *lanes;
    int place[4][4];
    float scale, fill;
    bool late, guard;
    size_t slots;
} rules;

typedef struct operand {
    float *data;
    size_t dims[4], step[4];
} operand;

/* A mask or a bias: steps of 0 repeat. */
typedef struct cover {
    const char *data;
    size_t step[4];
} cover;

typedef struct job {
    const rules *r;
    operand o[3], y;
    cover bias, mask;
    const float *w;
    size_t w_head;
    float *weights; /* output 1, or NULL */
    size_t d, blocks, pieces, slots, slot_floats;
    size_t cuts;       /* of the keys, where pieces are fewer than threads */
    float *slot, *all; /* the scores of all pieces, where there are cuts */
    atomic_size_t next;
} job;

/* What a thread works in. */
typedef struct bench {
    float *q, *q_powers, *w, *k, *k_powers, *scores, *tile;
} bench;

/* ---- The node ------------------------------------------------------------------------------- */

static bool read_layout(const heed_node *node, const char *name, int place[4])
{
    static const char letters[] = "bhsd";
    const heed_attribute *a = node->attr(node, name);
    heed_string text = a && a->type == HEED_ATTR_STRING ? a->s : (heed_string){letters, 4};
    for (int i = 0; i < 4 && text.size == 4; i++) {
        const char *at = memchr(text.data, letters[i], 4);
        if (!at)
            return false;
        place[i] = (int)(at - text.data);
    }
    return text.size == 4;
}

/* Values and results have their channels in one run. */
static bool read_layouts(const heed_node *node, int place[4][4])
{
    static const char *const names[4] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    for (int i = 0; i < 4; i++)
        if (!read_layout(node, names[i], place[i]))
            return false;
    return place[V][D] == 3 && place[3][D] == 3;
}

static heed_status accepts(void *device, const heed_node *node)
{
    int place[4][4];
    (void)device;
    int64_t precision = cpu_attr_int(node, "softmax_precision", 0);
    for (uint32_t i = 0; i < node->n_in && i < INPUTS; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != (i == MASK ? HEED_BOOL : HEED_FLOAT32))
            return cpu_refuse_dtype(node, i);
    if (precision != 0 && precision != HEED_FLOAT32)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s has its softmax in float32", node->op);
    if (!read_layouts(node, place))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s with channels that are not the last axis",
                              node->op);
    return HEED_OK;
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    rules *r = cpu_state_new(sizeof(*r));
    if (!r)
        return HEED_NOMEM;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    r->lanes = cpu_lanes_of(device);
    read_layouts(node, r->place);
    r->scale = cpu_attr_float(node, "scale", 1.0f);
    r->fill = cpu_attr_float(node, "fill", -INFINITY);
    r->late = cpu_attr_int(node, "fill_first", 0) != 0;
    r->guard = cpu_attr_is(node, "empty", "guard");
    r->slots = cores < 1 ? 1 : cores > MOST_SLOTS ? MOST_SLOTS : (size_t)cores;
    *state = r;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(rules));
}

/* ---- The call ------------------------------------------------------------------------------- */

static bool read_operand(operand *o, const DLTensor *t, const int place[4])
{
    size_t step = 1, steps[4];
    if (t->ndim != 4)
        return false;
    for (int a = 3; a >= 0; a--) {
        steps[a] = step;
        step *= (size_t)t->shape[a];
    }
    o->data = t->data ? cpu_data(t) : NULL;
    for (int a = 0; a < 4; a++) {
        o->dims[a] = (size_t)t->shape[place[a]];
        o->step[a] = steps[place[a]];
    }
    return true;
}

static bool read_cover(cover *c, const DLTensor *t, const size_t scores[4])
{
    size_t step = 1;
    if (!t)
        return true;
    c->data = t->data ? cpu_data(t) : "";
    for (int a = 3; a >= 4 - t->ndim && a >= 0; a--) {
        size_t extent = (size_t)t->shape[a - (4 - t->ndim)];
        if (extent != 1 && extent != scores[a])
            return false;
        c->step[a] = extent == 1 ? 0 : step;
        step *= extent;
    }
    return t->ndim <= 4;
}

static bool fits(const job *j)
{
    const size_t *q = j->o[Q].dims, *k = j->o[K].dims, *v = j->o[V].dims, *y = j->y.dims;
    bool good = q[B] == k[B] && k[B] == v[B] && y[B] == q[B] && q[H] == k[H] && k[H] == v[H];
    good &= y[H] == q[H] && q[D] == k[D] && k[S] == v[S] && y[S] == q[S] && y[D] == v[D];
    return good && k[S] <= INT32_MAX && q[S] <= INT32_MAX && q[D] <= INT32_MAX;
}

static bool read_weights(job *j, const DLTensor *w)
{
    size_t d = j->o[Q].dims[D], heads = j->o[Q].dims[H];
    j->w = w->data ? cpu_data(w) : NULL;
    j->w_head = w->ndim == 2 ? d : 0;
    return (w->ndim == 1 || w->ndim == 2) && (size_t)w->shape[w->ndim - 1] == d &&
           (w->ndim == 1 || (size_t)w->shape[0] == heads);
}

static void size_slots(job *j)
{
    const size_t *q = j->o[Q].dims;
    size_t keys = j->o[K].dims[S], d;
    j->d = d = (q[D] + 1) / 2 * 2;
    j->blocks = (q[S] + ROWS - 1) / ROWS;
    j->pieces = q[B] * q[H] * j->blocks;
    size_t terms = q[B] * q[H] * q[S] * (keys + 1) * (d + 1);
    bool few = q[S] <= FEW && j->o[K].step[D] == 1;
    j->cuts = few && j->pieces && j->pieces < j->r->slots ? keys / CUT : 1;
    j->cuts = j->cuts ? j->cuts : 1;
    j->slots = j->pieces * j->cuts < j->r->slots ? j->pieces * j->cuts : j->r->slots;
    if (terms / WORTH < j->slots)
        j->slots = terms / WORTH;
    j->slots = j->slots ? j->slots : 1;
    j->cuts = j->slots > j->pieces ? j->cuts : 1;
    size_t floats = 2 * ROWS * d + d + 2 * TILE * d + ROWS * keys + TILE;
    j->slot_floats = (floats + 7 * STEP + STEP - 1) / STEP * STEP;
}

static heed_status plan(job *j, const rules *r, const heed_call *call, uint64_t *bytes)
{
    const DLTensor *in[INPUTS] = {NULL};
    for (uint32_t i = 0; i < call->n_in && i < INPUTS; i++)
        in[i] = call->in[i];
    j->r = r;
    bool good = read_operand(&j->y, call->out[0], r->place[3]);
    for (int i = 0; i < 3 && good; i++)
        good = read_operand(&j->o[i], in[i], r->place[i]);
    if (!good || !fits(j) || !read_weights(j, in[W]))
        return cpu_host->fail(HEED_INVALID, "cpu: operands of attention that do not fit together");
    const size_t *q = j->o[Q].dims;
    size_t scores[4] = {q[B], q[H], q[S], j->o[K].dims[S]};
    if (!read_cover(&j->bias, in[BIAS], scores) || !read_cover(&j->mask, in[MASK], scores))
        return cpu_host->fail(HEED_INVALID, "cpu: a mask that does not broadcast");
    if (call->n_out > 1 && call->out[1] && call->out[1]->data)
        j->weights = cpu_data(call->out[1]);
    size_slots(j);
    size_t all = j->cuts > 1 ? j->pieces * scores[2] * scores[3] : 0;
    *bytes = (j->slots * j->slot_floats + all) * sizeof(float);
    return HEED_OK;
}

/* ---- A block of queries --------------------------------------------------------------------- */

static float *take(float **at, size_t floats)
{
    float *here = *at;
    *at += (floats + STEP - 1) / STEP * STEP;
    return here;
}

static bench bench_at(const job *j, size_t slot)
{
    float *at = j->slot + slot * j->slot_floats;
    bench x = {.q = take(&at, ROWS * j->d)};
    x.q_powers = take(&at, ROWS * j->d);
    x.w = take(&at, j->d);
    x.k = take(&at, TILE * j->d);
    x.k_powers = take(&at, TILE * j->d);
    x.tile = take(&at, TILE);
    x.scores = take(&at, ROWS * j->o[K].dims[S]);
    return x;
}

/* Rows of a tensor as [row][channel] or, turned, [channel][width]; what is missing is 0. */
static void load(float *to, size_t width, bool turned, size_t d, const operand *o, size_t first,
                 const size_t at[2], size_t rows)
{
    const float *from = o->data + at[0] * o->step[B] + at[1] * o->step[H] + first * o->step[S];
    size_t own = o->dims[D];
    memset(to, 0, (turned ? width : rows) * d * sizeof(*to));
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < own; c++)
            to[turned ? c * width + i : i * d + c] = from[i * o->step[S] + c * o->step[D]];
}

static void load_weights(const job *j, bench *x, size_t head)
{
    size_t own = j->o[Q].dims[D];
    memset(x->w, 0, j->d * sizeof(float));
    for (size_t c = 0; c < own; c++)
        x->w[c] = j->r->scale * j->w[head * j->w_head + c];
}

/* Against keys [begin, end), which are read where they lie. */
static void score_few(const job *j, bench *x, const size_t at[2], size_t rows, size_t begin,
                      size_t end)
{
    const operand *k = &j->o[K];
    const float *from = k->data + at[0] * k->step[B] + at[1] * k->step[H] + begin * k->step[S];
    for (size_t i = 0; i < rows; i++)
        j->r->lanes->additive_rows(x->scores + i * k->dims[S] + begin, x->q + i * j->d, x->w, from,
                                   k->step[S], k->dims[D], end - begin);
}

/* The scores of a block against all keys. */
static void score(const job *j, bench *x, const size_t at[2], size_t first, size_t rows)
{
    const cpu_lanes *lanes = j->r->lanes;
    size_t keys = j->o[K].dims[S], d = j->d;
    load(x->q, 0, false, d, &j->o[Q], first, at, rows);
    if (rows <= FEW && j->o[K].step[D] == 1) {
        score_few(j, x, at, rows, 0, keys);
        return;
    }
    bool small = lanes->additive_powers(x->q_powers, x->q, rows * d) <= LARGE;
    for (size_t t = 0; t < keys; t += TILE) {
        size_t n = keys - t < TILE ? keys - t : TILE, width = (n + STEP - 1) / STEP * STEP;
        load(x->k, width, true, d, &j->o[K], t, at, n);
        bool fast = small && lanes->additive_powers(x->k_powers, x->k, d * width) <= LARGE;
        for (size_t i = 0; i < rows; i++) {
            if (fast)
                lanes->additive_fast(x->tile, x->q_powers + i * d, x->w, x->k_powers, d, width);
            else
                lanes->additive_exact(x->tile, x->q + i * d, x->w, x->k, d, width);
            memcpy(x->scores + i * keys + t, x->tile, n * sizeof(float));
        }
    }
}

static void apply_masks(const job *j, float *row, const size_t at[2], size_t query, size_t keys)
{
    const cover *b = &j->bias, *m = &j->mask;
    size_t bias_at = at[0] * b->step[B] + at[1] * b->step[H] + query * b->step[S];
    size_t mask_at = at[0] * m->step[B] + at[1] * m->step[H] + query * m->step[S];
    const float *bias = b->data ? (const float *)(const void *)b->data + bias_at : NULL;
    const uint8_t *mask = m->data ? (const uint8_t *)m->data + mask_at : NULL;
    for (size_t i = 0; i < keys && bias && !j->r->late; i++)
        row[i] += bias[i * b->step[D]];
    for (size_t i = 0; i < keys && mask; i++)
        row[i] = mask[i * m->step[D]] ? row[i] : j->r->fill;
    for (size_t i = 0; i < keys && bias && j->r->late; i++)
        row[i] += bias[i * b->step[D]];
}

static void weigh_row(const job *j, float *row, const size_t at[2], size_t query)
{
    size_t keys = j->o[K].dims[S], queries = j->o[Q].dims[S];
    apply_masks(j, row, at, query, keys);
    j->r->lanes->softmax(row, row, keys);
    for (size_t i = 0; i < keys && j->r->guard; i++)
        row[i] = isnan(row[i]) ? 0.0f : row[i];
    size_t entry = (at[0] * j->o[Q].dims[H] + at[1]) * queries + query;
    if (j->weights)
        memcpy(j->weights + entry * keys, row, keys * sizeof(float));
}

static void multiply(const job *j, const float *weights, const size_t at[2], size_t first,
                     size_t rows)
{
    const operand *v = &j->o[V], *y = &j->y;
    size_t keys = v->dims[S], width = v->dims[D];
    const float *values = v->data + at[0] * v->step[B] + at[1] * v->step[H];
    float *to = y->data + at[0] * y->step[B] + at[1] * y->step[H] + first * y->step[S];
    if (j->r->lanes->product && keys && width) {
        const cpu_product p = {.m = rows,
                               .n = width,
                               .k = keys,
                               .a = weights,
                               .a_row = keys,
                               .a_col = 1,
                               .b = values,
                               .b_row = v->step[S],
                               .c = to,
                               .c_row = y->step[S],
                               .alpha = 1.0f};
        j->r->lanes->product(&p);
        return;
    }
    for (size_t i = 0; i < rows; i++) {
        memset(to + i * y->step[S], 0, width * sizeof(float));
        for (size_t k = 0; k < keys; k++)
            j->r->lanes->axpy(to + i * y->step[S], values + k * v->step[S], width,
                              weights[i * keys + k]);
    }
}

static void run_piece(const job *j, bench *x, size_t piece)
{
    size_t heads = j->o[Q].dims[H], queries = j->o[Q].dims[S], keys = j->o[K].dims[S];
    size_t entry = piece / j->blocks, first = piece % j->blocks * ROWS;
    size_t rows = queries - first < ROWS ? queries - first : ROWS;
    const size_t at[2] = {entry / heads, entry % heads};
    if (j->cuts > 1) {
        x->scores = j->all + piece * queries * keys;
    } else {
        load_weights(j, x, at[1]);
        score(j, x, at, first, rows);
    }
    for (size_t i = 0; i < rows && keys; i++)
        weigh_row(j, x->scores + i * keys, at, first + i);
    multiply(j, x->scores, at, first, rows);
}

/* The scores of a few queries against a part of the keys. */
static void run_cut(const job *j, bench *x, size_t number)
{
    size_t heads = j->o[Q].dims[H], queries = j->o[Q].dims[S], keys = j->o[K].dims[S];
    size_t piece = number / j->cuts, cut = number % j->cuts;
    const size_t at[2] = {piece / heads, piece % heads};
    x->scores = j->all + piece * queries * keys;
    load_weights(j, x, at[1]);
    load(x->q, 0, false, j->d, &j->o[Q], 0, at, queries);
    score_few(j, x, at, queries, keys * cut / j->cuts, keys * (cut + 1) / j->cuts);
}

static void work(void *arg, uint32_t slot)
{
    job *j = arg;
    bench x = bench_at(j, slot);
    for (size_t piece; (piece = atomic_fetch_add(&j->next, 1)) < j->pieces;)
        run_piece(j, &x, piece);
}

static void work_on_cuts(void *arg, uint32_t slot)
{
    job *j = arg;
    bench x = bench_at(j, slot);
    for (size_t n; (n = atomic_fetch_add(&j->next, 1)) < j->pieces * j->cuts;)
        run_cut(j, &x, n);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    job j = {0};
    return plan(&j, state, shapes, bytes);
}

static heed_status run(const heed_call *call)
{
    job j = {0};
    uint64_t bytes;
    heed_status status = plan(&j, call->state, call, &bytes);
    if (status)
        return status;
    j.slot = call->workspace;
    j.all = j.slot + j.slots * j.slot_floats;
    atomic_init(&j.next, 0);
    if (j.cuts > 1) {
        cpu_host->parallel(work_on_cuts, &j, (uint32_t)j.slots);
        atomic_store(&j.next, 0);
    }
    if (j.slots > 1 && j.pieces > 1)
        cpu_host->parallel(work, &j, (uint32_t)j.slots);
    else
        work(&j, 0);
    return HEED_OK;
}

// clang-format off
static const heed_kernel additive = HEED_KERNEL(
    .domain = "heed", .op = "AdditiveAttention", .since = 1, .accepts = accepts, .prepare = prepare,
    .measure = measure, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_additive[] = {&additive, NULL};
