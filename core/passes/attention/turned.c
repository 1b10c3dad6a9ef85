/* turned.c - pass: attention reads the copy of an operand that others had turned.
 *
 * before: t = Transpose(q), read by others; y = heed.FlashAttention(q, k, v, q_layout = bshd)
 * after:  t = Transpose(q);                 y = heed.FlashAttention(t, k, v, q_layout = bhsd)
 *
 * Recognition climbs to the tensor that was turned, so that nothing is turned for attention. Where
 * somebody else wants it turned, it lies there twice until attention has read it: a bias that is a
 * product with the queries, a mean of the keys, a convolution of the values. So the first copy goes
 * when the second is there; never is anything kept longer than the other would be. Behind the last
 * sweep of nodes that nobody reads: what attention took the place of is no reader. */
#include <string.h>

#include "passes/attention/lives.h"

enum { AXES = 4, OPERANDS = 3 };

typedef struct search {
    const uint32_t *places;
    ir_node *attention;
    uint32_t slot;
    const char *letters; /* of the operand */
    ir_value *found;     /* NULL: nothing yet */
    char turned[AXES + 1];
} search;

static bool is_attention(const void *self, const ir_node *reader) { return reader == self; }

/* The layout behind the Transpose; channels stay innermost, or kernels would turn them back. */
static bool read_turn(const ir_node *n, const char *letters, char turned[AXES + 1])
{
    uint64_t count;
    const int64_t *perm = pass_is(n, "Transpose") ? ir_attr_ints(n, "perm", &count) : NULL;
    if (!perm || count != AXES)
        return false;
    for (int i = 0; i < AXES; i++)
        turned[i] = perm[i] >= 0 && perm[i] < AXES ? letters[perm[i]] : 'd';
    turned[AXES] = 0;
    return turned[AXES - 1] == 'd' && strchr(turned, 'd') == turned + AXES - 1;
}

/* The same axes: of two views of one tensor the last extent follows from the others. */
static bool same_view(const ir_value *a, const ir_value *b)
{
    int differ = 0;
    for (int32_t i = 0; i < AXES && a->type.rank == AXES; i++)
        differ += a->type.dims[i] != b->type.dims[i];
    return a->type.rank == AXES && differ < 2;
}

/* Among the readers of the value, and of views of it, with the operand's axes. */
static void look(search *s, const ir_value *v)
{
    const ir_value *operand = ir_input(s->attention, s->slot);
    for (const ir_use *u = v->uses; u && !s->found; u = u->next) {
        const ir_node *n = u->node;
        if (n->graph != s->attention->graph || u->slot != 0)
            continue;
        if (n->op->flags & OP_VIEW)
            look(s, n->out[0]);
        else if (s->places[n->id] < s->places[s->attention->id] && same_view(v, operand) &&
                 read_turn(n, s->letters, s->turned))
            s->found = n->out[0];
    }
}

/* Attention alone keeps the operand longer than the copy, and reads it once. */
static bool ends_earlier(const search *s, const ir_value *root)
{
    const ir_node *n = s->attention;
    uint32_t place = s->places[n->id];
    for (uint32_t i = 0; i < n->n_in; i++)
        if (i != s->slot && n->in[i].value && lives_root(n->in[i].value) == root)
            return false;
    uint32_t last = lives_last(s->places, root, is_attention, n);
    uint32_t copy = lives_last(s->places, s->found, NULL, NULL);
    return last < place && last <= copy;
}

static void drop_views(ir_value *v)
{
    while (!ir_value_used(v) && v->producer && (v->producer->op->flags & OP_VIEW)) {
        ir_node *n = v->producer;
        v = ir_input(n, 0);
        ir_node_remove(n);
    }
}

static heed_status turn(pass_run *p, const uint32_t *places, ir_node *n, uint32_t slot)
{
    static const char *const names[OPERANDS] = {"q_layout", "k_layout", "v_layout"};
    search s = {.places = places,
                .attention = n,
                .slot = slot,
                .letters = ir_attr_string(n, names[slot], "bhsd")};
    ir_value *x = ir_input(n, slot);
    if (!x || x->type.rank != AXES || x->graph != n->graph || strlen(s.letters) != AXES)
        return HEED_OK;
    ir_value *root = lives_root(x);
    if (!root->producer || root->graph != n->graph)
        return HEED_OK;
    look(&s, root);
    if (!s.found || !ends_earlier(&s, root))
        return HEED_OK;
    const heed_attribute layout = {.size = sizeof(layout),
                                   .type = HEED_ATTR_STRING,
                                   .name = names[slot],
                                   .s = {s.turned, AXES}};
    TRY(ir_node_set_attr(n, &layout, NULL));
    ir_node_set_input(n, slot, s.found);
    drop_views(x);
    p->rewrites++;
    return HEED_OK;
}

static heed_status sweep(pass_run *p, const uint32_t *places, ir_graph *g)
{
    for (ir_node *n = g->first; n; n = n->next) {
        bool laid_out = strcmp(n->op->domain, "heed") == 0 && ir_node_attr(n, "q_layout");
        for (uint32_t i = 0; laid_out && i < OPERANDS; i++)
            TRY(turn(p, places, n, i));
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(sweep(p, places, n->attrs[a].graph));
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    const uint32_t *places = lives_places(p);
    return places ? sweep(p, places, p->model->main) : HEED_NOMEM;
}

const pass_def pass_turned = {
    .name = "turned",
    .purpose = "attention reads the copy of an operand that others had turned",
    .order = 91,
    .run = run,
};
