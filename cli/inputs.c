/* inputs.c - from words of the command line to the tensors of a run.
 *
 * In this order: words are sorted into values and shapes; tensors whose shape is known from their
 * own value are made, and bind symbols; what is still unknown is guessed and said; the rest is
 * made and filled. */
#include "inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fill.h"
#include "input_parts.h"
#include "print.h"

enum { SYMBOL_SIZE = 256 };

const char *input_symbol(const heed_value_info *info, int32_t axis, char *room, size_t size)
{
    const char *symbol = info->symbols ? info->symbols[axis] : NULL;
    if (symbol && *symbol)
        return symbol;
    snprintf(room, size, "%s.%d", info->name, (int)axis);
    return room;
}

/* ---- Shapes ---- */

/* Symbols that stand alone on an axis take its extent. */
static void bind_dims(input_set *set, const input_item *item, int32_t ndim, const int64_t *dims)
{
    char room[SYMBOL_SIZE], origin[SYMBOL_SIZE];
    snprintf(origin, sizeof origin, "input %s", item->info->name);
    for (int32_t d = 0; d < ndim && d < item->info->ndim; d++) {
        const char *symbol = input_symbol(item->info, d, room, sizeof room);
        if (item->info->dims[d] < 0 && dims[d] >= 0 && shapes_is_symbol(symbol))
            shapes_bind(&set->env, symbol, dims[d], false, origin);
    }
}

static void guess_symbols(input_set *set)
{
    char room[SYMBOL_SIZE];
    for (int first = 1; first >= 0; first--) /* what is a first axis anywhere counts as one */
        for (size_t i = 0; i < set->n; i++) {
            const input_item *item = &set->items[i];
            bool needed = !item->tensor && (!item->info->optional || item->text || item->shaped);
            for (int32_t d = 0; needed && d < item->info->ndim; d++)
                if (item->info->dims[d] < 0 && (first == (d == 0)) &&
                    !(item->shaped && d < item->shape.ndim && item->shape.dims[d] >= 0))
                    shapes_guess(&set->env, input_symbol(item->info, d, room, sizeof room), first);
        }
}

static void say_guesses(const input_set *set)
{
    char *text = cli_copy("");
    size_t n = 0;
    for (size_t i = 0; i < set->env.n; i++) {
        const shape_symbol *symbol = &set->env.symbols[i];
        if (!symbol->guessed)
            continue;
        char *longer =
            cli_format("%s%s%s=%lld", text, n++ ? " " : "", symbol->name, (long long)symbol->value);
        free(text);
        text = longer;
    }
    if (n)
        note("guessed %s (say it with SYMBOL=N)", text);
    free(text);
}

/* The extent of an axis of an input that has no tensor yet. */
bool input_find_extent(const input_set *set, const input_item *item, int32_t d, int64_t *out)
{
    char room[SYMBOL_SIZE];
    if (item->shaped && d < item->shape.ndim && item->shape.dims[d] >= 0) {
        *out = item->shape.dims[d];
        return true;
    }
    *out = item->info->dims[d];
    return *out >= 0 || shapes_eval(&set->env, input_symbol(item->info, d, room, sizeof room), out);
}

static int find_shape(const input_set *set, const input_item *item, shape_dims *out)
{
    const heed_value_info *info = item->info;
    out->ndim = info->ndim >= 0 ? info->ndim : item->shape.ndim;
    if (info->ndim < 0 && !item->shaped)
        return exit_with(EXIT_USAGE, "input %s: the model gives no shape; say %s:DIMS", info->name,
                         info->name);
    for (int32_t d = 0; d < out->ndim && d < SHAPE_MAX; d++) {
        out->dims[d] = item->shaped && d < item->shape.ndim ? item->shape.dims[d] : SHAPE_ANY;
        if ((info->ndim >= 0 && !input_find_extent(set, item, d, &out->dims[d])) ||
            out->dims[d] < 0)
            return exit_with(EXIT_USAGE, "input %s: axis %d is not known; say %s:DIMS", info->name,
                             (int)d, info->name);
    }
    return EXIT_OK;
}

/* Does the tensor fit the input's dtype and shape, symbols included? */
static int check_item(const input_set *set, const input_item *item)
{
    char room[SYMBOL_SIZE], shape[PRINT_SIZE];
    const heed_value_info *info = item->info;
    if (heed_tensor_get_kind(item->tensor) != HEED_TENSOR || info->kind != HEED_TENSOR)
        return EXIT_OK; /* the library says it better */
    heed_dtype dtype = heed_tensor_get_dtype(item->tensor);
    int32_t ndim = heed_tensor_get_ndim(item->tensor);
    const int64_t *dims = heed_tensor_get_dims(item->tensor);
    if (info->dtype != HEED_UNDEFINED && dtype != info->dtype)
        return exit_with(EXIT_USAGE, "input %s: the model wants %s, not %s", info->name,
                         heed_dtype_name(info->dtype), heed_dtype_name(dtype));
    print_dims(shape, ndim, dims);
    if (info->ndim >= 0 && ndim != info->ndim)
        return exit_with(EXIT_USAGE, "input %s: the model wants %d axes, not %s", info->name,
                         (int)info->ndim, shape);
    for (int32_t d = 0; d < info->ndim; d++) {
        int64_t want = info->dims[d];
        const char *symbol = want < 0 ? input_symbol(info, d, room, sizeof room) : NULL;
        bool known = !symbol || shapes_eval(&set->env, symbol, &want);
        if (known && want != dims[d])
            return exit_with(EXIT_USAGE, "input %s: axis %d of %s should be %lld%s%s", info->name,
                             (int)d, shape, (long long)want, symbol ? ", the value of " : "",
                             symbol ? symbol : "");
    }
    return EXIT_OK;
}

