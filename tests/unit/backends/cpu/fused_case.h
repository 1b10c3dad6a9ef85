/* fused_case.h - one model on a backend, with inputs made up from sines, for tests that compare the
 * fused form of a model with the reference. */
#ifndef TESTS_FUSED_CASE_H
#define TESTS_FUSED_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_text.h"

enum { FUSED_MOST = 8 }; /* inputs, and outputs */

typedef struct fused_case {
    const char *text, *backends;
    uint32_t flags;      /* HEED_SESSION_* */
    const char *op;      /* that a fused form has on the cpu backend */
    double size, others; /* how large the first two inputs are, and the others */
} fused_case;

/* Of truths, most are false, and some in each row are true. */
static inline heed_tensor *fused_case_input(const heed_value_info *info, double seed, double size)
{
    heed_tensor *t = NULL;
    assert_int_equal(heed_tensor_new(info->dtype, info->ndim, info->dims, &t), HEED_OK);
    for (int64_t i = 0; i < heed_tensor_get_count(t); i++) {
        double value = size * sin(seed * (double)(i + 1));
        value = info->dtype == HEED_BOOL ? value > 0 || i % 17 == 0 : value;
        assert_int_equal(heed_tensor_write_f64(t, i, 1, &value), HEED_OK);
    }
    return t;
}

static inline bool fused_case_runs(const heed_session *session, const char *op)
{
    heed_placement at = {.size = sizeof(at)};
    for (size_t i = 0; i < heed_session_get_placement_count(session); i++) {
        assert_int_equal(heed_session_get_placement(session, i, &at), HEED_OK);
        if (!strcmp(at.op, op) && !strcmp(at.backend, "cpu"))
            return true;
    }
    return false;
}

/* All outputs, and their number; *found: the operator was one of its nodes there. */
static inline size_t fused_case_run(const fused_case *c, bool *found, heed_tensor **out)
{
    heed_session_options options = {
        .size = sizeof(options), .backends = c->backends, .flags = c->flags};
    onnx_message bytes = {0};
    const char *names[FUSED_MOST];
    heed_tensor *in[FUSED_MOST];
    heed_session *session = onnx_text_session(c->text, &options, &bytes);
    assert_non_null(session);
    const heed_model *model = heed_session_get_model(session);
    size_t n_in = heed_model_get_input_count(model), n_out = heed_model_get_output_count(model);
    assert_true(n_in <= FUSED_MOST && n_out <= FUSED_MOST);
    for (size_t i = 0; i < n_in; i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        names[i] = info->name;
        in[i] = fused_case_input(info, 0.7 + 0.6 * (double)i, i < 2 ? c->size : c->others);
    }
    *found = fused_case_runs(session, c->op);
    if (heed_session_run(session, NULL, n_in, names, in, n_out, NULL, out))
        fail_msg("%s\n%s", c->text, heed_error_get()->message);
    for (size_t i = 0; i < n_in; i++)
        heed_tensor_free(in[i]);
    heed_session_free(session);
    onnx_write_free(&bytes);
    return n_out;
}

/* Of one shape, and elements that agree within most * (1 + |b|). */
static inline void fused_case_compare(const char *text, const heed_tensor *a, const heed_tensor *b,
                                      double most)
{
    assert_int_equal(heed_tensor_get_count(a), heed_tensor_get_count(b));
    for (int64_t i = 0; i < heed_tensor_get_count(a); i++) {
        double x, y;
        assert_int_equal(heed_tensor_read_f64(a, i, 1, &x), HEED_OK);
        assert_int_equal(heed_tensor_read_f64(b, i, 1, &y), HEED_OK);
        if (!(fabs(x - y) <= most * (1 + fabs(y))))
            fail_msg("%s\nelement %d is %.9g, not %.9g", text, (int)i, x, y);
    }
}

#endif
