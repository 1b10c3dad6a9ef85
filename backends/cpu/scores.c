/* Attention with its scores in memory, see scores.h: the steps, and the two products. */
#include "scores.h"

#include <string.h>

#include "gemm.h"
#include "loop.h"

enum { STRETCH = 64, FEW_MOST = 8 }; /* keys, rows */

/* The matrix of one operand in the tensor itself: its first element, and the strides of the box. */
static const float *lying(const scores_job *job, const flash_operand *o, size_t heads_each,
                          size_t stride[2])
{
    size_t head = job->h * heads_each;
    stride[0] = o->step[FLASH_B];
    stride[1] = o->step[FLASH_H] * heads_each;
    return (const float *)(const void *)o->data + job->b * stride[0] + head * o->step[FLASH_H];
}

/* The same in the workspace. */
static const float *moved(const scores_job *job, const float *from, size_t each, size_t stride[2])
{
    stride[0] = job->n * each;
    stride[1] = each;
    return from;
}

static cpu_gemm product_of(const scores_job *job)
{
    cpu_gemm g = {.lanes = job->in.lanes, .m = job->rows, .alpha = 1.0f, .batch_rank = 2};
    g.batch[0] = job->batch;
    g.batch[1] = job->n;
    return g;
}

/* A matrix of one row may have any step to the next. */
static heed_status run_product(cpu_gemm *g)
{
    g->lda = flash_max(g->lda, g->k);
    g->ldb = flash_max(g->ldb, g->n);
    return cpu_gemm_run(g);
}

/* ---- Scores --------------------------------------------------------------------------------- */

static void few_scores(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    float block[FEW_MOST * STRETCH] __attribute__((aligned(64)));
    size_t stretches = (job->wide + STRETCH - 1) / STRETCH, stride[2];
    size_t row = job->k_lies ? job->in.k.step[FLASH_S] : job->depth;
    const float *all = job->k_lies ? lying(job, &job->in.k, 1, stride)
                                   : moved(job, job->k, job->wide * job->depth, stride);
    for (size_t i = first; i < last; i++) {
        size_t entry = i / stretches, j = i % stretches * STRETCH;
        size_t n = flash_min(STRETCH, job->wide - j);
        const float *k = all + entry / job->n * stride[0] + entry % job->n * stride[1] + j * row;
        job->in.f->few_scores(block, STRETCH, k, row, n, job->q + entry * job->rows * job->depth,
                              job->depth, job->rows);
        for (size_t r = 0; r < job->rows; r++)
            memcpy(job->s + (entry * job->rows + r) * job->wide + j, block + r * STRETCH,
                   n * sizeof(float));
    }
}

static heed_status find_scores(const scores_job *job)
{
    const flash_job *in = &job->in;
    if (job->few && job->depth) {
        size_t stretches = (job->wide + STRETCH - 1) / STRETCH;
        cpu_range_run(job->batch * job->n * stretches, cpu_rows_per_piece(STRETCH * job->depth),
                      few_scores, job);
        return HEED_OK;
    }
    cpu_gemm g = product_of(job);
    g.n = job->wide;
    g.k = in->d;
    g.lda = job->q_lies ? in->q.step[FLASH_S] : job->depth;
    g.alpha = job->q_lies ? in->scale : 1.0f;
    g.ldb = job->k_lies ? in->k.step[FLASH_D] : job->wide;
    g.a = job->q_lies ? lying(job, &in->q, job->group, g.a_stride)
                      : moved(job, job->q, job->rows * job->depth, g.a_stride);
    g.b = job->k_lies ? lying(job, &in->k, 1, g.b_stride)
                      : moved(job, job->k, in->d * job->wide, g.b_stride);
    g.y = job->s;
    return run_product(&g);
}

/* ---- Values --------------------------------------------------------------------------------- */

static heed_status weigh_values(const scores_job *job)
{
    const flash_job *in = &job->in;
    cpu_gemm g = product_of(job);
    g.n = in->dv;
    g.k = job->keys;
    g.lda = job->wide;
    g.ldb = job->v_lies ? in->v.step[FLASH_S] : in->dv;
    g.a = moved(job, job->s, job->rows * job->wide, g.a_stride);
    g.b = job->v_lies ? lying(job, &in->v, 1, g.b_stride)
                      : moved(job, job->v, job->keys * in->dv, g.b_stride);
    g.y = job->y;
    if (job->y_lies) {
        const float *y = lying(job, &in->y, job->group, g.y_stride);
        g.y = (float *)(void *)in->y.data + (y - (const float *)(const void *)in->y.data);
        g.y_row = flash_max(in->y.step[FLASH_S], in->dv);
    }
    return run_product(&g);
}

/* ---- A call --------------------------------------------------------------------------------- */

static heed_status run_box(scores_job *job)
{
    job->keys = scores_keys(job, job->b);
    job->wide = job->all_scores ? job->in.keys : job->keys;
    if (job->s_lies)
        job->s =
            (float *)(void *)job->kept + (job->b * job->heads + job->h) * job->rows * job->in.keys;
    scores_load(job);
    heed_status status = find_scores(job);
    if (status)
        return status;
    cpu_range_run(job->batch * job->n * job->rows, cpu_rows_per_piece(job->in.keys * 4),
                  scores_weigh, job);
    status = weigh_values(job);
    if (!status)
        scores_store(job);
    return status;
}

heed_status scores_run(scores_job *job)
{
    const flash_job *in = &job->in;
    heed_status status = HEED_OK;
    if (!job->box || !job->rows)
        return HEED_OK;
    if (!in->keys) {
        memset(in->y.data, 0, in->batch * in->q.dims[FLASH_H] * in->queries * in->dv * in->y.bytes);
        return HEED_OK;
    }
    size_t deep = job->box > job->heads ? job->box / job->heads : 1;
    size_t across = flash_min(job->box, job->heads);
    for (job->b = 0; job->b < in->batch; job->b += deep)
        for (job->h = 0; job->h < job->heads && !status; job->h += across) {
            job->batch = flash_min(deep, in->batch - job->b);
            job->n = flash_min(across, job->heads - job->h);
            status = run_box(job);
        }
    return status;
}
