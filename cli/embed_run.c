/* embed_run.c - texts to tokens, batches of texts to vectors.
 *
 * Texts of several lengths run as one batch where the model has a mask for what is padded, and only
 * those of equal length otherwise; shortest first, so that little is padded. */
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "interrupt.h"
#include "print.h"

/* ---- Tokens ---- */

/* All tokens of a text. NULL after a message. */
static int32_t *encode(const embed_job *job, const prompt *p, uint32_t flags, size_t *n)
{
    size_t room = p->bytes + 16;
    int32_t *tokens = NULL;
    for (;;) {
        tokens = cli_grow(tokens, room, sizeof *tokens);
        if (heed_tokenizer_encode(job->tokenizer, p->text, p->bytes, flags, tokens, room, n)) {
            free(tokens);
            return NULL;
        }
        if (*n <= room)
            return tokens;
        room = *n;
    }
}

/* Where the text's own tokens begin between those that stand around it ([CLS], [SEP]). */
static size_t find_inner(const prompt *p, const int32_t *inner, size_t n)
{
    for (size_t at = 0; at + n <= p->n_tokens; at++)
        if (!memcmp(p->tokens + at, inner, n * sizeof *inner))
            return at;
    return 0;
}

/* Cuts the text's own tokens; those around it stay. */
static void cut(const embed_job *job, prompt *p, size_t limit)
{
    size_t n = 0, before = 0, after = 0;
    int32_t *inner = p->text ? encode(job, p, HEED_TOKENIZE_PLAIN, &n) : NULL;
    if (inner && n <= p->n_tokens) {
        before = find_inner(p, inner, n);
        after = p->n_tokens - n - before;
    }
    free(inner);
    if (before + after < limit)
        memmove(p->tokens + limit - after, p->tokens + p->n_tokens - after,
                after * sizeof *p->tokens);
    p->n_tokens = limit;
}

static size_t limit_of(const embed_job *job)
{
    heed_tokenizer_info info = {.size = sizeof info, .positions = -1};
    size_t limit = job->config.limit;
    if (job->tokenizer)
        heed_tokenizer_get_info(job->tokenizer, &info);
    if (!limit && info.positions > 0)
        limit = (size_t)info.positions;
    if (job->inputs.length > 0 && (!limit || (size_t)job->inputs.length < limit))
        limit = (size_t)job->inputs.length;
    return limit;
}

static int tokenize(embed_job *job)
{
    char excerpt[48];
    size_t limit = limit_of(job);
    for (size_t i = 0; i < job->texts.n; i++) {
        prompt *p = &job->texts.items[i];
        if (p->text && !(p->tokens = encode(job, p, 0, &p->n_tokens))) {
            bool invalid = heed_error_get()->status == HEED_INVALID;
            char *subject =
                cli_format("text %zu, '%s'", i + 1, prompts_excerpt(p, excerpt, sizeof excerpt));
            int code = exit_error(subject);
            free(subject);
            return invalid ? EXIT_USAGE : code;
        }
        if (!p->n_tokens)
            return exit_with(EXIT_USAGE, "text %zu is empty: it has no tokens", i + 1);
        if (limit && p->n_tokens > limit) {
            note("text %zu, '%s', has %zu tokens: it is cut to %zu", i + 1,
                 prompts_excerpt(p, excerpt, sizeof excerpt), p->n_tokens, limit);
            cut(job, p, limit);
        }
    }
    return EXIT_OK;
}

/* ---- Vectors ---- */

static const heed_value_info *find_output(const heed_model *model, int32_t ndim, const char *part)
{
    for (size_t i = 0; i < heed_model_get_output_count(model); i++) {
        const heed_value_info *info = heed_model_get_output(model, i);
        if (info->kind == HEED_TENSOR && info->ndim == ndim &&
            (!part || strcasestr(info->name, part)))
            return info;
    }
    return NULL;
}

/* The output that --from names; one that is called an embedding of the text; token vectors. */
static int choose_output(embed_job *job)
{
    const char *from = args_get(job->args, "from");
    for (size_t i = 0; from && i < heed_model_get_output_count(job->model); i++)
        if (!strcmp(heed_model_get_output(job->model, i)->name, from))
            job->output = heed_model_get_output(job->model, i);
    if (from && !job->output)
        return exit_with(EXIT_USAGE, "--from: the model has no output '%s'", from);
    if (!job->output && !args_get(job->args, "pool"))
        job->output = find_output(job->model, 2, "embed");
    static const int32_t ranks[] = {3, -1, 2};
    for (size_t i = 0; i < 3 && !job->output; i++)
        job->output = find_output(job->model, ranks[i], NULL);
    if (!job->output)
        return exit_with(EXIT_MODEL,
                         "%s: no output is [texts, tokens, channels] or [texts, "
                         "channels]",
                         job->path);
    return EXIT_OK;
}

static void choose_pooling(embed_job *job, int32_t ndim)
{
    const cli_args *args = job->args;
    bool as_it_is = ndim == 2;
    if (as_it_is)
        job->pooling = NULL;
    job->normalize = !as_it_is && job->config.normalize != 0 && !embed_keeps_tokens(job->pooling);
    if (args_get(args, "normalize"))
        job->normalize = args_is_on(args, "normalize");
    if (args_is_on(args, "no-normalize"))
        job->normalize = false;
}

