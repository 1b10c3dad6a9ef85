/* file.h - mapped files, and files that a model names (contained in the model's folder). */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include "base/mem.h"

typedef struct file_map {
    const uint8_t *bytes; /* read-only private mapping; NULL for an empty file */
    uint64_t n_bytes;
} file_map;

/* A regular file, mapped read-only. Errors name the path. */
heed_status file_map_open(const char *path, file_map *out);
void file_map_close(file_map *map);
/* These bytes of a mapping will be read: pages that are in memory get into the address space now,
 * at once and in order, instead of by a fault each. Nothing is read from a disk. Other memory may
 * be named too; nothing happens to it. */
void file_touch(const void *bytes, size_t n);

/* A folder from which nothing can escape. */
typedef struct file_folder {
    int descriptor; /* -1: none */
} file_folder;

heed_status file_folder_open(const char *path_of_a_file_in_it, file_folder *out);
heed_status file_folder_open_dir(const char *folder, file_folder *out);
void file_folder_close(file_folder *folder);

/* Maps `location` below the folder: relative, no "..", no links, a regular file with one hard
 * link. openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), or a walk by
 * components with O_NOFOLLOW where the kernel lacks it. HEED_INVALID with expected/found
 * otherwise. */
heed_status file_map_below(const file_folder *folder, const char *location, file_map *out);

#endif
