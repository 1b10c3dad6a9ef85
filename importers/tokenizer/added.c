/* added.c - see added.h. */
#include "added.h"

#include <string.h>

#include "chars.h"
#include "unicode.h"

/* ---- The tree ------------------------------------------------------------------------------- */

static bool new_node(added_tree *t, unsigned char byte)
{
    added_node *grown =
        t->n < UINT32_MAX ? tok_grow(t->nodes, &t->room, t->n + 1, sizeof *t->nodes) : NULL;
    if (!grown)
        return false;
    t->nodes = grown;
    grown[t->n++] = (added_node){.byte = byte};
    return true;
}

static uint32_t child_of(const added_tree *t, uint32_t node, unsigned char byte)
{
    if (!node)
        return t->start[byte];
    uint32_t i = t->nodes[node].child;
    while (i && t->nodes[i].byte != byte)
        i = t->nodes[i].sibling;
    return i;
}

/* The first token of a spelling keeps it. */
static bool insert(added_tree *t, const char *text, size_t n, uint32_t token)
{
    uint32_t node = 0;
    if (!t->n && !new_node(t, 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        uint32_t next = child_of(t, node, byte);
        if (!next) {
            if (!new_node(t, byte))
                return false;
            next = (uint32_t)t->n - 1;
            t->nodes[next].sibling = t->nodes[node].child;
            t->nodes[node].child = next;
            if (!node)
                t->start[byte] = next;
        }
        node = next;
    }
    if (node && !t->nodes[node].token)
        t->nodes[node].token = token + 1;
    return true;
}

/* The longest token that begins at `at`: its number plus 1, and its end. */
static uint32_t longest(const added_tree *t, const char *text, size_t n, size_t at, size_t *to)
{
    uint32_t found = 0, node = t->start[(unsigned char)text[at]];
    while (node) {
        at++;
        if (t->nodes[node].token) {
            found = t->nodes[node].token;
            *to = at;
        }
        node = at < n ? child_of(t, node, (unsigned char)text[at]) : 0;
    }
    return found;
}

/* ---- Matches -------------------------------------------------------------------------------- */

static bool alone(const char *text, size_t n, size_t from, size_t to)
{
    size_t before = from ? chars_before(text, from) : 0;
    if (from && uni_word(chars_next(text, &before)))
        return false;
    return to == n || !uni_word(chars_next(text, &to));
}

static size_t spaces_before(const char *text, size_t at)
{
    while (at) {
        size_t before = chars_before(text, at), next = before;
        if (!uni_space(chars_next(text, &next)))
            break;
        at = before;
    }
    return at;
}

static size_t spaces_behind(const char *text, size_t n, size_t at)
{
    for (size_t next = at; at < n && uni_space(chars_next(text, &next)); at = next)
        ;
    return at;
}

/* A match that is part of a word is none, but what it covers is not looked at again. */
bool added_next(const added *a, const added_tree *among, const char *text, size_t n, size_t *at,
                size_t done, added_match *out)
{
    size_t to = 0;
    while (among->n && *at < n) {
        uint32_t found = longest(among, text, n, *at, &to);
        size_t from = *at;
        *at = found ? to : from + 1;
        if (!found)
            continue;
        const added_token *token = &a->tokens[found - 1];
        if (token->single_word && !alone(text, n, from, to))
            continue;
        if (token->left) {
            size_t left = spaces_before(text, from);
            from = left > done ? left : done;
        }
        *out = (added_match){from, token->right ? spaces_behind(text, n, to) : to, token->id};
        return true;
    }
    return false;
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef struct reading {
    added *a;
    words *w;
    const normalizer *normalizer;
    normalize_room room;
    const tree *t;
    int32_t next; /* the id of the next token that the model does not have */
} reading;

/* A token that the model has keeps its id there. */
static heed_status choose_id(reading *r, uint32_t node, const char *text, size_t n, int32_t *id,
                             uint32_t *flags)
{
    *id = words_find(r->w, text, n, 0);
    if (*id >= 0) {
        *flags |= r->w->by_id[*id].flags;
        return HEED_OK;
    }
    *id = r->next++;
    if (*id >= IDS_MAX)
        return tree_fail(r->t, HEED_UNSUPPORTED, node, "more than %d tokens", IDS_MAX);
    return HEED_OK;
}

static heed_status insert_normalized(reading *r, const char *text, size_t n, uint32_t token)
{
    bool first = true;
    const char *made;
    size_t size;
    heed_status status = normalize_run(r->normalizer, &r->room, text, n, &made, &size, &first);
    if (!status && (size != n || memcmp(made, text, n) != 0))
        status = words_show(r->w, r->a->tokens[token].id, made, size);
    if (status)
        return status;
    return insert(&r->a->normalized, made, size, token) ? HEED_OK : tok_no_memory();
}

static heed_status read_token(reading *r, uint32_t node)
{
    const char *text;
    size_t n;
    uint32_t flags = 0, index = (uint32_t)r->a->n;
    bool normalized = true, special = false;
    added_token token = {0};
    heed_status status = tree_want_text(r->t, node, "content", &text, &n);
    if (!status)
        status = tree_want_bool(r->t, node, "single_word", &token.single_word);
    if (!status)
        status = tree_want_bool(r->t, node, "lstrip", &token.left);
    if (!status)
        status = tree_want_bool(r->t, node, "rstrip", &token.right);
    if (!status)
        status = tree_want_bool(r->t, node, "normalized", &normalized);
    if (!status)
        status = tree_want_bool(r->t, node, "special", &special);
    if (status || !n)
        return status;
    if (n > ADDED_LONGEST)
        return tree_fail(r->t, HEED_UNSUPPORTED, node, "a token of %zu bytes", n);
    flags = special ? WORD_SPECIAL : 0;
    status = choose_id(r, node, text, n, &token.id, &flags);
    if (!status)
        status = words_set(r->w, text, n, token.id, flags);
    if (status)
        return status;
    r->a->tokens[r->a->n++] = token;
    if (normalized)
        return insert_normalized(r, text, n, index);
    return insert(&r->a->plain, text, n, index) ? HEED_OK : tok_no_memory();
}

heed_status added_read(added *a, words *w, const normalizer *n, const tree *t, uint32_t root)
{
    size_t count = 0;
    heed_status status = HEED_OK;
    uint32_t i, list = tree_get(t, root, "added_tokens");
    reading r = {.a = a, .w = w, .normalizer = n, .t = t, .next = (int32_t)w->n_model};
    if (tree_kind_of(t, list) == TREE_NULL)
        return HEED_OK;
    if (tree_kind_of(t, list) != TREE_LIST)
        return tree_fail(t, HEED_INVALID, list, "is no list");
    for (i = tree_first(t, list); i != TREE_NONE; i = tree_next(t, i))
        count++;
    a->tokens = tok_zeroed(count + 1, sizeof *a->tokens);
    if (!a->tokens)
        return tok_no_memory();
    for (i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        status = read_token(&r, i);
    normalize_room_free(&r.room);
    return status;
}

void added_free(added *a)
{
    tok_free(a->tokens);
    tok_free(a->plain.nodes);
    tok_free(a->normalized.nodes);
}
