/* files.h - whole files in memory, small facts of the machine, and SHA-256. */
#ifndef HEED_CLI_FILES_H
#define HEED_CLI_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"

typedef struct file_bytes {
    unsigned char *data;
    size_t size, room;
} file_bytes;

/* False with errno set. */
bool files_read(const char *path, file_bytes *out);
bool files_read_all(FILE *file, file_bytes *out); /* to its end; it stays open */
bool files_write(const char *path, const file_bytes *bytes);
void files_append(file_bytes *bytes, const void *data, size_t size);
void files_free(file_bytes *bytes);
/* Can the file be written that this flag names, if it is given? EXIT_OK, or EXIT_USAGE after a
 * message. Asked before the work, not to lose it; the file is not touched. */
int files_check_output(const cli_args *args, const char *flag);
bool files_is_folder(const char *path);
bool files_exists(const char *path);

/* Hex digits of the SHA-256 (FIPS 180-4) of a file; false with errno set. */
bool files_sha256(const char *path, char out[65]);

#endif
