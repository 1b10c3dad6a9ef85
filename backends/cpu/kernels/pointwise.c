/* heed.Pointwise: the node, and its blocks. See pointwise.h. */
#include <string.h>

#include "loop.h"
#include "pointwise.h"

enum { BLOCK = CPU_HALF_BLOCK };

static heed_status accepts(void *device, const heed_node *node)
{
    pointwise_state state;
    return pointwise_read(device, node, &state);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    pointwise_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    heed_status status = pointwise_read(device, node, s);
    if (status)
        cpu_host->free(s, sizeof(*s));
    else
        *state = s;
    return status;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(pointwise_state));
}

/* ---- Running it ----------------------------------------------------------------------------- */

/* A value of the program within one block: a run, or one repeated element. */
typedef struct operand {
    void *data;
    unsigned walks; /* 1 or 0 */
} operand;

typedef struct block {
    float inputs[POINTWISE_INPUTS][BLOCK], results[POINTWISE_STEPS][BLOCK];
    operand values[POINTWISE_INPUTS + POINTWISE_STEPS];
} block;

static const float no_parameters[2];

/* Input i of a block is here, in its own type; what is computed with float32 is widened. */
static void load(const pointwise_state *s, const cpu_loop *loop, uint32_t i, const void *from,
                 unsigned walks, size_t n, block *b)
{
    b->values[i] = (operand){(void *)(uintptr_t)from, walks};
    if (loop->bytes[i + 1] != 2)
        return;
    s->half.widen(b->inputs[i], from, walks ? n : 1, no_parameters);
    b->values[i].data = b->inputs[i];
}

static void compute(const pointwise_state *s, const pointwise_step *t, const operand *values,
                    void *to, size_t n)
{
    const operand *x = &values[t->in[0]], *y = &values[t->in[t->n_in > 1]],
                  *z = &values[t->in[t->n_in - 1]];
    if (t->map) {
        t->map(to, x->data, n, t->parameters);
    } else if (t->zip) {
        t->zip(to, x->data, y->data, n,
               !x->walks   ? CPU_ZIP_SV
               : !y->walks ? CPU_ZIP_VS
                           : CPU_ZIP_VV);
    } else {
        size_t steps[3] = {x->walks, y->walks, z->walks};
        s->choose(to, x->data, y->data, z->data, n, steps, t->out == HEED_BOOL ? 1 : 4);
    }
}

static void round_to_half(const pointwise_state *s, float *x, size_t n)
{
    uint16_t halves[BLOCK];
    s->half.narrow(halves, x, n, no_parameters);
    s->half.widen(x, halves, n, no_parameters);
}

/* The inputs are loaded; y: where the result's n elements go. */
static void run_block(const pointwise_state *s, char *y, size_t n, block *b)
{
    for (uint32_t i = 0; i < s->n_steps; i++) {
        const pointwise_step *t = &s->steps[i];
        bool last = i + 1 == s->n_steps, narrow = s->half.widen && t->out == HEED_FLOAT32;
        void *to = last && !narrow ? (void *)y : b->results[i];
        compute(s, t, b->values, to, n);
        if (narrow && last)
            s->half.narrow(y, to, n, no_parameters);
        else if (narrow)
            round_to_half(s, to, n);
        b->values[s->n_in + i] = (operand){to, 1};
    }
}

/* ---- Long rows: blocks of one row ------------------------------------------------------------ */

static void run_row(const void *arg, const cpu_loop *loop, char *const *p, size_t n)
{
    const pointwise_state *s = arg;
    block b;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        for (uint32_t i = 0; i < s->n_in; i++) {
            unsigned walks = loop->step[i + 1];
            load(s, loop, i, p[i + 1] + at * walks * loop->bytes[i + 1], walks, m, &b);
        }
        run_block(s, p[0] + at * loop->bytes[0], m, &b);
    }
}

/* ---- Short rows: blocks of several ------------------------------------------------------------
 * Inputs that are broadcast are laid out as the others are, so that each step is one long loop. */

enum { DENSE, REPEATED, GATHERED };

typedef struct rows_job {
    const pointwise_state *state;
    const cpu_loop *loop;
    int how[POINTWISE_INPUTS];
    size_t rows; /* of a block */
} rows_job;

/* How an input lies beside the result, over all the rows. */
static int how_it_lies(const cpu_loop *loop, uint32_t a)
{
    size_t dense = loop->inner * loop->bytes[a];
    bool is_dense = loop->step[a] == 1, is_one = loop->step[a] == 0;
    for (int d = 0; d < loop->rank; d++) {
        is_dense = is_dense && loop->stride[d][a] == dense;
        is_one = is_one && loop->stride[d][a] == 0;
        dense *= loop->dims[d];
    }
    return is_dense ? DENSE : is_one ? REPEATED : GATHERED;
}

static void fill_32(uint32_t *to, const void *from, size_t n)
{
    uint32_t x;
    memcpy(&x, from, sizeof(x));
    for (size_t i = 0; i < n; i++)
        to[i] = x;
}

