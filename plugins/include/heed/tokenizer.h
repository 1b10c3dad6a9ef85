/* heed/tokenizer.h - from text to tokens and back, interface "heed.tokenizer/1".
 *
 * The plugin tokenizer.so offers it; generation borrows it. Text is UTF-8 with an explicit size,
 * and may hold NUL bytes. A token is an id >= 0. The rules of heed/plugin.h hold. */
#ifndef HEED_TOKENIZER_H
#define HEED_TOKENIZER_H

#include "heed/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_TOKENIZER_ID "heed.tokenizer/1"

typedef struct heed_vocabulary heed_vocabulary; /* a tokenizer that was read; read-only */

/* What the tokenizer's file says, and the configuration files that stand beside it. -1: nothing. */
typedef struct heed_vocabulary_info {
    uint32_t size;
    uint32_t flags;     /* 0 */
    int32_t n_tokens;   /* all ids are below this */
    int32_t begin, pad; /* tokens of these meanings */
    int32_t decoder_start;
    const int32_t *ends; /* tokens that end a text, valid as long as the vocabulary */
    uint64_t n_ends;
    int64_t positions; /* the longest text that the model was made for, in tokens */
} heed_vocabulary_info;

enum {
    HEED_ENCODE_PLAIN = 1u << 0,  /* no tokens around the text ([CLS], <s>) */
    HEED_DECODE_SPECIAL = 1u << 1 /* special tokens show as text; without it they are left out */
};

typedef struct heed_tokenizer_interface {
    uint32_t size;
    uint32_t flags; /* 0 */
    /* Reads a tokenizer.json, or that of a folder. HEED_NOTFOUND when there is none, HEED_INVALID
     * with the element that is wrong, HEED_UNSUPPORTED with the part that is not known. [any] */
    heed_status (*open)(const char *path, heed_vocabulary **out);
    /* The same from memory: no files beside it. [any] */
    heed_status (*open_memory)(const char *json, uint64_t bytes, heed_vocabulary **out);
    void (*close)(heed_vocabulary *v);                                 /* NULL is legal [any] */
    void (*info)(const heed_vocabulary *v, heed_vocabulary_info *out); /* up to out->size [any] */
    /* *needed tokens in all; as many as fit into `capacity` are written, so that a first call may
     * ask. HEED_INVALID, with the place, for text that is not UTF-8. [any] */
    heed_status (*encode)(const heed_vocabulary *v, const char *text, uint64_t bytes,
                          uint32_t flags, int32_t *tokens, uint64_t capacity, uint64_t *needed);
    /* The same way back. Always UTF-8: what is no character (yet) is U+FFFD. HEED_INVALID for an id
     * that is none. [any] */
    heed_status (*decode)(const heed_vocabulary *v, const int32_t *tokens, uint64_t n,
                          uint32_t flags, char *text, uint64_t capacity, uint64_t *needed);
    /* How the file spells a token, or NULL. [any] */
    const char *(*spelling)(const heed_vocabulary *v, int32_t token, uint64_t *bytes);
    int32_t (*find)(const heed_vocabulary *v, const char *spelling,
                    uint64_t bytes); /* or -1 [any] */
    /* What the configuration files of a folder say, where it has no tokenizer: a vocabulary without
     * words, of which `info` tells. HEED_INVALID names the file that is broken. [any] */
    heed_status (*open_settings)(const char *folder, heed_vocabulary **out);
} heed_tokenizer_interface;

#ifdef __cplusplus
}
#endif
#endif
