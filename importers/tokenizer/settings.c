/* settings.c - the configuration files that exporters put beside a model.
 *
 * Several say the same thing. The first that says it counts, in the order of `sources`: what is
 * made for generation, then what describes the model, then what describes the tokenizer. */
#include "settings.h"

#include <stdio.h>

#include "file.h"

enum { KEYS_MAX = 6, POSITIONS_MAX = 1 << 30 };

/* ---- Values --------------------------------------------------------------------------------- */

/* A token's number; negative ones and null say nothing. */
static bool token_number(const tree *t, uint32_t node, int32_t *out)
{
    int64_t value;
    if (!tree_int(t, node, &value) || value < 0 || value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

static void take_token(const tree *t, uint32_t node, int32_t *out)
{
    if (*out >= 0)
        return;
    if (tree_kind_of(t, node) == TREE_LIST)
        node = tree_first(t, node);
    token_number(t, node, out);
}

/* A number, or a list of them. */
static void take_ends(const tree *t, uint32_t node, tok_ids *out)
{
    int32_t id;
    bool list = tree_kind_of(t, node) == TREE_LIST;
    if (out->n)
        return;
    for (uint32_t i = list ? tree_first(t, node) : node; i != TREE_NONE;
         i = list ? tree_next(t, i) : TREE_NONE)
        if (token_number(t, i, &id))
            tok_push(out, id);
}

static void take_positions(const tree *t, uint32_t object, int64_t *out)
{
    static const char *const keys[KEYS_MAX] = {
        "max_position_embeddings", "n_positions", "max_target_positions", "n_ctx", "max_seq_len",
        "context_length"};
    int64_t value;
    for (size_t i = 0; i < KEYS_MAX && *out < 0; i++)
        if (tree_int(t, tree_get(t, object, keys[i]), &value) && value > 0 &&
            value <= POSITIONS_MAX)
            *out = value;
}

/* ---- Numbers: generation and models --------------------------------------------------------- */

static void read_numbers(settings *s, const tree *t, uint32_t object)
{
    take_ends(t, tree_get(t, object, "eos_token_id"), &s->ends);
    take_token(t, tree_get(t, object, "bos_token_id"), &s->begin);
    take_token(t, tree_get(t, object, "pad_token_id"), &s->pad);
    take_token(t, tree_get(t, object, "decoder_start_token_id"), &s->decoder_start);
    take_positions(t, object, &s->positions);
}

/* Models of several parts describe the one that writes text inside. */
static void read_config(settings *s, const words *w, const tree *t)
{
    static const char *const inner[] = {"text_config", "decoder", "model", "llm_config"};
    (void)w;
    read_numbers(s, t, 0);
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        read_numbers(s, t, tree_get(t, 0, inner[i]));
}

/* ---- Names: tokenizers ---------------------------------------------------------------------- */

/* "</s>", or {"content": "</s>", ...}, as the number of that token; or TREE_NONE's -1. */
static int32_t named_token(const tree *t, const words *w, const char *key)
{
    size_t n;
    uint32_t node = tree_get(t, 0, key);
    const char *text = tree_text(t, node, &n);
    if (!text)
        text = tree_text(t, tree_get(t, node, "content"), &n);
    return text ? words_find(w, text, n, 0) : -1;
}

static void read_names(settings *s, const words *w, const tree *t)
{
    int64_t longest;
    int32_t end = named_token(t, w, "eos_token");
    if (!s->ends.n && end >= 0)
        tok_push(&s->ends, end);
    if (s->begin < 0)
        s->begin = named_token(t, w, "bos_token");
    if (s->pad < 0)
        s->pad = named_token(t, w, "pad_token");
    if (s->positions < 0 && tree_int(t, tree_get(t, 0, "model_max_length"), &longest) &&
        longest > 0 && longest <= POSITIONS_MAX)
        s->positions = longest;
}

/* ---- The whole ------------------------------------------------------------------------------ */

typedef struct source {
    const char *name;
    void (*read)(settings *s, const words *w, const tree *t);
} source;

static const source sources[] = {
    {"generation_config.json", read_config},
    {"genai_config.json", read_config},
    {"config.json", read_config},
    {"tokenizer_config.json", read_names},
    {"special_tokens_map.json", read_names},
};

void settings_init(settings *s)
{
    *s = (settings){.begin = -1, .pad = -1, .decoder_start = -1, .positions = -1};
}

static heed_status read_source(settings *s, const words *w, const char *folder, const source *from)
{
    tree t;
    char path[SETTINGS_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, from->name);
    heed_status status = tree_read(&t, from->name, path);
    if (!status)
        from->read(s, w, &t);
    tree_free(&t);
    return status == HEED_NOTFOUND ? HEED_OK : status;
}

heed_status settings_read(settings *s, const words *w, const char *folder)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0] && !status; i++)
        status = read_source(s, w, folder, &sources[i]);
    return status ? status : s->ends.failed ? tok_no_memory() : HEED_OK;
}

void settings_free(settings *s) { tok_free(s->ends.data); }
