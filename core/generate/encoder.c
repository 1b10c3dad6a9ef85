/* encoder.c - see encoder.h.
 *
 * A file is the decoder's encoder when it gives what the decoder wants: for each input that the
 * decoder's tokens share, of floats and not the request's to give, a result of the same type, rank
 * and fixed extents. Of several such results the one whose name ends most alike is taken. */
#include "generate/encoder.h"

#include <string.h>

#include "generate/folder.h"

struct encoder {
    const decoder *d;
    const char *path;
    heed_model *model; /* NULL: there is no file of its own */
    heed_session *session;
    feeds own;                 /* of the encoder */
    feeds side;                /* of the decoder */
    const char **result_names; /* those that are wanted, each once */
    uint32_t n_results;
    const char *missing; /* what the request must give itself, and why; NULL: nothing */
    arena memory;
};

/* ---- Does a file fit? -------------------------------------------------------------------------
 */

static bool fits(const heed_value_info *have, const heed_value_info *want)
{
    if (have->dtype != want->dtype || have->kind != want->kind || have->ndim != want->ndim)
        return false;
    for (int32_t k = 0; k < want->ndim; k++)
        if (!have->symbols[k] && !want->symbols[k] && have->dims[k] != want->dims[k])
            return false;
    return true;
}

/* Characters at their ends that agree. */
static size_t alike(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), k = 0;
    while (k < n && k < m && a[n - 1 - k] == b[m - 1 - k])
        k++;
    return k;
}

static const heed_value_info *find_result(const heed_model *m, const heed_value_info *want)
{
    const heed_value_info *best = NULL;
    for (size_t i = 0; i < heed_model_get_output_count(m); i++) {
        const heed_value_info *have = heed_model_get_output(m, i);
        if (fits(have, want) &&
            (!best || alike(have->name, want->name) > alike(best->name, want->name)))
            best = have;
    }
    return best;
}

/* An input of the model is what is wanted: it is another form of the decoder. */
static bool wants_it_too(const heed_model *m, const heed_value_info *want)
{
    for (size_t i = 0; i < heed_model_get_input_count(m); i++) {
        const heed_value_info *have = heed_model_get_input(m, i);
        if (fits(have, want) && strcmp(have->name, want->name) == 0)
            return true;
    }
    return false;
}

static bool is_asked(const feed *f)
{
    return f->kind == FEED_GIVEN && dtype_is_float(f->info->dtype);
}

/* The first input of the decoder that the model does not make; NULL: it makes all. */
static const heed_value_info *find_lacking(const heed_model *m, const feeds *side)
{
    for (uint32_t i = 0; i < side->n; i++) {
        const heed_value_info *want = side->all[i].info;
        if (is_asked(&side->all[i]) && (wants_it_too(m, want) || !find_result(m, want)))
            return want;
    }
    return NULL;
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

static heed_status connect(encoder *e)
{
    e->result_names = arena_array(&e->memory, e->side.n, sizeof(*e->result_names));
    if (!e->result_names)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < e->side.n; i++) {
        feed *f = &e->side.all[i];
        const heed_value_info *have = is_asked(f) ? find_result(e->model, f->info) : NULL;
        uint32_t k = 0;
        if (!have)
            continue;
        while (k < e->n_results && strcmp(e->result_names[k], have->name) != 0)
            k++;
        e->result_names[k] = have->name;
        e->n_results += k == e->n_results;
        f->kind = FEED_RESULT;
        f->result = k;
    }
    return HEED_OK;
}

static heed_status use(encoder *e, heed_model *m, const char *path,
                       const heed_session_options *options)
{
    e->model = m;
    e->path = arena_string(&e->memory, path);
    if (!e->path)
        return HEED_NOMEM;
    TRY(feeds_find(m, NULL, 0, &e->memory, &e->own));
    TRY(connect(e));
    return heed_session_new(m, options, &e->session);
}

static heed_status open_path(encoder *e, const char *path, const heed_session_options *options)
{
    heed_model *m;
    char text[256];
    TRY(heed_model_load(path, NULL, &m));
    const heed_value_info *lacking = find_lacking(m, &e->side);
    if (!lacking)
        return use(e, m, path, options);
    heed_model_free(m);
    return err_fail(HEED_UNSUPPORTED, "%s is not the encoder of this decoder: it does not make %s",
                    path, feeds_describe(lacking, text, sizeof(text)));
}

/* The files beside the decoder. */
typedef struct neighbours {
    const char *const *paths;
    heed_model **models; /* NULL: could not be read */
    size_t n;
} neighbours;

/* It gives what the decoder gives, as wide: it is another form of it. */
static bool is_form_of(const heed_model *m, const heed_model *decoder_model)
{
    const heed_value_info *own = heed_model_get_output(decoder_model, 0);
    int32_t last = own->ndim - 1;
    for (size_t i = 0; last >= 0 && i < heed_model_get_output_count(m); i++) {
        const heed_value_info *have = heed_model_get_output(m, i);
        if (fits(have, own) && !have->symbols[last] && !own->symbols[last])
            return true;
    }
    return false;
}

/* What the decoder wants, and nobody makes. */
static heed_status explain(encoder *e, const char *folder, const char *between)
{
    char text[256];
    uint32_t i = 0;
    while (!is_asked(&e->side.all[i]))
        i++;
    feeds_describe(e->side.all[i].info, text, sizeof(text));
    e->missing = between
                     ? arena_printf(&e->memory,
                                    "the decoder reads %s, which %s makes: open that, a "
                                    "decoder that needs no past",
                                    text, between)
                     : arena_printf(&e->memory,
                                    "the decoder reads %s, and no model in %s makes it: give the "
                                    "encoder, or this input",
                                    text, folder ? folder : "reach");
    return e->missing ? HEED_OK : HEED_NOMEM;
}

