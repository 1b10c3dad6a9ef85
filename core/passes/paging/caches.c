/* caches.c - see caches.h. From each output back to the input whose content it has, through what
 * moves elements, joins and writes them; states whose way is longer by reachability; and what a
 * branch only reads (an encoder's keys) by the order in which products read it. */
#include "passes/paging/caches.h"

#include <string.h>

enum { MOST_DEPTH = 400 };

const char *cache_form_name(int form)
{
    static const char *const names[] = {
        [CACHE_CONCAT] = "concat", [CACHE_BUFFER] = "buffer",
        [CACHE_STATIC] = "static", [CACHE_TENSOR_SCATTER] = "tensor_scatter",
        [CACHE_STATE] = "state",   [CACHE_ROLLING] = "rolling",
        [CACHE_CROSS] = "cross",
    };
    return names[form];
}

/* ---- Back from an output --------------------------------------------------------------------- */

enum { FORM_UNCHANGED = -1 };

typedef struct walk {
    const decoder_roles *r;
    uint8_t *seen; /* by id of values */
    cache_pair found;
} walk;

/* What was met on the way; the place nearest to the input counts. */
typedef struct trail {
    int form;
    const ir_node *update;
    bool branch;
    int depth;
} trail;

static bool back(walk *w, const ir_value *v, trail t);

static bool may_be_cache(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type;
    return roles_is_given(r->g->inputs[i]) && type->kind == HEED_KIND_TENSOR && i != r->main &&
           (r->role[i] == PAGING_PAST || (r->role[i] == PAGING_SIDE && type->rank > 1));
}

static bool back_through(walk *w, const ir_node *n, uint32_t first, uint32_t last, trail t)
{
    for (uint32_t i = first; i <= last && i < n->n_in; i++)
        if (n->in[i].value && back(w, n->in[i].value, t))
            return true;
    return false;
}

static bool back_into_branches(walk *w, const ir_node *n, uint32_t output, trail t)
{
    t.branch = true;
    for (uint32_t a = 0; a < n->n_attrs; a++) {
        const ir_graph *g = n->attrs[a].graph;
        if (g && output < g->n_outputs && back(w, g->outputs[output], t))
            return true;
    }
    return false;
}

/* Of "present_key" and "past_key" the part that they share. */
static const char *without_time(const char *name, size_t *length)
{
    static const char *const times[] = {"past", "present", "initial", "final", "new"};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        size_t n = strlen(times[i]);
        if (*length >= n && memcmp(name, times[i], n) == 0) {
            *length -= n;
            return name + n;
        }
    }
    return NULL;
}

/* The input of an operator that its output is the next of; UINT32_MAX: none. */
static uint32_t past_of(const ir_node *n, uint32_t output, int *form)
{
    size_t length, have;
    const char *next = growth_slot_name(n->op, true, output, &length);
    const char *rest = length ? without_time(next, &length) : NULL;
    for (uint32_t i = 0; rest && i < n->n_in; i++) {
        const char *name = growth_slot_name(n->op, false, i, &have);
        const char *own = have ? without_time(name, &have) : NULL;
        if (!own || have != length || memcmp(own, rest, length) != 0)
            continue;
        bool state = length >= 5 && memcmp(rest + length - 5, "state", 5) == 0;
        *form = state                                       ? CACHE_STATE
                : strcmp(n->op->name, "TensorScatter") == 0 ? CACHE_TENSOR_SCATTER
                : n->op->domain[0]                          ? CACHE_BUFFER
                                                            : CACHE_CONCAT;
        return i;
    }
    return UINT32_MAX;
}

/* Loop and Scan: outputs that are carried from round to round, LSTM and GRU likewise. */
static uint32_t carried_by(const ir_node *n, uint32_t output)
{
    int64_t scans = ir_attr_int(n, "num_scan_inputs", 0);
    if (pass_is(n, "Loop") && output + 2 < n->n_in)
        return output + 2;
    if (pass_is(n, "Scan") && output < n->n_in - (uint32_t)scans)
        return output;
    if ((pass_is(n, "LSTM") || pass_is(n, "GRU") || pass_is(n, "RNN")) && output > 0)
        return 4 + output;
    return UINT32_MAX;
}

