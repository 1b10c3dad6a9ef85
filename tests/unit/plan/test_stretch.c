/* Where the values of a plan lie, on random graphs of views, in-place operators and many outputs:
 * no two values that are alive together share a byte unless one is the other, and a run on the
 * planned memory gives the same bits as one in which every value has memory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "ops/concrete.h"
#include "ops/evaluate.h"
#include "plan_case.h"

enum { NODES = 40, OUTPUTS = 5, GRAPHS = 400, TEXT = 8000 };

static uint32_t random_number(uint32_t n)
{
    static uint64_t seed = 3;
    return draw_below(&seed, n);
}

/* ---- Random graphs ----------------------------------------------------------------------------
 */

typedef struct sketch {
    char text[TEXT];
    size_t used;
    int rows[2 * NODES + 1], columns[2 * NODES + 1]; /* of values v0, v1... */
    uint32_t n_values;
} sketch;

static void say(sketch *s, const char *format, ...) HEED_PRINTF(2, 3);

static void say(sketch *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->used += (size_t)vsnprintf(s->text + s->used, TEXT - s->used, format, args);
    va_end(args);
    assert_true(s->used < TEXT);
}

static uint32_t value(sketch *s, int rows, int columns)
{
    s->rows[s->n_values] = rows;
    s->columns[s->n_values] = columns;
    return s->n_values++;
}

/* Another value of v's shape, or v. */
static uint32_t partner(const sketch *s, uint32_t v)
{
    for (int tries = 0; tries < 20; tries++) {
        uint32_t other = random_number(s->n_values);
        if (s->rows[other] == s->rows[v] && s->columns[other] == s->columns[v])
            return other;
    }
    return v;
}

static void add_reshape(sketch *s, uint32_t v)
{
    static const int rows[] = {1, 2, 4, 12};
    int count = s->rows[v] * s->columns[v], r = rows[random_number(4)];
    if (count % r)
        r = 1;
    uint32_t out = value(s, r, count / r);
    say(s, "const s%u int64 [2] %d %d\nReshape(v%u, s%u) -> (v%u)\n", out, r, count / r, v, out,
        out);
}

static void add_slice(sketch *s, uint32_t v)
{
    int first = (int)random_number((uint32_t)s->rows[v] - 1);
    int rows = 1 + (int)random_number((uint32_t)(s->rows[v] - first));
    uint32_t out = value(s, rows, s->columns[v]);
    say(s, "const b%u int64 [1] %d\nconst e%u int64 [1] %d\nSlice(v%u, b%u, e%u) -> (v%u)\n", out,
        first, out, first + rows, v, out, out, out);
}

static void add_node(sketch *s)
{
    static const char *const unary[] = {"Neg", "Tanh", "Softmax", "Identity", "Relu"};
    static const char *const binary[] = {"Add", "Mul", "Sub", "Max"};
    uint32_t v = random_number(s->n_values), w = partner(s, v), choice = random_number(12);
    int rows = s->rows[v], columns = s->columns[v];
    if (choice < 3) {
        const char *op = unary[random_number(5)];
        say(s, "%s(v%u) -> (v%u)\n", op, v, value(s, rows, columns));
    } else if (choice < 6) {
        const char *op = binary[random_number(4)];
        say(s, "%s(v%u, v%u) -> (v%u)\n", op, v, w, value(s, rows, columns));
    } else if (choice == 6) {
        say(s, "Transpose(v%u) -> (v%u) perm=[1,0]\n", v, value(s, columns, rows));
    } else if (choice == 7 && rows % 2 == 0) {
        uint32_t a = value(s, rows / 2, columns), b = value(s, rows / 2, columns);
        say(s, "Split(v%u) -> (v%u, v%u) axis=0 num_outputs=2\n", v, a, b);
    } else if (choice == 8 && rows * columns <= 96) {
        say(s, "Concat(v%u, v%u) -> (v%u) axis=0\n", v, w, value(s, 2 * rows, columns));
    } else if (choice == 9 && rows > 1) {
        add_slice(s, v);
    } else {
        add_reshape(s, v);
    }
}

