/* sequences.c - pass: what is taken out of a sequence that is known item by item needs no sequence.
 *
 * before: y = SequenceAt(SplitToSequence(x, 4, axis=2), 1)      after: y = Slice(x, 4, 8, axis 2)
 *
 * TorchScript writes split, chunk, unbind and lists so. Sequences have no shapes, so this stands
 * before everything that asks for some, and infers again. */
#include "ops/body.h"
#include "passes/pass.h"

enum { MAX_WALK = 256, MAX_JOINED = 64, MAX_ROUNDS = 8 };

extern const pass_def pass_infer;

static bool constant_int(const ir_value *v, int64_t *out)
{
    if (!pass_constant(v) || tensor_count(v->constant) != 1)
        return false;
    *out = tensor_get_int(v->constant, 0);
    return true;
}

/* ---- SplitToSequence ------------------------------------------------------------------------- */

typedef struct cut {
    ir_value *x;
    const heed_tensor *sizes; /* or NULL: pieces of `each` */
    int64_t axis, n, each, extent;
    bool squeeze;
} cut;

static bool read_cut(const ir_node *n, cut *k)
{
    const ir_value *split = ir_input(n, 1);
    *k = (cut){.x = ir_input(n, 0), .axis = ir_attr_int(n, "axis", 0), .each = 1};
    const ir_type *type = &k->x->type;
    int64_t at = k->axis < 0 ? k->axis + type->rank : k->axis;
    k->squeeze = !split && !ir_attr_int(n, "keepdims", 1);
    if (type->rank < 0 || at < 0 || at >= type->rank || !dim_known(type->dims[at]))
        return false;
    k->extent = type->dims[at];
    if (split && !pass_constant(split))
        return false;
    if (split && tensor_rank(split->constant) > 0) {
        k->sizes = split->constant;
        k->n = tensor_count(k->sizes);
        return true;
    }
    if (split && (!constant_int(split, &k->each) || k->each <= 0))
        return false;
    k->n = k->extent / k->each + (k->extent % k->each != 0);
    return true;
}

/* Piece i: [*first, *last) of the axis. False: the sizes are wrong, which the operator says. */
static bool piece_of(const cut *k, int64_t i, int64_t *first, int64_t *last)
{
    int64_t sum = 0;
    *first = i * k->each;
    *last = k->extent - *first < k->each ? k->extent : *first + k->each;
    for (int64_t at = 0; k->sizes && at < k->n; at++) {
        int64_t size = tensor_get_int(k->sizes, at);
        if (size < 0 || size > k->extent - sum)
            return false;
        *first = at == i ? sum : *first;
        sum += size;
        *last = at == i ? sum : *last;
    }
    return !k->sizes || sum == k->extent;
}

static ir_value *emit_piece(op_body *b, const cut *k, int64_t i)
{
    int64_t first, last;
    if (!piece_of(k, i, &first, &last))
        return NULL;
    if (k->squeeze)
        return body_2(b, k->x, body_int(b, i), "Gather axis=%lld", (long long)k->axis);
    return body_part(b, k->x, (int32_t)k->axis, first, last);
}

/* ---- What a sequence holds ------------------------------------------------------------------- */

/* Position `at` of a sequence of n items, n + more of them allowed. */
static bool position(const ir_value *v, int64_t n, int64_t more, int64_t missing, int64_t *at)
{
    *at = missing;
    if (v && !constant_int(v, at))
        return false;
    *at += *at < 0 ? n : 0;
    return *at >= 0 && *at < n + more;
}

/* How many items; -1 when that is not known. */
static int64_t length_of(const ir_value *s)
{
    int64_t more = 0;
    cut k;
    for (int walk = 0; walk < MAX_WALK && s && s->producer; walk++) {
        const ir_node *n = s->producer;
        if (pass_is(n, "SequenceEmpty"))
            return more;
        if (pass_is(n, "SequenceConstruct"))
            return n->n_in + more;
        if (pass_is(n, "SplitToSequence"))
            return read_cut(n, &k) ? k.n + more : -1;
        if (!pass_is(n, "SequenceInsert") && !pass_is(n, "SequenceErase"))
            return -1;
        more += pass_is(n, "SequenceInsert") ? 1 : -1;
        s = ir_input(n, 0);
    }
    return -1;
}

