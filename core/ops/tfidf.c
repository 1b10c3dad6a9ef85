/* tfidf.c - TfIdfVectorizer: how often each n-gram of a pool occurs in a row of tokens.
 *
 * Tokens become numbers: int64s are theirs already, words get that of their first place in the
 * pool. An n-gram is then a run of int64s, and is found by its bytes. */
#include <string.h>

#include "base/map.h"
#include "ops/loops.h"
#include "ops/strings.h"

typedef struct vectorizer {
    op_call *call;
    int64_t shortest, longest, skips;
    int64_t n_pool, n_starts, n_indices;
    const int64_t *pool, *starts, *indices; /* starts[n - 1]: of the n-grams */
    const heed_string *words;               /* of the pool, or NULL */
    map numbers;                            /* word -> its number + 1 */
    map grams;                              /* n-gram -> its output + 1 */
} vectorizer;

/* ---- Attributes ----------------------------------------------------------------------------- */

static heed_status count_outputs(const ir_node *n, int64_t *count)
{
    uint64_t n_indices = 0;
    const int64_t *indices = ir_attr_ints(n, "ngram_indexes", &n_indices);
    *count = 0;
    for (uint64_t i = 0; indices && i < n_indices; i++) {
        if (indices[i] < 0 || indices[i] >= TENSOR_MAX_DIM)
            return err_fail(HEED_INVALID, "an entry of ngram_indexes is %lld",
                            (long long)indices[i]);
        *count = indices[i] >= *count ? indices[i] + 1 : *count;
    }
    return HEED_OK;
}

static heed_status number_words(vectorizer *v)
{
    int64_t *numbers = call_scratch(v->call, (size_t)v->n_pool * sizeof *numbers + 1);
    if (!numbers)
        return HEED_NOMEM;
    for (int64_t i = 0; i < v->n_pool; i++) {
        const char *word = v->words[i].size ? v->words[i].data : "";
        uintptr_t found = (uintptr_t)map_get(&v->numbers, word, v->words[i].size);
        numbers[i] = found ? (int64_t)found - 1 : i;
        if (!found)
            TRY(map_put(&v->numbers, word, v->words[i].size, (void *)(uintptr_t)(i + 1)));
    }
    v->pool = numbers;
    return HEED_OK;
}

static heed_status read_attributes(vectorizer *v)
{
    const ir_node *n = v->call->node;
    uint64_t n_pool = 0, n_starts = 0, n_indices = 0;
    const ir_attr *words = ir_node_attr(n, "pool_strings");
    v->shortest = ir_attr_int(n, "min_gram_length", 1);
    v->longest = ir_attr_int(n, "max_gram_length", 1);
    v->skips = ir_attr_int(n, "max_skip_count", 0);
    v->pool = ir_attr_ints(n, "pool_int64s", &n_pool);
    v->starts = ir_attr_ints(n, "ngram_counts", &n_starts);
    v->indices = ir_attr_ints(n, "ngram_indexes", &n_indices);
    v->words = words && words->view.n ? words->view.strings : NULL;
    v->n_pool = (int64_t)(v->words ? words->view.n : v->pool ? n_pool : 0);
    v->n_starts = v->starts ? (int64_t)n_starts : 0;
    v->n_indices = v->indices ? (int64_t)n_indices : 0;
    if (v->shortest < 1 || v->longest < v->shortest || v->skips < 0)
        return call_error(v->call, HEED_INVALID,
                          "min_gram_length %lld, max_gram_length %lld, max_skip_count %lld",
                          (long long)v->shortest, (long long)v->longest, (long long)v->skips);
    if ((v->words != NULL) != (v->call->in[0]->dtype == HEED_STRING) && v->n_pool)
        return call_error(v->call, HEED_INVALID, "the input is %s, the pool is not",
                          dtype_name(v->call->in[0]->dtype));
    return v->words ? number_words(v) : HEED_OK;
}

/* ---- The pool ------------------------------------------------------------------------------- */

/* The n-grams of one length, which stand in [first, end). */
static heed_status add_length(vectorizer *v, int64_t n, int64_t first, int64_t end, int64_t *gram)
{
    bool wanted = n >= v->shortest && n <= v->longest;
    for (; end - first >= n; first += n, ++*gram) {
        if (*gram >= v->n_indices)
            return call_error(v->call, HEED_INVALID, "ngram_indexes has only %lld entries",
                              (long long)v->n_indices);
        if (wanted)
            TRY(map_put(&v->grams, v->pool + first, (size_t)n * sizeof *v->pool,
                        (void *)(uintptr_t)(v->indices[*gram] + 1)));
    }
    return HEED_OK;
}

