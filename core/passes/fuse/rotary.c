/* rotary.c - pass: what turns pairs of channels by angles becomes heed.RotaryEmbedding.
 *
 * before: y = Add(Mul(x, cos), Mul(Concat(Neg(x[h:]), x[:h]), sin))
 * after:  y = heed.RotaryEmbedding(x, cos, sin)
 *
 * No spelling is looked for. Each channel of a candidate is traced to what it is made of
 * (channels.h); it turns x when channel j is x[j] cos[j] -+ x[partner of j] sin[j], whatever
 * slices, splits, stacks and reshapes that came from. Channels behind the turned ones may be those
 * of x as they stand. */
#include <string.h>

#include "ops/body.h"
#include "passes/fuse/channels.h"

enum { MOST_STEPS = 6 };

/* ---- Candidates ----------------------------------------------------------------------------- */

static const ir_node *behind_sign(const ir_value *v)
{
    const ir_node *n = v ? v->producer : NULL;
    return n && pass_is(n, "Neg") ? behind_sign(ir_input(n, 0)) : n;
}

/* A sum of two products. */
static bool turns(const ir_node *n)
{
    const ir_node *a = behind_sign(ir_input(n, 0)), *b = behind_sign(ir_input(n, 1));
    return (pass_is(n, "Add") || pass_is(n, "Sub")) && a && b && pass_is(a, "Mul") &&
           pass_is(b, "Mul");
}

static bool moves(const ir_node *n)
{
    return pass_is(n, "Concat") || pass_is(n, "Reshape") || pass_is(n, "Unsqueeze") ||
           pass_is(n, "Transpose") || pass_is(n, "Flatten") || pass_is(n, "Squeeze");
}

/* Such a sum reaches the node over few steps that only move channels. */
static bool reached(const ir_node *n, int steps)
{
    if (!n || steps == 0)
        return false;
    if (turns(n))
        return true;
    bool found = false;
    for (uint32_t i = 0; moves(n) && !found && i < n->n_in; i++)
        found = n->in[i].value && reached(n->in[i].value->producer, steps - 1);
    return found;
}

/* ---- The turn ------------------------------------------------------------------------------- */

typedef struct turn {
    channel_trace trace;
    const channels *root, *x; /* of the result; of the value that is turned */
    channel_ref *cosines, *sines;
    int32_t turned;
    bool interleaved;
} turn;

static int32_t partner(const turn *t, int32_t j)
{
    int32_t half = t->turned / 2;
    return t->interleaved ? j ^ 1 : j < half ? j + half : j - half;
}

static bool is_first(const turn *t, int32_t j)
{
    return t->interleaved ? j % 2 == 0 : j < t->turned / 2;
}

/* The other factor of a product that has this one. */
static bool factor_beside(const channel_term *term, const channel_ref *one, channel_ref *other)
{
    for (int k = 0; k < 2; k++)
        if (term->factor[1].value && channel_same_ref(&term->factor[k], one)) {
            *other = term->factor[1 - k];
            return true;
        }
    return false;
}

/* Channel j of the result is x[j] cos -+ x[partner] sin. */
static bool read_channel(turn *t, int32_t j)
{
    const channel *y = &t->root->at[j];
    const channel_ref *own = &t->x->at[j].term[0].factor[0];
    const channel_ref *other = &t->x->at[partner(t, j)].term[0].factor[0];
    for (int k = 0; k < 2; k++) {
        const channel_term *straight = &y->term[k], *across = &y->term[1 - k];
        if (!straight->negative && across->negative == is_first(t, j) &&
            factor_beside(straight, own, &t->cosines[j]) &&
            factor_beside(across, other, &t->sines[j]))
            return true;
    }
    return false;
}

static int32_t count_turned(const channels *root)
{
    int32_t n = 0;
    while (n < root->n && root->at[n].n == 2 && root->at[n].term[0].factor[1].value)
        n++;
    return n;
}

/* The channels behind the turned ones are those of x. */
static bool passes_through(turn *t, ir_value *x)
{
    const channels *whole = channels_of(&t->trace, x, 1, true);
    for (int32_t j = t->turned; whole && j < t->root->n; j++)
        if (!channel_same(&whole->at[j], &t->root->at[j]))
            return false;
    return whole != NULL;
}

static bool turns_value(turn *t, ir_value *x)
{
    t->x = channels_of(&t->trace, x, 1, false);
    if (!t->x || !pass_same_type(x, t->root->value))
        return false;
    for (int32_t j = 0; j < t->turned; j++)
        if (!channel_plain(&t->x->at[j]))
            return false;
    for (int way = 0; way < 2; way++) {
        int32_t j = 0;
        t->interleaved = way == 1;
        while (j < t->turned && read_channel(t, j))
            j++;
        if (j == t->turned)
            return t->turned == t->root->n || passes_through(t, x);
    }
    return false;
}

/* ---- The tables ----------------------------------------------------------------------------- */

