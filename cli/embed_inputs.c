/* embed_inputs.c - which input of a model is what, and its tensors for a batch of texts.
 *
 * Roles come from names and types, as in `heed run`, where what nobody gives must be filled, too;
 * words NAME=ROLE decide where that is not enough. */
#include <stdlib.h>
#include <string.h>

#include "embed.h"

// clang-format off
static const struct {
    const char *name;
    embed_role role;
} roles[] = {
    {"ids", EMBED_IDS}, {"mask", EMBED_MASK}, {"types", EMBED_TYPES}, {"positions", EMBED_POSITIONS},
    {"ones", EMBED_ONES}, {"zeros", EMBED_ZEROS}, {"empty", EMBED_EMPTY},
};
/* Part of an input's name, and what that means. The first that fits counts. */
static const struct {
    const char *part;
    embed_role role;
} parts[] = {
    {"mask", EMBED_MASK}, {"type", EMBED_TYPES}, {"segment", EMBED_TYPES}, {"pos", EMBED_POSITIONS},
};
// clang-format on

/* ---- Roles ---- */

static bool is_whole(heed_dtype dtype)
{
    return dtype == HEED_INT64 || dtype == HEED_INT32 || dtype == HEED_UINT32 ||
           dtype == HEED_UINT64 || dtype == HEED_INT16 || dtype == HEED_INT8 ||
           dtype == HEED_UINT8 || dtype == HEED_UINT16;
}

/* A dim that is called "past" and is no sum stands for no tokens. */
static bool has_past(const heed_value_info *info)
{
    for (int32_t d = 0; d < info->ndim; d++)
        if (info->dims[d] < 0 && info->symbols[d] && strstr(info->symbols[d], "past") &&
            !strchr(info->symbols[d], '+'))
            return true;
    return false;
}

static embed_role guess_role(const heed_value_info *info)
{
    if (info->kind != HEED_TENSOR)
        return EMBED_UNKNOWN;
    if (info->ndim > 2 && has_past(info))
        return EMBED_EMPTY;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcasestr(info->name, parts[i].part))
            return parts[i].role;
    if (info->dtype == HEED_BOOL)
        return EMBED_MASK;
    return is_whole(info->dtype) && info->ndim >= 1 && info->ndim <= 2 ? EMBED_IDS : EMBED_UNKNOWN;
}

static int set_role(embed_inputs *inputs, const char *word)
{
    size_t length = strcspn(word, "=");
    for (size_t i = 0; i < inputs->n; i++) {
        const char *name = inputs->items[i].info->name;
        if (strlen(name) != length || strncmp(name, word, length))
            continue;
        for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++)
            if (word[length] && !strcmp(word + length + 1, roles[r].name)) {
                inputs->items[i].role = roles[r].role;
                return EXIT_OK;
            }
        return exit_with(EXIT_USAGE,
                         "%s: an input is ids, mask, types, positions, ones, zeros or "
                         "empty",
                         word);
    }
    return exit_with(EXIT_USAGE, "'%s': the model has no such input; a text is --text 'TEXT'",
                     word);
}

/* The input with this role that stands first after item `from`, or NULL. */
static const embed_input *find_role(const embed_inputs *inputs, embed_role role,
                                    const embed_input *from)
{
    size_t i = from ? (size_t)(from - inputs->items) + 1 : 0;
    for (; i < inputs->n; i++)
        if (inputs->items[i].role == role)
            return &inputs->items[i];
    return NULL;
}

/* One input has the ids, and every other has some role. */
static int check_roles(const embed_inputs *inputs)
{
    const embed_input *ids = find_role(inputs, EMBED_IDS, NULL);
    const embed_input *unknown = find_role(inputs, EMBED_UNKNOWN, NULL);
    const embed_input *second = ids ? find_role(inputs, EMBED_IDS, ids) : NULL;
    if (!ids)
        return exit_with(EXIT_USAGE, "no input takes tokens: heed embed is for models of text");
    if (second)
        return exit_with(EXIT_USAGE,
                         "inputs %s and %s could both take the tokens; say what one of them is, "
                         "such as %s=ones",
                         ids->info->name, second->info->name, second->info->name);
    if (unknown)
        return exit_with(EXIT_USAGE,
                         "input %s: it is not clear what it takes; say %s=ROLE (ids, mask, types, "
                         "positions, ones, zeros or empty)",
                         unknown->info->name, unknown->info->name);
    return EXIT_OK;
}

