/* growth.c - inputs that come out longer: keys and values of the tokens before, in front of those
 * of the new ones. */
#include <string.h>

#include "passes/paging/roles.h"

/* A value on its way from an input: the axis of the tokens, and its rank. */
typedef struct step {
    int32_t axis, rank;
} step;

static bool one_number(const ir_value *v, int64_t *out)
{
    double x;
    if (!v || !v->constant || v->is_input || heed_tensor_get_count(v->constant) != 1 ||
        heed_tensor_read_f64(v->constant, 0, 1, &x))
        return false;
    *out = (int64_t)x;
    return true;
}

/* Where the axis is behind a node that moves elements; false: it is not such a node. */
static bool moved(const ir_use *use, step *s)
{
    const ir_node *n = use->node;
    uint64_t count;
    int64_t axis = ir_attr_int(n, "axis", 0), index;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    axis += axis < 0 ? s->rank : 0;
    if (use->slot != 0)
        return false;
    if (paging_moves(n, MOVE_COPIES) || (pass_is(n, "Split") && axis != s->axis))
        return true;
    if (pass_is(n, "Transpose") && perm && count == (uint64_t)s->rank) {
        for (int32_t i = 0; i < s->rank; i++)
            if (perm[i] == s->axis) {
                s->axis = i;
                return true;
            }
    }
    if (pass_is(n, "Gather") && axis != s->axis && one_number(ir_input(n, 1), &index)) {
        bool scalar = ir_input(n, 1)->type.rank == 0;
        s->axis -= scalar && axis < s->axis;
        s->rank -= scalar;
        return true;
    }
    if (pass_is(n, "Squeeze") && one_number(ir_input(n, 1), &index)) {
        index += index < 0 ? s->rank : 0;
        s->axis -= index < s->axis;
        s->rank--;
        return index != s->axis;
    }
    if (pass_is(n, "Unsqueeze") && one_number(ir_input(n, 1), &index)) {
        index += index < 0 ? s->rank + 1 : 0;
        s->axis += index <= s->axis;
        s->rank++;
        return true;
    }
    return false;
}

/* The Concat in which the value stands first, along its axis. */
static ir_node *find_growth(const ir_value *v, step s, int depth)
{
    for (const ir_use *use = v->uses; use && depth < 16; use = use->next) {
        ir_node *n = use->node;
        int64_t axis = ir_attr_int(n, "axis", 0);
        step next = s;
        if (pass_is(n, "Concat") && use->slot == 0 && n->n_in == 2 &&
            axis + (axis < 0 ? s.rank : 0) == s.axis)
            return n;
        if (!moved(use, &next))
            continue;
        for (uint32_t o = 0; o < n->n_out; o++) {
            ir_node *found = n->out[o] ? find_growth(n->out[o], next, depth + 1) : NULL;
            if (found)
                return found;
        }
    }
    return NULL;
}

/* ---- Operators that have a past -------------------------------------------------------------- */

const char *growth_slot_name(const op_def *op, bool output, uint32_t slot, size_t *length)
{
    const char *at = op->signature, *arrow = at ? strstr(at, "->") : NULL;
    *length = 0;
    if (!at || !arrow)
        return "";
    at = output ? arrow + 2 : at;
    for (uint32_t i = 0; i < slot && at; i++)
        if ((at = strchr(at, ',')))
            at++;
    if (!at || (!output && at > arrow))
        return "";
    at += strspn(at, " ");
    *length = strcspn(at, ":,- ");
    return at;
}

uint32_t growth_slot_find(const op_def *op, const char *wanted)
{
    size_t length, n = strlen(wanted);
    for (uint32_t i = 0;; i++) {
        const char *name = growth_slot_name(op, false, i, &length);
        if (length == 0)
            return UINT32_MAX;
        if (length == n && memcmp(name, wanted, n) == 0)
            return i;
    }
}

bool growth_is_past_slot(const ir_use *use)
{
    size_t length;
    const char *name = growth_slot_name(use->node->op, false, use->slot, &length);
    return length >= 4 && strncmp(name, "past", 4) == 0 &&
           memchr(name, '?', strcspn(name, ",-")) != NULL;
}

static bool is_left_out(const ir_value *v)
{
    for (const ir_use *use = v->uses; use; use = use->next)
        if (growth_is_past_slot(use))
            return true;
    return false;
}

int32_t growth_axis(const ir_value *v)
{
    if (is_left_out(v) && v->type.rank > 3)
        return v->type.rank - 2;
    for (int32_t i = 0; i < v->type.rank; i++)
        if (!dim_known(v->type.dims[i]) && find_growth(v, (step){i, v->type.rank}, 0))
            return i;
    return -1;
}
