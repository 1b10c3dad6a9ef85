/* A block of queries of heed.AdditiveAttention, or a part of the scores of a few. See additive.h.
 */
#include <math.h>
#include <string.h>

#include "additive.h"

/* Products of two powers, and of two sums of them, stay far from overflow. */
#define LARGE 10.0f

static float *take(float **at, size_t floats)
{
    float *here = *at;
    *at += (floats + ADDITIVE_STEP - 1) / ADDITIVE_STEP * ADDITIVE_STEP;
    return here;
}

additive_bench additive_bench_in(const additive_job *j, float *memory)
{
    float *at = memory;
    size_t width = j->r->half.widen ? j->o[ADDITIVE_V].dims[ADDITIVE_D] : 0;
    additive_bench x = {.q = take(&at, j->rows * j->d)};
    x.q_powers = take(&at, j->rows * j->d);
    x.w = take(&at, j->d);
    x.k = take(&at, j->tile * j->d);
    x.k_powers = take(&at, j->tile * j->d);
    x.tile = take(&at, j->tile);
    x.scores = take(&at, j->rows * j->o[ADDITIVE_K].dims[ADDITIVE_S]);
    x.v = take(&at, j->tile * width);
    x.y = take(&at, j->rows * width);
    return x;
}

/* Where the rows of a head begin. */
static char *find(const additive_job *j, const additive_operand *o, const size_t at[2],
                  size_t first)
{
    return o->data + (at[0] * o->step[ADDITIVE_B] + at[1] * o->step[ADDITIVE_H] +
                      first * o->step[ADDITIVE_S]) *
                         j->r->bytes;
}

