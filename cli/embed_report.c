/* embed_report.c - vectors of texts on stdout, as JSON, or in a file; and how near they are. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "json.h"
#include "npy.h"
#include "print.h"

/* ---- How near two texts are: the cosine of their vectors ---- */

static double product(const embed_job *job, size_t i, size_t k)
{
    double sum = 0;
    for (size_t c = 0; c < job->channels; c++)
        sum += job->vectors[i].values[c] * job->vectors[k].values[c];
    return sum;
}

static double cosine(const embed_job *job, size_t i, size_t k)
{
    double lengths = sqrt(product(job, i, i) * product(job, k, k));
    return lengths > 0 ? product(job, i, k) / lengths : 0;
}

static void print_similarity(const embed_job *job)
{
    char excerpt[32], cell[32];
    print_table table = {0};
    const char **row = cli_alloc(job->texts.n + 1, sizeof *row);
    for (size_t i = 0; i < job->texts.n; i++) {
        row[0] = prompts_excerpt(&job->texts.items[i], excerpt, sizeof excerpt);
        for (size_t k = 0; k < job->texts.n; k++) {
            snprintf(cell, sizeof cell, "%.4f", cosine(job, i, k));
            row[k + 1] = cli_copy(cell);
        }
        table_add(&table, job->texts.n + 1, row);
        for (size_t k = 0; k < job->texts.n; k++)
            free((void *)(uintptr_t)row[k + 1]);
    }
    table_print(stdout, &table, "");
    table_free(&table);
    free(row);
}

/* ---- Vectors ---- */

static void print_vectors(const embed_job *job)
{
    for (size_t i = 0; i < job->texts.n; i++)
        for (size_t r = 0; r < job->vectors[i].rows; r++)
            for (size_t c = 0; c < job->channels; c++)
                printf("%.7g%c", job->vectors[i].values[r * job->channels + c],
                       c + 1 < job->channels ? ' ' : '\n');
}

static void json_vectors(json_out *out, const embed_job *job)
{
    bool keeps = embed_keeps_tokens(job->pooling);
    json_open(out, "vectors", '[');
    for (size_t i = 0; i < job->texts.n; i++) {
        const embed_vectors *v = &job->vectors[i];
        if (keeps)
            json_open(out, NULL, '[');
        for (size_t r = 0; r < v->rows; r++)
            json_reals(out, NULL, v->values + r * job->channels, job->channels);
        if (keeps)
            json_close(out, ']');
    }
    json_close(out, ']');
}

static void json_similarity(json_out *out, const embed_job *job)
{
    json_open(out, "similarity", '[');
    for (size_t i = 0; i < job->texts.n; i++) {
        json_open(out, NULL, '[');
        for (size_t k = 0; k < job->texts.n; k++)
            json_real(out, NULL, cosine(job, i, k));
        json_close(out, ']');
    }
    json_close(out, ']');
}

static void print_json(const embed_job *job, bool similarity)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    json_vectors(&out, job);
    if (similarity)
        json_similarity(&out, job);
    json_int(&out, "channels", (int64_t)job->channels);
    json_open(&out, "tokens", '[');
    for (size_t i = 0; i < job->texts.n; i++)
        json_int(&out, NULL, (int64_t)job->texts.items[i].n_tokens);
    json_close(&out, ']');
    json_text(&out, "output", job->output->name);
    json_text(&out, "pool", job->pooling ? job->pooling->name : "");
    json_bool(&out, "normalized", job->normalize);
    json_text(&out, "configuration", job->config.from ? job->config.from : "");
    json_real(&out, "run_s", (double)job->ns / 1e9);
    json_text(&out, "model", job->path);
    json_text(&out, "version", heed_version());
    json_int(&out, "threads", heed_get_threads());
    json_close(&out, '}');
    json_end(&out);
}

/* ---- Files ---- */

