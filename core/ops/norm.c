/* norm.c - normalisations by parts of a tensor: per channel (Instance), per group of channels
 * (Group), along an axis by its length (Lp). */
#include <math.h>

#include "ops/moments.h"

/* [batch, channels, spatial]: what lies behind the channel axis counts as one. */
typedef struct image {
    int64_t batch, channels, spatial;
} image;

static image image_of(const heed_tensor *t)
{
    image m = {t->dims[0], t->dims[1], 1};
    for (int32_t i = 2; i < tensor_rank(t); i++)
        m.spatial *= t->dims[i];
    return m;
}

/* Scale and bias have one element a channel. */
static heed_status check_channels(const op_call *c)
{
    if (tensor_rank(c->in[0]) < 2)
        return call_error(c, HEED_INVALID, "%s of a tensor of rank %d", c->node->op->name,
                          tensor_rank(c->in[0]));
    for (uint32_t i = 1; i <= 2; i++)
        if (tensor_count(c->in[i]) != c->in[0]->dims[1])
            return call_error(c, HEED_INVALID, "input %u of %s has %lld elements for %lld channels",
                              i, c->node->op->name, (long long)tensor_count(c->in[i]),
                              (long long)c->in[0]->dims[1]);
    return HEED_OK;
}

/* Groups of `width` neighbouring channels have moments of their own. */
static void normalise(op_call *c, const image *m, int64_t width)
{
    double epsilon = ir_attr_float(c->node, "epsilon", 1e-5);
    int64_t groups = m->batch * (m->channels / width);
    for (int64_t g = 0; g < groups; g++) {
        moments all = {0};
        int64_t first = g * width * m->spatial;
        moments_add(&all, c->in[0], first, width * m->spatial);
        double factor = 1 / sqrt(moments_variance(&all) + epsilon);
        for (int64_t k = 0; k < width; k++) {
            int64_t channel = (g * width + k) % m->channels;
            double scale = tensor_get_float(c->in[1], channel);
            double bias = tensor_get_float(c->in[2], channel);
            moments_apply(c->in[0], c->out[0], first + k * m->spatial, m->spatial, all.mean,
                          factor * scale, bias);
        }
    }
}

static heed_status run_instance(op_call *c)
{
    TRY(check_channels(c));
    image m = image_of(c->in[0]);
    normalise(c, &m, 1);
    return HEED_OK;
}

static heed_status run_group(op_call *c)
{
    TRY(check_channels(c));
    image m = image_of(c->in[0]);
    int64_t groups = ir_attr_int(c->node, "num_groups", 1);
    if (groups <= 0 || m.channels % groups != 0)
        return call_error(c, HEED_INVALID, "%lld channels do not make %lld groups",
                          (long long)m.channels, (long long)groups);
    if (m.channels > 0)
        normalise(c, &m, m.channels / groups);
    return HEED_OK;
}

/* ---- LpNormalization ------------------------------------------------------------------------ */

/* A line of zeros stays one. */
static void divide_line(int64_t n, double *x, int64_t p)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += p == 1 ? fabs(x[i]) : x[i] * x[i];
    double length = p == 1 ? sum : sqrt(sum);
    for (int64_t i = 0; i < n; i++)
        x[i] = length > 0 || length != length ? x[i] / length : 0;
}

static heed_status run_lp(op_call *c)
{
    int64_t p = ir_attr_int(c->node, "p", 2);
    int32_t axis;
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", -1), tensor_rank(c->in[0]), &axis));
    if (p != 1 && p != 2)
        return call_error(c, HEED_INVALID, "the p of LpNormalization is %lld", (long long)p);
    loop_lines lines = loop_lines_of(c->in[0], axis);
    double *x = call_scratch(c, (size_t)lines.n * sizeof *x + 1);
    if (!x)
        return HEED_NOMEM;
    for (int64_t o = 0; o < lines.outer; o++)
        for (int64_t j = 0; j < lines.inner; j++) {
            loop_load_line(c->in[0], CLASS_F64, &lines, o, j, x);
            divide_line(lines.n, x, p);
            loop_store_line(c->out[0], CLASS_F64, &lines, o, j, x);
        }
    return HEED_OK;
}

// clang-format off
static const op_def instance = {
    .domain = "", .name = "InstanceNormalization", .since = 22, .flags = OP_INPLACE,
    .signature = "input:T, scale:T, B:T -> output:T", .types = "T=float",
    .attrs = "epsilon:float=0.00001",
    .infer = infer_same, .run = run_instance};
static const op_def group = {
    .domain = "", .name = "GroupNormalization", .since = 21, .flags = OP_INPLACE,
    .signature = "X:T, scale:T, bias:T -> Y:T", .types = "T=float",
    .attrs = "epsilon:float=0.00001 num_groups:int! stash_type:int=1",
    .infer = infer_same, .run = run_group};
static const op_def lp = {
    .domain = "", .name = "LpNormalization", .since = 22, .flags = OP_INPLACE,
    .signature = "input:T -> output:T", .types = "T=float", .attrs = "axis:int=-1 p:int=2",
    .infer = infer_same, .run = run_lp};

const op_def *const ops_norm[] = {&instance, &group, &lp, NULL};
// clang-format on
