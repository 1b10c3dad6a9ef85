/* scheduler_take.c - what a step takes of those that run: first one token of each that generates,
 * then parts of prompts, the oldest first. Prompts get an eighth of a step at least, however many
 * generate. */
#include "generate/scheduler_parts.h"

enum { MOST_ECHOED = 64 }; /* tokens of a prompt whose logits are wanted, in one step */

static bool take(scheduler *s, sched_job *job, sched_lane *lane, uint32_t count)
{
    size_t first = sched_lane_length(lane), last = first + count;
    if (!sched_extend(s, job, lane, count))
        return false;
    lane->count = count;
    if (job->rows_from < last)
        lane->wanted = (uint32_t)(last - (job->rows_from > first ? job->rows_from : first));
    if (last == lane->n_tokens && lane->wanted == 0)
        lane->wanted = 1;
    return true;
}

/* All its lanes have one token left, whose logits say what comes next. */
static bool is_ready(const sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++)
        if (!job->lanes[i].held || sched_lane_left(&job->lanes[i]) != 1)
            return false;
    return true;
}

static uint32_t take_ready(scheduler *s, sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++)
        if (!take(s, job, &job->lanes[i], 1)) {
            sched_untake(s, job);
            return 0;
        }
    return job->n_lanes;
}

void sched_take_part(scheduler *s, sched_job *job)
{
    struct sched_work *w = s->work;
    heed_status status = sched_job_branch(job, s->d);
    if (status)
        sched_fail(job, status);
    for (uint32_t i = 0; i < job->n_lanes && w->budget > 0 && !status; i++) {
        sched_lane *lane = &job->lanes[i];
        if (!lane->held)
            continue;
        size_t left = sched_lane_left(lane) - (job->n_lanes > 1);
        size_t count = left < w->budget ? left : w->budget;
        if (job->rows_from + 1 < lane->n_tokens && count > MOST_ECHOED)
            count = MOST_ECHOED;
        if (lane->count > 0 || count == 0)
            continue;
        if (!take(s, job, lane, (uint32_t)count))
            return;
        w->budget -= (uint32_t)count;
    }
}

void sched_take_running(scheduler *s)
{
    uint32_t used = 0, least = s->step_tokens / 8 ? s->step_tokens / 8 : 1;
    for (sched_job *job = s->running.first; job; job = job->next)
        if (is_ready(job))
            used += take_ready(s, job);
    s->work->budget = s->step_tokens > used ? s->step_tokens - used : 0;
    if (s->work->budget < least)
        s->work->budget = least;
    for (sched_job *job = s->running.first; job && s->work->budget > 0; job = job->next)
        if (!job->failed)
            sched_take_part(s, job);
}
