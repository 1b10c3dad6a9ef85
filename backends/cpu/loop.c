/* The loop planner of loop.h, and the two ways of spreading work over the thread pool. */
#include "loop.h"

/* Elements in a piece of work: large enough to hide the cost of handing it out (well under a
 * microsecond), small enough to stay in a core's own cache and to feed many threads. */
enum { PIECE = 16384 };

size_t cpu_rows_per_piece(size_t n) { return n >= PIECE ? 1 : PIECE / (n ? n : 1); }

/* ---- Ranges ------------------------------------------------------------------------------- */

typedef struct range_job {
    cpu_range_body *body;
    const void *arg;
    size_t count, each;
} range_job;

static void range_piece(void *arg, uint32_t i)
{
    const range_job *job = arg;
    size_t first = i * job->each, last = first + job->each;
    job->body(job->arg, first, last < job->count ? last : job->count);
}

void cpu_range_run(size_t count, size_t least, cpu_range_body *body, const void *arg)
{
    range_job job = {body, arg, count, least ? least : 1};
    if (count / job.each > UINT32_MAX / 2)
        job.each = count / (UINT32_MAX / 2) + 1;
    size_t pieces = (count + job.each - 1) / job.each;
    if (pieces == 1)
        body(arg, 0, count);
    else if (pieces > 1)
        cpu_host->parallel(range_piece, &job, (uint32_t)pieces);
}

/* ---- Planning ----------------------------------------------------------------------------- */

/* The extent of operand `t` under dimension d of the output (from the right). */
static size_t extent_at(const DLTensor *t, int d)
{
    return d < t->ndim ? (size_t)t->shape[t->ndim - 1 - d] : 1;
}

/* Does dimension `stride` continue dimension `last` of the plan for every operand? */
static bool continues(const cpu_loop *loop, int last, size_t extent, const size_t *stride)
{
    for (uint32_t a = 0; a < loop->args; a++)
        if (loop->stride[last][a] * extent != stride[a])
            return false;
    return true;
}

/* Fills dims and strides, innermost first, with merged dimensions; returns their number. */
static int merge(cpu_loop *loop, const DLTensor *const *operand, size_t *dims)
{
    size_t next[CPU_LOOP_ARGS];
    for (uint32_t a = 0; a < loop->args; a++)
        next[a] = loop->bytes[a];
    int rank = 0;
    for (int d = 0; d < operand[0]->ndim; d++) {
        size_t extent = extent_at(operand[0], d), stride[CPU_LOOP_ARGS] = {0};
        for (uint32_t a = 0; a < loop->args; a++) {
            size_t own = extent_at(operand[a], d);
            stride[a] = own == 1 ? 0 : next[a];
            next[a] *= own;
        }
        if (extent == 1)
            continue;
        if (rank && continues(loop, rank - 1, dims[rank - 1], stride)) {
            dims[rank - 1] *= extent;
            continue;
        }
        for (uint32_t a = 0; a < loop->args; a++)
            loop->stride[rank][a] = stride[a];
        dims[rank++] = extent;
    }
    return rank;
}

/* Does an input walk the innermost dimension? None does where Max takes its first two operands,
 * and a later one is wider: loop bodies know no form in which every input is repeated. */
static bool is_walked(const cpu_loop *loop, int rank)
{
    bool walked = false;
    for (uint32_t a = 1; rank && a < loop->args; a++)
        walked |= loop->stride[0][a] != 0;
    return walked;
}

/* Takes the innermost dimension out of the plan as the run of the inner loop. */
static void take_inner(cpu_loop *loop, const size_t *dims, int rank)
{
    int taken = is_walked(loop, rank) ? 1 : 0;
    loop->inner = taken ? dims[0] : 1;
    loop->rows = 1;
    loop->rank = rank - taken;
    for (uint32_t a = 0; a < loop->args; a++)
        loop->step[a] = !taken || loop->stride[0][a] ? 1 : 0;
    for (int d = 0; d < loop->rank; d++) {
        loop->dims[d] = dims[d + taken];
        loop->rows *= dims[d + taken];
        for (uint32_t a = 0; a < loop->args; a++)
            loop->stride[d][a] = loop->stride[d + taken][a];
    }
}

