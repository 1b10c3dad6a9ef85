/* input_files.c - inputs that come from files: .npy, .npz, .pb, folders of test data. */
#include "input_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "npy.h"

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && !strcmp(path + n - m, ending);
}

static void set_tensor(input_item *item, heed_tensor *tensor, const char *path)
{
    heed_tensor_free(item->tensor);
    free(item->from);
    item->tensor = tensor;
    item->from = cli_copy(path);
}

static int read_failed(const char *path)
{
    return exit_with(EXIT_USAGE, "%s: %s", path, strerror(errno));
}

static int load_npy(input_set *set, input_item *item, const char *path)
{
    file_bytes bytes;
    char why[NPY_WHY];
    (void)set;
    if (!files_read(path, &bytes))
        return read_failed(path);
    heed_tensor *tensor = npy_decode(bytes.data, bytes.size, why);
    files_free(&bytes);
    if (!tensor)
        return exit_with(EXIT_USAGE, "%s: %s", path, why);
    set_tensor(item, tensor, path);
    return EXIT_OK;
}

/* Takes one member; its absence is no error when `optional`. */
static int take_member(input_item *item, const file_bytes *archive, const char *path, bool optional,
                       size_t *found)
{
    const unsigned char *data;
    size_t size;
    char why[NPY_WHY];
    if (!npz_find(archive, item->info->name, &data, &size, why)) {
        bool absent = strstr(why, "no member") != NULL;
        return optional && absent ? EXIT_OK : exit_with(EXIT_USAGE, "%s: %s", path, why);
    }
    heed_tensor *tensor = npy_decode(data, size, why);
    if (!tensor)
        return exit_with(EXIT_USAGE, "%s: member %s: %s", path, item->info->name, why);
    set_tensor(item, tensor, path);
    *found += 1;
    return EXIT_OK;
}

static int load_npz(input_set *set, input_item *item, const char *path)
{
    file_bytes archive;
    size_t found = 0;
    (void)set;
    if (!files_read(path, &archive))
        return read_failed(path);
    int code = take_member(item, &archive, path, false, &found);
    files_free(&archive);
    return code;
}

static int load_pb(input_set *set, input_item *item, const char *path)
{
    heed_tensor *tensor = NULL;
    if (!files_exists(path))
        return read_failed(path);
    if (heed_tensor_load(path, set->model, item->info->name, &tensor)) {
        exit_error(path);
        return EXIT_USAGE; /* the model is not to blame */
    }
    set_tensor(item, tensor, path);
    return EXIT_OK;
}

/* Loads a folder, and takes the input `only`, or all of them when it is NULL. */
static int load_folder(input_set *set, const input_item *only, const char *path)
{
    heed_tensor **tensors = cli_alloc(set->n, sizeof *tensors);
    char *why = NULL;
    size_t found = 0;
    bool good = dataset_load_inputs(set->model, path, tensors, &why);
    int code = good ? EXIT_OK : exit_with(EXIT_USAGE, "%s", why);
    for (size_t i = 0; i < set->n; i++) {
        if (good && tensors[i] && (!only || only == &set->items[i])) {
            set_tensor(&set->items[i], tensors[i], path);
            found++;
        } else {
            heed_tensor_free(tensors[i]);
        }
    }
    if (good && !found)
        code = exit_with(EXIT_USAGE, "%s holds no input_N.pb%s%s", path, only ? " for " : "",
                         only ? only->info->name : "");
    free(why);
    free(tensors);
    return code;
}

static int load_one_of_folder(input_set *set, input_item *item, const char *path)
{
    return load_folder(set, item, path);
}

static const struct {
    const char *ending;
    int (*load)(input_set *set, input_item *item, const char *path);
} loaders[] = {
    {".npy", load_npy},
    {".npz", load_npz},
    {".pb", load_pb},
};

int input_load_one(input_set *set, input_item *item, const char *path)
{
    if (files_is_folder(path))
        return load_one_of_folder(set, item, path);
    for (size_t i = 0; i < sizeof loaders / sizeof loaders[0]; i++)
        if (has_ending(path, loaders[i].ending))
            return loaders[i].load(set, item, path);
    return exit_with(EXIT_USAGE, "%s: a value comes from .npy, .npz, .pb or a folder", path);
}

int input_load_all(input_set *set, const char *path)
{
    file_bytes archive;
    size_t found = 0;
    int code = EXIT_OK;
    if (files_is_folder(path))
        return load_folder(set, NULL, path);
    if (!has_ending(path, ".npz"))
        return exit_with(EXIT_USAGE,
                         "@%s: a .npz or a folder of test data gives all inputs; "
                         "other files need NAME=@FILE",
                         path);
    if (!files_read(path, &archive))
        return read_failed(path);
    for (size_t i = 0; i < set->n && !code; i++)
        code = take_member(&set->items[i], &archive, path, true, &found);
    files_free(&archive);
    if (!code && !found)
        code = exit_with(EXIT_USAGE, "%s holds no member with the name of an input", path);
    return code;
}
