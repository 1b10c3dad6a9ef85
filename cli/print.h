/* print.h - numbers, shapes and tables for people. */
#ifndef HEED_CLI_PRINT_H
#define HEED_CLI_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PRINT_SIZE = 160 }; /* room for any of the texts below */

const char *print_bytes(char out[PRINT_SIZE], uint64_t bytes); /* "1.2 MB" */
const char *print_count(char out[PRINT_SIZE], uint64_t count); /* "1.2 M" */
const char *print_time(char out[PRINT_SIZE], uint64_t ns);     /* "3.21 ms" */
/* "1 token", "2 tokens". */
const char *print_number_of(char out[PRINT_SIZE], uint64_t n, const char *what);
/* "2x3", "scalar". */
const char *print_dims(char out[PRINT_SIZE], int32_t ndim, const int64_t *dims);

/* Rows of columns; numbers of columns may differ. Cells are copied. */
typedef struct print_table {
    size_t n_cells, n_rows, columns;
    char **cells;
} print_table;

/* One row of `columns` cells, a NULL as an empty one. The first row decides their number. */
void table_add(print_table *table, size_t columns, const char *const *cells);
void table_print(FILE *file, const print_table *table, const char *indent);
void table_free(print_table *table);

uint64_t print_now(void); /* CLOCK_MONOTONIC in ns */

#endif