/* Of several that fit the one with the fewest inputs. */
static heed_status choose(encoder *e, const heed_model *m, const neighbours *all,
                          const char *folder, const heed_session_options *options)
{
    const char *between = NULL;
    size_t best = all->n;
    for (size_t i = 0; i < all->n; i++) {
        if (!all->models[i] || find_lacking(all->models[i], &e->side))
            continue;
        if (is_form_of(all->models[i], m))
            between = all->paths[i];
        else if (best == all->n || heed_model_get_input_count(all->models[i]) <
                                       heed_model_get_input_count(all->models[best]))
            best = i;
    }
    if (best == all->n)
        return explain(e, folder, between);
    return use(e, heed_model_ref(all->models[best]), all->paths[best], options);
}

static heed_status open_folder(encoder *e, const heed_model *m, const char *folder,
                               const heed_session_options *options)
{
    neighbours all = {0};
    if (folder)
        TRY(folder_models(folder, &e->memory, &all.paths, &all.n));
    all.models = arena_array(&e->memory, all.n, sizeof(*all.models));
    if (!all.models)
        return HEED_NOMEM;
    for (size_t i = 0; i < all.n; i++)
        if (heed_model_load(all.paths[i], NULL, &all.models[i]))
            err_clear();
    heed_status status = choose(e, m, &all, folder, options);
    for (size_t i = 0; i < all.n; i++)
        heed_model_free(all.models[i]);
    return status;
}

static heed_status open_any(encoder *e, const heed_model *m, const char *path, const char *folder,
                            const heed_session_options *options)
{
    const decoder_about *about = decoder_get_about(e->d);
    bool asks = false;
    TRY(feeds_find(m, about->side, about->n_side, &e->memory, &e->side));
    for (uint32_t i = 0; i < e->side.n; i++)
        asks = asks || is_asked(&e->side.all[i]);
    if (path)
        return open_path(e, path, options);
    return asks ? open_folder(e, m, folder, options) : HEED_OK;
}

heed_status encoder_new(const heed_model *m, const decoder *d, const char *path, const char *folder,
                        const heed_session_options *options, encoder **out)
{
    *out = NULL;
    if (decoder_get_about(d)->n_side == 0)
        return path ? err_fail(HEED_USAGE, "the decoder needs no encoder: nothing that it reads "
                                           "comes from another model")
                    : HEED_OK;
    encoder *e = mem_zero(sizeof(*e));
    if (!e)
        return HEED_NOMEM;
    e->d = d;
    e->path = "";
    heed_status status = open_any(e, m, path, folder, options);
    if (status)
        encoder_free(e);
    else
        *out = e;
    return status;
}

void encoder_free(encoder *e)
{
    if (!e)
        return;
    heed_session_free(e->session);
    heed_model_free(e->model);
    arena_free(&e->memory);
    mem_free(e);
}

bool encoder_takes_tokens(const encoder *e)
{
    return e && (feeds_take_tokens(&e->own) || feeds_take_tokens(&e->side));
}

const char *encoder_missing(const encoder *e) { return e ? e->missing : NULL; }
const char *encoder_path(const encoder *e) { return e ? e->path : ""; }

/* ---- A run ------------------------------------------------------------------------------------
 */

static void free_all(heed_tensor **tensors, uint32_t n)
{
    for (uint32_t i = 0; tensors && i < n; i++)
        heed_tensor_free(tensors[i]);
}

static heed_status run_own(const encoder *e, const feed_request *request, arena *memory,
                           heed_tensor **in, heed_tensor **results)
{
    feed_source source = {.request = request};
    const char **names = arena_array(memory, e->own.n, sizeof(*names));
    if (!names)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < e->own.n; i++)
        names[i] = e->own.all[i].info->name;
    TRY(feeds_fill(&e->own, &source, in));
    return heed_session_run(e->session, NULL, e->own.n, names, in, e->n_results, e->result_names,
                            results);
}

/* The request gives all that the encoder would. */
static bool is_given(const encoder *e, const feed_request *r)
{
    for (uint32_t i = 0; i < e->side.n; i++) {
        bool found = e->side.all[i].kind != FEED_RESULT && !is_asked(&e->side.all[i]);
        for (size_t k = 0; k < r->n_inputs && !found; k++)
            found = strcmp(r->names[k], e->side.all[i].info->name) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* `tensors`: the encoder's inputs, then its results. */
static heed_status run(const encoder *e, const feed_request *request, arena *memory,
                       heed_tensor **tensors, decoder_side **out)
{
    heed_tensor **results = tensors + e->own.n;
    feed_source source = {
        .request = request, .results = results, .before = &e->own, .fed = tensors};
    heed_tensor **side = arena_array(memory, e->side.n, sizeof(*side));
    const char **names = arena_array(memory, e->side.n, sizeof(*names));
    if (!side || !names)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < e->side.n; i++)
        names[i] = e->side.all[i].info->name;
    if (e->model && !is_given(e, request))
        TRY(run_own(e, request, memory, tensors, results));
    if (e->missing && !is_given(e, request))
        return err_fail(HEED_USAGE, "%s", e->missing);
    TRY(feeds_fill(&e->side, &source, side));
    return decoder_prepare(e->d, e->side.n, names, side, out);
}

heed_status encoder_run(const encoder *e, const feed_request *request, decoder_side **out)
{
    arena memory = {0};
    uint32_t n = e->own.n + e->n_results;
    heed_tensor **tensors = arena_array(&memory, n, sizeof(*tensors));
    *out = NULL;
    heed_status status = tensors ? run(e, request, &memory, tensors, out) : HEED_NOMEM;
    free_all(tensors, n);
    arena_free(&memory);
    return status;
}
