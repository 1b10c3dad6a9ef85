/* file.h - whole files, of a size that a tokenizer may have. */
#ifndef TOKENIZER_FILE_H
#define TOKENIZER_FILE_H

#include "tree.h"

/* *out is from tok_alloc, and a NUL follows its n bytes. HEED_NOTFOUND has no message. */
heed_status file_read(const char *path, char **out, size_t *n);
bool file_is_folder(const char *path);

#endif
