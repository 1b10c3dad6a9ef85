/* A call of heed.AdditiveAttention: its operands in any layout, and into which pieces it is cut.
 * See additive.h. */
#include "additive.h"

enum {
    TILE = 64,      /* keys of a tile */
    CUT = 64,       /* keys of a query that are worth a piece of their own */
    WORTH = 1 << 16 /* terms that are worth a thread */
};

static bool read_operand(additive_operand *o, const DLTensor *t, const int place[4])
{
    size_t step = 1, steps[4];
    if (t->ndim != 4)
        return false;
    for (int a = 3; a >= 0; a--) {
        steps[a] = step;
        step *= (size_t)t->shape[a];
    }
    o->data = t->data ? cpu_data(t) : NULL;
    for (int a = 0; a < 4; a++) {
        o->dims[a] = (size_t)t->shape[place[a]];
        o->step[a] = steps[place[a]];
    }
    return true;
}

static bool read_cover(additive_cover *c, const DLTensor *t, const size_t scores[4])
{
    size_t step = 1;
    if (!t)
        return true;
    c->data = t->data ? cpu_data(t) : "";
    for (int a = 3; a >= 4 - t->ndim && a >= 0; a--) {
        size_t extent = (size_t)t->shape[a - (4 - t->ndim)];
        if (extent != 1 && extent != scores[a])
            return false;
        c->step[a] = extent == 1 ? 0 : step;
        step *= extent;
    }
    return t->ndim <= 4;
}

static bool fits(const additive_job *j)
{
    const size_t *q = j->o[ADDITIVE_Q].dims, *k = j->o[ADDITIVE_K].dims, *v = j->o[ADDITIVE_V].dims,
                 *y = j->y.dims;
    bool good = q[ADDITIVE_B] == k[ADDITIVE_B] && k[ADDITIVE_B] == v[ADDITIVE_B] &&
                y[ADDITIVE_B] == q[ADDITIVE_B] && q[ADDITIVE_H] == k[ADDITIVE_H] &&
                k[ADDITIVE_H] == v[ADDITIVE_H];
    good &= y[ADDITIVE_H] == q[ADDITIVE_H] && q[ADDITIVE_D] == k[ADDITIVE_D] &&
            k[ADDITIVE_S] == v[ADDITIVE_S] && y[ADDITIVE_S] == q[ADDITIVE_S] &&
            y[ADDITIVE_D] == v[ADDITIVE_D];
    return good && k[ADDITIVE_S] <= INT32_MAX && q[ADDITIVE_S] <= INT32_MAX &&
           q[ADDITIVE_D] <= INT32_MAX;
}

static bool read_weights(additive_job *j, const DLTensor *w)
{
    size_t d = j->o[ADDITIVE_Q].dims[ADDITIVE_D], heads = j->o[ADDITIVE_Q].dims[ADDITIVE_H];
    j->w = w->data ? cpu_data(w) : NULL;
    j->w_head = w->ndim == 2 ? d : 0;
    return (w->ndim == 1 || w->ndim == 2) && (size_t)w->shape[w->ndim - 1] == d &&
           (w->ndim == 1 || (size_t)w->shape[0] == heads);
}

static void size_slots(additive_job *j)
{
    const size_t *q = j->o[ADDITIVE_Q].dims;
    size_t keys = j->o[ADDITIVE_K].dims[ADDITIVE_S], d;
    j->d = d = (q[ADDITIVE_D] + 1) / 2 * 2;
    j->blocks = (q[ADDITIVE_S] + ADDITIVE_ROWS - 1) / ADDITIVE_ROWS;
    j->rows = q[ADDITIVE_S] < ADDITIVE_ROWS ? q[ADDITIVE_S] : ADDITIVE_ROWS;
    j->tile = keys < TILE ? (keys + ADDITIVE_STEP - 1) / ADDITIVE_STEP * ADDITIVE_STEP : TILE;
    j->pieces = q[ADDITIVE_B] * q[ADDITIVE_H] * j->blocks;
    size_t terms = q[ADDITIVE_B] * q[ADDITIVE_H] * q[ADDITIVE_S] * (keys + 1) * (d + 1);
    bool few = q[ADDITIVE_S] <= ADDITIVE_FEW && j->o[ADDITIVE_K].step[ADDITIVE_D] == 1 &&
               !j->r->half.widen;
    j->cuts = few && j->pieces && j->pieces < j->r->slots ? keys / CUT : 1;
    j->cuts = j->cuts ? j->cuts : 1;
    j->slots = j->pieces * j->cuts < j->r->slots ? j->pieces * j->cuts : j->r->slots;
    if (terms / WORTH < j->slots)
        j->slots = terms / WORTH;
    j->slots = j->slots ? j->slots : 1;
    j->cuts = j->slots > j->pieces ? j->cuts : 1;
    size_t floats = 2 * j->rows * d + d + 2 * j->tile * d + j->rows * keys + j->tile;
    if (j->r->half.widen)
        floats += (j->rows + j->tile) * j->o[ADDITIVE_V].dims[ADDITIVE_D];
    j->slot_floats =
        (floats + 9 * ADDITIVE_STEP + ADDITIVE_STEP - 1) / ADDITIVE_STEP * ADDITIVE_STEP;
    j->on_stack = j->slot_floats <= ADDITIVE_STACK;
}

heed_status additive_plan(additive_job *j, const additive_rules *r, const heed_call *call,
                          uint64_t *bytes)
{
    const DLTensor *in[ADDITIVE_IN] = {NULL};
    for (uint32_t i = 0; i < call->n_in && i < ADDITIVE_IN; i++)
        in[i] = call->in[i];
    j->r = r;
    bool good = read_operand(&j->y, call->out[0], r->place[3]);
    for (int i = 0; i < 3 && good; i++)
        good = read_operand(&j->o[i], in[i], r->place[i]);
    if (!good || !fits(j) || !read_weights(j, in[ADDITIVE_W]))
        return cpu_host->fail(HEED_INVALID, "cpu: operands of attention that do not fit together");
    const size_t *q = j->o[ADDITIVE_Q].dims;
    size_t scores[4] = {q[ADDITIVE_B], q[ADDITIVE_H], q[ADDITIVE_S],
                        j->o[ADDITIVE_K].dims[ADDITIVE_S]};
    if (!read_cover(&j->bias, in[ADDITIVE_BIAS], scores) ||
        !read_cover(&j->mask, in[ADDITIVE_MASK], scores))
        return cpu_host->fail(HEED_INVALID, "cpu: a mask that does not broadcast");
    if (call->n_out > 1 && call->out[1] && call->out[1]->data)
        j->weights = cpu_data(call->out[1]);
    size_slots(j);
    size_t all = j->cuts > 1 ? j->pieces * scores[2] * scores[3] : 0;
    *bytes = ((j->on_stack ? 0 : j->slots * j->slot_floats) + all) * sizeof(float);
    return HEED_OK;
}
