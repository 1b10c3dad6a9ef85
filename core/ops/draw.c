/* draw.c - random numbers: RandomUniform, RandomNormal and their Like forms, Bernoulli,
 * Multinomial.
 *
 * With a seed the numbers are those of the standard's own evaluator (random.h), the same in every
 * run; without one every run has its own. */
#include <math.h>

#include "ops/dtype_attr.h"
#include "ops/loops.h"
#include "ops/random.h"

/* Seeds are floats in the standard; their integer part counts. */
static void start(const op_call *c, random_state *r)
{
    double seed = ir_node_attr(c->node, "seed") ? ir_attr_float(c->node, "seed", 0) : (double)NAN;
    if (fabs(seed) < 0x1p63)
        random_seed(r, (uint32_t)(int64_t)seed);
    else
        random_seed_fresh(r);
}

static bool is_count(heed_dtype dtype) { return dtype == HEED_INT32 || dtype == HEED_INT64; }

static bool is_number(heed_dtype dtype) { return dtype_is_real(dtype) || dtype == HEED_BOOL; }

/* ---- Uniform and normal --------------------------------------------------------------------- */

typedef struct distribution {
    double (*draw)(random_state *r);
    const char *offset, *scale; /* attributes */
    bool range;                 /* `scale` names the upper end */
} distribution;

static heed_status infer_shaped(op_infer *c)
{
    uint64_t n;
    const int64_t *shape = ir_attr_ints(c->node, "shape", &n);
    TRY(infer_dtype_attr(c, "dtype", HEED_FLOAT32, dtype_is_float));
    if (!shape)
        n = 0;
    if (n > TENSOR_MAX_RANK)
        return infer_error(c, "at most 16 dims", "%llu", (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++)
        if (shape[i] < 0)
            return infer_error(c, "extents of at least 0", "%lld", (long long)shape[i]);
    return infer_set(c, 0, 0, (int32_t)n, shape);
}

static heed_status infer_alike(op_infer *c)
{
    TRY(infer_dtype_attr(c, "dtype", c->in[0]->dtype, dtype_is_float));
    return infer_set_like(c, 0, 0);
}

static heed_status run_distribution(op_call *c)
{
    const distribution *d = c->node->op->data;
    double offset = ir_attr_float(c->node, d->offset, 0),
           scale = ir_attr_float(c->node, d->scale, 1);
    double block[LOOP_BLOCK];
    heed_tensor *out = call_out(c, 0);
    random_state random;
    if (d->range)
        scale -= offset;
    start(c, &random);
    for (int64_t first = 0, total = out ? tensor_count(out) : 0; first < total;
         first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        for (int64_t i = 0; i < n; i++)
            block[i] = d->draw(&random) * scale + offset;
        loop_store(out, CLASS_F64, first, n, block);
    }
    return HEED_OK;
}

/* ---- Bernoulli ------------------------------------------------------------------------------ */

static heed_status infer_bernoulli(op_infer *c)
{
    TRY(infer_dtype_attr(c, "dtype", c->in[0]->dtype, is_number));
    return infer_set_like(c, 0, 0);
}

static heed_status run_bernoulli(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    double block[LOOP_BLOCK];
    random_state random;
    start(c, &random);
    for (int64_t first = 0, total = out ? tensor_count(out) : 0; first < total;
         first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        loop_load(c->in[0], CLASS_F64, first, n, block);
        for (int64_t i = 0; i < n; i++) {
            if (!(block[i] >= 0 && block[i] <= 1))
                return call_error(c, HEED_INVALID, "a probability of %g", block[i]);
            block[i] = random_bernoulli(&random, block[i]) ? 1 : 0;
        }
        loop_store(out, CLASS_F64, first, n, block);
    }
    return HEED_OK;
}

/* ---- Multinomial ---------------------------------------------------------------------------- */

static heed_status infer_multinomial(op_infer *c)
{
    int64_t n = ir_attr_int(c->node, "sample_size", 1);
    TRY(infer_dtype_attr(c, "dtype", HEED_INT32, is_count));
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "log-probabilities [batch, class]", "rank %d", infer_rank(c, 0));
    if (n < 1)
        return infer_error(c, "a sample_size of at least 1", "%lld", (long long)n);
    ir_dim dims[2] = {infer_dim(c, 0, 0), n};
    return infer_set(c, 0, 0, 2, dims);
}

