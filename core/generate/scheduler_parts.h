/* scheduler_parts.h - what the parts of a scheduler share. Included by scheduler*.c only. */
#ifndef HEED_GENERATE_SCHEDULER_PARTS_H
#define HEED_GENERATE_SCHEDULER_PARTS_H

#include "generate/scheduler.h"

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

/* ---- scheduler.c: where a job is, and what it has ---------------------------------------------
 */
void sched_move(scheduler *s, sched_job *job, int state);
/* Takes the job out of this step: its new places go. */
void sched_untake(scheduler *s, sched_job *job);
void sched_give_up(scheduler *s, sched_job *job); /* all its places */
/* Keeps what the current error says; the job leaves at the end of the step. */
void sched_fail(sched_job *job, heed_status status);

/* ---- scheduler_pages.c: who gives up pages ----------------------------------------------------
 */
uint64_t sched_pages_to_be_had(const scheduler *s);
/* Room for all of the job's tokens, beside what those that run will need for theirs, and a page
 * each for what they generate next, as far as these are few. */
bool sched_fits(const scheduler *s, const sched_job *job);
/* Places for `count` tokens of a lane, if need be from those that came later. The last one that is
 * left can ask nobody: it fails. Others wait until there is room. */
bool sched_extend(scheduler *s, sched_job *job, sched_lane *lane, uint32_t count);

/* ---- scheduler_take.c: what those that run get ------------------------------------------------
 */
void sched_take_running(scheduler *s);
/* Parts of what is left. Of several lanes each stops before its last token: those come together. */
void sched_take_part(scheduler *s, sched_job *job);

/* ---- scheduler_begin.c: who begins ------------------------------------------------------------
 */
void sched_begin_some(scheduler *s);
size_t sched_running_lanes(const scheduler *s);

/* ---- scheduler_run.c --------------------------------------------------------------------------
 */
void sched_run(scheduler *s); /* what was taken, into work->logits; fills s->batch */

#endif
