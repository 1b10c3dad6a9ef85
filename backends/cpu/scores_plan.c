/* Sizes a call of attention with its scores in memory: what is used where it lies, how many heads
 * are worked on at once, and the workspace for that. */
#include <math.h>
#include <string.h>

#include "scores.h"

enum {
    BOX_FLOATS = 1 << 20, /* of the scores of a box: threads have work, caches hold most of it */
    FEW_ROWS = 8          /* so many are better off with vectors along the channels */
};

size_t scores_keys(const scores_job *job, size_t b)
{
    const flash_job *in = &job->in;
    if (!in->lengths || !in->rules->infinite)
        return in->keys;
    int64_t length = cpu_integer(in->lengths, b);
    return length < 0 ? 0 : flash_min((size_t)length, in->keys);
}

static void read_kept(scores_job *job, int64_t stage, const heed_call *call)
{
    DLTensor *kept = call->n_out > 1 ? call->out[1] : NULL;
    job->stage = kept ? stage : -1;
    job->kept = kept && kept->data ? cpu_data(kept) : NULL;
    job->s_lies = kept && stage == 3 && !job->in.q.widen;
    job->all_scores = kept && (stage < 3 || job->s_lies);
}

/* One step leads from the head of an entry to that of the next. */
static bool has_step(const scores_job *job, const flash_operand *o)
{
    return o->step[FLASH_H] == 0 || (o->share == 1 && (job->stacked || job->in.group == 1));
}

/* Nothing is to be done with a row of scores but to weigh it. */
static void find_plain(scores_job *job)
{
    const flash_job *in = &job->in;
    const flash_rules *rules = in->rules;
    job->plain = (job->stage < 0 || job->s_lies) && !in->hides && !in->factor.data && !in->sinks &&
                 rules->cap <= 0 && isinf(rules->least) && isinf(rules->most) &&
                 rules->empty != FLASH_GUARD;
}

/* What the products can take as it is. */
static void find_lying(scores_job *job)
{
    const flash_job *in = &job->in;
    const size_t *q = in->q.step, *y = in->y.step;
    size_t queries = in->queries;
    bool plain = !in->q.widen;
    job->few = job->rows <= FEW_ROWS && in->k.step[FLASH_D] == 1;
    job->depth = job->few ? flash_round(in->d, in->f->lanes) : in->d;
    job->q_lies = plain && !job->few && q[FLASH_D] == 1 &&
                  (job->group == 1 || q[FLASH_H] == queries * q[FLASH_S]);
    job->k_lies = plain && has_step(job, &in->k) &&
                  (job->few ? job->depth == in->d : in->k.step[FLASH_S] == 1);
    job->v_lies = plain && has_step(job, &in->v) && in->v.step[FLASH_D] == 1;
    job->y_lies = plain && in->dv > 1 && y[FLASH_D] == 1 &&
                  (job->group == 1 || y[FLASH_H] == queries * y[FLASH_S]);
}

static size_t q_floats(const scores_job *job) { return job->q_lies ? 0 : job->rows * job->depth; }
static size_t k_floats(const scores_job *job)
{
    return job->k_lies ? 0 : job->in.keys * job->depth;
}
static size_t v_floats(const scores_job *job)
{
    return job->v_lies ? 0 : job->in.keys * job->in.dv;
}
static size_t s_floats(const scores_job *job) { return job->rows * job->in.keys; }
static size_t y_floats(const scores_job *job) { return job->y_lies ? 0 : job->rows * job->in.dv; }

static void cut(scores_job *job)
{
    size_t each = q_floats(job) + k_floats(job) + v_floats(job) + s_floats(job) + y_floats(job);
    size_t moved = flash_max(each - s_floats(job), 1), all = job->heads * job->in.batch;
    /* What is moved is no more than the results. */
    size_t most = flash_max(1, all * job->rows * job->in.dv / moved);
    size_t fit = flash_min(most, flash_max(1, BOX_FLOATS / flash_max(each, 1)));
    job->by_sequence = job->in.lengths && job->in.rules->infinite;
    if (fit < job->heads || job->by_sequence)
        job->box = flash_min(fit, job->heads);
    else /* whole sequences */
        job->box = flash_min(fit / flash_max(job->heads, 1), job->in.batch) * job->heads;
}

heed_status scores_plan(scores_job *job, const scores_rules *rules, const heed_call *call,
                        uint64_t *bytes)
{
    flash_job *in = &job->in;
    heed_status status = flash_plan(in, &rules->rules, call, bytes);
    if (status)
        return status;
    job->rules = rules;
    job->stacked = rules->stacked;
    job->group = job->stacked ? in->group : 1;
    job->heads = job->stacked ? in->kv_heads : in->q.dims[FLASH_H];
    job->rows = job->group * in->queries;
    job->folds = in->folds || rules->rules.adds_fill;
    read_kept(job, rules->stage, call);
    find_plain(job);
    job->may_empty = !job->plain && (rules->rules.empty == FLASH_ZERO || in->lengths);
    find_lying(job);
    cut(job);
    scores_take_workspace(job, NULL);
    *bytes = (uintptr_t)job->emptied + job->box * job->rows;
    return HEED_OK;
}

static float *take(uintptr_t *at, size_t floats)
{
    float *here = (float *)*at;
    *at += flash_round(floats, 16) * sizeof(float);
    return here;
}

/* From NULL on, the places are their distances. */
void scores_take_workspace(scores_job *job, void *workspace)
{
    uintptr_t at = (uintptr_t)workspace;
    job->q = take(&at, job->box * q_floats(job));
    job->k = take(&at, job->box * k_floats(job));
    job->v = take(&at, job->box * v_floats(job));
    job->s = take(&at, job->s_lies ? 0 : job->box * s_floats(job));
    job->y = take(&at, job->box * y_floats(job));
    job->emptied = (uint8_t *)at;
}
