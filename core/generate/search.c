/* search.c - what beams.h decides, done with the lanes of a job. */
#include "generate/search.h"

#include <string.h>

#include "generate/beams.h"
#include "generate/generator.h"

enum { MOST_BEAMS = 256 };

struct search {
    beams *beams;
    uint32_t width;
    sampler **choosers, **next_choosers; /* [width]: of each lane, and of a step */
    sched_lane *next_lanes;              /* [width] */
    heed_logprob *proposals;             /* [width, beams_proposals] */
    bool proposed;                       /* in this step */
};

/* ---- Life ------------------------------------------------------------------------------------ */

static heed_status check(const heed_request *r)
{
    if (r->beams > MOST_BEAMS)
        return err_fail(HEED_INVALID, "beams is %u; at most %d are possible", r->beams, MOST_BEAMS);
    if (r->n_logprobs > 0)
        return err_fail(HEED_INVALID,
                        "beams give log-probabilities, but no alternatives: "
                        "n_logprobs is %u",
                        r->n_logprobs);
    if (r->sampling && HEED_HAS_FIELD(r->sampling, temperature) && r->sampling->temperature > 0)
        return err_fail(HEED_INVALID, "beams do not draw: with beams sampling.temperature is 0");
    return HEED_OK;
}

/* As many as may come until the last position. */
static size_t most_tokens(const heed_sequence *s)
{
    int64_t positions = decoder_get_about(s->generator->decoder)->positions;
    size_t left = SIZE_MAX;
    if (positions >= 0)
        left = (size_t)positions > s->n_prompt ? (size_t)positions - s->n_prompt : 1;
    return left < s->max_tokens ? left : s->max_tokens;
}

static heed_status fill(search *q, heed_sequence *s, const heed_request *r)
{
    sched_job *job = &s->job;
    beams_options options = {.width = q->width,
                             .length_penalty = r->length_penalty,
                             .early = (r->flags & HEED_REQUEST_EARLY) != 0,
                             .ends = s->forbidden,
                             .n_ends = s->n_forbidden,
                             .max_tokens = most_tokens(s)};
    TRY(beams_new(&options, &q->beams));
    q->choosers = mem_array(q->width, sizeof(sampler *));
    q->next_choosers = mem_array(q->width, sizeof(sampler *));
    q->next_lanes = mem_array(q->width, sizeof(*q->next_lanes));
    q->proposals = mem_array(q->width, beams_proposals(q->beams) * sizeof(*q->proposals));
    if (!q->choosers || !q->next_choosers || !q->next_lanes || !q->proposals)
        return HEED_NOMEM;
    sched_lane *lanes =
        mem_resize(job->lanes, job->lane_capacity * sizeof(*lanes), q->width * sizeof(*lanes));
    if (!lanes)
        return HEED_NOMEM;
    memset(lanes + job->n_lanes, 0, (q->width - job->n_lanes) * sizeof(*lanes));
    job->lanes = lanes;
    job->lane_capacity = q->width;
    return sampler_fork(s->chooser, NULL, &q->choosers[0]);
}

heed_status search_new(heed_sequence *s, const heed_request *request, search **out)
{
    *out = NULL;
    TRY(check(request));
    search *q = mem_zero(sizeof(*q));
    if (!q)
        return HEED_NOMEM;
    q->width = request->beams;
    heed_status status = fill(q, s, request);
    if (status)
        search_free(q);
    else
        *out = q;
    return status;
}

void search_free(search *q)
{
    if (!q)
        return;
    for (uint32_t i = 0; q->choosers && i < q->width; i++)
        sampler_free(q->choosers[i]);
    beams_free(q->beams);
    mem_free(q->choosers);
    mem_free(q->next_choosers);
    mem_free(q->next_lanes);
    mem_free(q->proposals);
    mem_free(q);
}

/* ---- Branching ------------------------------------------------------------------------------- */

/* The first beam that goes on from a lane takes it over; further ones get copies. */
static bool takes_over(const beam *running, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (running[k].parent == running[i].parent)
            return false;
    return true;
}

static void drop_lane(decoder *d, sched_lane *lane, sampler **chooser)
{
    if (lane->held)
        decoder_end(d, lane->held);
    mem_free(lane->tokens);
    sampler_free(*chooser);
    *lane = (sched_lane){0};
    *chooser = NULL;
}

