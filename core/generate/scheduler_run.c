/* scheduler_run.c - what was taken goes through the decoder; when that fails, whose failure it is.
 */
#include <string.h>

#include "generate/scheduler_parts.h"

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
            sched_fail(s->batch[i], status);
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
            sched_untake(s, job);
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
        sched_fail(w->jobs[first], status);
    for (size_t i = first; i < last && !status; i++)
        finish_lane(s, w->lanes[i]);
}

void sched_run(scheduler *s)
{
    heed_status status = gather(s);
    if (status)
        fail_batch(s, status);
    else if (s->work->n > 0)
        run_entries(s, 0, s->work->n);
}
