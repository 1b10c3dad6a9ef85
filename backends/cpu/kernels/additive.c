/* heed.AdditiveAttention: scores of a block of queries against tiles of keys, a softmax of each
 * row, the product with the values.
 *
 * Memory holds a block's scores and one tile of keys for each thread, never Sq x Skv x D; small
 * calls have it on the stack. Halves are widened as they are loaded. The meaning is that of
 * core/ops/additive_attention.c. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"
#include "half.h"

enum { Q, K, V, W, BIAS, MASK, INPUTS };
enum { B, H, S, D };

enum {
    ROWS = 32, /* queries of a block */
    FEW = 2,   /* queries for which keys are not prepared */
    TILE = 64, /* keys of a tile */
    STEP = 16, /* the width of a tile is a multiple of it */
    CUT = 64,  /* keys of a query that are worth a piece of their own */
    MOST_SLOTS = 64,
    ON_STACK = 12288, /* floats of a slot, at most */
    WORTH = 1 << 16   /* terms that are worth a thread */
};

/* Products of two powers, and of two sums of them, stay far from overflow. */
#define LARGE 10.0f

typedef struct rules {
    const cpu_lanes *lanes;
    int place[4][4];
    float scale, fill;
    bool late, guard;
    size_t slots;
    cpu_half half; /* of the tensors; NULLs for float32 */
    size_t bytes;  /* of an element */
} rules;

typedef struct operand {
    char *data;
    size_t dims[4], step[4];
} operand;

/* A mask or a bias: steps of 0 repeat. */
typedef struct cover {
    const char *data;
    size_t step[4];
} cover;

typedef struct job job;
typedef struct bench bench;
typedef void run_function(const job *j, bench *x, size_t n);

struct job {
    const rules *r;
    operand o[3], y;
    cover bias, mask;
    const char *w;
    size_t w_head;
    char *weights;     /* output 1, or NULL */
    size_t rows, tile; /* of a block, of keys */
    size_t d, blocks, pieces, slots, slot_floats;
    size_t cuts;       /* of the keys, where pieces are fewer than threads */
    float *slot, *all; /* the scores of all pieces, where there are cuts */
    bool on_stack;     /* slots are no workspace */
    run_function *run; /* what threads take in turn, and how often */
    size_t n_runs;
    atomic_size_t next;
};

/* What a thread works in. */
struct bench {
    float *q, *q_powers, *w, *k, *k_powers, *scores, *tile;
    float *v, *y; /* halves: a tile of values, results */
};

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
    int64_t precision = cpu_attr_int(node, "softmax_precision", 0);
    heed_status status = cpu_accept_float(device, node);
    heed_dtype type = status ? HEED_UNDEFINED : cpu_dtype(node->in[Q]->dtype);
    for (uint32_t i = 0; i < node->n_in && i < INPUTS && !status; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != (i == MASK ? HEED_BOOL : type))
            status = cpu_refuse_dtype(node, i);
    if (status)
        return status;
    if (precision != 0 && precision != HEED_FLOAT32)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s has its softmax in float32", node->op);
    if (!read_layouts(node, place))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s with channels that are not the last axis",
                              node->op);
    return HEED_OK;
}

