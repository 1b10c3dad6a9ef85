/* text.c - numbers as text and text as numbers: the shortest digits that give the same element
 * back, laid out as Python prints them; no locale changes a decimal point. */
#include "ops/text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 64, DIGITS_MAX = 17 };

/* ---- Numbers to text ------------------------------------------------------------------------ */

static double rounded(heed_dtype dtype, double value)
{
    uint64_t bits = 0;
    dtype_store_f64(dtype, &bits, 0, 1, &value, false);
    dtype_load_f64(dtype, &bits, 0, 1, &value);
    return value;
}

static bool same(double a, double b) { return a >= b && a <= b; }

/* Writes the fewest digits as d.ddde+xx, from which the element comes back. */
static void shortest(heed_dtype dtype, double value, char *out, size_t size)
{
    for (int digits = 0; digits < DIGITS_MAX; digits++) {
        snprintf(out, size, "%.*e", digits, value);
        if (same(rounded(dtype, strtod(out, NULL)), value))
            return;
    }
}

/* 0.0001 to 1e16 plain with at least one digit behind the point, the rest as it is. */
static void layout_float(heed_dtype dtype, double value, char *out, size_t size)
{
    char text[TEXT_MAX];
    shortest(dtype, value, text, sizeof text);
    char *e = strchr(text, 'e');
    int exponent = e ? atoi(e + 1) : 0;
    if (exponent < -4 || exponent >= 16) {
        snprintf(out, size, "%s", text);
        return;
    }
    int digits = e ? (int)(e - text) - (strchr(text, '.') ? 1 : 0) - (text[0] == '-') : 1;
    int behind = digits - 1 - exponent;
    snprintf(out, size, "%.*f", behind > 1 ? behind : 1, value);
}

static void number_text(const heed_tensor *in, int64_t i, char *out, size_t size)
{
    double value = tensor_get_float(in, i);
    if (in->dtype == HEED_BOOL)
        snprintf(out, size, "%s", value > 0 ? "True" : "False");
    else if (in->dtype == HEED_UINT64)
        snprintf(out, size, "%" PRIu64, (uint64_t)tensor_get_int(in, i));
    else if (dtype_is_int(in->dtype))
        snprintf(out, size, "%" PRId64, tensor_get_int(in, i));
    else if (isnan(value))
        snprintf(out, size, "nan");
    else if (isinf(value))
        snprintf(out, size, value > 0 ? "inf" : "-inf");
    else
        layout_float(in->dtype, value, out, size);
}

/* ---- Text to numbers ------------------------------------------------------------------------ */

static heed_status no_number(const heed_string *s, heed_dtype dtype)
{
    int n = s->size < 40 ? (int)s->size : 40;
    char found[TEXT_MAX];
    snprintf(found, sizeof found, "\"%.*s\"", n, s->data ? s->data : "");
    return err_expected(HEED_INVALID, dtype_name(dtype), found, "the string is cast to a number");
}

static heed_status text_number(heed_tensor *out, int64_t i, const heed_string *s)
{
    char text[2 * TEXT_MAX] = "";
    char *end = text;
    void *data = tensor_data(out);
    if (s->size >= sizeof text)
        return no_number(s, out->dtype);
    if (s->size > 0)
        memcpy(text, s->data, s->size);
    if (out->dtype == HEED_UINT64) {
        uint64_t value = strtoull(text, &end, 10);
        dtype_store_u64(out->dtype, data, i, 1, &value);
    } else if (dtype_is_int(out->dtype)) {
        int64_t value = strtoll(text, &end, 10);
        dtype_store_i64(out->dtype, data, i, 1, &value);
    } else if (out->dtype == HEED_BOOL &&
               (!strcasecmp(text, "true") || !strcasecmp(text, "false"))) {
        *((uint8_t *)data + i) = text[0] == 't' || text[0] == 'T';
        return HEED_OK;
    }
    if (end != text && *end == 0)
        return HEED_OK;
    double value = strtod(text, &end);
    if (end == text || *end != 0)
        return no_number(s, out->dtype);
    dtype_store_f64(out->dtype, data, i, 1, &value, true);
    return HEED_OK;
}

/* ---- Tensors -------------------------------------------------------------------------------- */

static heed_status cast_all(heed_tensor *out, const heed_tensor *in)
{
    int64_t n = tensor_count(in);
    for (int64_t i = 0; i < n; i++) {
        if (in->dtype == HEED_STRING) {
            TRY(text_number(out, i, (const heed_string *)tensor_data(in) + i));
            continue;
        }
        char text[TEXT_MAX];
        number_text(in, i, text, sizeof text);
        TRY(tensor_set_string(out, i, text, strlen(text)));
    }
    return HEED_OK;
}

heed_status text_cast(heed_tensor *out, const heed_tensor *in)
{
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return err_nomem(0);
    locale_t before = uselocale(plain);
    heed_status status = cast_all(out, in);
    uselocale(before);
    freelocale(plain);
    return status;
}
