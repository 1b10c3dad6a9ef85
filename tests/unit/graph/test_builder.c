/* What importers say becomes a graph: elements in any order, captures of nested graphs, and a
 * message that names the element for everything that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/builder.h"
#include "ops/op.h"

static const ir_resolver resolver = {op_find, op_check_node};
static ir_builder *builder;
static heed_builder *b;
static ir_model *model;

static int open_builder(void **state)
{
    (void)state;
    builder = ir_builder_new(&resolver);
    b = builder ? ir_builder_table(builder) : NULL;
    model = NULL;
    return b ? 0 : -1;
}

static int close_builder(void **state)
{
    (void)state;
    ir_builder_free(builder);
    ir_model_free(model);
    return 0;
}

static void message_has(const char *what)
{
    if (!strstr(err_get()->message, what))
        fail_msg("\"%s\" is not in \"%s\"", what, err_get()->message);
}

/* ---- Saying things ---------------------------------------------------------------------------
 */

static heed_status input(uint64_t graph, const char *name)
{
    heed_type type = {.size = sizeof(type), .dtype = HEED_FLOAT32, .ndim = -1};
    return b->input(b, graph, name, &type, NULL);
}

static heed_status output(uint64_t graph, const char *name)
{
    return b->output(b, graph, name, NULL, &(heed_origin){"graph.output[0]", 77});
}

static heed_status tensor(uint64_t graph, const char *name)
{
    float value = 2;
    DLTensor t = {.data = &value, .device = {kDLCPU, 0}, .dtype = {kDLFloat, 32, 1}};
    return b->tensor(b, graph, name, &t, 0, NULL);
}

/* "Add x,y z": one output; `attr` may be NULL. */
static heed_status node_with(uint64_t graph, const char *text, const heed_attribute *const *attrs,
                             uint32_t n_attrs)
{
    char op[32], inputs[128], out[32], *save;
    const char *in[8] = {0}, *outs[] = {out};
    uint32_t n = 0;
    assert_int_equal(sscanf(text, "%31s %127s %31s", op, inputs, out), 3);
    for (char *name = strtok_r(inputs, ",", &save); name; name = strtok_r(NULL, ",", &save))
        in[n++] = strcmp(name, "-") ? name : "";
    heed_node_def def = {.size = sizeof(def),
                         .domain = "",
                         .op = op,
                         .name = out,
                         .n_in = n,
                         .n_out = 1,
                         .n_attrs = n_attrs,
                         .in = in,
                         .out = outs,
                         .attrs = attrs,
                         .origin = {"graph.node[5]", 42}};
    return b->node(b, graph, &def);
}

static heed_status node(uint64_t graph, const char *text)
{
    return node_with(graph, text, NULL, 0);
}

static heed_status node_with_graphs(const char *text, uint64_t one, uint64_t two)
{
    heed_attribute then_branch = {
        .size = sizeof(then_branch), .type = HEED_ATTR_GRAPH, .name = "then_branch", .graph = one};
    heed_attribute else_branch = then_branch;
    else_branch.name = "else_branch";
    else_branch.graph = two;
    return node_with(0, text, (const heed_attribute *const[]){&then_branch, &else_branch}, 2);
}

static heed_status finish(void)
{
    heed_status status = ir_builder_finish(builder, &model);
    return status ? status : ir_verify(model);
}

#define MUST(call) assert_int_equal(call, HEED_OK)

/* ---- What works -------------------------------------------------------------------------------
 */

static void any_order(void **state)
{
    (void)state;
    MUST(output(0, "z"));
    MUST(node(0, "Mul y,w z"));
    MUST(node(0, "Add x,w y"));
    MUST(tensor(0, "w"));
    MUST(input(0, "x"));
    MUST(finish());
    assert_int_equal(model->main->n_nodes, 2);
    assert_string_equal(model->main->first->op->name, "Add");
    assert_string_equal(model->main->last->op->name, "Mul");
    assert_string_equal(model->main->output_names[0], "z");
    assert_ptr_equal(model->main->outputs[0]->producer, model->main->last);
    assert_ptr_equal(ir_input(model->main->last, 0)->producer, model->main->first);
}

