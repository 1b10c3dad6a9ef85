/* New keys and values of a prompt that are written late. Products read them from the call's own
 * inputs, which are in the caches; whoever computes rows writes their keys and values into pages,
 * past the caches and a share before each product, so that the multipliers do not wait. Written
 * before all products, each line of a page would be waited for, and read to be overwritten. */
#include "paged.h"

/* Many rows can read it where it lies, and pages have the same numbers, so the same bits. Rows that
 * all fall on the same lines of the L1 cache would drive each other out. */
static bool reads_well(const flash_operand *o, const paged_pages *p)
{
    return p->many_well && o->dtype == p->dtype && o->step[FLASH_D] == 1 &&
           o->step[FLASH_S] % 512 != 0;
}

/* Sequences that read pages which were written before; or are in this call, where sequences that
 * begin alike have pages in common. */
static size_t count_readers(const paged_job *job)
{
    size_t n = 0;
    for (size_t b = 0; b < job->sequences; b++)
        n += job->sequence[b].past > 0;
    return n;
}

void paged_find_late(paged_job *job)
{
    bool well = reads_well(&job->k, &job->keys) && reads_well(&job->v, &job->values);
    size_t readers = well ? count_readers(job) : 0;
    for (size_t b = 0; b < job->sequences; b++) {
        paged_sequence *s = &job->sequence[b];
        bool own = well && s->fresh * job->group > PAGED_FEW && readers == (s->past > 0);
        size_t early = flash_round(s->past, job->tile) - s->past;
        s->late = own ? flash_min(early, s->fresh) : s->fresh;
        job->late |= s->late < s->fresh;
    }
}

/* Rows of pages from `row` on. */
static void write_rows(const paged_job *job, const flash_operand *o, const paged_pages *p,
                       size_t head, size_t token, size_t tokens, size_t row)
{
    const float *from = paged_own_row(o, head, token);
    float *to = (float *)(void *)p->data + row * p->d;
    for (size_t i = 0; i < tokens; i++)
        job->p->stream(to + i * p->d, from + i * o->step[FLASH_S], p->d);
}

static void write_tokens(const paged_work *w, size_t token, size_t last)
{
    const paged_job *job = w->job;
    size_t size = job->keys.size, head = w->strip->head;
    for (size_t n; token < last; token += n) {
        size_t key = w->sequence->past + token, at = w->sequence->first + token;
        size_t row = paged_row(job, w->strip->sequence, &job->keys, head, key);
        n = flash_min(last - token, size - key % size);
        write_rows(job, &job->k, &job->keys, head, at, n, row);
        write_rows(job, &job->v, &job->values, head, at, n, row);
    }
}

paged_late paged_late_of(const paged_work *w, size_t shares)
{
    size_t group = w->job->group, first = w->strip->first + group - 1;
    paged_late late = {first / group, (first + w->strip->rows) / group, 0};
    late.next = flash_max(late.next, w->sequence->late);
    if (late.next < late.end)
        late.share = (late.end - late.next + shares - 1) / shares;
    return late;
}

void paged_write_share(const paged_work *w)
{
    paged_late *late = w->late;
    size_t n = flash_min(late->share, late->end - late->next);
    if (!late->share)
        return;
    write_tokens(w, late->next, late->next + n);
    late->next += n;
}

void paged_write_rest(const paged_work *w) { write_tokens(w, w->late->next, w->late->end); }
