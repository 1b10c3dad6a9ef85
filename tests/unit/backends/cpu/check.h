/* Helpers of the kernel tests: random numbers, filling, comparing, and a naive way of reading
 * broadcast tensors. */
#ifndef CPU_TEST_CHECK_H
#define CPU_TEST_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mini_host.h"

static uint64_t check_seed = 88172645463325252u;

static inline uint32_t any(uint32_t below)
{
    check_seed ^= check_seed << 13;
    check_seed ^= check_seed >> 7;
    check_seed ^= check_seed << 17;
    return (uint32_t)(check_seed >> 33) % below;
}

static inline float any_float(void) { return ((float)any(200001) - 100000.0f) / 40000.0f; }

static inline void fill(DLTensor *t)
{
    float *x = mini_data(t);
    for (size_t i = 0; i < mini_count(t); i++)
        x[i] = any_float();
}

static inline DLTensor *tensor(heed_dtype dtype, int rank, const int64_t *dims)
{
    return mini_tensor(dtype, rank, dims);
}

static inline DLTensor *random_tensor(int rank, const int64_t *dims)
{
    DLTensor *t = mini_tensor(HEED_FLOAT32, rank, dims);
    fill(t);
    return t;
}

static inline DLTensor *integers(size_t n, const int64_t *values)
{
    int64_t dims[1] = {(int64_t)n};
    DLTensor *t = mini_tensor(HEED_INT64, 1, dims);
    if (n)
        memcpy(mini_data(t), values, n * sizeof(*values));
    return t;
}

/* The offset in `t` of the element that broadcasts to flat index i of `out`. */
static inline size_t broadcast_at(const DLTensor *t, const DLTensor *out, size_t i)
{
    size_t offset = 0, stride = 1;
    for (int d = out->ndim - 1; d >= 0; d--) {
        size_t place = i % (size_t)out->shape[d];
        i /= (size_t)out->shape[d];
        int own = d - (out->ndim - t->ndim);
        if (own < 0)
            continue;
        offset += t->shape[own] == 1 ? 0 : place * stride;
        stride *= (size_t)t->shape[own];
    }
    return offset;
}

/* Equal within rtol * |want| + atol; NaN equals NaN, an infinity itself. */
static inline int close_to(double got, double want, double rtol, double atol)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return want == got;
    return fabs(got - want) <= rtol * fabs(want) + atol;
}

static inline void expect(const mini_node *node, size_t i, double got, double want, double rtol,
                          double atol)
{
    if (close_to(got, want, rtol, atol))
        return;
    char shapes[256] = "";
    for (uint32_t k = 0; k < node->n_in; k++)
        for (int d = -1; node->in[k] && d < node->in[k]->ndim; d++) {
            size_t n = strlen(shapes);
            if (d < 0)
                snprintf(shapes + n, sizeof(shapes) - n, " [");
            else
                snprintf(shapes + n, sizeof(shapes) - n, "%lld,", (long long)node->in[k]->shape[d]);
        }
    fail_msg("%s of%s: element %zu is %.9g, not %.9g", node->op, shapes, i, got, want);
}

static inline void run_node(const mini_node *node)
{
    heed_status status = mini_run(node);
    if (status)
        fail_msg("%s: status %u: %s", node->op, status, mini_message());
}

/* Frees all operands and checks their guards. */
static inline void drop(mini_node *node)
{
    for (uint32_t i = 0; i < node->n_in; i++)
        assert_true(mini_free(node->in[i]));
    for (uint32_t i = 0; i < node->n_out; i++)
        assert_true(mini_free(node->out[i]));
    assert_int_equal(mini_live_bytes(), 0);
}

/* Runs `body` once for each kind of vector code that is asked for and that the machine has, on one
 * and on three threads; returns how many there were. */
static inline int for_each_of(const char *const *options, size_t n, void (*body)(void))
{
    int ran = 0;
    for (size_t i = 0; i < n; i++) {
        const char *error = mini_open("cpu", options[i]);
        if (error && strstr(error, "this machine has no"))
            continue;
        if (error)
            fail_msg("cannot open the plugin: %s", error);
        mini_threads(i % 2 ? 3 : 1);
        body();
        ran++;
    }
    mini_threads(1);
    return ran;
}

static inline void for_each_isa(void (*body)(void))
{
    const char *const options[] = {"isa=base", "isa=avx2", "isa=avx512"};
    assert_true(for_each_of(options, 3, body) > 0);
}

#endif
