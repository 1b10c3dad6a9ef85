/* LSTM, GRU, RNN: against their formulas written out, and by what must hold between their forms
 * (layouts, directions, lengths, dtypes, products before or after the reset). */
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
#include "value_text.h"

enum { X, W, R, B, LENS, H0, C0, P, INPUTS, T = 5, N = 3, I = 4, H = 6 };

typedef struct kind {
    const char *op;
    int64_t gates;
    uint32_t n_in, n_out;
} kind;

static const kind kinds[] = {{"RNN", 1, 6, 2}, {"GRU", 3, 6, 2}, {"LSTM", 4, 8, 3}};
enum { RNN, GRU, LSTM, KINDS };

static heed_tensor *draw(heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = one_op_tensor(dtype, rank, dims, NULL);
    assert_non_null(t);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = (double)one_op_between(-64, 64) / 64;
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

/* Every input but sequence_lens, the same numbers in every dtype that holds them. */
static void draw_inputs(const kind *k, heed_dtype dtype, int64_t d, heed_tensor **in)
{
    const int64_t gates = k->gates * H;
    memset(in, 0, INPUTS * sizeof(*in));
    in[X] = draw(dtype, 3, (int64_t[]){T, N, I});
    in[W] = draw(dtype, 3, (int64_t[]){d, gates, I});
    in[R] = draw(dtype, 3, (int64_t[]){d, gates, H});
    in[B] = draw(dtype, 2, (int64_t[]){d, 2 * gates});
    in[H0] = draw(dtype, 3, (int64_t[]){d, N, H});
    if (k->n_in > C0) {
        in[C0] = draw(dtype, 3, (int64_t[]){d, N, H});
        in[P] = draw(dtype, 2, (int64_t[]){d, 3 * H});
    }
}

static void free_all(uint32_t n, heed_tensor **t)
{
    for (uint32_t i = 0; i < n; i++) {
        tensor_free(t[i]);
        t[i] = NULL;
    }
}

static void run(const kind *k, const char *attrs, heed_tensor **in, heed_tensor **out)
{
    heed_status status = one_op_run(k->op, attrs, k->n_in, in, k->n_out, out);
    if (status)
        print_error("%s: %s\n", k->op, err_get()->message);
    assert_int_equal(status, HEED_OK);
}

static double at(const heed_tensor *t, int64_t i) { return tensor_get_float(t, i); }

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance; }

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* Input and state of one gate of one unit, with their biases, as two numbers. */
static void gate(heed_tensor **in, int64_t gates, int64_t g, int64_t unit, const double *x,
                 const double *h, double out[2])
{
    int64_t row = g * H + unit;
    out[0] = at(in[B], row);
    out[1] = at(in[B], gates * H + row);
    for (int64_t i = 0; i < I; i++)
        out[0] += at(in[W], row * I + i) * x[i];
    for (int64_t i = 0; i < H; i++)
        out[1] += at(in[R], row * H + i) * h[i];
}

/* ---- Formulas: the state of one sequence after one step ----------------------------------------
 */

static void next_rnn(heed_tensor **in, const double *x, double *h, double *c)
{
    double g[2], new[H];
    (void)c;
    for (int64_t u = 0; u < H; u++) {
        gate(in, 1, 0, u, x, h, g);
        new[u] = tanh(g[0] + g[1]);
    }
    memcpy(h, new, sizeof(new));
}

/* linear_before_reset: all of the state is multiplied, then reset. */
static void next_gru(heed_tensor **in, const double *x, double *h, double *c)
{
    double z[2], r[2], g[2], new[H];
    (void)c;
    for (int64_t u = 0; u < H; u++) {
        gate(in, 3, 0, u, x, h, z);
        gate(in, 3, 1, u, x, h, r);
        gate(in, 3, 2, u, x, h, g);
        double update = sigmoid(z[0] + z[1]), reset = sigmoid(r[0] + r[1]);
        new[u] = (1 - update) * tanh(g[0] + reset * g[1]) + update *h[u];
    }
    memcpy(h, new, sizeof(new));
}

