/* Model-local functions: expanded with names of their own, or left alone when the runtime knows the
 * operator; and the ways in which a hostile model can use them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_record.h"
#include "onnx_write.h"

/* "name[:overload] in,in -> out,out | attr,attr | node | node ..." as a FunctionProto. */
static void write_list(onnx_message *m, uint32_t field, const char *text)
{
    char name[64];
    for (int used; sscanf(text, "%63[^,]%n", name, &used) == 1; text += used + (text[used] == ','))
        onnx_write_text(m, field, name);
}

static onnx_message function(const char *name, const char *overload, const char *in,
                             const char *out, const char *attrs, const char *const *nodes)
{
    onnx_message f = {0}, import = {0};
    onnx_write_text(&f, 1, name);
    onnx_write_text(&f, 10, "local");
    onnx_write_text(&f, 13, overload);
    write_list(&f, 4, in);
    write_list(&f, 5, out);
    write_list(&f, 6, attrs);
    for (; *nodes; nodes++) {
        onnx_message node = onnx_write_node(*nodes);
        onnx_write_part(&f, 7, &node);
    }
    onnx_write_int(&import, 2, 11);
    onnx_write_part(&f, 9, &import);
    return f;
}

typedef struct setup {
    const char *const *nodes; /* of the graph */
    onnx_message functions[4];
    const char *const *known;
} setup;

static heed_status load(onnx_record *r, setup *s)
{
    onnx_message graph = {0};
    for (const char *const *text = s->nodes; *text; text++) {
        onnx_message node = onnx_write_node(*text);
        onnx_write_part(&graph, 1, &node);
    }
    onnx_message model = onnx_write_model(&graph, 18);
    for (int i = 0; i < 4 && s->functions[i].size; i++)
        onnx_write_part(&model, 25, &s->functions[i]);
    onnx_record_open(r);
    r->known = s->known;
    heed_status status = onnx_record_load(r, model.bytes, model.size);
    onnx_write_free(&model);
    assert_int_equal(onnx_record_live, 0);
    return status;
}

static void expect(const onnx_record *r, const char *line)
{
    if (!onnx_record_has(r, line))
        fail_msg("missing: %s\nin:%s%s", line, r->text, r->error);
}

/* Inner names differ between calls, opset 11 inside is raised, the caller's opset 18 is not. */
static void test_expanded(void **state)
{
    onnx_record r;
    const char *const body[] = {"Squeeze(a) -> (t) axes=[0]", "Add(t, b) -> (u)", "Neg(u) -> (c)",
                                NULL};
    const char *const nodes[] = {"F(x, y) -> (z) local", "F(z, y) -> (w) local", NULL};
    setup s = {nodes, {function("F", "", "a,b", "c", "", body)}, NULL};
    (void)state;
    assert_int_equal(load(&r, &s), HEED_OK);
    expect(&r, "node 0 Add(t~1, y) -> (u~1)");
    expect(&r, "node 0 Neg(u~1) -> (z)");
    expect(&r, "node 0 Squeeze(x, t~1~2) -> (t~1)");
    expect(&r, "node 0 Neg(u~3) -> (w)");
    assert_int_equal(r.n_nodes, 6);
    onnx_record_close(&r);
}

static void test_known_is_left_alone(void **state)
{
    onnx_record r;
    const char *const body[] = {"Neg(a) -> (c)", NULL};
    const char *const nodes[] = {"F(x) -> (z) local", NULL};
    const char *const known[] = {"local.F", NULL};
    setup s = {nodes, {function("F", "", "a", "c", "", body)}, known};
    (void)state;
    assert_int_equal(load(&r, &s), HEED_OK);
    expect(&r, "node 0 local.F(x) -> (z)");
    onnx_record_close(&r);
}

/* A given attribute, one that is left out, and a default. */
static void test_attributes(void **state)
{
    onnx_record r;
    const char *const body[] = {"Elu(a) -> (t) alpha=@given", "Elu(t) -> (u) alpha=@absent",
                                "Elu(u) -> (c) alpha=@usual", NULL};
    const char *const nodes[] = {"F(x) -> (z) given=2.5 local", NULL};
    setup s = {nodes, {function("F", "", "a", "c", "given,absent", body)}, NULL};
    onnx_message usual = {0};
    (void)state;
    onnx_write_text(&usual, 1, "usual");
    onnx_write_float(&usual, 2, 0.25f);
    onnx_write_int(&usual, 20, 1);
    onnx_write_part(&s.functions[0], 11, &usual);
    assert_int_equal(load(&r, &s), HEED_OK);
    expect(&r, "node 0 Elu(x) -> (t~1) alpha=2.5");
    expect(&r, "node 0 Elu(t~1) -> (u~1)");
    expect(&r, "node 0 Elu(u~1) -> (z) alpha=0.25");
    onnx_record_close(&r);
}

