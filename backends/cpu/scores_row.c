/* One row of scores: bounds, factor, bias, masks and softmax, in the order that the operator's
 * meaning has them (core/ops/attention.c), and the copy that output 1 wants.
 *
 * Scores are float32; those of a type of 16 bits are rounded to it where something was added or
 * multiplied, so that a bias absorbs what it would. */
#include <math.h>
#include <string.h>

#include "scores.h"

enum { CHUNK = 512 };

#define FAR ((int64_t)1 << 60)

typedef struct score_row {
    float *s;
    scores_place at;
    size_t low, high; /* keys that are visible by range */
} score_row;

/* ---- Ranges --------------------------------------------------------------------------------- */

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Causality, windows and lengths; an empty range is 0, 0. */
static void find_range(const scores_job *job, score_row *r)
{
    const flash_job *in = &job->in;
    int64_t at = (int64_t)r->at.query, most = (int64_t)in->keys;
    int64_t left = in->rules->left, right = in->rules->right;
    if (in->offsets)
        at += clamp(cpu_integer(in->offsets, cpu_count(in->offsets) == 1 ? 0 : r->at.b), -FAR, FAR);
    if (in->lengths)
        most = clamp(cpu_integer(in->lengths, r->at.b), 0, most);
    r->low = left < 0 ? 0 : (size_t)clamp(at - clamp(left, 0, FAR), 0, most);
    r->high = (size_t)(right < 0 ? most : clamp(at + clamp(right, 0, FAR) + 1, 0, most));
    if (r->low >= r->high)
        r->low = r->high = 0;
}

/* ---- Covers --------------------------------------------------------------------------------- */

static void round_scores(const flash_job *in, float *s, size_t n)
{
    uint16_t half[CHUNK];
    if (!in->narrow)
        return;
    in->narrow(half, s, n, NULL);
    in->widen(s, half, n, NULL);
}

static const char *cover_row(const flash_cover *c, const scores_place *p)
{
    size_t b = flash_sequence(c, p->b);
    size_t at = b * c->step[FLASH_B] + p->head * c->step[FLASH_H] + p->query * c->step[FLASH_S];
    return c->data + at * c->bytes;
}

/* n numbers of a bias or a factor from key `first` on: where they are, or in the buffer. Behind
 * their end there is -infinity. */
static const float *cover_floats(const flash_job *in, const flash_cover *c, const scores_place *p,
                                 size_t first, size_t n, float buffer[CHUNK])
{
    const char *from = cover_row(c, p) + (c->single ? 0 : first * c->bytes);
    size_t have = first < c->keys ? flash_min(n, c->keys - first) : 0;
    size_t read = c->single ? flash_min(have, 1) : have;
    uint16_t half[CHUNK];
    if (!c->widen && !c->narrow && !c->single && have == n)
        return (const float *)(const void *)from;
    if (c->widen && read)
        c->widen(buffer, from, read, NULL);
    else
        memcpy(buffer, from, read * sizeof(*buffer));
    if (c->narrow && read) {
        c->narrow(half, buffer, read, NULL);
        in->widen(buffer, half, read, NULL);
    }
    for (size_t j = read; j < n; j++)
        buffer[j] = j < have ? buffer[0] : -INFINITY;
    return buffer;
}

/* The same of the bias, which may be a sum of two. */
static const float *bias_floats(const flash_job *in, const scores_place *p, size_t first, size_t n,
                                float buffer[CHUNK])
{
    float more[CHUNK];
    const float *bias = cover_floats(in, &in->bias, p, first, n, buffer);
    if (!in->more.data)
        return bias;
    if (bias != buffer)
        memcpy(buffer, bias, n * sizeof(*buffer));
    in->f->row_add(buffer, cover_floats(in, &in->more, p, first, n, more), n);
    round_scores(in, buffer, n);
    return buffer;
}

static void fill(float *x, size_t first, size_t last, float value)
{
    for (size_t j = first; j < last; j++)
        x[j] = value;
}

static void hide_by(const scores_job *job, const flash_cover *c, const score_row *r, float *x,
                    size_t first, size_t n, float value)
{
    static const size_t step[3] = {1, 1, 0};
    const uint8_t *from = (const uint8_t *)cover_row(c, &r->at) + (c->single ? 0 : first);
    size_t have = first < c->keys ? flash_min(n, c->keys - first) : 0;
    if (c->single)
        have = *from ? n : 0;
    else if (have)
        job->in.lanes->choose(x, from, x, &value, have, step, sizeof(*x));
    fill(x, have, n, value);
}

/* x[j] = value where key first + j is hidden. */
static void hide(const scores_job *job, const score_row *r, float *x, size_t first, size_t n,
                 float value)
{
    const flash_job *in = &job->in;
    size_t low = r->low > first ? flash_min(r->low - first, n) : 0;
    size_t high = r->high > first ? flash_min(r->high - first, n) : 0;
    fill(x, 0, low, value);
    fill(x, flash_max(low, high), n, value);
    if (in->mask.data)
        hide_by(job, &in->mask, r, x, first, n, value);
    if (in->bias.data && !in->adds)
        hide_by(job, &in->bias, r, x, first, n, value);
}

