/* compare.c - is a result what was expected? Tolerances by dtype, first differing element. */
#include "compare.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "print.h"

const compare_rules compare_node_rules = {
    .wide = {.rtol = 1e-3, .atol = 1e-7},
    .narrow = {.rtol = 1e-3, .atol = 1e-7},
};
const compare_rules compare_model_rules = {
    .wide = {.rtol = 1e-3, .atol = 1e-3, .either = true},
    .narrow = {.rtol = 2e-2, .atol = 2e-2, .either = true, .normwise = true},
};
const compare_rules compare_narrow_rules = {
    .wide = {.rtol = 2e-2, .atol = 2e-2, .either = true, .normwise = true},
    .narrow = {.rtol = 2e-2, .atol = 2e-2, .either = true, .normwise = true},
};

enum { BLOCK = 1024 };

/* What is compared and with what: one tensor, or one item of a sequence. */
typedef struct comparison {
    const char *name;
    const heed_tensor *got, *want;
    const compare_rule *rule;
    compare_result *result;
    int64_t first;                /* differing element, -1 while there is none */
    int64_t count;                /* of differing elements */
    double got_value, want_value; /* of the first */
    double largest;               /* finite magnitude in `want`, for a normwise rule */
} comparison;

static bool say(comparison *c, const char *format, ...) HEED_PRINTF(2, 3);
static bool say(comparison *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(c->result->why, sizeof c->result->why, format, list);
    va_end(list);
    return false;
}

/* "[0,3] of 2x5", the place of element i. */
static void print_place(char *out, size_t size, const heed_tensor *tensor, int64_t i)
{
    char shape[PRINT_SIZE];
    int64_t index[32] = {0};
    int32_t ndim = heed_tensor_get_ndim(tensor);
    const int64_t *dims = heed_tensor_get_dims(tensor);
    for (int32_t d = ndim - 1; d >= 0 && ndim <= 32; d--) {
        index[d] = i % dims[d];
        i /= dims[d];
    }
    size_t n = (size_t)snprintf(out, size, "[");
    for (int32_t d = 0; d < ndim && n < size; d++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", d ? "," : "", (long long)index[d]);
    if (n < size)
        snprintf(out + n, size - n, "] of %s", print_dims(shape, ndim, dims));
}

/* ---- Numbers ---- */

static bool is_close(const comparison *c, double got, double want)
{
    const compare_rule *rule = c->rule;
    if (got == want || (isnan(got) && isnan(want)))
        return true;
    if (!isfinite(got) || !isfinite(want))
        return false;
    double scale = rule->normwise ? c->largest : fabs(want);
    double off = fabs(got - want), relative = rule->rtol * scale;
    return rule->either ? off <= rule->atol || off <= relative : off <= rule->atol + relative;
}

static void measure(compare_result *result, double got, double want)
{
    result->measured = true;
    if (!isfinite(got) || !isfinite(want))
        return;
    double off = fabs(got - want);
    result->max_abs = fmax(result->max_abs, off);
    if (want != 0)
        result->max_rel = fmax(result->max_rel, off / fabs(want));
}

static void compare_block(comparison *c, int64_t first, int64_t n, const double *got,
                          const double *want)
{
    for (int64_t i = 0; i < n; i++) {
        measure(c->result, got[i], want[i]);
        if (is_close(c, got[i], want[i]))
            continue;
        c->count++;
        if (c->first >= 0)
            continue;
        c->first = first + i;
        c->got_value = got[i];
        c->want_value = want[i];
    }
}

static bool report_numbers(comparison *c, int64_t total)
{
    char place[PRINT_SIZE];
    if (c->count == 0)
        return true;
    print_place(place, sizeof place, c->want, c->first);
    return say(
        c, "output \"%s\" element %s: expected %.9g, got %.9g (off by %.3g; %lld of %lld differ)",
        c->name, place, c->want_value, c->got_value, fabs(c->got_value - c->want_value),
        (long long)c->count, (long long)total);
}

static void find_largest(comparison *c)
{
    double want[BLOCK];
    int64_t count = heed_tensor_get_count(c->want);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        if (heed_tensor_read_f64(c->want, first, n, want))
            return;
        for (int64_t i = 0; i < n; i++)
            if (isfinite(want[i]))
                c->largest = fmax(c->largest, fabs(want[i]));
    }
}

static bool compare_real(comparison *c)
{
    double got[BLOCK], want[BLOCK];
    int64_t count = heed_tensor_get_count(c->want);
    if (c->rule->normwise)
        find_largest(c);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        if (heed_tensor_read_f64(c->got, first, n, got) ||
            heed_tensor_read_f64(c->want, first, n, want))
            return say(c, "output \"%s\": %s", c->name, heed_error_get()->message);
        compare_block(c, first, n, got, want);
    }
    return report_numbers(c, count);
}

/* Complex numbers as pairs: real parts and imaginary parts are compared alike. */
static bool compare_complex(comparison *c)
{
    int64_t count = heed_tensor_get_count(c->want);
    const void *got = heed_tensor_get_data(c->got), *want = heed_tensor_get_data(c->want);
    bool is_double = heed_tensor_get_dtype(c->want) == HEED_COMPLEX128;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 2 * i; k < 2 * i + 2; k++) {
            double a = is_double ? ((const double *)got)[k] : (double)((const float *)got)[k];
            double b = is_double ? ((const double *)want)[k] : (double)((const float *)want)[k];
            compare_block(c, i, 1, &a, &b);
        }
    return report_numbers(c, count);
}