/* Item i, which is there; NULL when it is not known. Nodes may be emitted. */
static ir_value *item_of(op_body *b, const ir_value *s, int64_t i)
{
    cut k;
    for (int walk = 0; walk < MAX_WALK && s && s->producer; walk++) {
        const ir_node *n = s->producer;
        int64_t length = length_of(ir_input(n, 0)), at;
        if (pass_is(n, "SequenceConstruct"))
            return i < n->n_in ? ir_input(n, (uint32_t)i) : NULL;
        if (pass_is(n, "SplitToSequence"))
            return read_cut(n, &k) && i < k.n ? emit_piece(b, &k, i) : NULL;
        if (length < 0)
            return NULL;
        if (pass_is(n, "SequenceInsert") && position(ir_input(n, 2), length, 1, length, &at)) {
            if (i == at)
                return ir_input(n, 1);
            i -= i > at;
        } else if (pass_is(n, "SequenceErase") &&
                   position(ir_input(n, 1), length, 0, length - 1, &at)) {
            i += i >= at;
        } else {
            return NULL;
        }
        s = ir_input(n, 0);
    }
    return NULL;
}

/* ---- What is taken out ----------------------------------------------------------------------- */

static ir_value *take_item(op_body *b)
{
    int64_t length = length_of(body_in(b, 0)), at;
    if (length < 0 || !body_in(b, 1) || !position(body_in(b, 1), length, 0, 0, &at))
        return NULL;
    return item_of(b, body_in(b, 0), at);
}

static ir_value *take_length(op_body *b)
{
    int64_t length = length_of(body_in(b, 0));
    return length < 0 ? NULL : body_int(b, length);
}

static ir_value *take_all(op_body *b)
{
    ir_value *items[MAX_JOINED];
    int64_t axis = ir_attr_int(b->node, "axis", 0), n = length_of(body_in(b, 0));
    bool stack = ir_attr_int(b->node, "new_axis", 0) != 0;
    if (n < 1 || n > MAX_JOINED)
        return NULL;
    for (int64_t i = 0; i < n; i++) {
        items[i] = item_of(b, body_in(b, 0), i);
        if (items[i] && stack)
            items[i] = body_2(b, items[i], body_ints(b, 1, &axis), "Unsqueeze");
        if (!items[i])
            return NULL;
    }
    return body_n(b, (uint32_t)n, items, "Concat axis=%lld", (long long)axis);
}

static const struct {
    const char *op;
    ir_value *(*take)(op_body *b);
} rows[] = {
    {"SequenceAt", take_item},
    {"SequenceLength", take_length},
    {"ConcatFromSequence", take_all},
};

/* What does not fit (items of different shapes, say) stays, and says so when it runs. */
static heed_status rewrite(pass_run *p, ir_node *n, ir_value *(*take)(op_body *b))
{
    op_body b = pass_body(p, n);
    uint32_t n_values = p->model->n_values;
    ir_value *value = n->out[0] ? take(&b) : NULL;
    if (b.status == HEED_NOMEM)
        return b.status;
    if (b.status || !value) {
        err_clear();
        pass_undo(&b);
        return HEED_OK;
    }
    if (value->producer && value->id >= n_values)
        value->name = n->out[0]->name;
    return pass_bypass(p, n, value);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (pass_is(n, rows[i].op))
            return rewrite(p, n, rows[i].take);
    return HEED_OK;
}

/* What follows from an item that is a tensor now may be cut again. */
static heed_status run(pass_run *p)
{
    uint64_t before;
    int round = 0;
    do {
        before = p->rewrites;
        TRY(pass_each_node(p, visit));
        if (p->rewrites > before)
            TRY(pass_infer.run(p));
    } while (p->rewrites > before && ++round < MAX_ROUNDS);
    return HEED_OK;
}

const pass_def pass_sequences = {
    .name = "sequences",
    .purpose = "what is taken out of a known sequence needs no sequence",
    .order = 2,
    .run = run,
};
