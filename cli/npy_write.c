/* npy_write.c - writing NumPy's array files; what NumPy has no type for is widened. */
#include <stdlib.h>
#include <string.h>

#include "npy.h"

typedef struct row {
    const char *descr;
    heed_dtype as; /* the dtype that is written */
} row;

// clang-format off
static const row rows[HEED_DTYPE_COUNT] = {
    [HEED_FLOAT32]        = {"<f4", HEED_FLOAT32},
    [HEED_UINT8]          = {"|u1", HEED_UINT8},
    [HEED_INT8]           = {"|i1", HEED_INT8},
    [HEED_UINT16]         = {"<u2", HEED_UINT16},
    [HEED_INT16]          = {"<i2", HEED_INT16},
    [HEED_INT32]          = {"<i4", HEED_INT32},
    [HEED_INT64]          = {"<i8", HEED_INT64},
    [HEED_BOOL]           = {"|b1", HEED_BOOL},
    [HEED_FLOAT16]        = {"<f2", HEED_FLOAT16},
    [HEED_FLOAT64]        = {"<f8", HEED_FLOAT64},
    [HEED_UINT32]         = {"<u4", HEED_UINT32},
    [HEED_UINT64]         = {"<u8", HEED_UINT64},
    [HEED_COMPLEX64]      = {"<c8", HEED_COMPLEX64},
    [HEED_COMPLEX128]     = {"<c16", HEED_COMPLEX128},
    [HEED_BFLOAT16]       = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT8E4M3FN]   = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT8E4M3FNUZ] = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT8E5M2]     = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT8E5M2FNUZ] = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT4E2M1]     = {"<f4", HEED_FLOAT32},
    [HEED_FLOAT8E8M0]     = {"<f4", HEED_FLOAT32},
    [HEED_UINT4]          = {"|u1", HEED_UINT8},
    [HEED_INT4]           = {"|i1", HEED_INT8},
    [HEED_UINT2]          = {"|u1", HEED_UINT8},
    [HEED_INT2]           = {"|i1", HEED_INT8},
};
// clang-format on

/* Magic, version 1, and the dict, padded so that the data starts at a multiple of 64. */
static bool put_header(file_bytes *out, const char *descr, const heed_tensor *tensor)
{
    char dict[512];
    int32_t ndim = heed_tensor_get_ndim(tensor);
    const int64_t *dims = heed_tensor_get_dims(tensor);
    int n =
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int32_t d = 0; d < ndim && n < 400; d++)
        n += snprintf(dict + n, sizeof dict - (size_t)n, "%lld, ", (long long)dims[d]);
    if (n >= 400)
        return false;
    n += snprintf(dict + n, sizeof dict - (size_t)n, "), }");
    while ((10 + n + 1) % 64)
        dict[n++] = ' ';
    dict[n++] = '\n';
    const unsigned char head[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)n, (unsigned char)(n >> 8)};
    files_append(out, head, sizeof head);
    files_append(out, dict, (size_t)n);
    return true;
}

/* Through doubles, block by block: every type that is widened fits into one. */
static bool put_widened(file_bytes *out, const heed_tensor *tensor, heed_dtype as)
{
    enum { BLOCK = 1024 };
    double values[BLOCK];
    int64_t count = heed_tensor_get_count(tensor);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        if (heed_tensor_read_f64(tensor, first, n, values))
            return false;
        for (int64_t i = 0; i < n; i++) {
            float real = (float)values[i];
            signed char whole = as == HEED_FLOAT32 ? 0 : (signed char)values[i];
            if (as == HEED_FLOAT32)
                files_append(out, &real, sizeof real);
            else
                files_append(out, &whole, 1);
        }
    }
    return true;
}

/* Strings become |S<n>, n the longest, padded with zeros. */
static bool put_strings(file_bytes *out, const heed_tensor *tensor)
{
    const heed_string *strings = heed_tensor_get_data(tensor);
    int64_t count = heed_tensor_get_count(tensor);
    uint64_t longest = 1;
    for (int64_t i = 0; i < count; i++)
        longest = strings[i].size > longest ? strings[i].size : longest;
    char descr[32];
    snprintf(descr, sizeof descr, "|S%llu", (unsigned long long)longest);
    if (!put_header(out, descr, tensor))
        return false;
    char *zeros = cli_alloc(longest, 1);
    for (int64_t i = 0; i < count; i++) {
        files_append(out, strings[i].data, strings[i].size);
        files_append(out, zeros, longest - strings[i].size);
    }
    free(zeros);
    return true;
}

bool npy_encode(const heed_tensor *tensor, file_bytes *out, char why[NPY_WHY])
{
    snprintf(why, NPY_WHY, "a sequence, an optional or a map is no array");
    if (heed_tensor_get_kind(tensor) != HEED_TENSOR)
        return false;
    heed_dtype dtype = heed_tensor_get_dtype(tensor);
    snprintf(why, NPY_WHY, "%s has no form in .npy", heed_dtype_name(dtype));
    if (dtype == HEED_STRING)
        return put_strings(out, tensor);
    if (dtype >= HEED_DTYPE_COUNT || !rows[dtype].descr ||
        !put_header(out, rows[dtype].descr, tensor))
        return false;
    if (rows[dtype].as != dtype)
        return put_widened(out, tensor, rows[dtype].as);
    files_append(out, heed_tensor_get_data(tensor), heed_tensor_get_bytes(tensor));
    return true;
}
