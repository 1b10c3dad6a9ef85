/* contraction.c - see contraction.h. */
#include "passes/axes/contraction.h"

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

static bool take_ranks(contraction *c, ir_value *a, ir_value *b)
{
    ir_value *in[] = {a, b};
    for (uint32_t i = 0; i < 2; i++) {
        if (!in[i] || in[i]->type.rank < 0)
            return false;
        c->in[i].value = in[i];
        c->in[i].rank = in[i]->type.rank;
    }
    return true;
}

/* Labels 0..: batch axes from the right, then rows, columns, and the sum. */
enum { LABEL_ROW = 100, LABEL_COLUMN, LABEL_SUM };

/* A vector has no rows, or no columns. */
static bool read_matmul(const ir_node *n, contraction *c)
{
    int32_t o = 0, batch = c->out.rank;
    (void)n;
    for (uint32_t i = 0; i < 2; i++) {
        int32_t rank = c->in[i].rank;
        if (rank < 1)
            return false;
        batch -= rank > 1;
        for (int32_t k = 0; k < rank; k++)
            c->in[i].label[k] = (uint8_t)(rank - 1 - k);
        if (rank > 1)
            c->in[i].label[i ? rank - 1 : rank - 2] = i ? LABEL_COLUMN : LABEL_ROW;
        c->in[i].label[i && rank > 1 ? rank - 2 : rank - 1] = LABEL_SUM;
    }
    for (; o < batch; o++)
        c->out.label[o] = (uint8_t)(batch + 1 - o);
    if (c->in[0].rank > 1)
        c->out.label[o++] = LABEL_ROW;
    if (c->in[1].rank > 1)
        c->out.label[o++] = LABEL_COLUMN;
    return o == c->out.rank;
}

static bool read_gemm(const ir_node *n, contraction *c)
{
    bool turned[] = {ir_attr_int(n, "transA", 0) != 0, ir_attr_int(n, "transB", 0) != 0};
    c->beta = ir_attr_float(n, "beta", 1);
    c->added = c->beta != 0 ? ir_input(n, 2) : NULL;
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

uint32_t contraction_reduced(const ir_node *n, int32_t rank)
{
    const ir_value *which = ir_input(n, 1);
    uint64_t count = 0;
    const int64_t *list = ir_attr_ints(n, "axes", &count);
    uint32_t bits = 0;
    if (which)
        count = pass_constant(which) ? (uint64_t)tensor_count(which->constant) : 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t axis = which ? tensor_get_int(which->constant, (int64_t)i) : list[i];
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank)
            return 0;
        bits |= 1u << axis;
    }
    return bits;
}

/* An axis that is summed must be one of both factors, with one extent. */
static bool is_in_both(const contraction *c, int32_t from_end)
{
    ir_dim extent[2];
    for (uint32_t i = 0; i < 2; i++) {
        int32_t k = c->in[i].rank - 1 - from_end;
        extent[i] = k < 0 ? 1 : c->in[i].value->type.dims[k];
    }
    return extent[0] == extent[1] && extent[0] != DIM_UNKNOWN;
}

/* ReduceSum(Mul(a, b)), when nobody else reads the product of each pair. */
static bool read_sum(const ir_node *n, contraction *c)
{
    const ir_node *mul = ir_input(n, 0) ? ir_input(n, 0)->producer : NULL;
    int32_t rank = ir_input(n, 0) ? ir_input(n, 0)->type.rank : -1, o = 0;
    bool keeps = ir_attr_int(n, "keepdims", 1) != 0;
    uint32_t reduced = rank > 0 && rank <= 32 ? contraction_reduced(n, rank) : 0;
    if (!reduced || !pass_is(mul, "Mul") || ir_input(n, 0)->n_outputs ||
        ir_input(n, 0)->uses->next || !take_ranks(c, ir_input(mul, 0), ir_input(mul, 1)))
        return false;
    for (int32_t k = 0; k < rank; k++) {
        bool sums = reduced >> k & 1;
        if (sums && !is_in_both(c, rank - 1 - k))
            return false;
        if (!sums || keeps)
            c->out.label[o++] = sums ? LABEL_ONE : (uint8_t)(rank - 1 - k);
    }
    for (uint32_t i = 0; i < 2; i++)
        for (int32_t k = 0; k < c->in[i].rank; k++)
            c->in[i].label[k] = (uint8_t)(c->in[i].rank - 1 - k);
    return o == c->out.rank;
}

bool contraction_read(const ir_node *n, arena *scratch, contraction *c)
{
    bool good;
    if (!n || n->n_in < 1 || !ir_output(n, 0) || n->out[0]->type.rank < 0)
        return false;
    *c = (contraction){.alpha = 1, .out = {.value = n->out[0], .rank = n->out[0]->type.rank}};
    if (pass_is(n, "ReduceSum"))
        good = read_sum(n, c);
    else if (n->n_in < 2 || !take_ranks(c, ir_input(n, 0), ir_input(n, 1)))
        good = false;
    else if (pass_is(n, "MatMul"))
        good = read_matmul(n, c);
    else if (pass_is(n, "Gemm"))
        good = read_gemm(n, c);
    else
        good = pass_is(n, "Einsum") && n->n_in == 2 && read_einsum(n, scratch, c);
    if (good)
        mark_repeated(c);
    return good;
}

ir_node *contraction_reader(const ir_use *u, arena *scratch, contraction *c)
{
    ir_node *n = u->node;
    if (pass_is(n, "Mul")) {
        n = n->out[0]->uses ? n->out[0]->uses->node : NULL;
        return pass_is(n, "ReduceSum") && contraction_read(n, scratch, c) ? n : NULL;
    }
    return !pass_is(n, "ReduceSum") && contraction_read(n, scratch, c) ? n : NULL;
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
