/* The computation of flash.h: pieces, panels, the online softmax, and what ends a row.
 *
 * A piece is some panels of rows of one key head, and some of the keys. Its tiles of keys are
 * loaded once for all of its panels. Hidden tiles are skipped, and so are those whose bias leaves
 * them no weight. With a finite fill or bias such keys do count, unless the row has seen a score so
 * far above theirs that their weights are 0: a panel with another row is computed again in full.
 * Where rows are few, pieces divide the keys as well, and their results are joined at the end. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "flash_brain.h"

enum {
    MOST_PANELS = 4,
    JOIN_LEAST = 1 << 18 /* floats of partial results that one thread joins as fast as many */
};

/* ---- Panels --------------------------------------------------------------------------------- */

static void clear(const flash_job *job, flash_panel *p)
{
    size_t rows = job->few ? p->rows : job->height;
    memset(p->o, 0, job->pad_dv * rows * sizeof(float));
    memset(p->sum, 0, rows * sizeof(float));
    for (size_t r = 0; r < rows; r++)
        p->top[r] = -INFINITY;
    p->done = 0;
    p->skipped = -INFINITY;
}

static void place_panel(const flash_job *job, const flash_slot *slot, flash_panel *p, size_t i)
{
    size_t h = job->height;
    float *at = slot->panels + i * job->panel_floats;
    p->q = at;
    p->o = p->q + job->pad_d * h;
    p->top = p->o + job->pad_dv * h;
    p->sum = p->top + h;
    p->alpha = p->sum + h;
    p->low = (int32_t *)(void *)(p->alpha + h);
    p->high = p->low + h;
}

static void find_panel(const flash_job *job, flash_panel *p, size_t entry, size_t panel)
{
    p->b = entry / job->kv_heads;
    p->h = entry % job->kv_heads;
    p->first = panel * job->height;
    p->rows = flash_min(job->height, job->rows - p->first);
}

static void start_panel(const flash_job *job, const flash_slot *slot, flash_panel *p)
{
    p->full = false;
    flash_load_queries(job, slot, p);
    flash_find_ranges(job, p);
    clear(job, p);
}

/* Which keys of a tile the panel computes: those that a row sees, or all where that may tell. */
static bool part_of(const flash_job *job, flash_panel *p, size_t tile, size_t part[2])
{
    part[0] = tile * job->tile;
    part[1] = flash_min(part[0] + job->tile, p->full ? job->keys : p->last);
    if (p->full || part[0] >= part[1] || (part[0] >= p->begin && part[1] <= p->end))
        return part[0] < part[1];
    if (flash_skips(job, p, tile)) {
        part[0] = flash_max(part[0], p->begin);
        part[1] = flash_min(part[1], p->end);
    }
    return part[0] < part[1];
}

/* Brings a tile of keys and values, unless the last piece left it here. */
static void hold_tile(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t tile)
{
    size_t begin = tile * job->tile, end = p->full ? job->keys : p->last;
    size_t number = (p->b * job->kv_heads + p->h) * job->tiles + tile + 1;
    size_t keys = flash_min(job->tile, end - begin);
    if (slot->held == number && slot->held_end == begin + keys)
        return;
    flash_load_keys(job, slot, p->b, p->h, begin, keys);
    flash_load_values(job, slot, p->b, p->h, begin, keys);
    slot->held = number;
    slot->held_end = begin + keys;
}

/* Tiles [first, last) for the panels. */
static void run_tiles(const flash_job *job, flash_slot *slot, flash_panel *panels, size_t n,
                      size_t first, size_t last)
{
    for (size_t t = first; t < last; t++)
        for (size_t i = 0; i < n; i++) {
            size_t part[2];
            if (!part_of(job, &panels[i], t, part) ||
                !flash_load_cover(job, slot, &panels[i], t, part))
                continue;
            hold_tile(job, slot, &panels[i], t);
            flash_step(job, slot, &panels[i], t, part);
        }
}