static void read_extents(embed_inputs *inputs)
{
    inputs->batch = inputs->length = -1;
    for (size_t i = 0; i < inputs->n; i++) {
        const heed_value_info *info = inputs->items[i].info;
        if (inputs->items[i].role == EMBED_IDS && info->ndim > 0) {
            inputs->length = info->dims[info->ndim - 1];
            inputs->batch = info->ndim > 1 ? info->dims[0] : 1;
        }
        /* Ones are right for a mask that is added, too; zeros are padding only in one that is
         * whole. */
        if (inputs->items[i].role == EMBED_MASK)
            inputs->pads = info->dtype == HEED_BOOL || is_whole(info->dtype);
    }
}

int embed_inputs_find(const cli_args *args, const heed_model *model, embed_inputs *out)
{
    *out = (embed_inputs){.n = heed_model_get_input_count(model)};
    out->items = cli_alloc(out->n, sizeof *out->items);
    for (size_t i = 0; i < out->n; i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        out->items[i] = (embed_input){info, info->optional ? EMBED_LEFT_OUT : guess_role(info)};
    }
    int code = EXIT_OK;
    for (size_t i = 1; i < args->n_words && !code; i++)
        code = set_role(out, args->words[i]);
    if (!code)
        code = check_roles(out);
    if (!code)
        read_extents(out);
    return code;
}

void embed_inputs_free(embed_inputs *inputs)
{
    free(inputs->items);
    *inputs = (embed_inputs){0};
}

/* ---- Tensors ---- */

typedef struct batch {
    const prompt *const *texts;
    size_t n_texts;
    int64_t rows, length;
    int32_t pad;
} batch;

/* What an input holds for token s of a row; rows beyond the texts repeat the first one. */
static double value_at(const batch *b, embed_role role, size_t row, size_t s)
{
    const prompt *text = b->texts[row < b->n_texts ? row : 0];
    switch (role) {
    case EMBED_IDS:
        return s < text->n_tokens ? text->tokens[s] : b->pad;
    case EMBED_MASK:
        return s < text->n_tokens;
    case EMBED_POSITIONS:
        return (double)s;
    default:
        return role == EMBED_ONES;
    }
}

/* Open axes: the first is the batch, others are tokens, or nothing in an empty past. */
static int32_t shape_of(const batch *b, const embed_input *item, int64_t *dims)
{
    const heed_value_info *info = item->info;
    int32_t ndim = info->ndim >= 0 ? info->ndim : 2;
    for (int32_t d = 0; d < ndim; d++) {
        bool batch_axis = d == 0 && ndim > 1;
        int64_t open = item->role == EMBED_EMPTY ? 0 : b->length;
        dims[d] = info->ndim >= 0 && info->dims[d] >= 0 ? info->dims[d]
                  : batch_axis                          ? b->rows
                                                        : open;
    }
    return ndim;
}

static heed_status make_tensor(const batch *b, const embed_input *item, heed_tensor **out)
{
    int64_t dims[16];
    int32_t ndim = shape_of(b, item, dims);
    heed_status status = heed_tensor_new(item->info->dtype, ndim, dims, out);
    int64_t count = status ? 0 : heed_tensor_get_count(*out);
    int64_t last = ndim ? dims[ndim - 1] : 1, row = ndim > 1 && dims[0] ? count / dims[0] : count;
    for (int64_t i = 0; i < count && !status; i++) {
        double value = value_at(b, item->role, (size_t)(i / row), (size_t)(i % last));
        status = heed_tensor_write_f64(*out, i, 1, &value);
    }
    return status;
}

heed_status embed_inputs_make(const embed_inputs *inputs, const prompt *const *texts,
                              size_t n_texts, int64_t rows, int64_t length, int32_t pad,
                              const char **names, heed_tensor **tensors, size_t *n)
{
    batch b = {texts, n_texts, rows, length, pad};
    heed_status status = HEED_OK;
    *n = 0;
    for (size_t i = 0; i < inputs->n && !status; i++) {
        if (inputs->items[i].role == EMBED_LEFT_OUT)
            continue;
        names[*n] = inputs->items[i].info->name;
        tensors[*n] = NULL;
        status = make_tensor(&b, &inputs->items[i], &tensors[*n]);
        *n += !status;
    }
    return status;
}
