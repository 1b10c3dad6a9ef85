/* Pages as the kernels of paged attention see them: keys and values are written into them in their
 * type, and read as rows of float32. */
#include <string.h>

#include "paged.h"

size_t paged_row(const paged_job *job, size_t sequence, const paged_pages *p, size_t head,
                 size_t key)
{
    uint32_t size = (uint32_t)p->size, at = (uint32_t)key / size; /* a table is below 2^30 keys */
    size_t i = sequence * job->width + at;
    const void *table = cpu_data(job->table);
    size_t page = job->table->dtype.bits == 64 ? (size_t)((const int64_t *)table)[i]
                                               : (size_t)((const int32_t *)table)[i];
    return (page * p->heads + head) * size + ((uint32_t)key - at * size);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* One row of pages: float32 numbers in the pages' type. */
static void write_row(const paged_job *job, const paged_pages *p, size_t row, const float *from)
{
    char *to = p->data + row * p->d * p->bytes;
    if (p->scales)
        p->scales[row] = job->p->narrow8((int8_t *)to, from, p->d);
    else if (p->narrow)
        p->narrow(to, from, p->d, NULL);
    else
        memcpy(to, from, p->d * sizeof(*from));
}

/* Row `at` of the pages and those behind it: some tokens of a head. */
static void write_head(const paged_job *job, const flash_operand *o, const paged_pages *p,
                       size_t head, size_t token, size_t tokens, size_t at, float *line)
{
    bool as_it_is = o->dtype == p->dtype && o->step[FLASH_D] == 1 && o->step[FLASH_S] == p->d;
    if (as_it_is) {
        size_t from = head * o->step[FLASH_H] + token * o->step[FLASH_S], row = p->d * p->bytes;
        memcpy(p->data + at * row, o->data + from * o->bytes, tokens * row);
        return;
    }
    for (size_t t = 0; t < tokens; t++) {
        flash_load_row(o, line, 0, head, token + t);
        write_row(job, p, at + t, line);
    }
}

/* Rows that are written soon, and are in no cache. */
static void ask_rows(const paged_pages *p, size_t row, size_t rows)
{
    char *at = p->data + row * p->d * p->bytes;
    for (size_t i = 0; i < rows * p->d * p->bytes; i += PAGED_LINE)
        __builtin_prefetch(at + i, 1);
}

/* Tokens of one page, head by head, as pages have them. */
static void write_part(const paged_job *job, const flash_operand *o, const paged_pages *p,
                       size_t token, size_t tokens, size_t row, float *line)
{
    for (size_t h = 0; h < p->heads; h++) {
        if (h + 1 < p->heads)
            ask_rows(p, row + (h + 1) * p->size, tokens);
        write_head(job, o, p, h, token, tokens, row + h * p->size, line);
    }
}

void paged_write(const paged_job *job, const paged_slot *slot, size_t first, size_t last)
{
    for (size_t b = 0; b < job->sequences; b++) {
        const paged_sequence *s = &job->sequence[b];
        size_t begin = flash_max(first, s->first), end = flash_min(last, s->first + s->late);
        for (size_t t = begin, n; t < end; t += n) {
            size_t key = s->past + t - s->first, row = paged_row(job, b, &job->keys, 0, key);
            n = flash_min(end - t, job->keys.size - key % job->keys.size);
            write_part(job, &job->k, &job->keys, t, n, row, slot->lines);
            write_part(job, &job->v, &job->values, t, n, row, slot->lines);
        }
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

size_t paged_find(const paged_job *job, size_t sequence, size_t first, size_t last, paged_place *to,
                  size_t most)
{
    size_t n = 0, size = job->keys.size, in = first % size;
    for (size_t left; first < last && n < most; n++) {
        left = flash_min(size - in, PAGED_KEYS);
        to[n].row = in && n ? to[n - 1].row + to[n - 1].keys
                            : paged_row(job, sequence, &job->keys, 0, first);
        to[n].keys = flash_min(left, last - first);
        first += to[n].keys;
        in = in + to[n].keys == size ? 0 : in + to[n].keys;
    }
    return n;
}

cpu_page_run paged_run_at(const paged_pages *p, const paged_place *place, size_t head)
{
    size_t row = place->row + head * p->size;
    const char *at = p->data + row * p->d * p->bytes;
    return (cpu_page_run){
        .at = at, .next = at, .scales = p->scales ? p->scales + row : NULL, .keys = place->keys};
}

static void read_row(const paged_job *job, const paged_pages *p, const char *from, float *to,
                     size_t wide)
{
    if (p->scales)
        job->p->widen8(to, (const int8_t *)from, p->d);
    else if (p->widen)
        p->widen(to, from, p->d, NULL);
    else
        memcpy(to, from, p->d * sizeof(*to));
    if (wide > p->d)
        memset(to + p->d, 0, (wide - p->d) * sizeof(*to));
}

static void read_run(const paged_job *job, const paged_pages *p, const cpu_page_run *x, float *to,
                     size_t wide)
{
    if (p->wide == p->d && job->p->widen[p->kind]) {
        job->p->widen[p->kind](to, wide, x, p->d);
        return;
    }
    for (size_t j = 0; j < x->keys; j++, to += wide)
        read_row(job, p, x->at + j * p->d * p->bytes, to, wide);
}

void paged_bring(const paged_job *job, const paged_pages *p, size_t sequence, size_t head,
                 size_t first, size_t last, float *to, size_t wide, float *scales)
{
    paged_place here, then;
    size_t n = paged_find(job, sequence, first, last, &here, 1);
    for (; n; here = then) {
        cpu_page_run x = paged_run_at(p, &here, head);
        first += here.keys;
        n = paged_find(job, sequence, first, last, &then, 1);
        x.next = n ? paged_run_at(p, &then, head).at : x.at;
        read_run(job, p, &x, to, wide);
        if (x.scales)
            memcpy(scales, x.scales, x.keys * sizeof(*scales));
        to += x.keys * wide;
        scales += x.keys;
    }
}

/* ---- Biases --------------------------------------------------------------------------------- */

static float bias_at(const paged_job *job, const char *row, size_t i)
{
    const char *at = row + i * cpu_element_bytes(job->bias->dtype);
    float x;
    if (job->widen_bias)
        job->widen_bias(&x, at, 1, NULL);
    else
        memcpy(&x, at, sizeof(x));
    return x;
}

/* Numbers [begin, begin + n) of a row, whose ends go on for ever. */
static void copy_clipped(const paged_job *job, const char *row, int64_t begin, int64_t n, float *to)
{
    int64_t size = job->bias->shape[1], bytes = (int64_t)cpu_element_bytes(job->bias->dtype);
    int64_t low = begin < 0 ? (-begin < n ? -begin : n) : 0;
    int64_t high = begin + n > size ? (size - begin > low ? size - begin : low) : n;
    float first = bias_at(job, row, 0), last = bias_at(job, row, (size_t)size - 1);
    for (int64_t i = 0; i < low; i++)
        to[i] = first;
    if (high > low && job->widen_bias)
        job->widen_bias(to + low, row + (begin + low) * bytes, (size_t)(high - low), NULL);
    else if (high > low)
        memcpy(to + low, row + (begin + low) * bytes, (size_t)(high - low) * sizeof(*to));
    for (int64_t i = high; i < n; i++)
        to[i] = last;
}

void paged_bias(const paged_job *job, size_t head, size_t at, size_t first, size_t n, float *to)
{
    size_t size = (size_t)job->bias->shape[1];
    const char *data = cpu_data(job->bias);
    size_t row = job->bias->shape[0] == 1 ? 0 : head * size;
    int64_t begin = (int64_t)first;
    if (!job->rules->by_key)
        begin += (int64_t)size - 1 - (int64_t)at;
    copy_clipped(job, data + row * cpu_element_bytes(job->bias->dtype), begin, (int64_t)n, to);
}
