/* stepwise.c - does a decoder give step by step, through pages, what it gives at once?
 *
 *     stepwise FOLDER [SEED]
 *
 * FOLDER holds model.onnx and test_data_set_0/input_*.pb in the order of the model's inputs. Each
 * row of the batch is a sequence. The whole is computed at once, without a past and with nothing
 * masked but what comes later; then in pages of a few tokens, in steps of random tokens of random
 * sequences, and every row is compared. Then in other steps: not a bit may move. Prints the form of
 * the file's cache (caches.h), then "same D of largest E moved ELEMENTS", "different ...", or
 * "none: REASON" when the model gets no pages; exits with 0, 1, 2, and 3 when something fails. D is
 * the largest difference beside 1 + the number itself, E beside the largest number of its token. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate/paged_model.h"
#include "passes/paging/caches.h"
#include "run/model.h"

enum { MOST_INPUTS = 256, MOST_SEQUENCES = 16, PAGES = 4096 };

typedef struct world {
    heed_model *model;
    heed_session *session;
    paged_model *paged;
    const pass_paging *about;
    arena memory;
    decoder_roles roles;
    cache_map caches;
    heed_tensor *given[MOST_INPUTS]; /* as the folder has them */
    heed_tensor *longer[MOST_INPUTS];
    const char *names[MOST_INPUTS];
    uint32_t main; /* the input of the tokens */
    bool turned;   /* the file has it as [tokens, batch, ...], and the result too */
    int64_t batch, tokens;
    heed_tensor *whole;             /* results at once, [batch, tokens, ...] */
    heed_tensor *side[MOST_INPUTS]; /* what the sequences of a run share */
    const char *side_names[MOST_INPUTS];
    size_t n_side;
    uint64_t seed;
    double worst;         /* beside 1 + the number itself */
    double worst_of_most; /* beside the largest of its token */
    double *once;         /* what the first round of steps gave, like `whole`; NULL in that round */
    double *before;       /* the same, for the round after it */
    uint64_t moved;       /* elements whose bits another cut into steps has changed */
} world;

static uint32_t draw(world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % n;
}

static int role(const world *w, size_t i) { return w->about->inputs[i].role; }

/* ---- At once ----------------------------------------------------------------------------------
 */

static heed_status fill(heed_tensor *t, double (*value)(int64_t i, int64_t last))
{
    int64_t rank = heed_tensor_get_ndim(t), n = heed_tensor_get_count(t);
    int64_t last = rank > 0 ? heed_tensor_get_dims(t)[rank - 1] : 1;
    for (int64_t i = 0; i < n; i++) {
        double x = value(i, last);
        TRY(heed_tensor_write_f64(t, i, 1, &x));
    }
    return HEED_OK;
}

static double index_of(int64_t i, int64_t last) { return (double)(i % last); }

/* Nothing is hidden, or what comes later where the mask has a row for each query. */
static heed_status fill_mask(const world *w, size_t i, heed_tensor *t)
{
    int64_t n = heed_tensor_get_count(t), rank = heed_tensor_get_ndim(t);
    int64_t last = heed_tensor_get_dims(t)[rank - 1];
    bool queries = roles_has_queries(&w->roles, (uint32_t)i);
    for (int64_t k = 0; k < n; k++) {
        bool visible = !queries || k % last <= k / last % w->tokens;
        double x = w->roles.added[i] ? (visible ? 0 : -60000) : visible != w->roles.hides[i];
        TRY(heed_tensor_write_f64(t, k, 1, &x));
    }
    return HEED_OK;
}

/* [a, b, ...] as [b, a, ...]; *out is replaced. */
static heed_status turn(const heed_tensor *t, heed_tensor **out)
{
    int64_t dims[16];
    int32_t rank = heed_tensor_get_ndim(t);
    memcpy(dims, heed_tensor_get_dims(t), (size_t)rank * sizeof(*dims));
    int64_t a = dims[0], b = dims[1];
    dims[0] = b;
    dims[1] = a;
    heed_tensor_free(*out);
    TRY(heed_tensor_new(heed_tensor_get_dtype(t), rank, dims, out));
    size_t row = heed_tensor_get_bytes(t) / (size_t)(a * b);
    for (int64_t i = 0; i < a; i++)
        for (int64_t k = 0; k < b; k++)
            memcpy((char *)heed_tensor_get_mutable_data(*out) + (size_t)(k * a + i) * row,
                   (const char *)heed_tensor_get_data(t) + (size_t)(i * b + k) * row, row);
    return HEED_OK;
}