static bool back_through_node(walk *w, const ir_node *n, uint32_t output, trail t)
{
    static const char *const moves[] = {"Identity",
                                        "Cast",
                                        "Reshape",
                                        "Transpose",
                                        "Squeeze",
                                        "Unsqueeze",
                                        "Flatten",
                                        "Expand",
                                        "Slice",
                                        "Split",
                                        "Gather",
                                        "Pad",
                                        "QuantizeLinear",
                                        "DequantizeLinear",
                                        NULL};
    static const char *const scatters[] = {"ScatterND", "ScatterElements", "Scatter", NULL};
    static const char *const sums[] = {"Add", "Sub", "Mul", "Div",  "Sum",
                                       "Neg", "Max", "Min", "Clip", NULL};
    int form;
    uint32_t carried = carried_by(n, output), past = past_of(n, output, &form);
    if (pass_is(n, "If"))
        return back_into_branches(w, n, output, t);
    if (paging_is_one_of(n, moves))
        return back_through(w, n, 0, 0, t);
    t.update = n;
    if (past != UINT32_MAX) {
        t.form = form;
        return back_through(w, n, past, past, t);
    }
    if (carried != UINT32_MAX) {
        t.form = CACHE_STATE;
        return back_through(w, n, carried, carried, t);
    }
    if (pass_is(n, "Concat")) {
        t.form = CACHE_CONCAT;
        return back_through(w, n, 0, n->n_in - 1, t);
    }
    t.form = CACHE_STATIC;
    if (paging_is_one_of(n, scatters))
        return back_through(w, n, 0, 0, t);
    if (pass_is(n, "Where"))
        return back_through(w, n, 1, 2, t);
    t.form = CACHE_STATE;
    return paging_is_one_of(n, sums) && back_through(w, n, 0, n->n_in - 1, t);
}

static bool back(walk *w, const ir_value *v, trail t)
{
    if (w->seen[v->id] || t.depth++ > MOST_DEPTH)
        return false;
    w->seen[v->id] = 1;
    if (v->producer)
        return back_through_node(w, v->producer, v->slot, t);
    if (!v->is_input || v->graph != w->r->g || !may_be_cache(w->r, v->slot))
        return false;
    w->found = (cache_pair){
        .input = v->slot, .form = t.form, .axis = -1, .branch = t.branch, .update = t.update};
    return true;
}

/* ---- What it is ------------------------------------------------------------------------------ */

/* The first axis, but that of sequences, whose extent only a run tells. */
static int32_t open_axis(const decoder_roles *r, const ir_type *type)
{
    ir_dim batch = roles_batch(r);
    bool skipped = false;
    for (int32_t k = 0; k < type->rank; k++) {
        if (dim_known(type->dims[k]))
            continue;
        if (!skipped && (type->dims[k] == batch || (k == 0 && !dim_known(batch))))
            skipped = true;
        else
            return k;
    }
    return -1;
}

static void settle(const decoder_roles *r, cache_pair *p)
{
    const ir_type *type = &r->g->inputs[p->input]->type;
    int64_t axis = p->update ? ir_attr_int(p->update, "axis", -2) : -1;
    if (p->form == FORM_UNCHANGED)
        p->form = type->rank > 3 ? CACHE_CROSS : CACHE_STATE; /* keys and values have heads */
    if (p->form == CACHE_CONCAT || p->form == CACHE_BUFFER)
        p->axis = r->axis[p->input] >= 0 ? r->axis[p->input] : open_axis(r, type);
    if (p->form == CACHE_CONCAT && p->axis < 0)
        p->form = type->rank > 3 ? CACHE_ROLLING : CACHE_STATE; /* of a convolution */
    if (p->form == CACHE_TENSOR_SCATTER)
        p->axis = (int32_t)(axis < 0 ? axis + type->rank : axis);
    if (p->form == CACHE_STATIC)
        p->axis = open_axis(r, type);
}

typedef struct finder {
    decoder_roles *r;
    cache_map *map;
    uint32_t *pair_of; /* by input: CACHE_NONE, or which */
    bool *taken;       /* by output */
    walk walk;
} finder;

static void add(finder *f, cache_pair pair, uint32_t output)
{
    pair.output = output;
    settle(f->r, &pair);
    f->pair_of[pair.input] = f->map->n;
    f->taken[output] = true;
    f->map->pairs[f->map->n++] = pair;
}

static bool could_be_next(const ir_type *now, const ir_type *next)
{
    if (now->dtype != next->dtype || now->rank != next->rank)
        return false;
    for (int32_t k = 0; k < now->rank; k++)
        if (dim_known(now->dims[k]) && dim_known(next->dims[k]) && now->dims[k] != next->dims[k])
            return false;
    return true;
}

