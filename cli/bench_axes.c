/* bench_axes.c - which points are measured: --seq and --sweep, and the axes that they mean.
 *
 * An axis has the name of a symbol of the model's inputs, or is a role: "threads", "seq", "batch".
 * Roles are found by the inputs' forms, since exporters name symbols as they like. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { SYMBOL_SIZE = 256, MOST_POINTS = 4096 };

/* ---- Roles ---- */

static bool is_whole(heed_dtype dtype)
{
    const char *name = heed_dtype_name(dtype);
    return strstr(name, "int") || strstr(name, "bool");
}

/* Ids, masks, positions have the sequence on their last axis; embeddings and features on the
 * second of three. The first axis of several is the batch. */
static bool is_sequence_axis(const heed_value_info *info, int32_t axis)
{
    if (is_whole(info->dtype) && info->ndim <= 3)
        return axis == info->ndim - 1 && (axis > 0 || info->ndim == 1);
    return info->ndim == 3 && axis == 1;
}

static bool is_batch_axis(const heed_value_info *info, int32_t axis)
{
    return info->ndim >= 2 && axis == 0;
}

/* Keys and values of earlier tokens: their length is no length of new ones. */
static bool is_cache_axis(const heed_value_info *info, int32_t axis)
{
    return info->ndim >= 4 && !is_whole(info->dtype) && axis == info->ndim - 2;
}

static bool has_symbol(const heed_model *model, const char *name,
                       bool (*is)(const heed_value_info *info, int32_t axis))
{
    char room[SYMBOL_SIZE];
    for (size_t i = 0; i < heed_model_get_input_count(model); i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        for (int32_t d = 0; d < info->ndim; d++)
            if (info->dims[d] < 0 && is(info, d) &&
                !strcmp(input_symbol(info, d, room, sizeof room), name))
                return true;
    }
    return false;
}

static bool is_given(const cli_args *args, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 1; i < args->n_words; i++)
        if (!strncmp(args->words[i], name, length) && args->words[i][length] == '=')
            return true;
    return false;
}

static void add_name(char ***list, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp((*list)[i], name))
            return;
    *list = cli_grow(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = cli_copy(name);
}

size_t bench_find_role(const heed_model *model, const cli_args *args, const char *role,
                       char ***symbols)
{
    bool batch = !strcmp(role, "batch");
    bool (*is)(const heed_value_info *, int32_t) = batch ? is_batch_axis : is_sequence_axis;
    bool (*is_not)(const heed_value_info *, int32_t) = batch ? is_cache_axis : is_batch_axis;
    char room[SYMBOL_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < heed_model_get_input_count(model); i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        for (int32_t d = 0; d < info->ndim; d++) {
            const char *name = input_symbol(info, d, room, sizeof room);
            if (info->dims[d] < 0 && is(info, d) && shapes_is_symbol(name) &&
                !has_symbol(model, name, is_not) && !has_symbol(model, name, is_cache_axis) &&
                !is_given(args, name))
                add_name(symbols, &n, name);
        }
    }
    return n;
}

/* ---- Axes ---- */

static bool mentions(const heed_model *model, const char *name)
{
    char room[SYMBOL_SIZE];
    for (size_t i = 0; i < heed_model_get_input_count(model); i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        for (int32_t d = 0; d < info->ndim; d++)
            if (info->dims[d] < 0 &&
                shapes_mentions(input_symbol(info, d, room, sizeof room), name))
                return true;
    }
    return false;
}

static bool is_role(const char *name) { return !strcmp(name, "seq") || !strcmp(name, "batch"); }

static int unknown_axis(const bench_report *r, const char *name)
{
    char room[SYMBOL_SIZE];
    char **names = NULL;
    size_t n = 0;
    for (size_t i = 0; i < heed_model_get_input_count(r->model); i++) {
        const heed_value_info *info = heed_model_get_input(r->model, i);
        for (int32_t d = 0; d < info->ndim; d++)
            if (info->dims[d] < 0)
                add_name(&names, &n, input_symbol(info, d, room, sizeof room));
    }
    char *list = cli_copy("threads");
    for (size_t i = 0; i < n; i++) {
        char *longer = cli_format("%s, %s", list, names[i]);
        free(list);
        free(names[i]);
        list = longer;
    }
    const char *none = n ? "" : " only, since the shapes of the inputs are fixed";
    if (is_role(name))
        exit_with(EXIT_USAGE,
                  "no open axis of the inputs is a %s axis that is left to choose; "
                  "--sweep can name %s%s",
                  strcmp(name, "seq") ? name : "sequence", list, none);
    else
        exit_with(EXIT_USAGE, "the inputs have no symbol '%s'; --sweep can name %s%s", name, list,
                  none);
    free(list);
    free(names);
    return EXIT_USAGE;
}