/* Input i for a run of all tokens. */
static heed_status whole_input(const world *w, size_t i, heed_tensor **out)
{
    const heed_tensor *g = w->given[i];
    int64_t dims[16];
    int32_t rank = heed_tensor_get_ndim(g);
    memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
    bool square = role(w, i) == PAGING_MASK && roles_has_queries(&w->roles, (uint32_t)i);
    bool places = square && dim_known(w->roles.g->inputs[i]->type.dims[rank - 1]);
    if (role(w, i) == PAGING_PAST && w->about->inputs[i].axis >= 0)
        dims[w->about->inputs[i].axis] = 0;
    if ((role(w, i) == PAGING_MASK && !places) || role(w, i) == PAGING_POSITIONS)
        dims[rank - 1] = w->tokens;
    if (square)
        dims[rank - 2] = w->tokens;
    TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, out));
    if (role(w, i) == PAGING_MASK)
        return fill_mask(w, i, *out);
    if (role(w, i) == PAGING_POSITIONS)
        return fill(*out, index_of);
    if (role(w, i) == PAGING_PAST || role(w, i) == PAGING_SWITCH)
        return HEED_OK;
    if (w->turned && i == w->main)
        return turn(g, out);
    memcpy(heed_tensor_get_mutable_data(*out), heed_tensor_get_data(g), heed_tensor_get_bytes(g));
    return HEED_OK;
}

static heed_status run_whole(world *w)
{
    heed_tensor *in[MOST_INPUTS] = {NULL}, *out[MOST_INPUTS] = {NULL};
    size_t n = heed_model_get_input_count(w->model);
    size_t n_out = heed_model_get_output_count(w->model);
    heed_status status = heed_session_new(w->model, NULL, &w->session);
    for (size_t i = 0; i < n && !status; i++)
        status = whole_input(w, i, &in[i]);
    if (!status && n_out > MOST_INPUTS)
        status = err_fail(HEED_USAGE, "too many outputs");
    if (!status)
        status = heed_session_run(w->session, NULL, n, w->names, in, n_out, NULL, out);
    w->whole = out[0];
    for (size_t i = 0; i < n; i++)
        heed_tensor_free(in[i]);
    for (size_t i = 1; i < n_out; i++)
        heed_tensor_free(out[i]);
    return status;
}

/* ---- Step by step -----------------------------------------------------------------------------
 */

typedef struct lot {
    uint32_t n; /* sequences of this step */
    uint32_t which[MOST_SEQUENCES], counts[MOST_SEQUENCES];
    uint32_t done[MOST_SEQUENCES]; /* before it, by place */
    uint32_t tokens;
} lot;

/* Rows of input i: of a sequence b, `count` from `first` on. */
static void copy_rows(const world *w, size_t i, char *to, uint32_t b, uint32_t first,
                      uint32_t count)
{
    const heed_tensor *g = w->given[i];
    size_t row = heed_tensor_get_bytes(g) / (size_t)(w->batch * w->tokens);
    const char *from = heed_tensor_get_data(g);
    memcpy(to, from + ((size_t)b * (size_t)w->tokens + first) * row, count * row);
}

static heed_status step_input(const world *w, size_t i, const lot *l, heed_tensor **out)
{
    const heed_tensor *g = w->given[i];
    int64_t dims[16];
    int32_t rank = heed_tensor_get_ndim(g);
    memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
    if (rank > 1)
        dims[0] = 1;
    dims[rank > 1] = l->tokens;
    TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, out));
    char *to = heed_tensor_get_mutable_data(*out);
    size_t row = heed_tensor_get_bytes(*out) / l->tokens;
    for (uint32_t k = 0; k < l->n; k++) {
        copy_rows(w, i, to, l->which[k], l->done[k], l->counts[k]);
        to += row * l->counts[k];
    }
    return HEED_OK;
}

/* What is the same for all tokens of sequence b. */
static heed_status side_input(const world *w, size_t i, uint32_t b, heed_tensor **out)
{
    const heed_tensor *g = w->given[i];
    int64_t dims[16];
    int32_t rank = heed_tensor_get_ndim(g);
    memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
    if (rank > 0 && dims[0] == w->batch)
        dims[0] = 1;
    TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, out));
    size_t bytes = heed_tensor_get_bytes(*out);
    memcpy(heed_tensor_get_mutable_data(*out),
           (const char *)heed_tensor_get_data(g) + (rank > 0 ? b * bytes : 0), bytes);
    return HEED_OK;
}

