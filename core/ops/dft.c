/* dft.c - Fourier transforms along an axis: DFT, and STFT, which cuts the signal into frames first.
 *
 * The last axis of a signal has one element (real) or two (real and imaginary part). Exporters also
 * leave that axis out of a real signal for STFT, and other runtimes take it, so it is taken here.
 */
#include "ops/content.h"
#include "ops/fft.h"

/* Longer transforms would not fit into memory; and 2n must fit into what fft.c computes with. */
#define LENGTH_MAX ((int64_t)1 << 36)

/* ---- What both share ------------------------------------------------------------------------ */

/* The one integer of input i before it is known: DIM_UNKNOWN. */
static heed_status read_scalar(op_infer *c, uint32_t i, const char *what, int64_t least,
                               content_entry *e)
{
    *e = (content_entry){.dim = DIM_UNKNOWN};
    if (infer_rank(c, i) > 1)
        return infer_error(c, "a scalar", "%s of rank %d", what, infer_rank(c, i));
    if (!content_scalar(c, i, 0, e))
        return HEED_OK;
    if (e->known && (e->number < least || e->number > LENGTH_MAX))
        return infer_error(c, "an extent", "%s of %lld", what, (long long)e->number);
    e->dim = e->known ? e->dim : content_extent(c, e);
    return HEED_OK;
}

static heed_status check_parts(op_infer *c, ir_dim parts)
{
    if (dim_known(parts) && parts != 1 && parts != 2)
        return infer_error(c, "a last extent of 1 (real) or 2 (complex)", "%lld", (long long)parts);
    return HEED_OK;
}

static ir_dim one_sided(op_infer *c, ir_dim length)
{
    if (length == DIM_UNKNOWN)
        return DIM_UNKNOWN;
    return dims_add(c->dims, dims_floor_div(c->dims, length, 2), 1);
}

/* Lines of a tensor along `axis`: real and imaginary part lie beside each other. */
typedef struct signal {
    const heed_tensor *tensor;
    loop_lines lines;
    int64_t parts;  /* 1 or 2 */
    double *buffer; /* one line */
} signal;

static heed_status open_signal(op_call *c, const heed_tensor *t, int32_t axis, signal *s)
{
    *s = (signal){.tensor = t, .lines = loop_lines_of(t, axis)};
    s->parts = axis + 1 < tensor_rank(t) ? t->dims[tensor_rank(t) - 1] : 1;
    s->buffer = call_scratch(c, (size_t)s->lines.n * sizeof *s->buffer + 1);
    return s->buffer ? HEED_OK : HEED_NOMEM;
}

/* The first n elements of signal (o, j), zeros behind its end. */
static void load_signal(const signal *s, int64_t o, int64_t j, int64_t n, loop_c128 *out)
{
    int64_t there = n < s->lines.n ? n : s->lines.n;
    loop_load_line(s->tensor, CLASS_F64, &s->lines, o, j * s->parts, s->buffer);
    for (int64_t i = 0; i < n; i++)
        out[i] = (loop_c128){i < there ? s->buffer[i] : 0, 0};
    if (s->parts < 2)
        return;
    loop_load_line(s->tensor, CLASS_F64, &s->lines, o, j * s->parts + 1, s->buffer);
    for (int64_t i = 0; i < there; i++)
        out[i].im = s->buffer[i];
}

/* Stores a line of as many elements as the output has there. */
static void store_signal(const signal *s, heed_tensor *t, int64_t o, int64_t j, const loop_c128 *x)
{
    for (int64_t part = 0; part < s->parts; part++) {
        for (int64_t i = 0; i < s->lines.n; i++)
            s->buffer[i] = part ? x[i].im : x[i].re;
        loop_store_line(t, CLASS_F64, &s->lines, o, j * s->parts + part, s->buffer);
    }
}

/* ---- DFT ------------------------------------------------------------------------------------ */

static bool flag(const ir_node *n, const char *name, int64_t missing)
{
    return ir_attr_int(n, name, missing) != 0;
}

/* The last axis holds the parts of a number and cannot be transformed. */
static heed_status dft_axis(op_infer *c, int32_t rank, int32_t *axis)
{
    content_entry e;
    *axis = -1;
    if (!content_scalar(c, 2, -2, &e) || !e.known)
        return HEED_OK;
    TRY(infer_axis(c, e.number, rank, axis));
    if (*axis == rank - 1)
        return infer_error(c, "an axis of the signal", "%lld, which holds the parts of numbers",
                           (long long)e.number);
    return HEED_OK;
}

