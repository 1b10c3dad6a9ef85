/* If, Loop and Scan as whole models: values that grow from one iteration to the next, captures from
 * outside, no iteration at all, axes and directions, branches that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

typedef struct run_case {
    const char *text;
    uint32_t n_in, n_out;
    heed_tensor *in[3], *out[3];
    heed_status status; /* expected */
} run_case;

static heed_tensor *floats(int32_t rank, const int64_t *dims, const double *values)
{
    heed_tensor *t;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, rank, dims, &t), HEED_OK);
    assert_int_equal(heed_tensor_write_f64(t, 0, heed_tensor_get_count(t), values), HEED_OK);
    return t;
}

static heed_tensor *integer(int64_t value)
{
    heed_tensor *t;
    assert_int_equal(heed_tensor_new(HEED_INT64, 0, NULL, &t), HEED_OK);
    memcpy(heed_tensor_get_mutable_data(t), &value, sizeof(value));
    return t;
}

static heed_tensor *truth(int value)
{
    heed_tensor *t;
    assert_int_equal(heed_tensor_new(HEED_BOOL, 0, NULL, &t), HEED_OK);
    memset(heed_tensor_get_mutable_data(t), value, 1);
    return t;
}

/* Runs the model; its inputs are freed, its outputs are the caller's. */
static void run(run_case *c)
{
    onnx_message bytes;
    heed_session *session = NULL;
    heed_model *model = onnx_text_load(c->text, &bytes);
    assert_non_null(model);
    assert_int_equal(heed_session_new(model, NULL, &session), HEED_OK);
    heed_status status =
        heed_session_run(session, NULL, c->n_in, NULL, c->in, c->n_out, NULL, c->out);
    assert_int_equal(status, c->status);
    heed_session_free(session);
    heed_model_free(model);
    onnx_write_free(&bytes);
    for (uint32_t i = 0; i < c->n_in; i++)
        heed_tensor_free(c->in[i]);
}

static void expect(heed_tensor *t, int32_t rank, const int64_t *dims, const double *values)
{
    double found[64];
    assert_int_equal(heed_tensor_get_ndim(t), rank);
    for (int32_t i = 0; i < rank; i++)
        assert_int_equal(heed_tensor_get_dims(t)[i], dims[i]);
    assert_int_equal(heed_tensor_read_f64(t, 0, heed_tensor_get_count(t), found), HEED_OK);
    for (int64_t i = 0; i < heed_tensor_get_count(t); i++)
        assert_true(found[i] == values[i]);
    heed_tensor_free(t);
}

/* The carried value grows by a captured one; each iteration is recorded by its sum. */
static const char growing[] = "in n int64\n"
                              "in x float32 [k]\n"
                              "out y float32 [total]\n"
                              "out sums float32 [times, 1]\n"
                              "Loop(n, , x) -> (y, sums)\n"
                              "{ body\n"
                              "  in i int64\n"
                              "  in c bool\n"
                              "  in v float32 [len]\n"
                              "  Identity(c) -> (go)\n"
                              "  Concat(v, x) -> (w) axis=0\n"
                              "  ReduceSum(w) -> (s)\n"
                              "  out go\n"
                              "  out w\n"
                              "  out s\n"
                              "}\n";

static void a_loop_grows(void **state)
{
    const int64_t two[] = {2}, eight[] = {8}, three[] = {3, 1};
    const double x[] = {1, 2}, y[] = {1, 2, 1, 2, 1, 2, 1, 2}, sums[] = {6, 9, 12};
    run_case c = {growing, 2, 2, {integer(3), floats(1, two, x)}, {NULL}, HEED_OK};
    (void)state;
    run(&c);
    expect(c.out[0], 1, eight, y);
    expect(c.out[1], 2, three, sums);
}

static void a_loop_runs_not_at_all(void **state)
{
    const int64_t two[] = {2}, none[] = {0, 1};
    const double x[] = {1, 2};
    run_case c = {growing, 2, 2, {integer(0), floats(1, two, x)}, {NULL}, HEED_OK};
    (void)state;
    run(&c);
    expect(c.out[0], 1, two, x);
    expect(c.out[1], 2, none, NULL);
}

/* while (v < limit) v = 2 v, inside a loop that runs twice. */
static const char nested[] = "in limit float32\n"
                             "in x float32\n"
                             "out y float32\n"
                             "const twice int64 2\n"
                             "const one float32 1\n"
                             "Loop(twice, , x) -> (y)\n"
                             "{ body\n"
                             "  in i int64\n"
                             "  in c bool\n"
                             "  in v float32\n"
                             "  Identity(c) -> (go)\n"
                             "  Less(v, limit) -> (first)\n"
                             "  Loop(, first, v) -> (w)\n"
                             "  { body\n"
                             "    in j int64\n"
                             "    in d bool\n"
                             "    in u float32\n"
                             "    Add(u, u) -> (t)\n"
                             "    Less(t, limit) -> (more)\n"
                             "    out more\n"
                             "    out t\n"
                             "  }\n"
                             "  Sub(w, one) -> (r)\n"
                             "  out go\n"
                             "  out r\n"
                             "}\n";

