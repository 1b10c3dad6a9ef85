/* dataset.c - folders of test data: input_0.pb, output_0.pb, ... beside a model.
 *
 * Files are numbered by the model's inputs. Old models list their initialisers among the inputs;
 * data sets then number either all of them or only those without a default, which is told from
 * the number of files. */
#include "dataset.h"

#include <stdlib.h>

#include "files.h"

bool dataset_has(const char *folder, const char *kind, size_t i)
{
    char *path = cli_format("%s/%s_%zu.pb", folder, kind, i);
    bool there = files_exists(path);
    free(path);
    return there;
}

size_t dataset_count(const char *folder, const char *kind, size_t limit)
{
    size_t n = 0;
    for (size_t i = 0; i < limit; i++)
        n += dataset_has(folder, kind, i);
    return n;
}

static size_t count_required(const heed_model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < heed_model_get_input_count(model); i++)
        n += !heed_model_get_input(model, i)->optional;
    return n;
}

/* Are files 0..required-1 all there, and no other? Then they stand for the required inputs. */
static bool only_required(const heed_model *model, const char *folder, size_t files)
{
    size_t required = count_required(model);
    return files == required && dataset_count(folder, "input", required) == required;
}

static bool load(const heed_model *model, const char *folder, const char *kind, size_t file,
                 const char *like, heed_tensor **out, char **why)
{
    char *path = cli_format("%s/%s_%zu.pb", folder, kind, file);
    bool good = !heed_tensor_load(path, model, like, out);
    if (!good)
        *why = cli_format("%s: %s", path, heed_error_get()->message);
    free(path);
    return good;
}

bool dataset_load_inputs(const heed_model *model, const char *folder, heed_tensor **by_input,
                         char **why)
{
    size_t n = heed_model_get_input_count(model);
    size_t files = dataset_count(folder, "input", n);
    if (dataset_has(folder, "input", n)) {
        *why = cli_format("%s has more inputs than the model's %zu", folder, n);
        return false;
    }
    bool required = only_required(model, folder, files);
    for (size_t i = 0, file = 0; i < n; i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        if (required && info->optional)
            continue;
        size_t number = required ? file++ : i;
        if (!dataset_has(folder, "input", number))
            continue;
        if (!load(model, folder, "input", number, info->name, &by_input[i], why))
            return false;
    }
    return true;
}

bool dataset_load_output(const heed_model *model, const char *folder, size_t i, heed_tensor **out,
                         char **why)
{
    return load(model, folder, "output", i, heed_model_get_output(model, i)->name, out, why);
}