static float rounded(const rules *r, float x)
{
    uint16_t half;
    if (!r->half.narrow)
        return x;
    r->half.narrow(&half, &x, 1, NULL);
    r->half.widen(&x, &half, 1, NULL);
    return x;
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
    r->half = cpu_half_find(r->lanes, cpu_dtype(node->in[Q]->dtype));
    r->bytes = cpu_element_bytes(node->in[Q]->dtype);
    r->fill = rounded(r, cpu_attr_float(node, "fill", -INFINITY));
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
    j->rows = q[S] < ROWS ? q[S] : ROWS;
    j->tile = keys < TILE ? (keys + STEP - 1) / STEP * STEP : TILE;
    j->pieces = q[B] * q[H] * j->blocks;
    size_t terms = q[B] * q[H] * q[S] * (keys + 1) * (d + 1);
    bool few = q[S] <= FEW && j->o[K].step[D] == 1 && !j->r->half.widen;
    j->cuts = few && j->pieces && j->pieces < j->r->slots ? keys / CUT : 1;
    j->cuts = j->cuts ? j->cuts : 1;
    j->slots = j->pieces * j->cuts < j->r->slots ? j->pieces * j->cuts : j->r->slots;
    if (terms / WORTH < j->slots)
        j->slots = terms / WORTH;
    j->slots = j->slots ? j->slots : 1;
    j->cuts = j->slots > j->pieces ? j->cuts : 1;
    size_t floats = 2 * j->rows * d + d + 2 * j->tile * d + j->rows * keys + j->tile;
    if (j->r->half.widen)
        floats += (j->rows + j->tile) * j->o[V].dims[D];
    j->slot_floats = (floats + 9 * STEP + STEP - 1) / STEP * STEP;
    j->on_stack = j->slot_floats <= ON_STACK;
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
    *bytes = ((j->on_stack ? 0 : j->slots * j->slot_floats) + all) * sizeof(float);
    return HEED_OK;
}

/* ---- A block of queries --------------------------------------------------------------------- */

static float *take(float **at, size_t floats)
{
    float *here = *at;
    *at += (floats + STEP - 1) / STEP * STEP;
    return here;
}

static bench bench_in(const job *j, float *memory)
{
    float *at = memory;
    size_t width = j->r->half.widen ? j->o[V].dims[D] : 0;
    bench x = {.q = take(&at, j->rows * j->d)};
    x.q_powers = take(&at, j->rows * j->d);
    x.w = take(&at, j->d);
    x.k = take(&at, j->tile * j->d);
    x.k_powers = take(&at, j->tile * j->d);
    x.tile = take(&at, j->tile);
    x.scores = take(&at, j->rows * j->o[K].dims[S]);
    x.v = take(&at, j->tile * width);
    x.y = take(&at, j->rows * width);
    return x;
}

/* Where the rows of a head begin. */
static char *find(const job *j, const operand *o, const size_t at[2], size_t first)
{
    return o->data + (at[0] * o->step[B] + at[1] * o->step[H] + first * o->step[S]) * j->r->bytes;
}

/* n elements, `step` apart, as float32, `to_step` apart. */
static void widen(const rules *r, float *to, size_t to_step, const char *from, size_t step,
                  size_t n)
{
    static const float none[2];
    float block[CPU_HALF_BLOCK];
    for (size_t i = 0; i < n; i += CPU_HALF_BLOCK) {
        size_t m = n - i < CPU_HALF_BLOCK ? n - i : CPU_HALF_BLOCK;
        const char *at = from + i * step * r->bytes;
        const float *x = block;
        if (!r->half.widen)
            x = (const float *)(const void *)at;
        else if (step == 1)
            r->half.widen(block, at, m, none);
        else
            for (size_t k = 0; k < m; k++)
                r->half.widen(&block[k], at + k * step * r->bytes, 1, none);
        size_t walk = r->half.widen ? 1 : step;
        for (size_t k = 0; k < m; k++)
            to[(i + k) * to_step] = x[k * walk];
    }
}

/* Rows of a tensor as [row][channel] or, turned, [channel][width]; what is missing is 0. */
static void load(const job *j, float *to, size_t width, bool turned, const operand *o, size_t first,
                 const size_t at[2], size_t rows)
{
    const char *from = find(j, o, at, first);
    memset(to, 0, (turned ? width : rows) * j->d * sizeof(*to));
    for (size_t i = 0; i < rows; i++)
        widen(j->r, turned ? to + i : to + i * j->d, turned ? width : 1,
              from + i * o->step[S] * j->r->bytes, o->step[D], o->dims[D]);
}

static void load_weights(const job *j, bench *x, size_t head)
{
    size_t own = j->o[Q].dims[D];
    memset(x->w, 0, j->d * sizeof(float));
    widen(j->r, x->w, 1, j->w + head * j->w_head * j->r->bytes, 1, own);
    for (size_t c = 0; c < own; c++)
        x->w[c] *= j->r->scale;
}

