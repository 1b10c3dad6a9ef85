/* embed_config.c - what the files beside an embedding model say about it: modules.json, which names
 * the steps after the encoder, 1_Pooling/config.json, and the longest text it was made for.
 *
 * The format is that of sentence-transformers; who has no such files gets the defaults. */
#include <stdlib.h>
#include <string.h>

#include "embed.h"
#include "files.h"
#include "json.h"

enum { NAME = 128 };

typedef struct json_span {
    const char *text;
    size_t size;
} json_span;

/* The file's text, or NULL when there is none. */
static char *read_text(const char *path, file_bytes *bytes)
{
    return files_exists(path) && files_read(path, bytes) ? (char *)bytes->data : NULL;
}

static bool is_true(json_span object, const char *key)
{
    size_t n;
    const char *value = json_find(object.text, object.size, key, &n);
    return value && n >= 4 && !strncmp(value, "true", 4);
}

/* The one pooling that the file turns on. */
static int read_pooling(const char *path, embed_config *out)
{
    file_bytes bytes = {0};
    size_t on = 0;
    const char *text = read_text(path, &bytes);
    for (const embed_pooling *p = embed_poolings; text && p->name; p++)
        if (p->key && is_true((json_span){text, bytes.size}, p->key)) {
            out->pooling = p;
            on++;
        }
    files_free(&bytes);
    if (on > 1)
        return exit_with(EXIT_MODEL, "%s: %zu poolings side by side are not supported; say --pool",
                         path, on);
    if (on && !out->from)
        out->from = cli_copy(path);
    return EXIT_OK;
}

static void read_limit(const char *path, embed_config *out)
{
    file_bytes bytes = {0};
    size_t n;
    const char *text = read_text(path, &bytes);
    const char *value = text ? json_find(text, bytes.size, "max_seq_length", &n) : NULL;
    if (value && *value >= '0' && *value <= '9')
        out->limit = (size_t)strtoull(value, NULL, 10);
    files_free(&bytes);
}

/* ---- modules.json ---- */

static int read_pooling_module(const char *folder, embed_config *out)
{
    char *path = cli_format("%s/config.json", folder);
    int code = read_pooling(path, out);
    free(path);
    return code;
}

static int read_encoder_module(const char *folder, embed_config *out)
{
    char *path = cli_format("%s/sentence_bert_config.json", folder);
    read_limit(path, out);
    free(path);
    return EXIT_OK;
}

static int read_normalize_module(const char *folder, embed_config *out)
{
    (void)folder;
    out->normalize = 1;
    return EXIT_OK;
}

static const struct {
    const char *type; /* after the last dot */
    int (*read)(const char *folder, embed_config *out);
} modules[] = {{"Transformer", read_encoder_module},
               {"Pooling", read_pooling_module},
               {"Normalize", read_normalize_module}};

static int read_module(const char *folder, json_span item, embed_config *out)
{
    char type[NAME] = "", path[NAME] = "";
    json_find_text(item.text, item.size, "type", type, sizeof type);
    json_find_text(item.text, item.size, "path", path, sizeof path);
    const char *dot = strrchr(type, '.');
    const char *name = dot ? dot + 1 : type;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (!strcmp(modules[i].type, name)) {
            char *inner = cli_format("%s/%s", folder, path);
            int code = modules[i].read(inner, out);
            free(inner);
            return code;
        }
    note("%s/modules.json: a step '%s' follows, which heed embed leaves out", folder, name);
    return EXIT_OK;
}

static int read_modules(const char *folder, const file_bytes *bytes, embed_config *out)
{
    json_span item;
    int code = EXIT_OK;
    const char *text = (const char *)bytes->data;
    out->normalize = 0; /* unless a step says so */
    for (size_t i = 0; !code; i++) {
        item.text = json_find_item(text, bytes->size, i, &item.size);
        if (!item.text)
            break;
        code = read_module(folder, item, out);
    }
    return code;
}

static int read_folder(const char *folder, embed_config *out)
{
    file_bytes bytes = {0};
    char *path = cli_format("%s/modules.json", folder);
    int code = EXIT_OK;
    if (read_text(path, &bytes)) {
        out->from = cli_copy(path);
        code = read_modules(folder, &bytes, out);
    } else {
        char *alone = cli_format("%s/1_Pooling", folder);
        code = read_pooling_module(alone, out);
        free(alone);
    }
    files_free(&bytes);
    free(path);
    return code;
}

int embed_config_read(const char *model, embed_config *out)
{
    *out = (embed_config){.normalize = -1};
    char *folder = prompts_folder(model);
    int code = read_folder(folder, out);
    if (!code && !out->from) {
        char *above = cli_format("%s/..", folder);
        code = read_folder(above, out);
        free(above);
    }
    free(folder);
    return code;
}