static void next_lstm(heed_tensor **in, const double *x, double *h, double *c)
{
    double i[2], o[2], f[2], g[2], new[H];
    for (int64_t u = 0; u < H; u++) {
        gate(in, 4, 0, u, x, h, i);
        gate(in, 4, 1, u, x, h, o);
        gate(in, 4, 2, u, x, h, f);
        gate(in, 4, 3, u, x, h, g);
        double take = sigmoid(i[0] + i[1] + at(in[P], u) * c[u]);
        double keep = sigmoid(f[0] + f[1] + at(in[P], 2 * H + u) * c[u]);
        c[u] = keep * c[u] + take * tanh(g[0] + g[1]);
        new[u] = sigmoid(o[0] + o[1] + at(in[P], H + u) * c[u]) * tanh(c[u]);
    }
    memcpy(h, new, sizeof(new));
}

static void formulas_hold(void **state)
{
    void (*const next[])(heed_tensor **, const double *, double *, double *) = {next_rnn, next_gru,
                                                                                next_lstm};
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        heed_tensor *in[INPUTS], *out[3];
        double h[H], c[H], x[I];
        draw_inputs(&kinds[k], HEED_FLOAT64, 1, in);
        run(&kinds[k], k == GRU ? "linear_before_reset=1" : "", in, out);
        for (int64_t b = 0; b < N; b++) {
            for (int64_t u = 0; u < H; u++) {
                h[u] = at(in[H0], b * H + u);
                c[u] = k == LSTM ? at(in[C0], b * H + u) : 0;
            }
            for (int64_t t = 0; t < T; t++) {
                for (int64_t i = 0; i < I; i++)
                    x[i] = at(in[X], (t * N + b) * I + i);
                next[k](in, x, h, c);
                for (int64_t u = 0; u < H; u++)
                    assert_true(near(at(out[0], (t * N + b) * H + u), h[u], 1e-12));
            }
            for (int64_t u = 0; u < H; u++) {
                assert_true(near(at(out[1], b * H + u), h[u], 1e-12));
                assert_true(k != LSTM || near(at(out[2], b * H + u), c[u], 1e-12));
            }
        }
        free_all(INPUTS, in);
        free_all(kinds[k].n_out, out);
    }
}

/* ---- Forms ------------------------------------------------------------------------------------
 */

/* [a, b, c] becomes [b, a, c]. */
static heed_tensor *swapped(const heed_tensor *t)
{
    heed_tensor *out =
        one_op_tensor(t->dtype, 3, (int64_t[]){t->dims[1], t->dims[0], t->dims[2]}, NULL);
    for (int64_t i = 0; i < t->dims[0]; i++)
        for (int64_t j = 0; j < t->dims[1]; j++)
            dtype_copy(t->dtype, tensor_data(out), (j * t->dims[0] + i) * t->dims[2],
                       tensor_data(t), (i * t->dims[1] + j) * t->dims[2], t->dims[2]);
    return out;
}

static void layouts_agree(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        heed_tensor *in[INPUTS], *turned[INPUTS], *out[3], *other[3];
        draw_inputs(&kinds[k], HEED_FLOAT32, 2, in);
        memcpy(turned, in, sizeof(turned));
        turned[X] = swapped(in[X]);
        turned[H0] = swapped(in[H0]);
        turned[C0] = in[C0] ? swapped(in[C0]) : NULL;
        run(&kinds[k], "direction='bidirectional'", in, out);
        run(&kinds[k], "direction='bidirectional' layout=1", turned, other);
        assert_int_equal(other[0]->dims[0], N);
        assert_int_equal(other[0]->dims[1], T);
        for (int64_t i = 0; i < T * 2 * N * H; i++) { /* out: [T, 2, N, H] */
            int64_t u = i % H, b = i / H % N, d = i / H / N % 2, t = i / H / N / 2;
            assert_true(at(out[0], i) == at(other[0], ((b * T + t) * 2 + d) * H + u));
        }
        for (uint32_t o = 1; o < kinds[k].n_out; o++) {
            heed_tensor *back = swapped(other[o]);
            assert_memory_equal(tensor_data(back), tensor_data(out[o]), tensor_bytes(back));
            tensor_free(back);
        }
        tensor_free(turned[X]);
        tensor_free(turned[H0]);
        tensor_free(turned[C0]);
        free_all(INPUTS, in);
        free_all(kinds[k].n_out, out);
        free_all(kinds[k].n_out, other);
    }
}

/* Part d of a tensor whose outermost axis is the directions'. */
static heed_tensor *part(const heed_tensor *t, int64_t d)
{
    int64_t dims[3] = {1, t->dims[1], t->dims[2]}, n = tensor_count(t) / 2;
    heed_tensor *out = one_op_tensor(t->dtype, tensor_rank(t), dims, NULL);
    dtype_copy(t->dtype, tensor_data(out), 0, tensor_data(t), d * n, n);
    return out;
}