static void drop_side(world *w)
{
    while (w->n_side > 0)
        heed_tensor_free(w->side[--w->n_side]);
}

/* The side inputs of sequence b, and what is computed of them once. */
static heed_status make_side(world *w, uint32_t b)
{
    const side_model *once = paged_model_side(w->paged);
    heed_tensor *made[MOST_INPUTS];
    drop_side(w);
    for (size_t i = 0; i < w->about->n_inputs; i++)
        if (role(w, i) == PAGING_SIDE) {
            w->side_names[w->n_side] = w->names[i];
            TRY(side_input(w, i, b, &w->side[w->n_side]));
            w->n_side++;
        }
    if (w->n_side + side_model_count(once) > MOST_INPUTS)
        return err_fail(HEED_USAGE, "too many inputs");
    TRY(side_model_run(once, w->n_side, w->side_names, (const heed_tensor *const *)w->side, made));
    for (uint32_t i = 0; i < side_model_count(once); i++) {
        w->side_names[w->n_side] = side_model_name(once, i);
        w->side[w->n_side++] = made[i];
    }
    return HEED_OK;
}

/* The largest magnitude of a token's results. */
static heed_status largest(const world *w, int64_t first, int64_t width, double *most)
{
    *most = 0;
    for (int64_t c = 0; c < width; c++) {
        double x;
        TRY(heed_tensor_read_f64(w->whole, first + c, 1, &x));
        *most = fabs(x) > *most ? fabs(x) : *most;
    }
    return HEED_OK;
}

/* `width` numbers of a result from `from` on, beside those of the whole from `there` on, kept from
 * `at` on. */
static heed_status compare_row(world *w, const heed_tensor *result, int64_t from, int64_t there,
                               int64_t at, int64_t width)
{
    double have, want, most;
    TRY(largest(w, there, width, &most));
    for (int64_t c = 0; c < width; c++) {
        TRY(heed_tensor_read_f64(result, from + c, 1, &have));
        TRY(heed_tensor_read_f64(w->whole, there + c, 1, &want));
        w->moved += w->before && memcmp(&have, &w->before[at + c], sizeof(have));
        w->once[at + c] = have;
        double off = fabs(have - want) / (1 + fabs(want));
        if (!(off <= w->worst) && !(isnan(have) && isnan(want)))
            w->worst = isnan(off) ? (double)INFINITY : off;
        off = fabs(have - want) / (most > 0 ? most : 1);
        w->worst_of_most = off > w->worst_of_most ? off : w->worst_of_most;
    }
    return HEED_OK;
}

/* Files that give the last token's result alone are compared there. */
static heed_status compare(world *w, const lot *l, const heed_tensor *result)
{
    int64_t width = heed_tensor_get_count(result) / l->tokens, n = 0;
    int64_t rows = heed_tensor_get_count(w->whole) / (w->batch * width), before = w->tokens - rows;
    if ((rows != w->tokens && rows != 1) ||
        rows * w->batch * width != heed_tensor_get_count(w->whole) ||
        heed_tensor_get_count(result) != width * l->tokens)
        return err_fail(HEED_INTERNAL, "a result of another size");
    for (uint32_t k = 0; k < l->n; k++)
        for (uint32_t t = 0; t < l->counts[k]; t++, n++) {
            int64_t row = l->done[k] + t - before, b = l->which[k], at = b * rows + row;
            int64_t there = w->turned ? row * w->batch + b : at;
            if (row >= 0)
                TRY(compare_row(w, result, n * width, there * width, at * width, width));
        }
    return HEED_OK;
}

