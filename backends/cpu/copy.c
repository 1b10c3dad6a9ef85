/* The copier of copy.h: merges dimensions, then runs the innermost one or two of them by the
 * loop that fits: runs (memcpy), fills, transposed tiles, or plain strides. */
#include "copy.h"

#include <string.h>

#include "loop.h"

enum { TILE = 16 }; /* side of the square that a transposing copy moves at a time */

void cpu_dense_strides(const DLTensor *tensor, ptrdiff_t *strides)
{
    ptrdiff_t stride = 1;
    for (int d = tensor->ndim - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= (ptrdiff_t)tensor->shape[d];
    }
}

/* ---- Merging ------------------------------------------------------------------------------ */

/* Drops extents of 1 and joins neighbours that both sides walk as one. */
static void merge(cpu_copy *c)
{
    int rank = 0;
    for (int d = 0; d < c->rank; d++) {
        ptrdiff_t extent = (ptrdiff_t)c->dims[d];
        if (extent == 1)
            continue;
        if (rank && c->to_stride[rank - 1] == c->to_stride[d] * extent &&
            c->from_stride[rank - 1] == c->from_stride[d] * extent) {
            c->dims[rank - 1] *= c->dims[d];
        } else {
            c->dims[rank++] = c->dims[d];
        }
        c->to_stride[rank - 1] = c->to_stride[d];
        c->from_stride[rank - 1] = c->from_stride[d];
    }
    c->rank = rank;
}

static void swap_dims(cpu_copy *c, int a, int b)
{
    size_t dim = c->dims[a];
    ptrdiff_t to = c->to_stride[a], from = c->from_stride[a];
    c->dims[a] = c->dims[b], c->dims[b] = dim;
    c->to_stride[a] = c->to_stride[b], c->to_stride[b] = to;
    c->from_stride[a] = c->from_stride[b], c->from_stride[b] = from;
}

/* The order of the outer dimensions is free: the one that the source walks densely is brought
 * next to the innermost, so that the two make transposed tiles. */
static bool find_transpose(cpu_copy *c)
{
    int last = c->rank - 1;
    if (c->rank < 2 || c->to_stride[last] != 1 || c->from_stride[last] < 2)
        return false;
    for (int d = 0; d < last; d++)
        if (c->from_stride[d] == 1) {
            swap_dims(c, d, last - 1);
            return true;
        }
    return false;
}

/* ---- Inner loops -------------------------------------------------------------------------- */

/* A source may be a weight, at any byte of its file. */
#define COPY_LOOPS(type)                                                                           \
    typedef type loose_##type __attribute__((aligned(1), may_alias));                              \
    static void fill_##type(char *to, const char *from, size_t n)                                  \
    {                                                                                              \
        type *t = (type *)(void *)to, value = *(const loose_##type *)(const void *)from;           \
        for (size_t i = 0; i < n; i++)                                                             \
            t[i] = value;                                                                          \
    }                                                                                              \
    static void stride_##type(char *to, ptrdiff_t ts, const char *from, ptrdiff_t fs, size_t n)    \
    {                                                                                              \
        type *t = (type *)(void *)to;                                                              \
        const loose_##type *f = (const loose_##type *)(const void *)from;                          \
        for (size_t i = 0; i < n; i++, t += ts, f += fs)                                           \
            *t = *f;                                                                               \
    }                                                                                              \
    /* t[r * ts + c] = f[c * fs + r] */                                                            \
    static void tile_##type(char *to, ptrdiff_t ts, const char *from, ptrdiff_t fs, size_t rows,   \
                            size_t cols)                                                           \
    {                                                                                              \
        type *restrict t = (type *)(void *)to;                                                     \
        const loose_##type *restrict f = (const loose_##type *)(const void *)from;                 \
        type square[TILE][TILE];                                                                   \
        for (size_t c = 0; c < cols; c++)                                                          \
            for (size_t r = 0; r < rows; r++)                                                      \
                square[r][c] = f[(ptrdiff_t)c * fs + (ptrdiff_t)r];                                \
        for (size_t r = 0; r < rows; r++)                                                          \
            memcpy(t + (ptrdiff_t)r * ts, square[r], cols * sizeof(type));                         \
    }

COPY_LOOPS(uint8_t)
COPY_LOOPS(uint16_t)
COPY_LOOPS(uint32_t)
COPY_LOOPS(uint64_t)

typedef struct copy_loops {
    size_t bytes;
    void (*fill)(char *to, const char *from, size_t n);
    void (*stride)(char *to, ptrdiff_t ts, const char *from, ptrdiff_t fs, size_t n);
    void (*tile)(char *to, ptrdiff_t ts, const char *from, ptrdiff_t fs, size_t rows, size_t cols);
} copy_loops;

// clang-format off
static const copy_loops loops[] = {
    {1, fill_uint8_t, stride_uint8_t, tile_uint8_t},
    {2, fill_uint16_t, stride_uint16_t, tile_uint16_t},
    {4, fill_uint32_t, stride_uint32_t, tile_uint32_t},
    {8, fill_uint64_t, stride_uint64_t, tile_uint64_t},
};
// clang-format on

