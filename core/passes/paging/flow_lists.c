/* flow_lists.c - rules of flow.h for lists of tokens, as a mixture of experts makes one for each
 * expert.
 *
 *     at [2, L] = NonZero(wanted [2, T]); x [L, D] = Gather(rows [T, D], at[1])
 *     y [L, D] = what the expert makes of x; ScatterElements(sums [T, D], at[1], y)
 *
 * Whether an entry is there depends on its token alone, and so does what is computed of it: entries
 * are rows, of fewer tokens or of more. Each says itself which token it is of. By that number rows
 * of all tokens are looked up, and entries added to them. Those of one token keep their order,
 * whoever else is in the list: NonZero sorts. */
#include "passes/paging/flow_rule.h"

heed_status flow_lists_new(flow_map *m)
{
    size_t n = 0;
    for (const ir_node *node = m->run->model->main->first; node; node = node->next)
        n += pass_is(node, "NonZero");
    if (n == 0 || n > UINT16_MAX)
        return HEED_OK;
    m->lists = mem_array(n, sizeof(*m->lists));
    return m->lists ? HEED_OK : HEED_NOMEM;
}

ir_dim flow_count(const flow_map *m, uint16_t list)
{
    return list ? m->lists[list - 1].at->type.dims[1] : m->tokens;
}

static flow entries(int32_t axis, uint16_t list)
{
    flow f = flow_rows(axis);
    f.list = list;
    return f;
}

/* ---- Into a list, and out of it -------------------------------------------------------------- */

static flow make_list(flow_map *m, const ir_node *n)
{
    flow f = flow_of(m, ir_input(n, 0));
    if (f.list || !m->lists || n->out[0]->type.rank != 2 || dim_known(n->out[0]->type.dims[1]))
        return flow_mixed();
    m->lists[m->n_lists++] = (flow_list){n->out[0], flow_type_in(n, 0), f.axis, f.each};
    flow made = entries(1, m->n_lists);
    made.coordinates = 1;
    return made;
}

/* Each entry names a row of its own token. */
static bool names_rows(flow at, flow rows)
{
    return at.whole && at.times_token == rows.each && at.most < rows.each;
}

static flow pick(flow_map *m, const ir_node *n)
{
    flow rows = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    bool own = !rows.list && at.list && flow_axis_attr(n, 0, flow_type_in(n, 0)->rank) == rows.axis;
    return own && names_rows(at, rows) ? entries(rows.axis + at.axis, at.list) : flow_mixed();
}

static flow put_back(flow_map *m, const ir_node *n)
{
    flow rows = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1)),
         what = flow_of(m, ir_input(n, 2));
    const ir_type *index = flow_type_in(n, 1);
    bool lists = pass_is(n, "ScatterND"); /* of one number each: places along the first axis */
    int32_t axis = lists ? 0 : flow_axis_attr(n, 0, flow_type_in(n, 0)->rank);
    bool fits = rows.kind == FLOW_ROWS && !rows.list && what.kind == FLOW_ROWS &&
                what.list == at.list && rows.axis == axis && at.axis == axis && what.axis == axis &&
                (!lists || (index->rank == 2 && index->dims[1] == 1));
    if (!fits || !names_rows(at, rows))
        return flow_mixed();
    flow made = flow_rows(axis);
    made.each = rows.each;
    return made;
}

bool flow_through_list(flow_map *m, const ir_node *n, uint32_t o, flow *out)
{
    static const struct {
        const char *op;
        flow (*rule)(flow_map *m, const ir_node *n);
        bool makes; /* a list of what has none */
    } rules[] = {{"NonZero", make_list, true},
                 {"Gather", pick, false},
                 {"ScatterElements", put_back, false},
                 {"ScatterND", put_back, false}};
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        if (!pass_is(n, rules[i].op))
            continue;
        bool of_rows = flow_of(m, ir_input(n, 0)).kind == FLOW_ROWS;
        if (!rules[i].makes && (!of_rows || !flow_of(m, ir_input(n, 1)).list))
            return false;
        *out = o == 0 ? rules[i].rule(m, n) : flow_mixed();
        return true;
    }
    return false;
}

/* ---- Which token, as a number ---------------------------------------------------------------- */

/* Coordinate c of what the list was made of. */
static void set_coordinate(const flow_map *m, int64_t c, flow *f)
{
    const flow_list *list = &m->lists[f->list - 1];
    if (c < 0 || c >= list->of->rank)
        return;
    bool tokens = c == list->axis;
    f->whole = tokens || dim_known(list->of->dims[c]);
    f->times_token = tokens ? list->each : 0;
    f->most = tokens ? list->each - 1 : list->of->dims[c] - 1;
}

/* The axis of the coordinates moves, or one of them is taken. */
static void take_coordinate(const flow_map *m, const ir_node *n, uint32_t o, flow *f)
{
    int32_t along = flow_of(m, ir_input(n, 0)).coordinates - 1;
    const ir_value *at = ir_input(n, 1);
    uint64_t count = 0;
    int64_t c = 0;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    if (pass_is(n, "Transpose"))
        for (int32_t k = 0; k < n->out[0]->type.rank; k++)
            f->coordinates = (perm ? perm[k] : 1 - k) == along ? (uint8_t)(k + 1) : f->coordinates;
    if (flow_axis_attr(n, 0, flow_type_in(n, 0)->rank) != along)
        return;
    if (pass_is(n, "Split") && n->out[o]->type.dims[along] == 1) {
        for (uint32_t i = 0; i < o; i++)
            c += n->out[i] ? n->out[i]->type.dims[along] : 1;
        set_coordinate(m, c, f);
    }
    if (pass_is(n, "Gather") && pass_constant(at) && tensor_count(at->constant) == 1)
        set_coordinate(m, tensor_get_int(at->constant, 0), f);
}

/* A number from 0 on that is the same for all entries. */
static bool is_number(const ir_value *v, int64_t *out)
{
    bool one = pass_constant(v) && dtype_is_int(v->type.dtype) && tensor_count(v->constant) == 1;
    *out = one ? tensor_get_int(v->constant, 0) : -1;
    return *out >= 0;
}

static void compute(const flow_map *m, const ir_node *n, flow *f)
{
    flow a = flow_of(m, ir_input(n, 0)), b = flow_of(m, ir_input(n, 1));
    int64_t number;
    if (a.whole && b.whole && pass_is(n, "Add")) {
        f->whole = !__builtin_add_overflow(a.times_token, b.times_token, &f->times_token) &&
                   !__builtin_add_overflow(a.most, b.most, &f->most);
        return;
    }
    flow x = a.whole ? a : b;
    if (!x.whole || !is_number(ir_input(n, a.whole), &number))
        return;
    if (pass_is(n, "Mul"))
        f->whole = !__builtin_mul_overflow(x.times_token, number, &f->times_token) &&
                   !__builtin_mul_overflow(x.most, number, &f->most);
    if (pass_is(n, "Add")) {
        f->times_token = x.times_token;
        f->whole = !__builtin_add_overflow(x.most, number, &f->most);
    }
}

void flow_number_entries(const flow_map *m, const ir_node *n, uint32_t o, flow *f)
{
    flow x = flow_of(m, ir_input(n, 0));
    if (x.coordinates)
        take_coordinate(m, n, o, f);
    else if (paging_moves(n, MOVE_KEEPS) &&
             (n->out[0]->type.dtype == HEED_INT64 || n->out[0]->type.dtype == HEED_INT32)) {
        f->whole = x.whole;
        f->times_token = x.times_token;
        f->most = x.most;
    } else if (n->n_in == 2)
        compute(m, n, f);
}
