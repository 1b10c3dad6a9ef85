/* beams.c - hypotheses are leaves of a tree of tokens, so that a fork copies nothing. */
#include "generate/beams.h"

#include <math.h>
#include <string.h>

#define NO_NODE UINT32_MAX

typedef struct node {
    uint32_t before; /* NO_NODE: it is the first token */
    int32_t token;
    float logprob;
} node;

typedef struct hypothesis {
    uint32_t last; /* node */
    uint32_t length;
    float score;
} hypothesis;

struct beams {
    beams_options options;
    node *nodes;
    size_t n_nodes, node_capacity;
    heed_logprob *alternatives; /* [node_capacity, n_alternatives] of each node's */
    size_t alternative_capacity;
    beam *running;    /* [width] */
    uint32_t *leaves; /* [width], of those that run */
    beam *next;       /* [width], of a step */
    uint32_t *next_leaves;
    hypothesis *ended;             /* [width], the best first */
    const heed_logprob *proposals; /* of a step */
    size_t *heads; /* [width], of a step: the first proposal of each row that is left */
    uint32_t n_running, n_ended;
    size_t length;
    bool over;
};

heed_status beams_new(const beams_options *options, beams **out)
{
    uint32_t width = options->width;
    beams *b = mem_zero(sizeof(*b));
    *out = NULL;
    if (!b)
        return HEED_NOMEM;
    b->options = *options;
    b->running = mem_array(width, sizeof(*b->running));
    b->leaves = mem_array(width, sizeof(*b->leaves));
    b->next = mem_array(width, sizeof(*b->next));
    b->next_leaves = mem_array(width, sizeof(*b->next_leaves));
    b->ended = mem_array(width, sizeof(*b->ended));
    b->heads = mem_array(width, sizeof(*b->heads));
    if (!b->running || !b->leaves || !b->next || !b->next_leaves || !b->ended || !b->heads) {
        beams_free(b);
        return HEED_NOMEM;
    }
    b->running[0] = (beam){.token = -1};
    b->leaves[0] = NO_NODE;
    b->n_running = 1;
    *out = b;
    return HEED_OK;
}

void beams_free(beams *b)
{
    if (!b)
        return;
    mem_free(b->nodes);
    mem_free(b->alternatives);
    mem_free(b->running);
    mem_free(b->leaves);
    mem_free(b->next);
    mem_free(b->next_leaves);
    mem_free(b->ended);
    mem_free(b->heads);
    mem_free(b);
}

const beam *beams_running(const beams *b, uint32_t *n)
{
    *n = b->n_running;
    return b->running;
}

/* Of all rows together. */
static uint32_t looked_at(const beams *b)
{
    size_t ends = b->options.n_ends > 0 ? b->options.n_ends : 1;
    return (uint32_t)(1 + ends) * b->options.width;
}

uint32_t beams_proposals(const beams *b)
{
    uint32_t n = looked_at(b);
    return n > b->options.n_alternatives ? n : b->options.n_alternatives;
}

bool beams_are_over(const beams *b) { return b->over; }

/* ---- A step ---------------------------------------------------------------------------------- */

static bool is_end(const beams *b, const beam *found)
{
    const beams_options *o = &b->options;
    for (size_t i = 0; i < o->n_ends; i++)
        if (o->ends[i] == found->token)
            return true;
    return b->length >= o->max_tokens ||
           (o->stops && o->stops(o->arg, found->parent, found->token));
}

/* The best continuation that is left: each row's come in order. False: there are no more. */
static bool take_best(beams *b, const heed_logprob *proposals, beam *out, float *logprob)
{
    uint32_t each = beams_proposals(b);
    bool found = false;
    for (uint32_t row = 0; row < b->n_running; row++) {
        if (b->heads[row] == each)
            continue;
        const heed_logprob *p = &proposals[(size_t)row * each + b->heads[row]];
        float score = b->running[row].score + p->logprob;
        if (p->token < 0 || !(score > -INFINITY) || (found && !(score > out->score)))
            continue;
        *out = (beam){.parent = row, .token = p->token, .score = score};
        *logprob = p->logprob;
        found = true;
    }
    if (found)
        b->heads[out->parent]++;
    return found;
}

static uint32_t add_node(beams *b, const beam *from, float logprob)
{
    size_t n = b->options.n_alternatives, each = beams_proposals(b);
    if (n > 0)
        memcpy(b->alternatives + b->n_nodes * n, b->proposals + from->parent * each,
               n * sizeof(*b->alternatives));
    b->nodes[b->n_nodes] =
        (node){.before = b->leaves[from->parent], .token = from->token, .logprob = logprob};
    return (uint32_t)b->n_nodes++;
}

