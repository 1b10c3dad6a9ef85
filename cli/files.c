/* files.c - reading and writing whole files. */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool files_is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

bool files_exists(const char *path)
{
    struct stat info;
    return !stat(path, &info) && !S_ISDIR(info.st_mode);
}

void files_append(file_bytes *bytes, const void *data, size_t size)
{
    if (bytes->room - bytes->size < size) {
        bytes->room = bytes->room * 2 + size;
        bytes->data = cli_grow(bytes->data, bytes->room, 1);
    }
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

bool files_read_all(FILE *file, file_bytes *out)
{
    *out = (file_bytes){0};
    static const size_t step = 1 << 16;
    size_t n;
    do {
        if (out->room - out->size < step) {
            out->room = out->room * 2 + step;
            out->data = cli_grow(out->data, out->room, 1);
        }
        n = fread(out->data + out->size, 1, step, file);
        out->size += n;
    } while (n == step);
    bool good = !ferror(file);
    if (!good)
        files_free(out);
    return good;
}

bool files_read(const char *path, file_bytes *out)
{
    *out = (file_bytes){0};
    if (files_is_folder(path)) {
        errno = EISDIR;
        return false;
    }
    FILE *file = fopen(path, "rb");
    bool good = file && files_read_all(file, out);
    int why = errno; /* closing may change it */
    if (file)
        fclose(file);
    errno = why;
    return good;
}

bool files_write(const char *path, const file_bytes *bytes)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    bool good = fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    return !fclose(file) && good;
}

/* The folder that a file is made in, to be freed. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? cli_format("%.*s", (int)(slash - path + 1), path) : cli_copy(".");
}

int files_check_output(const cli_args *args, const char *flag)
{
    const char *path = args_get(args, flag);
    if (!path)
        return EXIT_OK;
    char *folder = folder_of(path);
    errno = files_is_folder(path) ? EISDIR : 0;
    bool good = !errno && !access(files_exists(path) ? path : folder, W_OK);
    free(folder);
    return good ? EXIT_OK : exit_with(EXIT_USAGE, "--%s %s: %s", flag, path, strerror(errno));
}

void files_free(file_bytes *bytes)
{
    free(bytes->data);
    *bytes = (file_bytes){0};
}
