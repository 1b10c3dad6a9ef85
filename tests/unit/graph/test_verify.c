/* Each invariant of core/README.md, broken once in a graph that is right, is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/ir.h"
#include "ops/op.h"

static ir_model *m;
static ir_value *x, *w, *y, *z;
static ir_node *neg, *branch, *add, *inner;
static ir_graph *body;

static ir_node *make(ir_graph *g, const char *op, uint32_t n, ir_value *const *in)
{
    ir_node *node = ir_node_new(g, NULL, op_find("", op), op, n, in, 1, NULL);
    assert_non_null(node);
    return node;
}

static void set_outputs(ir_graph *g, ir_value *v)
{
    g->outputs = arena_array(&m->memory, 1, sizeof(*g->outputs));
    assert_non_null(g->outputs);
    g->outputs[0] = v;
    g->n_outputs = 1;
    v->n_outputs++;
}

/* y = Neg(x); If(x) {inner = Neg(y)}; z = Add(y, w) */
static int build(void **state)
{
    (void)state;
    heed_tensor *t;
    m = ir_model_new();
    if (!m || tensor_new(HEED_FLOAT32, 1, (int64_t[]){2}, &t))
        return -1;
    x = ir_value_new(m->main, "x");
    x->is_input = true;
    m->main->inputs = arena_array(&m->memory, 1, sizeof(*m->main->inputs));
    m->main->inputs[0] = x;
    m->main->n_inputs = 1;
    w = ir_constant_new(m->main, "w", t);
    neg = make(m->main, "Neg", 1, &x);
    y = neg->out[0];
    branch = make(m->main, "If", 1, &x);
    body = ir_graph_new(m, m->main, "body");
    heed_attribute attr = {.size = sizeof(attr), .type = HEED_ATTR_GRAPH, .name = "then_branch"};
    if (ir_node_set_attr(branch, &attr, body))
        return -1;
    inner = make(body, "Neg", 1, &y);
    set_outputs(body, inner->out[0]);
    add = make(m->main, "Add", 2, (ir_value *const[]){y, w});
    z = add->out[0];
    set_outputs(m->main, z);
    return ir_verify(m) == HEED_OK ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    ir_model_free(m);
    return 0;
}

static void found(int number, const char *what)
{
    char text[32];
    snprintf(text, sizeof(text), "invariant (%d)", number);
    assert_int_equal(ir_verify(m), HEED_INTERNAL);
    if (!strstr(err_get()->message, text) || !strstr(err_get()->message, what))
        fail_msg("not (%d) %s: %s", number, what, err_get()->message);
}

/* ---- (1) One producer, which stands before --------------------------------------------------- */

static void produced_by_nothing(void **state)
{
    (void)state;
    x->is_input = false;
    found(1, "before it is produced");
}

static void produced_later(void **state)
{
    (void)state;
    ir_node_set_input(neg, 0, z);
    found(1, "before it is produced");
}

static void two_producers(void **state)
{
    (void)state;
    add->out[0] = y;
    found(1, "another producer");
}

static void an_output_of_a_body_is_produced_later(void **state)
{
    (void)state;
    inner->out[0]->n_outputs--;
    body->outputs[0] = z;
    z->n_outputs++;
    found(1, "a graph output is read before");
}

/* ---- (2) Uses ---------------------------------------------------------------------------------
 */

static void a_reading_that_is_not_listed(void **state)
{
    (void)state;
    add->in[0].value = x;
    found(2, "not in the list");
}

static void a_listed_reading_that_is_none(void **state)
{
    (void)state;
    ir_use stray = {.node = add, .value = w, .next = w->uses};
    w->uses = &stray;
    found(2, "no input of a node");
}

/* ---- (3) Nodes --------------------------------------------------------------------------------
 */

static void not_linked_back(void **state)
{
    (void)state;
    add->previous = neg;
    found(3, "linked both ways");
}

static void another_last(void **state)
{
    (void)state;
    m->main->last = neg;
    found(3, "linked both ways");
}

static void of_another_graph(void **state)
{
    (void)state;
    add->graph = body;
    found(3, "linked both ways");
}

static void miscounted(void **state)
{
    (void)state;
    m->main->n_nodes++;
    found(3, "number of nodes");
}

/* ---- (4) Visibility, (5) nesting ----------------------------------------------------------------
 */

static void read_from_outside(void **state)
{
    (void)state;
    ir_node_set_input(add, 0, inner->out[0]);
    found(4, "not visible");
}

static void another_owner(void **state)
{
    (void)state;
    body->owner = add;
    found(5, "another owner");
}

static void nested_in_itself(void **state)
{
    (void)state;
    body->parent = body;
    found(5, "another owner");
}

/* ---- (6) Outputs, (8) contents ------------------------------------------------------------------
 */

static void an_output_inside(void **state)
{
    (void)state;
    z->n_outputs--;
    m->main->outputs[0] = inner->out[0];
    inner->out[0]->n_outputs++;
    found(6, "not a visible value");
}

static void no_output(void **state)
{
    (void)state;
    m->main->outputs[0] = NULL;
    found(6, "not a visible value");
}

static void miscounted_outputs(void **state)
{
    (void)state;
    y->n_outputs++;
    found(6, "than it counts");
}

static void content_of_another_type(void **state)
{
    (void)state;
    w->type.dtype = HEED_INT32;
    found(8, "another type");
}

static void content_of_another_shape(void **state)
{
    (void)state;
    ir_dim three = 3;
    w->type.dims = &three;
    found(8, "another type");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(produced_by_nothing),
        TEST(produced_later),
        TEST(two_producers),
        TEST(an_output_of_a_body_is_produced_later),
        TEST(a_reading_that_is_not_listed),
        TEST(a_listed_reading_that_is_none),
        TEST(not_linked_back),
        TEST(another_last),
        TEST(of_another_graph),
        TEST(miscounted),
        TEST(read_from_outside),
        TEST(another_owner),
        TEST(nested_in_itself),
        TEST(an_output_inside),
        TEST(no_output),
        TEST(miscounted_outputs),
        TEST(content_of_another_type),
        TEST(content_of_another_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
