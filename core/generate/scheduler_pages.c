/* scheduler_pages.c - whom the pages suffice for, and who gives up its own when they do not.
 *
 * The youngest gives way to those that came before it, so that the oldest always goes on and every
 * job becomes the oldest in time. */
#include "generate/scheduler_parts.h"

/* ---- Needs ------------------------------------------------------------------------------------
 */

static uint64_t pages_of(const scheduler *s, size_t n_tokens)
{
    uint32_t each = decoder_get_about(s->d)->page_tokens;
    return each ? (n_tokens + each - 1) / each : 0;
}

static uint64_t full_pages_of(const scheduler *s, size_t n_tokens)
{
    uint32_t each = decoder_get_about(s->d)->page_tokens;
    return each ? n_tokens / each : 0;
}

/* Pages that its tokens need beyond those that it has, or will share. */
static uint64_t pages_needed(const scheduler *s, const sched_job *job)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < job->n_lanes; i++) {
        const sched_lane *lane = &job->lanes[i];
        uint32_t from;
        n += pages_of(s, lane->n_tokens);
        if (!lane->held)
            n -= full_pages_of(s, sched_lane_common(job, i, &from));
        else if (!job->swapped)
            n -= pages_of(s, sched_lane_length(lane));
    }
    return n;
}

uint64_t sched_pages_to_be_had(const scheduler *s)
{
    page_counts c = decoder_count(s->d);
    return (uint64_t)c.free + c.kept;
}

bool sched_fits(const scheduler *s, const sched_job *job)
{
    const decoder_about *about = decoder_get_about(s->d);
    uint64_t promised = 0, spare = 0;
    if (about->page_limit == 0 || s->running.n == 0)
        return true;
    for (const sched_job *j = s->running.first; j; j = j->next) {
        promised += pages_needed(s, j);
        spare += j->n_lanes;
    }
    spare = spare < about->page_limit / 16 ? spare : about->page_limit / 16;
    return pages_needed(s, job) + promised + spare <= sched_pages_to_be_had(s);
}

/* ---- Giving way -------------------------------------------------------------------------------
 */

static bool swap_out(scheduler *s, sched_job *job)
{
    heed_status status = s->swap ? HEED_OK : HEED_UNSUPPORTED;
    sched_untake(s, job);
    for (uint32_t i = 0; i < job->n_lanes && !status; i++)
        status = decoder_swap_out(s->d, job->lanes[i].held);
    return status == HEED_OK;
}

/* The pages of a sequence go to others. What it has so far is its prompt when it comes back. */
static void preempt(scheduler *s, sched_job *job)
{
    if (swap_out(s, job))
        job->swapped = true;
    else
        sched_give_up(s, job); /* also what was copied away before a copy failed */
    job->n_preempted++;
    s->counts.preemptions++;
    s->work->preempted = true;
    sched_move(s, job, SCHED_WAITING);
}

/* One that failed has nothing any more, and leaves at the end of the step. */
static sched_job *youngest_of(const scheduler *s)
{
    sched_job *job = s->running.last;
    while (job && job->failed)
        job = job->before;
    return job;
}

static const sched_job *oldest_of(const scheduler *s)
{
    const sched_job *job = s->running.first;
    while (job && job->failed)
        job = job->next;
    return job;
}

bool sched_extend(scheduler *s, sched_job *job, sched_lane *lane, uint32_t count)
{
    for (;;) {
        heed_status status = decoder_extend(s->d, lane->held, count);
        if (!status)
            return true;
        sched_job *youngest = youngest_of(s);
        if (status == HEED_NOMEM && youngest != job) {
            preempt(s, youngest);
        } else if (status == HEED_NOMEM && oldest_of(s) != job) {
            return false;
        } else {
            sched_fail(job, status);
            sched_give_up(s, job);
            return false;
        }
    }
}