static heed_status read_pool(vectorizer *v)
{
    int64_t gram = 0;
    for (int64_t i = 0; i < v->n_starts; i++) {
        int64_t first = v->starts[i], end = i + 1 < v->n_starts ? v->starts[i + 1] : v->n_pool;
        if (first < 0 || end < first || end > v->n_pool)
            return call_error(v->call, HEED_INVALID, "ngram_counts does not cut the pool");
        TRY(add_length(v, i + 1, first, end, &gram));
    }
    return HEED_OK;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* A token that is in no n-gram has the number -1 among words; int64s keep theirs. */
static void read_row(const vectorizer *v, int64_t row, int64_t n, int64_t *tokens)
{
    const heed_tensor *x = v->call->in[0];
    if (x->dtype != HEED_STRING) {
        dtype_load_i64(x->dtype, tensor_data(x), row * n, n, tokens);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        heed_string word = strings_get(x, row * n + i);
        tokens[i] = (int64_t)(uintptr_t)map_get(&v->numbers, word.data, word.size) - 1;
    }
}

/* n-grams whose tokens lie `step` apart. `gram` has room for the longest. */
static void count_grams(const vectorizer *v, int64_t length, int64_t step, const int64_t *tokens,
                        int64_t n, int64_t *gram, double *counts)
{
    int64_t reach; /* from the first token to the last */
    if (__builtin_mul_overflow(length - 1, step, &reach))
        return;
    for (int64_t first = 0; first < n - reach; first++) {
        for (int64_t i = 0; i < length; i++)
            gram[i] = tokens[first + i * step];
        uintptr_t found = (uintptr_t)map_get(&v->grams, gram, (size_t)length * sizeof *gram);
        if (found)
            counts[found - 1]++;
    }
}

/* Single tokens are not skipped between, so they count once. */
static void count_row(const vectorizer *v, const int64_t *tokens, int64_t n, int64_t *gram,
                      double *counts)
{
    int64_t longest = v->longest < v->n_starts ? v->longest : v->n_starts;
    longest = longest < n ? longest : n;
    for (int64_t length = v->shortest; length <= longest; length++) {
        int64_t skips = length == 1 ? 0 : v->skips;
        for (int64_t step = 1; step <= n && step - 1 <= skips; step++)
            count_grams(v, length, step, tokens, n, gram, counts);
    }
}

/* ---- Weights --------------------------------------------------------------------------------- */

typedef enum criterion { TF, IDF, TFIDF, N_CRITERIA } criterion;
static const char *const criteria[N_CRITERIA] = {"TF", "IDF", "TFIDF"};

/* A weight belongs to an n-gram of the pool, as the text and ONNX Runtime have it; the standard's
 * evaluator gives it to an output. */
static void weigh(const vectorizer *v, criterion how, int64_t n, double *counts)
{
    uint64_t n_weights = 0;
    const float *weights = ir_attr_floats(v->call->node, "weights", &n_weights);
    for (int64_t i = 0; how == IDF && i < n; i++)
        counts[i] = counts[i] > 0 ? 1 : 0;
    for (int64_t i = 0; how != TF && weights && i < v->n_indices && i < (int64_t)n_weights; i++)
        counts[v->indices[i]] *= (double)weights[i];
}

static heed_status read_criterion(const op_call *c, criterion *how)
{
    const char *mode = ir_attr_string(c->node, "mode", "TF");
    int k = 0;
    while (k < N_CRITERIA && strcmp(mode, criteria[k]) != 0)
        k++;
    *how = (criterion)k;
    return k < N_CRITERIA ? HEED_OK : call_error(c, HEED_INVALID, "the mode is \"%.40s\"", mode);
}

/* ---- The operator ---------------------------------------------------------------------------- */

static heed_status infer_tfidf(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[2] = {infer_dim(c, 0, 0), 0};
    if (count_outputs(c->node, &dims[1]))
        return ir_node_error(c->node);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank > 2)
        return infer_error(c, "tokens in the shape [C] or [N, C]", "rank %d", rank);
    return rank == 2 ? infer_set(c, 0, 0, 2, dims) : infer_set(c, 0, 0, 1, &dims[1]);
}

static heed_status vectorize(vectorizer *v)
{
    op_call *c = v->call;
    heed_tensor *out = c->out[0];
    criterion how;
    TRY(read_criterion(c, &how));
    TRY(read_attributes(v));
    TRY(read_pool(v));
    int32_t rank = tensor_rank(c->in[0]);
    int64_t rows = rank == 2 ? c->in[0]->dims[0] : 1, columns = out->dims[tensor_rank(out) - 1];
    int64_t n = rank ? c->in[0]->dims[rank - 1] : 1;
    int64_t *tokens = call_scratch(c, (size_t)n * sizeof *tokens + 1);
    int64_t *gram = call_scratch(c, (size_t)n * sizeof *gram + 1);
    double *counts = call_scratch(c, (size_t)columns * sizeof *counts + 1);
    if (!tokens || !gram || !counts)
        return HEED_NOMEM;
    for (int64_t row = 0; row < rows; row++) {
        memset(counts, 0, (size_t)columns * sizeof *counts);
        read_row(v, row, n, tokens);
        count_row(v, tokens, n, gram, counts);
        weigh(v, how, columns, counts);
        loop_store(out, CLASS_F64, row * columns, columns, counts);
    }
    return HEED_OK;
}

static heed_status run_tfidf(op_call *c)
{
    vectorizer v = {.call = c};
    if (!call_out(c, 0))
        return HEED_OK;
    heed_status status = vectorize(&v);
    map_free(&v.numbers);
    map_free(&v.grams);
    return status;
}

// clang-format off
static const op_def tfidf = {
    .domain = "", .name = "TfIdfVectorizer", .since = 9,
    .signature = "X:T -> Y:float32", .types = "T=string|int32|int64",
    .attrs = "max_gram_length:int! max_skip_count:int! min_gram_length:int! mode:string! "
             "ngram_counts:ints! ngram_indexes:ints! pool_int64s:ints pool_strings:strings "
             "weights:floats",
    .infer = infer_tfidf, .run = run_tfidf};
// clang-format on

const op_def *const ops_tfidf[] = {&tfidf, NULL};
