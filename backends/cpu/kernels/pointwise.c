/* heed.Pointwise: a program of elementwise operators, run block by block, so that what lies between
 * two of them stays in the first cache. The loops are the rows that the operators alone have
 * (lanes/maps.h, lanes/zips.h), and float16 and bfloat16 are rounded after every step as they
 * would be there: the results are the same to the bit. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"

enum { STEPS = 16, INPUTS = 8, OPERANDS = 3, BLOCK = CPU_HALF_BLOCK };

/* Exactly one of map, zip and `choice` (Where) computes it. */
typedef struct step {
    cpu_map *map;
    cpu_zip *zip;
    bool choice;
    heed_dtype out; /* HEED_FLOAT32 or HEED_BOOL */
    uint32_t n_in, in[OPERANDS];
    float parameters[2];
} step;

typedef struct pointwise_state {
    uint32_t n_in, n_steps;
    step steps[STEPS];
    cpu_half half;
    cpu_choose *choose;
} pointwise_state;

/* ---- Reading the program: "Mul 0 1; Swish alpha=1 2" ----------------------------------------- */

static bool next_word(const char **at, char *word, size_t size)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ;");
    if (!n || n >= size)
        return false;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    return true;
}

/* Numbers become parameters in their order, which is that of the rows in lanes/maps.h; a word
 * names a row of its own: "Gelu/tanh". */
static bool read_attr(step *s, char *op, size_t size, const char *value, uint32_t *n_parameters)
{
    char *end;
    float number = strtof(value, &end);
    if (end != value && !*end) {
        if (*n_parameters == 2)
            return false;
        s->parameters[(*n_parameters)++] = number;
        return true;
    }
    size_t used = strlen(op), n = strlen(value);
    if (!strcmp(value, "none"))
        return true;
    if (used + n + 2 > size)
        return false;
    op[used] = '/';
    memcpy(op + used + 1, value, n + 1);
    return true;
}

static bool read_words(const char **at, step *s, char *op, size_t size, uint32_t n_values)
{
    char word[64];
    uint32_t n_parameters = 0;
    if (!next_word(at, op, size))
        return false;
    while (next_word(at, word, sizeof(word))) {
        const char *value = strchr(word, '=');
        if (value) {
            if (!read_attr(s, op, size, value + 1, &n_parameters))
                return false;
            continue;
        }
        unsigned long k = strtoul(word, NULL, 10);
        if (k >= n_values || s->n_in == OPERANDS)
            return false;
        s->in[s->n_in++] = (uint32_t)k;
    }
    return s->n_in > 0;
}

/* All numbers are computed as float32. */
static bool find_loop(const cpu_lanes *lanes, step *s, const char *op, const heed_dtype *types)
{
    heed_dtype in = types[s->in[0]];
    if (s->n_in == 1) {
        const cpu_map_row *row = cpu_map_find(lanes, op, in);
        s->map = row ? row->run : NULL;
        s->out = row ? row->out : HEED_UNDEFINED;
        return row != NULL;
    }
    if (s->n_in == 2) {
        const cpu_zip_row *row = cpu_zip_find(lanes, op, in);
        s->zip = row ? row->run : NULL;
        s->out = row ? row->out : HEED_UNDEFINED;
        return row && types[s->in[1]] == in;
    }
    s->choice = !strcmp(op, "Where") && in == HEED_BOOL;
    s->out = types[s->in[1]];
    return s->choice && types[s->in[2]] == s->out;
}

static bool read_step(const cpu_lanes *lanes, const char **at, step *s, heed_dtype *types,
                      uint32_t n_values)
{
    char op[48];
    *s = (step){.n_in = 0};
    if (!read_words(at, s, op, sizeof(op), n_values) || !find_loop(lanes, s, op, types))
        return false;
    types[n_values] = s->out;
    return true;
}

static bool read_program(const cpu_lanes *lanes, const char *text, heed_dtype *types,
                         pointwise_state *out)
{
    for (const char *at = text; out->n_steps < STEPS; at++) {
        step *s = &out->steps[out->n_steps];
        if (!read_step(lanes, &at, s, types, out->n_in + out->n_steps))
            return false;
        out->n_steps++;
        if (*at != ';')
            return !*at;
    }
    return false;
}

/* The inputs' types, halves as what they are computed in; false when one is none of ours. */
static bool read_types(const heed_node *node, heed_dtype *types, heed_dtype *number)
{
    *number = HEED_UNDEFINED;
    for (uint32_t i = 0; i < node->n_in; i++) {
        heed_dtype type = node->in[i] ? cpu_dtype(node->in[i]->dtype) : HEED_UNDEFINED;
        types[i] = type == HEED_BOOL ? HEED_BOOL : HEED_FLOAT32;
        if (type == HEED_BOOL)
            continue;
        if ((type != HEED_FLOAT32 && !cpu_half_is(type)) || (*number && *number != type))
            return false;
        *number = type;
    }
    return true;
}

static heed_status read_node(void *device, const heed_node *node, pointwise_state *out)
{
    heed_dtype types[INPUTS + STEPS], number;
    const heed_attribute *program = node->attr(node, "program");
    const cpu_lanes *lanes = cpu_lanes_of(device);
    if (!program || !node->n_in || node->n_in > INPUTS || !read_types(node, types, &number))
        return cpu_refuse_dtype(node, 0);
    *out = (pointwise_state){.n_in = node->n_in, .choose = lanes->choose};
    out->half = cpu_half_find(lanes, number);
    if (!read_program(lanes, program->s.data, types, out))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: no loop for a step of \"%.64s\"",
                              program->s.data);
    return HEED_OK;
}

static heed_status accepts(void *device, const heed_node *node)
{
    pointwise_state state;
    return read_node(device, node, &state);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    pointwise_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    heed_status status = read_node(device, node, s);
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
    float inputs[INPUTS][BLOCK], results[STEPS][BLOCK];
    operand values[INPUTS + STEPS];
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

static void compute(const pointwise_state *s, const step *t, const operand *values, void *to,
                    size_t n)
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
        const step *t = &s->steps[i];
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
    int how[INPUTS];
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
    _Alignas(64) char gathered[INPUTS][BLOCK * sizeof(float)];
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
