/* mask_walk.c - from a mask back to what it is made of. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask.h"

enum { MOST_STEPS = 1500, MOST_DEPTH = 64 };

void mask_init(mask *m, pass_run *p, const ir_dim extent[4])
{
    memset(m, 0, sizeof(*m));
    m->dims = p->model->dims;
    m->scratch = p->scratch;
    m->uniform = p->options->paging != NULL;
    axes_table_init(&m->table, m->dims);
    for (int k = 0; k < 4; k++) {
        axes_list list = axes_new(&m->table, extent[k]);
        m->extent[k] = extent[k];
        m->frame[k] = list.n ? list.atoms[0] : 0;
    }
    m->n_leaves = 1;              /* leaf 0 is none */
    mask_number(m, 0, HEED_BOOL); /* 1, see mask_at() */
}

/* ---- Axes ------------------------------------------------------------------------------------ */

bool mask_beside(mask *m, const ir_node *n, uint32_t i, const axes *at, axes *out)
{
    const ir_type *type = &n->in[i].value->type;
    *out = (axes){.rank = type->rank};
    if (type->rank < 0 || type->rank > at->rank)
        return false;
    for (int32_t k = 0; k < type->rank; k++) {
        int32_t place = at->rank - type->rank + k;
        ir_dim have = type->dims[k], want = n->out[0]->type.dims[place], both;
        if (have == 1)
            continue;
        out->axis[k] = at->axis[place];
        if (have == want)
            continue;
        /* a cut of it: the same extent wherever both broadcast */
        mask_affine index;
        if (!dims_broadcast(m->dims, have, want, &both) || both != want || dim_known(want) ||
            !mask_index_of(m, &at->axis[place], &index) ||
            !mask_axis(m, &index, have, &out->axis[k]))
            return false;
    }
    return true;
}

/* Two ways to say the same tensor: axes that no longer exist were cut in two. */
static bool is_whole(const mask *m)
{
    for (int k = 0; k < 4; k++)
        if (m->frame[k] && m->table.atoms[m->frame[k]].outer)
            return false;
    for (uint32_t i = 1; i < m->table.n; i++)
        if (m->meaning[i].known && m->table.atoms[i].outer)
            return false;
    return true;
}

static bool move(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    axes_table before = m->table;
    axes in;
    if (axes_up(&m->table, n, at, &in) && is_whole(m))
        return mask_walk(m, ir_input(n, 0), &in, out);
    m->table = before;
    return false;
}

/* ---- Values ---------------------------------------------------------------------------------- */

bool mask_opaque(mask *m, ir_value *v, const axes *at, mask_form *out)
{
    uint16_t leaf = mask_tensor(m, v, at);
    if (!leaf)
        return false;
    if (v->type.dtype != HEED_BOOL) {
        mask_one(m, leaf, out);
        return true;
    }
    uint16_t yes = mask_number(m, 1, HEED_BOOL), no = mask_number(m, 0, HEED_BOOL);
    return mask_ask(m, leaf, yes, no, out);
}

/* One whole number, known as an expression over extents. */
static bool read_content(mask *m, const ir_value *v, mask_form *out)
{
    if (!v->content || v->n_content != 1 || v->content[0] == DIM_UNKNOWN)
        return false;
    mask_affine index = mask_constant(v->content[0]);
    uint16_t leaf = mask_index(m, &index, v->type.dtype);
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

static bool read_node(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    return move(m, n, at, out) || mask_step(m, n, at, out) || mask_source(m, n, at, out) ||
           mask_pick(m, n, at, out);
}

static bool same_axes(const axes *a, const axes *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = axes_list_equal(&a->axis[i], &b->axis[i]);
    return same;
}

static bool recall(const mask *m, const ir_value *v, const axes *at, mask_form *out)
{
    for (uint32_t i = 0; i < m->n_memo; i++)
        if (m->memo[i].value == v && same_axes(&m->memo[i].at, at)) {
            *out = m->memo[i].form;
            return true;
        }
    return false;
}

static void remember(mask *m, const ir_value *v, const axes *at, const mask_form *form)
{
    if (m->n_memo == MASK_MEMO)
        return;
    m->memo[m->n_memo].value = v;
    m->memo[m->n_memo].at = *at;
    m->memo[m->n_memo++].form = *form;
}

/* Some leaf or atom that came since speaks of elements that the scores do not have. */
static bool is_foreign(const mask *m, const mask_form *form, uint32_t atoms_before)
{
    enum { ELSEWHERE = 1 << 4 };
    for (uint32_t c = 0; c < 1u << form->n; c++)
        if (form->leaf[c] && (mask_depends(m, form->leaf[c]) & ELSEWHERE))
            return true;
    for (uint32_t a = atoms_before; a < m->n_atoms; a++) {
        const mask_atom *atom = &m->atoms[a];
        if ((atom->position ? mask_index_depends(m, &atom->index) : mask_depends(m, atom->leaf)) &
            ELSEWHERE)
            return true;
    }
    return false;
}

/* What was found out on a way that led nowhere is forgotten. */
static void forget(mask *m, uint32_t atoms, uint32_t memo, uint32_t symbols)
{
    m->n_atoms = atoms;
    m->n_memo = memo;
    m->n_symbols = symbols;
}

/* The axes are the scores' own. */
static bool in_frame(const mask *m, const axes *at)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < at->axis[i].n; k++)
            if (m->meaning[at->axis[i].atoms[k]].known)
                return false;
    return true;
}

static bool knows_axes(const mask *m, const axes *at)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < at->axis[i].n; k++) {
            uint8_t atom = at->axis[i].atoms[k];
            bool frame = false;
            for (int f = 0; f < 4; f++)
                frame |= m->frame[f] == atom;
            if (!frame && !m->meaning[atom].known)
                return false;
        }
    return true;
}

bool mask_walk(mask *m, ir_value *v, const axes *at, mask_form *out)
{
    uint32_t atoms = m->n_atoms, memo = m->n_memo, symbols = m->n_symbols;
    if (v->type.kind != HEED_KIND_TENSOR || v->type.rank != at->rank)
        return false;
    if (recall(m, v, at, out))
        return true;
    bool deep = m->steps++ > MOST_STEPS || m->depth > MOST_DEPTH || !knows_axes(m, at);
    m->depth++;
    bool known = !deep && (read_content(m, v, out) || (m->uniform && mask_uniform(m, v, at, out)) ||
                           (v->producer ? read_node(m, v->producer, at, out)
                                        : pass_constant(v) && mask_table(m, v, at, out)));
    m->depth--;
    if (!known || (in_frame(m, at) && is_foreign(m, out, atoms))) {
        forget(m, atoms, memo, symbols);
        known = mask_opaque(m, v, at, out);
    }
    if (known)
        remember(m, v, at, out);
    return known;
}
