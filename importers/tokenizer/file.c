/* file.c - whole files, of a size that a tokenizer may have. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 512 << 20 };

static heed_status read_all(FILE *file, const char *path, size_t size, char **out, size_t *n)
{
    char *text = tok_alloc(size + 1);
    if (!text)
        return tok_no_memory();
    *n = fread(text, 1, size, file);
    text[*n] = 0;
    if (ferror(file)) {
        tok_free(text);
        return tok_host->fail(HEED_IO, "%s: reading failed", path);
    }
    *out = text;
    return HEED_OK;
}

heed_status file_read(const char *path, char **out, size_t *n)
{
    struct stat about;
    *out = NULL;
    *n = 0;
    if (stat(path, &about))
        return errno == ENOENT || errno == ENOTDIR
                   ? HEED_NOTFOUND
                   : tok_host->fail(HEED_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return tok_host->fail(HEED_INVALID, "%s is no file", path);
    if (about.st_size > FILE_MAX)
        return tok_host->fail(HEED_UNSUPPORTED, "%s is larger than %d MiB", path, FILE_MAX >> 20);
    FILE *file = fopen(path, "rb");
    if (!file)
        return tok_host->fail(HEED_IO, "%s: %s", path, strerror(errno));
    heed_status status = read_all(file, path, (size_t)about.st_size, out, n);
    fclose(file);
    return status;
}

bool file_is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

heed_status tree_read(tree *t, const char *name, const char *path)
{
    char *text;
    size_t n;
    *t = (tree){0};
    heed_status status = file_read(path, &text, &n);
    return status ? status : tree_parse(t, name, text, n);
}
