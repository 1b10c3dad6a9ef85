/* last_place.c - pass: tables of angles that are as long as the largest place asks for.
 *
 * before: n = ReduceMax(positions [1, S]) + 1, or Gather(positions, -1) + 1
 * after:  n = (Shape(positions)[1] - 1) + 1
 * before: GatherND(table, Unsqueeze(positions [1, S], 2))
 * after:  Gather(table, positions)
 * before: Range(0.0, Cast(n), 1.0)
 * after:  Cast(Range(0, n, 1))
 * before: RotaryEmbedding(x, cos [S, D], sin [S, D], positions), where cos and sin have rows of
 * tokens after:  RotaryEmbedding(x, cos [1, S, D], sin [1, S, D])
 *
 * Only for paging. The largest of all places is one less than the number of tokens. So the table's
 * extent becomes known, and its rows are seen to be those of the tokens: whoever looks them up by
 * the tokens' places gets them as they are. */
#include "passes/paging/flow.h"

extern const pass_def pass_infer;

/* ---- The largest place ------------------------------------------------------------------------
 */

/* A list of the one number. */
static bool is_one(const ir_value *v, int64_t number)
{
    return v && pass_constant(v) && tensor_count(v->constant) == 1 &&
           tensor_get_int(v->constant, 0) == number;
}

static bool has_one_element(const ir_value *v)
{
    for (int32_t k = 0; k < v->type.rank; k++)
        if (v->type.dims[k] != 1)
            return false;
    return v->type.rank >= 0;
}

/* All that is left is the largest, or the last, of the places of all tokens. */
static bool is_last(const flow_map *m, const ir_node *n)
{
    flow f = flow_of(m, ir_input(n, 0));
    if (f.kind != FLOW_ROWS || !f.place || !n->out[0] || !has_one_element(n->out[0]) ||
        n->in[0].value->type.dims[f.axis] != m->tokens)
        return false;
    if (!pass_is(n, "Gather"))
        return pass_is(n, "ReduceMax");
    int64_t axis = ir_attr_int(n, "axis", 0);
    return (axis < 0 ? axis + n->in[0].value->type.rank : axis) == f.axis &&
           is_one(ir_input(n, 1), -1);
}

static heed_status write_last(flow_map *m, ir_node *n)
{
    ir_value *places = ir_input(n, 0), *v = n->out[0];
    int64_t ones[TENSOR_MAX_RANK];
    op_body b = pass_body(m->run, n);
    for (int32_t k = 0; k < v->type.rank; k++)
        ones[k] = 1;
    ir_value *last = body_dim(&b, places, flow_of(m, places).axis);
    last = body_2(&b, last, body_ints(&b, 1, (int64_t[]){1}), "Sub");
    last = body_cast(&b, last, v->type.dtype);
    last = v->type.rank == 0 ? body_2(&b, last, body_ints(&b, 1, (int64_t[]){0}), "Squeeze")
                             : body_2(&b, last, body_ints(&b, v->type.rank, ones), "Reshape");
    m->run->rewrites++;
    return pass_settle(m->run, n, &b, last);
}

/* ---- Counted in floats ------------------------------------------------------------------------
 */

/* Whole numbers as floats, which are exact for any number of tokens. */
static ir_value *whole_of(const ir_value *v)
{
    const ir_node *n = v ? v->producer : NULL;
    ir_value *from = pass_is(n, "Cast") ? ir_input(n, 0) : NULL;
    return from && dtype_is_int(from->type.dtype) && from->content ? from : NULL;
}

static bool counts_in_floats(const ir_node *n)
{
    const ir_value *start = ir_input(n, 0), *step = ir_input(n, 2);
    return pass_is(n, "Range") && n->out[0]->type.dtype == HEED_FLOAT32 && pass_constant(start) &&
           tensor_get_float(start->constant, 0) == 0 && pass_constant(step) &&
           tensor_get_float(step->constant, 0) == 1 && whole_of(ir_input(n, 1));
}

