/* npy.c - reading NumPy's array files. The header is a Python dict of three keys in text. */
#include "npy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "shapes.h"

typedef struct npy_header {
    heed_dtype dtype;
    char kind;   /* 'f', 'i', 'u', 'b', 'c', 'V', 'S', 'U' */
    size_t item; /* bytes of an element in the file */
    size_t part; /* bytes of what a byte swap turns: half of a complex number */
    bool swap, fortran;
    shape_dims shape;
    size_t offset; /* of the data */
} npy_header;

// clang-format off
static const struct {
    char kind;
    size_t item;
    heed_dtype dtype;
} types[] = {
    {'f', 2, HEED_FLOAT16}, {'f', 4, HEED_FLOAT32},   {'f', 8, HEED_FLOAT64},
    {'i', 1, HEED_INT8},    {'i', 2, HEED_INT16},     {'i', 4, HEED_INT32},   {'i', 8, HEED_INT64},
    {'u', 1, HEED_UINT8},   {'u', 2, HEED_UINT16},    {'u', 4, HEED_UINT32},  {'u', 8, HEED_UINT64},
    {'b', 1, HEED_BOOL},    {'c', 8, HEED_COMPLEX64}, {'c', 16, HEED_COMPLEX128},
    {'V', 2, HEED_BFLOAT16}, /* how NumPy stores a bfloat16 that an extension defines */
};
// clang-format on

/* ---- Header --------------------------------------------------------------------------- */

/* The text after 'key': in the dict, or NULL. */
static const char *find_key(const char *dict, const char *key)
{
    const char *at = strstr(dict, key);
    if (!at)
        return NULL;
    at += strlen(key);
    while (*at == ' ' || *at == ':')
        at++;
    return at;
}

static bool set_type(npy_header *header, const char *at)
{
    if (*at != '\'' && *at != '"')
        return false;
    header->swap = at[1] == '>';
    header->kind = at[1] ? at[2] : 0;
    header->item = header->kind ? strtoul(at + 3, NULL, 10) : 0;
    if (header->kind == 'S' || header->kind == 'U') {
        header->item *= header->kind == 'U' ? 4 : 1;
        header->part = header->kind == 'U' ? 4 : 1;
        header->dtype = HEED_STRING;
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].kind == header->kind && types[i].item == header->item)
            header->dtype = types[i].dtype;
    header->part = header->kind == 'c' ? header->item / 2 : header->item;
    return header->dtype != HEED_UNDEFINED;
}

static bool set_shape(npy_header *header, const char *at)
{
    if (*at++ != '(')
        return false;
    header->shape.ndim = 0;
    while (*at && *at != ')') {
        char *end;
        if (!isdigit((unsigned char)*at)) {
            at++; /* commas, spaces, the L of old files */
            continue;
        }
        if (header->shape.ndim == SHAPE_MAX)
            return false;
        header->shape.dims[header->shape.ndim++] = strtoll(at, &end, 10);
        at = end;
    }
    return *at == ')';
}

static bool read_dict(const char *dict, npy_header *out, char why[NPY_WHY])
{
    const char *type = find_key(dict, "'descr'");
    const char *order = find_key(dict, "'fortran_order'");
    const char *shape = find_key(dict, "'shape'");
    snprintf(why, NPY_WHY, "its header lacks descr, fortran_order or shape");
    if (!type || !order || !shape)
        return false;
    snprintf(why, NPY_WHY, "its element type %.*s is not supported", (int)strcspn(type, ",}"),
             type);
    if (!set_type(out, type))
        return false;
    out->fortran = !strncmp(order, "True", 4);
    snprintf(why, NPY_WHY, "its shape %.24s is not one", shape);
    return set_shape(out, shape);
}

static bool read_header(const unsigned char *bytes, size_t size, npy_header *out, char why[NPY_WHY])
{
    *out = (npy_header){0};
    snprintf(why, NPY_WHY, "not a .npy file");
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) || bytes[6] < 1 || bytes[6] > 3)
        return false;
    size_t start = bytes[6] == 1 ? 10 : 12;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (start == 12)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    snprintf(why, NPY_WHY, "cut off within its header");
    if (length > size - start)
        return false;
    char *dict = cli_alloc(length + 1, 1);
    memcpy(dict, bytes + start, length);
    bool good = read_dict(dict, out, why);
    free(dict);
    out->offset = start + length;
    return good;
}

/* ---- Elements ------------------------------------------------------------------------- */