static void a_constant_is_an_inputs_default(void **state)
{
    (void)state;
    MUST(tensor(0, "x"));
    MUST(input(0, "x"));
    MUST(input(0, "y"));
    MUST(tensor(0, "y"));
    MUST(node(0, "Add x,y z"));
    MUST(output(0, "z"));
    MUST(finish());
    assert_int_equal(model->main->n_inputs, 2);
    for (int i = 0; i < 2; i++)
        assert_true(model->main->inputs[i]->is_input && model->main->inputs[i]->constant);
}

/* The branches read x from around them; one has a value of the same name as one outside. */
static void nested_graphs_capture_and_shadow(void **state)
{
    (void)state;
    uint64_t one, two;
    MUST(b->graph(b, 0, "one", NULL, &one));
    MUST(b->graph(b, 0, "two", NULL, &two));
    MUST(node(one, "Neg x inner"));
    MUST(output(one, "inner"));
    MUST(node(two, "Abs late late2"));
    MUST(output(two, "late"));
    MUST(node_with_graphs("If c z", one, two));
    MUST(node(0, "Exp x inner"));
    MUST(node(0, "Sin x late")); /* stands after the If that reads it inside */
    MUST(input(0, "x"));
    MUST(input(0, "c"));
    MUST(output(0, "z"));
    MUST(output(0, "inner"));
    MUST(finish());
    ir_node *n = model->main->last;
    assert_string_equal(n->op->name, "If");
    ir_graph *body = ir_attr_graph(n, "then_branch");
    assert_ptr_equal(body->owner, n);
    assert_ptr_equal(body->parent, model->main);
    assert_ptr_equal(ir_input(body->first, 0), model->main->inputs[0]);
    assert_ptr_equal(body->outputs[0]->producer, body->first);
    assert_string_equal(model->main->outputs[1]->producer->op->name, "Exp");
}

/* A branch's output is a value outside that a later node makes. */
static void outputs_of_bodies_order_nodes(void **state)
{
    (void)state;
    uint64_t one, two;
    MUST(b->graph(b, 0, "one", NULL, &one));
    MUST(b->graph(b, 0, "two", NULL, &two));
    MUST(output(one, "late"));
    MUST(output(two, "x"));
    MUST(node_with_graphs("If c z", one, two));
    MUST(node(0, "Sin x late"));
    MUST(input(0, "x"));
    MUST(input(0, "c"));
    MUST(output(0, "z"));
    MUST(finish());
    assert_string_equal(model->main->first->op->name, "Sin");
    assert_string_equal(model->main->last->op->name, "If");
}

/* ---- What does not ----------------------------------------------------------------------------
 */