/* ---- What must be equal ---- */

static int64_t whole_at(const heed_tensor *tensor, int64_t i)
{
    double value = 0;
    if (heed_dtype_bits(heed_tensor_get_dtype(tensor)) == 64)
        return ((const int64_t *)heed_tensor_get_data(tensor))[i];
    heed_tensor_read_f64(tensor, i, 1, &value);
    return (int64_t)value;
}

static bool compare_whole(comparison *c)
{
    char place[PRINT_SIZE];
    int64_t count = heed_tensor_get_count(c->want), total = 0, first = -1;
    size_t bytes = heed_tensor_get_bytes(c->want);
    if (bytes == 0 || !memcmp(heed_tensor_get_data(c->got), heed_tensor_get_data(c->want), bytes))
        return true;
    for (int64_t i = count - 1; i >= 0; i--)
        if (whole_at(c->got, i) != whole_at(c->want, i)) {
            total++;
            first = i;
        }
    if (first < 0)
        return true; /* unused bits of the last byte differ */
    print_place(place, sizeof place, c->want, first);
    return say(c, "output \"%s\" element %s: expected %lld, got %lld (%lld of %lld differ)",
               c->name, place, (long long)whole_at(c->want, first),
               (long long)whole_at(c->got, first), (long long)total, (long long)count);
}

static bool compare_strings(comparison *c)
{
    char place[PRINT_SIZE];
    const heed_string *got = heed_tensor_get_data(c->got), *want = heed_tensor_get_data(c->want);
    for (int64_t i = 0; i < heed_tensor_get_count(c->want); i++) {
        if (got[i].size == want[i].size &&
            (!want[i].size || !memcmp(got[i].data, want[i].data, want[i].size)))
            continue;
        print_place(place, sizeof place, c->want, i);
        return say(c, "output \"%s\" element %s: expected \"%.*s\", got \"%.*s\"", c->name, place,
                   (int)(want[i].size & 0xff), want[i].data ? want[i].data : "",
                   (int)(got[i].size & 0xff), got[i].data ? got[i].data : "");
    }
    return true;
}

/* ---- Tensors ---- */

static bool same_form(comparison *c)
{
    char a[PRINT_SIZE], b[PRINT_SIZE];
    heed_dtype got = heed_tensor_get_dtype(c->got), want = heed_tensor_get_dtype(c->want);
    int32_t ndim = heed_tensor_get_ndim(c->want);
    const int64_t *dims = heed_tensor_get_dims(c->want);
    if (got != want)
        return say(c, "output \"%s\": expected %s, got %s", c->name, heed_dtype_name(want),
                   heed_dtype_name(got));
    bool same = heed_tensor_get_ndim(c->got) == ndim;
    for (int32_t d = 0; same && d < ndim; d++)
        same = heed_tensor_get_dims(c->got)[d] == dims[d];
    if (same)
        return true;
    print_dims(a, ndim, dims);
    print_dims(b, heed_tensor_get_ndim(c->got), heed_tensor_get_dims(c->got));
    return say(c, "output \"%s\": expected shape %s, got %s", c->name, a, b);
}

static bool compare_dense(comparison *c, const compare_rules *rules)
{
    if (!same_form(c))
        return false;
    heed_dtype dtype = heed_tensor_get_dtype(c->want);
    const char *name = heed_dtype_name(dtype);
    bool is_complex = strstr(name, "complex") != NULL;
    c->rule = is_complex || heed_dtype_bits(dtype) >= 32 ? &rules->wide : &rules->narrow;
    if (dtype == HEED_STRING)
        return compare_strings(c);
    if (is_complex)
        return compare_complex(c);
    return strstr(name, "float") ? compare_real(c) : compare_whole(c);
}

bool compare_tensors(const char *name, const heed_tensor *got, const heed_tensor *want,
                     const compare_rules *rules, compare_result *result)
{
    static const char *const kinds[] = {"a tensor", "a sequence", "an optional", "a map"};
    comparison c = {.name = name, .got = got, .want = want, .result = result, .first = -1};
    uint32_t kind = heed_tensor_get_kind(want);
    if (heed_tensor_get_kind(got) != kind)
        return say(&c, "output \"%s\": expected %s, got %s", name, kinds[kind % 4],
                   kinds[heed_tensor_get_kind(got) % 4]);
    if (kind == HEED_TENSOR)
        return compare_dense(&c, rules);
    size_t n = heed_tensor_get_item_count(want);
    if (heed_tensor_get_item_count(got) != n)
        return say(&c, "output \"%s\": expected %zu items, got %zu", name, n,
                   heed_tensor_get_item_count(got));
    for (size_t i = 0; i < n; i++) {
        char item[128];
        snprintf(item, sizeof item, "%.100s[%zu]", name, i);
        if (!compare_tensors(item, heed_tensor_get_item(got, i), heed_tensor_get_item(want, i),
                             rules, result))
            return false;
    }
    return true;
}
