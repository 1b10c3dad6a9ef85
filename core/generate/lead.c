/* lead.c - one step, as the thread does it that leads: new sequences come in, those that were
 * cancelled leave, the scheduler's step, its choices, and handing over what it gave. */
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "generate/generator.h"

static heed_sequence *sequence_of(sched_job *job) { return (heed_sequence *)(void *)job; }

/* What is told of the generator, as the leader knows it. */
static void count(heed_generator *g)
{
    const scheduler *s = g->scheduler;
    page_counts pages = decoder_count(g->decoder);
    heed_generator_stats *t = &g->stats;
    t->pages_held = pages.held;
    t->pages_kept = pages.kept;
    t->pages_peak = s->counts.most_pages;
    t->tokens_held = pages.tokens;
    t->copies = decoder_get_about(g->decoder)->copies;
    t->running = s->running.n;
    t->waiting = s->waiting.n;
    t->steps = s->counts.steps;
    t->shared_tokens = s->counts.shared;
    t->preemptions = s->counts.preemptions;
}

/* ---- Coming in and leaving --------------------------------------------------------------------
 */

static void link_active(heed_generator *g, heed_sequence *s)
{
    s->older = g->newest;
    s->newer = NULL;
    *(g->newest ? &g->newest->newer : &g->oldest) = s;
    g->newest = s;
}

static void unlink_active(heed_generator *g, heed_sequence *s)
{
    *(s->older ? &s->older->newer : &g->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &g->newest) = s->older;
    s->newer = s->older = NULL;
}

static void delete_now(heed_generator *g, heed_sequence *s)
{
    *(s->before_of_all ? &s->before_of_all->next_of_all : &g->all) = s->next_of_all;
    if (s->next_of_all)
        s->next_of_all->before_of_all = s->before_of_all;
    sequence_delete(s);
}

/* It is the caller's alone from now on. With the lock. */
static void let_go(heed_generator *g, heed_sequence *s)
{
    scheduler_remove(g->scheduler, &s->job);
    unlink_active(g, s);
    g->n_active--;
    g->stats.finished++;
    s->stats.total_ns = generate_now() - s->added_ns;
    s->stats.preemptions = s->job.n_preempted;
    s->finish = s->failed ? HEED_FINISH_NONE : s->ended;
    s->done = true;
    g->n_freed -= s->freed;
    if (s->freed)
        delete_now(g, s);
    else if (s->waits)
        pthread_cond_signal(&s->changed);
}

static void let_freed_go(heed_generator *g)
{
    if (g->n_freed > 0)
        generator_take_in(g);
    for (heed_sequence *s = g->oldest, *next; s && g->n_freed > 0; s = next) {
        next = s->newer;
        if (s->freed) {
            s->ended = HEED_FINISH_CANCEL;
            let_go(g, s);
        }
    }
}

void generator_drop(heed_generator *g, heed_sequence *s)
{
    if (s->done) {
        delete_now(g, s);
        return;
    }
    atomic_store(&s->cancelled, 1);
    s->freed = true;
    g->n_freed++;
    if (g->led)
        return;
    let_freed_go(g);
    count(g);
}

void generator_put_in(heed_generator *g, heed_sequence *s)
{
    s->job.arrival = ++g->arrivals;
    *(g->inbox_last ? &g->inbox_last->newer : &g->inbox) = s;
    g->inbox_last = s;
    s->next_of_all = g->all;
    if (g->all)
        g->all->before_of_all = s;
    g->all = s;
    g->n_active++;
    g->stats.prompt_tokens += s->n_prompt;
}

void generator_take_in(heed_generator *g)
{
    while (g->inbox) {
        heed_sequence *s = g->inbox;
        g->inbox = s->newer;
        link_active(g, s);
        s->failed = scheduler_add(g->scheduler, &s->job);
        if (s->failed) {
            snprintf(s->error_text, sizeof(s->error_text), "%s", err_get()->message);
            let_go(g, s);
        }
    }
    g->inbox_last = NULL;
}

/* ---- Handing over -----------------------------------------------------------------------------
 */

/* Those that were chosen: they stand behind what is echoed. */
static heed_status append_tokens(heed_sequence *s)
{
    for (size_t i = s->fresh.n_tokens - s->n_chosen; i < s->fresh.n_tokens; i++) {
        TRY(mem_grow(&s->generated, &s->all_capacity, s->n_all, sizeof(*s->generated)));
        s->generated[s->n_all++] = s->fresh.tokens[i];
    }
    return HEED_OK;
}

