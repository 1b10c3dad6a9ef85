/* sequence.c - the public functions of sequences, and who leads.
 *
 * A thread that wants a piece and finds no leader leads until it has one; then it wakes another
 * that waits. */
#include <string.h>

#include "base/pool.h"
#include "generate/generator.h"

static heed_status check_fork(const heed_generator *g)
{
    if (g->generation != pool_fork_generation())
        return err_fail(HEED_FORKED, "the generator was made before a fork; make one in the child");
    return HEED_OK;
}

static bool has_piece(const heed_sequence *s)
{
    return s->done || !piece_buffer_is_empty(&s->ready);
}

/* Wakes one that waits for somebody to lead. With the lock. */
static void pass_on(heed_generator *g)
{
    heed_sequence *const lists[] = {g->oldest, g->inbox};
    if (g->led)
        return;
    if (g->callers > 0) {
        pthread_cond_signal(&g->free_to_lead);
        return;
    }
    for (size_t i = 0; i < 2; i++)
        for (heed_sequence *s = lists[i]; s; s = s->newer)
            if (s->waits && !has_piece(s)) {
                pthread_cond_signal(&s->changed);
                return;
            }
}

/* ---- Adding -----------------------------------------------------------------------------------
 */

heed_status heed_generator_add(heed_generator *g, const heed_request *request, heed_sequence **out)
{
    heed_sequence *s;
    *out = NULL;
    TRY(check_fork(g));
    TRY(sequence_new(g, request, &s));
    pthread_mutex_lock(&g->lock);
    generator_put_in(g, s);
    pthread_mutex_unlock(&g->lock);
    *out = s;
    return HEED_OK;
}

/* With the lock, when nobody leads. */
static void wait_to_lead(heed_generator *g)
{
    g->callers++;
    while (g->led)
        pthread_cond_wait(&g->free_to_lead, &g->lock);
    g->callers--;
}

static heed_status fork_now(heed_sequence *from, const heed_request *request, heed_sequence **out)
{
    heed_generator *g = from->generator;
    if (from->done || from->ended)
        return err_fail(HEED_USAGE, "the sequence has finished: there is nothing to go on from");
    if (from->search)
        return err_fail(HEED_USAGE, "a sequence with beams has no tokens before its end");
    TRY(sequence_fork(from, request, out));
    generator_put_in(g, *out);
    generator_take_in(g);
    scheduler_fork(g->scheduler, &from->job, &(*out)->job);
    return HEED_OK;
}

heed_status heed_sequence_fork(heed_sequence *from, const heed_request *request,
                               heed_sequence **out)
{
    heed_generator *g = from->generator;
    *out = NULL;
    TRY(check_fork(g));
    pthread_mutex_lock(&g->lock);
    wait_to_lead(g);
    heed_status status = fork_now(from, request, out);
    pass_on(g);
    pthread_mutex_unlock(&g->lock);
    return status;
}

/* ---- Getting ----------------------------------------------------------------------------------
 */

static void write_piece(heed_sequence *s, heed_piece *out)
{
    const piece_buffer *b = &s->given;
    bool told = s->flags & HEED_REQUEST_LOGPROBS;
    heed_piece piece = {.size = out->size,
                        .finish = s->finish,
                        .text = b->n_text ? b->text : "",
                        .text_bytes = b->n_text,
                        .tokens = b->tokens,
                        .n_tokens = b->n_tokens,
                        .logprobs = told ? b->logprobs : NULL,
                        .alternatives = told && s->n_logprobs ? b->alternatives : NULL};
    memcpy(out, &piece, out->size < sizeof(piece) ? out->size : sizeof(piece));
}

static heed_status take_piece(heed_sequence *s, heed_piece *out)
{
    piece_buffer given = s->given;
    bool empty = piece_buffer_is_empty(&s->ready);
    s->given = s->ready;
    s->ready = given;
    piece_buffer_empty(&s->ready);
    write_piece(s, out);
    return s->failed && empty ? err_fail(s->failed, "%s", s->error_text) : HEED_OK;
}

heed_status heed_sequence_next(heed_sequence *s, heed_piece *out)
{
    heed_generator *g = s->generator;
    if (!HEED_HAS_FIELD(out, finish))
        return err_fail(HEED_USAGE, "heed_piece.size is not set");
    TRY(check_fork(g));
    pthread_mutex_lock(&g->lock);
    s->waits = true;
    while (!has_piece(s))
        if (!g->led && g->callers == 0) {
            generator_step(g);
        } else {
            pass_on(g);
            pthread_cond_wait(&s->changed, &g->lock);
        }
    s->waits = false;
    heed_status status = take_piece(s, out);
    pass_on(g);
    pthread_mutex_unlock(&g->lock);
    return status;
}

heed_status heed_generator_step(heed_generator *g, size_t *active)
{
    TRY(check_fork(g));
    pthread_mutex_lock(&g->lock);
    wait_to_lead(g);
    if (g->n_active > 0)
        generator_step(g);
    if (active)
        *active = g->n_active;
    pass_on(g);
    pthread_mutex_unlock(&g->lock);
    return HEED_OK;
}

const int32_t *heed_sequence_get_tokens(const heed_sequence *sequence, size_t *n)
{
    heed_sequence *s = (heed_sequence *)(uintptr_t)sequence; /* `shown` is of this thread */
    static const int32_t none[1];
    *n = 0;
    pthread_mutex_lock(&s->generator->lock);
    if (s->shown_capacity < s->n_all) {
        int32_t *bigger = mem_alloc(s->all_capacity * sizeof(*bigger));
        if (bigger) {
            mem_free(s->shown);
            s->shown = bigger;
            s->shown_capacity = s->all_capacity;
        }
    }
    if (s->shown_capacity >= s->n_all && s->n_all > 0) {
        memcpy(s->shown, s->generated, s->n_all * sizeof(*s->shown));
        *n = s->n_all;
    }
    pthread_mutex_unlock(&s->generator->lock);
    return *n ? s->shown : none;
}

void heed_sequence_get_stats(const heed_sequence *s, heed_sequence_stats *out)
{
    uint32_t size = out->size < sizeof(*out) ? out->size : (uint32_t)sizeof(*out);
    heed_generator *g = s->generator;
    pthread_mutex_lock(&g->lock);
    heed_sequence_stats stats = s->stats;
    stats.finish = s->finish;
    if (!s->done)
        stats.total_ns = generate_now() - s->added_ns;
    pthread_mutex_unlock(&g->lock);
    stats.size = size;
    memcpy(out, &stats, size);
}

/* ---- Ending -----------------------------------------------------------------------------------
 */

void heed_sequence_cancel(heed_sequence *s) { atomic_store(&s->cancelled, 1); }

void heed_sequence_free(heed_sequence *s)
{
    if (!s)
        return;
    heed_generator *g = s->generator;
    pthread_mutex_lock(&g->lock);
    generator_drop(g, s);
    pthread_mutex_unlock(&g->lock);
}
