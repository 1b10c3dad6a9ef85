/* split_concat.c - pass: a tensor that is cut into pieces and joined from all of them is moved as a
 * whole.
 *
 * before: y = Concat(Split(x, axis = 2), axis = 0)     [B, S, H * D] becomes [H * B, S, D]
 * after:  y = Reshape(Transpose(Reshape(x)))
 *
 * before: y = Concat(k0, k0, k1, k1, axis = 1) of Split(k, axis = 1)
 * after:  y = Reshape(Expand(Reshape(k)))
 *
 * Heads are made so where a framework has no transposes for it, or repeats them one by one. Pieces
 * are the results of one Split, equal in size, or picks of all places of an axis; between the cut
 * and the join each may be moved, all in the same way. What is a reshape and a transpose is one
 * copy, and recognition follows it. */
#include <string.h>

#include "passes/axes/axes.h"
#include "passes/pass.h"

enum { MOST_PIECES = 256, MOST_MOVES = 3 };

/* One piece of x: its place among n, and what it went through since. */
typedef struct piece {
    ir_value *of;
    const ir_node *moves[MOST_MOVES]; /* the last one first */
    uint32_t n_moves;
    int64_t at, n;
    int64_t axis;
    ir_dim extent; /* of a piece along it */
    bool picked;   /* by Gather: the axis is gone */
} piece;

/* ---- Reading --------------------------------------------------------------------------------- */

static int64_t positive_axis(const ir_node *n, int64_t missing, int32_t rank)
{
    int64_t axis = ir_attr_int(n, "axis", missing);
    return axis < 0 ? axis + rank : axis;
}

static bool read_split(const ir_value *v, piece *p)
{
    const ir_node *n = v->producer;
    p->of = ir_input(n, 0);
    p->n = n->n_out;
    p->axis = positive_axis(n, 0, p->of->type.rank);
    if (v->type.rank < 1 || p->axis < 0 || p->axis >= v->type.rank)
        return false;
    p->extent = v->type.dims[p->axis];
    for (uint32_t o = 0; o < n->n_out; o++) {
        const ir_value *other = n->out[o];
        if (!other || other->type.rank != v->type.rank || other->type.dims[p->axis] != p->extent)
            return false;
        if (other == v)
            p->at = o;
    }
    return true;
}

/* One place of an axis, a number: x[:, 2]. */
static bool read_pick(const ir_node *n, piece *p)
{
    const ir_value *index = ir_input(n, 1);
    p->of = ir_input(n, 0);
    p->axis = positive_axis(n, 0, p->of->type.rank);
    if (!pass_constant(index) || tensor_rank(index->constant) != 0 || p->axis < 0 ||
        p->axis >= p->of->type.rank || !dim_known(p->of->type.dims[p->axis]))
        return false;
    p->n = p->of->type.dims[p->axis];
    p->at = tensor_get_int(index->constant, 0);
    p->at = p->at < 0 ? p->at + p->n : p->at;
    p->picked = true;
    return p->at >= 0 && p->at < p->n;
}

/* A node that moves every piece in the same way says how by itself. */
static bool is_move(const ir_node *n)
{
    return pass_is(n, "Transpose") ||
           ((pass_is(n, "Unsqueeze") || pass_is(n, "Squeeze")) && pass_constant(ir_input(n, 1)));
}

/* Where it was cut; else the value is a piece by itself, the only one. */
static piece read_piece(ir_value *v)
{
    piece p = {.of = v, .n = 1}, cut = {.n = 1};
    for (const ir_node *n = v->producer; n && cut.n_moves < MOST_MOVES; n = v->producer) {
        bool found =
            pass_is(n, "Split") ? read_split(v, &cut) : pass_is(n, "Gather") && read_pick(n, &cut);
        if (found)
            return cut;
        if (!is_move(n) || ir_input(n, 0)->type.rank < 0)
            return p;
        cut.moves[cut.n_moves++] = n;
        v = ir_input(n, 0);
    }
    return p;
}

static bool same_ints(const heed_tensor *a, const heed_tensor *b)
{
    bool same = tensor_count(a) == tensor_count(b);
    for (int64_t i = 0; same && i < tensor_count(a); i++)
        same = tensor_get_int(a, i) == tensor_get_int(b, i);
    return same;
}

static bool moves_alike(const ir_node *a, const ir_node *b)
{
    uint64_t n_a, n_b;
    if (a->op != b->op)
        return false;
    if (!pass_is(a, "Transpose"))
        return same_ints(ir_input(a, 1)->constant, ir_input(b, 1)->constant);
    const int64_t *of_a = ir_attr_ints(a, "perm", &n_a), *of_b = ir_attr_ints(b, "perm", &n_b);
    return of_a && of_b && n_a == n_b && memcmp(of_a, of_b, n_a * sizeof(*of_a)) == 0;
}

