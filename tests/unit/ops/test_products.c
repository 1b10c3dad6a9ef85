/* Einsum over random equations, MatMul and Gemm over random shapes, against the sum written down
 * label by label. Equations that are wrong are refused with a message. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

enum { LABELS = 5, ROUNDS = 250, MAX_TERMS = 3, MAX_AXES = 3 };

static heed_tensor *random_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = one_op_tensor(dtype, rank, dims, NULL);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = (double)one_op_between(-4, 4);
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

static double element(const heed_tensor *t, int64_t i)
{
    double value;
    dtype_load_f64(t->dtype, tensor_data(t), i, 1, &value);
    return value;
}

typedef struct problem {
    int n;
    char terms[MAX_TERMS][MAX_AXES + 1];
    char out[LABELS + 1];
    int64_t extents[LABELS];
    heed_tensor *in[MAX_TERMS];
} problem;

static int64_t offset_of(const char *term, const int64_t *extents, const int64_t *index)
{
    int64_t offset = 0;
    for (; *term; term++)
        offset = offset * extents[*term - 'a'] + index[*term - 'a'];
    return offset;
}

static void make_problem(problem *p, heed_dtype dtype)
{
    bool used[LABELS] = {false};
    memset(p, 0, sizeof(*p));
    p->n = (int)one_op_between(1, MAX_TERMS);
    for (int l = 0; l < LABELS; l++)
        p->extents[l] = one_op_between(0, 20) == 0 ? 0 : one_op_between(1, 4);
    for (int t = 0; t < p->n; t++) {
        int64_t dims[MAX_AXES];
        int32_t rank = (int32_t)one_op_between(0, MAX_AXES);
        for (int32_t a = 0; a < rank; a++) {
            int64_t l = one_op_between(0, LABELS - 1);
            p->terms[t][a] = (char)('a' + l);
            dims[a] = p->extents[l];
            used[l] = true;
        }
        p->in[t] = random_tensor(dtype, rank, dims);
    }
    for (int l = LABELS - 1, n = 0; l >= 0; l--)
        if (used[l] && one_op_between(0, 1))
            p->out[n++] = (char)('a' + l);
}

/* Every combination of all labels adds one product to one output element. */
static void sum_all(const problem *p, double *out)
{
    int64_t index[LABELS] = {0}, extents[LABELS];
    bool used[LABELS] = {false};
    for (int t = 0; t < p->n; t++)
        for (const char *c = p->terms[t]; *c; c++)
            used[*c - 'a'] = true;
    for (int l = 0; l < LABELS; l++) {
        extents[l] = used[l] ? p->extents[l] : 1;
        if (extents[l] == 0)
            return;
    }
    for (int l = LABELS; l >= 0;) {
        double product = 1.0;
        for (int t = 0; t < p->n; t++)
            product *= element(p->in[t], offset_of(p->terms[t], p->extents, index));
        out[offset_of(p->out, p->extents, index)] += product;
        for (l = LABELS - 1; l >= 0 && ++index[l] == extents[l]; l--)
            index[l] = 0;
    }
}

static void einsum_is_its_sum(void **state)
{
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_FLOAT64, HEED_INT32, HEED_UINT8};
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        problem p;
        char attrs[64] = "equation='";
        double sums[1024] = {0};
        heed_tensor *out;
        heed_dtype dtype = dtypes[round % 4];
        make_problem(&p, dtype);
        for (int t = 0; t < p.n; t++) {
            strcat(attrs, t ? "," : "");
            strcat(attrs, p.terms[t]);
        }
        strcat(attrs, "->");
        strcat(attrs, p.out);
        strcat(attrs, "'");
        assert_int_equal(one_op_run("Einsum", attrs, (uint32_t)p.n, p.in, 1, &out), HEED_OK);
        sum_all(&p, sums);
        assert_int_equal(tensor_rank(out), strlen(p.out));
        for (int64_t i = 0; i < tensor_count(out); i++) {
            double wrapped = dtype == HEED_UINT8 ? (double)((int64_t)sums[i] & 255) : sums[i];
            assert_true(element(out, i) == wrapped);
        }
        tensor_free(out);
        for (int t = 0; t < p.n; t++)
            tensor_free(p.in[t]);
    }
}