/* No skipped score is larger. */
static float most_skipped(const flash_job *job, const flash_panel *p)
{
    float most = job->fill + job->lift;
    if (job->fill == -INFINITY || job->rules->sums)
        return p->skipped;
    if (job->narrow) /* a type of 16 bits rounds the bias, and the sum */
        most += (fabsf(job->fill) + fabsf(job->lift)) / 64;
    return most >= p->skipped || isnan(most) ? most : p->skipped;
}

/* Were keys skipped that count? */
static bool misses_keys(const flash_job *job, const flash_panel *p)
{
    float most = most_skipped(job, p);
    if (p->full || p->done == job->keys || most == -INFINITY)
        return false;
    for (size_t r = 0; r < p->rows; r++)
        if (!(p->top[r] > most + FLASH_FAR_ABOVE))
            return true;
    return false;
}

static void run_in_full(const flash_job *job, flash_slot *slot, flash_panel *p)
{
    p->full = true;
    clear(job, p);
    run_tiles(job, slot, p, 1, 0, job->tiles);
}

/* ---- The end of a row ----------------------------------------------------------------------- */

static float sink_of(const flash_job *job, const flash_panel *p, size_t r)
{
    size_t head = p->h * job->group + (p->first + r) % job->group;
    const char *at =
        (const char *)cpu_data(job->sinks) + head * cpu_element_bytes(job->sinks->dtype);
    float sink;
    if (job->widen)
        job->widen(&sink, at, 1, NULL);
    else
        memcpy(&sink, at, sizeof(sink));
    return sink;
}

/* One more key, whose weight is dropped; returns what the row's weights are divided by, relative to
 * the largest score. Beside keys that have no weights the sink has no share. */
static float with_sink(const flash_job *job, const flash_panel *p, size_t r, float *factor)
{
    float sink = sink_of(job, p, r), top = p->top[r] > sink ? p->top[r] : sink;
    float base = top == -INFINITY ? 0.0f : top;
    *factor = expf(p->top[r] - base);
    if (p->top[r] == -INFINITY && job->rules->empty == FLASH_SHARE)
        return NAN;
    return p->sum[r] * *factor + expf(sink - base);
}

/* Rows that the masks have emptied are 0, if the node wants that; see core/ops/attention.c. All
 * their scores are -infinity, or no numbers: only of such rows the masks are asked. */
static bool is_emptied(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t r)
{
    const flash_rules *rules = job->rules;
    if (p->top[r] > -INFINITY || rules->empty != FLASH_ZERO || job->sinks || !rules->infinite)
        return false;
    bool ranges = rules->left >= 0 || rules->right >= 0 || job->lengths;
    bool asks = job->mask.data || !job->adds || !job->bias.single || ranges;
    return asks && !flash_sees(job, slot, p, r);
}

/* 0 times each value, which only shows where they are no numbers. */
static void add_wild_values(const flash_job *job, flash_slot *slot, const flash_panel *p, float *y)
{
    for (size_t j = 0; j < p->last; j++) {
        flash_load_row(&job->v, slot->rows, p->b, p->h, j);
        job->lanes->axpy(y, slot->rows, job->dv, 0.0f);
    }
}

/* What the row's sums are divided by. */
static float divisor(const flash_job *job, const flash_panel *p, size_t r, float *factor)
{
    *factor = 1.0f;
    return job->sinks ? with_sink(job, p, r, factor) : p->sum[r];
}

/* Rows that are 0 by a rule of the node. */
static void finish_void(const flash_job *job, flash_slot *slot, const flash_panel *p, size_t r)
{
    float factor, *y = p->o + r * job->pad_dv;
    size_t row = p->first + r, head = p->h * job->group + row % job->group;
    bool guard = job->rules->empty == FLASH_GUARD && !(divisor(job, p, r, &factor) > 0);
    if (!guard && !is_emptied(job, slot, p, r))
        return;
    memset(y, 0, job->dv * sizeof(*y));
    if (guard)
        add_wild_values(job, slot, p, y);
    flash_store_row(job, y, p->b, head, row / job->group);
}

