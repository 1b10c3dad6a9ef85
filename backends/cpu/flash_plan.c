/* Reads the operands of a call, and cuts it into panels, tiles, pieces and workspace. */
#include <string.h>

#include "flash_brain.h"

enum {
    TILE_BYTES = 131072, /* keys and values of a tile: with a panel's state they stay in L2 */
    TILE_LEAST = 32,
    TILE_STEP = 16,        /* the widest vector */
    FEW_ROWS = 8,          /* so many rows are better off with vectors along the channels */
    PIECE_PANELS = 4,      /* panels that share a tile while it is in L2 */
    PIECES = 32,           /* enough to feed many threads */
    SPLIT_LEAST = 512,     /* keys worth a piece of their own */
    THREAD_WORK = 1 << 19, /* multiply-adds that are worth waking a thread */
    ROW_ARRAYS = 5,        /* of a panel: top, sum, alpha, low, high */
    COVERS = 4,            /* squares for masks: bias, factor, marks, a turned tile */
    TAIL = 16              /* floats at the end of a partial result: the number of keys done */
};

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, MORE, INPUTS };

/* ---- Operands ------------------------------------------------------------------------------- */

heed_status flash_read_operand(flash_operand *o, const cpu_lanes *lanes, const DLTensor *t,
                               const int place[4])
{
    size_t step = 1, steps[4];
    if (t->ndim != 4)
        return cpu_host->fail(HEED_INVALID, "cpu: attention of rank %d", t->ndim);
    for (int a = 3; a >= 0; a--) {
        steps[a] = step;
        step *= (size_t)t->shape[a];
    }
    o->data = t->data ? cpu_data(t) : NULL;
    o->dtype = cpu_dtype(t->dtype);
    o->bytes = cpu_element_bytes(t->dtype);
    for (int a = 0; a < 4; a++) {
        o->dims[a] = (size_t)t->shape[place[a]];
        o->step[a] = steps[place[a]];
    }
    cpu_half half = cpu_half_find(lanes, o->dtype);
    o->share = 1;
    o->widen = half.widen;
    o->narrow = half.narrow;
    return HEED_OK;
}

static bool divides(size_t heads, size_t queries)
{
    return heads ? queries % heads == 0 : queries == 0;
}

static heed_status check_shapes(const flash_job *job)
{
    const size_t *q = job->q.dims, *k = job->k.dims, *v = job->v.dims, *y = job->y.dims;
    bool good = q[FLASH_B] == k[FLASH_B] && k[FLASH_B] == v[FLASH_B] && q[FLASH_D] == k[FLASH_D];
    good &= k[FLASH_S] == v[FLASH_S] && y[FLASH_B] == q[FLASH_B];
    good &= y[FLASH_H] == q[FLASH_H] && y[FLASH_S] == q[FLASH_S] && y[FLASH_D] == v[FLASH_D];
    good &= divides(k[FLASH_H], q[FLASH_H]) && divides(v[FLASH_H], q[FLASH_H]);
    if (!good)
        return cpu_host->fail(HEED_INVALID, "cpu: query, key and value do not fit together");
    if (k[FLASH_S] > INT32_MAX / 2 || q[FLASH_S] > INT32_MAX / 2)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: attention over %zu keys", k[FLASH_S]);
    return HEED_OK;
}

/* Keys and values may have heads of different numbers: pairs of one and the other are counted. */
static void pair_heads(flash_job *job)
{
    size_t k = job->k.dims[FLASH_H], v = job->v.dims[FLASH_H], a = k, b = v;
    for (size_t rest; b; a = b, b = rest)
        rest = a % b;
    job->kv_heads = a ? k / a * v : 0;
    job->group = job->kv_heads ? job->q.dims[FLASH_H] / job->kv_heads : 0;
    flash_operand *both[] = {&job->k, &job->v};
    for (size_t i = 0; i < 2; i++) {
        size_t own = both[i]->dims[FLASH_H];
        both[i]->share = own > 1 ? job->kv_heads / own : 1;
        if (own == 1)
            both[i]->step[FLASH_H] = 0;
    }
}