/* Sums lead to much that is no cache: a state has its extents, and keeps them. */
static bool holds(const finder *f, const cache_pair *p, uint32_t output)
{
    const ir_type *type = &f->r->g->inputs[p->input]->type;
    if (p->form != CACHE_STATE && p->form != CACHE_STATIC && p->form != FORM_UNCHANGED)
        return true;
    return could_be_next(type, &f->r->g->output_types[output]) &&
           (p->form != CACHE_STATE || open_axis(f->r, type) < 0);
}

static void find_direct(finder *f)
{
    const ir_graph *g = f->r->g;
    for (uint32_t o = 0; o < g->n_outputs; o++) {
        memset(f->walk.seen, 0, f->r->model->n_values);
        if (!back(&f->walk, g->outputs[o], (trail){.form = FORM_UNCHANGED}) ||
            !holds(f, &f->walk.found, o))
            continue;
        f->taken[o] = true;
        if (f->pair_of[f->walk.found.input] == CACHE_NONE)
            add(f, f->walk.found, o);
    }
}

/* ---- States, by reachability ----------------------------------------------------------------- */

static void reach(uint8_t *seen, const ir_value *v)
{
    if (seen[v->id])
        return;
    seen[v->id] = 1;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                reach(seen, n->out[o]);
    }
}

/* The outputs that an input reaches and that may be its next; how many. */
static uint32_t candidates(finder *f, uint32_t i, uint32_t *first)
{
    const ir_graph *g = f->r->g;
    uint32_t n = 0;
    memset(f->walk.seen, 0, f->r->model->n_values);
    reach(f->walk.seen, g->inputs[i]);
    for (uint32_t o = g->n_outputs; o-- > 0;)
        if (!f->taken[o] && o != f->map->result && f->walk.seen[g->outputs[o]->id] &&
            could_be_next(&g->inputs[i]->type, &g->output_types[o])) {
            *first = o;
            n++;
        }
    return n;
}

/* A state of the last layer reaches one output, one of the first layer all of them. */
static void find_states(finder *f)
{
    for (uint32_t round = 0; round < f->r->n; round++) {
        uint32_t least = UINT32_MAX, input = 0, output = 0;
        for (uint32_t i = 0; i < f->r->n; i++) {
            const ir_type *type = &f->r->g->inputs[i]->type;
            uint32_t first = 0;
            if (f->pair_of[i] != CACHE_NONE || !may_be_cache(f->r, i) ||
                !dtype_is_float(type->dtype) || open_axis(f->r, type) >= 0)
                continue;
            uint32_t n = candidates(f, i, &first);
            if (n > 0 && n < least) {
                least = n;
                input = i;
                output = first;
            }
        }
        if (least == UINT32_MAX)
            return;
        add(f, (cache_pair){.input = input, .form = CACHE_STATE, .axis = -1}, output);
    }
}

/* ---- What branches only read ----------------------------------------------------------------- */

static const char *const plain_moves[] = {"Identity",  "Cast",    "Reshape", "Transpose", "Squeeze",
                                          "Unsqueeze", "Flatten", "Expand",  "Mul",       NULL};

/* The first product or attention that reads what the value becomes. Nodes are numbered in the
 * order of the file. */
static uint32_t first_product(const ir_value *v, int depth)
{
    static const char *const products[] = {"MatMul", "Einsum", NULL};
    uint32_t least = UINT32_MAX;
    for (const ir_use *use = v->uses; use && depth < 16; use = use->next) {
        const ir_node *n = use->node;
        uint32_t id = UINT32_MAX;
        if (paging_is_one_of(n, products) || (n->op->flags & OP_ATTENTION))
            id = n->id;
        else if (paging_is_one_of(n, plain_moves) && n->n_out > 0 && n->out[0])
            id = first_product(n->out[0], depth + 1);
        least = id < least ? id : least;
    }
    return least;
}

/* Where the elements come from that an output has: attention may read them in another order. */
static const ir_value *before_moves(const ir_value *v)
{
    while (v->producer && paging_is_one_of(v->producer, plain_moves) && ir_input(v->producer, 0))
        v = v->producer->in[0].value;
    return v;
}

