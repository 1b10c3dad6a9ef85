/* tree_query.c - what a tree of JSON says, and errors with the path of an element. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tree.h"

enum { PATH_MAX_BYTES = 160, MESSAGE_MAX = 240, LEVELS = 16, KEY_SHOWN = 40 };

static const tree_node *at(const tree *t, uint32_t node)
{
    static const tree_node nothing = {.at = TREE_NONE, .next = TREE_NONE, .parent = TREE_NONE};
    return node < t->n_nodes ? &t->nodes[node] : &nothing;
}

tree_kind tree_kind_of(const tree *t, uint32_t node) { return (tree_kind)at(t, node)->kind; }

uint32_t tree_first(const tree *t, uint32_t parent)
{
    const tree_node *n = at(t, parent);
    return n->kind == TREE_LIST || n->kind == TREE_OBJECT ? n->at : TREE_NONE;
}

uint32_t tree_next(const tree *t, uint32_t node) { return at(t, node)->next; }

const char *tree_key(const tree *t, uint32_t node, size_t *n)
{
    *n = at(t, node)->key_size;
    return t->text + at(t, node)->key;
}

uint32_t tree_get(const tree *t, uint32_t object, const char *key)
{
    uint32_t found = TREE_NONE;
    size_t n = strlen(key), size;
    if (tree_kind_of(t, object) != TREE_OBJECT)
        return TREE_NONE;
    for (uint32_t i = tree_first(t, object); i != TREE_NONE; i = tree_next(t, i)) {
        const char *name = tree_key(t, i, &size);
        if (size == n && memcmp(name, key, n) == 0)
            found = i;
    }
    return found;
}

const char *tree_text(const tree *t, uint32_t node, size_t *n)
{
    *n = 0;
    if (tree_kind_of(t, node) != TREE_TEXT)
        return NULL;
    *n = at(t, node)->size;
    return t->text + at(t, node)->at;
}

bool tree_is(const tree *t, uint32_t node, const char *text)
{
    size_t n;
    const char *found = tree_text(t, node, &n);
    return found && n == strlen(text) && memcmp(found, text, n) == 0;
}

bool tree_int(const tree *t, uint32_t node, int64_t *out)
{
    const tree_node *n = at(t, node);
    const char *s = t->text + n->at;
    uint32_t i = 0;
    if (n->kind != TREE_NUMBER || n->size > 18)
        return false;
    bool minus = s[0] == '-';
    for (*out = 0, i = minus; i < n->size; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *out = *out * 10 + (s[i] - '0');
    }
    *out = minus ? -*out : *out;
    return true;
}

/* ---- Errors --------------------------------------------------------------------------------- */

static size_t index_of(const tree *t, uint32_t node)
{
    size_t i = 0;
    uint32_t other = tree_first(t, at(t, node)->parent);
    for (; other != node && other != TREE_NONE; other = tree_next(t, other))
        i++;
    return i;
}

/* A key of a hostile file may be long, and hold anything. */
static void write_key(const tree *t, uint32_t node, char *out, size_t room)
{
    size_t n;
    const char *key = tree_key(t, node, &n);
    n = n > KEY_SHOWN ? KEY_SHOWN : n;
    n = n >= room ? room - 1 : n;
    for (size_t i = 0; i < n; i++)
        out[i] = key[i] >= ' ' && key[i] < 0x7F ? key[i] : '?';
    out[n] = 0;
}

static void write_path(const tree *t, uint32_t node, char *out, size_t room)
{
    uint32_t levels[LEVELS];
    size_t depth = 0;
    for (; depth < LEVELS && at(t, node)->parent != TREE_NONE; node = at(t, node)->parent)
        levels[depth++] = node;
    out[0] = 0;
    while (depth--) {
        size_t n = strlen(out);
        uint32_t parent = at(t, levels[depth])->parent;
        if (n + 1 >= room)
            return;
        if (tree_kind_of(t, parent) == TREE_LIST) {
            snprintf(out + n, room - n, "[%zu]", index_of(t, levels[depth]));
            continue;
        }
        if (n)
            out[n++] = '.';
        write_key(t, levels[depth], out + n, room - n);
    }
}

heed_status tree_fail(const tree *t, heed_status status, uint32_t node, const char *format, ...)
{
    char path[PATH_MAX_BYTES], message[MESSAGE_MAX];
    va_list args;
    write_path(t, node, path, sizeof path);
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return tok_host->fail(status, "%s: %s%s%s", t->name, path, path[0] ? ": " : "", message);
}

heed_status tree_fail_type(const tree *t, uint32_t node, const char *what)
{
    size_t n;
    const char *type = tree_text(t, tree_get(t, node, "type"), &n);
    if (!type)
        return tree_fail(t, HEED_INVALID, node, "is no %s: it has no \"type\"", what);
    return tree_fail(t, HEED_UNSUPPORTED, node, "a %s of type \"%.*s\" is not known", what,
                     n > KEY_SHOWN ? KEY_SHOWN : (int)n, type);
}

heed_status tree_want_text(const tree *t, uint32_t object, const char *key, const char **out,
                           size_t *n)
{
    uint32_t node = tree_get(t, object, key);
    *out = tree_text(t, node, n);
    if (*out)
        return HEED_OK;
    if (node == TREE_NONE)
        return tree_fail(t, HEED_INVALID, object, "\"%s\" is missing", key);
    return tree_fail(t, HEED_INVALID, node, "is no text");
}

heed_status tree_want_bool(const tree *t, uint32_t object, const char *key, bool *out)
{
    uint32_t node = tree_get(t, object, key);
    tree_kind kind = tree_kind_of(t, node);
    if (kind == TREE_NULL)
        return HEED_OK;
    if (kind != TREE_TRUE && kind != TREE_FALSE)
        return tree_fail(t, HEED_INVALID, node, "is neither true nor false");
    *out = kind == TREE_TRUE;
    return HEED_OK;
}

heed_status tree_want_list(const tree *t, uint32_t object, const char *key, uint32_t *out)
{
    *out = tree_get(t, object, key);
    if (*out == TREE_NONE)
        return tree_fail(t, HEED_INVALID, object, "\"%s\" is missing", key);
    if (tree_kind_of(t, *out) != TREE_LIST)
        return tree_fail(t, HEED_INVALID, *out, "is no list");
    return HEED_OK;
}