static heed_status copy_lane(decoder *d, const sched_lane *from, const sampler *chooser,
                             sched_lane *to, sampler **to_chooser)
{
    *to = (sched_lane){.n_tokens = from->n_tokens, .capacity = from->n_tokens + 16};
    to->tokens = mem_array(to->capacity, sizeof(*to->tokens));
    if (!to->tokens)
        return HEED_NOMEM;
    memcpy(to->tokens, from->tokens, from->n_tokens * sizeof(*to->tokens));
    TRY(sampler_fork(chooser, NULL, to_chooser));
    return decoder_fork(d, from->held, &to->held);
}

/* The copies, into next_lanes. On failure there are none. */
static heed_status copy_lanes(search *q, heed_sequence *s, const beam *running, uint32_t n)
{
    decoder *d = s->generator->decoder;
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < n && !status; i++) {
        uint32_t from = running[i].parent;
        if (!takes_over(running, i))
            status = copy_lane(d, &s->job.lanes[from], q->choosers[from], &q->next_lanes[i],
                               &q->next_choosers[i]);
    }
    for (uint32_t i = 0; i < n && status; i++)
        drop_lane(d, &q->next_lanes[i], &q->next_choosers[i]);
    return status;
}

/* Lanes and their samplers change places with next_lanes; those that nobody took over go. */
static void exchange(search *q, heed_sequence *s, const beam *running, uint32_t n)
{
    sched_job *job = &s->job;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = running[i].parent;
        if (!takes_over(running, i))
            continue;
        q->next_lanes[i] = job->lanes[from];
        q->next_choosers[i] = q->choosers[from];
        job->lanes[from] = (sched_lane){0};
        q->choosers[from] = NULL;
    }
    for (uint32_t i = 0; i < job->n_lanes; i++)
        drop_lane(s->generator->decoder, &job->lanes[i], &q->choosers[i]);
    sched_lane *lanes = job->lanes;
    sampler **choosers = q->choosers;
    job->lanes = q->next_lanes;
    q->choosers = q->next_choosers;
    q->next_lanes = lanes;
    q->next_choosers = choosers;
    job->n_lanes = n;
}

static heed_status go_on(search *q, heed_sequence *s)
{
    uint32_t n;
    const beam *running = beams_running(q->beams, &n);
    TRY(copy_lanes(q, s, running, n));
    exchange(q, s, running, n);
    for (uint32_t i = 0; i < n; i++) {
        TRY(sampler_tell(q->choosers[i], &running[i].token, 1, true));
        TRY(sched_lane_append(&s->job.lanes[i], running[i].token));
    }
    return HEED_OK;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

heed_status search_give(heed_sequence *s)
{
    const beams *b = s->search->beams;
    uint32_t ended = s->ended;
    size_t n = beams_results(b) > 0 ? beams_length(b, 0) : 0;
    heed_logprob *best = mem_array(n, sizeof(*best));
    heed_status status = best ? HEED_OK : HEED_NOMEM;
    if (best && n > 0)
        beams_copy(b, 0, best);
    s->n_generated = 0;
    s->ended = HEED_FINISH_NONE;
    for (size_t i = 0; i < n && !status && !s->ended; i++)
        status = sequence_give(s, best[i]);
    mem_free(best);
    if (ended || !s->ended)
        s->ended = ended ? ended : HEED_FINISH_LENGTH;
    if (!status) /* decoding would forget what the error says */
        sequence_end_text(s);
    return status;
}

void search_propose(heed_sequence *s, float *logits)
{
    search *q = s->search;
    size_t vocabulary = (size_t)decoder_get_about(s->generator->decoder)->vocabulary;
    uint32_t each = beams_proposals(q->beams);
    for (uint32_t i = 0; i < s->job.n_lanes; i++) {
        const sched_lane *lane = &s->job.lanes[i];
        float *row = logits + (lane->row + lane->wanted - 1) * vocabulary;
        if (s->n_generated < s->min_tokens)
            sampler_forbid(q->choosers[i], s->forbidden, s->n_forbidden);
        sampler_propose(q->choosers[i], row, each, q->proposals + (size_t)i * each);
    }
    q->proposed = true;
}

heed_status search_step(heed_sequence *s)
{
    search *q = s->search;
    if (!q->proposed)
        return HEED_OK;
    q->proposed = false;
    TRY(beams_step(q->beams, q->proposals));
    s->n_generated++;
    return beams_are_over(q->beams) ? search_give(s) : go_on(q, s);
}
