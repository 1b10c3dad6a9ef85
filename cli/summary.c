/* summary.c - an output in a line: dtype, shape, least, mean and largest value, the first few. */
#include "summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 5, BLOCK = 1024 };

typedef struct statistics {
    double least, mean, largest; /* of what is a number; NaN when nothing is */
    int64_t nan;
    double first[FIRST];
    int64_t n_first;
} statistics;

static void add_value(statistics *s, double value, int64_t *n)
{
    if (isnan(value)) {
        s->nan++;
        return;
    }
    s->least = *n ? fmin(s->least, value) : value;
    s->largest = *n ? fmax(s->largest, value) : value;
    s->mean += (value - s->mean) / (double)(*n + 1);
    ++*n;
}

static statistics measure(const heed_tensor *tensor)
{
    double block[BLOCK];
    statistics s = {0};
    int64_t numbers = 0, count = heed_tensor_get_count(tensor);
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        if (heed_tensor_read_f64(tensor, first, n, block))
            break;
        for (int64_t i = 0; i < n; i++)
            add_value(&s, block[i], &numbers);
        for (int64_t i = 0; first == 0 && i < n && i < FIRST; i++)
            s.first[s.n_first++] = block[i];
    }
    if (!numbers)
        s.least = s.mean = s.largest = (double)NAN;
    return s;
}

static void print_first(char out[PRINT_SIZE], const statistics *s, int64_t count)
{
    size_t n = 0;
    out[0] = 0;
    for (int64_t i = 0; i < s->n_first; i++)
        n += (size_t)snprintf(out + n, PRINT_SIZE - n, "%s%.6g", i ? " " : "", s->first[i]);
    if (count > s->n_first)
        n += (size_t)snprintf(out + n, PRINT_SIZE - n, " ...");
    if (s->nan)
        snprintf(out + n, PRINT_SIZE - n, "  (%lld NaN)", (long long)s->nan);
}

static void print_strings(char out[PRINT_SIZE], const heed_tensor *tensor)
{
    const heed_string *strings = heed_tensor_get_data(tensor);
    int64_t count = heed_tensor_get_count(tensor);
    size_t n = 0;
    out[0] = 0;
    for (int64_t i = 0; i < count && i < FIRST; i++)
        n += (size_t)snprintf(out + n, PRINT_SIZE - n, "%s\"%.*s\"", i ? " " : "",
                              (int)(strings[i].size < 24 ? strings[i].size : 24),
                              strings[i].data ? strings[i].data : "");
    if (count > FIRST)
        snprintf(out + n, PRINT_SIZE - n, " ...");
}

void summary_head(print_table *table)
{
    table_add(
        table, 7,
        (const char *const[]){"output", "dtype", "shape", "min", "mean", "max", "first values"});
}

static void add_dense(print_table *table, const char *name, const heed_tensor *tensor)
{
    char shape[PRINT_SIZE], least[32] = "", mean[32] = "", largest[32] = "", first[PRINT_SIZE];
    int64_t count = heed_tensor_get_count(tensor);
    print_dims(shape, heed_tensor_get_ndim(tensor), heed_tensor_get_dims(tensor));
    if (heed_tensor_get_dtype(tensor) == HEED_STRING) {
        print_strings(first, tensor);
    } else {
        statistics s = measure(tensor);
        print_first(first, &s, count);
        if (count) {
            snprintf(least, sizeof least, "%.6g", s.least);
            snprintf(mean, sizeof mean, "%.6g", s.mean);
            snprintf(largest, sizeof largest, "%.6g", s.largest);
        }
    }
    table_add(table, 7,
              (const char *const[]){name, heed_dtype_name(heed_tensor_get_dtype(tensor)), shape,
                                    least, mean, largest, first});
}

void summary_add(print_table *table, const char *name, const heed_tensor *tensor)
{
    if (heed_tensor_get_kind(tensor) == HEED_TENSOR) {
        add_dense(table, name, tensor);
        return;
    }
    size_t n = heed_tensor_get_item_count(tensor);
    if (!n)
        table_add(table, 7, (const char *const[]){name, "", "empty", "", "", "", ""});
    for (size_t i = 0; i < n; i++) {
        char *item = cli_format("%s[%zu]", name, i);
        summary_add(table, item, heed_tensor_get_item(tensor, i));
        free(item);
    }
}

static void json_dense(json_out *out, const heed_tensor *tensor)
{
    json_text(out, "dtype", heed_dtype_name(heed_tensor_get_dtype(tensor)));
    json_ints(out, "shape", heed_tensor_get_dims(tensor), (size_t)heed_tensor_get_ndim(tensor));
    if (heed_tensor_get_dtype(tensor) == HEED_STRING)
        return;
    statistics s = measure(tensor);
    json_real(out, "min", s.least);
    json_real(out, "mean", s.mean);
    json_real(out, "max", s.largest);
    json_int(out, "nan", s.nan);
    json_open(out, "first", '[');
    for (int64_t i = 0; i < s.n_first; i++)
        json_real(out, NULL, s.first[i]);
    json_close(out, ']');
}

void summary_json(json_out *out, const char *name, const heed_tensor *tensor)
{
    json_open(out, NULL, '{');
    if (name)
        json_text(out, "name", name);
    if (heed_tensor_get_kind(tensor) == HEED_TENSOR) {
        json_dense(out, tensor);
    } else {
        json_open(out, "items", '[');
        for (size_t i = 0; i < heed_tensor_get_item_count(tensor); i++)
            summary_json(out, NULL, heed_tensor_get_item(tensor, i));
        json_close(out, ']');
    }
    json_close(out, '}');
}