static heed_status write_count(flow_map *m, ir_node *n)
{
    op_body b = pass_body(m->run, n);
    ir_value *count = body_cast(&b, whole_of(ir_input(n, 1)), HEED_INT64);
    ir_value *all = body_cast(&b, body_range(&b, count), HEED_FLOAT32);
    return b.status ? b.status : pass_bypass(m->run, n, all); /* an extent that was not known */
}

/* ---- One index each ---------------------------------------------------------------------------
 */

/* GatherND with lists of one index is a Gather. */
static bool has_one_index(const ir_node *n)
{
    const ir_type *at = n->n_in > 1 && n->in[1].value ? &n->in[1].value->type : NULL;
    return pass_is(n, "GatherND") && !ir_attr_int(n, "batch_dims", 0) && at->rank > 1 &&
           at->dims[at->rank - 1] == 1;
}

static heed_status write_gather(flow_map *m, ir_node *n)
{
    op_body b = pass_body(m->run, n);
    ir_value *at = body_2(&b, ir_input(n, 1), body_ints(&b, 1, (int64_t[]){-1}), "Squeeze");
    m->run->rewrites++;
    return pass_settle(m->run, n, &b, body_2(&b, ir_input(n, 0), at, "Gather axis=0"));
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

/* A table [S, D] whose row i is that of token i. */
static bool has_rows(const flow_map *m, const ir_value *table)
{
    flow f = flow_of(m, table);
    return table && flow_has_row_each(f) && f.axis == 0 && table->type.rank == 2 &&
           table->type.dims[0] == m->tokens;
}

static bool looks_up_own(const flow_map *m, const ir_node *n)
{
    const ir_value *positions = ir_input(n, 3);
    flow at = flow_of(m, positions);
    return pass_is(n, "RotaryEmbedding") && at.kind == FLOW_ROWS && at.place &&
           positions->type.rank == 2 && positions->type.dims[0] == 1 &&
           has_rows(m, ir_input(n, 1)) && has_rows(m, ir_input(n, 2));
}

static heed_status write_tables(flow_map *m, ir_node *n)
{
    op_body b = pass_body(m->run, n->previous ? n->previous : n);
    ir_value *zero = body_ints(&b, 1, (int64_t[]){0});
    ir_value *cosine = body_2(&b, ir_input(n, 1), zero, "Unsqueeze");
    ir_value *sine = body_2(&b, ir_input(n, 2), zero, "Unsqueeze");
    if (b.status)
        return b.status;
    ir_node_set_input(n, 1, cosine);
    ir_node_set_input(n, 2, sine);
    ir_node_set_input(n, 3, NULL);
    m->run->rewrites++;
    return HEED_OK;
}

static heed_status sweep(pass_run *p, flow_map *m)
{
    m->tokens = paging_tokens(p);
    TRY(flow_map_all(m));
    for (ir_node *n = p->model->main->first, *next; n; n = next) {
        next = n->next;
        if (n->n_in > 0 && is_last(m, n))
            TRY(write_last(m, n));
        else if (has_one_index(n))
            TRY(write_gather(m, n));
        else if (counts_in_floats(n))
            TRY(write_count(m, n));
        else if (n->n_in > 3 && looks_up_own(m, n))
            TRY(write_tables(m, n));
    }
    return HEED_OK;
}

/* Tables are seen to have rows when their extents are known. */
static heed_status rewrite(pass_run *p)
{
    for (int round = 0; round < 2; round++) {
        flow_map flows = {.run = p};
        uint64_t before = p->rewrites;
        heed_status status = sweep(p, &flows);
        flow_map_free(&flows);
        TRY(status);
        if (p->rewrites == before)
            return HEED_OK;
        TRY(pass_infer.run(p));
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    static const char *const asks[] = {"ReduceMax", "Gather", "GatherND", "RotaryEmbedding",
                                       "Range"};
    bool any = false;
    for (const ir_node *n = p->model->main->first; n; n = n->next)
        for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++)
            any = any || pass_is(n, asks[i]);
    return p->options->paging && any && !dim_known(paging_tokens(p)) ? rewrite(p) : HEED_OK;
}

const pass_def pass_last_place = {
    .name = "last_place",
    .purpose = "the last token's place is known from their number",
    .order = 51,
    .required = true,
    .run = run,
};
