/* search.c - what beams.h decides, done with the lanes of a job. */
#include "generate/search.h"

#include <string.h>

#include "generate/beams.h"
#include "generate/generator.h"

enum { MOST_BEAMS = 256 };

/* What goes with a lane. */
typedef struct branch {
    sampler *chooser;
    stream *text; /* NULL: there are no stops to look for */
} branch;

struct search {
    beams *beams;
    uint32_t width, n_alternatives;
    branch *branches, *next; /* [width]: of each lane, and of a step */
    sched_lane *next_lanes;  /* [width] */
    heed_logprob *proposals; /* [width, beams_proposals] */
    bool proposed;           /* in this step */
    heed_status failed;      /* to look for stops */
};

/* ---- Life ------------------------------------------------------------------------------------ */

static heed_status check(const heed_request *r)
{
    if (r->beams > MOST_BEAMS)
        return err_fail(HEED_INVALID, "beams is %u; at most %d are possible", r->beams, MOST_BEAMS);
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

/* Would a stop be complete with this token? */
static bool is_stopped(void *arg, uint32_t parent, int32_t token)
{
    search *q = arg;
    stream *fork;
    stream_text t = {0};
    if (q->failed)
        return false;
    heed_status status = stream_fork(q->branches[parent].text, NULL, &fork);
    if (!status)
        status = stream_push(fork, &token, 1, &t);
    stream_free(fork);
    if (status)
        q->failed = status;
    return !status && t.stopped;
}

/* A lane for each beam, of which there is one so far. */
static heed_status make_lanes(sched_job *job, uint32_t width)
{
    sched_lane *lanes =
        mem_resize(job->lanes, job->lane_capacity * sizeof(*lanes), width * sizeof(*lanes));
    if (!lanes)
        return HEED_NOMEM;
    memset(lanes + job->n_lanes, 0, (width - job->n_lanes) * sizeof(*lanes));
    job->lanes = lanes;
    job->lane_capacity = width;
    return HEED_OK;
}

static heed_status fill(search *q, heed_sequence *s, const heed_request *r)
{
    beams_options options = {.width = q->width,
                             .length_penalty = r->length_penalty,
                             .early = (r->flags & HEED_REQUEST_EARLY) != 0,
                             .ends = s->forbidden,
                             .n_ends = s->n_forbidden,
                             .max_tokens = most_tokens(s),
                             .stops = r->n_stops ? is_stopped : NULL,
                             .arg = q,
                             .n_alternatives = r->n_logprobs};
    TRY(beams_new(&options, &q->beams));
    q->branches = mem_array(q->width, sizeof(*q->branches));
    q->next = mem_array(q->width, sizeof(*q->next));
    q->next_lanes = mem_array(q->width, sizeof(*q->next_lanes));
    q->proposals = mem_array(q->width, beams_proposals(q->beams) * sizeof(*q->proposals));
    if (!q->branches || !q->next || !q->next_lanes || !q->proposals)
        return HEED_NOMEM;
    TRY(make_lanes(&s->job, q->width));
    TRY(sampler_fork(s->chooser, NULL, &q->branches[0].chooser));
    return r->n_stops ? stream_fork(s->text, NULL, &q->branches[0].text) : HEED_OK;
}

heed_status search_new(heed_sequence *s, const heed_request *request, search **out)
{
    *out = NULL;
    TRY(check(request));
    search *q = mem_zero(sizeof(*q));
    if (!q)
        return HEED_NOMEM;
    q->width = request->beams;
    q->n_alternatives = request->n_logprobs;
    heed_status status = fill(q, s, request);
    if (status)
        search_free(q);
    else
        *out = q;
    return status;
}

static void drop_branch(branch *b)
{
    sampler_free(b->chooser);
    stream_free(b->text);
    *b = (branch){0};
}

void search_free(search *q)
{
    if (!q)
        return;
    for (uint32_t i = 0; q->branches && i < q->width; i++)
        drop_branch(&q->branches[i]);
    beams_free(q->beams);
    mem_free(q->branches);
    mem_free(q->next);
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

static void drop_lane(decoder *d, sched_lane *lane, branch *b)
{
    if (lane->held)
        decoder_end(d, lane->held);
    mem_free(lane->tokens);
    *lane = (sched_lane){0};
    drop_branch(b);
}

static heed_status copy_lane(decoder *d, const sched_lane *from, sched_lane *to)
{
    *to = (sched_lane){.n_tokens = from->n_tokens, .capacity = from->n_tokens + 16};
    to->tokens = mem_array(to->capacity, sizeof(*to->tokens));
    if (!to->tokens)
        return HEED_NOMEM;
    memcpy(to->tokens, from->tokens, from->n_tokens * sizeof(*to->tokens));
    return decoder_fork(d, from->held, &to->held);
}

static heed_status copy_branch(const branch *from, branch *to)
{
    TRY(sampler_fork(from->chooser, NULL, &to->chooser));
    return from->text ? stream_fork(from->text, NULL, &to->text) : HEED_OK;
}

/* The copies, into next_lanes. On failure there are none. */
static heed_status copy_lanes(search *q, heed_sequence *s, const beam *running, uint32_t n)
{
    decoder *d = s->generator->decoder;
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < n && !status; i++) {
        uint32_t from = running[i].parent;
        if (takes_over(running, i))
            continue;
        status = copy_lane(d, &s->job.lanes[from], &q->next_lanes[i]);
        if (!status)
            status = copy_branch(&q->branches[from], &q->next[i]);
    }
    for (uint32_t i = 0; i < n && status; i++)
        drop_lane(d, &q->next_lanes[i], &q->next[i]);
    return status;
}

/* Lanes and what goes with them change places with the next ones; those that nobody took over go.
 */
static void exchange(search *q, heed_sequence *s, const beam *running, uint32_t n)
{
    sched_job *job = &s->job;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = running[i].parent;
        if (!takes_over(running, i))
            continue;
        q->next_lanes[i] = job->lanes[from];
        q->next[i] = q->branches[from];
        job->lanes[from] = (sched_lane){0};
        q->branches[from] = (branch){0};
    }
    for (uint32_t i = 0; i < job->n_lanes; i++)
        drop_lane(s->generator->decoder, &job->lanes[i], &q->branches[i]);
    sched_lane *lanes = job->lanes;
    branch *branches = q->branches;
    job->lanes = q->next_lanes;
    q->branches = q->next;
    q->next_lanes = lanes;
    q->next = branches;
    job->n_lanes = n;
}

