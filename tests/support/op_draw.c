/* Numbers, words and tensors of op_draw.h. */
#include "op_draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"

/* ---- Numbers -------------------------------------------------------------------------------- */

static uint8_t next_byte(op_draw *d)
{
    if (d->at < d->size)
        return d->bytes[d->at++];
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(d->state >> 40);
}

op_draw op_draw_start(const uint8_t *bytes, size_t size)
{
    op_draw d = {.bytes = bytes, .size = size, .state = 1};
    for (size_t i = 0; i < size && i < 8; i++)
        d.state = d.state * 257 + bytes[i];
    return d;
}

uint32_t op_draw_below(op_draw *d, uint32_t n)
{
    if (n < 2)
        return 0;
    uint32_t value = next_byte(d);
    if (n > 256)
        value = value << 8 | next_byte(d);
    return value % n;
}

bool op_draw_chance(op_draw *d, uint32_t of_64) { return op_draw_below(d, 64) < of_64; }

int64_t op_draw_int(op_draw *d)
{
    static const int64_t hostile[] = {INT64_MIN,
                                      INT64_MAX,
                                      INT64_MIN + 1,
                                      INT32_MIN,
                                      INT32_MAX,
                                      (int64_t)1 << 32,
                                      (int64_t)1 << 40,
                                      (int64_t)1 << 62,
                                      -((int64_t)1 << 40),
                                      1000003,
                                      65536,
                                      -17,
                                      17,
                                      255,
                                      -128,
                                      INT64_MAX / 2};
    if (op_draw_chance(d, d->hostile))
        return hostile[op_draw_below(d, sizeof(hostile) / sizeof(*hostile))];
    uint32_t how = op_draw_below(d, 8);
    return how < 5   ? (int64_t)op_draw_below(d, 4)
           : how < 6 ? (int64_t)op_draw_below(d, 24)
                     : (int64_t)op_draw_below(d, 7) - 3;
}

float op_draw_float(op_draw *d)
{
    static const float hostile[] = {NAN,    INFINITY, -INFINITY, 3e38f,  -3e38f,
                                    1e-42f, -0.0f,    1e19f,     -1e10f, 65536};
    if (op_draw_chance(d, d->hostile))
        return hostile[op_draw_below(d, sizeof(hostile) / sizeof(*hostile))];
    return (float)((int)op_draw_below(d, 65) - 32) / 8.0f;
}

// clang-format off
static const char *const words[] = {
    "", "linear", "nearest", "cubic", "constant", "reflect", "edge", "wrap", "SAME_UPPER",
    "SAME_LOWER", "VALID", "NOTSET", "sum", "mean", "none", "add", "mul", "max", "min", "forward",
    "reverse", "bidirectional", "Tanh", "Sigmoid", "Relu", "DCR", "CRD", "ij,jk->ik",
    "...i,...i->...", "ii->i", "tanh", "LEFT", "RIGHT", "UPPER", "LOWER", "a", "bb c", "[a-z]+",
    "(a|b)*c", "TF", "IDF", "TFIDF", "BRANCH_LEQ", "LEAF", "SOFTMAX", "LOGISTIC", "PROBIT",
    "SOFTMAX_ZERO", "RBF", "SUM", "MAX", "L1", "L2", "silu", "gelu", "swiglu", "swish",
    "identity", "half_pixel", "align_corners", "asymmetric", "floor", "RGB", "fp16", "\xff\xfe",
    "\xc3\xa9t\xc3\xa9",
};
// clang-format on

const char *op_draw_word(op_draw *d)
{
    return words[op_draw_below(d, sizeof(words) / sizeof(*words))];
}

/* ---- Types ---------------------------------------------------------------------------------- */

typedef struct named_set {
    const char *name, *dtypes;
    uint32_t kind;
} named_set;

// clang-format off
static const named_set sets[] = {
    {"any", "float32|float32|int64|int64|int32|float16|string|bool|float64|uint8|int8|bfloat16|"
            "complex64|int4|uint2|float8e4m3fn|float8e8m0|float4e2m1|uint64|int16", 0},
    {"all", "float32|int64|string|bool", 0},
    {"numeric", "float32|float32|int64|int32|float16|float64|uint8|int8|complex64|uint64", 0},
    {"real", "float32|float32|int64|int32|float16|float64|uint8|bfloat16|int4", 0},
    {"float", "float32|float32|float16|float64|bfloat16|float8e5m2", 0},
    {"int", "int64|int32|uint8|int8|uint64|int16|uint32|int4|uint2", 0},
    {"signed", "float32|int64|int32|int8|float16", 0},
    {"unsigned", "uint8|uint32|uint64|uint16|uint4", 0},
    {"complex", "complex64|complex128", 0},
    {"sequence", "float32|int64|string", HEED_KIND_SEQUENCE},
    {"optional", "float32|int64|string", HEED_KIND_OPTIONAL},
    {"map", "float32|int64|string|float64", HEED_KIND_MAP},
};
// clang-format on

static size_t pick_part(op_draw *d, const char **text, size_t n)
{
    uint32_t count = 1;
    for (size_t i = 0; i < n; i++)
        count += (*text)[i] == '|';
    for (uint32_t skip = op_draw_below(d, count); skip > 0; skip--) {
        const char *bar = memchr(*text, '|', n);
        n -= (size_t)(bar + 1 - *text);
        *text = bar + 1;
    }
    const char *bar = memchr(*text, '|', n);
    return bar ? (size_t)(bar - *text) : n;
}