static void draw(sketch *s)
{
    *s = (sketch){.used = 0};
    value(s, 4, 6);
    say(s, "in v0 float32 [4, 6]\n");
    for (int i = 0; i < NODES; i++)
        add_node(s);
    for (int i = 0; i < OUTPUTS; i++)
        say(s, "out v%u\n", random_number(s->n_values));
}

static void open_whole(plan_case *f, const char *text)
{
    plan_case_open(f, text, NULL, NULL);
    assert_null(f->stretch->tail);
}

/* ---- Overlap ------------------------------------------------------------------------------------
 */

/* A value's bytes, and when they hold it: from its node to its last reader. */
typedef struct span {
    uint32_t local, storage, output; /* storage PLAN_ARENA or PLAN_OUTPUT */
    size_t from, to;
    uint32_t born, dies;
    bool view; /* the same bytes as its input's, by meaning */
    uint32_t of;
} span;

static const plan_value *planned(const plan_stretch *s, uint32_t local)
{
    for (uint32_t i = 0; i < s->n_values; i++)
        if (s->values[i].local == local)
            return &s->values[i];
    return NULL;
}

static uint32_t place_of(const program *p, const ir_node *n)
{
    for (uint32_t at = 0; at < p->n_nodes; at++)
        if (p->nodes[at] == n)
            return at;
    return PROGRAM_NONE;
}

static uint32_t last_reader(const program *p, const ir_value *v)
{
    uint32_t last = place_of(p, v->producer);
    for (const ir_use *use = v->uses; use; use = use->next) {
        uint32_t at = place_of(p, use->node);
        last = at > last ? at : last;
    }
    return v->n_outputs ? PROGRAM_FOREVER : last;
}

/* A value that no step computes is a view: the bytes of its node's input, or a piece of them. */
static bool is_view(const plan_stretch *s, const ir_node *n)
{
    for (uint32_t i = 0; i < s->n_steps; i++)
        if (s->steps[i].node == n)
            return false;
    return true;
}

/* False for what has no memory of the plan: content, and aliases of inputs and constants. */
static bool make_span(const plan_stretch *s, const plan_value *v, span *out)
{
    const program *p = s->program;
    const ir_value *value = p->values[v->local];
    const plan_value *root = v;
    size_t offset = 0;
    while (root && root->storage == PLAN_ALIAS) {
        offset += root->offset;
        root = planned(s, root->root);
    }
    if (!root || root->storage == PLAN_CONTENT)
        return false;
    bool arena = root->storage == PLAN_ARENA;
    *out = (span){.local = v->local,
                  .storage = root->storage,
                  .output = arena ? 0 : root->root,
                  .from = offset + (arena ? root->offset : 0),
                  .born = place_of(p, value->producer),
                  .dies = last_reader(p, value),
                  .view = is_view(s, value->producer)};
    out->to = out->from + v->bytes;
    out->of = out->view ? program_local(p, value->producer->in[0].value) : PROGRAM_NONE;
    assert_true(!arena || out->to <= s->arena_bytes);
    return true;
}

static bool same_content(const span *list, uint32_t n, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].local == a && list[i].view)
            return list[i].of == b || same_content(list, n, list[i].of, b);
    }
    return false;
}

/* Do two values that are not one and the same have a byte in common while both are needed? */
static bool clash(const span *list, uint32_t n, const span *a, const span *b)
{
    if (a->storage != b->storage || a->output != b->output || a->to <= b->from || b->to <= a->from)
        return false;
    const span *first = a->born <= b->born ? a : b, *second = first == a ? b : a;
    for (uint32_t i = 0; i < n; i++) /* views of one value */
        if (same_content(list, n, a->local, list[i].local) &&
            same_content(list, n, b->local, list[i].local))
            return false;
    if (same_content(list, n, a->local, b->local) || same_content(list, n, b->local, a->local))
        return false;
    /* In place is fine where the input is read for the last time. */
    bool in_place = second->born == first->dies;
    return second->born < first->dies || (in_place && second->from != first->from) ||
           second->born == first->born;
}