/* What an output is made of in the branch that computes it. */
static const ir_value *computed_in_branch(const ir_value *v)
{
    const ir_node *n = v->producer;
    for (uint32_t a = 0; n && pass_is(n, "If") && a < n->n_attrs; a++) {
        const ir_graph *g = n->attrs[a].graph;
        const ir_value *own = g && v->slot < g->n_outputs ? g->outputs[v->slot] : NULL;
        if (own && own->producer && own->producer->n_in > 0)
            return before_moves(own);
    }
    return NULL;
}

typedef struct ranked {
    uint32_t which, order;
} ranked;

static void insert(ranked *list, uint32_t *n, ranked one)
{
    uint32_t i = *n;
    for (++*n; i > 0 && list[i - 1].order > one.order; i--)
        list[i] = list[i - 1];
    list[i] = one;
}

/* A branch with a past reads an encoder's keys, the other one makes them: both in the order of
 * their layers. */
static heed_status find_cross(finder *f)
{
    const ir_graph *g = f->r->g;
    ranked *in = arena_array(f->r->memory, g->n_inputs, sizeof(*in));
    ranked *out = arena_array(f->r->memory, g->n_outputs, sizeof(*out));
    uint32_t n_in = 0, n_out = 0;
    if (!in || !out)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (f->pair_of[i] == CACHE_NONE && may_be_cache(f->r, i) && g->inputs[i]->type.rank > 3 &&
            g->inputs[i]->uses && g->inputs[i]->uses->node->graph != g)
            insert(in, &n_in, (ranked){i, first_product(g->inputs[i], 0)});
    for (uint32_t o = 0; o < g->n_outputs; o++) {
        const ir_value *own = computed_in_branch(g->outputs[o]);
        if (own && !f->taken[o] && g->output_types[o].rank > 3)
            insert(out, &n_out, (ranked){o, first_product(own, 0)});
    }
    for (uint32_t k = 0; n_in == n_out && k < n_in; k++)
        if (could_be_next(&g->inputs[in[k].which]->type, &g->output_types[out[k].which]))
            add(f,
                (cache_pair){
                    .input = in[k].which, .form = FORM_UNCHANGED, .axis = -1, .branch = true},
                out[k].which);
    return HEED_OK;
}

/* ---- What is learned of the other inputs ----------------------------------------------------- */

/* A mask has an entry for each place of a cache that is written. */
static bool is_over_places(const finder *f, const ir_type *mask)
{
    ir_dim keys = mask->rank > 0 ? mask->dims[mask->rank - 1] : 1;
    for (uint32_t i = 0; i < f->map->n; i++) {
        const cache_pair *p = &f->map->pairs[i];
        const ir_type *type = &f->r->g->inputs[p->input]->type;
        bool written = p->form == CACHE_STATIC || p->form == CACHE_TENSOR_SCATTER;
        for (int32_t k = 0; written && k < type->rank; k++)
            if (type->dims[k] == keys && keys != 1)
                return true;
    }
    return false;
}

static heed_status refine_role(finder *f, uint32_t i, const ir_node *const *updates, uint32_t n)
{
    decoder_roles *r = f->r;
    const ir_type *type = &r->g->inputs[i]->type;
    bool whole = !dtype_is_float(type->dtype);
    roles_search s;
    if (f->pair_of[i] != CACHE_NONE) {
        r->role[i] = PAGING_PAST;
        r->axis[i] = f->map->pairs[f->pair_of[i]].axis;
        return HEED_OK;
    }
    if (i == r->main || !roles_is_given(r->g->inputs[i]) || type->kind != HEED_KIND_TENSOR ||
        type->rank < 0 ||
        (r->role[i] != PAGING_SIDE && r->role[i] != PAGING_MASK && r->role[i] != PAGING_POSITIONS))
        return HEED_OK;
    TRY(roles_search_from(r, r->g->inputs[i], updates, n, &s));
    r->writes[i] = whole && (s.found & SEES_PLACE);
    if (r->role[i] == PAGING_POSITIONS)
        return HEED_OK;
    if (is_over_places(f, type) && (s.found & (whole ? SEES_SOFTMAX : SEES_SCORES))) {
        r->role[i] = PAGING_MASK;
        r->added[i] = !whole;
        return HEED_OK;
    }
    if (!whole)
        return HEED_OK;
    if (s.found & SEES_START)
        r->role[i] = PAGING_START;
    else if (s.found & SEES_TOTAL)
        r->role[i] = PAGING_TOTAL;
    else if (s.found & SEES_LAST)
        r->role[i] = PAGING_LAST;
    else if (s.found & SEES_PLACE)
        r->role[i] = type->rank == 0 ? PAGING_START : PAGING_POSITIONS;
    else if (r->role[i] == PAGING_SIDE && type->rank == 0 && r->g->inputs[i]->uses &&
             type->dtype != HEED_BOOL)
        r->role[i] = PAGING_START;
    return HEED_OK;
}

