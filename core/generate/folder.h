/* folder.h - the model files of a folder. */
#ifndef HEED_GENERATE_FOLDER_H
#define HEED_GENERATE_FOLDER_H

#include "base/mem.h"

/* Paths of the ONNX files of a folder, by name. None where there is no such folder. */
heed_status folder_models(const char *folder, arena *memory, const char *const **out, size_t *n);
bool folder_is(const char *path);
/* The folder that a file lies in. */
const char *folder_of(const char *path, arena *memory);
bool folder_same_file(const char *a, const char *b);

#endif