static heed_status dft_length(op_infer *c, ir_dim there, bool back, ir_dim *length)
{
    content_entry e;
    *length = there;
    if (infer_has(c, 1)) {
        TRY(read_scalar(c, 1, "dft_length", 1, &e));
        *length = e.dim;
    } else if (back && there != DIM_UNKNOWN) {
        *length = dims_mul(c->dims, 2, dims_sub(c->dims, there, 1));
        if (dim_known(there) && there < 2)
            return infer_error(c, "at least 2 frequencies", "%lld", (long long)there);
    }
    if (dim_known(*length) && (*length < 1 || *length > LENGTH_MAX))
        return infer_error(c, "a length of at least 1", "%lld", (long long)*length);
    return HEED_OK;
}

static heed_status infer_dft(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    ir_dim dims[TENSOR_MAX_RANK], length = DIM_UNKNOWN;
    bool inverse = flag(c->node, "inverse", 0), half = flag(c->node, "onesided", 0);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 2)
        return infer_error(c, "a signal of rank 2 or more", "rank %d", rank);
    TRY(check_parts(c, c->in[0]->dims[rank - 1]));
    TRY(dft_axis(c, rank, &axis));
    if (axis < 0)
        return infer_set_unknown(c, 0, 0, rank);
    TRY(dft_length(c, c->in[0]->dims[axis], inverse && half, &length));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[axis] = half && !inverse ? one_sided(c, length) : length;
    dims[rank - 1] = half && inverse ? 1 : 2;
    return infer_set(c, 0, 0, rank, dims);
}

/* A real signal's spectrum from its first half: what is missing is conjugate to what is there. */
static void complete(loop_c128 *x, int64_t n)
{
    x[0].im = 0;
    if (n % 2 == 0)
        x[n / 2].im = 0;
    for (int64_t k = n / 2 + 1; k < n; k++)
        x[k] = (loop_c128){x[n - k].re, -x[n - k].im};
}

static int64_t transform_length(const op_call *c, int32_t axis, bool back)
{
    if (call_has(c, 1))
        return tensor_get_int(c->in[1], 0);
    return back ? 2 * (c->in[0]->dims[axis] - 1) : c->in[0]->dims[axis];
}

static heed_status run_dft(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    bool inverse = flag(c->node, "inverse", 0), half = flag(c->node, "onesided", 0);
    int32_t axis;
    signal from, to;
    fft_plan plan;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(loop_axis(c, call_has(c, 2) ? tensor_get_int(c->in[2], 0) : -2, tensor_rank(out), &axis));
    int64_t n = transform_length(c, axis, inverse && half);
    int64_t given = inverse && half ? n / 2 + 1 : n;
    TRY(open_signal(c, c->in[0], axis, &from));
    TRY(open_signal(c, out, axis, &to));
    TRY(fft_prepare(&plan, c->scratch, n));
    loop_c128 *x = call_scratch(c, (size_t)(n + 1) * sizeof *x);
    if (!x)
        return HEED_NOMEM;
    for (int64_t o = 0; o < to.lines.outer; o++)
        for (int64_t j = 0; j < to.lines.inner / to.parts; j++) {
            load_signal(&from, o, j, given, x);
            if (inverse && half)
                complete(x, n);
            fft_run(&plan, x, inverse);
            store_signal(&to, out, o, j, x);
        }
    return HEED_OK;
}

/* ---- STFT ----------------------------------------------------------------------------------- */

/* The frame length is that of the window, or that of the signal, when it is not given. */
static heed_status frame_length(op_infer *c, ir_dim *length)
{
    content_entry e;
    ir_dim window = infer_dim(c, 2, 0);
    if (infer_has(c, 2) && infer_rank(c, 2) >= 0 && infer_rank(c, 2) != 1)
        return infer_error(c, "a window of rank 1", "rank %d", infer_rank(c, 2));
    *length = infer_has(c, 2) ? window : infer_dim(c, 0, 1);
    if (!infer_has(c, 3))
        return HEED_OK;
    TRY(read_scalar(c, 3, "frame_length", 1, &e));
    if (infer_has(c, 2) && dim_known(window) && e.known && window != e.number)
        return infer_error(c, "a window of frame_length", "%lld, not %lld", (long long)window,
                           (long long)e.number);
    if (e.dim != DIM_UNKNOWN || !infer_has(c, 2))
        *length = e.dim;
    return HEED_OK;
}

