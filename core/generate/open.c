/* open.c - from a path to the parts of a generator: decoder, encoder, tokenizer, scheduler.
 *
 * A path is a model file, or a folder: then the first of its files that is a decoder and lacks
 * nothing. Exporters put several forms of a decoder and an encoder side by side: those that look
 * like decoders are tried before others, the ones with the fewest inputs first, which have the
 * least to be taken for granted. */
#include <stdio.h>
#include <string.h>

#include "generate/folder.h"
#include "generate/generator.h"
#include "passes/paging/roles.h"

static heed_status open_encoder(heed_generator *g, const char *path,
                                const heed_generator_options *o)
{
    arena memory = {0};
    const char *folder = folder_of(path, &memory);
    heed_status status =
        folder ? encoder_new(g->model, g->decoder, o->encoder, folder, o->session, &g->encoder)
               : HEED_NOMEM;
    arena_free(&memory);
    return status;
}

/* As many numbers a token as its embedding has, and far fewer than there are tokens: what comes out
 * says nothing about which token is next. */
static heed_status check_logits(const heed_model *m, const decoder_about *about)
{
    arena memory = {0};
    decoder_roles roles;
    if (about->vocabulary > about->ids / 2) /* most are, and roles are not looked for once more */
        return HEED_OK;
    heed_status status = roles_find(m->ir, &memory, &roles);
    const ir_value *table = !status && roles.main != UINT32_MAX ? roles.table[roles.main] : NULL;
    int64_t width = table && table->type.rank == 2 ? table->type.dims[1] : 0;
    if (!status && width == about->vocabulary) {
        err_fail(HEED_UNSUPPORTED,
                 "the model gives %lld numbers a token, as its embeddings have, and there are %lld "
                 "tokens: these are hidden states, no logits",
                 (long long)width, (long long)about->ids);
        status = err_hint("nothing can be generated from it; vectors of texts: heed embed");
    }
    arena_free(&memory);
    return status;
}

static heed_status open_decoder(heed_generator *g, const char *path,
                                const heed_generator_options *o)
{
    TRY(session_options_read(o->session, &g->options));
    TRY(heed_model_load(path, NULL, &g->model));
    model_warn(g->model, g->options.compile.no_dropout);
    decoder_options options = {.compile = g->options.compile,
                               .page_tokens = o->page_tokens,
                               .kv_bytes = o->kv_memory,
                               .kv_dtype = o->kv_dtype,
                               .share = !(o->flags & HEED_GENERATOR_NO_SHARING),
                               .contiguous = (o->flags & HEED_GENERATOR_CONTIGUOUS) != 0};
    TRY(decoder_new(g->model, &options, &g->decoder));
    TRY(check_logits(g->model, decoder_get_about(g->decoder)));
    TRY(open_encoder(g, path, o));
    return scheduler_new(g->decoder, o->step_tokens, o->max_sequences,
                         (o->flags & HEED_GENERATOR_SWAP) != 0, &g->scheduler);
}

void generator_close_parts(heed_generator *g)
{
    scheduler_free(g->scheduler);
    encoder_free(g->encoder);
    decoder_free(g->decoder);
    heed_model_free(g->model);
    session_options_free(&g->options);
    g->scheduler = NULL;
    g->encoder = NULL;
    g->decoder = NULL;
    g->model = NULL;
    g->options = (session_options){0};
}

/* ---- Folders ----------------------------------------------------------------------------------
 */

/* Is a failure that of this file, so that another one may do? */
static bool may_go_on(heed_status status)
{
    return status == HEED_UNSUPPORTED || status == HEED_INVALID || status == HEED_NOTFOUND;
}

/* Why no file of the folder will do: of the only one, or of the first one, what it said. */
static heed_status refuse(const char *folder, const char *file, const char *why, size_t n)
{
    if (n == 0)
        return err_fail(HEED_NOTFOUND, "%s has no model: no file there ends with .onnx", folder);
    return err_fail(HEED_UNSUPPORTED, "%s%s: %s", n > 1 ? "no model of the folder will do; " : "",
                    file, why);
}

/* It gives a row of numbers with one for each token that it looks up. */
static bool looks_like_decoder(const heed_model *m)
{
    arena memory = {0};
    decoder_roles roles;
    const ir_graph *g = m->ir->main;
    bool found = false;
    bool tokens = g->n_outputs > 0 && !roles_find(m->ir, &memory, &roles) &&
                  roles.main != UINT32_MAX && roles.role[roles.main] == PAGING_TOKENS;
    for (uint32_t o = 0; tokens && o < g->n_outputs; o++) {
        const ir_type *type = &g->output_types[o];
        found = found || (type->rank > 1 && type->dims[type->rank - 1] == roles.rows[roles.main]);
    }
    arena_free(&memory);
    return found;
}