/* n elements, `step` apart, as float32, `to_step` apart. */
static void widen(const additive_rules *r, float *to, size_t to_step, const char *from, size_t step,
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
static void load(const additive_job *j, float *to, size_t width, bool turned,
                 const additive_operand *o, size_t first, const size_t at[2], size_t rows)
{
    const char *from = find(j, o, at, first);
    memset(to, 0, (turned ? width : rows) * j->d * sizeof(*to));
    for (size_t i = 0; i < rows; i++)
        widen(j->r, turned ? to + i : to + i * j->d, turned ? width : 1,
              from + i * o->step[ADDITIVE_S] * j->r->bytes, o->step[ADDITIVE_D],
              o->dims[ADDITIVE_D]);
}

static void load_weights(const additive_job *j, additive_bench *x, size_t head)
{
    size_t own = j->o[ADDITIVE_Q].dims[ADDITIVE_D];
    memset(x->w, 0, j->d * sizeof(float));
    widen(j->r, x->w, 1, j->w + head * j->w_head * j->r->bytes, 1, own);
    for (size_t c = 0; c < own; c++)
        x->w[c] *= j->r->scale;
}

/* Against keys [begin, end), which are read where they lie. */
static void score_few(const additive_job *j, additive_bench *x, const size_t at[2], size_t rows,
                      size_t begin, size_t end)
{
    const additive_operand *k = &j->o[ADDITIVE_K];
    const float *from = (const float *)(const void *)find(j, k, at, begin);
    for (size_t i = 0; i < rows; i++)
        j->r->lanes->additive_rows(x->scores + i * k->dims[ADDITIVE_S] + begin, x->q + i * j->d,
                                   x->w, from, k->step[ADDITIVE_S], k->dims[ADDITIVE_D],
                                   end - begin);
}

/* The scores of a block against all keys. */
static void score(const additive_job *j, additive_bench *x, const size_t at[2], size_t first,
                  size_t rows)
{
    const cpu_lanes *lanes = j->r->lanes;
    size_t keys = j->o[ADDITIVE_K].dims[ADDITIVE_S], d = j->d;
    load(j, x->q, 0, false, &j->o[ADDITIVE_Q], first, at, rows);
    if (rows <= ADDITIVE_FEW && j->o[ADDITIVE_K].step[ADDITIVE_D] == 1 && !j->r->half.widen) {
        score_few(j, x, at, rows, 0, keys);
        return;
    }
    bool small = lanes->additive_powers(x->q_powers, x->q, rows * d) <= LARGE;
    for (size_t t = 0; t < keys; t += j->tile) {
        size_t n = keys - t < j->tile ? keys - t : j->tile,
               width = (n + ADDITIVE_STEP - 1) / ADDITIVE_STEP * ADDITIVE_STEP;
        load(j, x->k, width, true, &j->o[ADDITIVE_K], t, at, n);
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

/* As the graph's own type rounds the sum: a bias of -65504 swallows float16 scores. */
static void round_sums(const additive_rules *r, float *row, size_t n)
{
    static const float none[2];
    uint16_t block[CPU_HALF_BLOCK];
    if (!r->half.narrow)
        return;
    r->half.narrow(block, row, n, none);
    r->half.widen(row, block, n, none);
}

static void add_bias(const additive_job *j, float *row, const char *bias, size_t keys)
{
    float block[CPU_HALF_BLOCK];
    for (size_t i = 0; i < keys; i += CPU_HALF_BLOCK) {
        size_t m = keys - i < CPU_HALF_BLOCK ? keys - i : CPU_HALF_BLOCK;
        widen(j->r, block, 1, bias + i * j->bias.step[ADDITIVE_D] * j->r->bytes,
              j->bias.step[ADDITIVE_D], m);
        for (size_t k = 0; k < m; k++)
            row[i + k] += block[k];
        round_sums(j->r, row + i, m);
    }
}

static void apply_masks(const additive_job *j, float *row, const size_t at[2], size_t query,
                        size_t keys)
{
    const additive_cover *b = &j->bias, *m = &j->mask;
    size_t bias_at =
        at[0] * b->step[ADDITIVE_B] + at[1] * b->step[ADDITIVE_H] + query * b->step[ADDITIVE_S];
    size_t mask_at =
        at[0] * m->step[ADDITIVE_B] + at[1] * m->step[ADDITIVE_H] + query * m->step[ADDITIVE_S];
    const char *bias = b->data ? b->data + bias_at * j->r->bytes : NULL;
    const uint8_t *mask = m->data ? (const uint8_t *)m->data + mask_at : NULL;
    if (bias && !j->r->late)
        add_bias(j, row, bias, keys);
    for (size_t i = 0; i < keys && mask; i++)
        row[i] = mask[i * m->step[ADDITIVE_D]] ? row[i] : j->r->fill;
    if (bias && j->r->late)
        add_bias(j, row, bias, keys);
}

static void store(const additive_rules *r, char *to, const float *from, size_t n)
{
    static const float none[2];
    if (r->half.narrow)
        r->half.narrow(to, from, n, none);
    else
        memcpy(to, from, n * sizeof(*from));
}

static void weigh_row(const additive_job *j, float *row, const size_t at[2], size_t query)
{
    size_t keys = j->o[ADDITIVE_K].dims[ADDITIVE_S], queries = j->o[ADDITIVE_Q].dims[ADDITIVE_S];
    apply_masks(j, row, at, query, keys);
    j->r->lanes->softmax(row, row, keys);
    for (size_t i = 0; i < keys && j->r->guard; i++)
        row[i] = isnan(row[i]) ? 0.0f : row[i];
    size_t entry = (at[0] * j->o[ADDITIVE_Q].dims[ADDITIVE_H] + at[1]) * queries + query;
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

static void multiply_floats(const additive_job *j, share *s, const size_t at[2], size_t first)
{
    s->values = (const float *)(const void *)find(j, &j->o[ADDITIVE_V], at, 0);
    s->y = (float *)(void *)find(j, &j->y, at, first);
    s->n = s->keys;
    s->v_row = j->o[ADDITIVE_V].step[ADDITIVE_S];
    s->y_row = j->y.step[ADDITIVE_S];
    multiply(j->r->lanes, s);
}

/* Values are widened tile by tile. */
static void multiply_halves(const additive_job *j, additive_bench *x, share *s, const size_t at[2],
                            size_t first)
{
    const additive_operand *v = &j->o[ADDITIVE_V];
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

void additive_run_piece(const additive_job *j, additive_bench *x, size_t piece)
{
    size_t heads = j->o[ADDITIVE_Q].dims[ADDITIVE_H], queries = j->o[ADDITIVE_Q].dims[ADDITIVE_S],
           keys = j->o[ADDITIVE_K].dims[ADDITIVE_S];
    size_t entry = piece / j->blocks, first = piece % j->blocks * ADDITIVE_ROWS;
    size_t rows = queries - first < ADDITIVE_ROWS ? queries - first : ADDITIVE_ROWS;
    const size_t at[2] = {entry / heads, entry % heads};
    if (j->cuts > 1) {
        x->scores = j->all + piece * queries * keys;
    } else {
        load_weights(j, x, at[1]);
        score(j, x, at, first, rows);
    }
    for (size_t i = 0; i < rows && keys; i++)
        weigh_row(j, x->scores + i * keys, at, first + i);
    share s = {.weights = x->scores,
               .rows = rows,
               .keys = keys,
               .width = j->o[ADDITIVE_V].dims[ADDITIVE_D]};
    if (j->r->half.widen)
        multiply_halves(j, x, &s, at, first);
    else
        multiply_floats(j, &s, at, first);
}

void additive_run_cut(const additive_job *j, additive_bench *x, size_t number)
{
    size_t heads = j->o[ADDITIVE_Q].dims[ADDITIVE_H], queries = j->o[ADDITIVE_Q].dims[ADDITIVE_S],
           keys = j->o[ADDITIVE_K].dims[ADDITIVE_S];
    size_t piece = number / j->cuts, cut = number % j->cuts;
    const size_t at[2] = {piece / heads, piece % heads};
    x->scores = j->all + piece * queries * keys;
    load_weights(j, x, at[1]);
    load(j, x->q, 0, false, &j->o[ADDITIVE_Q], 0, at, queries);
    score_few(j, x, at, queries, keys * cut / j->cuts, keys * (cut + 1) / j->cuts);
}
