/* Reads the operands of a call of paged attention, sizes its workspace by shapes alone, and cuts
 * the sequences into strips and pieces. How it is cut does not show in the results. */
#include <math.h>
#include <string.h>

#include "attention_node.h"
#include "paged.h"

enum { Q, K, V, KEYS, VALUES, STARTS, PAST, TABLE, SINKS, KEY_SCALES, VALUE_SCALES, BIAS, INPUTS };

enum {
    TILE_FLOATS = 32768, /* keys and values of a tile: with a panel's state they stay in L2 */
    TILE_LEAST = 64,
    TILE_STEP = 32,
    THREAD_COST = 1 << 19, /* that is worth waking a thread, in the units of cost_of */
    LOAD_COST = 32,        /* bringing a key from memory, in rows */
    THREAD_PIECES = 4,     /* so that threads end together */
    PART_FLOATS = 1 << 20, /* parts of all strips, at most */
    ROW_ARRAYS = 2         /* of a panel: low, high */
};

/* ---- Operands ------------------------------------------------------------------------------- */

static unsigned type_of(heed_dtype dtype)
{
    return dtype == HEED_BFLOAT16  ? PAGED_BF16
           : dtype == HEED_FLOAT16 ? PAGED_F16
           : dtype == HEED_INT8    ? PAGED_I8
                                   : PAGED_F32;
}

static heed_status read_pages(paged_pages *p, const paged_job *job, const DLTensor *t,
                              const DLTensor *scales)
{
    if (!t || t->ndim != 4)
        return cpu_host->fail(HEED_INVALID, "cpu: pages that are not [pages, heads, tokens, D]");
    p->data = t->data ? cpu_data(t) : NULL;
    p->dtype = cpu_dtype(t->dtype);
    p->bytes = cpu_element_bytes(t->dtype);
    p->count = (size_t)t->shape[0];
    p->heads = (size_t)t->shape[1];
    p->size = (size_t)t->shape[2];
    p->d = (size_t)t->shape[3];
    p->scales = scales && scales->data ? cpu_data(scales) : NULL;
    if (scales && cpu_count(scales) != p->count * p->size * p->heads)
        return cpu_host->fail(HEED_INVALID, "cpu: scales of another number than pages have rows");
    cpu_half half = cpu_half_find(job->lanes, p->dtype);
    p->widen = half.widen;
    p->narrow = half.narrow;
    p->wide = flash_round(p->d, job->f->lanes);
    p->kind = type_of(p->dtype);
    bool whole = p->wide == p->d && p->d * p->bytes % PAGED_CHUNK == 0;
    size_t squares = flash_round(p->size, PAGED_KEYS); /* that are mostly keys */
    p->few_well = whole && p->size * 4 >= squares * 3 && job->p->few_scores[p->kind];
    p->many_well = p->kind == PAGED_F32 && p->size >= PAGED_LEAST && p->size % PAGED_GROUP == 0 &&
                   p->d % 512 != 0;
    return HEED_OK;
}

static heed_status check_shapes(const paged_job *job)
{
    const size_t *q = job->q.dims, *k = job->k.dims, *v = job->v.dims, *y = job->y.dims;
    bool good = q[FLASH_B] == 1 && k[FLASH_B] == 1 && v[FLASH_B] == 1 && q[FLASH_D] == k[FLASH_D];
    good &= k[FLASH_H] == v[FLASH_H] && k[FLASH_S] == q[FLASH_S] && v[FLASH_S] == q[FLASH_S];
    good &= y[FLASH_B] == 1 && y[FLASH_H] == q[FLASH_H] && y[FLASH_S] == q[FLASH_S];
    good &= y[FLASH_D] == v[FLASH_D];
    good &= k[FLASH_H] ? q[FLASH_H] % k[FLASH_H] == 0 : q[FLASH_H] == 0;
    if (!good)
        return cpu_host->fail(HEED_INVALID, "cpu: query, key and value do not fit together");
    const paged_pages *kp = &job->keys, *vp = &job->values;
    good = kp->heads == k[FLASH_H] && vp->heads == k[FLASH_H] && kp->d == k[FLASH_D];
    good &= vp->d == v[FLASH_D] && kp->count == vp->count && kp->size == vp->size;
    return good ? HEED_OK : cpu_host->fail(HEED_INVALID, "cpu: pages for other keys and values");
}