/* Both directions at once are each of them alone, with lengths too. */
static void directions_are_independent(void **state)
{
    const char *const names[] = {"direction='forward'", "direction='reverse'"};
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        heed_tensor *in[INPUTS], *one[INPUTS], *both[3], *alone[3];
        draw_inputs(&kinds[k], HEED_FLOAT32, 2, in);
        in[LENS] = one_op_vector(HEED_INT32, N, (double[]){T, 2, 1});
        run(&kinds[k], "direction='bidirectional'", in, both);
        for (int64_t d = 0; d < 2; d++) {
            for (int i = 0; i < INPUTS; i++)
                one[i] = in[i] && i != X && i != LENS ? part(in[i], d) : in[i];
            run(&kinds[k], names[d], one, alone);
            for (int64_t t = 0; t < T; t++)
                for (int64_t i = 0; i < N * H; i++)
                    assert_true(at(both[0], (t * 2 + d) * N * H + i) ==
                                at(alone[0], t * N * H + i));
            for (int64_t i = 0; i < N * H; i++)
                assert_true(at(both[1], d * N * H + i) == at(alone[1], i));
            for (int i = 0; i < INPUTS; i++)
                if (one[i] != in[i])
                    tensor_free(one[i]);
            free_all(kinds[k].n_out, alone);
        }
        free_all(INPUTS, in);
        free_all(kinds[k].n_out, both);
    }
}

/* A shorter sequence gives what it would give alone, then zeros; its state is that of its end. */
static void lengths_end_sequences(void **state)
{
    const int64_t lengths[N] = {T, 2, 0};
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        heed_tensor *in[INPUTS], *out[3], *full[3];
        draw_inputs(&kinds[k], HEED_FLOAT32, 1, in);
        run(&kinds[k], "", in, full);
        in[LENS] = one_op_vector(HEED_INT32, N, (double[]){T, 2, 0});
        run(&kinds[k], "", in, out);
        for (int64_t i = 0; i < T * N * H; i++) {
            int64_t t = i / H / N, b = i / H % N;
            assert_true(at(out[0], i) == (t < lengths[b] ? at(full[0], i) : 0));
        }
        for (int64_t i = 0; i < N * H; i++) {
            int64_t b = i / H, last = lengths[b] - 1;
            double end = last < 0 ? at(in[H0], i) : at(full[0], last * N * H + i);
            assert_true(at(out[1], i) == end);
        }
        free_all(INPUTS, in);
        free_all(kinds[k].n_out, out);
        free_all(kinds[k].n_out, full);
    }
}

static void dtypes_agree(void **state)
{
    static const struct {
        heed_dtype dtype;
        double tolerance;
    } rows[] = {{HEED_FLOAT32, 1e-5}, {HEED_FLOAT16, 2e-3}, {HEED_BFLOAT16, 2e-2}};
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        heed_tensor *in[INPUTS], *narrow[INPUTS], *out[3], *other[3];
        draw_inputs(&kinds[k], HEED_FLOAT64, 1, in);
        run(&kinds[k], "", in, out);
        for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
            for (int i = 0; i < INPUTS; i++) {
                narrow[i] = in[i] ? one_op_tensor(rows[r].dtype, tensor_rank(in[i]), in[i]->dims,
                                                  tensor_data(in[i]))
                                  : NULL;
            }
            run(&kinds[k], "", narrow, other);
            assert_int_equal(other[0]->dtype, rows[r].dtype);
            for (int64_t i = 0; i < T * N * H; i++)
                assert_true(near(at(out[0], i), at(other[0], i), rows[r].tolerance));
            free_all(INPUTS, narrow);
            free_all(kinds[k].n_out, other);
        }
        free_all(INPUTS, in);
        free_all(kinds[k].n_out, out);
    }
}

