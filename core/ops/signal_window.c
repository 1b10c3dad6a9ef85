/* signal_window.c - tables for the analysis of signals: HannWindow, HammingWindow, BlackmanWindow,
 * MelWeightMatrix. */
#include <math.h>

#include "ops/content.h"
#include "ops/dtype_attr.h"
#include "ops/layout.h"
#include "ops/loops.h"

static const double pi = 3.14159265358979323846;

/* Integers are what is left of the number without its fraction. */
static void store(heed_tensor *out, int64_t first, int64_t n, double *values)
{
    for (int64_t i = 0; dtype_is_int(out->dtype) && i < n; i++)
        values[i] = trunc(values[i]);
    loop_store(out, CLASS_F64, first, n, values);
}

/* Input i as an extent. */
static heed_status read_extent(op_infer *c, uint32_t i, const char *what, ir_dim *extent)
{
    content_entry e;
    *extent = DIM_UNKNOWN;
    if (infer_rank(c, i) > 1)
        return infer_error(c, "a scalar", "%s of rank %d", what, infer_rank(c, i));
    if (!content_scalar(c, i, 0, &e))
        return HEED_OK;
    if (e.known && (e.number < 0 || e.number > TENSOR_MAX_DIM))
        return infer_error(c, "an extent", "%s of %lld", what, (long long)e.number);
    *extent = e.known ? e.dim : content_extent(c, &e);
    return HEED_OK;
}

/* ---- Windows: a0 - a1 cos(2 pi k / n) + a2 cos(4 pi k / n) ---------------------------------- */

typedef struct cosines {
    double a[3];
} cosines;

static heed_status infer_window(op_infer *c)
{
    ir_dim size;
    TRY(infer_dtype_attr(c, "output_datatype", HEED_FLOAT32, dtype_is_real));
    TRY(read_extent(c, 0, "a size", &size));
    return infer_set(c, 0, 0, 1, &size);
}

/* A symmetric window of one element is its peak. */
static double window_at(const cosines *w, int64_t k, int64_t period)
{
    double x = period > 0 ? 2 * pi * (double)k / (double)period : pi;
    return w->a[0] - w->a[1] * cos(x) + w->a[2] * cos(2 * x);
}

static heed_status run_window(op_call *c)
{
    const cosines *w = c->node->op->data;
    heed_tensor *out = call_out(c, 0);
    double block[LOOP_BLOCK];
    int64_t size = out ? tensor_count(out) : 0;
    int64_t period = ir_attr_int(c->node, "periodic", 1) ? size : size - 1;
    for (int64_t first = 0; first < size; first += LOOP_BLOCK) {
        int64_t n = size - first < LOOP_BLOCK ? size - first : LOOP_BLOCK;
        for (int64_t i = 0; i < n; i++)
            block[i] = window_at(w, first + i, period);
        store(out, first, n, block);
    }
    return HEED_OK;
}

/* ---- MelWeightMatrix ------------------------------------------------------------------------ */

static ir_dim spectrum_bins(op_infer *c, ir_dim length)
{
    if (length == DIM_UNKNOWN)
        return DIM_UNKNOWN;
    return dims_add(c->dims, dims_floor_div(c->dims, length, 2), 1);
}

static heed_status infer_mel(op_infer *c)
{
    ir_dim bands, length;
    TRY(infer_dtype_attr(c, "output_datatype", HEED_FLOAT32, dtype_is_real));
    TRY(read_extent(c, 0, "num_mel_bins", &bands));
    TRY(read_extent(c, 1, "dft_length", &length));
    ir_dim dims[2] = {spectrum_bins(c, length), bands};
    return infer_set(c, 0, 0, 2, dims);
}

static double mel_of_hertz(double f) { return 2595 * log10(1 + f / 700); }

static double hertz_of_mel(double m) { return 700 * (pow(10, m / 2595) - 1); }

typedef struct mel {
    int64_t length, rate, bands;
    double low, step; /* in mels */
} mel;

/* The spectrum's bin in which edge k of the triangles lies. */
static int64_t edge(const mel *m, int64_t k)
{
    double hertz = hertz_of_mel(m->low + (double)k * m->step);
    return (int64_t)floor((double)(m->length + 1) * hertz / (double)m->rate);
}

static heed_status read_mel(const op_call *c, mel *m)
{
    for (uint32_t i = 0; i < 5; i++)
        if (tensor_count(c->in[i]) != 1)
            return call_error(c, HEED_INVALID, "input %u of MelWeightMatrix is no scalar", i);
    double low = tensor_get_float(c->in[3], 0), high = tensor_get_float(c->in[4], 0);
    *m = (mel){.length = tensor_get_int(c->in[1], 0),
               .rate = tensor_get_int(c->in[2], 0),
               .bands = tensor_get_int(c->in[0], 0)};
    if (m->rate <= 0)
        return call_error(c, HEED_INVALID, "a sample rate of %lld", (long long)m->rate);
    if (!(low >= 0 && high >= low && high <= (double)m->rate))
        return call_error(c, HEED_INVALID,
                          "edges of %g and %g Hz; they ascend from 0 to the sample rate", low,
                          high);
    m->low = mel_of_hertz(low);
    m->step = (mel_of_hertz(high) - m->low) / (double)(m->bands + 2);
    return HEED_OK;
}

/* The weight of bin j in a triangle; a side that no bin separates from the peak is steep. */
static double triangle(int64_t left, int64_t peak, int64_t right, int64_t j)
{
    if (j < left || (j >= right && j != peak))
        return 0;
    if (j > peak || (j == peak && right > peak))
        return (double)(right - j) / (double)(right - peak);
    return left == peak ? 1 : (double)(j - left) / (double)(peak - left);
}

static heed_status run_mel(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    mel m = {0};
    TRY(read_mel(c, &m));
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    for (int64_t k = 0; k < m.bands; k++) {
        int64_t left = edge(&m, k), peak = edge(&m, k + 1), right = edge(&m, k + 2);
        for (int64_t j = left; j <= right && j < out->dims[0]; j++) {
            double weight = triangle(left, peak, right, j);
            store(out, j * m.bands + k, 1, &weight);
        }
    }
    return HEED_OK;
}

// clang-format off
static const cosines hann = {{0.5, 0.5, 0}};
static const cosines hamming = {{25.0 / 46, 21.0 / 46, 0}};
static const cosines blackman = {{0.42, 0.5, 0.08}};

#define WINDOW(op, table) {                                                                         \
    .domain = "", .name = op, .since = 17, .data = table,                                           \
    .signature = "size:I -> output:T", .types = "I=int32|int64 T=real",                             \
    .attrs = "output_datatype:int=1 periodic:int=1",                                                \
    .infer = infer_window, .run = run_window}
static const op_def hann_window = WINDOW("HannWindow", &hann);
static const op_def hamming_window = WINDOW("HammingWindow", &hamming);
static const op_def blackman_window = WINDOW("BlackmanWindow", &blackman);
static const op_def mel_weight_matrix = {
    .domain = "", .name = "MelWeightMatrix", .since = 17,
    .signature = "num_mel_bins:I, dft_length:I, sample_rate:I, lower_edge_hertz:F, "
                 "upper_edge_hertz:F -> output:T",
    .types = "I=int32|int64 F=float T=real", .attrs = "output_datatype:int=1",
    .infer = infer_mel, .run = run_mel};

const op_def *const ops_signal_window[] = {&hann_window, &hamming_window, &blackman_window,
                                           &mel_weight_matrix, NULL};
// clang-format on
