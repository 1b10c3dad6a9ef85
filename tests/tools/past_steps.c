/* past_steps.c - does a decoder as its file has it give step by step what it gives at once?
 *
 *     past_steps FOLDER [SEED]
 *
 * FOLDER holds model.onnx and test_data_set_0/input_*.pb in the order of the model's inputs; tokens
 * (or embeddings) and side inputs are taken from there, all else is made. Each row of the batch is
 * a sequence. It is computed at once, where the graph can; then in steps of random tokens, forked
 * and cut back on the way. Prints "same MAX_DIFFERENCE FORM REFERENCE", "different ...", or "none:
 * REASON"; exits with 0, 1, 2, and 3 when something fails. REFERENCE is "whole", or "steps" where
 * several tokens at once are no reference: the graph is not causal, or takes one at a time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate/decoder.h"
#include "generate/past_model.h"
#include "run/model.h"

enum { MOST_INPUTS = 256, MOST_TOKENS = 64, MOST_SEQUENCES = 3 };

typedef struct world {
    heed_model *model;
    past_model *past;
    decoder *decoder; /* NULL: the model takes embeddings */
    heed_tensor *given[MOST_INPUTS];
    /* of one sequence */
    int32_t tokens[MOST_TOKENS];
    uint32_t n_tokens;
    heed_tensor *inputs[MOST_INPUTS];
    const char *names[MOST_INPUTS];
    size_t n_inputs;
    float *want, *have; /* [n_tokens, vocabulary] */
    bool steps_only;
    uint64_t seed;
    double worst;
} world;

static uint32_t draw(world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % n;
}

static int role(const world *w, uint32_t i) { return w->past->roles.role[i]; }

/* ---- One sequence of the folder --------------------------------------------------------------
 */

static void drop_inputs(world *w)
{
    while (w->n_inputs > 0)
        heed_tensor_free(w->inputs[--w->n_inputs]);
}

static bool is_batch(const world *w, const heed_tensor *t)
{
    const heed_tensor *main = w->given[w->past->roles.main];
    return heed_tensor_get_ndim(t) > 0 && heed_tensor_get_ndim(main) > 1 &&
           heed_tensor_get_dims(t)[0] ==
               heed_tensor_get_dims(main)[roles_batch_axis(&w->past->roles)];
}

/* Row b of a side input. */
static heed_status take_side(world *w, uint32_t i, uint32_t b)
{
    const heed_tensor *g = w->given[i];
    int64_t dims[16];
    int32_t rank = heed_tensor_get_ndim(g);
    memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
    bool rows = is_batch(w, g);
    if (rows)
        dims[0] = 1;
    heed_tensor **out = &w->inputs[w->n_inputs];
    TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, out));
    w->names[w->n_inputs++] = w->past->names[i];
    size_t bytes = heed_tensor_get_bytes(*out);
    memcpy(heed_tensor_get_mutable_data(*out),
           (const char *)heed_tensor_get_data(g) + (rows ? b * bytes : 0), bytes);
    return HEED_OK;
}

/* Tokens of row b: those that there are, and more of their kind. */
static heed_status take_tokens(world *w, uint32_t b)
{
    const heed_tensor *g = w->given[w->past->roles.main];
    int32_t rank = heed_tensor_get_ndim(g);
    int64_t n = heed_tensor_get_dims(g)[rank > 1], all = heed_tensor_get_count(g);
    double x, most = 1;
    for (int64_t i = 0; i < all; i++) {
        TRY(heed_tensor_read_f64(g, i, 1, &x));
        most = x > most ? x : most;
    }
    for (uint32_t t = 0; t < w->n_tokens; t++) {
        TRY(heed_tensor_read_f64(g, (rank > 1 ? b * n : 0) + t % n, 1, &x));
        w->tokens[t] = (int32_t)((int64_t)(x + (double)(5 * (t / n))) % ((int64_t)most + 1));
    }
    return HEED_OK;
}

