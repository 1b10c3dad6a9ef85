/* generator.c - generators: options, opening, and what is told about them. */
#include "generate/generator.h"

#include <string.h>

#include "base/pool.h"
#include "base/ram.h"

enum { PAGE_TOKENS = 16, STEP_TOKENS = 512, SEQUENCES = 256 };

/* A quarter of what there is: weights, other programs and what steps need are beside them. */
static uint64_t default_kv_memory(void)
{
    uint64_t allowed = ram_allowed(), limit = mem_limit();
    return (limit && limit < allowed ? limit : allowed) / 4;
}

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
    static const heed_dtype kept[] = {HEED_UNDEFINED, HEED_FLOAT32, HEED_BFLOAT16, HEED_FLOAT16,
                                      HEED_INT8};
    bool known = false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        known = known || out->kv_dtype == kept[i];
    if (!known)
        return err_fail(HEED_INVALID,
                        "kv_dtype is %s; keys and values are kept in float32, bfloat16, float16 "
                        "or int8",
                        heed_dtype_name(out->kv_dtype));
    out->page_tokens = out->page_tokens ? out->page_tokens : PAGE_TOKENS;
    out->step_tokens = out->step_tokens ? out->step_tokens : STEP_TOKENS;
    out->max_sequences = out->max_sequences ? out->max_sequences : SEQUENCES;
    out->kv_memory = out->kv_memory ? out->kv_memory : default_kv_memory();
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
    g->stats.vocabulary = (uint64_t)about->vocabulary;
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
    heed_status status = generator_open_parts(g, path, &o);
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
    generator_close_parts(g);
    heed_tokenizer_free(g->tokenizer);
    heed_tokenizer_free(g->settings);
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