static void check_overlap(const plan_case *f)
{
    const plan_stretch *s = f->stretch;
    span *list = calloc(s->n_values, sizeof(*list));
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_values; i++)
        n += make_span(s, &s->values[i], &list[n]);
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = 0; b < a; b++)
            if (clash(list, n, &list[a], &list[b]))
                fail_msg("%s [%zu, %zu) nodes %u to %u and %s [%zu, %zu) nodes %u to %u",
                         f->program->values[list[a].local]->name, list[a].from, list[a].to,
                         list[a].born, list[a].dies, f->program->values[list[b].local]->name,
                         list[b].from, list[b].to, list[b].born, list[b].dies);
    free(list);
}

/* ---- Against memory of its own for each
 * ----------------------------------------------------------
 */

static void step_alone(const program *p, const ir_node *n, heed_tensor **values)
{
    const heed_tensor *in[8] = {0};
    const ir_type *list[8] = {0};
    ir_type types[8], out_types[4] = {0};
    ir_dim *content[4] = {0};
    int64_t n_content[4] = {0};
    heed_tensor *out[4] = {0};
    arena scratch = {0};
    for (uint32_t i = 0; i < n->n_in; i++) {
        in[i] = values[program_local(p, n->in[i].value)];
        types[i] = op_type_of(in[i]);
        list[i] = &types[i];
    }
    op_concrete k = {.in = list,
                     .in_tensors = in,
                     .out = out_types,
                     .out_content = content,
                     .out_n_content = n_content};
    assert_int_equal(op_infer_concrete(n, &scratch, &k), HEED_OK);
    assert_int_equal(op_evaluate(n, in, k.out, &scratch, out), HEED_OK);
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            values[program_local(p, n->out[o])] = out[o];
    arena_free(&scratch);
}

static void check_results(const plan_case *f, const heed_session_options *options)
{
    const program *p = f->program;
    heed_session *session;
    heed_tensor *in, *out[OUTPUTS] = {0};
    heed_tensor **values = calloc(p->n_locals, sizeof(heed_tensor *));
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 2, (int64_t[]){4, 6}, &in), HEED_OK);
    for (int64_t i = 0; i < 24; i++)
        ((float *)heed_tensor_get_mutable_data(in))[i] = (float)((i * 5) % 24) / 8 - 1.3F;
    for (uint32_t i = 0; i < p->n_locals; i++)
        values[i] = p->values[i]->constant;
    values[p->inputs[0]] = in;
    for (uint32_t at = 0; at < p->n_nodes; at++)
        step_alone(p, p->nodes[at], values);
    assert_int_equal(heed_session_new(f->model, options, &session), HEED_OK);
    for (int round = 0; round < 2; round++) {
        if (heed_session_run(session, NULL, 1, NULL, &in, OUTPUTS, NULL, out))
            fail_msg("%s", heed_error_get()->message);
        for (int o = 0; o < OUTPUTS; o++) {
            const heed_tensor *expected = values[p->outputs[o]];
            assert_int_equal(tensor_bytes(out[o]), tensor_bytes(expected));
            assert_memory_equal(tensor_data(out[o]), tensor_data(expected), tensor_bytes(expected));
            heed_tensor_free(out[o]);
            out[o] = NULL;
        }
    }
    heed_session_free(session);
    for (uint32_t i = 0; i < p->n_locals; i++)
        if (p->values[i]->producer)
            tensor_free(values[i]);
    heed_tensor_free(in);
    free(values);
}

static void random_graphs(void **state)
{
    (void)state;
    static sketch s;
    size_t views = 0, in_arena = 0, in_outputs = 0;
    heed_session_options plain = {
        .size = sizeof(plain), .flags = HEED_SESSION_NO_OPTIMIZE, .backends = "reference"};
    heed_session_options optimized = {
        .size = sizeof(optimized), .flags = HEED_SESSION_CHECK, .backends = "reference"};
    for (int i = 0; i < GRAPHS; i++) {
        plan_case f;
        draw(&s);
        open_whole(&f, s.text);
        for (uint32_t v = 0; v < f.stretch->n_values; v++) {
            views += f.stretch->values[v].storage == PLAN_ALIAS;
            in_arena += f.stretch->values[v].storage == PLAN_ARENA;
            in_outputs += f.stretch->values[v].storage == PLAN_OUTPUT;
        }
        check_overlap(&f);
        check_results(&f, &plain);
        check_results(&f, &optimized);
        plan_case_close(&f);
    }
    assert_true(views > 10 * GRAPHS && in_arena > 5 * GRAPHS && in_outputs > GRAPHS);
}