static heed_status check_places(const paged_job *job)
{
    const DLTensor *t = job->table, *sinks = job->sinks, *bias = job->bias;
    size_t heads = job->q.dims[FLASH_H];
    bool good = t && t->ndim == 2 && job->past && job->starts;
    if (!good || cpu_count(job->past) != (size_t)t->shape[0] ||
        cpu_count(job->starts) != (size_t)t->shape[0] + 1)
        return cpu_host->fail(HEED_INVALID, "cpu: starts, past and table of different numbers");
    if (sinks && cpu_count(sinks) != heads)
        return cpu_host->fail(HEED_INVALID, "cpu: sinks of another number of heads");
    if (bias && (bias->ndim != 2 || bias->shape[1] < 1 ||
                 (bias->shape[0] != 1 && (size_t)bias->shape[0] != heads)))
        return cpu_host->fail(HEED_INVALID, "cpu: a bias that is not [heads, distances]");
    if (job->keys.size == 0 || (size_t)t->shape[1] > INT32_MAX / 2 / job->keys.size)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: a table of %lld pages of %zu tokens",
                              (long long)t->shape[1], job->keys.size);
    return HEED_OK;
}

static void read_scale(paged_job *job)
{
    double scale = job->rules->scale;
    scale = scale != 0 ? scale : job->d ? 1 / sqrt((double)job->d) : 1;
    job->scale = (float)scale;
}

static heed_status read_call(paged_job *job, const heed_call *call)
{
    const DLTensor *in[INPUTS] = {NULL};
    flash_operand *operands[4] = {&job->q, &job->k, &job->v, &job->y};
    for (uint32_t i = 0; i < call->n_in && i < INPUTS; i++)
        in[i] = call->in[i];
    for (uint32_t i = 0; i < 4; i++) {
        heed_status status = flash_read_operand(operands[i], job->lanes,
                                                i < 3 ? in[i] : call->out[0], job->rules->place[i]);
        if (status)
            return status;
    }
    bool scales = call->n_out > 4 && call->out[3] && call->out[4];
    heed_status status = read_pages(&job->keys, job, call->out[1], scales ? call->out[3] : NULL);
    if (!status)
        status = read_pages(&job->values, job, call->out[2], scales ? call->out[4] : NULL);
    job->starts = in[STARTS], job->past = in[PAST], job->table = in[TABLE];
    job->sinks = in[SINKS], job->bias = in[BIAS];
    if (!status)
        status = check_shapes(job);
    return status ? status : check_places(job);
}

