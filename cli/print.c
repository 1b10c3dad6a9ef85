/* print.c - numbers, shapes and tables for people. */
#include "print.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

/* value scaled down by `step` until it is below it, with the unit that fits. */
static const char *scaled(char *out, double value, double step, const char *const *units)
{
    while (value >= step && units[1]) {
        value /= step;
        units++;
    }
    int digits = value < 10 ? 2 : value < 100 ? 1 : 0; /* three that count */
    snprintf(out, PRINT_SIZE, "%.*f %s", digits, value, *units);
    return out;
}

const char *print_bytes(char out[PRINT_SIZE], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", NULL};
    if (bytes < 1000)
        snprintf(out, PRINT_SIZE, "%llu B", (unsigned long long)bytes);
    else
        scaled(out, (double)bytes / 1000, 1000, units);
    return out;
}

const char *print_count(char out[PRINT_SIZE], uint64_t count)
{
    static const char *const units[] = {"k", "M", "G", "T", NULL};
    if (count < 10000)
        snprintf(out, PRINT_SIZE, "%llu", (unsigned long long)count);
    else
        scaled(out, (double)count / 1000, 1000, units);
    return out;
}

const char *print_time(char out[PRINT_SIZE], uint64_t ns)
{
    static const char *const units[] = {"us", "ms", "s", NULL};
    return scaled(out, (double)ns / 1000, 1000, units);
}

const char *print_number_of(char out[PRINT_SIZE], uint64_t n, const char *what)
{
    snprintf(out, PRINT_SIZE, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
    return out;
}

const char *print_dims(char out[PRINT_SIZE], int32_t ndim, const int64_t *dims)
{
    size_t n = 0;
    snprintf(out, PRINT_SIZE, "scalar");
    for (int32_t i = 0; i < ndim && n < PRINT_SIZE; i++)
        n += (size_t)snprintf(out + n, PRINT_SIZE - n, "%s%lld", i ? "x" : "", (long long)dims[i]);
    return out;
}

uint64_t print_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Tables --------------------------------------------------------------------------- */

void table_add(print_table *table, size_t columns, const char *const *cells)
{
    if (!table->columns)
        table->columns = columns;
    table->n_rows++;
    table->cells = cli_grow(table->cells, table->n_rows * table->columns, sizeof *table->cells);
    for (size_t i = 0; i < table->columns; i++)
        table->cells[table->n_cells++] = cli_copy(i < columns && cells[i] ? cells[i] : "");
}

static size_t width_of(const print_table *table, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < table->n_cells; i += table->columns) {
        size_t length = strlen(table->cells[i]);
        width = length > width ? length : width;
    }
    return width;
}

/* Cells of a row up to its last that is not empty: lines have no spaces at their ends. */
static void print_row(FILE *file, const print_table *table, size_t row, const size_t *widths)
{
    char *const *cells = table->cells + row * table->columns;
    size_t last = table->columns;
    while (last > 1 && !*cells[last - 1])
        last--;
    for (size_t i = 0; i + 1 < last; i++)
        fprintf(file, "%-*s  ", (int)widths[i], cells[i]);
    fprintf(file, "%s\n", cells[last - 1]);
}

void table_print(FILE *file, const print_table *table, const char *indent)
{
    size_t *widths = cli_alloc(table->columns, sizeof *widths);
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = width_of(table, i);
    for (size_t row = 0; row < table->n_rows; row++) {
        fputs(indent, file);
        print_row(file, table, row, widths);
    }
    free(widths);
}

void table_free(print_table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (print_table){0};
}
