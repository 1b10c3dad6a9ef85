/* case_find.c - the folders below a folder that are test cases. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "files.h"

enum { DEEPEST = 32 };

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t case_entries(const char *folder, const char *prefix, char ***out)
{
    size_t n = 0;
    struct dirent *entry;
    *out = NULL;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
            continue;
        *out = cli_grow(*out, n + 1, sizeof **out);
        (*out)[n++] = cli_copy(entry->d_name);
    }
    closedir(dir);
    if (n)
        qsort(*out, n, sizeof **out, by_name);
    return n;
}

static bool is_case(const char *folder)
{
    char *path = cli_format("%s/model.onnx", folder);
    bool there = files_exists(path);
    free(path);
    return there;
}

static void add(case_list *list, const char *folder, const char *name)
{
    list->folders = cli_grow(list->folders, list->n + 1, sizeof *list->folders);
    list->names = cli_grow(list->names, list->n + 1, sizeof *list->names);
    list->folders[list->n] = cli_copy(folder);
    list->names[list->n++] = cli_copy(name);
}

static void walk(case_list *list, const char *folder, const char *name, int depth)
{
    char **entries;
    if (is_case(folder)) {
        add(list, folder, name);
        return;
    }
    size_t n = depth < DEEPEST ? case_entries(folder, "", &entries) : 0;
    for (size_t i = 0; i < n; i++) {
        char *below = cli_format("%s/%s", folder, entries[i]);
        char *below_name = cli_format("%s%s%s", name, *name ? "/" : "", entries[i]);
        if (files_is_folder(below))
            walk(list, below, below_name, depth + 1);
        free(below);
        free(below_name);
        free(entries[i]);
    }
    if (n)
        free(entries);
}

/* The last part of a path: what a case is called that was named by itself. */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

bool case_find(case_list *list, const char *root, const char *prefix)
{
    DIR *dir = opendir(root);
    if (!dir)
        return false;
    closedir(dir);
    char *path = cli_copy(root);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
    walk(list, path, is_case(path) && !*prefix ? last_part(path) : prefix, 0);
    free(path);
    return true;
}

void case_free(case_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->folders[i]);
        free(list->names[i]);
    }
    free(list->folders);
    free(list->names);
    *list = (case_list){0};
}
