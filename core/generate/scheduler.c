/* scheduler.c - the jobs of a scheduler, and its step: who goes on, who begins, and running it.
 *
 * Whatever a step is made of, a sequence's own rows come out the same (decoder.h), so that all of
 * this changes when a token comes, and never which. */
#include <stdio.h>
#include <string.h>

#include "generate/scheduler_parts.h"

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

void sched_move(scheduler *s, sched_job *job, int state)
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
    sched_move(s, job, SCHED_WAITING);
    return HEED_OK;
}

/* ---- Places -----------------------------------------------------------------------------------
 */

void sched_untake(scheduler *s, sched_job *job)
{
    for (uint32_t i = 0; i < job->n_lanes; i++) {
        sched_lane *lane = &job->lanes[i];
        if (lane->count)
            decoder_cut(s->d, lane->held, decoder_length(lane->held) - lane->count);
        lane->count = lane->wanted = 0;
    }
}

void sched_give_up(scheduler *s, sched_job *job)
{
    sched_untake(s, job);
    for (uint32_t i = 0; i < job->n_lanes; i++) {
        decoder_end(s->d, job->lanes[i].held);
        job->lanes[i].held = NULL;
    }
    job->swapped = false;
}

void scheduler_remove(scheduler *s, sched_job *job)
{
    sched_give_up(s, job);
    sched_move(s, job, SCHED_OUT);
}

void sched_fail(sched_job *job, heed_status status)
{
    const char *text = err_get()->message;
    job->failed = status;
    snprintf(job->error_text, sizeof(job->error_text), "%s", text);
}

/* ---- A step -----------------------------------------------------------------------------------
 */

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
    sched_take_running(s);
    sched_begin_some(s);
    sched_run(s);
    drop_failed(s);
    s->counts.steps += w->n > 0;
    *logits = w->logits;
}