/* [texts, channels], or [tokens, channels] of one text. NULL after a message. */
static heed_tensor *make_tensor(const embed_job *job, size_t first, size_t n)
{
    heed_tensor *tensor = NULL;
    size_t rows = 0, at = 0;
    for (size_t i = first; i < first + n; i++)
        rows += job->vectors[i].rows;
    const int64_t dims[] = {(int64_t)rows, (int64_t)job->channels};
    heed_status status = heed_tensor_new(HEED_FLOAT32, 2, dims, &tensor);
    for (size_t i = first; i < first + n && !status; i++) {
        size_t count = job->vectors[i].rows * job->channels;
        status = heed_tensor_write_f64(tensor, (int64_t)at, (int64_t)count, job->vectors[i].values);
        at += count;
    }
    if (!status)
        return tensor;
    exit_error("--output");
    heed_tensor_free(tensor);
    return NULL;
}

static bool save_npy(const char *path, const heed_tensor *tensor, char *why)
{
    file_bytes bytes = {0};
    bool good = npy_encode(tensor, &bytes, why);
    if (good && !(good = files_write(path, &bytes)))
        snprintf(why, NPY_WHY, "%s", strerror(errno));
    files_free(&bytes);
    return good;
}

/* One member "vectors", or with --pool none one for each text, "vectors.0"... */
static bool save_npz(const embed_job *job, const char *path, char *why)
{
    npz_writer writer = {0};
    bool keeps = embed_keeps_tokens(job->pooling), good = true;
    for (size_t i = 0; i < (keeps ? job->texts.n : 1) && good; i++) {
        heed_tensor *tensor = make_tensor(job, i, keeps ? 1 : job->texts.n);
        char *name = keeps ? cli_format("vectors.%zu", i) : cli_copy("vectors");
        good = tensor && npz_add(&writer, name, tensor, why);
        free(name);
        heed_tensor_free(tensor);
    }
    if (good && !(good = npz_save(&writer, path)))
        snprintf(why, NPY_WHY, "%s", strerror(errno));
    npz_free(&writer);
    return good;
}

static int save(const embed_job *job, const char *path)
{
    char why[NPY_WHY] = "out of memory";
    size_t n = strlen(path);
    bool good, npy = n > 4 && !strcmp(path + n - 4, ".npy");
    if (npy && embed_keeps_tokens(job->pooling) && job->texts.n > 1)
        return exit_with(EXIT_USAGE, "%s: %zu texts have an array each; write a .npz", path,
                         job->texts.n);
    if (npy) {
        heed_tensor *tensor = make_tensor(job, 0, job->texts.n);
        good = tensor && save_npy(path, tensor, why);
        heed_tensor_free(tensor);
    } else {
        good = save_npz(job, path, why);
    }
    return good ? EXIT_OK : exit_with(EXIT_USAGE, "%s: %s", path, why);
}

/* ---- All of it ---- */

static void say_what(const embed_job *job)
{
    char time[PRINT_SIZE], texts[PRINT_SIZE], total[PRINT_SIZE];
    size_t tokens = 0;
    for (size_t i = 0; i < job->texts.n; i++)
        tokens += job->texts.items[i].n_tokens;
    note("%s, %s in %s; output %s, %s%s, %s", print_number_of(texts, job->texts.n, "text"),
         print_number_of(total, tokens, "token"), print_time(time, job->ns), job->output->name,
         job->pooling ? "pooled by " : "taken as it is", job->pooling ? job->pooling->name : "",
         job->normalize ? "normalized" : "not normalized");
}

int embed_report(const embed_job *job)
{
    const char *path = args_get(job->args, "output");
    bool similarity = args_is_on(job->args, "similarity");
    if (similarity && embed_keeps_tokens(job->pooling))
        return exit_with(EXIT_USAGE, "--similarity compares vectors of texts, not of tokens");
    if (job->json)
        print_json(job, similarity);
    else if (similarity)
        print_similarity(job);
    else if (!path)
        print_vectors(job);
    say_what(job);
    return path ? save(job, path) : EXIT_OK;
}