static heed_status run_lot(world *w, page_pool *pool, page_table *tables, const lot *l)
{
    const page_table *step_tables[MOST_SEQUENCES];
    heed_tensor *in[2 * MOST_INPUTS], *out = NULL;
    const char *names[2 * MOST_INPUTS];
    uint32_t rows[1024];
    size_t n_in = w->n_side;
    heed_status status = HEED_OK;
    for (uint32_t k = 0; k < l->n; k++) {
        page_copy copy;
        step_tables[k] = &tables[l->which[k]];
        TRY(page_table_extend(&tables[l->which[k]], pool, l->counts[k], &copy));
        TRY(page_store_reserve(paged_model_pages(w->paged), page_pool_count(pool).used));
        page_store_copy(paged_model_pages(w->paged), &copy);
    }
    for (uint32_t i = 0; i < l->tokens; i++)
        rows[i] = i;
    memcpy(in, w->side, n_in * sizeof(*in));
    memcpy(names, w->side_names, n_in * sizeof(*names));
    for (size_t i = 0; i < w->about->n_inputs && !status; i++)
        if (role(w, i) <= PAGING_TOKENS) {
            names[n_in] = w->names[i];
            status = step_input(w, i, l, &in[n_in]);
            n_in += !status;
        }
    paged_step step = {.n_sequences = l->n,
                       .tables = step_tables,
                       .counts = l->counts,
                       .n_inputs = n_in,
                       .names = names,
                       .inputs = in,
                       .n_rows = l->tokens,
                       .rows = rows};
    if (!status)
        status = paged_model_run(w->paged, &step, &out);
    if (!status)
        status = compare(w, l, out);
    heed_tensor_free(out);
    for (size_t i = w->n_side; i < n_in; i++)
        heed_tensor_free(in[i]);
    return status;
}

static bool draw_lot(world *w, uint32_t first, uint32_t last, const page_table *tables, lot *l)
{
    bool open = false;
    *l = (lot){0};
    for (uint32_t b = first; b < last; b++) {
        uint32_t done = (uint32_t)tables[b].n_tokens, left = (uint32_t)w->tokens - done;
        uint32_t count = left > 0 ? 1 + draw(w, left < 5 ? left : 5) : 0;
        open = open || left > 0;
        if (count == 0 || draw(w, 3) == 0)
            continue;
        l->which[l->n] = b;
        l->done[l->n] = done;
        l->counts[l->n++] = count;
        l->tokens += count;
    }
    return open;
}

static heed_status run_steps(world *w, uint32_t first, uint32_t last)
{
    page_pool *pool;
    page_table tables[MOST_SEQUENCES] = {{0}};
    lot l;
    heed_status status = HEED_OK;
    if (last == first + 1)
        TRY(make_side(w, first));
    TRY(page_pool_new(3, PAGES, &pool));
    while (!status && draw_lot(w, first, last, tables, &l))
        if (l.n > 0)
            status = run_lot(w, pool, tables, &l);
    for (uint32_t b = 0; b < MOST_SEQUENCES; b++)
        page_table_free(&tables[b], pool);
    page_pool_free(pool);
    return status;
}

/* ---- Longer cases -----------------------------------------------------------------------------
 */

/* Row t of a longer sequence: one of those that there are, a little different. */
static heed_status vary(const world *w, size_t i, int64_t t, heed_tensor *longer)
{
    const heed_tensor *g = w->given[i];
    int64_t width = heed_tensor_get_count(g) / (w->batch * w->tokens);
    int64_t all = heed_tensor_get_count(longer) / (w->batch * width);
    double x, most = 0;
    for (int64_t k = 0; k < heed_tensor_get_count(g); k++) {
        TRY(heed_tensor_read_f64(g, k, 1, &x));
        most = x > most ? x : most;
    }
    for (int64_t b = 0; b < w->batch; b++)
        for (int64_t c = 0; c < width; c++) {
            TRY(heed_tensor_read_f64(g, (b * w->tokens + t % w->tokens) * width + c, 1, &x));
            x = role(w, i) == PAGING_TOKENS                ? fmod(x + 5 * (double)t, most + 1)
                : dtype_is_float(heed_tensor_get_dtype(g)) ? x * (1 + 0.1 * (double)t)
                                                           : x;
            TRY(heed_tensor_write_f64(longer, (b * all + t) * width + c, 1, &x));
        }
    return HEED_OK;
}