static void finish(const flash_job *job, flash_slot *slot, flash_panel *p)
{
    float factor[FLASH_ROWS] = {0.0f};
    int odd = 0;
    for (size_t r = 0; r < p->rows && job->sinks; r++) {
        float sum = divisor(job, p, r, &factor[r]);
        factor[r] /= sum;
    }
    for (size_t r = 0; r < p->rows && !job->sinks; r++)
        factor[r] = 1.0f / p->sum[r];
    for (size_t r = 0; r < p->rows; r++)
        odd |= !(p->top[r] > -INFINITY) | !(p->sum[r] > 0);
    flash_store(job, slot, p, factor);
    for (size_t r = 0; r < p->rows && odd; r++)
        finish_void(job, slot, p, r);
}

/* ---- Pieces --------------------------------------------------------------------------------- */

static float *part_at(const flash_job *job, size_t entry, size_t panel, size_t split)
{
    return job->parts + ((entry * job->blocks + panel) * job->splits + split) * job->part_floats;
}

static void keep_part(const flash_job *job, const flash_panel *p, float *part)
{
    size_t h = job->height, o = job->pad_dv * h;
    memcpy(part, p->o, (job->few ? job->pad_dv * p->rows : o) * sizeof(float));
    memcpy(part + o, p->top, h * sizeof(float));
    memcpy(part + o + h, p->sum, h * sizeof(float));
    part[o + 2 * h] = p->skipped;
    memcpy(part + job->part_floats - 16, &p->done, sizeof(p->done));
}

static void join_part(const flash_job *job, flash_panel *p, const float *part)
{
    size_t h = job->height, done;
    const float *top = part + job->pad_dv * h, *sum = top + h;
    if (job->few)
        job->f->few_join(p->o, p->top, p->sum, part, top, sum, job->pad_dv, p->rows);
    else
        job->f->join(p->o, p->top, p->sum, part, top, sum, job->dv, job->vectors);
    p->skipped = sum[h] > p->skipped ? sum[h] : p->skipped;
    memcpy(&done, part + job->part_floats - 16, sizeof(done));
    p->done += done;
}

/* The panels of a piece. Heavy pieces come first: with causality those of the last rows. */
static size_t find_panels(const flash_job *job, size_t piece, flash_panel panels[MOST_PANELS])
{
    size_t block = piece / job->splits % job->blocks, entry = piece / job->splits / job->blocks;
    size_t first = (job->blocks - 1 - block) * job->panels;
    size_t all = (job->rows + job->height - 1) / job->height;
    size_t n = flash_min(job->panels, all - flash_min(first, all));
    for (size_t i = 0; i < n; i++)
        find_panel(job, &panels[i], entry, first + i);
    return n;
}

static void run_piece(const flash_job *job, flash_slot *slot, size_t piece)
{
    size_t split = piece % job->splits, entry = piece / job->splits / job->blocks;
    flash_panel panels[MOST_PANELS];
    size_t n = find_panels(job, piece, panels);
    for (size_t i = 0; i < n; i++) {
        place_panel(job, slot, &panels[i], i);
        start_panel(job, slot, &panels[i]);
    }
    size_t begin = split * job->split_tiles;
    run_tiles(job, slot, panels, n, begin, flash_min(begin + job->split_tiles, job->tiles));
    for (size_t i = 0; i < n; i++) {
        size_t panel = panels[i].first / job->height;
        if (job->splits == 1 && misses_keys(job, &panels[i]))
            run_in_full(job, slot, &panels[i]);
        if (job->splits == 1)
            finish(job, slot, &panels[i]);
        else
            keep_part(job, &panels[i], part_at(job, entry, panel, split));
    }
}

/* The results of all splits of a panel. */
static void join_piece(const flash_job *job, flash_slot *slot, size_t piece)
{
    flash_panel p;
    size_t entry = piece / job->blocks, panel = piece % job->blocks;
    find_panel(job, &p, entry, panel);
    place_panel(job, slot, &p, 0);
    start_panel(job, slot, &p);
    for (size_t s = 0; s < job->splits; s++)
        join_part(job, &p, part_at(job, entry, panel, s));
    if (misses_keys(job, &p))
        run_in_full(job, slot, &p);
    finish(job, slot, &p);
}