static heed_status take_embeddings(world *w, uint32_t b)
{
    uint32_t main = w->past->roles.main;
    const heed_tensor *g = w->given[main];
    int64_t dims[16], n, width;
    int32_t rank = heed_tensor_get_ndim(g), axis = w->past->roles.tokens_axis;
    memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
    int64_t batch = rank > 1 ? dims[!axis] : 1;
    n = dims[axis];
    width = heed_tensor_get_count(g) / (n * batch);
    if (rank > 1)
        dims[!axis] = 1;
    dims[axis] = w->n_tokens;
    heed_tensor **out = &w->inputs[w->n_inputs];
    TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, out));
    w->names[w->n_inputs++] = w->past->names[main];
    for (uint32_t t = 0; t < w->n_tokens; t++)
        for (int64_t c = 0; c < width; c++) {
            double x;
            int64_t row = axis || rank < 2 ? b * n + t % n : t % n * batch + b;
            TRY(heed_tensor_read_f64(g, row * width + c, 1, &x));
            x *= 1 + 0.1 * (double)(t / n);
            TRY(heed_tensor_write_f64(*out, t * width + c, 1, &x));
        }
    return HEED_OK;
}

static heed_status take(world *w, uint32_t b)
{
    uint32_t main = w->past->roles.main;
    drop_inputs(w);
    TRY(role(w, main) == PAGING_TOKENS ? take_tokens(w, b) : take_embeddings(w, b));
    for (uint32_t i = 0; i < w->past->roles.n; i++) {
        bool cross = false;
        for (uint32_t k = 0; k < w->past->caches.n; k++)
            cross = cross || (w->past->caches.pairs[k].input == i &&
                              w->past->caches.pairs[k].form == CACHE_CROSS);
        if (w->given[i] && i != main &&
            (role(w, i) == PAGING_SIDE || (cross && strcmp(w->past->caches.form, "merged") != 0)))
            TRY(take_side(w, i, b));
    }
    return HEED_OK;
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static heed_status run_to(world *w, past_state *state, uint32_t n, uint32_t rows, float *out,
                          past_state **next)
{
    past_step step = {.state = state,
                      .tokens = w->tokens,
                      .n_tokens = n,
                      .n_rows = rows,
                      .n_inputs = w->n_inputs,
                      .names = w->names,
                      .inputs = (const heed_tensor *const *)w->inputs};
    return past_model_run(w->past, &step, out, next);
}

static void compare(world *w, const float *have, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)have[i] - (double)want[i]) / (1 + fabs((double)want[i]));
        if (!(off <= w->worst) && !(isnan(have[i]) && isnan(want[i])))
            w->worst = isnan(off) ? (double)INFINITY : off;
    }
}

/* All at once; or, where later tokens change earlier rows, or the graph cannot, one by one. */
static heed_status run_reference(world *w)
{
    past_state *next;
    size_t width = (size_t)w->past->vocabulary;
    bool many = w->past->many;
    double worst = w->worst;
    w->past->many = w->past->keeps;
    w->worst = 0;
    heed_status status = run_to(w, NULL, w->n_tokens, w->n_tokens, w->want, &next);
    if (!status) {
        past_state_drop(next);
        status = run_to(w, NULL, w->n_tokens - 1, w->n_tokens - 1, w->have, &next);
    }
    if (!status) {
        past_state_drop(next);
        compare(w, w->have, w->want, (w->n_tokens - 1) * width);
    }
    w->past->many = many;
    w->steps_only = status != HEED_OK || w->worst > 0.05;
    w->worst = worst;
    if (!w->steps_only)
        return HEED_OK;
    err_clear();
    w->past->many = false;
    status = run_to(w, NULL, w->n_tokens, w->n_tokens, w->want, &next);
    if (!status)
        past_state_drop(next);
    w->past->many = many;
    return status;
}

/* As many tokens as it likes; now and then a few are given up and come again. */
static heed_status run_model(world *w)
{
    size_t width = (size_t)w->past->vocabulary;
    past_state *state = NULL;
    uint32_t done = 0;
    heed_status status = HEED_OK;
    while (!status && done < w->n_tokens) {
        uint32_t left = w->n_tokens - done, n = 1 + draw(w, left < 4 ? left : 4);
        uint32_t rows = 1 + draw(w, n);
        past_state *next;
        status = run_to(w, state, done + n, rows, w->have, &next);
        if (status)
            break;
        done += n;
        compare(w, w->have, w->want + (done - rows) * width, rows * width);
        past_state_drop(state);
        state = next;
        if (draw(w, 3) == 0 && done > 2) {
            done -= 1 + draw(w, 2);
            status = past_model_cut(w->past, state, done, &state);
        }
        if (!status && !state && w->past->keeps)
            done = 0; /* it was of no use */
    }
    past_state_drop(state);
    return status;
}