static void fill_16(uint16_t *to, const void *from, size_t n)
{
    uint16_t x;
    memcpy(&x, from, sizeof(x));
    for (size_t i = 0; i < n; i++)
        to[i] = x;
}

static void fill(void *to, const char *from, size_t n, size_t bytes)
{
    if (bytes == 4)
        fill_32(to, from, n);
    else if (bytes == 2)
        fill_16(to, from, n);
    else
        memset(to, *(const unsigned char *)from, n);
}

/* The first `done` bytes again and again, up to n. */
static void repeat(char *to, size_t done, size_t n)
{
    for (size_t more; done < n; done += more) {
        more = done < n - done ? done : n - done;
        memcpy(to + done, to, more);
    }
}

/* Rows of an input that follow each other in the innermost of the outer dimensions. */
static void put_rows(char *to, const char *from, const cpu_loop *loop, uint32_t a, size_t rows)
{
    size_t bytes = loop->bytes[a], n = loop->inner, row = n * bytes;
    size_t stride = loop->rank ? loop->stride[0][a] : 0;
    if (!loop->step[a] && !stride) {
        fill(to, from, rows * n, bytes);
    } else if (!loop->step[a]) {
        for (size_t r = 0; r < rows; r++)
            fill(to + r * row, from + r * stride, n, bytes);
    } else if (!stride) {
        memcpy(to, from, row);
        repeat(to, row, rows * row);
    } else if (stride == row) {
        memcpy(to, from, rows * row);
    } else {
        for (size_t r = 0; r < rows; r++)
            memcpy(to + r * row, from + r * stride, row);
    }
}

/* Where a row of an input begins; *place: its place in the innermost of the outer dimensions. */
static const char *find_row(const cpu_loop *loop, uint32_t a, size_t row, size_t *place)
{
    const char *at = loop->base[a];
    *place = loop->rank ? row % loop->dims[0] : 0;
    for (int d = 0; d < loop->rank && row; d++) {
        at += row % loop->dims[d] * loop->stride[d][a];
        row /= loop->dims[d];
    }
    return at;
}

/* Rows [first, first + n) of an input, one after the other. */
static void gather(const cpu_loop *loop, uint32_t a, size_t first, size_t n, char *to)
{
    size_t along = loop->rank ? loop->dims[0] : 1, place;
    for (size_t row = first, end = first + n, rows; row < end; row += rows) {
        const char *from = find_row(loop, a, row, &place);
        rows = along - place < end - row ? along - place : end - row;
        put_rows(to, from, loop, a, rows);
        to += rows * loop->inner * loop->bytes[a];
    }
}

static void run_rows(const void *arg, size_t first, size_t last)
{
    const rows_job *job = arg;
    const cpu_loop *loop = job->loop;
    const pointwise_state *s = job->state;
    block b;
    _Alignas(64) char gathered[POINTWISE_INPUTS][BLOCK * sizeof(float)];
    for (size_t row = first; row < last; row += job->rows) {
        size_t rows = last - row < job->rows ? last - row : job->rows, n = rows * loop->inner;
        for (uint32_t i = 0; i < s->n_in; i++) {
            if (job->how[i] == GATHERED)
                gather(loop, i + 1, row, rows, gathered[i]);
            const char *own = loop->base[i + 1] + row * loop->inner * loop->bytes[i + 1];
            const char *from = job->how[i] == DENSE      ? own
                               : job->how[i] == REPEATED ? loop->base[i + 1]
                                                         : gathered[i];
            load(s, loop, i, from, job->how[i] != REPEATED, n, &b);
        }
        run_block(s, loop->base[0] + row * loop->inner * loop->bytes[0], n, &b);
    }
}

static void run_short(const pointwise_state *s, const cpu_loop *loop)
{
    rows_job job = {.state = s, .loop = loop, .rows = BLOCK / loop->inner};
    for (uint32_t i = 0; i < s->n_in; i++)
        job.how[i] = how_it_lies(loop, i + 1);
    cpu_range_run(loop->rows, cpu_rows_per_piece(loop->inner), run_rows, &job);
}

static heed_status run(const heed_call *call)
{
    cpu_loop loop;
    heed_status status = cpu_loop_plan(&loop, call->out[0], call->in, call->n_in);
    if (status || !loop.inner || !loop.rows)
        return status;
    if (loop.rows > 1 && loop.inner <= BLOCK / 4)
        run_short(call->state, &loop);
    else
        cpu_loop_run(&loop, run_row, call->state);
    return HEED_OK;
}

/* The result is written by the last step of a block, when the inputs of the others are read. */
#define EVERY_INPUT UINT64_C(0xff)

static const heed_kernel pointwise =
    HEED_KERNEL(.domain = "heed", .op = "Pointwise", .since = 1, .accepts = accepts,
                .prepare = prepare, .run = run, .release = release, .reuse = EVERY_INPUT);

const heed_kernel *const kernels_pointwise[] = {&pointwise, NULL};