/* Row i of the output, [tokens, channels] or [channels], becomes the vectors of a text. */
static heed_status read_row(embed_job *job, const heed_tensor *out, size_t i, const prompt *p)
{
    const int64_t *dims = heed_tensor_get_dims(out);
    bool tokens = heed_tensor_get_ndim(out) == 3;
    size_t n = tokens ? p->n_tokens : 1, channels = job->channels;
    size_t stride = (tokens ? (size_t)dims[1] : 1) * channels;
    if (tokens && (size_t)dims[1] < n)
        n = (size_t)dims[1];
    double *rows = cli_alloc(n * channels, sizeof *rows);
    heed_status status =
        heed_tensor_read_f64(out, (int64_t)(i * stride), (int64_t)(n * channels), rows);
    embed_vectors *v = &job->vectors[p - job->texts.items];
    *v = (embed_vectors){rows, n};
    if (!status && tokens && !embed_keeps_tokens(job->pooling)) {
        *v = (embed_vectors){cli_alloc(channels, sizeof *rows), 1};
        embed_pool(job->pooling, rows, n, channels, v->values);
        free(rows);
    }
    for (size_t r = 0; r < v->rows && job->normalize; r++)
        embed_normalize(v->values + r * channels, channels);
    return status;
}

static int read_output(embed_job *job, const heed_tensor *out, const prompt *const *texts, size_t n)
{
    char shape[PRINT_SIZE];
    int32_t ndim = heed_tensor_get_ndim(out);
    const int64_t *dims = heed_tensor_get_dims(out);
    print_dims(shape, ndim, dims);
    if ((ndim != 2 && ndim != 3) || dims[0] < (int64_t)n)
        return exit_with(EXIT_MODEL,
                         "output %s is %s: neither [texts, tokens, channels] nor [texts, "
                         "channels]",
                         job->output->name, shape);
    job->channels = (size_t)dims[ndim - 1];
    choose_pooling(job, ndim);
    for (size_t i = 0; i < n; i++)
        if (read_row(job, out, i, texts[i]))
            return exit_error(job->output->name);
    return EXIT_OK;
}

/* ---- Batches ---- */

static int run_batch(embed_job *job, const prompt *const *texts, size_t n, heed_cancel *cancel)
{
    heed_run_options options = {.size = sizeof options, .cancel = cancel};
    const char **names = cli_alloc(job->inputs.n, sizeof *names);
    heed_tensor **tensors = cli_alloc(job->inputs.n, sizeof *tensors), *out = NULL;
    size_t given = 0;
    int64_t rows = job->inputs.batch > 0 ? job->inputs.batch : (int64_t)n;
    int64_t length = job->inputs.length > 0 ? job->inputs.length : (int64_t)texts[n - 1]->n_tokens;
    heed_status status =
        embed_inputs_make(&job->inputs, texts, n, rows, length, job->pad, names, tensors, &given);
    if (!status)
        status = heed_session_run(job->session, &options, given, names, tensors, 1,
                                  &job->output->name, &out);
    int code = status ? exit_error(job->path) : read_output(job, out, texts, n);
    for (size_t i = 0; i < given; i++)
        heed_tensor_free(tensors[i]);
    heed_tensor_free(out);
    free(tensors);
    free(names);
    return code;
}

static int by_length(const void *a, const void *b)
{
    const prompt *x = *(const prompt *const *)a, *y = *(const prompt *const *)b;
    if (x->n_tokens != y->n_tokens)
        return x->n_tokens < y->n_tokens ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* How many of the n texts can run together. */
static size_t group_size(const embed_job *job, const prompt *const *texts, size_t n)
{
    size_t most = job->inputs.batch > 0 ? (size_t)job->inputs.batch : job->batch, size = 1;
    while (size < n && size < most &&
           (job->inputs.pads || texts[size]->n_tokens == texts[0]->n_tokens))
        size++;
    return size;
}

static int run_all(embed_job *job)
{
    size_t n = job->texts.n;
    const prompt **order = cli_alloc(n, sizeof *order);
    heed_cancel *cancel = interrupt_catch();
    int code = EXIT_OK;
    for (size_t i = 0; i < n; i++)
        order[i] = &job->texts.items[i];
    qsort(order, n, sizeof *order, by_length);
    for (size_t i = 0, size; i < n && !code; i += size) {
        size = group_size(job, order + i, n - i);
        code = run_batch(job, order + i, size, cancel);
    }
    interrupt_release();
    free(order);
    return code;
}

/* A fixed length needs a mask for what a text leaves of it. */
static int check_lengths(const embed_job *job)
{
    for (size_t i = 0; i < job->texts.n; i++)
        if (job->inputs.length > 0 && !job->inputs.pads &&
            (size_t)job->inputs.length != job->texts.items[i].n_tokens)
            return exit_with(EXIT_USAGE,
                             "text %zu has %zu tokens: the model takes %lld, and has no "
                             "mask",
                             i + 1, job->texts.items[i].n_tokens, (long long)job->inputs.length);
    return EXIT_OK;
}

int embed_run(embed_job *job)
{
    heed_tokenizer_info info = {.size = sizeof info, .pad = 0};
    if (job->tokenizer)
        heed_tokenizer_get_info(job->tokenizer, &info);
    job->pad = info.pad > 0 ? info.pad : 0;
    job->vectors = cli_alloc(job->texts.n, sizeof *job->vectors);
    int code = embed_inputs_find(job->args, job->model, &job->inputs);
    if (!code)
        code = choose_output(job);
    if (!code)
        code = tokenize(job);
    if (!code)
        code = check_lengths(job);
    uint64_t start = print_now();
    if (!code)
        code = run_all(job);
    job->ns = print_now() - start;
    return code;
}