static heed_status infer_stft(op_infer *c)
{
    content_entry step;
    ir_dim length = DIM_UNKNOWN, total = infer_dim(c, 0, 1), frames = DIM_UNKNOWN;
    int32_t rank = infer_rank(c, 0);
    if (rank >= 0 && rank != 2 && rank != 3)
        return infer_error(c, "a signal [batch, length, parts] or [batch, length]", "rank %d",
                           rank);
    if (rank == 3)
        TRY(check_parts(c, infer_dim(c, 0, 2)));
    TRY(read_scalar(c, 1, "frame_step", 1, &step));
    TRY(frame_length(c, &length));
    if (dim_known(length) && (length < 1 || (dim_known(total) && length > total)))
        return infer_error(c, "frames no longer than the signal", "%lld of %lld", (long long)length,
                           (long long)total);
    if (length != DIM_UNKNOWN && total != DIM_UNKNOWN && step.known)
        frames = dims_add(c->dims,
                          dims_floor_div(c->dims, dims_sub(c->dims, total, length), step.dim), 1);
    ir_dim bins = flag(c->node, "onesided", 1) ? one_sided(c, length) : length;
    ir_dim dims[4] = {infer_dim(c, 0, 0), frames, bins, 2};
    return infer_set(c, 0, 0, 4, dims);
}

/* Frame f of a whole line `all`, weighted by the window. */
static void cut_frame(const loop_c128 *all, const double *window, int64_t n, loop_c128 *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (loop_c128){all[i].re * window[i], all[i].im * window[i]};
}

static heed_status load_window(op_call *c, int64_t n, double **window)
{
    *window = call_scratch(c, (size_t)n * sizeof **window + 1);
    if (!*window)
        return HEED_NOMEM;
    if (call_has(c, 2))
        loop_load(c->in[2], CLASS_F64, 0, n, *window);
    for (int64_t i = 0; i < n && !call_has(c, 2); i++)
        (*window)[i] = 1;
    return HEED_OK;
}

typedef struct frames {
    signal from;
    fft_plan plan;
    double *window;
    loop_c128 *all, *x; /* the whole signal; one frame */
    int64_t step;
} frames;

static heed_status open_frames(op_call *c, frames *f)
{
    int64_t total = c->in[0]->dims[1];
    int64_t n = call_has(c, 3)   ? tensor_get_int(c->in[3], 0)
                : call_has(c, 2) ? c->in[2]->dims[0]
                                 : total;
    f->step = tensor_get_int(c->in[1], 0);
    TRY(open_signal(c, c->in[0], 1, &f->from));
    TRY(fft_prepare(&f->plan, c->scratch, n));
    TRY(load_window(c, n, &f->window));
    f->all = call_scratch(c, (size_t)total * sizeof *f->all);
    f->x = call_scratch(c, (size_t)n * sizeof *f->x);
    return f->all && f->x ? HEED_OK : HEED_NOMEM;
}

static heed_status run_stft(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    frames f;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(open_frames(c, &f));
    int64_t bins = out->dims[2], to = 0;
    for (int64_t b = 0; b < out->dims[0]; b++) {
        load_signal(&f.from, b, 0, c->in[0]->dims[1], f.all);
        for (int64_t i = 0; i < out->dims[1]; i++, to += 2 * bins) {
            cut_frame(f.all + i * f.step, f.window, f.plan.n, f.x);
            fft_run(&f.plan, f.x, false);
            loop_store(out, CLASS_F64, to, 2 * bins, f.x);
        }
    }
    return HEED_OK;
}

// clang-format off
static const op_def dft = {
    .domain = "", .name = "DFT", .since = 20,
    .signature = "input:T, dft_length:I?, axis:int64? -> output:T",
    .types = "T=float I=int32|int64", .attrs = "inverse:int=0 onesided:int=0",
    .infer = infer_dft, .run = run_dft};
static const op_def stft = {
    .domain = "", .name = "STFT", .since = 17,
    .signature = "signal:T, frame_step:I, window:T?, frame_length:I? -> output:T",
    .types = "T=float I=int32|int64", .attrs = "onesided:int=1",
    .infer = infer_stft, .run = run_stft};
// clang-format on

const op_def *const ops_dft[] = {&dft, &stft, NULL};
