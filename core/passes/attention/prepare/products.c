/* products.c - pass: a product of several tensors becomes products of two.
 *
 * before: y = Einsum("bhst,bhtd,hde->bse", p, v, w)
 * after:  y = Einsum("bhsd,hde->bse", Einsum("bhst,bhtd->bhsd", p, v), w)
 *
 * Attention is looked for between products of two tensors. The order is that of the operands,
 * unless another one is much cheaper: extents that nobody knows count as a few. */
#include <string.h>

#include "ops/equation.h"
#include "passes/pass.h"

enum { MOST = 8, A_FEW = 16, LETTERS = 52 };

typedef struct operand {
    ir_value *value;
    uint64_t labels;
    equation_term term;
} operand;

typedef struct chain {
    operand in[MOST];
    uint32_t n;
    equation_term out;
    uint64_t wanted; /* labels of the result */
    double extents[LETTERS];
} chain;

static uint64_t bit(uint8_t label) { return (uint64_t)1 << label; }

/* Labels that some operand has, but for these two, or that the result has. */
static uint64_t needed(const chain *c, uint32_t i, uint32_t k)
{
    uint64_t labels = c->wanted;
    for (uint32_t o = 0; o < c->n; o++)
        labels |= o == i || o == k ? 0 : c->in[o].labels;
    return labels;
}

static double cost_of(const chain *c, uint64_t labels)
{
    double cost = 1;
    for (uint8_t label = 0; label < LETTERS; label++)
        cost *= labels & bit(label) ? c->extents[label] : 1;
    return cost;
}

/* Of multiplying the two first, and of what is left when that is one product. */
static double cost_of_pair(const chain *c, uint32_t i, uint32_t k)
{
    uint64_t both = c->in[i].labels | c->in[k].labels;
    double cost = cost_of(c, both);
    for (uint32_t o = 0; o < c->n && c->n == 3; o++)
        if (o != i && o != k)
            cost += cost_of(c, (both & needed(c, i, k)) | c->in[o].labels);
    return cost;
}

static void write_term(const equation_term *t, char *text, size_t *n)
{
    for (int32_t i = 0; i < t->rank; i++)
        text[(*n)++] = (char)(t->labels[i] < 26 ? 'A' + t->labels[i] : 'a' + t->labels[i] - 26);
}

static equation_term join(const chain *c, uint32_t i, uint32_t k)
{
    equation_term out = {.rank = 0};
    uint64_t left = (c->in[i].labels | c->in[k].labels) & needed(c, i, k);
    const equation_term *terms[] = {&c->in[i].term, &c->in[k].term};
    for (uint32_t t = 0; t < 2; t++)
        for (int32_t a = 0; a < terms[t]->rank; a++) {
            uint8_t label = terms[t]->labels[a];
            if ((left & bit(label)) && out.rank < TENSOR_MAX_RANK)
                out.labels[out.rank++] = label;
            left &= ~bit(label);
        }
    return out;
}

/* Operand i becomes its product with operand k, which goes. */
static void multiply(chain *c, op_body *b, uint32_t i, uint32_t k)
{
    char text[4 * TENSOR_MAX_RANK];
    size_t n = 0;
    equation_term out = c->n == 2 ? c->out : join(c, i, k);
    write_term(&c->in[i].term, text, &n);
    text[n++] = ',';
    write_term(&c->in[k].term, text, &n);
    text[n++] = '-';
    text[n++] = '>';
    write_term(&out, text, &n);
    text[n] = 0;
    c->in[i].value = body_2(b, c->in[i].value, c->in[k].value, "Einsum equation=%s", text);
    c->in[i].labels = c->n == 2 ? c->wanted : (c->in[i].labels | c->in[k].labels) & needed(c, i, k);
    c->in[i].term = out;
    memmove(&c->in[k], &c->in[k + 1], (--c->n - k) * sizeof(*c->in));
}

static ir_value *multiply_all(chain *c, op_body *b)
{
    while (c->n > 1) {
        uint32_t first = 0, second = 1;
        double least = cost_of_pair(c, 0, 1) / 2;
        for (uint32_t i = 0; i < c->n; i++)
            for (uint32_t k = i + 1; k < c->n; k++)
                if (cost_of_pair(c, i, k) < least) {
                    least = cost_of_pair(c, i, k);
                    first = i;
                    second = k;
                }
        multiply(c, b, first, second);
    }
    return c->in[0].value;
}

/* No letter twice in a term, and no ellipsis. */
static bool read_labels(const equation_term *term, uint64_t *labels)
{
    *labels = 0;
    for (int32_t i = 0; i < term->rank; i++) {
        if (term->labels[i] >= LETTERS || (*labels & bit(term->labels[i])))
            return false;
        *labels |= bit(term->labels[i]);
    }
    return true;
}

static bool read_chain(const pass_run *p, const ir_node *n, chain *c)
{
    equation e;
    int32_t ranks[MOST];
    if (!pass_is(n, "Einsum") || n->n_in < 3 || n->n_in > MOST)
        return false;
    *c = (chain){.n = n->n_in};
    for (uint32_t i = 0; i < c->n; i++) {
        c->in[i].value = ir_input(n, i);
        ranks[i] = c->in[i].value->type.rank;
        if (ranks[i] < 0)
            return false;
    }
    if (equation_read(ir_attr_string(n, "equation", ""), c->n, ranks, p->scratch, &e) ||
        !read_labels(&e.out, &c->wanted))
        return false;
    c->out = e.out;
    for (uint32_t i = 0; i < c->n; i++) {
        c->in[i].term = e.terms[i];
        if (!read_labels(&e.terms[i], &c->in[i].labels))
            return false;
        for (int32_t k = 0; k < e.terms[i].rank; k++) {
            ir_dim extent = c->in[i].value->type.dims[k];
            c->extents[e.terms[i].labels[k]] = dim_known(extent) ? (double)extent : A_FEW;
        }
    }
    return true;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    chain c;
    op_body b = pass_body(p, n);
    return read_chain(p, n, &c) ? pass_settle(p, n, &b, multiply_all(&c, &b)) : HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_products = {
    .name = "products",
    .purpose = "products of several tensors become products of two",
    .order = 54,
    .run = run,
};