/* Missing inputs, an output nobody asked for, an output that is an input, a function in another. */
static void test_edges(void **state)
{
    onnx_record r;
    const char *const outer[] = {"G(a, b) -> (t, c) local", "Neg(t) -> (e)", NULL};
    const char *const inner[] = {"Clip(p, q) -> (n)", NULL};
    const char *const nodes[] = {"F(x) -> (z, , w) local", NULL};
    setup s = {
        nodes,
        {function("F", "", "a,b", "c,e,a", "", outer), function("G", "", "p,q", "n,p", "", inner)},
        NULL};
    (void)state;
    assert_int_equal(load(&r, &s), HEED_OK);
    expect(&r, "node 0 Clip(x, ) -> (t~1)");
    expect(&r, "node 0 Identity(x) -> (z)");
    expect(&r, "node 0 Neg(t~1) -> (e~1)");
    expect(&r, "node 0 Identity(x) -> (w)");
    onnx_record_close(&r);
}

static void test_overloads(void **state)
{
    onnx_record r;
    const char *const one[] = {"Neg(a) -> (c)", NULL}, *const two[] = {"Abs(a) -> (c)", NULL};
    const char *const none[] = {NULL};
    setup s = {
        none, {function("F", "", "a", "c", "", one), function("F", "o", "a", "c", "", two)}, NULL};
    onnx_message graph = {0}, node = onnx_write_node("F(x) -> (z) local");
    (void)state;
    onnx_write_text(&node, 8, "o");
    onnx_write_part(&graph, 1, &node);
    onnx_message model = onnx_write_model(&graph, 18);
    onnx_write_part(&model, 25, &s.functions[0]);
    onnx_write_part(&model, 25, &s.functions[1]);
    onnx_record_open(&r);
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_OK);
    expect(&r, "node 0 Abs(x) -> (z)");
    onnx_record_close(&r);
    onnx_write_free(&model);
}

/* A graph inside a body: its names are renamed with the body's, captures stay connected. */
static void test_nested_graph(void **state)
{
    onnx_record r;
    const char *const none[] = {NULL}, *const nodes[] = {"F(x, k) -> (z) local", NULL};
    onnx_message f = function("F", "", "a,cond", "c", "", none), branch = {0}, attr = {0};
    onnx_message node = onnx_write_node("If(cond) -> (c)"),
                 add = onnx_write_node("Add(a, a) -> (r)");
    onnx_message out = onnx_write_value("r", 0, 0);
    (void)state;
    onnx_write_part(&branch, 1, &add);
    onnx_write_part(&branch, 12, &out);
    onnx_write_text(&attr, 1, "then_branch");
    onnx_write_part(&attr, 6, &branch);
    onnx_write_int(&attr, 20, 5);
    onnx_write_part(&node, 5, &attr);
    onnx_write_part(&f, 7, &node);
    setup s = {nodes, {f}, NULL};
    assert_int_equal(load(&r, &s), HEED_OK);
    expect(&r, "node 1 Add(x, x) -> (r~1)");
    expect(&r, "output 1 r~1 any()");
    expect(&r, "node 0 If(k) -> (z) then_branch=graph 1");
    onnx_record_close(&r);
}

static void test_refused(void **state)
{
    onnx_record r;
    const char *const self[] = {"F(a) -> (c) local", NULL}, *const other[] = {"G(a) -> (c) local",
                                                                              NULL};
    const char *const nodes[] = {"F(x) -> (z) local", NULL}, *const many[] = {
                                                                 "F(x, y) -> (z) local", NULL};
    setup direct = {nodes, {function("F", "", "a", "c", "", self)}, NULL};
    setup through = {
        nodes,
        {function("F", "", "a", "c", "", other), function("G", "", "a", "c", "", self)},
        NULL};
    setup twice = {nodes,
                   {function("F", "", "a", "c", "", other), function("F", "", "a", "c", "", other)},
                   NULL};
    setup inputs = {many, {function("F", "", "a", "c", "", other)}, NULL};
    setup *const all[] = {&direct, &through, &twice, &inputs};
    const char *const said[] = {"inside its own body", "inside its own body", "again",
                                "at most 1 inputs"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(load(&r, all[i]), HEED_INVALID);
        assert_non_null(strstr(r.error, said[i]));
        onnx_record_close(&r);
    }
}

/* Sixteen functions, each calling the next one four times: 4^16 nodes from a small file. */
static void test_explosion(void **state)
{
    onnx_record r;
    onnx_message graph = {0}, node = onnx_write_node("F0(x) -> (z) local");
    (void)state;
    onnx_write_part(&graph, 1, &node);
    onnx_message model = onnx_write_model(&graph, 18);
    for (int i = 0; i < 16; i++) {
        char name[16], calls[4][64];
        snprintf(name, sizeof(name), "F%d", i);
        for (int k = 0; k < 4; k++)
            snprintf(calls[k], sizeof(calls[k]), "F%d(a) -> (c%d) local", i + 1, k);
        const char *const body[] = {calls[0], calls[1], calls[2], calls[3], NULL};
        onnx_message f = function(name, "", "a", "c0", "", body);
        onnx_write_part(&model, 25, &f);
    }
    onnx_record_open(&r);
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_UNSUPPORTED);
    assert_non_null(strstr(r.error, "in proportion to the file"));
    onnx_record_close(&r);
    onnx_write_free(&model);
    assert_int_equal(onnx_record_live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expanded),   cmocka_unit_test(test_known_is_left_alone),
        cmocka_unit_test(test_attributes), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_overloads),  cmocka_unit_test(test_nested_graph),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_explosion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