static float with_penalty(const beams *b, float score)
{
    double length = b->length > 0 ? (double)b->length : 1;
    return score / (float)pow(length, (double)b->options.length_penalty);
}

/* Among the best that ended, behind its equals. */
static void end(beams *b, const beam *found, float logprob)
{
    hypothesis new = {.length = (uint32_t)b->length, .score = with_penalty(b, found->score)};
    uint32_t at = b->n_ended;
    while (at > 0 && b->ended[at - 1].score < new.score)
        at--;
    if (at == b->options.width)
        return;
    b->n_ended += b->n_ended < b->options.width;
    for (uint32_t i = b->n_ended - 1; i > at; i--)
        b->ended[i] = b->ended[i - 1];
    new.last = add_node(b, found, logprob);
    b->ended[at] = new;
}

static bool is_over(const beams *b)
{
    if (b->n_running == 0)
        return true;
    if (b->n_ended < b->options.width)
        return false;
    return b->options.early ||
           !(with_penalty(b, b->running[0].score) > b->ended[b->n_ended - 1].score);
}

static void go_on(beams *b, uint32_t n)
{
    beam *running = b->running;
    uint32_t *leaves = b->leaves;
    b->running = b->next;
    b->leaves = b->next_leaves;
    b->next = running;
    b->next_leaves = leaves;
    b->n_running = n;
}

/* Each step adds at most one node for each beam that goes on, and for each that ends. */
static heed_status reserve_nodes(beams *b)
{
    size_t needed = b->n_nodes + 2 * (size_t)b->options.width;
    if (needed >= NO_NODE)
        return err_fail(HEED_INVALID, "beams: more than 2^32 tokens");
    while (b->node_capacity < needed)
        TRY(mem_grow(&b->nodes, &b->node_capacity, b->node_capacity, sizeof(*b->nodes)));
    while (b->options.n_alternatives > 0 && b->alternative_capacity < needed)
        TRY(mem_grow(&b->alternatives, &b->alternative_capacity, b->alternative_capacity,
                     b->options.n_alternatives * sizeof(*b->alternatives)));
    return HEED_OK;
}

heed_status beams_step(beams *b, const heed_logprob *proposals)
{
    uint32_t most = looked_at(b), n = 0;
    TRY(reserve_nodes(b));
    b->proposals = proposals;
    for (uint32_t row = 0; row < b->n_running; row++)
        b->heads[row] = 0;
    b->length++;
    for (uint32_t rank = 0; rank < most; rank++) {
        beam found = {0};
        float logprob = 0;
        if (!take_best(b, proposals, &found, &logprob))
            break;
        if (is_end(b, &found)) {
            if (rank < b->options.width)
                end(b, &found, logprob);
        } else if (n < b->options.width) {
            b->next[n] = found;
            b->next_leaves[n++] = add_node(b, &found, logprob);
        }
    }
    go_on(b, n);
    b->over = is_over(b);
    return HEED_OK;
}

/* ---- Results --------------------------------------------------------------------------------- */

uint32_t beams_results(const beams *b) { return b->n_ended ? b->n_ended : b->n_running; }

size_t beams_length(const beams *b, uint32_t result)
{
    return b->n_ended ? b->ended[result].length : b->length;
}

float beams_score(const beams *b, uint32_t result)
{
    return b->n_ended ? b->ended[result].score : with_penalty(b, b->running[result].score);
}

void beams_copy(const beams *b, uint32_t result, heed_logprob *out)
{
    uint32_t at = b->n_ended ? b->ended[result].last : b->leaves[result];
    for (size_t i = beams_length(b, result); i > 0; i--) {
        out[i - 1] = (heed_logprob){.token = b->nodes[at].token, .logprob = b->nodes[at].logprob};
        at = b->nodes[at].before;
    }
}

void beams_copy_alternatives(const beams *b, uint32_t result, heed_logprob *out)
{
    size_t n = b->options.n_alternatives;
    uint32_t at = b->n_ended ? b->ended[result].last : b->leaves[result];
    for (size_t i = beams_length(b, result); i > 0 && n > 0; i--) {
        memcpy(out + (i - 1) * n, b->alternatives + at * n, n * sizeof(*out));
        at = b->nodes[at].before;
    }
}