static void loops_nest(void **state)
{
    const double limit[] = {10}, x[] = {3}, y[] = {10};
    run_case c = {nested, 2, 1, {floats(0, NULL, limit), floats(0, NULL, x)}, {NULL}, HEED_OK};
    (void)state;
    run(&c); /* 3, 6, 12; 11; not below 10; 10 */
    expect(c.out[0], 0, NULL, y);
}

/* Running sums over axis 1, read from the back and written from the front, along axis 1. */
static const char scanning[] = "in s float32 [2]\n"
                               "in x float32 [2, n]\n"
                               "out last float32 [2]\n"
                               "out all float32 [2, n]\n"
                               "Scan(s, x) -> (last, all) num_scan_inputs=1 scan_input_axes=[1] "
                               "scan_input_directions=[1] scan_output_axes=[1] "
                               "scan_output_directions=[1]\n"
                               "{ body\n"
                               "  in a float32 [2]\n"
                               "  in b float32 [2]\n"
                               "  Add(a, b) -> (sum)\n"
                               "  Identity(sum) -> (copy)\n"
                               "  out sum\n"
                               "  out copy\n"
                               "}\n";

static void a_scan_turns_around(void **state)
{
    const int64_t two[] = {2}, dims[] = {2, 3};
    const double s[] = {0, 10}, x[] = {1, 2, 3, 4, 5, 6};
    const double last[] = {6, 25}, all[] = {6, 5, 3, 25, 21, 16};
    run_case c = {scanning, 2, 2, {floats(1, two, s), floats(2, dims, x)}, {NULL}, HEED_OK};
    (void)state;
    run(&c);
    expect(c.out[0], 1, two, last);
    expect(c.out[1], 2, dims, all);
}

static void a_scan_of_nothing(void **state)
{
    const int64_t two[] = {2}, dims[] = {2, 0};
    const double s[] = {4, 5};
    run_case c = {scanning, 2, 2, {floats(1, two, s), floats(2, dims, NULL)}, {NULL}, HEED_OK};
    (void)state;
    run(&c);
    expect(c.out[0], 1, two, s);
    expect(c.out[1], 2, dims, NULL);
}

/* Exporters write this for x.squeeze(0): only one branch fits the shape. */
static const char guarded[] = "in yes bool\n"
                              "in x float32 [2, 3]\n"
                              "out y float32\n"
                              "const axes int64 [1] 0\n"
                              "If(yes) -> (y)\n"
                              "{ then_branch\n"
                              "  Squeeze(x, axes) -> (a)\n"
                              "  out a\n"
                              "}\n"
                              "{ else_branch\n"
                              "  Neg(x) -> (b)\n"
                              "  out b\n"
                              "}\n";

static void a_branch_may_not_fit(void **state)
{
    const int64_t dims[] = {2, 3};
    const double x[] = {1, 2, 3, 4, 5, 6}, y[] = {-1, -2, -3, -4, -5, -6};
    run_case no = {guarded, 2, 1, {truth(0), floats(2, dims, x)}, {NULL}, HEED_OK};
    run_case yes = {guarded, 2, 1, {truth(1), floats(2, dims, x)}, {NULL}, HEED_INVALID};
    (void)state;
    run(&no);
    expect(no.out[0], 2, dims, y);
    run(&yes);
    assert_non_null(strstr(heed_error_get()->message, "squeezed"));
}

/* Scanned outputs that change their shape are refused. */
static const char uneven[] = "in x float32 [k]\n"
                             "out all float32 [n, m]\n"
                             "const three int64 3\n"
                             "Loop(three, , x) -> (, all)\n"
                             "{ body\n"
                             "  in i int64\n"
                             "  in c bool\n"
                             "  in v float32 [len]\n"
                             "  Identity(c) -> (go)\n"
                             "  Concat(v, v) -> (w) axis=0\n"
                             "  Neg(w) -> (s)\n"
                             "  out go\n"
                             "  out w\n"
                             "  out s\n"
                             "}\n";

static void uneven_scans_fail(void **state)
{
    const int64_t two[] = {2};
    const double x[] = {1, 2};
    run_case c = {uneven, 1, 1, {floats(1, two, x)}, {NULL}, HEED_INVALID};
    (void)state;
    run(&c);
    assert_non_null(strstr(heed_error_get()->message, "scanned output is 4 in one iteration"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_grows),      cmocka_unit_test(a_loop_runs_not_at_all),
        cmocka_unit_test(loops_nest),        cmocka_unit_test(a_scan_turns_around),
        cmocka_unit_test(a_scan_of_nothing), cmocka_unit_test(a_branch_may_not_fit),
        cmocka_unit_test(uneven_scans_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
