/* Attention whose queries, keys and values are bfloat16: products of pairs of numbers, two
 * multiply-adds in each 32-bit lane, summed in float32. flash_brain.c is the bfloat16 side of
 * flash_load.c and of the steps of flash.c; masks, ranges and joins are those of flash.h.
 *
 * With many rows both products are c[m][rows] = a[m][n] b[n / 2][rows][2], where a has its n side
 * by side: keys as they lie, times queries in pairs of channels; values turned, [column][key],
 * times weights in pairs of keys. Scores and sums are float32, weights are rounded to bfloat16, and
 * what a row is divided by is the sum of its rounded weights. */
#ifndef CPU_FLASH_BRAIN_H
#define CPU_FLASH_BRAIN_H

#include "flash.h"

/* What turn writes of a row is a multiple of this; sums of pairs may read as far. */
enum { BRAIN_STEP = 32 };

/* Weights take the place of scores: pair j / 2 of row r at word j / 2 * rows + r, or with few rows
 * at element j of row r. Keys and channels that fill up pairs must be zeros in one operand, and
 * finite in the other. */
struct cpu_flash_brain {
    size_t rows;  /* of a panel, at most */
    size_t depth; /* channels and keys come in multiples of it, with many rows */
    void (*begin)(void), (*end)(void); /* around the work of a thread; NULL: nothing to do */
    void (*scores)(float *s, const uint16_t *k, size_t k_row, size_t keys, const uint16_t *q,
                   size_t d, size_t vectors, float scale);
    void (*values)(float *o, const uint16_t *v, size_t v_row, size_t cols, const uint16_t *p,
                   size_t keys, const float *alpha, size_t vectors);
    void (*weigh)(float *s, size_t keys, float *top, float *sum, float *alpha, size_t vectors);
    void (*few_scores)(float *s, size_t s_row, const uint16_t *k, size_t k_row, size_t keys,
                       const uint16_t *q, size_t q_row, size_t d, size_t rows, float scale);
    void (*few_values)(float *o, size_t o_row, const uint16_t *v, size_t v_row, size_t cols,
                       const uint16_t *p, size_t p_row, size_t keys, const float *alpha,
                       size_t rows);
    void (*few_weigh)(float *s, size_t s_row, size_t keys, float *top, float *sum, float *alpha,
                      size_t rows);
    /* to[c][r] = from[r][c]; the rows of `to` are filled up with zeros to BRAIN_STEP. */
    void (*turn)(uint16_t *to, size_t to_row, const uint16_t *from, size_t from_row, size_t rows,
                 size_t cols);
};

/* Tiles and rooms of a job that has `brain`. */
void flash_brain_cut(flash_job *job);
size_t flash_brain_keys_room(const flash_job *job);
size_t flash_brain_values_room(const flash_job *job);

void flash_brain_load_queries(const flash_job *job, const flash_slot *slot, flash_panel *p);
void flash_brain_load_keys(const flash_job *job, flash_slot *slot, size_t b, size_t h, size_t first,
                           size_t n);
void flash_brain_load_values(const flash_job *job, flash_slot *slot, size_t b, size_t h,
                             size_t first, size_t n);
/* n keys of the tile at hand from place `skip` on; they begin with key `first`. */
void flash_brain_step(const flash_job *job, flash_slot *slot, flash_panel *p, size_t first,
                      size_t n, size_t skip);

#endif