/* With reset gates that are open (bias 100) it does not matter when they are applied. */
static void an_open_reset_changes_nothing(void **state)
{
    heed_tensor *in[INPUTS], *before[2], *after[2];
    (void)state;
    draw_inputs(&kinds[GRU], HEED_FLOAT64, 1, in);
    for (int64_t u = 0; u < H; u++)
        dtype_store_f64(HEED_FLOAT64, tensor_data(in[B]), H + u, 1, &(double){100}, false);
    run(&kinds[GRU], "linear_before_reset=1", in, before);
    run(&kinds[GRU], "linear_before_reset=0", in, after);
    for (int64_t i = 0; i < T * N * H; i++)
        assert_true(near(at(before[0], i), at(after[0], i), 1e-12));
    free_all(INPUTS, in);
    free_all(2, before);
    free_all(2, after);
}

/* No steps, no sequences: what is left is the initial state, or nothing. */
static void nothing_happens(void **state)
{
    heed_tensor *in[INPUTS], *out[3];
    (void)state;
    draw_inputs(&kinds[LSTM], HEED_FLOAT32, 1, in);
    tensor_free(in[X]);
    in[X] = one_op_tensor(HEED_FLOAT32, 3, (int64_t[]){0, N, I}, NULL);
    run(&kinds[LSTM], "", in, out);
    assert_int_equal(tensor_count(out[0]), 0);
    assert_memory_equal(tensor_data(out[1]), tensor_data(in[H0]), tensor_bytes(in[H0]));
    assert_memory_equal(tensor_data(out[2]), tensor_data(in[C0]), tensor_bytes(in[C0]));
    free_all(3, out);
    free_all(INPUTS, in);
    in[X] = one_op_tensor(HEED_FLOAT32, 3, (int64_t[]){T, 0, I}, NULL);
    in[W] = draw(HEED_FLOAT32, 3, (int64_t[]){1, 4 * H, I});
    in[R] = draw(HEED_FLOAT32, 3, (int64_t[]){1, 4 * H, H});
    run(&kinds[LSTM], "", in, out);
    assert_int_equal(out[0]->dims[2], 0);
    free_all(3, out);
    free_all(INPUTS, in);
}

/* ---- Activations and errors --------------------------------------------------------------------
 */

// clang-format off
/* One unit that sees its input only: y = f(x). */
#define UNIT(attrs)                                                                                \
    "in x float32 [t, 1, 1]\nout y float32\nconst w float32 [1, 1, 1] 1\n"                         \
    "const r float32 [1, 1, 1] 0\nRNN(x, w, r) -> (y) " attrs "\n"
#define XS "[[[-2]][[-0.5]][[0.5]][[2]]]"
#define YS(a, b, c, d) "[[[[" #a "]]][[[" #b "]]][[[" #c "]]][[[" #d "]]]]"

static const value_text_case units[] = {
    {"Relu", UNIT("activations=['Relu']"), XS, YS(0, 0, 0.5, 2)},
    {"Tanh", UNIT(""), XS, YS(-0.964028, -0.462117, 0.462117, 0.964028)},
    {"Sigmoid", UNIT("activations=['sigmoid']"), XS, YS(0.119203, 0.377541, 0.622459, 0.880797)},
    {"Affine", UNIT("activations=['Affine'] activation_alpha=[2.0] activation_beta=[0.5]"), XS,
     YS(-3.5, -0.5, 1.5, 4.5)},
    {"LeakyRelu", UNIT("activations=['LeakyRelu']"), XS, YS(-0.02, -0.005, 0.5, 2)},
    {"LeakyRelu of another slope", UNIT("activations=['LeakyRelu'] activation_alpha=[0.25]"), XS,
     YS(-0.5, -0.125, 0.5, 2)},
    {"ThresholdedRelu", UNIT("activations=['ThresholdedRelu']"), XS, YS(0, 0, 0, 2)},
    {"ThresholdedRelu of its threshold",
     UNIT("activations=['ThresholdedRelu'] activation_alpha=[0.5]"), XS, YS(0, 0, 0.5, 2)},
    {"ScaledTanh", UNIT("activations=['ScaledTanh'] activation_alpha=[2.0] activation_beta=[0.5]"),
     XS, YS(-1.52319, -0.489837, 0.489837, 1.52319)},
    {"HardSigmoid", UNIT("activations=['HardSigmoid']"), XS, YS(0.1, 0.4, 0.6, 0.9)},
    {"HardSigmoid, steep", UNIT("activations=['HardSigmoid'] activation_alpha=[1.0]"), XS,
     YS(0, 0, 1, 1)},
    {"Elu", UNIT("activations=['Elu']"), XS, YS(-0.864665, -0.393469, 0.5, 2)},
    {"Softsign", UNIT("activations=['Softsign']"), XS,
     YS(-0.666667, -0.333333, 0.333333, 0.666667)},
    {"Softplus", UNIT("activations=['Softplus']"), XS, YS(0.126928, 0.474077, 0.974077, 2.12693)},
    {"clip", UNIT("activations=['Affine'] clip=1.0"), XS, YS(-1, -0.5, 0.5, 1)},
    {"no such function", UNIT("activations=['Gelu']"), XS, "! the activation Gelu is not known"},
    {"too many functions", UNIT("activations=['Relu','Relu']"),
     XS, "! 2 activations, 1 are needed"},
    {"no such direction", UNIT("direction='back'"), XS, "! the direction forward, reverse or"},
    {"no such layout", UNIT("layout=2"), XS, "! the layout 0 or 1"},
    {"another hidden size", UNIT("hidden_size=2"), XS, "! hidden_size to be that of R"},
    {"two directions of one weight", UNIT("direction='bidirectional'"), XS,
     "! extent 2 on axis 0 of input 1"},
    {"numbers go to the functions that want one",
     "in x float32 [t, 1, 1]\nout y float32\nconst w float32 [2, 1, 1] 1\n"
     "const r float32 [2, 1, 1] 0\n"
     "RNN(x, w, r) -> (y) activations=['Relu','LeakyRelu'] activation_alpha=[0.5] "
     "direction='bidirectional'\n", "[[[-2]][[2]]]", "[[[[0]][[-1]]][[[2]][[2]]]]"},
    {"forget what is not taken in",
     "in x float32 [1, 1, 1]\nin c float32 [1, 1, 1]\nout y float32\n"
     "const w float32 [1, 4, 1] 1 0 9 0\nconst r float32 [1, 4, 1] 0\n"
     "LSTM(x, w, r, , , , c) -> (, , y) input_forget=1 activations=['Affine','Affine','Affine']\n",
     "[[[0.25]]]; [[[8]]]", "[[[6]]]"},
};
// clang-format on

