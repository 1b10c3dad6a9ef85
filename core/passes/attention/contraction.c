/* contraction.c - see contraction.h. */
#include "passes/attention/contraction.h"

#include <string.h>

#include "ops/equation.h"
#include "passes/pass.h"

enum { LABELS = 128 };

/* An operand's axis of extent 1 stands for none of the result's, which is longer. */
static void mark_repeated(contraction *c)
{
    for (uint32_t i = 0; i < 2; i++)
        for (int32_t k = 0; k < c->in[i].rank; k++)
            for (int32_t o = 0; o < c->out.rank; o++)
                if (c->out.label[o] == c->in[i].label[k] && c->in[i].value->type.dims[k] == 1 &&
                    c->out.value->type.dims[o] != 1)
                    c->in[i].label[k] = LABEL_ONE;
}

/* Labels 0..: batch axes from the right, then rows, columns, and the sum. */
enum { LABEL_ROW = 100, LABEL_COLUMN, LABEL_SUM };

static bool read_matmul(const ir_node *n, contraction *c)
{
    (void)n;
    for (uint32_t i = 0; i < 2; i++) {
        if (c->in[i].rank < 2)
            return false;
        for (int32_t k = 0; k < c->in[i].rank; k++)
            c->in[i].label[k] = (uint8_t)(c->in[i].rank - 1 - k);
    }
    for (int32_t k = 0; k < c->out.rank; k++)
        c->out.label[k] = (uint8_t)(c->out.rank - 1 - k);
    c->in[0].label[c->in[0].rank - 2] = c->out.label[c->out.rank - 2] = LABEL_ROW;
    c->in[1].label[c->in[1].rank - 1] = c->out.label[c->out.rank - 1] = LABEL_COLUMN;
    c->in[0].label[c->in[0].rank - 1] = c->in[1].label[c->in[1].rank - 2] = LABEL_SUM;
    return true;
}

static bool read_gemm(const ir_node *n, contraction *c)
{
    bool turned[] = {ir_attr_int(n, "transA", 0) != 0, ir_attr_int(n, "transB", 0) != 0};
    if (ir_input(n, 2) && ir_attr_float(n, "beta", 1) != 0)
        return false; /* something is added */
    c->alpha = ir_attr_float(n, "alpha", 1);
    c->in[0].label[turned[0]] = c->out.label[0] = LABEL_ROW;
    c->in[1].label[!turned[1]] = c->out.label[1] = LABEL_COLUMN;
    c->in[0].label[!turned[0]] = c->in[1].label[turned[1]] = LABEL_SUM;
    return true;
}

static bool copy_term(const equation_term *from, contraction_term *to)
{
    memcpy(to->label, from->labels, (size_t)from->rank);
    for (int32_t i = 0; i < from->rank; i++)
        for (int32_t k = 0; k < i; k++)
            if (from->labels[i] == from->labels[k])
                return false; /* a diagonal */
    return from->rank == to->rank;
}

static bool read_einsum(const ir_node *n, arena *scratch, contraction *c)
{
    equation e;
    const int32_t ranks[] = {c->in[0].rank, c->in[1].rank};
    if (equation_read(ir_attr_string(n, "equation", ""), 2, ranks, scratch, &e))
        return false;
    return copy_term(&e.terms[0], &c->in[0]) && copy_term(&e.terms[1], &c->in[1]) &&
           copy_term(&e.out, &c->out);
}

bool contraction_read(const ir_node *n, arena *scratch, contraction *c)
{
    bool good;
    if (!n || n->n_in < 2 || !ir_input(n, 0) || !ir_input(n, 1) || !ir_output(n, 0))
        return false;
    *c = (contraction){.alpha = 1};
    c->out.value = n->out[0];
    c->in[0].value = ir_input(n, 0);
    c->in[1].value = ir_input(n, 1);
    contraction_term *terms[] = {&c->in[0], &c->in[1], &c->out};
    for (size_t i = 0; i < 3; i++) {
        terms[i]->rank = terms[i]->value->type.rank;
        if (terms[i]->rank < 0)
            return false;
    }
    if (pass_is(n, "MatMul"))
        good = read_matmul(n, c);
    else if (pass_is(n, "Gemm"))
        good = read_gemm(n, c);
    else
        good = pass_is(n, "Einsum") && n->n_in == 2 && read_einsum(n, scratch, c);
    if (good)
        mark_repeated(c);
    return good;
}

/* ---- Axes ------------------------------------------------------------------------------------ */

typedef struct labels {
    axes_list list[LABELS];
    bool known[LABELS];
} labels;

static void learn(labels *l, const contraction_term *term, const axes *a)
{
    for (int32_t i = 0; i < term->rank; i++)
        if (term->label[i] != LABEL_ONE) {
            l->list[term->label[i]] = a->axis[i];
            l->known[term->label[i]] = true;
        }
}

static void tell(axes_table *t, labels *l, const contraction_term *term, axes *a)
{
    *a = (axes){.rank = term->rank};
    for (int32_t i = 0; i < term->rank; i++) {
        uint8_t label = term->label[i];
        if (label == LABEL_ONE)
            continue;
        if (!l->known[label])
            l->list[label] = axes_new(t, term->value->type.dims[i]);
        else
            axes_name(t, &l->list[label], term->value->type.dims[i]);
        l->known[label] = true;
        a->axis[i] = l->list[label];
    }
}

bool contraction_up(axes_table *t, const contraction *c, const axes *out, axes in[2])
{
    labels l = {.known = {false}};
    learn(&l, &c->out, out);
    tell(t, &l, &c->in[0], &in[0]);
    tell(t, &l, &c->in[1], &in[1]);
    return !t->failed;
}

bool contraction_down(axes_table *t, const contraction *c, uint32_t i, const axes *in, axes *other,
                      axes *out)
{
    labels l = {.known = {false}};
    learn(&l, &c->in[i], in);
    tell(t, &l, &c->in[1 - i], other);
    tell(t, &l, &c->out, out);
    return !t->failed;
}