static void bad_equations(void **state)
{
    static const char *const bad[] = {
        "ij,jk->iq",  "ij,jk->ii",  "i,jk->ik",  "ij->ij",   "ij,jk,kl->il",
        "i1,jk->ik",  "ij,jk->i->", "ij.,jk->",  "ij,jk-ik", "......ij,jk->i",
        ".ij,jk->ik", "ij,jk->i,k", "ij,ji->ij", "",         "ijkl,j->i",
    };
    const int64_t a[] = {2, 3}, b[] = {3, 4};
    heed_tensor *in[] = {random_tensor(HEED_FLOAT32, 2, a), random_tensor(HEED_FLOAT32, 2, b)};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char attrs[64];
        heed_tensor *out;
        snprintf(attrs, sizeof(attrs), "equation='%s'", bad[i]);
        assert_int_equal(one_op_run("Einsum", attrs, 2, in, 1, &out), HEED_INVALID);
        assert_true(strlen(err_get()->expected) > 0);
    }
    tensor_free(in[0]);
    tensor_free(in[1]);
}

static void ellipsis_broadcasts(void **state)
{
    const int64_t a[] = {2, 1, 2, 3}, b[] = {5, 3, 4}, expected[] = {2, 5, 2, 4};
    heed_tensor *in[] = {random_tensor(HEED_FLOAT32, 4, a), random_tensor(HEED_FLOAT32, 3, b)};
    heed_tensor *sum, *product;
    (void)state;
    assert_int_equal(one_op_run("Einsum", "equation='...ij,...jk->...ik'", 2, in, 1, &sum), 0);
    assert_int_equal(one_op_run("MatMul", "", 2, in, 1, &product), HEED_OK);
    assert_true(shape_equal(4, expected, tensor_rank(sum), sum->dims));
    assert_memory_equal(tensor_data(sum), tensor_data(product), tensor_bytes(product));
    heed_tensor *all[] = {in[0], in[1], sum, product};
    for (int i = 0; i < 4; i++)
        tensor_free(all[i]);
}

static void gemm_is_its_formula(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t m = one_op_between(1, 40), n = one_op_between(1, 300), k = one_op_between(0, 140);
        bool ta = one_op_between(0, 1), tb = one_op_between(0, 1);
        const int64_t a[] = {ta ? k : m, ta ? m : k}, b[] = {tb ? n : k, tb ? k : n};
        const int64_t c[] = {one_op_between(0, 1) ? m : 1, one_op_between(0, 1) ? n : 1};
        heed_dtype dtype = round % 3 == 0 ? HEED_FLOAT64 : HEED_FLOAT32;
        heed_tensor *in[] = {random_tensor(dtype, 2, a), random_tensor(dtype, 2, b),
                             random_tensor(dtype, 2, c)};
        heed_tensor *out;
        char attrs[64];
        snprintf(attrs, sizeof(attrs), "transA=%d transB=%d alpha=0.5 beta=2.0", ta, tb);
        assert_int_equal(one_op_run("Gemm", attrs, 3, in, 1, &out), HEED_OK);
        for (int64_t i = 0; i < m * n; i += 1 + i % 7) {
            int64_t r = i / n, q = i % n;
            double sum = 0.0;
            for (int64_t j = 0; j < k; j++)
                sum += element(in[0], ta ? j * m + r : r * k + j) *
                       element(in[1], tb ? q * k + j : j * n + q);
            double bias = element(in[2], (c[0] == 1 ? 0 : r) * c[1] + (c[1] == 1 ? 0 : q));
            assert_true(element(out, i) == 0.5 * sum + 2.0 * bias);
        }
        tensor_free(out);
        for (int i = 0; i < 3; i++)
            tensor_free(in[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(einsum_is_its_sum),
        cmocka_unit_test(bad_equations),
        cmocka_unit_test(ellipsis_broadcasts),
        cmocka_unit_test(gemm_is_its_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