/* Sequences of a cover: all, one, or so many that they repeat themselves. */
static bool read_sequences(flash_cover *c, size_t extent, size_t batch)
{
    if (extent == batch || extent == 1)
        return true;
    c->period = extent;
    return extent && batch % extent == 0;
}

static heed_status read_cover(flash_cover *c, const flash_job *job, const DLTensor *t)
{
    const size_t *dims = job->q.dims;
    size_t step = 1;
    if (!t)
        return HEED_OK;
    if (t->ndim > 4)
        return cpu_host->fail(HEED_INVALID, "cpu: a mask of rank %d", t->ndim);
    c->data = t->data ? cpu_data(t) : "";
    c->dtype = cpu_dtype(t->dtype);
    c->bytes = cpu_element_bytes(t->dtype);
    c->single = t->ndim == 0;
    c->keys = c->single ? job->keys : (size_t)t->shape[t->ndim - 1];
    bool good = c->keys <= job->keys;
    step = c->single ? 0 : c->keys;
    for (int a = 2; a >= 0; a--) {
        int own = a - (4 - t->ndim);
        size_t extent = own >= 0 ? (size_t)t->shape[own] : 1;
        good &=
            a == FLASH_B ? read_sequences(c, extent, dims[a]) : extent == 1 || extent == dims[a];
        c->step[a] = extent == 1 ? 0 : step;
        step *= extent;
    }
    c->alike = c->step[FLASH_S] == 0 && (c->step[FLASH_H] == 0 || job->group == 1);
    cpu_half own = cpu_half_find(job->lanes, c->dtype);
    c->widen = own.widen;
    c->narrow = c->dtype == job->q.dtype || c->dtype == HEED_BOOL ? NULL : job->narrow;
    return good ? HEED_OK : cpu_host->fail(HEED_INVALID, "cpu: a mask that does not broadcast");
}

/* One row for all distances: query i reads it from queries - 1 - i on, so each row lies one before
 * the last. Steps are added without sign; what wraps around comes back. */
static heed_status read_relative(flash_cover *c, const flash_job *job, const DLTensor *t)
{
    DLTensor row;
    int64_t shape[4];
    if (!t || t->ndim < 1 || t->ndim > 4)
        return cpu_host->fail(HEED_INVALID, "cpu: a bias of distances that has none");
    row = *t;
    row.shape = shape;
    memcpy(shape, t->shape, (size_t)t->ndim * sizeof(*shape));
    size_t own = (size_t)shape[t->ndim - 1], queries = job->queries;
    bool some = queries && job->keys;
    if ((some && own != queries + job->keys - 1) || (t->ndim > 1 && shape[t->ndim - 2] != 1))
        return cpu_host->fail(HEED_INVALID, "cpu: a bias of %zu distances", own);
    shape[t->ndim - 1] = 0;
    heed_status status = read_cover(c, job, &row);
    if (status)
        return status;
    size_t heads = t->ndim > 2 ? (size_t)shape[t->ndim - 3] : 1;
    c->step[FLASH_H] = heads == 1 ? 0 : own;
    c->step[FLASH_B] = t->ndim < 4 || shape[0] == 1 ? 0 : own * heads;
    c->step[FLASH_S] = (size_t)-1;
    c->keys = job->keys;
    c->data += t->data && some ? (queries - 1) * c->bytes : 0;
    c->relative = true;
    c->alike = false;
    return HEED_OK;
}

/* A cover that has a number for each key. */
static heed_status read_whole(flash_cover *c, const flash_job *job, const DLTensor *t)
{
    heed_status status = read_cover(c, job, t);
    if (!status && t && (c->single || c->keys != job->keys))
        return cpu_host->fail(HEED_INVALID, "cpu: a factor or bias that is not for each key");
    return status;
}