static void activations_and_attributes(void **state)
{
    (void)state;
    assert_int_equal(value_text_failures(units, sizeof(units) / sizeof(*units)), 0);
}

/* Each input in turn has an extent too many, or a rank. */
static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < INPUTS; i++) {
        heed_tensor *in[INPUTS], *out[3];
        draw_inputs(&kinds[LSTM], HEED_FLOAT32, 1, in);
        in[LENS] = one_op_vector(HEED_INT32, N, (double[]){1, 2, 3});
        int64_t dims[4] = {1, 1, 1, 1};
        int32_t rank = tensor_rank(in[i]);
        memcpy(dims, in[i]->dims, (size_t)rank * sizeof(*dims));
        for (int32_t axis = 0; axis <= rank; axis++) {
            heed_tensor *right = in[i];
            if (i == X && axis == 0)
                continue; /* another number of steps is fine */
            dims[axis]++;
            in[i] = draw(right->dtype, axis == rank ? rank + 1 : rank, dims);
            dims[axis]--;
            assert_int_equal(one_op_run("LSTM", "", INPUTS, in, 3, out), HEED_INVALID);
            tensor_free(in[i]);
            in[i] = right;
        }
        free_all(INPUTS, in);
    }
}

static void wrong_lengths_are_refused(void **state)
{
    heed_tensor *in[INPUTS], *out[3];
    (void)state;
    draw_inputs(&kinds[LSTM], HEED_FLOAT32, 1, in);
    in[LENS] = one_op_vector(HEED_INT32, N, (double[]){1, T + 1, 3});
    assert_int_equal(one_op_run("LSTM", "", INPUTS, in, 3, out), HEED_INVALID);
    assert_non_null(strstr(err_get()->message, "sequence 1 has length 6 of 5"));
    tensor_free(in[LENS]);
    in[LENS] = one_op_vector(HEED_INT32, N, (double[]){1, 2, -1});
    assert_int_equal(one_op_run("LSTM", "", INPUTS, in, 3, out), HEED_INVALID);
    free_all(INPUTS, in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_hold),
        cmocka_unit_test(layouts_agree),
        cmocka_unit_test(directions_are_independent),
        cmocka_unit_test(lengths_end_sequences),
        cmocka_unit_test(dtypes_agree),
        cmocka_unit_test(an_open_reset_changes_nothing),
        cmocka_unit_test(nothing_happens),
        cmocka_unit_test(activations_and_attributes),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
