/* lanes.c - the rows of tokens of a job, and what those of a search share.
 *
 * Lanes of a search were forks of each other. When they gave up their places and come back, they
 * are to share pages again, or they might not fit where they fitted before: so a lane begins as a
 * fork of an earlier one, once that has computed what the two have in common. */
#include <string.h>

#include "generate/scheduler.h"

size_t sched_lane_length(const sched_lane *lane)
{
    return lane->held ? decoder_length(lane->held) : 0;
}

size_t sched_lane_left(const sched_lane *lane) { return lane->n_tokens - sched_lane_length(lane); }

heed_status sched_job_add_lane(sched_job *job, const int32_t *tokens, size_t n)
{
    size_t capacity = job->lane_capacity;
    TRY(mem_grow(&job->lanes, &capacity, job->n_lanes, sizeof(*job->lanes)));
    job->lane_capacity = (uint32_t)capacity;
    sched_lane *lane = &job->lanes[job->n_lanes];
    *lane = (sched_lane){.n_tokens = n, .capacity = n + 16};
    lane->tokens = mem_array(lane->capacity, sizeof(*lane->tokens));
    if (!lane->tokens)
        return HEED_NOMEM;
    memcpy(lane->tokens, tokens, n * sizeof(*tokens));
    job->n_lanes++;
    return HEED_OK;
}

heed_status sched_lane_append(sched_lane *lane, int32_t token)
{
    TRY(mem_grow(&lane->tokens, &lane->capacity, lane->n_tokens, sizeof(*lane->tokens)));
    lane->tokens[lane->n_tokens++] = token;
    return HEED_OK;
}

void sched_job_free_lanes(sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++)
        mem_free(job->lanes[i].tokens);
    mem_free(job->lanes);
    job->lanes = NULL;
    job->n_lanes = job->lane_capacity = 0;
}

size_t sched_lane_common(const sched_job *job, uint32_t i, uint32_t *from)
{
    const sched_lane *lane = &job->lanes[i];
    size_t most = 0;
    *from = 0;
    for (uint32_t k = 0; k < i; k++) {
        const sched_lane *other = &job->lanes[k];
        size_t n = 0;
        while (n + 1 < lane->n_tokens && n < other->n_tokens && lane->tokens[n] == other->tokens[n])
            n++;
        if (n > most) {
            most = n;
            *from = k;
        }
    }
    return most;
}

heed_status sched_job_branch(sched_job *job, decoder *d)
{
    for (uint32_t i = 1; i < job->n_lanes; i++) {
        sched_lane *lane = &job->lanes[i];
        uint32_t from;
        if (lane->held)
            continue;
        size_t common = sched_lane_common(job, i, &from);
        const sched_lane *other = &job->lanes[from];
        if (sched_lane_length(other) < common + other->count) /* not computed before this step */
            continue;
        TRY(decoder_fork(d, other->held, &lane->held));
        decoder_cut(d, lane->held, common);
    }
    return HEED_OK;
}