/* Which symbols take the axis's values. */
static int resolve(const bench_report *r, bench_axis *axis)
{
    if (mentions(r->model, axis->name)) {
        add_name(&axis->symbols, &axis->n_symbols, axis->name);
        return EXIT_OK;
    }
    if (!strcmp(axis->name, "threads"))
        return EXIT_OK;
    if (is_role(axis->name))
        axis->n_symbols = bench_find_role(r->model, r->args, axis->name, &axis->symbols);
    return axis->n_symbols ? EXIT_OK : unknown_axis(r, axis->name);
}

static int read_values(bench_axis *axis, const char *text)
{
    const char *at = text;
    char *end;
    do {
        errno = 0;
        long long value = strtoll(at, &end, 10);
        if (end == at || (*end && *end != ',') || value < 0 || value > INT32_MAX || errno)
            return exit_with(EXIT_USAGE, "%s takes whole numbers, as in %s=128,512, not '%s'",
                             axis->name, axis->name, text);
        axis->values = cli_grow(axis->values, axis->n_values + 1, sizeof *axis->values);
        axis->values[axis->n_values++] = value;
        at = end + 1;
    } while (*end);
    return EXIT_OK;
}

/* Takes the name. */
static int add_axis(bench_report *r, char *name, const char *values)
{
    bool again = is_given(r->args, name);
    for (size_t i = 0; i < r->n_axes; i++)
        again |= !strcmp(r->axes[i].name, name);
    r->axes = cli_grow(r->axes, r->n_axes + 1, sizeof *r->axes);
    bench_axis *axis = &r->axes[r->n_axes++];
    *axis = (bench_axis){.name = name};
    if (again)
        return exit_with(EXIT_USAGE, "%s is given twice", name);
    int code = read_values(axis, values);
    return code ? code : resolve(r, axis);
}

static int add_sweep(bench_report *r, const char *text)
{
    size_t length = strcspn(text, "=");
    if (!length || !text[length])
        return exit_with(EXIT_USAGE, "--sweep takes NAME=VALUE,VALUE..., not '%s'", text);
    return add_axis(r, cli_format("%.*s", (int)length, text), text + length + 1);
}

/* ---- Points: the product of the axes, the last one fastest ---- */

static void fill_point(const bench_report *r, size_t index, bench_point *point)
{
    point->settings = cli_alloc(r->n_axes, sizeof *point->settings);
    point->threads = heed_get_threads();
    for (size_t a = r->n_axes; a-- > 0;) {
        const bench_axis *axis = &r->axes[a];
        point->settings[a] = (bench_setting){axis->name, axis->values[index % axis->n_values]};
        index /= axis->n_values;
        if (!axis->n_symbols && point->settings[a].value > 0)
            point->threads = (uint32_t)point->settings[a].value;
    }
}

int bench_plan_points(bench_report *r)
{
    const char *text = args_get(r->args, "seq");
    int code = text ? add_axis(r, cli_copy("seq"), text) : EXIT_OK;
    for (size_t i = 0; !code && (text = args_get_nth(r->args, "sweep", i)); i++)
        code = add_sweep(r, text);
    if (code)
        return code;
    r->n_points = 1;
    for (size_t a = 0; a < r->n_axes && r->n_points <= MOST_POINTS; a++)
        r->n_points *= r->axes[a].n_values;
    if (r->n_points > MOST_POINTS)
        return exit_with(EXIT_USAGE, "a sweep of more than %d points", (int)MOST_POINTS);
    r->points = cli_alloc(r->n_points, sizeof *r->points);
    for (size_t i = 0; i < r->n_points; i++)
        fill_point(r, i, &r->points[i]);
    return EXIT_OK;
}