/* Its inputs; SIZE_MAX: it does not look like a decoder. */
static size_t place_of(const char *file)
{
    heed_model *m = NULL;
    size_t n = SIZE_MAX;
    if (heed_model_load(file, NULL, &m))
        err_clear();
    else if (looks_like_decoder(m))
        n = heed_model_get_input_count(m);
    heed_model_free(m);
    return n;
}

static heed_status sort_files(const char *const *files, size_t n, arena *memory,
                              const char *const **out)
{
    const char **sorted = arena_array(memory, n, sizeof(*sorted));
    size_t *places = arena_array(memory, n, sizeof(*places));
    if (!sorted || !places)
        return HEED_NOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t own = n > 1 ? place_of(files[i]) : 0, k = i;
        for (; k > 0 && places[k - 1] > own; k--) {
            places[k] = places[k - 1];
            sorted[k] = sorted[k - 1];
        }
        places[k] = own;
        sorted[k] = files[i];
    }
    *out = sorted;
    return HEED_OK;
}

static heed_status open_first(heed_generator *g, const char *folder, const char *const *files,
                              size_t n, const heed_generator_options *o)
{
    char why[256] = "";
    for (size_t i = 0; i < n; i++) {
        heed_status status = open_decoder(g, files[i], o);
        const char *missing = status ? NULL : encoder_missing(g->encoder);
        if (!status && !missing)
            return HEED_OK;
        if (i == 0)
            snprintf(why, sizeof(why), "%s", missing ? missing : err_get()->message);
        generator_close_parts(g);
        if (!may_go_on(status) && !missing)
            return status;
    }
    return refuse(folder, n ? files[0] : "", why, n);
}

static heed_status open_folder(heed_generator *g, const char *folder,
                               const heed_generator_options *o)
{
    arena memory = {0};
    const char *const *files;
    size_t n;
    heed_status status = folder_models(folder, &memory, &files, &n);
    const char *inner = !status && n == 0 ? arena_printf(&memory, "%s/onnx", folder) : NULL;
    if (inner) /* where a model comes in several formats, each has a folder */
        status = folder_models(inner, &memory, &files, &n);
    if (!status)
        status = sort_files(files, n, &memory, &files);
    if (!status)
        status = open_first(g, folder, files, n, o);
    arena_free(&memory);
    return status;
}

/* ---- Tokenizers -------------------------------------------------------------------------------
 */

/* The one that is asked for; else of the folder, or of the one above: graphs often have a folder of
 * their own. */
static heed_status find_tokenizer(heed_generator *g, const char *path, const char *wanted,
                                  arena *memory)
{
    if (wanted)
        return heed_tokenizer_open(wanted, &g->tokenizer);
    const char *folder = folder_is(path) ? path : folder_of(path, memory);
    const char *above = folder ? arena_printf(memory, "%s/..", folder) : NULL;
    if (!above)
        return HEED_NOMEM;
    heed_status status = heed_tokenizer_open(folder, &g->tokenizer);
    if (status != HEED_NOTFOUND)
        return status;
    snprintf(g->no_tokenizer, sizeof(g->no_tokenizer), "%s, nor in the folder above",
             err_get()->message);
    return heed_tokenizer_open(above, &g->tokenizer);
}

/* A request of tokens does without a tokenizer, but ends where the model's files say. */
static heed_status open_settings(heed_generator *g, const char *path, arena *memory)
{
    const char *folder = folder_is(path) ? path : folder_of(path, memory);
    heed_status status = folder ? tokenizer_open_settings(folder, &g->settings) : HEED_NOMEM;
    err_clear();
    return status == HEED_NOMEM ? status : HEED_OK;
}

static heed_status open_tokenizer(heed_generator *g, const char *path, const char *wanted)
{
    arena memory = {0};
    heed_status status = find_tokenizer(g, path, wanted, &memory);
    g->words = (heed_tokenizer_info){
        .size = sizeof(g->words), .begin = -1, .pad = -1, .decoder_start = -1, .positions = -1};
    if (status && !wanted && status != HEED_NOMEM) {
        if (status != HEED_NOTFOUND) /* it is there, and broken: said when a text needs it */
            snprintf(g->no_tokenizer, sizeof(g->no_tokenizer), "%s", err_get()->message);
        status = open_settings(g, path, &memory);
    }
    if (g->tokenizer || g->settings)
        heed_tokenizer_get_info(g->tokenizer ? g->tokenizer : g->settings, &g->words);
    arena_free(&memory);
    return status;
}

heed_status generator_open_parts(heed_generator *g, const char *path,
                                 const heed_generator_options *o)
{
    TRY(open_tokenizer(g, path, o->tokenizer));
    return folder_is(path) ? open_folder(g, path, o) : open_decoder(g, path, o);
}
