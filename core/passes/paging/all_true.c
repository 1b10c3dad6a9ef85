/* all_true.c - pass: a list of places that must be all places.
 *
 * before: at [1, L] = NonZero(wanted [4]); a, b, c, d [1, 1] = Split(Transpose(at), axis 0)
 * after:  at [1, 4] = 0, 1, 2, 3
 *
 * Only for paging. Exporters unroll a loop over the experts that some token wants: for as many as
 * the example wanted. Where that is all of them, the file runs only when all are wanted, and then
 * the list is known. With it each token's row goes its own way, whoever wants the other experts. */
#include "passes/paging/paging.h"

extern const pass_def pass_infer;

/* The axis along which places follow each other, through Transpose. */
static bool is_split_whole(const ir_value *places, int64_t n)
{
    for (const ir_use *use = places->uses; use; use = use->next) {
        const ir_node *reader = use->node;
        if (pass_is(reader, "Transpose") && is_split_whole(reader->out[0], n))
            return true;
        if (!pass_is(reader, "Split") || use->slot != 0)
            continue;
        int64_t axis = ir_attr_int(reader, "axis", 0), sum = 0;
        for (uint32_t o = 0; o < reader->n_out; o++) {
            const ir_type *type = reader->out[o] ? &reader->out[o]->type : NULL;
            int32_t k = type ? (int32_t)(axis < 0 ? axis + type->rank : axis) : -1;
            bool known = type && k >= 0 && k < type->rank && dim_known(type->dims[k]) &&
                         !dim_known(places->type.dims[k]);
            sum = known && sum >= 0 ? sum + type->dims[k] : -1;
        }
        if (sum == n)
            return true;
    }
    return false;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    const ir_type *of = n->n_in > 0 && n->in[0].value ? &n->in[0].value->type : NULL;
    if (!pass_is(n, "NonZero") || of->rank != 1 || !dim_known(of->dims[0]) || of->dims[0] < 1 ||
        n->out[0]->type.rank != 2 || !is_split_whole(n->out[0], of->dims[0]))
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *all = body_unsqueeze(&b, body_range(&b, body_int(&b, of->dims[0])), "0");
    p->rewrites++;
    return b.status ? b.status : pass_bypass(p, n, all); /* an extent that was not known */
}

static heed_status run(pass_run *p)
{
    uint64_t before = p->rewrites;
    if (!p->options->paging)
        return HEED_OK;
    TRY(pass_each_node(p, visit));
    return p->rewrites > before ? pass_infer.run(p) : HEED_OK;
}

const pass_def pass_all_true = {
    .name = "all_true",
    .purpose = "lists of places that must be all places are known",
    .order = 53,
    .required = true,
    .run = run,
};