static const copy_loops *loops_of(size_t bytes)
{
    const copy_loops *found = loops;
    while (found->bytes != bytes)
        found++;
    return found;
}

/* ---- Running ------------------------------------------------------------------------------ */

typedef struct copy_job {
    const cpu_copy *plan;
    const copy_loops *loops;
    int outer;  /* dimensions that are walked one index at a time */
    bool tiled; /* the two innermost dimensions are a transposition */
} copy_job;

static void transpose(const copy_job *job, char *to, const char *from)
{
    const cpu_copy *c = job->plan;
    size_t rows = c->dims[c->rank - 2], cols = c->dims[c->rank - 1], bytes = c->bytes;
    ptrdiff_t ts = c->to_stride[c->rank - 2], fs = c->from_stride[c->rank - 1];
    for (size_t r = 0; r < rows; r += TILE)
        for (size_t k = 0; k < cols; k += TILE) {
            ptrdiff_t t = (ptrdiff_t)r * ts + (ptrdiff_t)k, f = (ptrdiff_t)k * fs + (ptrdiff_t)r;
            size_t height = rows - r < TILE ? rows - r : TILE;
            size_t width = cols - k < TILE ? cols - k : TILE;
            job->loops->tile(to + t * (ptrdiff_t)bytes, ts, from + f * (ptrdiff_t)bytes, fs, height,
                             width);
        }
}

static void run_inner(const copy_job *job, char *to, const char *from)
{
    const cpu_copy *c = job->plan;
    if (job->tiled) {
        transpose(job, to, from);
        return;
    }
    size_t n = c->rank ? c->dims[c->rank - 1] : 1;
    ptrdiff_t ts = c->rank ? c->to_stride[c->rank - 1] : 1;
    ptrdiff_t fs = c->rank ? c->from_stride[c->rank - 1] : 1;
    if (ts == 1 && fs == 1)
        memcpy(to, from, n * c->bytes);
    else if (ts == 1 && fs == 0)
        job->loops->fill(to, from, n);
    else
        job->loops->stride(to, ts, from, fs, n);
}

/* Walks the outer dimensions like an odometer, from item `first` to `last`. */
static void run_range(const void *arg, size_t first, size_t last)
{
    const copy_job *job = arg;
    const cpu_copy *c = job->plan;
    size_t place[CPU_MAX_RANK], rest = first;
    ptrdiff_t to = 0, from = 0, bytes = (ptrdiff_t)c->bytes;
    for (int d = job->outer - 1; d >= 0; d--) {
        place[d] = rest % c->dims[d];
        rest /= c->dims[d];
        to += (ptrdiff_t)place[d] * c->to_stride[d];
        from += (ptrdiff_t)place[d] * c->from_stride[d];
    }
    for (size_t i = first; i < last; i++) {
        run_inner(job, c->to + to * bytes, c->from + from * bytes);
        for (int d = job->outer - 1; d >= 0; d--) {
            to += c->to_stride[d];
            from += c->from_stride[d];
            if (++place[d] < c->dims[d])
                break;
            to -= (ptrdiff_t)c->dims[d] * c->to_stride[d];
            from -= (ptrdiff_t)c->dims[d] * c->from_stride[d];
            place[d] = 0;
        }
    }
}

/* Cuts dimension `d` in two, so that one long run can be shared by threads. */
static void cut(cpu_copy *c, int d, size_t each)
{
    if (c->rank == CPU_MAX_RANK || c->dims[d] % each)
        return;
    for (int k = c->rank; k > d; k--) {
        c->dims[k] = c->dims[k - 1];
        c->to_stride[k] = c->to_stride[k - 1];
        c->from_stride[k] = c->from_stride[k - 1];
    }
    c->rank++;
    c->dims[d] /= each;
    c->to_stride[d] *= (ptrdiff_t)each;
    c->from_stride[d] *= (ptrdiff_t)each;
    c->dims[d + 1] = each;
}

void cpu_copy_run(cpu_copy *plan)
{
    for (int d = 0; d < plan->rank; d++)
        if (!plan->dims[d])
            return;
    merge(plan);
    if (plan->rank == 1 && plan->dims[0] >= 65536)
        cut(plan, 0, plan->dims[0] % 16384 ? 4096 : 16384);
    copy_job job = {plan, loops_of(plan->bytes), 0, find_transpose(plan)};
    if (job.tiled && plan->rank == 2)
        cut(plan, 0, 64);
    job.outer = job.tiled ? plan->rank - 2 : plan->rank - 1;
    size_t items = 1, inner = 1;
    for (int d = 0; d < plan->rank; d++) {
        size_t *count = d < job.outer ? &items : &inner;
        *count *= plan->dims[d];
    }
    cpu_range_run(items, cpu_rows_per_piece(inner), run_range, &job);
}