static heed_status go_on(search *q, heed_sequence *s)
{
    uint32_t n;
    const beam *running = beams_running(q->beams, &n);
    TRY(copy_lanes(q, s, running, n));
    exchange(q, s, running, n);
    for (uint32_t i = 0; i < n; i++) {
        stream_text none;
        TRY(sampler_tell(q->branches[i].chooser, &running[i].token, 1, true));
        if (q->branches[i].text)
            TRY(stream_push(q->branches[i].text, &running[i].token, 1, &none));
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
    size_t others = s->search->n_alternatives;
    heed_logprob *best = mem_array(n * (1 + others), sizeof(*best));
    heed_status status = best ? HEED_OK : HEED_NOMEM;
    if (best && n > 0) {
        beams_copy(b, 0, best);
        beams_copy_alternatives(b, 0, best + n);
    }
    s->n_generated = 0;
    s->ended = HEED_FINISH_NONE;
    for (size_t i = 0; i < n && !status && !s->ended; i++)
        status = sequence_give(s, best[i], best + n + i * others);
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
            sampler_forbid(q->branches[i].chooser, s->forbidden, s->n_forbidden);
        sampler_propose(q->branches[i].chooser, row, each, q->proposals + (size_t)i * each);
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
    if (q->failed)
        return q->failed;
    s->n_generated++;
    return beams_are_over(q->beams) ? search_give(s) : go_on(q, s);
}