/* ---- A call --------------------------------------------------------------------------------- */

typedef void piece_function(const flash_job *job, flash_slot *slot, size_t piece);

/* Pieces that are left to one thread: the next in the low half, the end in the high one. */
typedef atomic_uint_fast64_t flash_share;

typedef struct flash_work {
    flash_job *job;
    piece_function *run;
    size_t pieces, slots;
    flash_share share[FLASH_SLOTS];
} flash_work;

/* A thread goes through its own pieces from the front, where the next one finds its keys in the
 * caches; then it takes the last ones of others. */
static bool take_piece(flash_share *share, bool own, size_t *piece)
{
    uint_fast64_t was = atomic_load_explicit(share, memory_order_relaxed), now;
    do {
        uint_fast64_t next = was & UINT32_MAX, end = was >> 32;
        if (next >= end)
            return false;
        *piece = own ? next : end - 1;
        now = own ? was + 1 : was - ((uint_fast64_t)1 << 32);
    } while (!atomic_compare_exchange_weak_explicit(share, &was, now, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* One thread. Which thread gets which piece does not show in the results. */
static void take_pieces(flash_work *w, flash_slot *slot, size_t i)
{
    const cpu_flash_brain *brain = w->job->brain;
    if (brain && brain->begin)
        brain->begin();
    for (size_t n = 0; n < w->pieces && w->slots <= 1; n++)
        w->run(w->job, slot, n);
    for (size_t k = 0, piece; k < w->slots && w->slots > 1; k++)
        while (take_piece(&w->share[(i + k) % w->slots], k == 0, &piece))
            w->run(w->job, slot, piece);
    if (brain && brain->end)
        brain->end();
}

static void work_on_stack(void *arg, uint32_t i)
{
    flash_work *w = arg;
    _Alignas(64) float memory[FLASH_STACK];
    flash_slot slot = flash_slot_in(w->job, memory);
    take_pieces(w, &slot, i);
}

static void work(void *arg, uint32_t i)
{
    flash_work *w = arg;
    flash_slot slot = flash_slot_at(w->job, i);
    take_pieces(w, &slot, i);
}

static void run_all(flash_job *job, piece_function *run, size_t pieces, size_t slots)
{
    flash_work w; /* not all of it is touched by a small call */
    w.job = job;
    w.run = run;
    w.pieces = pieces;
    w.slots = flash_min(slots, pieces);
    for (size_t i = 0; i < w.slots && w.slots > 1; i++) {
        uint_fast64_t begin = pieces * i / w.slots, end = pieces * (i + 1) / w.slots;
        atomic_init(&w.share[i], begin | end << 32);
    }
    void (*run_slot)(void *arg, uint32_t i) = job->on_stack ? work_on_stack : work;
    if (w.slots <= 1)
        run_slot(&w, 0);
    else
        cpu_host->parallel(run_slot, &w, (uint32_t)w.slots);
}

static void run_empty(const flash_job *job)
{
    size_t bytes = job->y.bytes;
    for (int a = 0; a < 4; a++)
        bytes *= job->y.dims[a];
    memset(job->y.data, 0, bytes);
}

void flash_run(flash_job *job)
{
    size_t panels = job->batch * job->kv_heads * job->blocks;
    if (!job->batch || !job->rows || !job->dv)
        return;
    if (!job->keys) {
        run_empty(job);
        return;
    }
    if (job->hides)
        memset(job->known, 0, job->batch * job->kv_heads * job->tiles * sizeof(*job->known));
    if (job->late || (job->rules->sums && job->adds))
        flash_find_lift(job);
    size_t parts = panels * job->splits;
    run_all(job, run_piece, parts, job->slots);
    if (job->splits > 1)
        run_all(job, join_piece, panels, parts * job->part_floats < JOIN_LEAST ? 1 : job->slots);
}