static void note_times(heed_generator *g, heed_sequence *s, uint64_t now)
{
    g->stats.generated_tokens += s->n_generated - s->stats.generated_tokens;
    if (s->stats.wait_ns == 0 && s->begin_ns)
        s->stats.wait_ns = s->begin_ns - s->added_ns;
    if (s->stats.first_ns == 0 && s->n_generated > 0)
        s->stats.first_ns = now - s->added_ns;
    s->stats.shared_tokens = s->job.shared;
    s->stats.generated_tokens = s->n_generated;
    s->stats.preemptions = s->job.n_preempted;
}

/* What a sequence got in this step. With the lock. */
static void hand_over(heed_generator *g, heed_sequence *s, uint64_t now)
{
    heed_status status = s->job.failed;
    if (!status)
        status = append_tokens(s);
    if (!status)
        status = piece_buffer_append(&s->ready, &s->fresh);
    piece_buffer_empty(&s->fresh);
    s->n_chosen = 0;
    note_times(g, s, now);
    if (status) {
        s->failed = status;
        memcpy(s->error_text, s->job.failed ? s->job.error_text : "out of memory",
               s->job.failed ? sizeof(s->error_text) : sizeof("out of memory"));
    }
    if (status || s->ended)
        let_go(g, s);
    else if (s->waits && !piece_buffer_is_empty(&s->ready))
        pthread_cond_signal(&s->changed);
}

/* ---- A step -----------------------------------------------------------------------------------
 */

/* Those whose time is over, or whose caller has no more interest. */
static void mark_ended(heed_generator *g)
{
    uint64_t now = generate_now();
    for (heed_sequence *s = g->oldest; s; s = s->newer) {
        if (atomic_load_explicit(&s->cancelled, memory_order_relaxed))
            s->ended = HEED_FINISH_CANCEL;
        else if (s->deadline_ns && now >= s->deadline_ns)
            s->ended = HEED_FINISH_DEADLINE;
        if (!s->ended)
            continue;
        scheduler_remove(g->scheduler, &s->job);
        if (s->search)
            (void)search_give(s); /* what memory allows */
        else
            sequence_end_text(s);
    }
}

typedef struct choice {
    const scheduler *scheduler;
    float *logits;
} choice;

static bool has_logits(const sched_job *job) { return !job->failed && job->lanes[0].wanted > 0; }

static void choose_one(void *arg, uint32_t i)
{
    const choice *c = arg;
    sched_job *job = c->scheduler->batch[i];
    if (has_logits(job))
        sequence_choose(sequence_of(job), c->logits);
}

/* Each sequence chooses for itself, so that all threads may. Searches end by forking: one by one.
 */
static void choose_all(heed_generator *g, float *logits, uint64_t began)
{
    scheduler *s = g->scheduler;
    choice c = {.scheduler = s, .logits = logits};
    for (size_t i = 0; i < s->n_batch; i++) {
        heed_sequence *q = sequence_of(s->batch[i]);
        if (!q->begin_ns)
            q->begin_ns = began;
    }
    pool_run(choose_one, &c, (uint32_t)s->n_batch);
    for (size_t i = 0; i < s->n_batch; i++)
        if (has_logits(s->batch[i]))
            sequence_branch(sequence_of(s->batch[i]));
}

void generator_step(heed_generator *g)
{
    float *logits;
    uint64_t began = generate_now();
    g->led = true;
    generator_take_in(g);
    pthread_mutex_unlock(&g->lock);
    mark_ended(g);
    scheduler_step(g->scheduler, &logits);
    choose_all(g, logits, began);
    uint64_t now = generate_now();
    pthread_mutex_lock(&g->lock);
    g->led = false;
    for (size_t i = 0; i < g->scheduler->n_batch; i++)
        hand_over(g, sequence_of(g->scheduler->batch[i]), now);
    for (heed_sequence *s = g->oldest, *next; s; s = next) {
        next = s->newer;
        if (s->ended)
            hand_over(g, s, now);
    }
    let_freed_go(g);
    g->stats.step_ns += now - began;
    count(g);
}
