/* npy.h - NumPy's array files (.npy, format 1-3) and archives of them (.npz).
 *
 * Reading: little and big endian, C and Fortran order, all number types, S and U strings.
 * Writing: what NumPy has no type for is widened: bfloat16, 8-bit and 4-bit floats to float32,
 * 4-bit and 2-bit integers to int8 or uint8. Archives are read and written uncompressed, which is
 * what numpy.savez writes. */
#ifndef HEED_CLI_NPY_H
#define HEED_CLI_NPY_H

#include "cli.h"
#include "files.h"

enum { NPY_WHY = 160 };

/* NULL, with the reason in why. */
heed_tensor *npy_decode(const unsigned char *bytes, size_t size, char why[NPY_WHY]);
/* False when the tensor cannot be written (a sequence), with the reason in why. */
bool npy_encode(const heed_tensor *tensor, file_bytes *out, char why[NPY_WHY]);

/* Finds NAME.npy (or NAME) in an archive. The member lies within the archive's bytes. */
bool npz_find(const file_bytes *archive, const char *name, const unsigned char **data, size_t *size,
              char why[NPY_WHY]);

typedef struct npz_writer {
    file_bytes body, directory;
    size_t n;
} npz_writer;

bool npz_add(npz_writer *writer, const char *name, const heed_tensor *tensor, char why[NPY_WHY]);
bool npz_save(npz_writer *writer, const char *path); /* false with errno set */
void npz_free(npz_writer *writer);

#endif
