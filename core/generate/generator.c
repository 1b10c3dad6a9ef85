/* generator.c - generators: options, opening, and what is told about them. */
#include "generate/generator.h"

#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "base/ram.h"
#include "generate/folder.h"

enum { PAGE_TOKENS = 16, STEP_TOKENS = 512, SEQUENCES = 256 };

static heed_status read_options(const heed_generator_options *given, heed_generator_options *out)
{
    *out = (heed_generator_options){0};
    if (given && !HEED_HAS_FIELD(given, flags))
        return err_fail(HEED_USAGE, "heed_generator_options.size is not set");
    if (given)
        memcpy(out, given, given->size < sizeof(*out) ? given->size : sizeof(*out));
    if (out->page_tokens > 4096)
        return err_fail(HEED_INVALID, "page_tokens is %u; 1 to 4096 are possible",
                        out->page_tokens);
    out->page_tokens = out->page_tokens ? out->page_tokens : PAGE_TOKENS;
    out->step_tokens = out->step_tokens ? out->step_tokens : STEP_TOKENS;
    out->max_sequences = out->max_sequences ? out->max_sequences : SEQUENCES;
    out->kv_memory = out->kv_memory ? out->kv_memory : ram_allowed() / 4;
    return HEED_OK;
}

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

static heed_status open_decoder(heed_generator *g, const char *path,
                                const heed_generator_options *o)
{
    TRY(session_options_read(o->session, &g->options));
    TRY(heed_model_load(path, NULL, &g->model));
    decoder_options options = {.compile = g->options.compile,
                               .page_tokens = o->page_tokens,
                               .kv_bytes = o->kv_memory,
                               .kv_dtype = o->kv_dtype,
                               .share = !(o->flags & HEED_GENERATOR_NO_SHARING),
                               .contiguous = (o->flags & HEED_GENERATOR_CONTIGUOUS) != 0};
    TRY(decoder_new(g->model, &options, &g->decoder));
    TRY(open_encoder(g, path, o));
    return scheduler_new(g->decoder, o->step_tokens, o->max_sequences,
                         (o->flags & HEED_GENERATOR_SWAP) != 0, &g->scheduler);
}

/* The one that is asked for must be there; beside the model there may be one. */
static heed_status open_tokenizer(heed_generator *g, const char *path, const char *wanted)
{
    arena memory = {0};
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? arena_copy(&memory, path, (size_t)(slash - path) + 1) : ".";
    heed_status status =
        folder ? heed_tokenizer_open(wanted ? wanted : folder, &g->tokenizer) : HEED_NOMEM;
    arena_free(&memory);
    g->words = (heed_tokenizer_info){
        .size = sizeof(g->words), .begin = -1, .pad = -1, .decoder_start = -1, .positions = -1};
    if (!status)
        heed_tokenizer_get_info(g->tokenizer, &g->words);
    if (!status || wanted || status == HEED_NOMEM)
        return status;
    snprintf(g->no_tokenizer, sizeof(g->no_tokenizer), "%s", err_get()->message);
    err_clear();
    return HEED_OK;
}

static void describe(heed_generator *g)
{
    const decoder_about *about = decoder_get_about(g->decoder);
    g->stats.page_tokens = about->page_tokens;
    g->stats.form = about->form;
    g->stats.reason = about->reason;
    g->stats.page_bytes = about->page_bytes;
    g->stats.pages_limit = about->page_limit;
}

heed_status heed_generator_open(const char *path, const heed_generator_options *options,
                                heed_generator **out)
{
    heed_generator_options o;
    uint64_t began = generate_now();
    *out = NULL;
    TRY(read_options(options, &o));
    heed_generator *g = mem_zero(sizeof(*g));
    if (!g)
        return HEED_NOMEM;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->free_to_lead, NULL);
    g->generation = pool_fork_generation();
    heed_status status = open_tokenizer(g, path, o.tokenizer);
    if (!status)
        status = open_decoder(g, path, &o);
    if (status) {
        heed_generator_free(g);
        return status;
    }
    describe(g);
    g->stats.load_ns = generate_now() - began;
    *out = g;
    return HEED_OK;
}

void heed_generator_free(heed_generator *g)
{
    if (!g)
        return;
    if (g->scheduler)
        generator_take_in(g);
    for (heed_sequence *s = g->all; s;) {
        heed_sequence *next = s->next_of_all;
        if (!s->done)
            scheduler_remove(g->scheduler, &s->job);
        sequence_delete(s);
        s = next;
    }
    scheduler_free(g->scheduler);
    encoder_free(g->encoder);
    decoder_free(g->decoder);
    heed_tokenizer_free(g->tokenizer);
    heed_model_free(g->model);
    session_options_free(&g->options);
    pthread_cond_destroy(&g->free_to_lead);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

const heed_tokenizer *heed_generator_get_tokenizer(const heed_generator *g) { return g->tokenizer; }

void heed_generator_get_stats(heed_generator *g, heed_generator_stats *out)
{
    uint32_t size = out->size < sizeof(*out) ? out->size : (uint32_t)sizeof(*out);
    pthread_mutex_lock(&g->lock);
    heed_generator_stats stats = g->stats;
    pthread_mutex_unlock(&g->lock);
    stats.size = size;
    memcpy(out, &stats, size);
}