static bool belong_together(const piece *a, const piece *b)
{
    bool same = a->of == b->of && a->n == b->n && a->axis == b->axis && a->picked == b->picked &&
                a->n_moves == b->n_moves;
    for (uint32_t i = 0; same && i < a->n_moves; i++)
        same = moves_alike(a->moves[i], b->moves[i]);
    return same;
}

/* All pieces of one tensor, in order, each `times` times: one after the other (each), or all of
 * them again and again. */
typedef struct pieces {
    piece first;
    int64_t times;
    bool each;
} pieces;

static bool read_pieces(const ir_node *concat, pieces *out)
{
    int64_t at[MOST_PIECES], count = concat->n_in;
    if (count < 2 || count > MOST_PIECES)
        return false;
    for (int64_t i = 0; i < count; i++) {
        ir_value *v = ir_input(concat, (uint32_t)i);
        piece p = v ? read_piece(v) : (piece){.n = 0};
        if (p.n == 0 || p.of->type.rank < 1 || (i && !belong_together(&out->first, &p)))
            return false;
        if (i == 0)
            out->first = p;
        at[i] = p.at;
    }
    int64_t n = out->first.n;
    bool each = count % n == 0, over = each;
    out->times = count / n;
    for (int64_t i = 0; i < count && (each || over); i++) {
        each = each && at[i] == i / out->times;
        over = over && at[i] == i % n;
    }
    out->each = each;
    return each || over;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* What x is made of, and what one piece is. */
static void cut_axes(axes_table *t, const piece *p, const axes_list *number, axes *from, axes *to)
{
    axes_fresh(t, &p->of->type, from);
    *to = *from;
    if (p->picked) {
        from->axis[p->axis] = *number;
        to->rank--;
        memmove(&to->axis[p->axis], &to->axis[p->axis + 1],
                (size_t)(to->rank - p->axis) * sizeof(*to->axis));
    } else if (p->n > 1) {
        axes_list part = axes_new(t, p->extent), both = *number;
        axes_list_add(t, &both, &part);
        from->axis[p->axis] = both;
        to->axis[p->axis] = part;
    }
}

/* The joined tensor: the pieces become the outer part of an axis. */
static bool join_axes(axes_table *t, const pieces *p, int64_t axis, axes *from, axes *to)
{
    axes moved;
    axes_list number = axes_new(t, p->first.n), times = axes_new(t, p->times);
    cut_axes(t, &p->first, &number, from, to);
    for (uint32_t i = p->first.n_moves; i-- > 0; *to = moved)
        if (!axes_down(t, p->first.moves[i], to, &moved))
            return false;
    axes_list all = p->each ? number : times;
    axes_list_add(t, &all, p->each ? &times : &number);
    axes_list_add(t, &all, &to->axis[axis]);
    to->axis[axis] = all;
    return !t->failed;
}

/* A whole tensor that is repeated is left where it may be halves of channels, as rotary embeddings
 * have them. */
static bool is_wanted(const pieces *p, const ir_node *n, int64_t axis)
{
    int32_t rank = n->out[0]->type.rank;
    return p->first.n > 1 || (rank >= 4 && axis != rank - 1 && !pass_constant(p->first.of));
}

static heed_status visit(pass_run *p, ir_node *n)
{
    pieces found = {.times = 0};
    axes_table t;
    axes from, to;
    if (!pass_is(n, "Concat") || !n->out[0] || n->out[0]->type.rank < 1)
        return HEED_OK;
    int64_t axis = positive_axis(n, 0, n->out[0]->type.rank);
    axes_table_init(&t, p->model->dims);
    if (!read_pieces(n, &found) || !is_wanted(&found, n, axis) ||
        !join_axes(&t, &found, axis, &from, &to))
        return HEED_OK;
    op_body b = pass_body(p, n);
    axes_witness w = {&found.first.of, 1};
    ir_value *y = axes_emit(&b, &t, found.first.of, from, to, true, &w);
    if (b.status && b.status != HEED_NOMEM) { /* an extent that stands nowhere */
        pass_undo(&b);
        err_clear();
        return HEED_OK;
    }
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_split_concat = {
    .name = "split-concat",
    .purpose = "a tensor cut into pieces and joined from all of them is moved as a whole",
    .order = 54,
    .run = run,
};
