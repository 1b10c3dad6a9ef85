/* Steps of sequences through heed.PagedAttention: random keys and values of whole sequences, pages
 * that are dealt out at random, and steps that take the next tokens of some of them. What a step
 * gives is kept by token, so that two ways of cutting the same sequences into steps can be
 * compared; and the meaning in double precision is written out once more, from what lies in the
 * pages. */
#ifndef CPU_TEST_PAGED_CASE_H
#define CPU_TEST_PAGED_CASE_H

#include "attention_case.h"

enum {
    KEY_PAGES = 3,
    VALUE_PAGES,
    STARTS,
    PAST,
    TABLE,
    SINKS_AT,
    KEY_SCALES,
    VALUE_SCALES,
    BIAS_AT
};
enum { MOST = 6 }; /* sequences */

/* What does not depend on the way it is cut. */
typedef struct paged_world {
    int64_t n, length[MOST], group, kv_heads, d, dv;
    heed_dtype type, pages; /* of tokens, of pages */
    double scale, cap;
    int64_t left, bias;                 /* bias: numbers of a row, 0: none */
    int by_key, sinks, alike;           /* alike: all heads have one row of the bias */
    float *q[MOST], *k[MOST], *v[MOST]; /* [length][heads][d] */
    float *bias_rows, *sink;
} paged_world;

/* One way: pages and what came out. */
typedef struct paged_way {
    int64_t page, n_pages, most;
    int64_t *table; /* [n][most] */
    int64_t done[MOST];
    float *y[MOST]; /* [length][heads][dv] */
    DLTensor *pages[2], *scales[2];
} paged_way;

static inline float *any_floats(size_t n, float size)
{
    float *x = malloc((n + 1) * sizeof(*x));
    for (size_t i = 0; i < n; i++)
        x[i] = any_float() * size;
    return x;
}

static inline void make_world(paged_world *w)
{
    int64_t heads = w->group * w->kv_heads;
    for (int64_t b = 0; b < w->n; b++) {
        w->q[b] = any_floats((size_t)(w->length[b] * heads * w->d), 1);
        w->k[b] = any_floats((size_t)(w->length[b] * w->kv_heads * w->d), 1);
        w->v[b] = any_floats((size_t)(w->length[b] * w->kv_heads * w->dv), 1);
    }
    w->bias_rows = any_floats((size_t)(heads * w->bias), 2);
    w->sink = any_floats((size_t)heads, 1);
}

static inline void free_world(paged_world *w)
{
    for (int64_t b = 0; b < w->n; b++)
        free(w->q[b]), free(w->k[b]), free(w->v[b]);
    free(w->bias_rows), free(w->sink);
}