static heed_status read_covers(flash_job *job, const DLTensor *const in[INPUTS])
{
    heed_status status = job->rules->relative ? read_relative(&job->bias, job, in[BIAS])
                         : in[MORE]           ? read_whole(&job->bias, job, in[BIAS])
                                              : read_cover(&job->bias, job, in[BIAS]);
    if (!status)
        status = read_cover(&job->mask, job, in[MASK]);
    if (!status)
        status = read_whole(&job->factor, job, in[FACTOR]);
    if (!status)
        status = read_whole(&job->more, job, in[MORE]);
    if (!status && in[MORE] && (!in[BIAS] || job->bias.dtype == HEED_BOOL))
        return cpu_host->fail(HEED_INVALID, "cpu: more of a bias that is none");
    return status;
}

static heed_status check_numbers(const flash_job *job)
{
    const DLTensor *l = job->lengths, *o = job->offsets, *s = job->sinks;
    bool good = !l || cpu_count(l) == job->batch;
    good &= !o || cpu_count(o) == 1 || cpu_count(o) == job->batch;
    good &= !s || cpu_count(s) == job->q.dims[FLASH_H];
    return good ? HEED_OK
                : cpu_host->fail(HEED_INVALID, "cpu: lengths, offsets or sinks of a wrong number");
}

static float rounded(const flash_job *job, float x)
{
    uint16_t half;
    if (!job->narrow)
        return x;
    job->narrow(&half, &x, 1, NULL);
    job->widen(&x, &half, 1, NULL);
    return x;
}

static heed_status read_call(flash_job *job, const heed_call *call)
{
    const DLTensor *in[INPUTS] = {NULL};
    for (uint32_t i = 0; i < call->n_in && i < INPUTS; i++)
        in[i] = call->in[i];
    const flash_rules *rules = job->rules;
    flash_operand *operands[4] = {&job->q, &job->k, &job->v, &job->y};
    for (uint32_t i = 0; i < 4; i++) {
        heed_status status = flash_read_operand(operands[i], job->lanes,
                                                i < 3 ? in[i] : call->out[0], rules->place[i]);
        if (status)
            return status;
    }
    heed_status status = check_shapes(job);
    if (status)
        return status;
    job->widen = job->q.widen;
    job->narrow = job->q.narrow;
    job->batch = job->q.dims[FLASH_B];
    pair_heads(job);
    job->queries = job->q.dims[FLASH_S];
    job->keys = job->k.dims[FLASH_S];
    job->d = job->q.dims[FLASH_D];
    job->dv = job->v.dims[FLASH_D];
    job->lengths = in[LENGTHS];
    job->offsets = in[OFFSETS];
    job->sinks = in[SINKS];
    status = read_covers(job, in);
    return status ? status : check_numbers(job);
}

static void read_rules(flash_job *job)
{
    const flash_rules *r = job->rules;
    double root = __builtin_sqrt((double)job->d);
    job->scale = (float)(r->scale != 0 ? r->scale : 1 / root);
    job->fill = rounded(job, r->fill);
    job->adds = job->bias.data && job->bias.dtype != HEED_BOOL;
    job->folds = job->adds && r->infinite;
    job->late = job->adds && r->fill_first;
    bool brief = job->bias.data && job->bias.keys < job->keys;
    job->touchy = job->folds || (job->adds && brief) || r->adds_fill || r->zeroes;
    job->hides = r->left >= 0 || r->right >= 0 || job->lengths || job->mask.data || job->bias.data;
}

/* ---- Tiles and pieces ----------------------------------------------------------------------- */