/* ---- Values --------------------------------------------------------------------------- */

static int make_filled(const input_set *set, input_item *item)
{
    shape_dims shape;
    int code = find_shape(set, item, &shape);
    if (code)
        return code;
    bool made = !heed_tensor_new(item->info->dtype, shape.ndim, shape.dims, &item->tensor);
    const char *name = item->info->name;
    if (made)
        made = item->text ? fill_by_rule(item->tensor, item->text, name)
                          : fill_default(item->tensor, name, set->seed);
    item->from = cli_copy(item->text ? item->text : "default values");
    return made ? EXIT_OK : exit_error(name);
}

static heed_status new_empty_map(const heed_value_info *info, heed_tensor **out)
{
    heed_tensor *keys = NULL, *values = NULL;
    const int64_t none = 0;
    heed_status status = heed_tensor_new(info->keys, 1, &none, &keys);
    if (!status)
        status = heed_tensor_new(info->dtype, 1, &none, &values);
    if (!status)
        return heed_tensor_new_map(keys, values, out);
    heed_tensor_free(keys);
    return status;
}

static heed_status new_empty(const heed_value_info *info, heed_tensor **out)
{
    if (info->kind == HEED_MAP)
        return new_empty_map(info, out);
    if (info->kind == HEED_OPTIONAL)
        return heed_tensor_new_optional(NULL, out);
    return heed_tensor_new_sequence(info->dtype, 0, NULL, out);
}

/* A sequence, optional or map that nobody gave is an empty one. */
static int make_empty(input_item *item)
{
    heed_status status = new_empty(item->info, &item->tensor);
    item->from = cli_copy("empty");
    return status ? exit_error(item->info->name) : EXIT_OK;
}

/* ---- All of it ---- */

/* Tensors that bring their own shape: from files, and those written out. */
static int make_given(input_set *set)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < set->n && !code; i++) {
        input_item *item = &set->items[i];
        if (item->shaped)
            bind_dims(set, item, item->shape.ndim, item->shape.dims);
        if (item->text && *item->text == '@')
            code = input_load_one(set, item, item->text + 1);
        else if (item->text && !fill_is_rule(item->text))
            code = input_make_values(set, item);
        if (!code && item->tensor && heed_tensor_get_kind(item->tensor) == HEED_TENSOR)
            bind_dims(set, item, heed_tensor_get_ndim(item->tensor),
                      heed_tensor_get_dims(item->tensor));
    }
    return code;
}

static int make_rest(input_set *set)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < set->n && !code; i++) {
        input_item *item = &set->items[i];
        if (item->tensor || (item->info->optional && !item->text && !item->shaped))
            continue;
        code = item->info->kind == HEED_TENSOR ? make_filled(set, item) : make_empty(item);
    }
    for (size_t i = 0; i < set->n && !code; i++)
        if (set->items[i].tensor)
            code = check_item(set, &set->items[i]);
    return code;
}

static void list_fed(input_set *set)
{
    set->names = cli_alloc(set->n, sizeof *set->names);
    set->tensors = cli_alloc(set->n, sizeof *set->tensors);
    for (size_t i = 0; i < set->n; i++) {
        if (!set->items[i].tensor)
            continue;
        set->names[set->n_fed] = set->items[i].info->name;
        set->tensors[set->n_fed++] = set->items[i].tensor;
    }
}

int input_build(input_set *set, heed_model *model, const cli_args *args, size_t first)
{
    return input_build_seeded(set, model, args, first, 0, true);
}

int input_build_seeded(input_set *set, heed_model *model, const cli_args *args, size_t first,
                       uint64_t seed, bool loud)
{
    *set = (input_set){.model = model, .n = heed_model_get_input_count(model), .seed = seed};
    set->items = cli_alloc(set->n, sizeof *set->items);
    for (size_t i = 0; i < set->n; i++)
        set->items[i].info = heed_model_get_input(model, i);
    int code = input_add_words(set, args, first);
    if (!code)
        code = make_given(set);
    if (!code) {
        guess_symbols(set);
        if (loud)
            say_guesses(set);
        code = make_rest(set);
    }
    list_fed(set);
    return code;
}

void input_free(input_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        heed_tensor_free(set->items[i].tensor);
        free(set->items[i].text);
        free(set->items[i].from);
    }
    free(set->items);
    free(set->names);
    free(set->tensors);
    shapes_free(&set->env);
    *set = (input_set){0};
}
