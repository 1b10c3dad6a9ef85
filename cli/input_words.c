/* input_words.c - which words of the command line are values, which are shapes, which symbols. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input_parts.h"

enum { SYMBOL_SIZE = 256 };

/* The item whose name stands before `mark` at the start of the word: the longest such name. */
static input_item *find_item(input_set *set, const char *word, char mark)
{
    input_item *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < set->n; i++) {
        size_t length = strlen(set->items[i].info->name);
        if (strncmp(word, set->items[i].info->name, length) || word[length] != mark)
            continue;
        if (!best || length > longest) {
            best = &set->items[i];
            longest = length;
        }
    }
    return best;
}

static bool is_symbol(const input_set *set, const char *name)
{
    char room[SYMBOL_SIZE];
    for (size_t i = 0; i < set->n; i++) {
        const heed_value_info *info = set->items[i].info;
        for (int32_t d = 0; d < info->ndim; d++)
            if (info->dims[d] < 0 &&
                shapes_mentions(input_symbol(info, d, room, sizeof room), name))
                return true;
    }
    return false;
}

static const char *input_name_at(const void *arg, size_t i)
{
    const input_set *set = arg;
    return i < set->n ? set->items[i].info->name : NULL;
}

static int unknown_name(const input_set *set, const char *name)
{
    const char *near = help_nearest(name, input_name_at, set);
    if (near)
        return exit_with(EXIT_USAGE, "the model has no input or symbol '%s'; did you mean '%s'?",
                         name, near);
    return exit_with(EXIT_USAGE, "the model has no input or symbol '%s'; 'heed inspect' lists them",
                     name);
}

static int add_symbol(input_set *set, const char *word)
{
    size_t length = strcspn(word, "=");
    char *name = cli_format("%.*s", (int)length, word);
    char *end = NULL;
    int64_t value = -1;
    int code = EXIT_OK;
    errno = 0;
    if (word[length] == '=')
        value = strtoll(word + length + 1, &end, 10);
    if (!is_symbol(set, name))
        code = unknown_name(set, name);
    else if (!end || end == word + length + 1 || *end || value < 0 || errno)
        code =
            exit_with(EXIT_USAGE, "'%s': a symbol takes a whole number, as in %s=128", word, name);
    else if (!shapes_bind(&set->env, name, value, false, "the command line"))
        code = exit_with(EXIT_USAGE, "%s is given twice, with different values", name);
    free(name);
    return code;
}

static int add_shape(input_item *item, const char *text)
{
    if (!shapes_parse(text, &item->shape))
        return exit_with(EXIT_USAGE, "input %s: '%s' is no shape such as 1x128 or [1,128]",
                         item->info->name, text);
    if (item->info->ndim >= 0 && item->shape.ndim != item->info->ndim)
        return exit_with(EXIT_USAGE, "input %s: the model wants %d axes, not %s", item->info->name,
                         (int)item->info->ndim, text);
    item->shaped = true;
    return EXIT_OK;
}

static int add_word(input_set *set, const char *word)
{
    if (*word == '@')
        return input_load_all(set, word + 1);
    input_item *item = find_item(set, word, '=');
    if (item) {
        if (item->text)
            return exit_with(EXIT_USAGE, "input %s is given twice", item->info->name);
        item->text = cli_copy(word + strlen(item->info->name) + 1);
        return EXIT_OK;
    }
    item = find_item(set, word, ':');
    if (item)
        return add_shape(item, word + strlen(item->info->name) + 1);
    if (!strchr(word, '=') && strchr(word, ':')) {
        char *name = cli_format("%.*s", (int)strcspn(word, ":"), word);
        int code = unknown_name(set, name);
        free(name);
        return code;
    }
    return add_symbol(set, word);
}

int input_add_words(input_set *set, const cli_args *args, size_t first)
{
    int code = EXIT_OK;
    const char *list;
    char item[512];
    for (size_t i = first; i < args->n_words && !code; i++)
        code = add_word(set, args->words[i]);
    for (size_t i = 0; !code && (list = args_get_nth(args, "shape", i)); i++) {
        while (!code && shapes_next_item(&list, item, sizeof item))
            code = add_word(set, item);
        if (!code && *list)
            code = exit_with(EXIT_USAGE, "--shape: '%s' is too long", list);
    }
    return code;
}