static cpu_map *widen_of(const paged_job *job, const DLTensor *t)
{
    return t ? cpu_half_find(job->lanes, cpu_dtype(t->dtype)).widen : NULL;
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

static size_t tile_of(size_t d, size_t dv)
{
    size_t fit = TILE_FLOATS / flash_max(d + dv, 1);
    return flash_max(TILE_LEAST, flash_min(FLASH_TILE, fit)) / TILE_STEP * TILE_STEP;
}

/* Key heads of a strip of few rows each. */
static size_t heads_of_lot(const paged_job *job, size_t rows)
{
    return flash_max(1, flash_min(job->kv_heads, PAGED_LOT / flash_max(rows, 1)));
}

static void size_plan(paged_job *job)
{
    size_t n = job->sequences, rows = job->tokens * job->group, least = PAGED_LOT / PAGED_FEW;
    size_t lots = n < job->slots ? job->kv_heads : (job->kv_heads + least - 1) / least;
    size_t long_ones = flash_min(n, rows / (PAGED_FEW + 1));
    job->most_strips = n * lots + job->kv_heads * (rows / PAGED_BLOCK + long_ones);
    job->most_pieces = job->most_strips + job->slots * THREAD_PIECES;
    size_t tiles = (job->width * job->keys.size + job->tile - 1) / job->tile;
    size_t all = 2 * rows * job->kv_heads + FLASH_ROWS * job->kv_heads * n;
    double floats = (double)all * (double)(job->values.wide + 2) * (double)(tiles > 1 ? tiles : 0);
    job->part_floats = job->slots < 2                 ? 0
                       : floats < (double)PART_FLOATS ? (size_t)floats
                                                      : PART_FLOATS;
}

/* What a slot consists of, in floats. */
typedef struct slot_rooms {
    size_t q, state, s, keys, values, scales, lines;
} slot_rooms;

static slot_rooms rooms_of(const paged_job *job)
{
    size_t d = job->keys.wide, dv = job->values.wide, wide = flash_max(flash_max(d, dv), job->tile);
    size_t lot = flash_min(PAGED_LOT, job->kv_heads * PAGED_FEW);
    size_t most = job->tokens * job->group > PAGED_FEW ? PAGED_BLOCK : lot, h = FLASH_ROWS;
    slot_rooms few = {lot * d,
                      (lot * (dv + 2) + 16) * 2,
                      lot * job->tile,
                      job->keys.few_well ? 0 : job->tile * d,
                      job->values.few_well ? 0 : job->tile * dv,
                      2 * job->tile,
                      wide + 2 * lot};
    if (most == lot)
        return few;
    return (slot_rooms){
        flash_max(few.q, PAGED_BLOCK * (job->d + ROW_ARRAYS)),
        flash_max(few.state, PAGED_BLOCK * (dv + 2)),
        flash_max(few.s, h * job->tile),
        flash_max(few.keys, job->keys.many_well ? 0 : job->tile * (d + FLASH_ROWS)),
        flash_max(few.values, job->values.many_well ? 0 : job->tile * (dv + FLASH_ROWS)),
        few.scales,
        h * wide};
}

static size_t round_room(size_t floats) { return flash_round(floats, 16); }

paged_slot paged_slot_at(const paged_job *job, size_t i)
{
    slot_rooms r = rooms_of(job);
    float *at = job->slot + i * job->slot_floats;
    paged_slot slot = {.q = at};
    slot.state = slot.q + round_room(r.q);
    slot.s = slot.state + round_room(r.state);
    slot.keys = slot.s + round_room(r.s);
    slot.values = slot.keys + round_room(r.keys);
    slot.scales = slot.values + round_room(r.values);
    slot.lines = slot.scales + round_room(r.scales);
    return slot;
}

static size_t aligned(size_t bytes) { return flash_round(bytes, 64); }

static uint64_t bytes_of(const paged_job *job)
{
    return aligned(job->sequences * sizeof(paged_sequence)) +
           aligned(job->most_strips * sizeof(paged_strip)) +
           aligned(job->most_pieces * sizeof(paged_piece)) +
           aligned(job->part_floats * sizeof(float)) +
           aligned(job->slots * job->slot_floats * sizeof(float));
}

heed_status paged_measure(paged_job *job, const paged_rules *rules, const heed_call *call,
                          uint64_t *bytes)
{
    job->rules = rules;
    job->lanes = rules->lanes;
    job->f = job->lanes->flash;
    job->p = job->lanes->paged;
    heed_status status = read_call(job, call);
    if (status)
        return status;
    job->tokens = job->q.dims[FLASH_S];
    job->kv_heads = job->k.dims[FLASH_H];
    job->group = job->kv_heads ? job->q.dims[FLASH_H] / job->kv_heads : 0;
    job->d = job->q.dims[FLASH_D];
    job->dv = job->v.dims[FLASH_D];
    job->sequences = (size_t)job->table->shape[0];
    job->width = (size_t)job->table->shape[1];
    job->tile = tile_of(job->d, job->dv);
    job->slots = rules->slots;
    job->widen_bias = widen_of(job, job->bias);
    job->widen_sinks = widen_of(job, job->sinks);
    read_scale(job);
    size_plan(job);
    slot_rooms r = rooms_of(job);
    job->slot_floats = round_room(r.q) + round_room(r.state) + round_room(r.s) +
                       round_room(r.keys) + round_room(r.values) + round_room(r.scales) +
                       round_room(r.lines);
    *bytes = bytes_of(job);
    return HEED_OK;
}

/* ---- Sequences ------------------------------------------------------------------------------ */

static heed_status check_pages_of(const paged_job *job, size_t b, const paged_sequence *s)
{
    size_t first = paged_range_of(job, s, 0).low / job->keys.size;
    size_t last = (s->past + s->fresh + job->keys.size - 1) / job->keys.size;
    for (size_t i = first; i < last; i++) {
        int64_t page = cpu_integer(job->table, b * job->width + i);
        if (page < 0 || (size_t)page >= job->keys.count)
            return cpu_host->fail(HEED_INVALID, "cpu: page %lld of sequence %zu: there are %zu",
                                  (long long)page, b, job->keys.count);
    }
    return HEED_OK;
}

static heed_status read_sequence(const paged_job *job, size_t b)
{
    int64_t first = cpu_integer(job->starts, b), last = cpu_integer(job->starts, b + 1);
    int64_t past = cpu_integer(job->past, b), most = (int64_t)(job->width * job->keys.size);
    if (first < 0 || last < first || last > (int64_t)job->tokens)
        return cpu_host->fail(HEED_INVALID, "cpu: tokens %lld to %lld of sequence %zu",
                              (long long)first, (long long)last, b);
    if (last > first && (past < 0 || past > most - (last - first)))
        return cpu_host->fail(HEED_INVALID,
                              "cpu: %lld tokens before those of sequence %zu: its "
                              "pages hold %lld",
                              (long long)past, b, (long long)most);
    paged_sequence *s = &job->sequence[b];
    *s = (paged_sequence){.first = (size_t)first,
                          .fresh = (size_t)(last - first),
                          .past = last > first ? (size_t)past : 0};
    return check_pages_of(job, b, s);
}

static heed_status read_sequences(const paged_job *job)
{
    size_t n = job->sequences;
    int64_t last = cpu_integer(job->starts, n);
    for (size_t b = 0; b < n; b++) {
        heed_status status = read_sequence(job, b);
        if (status)
            return status;
    }
    if (cpu_integer(job->starts, 0) != 0 || last != (int64_t)job->tokens)
        return cpu_host->fail(HEED_INVALID, "cpu: %lld of %zu tokens are of a sequence",
                              (long long)last, job->tokens);
    return HEED_OK;
}

/* ---- Strips and pieces ---------------------------------------------------------------------- */

static void add_strip(paged_job *job, size_t b, size_t head, size_t heads, size_t first,
                      size_t rows, bool few)
{
    paged_strip *s = &job->strip[job->n_strips++];
    const paged_sequence *q = &job->sequence[b];
    *s = (paged_strip){.sequence = (uint32_t)b,
                       .head = (uint32_t)head,
                       .heads = (uint32_t)heads,
                       .first = (uint32_t)first,
                       .rows = (uint32_t)rows};
    s->vectors = few ? 0 : rows <= job->f->lanes ? 1 : 2;
    s->begin = (uint32_t)(paged_range_of(job, q, first).low / job->tile);
    s->end = (uint32_t)((paged_range_of(job, q, first + rows - 1).high - 1) / job->tile + 1);
}

/* Threads share heads where tiles are few, and would leave some of them idle. Else they have all
 * heads, which lie side by side in a page. */
static void add_few(paged_job *job, size_t b, size_t rows)
{
    size_t heads = heads_of_lot(job, rows), slots = job->ready, keys = job->sequence[b].past + 1;
    size_t tiles = (keys + job->tile - 1) / job->tile, most = (tiles + slots - 1) / slots;
    bool even = most * job->tile * slots <= keys + keys / 8;
    if (job->sequences < slots && tiles < 2 * slots && !even)
        heads = flash_min(heads, (job->kv_heads + slots - 1) / slots);
    for (size_t h = 0; h < job->kv_heads; h += heads)
        add_strip(job, b, h, flash_min(heads, job->kv_heads - h), 0, rows, true);
}

/* Strips of a head follow each other, and find its keys in the caches. The last rows see most keys,
 * and come first. */
static void add_many(paged_job *job, size_t b, size_t rows)
{
    for (size_t h = 0; h < job->kv_heads; h++)
        for (size_t last = rows, first; last; last = first) {
            first = last > PAGED_BLOCK ? last - PAGED_BLOCK : 0;
            add_strip(job, b, h, 1, first, last - first, false);
        }
}

static double cost_of(const paged_job *job, const paged_strip *s)
{
    double keys = (double)(s->end - s->begin) * (double)job->tile * (double)s->heads;
    keys = s->end - s->begin == 1 ? keys / 2 : keys;
    return keys * (double)(s->rows + LOAD_COST) * (double)(job->d + job->dv);
}

/* Pieces of a strip: as its cost asks for, and as far as there is room for parts. */
static size_t cut_strip(const paged_job *job, paged_strip *s, double pieces, size_t *parts)
{
    size_t tiles = s->end - s->begin, n = (size_t)(pieces + 0.5), each = paged_state_floats(job, s);
    n = flash_max(1, flash_min(n, tiles));
    size_t more = (tiles - (tiles + n - 1) / n + 1) * each;
    if (n > 1 && *parts + more > job->part_floats) {
        n = 1;
        more = 0;
    }
    s->part = *parts;
    *parts += n > 1 ? more : 0;
    return n;
}

static void add_pieces(paged_job *job, uint32_t i, size_t n)
{
    paged_strip *s = &job->strip[i];
    uint32_t tiles = s->end - s->begin, each = (tiles + (uint32_t)n - 1) / (uint32_t)n, count = 0;
    for (uint32_t t = s->begin; t < s->end; t += each, count++)
        job->piece[job->n_pieces++] = (paged_piece){i, t, (uint32_t)flash_min(t + each, s->end)};
    s->joined = (uint32_t)flash_min(s->begin + each, s->end);
    atomic_init(&s->left, count);
}

static void cut(paged_job *job)
{
    double total = 0;
    size_t parts = 0;
    job->n_strips = job->n_pieces = 0;
    for (size_t b = 0; b < job->sequences; b++) {
        size_t rows = job->sequence[b].fresh * job->group;
        if (rows > PAGED_FEW)
            add_many(job, b, rows);
        else if (rows)
            add_few(job, b, rows);
    }
    for (size_t i = 0; i < job->n_strips; i++)
        total += cost_of(job, &job->strip[i]);
    job->threads =
        total < THREAD_COST * (double)job->ready ? (size_t)(total / THREAD_COST) : job->ready;
    job->threads = flash_max(job->threads, 1);
    double wanted = job->threads > 1 ? (double)(job->threads * THREAD_PIECES) : 0;
    for (size_t i = 0; i < job->n_strips; i++) {
        double share = cost_of(job, &job->strip[i]) / total * wanted;
        add_pieces(job, (uint32_t)i, cut_strip(job, &job->strip[i], share, &parts));
    }
    job->threads = flash_min(job->threads, flash_max(job->n_pieces, 1));
}

static char *take(char **at, size_t bytes)
{
    char *here = *at;
    *at += aligned(bytes);
    return here;
}

heed_status paged_plan(paged_job *job, void *workspace)
{
    char *at = workspace;
    job->sequence = (void *)take(&at, job->sequences * sizeof(paged_sequence));
    job->strip = (void *)take(&at, job->most_strips * sizeof(paged_strip));
    job->piece = (void *)take(&at, job->most_pieces * sizeof(paged_piece));
    job->parts = (void *)take(&at, job->part_floats * sizeof(float));
    job->slot = (void *)at;
    heed_status status = read_sequences(job);
    if (status)
        return status;
    job->ready = attention_ready(job->slots);
    paged_find_late(job);
    cut(job);
    return HEED_OK;
}