/* Cases with a past have a token or two; nothing is said by comparing those. */
static heed_status lengthen(world *w)
{
    int64_t dims[16], tokens = 9;
    for (size_t i = 0; w->tokens < 4 && i < w->about->n_inputs; i++) {
        const heed_tensor *g = w->given[i];
        int32_t rank = heed_tensor_get_ndim(g);
        if (role(w, i) > PAGING_TOKENS)
            continue;
        memcpy(dims, heed_tensor_get_dims(g), (size_t)rank * sizeof(*dims));
        dims[rank > 1] = tokens;
        TRY(heed_tensor_new(heed_tensor_get_dtype(g), rank, dims, &w->longer[i]));
        for (int64_t t = 0; t < tokens; t++)
            TRY(vary(w, i, t, w->longer[i]));
    }
    for (size_t i = 0; w->tokens < 4 && i < w->about->n_inputs; i++)
        if (w->longer[i]) {
            heed_tensor_free(w->given[i]);
            w->given[i] = w->longer[i];
            w->longer[i] = NULL;
        }
    w->tokens = w->tokens < 4 ? tokens : w->tokens;
    return HEED_OK;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static heed_status load(world *w, const char *folder)
{
    char path[4096];
    compile_options o = {.backends = "cpu", .optimize = true, .named_dims = true, .check = true};
    snprintf(path, sizeof(path), "%s/model.onnx", folder);
    TRY(heed_model_load(path, NULL, &w->model));
    TRY(roles_find(w->model->ir, &w->memory, &w->roles));
    if (w->roles.main != UINT32_MAX)
        TRY(caches_find(&w->roles, &w->caches));
    TRY(paged_model_new(w->model, &o, 3, HEED_UNDEFINED, &w->paged));
    w->about = paged_model_about(w->paged);
    for (size_t i = 0; i < w->about->n_inputs && i < MOST_INPUTS; i++) {
        snprintf(path, sizeof(path), "%s/test_data_set_0/input_%zu.pb", folder, i);
        w->names[i] = w->about->inputs[i].name;
        TRY(heed_tensor_load(path, w->model, w->names[i], &w->given[i]));
        if (i == w->roles.main && w->roles.tokens_axis == 0 &&
            heed_tensor_get_ndim(w->given[i]) > 1) {
            heed_tensor *as_file = w->given[i];
            w->given[i] = NULL;
            w->turned = true;
            heed_status status = turn(as_file, &w->given[i]);
            heed_tensor_free(as_file);
            TRY(status);
        }
        if (w->about->inputs[i].role == PAGING_TOKENS ||
            (w->about->inputs[i].role == PAGING_KEPT && !w->tokens)) {
            const int64_t *dims = heed_tensor_get_dims(w->given[i]);
            bool flat = heed_tensor_get_ndim(w->given[i]) == 1;
            w->main = (uint32_t)i;
            w->batch = flat ? 1 : dims[0];
            w->tokens = dims[!flat];
        }
    }
    return w->batch > MOST_SEQUENCES || w->tokens * w->batch > 1024
               ? err_fail(HEED_USAGE, "more tokens than this program takes")
               : HEED_OK;
}

static heed_status run_round(world *w)
{
    bool side = false;
    for (size_t i = 0; i < w->about->n_inputs; i++)
        side = side || role(w, i) == PAGING_SIDE;
    for (uint32_t b = 0; side && b < w->batch; b++)
        TRY(run_steps(w, b, b + 1));
    return side ? HEED_OK : run_steps(w, 0, (uint32_t)w->batch);
}

/* Two rounds of steps, cut differently. */
static heed_status run(world *w, const char *folder)
{
    TRY(load(w, folder));
    TRY(lengthen(w));
    TRY(run_whole(w));
    size_t bytes = (size_t)heed_tensor_get_count(w->whole) * sizeof(double);
    w->once = calloc(1, bytes);
    TRY(w->once ? run_round(w) : HEED_NOMEM);
    w->before = w->once;
    w->once = calloc(1, bytes);
    return w->once ? run_round(w) : HEED_NOMEM;
}

int main(int argc, char **argv)
{
    world w = {.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    if (argc < 2)
        return 3;
    heed_status status = run(&w, argv[1]);
    int code = status ? 3 : w.worst > 1e-3;
    if (status == HEED_UNSUPPORTED && !w.paged)
        code = 2;
    printf("%s ", w.caches.form ? w.caches.form : "unknown");
    if (status)
        printf("%s: %s\n", code == 2 ? "none" : "failed", heed_error_get()->message);
    else
        printf("%s %g of largest %g moved %llu\n", code ? "different" : "same", w.worst,
               w.worst_of_most, (unsigned long long)w.moved);
    for (size_t i = 0; i < MOST_INPUTS; i++)
        heed_tensor_free(w.given[i]), heed_tensor_free(w.longer[i]);
    drop_side(&w);
    free(w.once), free(w.before);
    heed_tensor_free(w.whole);
    heed_session_free(w.session);
    paged_model_free(w.paged);
    heed_model_free(w.model);
    arena_free(&w.memory);
    return code;
}
