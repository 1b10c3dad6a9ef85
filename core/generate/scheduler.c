/* scheduler.c - a step: who goes on, who begins, who gives up its pages; and running it.
 *
 * Whatever a step is made of, a sequence's own rows come out the same (decoder.h), so that all of
 * this changes when a token comes, and never which. */
#include "generate/scheduler.h"

#include <stdio.h>
#include <string.h>

/* The step as the decoder takes it: one entry a lane that has tokens in it. */
struct sched_work {
    sched_job **jobs; /* whose lane it is */
    sched_lane **lanes;
    decoder_seq **seqs;
    const int32_t **tokens;
    uint32_t *counts, *wanted;
    size_t n, capacity;
    float *logits;
    size_t n_rows, row_capacity;
    uint32_t budget; /* tokens that prompts may still take */
    bool preempted;  /* somebody gave up its pages in this step */
};

enum { MOST_ECHOED = 64 }; /* tokens of a prompt whose logits are wanted, in one step */

heed_status scheduler_new(decoder *d, uint32_t step_tokens, uint32_t max_running, bool swap,
                          scheduler **out)
{
    *out = mem_zero(sizeof(**out));
    struct sched_work *work = *out ? mem_zero(sizeof(*work)) : NULL;
    if (!work) {
        mem_free(*out);
        *out = NULL;
        return HEED_NOMEM;
    }
    **out = (scheduler){
        .d = d, .step_tokens = step_tokens, .max_running = max_running, .swap = swap, .work = work};
    return HEED_OK;
}

void scheduler_free(scheduler *s)
{
    if (!s)
        return;
    mem_free(s->work->jobs);
    mem_free(s->work->lanes);
    mem_free(s->work->seqs);
    mem_free(s->work->tokens);
    mem_free(s->work->counts);
    mem_free(s->work->wanted);
    mem_free(s->work->logits);
    mem_free(s->work);
    mem_free(s->batch);
    mem_free(s);
}

/* ---- Lists, the oldest first ------------------------------------------------------------------
 */

static void list_add(sched_list *list, sched_job *job)
{
    sched_job *after = list->last;
    while (after && after->arrival > job->arrival)
        after = after->before;
    job->before = after;
    job->next = after ? after->next : list->first;
    *(job->next ? &job->next->before : &list->last) = job;
    *(after ? &after->next : &list->first) = job;
    list->n++;
}

static void list_remove(sched_list *list, sched_job *job)
{
    *(job->before ? &job->before->next : &list->first) = job->next;
    *(job->next ? &job->next->before : &list->last) = job->before;
    job->next = job->before = NULL;
    list->n--;
}

static void move_to(scheduler *s, sched_job *job, int state)
{
    if (job->state != SCHED_OUT)
        list_remove(job->state == SCHED_WAITING ? &s->waiting : &s->running, job);
    job->state = state;
    if (state != SCHED_OUT)
        list_add(state == SCHED_WAITING ? &s->waiting : &s->running, job);
}

heed_status scheduler_add(scheduler *s, sched_job *job)
{
    while (s->batch_capacity <= s->waiting.n + s->running.n)
        TRY(mem_grow(&s->batch, &s->batch_capacity, s->batch_capacity, sizeof(*s->batch)));
    move_to(s, job, SCHED_WAITING);
    return HEED_OK;
}

/* ---- Places -----------------------------------------------------------------------------------
 */

/* Takes the job out of this step: its new places go. */
static void untake(scheduler *s, sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++) {
        sched_lane *lane = &job->lanes[i];
        if (lane->count)
            decoder_cut(s->d, lane->held, decoder_length(lane->held) - lane->count);
        lane->count = lane->wanted = 0;
    }
}

static void give_up_places(scheduler *s, sched_job *job)
{
    untake(s, job);
    for (uint32_t i = 0; i < job->n_lanes; i++) {
        decoder_end(s->d, job->lanes[i].held);
        job->lanes[i].held = NULL;
    }
    job->swapped = false;
}

void scheduler_remove(scheduler *s, sched_job *job)
{
    give_up_places(s, job);
    move_to(s, job, SCHED_OUT);
}

/* Keeps what the current error says; the job leaves at the end of the step. */
static void fail(sched_job *job, heed_status status)
{
    const char *text = err_get()->message;
    job->failed = status;
    snprintf(job->error_text, sizeof(job->error_text), "%s", text);
}

/* ---- Pages ------------------------------------------------------------------------------------
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

static uint64_t pages_to_be_had(const scheduler *s)
{
    page_counts c = decoder_count(s->d);
    return (uint64_t)c.free + c.kept;
}

/* Room for all of the job's tokens, beside what those that run will need for theirs, and a page
 * each for what they generate next, as far as these are few. */
static bool fits(const scheduler *s, const sched_job *job)
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
    return pages_needed(s, job) + promised + spare <= pages_to_be_had(s);
}