heed_status cpu_loop_plan(cpu_loop *loop, const DLTensor *out, const DLTensor *const *in,
                          uint32_t n_in)
{
    const DLTensor *operand[CPU_LOOP_ARGS] = {out};
    loop->args = n_in + 1;
    for (uint32_t a = 1; a < loop->args; a++)
        operand[a] = in[a - 1];
    for (uint32_t a = 0; a < loop->args; a++) {
        if (operand[a]->ndim > CPU_MAX_RANK)
            return cpu_host->fail(HEED_UNSUPPORTED, "cpu: rank %d is above %d", operand[a]->ndim,
                                  CPU_MAX_RANK);
        loop->base[a] = cpu_data(operand[a]);
        loop->bytes[a] = cpu_element_bytes(operand[a]->dtype);
    }
    size_t dims[CPU_MAX_RANK];
    take_inner(loop, dims, merge(loop, operand, dims));
    return HEED_OK;
}

/* ---- Running ------------------------------------------------------------------------------ */

typedef struct loop_job {
    const cpu_loop *loop;
    cpu_loop_body *body;
    const void *arg;
    size_t rows, inner;  /* of one piece */
    size_t across, down; /* pieces: in a row of `inner`, of rows */
} loop_job;

/* The operands' addresses at the start of a row, and its place in the outer dimensions. */
static void seek(const cpu_loop *loop, size_t row, char **p, size_t *place)
{
    for (uint32_t a = 0; a < loop->args; a++)
        p[a] = loop->base[a];
    for (int d = 0; d < loop->rank; d++) {
        place[d] = row % loop->dims[d];
        row /= loop->dims[d];
        for (uint32_t a = 0; a < loop->args; a++)
            p[a] += place[d] * loop->stride[d][a];
    }
}

static void advance(const cpu_loop *loop, char **p, size_t *place)
{
    for (int d = 0; d < loop->rank; d++) {
        bool turn = ++place[d] == loop->dims[d];
        for (uint32_t a = 0; a < loop->args; a++)
            p[a] += loop->stride[d][a];
        if (!turn)
            return;
        for (uint32_t a = 0; a < loop->args; a++)
            p[a] -= loop->dims[d] * loop->stride[d][a];
        place[d] = 0;
    }
}

static void loop_piece(void *arg, uint32_t i)
{
    const loop_job *job = arg;
    const cpu_loop *loop = job->loop;
    size_t first = i / job->across * job->rows, last = first + job->rows;
    size_t from = i % job->across * job->inner, n = job->inner;
    last = last < loop->rows ? last : loop->rows;
    n = from + n < loop->inner ? n : loop->inner - from;
    char *p[CPU_LOOP_ARGS];
    size_t place[CPU_MAX_RANK];
    seek(loop, first, p, place);
    for (uint32_t a = 0; a < loop->args; a++)
        p[a] += from * loop->step[a] * loop->bytes[a];
    for (size_t row = first; row < last; row++) {
        job->body(job->arg, loop, p, n);
        advance(loop, p, place);
    }
}

void cpu_loop_run(const cpu_loop *loop, cpu_loop_body *body, const void *arg)
{
    if (!loop->rows || !loop->inner)
        return;
    loop_job job = {.loop = loop, .body = body, .arg = arg};
    job.across = loop->inner >= 2 * (size_t)PIECE ? loop->inner / PIECE : 1;
    job.inner = ((loop->inner + job.across - 1) / job.across + 63) / 64 * 64;
    job.across = (loop->inner + job.inner - 1) / job.inner;
    job.rows = cpu_rows_per_piece(job.inner);
    job.down = (loop->rows + job.rows - 1) / job.rows;
    if (job.across * job.down > UINT32_MAX) {
        job.rows = (loop->rows * job.across + UINT32_MAX - 1) / UINT32_MAX;
        job.down = (loop->rows + job.rows - 1) / job.rows;
    }
    size_t pieces = job.across * job.down;
    if (pieces == 1)
        loop_piece(&job, 0);
    else
        cpu_host->parallel(loop_piece, &job, (uint32_t)pieces);
}