/* Against keys [begin, end), which are read where they lie. */
static void score_few(const job *j, bench *x, const size_t at[2], size_t rows, size_t begin,
                      size_t end)
{
    const operand *k = &j->o[K];
    const float *from = (const float *)(const void *)find(j, k, at, begin);
    for (size_t i = 0; i < rows; i++)
        j->r->lanes->additive_rows(x->scores + i * k->dims[S] + begin, x->q + i * j->d, x->w, from,
                                   k->step[S], k->dims[D], end - begin);
}

/* The scores of a block against all keys. */
static void score(const job *j, bench *x, const size_t at[2], size_t first, size_t rows)
{
    const cpu_lanes *lanes = j->r->lanes;
    size_t keys = j->o[K].dims[S], d = j->d;
    load(j, x->q, 0, false, &j->o[Q], first, at, rows);
    if (rows <= FEW && j->o[K].step[D] == 1 && !j->r->half.widen) {
        score_few(j, x, at, rows, 0, keys);
        return;
    }
    bool small = lanes->additive_powers(x->q_powers, x->q, rows * d) <= LARGE;
    for (size_t t = 0; t < keys; t += j->tile) {
        size_t n = keys - t < j->tile ? keys - t : j->tile, width = (n + STEP - 1) / STEP * STEP;
        load(j, x->k, width, true, &j->o[K], t, at, n);
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

static void add_bias(const job *j, float *row, const char *bias, size_t keys)
{
    float block[CPU_HALF_BLOCK];
    for (size_t i = 0; i < keys; i += CPU_HALF_BLOCK) {
        size_t m = keys - i < CPU_HALF_BLOCK ? keys - i : CPU_HALF_BLOCK;
        widen(j->r, block, 1, bias + i * j->bias.step[D] * j->r->bytes, j->bias.step[D], m);
        for (size_t k = 0; k < m; k++)
            row[i + k] += block[k];
    }
}

static void apply_masks(const job *j, float *row, const size_t at[2], size_t query, size_t keys)
{
    const cover *b = &j->bias, *m = &j->mask;
    size_t bias_at = at[0] * b->step[B] + at[1] * b->step[H] + query * b->step[S];
    size_t mask_at = at[0] * m->step[B] + at[1] * m->step[H] + query * m->step[S];
    const char *bias = b->data ? b->data + bias_at * j->r->bytes : NULL;
    const uint8_t *mask = m->data ? (const uint8_t *)m->data + mask_at : NULL;
    if (bias && !j->r->late)
        add_bias(j, row, bias, keys);
    for (size_t i = 0; i < keys && mask; i++)
        row[i] = mask[i * m->step[D]] ? row[i] : j->r->fill;
    if (bias && j->r->late)
        add_bias(j, row, bias, keys);
}

static void store(const rules *r, char *to, const float *from, size_t n)
{
    static const float none[2];
    if (r->half.narrow)
        r->half.narrow(to, from, n, none);
    else
        memcpy(to, from, n * sizeof(*from));
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
        store(j->r, j->weights + entry * keys * j->r->bytes, row, keys);
}

/* y (+)= weights times some values; rows of weights are `keys` apart. */
typedef struct share {
    const float *weights, *values;
    float *y;
    size_t rows, keys, n, width, v_row, y_row;
    bool add;
} share;

static void multiply(const cpu_lanes *lanes, const share *s)
{
    if (!lanes->product_is_slow && s->n && s->width) {
        const cpu_product p = {.m = s->rows,
                               .n = s->width,
                               .k = s->n,
                               .a = s->weights,
                               .a_row = s->keys,
                               .a_col = 1,
                               .b = s->values,
                               .b_row = s->v_row,
                               .c = s->y,
                               .c_row = s->y_row,
                               .alpha = 1.0f,
                               .add = s->add};
        lanes->product(&p);
        return;
    }
    for (size_t i = 0; i < s->rows; i++) {
        if (!s->add)
            memset(s->y + i * s->y_row, 0, s->width * sizeof(float));
        for (size_t k = 0; k < s->n; k++)
            lanes->axpy(s->y + i * s->y_row, s->values + k * s->v_row, s->width,
                        s->weights[i * s->keys + k]);
    }
}

static void multiply_floats(const job *j, share *s, const size_t at[2], size_t first)
{
    s->values = (const float *)(const void *)find(j, &j->o[V], at, 0);
    s->y = (float *)(void *)find(j, &j->y, at, first);
    s->n = s->keys;
    s->v_row = j->o[V].step[S];
    s->y_row = j->y.step[S];
    multiply(j->r->lanes, s);
}

/* Values are widened tile by tile. */
static void multiply_halves(const job *j, bench *x, share *s, const size_t at[2], size_t first)
{
    const operand *v = &j->o[V];
    const float *weights = s->weights;
    s->values = x->v;
    s->y = x->y;
    s->v_row = s->y_row = s->width;
    memset(x->y, 0, s->rows * s->width * sizeof(float));
    for (size_t t = 0; t < s->keys; t += j->tile) {
        s->n = s->keys - t < j->tile ? s->keys - t : j->tile;
        for (size_t k = 0; k < s->n; k++)
            widen(j->r, x->v + k * s->width, 1, find(j, v, at, t + k), 1, s->width);
        s->weights = weights + t;
        s->add = t > 0;
        multiply(j->r->lanes, s);
    }
    for (size_t i = 0; i < s->rows; i++)
        store(j->r, find(j, &j->y, at, first + i), x->y + i * s->width, s->width);
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
    share s = {.weights = x->scores, .rows = rows, .keys = keys, .width = j->o[V].dims[D]};
    if (j->r->half.widen)
        multiply_halves(j, x, &s, at, first);
    else
        multiply_floats(j, &s, at, first);
}

/* The scores of a few queries against a part of the keys. */
static void run_cut(const job *j, bench *x, size_t number)
{
    size_t heads = j->o[Q].dims[H], queries = j->o[Q].dims[S], keys = j->o[K].dims[S];
    size_t piece = number / j->cuts, cut = number % j->cuts;
    const size_t at[2] = {piece / heads, piece % heads};
    x->scores = j->all + piece * queries * keys;
    load_weights(j, x, at[1]);
    load(j, x->q, 0, false, &j->o[Q], 0, at, queries);
    score_few(j, x, at, queries, keys * cut / j->cuts, keys * (cut + 1) / j->cuts);
}

/* ---- Threads -------------------------------------------------------------------------------- */

static void take_pieces(job *j, float *memory)
{
    bench x = bench_in(j, memory);
    for (size_t n; (n = atomic_fetch_add(&j->next, 1)) < j->n_runs;)
        j->run(j, &x, n);
}

static void work(void *arg, uint32_t slot)
{
    job *j = arg;
    take_pieces(j, j->slot + slot * j->slot_floats);
}

static void work_on_stack(void *arg, uint32_t slot)
{
    _Alignas(64) float memory[ON_STACK];
    (void)slot;
    take_pieces(arg, memory);
}

static void run_all(job *j, run_function *run, size_t n, size_t slots)
{
    void (*run_slot)(void *arg, uint32_t slot) = j->on_stack ? work_on_stack : work;
    j->run = run;
    j->n_runs = n;
    atomic_init(&j->next, 0);
    if (slots > 1)
        cpu_host->parallel(run_slot, j, (uint32_t)slots);
    else
        run_slot(j, 0);
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
    j.all = j.slot + (j.on_stack ? 0 : j.slots * j.slot_floats);
    if (j.cuts > 1)
        run_all(&j, run_cut, j.pieces * j.cuts, j.slots);
    run_all(&j, run_piece, j.pieces, j.slots < j.pieces ? j.slots : j.pieces);
    return HEED_OK;
}

// clang-format off
static const heed_kernel additive = HEED_KERNEL(
    .domain = "heed", .op = "AdditiveAttention", .since = 1, .accepts = accepts, .prepare = prepare,
    .measure = measure, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_additive[] = {&additive, NULL};