/* Log-probabilities to running sums of probabilities, up to a factor. */
static heed_status accumulate(const op_call *c, int64_t n, double *x)
{
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < n; i++) {
        sum += exp(x[i] - most);
        x[i] = sum;
    }
    if (!(sum > 0 && isfinite(sum)))
        return call_error(c, HEED_INVALID, "a row of log-probabilities has no sum");
    return HEED_OK;
}

/* The first class whose running sum lies above u; a class without probability never is it. */
static int64_t find_class(int64_t n, const double *sums, double u)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static heed_status run_multinomial(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    random_state random;
    int64_t classes = c->in[0]->dims[1];
    double *sums = call_scratch(c, (size_t)classes * sizeof *sums + 1);
    if (!sums || !out)
        return sums ? HEED_OK : HEED_NOMEM;
    start(c, &random);
    for (int64_t b = 0, to = 0; b < out->dims[0]; b++) {
        loop_load(c->in[0], CLASS_F64, b * classes, classes, sums);
        TRY(accumulate(c, classes, sums));
        for (int64_t i = 0; i < out->dims[1]; i++, to++) {
            double u = random_uniform(&random) * sums[classes - 1];
            int64_t found = find_class(classes, sums, u);
            dtype_store_i64(out->dtype, tensor_data(out), to, 1, &found);
        }
    }
    return HEED_OK;
}

// clang-format off
static const distribution uniform = {random_uniform, "low", "high", true};
static const distribution normal = {random_normal, "mean", "scale", false};

static const op_def random_uniform_op = {
    .domain = "", .name = "RandomUniform", .since = 22, .flags = OP_RANDOM, .data = &uniform,
    .signature = "-> output:T", .types = "T=float",
    .attrs = "dtype:int=1 high:float=1 low:float=0 seed:float shape:ints!",
    .infer = infer_shaped, .run = run_distribution};
static const op_def random_normal_op = {
    .domain = "", .name = "RandomNormal", .since = 22, .flags = OP_RANDOM, .data = &normal,
    .signature = "-> output:T", .types = "T=float",
    .attrs = "dtype:int=1 mean:float=0 scale:float=1 seed:float shape:ints!",
    .infer = infer_shaped, .run = run_distribution};
static const op_def random_uniform_like = {
    .domain = "", .name = "RandomUniformLike", .since = 22, .flags = OP_RANDOM, .data = &uniform,
    .signature = "input:A -> output:B", .types = "A=any B=float",
    .attrs = "dtype:int high:float=1 low:float=0 seed:float",
    .infer = infer_alike, .run = run_distribution};
static const op_def random_normal_like = {
    .domain = "", .name = "RandomNormalLike", .since = 22, .flags = OP_RANDOM, .data = &normal,
    .signature = "input:A -> output:B", .types = "A=any B=float",
    .attrs = "dtype:int mean:float=0 scale:float=1 seed:float",
    .infer = infer_alike, .run = run_distribution};
static const op_def bernoulli = {
    .domain = "", .name = "Bernoulli", .since = 22, .flags = OP_RANDOM,
    .signature = "input:A -> output:B", .types = "A=float B=real|bool",
    .attrs = "dtype:int seed:float",
    .infer = infer_bernoulli, .run = run_bernoulli};
static const op_def multinomial = {
    .domain = "", .name = "Multinomial", .since = 22, .flags = OP_RANDOM,
    .signature = "input:A -> output:B", .types = "A=float B=int32|int64",
    .attrs = "dtype:int=6 sample_size:int=1 seed:float",
    .infer = infer_multinomial, .run = run_multinomial};

const op_def *const ops_draw[] = {&random_uniform_op, &random_normal_op, &random_uniform_like,
                                  &random_normal_like, &bernoulli, &multinomial, NULL};
// clang-format on