/* The value has these factors for its channels: one for each, or one for each pair. */
static bool serves(turn *t, ir_value *v, const channel_ref *want, bool pairs)
{
    int32_t n = pairs ? t->turned / 2 : t->turned;
    const channels *c = channels_of(&t->trace, v, 1, false);
    if (!c || c->n != n || v->type.dtype != t->root->value->type.dtype ||
        v->type.rank > t->root->value->type.rank)
        return false;
    for (int32_t j = 0; j < t->turned; j++) {
        const channel *have = &c->at[!pairs ? j : t->interleaved ? j / 2 : j % n];
        if (!channel_plain(have) || !channel_same_ref(&have->term[0].factor[0], &want[j]))
            return false;
    }
    return true;
}

static ir_value *find_table(turn *t, const channel_ref *want, bool pairs)
{
    for (channels *c = t->trace.seen; c; c = c->next)
        if (c->axes == 1 && serves(t, c->value, want, pairs))
            return c->value;
    return NULL;
}

/* ---- The pass ------------------------------------------------------------------------------- */

static heed_status emit(pass_run *p, ir_node *n, const turn *t, ir_value *cosine, ir_value *sine)
{
    op_body b = pass_body(p, n);
    bool taken = false;
    ir_value *x = t->x->value;
    int32_t part = t->turned == t->root->n ? 0 : t->turned;
    ir_value *y = body_3(&b, x, cosine, sine, "heed.RotaryEmbedding interleaved=%d rotary_dim=%d",
                         t->interleaved, part);
    if (b.status)
        return b.status;
    TRY(pass_taken(p, b.last, &taken));
    if (taken && pass_same_type(y, n->out[0]))
        return pass_bypass(p, n, y);
    pass_undo(&b);
    return HEED_OK;
}

/* The value that is turned is one that the trace came through, the nearest first. */
static heed_status judge(pass_run *p, ir_node *n, turn *t)
{
    for (channels *c = t->trace.seen; c; c = c->next) {
        if (c->value == n->out[0] || c->axes != 1 || !turns_value(t, c->value))
            continue;
        for (int way = 0; way < 2; way++) {
            ir_value *cosine = find_table(t, t->cosines, way == 0);
            ir_value *sine = cosine ? find_table(t, t->sines, way == 0) : NULL;
            if (sine && !t->trace.failed)
                return emit(p, n, t, cosine, sine);
        }
    }
    return t->trace.failed ? HEED_NOMEM : HEED_OK;
}

/* Concat(heed.RotaryEmbedding(x[:r]), x[r:]) turns some channels of x. */
static heed_status widen(pass_run *p, ir_node *n)
{
    channel_trace trace = {.memory = p->scratch};
    const ir_value *part = ir_input(n, 0);
    ir_node *inner = part->producer;
    if (strcmp(inner->op->domain, "heed") != 0 || ir_attr_int(inner, "rotary_dim", 0) != 0 ||
        part->uses->next || part->n_outputs)
        return HEED_OK;
    const channels *root = channels_of(&trace, n->out[0], 1, false);
    const channels *front = channels_of(&trace, ir_input(inner, 0), 1, false);
    for (channels *c = trace.seen; root && front && !trace.failed && c; c = c->next) {
        bool fits = c->axes == 1 && c != root && pass_same_type(c->value, n->out[0]);
        for (int32_t j = 0; fits && j < c->n; j++)
            fits = channel_same(&c->at[j], j < front->n ? &front->at[j] : &root->at[j]);
        if (!fits)
            continue;
        turn t = {.root = root, .x = c, .turned = front->n};
        t.interleaved = ir_attr_int(inner, "interleaved", 0) != 0;
        return emit(p, n, &t, ir_input(inner, 1), ir_input(inner, 2));
    }
    return trace.failed ? HEED_NOMEM : HEED_OK;
}

static bool extends_turn(const ir_node *n)
{
    const ir_node *first = pass_is(n, "Concat") ? ir_input(n, 0)->producer : NULL;
    return first && strcmp(first->op->name, "RotaryEmbedding") == 0;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    if (extends_turn(n))
        return widen(p, n);
    turn t = {.trace = {.memory = p->scratch}};
    if (n->n_out != 1 || !n->out[0] || !(turns(n) || (moves(n) && reached(n, MOST_STEPS))))
        return HEED_OK;
    t.root = channels_of(&t.trace, n->out[0], 1, true);
    if (!t.root || t.trace.failed)
        return t.trace.failed ? HEED_NOMEM : HEED_OK;
    t.turned = count_turned(t.root);
    if (t.turned < 2 || t.turned % 2)
        return HEED_OK;
    t.cosines = arena_array(p->scratch, (size_t)t.turned, sizeof(*t.cosines));
    t.sines = arena_array(p->scratch, (size_t)t.turned, sizeof(*t.sines));
    return t.cosines && t.sines ? judge(p, n, &t) : HEED_NOMEM;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_rotary = {
    .name = "rotary",
    .purpose = "what turns pairs of channels by angles becomes one node",
    .fuses = "RotaryEmbedding",
    .order = 83,
    .run = run,
};