/* ---- Masks ---------------------------------------------------------------------------------- */

static void add(const scores_job *job, float *s, const float *bias, size_t n)
{
    job->rules->add(s, s, bias, n, CPU_ZIP_VV);
    round_scores(&job->in, s, n);
}

/* The fill of hidden keys is added to the bias, and the sum to the scores. */
static void add_sum(const scores_job *job, const score_row *r, size_t first, size_t n,
                    const float *bias)
{
    float more[CHUNK] = {0};
    hide(job, r, more, first, n, job->in.fill);
    if (bias)
        add(job, more, bias, n);
    add(job, r->s + first, more, n);
}

/* The fill of hidden keys is added to 0 times their scores: some are infinite or no numbers, so
 * that their products are none. `lost` gets those, and 0 for others. */
static bool loses(const scores_job *job, const score_row *r, size_t first, size_t n,
                  float lost[CHUNK])
{
    const float *s = r->s + first;
    bool some = false;
    for (size_t j = 0; j < n && !some; j++)
        some = !isfinite(s[j]);
    if (!some)
        return false;
    fill(lost, 0, n, 0.0f);
    hide(job, r, lost, first, n, 1.0f);
    for (size_t j = 0; j < n; j++)
        lost[j] = lost[j] > 0 ? 0.0f * s[j] : 0.0f;
    return true;
}

static void mask_chunk(const scores_job *job, const score_row *r, size_t first, size_t n)
{
    const flash_job *in = &job->in;
    float *s = r->s + first, buffer[CHUNK], lost[CHUNK];
    const float *bias = NULL;
    if (in->factor.data) {
        bias = cover_floats(in, &in->factor, &r->at, first, n, buffer);
        job->rules->multiply(s, s, bias, n, CPU_ZIP_VV);
        round_scores(in, s, n);
    }
    if (in->adds)
        bias = bias_floats(in, &r->at, first, n, buffer);
    bool hidden =
        in->mask.data || (in->bias.data && !in->adds) || r->low > first || r->high < first + n;
    bool loss = in->rules->zeroes && hidden && loses(job, r, first, n, lost);
    if (in->rules->sums && hidden) {
        add_sum(job, r, first, n, in->adds ? bias : NULL);
        return;
    }
    if (job->folds && hidden) {
        if (!in->adds)
            memset(buffer, 0, n * sizeof(*buffer));
        else if (bias != buffer)
            memcpy(buffer, bias, n * sizeof(*buffer));
        hide(job, r, buffer, first, n, in->fill);
        add(job, s, buffer, n);
        return;
    }
    if (in->adds && !in->late)
        add(job, s, bias, n);
    if (!job->folds)
        hide(job, r, s, first, n, in->fill);
    if (in->late)
        add(job, s, bias, n);
    if (loss)
        job->rules->add(s, s, lost, n, CPU_ZIP_VV);
}

static bool true_at(const flash_cover *c, const scores_place *p, size_t j)
{
    return j < c->keys && cover_row(c, p)[c->single ? 0 : j];
}

/* Is one of n keys from `first` on visible, and its bias not -infinity where that says so? */
static bool sees_some(const scores_job *job, const score_row *r, size_t first, size_t n)
{
    const flash_job *in = &job->in;
    float buffer[CHUNK];
    const float *bias = in->folds ? bias_floats(in, &r->at, first, n, buffer) : NULL;
    bool selects = in->bias.data && !in->adds;
    for (size_t j = 0; j < n; j++) {
        bool seen = !in->mask.data || true_at(&in->mask, &r->at, first + j);
        seen = seen && (!selects || true_at(&in->bias, &r->at, first + j));
        if (seen && !(bias && bias[j] == -INFINITY))
            return true;
    }
    return false;
}

static bool is_emptied(const scores_job *job, const score_row *r)
{
    const flash_job *in = &job->in;
    const flash_rules *rules = in->rules;
    if (rules->empty != FLASH_ZERO || in->sinks || !rules->infinite)
        return false;
    bool ranges = rules->left >= 0 || rules->right >= 0 || in->lengths;
    if (!in->mask.data && in->adds && in->bias.single && !ranges)
        return false;
    for (size_t j = r->low; j < r->high; j += CHUNK)
        if (sees_some(job, r, j, flash_min(CHUNK, r->high - j)))
            return false;
    return true;
}

/* ---- Softmax -------------------------------------------------------------------------------- */

static float sink_of(const flash_job *in, size_t head)
{
    const char *at = (const char *)cpu_data(in->sinks) + head * cpu_element_bytes(in->sinks->dtype);
    float sink;
    if (in->widen)
        in->widen(&sink, at, 1, NULL);
    else
        memcpy(&sink, at, sizeof(sink));
    return sink;
}

