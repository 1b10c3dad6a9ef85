/* frame.c - the post-processors of tokenizer.json, of one text, as lists of tokens. */
#include "frame.h"

#include <string.h>

enum { ID_MAX = 1 << 24 };

typedef struct kind {
    const char *type;
    heed_status (*read)(frame *f, const tree *t, uint32_t node);
} kind;

static heed_status begin(frame *f, const tree *t, uint32_t node, tok_ids **out)
{
    if (f->framed)
        return tree_fail(t, HEED_UNSUPPORTED, node, "a second post-processor that adds tokens");
    f->framed = true;
    *out = &f->items;
    return HEED_OK;
}

static heed_status push_id(const tree *t, uint32_t node, tok_ids *out)
{
    int64_t id;
    if (!tree_int(t, node, &id) || id < 0 || id >= ID_MAX)
        return tree_fail(t, HEED_INVALID, node, "is no token's number");
    tok_push(out, (int32_t)id);
    return out->failed ? tok_no_memory() : HEED_OK;
}

/* ---- TemplateProcessing --------------------------------------------------------------------- */

/* {"[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}} */
static heed_status push_special(const tree *t, uint32_t template, uint32_t piece, tok_ids *out)
{
    const char *name;
    size_t n, size;
    uint32_t specials = tree_get(t, template, "special_tokens"), ids;
    heed_status status = tree_want_text(t, piece, "id", &name, &n);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, specials); i != TREE_NONE; i = tree_next(t, i)) {
        const char *key = tree_key(t, i, &size);
        if (size != n || memcmp(key, name, n) != 0)
            continue;
        status = tree_want_list(t, i, "ids", &ids);
        for (uint32_t id = tree_first(t, ids); !status && id != TREE_NONE; id = tree_next(t, id))
            status = push_id(t, id, out);
        return status;
    }
    return tree_fail(t, HEED_INVALID, piece, "is not among \"special_tokens\"");
}

static heed_status read_template(frame *f, const tree *t, uint32_t node)
{
    tok_ids *out = NULL;
    uint32_t list;
    heed_status status = begin(f, t, node, &out);
    if (!status)
        status = tree_want_list(t, node, "single", &list);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i)) {
        uint32_t special = tree_get(t, i, "SpecialToken"), text = tree_get(t, i, "Sequence");
        if (special != TREE_NONE)
            status = push_special(t, node, special, out);
        else if (tree_is(t, tree_get(t, text, "id"), "A"))
            tok_push(out, FRAME_TEXT);
        else
            status = tree_fail(t, HEED_INVALID, i, "is neither a special token nor the text A");
    }
    return status ? status : out->failed ? tok_no_memory() : HEED_OK;
}

/* ---- The others ----------------------------------------------------------------------------- */

/* ["[CLS]", 101] */
static heed_status push_named(const tree *t, uint32_t node, const char *key, tok_ids *out)
{
    uint32_t pair;
    heed_status status = tree_want_list(t, node, key, &pair);
    return status ? status : push_id(t, tree_next(t, tree_first(t, pair)), out);
}

static heed_status read_pair(frame *f, const tree *t, uint32_t node)
{
    tok_ids *out = NULL;
    heed_status status = begin(f, t, node, &out);
    if (!status)
        status = push_named(t, node, "cls", out);
    if (status)
        return status;
    tok_push(out, FRAME_TEXT);
    return push_named(t, node, "sep", out);
}

/* It only moves offsets. */
static heed_status read_nothing(frame *f, const tree *t, uint32_t node)
{
    (void)f, (void)t, (void)node;
    return HEED_OK;
}

static heed_status read_sequence(frame *f, const tree *t, uint32_t node)
{
    uint32_t list;
    heed_status status = tree_want_list(t, node, "processors", &list);
    if (status)
        return status;
    for (uint32_t i = tree_first(t, list); i != TREE_NONE && !status; i = tree_next(t, i))
        status = frame_read(f, t, i);
    return status;
}

static const kind kinds[] = {
    {"Sequence", read_sequence},   {"TemplateProcessing", read_template},
    {"BertProcessing", read_pair}, {"RobertaProcessing", read_pair},
    {"ByteLevel", read_nothing},
};

heed_status frame_read(frame *f, const tree *t, uint32_t node)
{
    if (tree_kind_of(t, node) == TREE_NULL)
        return HEED_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tree_is(t, tree_get(t, node, "type"), kinds[i].type))
            return kinds[i].read(f, t, node);
    return tree_fail_type(t, node, "post-processor");
}

void frame_free(frame *f) { tok_free(f->items.data); }

/* ---- Running -------------------------------------------------------------------------------- */

heed_status frame_run(const frame *f, bool plain, tok_ids *ids)
{
    tok_ids framed = {0};
    if (!f->framed)
        return HEED_OK;
    for (size_t i = 0; i < f->items.n; i++) {
        int32_t item = f->items.data[i];
        if (item != FRAME_TEXT && !plain)
            tok_push(&framed, item);
        for (size_t k = 0; item == FRAME_TEXT && k < ids->n; k++)
            tok_push(&framed, ids->data[k]);
    }
    tok_free(ids->data);
    *ids = framed;
    return ids->failed ? tok_no_memory() : HEED_OK;
}
