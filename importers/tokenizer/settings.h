/* settings.h - what the configuration files beside a tokenizer say about its tokens. */
#ifndef TOKENIZER_SETTINGS_H
#define TOKENIZER_SETTINGS_H

#include "words.h"

enum { SETTINGS_PATH = 4096 };

typedef struct settings {
    int32_t begin, pad, decoder_start; /* -1: nothing says it */
    tok_ids ends;
    int64_t positions;
} settings;

void settings_init(settings *s);
/* The files of a folder, those that are there. HEED_INVALID names the file that is broken. */
heed_status settings_read(settings *s, const words *w, const char *folder);
void settings_free(settings *s);

#endif