/* The same by way of a decoder, with a fork that is gone on with. */
static heed_status run_seq(world *w, decoder_seq **seq)
{
    size_t width = (size_t)decoder_get_about(w->decoder)->vocabulary;
    uint32_t done = 0;
    while (done < w->n_tokens) {
        uint32_t left = w->n_tokens - done, n = 1 + draw(w, left < 4 ? left : 4);
        uint32_t rows = 1 + draw(w, n);
        const int32_t *tokens = w->tokens + done;
        decoder_step step = {.n = 1, .seqs = seq, .tokens = &tokens, .counts = &n, .wanted = &rows};
        TRY(decoder_extend(w->decoder, *seq, n));
        TRY(decoder_run(w->decoder, &step, w->have));
        done += n;
        compare(w, w->have, w->want + (done - rows) * width, rows * width);
        if (draw(w, 3) == 0) {
            decoder_seq *other;
            TRY(decoder_fork(w->decoder, *seq, &other));
            decoder_end(w->decoder, *seq);
            *seq = other;
        }
        if (draw(w, 3) == 0 && done > 1)
            decoder_cut(w->decoder, *seq, --done);
    }
    return HEED_OK;
}

static heed_status run_decoder(world *w)
{
    decoder_side *side = NULL;
    decoder_seq *seq;
    if (!w->decoder)
        return HEED_OK;
    TRY(decoder_side_new(w->n_inputs, w->names, w->inputs, &side));
    w->n_inputs = 0; /* taken */
    heed_status status = decoder_begin(w->decoder, side, w->tokens, w->n_tokens, &seq);
    if (!status)
        status = run_seq(w, &seq);
    decoder_end(w->decoder, seq);
    decoder_side_drop(side);
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static heed_status load(world *w, const char *folder)
{
    char path[4096];
    decoder_options o = {.compile = {.optimize = true, .named_dims = true, .check = true},
                         .contiguous = true};
    snprintf(path, sizeof(path), "%s/model.onnx", folder);
    TRY(heed_model_load(path, NULL, &w->model));
    TRY(past_model_new(w->model, &o.compile, &w->past));
    if (role(w, w->past->roles.main) == PAGING_TOKENS)
        TRY(decoder_new(w->model, &o, &w->decoder));
    for (uint32_t i = 0; i < w->past->roles.n && i < MOST_INPUTS; i++) {
        snprintf(path, sizeof(path), "%s/test_data_set_0/input_%u.pb", folder, i);
        if (roles_is_given(w->past->roles.g->inputs[i]))
            TRY(heed_tensor_load(path, w->model, w->past->names[i], &w->given[i]));
    }
    return HEED_OK;
}

static heed_status run(world *w, const char *folder)
{
    TRY(load(w, folder));
    const heed_tensor *main = w->given[w->past->roles.main];
    int32_t axis = w->past->roles.tokens_axis;
    int64_t batch = heed_tensor_get_ndim(main) == 1 ? 1 : heed_tensor_get_dims(main)[!axis];
    int64_t n = heed_tensor_get_dims(main)[axis];
    int64_t most = w->past->positions >= 0 ? w->past->positions : MOST_TOKENS;
    n = n < 4 ? 9 : n;
    w->n_tokens = (uint32_t)(n < most ? n : most);
    size_t rows = (size_t)w->n_tokens * (size_t)w->past->vocabulary;
    w->want = calloc(rows, sizeof(float));
    w->have = calloc(rows, sizeof(float));
    if (!w->want || !w->have)
        return HEED_NOMEM;
    for (uint32_t b = 0; b < batch && b < MOST_SEQUENCES; b++) {
        TRY(take(w, b));
        TRY(run_reference(w));
        TRY(run_model(w));
        TRY(run_decoder(w));
    }
    return HEED_OK;
}

int main(int argc, char **argv)
{
    world w = {.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    if (argc < 2)
        return 3;
    heed_status status = run(&w, argv[1]);
    int code = status ? 3 : w.worst > 1e-3;
    if (status == HEED_UNSUPPORTED && !w.past)
        code = 2;
    if (status)
        printf("%s: %s\n", code == 2 ? "none" : "failed", heed_error_get()->message);
    else
        printf("%s %g %s %s\n", code ? "different" : "same", w.worst, w.past->caches.form,
               w.steps_only ? "steps" : "whole");
    drop_inputs(&w);
    for (size_t i = 0; i < MOST_INPUTS; i++)
        heed_tensor_free(w.given[i]);
    free(w.want);
    free(w.have);
    decoder_free(w.decoder);
    past_model_free(w.past);
    heed_model_free(w.model);
    return code;
}