static heed_dtype dtype_of(const char *text, size_t n)
{
    for (heed_dtype t = 1; t < HEED_DTYPE_COUNT; t++)
        if (strlen(dtype_name(t)) == n && !memcmp(dtype_name(t), text, n))
            return t;
    return HEED_UNDEFINED;
}

heed_dtype op_draw_dtype(op_draw *d, const char *set, size_t n, uint32_t *kind)
{
    *kind = HEED_KIND_TENSOR;
    n = pick_part(d, &set, n);
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
        if (strlen(sets[i].name) != n || memcmp(sets[i].name, set, n))
            continue;
        *kind = sets[i].kind;
        set = sets[i].dtypes;
        n = strlen(set);
        n = pick_part(d, &set, n);
        break;
    }
    return dtype_of(set, n);
}

/* ---- Tensors -------------------------------------------------------------------------------- */

static int32_t draw_shape(op_draw *d, int64_t *dims)
{
    int32_t rank = (int32_t)op_draw_below(d, op_draw_chance(d, 4) ? 9 : 5);
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] =
            op_draw_chance(d, 8) ? (int64_t)op_draw_below(d, 6) : d->pool[op_draw_below(d, 4)];
        dims[i] = count > 512 && dims[i] > 2 ? 2 : dims[i];
        count *= dims[i];
    }
    return rank;
}

static bool is_int(heed_dtype t)
{
    return (t >= HEED_UINT8 && t <= HEED_INT64) || t == HEED_UINT32 || t == HEED_UINT64;
}

/* Integers keep their low bytes, floats are rounded, and what is neither is any bits. */
static bool fill(op_draw *d, heed_tensor *t)
{
    int64_t n = tensor_count(t);
    size_t bits = heed_dtype_bits(t->dtype);
    uint8_t *data = heed_tensor_get_mutable_data(t);
    for (int64_t i = 0; i < n; i++) {
        if (t->dtype == HEED_STRING) {
            const char *word = op_draw_word(d);
            if (heed_tensor_set_string(t, i, word, strlen(word)))
                return false;
        } else if (t->dtype == HEED_BOOL) {
            data[i] = op_draw_chance(d, 32);
        } else if (is_int(t->dtype)) {
            int64_t value = op_draw_int(d);
            memcpy(data + (size_t)i * bits / 8, &value, bits / 8);
        } else if (bits >= 16) {
            double value = (double)op_draw_float(d);
            heed_tensor_write_f64(t, i, 1, &value);
        } else {
            data[(size_t)i * bits / 8] = (uint8_t)op_draw_below(d, 256);
        }
    }
    return true;
}

static heed_tensor *draw_tensor(op_draw *d, heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = NULL;
    if (heed_tensor_new(dtype, rank, dims, &t))
        return NULL;
    if (!fill(d, t)) {
        heed_tensor_free(t);
        return NULL;
    }
    return t;
}

static heed_tensor *draw_any(op_draw *d, heed_dtype dtype)
{
    int64_t dims[16];
    int32_t rank = draw_shape(d, dims);
    return draw_tensor(d, dtype, rank, dims);
}

static heed_tensor *draw_sequence(op_draw *d, heed_dtype dtype)
{
    heed_tensor *items[3] = {NULL}, *out = NULL;
    size_t n = op_draw_below(d, 4), made = 0;
    while (made < n && (items[made] = draw_any(d, dtype)))
        made++;
    if (made == n && heed_tensor_new_sequence(dtype, n, items, &out) == HEED_OK)
        return out;
    for (size_t i = 0; i < made && made < n; i++) /* else they have been taken */
        heed_tensor_free(items[i]);
    return NULL;
}

static heed_tensor *draw_map(op_draw *d, heed_dtype dtype)
{
    int64_t n = op_draw_below(d, 4);
    heed_tensor *keys = NULL, *out = NULL, *values = draw_tensor(d, dtype, 1, &n);
    heed_dtype key_type = op_draw_chance(d, 32) ? HEED_INT64 : HEED_STRING;
    if (!values || heed_tensor_new(key_type, 1, &n, &keys)) {
        heed_tensor_free(values);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        if (key_type == HEED_INT64)
            ((int64_t *)heed_tensor_get_mutable_data(keys))[i] = i;
        else
            heed_tensor_set_string(keys, i, &"abc"[i], 1);
    }
    return heed_tensor_new_map(keys, values, &out) ? NULL : out;
}

heed_tensor *op_draw_value(op_draw *d, uint32_t kind, heed_dtype dtype)
{
    heed_tensor *item = NULL, *out = NULL;
    if (kind == HEED_KIND_SEQUENCE)
        return draw_sequence(d, dtype);
    if (kind == HEED_KIND_MAP)
        return draw_map(d, dtype);
    if (kind != HEED_KIND_OPTIONAL)
        return draw_any(d, dtype);
    if (op_draw_chance(d, 40) && !(item = draw_any(d, dtype)))
        return NULL;
    return heed_tensor_new_optional(item, &out) ? NULL : out;
}