static void cycles(void **state)
{
    (void)state;
    MUST(input(0, "x"));
    MUST(node(0, "Neg x a"));
    MUST(node(0, "Add a,d c"));
    MUST(node(0, "Neg c d"));
    MUST(output(0, "d"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("graph.node[5] \"c\" at byte 42");
    message_has("waits for its own result");
}

static void a_body_that_waits_for_its_own_node(void **state)
{
    (void)state;
    uint64_t one, two, three, four;
    MUST(b->graph(b, 0, "one", NULL, &one));
    MUST(b->graph(b, 0, "two", NULL, &two));
    MUST(b->graph(b, one, "three", NULL, &three));
    MUST(b->graph(b, one, "four", NULL, &four));
    MUST(output(one, "x"));
    MUST(output(two, "z"));
    MUST(output(three, "z"));
    MUST(output(four, "x"));
    MUST(input(0, "x"));
    MUST(input(0, "c"));
    MUST(node_with_graphs("If c z", one, two));
    MUST(output(0, "z"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("waits for its own result");
}

static void names_that_nothing_defines(void **state)
{
    (void)state;
    MUST(input(0, "x"));
    MUST(node(0, "Add x,nope y"));
    MUST(output(0, "y"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("graph.node[5] \"y\" at byte 42");
    message_has("input 1 reads \"nope\"");
}

static void an_output_that_nothing_defines(void **state)
{
    (void)state;
    MUST(input(0, "x"));
    MUST(output(0, "y"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("graph.output[0] at byte 77");
    message_has("\"y\", which nothing defines");
}

/* A value of a nested graph is not seen outside. */
static void inner_names_stay_inside(void **state)
{
    (void)state;
    uint64_t one, two;
    MUST(b->graph(b, 0, "one", NULL, &one));
    MUST(b->graph(b, 0, "two", NULL, &two));
    MUST(node(one, "Neg x hidden"));
    MUST(output(one, "hidden"));
    MUST(output(two, "x"));
    MUST(input(0, "x"));
    MUST(input(0, "c"));
    MUST(node_with_graphs("If c z", one, two));
    MUST(node(0, "Neg hidden y"));
    MUST(output(0, "y"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("reads \"hidden\"");
}

static void second_definitions(void **state)
{
    (void)state;
    MUST(input(0, "x"));
    MUST(node(0, "Neg x y"));
    MUST(tensor(0, "w"));
    assert_int_equal(node(0, "Abs x y"), HEED_INVALID);
    message_has("graph.node[5] at byte 42");
    message_has("a second definition of \"y\"");
    assert_int_equal(input(0, "x"), HEED_INVALID);
    message_has("a second definition of \"x\"");
    assert_int_equal(tensor(0, "w"), HEED_INVALID);
    assert_int_equal(tensor(0, "y"), HEED_INVALID);
    assert_int_equal(input(0, "y"), HEED_INVALID);
    assert_int_equal(node(0, "Abs y x"), HEED_INVALID);
    assert_int_equal(node(0, "Abs y w"), HEED_INVALID);
}

static void nodes_that_cannot_be(void **state)
{
    (void)state;
    heed_attribute axis = {.size = sizeof(axis), .type = HEED_ATTR_INT, .name = "axis"};
    MUST(input(0, "x"));
    assert_int_equal(node(0, "Frobnicate x y"), HEED_UNSUPPORTED);
    message_has("operator ai.onnx.Frobnicate not supported");
    assert_false(b->knows(b, "", "Frobnicate"));
    assert_true(b->knows(b, "ai.onnx", "Add"));
    assert_int_equal(node_with(0, "Softmax x s", (const heed_attribute *const[]){&axis, &axis}, 2),
                     HEED_INVALID);
    message_has("\"axis\" twice");
    assert_int_equal(b->input(b, 0, "", NULL, &(heed_origin){"graph.input[1]", 9}), HEED_INVALID);
    message_has("graph.input[1] at byte 9");
}

static void nodes_that_break_their_schema(void **state)
{
    (void)state;
    MUST(input(0, "x"));
    MUST(node(0, "Add x,- y"));
    MUST(output(0, "y"));
    assert_int_equal(finish(), HEED_INVALID);
    message_has("graph.node[5] \"y\" at byte 42");
}

static void graphs_of_others(void **state)
{
    (void)state;
    uint64_t graph = 0, inner;
    MUST(input(0, "x"));
    assert_int_equal(node(7, "Neg x y"), HEED_USAGE);
    assert_int_equal(node_with_graphs("If x y", 0, 0), HEED_USAGE);
    MUST(b->graph(b, 0, "one", NULL, &inner));
    assert_int_equal(node_with_graphs("If x z", inner, inner), HEED_USAGE);
    heed_status status = HEED_OK;
    int depth = 0;
    for (; !status && depth < 200; depth++)
        status = b->graph(b, graph, "deeper", &(heed_origin){"graph.node[0]", 3}, &graph);
    assert_int_equal(status, HEED_UNSUPPORTED);
    assert_int_equal(depth, 64); /* the last was one too many */
    message_has("at most 63 graphs inside each other");
}

static void shapes_that_cannot_be(void **state)
{
    (void)state;
    int64_t dims[17] = {0};
    heed_type type = {.size = sizeof(type), .dtype = HEED_FLOAT32, .ndim = 17, .dims = dims};
    assert_int_equal(b->input(b, 0, "x", &type, NULL), HEED_UNSUPPORTED);
    message_has("17 dimensions");
    type.ndim = 1;
    dims[0] = INT64_MAX;
    assert_int_equal(b->input(b, 0, "y", &type, NULL), HEED_INVALID);
    message_has("at most 2^40");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_builder, close_builder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_order),
        TEST(a_constant_is_an_inputs_default),
        TEST(nested_graphs_capture_and_shadow),
        TEST(outputs_of_bodies_order_nodes),
        TEST(cycles),
        TEST(a_body_that_waits_for_its_own_node),
        TEST(names_that_nothing_defines),
        TEST(an_output_that_nothing_defines),
        TEST(inner_names_stay_inside),
        TEST(second_definitions),
        TEST(nodes_that_cannot_be),
        TEST(nodes_that_break_their_schema),
        TEST(graphs_of_others),
        TEST(shapes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
