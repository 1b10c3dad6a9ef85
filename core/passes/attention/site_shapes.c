/* site_shapes.c - shapes of what a site replaces.
 *
 * before: n = Shape(Softmax(..)), read behind the products      after: n = Concat(extents)
 *
 * Exporters ask a tensor for its shape where they could ask its operands. Such a reader would keep
 * the scores alive; it needs none of their elements, and the extents stand elsewhere. So do those
 * of what stands between the products and the softmax. Separate from site_emit.c because these
 * readers stand before the fused node. */
#include "passes/attention/site.h"

void site_note_shape(site *s, ir_value *v, const axes *at)
{
    for (const ir_use *u = v->uses; u && s->n_shapes < SITE_SHAPES; u = u->next)
        if (pass_is(u->node, "Shape")) {
            s->shapes[s->n_shapes++] = (site_operand){v, *at};
            return;
        }
}

/* Shape has bounds of its own. */
static ir_value *bounded(op_body *b, const ir_node *n, ir_value *shape)
{
    int64_t start = ir_attr_int(n, "start", 0), end = ir_attr_int(n, "end", INT64_MAX);
    if (start == 0 && end == INT64_MAX)
        return shape;
    return body_slice(b, shape, 0, body_ints(b, 1, &start), body_ints(b, 1, &end));
}

/* The operands that are there when the node asks. */
static uint32_t find_near(const site *s, const ir_node *n, ir_value *near[3])
{
    ir_value *all[] = {s->q.value, s->k.value, s->v.value};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        const ir_node *m = n;
        while (m && m != all[i]->producer)
            m = m->previous;
        if (m || !all[i]->producer)
            near[count++] = all[i];
    }
    return count;
}

static heed_status replace(site *s, pass_run *p, ir_node *n, const axes *at)
{
    ir_value *near[3];
    axes_witness w = {near, find_near(s, n, near)};
    op_body b = pass_body(p, n);
    ir_value *shape = axes_shape(&b, &s->table, *at, &w);
    shape = shape ? bounded(&b, n, shape) : NULL;
    if (b.status == HEED_NOMEM)
        return HEED_NOMEM;
    if (!shape || b.status) { /* it stays, and so do the scores */
        pass_undo(&b);
        err_clear();
        return HEED_OK;
    }
    ir_value_replace(n->out[0], shape);
    return HEED_OK;
}

heed_status site_emit_shapes(site *s, pass_run *p)
{
    for (uint32_t i = 0; i < s->n_shapes; i++) {
        ir_value *v = s->shapes[i].value;
        for (ir_use *next, *u = v->uses; u; u = next) {
            next = u->next;
            if (pass_is(u->node, "Shape"))
                TRY(replace(s, p, u->node, &s->shapes[i].at));
        }
    }
    return HEED_OK;
}
