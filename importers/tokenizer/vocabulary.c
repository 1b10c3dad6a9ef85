/* vocabulary.c - reading a tokenizer: from a file, a folder or memory. */
#include "vocabulary.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

static const char file_name[] = "tokenizer.json";

/* ---- The parts ------------------------------------------------------------------------------ */

static heed_status read_bpe(heed_vocabulary *v, const tree *t, uint32_t model)
{
    v->model = MODEL_BPE;
    return bpe_read(&v->bpe, &v->words, t, model);
}

static heed_status read_wordpiece(heed_vocabulary *v, const tree *t, uint32_t model)
{
    v->model = MODEL_PIECES;
    return wordpiece_read(&v->pieces, &v->words, t, model);
}

static heed_status read_wordlevel(heed_vocabulary *v, const tree *t, uint32_t model)
{
    v->model = MODEL_PIECES;
    return wordlevel_read(&v->pieces, &v->words, t, model);
}

typedef struct kind {
    const char *type;
    const char *mark; /* a key that only this one has: older files have no type */
    heed_status (*read)(heed_vocabulary *v, const tree *t, uint32_t model);
} kind;

static const kind kinds[] = {
    {"BPE", "merges", read_bpe},
    {"WordPiece", "continuing_subword_prefix", read_wordpiece},
    {"WordLevel", "unk_token", read_wordlevel},
};

static bool is_kind(const tree *t, uint32_t model, const kind *k)
{
    uint32_t type = tree_get(t, model, "type");
    return type == TREE_NONE ? tree_get(t, model, k->mark) != TREE_NONE : tree_is(t, type, k->type);
}

static heed_status read_model(heed_vocabulary *v, const tree *t)
{
    uint32_t model = tree_get(t, 0, "model");
    if (tree_kind_of(t, model) != TREE_OBJECT)
        return tree_fail(t, HEED_INVALID, model, "\"model\" is missing, or is no object");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!is_kind(t, model, &kinds[i]))
            continue;
        heed_status status = words_read(&v->words, t, model);
        return status ? status : kinds[i].read(v, t, model);
    }
    if (tree_is(t, tree_get(t, model, "type"), "Unigram"))
        return tree_fail(t, HEED_UNSUPPORTED, model,
                         "Unigram models (SentencePiece) are not supported; BPE, WordPiece and "
                         "WordLevel are");
    return tree_fail_type(t, model, "model");
}

static heed_status read_parts(heed_vocabulary *v, const tree *t)
{
    if (tree_kind_of(t, 0) != TREE_OBJECT)
        return tree_fail(t, HEED_INVALID, 0, "is no tokenizer: it is no object");
    heed_status status = read_model(v, t);
    if (!status)
        status = normalize_read(&v->normalizer, t, tree_get(t, 0, "normalizer"));
    if (!status)
        status = added_read(&v->added, &v->words, &v->normalizer, t, 0);
    if (!status)
        status = stages_read(&v->stages, t, tree_get(t, 0, "pre_tokenizer"));
    if (!status)
        status = frame_read(&v->frame, t, tree_get(t, 0, "post_processor"));
    if (!status)
        status = decoders_read(&v->decoders, t, tree_get(t, 0, "decoder"));
    return status;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static heed_status make_empty(heed_vocabulary **out)
{
    heed_vocabulary *v = tok_zeroed(1, sizeof *v);
    *out = v;
    if (!v)
        return tok_no_memory();
    words_init(&v->words);
    settings_init(&v->settings);
    return HEED_OK;
}

/* Takes the tree. */
static heed_status build(tree *t, heed_vocabulary **out)
{
    heed_vocabulary *v;
    heed_status status = make_empty(&v);
    if (!status)
        status = read_parts(v, t);
    tree_free(t);
    if (status)
        vocabulary_close(v);
    else
        *out = v;
    return status;
}

heed_status vocabulary_open_memory(const char *json, uint64_t bytes, heed_vocabulary **out)
{
    tree t = {0};
    *out = NULL;
    char *text = bytes < UINT32_MAX ? tok_alloc(bytes + 1) : NULL;
    if (!text)
        return tok_no_memory();
    if (bytes)
        memcpy(text, json, bytes);
    text[bytes] = 0;
    heed_status status = tree_parse(&t, file_name, text, bytes);
    if (status) {
        tree_free(&t);
        return status;
    }
    return build(&t, out);
}

/* What older packages wrote instead says too little: how texts are split stands in their code. */
static heed_status fail_missing(const char *folder, const char *path)
{
    static const char *const others[] = {"vocab.txt", "vocab.json", "tokenizer.model",
                                         "spiece.model", "sentencepiece.bpe.model"};
    char other[SETTINGS_PATH + 64];
    struct stat about;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(other, sizeof other, "%s/%s", folder, others[i]);
        if (!stat(other, &about))
            return tok_host->fail(
                HEED_NOTFOUND,
                "there is no %s (there is %s; the package that wrote it makes the "
                "one of the other, in Python: AutoTokenizer.from_pretrained("
                "FOLDER).save_pretrained(FOLDER))",
                path, others[i]);
    }
    return tok_host->fail(HEED_NOTFOUND, "there is no %s", path);
}

static heed_status add_settings(const char *folder, heed_vocabulary **out)
{
    heed_status status = settings_read(&(*out)->settings, &(*out)->words, folder);
    if (status) {
        vocabulary_close(*out);
        *out = NULL;
    }
    return status;
}

static heed_status open_files(const char *folder, const char *path, heed_vocabulary **out)
{
    tree t;
    const char *slash = strrchr(path, '/');
    heed_status status = tree_read(&t, slash ? slash + 1 : path, path);
    if (status) {
        tree_free(&t);
        return status == HEED_NOTFOUND ? fail_missing(folder, path) : status;
    }
    status = build(&t, out);
    return status ? status : add_settings(folder, out);
}

heed_status vocabulary_open_settings(const char *folder, heed_vocabulary **out)
{
    *out = NULL;
    if (strlen(folder) >= SETTINGS_PATH)
        return tok_host->fail(HEED_INVALID, "the path has more than %d bytes", SETTINGS_PATH);
    heed_status status = make_empty(out);
    return status ? status : add_settings(folder, out);
}

heed_status vocabulary_open(const char *path, heed_vocabulary **out)
{
    char place[SETTINGS_PATH];
    *out = NULL;
    if (strlen(path) + sizeof file_name + 1 > sizeof place)
        return tok_host->fail(HEED_INVALID, "the path has more than %d bytes", SETTINGS_PATH);
    if (file_is_folder(path)) {
        snprintf(place, sizeof place, "%s/%s", path, file_name);
        return open_files(path, place, out);
    }
    const char *slash = strrchr(path, '/');
    snprintf(place, sizeof place, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return open_files(slash == path ? "/" : place, path, out);
}

void vocabulary_close(heed_vocabulary *v)
{
    if (!v)
        return;
    words_free(&v->words);
    added_free(&v->added);
    normalize_free(&v->normalizer);
    stages_free(&v->stages);
    bpe_free(&v->bpe);
    wordpiece_free(&v->pieces);
    frame_free(&v->frame);
    decoders_free(&v->decoders);
    settings_free(&v->settings);
    tok_free(v);
}