static void swap_bytes(unsigned char *data, size_t size, size_t part)
{
    for (size_t i = 0; i + part <= size; i += part)
        for (size_t k = 0; k < part / 2; k++) {
            unsigned char byte = data[i + k];
            data[i + k] = data[i + part - 1 - k];
            data[i + part - 1 - k] = byte;
        }
}

/* Copies elements from Fortran order (first axis fastest) to C order (last axis fastest). */
static void reorder(const unsigned char *from, unsigned char *to, const npy_header *h, size_t n)
{
    int64_t index[SHAPE_MAX] = {0};
    size_t strides[SHAPE_MAX], stride = 1;
    for (int32_t d = 0; d < h->shape.ndim; d++) {
        strides[d] = stride;
        stride *= (size_t)h->shape.dims[d];
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        for (int32_t d = 0; d < h->shape.ndim; d++)
            at += strides[d] * (size_t)index[d];
        memcpy(to + i * h->item, from + at * h->item, h->item);
        for (int32_t d = h->shape.ndim - 1; d >= 0 && ++index[d] == h->shape.dims[d]; d--)
            index[d] = 0;
    }
}

/* UTF-8 of one code point; returns its length. */
static size_t put_utf8(uint32_t c, char *out)
{
    static const uint32_t limits[] = {0x80, 0x800, 0x10000, 0x110000};
    static const unsigned char heads[] = {0, 0xc0, 0xe0, 0xf0};
    size_t extra = 0;
    while (extra < 3 && c >= limits[extra])
        extra++;
    for (size_t i = extra; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(heads[extra] | c);
    return extra + 1;
}

/* An element of kind S or U, padded with zeros, as bytes. */
static bool set_text(heed_tensor *tensor, int64_t i, const unsigned char *item, const npy_header *h)
{
    char *text = cli_alloc(h->item + 1, 1);
    size_t n = 0;
    for (size_t k = 0; k < h->item; k += h->part) {
        uint32_t c = item[k];
        if (h->part == 4)
            memcpy(&c, item + k, 4);
        if (!c)
            break;
        if (h->part == 4)
            n += put_utf8(c & 0x1fffff, text + n);
        else
            text[n++] = (char)c;
    }
    bool good = !heed_tensor_set_string(tensor, i, text, n);
    free(text);
    return good;
}

static bool fill(heed_tensor *tensor, const npy_header *h, const unsigned char *data, size_t n)
{
    if (h->dtype != HEED_STRING) {
        if (n)
            memcpy(heed_tensor_get_mutable_data(tensor), data, n * h->item);
        return true;
    }
    for (size_t i = 0; i < n; i++)
        if (!set_text(tensor, (int64_t)i, data + i * h->item, h))
            return false;
    return true;
}

/* The number of elements, when that many lie in `room` bytes. */
static bool count_elements(const npy_header *h, size_t room, size_t *out)
{
    size_t n = 1, bytes;
    for (int32_t d = 0; d < h->shape.ndim; d++)
        if (h->shape.dims[d] < 0 || __builtin_mul_overflow(n, (size_t)h->shape.dims[d], &n))
            return false;
    *out = n;
    return !__builtin_mul_overflow(n, h->item, &bytes) && bytes <= room;
}

heed_tensor *npy_decode(const unsigned char *bytes, size_t size, char why[NPY_WHY])
{
    npy_header h;
    size_t n;
    if (!read_header(bytes, size, &h, why))
        return NULL;
    if (!count_elements(&h, size - h.offset, &n)) {
        snprintf(why, NPY_WHY, "cut off: its shape needs more than the %zu bytes of data it has",
                 size - h.offset);
        return NULL;
    }
    size_t n_bytes = n * h.item;
    unsigned char *data = cli_alloc(n_bytes, 1);
    if (h.fortran)
        reorder(bytes + h.offset, data, &h, n);
    else
        memcpy(data, bytes + h.offset, n_bytes);
    if (h.swap && h.part)
        swap_bytes(data, n_bytes, h.part);
    heed_tensor *tensor = NULL;
    bool good =
        !heed_tensor_new(h.dtype, h.shape.ndim, h.shape.dims, &tensor) && fill(tensor, &h, data, n);
    free(data);
    if (!good) {
        snprintf(why, NPY_WHY, "%.150s", heed_error_get()->message);
        heed_tensor_free(tensor);
        return NULL;
    }
    return tensor;
}
