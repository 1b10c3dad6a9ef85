/* vocabulary.h - a tokenizer that was read: all parts of tokenizer.json, and what stands beside. */
#ifndef TOKENIZER_VOCABULARY_H
#define TOKENIZER_VOCABULARY_H

#include "added.h"
#include "bpe.h"
#include "decoders.h"
#include "frame.h"
#include "heed/tokenizer.h"
#include "settings.h"
#include "stages.h"
#include "wordpiece.h"

typedef enum vocabulary_model { MODEL_BPE, MODEL_PIECES } vocabulary_model;

struct heed_vocabulary {
    words words;
    added added;
    normalizer normalizer;
    stages stages;
    vocabulary_model model;
    bpe bpe;
    wordpiece pieces;
    frame frame;
    decoders decoders;
    settings settings;
};

heed_status vocabulary_open(const char *path, heed_vocabulary **out);
heed_status vocabulary_open_memory(const char *json, uint64_t bytes, heed_vocabulary **out);
/* No words, but what the configuration files of the folder say. */
heed_status vocabulary_open_settings(const char *folder, heed_vocabulary **out);
void vocabulary_close(heed_vocabulary *v);
heed_status vocabulary_encode(const heed_vocabulary *v, const char *text, uint64_t bytes,
                              uint32_t flags, int32_t *tokens, uint64_t capacity, uint64_t *needed);
heed_status vocabulary_decode(const heed_vocabulary *v, const int32_t *tokens, uint64_t n,
                              uint32_t flags, char *text, uint64_t capacity, uint64_t *needed);

#endif
