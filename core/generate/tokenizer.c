/* tokenizer.c - heed_tokenizer_*: what the plugin of heed.tokenizer/1 reads, for callers. */
#include <string.h>

#include "base/mem.h"
#include "base/service.h"
#include "generate/generator.h"
#include "heed/plugin.h"
#include "heed/tokenizer.h"
#include "plugin/registry.h"

struct heed_tokenizer {
    const heed_tokenizer_interface *plugin;
    heed_vocabulary *vocabulary;
};

/* Flags are passed on as they are. */
_Static_assert((int)HEED_TOKENIZE_PLAIN == (int)HEED_ENCODE_PLAIN, "flags of encode");
_Static_assert((int)HEED_TOKENIZE_SPECIAL == (int)HEED_DECODE_SPECIAL, "flags of decode");

static heed_status find_plugin(const heed_tokenizer_interface **out)
{
    const void *found;
    service_provide(plugin_find_service);
    TRY(service_find(HEED_TOKENIZER_ID, &found));
    *out = found;
    if (HEED_HAS(*out, open) && HEED_HAS(*out, close) && HEED_HAS(*out, info) &&
        HEED_HAS(*out, encode) && HEED_HAS(*out, decode))
        return HEED_OK;
    return err_fail(HEED_UNSUPPORTED, "the plugin \"tokenizer\" lacks a function that is needed");
}

typedef heed_status open_function(const char *path, heed_vocabulary **out);

static heed_status open_by(const heed_tokenizer_interface *plugin, open_function *open,
                           const char *path, heed_tokenizer **out)
{
    heed_tokenizer *t = mem_zero(sizeof(*t));
    if (!t)
        return HEED_NOMEM;
    t->plugin = plugin;
    heed_status status = open(path, &t->vocabulary);
    if (status)
        mem_free(t);
    else
        *out = t;
    return status;
}

heed_status heed_tokenizer_open(const char *path, heed_tokenizer **out)
{
    const heed_tokenizer_interface *plugin;
    err_clear();
    if (!out)
        return err_fail(HEED_USAGE, "out is NULL");
    *out = NULL;
    if (!path)
        return err_fail(HEED_USAGE, "path is NULL");
    TRY(find_plugin(&plugin));
    return open_by(plugin, plugin->open, path, out);
}

heed_status tokenizer_open_settings(const char *folder, heed_tokenizer **out)
{
    const heed_tokenizer_interface *plugin;
    *out = NULL;
    TRY(find_plugin(&plugin));
    if (!HEED_HAS(plugin, open_settings))
        return err_fail(HEED_UNSUPPORTED, "the plugin \"tokenizer\" reads no settings alone");
    return open_by(plugin, plugin->open_settings, folder, out);
}

void heed_tokenizer_free(heed_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    tokenizer->plugin->close(tokenizer->vocabulary);
    mem_free(tokenizer);
}

heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes,
                                  uint32_t flags, int32_t *tokens, size_t capacity, size_t *n)
{
    uint64_t needed = 0;
    err_clear();
    if (!tokenizer || !n || (!text && bytes) || (!tokens && capacity))
        return err_fail(HEED_USAGE, "tokenizer, text, tokens or n is NULL");
    *n = 0;
    TRY(tokenizer->plugin->encode(tokenizer->vocabulary, text, bytes, flags, tokens, capacity,
                                  &needed));
    *n = (size_t)needed;
    return HEED_OK;
}

heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *tokens, size_t n,
                                  uint32_t flags, char *text, size_t capacity, size_t *bytes)
{
    uint64_t needed = 0;
    err_clear();
    if (!tokenizer || !bytes || (!tokens && n) || (!text && capacity))
        return err_fail(HEED_USAGE, "tokenizer, tokens, text or bytes is NULL");
    *bytes = 0;
    TRY(tokenizer->plugin->decode(tokenizer->vocabulary, tokens, n, flags, text, capacity,
                                  &needed));
    *bytes = (size_t)needed;
    return HEED_OK;
}

void heed_tokenizer_get_info(const heed_tokenizer *tokenizer, heed_tokenizer_info *out)
{
    heed_vocabulary_info info = {.size = sizeof(info)};
    if (!tokenizer || !out)
        return;
    tokenizer->plugin->info(tokenizer->vocabulary, &info);
    heed_tokenizer_info all = {
        .size = out->size,
        .n_tokens = info.n_tokens,
        .begin = info.begin,
        .pad = info.pad,
        .decoder_start = info.decoder_start,
        .ends = info.ends,
        .n_ends = (size_t)info.n_ends,
        .positions = info.positions,
    };
    memcpy(out, &all, out->size < sizeof(all) ? out->size : sizeof(all));
}
