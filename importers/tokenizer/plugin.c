/* plugin.c - the plugin's table: what the runtime sees of tokenizers. */
#include <string.h>

#include "vocabulary.h"

#ifndef HEED_VERSION
#define HEED_VERSION "0"
#endif

/* What the caller knows of the struct, and no more. */
static void get_info(const heed_vocabulary *v, heed_vocabulary_info *out)
{
    const settings *s = &v->settings;
    heed_vocabulary_info info = {
        .size = out->size,
        .n_tokens = (int32_t)v->words.n_ids,
        .begin = s->begin,
        .pad = s->pad,
        .decoder_start = s->decoder_start,
        .ends = s->ends.data,
        .n_ends = s->ends.n,
        .positions = s->positions,
    };
    memcpy(out, &info, out->size < sizeof info ? out->size : sizeof info);
}

static const char *spelling(const heed_vocabulary *v, int32_t token, uint64_t *bytes)
{
    size_t n;
    const char *text = words_spelling(&v->words, token, &n);
    *bytes = n;
    return text;
}

static int32_t find(const heed_vocabulary *v, const char *text, uint64_t bytes)
{
    return words_find(&v->words, text, bytes, 0);
}

static const heed_tokenizer_interface tokenizers = {
    .size = sizeof tokenizers,
    .open = vocabulary_open,
    .open_memory = vocabulary_open_memory,
    .close = vocabulary_close,
    .info = get_info,
    .encode = vocabulary_encode,
    .decode = vocabulary_decode,
    .spelling = spelling,
    .find = find,
    .open_settings = vocabulary_open_settings,
};

static heed_status init(const heed_host *given)
{
    if (given->abi != HEED_ABI || !HEED_HAS(given, fail))
        return HEED_UNSUPPORTED;
    if (!HEED_HAS(given, alloc) || !HEED_HAS(given, free))
        return given->fail(HEED_UNSUPPORTED, "the plugin tokenizer needs alloc and free");
    tok_host = given;
    return HEED_OK;
}

static const void *get(const char *id)
{
    return strcmp(id, HEED_TOKENIZER_ID) == 0 ? &tokenizers : NULL;
}

HEED_PLUGIN(tokenizer, .version = HEED_VERSION, .vendor = "heed", .init = init, .get = get);