/* ---- By hand --------------------------------------------------------------------------------- */

static void shapes_leave_no_steps(void **state)
{
    (void)state;
    plan_case f;
    open_whole(&f, "in x float32 [2, 3]\nout y\nconst m int64 [1] -1\nShape(x) -> (s)\n"
                   "ReduceProd(s) -> (p) keepdims=1\nReshape(x, p) -> (l)\nNeg(l) -> (k)\n"
                   "Reshape(k, s) -> (y)\n");
    assert_int_equal(f.stretch->n_steps, 1);
    plan_case_close(&f);
}

static void a_chain_works_in_one_place(void **state)
{
    (void)state;
    plan_case f;
    open_whole(&f, "in x float32 [100]\nout y\nNeg(x) -> (a)\nTanh(a) -> (b)\nRelu(b) -> (c)\n"
                   "Neg(c) -> (d)\nTanh(d) -> (e)\nNeg(e) -> (y)\n");
    assert_int_equal(f.stretch->n_steps, 6);
    assert_true(f.stretch->arena_bytes <= 2 * 448); /* one block of 400 bytes, two at most */
    assert_int_equal(planned(f.stretch, f.program->outputs[0])->storage, PLAN_OUTPUT);
    plan_case_close(&f);
}

static void a_result_that_is_a_view_is_written_in_place(void **state)
{
    (void)state;
    plan_case f;
    open_whole(&f, "in x float32 [2, 3]\nout y\nconst s int64 [2] 6 1\nconst t int64 [1] -1\n"
                   "Neg(x) -> (a)\nTanh(a) -> (b)\nReshape(b, s) -> (c)\nReshape(c, t) -> (y)\n");
    const plan_value *root = planned(f.stretch, planned(f.stretch, f.program->outputs[0])->root);
    assert_string_equal(f.program->values[root->local]->name, "b");
    assert_int_equal(root->storage, PLAN_OUTPUT);
    assert_int_equal(root->result_rank, 1);
    assert_int_equal(root->result_dims[0], 6);
    assert_int_equal(f.stretch->arena_bytes, 64); /* of a alone */
    plan_case_close(&f);
}

/* The shape of the view waits for data, so that its stretch is another than that of the value. */
static void a_late_view_of_a_value(void **state)
{
    (void)state;
    float x[6] = {1, 2, 3, 4, 5, 6};
    int64_t s[2] = {3, 2};
    heed_tensor *in[2] = {heed_tensor_wrap(HEED_FLOAT32, 1, (int64_t[]){6}, x),
                          heed_tensor_wrap(HEED_INT64, 1, (int64_t[]){2}, s)};
    heed_session_options options = {.size = sizeof(options), .backends = "reference"};
    onnx_message bytes;
    heed_session *session =
        onnx_text_session("in x float32 [6]\nin s int64 [2]\nout y\nNeg(x) -> (a)\nAbs(s) -> (t)\n"
                          "Reshape(a, t) -> (y)\n",
                          &options, &bytes);
    assert_non_null(session);
    for (int64_t rows = 2; rows <= 3; rows++) {
        heed_tensor *out = NULL;
        s[0] = rows;
        s[1] = 6 / rows;
        assert_int_equal(heed_session_run(session, NULL, 2, NULL, in, 1, NULL, &out), HEED_OK);
        assert_int_equal(heed_tensor_get_dims(out)[0], rows);
        for (int i = 0; i < 6; i++)
            assert_float_equal(((const float *)heed_tensor_get_data(out))[i], -x[i], 0);
        heed_tensor_free(out);
    }
    heed_tensor_free(in[0]);
    heed_tensor_free(in[1]);
    heed_session_free(session);
    onnx_write_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs),
        cmocka_unit_test(a_result_that_is_a_view_is_written_in_place),
        cmocka_unit_test(a_late_view_of_a_value),
        cmocka_unit_test(shapes_leave_no_steps),
        cmocka_unit_test(a_chain_works_in_one_place),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
