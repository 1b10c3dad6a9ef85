/* model_files.c - the models of a folder. Separate because several verbs are given a folder where
 * they want a file. */
#include "model_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "files.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **model_files_list(const char *folder, size_t *n)
{
    DIR *listing = opendir(folder);
    char **files = NULL;
    *n = 0;
    for (struct dirent *e; listing && (e = readdir(listing));) {
        size_t size = strlen(e->d_name);
        if (size < 6 || e->d_name[0] == '.' || strcmp(e->d_name + size - 5, ".onnx"))
            continue;
        files = cli_grow(files, *n + 1, sizeof *files);
        files[(*n)++] = cli_format("%s/%s", folder, e->d_name);
    }
    if (listing)
        closedir(listing);
    if (*n)
        qsort(files, *n, sizeof *files, by_name);
    return files;
}

void model_files_free(char **files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(files[i]);
    free(files);
}

bool model_files_any(const char *path)
{
    size_t n;
    if (!files_is_folder(path))
        return true;
    char **files = model_files_list(path, &n);
    model_files_free(files, n);
    return n > 0;
}

char *model_files_choose(const char *path)
{
    static const char *const places[] = {"model.onnx", "onnx/model.onnx"};
    size_t n = 0;
    if (!files_is_folder(path))
        return cli_copy(path);
    for (size_t i = 0; i < 2; i++) {
        char *inner = cli_format("%s/%s", path, places[i]);
        if (files_exists(inner))
            return inner;
        free(inner);
    }
    char **files = model_files_list(path, &n);
    char *chosen = cli_copy(n == 1 ? files[0] : path);
    model_files_free(files, n);
    return chosen;
}

int model_files_refuse(const char *folder)
{
    enum { SHOWN = 4 };
    size_t n;
    char **files = model_files_list(folder, &n);
    char *names = cli_copy("");
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        char *more = cli_format("%s%s%s", names, i ? ", " : "", files[i]);
        free(names);
        names = more;
    }
    int code =
        n ? exit_with(EXIT_USAGE, "%s is a folder; say which of its models: %s%s", folder, names,
                      n > SHOWN ? ", ..." : "")
          : exit_with(EXIT_USAGE, "%s is a folder, and no file in it ends with .onnx", folder);
    free(names);
    model_files_free(files, n);
    return code;
}