static bool swap_out(scheduler *s, sched_job *job)
{
    heed_status status = s->swap ? HEED_OK : HEED_UNSUPPORTED;
    untake(s, job);
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
        give_up_places(s, job); /* also what was copied away before a copy failed */
    job->n_preempted++;
    s->counts.preemptions++;
    s->work->preempted = true;
    move_to(s, job, SCHED_WAITING);
}

/* ---- Taking tokens into the step --------------------------------------------------------------
 */

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

/* Places for `count` tokens of a lane, if need be from those that came later. The last one that is
 * left can ask nobody: it fails. Others wait until there is room. */
static bool extend(scheduler *s, sched_job *job, sched_lane *lane, uint32_t count)
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
            fail(job, status);
            give_up_places(s, job);
            return false;
        }
    }
}

static bool take(scheduler *s, sched_job *job, sched_lane *lane, uint32_t count)
{
    size_t first = sched_lane_length(lane), last = first + count;
    if (!extend(s, job, lane, count))
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
            untake(s, job);
            return 0;
        }
    return job->n_lanes;
}

/* Parts of what is left. Of several lanes each stops before its last token: those come together. */
static void take_part(scheduler *s, sched_job *job)
{
    struct sched_work *w = s->work;
    heed_status status = sched_job_branch(job, s->d);
    if (status)
        fail(job, status);
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

static void take_running(scheduler *s)
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
            take_part(s, job);
}

/* ---- Beginning --------------------------------------------------------------------------------
 */

static heed_status begin_lane(scheduler *s, sched_job *job, sched_lane *lane)
{
    size_t n = job->rows_from + 1 < lane->n_tokens ? job->rows_from + 1 : lane->n_tokens;
    TRY(decoder_begin(s->d, job->side, lane->tokens, n, &lane->held));
    s->counts.shared += sched_lane_length(lane);
    if (!job->preempted)
        job->shared += sched_lane_length(lane);
    return HEED_OK;
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

/* The oldest of those that wait, if there is room. What was found of it in pages counts. */
static bool begin_next(scheduler *s)
{
    sched_job *job = s->waiting.first;
    bool swapped = job->swapped;
    if (s->running.n > 0 && job->blocked > pages_to_be_had(s))
        return false;
    if (swapped && !fits(s, job))
        return false;
    heed_status status = get_places(s, job);
    if (!status && !swapped && !fits(s, job)) {
        give_up_places(s, job);
        job->blocked = pages_to_be_had(s) + 1;
        return false;
    }
    if (status == HEED_NOMEM && swapped) { /* begins anew, as without a copy */
        give_up_places(s, job);
        return s->running.n == 0;
    }
    move_to(s, job, SCHED_RUNNING);
    job->blocked = 0;
    if (status)
        fail(job, status);
    else
        take_part(s, job);
    return true;
}

static size_t running_lanes(const scheduler *s)
{
    size_t n = 0;
    for (const sched_job *job = s->running.first; job; job = job->next)
        n += job->n_lanes;
    return n;
}

/* Nobody begins in a step in which somebody had to stop. */
static void begin_some(scheduler *s)
{
    while (s->waiting.first && s->work->budget > 0 && running_lanes(s) < s->max_running &&
           (!s->work->preempted || s->running.n == 0))
        if (!begin_next(s))
            break;
}

void scheduler_fork(scheduler *s, const sched_job *from, sched_job *job)
{
    const sched_lane *lane = &from->lanes[0];
    if (job->state != SCHED_WAITING || from->state != SCHED_RUNNING || !lane->held ||
        running_lanes(s) >= s->max_running ||
        decoder_fork(s->d, lane->held, &job->lanes[0].held) != HEED_OK)
        return; /* it begins as others do, and finds what is kept */
    job->shared = sched_lane_length(lane);
    s->counts.shared += job->shared;
    move_to(s, job, SCHED_RUNNING);
}

/* ---- Running ----------------------------------------------------------------------------------
 */

static heed_status grow(void *items, size_t have, size_t n, size_t each)
{
    void *old;
    memcpy(&old, items, sizeof(old));
    void *bigger = mem_resize(old, have * each, n * each);
    if (!bigger)
        return HEED_NOMEM;
    memcpy(items, &bigger, sizeof(bigger));
    return HEED_OK;
}

static heed_status reserve(struct sched_work *w, size_t n, size_t n_rows, size_t row)
{
    if (n > w->capacity) {
        size_t more = n + n / 2 + 8;
        TRY(grow(&w->jobs, 0, more, sizeof(*w->jobs)));
        TRY(grow(&w->lanes, 0, more, sizeof(*w->lanes)));
        TRY(grow(&w->seqs, 0, more, sizeof(*w->seqs)));
        TRY(grow(&w->tokens, 0, more, sizeof(*w->tokens)));
        TRY(grow(&w->counts, 0, more, sizeof(*w->counts)));
        TRY(grow(&w->wanted, 0, more, sizeof(*w->wanted)));
        w->capacity = more;
    }
    if (n_rows > w->row_capacity) {
        size_t more = n_rows + n_rows / 4;
        TRY(grow(&w->logits, 0, more, row * sizeof(*w->logits)));
        w->row_capacity = more;
    }
    return HEED_OK;
}

static void add_entry(struct sched_work *w, sched_job *job, sched_lane *lane)
{
    size_t done = decoder_length(lane->held) - lane->count;
    w->jobs[w->n] = job;
    w->lanes[w->n] = lane;
    w->seqs[w->n] = lane->held;
    w->tokens[w->n] = lane->tokens + done;
    w->counts[w->n] = lane->count;
    w->wanted[w->n] = lane->wanted;
    lane->row = w->n_rows;
    w->n_rows += lane->wanted;
    w->n++;
}

static bool is_taken(const sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++)
        if (job->lanes[i].count)
            return true;
    return false;
}