static heed_status refine_roles(finder *f)
{
    const ir_node **updates = arena_array(f->r->memory, f->map->n, sizeof(*updates));
    uint32_t n = 0;
    if (!updates)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < f->map->n; i++)
        if (f->map->pairs[i].form == CACHE_STATIC)
            updates[n++] = f->map->pairs[i].update;
    for (uint32_t i = 0; i < f->r->n; i++)
        TRY(refine_role(f, i, updates, n));
    return HEED_OK;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static bool reads(const ir_graph *g, const ir_value *v)
{
    for (const ir_use *use = v->uses; use; use = use->next)
        for (const ir_graph *at = use->node->graph; at; at = at->parent)
            if (at == g)
                return true;
    return false;
}

/* The branch that reads a past is the one with it. */
static void find_switch(finder *f)
{
    const ir_graph *g = f->r->g;
    f->map->cached_when = true;
    for (const ir_node *n = g->first; n; n = n->next) {
        ir_graph *other = pass_is(n, "If") ? ir_attr_graph(n, "else_branch") : NULL;
        for (uint32_t i = 0; other && i < f->map->n; i++)
            if (reads(other, g->inputs[f->map->pairs[i].input]) &&
                !reads(ir_attr_graph(n, "then_branch"), g->inputs[f->map->pairs[i].input]))
                f->map->cached_when = false;
    }
}

static bool has_switch(const decoder_roles *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->role[i] == PAGING_SWITCH)
            return true;
    return false;
}

/* The one that most of them have; what has a length tells more than a state. */
static const char *form_of_all(const finder *f)
{
    uint32_t count[CACHE_CROSS + 1] = {0};
    int most = -1;
    for (uint32_t i = 0; i < f->map->n; i++)
        count[f->map->pairs[i].form]++;
    for (int k = 0; k < CACHE_STATE; k++)
        if (count[k] > 0 && (most < 0 || count[k] > count[most]))
            most = k;
    for (int k = CACHE_STATE; k <= CACHE_CROSS; k++)
        if (count[k] > 0 && most < 0)
            most = k;
    if (most >= 0 && has_switch(f->r))
        return "merged";
    return most < 0 || most == CACHE_CROSS ? "none" : cache_form_name(most);
}

static void find_result(finder *f)
{
    f->map->result = 0;
    while (f->map->result + 1 < f->r->g->n_outputs && f->taken[f->map->result])
        f->map->result++;
}

static void sort_pairs(finder *f)
{
    for (uint32_t i = 1; i < f->map->n; i++)
        for (uint32_t k = i; k > 0 && f->map->pairs[k - 1].input > f->map->pairs[k].input; k--) {
            cache_pair swap = f->map->pairs[k];
            f->map->pairs[k] = f->map->pairs[k - 1];
            f->map->pairs[k - 1] = swap;
        }
    for (uint32_t i = 0; i < f->map->n; i++)
        f->pair_of[f->map->pairs[i].input] = i;
}

heed_status caches_find(decoder_roles *r, cache_map *out)
{
    finder f = {.r = r, .map = out, .walk.r = r};
    *out = (cache_map){.pairs = arena_array(r->memory, r->n, sizeof(*out->pairs))};
    f.pair_of = arena_array(r->memory, r->n, sizeof(*f.pair_of));
    f.taken = arena_array(r->memory, r->g->n_outputs, sizeof(*f.taken));
    f.walk.seen = arena_alloc(r->memory, r->model->n_values);
    if (!out->pairs || !f.pair_of || !f.taken || !f.walk.seen)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < r->n; i++)
        f.pair_of[i] = CACHE_NONE;
    find_direct(&f);
    find_result(&f);
    find_states(&f);
    TRY(find_cross(&f));
    sort_pairs(&f);
    TRY(refine_roles(&f));
    find_switch(&f);
    out->form = form_of_all(&f);
    return HEED_OK;
}
