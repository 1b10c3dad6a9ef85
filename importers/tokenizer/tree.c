/* tree.c - reads JSON into a tree. */
#include "tree.h"

#include <string.h>

#include "chars.h"

enum { DEEPEST = 64, NODES_MAX = 1 << 23 };

typedef struct reader {
    tree *t;
    char *s; /* the text; ends with a NUL */
    size_t at;
    unsigned depth;
    bool no_memory;
} reader;

static bool read_value(reader *r, uint32_t node);

/* ---- Texts ---------------------------------------------------------------------------------- */

static void skip_space(reader *r) { r->at += strspn(r->s + r->at, " \t\r\n"); }

static bool take(reader *r, char c)
{
    skip_space(r);
    if (r->at >= r->t->n || r->s[r->at] != c)
        return false;
    r->at++;
    return true;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return !found ? -1 : found - digits < 16 ? (int)(found - digits) : (int)(found - digits) - 6;
}

/* Four digits, or -1. */
static int32_t read_unit(reader *r)
{
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(r->s[r->at]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
        r->at++;
    }
    return unit;
}

/* \uD83D\uDE00 is one character; half of a pair is none. */
static bool read_unicode(reader *r, char **out)
{
    int32_t unit = read_unit(r);
    if (unit >= 0xD800 && unit < 0xDC00) {
        if (r->s[r->at] != '\\' || r->s[r->at + 1] != 'u')
            return false;
        r->at += 2;
        int32_t low = read_unit(r);
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    } else if (unit < 0 || (unit >= 0xDC00 && unit < 0xE000)) {
        return false;
    }
    *out += chars_encode((uint32_t)unit, *out);
    return true;
}

static bool read_escape(reader *r, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char letter = r->s[r->at];
    const char *found = letter ? strchr(names, letter) : NULL;
    r->at += letter != 0; /* the end is not passed */
    if (!found)
        return letter == 'u' && read_unicode(r, out);
    *(*out)++ = values[found - names];
    return true;
}

/* Behind the opening quote. What is written is never longer than what was read. */
static bool read_text(reader *r, uint32_t *at, uint32_t *size)
{
    char *out = r->s + r->at;
    *at = (uint32_t)r->at;
    while (r->at < r->t->n && r->s[r->at] != '"') {
        char c = r->s[r->at++];
        if (c != '\\')
            *out++ = c;
        else if (!read_escape(r, &out))
            return false;
        if (c >= 0 && c < ' ')
            return false;
    }
    *size = (uint32_t)(out - (r->s + *at));
    if (r->at >= r->t->n)
        return false;
    r->at++;
    return true;
}

/* ---- Values --------------------------------------------------------------------------------- */

static uint32_t new_node(reader *r, uint32_t parent)
{
    tree *t = r->t;
    tree_node *grown =
        t->n_nodes < NODES_MAX ? tok_grow(t->nodes, &t->room, t->n_nodes + 1, sizeof *grown) : NULL;
    if (!grown) {
        r->no_memory = t->n_nodes < NODES_MAX;
        return TREE_NONE;
    }
    t->nodes = grown;
    grown[t->n_nodes] =
        (tree_node){.at = TREE_NONE, .next = TREE_NONE, .parent = parent, .kind = TREE_NULL};
    return (uint32_t)t->n_nodes++;
}

static bool read_key(reader *r, uint32_t node)
{
    uint32_t at, size;
    if (!take(r, '"') || !read_text(r, &at, &size) || !take(r, ':'))
        return false;
    r->t->nodes[node].key = at;
    r->t->nodes[node].key_size = size;
    return true;
}

static bool read_items(reader *r, uint32_t parent, char end)
{
    uint32_t last = TREE_NONE;
    if (take(r, end))
        return true;
    do {
        uint32_t item = new_node(r, parent);
        if (item == TREE_NONE || (end == '}' && !read_key(r, item)) || !read_value(r, item))
            return false;
        if (last == TREE_NONE)
            r->t->nodes[parent].at = item;
        else
            r->t->nodes[last].next = item;
        r->t->nodes[parent].size++;
        last = item;
    } while (take(r, ','));
    return take(r, end);
}

static size_t digits(reader *r)
{
    size_t n = strspn(r->s + r->at, "0123456789");
    r->at += n;
    return n;
}

static bool read_number(reader *r, tree_node *node)
{
    size_t start = r->at;
    node->kind = TREE_NUMBER;
    node->at = (uint32_t)start;
    r->at += r->s[r->at] == '-';
    if (!digits(r))
        return false;
    if (r->s[r->at] == '.' && (r->at++, !digits(r)))
        return false;
    if (r->s[r->at] == 'e' || r->s[r->at] == 'E') {
        r->at++;
        r->at += r->s[r->at] == '-' || r->s[r->at] == '+';
        if (!digits(r))
            return false;
    }
    node->size = (uint32_t)(r->at - start);
    return true;
}

static bool read_word(reader *r, tree_node *node)
{
    static const char *const words[] = {"null", "false", "true"}; /* as tree_kind */
    for (uint32_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (strncmp(r->s + r->at, words[i], n) == 0) {
            node->kind = i;
            r->at += n;
            return true;
        }
    }
    return read_number(r, node);
}

static bool read_items_of(reader *r, uint32_t node, tree_kind kind, char end)
{
    r->t->nodes[node].kind = kind;
    if (++r->depth > DEEPEST || !read_items(r, node, end))
        return false;
    r->depth--;
    return true;
}

static bool read_value(reader *r, uint32_t node)
{
    if (take(r, '{'))
        return read_items_of(r, node, TREE_OBJECT, '}');
    if (take(r, '['))
        return read_items_of(r, node, TREE_LIST, ']');
    if (take(r, '"')) {
        r->t->nodes[node].kind = TREE_TEXT;
        return read_text(r, &r->t->nodes[node].at, &r->t->nodes[node].size);
    }
    return read_word(r, &r->t->nodes[node]);
}

static heed_status refuse(const reader *r)
{
    const char *why = r->depth > DEEPEST           ? "is nested too deep"
                      : r->t->n_nodes >= NODES_MAX ? "has too many values"
                                                   : "is no JSON";
    if (r->no_memory)
        return tok_no_memory();
    return tok_host->fail(HEED_INVALID, "%s %s, at byte %zu", r->t->name, why, r->at);
}

heed_status tree_parse(tree *t, const char *name, char *text, size_t n)
{
    reader r = {.t = t, .s = text};
    *t = (tree){.text = text, .n = n, .name = name};
    size_t valid = chars_valid(text, n);
    if (valid < n)
        return tok_host->fail(HEED_INVALID, "%s is not UTF-8, at byte %zu", name, valid);
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        r.at = 3; /* a byte order mark */
    bool good = new_node(&r, TREE_NONE) == 0 && read_value(&r, 0);
    skip_space(&r);
    return good && r.at == n ? HEED_OK : refuse(&r);
}

void tree_free(tree *t)
{
    tok_free(t->text);
    tok_free(t->nodes);
    *t = (tree){0};
}