static void cut_rows(flash_job *job)
{
    size_t lanes = job->f->lanes, most = job->brain ? job->brain->rows / lanes : 2;
    job->rows = job->group * job->queries;
    job->few = job->rows <= FEW_ROWS && job->rows <= lanes;
    job->vectors = job->rows <= most / 2 * lanes ? most / 2 : most;
    job->height = job->few ? flash_max(job->rows, 1) : job->vectors * lanes;
    job->pad_d = job->few ? flash_round(job->d, lanes) : job->d;
    job->pad_dv = job->few ? flash_round(job->dv, lanes) : job->dv;
    if (job->brain)
        flash_brain_cut(job);
    size_t panels = (job->rows + job->height - 1) / job->height;
    size_t entries = job->batch * job->kv_heads;
    job->panels = flash_min(PIECE_PANELS, flash_max(panels, 1));
    while (job->panels > 1 && entries * ((panels + job->panels - 1) / job->panels) < PIECES)
        job->panels--;
    job->blocks = (panels + job->panels - 1) / job->panels;
}

static void cut_keys(flash_job *job)
{
    size_t each = (job->d + job->dv) * (job->brain ? sizeof(uint16_t) : sizeof(float));
    size_t fit = TILE_BYTES / flash_max(each, 1);
    fit = flash_max(TILE_LEAST, flash_min(FLASH_TILE, fit)) / TILE_LEAST * TILE_LEAST;
    job->tile = flash_min(fit, flash_round(flash_max(job->keys, 1), TILE_STEP));
    job->tiles = (job->keys + job->tile - 1) / job->tile;
    size_t pieces = flash_max(job->batch * job->kv_heads * job->blocks, 1);
    size_t wanted = (PIECES + pieces - 1) / pieces;
    job->splits = flash_max(1, flash_min(wanted, job->keys / SPLIT_LEAST));
    if (job->panels > 1)
        job->splits = 1;
    job->split_tiles = (job->tiles + job->splits - 1) / job->splits;
    job->splits = job->split_tiles ? (job->tiles + job->split_tiles - 1) / job->split_tiles : 1;
}

/* Covers lie in memory of their own unless every row of a tile can be used as it is. */
static bool needs_own(const flash_job *job, const flash_cover *c)
{
    bool sum = c == &job->bias && job->more.data;
    return c->data && (c->widen || c->narrow || c->single || c->keys < job->keys || sum);
}

/* What a slot has room for, in floats. Small calls are many, and each would pay for the most. */
static void size_rooms(flash_job *job)
{
    size_t square = job->tile * job->height, *room = job->room;
    bool marks = job->mask.data || (job->bias.data && !job->adds);
    bool folds = job->folds || job->rules->sums;
    bool k = !job->brain && !flash_lies_well(job, &job->k, job->pad_d);
    bool v = !job->brain && !flash_lies_well(job, &job->v, job->pad_dv);
    size_t turned =
        flash_max(k ? flash_min(job->d, job->tile) : 0, v ? flash_min(job->dv, job->tile) : 0);
    size_t wild = job->rules->empty == FLASH_GUARD ? job->dv : 0; /* a row of values */
    size_t panel = job->few ? wild : job->height * flash_max(job->pad_d, job->dv);
    room[FLASH_PANELS] = job->panel_floats * job->panels;
    room[FLASH_SCORES] = square;
    room[FLASH_BIAS] = folds || (job->adds && needs_own(job, &job->bias)) ? square : 0;
    room[FLASH_FACTOR] = needs_own(job, &job->factor) ? square : 0;
    room[FLASH_MARKS] = marks ? (square + 3) / 4 : 0;
    bool alike = job->mask.alike && (!job->bias.data || job->adds || job->bias.alike);
    room[FLASH_BITS] = marks && !alike ? job->tile : 0;
    size_t lines = folds ? square : job->hides ? job->tile : 0;
    room[FLASH_LINES] = flash_max(panel, flash_max(turned * job->tile, lines));
    room[FLASH_KEYS] = k ? job->tile * job->pad_d : 0;
    room[FLASH_VALUES] = v ? job->tile * job->pad_dv : 0;
    if (job->brain) {
        room[FLASH_KEYS] = flash_brain_keys_room(job);
        room[FLASH_VALUES] = flash_brain_values_room(job);
    }
}