/* Pages in a random order, more than there are places; all bytes of them are 0xff: NaNs. */
static inline void start_way(const paged_world *w, paged_way *x, int64_t page)
{
    int64_t longest = 1, next = 0;
    memset(x, 0, sizeof(*x));
    x->page = page;
    for (int64_t b = 0; b < w->n; b++)
        longest = w->length[b] > longest ? w->length[b] : longest;
    x->most = (longest + page - 1) / page;
    x->n_pages = w->n * x->most + 2;
    int64_t *order = malloc((size_t)x->n_pages * sizeof(*order));
    for (int64_t i = 0; i < x->n_pages; i++)
        order[i] = i;
    for (int64_t i = x->n_pages - 1; i > 0; i--) {
        int64_t j = any((uint32_t)i + 1), kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
    x->table = malloc((size_t)(w->n * x->most) * sizeof(*x->table));
    for (int64_t i = 0; i < w->n * x->most; i++)
        x->table[i] = i % x->most * page < w->length[i / x->most] ? order[next++] : -1;
    free(order);
    for (int i = 0; i < 2; i++) {
        int64_t dims[] = {x->n_pages, w->kv_heads, page, i ? w->dv : w->d};
        x->pages[i] = tensor(w->pages, 4, dims);
        memset(mini_data(x->pages[i]), 0xff, mini_bytes(x->pages[i]));
        x->scales[i] = w->pages == HEED_INT8 ? tensor(HEED_FLOAT32, 3, dims) : NULL;
        if (x->scales[i])
            memset(mini_data(x->scales[i]), 0xff, mini_bytes(x->scales[i]));
    }
    for (int64_t b = 0; b < w->n; b++)
        x->y[b] = any_floats((size_t)(w->length[b] * w->group * w->kv_heads * w->dv), 0);
}

static inline void free_way(const paged_world *w, paged_way *x)
{
    for (int i = 0; i < 2; i++)
        assert_true(mini_free(x->pages[i]) && mini_free(x->scales[i]));
    for (int64_t b = 0; b < w->n; b++)
        free(x->y[b]);
    free(x->table);
}

/* ---- A step --------------------------------------------------------------------------------- */

/* [1, heads, T, d] in a random layout. */
static inline DLTensor *step_operand(mini_node *node, const char *name, char layout[5],
                                     heed_dtype type, int64_t heads, int64_t tokens, int64_t d)
{
    static const char *const layouts[] = {"bhsd", "bshd", "hbds", "sbhd", "bhds", "dshb"};
    int64_t dims[4] = {1, heads, tokens, d}, shape[4];
    strcpy(layout, layouts[chance(2) ? any(2) : any(6)]);
    for (int a = 0; a < 4; a++)
        shape[a] = dims[strchr(letters, layout[a]) - letters];
    mini_string(node, name, layout);
    return tensor(type, 4, shape);
}

static inline void fill_operand(const paged_world *w, const DLTensor *t, const char *layout,
                                const paged_way *x, const int64_t *fresh, float *const *from,
                                int64_t heads, int64_t d)
{
    int64_t s = 0;
    for (int64_t b = 0; b < w->n; b++)
        for (int64_t i = 0; i < fresh[b]; i++, s++)
            for (int64_t h = 0; h < heads; h++)
                for (int64_t c = 0; c < d; c++)
                    put(t, w->type, place(t, layout, (int64_t[]){0, h, s, c}),
                        from[b][((x->done[b] + i) * heads + h) * d + c]);
}

static inline DLTensor *step_integers(int rank, const int64_t *dims, const int64_t *values)
{
    DLTensor *t = tensor(chance(2) ? HEED_INT32 : HEED_INT64, rank, dims);
    for (size_t i = 0; i < mini_count(t); i++)
        if (t->dtype.bits == 32)
            ((int32_t *)mini_data(t))[i] = (int32_t)values[i];
        else
            ((int64_t *)mini_data(t))[i] = values[i];
    return t;
}

static inline void step_extras(const paged_world *w, mini_node *node)
{
    int64_t heads = w->group * w->kv_heads;
    mini_float(node, "scale", w->scale), mini_float(node, "softcap", w->cap);
    mini_int(node, "left_window", w->left);
    mini_string(node, "bias_by", w->by_key ? "key" : "distance");
    if (w->sinks) {
        node->in[SINKS_AT] = tensor(w->type, 1, &heads);
        for (int64_t h = 0; h < heads; h++)
            put(node->in[SINKS_AT], w->type, (size_t)h, w->sink[h]);
    }
    if (w->bias) {
        node->in[BIAS_AT] = tensor(HEED_FLOAT32, 2, (int64_t[]){w->alike ? 1 : heads, w->bias});
        memcpy(mini_data(node->in[BIAS_AT]), w->bias_rows, mini_bytes(node->in[BIAS_AT]));
    }
}

static inline void step_places(const paged_world *w, const paged_way *x, const int64_t *fresh,
                               mini_node *node)
{
    int64_t starts[MOST + 1] = {0}, n = w->n, more = n + 1;
    for (int64_t b = 0; b < n; b++)
        starts[b + 1] = starts[b] + fresh[b];
    node->in[STARTS] = step_integers(1, &more, starts);
    node->in[PAST] = step_integers(1, &n, x->done);
    node->in[TABLE] = step_integers(2, (int64_t[]){n, x->most}, x->table);
}

/* The next fresh[b] tokens of each sequence. */
static inline void take_step(const paged_world *w, paged_way *x, const int64_t *fresh)
{
    mini_node node = {.op = "PagedAttention", .n_in = 12, .n_out = 5};
    int64_t tokens = 0, heads = w->group * w->kv_heads, s = 0;
    char l[4][5];
    for (int64_t b = 0; b < w->n; b++)
        tokens += fresh[b];
    node.in[Q] = step_operand(&node, "q_layout", l[0], w->type, heads, tokens, w->d);
    node.in[K] = step_operand(&node, "k_layout", l[1], w->type, w->kv_heads, tokens, w->d);
    node.in[V] = step_operand(&node, "v_layout", l[2], w->type, w->kv_heads, tokens, w->dv);
    node.out[0] = step_operand(&node, "y_layout", l[3], w->type, heads, tokens, w->dv);
    fill_operand(w, node.in[Q], l[0], x, fresh, w->q, heads, w->d);
    fill_operand(w, node.in[K], l[1], x, fresh, w->k, w->kv_heads, w->d);
    fill_operand(w, node.in[V], l[2], x, fresh, w->v, w->kv_heads, w->dv);
    step_places(w, x, fresh, &node);
    step_extras(w, &node);
    for (int i = 0; i < 2; i++) {
        node.in[KEY_PAGES + i] = node.out[1 + i] = x->pages[i];
        node.in[KEY_SCALES + i] = node.out[3 + i] = x->scales[i];
    }
    run_node(&node);
    for (int64_t b = 0; b < w->n; x->done[b] += fresh[b], b++)
        for (int64_t i = 0; i < fresh[b]; i++, s++)
            for (int64_t h = 0; h < heads; h++)
                for (int64_t c = 0; c < w->dv; c++)
                    x->y[b][((x->done[b] + i) * heads + h) * w->dv + c] = get(
                        node.out[0], w->type, place(node.out[0], l[3], (int64_t[]){0, h, s, c}));
    for (int i = 0; i < 12; i++)
        if (i != KEY_PAGES && i != VALUE_PAGES && i != KEY_SCALES && i != VALUE_SCALES)
            assert_true(mini_free(node.in[i]));
    assert_true(mini_free(node.out[0]));
    assert_int_equal(mini_live_bytes(), 0);
}

/* Random steps until all is done; at most `most` tokens of a sequence in one. */
static inline void take_steps(const paged_world *w, paged_way *x, int64_t most)
{
    for (int64_t open = 1; open;) {
        int64_t fresh[MOST] = {0};
        open = 0;
        for (int64_t b = 0; b < w->n; b++) {
            int64_t left = w->length[b] - x->done[b], n = left < most ? left : most;
            fresh[b] = n && !chance(4) ? 1 + any((uint32_t)n) : 0;
            open += left;
        }
        if (open)
            take_step(w, x, fresh);
    }
}

/* ---- The meaning ---------------------------------------------------------------------------- */

/* Channel c of a key or value as the pages have it. */
static inline double cached(const paged_world *w, const paged_way *x, int i, int64_t b, int64_t key,
                            int64_t h, int64_t c)
{
    int64_t page = x->table[b * x->most + key / x->page];
    int64_t row = (page * w->kv_heads + h) * x->page + key % x->page;
    size_t at = (size_t)(row * (i ? w->dv : w->d) + c);
    if (w->pages == HEED_INT8)
        return (double)((const int8_t *)mini_data(x->pages[i]))[at] *
               (double)((const float *)mini_data(x->scales[i]))[row];
    return (double)get(x->pages[i], w->pages, at);
}

/* Keys and values in pages are those of the sequence, rounded. */
static inline void check_cache(const paged_world *w, const paged_way *x)
{
    for (int i = 0; i < 2; i++)
        for (int64_t b = 0; b < w->n; b++)
            for (int64_t r = 0; r < x->done[b] * w->kv_heads; r++) {
                int64_t d = i ? w->dv : w->d;
                const float *row = (i ? w->v[b] : w->k[b]) + r * d;
                double most = 0;
                for (int64_t c = 0; c < d; c++)
                    most = fmax(most, fabs(rounded(w->type, (double)row[c])));
                for (int64_t c = 0; c < d; c++) {
                    double want = rounded(w->type, (double)row[c]);
                    double got = cached(w, x, i, b, r / w->kv_heads, r % w->kv_heads, c);
                    want = w->pages == HEED_INT8 ? want : rounded(w->pages, want);
                    if (fabs(got - want) > (w->pages == HEED_INT8 ? most / 250 : 0))
                        fail_msg("%s of token %d is %g, not %g", i ? "value" : "key",
                                 (int)(r / w->kv_heads), got, want);
                }
            }
}

static inline double paged_score(const paged_world *w, const paged_way *x, int64_t b, int64_t h,
                                 int64_t i, int64_t j)
{
    int64_t heads = w->group * w->kv_heads, at = w->by_key ? j : j - i + w->bias - 1;
    double sum = 0, scale = w->scale != 0 ? w->scale : 1 / sqrt((double)w->d);
    for (int64_t c = 0; c < w->d; c++)
        sum += rounded(w->type, (double)w->q[b][(i * heads + h) * w->d + c]) *
               cached(w, x, 0, b, j, h / w->group, c);
    sum *= (double)(float)scale;
    sum = w->cap > 0 ? w->cap * tanh(sum / w->cap) : sum;
    at = at < 0 ? 0 : at >= w->bias ? w->bias - 1 : at;
    return w->bias ? sum + (double)w->bias_rows[(w->alike ? 0 : h) * w->bias + at] : sum;
}

static inline void check_paged_row(const paged_world *w, const paged_way *x, int64_t b, int64_t h,
                                   int64_t i, double *p)
{
    int64_t first = w->left >= 0 && i > w->left ? i - w->left : 0;
    double sink = rounded(w->type, (double)w->sink[h]);
    double slack = w->type == HEED_FLOAT16 ? 4e-3 : w->type == HEED_BFLOAT16 ? 2e-2 : 2e-5;
    for (int64_t j = first; j <= i; j++)
        p[j - first] = paged_score(w, x, b, h, i, j);
    softmax(p, i + 1 - first, w->sinks ? &sink : NULL);
    for (int64_t c = 0; c < w->dv; c++) {
        double want = 0;
        for (int64_t j = first; j <= i; j++)
            want += p[j - first] * cached(w, x, 1, b, j, h / w->group, c);
        double got = (double)x->y[b][(i * w->group * w->kv_heads + h) * w->dv + c];
        if (!close_to(got, want, slack, slack))
            fail_msg("g %d, kv %d, d %d, dv %d, page %d, types %d %d, window %d, cap %g, sinks %d, "
                     "bias %d: sequence %d, token %d, head %d, channel %d is %.9g, not %.9g",
                     (int)w->group, (int)w->kv_heads, (int)w->d, (int)w->dv, (int)x->page,
                     (int)w->type, (int)w->pages, (int)w->left, w->cap, w->sinks, (int)w->bias,
                     (int)b, (int)i, (int)h, (int)c, got, want);
    }
}

static inline void check_way(const paged_world *w, const paged_way *x)
{
    double *p = malloc(4096 * sizeof(*p));
    for (int64_t b = 0; b < w->n; b++)
        for (int64_t i = 0; i < x->done[b]; i++)
            for (int64_t h = 0; h < w->group * w->kv_heads; h++)
                check_paged_row(w, x, b, h, i, p);
    free(p);
}

/* The same bits for every token. */
static inline void check_same(const paged_world *w, const paged_way *x, const paged_way *y)
{
    size_t row = (size_t)(w->group * w->kv_heads * w->dv);
    for (int64_t b = 0; b < w->n; b++)
        for (int64_t i = 0; i < w->length[b]; i++)
            for (size_t c = (size_t)i * row; c < ((size_t)i + 1) * row; c++)
                if (memcmp(x->y[b] + c, y->y[b] + c, sizeof(float)) != 0 &&
                    !(isnan(x->y[b][c]) && isnan(y->y[b][c])))
                    fail_msg("g %d, kv %d, d %d, dv %d, pages %d of %d and %d: sequence %d, token "
                             "%d, number %d is %.9g or %.9g",
                             (int)w->group, (int)w->kv_heads, (int)w->d, (int)w->dv, (int)w->pages,
                             (int)x->page, (int)y->page, (int)b, (int)i, (int)(c % row),
                             (double)x->y[b][c], (double)y->y[b][c]);
}

#endif
