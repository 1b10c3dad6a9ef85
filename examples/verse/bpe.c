/* bpe.c - a byte-level BPE tokenizer, read from a Hugging Face tokenizer.json. */
#include "bpe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

typedef struct token {
    char *bytes; /* what it stands for, not how the file spells it */
    size_t size;
    int64_t id;
    bool special;
} token;

typedef struct merge {
    int64_t left, right, merged;
    size_t rank;
} merge;

struct bpe {
    size_t n, n_merges;
    token *by_id;
    token **by_bytes; /* sorted */
    merge *merges;    /* sorted by left and right */
};

/* ---- The alphabet of the file -----------------------------------------------------------------
 * A byte that prints is spelled as the character of its value, all others as 256, 257, ... */

static bool is_plain(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* The byte that the code point spells, or -1. */
static int byte_of(unsigned code)
{
    if (code < 256)
        return is_plain(code) ? (int)code : -1;
    unsigned next = 256;
    for (unsigned byte = 0; byte < 256; byte++)
        if (!is_plain(byte) && next++ == code)
            return (int)byte;
    return -1;
}

/* The code point at *at (one or two bytes of UTF-8 are all that the alphabet needs). */
static unsigned next_code(const char **at)
{
    unsigned c = (unsigned char)*(*at)++;
    if (c >= 0xc0 && c < 0xe0 && **at)
        c = (c & 0x1f) << 6 | ((unsigned char)*(*at)++ & 0x3f);
    return c;
}

static char *to_bytes(const char *spelled, size_t *size)
{
    char *bytes = malloc(strlen(spelled) + 1);
    *size = 0;
    while (bytes && *spelled) {
        int byte = byte_of(next_code(&spelled));
        if (byte < 0) {
            free(bytes);
            return NULL;
        }
        bytes[(*size)++] = (char)byte;
    }
    return bytes;
}

/* ---- Tables --------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    const token *x = *(token *const *)a, *y = *(token *const *)b;
    size_t shorter = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->bytes, y->bytes, shorter);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static int by_pair(const void *a, const void *b)
{
    const merge *x = a, *y = b;
    int order = (x->left > y->left) - (x->left < y->left);
    return order ? order : (x->right > y->right) - (x->right < y->right);
}

static int64_t find_bytes(const bpe *t, const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return -1;
    memcpy(copy, bytes, size);
    token key = {.bytes = copy, .size = size};
    const token *wanted = &key;
    token *const *found = bsearch(&wanted, t->by_bytes, t->n, sizeof(token *), by_bytes);
    free(copy);
    return found ? (*found)->id : -1;
}

static int64_t find_spelled(const bpe *t, const char *spelled)
{
    size_t size;
    char *bytes = to_bytes(spelled, &size);
    int64_t id = bytes ? find_bytes(t, bytes, size) : -1;
    free(bytes);
    return id;
}

static bool load_vocabulary(bpe *t, const json *vocabulary)
{
    if (!vocabulary || vocabulary->kind != JSON_OBJECT || !vocabulary->n)
        return false;
    t->n = vocabulary->n;
    t->by_id = calloc(t->n, sizeof *t->by_id);
    t->by_bytes = calloc(t->n, sizeof *t->by_bytes);
    for (size_t i = 0; t->by_id && t->by_bytes && i < t->n; i++) {
        double id = vocabulary->items[i].number;
        if (!(id >= 0 && id < (double)t->n) || t->by_id[(size_t)id].bytes)
            return false;
        token *entry = &t->by_id[(size_t)id];
        entry->id = (int64_t)id;
        entry->bytes = to_bytes(vocabulary->keys[i], &entry->size);
        t->by_bytes[i] = entry;
        if (!entry->bytes)
            return false;
    }
    if (!t->by_id || !t->by_bytes)
        return false;
    qsort(t->by_bytes, t->n, sizeof *t->by_bytes, by_bytes);
    return true;
}

/* A merge is ["a", "b"], or "a b" in older files. */
static bool split_merge(const json *entry, char **left, char **right)
{
    *left = *right = NULL;
    if (entry->kind == JSON_LIST && entry->n == 2 && entry->items[0].text && entry->items[1].text) {
        *left = strdup(entry->items[0].text);
        *right = strdup(entry->items[1].text);
    } else if (entry->kind == JSON_TEXT && strchr(entry->text, ' ')) {
        size_t n = strcspn(entry->text, " ");
        *left = strndup(entry->text, n);
        *right = strdup(entry->text + n + 1);
    }
    return *left && *right;
}

static bool load_merge(bpe *t, const json *entry, merge *out)
{
    char *left, *right, *both = NULL;
    bool good = split_merge(entry, &left, &right);
    if (good)
        both = malloc(strlen(left) + strlen(right) + 1);
    good = good && both;
    if (good) {
        strcpy(both, left);
        strcat(both, right);
        out->left = find_spelled(t, left);
        out->right = find_spelled(t, right);
        out->merged = find_spelled(t, both);
        good = out->left >= 0 && out->right >= 0 && out->merged >= 0;
    }
    free(left);
    free(right);
    free(both);
    return good;
}

static bool load_merges(bpe *t, const json *merges)
{
    if (!merges || merges->kind != JSON_LIST)
        return false;
    t->merges = calloc(merges->n + 1, sizeof *t->merges);
    for (; t->merges && t->n_merges < merges->n; t->n_merges++) {
        merge *out = &t->merges[t->n_merges];
        out->rank = t->n_merges;
        if (!load_merge(t, &merges->items[t->n_merges], out))
            return false;
    }
    if (t->merges)
        qsort(t->merges, t->n_merges, sizeof *t->merges, by_pair);
    return t->merges != NULL;
}

static void mark_special(bpe *t, const json *added)
{
    for (size_t i = 0; added && i < added->n; i++) {
        const json *id = json_get(&added->items[i], "id");
        const json *special = json_get(&added->items[i], "special");
        if (id && special && special->number != 0 && id->number >= 0 && id->number < (double)t->n)
            t->by_id[(size_t)id->number].special = true;
    }
}

static bool is_byte_level(const json *file)
{
    const json *model = json_get(json_get(file, "model"), "type");
    const json *splitter = json_get(json_get(file, "pre_tokenizer"), "type");
    return model && model->text && !strcmp(model->text, "BPE") && splitter && splitter->text &&
           !strcmp(splitter->text, "ByteLevel");
}

bpe *bpe_load(const char *path)
{
    json *file = json_load(path);
    const json *model = json_get(file, "model");
    bpe *t = calloc(1, sizeof *t);
    bool good = t && file && is_byte_level(file) && load_vocabulary(t, json_get(model, "vocab")) &&
                load_merges(t, json_get(model, "merges"));
    if (good)
        mark_special(t, json_get(file, "added_tokens"));
    json_free(file);
    if (good)
        return t;
    fprintf(stderr, "%s: cannot be read, or is no tokenizer.json of a byte-level BPE\n", path);
    bpe_free(t);
    return NULL;
}

void bpe_free(bpe *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->by_id && i < t->n; i++)
        free(t->by_id[i].bytes);
    free(t->by_id);
    free(t->by_bytes);
    free(t->merges);
    free(t);
}

