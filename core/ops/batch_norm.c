/* batch_norm.c - BatchNormalization: statistics of each channel that are given, or, in training
 * mode, those of the batch, which are then mixed into the given ones. */
#include <math.h>

#include "ops/moments.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

typedef struct image {
    int64_t batch, channels, spatial;
} image;

/* A tensor of rank 1 has one channel. */
static image image_of(const heed_tensor *t)
{
    int32_t rank = tensor_rank(t);
    image m = {rank > 0 ? t->dims[0] : 1, rank > 1 ? t->dims[1] : 1, 1};
    for (int32_t i = 2; i < rank; i++)
        m.spatial *= t->dims[i];
    return m;
}

static void channel_moments(const heed_tensor *x, const image *m, int64_t channel, moments *out)
{
    *out = (moments){0};
    for (int64_t b = 0; b < m->batch; b++)
        moments_add(out, x, (b * m->channels + channel) * m->spatial, m->spatial);
}

static void mix(heed_tensor *out, const heed_tensor *given, int64_t channel, double momentum,
                double batch)
{
    double value = tensor_get_float(given, channel) * momentum + batch * (1 - momentum);
    if (out)
        loop_store(out, CLASS_F64, channel, 1, &value);
}

static void run_channel(op_call *c, const image *m, int64_t channel, bool training)
{
    double epsilon = ir_attr_float(c->node, "epsilon", 1e-5);
    double momentum = ir_attr_float(c->node, "momentum", 0.9);
    double mean = tensor_get_float(c->in[MEAN], channel);
    double variance = tensor_get_float(c->in[VARIANCE], channel);
    if (training) {
        moments batch;
        channel_moments(c->in[X], m, channel, &batch);
        mean = batch.mean;
        variance = moments_variance(&batch);
        mix(call_out(c, 1), c->in[MEAN], channel, momentum, mean);
        mix(call_out(c, 2), c->in[VARIANCE], channel, momentum, variance);
    }
    double factor = tensor_get_float(c->in[SCALE], channel) / sqrt(variance + epsilon);
    double shift = tensor_get_float(c->in[BIAS], channel);
    for (int64_t b = 0; call_out(c, 0) && b < m->batch; b++)
        moments_apply(c->in[X], c->out[0], (b * m->channels + channel) * m->spatial, m->spatial,
                      mean, factor, shift);
}

static heed_status run_batch_norm(op_call *c)
{
    image m = image_of(c->in[X]);
    bool training = ir_attr_int(c->node, "training_mode", 0) != 0;
    for (uint32_t i = SCALE; i <= VARIANCE; i++)
        if (tensor_count(c->in[i]) != m.channels)
            return call_error(c, HEED_INVALID,
                              "input %u of BatchNormalization has %lld elements for %lld channels",
                              i, (long long)tensor_count(c->in[i]), (long long)m.channels);
    for (int64_t channel = 0; channel < m.channels; channel++)
        run_channel(c, &m, channel, training);
    return HEED_OK;
}

/* Inputs 1 to 4 are vectors with an element for each channel. */
static heed_status check_parameters(op_infer *c)
{
    int32_t rank = infer_rank(c, X);
    ir_dim channels = rank == 1 ? 1 : infer_dim(c, X, 1);
    for (uint32_t i = 1; i < c->n_in; i++) {
        ir_dim own = infer_dim(c, i, 0);
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 1)
            return infer_error(c, "a vector", "input %u of rank %d", i, infer_rank(c, i));
        if (dim_known(own) && dim_known(channels) && own != channels)
            return infer_error(c, "an element for each channel", "%lld for %lld in input %u",
                               (long long)own, (long long)channels, i);
    }
    return HEED_OK;
}

static heed_status infer_batch_norm(op_infer *c)
{
    TRY(check_parameters(c));
    TRY(infer_set_like(c, 0, X));
    TRY(infer_set_like(c, 1, MEAN));
    return infer_set_like(c, 2, VARIANCE);
}

// clang-format off
static const op_def batch_norm = {
    .domain = "", .name = "BatchNormalization", .since = 15,
    .signature = "X:T, scale:S, B:S, input_mean:M, input_var:M -> "
                 "Y:T, running_mean:M?, running_var:M?",
    .types = "T=float S=float M=float",
    .attrs = "epsilon:float=0.00001 momentum:float=0.9 training_mode:int=0",
    .infer = infer_batch_norm, .run = run_batch_norm};

const op_def *const ops_batch_norm[] = {&batch_norm, NULL};
// clang-format on
