/* model_files.h - the models of a folder. */
#ifndef HEED_CLI_MODEL_FILES_H
#define HEED_CLI_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Paths of the files of a folder that end with .onnx, by name. Free with model_files_free. */
char **model_files_list(const char *folder, size_t *n);
/* A file, or a folder that has one. */
bool model_files_any(const char *path);
void model_files_free(char **files, size_t n);

/* The model that a folder stands for: model.onnx in it or in its folder onnx, or the only one that
 * it has; a path that is no folder, or whose models are several, stands for itself. To be freed. */
char *model_files_choose(const char *path);

/* EXIT_USAGE, after a message that names the models of the folder. */
int model_files_refuse(const char *folder);

#endif
