/* word_conv.c - WordConvEmbedding of com.microsoft: vectors of words from those of their
 * characters, by a convolution along each word, Tanh, and the largest of every filter (Kim et al.
 * 2016). */
#include <math.h>

#include "ops/loops.h"

enum { WORDS, WEIGHT, BIAS, CHARS };

static heed_status infer_words(op_infer *c)
{
    int32_t rank = infer_rank(c, WORDS);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 1)
        return infer_error(c, "words of characters", "rank %d", rank);
    if (infer_rank(c, WEIGHT) >= 0 && infer_rank(c, WEIGHT) != 4)
        return infer_error(c, "weights [filters, 1, window, size]", "rank %d",
                           infer_rank(c, WEIGHT));
    if (infer_rank(c, CHARS) >= 0 && infer_rank(c, CHARS) != 2)
        return infer_error(c, "vectors [characters, size]", "rank %d", infer_rank(c, CHARS));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[WORDS]->dims[i];
    dims[rank - 1] = infer_dim(c, WEIGHT, 0);
    return infer_set(c, 0, 0, rank, dims);
}

typedef struct words {
    int64_t length, filters, window, size, n_chars;
    const double *weight, *bias, *chars;
    double *out;
} words;

/* Character 0 fills up; the convolution sees at least one window of a word. */
static int64_t word_length(const words *w, const int64_t *word)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->length && word[0] > 0; i++)
        n += word[i] > 0;
    return n > 0 && n < w->window ? w->window : n;
}

static double at_window(const words *w, const int64_t *word, int64_t filter)
{
    const double *weight = w->weight + filter * w->window * w->size;
    double sum = w->bias[filter];
    for (int64_t i = 0; i < w->window; i++)
        for (int64_t k = 0; k < w->size; k++)
            sum += weight[i * w->size + k] * w->chars[word[i] * w->size + k];
    return tanh(sum);
}

static void embed(const words *w, const int64_t *word)
{
    int64_t n = word_length(w, word);
    for (int64_t f = 0; f < w->filters; f++) {
        w->out[f] = n > 0 ? -1 : 0;
        for (int64_t i = 0; i + w->window <= n; i++)
            w->out[f] = fmax(w->out[f], at_window(w, word + i, f));
    }
}

static const double *read_all(op_call *c, uint32_t i)
{
    double *values = call_scratch(c, (size_t)tensor_count(c->in[i]) * sizeof(*values) + 1);
    if (values)
        loop_load(c->in[i], CLASS_F64, 0, tensor_count(c->in[i]), values);
    return values;
}

static heed_status check_words(op_call *c, const words *w, const int64_t *ids, int64_t n)
{
    if (c->in[WEIGHT]->dims[1] != 1 || w->size != c->in[CHARS]->dims[1] ||
        tensor_count(c->in[BIAS]) != w->filters || w->window > w->length || w->window < 1)
        return call_error(c, HEED_INVALID, "%s of weights, vectors and words that do not fit",
                          c->node->op->name);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= w->n_chars)
            return call_error(c, HEED_INVALID, "character %lld of %lld", (long long)ids[i],
                              (long long)w->n_chars);
    return HEED_OK;
}

static heed_status run_words(op_call *c)
{
    const heed_tensor *in = c->in[WORDS];
    const int64_t *dims = c->in[WEIGHT]->dims, *ids = call_ints(c, WORDS);
    words w = {.length = in->dims[tensor_rank(in) - 1],
               .filters = dims[0],
               .window = dims[2],
               .size = dims[3],
               .n_chars = c->in[CHARS]->dims[0]};
    int64_t n = tensor_count(in);
    if (!ids)
        return HEED_NOMEM;
    TRY(check_words(c, &w, ids, n));
    w.weight = read_all(c, WEIGHT);
    w.bias = read_all(c, BIAS);
    w.chars = read_all(c, CHARS);
    w.out = call_scratch(c, (size_t)w.filters * sizeof(*w.out) + 1);
    if (!w.weight || !w.bias || !w.chars || !w.out)
        return HEED_NOMEM;
    for (int64_t i = 0; i * w.length < n; i++) {
        embed(&w, ids + i * w.length);
        loop_store(c->out[0], CLASS_F64, i * w.filters, w.filters, w.out);
    }
    return HEED_OK;
}

// clang-format off
static const op_def word_conv = {
    .domain = "com.microsoft", .name = "WordConvEmbedding", .since = 1,
    .signature = "Sequence:I, W:T, B:T, C:T -> Y:T", .types = "T=float I=int32",
    .attrs = "char_embedding_size:int conv_window_size:int embedding_size:int",
    .infer = infer_words, .run = run_words};
// clang-format on

const op_def *const ops_word_conv[] = {&word_conv, NULL};
