/* scheduler_begin.c - who of those that wait begins, and with what of its tokens known already.
 *
 * Kept and published pages are found by their tokens. Beside them a job may begin as an older one
 * that runs: then it is a fork of it, as far as that has come; and where the older one is still
 * computing what both begin with, the younger waits for it, so that of n equal prompts one is
 * computed. It waits for older jobs alone, which are served before it anyway. */
#include "generate/scheduler_parts.h"

/* ---- Of one family ----------------------------------------------------------------------------
 */

/* Tokens that need not be computed when another has them: all those whose logits nobody wants. */
static size_t most_known(const sched_job *job)
{
    size_t all_but_last = job->lanes[0].n_tokens - 1;
    return job->rows_from < all_but_last ? job->rows_from : all_but_last;
}

static size_t count_common(const sched_job *job, const sched_job *other)
{
    const sched_lane *a = &job->lanes[0], *b = &other->lanes[0];
    size_t most = most_known(job), n = 0;
    while (n < most && n < b->n_tokens && a->tokens[n] == b->tokens[n])
        n++;
    return n;
}

/* Tokens of the first lane that were computed before this step. */
static size_t computed(const sched_job *job)
{
    const sched_lane *lane = &job->lanes[0];
    return sched_lane_length(lane) - lane->count;
}

static bool may_share(const scheduler *s, const sched_job *job, const sched_job *other)
{
    return decoder_get_about(s->d)->shares && !other->failed && other->side == job->side;
}

/* Does an older one still have to compute a page or more of what both begin with? Less is computed
 * sooner than waited for. */
static bool waits_for_kin(const scheduler *s, const sched_job *job)
{
    uint32_t page = decoder_get_about(s->d)->page_tokens;
    for (const sched_job *kin = s->running.first; kin && !job->swapped; kin = kin->next) {
        size_t enough = computed(kin) + page;
        if (kin->arrival < job->arrival && may_share(s, job, kin) &&
            kin->lanes[0].n_tokens >= enough && count_common(job, kin) >= enough)
            return true;
    }
    return false;
}

/* The one of those that run that has computed most of the job's tokens, and more than `*known`. */
static const sched_job *find_kin(const scheduler *s, const sched_job *job, size_t *known)
{
    const sched_job *found = NULL;
    for (const sched_job *kin = s->running.first; kin; kin = kin->next) {
        size_t n = computed(kin);
        if (n <= *known || !may_share(s, job, kin) ||
            kin->lanes[0].tokens[*known] != job->lanes[0].tokens[*known])
            continue;
        size_t common = count_common(job, kin);
        n = n < common ? n : common;
        if (n > *known) {
            *known = n;
            found = kin;
        }
    }
    return found;
}

/* Instead of what the lane found in pages, where another has computed more. */
static heed_status take_after_kin(scheduler *s, const sched_job *job, sched_lane *lane)
{
    size_t known = sched_lane_length(lane);
    decoder_seq *fork;
    const sched_job *kin = find_kin(s, job, &known);
    if (!kin)
        return HEED_OK;
    TRY(decoder_fork(s->d, kin->lanes[0].held, &fork));
    decoder_cut(s->d, fork, known);
    decoder_end(s->d, lane->held);
    lane->held = fork;
    return HEED_OK;
}

void scheduler_fork(scheduler *s, const sched_job *from, sched_job *job)
{
    const sched_lane *lane = &from->lanes[0];
    if (job->state != SCHED_WAITING || from->state != SCHED_RUNNING || !lane->held ||
        sched_running_lanes(s) >= s->max_running ||
        decoder_fork(s->d, lane->held, &job->lanes[0].held) != HEED_OK)
        return; /* it begins as others do, and finds what is kept */
    job->shared = sched_lane_length(lane);
    s->counts.shared += job->shared;
    sched_move(s, job, SCHED_RUNNING);
}

/* ---- Beginning --------------------------------------------------------------------------------
 */

static heed_status begin_lane(scheduler *s, sched_job *job, sched_lane *lane)
{
    TRY(decoder_begin(s->d, job->side, lane->tokens, most_known(job) + 1, &lane->held));
    return take_after_kin(s, job, lane);
}

/* Without a copy the first lane begins; the others will find there what they share with it. */
static heed_status get_places(scheduler *s, sched_job *job)
{
    if (!job->swapped)
        return begin_lane(s, job, &job->lanes[0]);
    for (uint32_t i = 0; i < job->n_lanes; i++)
        TRY(decoder_swap_in(s->d, job->lanes[i].held));
    job->swapped = false;
    return HEED_OK;
}

/* What it has of others is told once, however often it comes back. */
static void count_shared(scheduler *s, sched_job *job)
{
    size_t n = sched_lane_length(&job->lanes[0]);
    s->counts.shared += n;
    if (job->n_preempted == 0)
        job->shared += n;
}

/* If there is room. What was found of it in pages counts. */
static bool begin(scheduler *s, sched_job *job)
{
    bool swapped = job->swapped;
    if (s->running.n > 0 && job->blocked > sched_pages_to_be_had(s))
        return false;
    if (swapped && !sched_fits(s, job))
        return false;
    heed_status status = get_places(s, job);
    if (!status && !swapped && !sched_fits(s, job)) {
        sched_give_up(s, job);
        job->blocked = sched_pages_to_be_had(s) + 1;
        return false;
    }
    if (status == HEED_NOMEM && swapped) { /* begins anew, as without a copy */
        sched_give_up(s, job);
        return s->running.n == 0 && begin(s, job);
    }
    sched_move(s, job, SCHED_RUNNING);
    job->blocked = 0;
    if (status) {
        sched_fail(job, status);
        return true;
    }
    if (!swapped)
        count_shared(s, job);
    sched_take_part(s, job);
    return true;
}

size_t sched_running_lanes(const scheduler *s)
{
    size_t n = 0;
    for (const sched_job *job = s->running.first; job; job = job->next)
        n += job->n_lanes;
    return n;
}

/* The oldest first; nobody passes one for whom there is no room, but those may that wait for kin
 * alone: their turn is kept. Nobody begins in a step in which somebody had to stop. */
void sched_begin_some(scheduler *s)
{
    size_t kept = 0;
    for (sched_job *job = s->waiting.first, *next; job && s->work->budget > 0; job = next) {
        next = job->next;
        if (sched_running_lanes(s) + kept >= s->max_running ||
            (s->work->preempted && s->running.n > 0))
            return;
        if (waits_for_kin(s, job))
            kept += job->n_lanes;
        else if (!begin(s, job))
            return;
    }
}