/* ---- Encoding ------------------------------------------------------------------------------- */

/* Bytes above 127 count as letters: right for the letters of UTF-8, enough for an example. */
static bool is_letter(char c) { return isalpha((unsigned char)c) || (c & 0x80); }

static size_t span(const char *text, bool (*is)(char c))
{
    size_t n = 0;
    while (text[n] && is(text[n]))
        n++;
    return n;
}

static bool is_digit(char c) { return isdigit((unsigned char)c); }

static bool is_space(char c) { return isspace((unsigned char)c); }

static bool is_other(char c) { return !is_letter(c) && !is_digit(c) && !is_space(c); }

/* 's 't 're 've 'm 'll 'd, as in GPT-2's pattern. */
static size_t contraction(const char *text)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (!strncmp(text, endings[i], strlen(endings[i])))
            return strlen(endings[i]);
    return 0;
}

/* The next piece: a contraction; letters, digits or signs with a space before them; or space,
 * whose last one belongs to the word that follows. */
static size_t next_piece(const char *text)
{
    static bool (*const kinds[])(char c) = {is_letter, is_digit, is_other};
    size_t n = contraction(text);
    size_t lead = *text == ' ';
    for (size_t i = 0; !n && i < 3; i++) {
        size_t length = span(text + lead, kinds[i]);
        n = length ? lead + length : 0;
    }
    if (n)
        return n;
    n = span(text, is_space);
    return n > 1 && text[n] ? n - 1 : n;
}

static const merge *find_merge(const bpe *t, int64_t left, int64_t right)
{
    merge key = {.left = left, .right = right};
    return bsearch(&key, t->merges, t->n_merges, sizeof key, by_pair);
}

/* Joins the pair of the lowest rank until none is left; returns the new number of ids. */
static size_t apply_merges(const bpe *t, int64_t *ids, size_t n)
{
    for (;;) {
        const merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const merge *found = find_merge(t, ids[i], ids[i + 1]);
            if (found && (!best || found->rank < best->rank)) {
                best = found;
                at = i;
            }
        }
        if (!best)
            return n;
        ids[at] = best->merged;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

int64_t *bpe_encode(const bpe *t, const char *text, size_t *n)
{
    int64_t *ids = calloc(strlen(text) + 1, sizeof *ids);
    *n = 0;
    while (ids && *text) {
        size_t length = next_piece(text);
        for (size_t i = 0; i < length; i++)
            ids[*n + i] = find_bytes(t, text + i, 1);
        *n += apply_merges(t, ids + *n, length);
        text += length;
    }
    return ids;
}

const char *bpe_get_bytes(const bpe *t, int64_t id, size_t *size)
{
    if (id < 0 || (size_t)id >= t->n)
        return NULL;
    *size = t->by_id[id].size;
    return t->by_id[id].bytes;
}

bool bpe_is_special(const bpe *t, int64_t id)
{
    return id >= 0 && (size_t)id < t->n && t->by_id[id].special;
}

size_t bpe_get_size(const bpe *t) { return t->n; }