static void fail_batch(scheduler *s, heed_status status)
{
    for (size_t i = 0; i < s->n_batch; i++)
        if (!s->batch[i]->failed)
            fail(s->batch[i], status);
}

/* The jobs of the step, and its entries. */
static heed_status gather(scheduler *s)
{
    struct sched_work *w = s->work;
    size_t lanes = 0, rows = 0;
    uint64_t held = decoder_count(s->d).held;
    if (held > s->counts.most_pages)
        s->counts.most_pages = held;
    for (sched_job *job = s->running.first; job; job = job->next) {
        if (job->failed)
            untake(s, job);
        if (!job->failed && !is_taken(job))
            continue;
        s->batch[s->n_batch++] = job;
        lanes += job->n_lanes;
        for (uint32_t i = 0; i < job->n_lanes; i++)
            rows += job->lanes[i].wanted;
    }
    TRY(reserve(w, lanes, rows, (size_t)decoder_get_about(s->d)->vocabulary));
    for (size_t i = 0; i < s->n_batch; i++)
        for (uint32_t k = 0; k < s->batch[i]->n_lanes; k++)
            if (s->batch[i]->lanes[k].count)
                add_entry(w, s->batch[i], &s->batch[i]->lanes[k]);
    return HEED_OK;
}

static void finish_lane(scheduler *s, sched_lane *lane)
{
    s->counts.computed += lane->count;
    lane->count = 0;
    (void)decoder_publish(s->d, lane->held, lane->tokens); /* else nobody finds it: no harm */
}

/* The first entry of the job in the middle; 0: there is one job only. */
static size_t middle(const struct sched_work *w, size_t first, size_t last)
{
    size_t m = first + (last - first) / 2;
    while (m > first && w->jobs[m] == w->jobs[m - 1])
        m--;
    while (m == first || (m < last && w->jobs[m] == w->jobs[m - 1]))
        m++;
    return m;
}

/* Entries first to last - 1. When they fail together, each half is tried: only a job that fails
 * alone has failed. */
static void run_entries(scheduler *s, size_t first, size_t last)
{
    struct sched_work *w = s->work;
    size_t row = w->lanes[first]->row * (size_t)decoder_get_about(s->d)->vocabulary;
    decoder_step step = {.n = (uint32_t)(last - first),
                         .seqs = w->seqs + first,
                         .tokens = w->tokens + first,
                         .counts = w->counts + first,
                         .wanted = w->wanted + first};
    heed_status status = decoder_run(s->d, &step, w->logits + row);
    size_t m = status ? middle(w, first, last) : last;
    if (status && m < last) {
        run_entries(s, first, m);
        run_entries(s, m, last);
        return;
    }
    if (status)
        fail(w->jobs[first], status);
    for (size_t i = first; i < last && !status; i++)
        finish_lane(s, w->lanes[i]);
}

/* Those that failed leave. */
static void drop_failed(scheduler *s)
{
    for (size_t i = 0; i < s->n_batch; i++)
        if (s->batch[i]->failed)
            scheduler_remove(s, s->batch[i]);
}

void scheduler_step(scheduler *s, float **logits)
{
    struct sched_work *w = s->work;
    w->n = w->n_rows = s->n_batch = 0;
    w->preempted = false;
    for (sched_job *job = s->running.first; job; job = job->next)
        for (uint32_t i = 0; i < job->n_lanes; i++)
            job->lanes[i].wanted = 0;
    take_running(s);
    begin_some(s);
    heed_status status = gather(s);
    if (status)
        fail_batch(s, status);
    else if (w->n > 0)
        run_entries(s, 0, w->n);
    drop_failed(s);
    s->counts.steps += w->n > 0;
    *logits = w->logits;
}