static void size_workspace(flash_job *job)
{
    size_t h = job->height, pieces = job->batch * job->kv_heads * job->blocks * job->splits;
    job->panel_floats = flash_round((job->pad_d + job->pad_dv + ROW_ARRAYS) * h, 16);
    job->part_floats = flash_round((job->pad_dv + 2) * h + 1, 16) + TAIL;
    size_rooms(job);
    job->slot_floats = 0;
    for (size_t i = 0; i < FLASH_ROOMS; i++)
        job->slot_floats += flash_round(job->room[i], 16);
    double work = (double)(job->batch * job->kv_heads * job->rows) * (double)job->keys *
                  (double)(job->d + job->dv);
    size_t threads = work < (double)THREAD_WORK * (double)job->rules->slots
                         ? (size_t)(work / THREAD_WORK)
                         : job->rules->slots;
    size_t scores = job->batch * job->kv_heads * job->rows * job->keys;
    job->on_stack = job->slot_floats <= FLASH_STACK;
    /* All slots together are no more than the scores would be. */
    if (!job->on_stack)
        threads = flash_min(threads, scores / job->slot_floats);
    job->slots = flash_max(1, flash_min(pieces, threads));
}

/* Behind each other: what is known of tiles, partial results, slots. */
static size_t known_bytes(const flash_job *job)
{
    size_t tiles = job->batch * job->kv_heads * job->tiles;
    return job->hides ? flash_round(tiles * sizeof(flash_known), 64) : 0;
}

static size_t part_bytes(const flash_job *job)
{
    size_t panels = job->batch * job->kv_heads * job->blocks;
    return job->splits > 1 ? panels * job->splits * job->part_floats * sizeof(float) : 0;
}

heed_status flash_plan(flash_job *job, const flash_rules *rules, const heed_call *call,
                       uint64_t *bytes)
{
    job->lanes = rules->lanes;
    job->f = job->lanes->flash;
    job->rules = rules;
    heed_status status = read_call(job, call);
    if (status)
        return status;
    read_rules(job);
    bool brain = job->q.dtype == HEED_BFLOAT16 && job->k.dtype == HEED_BFLOAT16;
    job->brain = brain && job->v.dtype == HEED_BFLOAT16 ? rules->brain : NULL;
    cut_rows(job);
    cut_keys(job);
    size_workspace(job);
    *bytes = known_bytes(job) + part_bytes(job);
    if (!job->on_stack)
        *bytes += job->slots * job->slot_floats * sizeof(float);
    return HEED_OK;
}

void flash_take_workspace(flash_job *job, void *workspace)
{
    char *at = workspace;
    job->known = (flash_known *)(void *)at;
    at += known_bytes(job);
    job->parts = (float *)(void *)at;
    at += part_bytes(job);
    job->slot = (float *)(void *)at;
}

flash_slot flash_slot_at(const flash_job *job, size_t i)
{
    return flash_slot_in(job, job->slot + i * job->slot_floats);
}

flash_slot flash_slot_in(const flash_job *job, float *memory)
{
    float *at = memory, *room[FLASH_ROOMS];
    for (size_t r = 0; r < FLASH_ROOMS; r++) {
        room[r] = at;
        at += flash_round(job->room[r], 16);
    }
    return (flash_slot){.panels = room[FLASH_PANELS],
                        .s = room[FLASH_SCORES],
                        .bias.own = room[FLASH_BIAS],
                        .factor.own = room[FLASH_FACTOR],
                        .marks.own = (uint8_t *)room[FLASH_MARKS],
                        .marks.room = (uint32_t *)(void *)room[FLASH_BITS],
                        .rows = room[FLASH_LINES],
                        .k_tile = room[FLASH_KEYS],
                        .v_tile = room[FLASH_VALUES]};
}