/* Beside keys without weights a sink leaves 0, where it is finite and no share of theirs. */
static bool leaves_zero(const flash_job *in, float sink)
{
    return sink > -INFINITY && in->rules->empty != FLASH_SHARE;
}

/* One more key, whose weight is dropped. The largest weight is one over the sum of the others. */
static void weigh_with_sink(const scores_job *job, float *s, size_t n, float sink)
{
    float top = job->rules->max->row(s, n);
    if (top == -INFINITY) {
        fill(s, 0, n, leaves_zero(&job->in, sink) ? expf(-INFINITY) : NAN);
        return;
    }
    job->in.lanes->softmax(s, s, n);
    float most = sink > top ? sink : top, own = expf(top - most);
    float share = own / (own + expf(sink - most) * job->rules->max->row(s, n));
    job->in.lanes->affine(s, s, n, share, 0.0f);
}

static void weigh_row(const scores_job *job, const score_row *r)
{
    const flash_job *in = &job->in;
    if (in->sinks)
        weigh_with_sink(job, r->s, job->keys, sink_of(in, r->at.head));
    else
        in->lanes->softmax(r->s, r->s, job->keys);
    for (size_t j = 0; j < job->keys && in->rules->empty == FLASH_GUARD; j++)
        r->s[j] = isnan(r->s[j]) ? 0.0f : r->s[j];
}

/* A row without keys has no weights: what it gives. */
static uint8_t without_keys(const scores_job *job, const score_row *r)
{
    const flash_job *in = &job->in;
    bool zero =
        in->sinks ? leaves_zero(in, sink_of(in, r->at.head)) : in->rules->empty == FLASH_ZERO;
    return zero || in->rules->empty == FLASH_GUARD ? SCORES_ZERO : SCORES_NAN;
}

/* ---- Output 1 ------------------------------------------------------------------------------- */

static void keep_run(const scores_job *job, char **to, const float *from, size_t n)
{
    if (job->in.narrow)
        job->in.narrow(*to, from, n, NULL);
    else
        memcpy(*to, from, n * sizeof(*from));
    *to += n * job->in.q.bytes;
}

/* n scores, and one number for all keys behind them. */
static void keep(const scores_job *job, const score_row *r, int64_t stage, size_t n, float rest)
{
    const flash_job *in = &job->in;
    if (stage != job->stage)
        return;
    size_t row = (r->at.b * in->q.dims[FLASH_H] + r->at.head) * in->queries + r->at.query;
    char *to = job->kept + row * in->keys * in->q.bytes;
    if (job->s_lies)
        to += n * in->q.bytes;
    else if (n)
        keep_run(job, &to, r->s, n);
    for (size_t j = n; j < in->keys; j++)
        keep_run(job, &to, &rest, 1);
}

/* ---- A row ---------------------------------------------------------------------------------- */

static void bound(const scores_job *job, const score_row *r)
{
    const flash_rules *rules = job->in.rules;
    keep(job, r, 0, job->wide, 0);
    if (rules->cap > 0)
        job->in.f->cap(r->s, job->wide, rules->cap);
    keep(job, r, 1, job->wide, 0);
    if (isinf(rules->least) && isinf(rules->most))
        return;
    for (size_t j = 0; j < job->wide; j++) {
        float x = r->s[j] < rules->least ? rules->least : r->s[j];
        r->s[j] = x > rules->most ? rules->most : x;
    }
}

static uint8_t run_row(const scores_job *job, const score_row *r)
{
    uint8_t emptied = SCORES_FULL;
    bound(job, r);
    for (size_t j = 0; j < job->wide; j += CHUNK)
        mask_chunk(job, r, j, flash_min(CHUNK, job->wide - j));
    keep(job, r, 2, job->wide, 0);
    if (!job->keys)
        emptied = without_keys(job, r);
    else if (is_emptied(job, r))
        emptied = SCORES_ZERO;
    else
        weigh_row(job, r);
    if (emptied == SCORES_ZERO)
        fill(r->s, 0, job->keys, 0);
    bool none = emptied == SCORES_NAN || (job->keys && isnan(r->s[0]));
    keep(job, r, 3, job->keys, none ? NAN : 0.0f);
    return emptied;
}

void scores_weigh(const void *arg, size_t first, size_t last)
{
    const scores_job *job = arg;
    if (job->plain) {
        for (float *s = job->s + first * job->wide; first < last; first++, s += job->wide)
            job->in.lanes->softmax(s, s, job->wide);
        return;
    }
    scores_place at = scores_place_of(job, first);
    for (size_t i = first; i < last; i++, at.query++) {
        if (at.query == job->in.queries)
            at = scores_place_of(job, i);
        score_row r = {.s = job->s + i * job->wide, .at = at};
        find_range(job, &r);
        job->emptied[i] = run_row(job, &r);
    }
}
