/* Convolutions and pools over random geometry, against the definition, tap by tap. A transposed
 * convolution is the adjoint of the convolution: <conv(x), y> = <x, transposed(y)>. */
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

enum { ROUNDS = 200 };

/* Two spatial axes; small integers, so that sums are exact. */
typedef struct geometry {
    int64_t in[2], kernel[2], stride[2], dilation[2], before[2], after[2], out[2];
    int64_t images, group, channels, maps; /* channels and maps of one group */
    char attrs[200];
} geometry;

static heed_tensor *random_tensor(int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t dims[] = {a, b, c, d};
    heed_tensor *t = one_op_tensor(HEED_FLOAT32, 4, dims, NULL);
    float *values = tensor_data(t);
    for (int64_t i = 0; i < tensor_count(t); i++)
        values[i] = (float)one_op_between(-8, 8);
    return t;
}

static void make_geometry(geometry *g)
{
    bool good;
    do {
        good = true;
        for (int a = 0; a < 2; a++) {
            g->in[a] = one_op_between(1, 9);
            g->kernel[a] = one_op_between(1, 3);
            g->stride[a] = one_op_between(1, 3);
            g->dilation[a] = one_op_between(1, 2);
            g->before[a] = one_op_between(0, g->kernel[a] - 1);
            g->after[a] = one_op_between(0, g->kernel[a] - 1);
            int64_t room =
                g->in[a] + g->before[a] + g->after[a] - g->dilation[a] * (g->kernel[a] - 1) - 1;
            good = good && room >= 0;
            g->out[a] = room / g->stride[a] + 1;
        }
    } while (!good);
    g->images = one_op_between(1, 2);
    g->group = one_op_between(1, 2);
    g->channels = one_op_between(1, 3);
    g->maps = one_op_between(1, 3);
    snprintf(g->attrs, sizeof(g->attrs),
             "kernel_shape=[%d,%d] strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d]",
             (int)g->kernel[0], (int)g->kernel[1], (int)g->stride[0], (int)g->stride[1],
             (int)g->dilation[0], (int)g->dilation[1], (int)g->before[0], (int)g->before[1],
             (int)g->after[0], (int)g->after[1]);
}

/* Input offset of tap (k0, k1) of the window at (o0, o1) in one plane, or -1 in the padding. */
static int64_t tap(const geometry *g, int64_t o0, int64_t o1, int64_t k0, int64_t k1)
{
    int64_t i = o0 * g->stride[0] - g->before[0] + k0 * g->dilation[0];
    int64_t j = o1 * g->stride[1] - g->before[1] + k1 * g->dilation[1];
    bool inside = i >= 0 && i < g->in[0] && j >= 0 && j < g->in[1];
    return inside ? i * g->in[1] + j : -1;
}

static float conv_at(const geometry *g, const float *x, const float *w, int64_t image, int64_t m,
                     int64_t o0, int64_t o1)
{
    int64_t first = (image * g->group + m / g->maps) * g->channels;
    float sum = 0.0f;
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t k = 0; k < g->kernel[0] * g->kernel[1]; k++) {
            int64_t at = tap(g, o0, o1, k / g->kernel[1], k % g->kernel[1]);
            if (at >= 0)
                sum += x[(first + c) * g->in[0] * g->in[1] + at] *
                       w[(m * g->channels + c) * g->kernel[0] * g->kernel[1] + k];
        }
    return sum;
}

static void convolutions(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        geometry g;
        make_geometry(&g);
        int64_t maps = g.group * g.maps, i = 0;
        heed_tensor *in[] = {
            random_tensor(g.images, g.group * g.channels, g.in[0], g.in[1]),
            random_tensor(maps, g.channels, g.kernel[0], g.kernel[1]),
            one_op_tensor(HEED_FLOAT32, 1, &maps, NULL),
        };
        heed_tensor *out;
        float *bias = tensor_data(in[2]);
        for (int64_t m = 0; m < maps; m++)
            bias[m] = (float)m;
        snprintf(g.attrs + strlen(g.attrs), 20, " group=%d", (int)g.group);
        assert_int_equal(one_op_run("Conv", g.attrs, 3, in, 1, &out), HEED_OK);
        const int64_t expected[] = {g.images, maps, g.out[0], g.out[1]};
        assert_true(shape_equal(4, expected, tensor_rank(out), out->dims));
        const float *y = tensor_data(out);
        for (int64_t n = 0; n < g.images; n++)
            for (int64_t m = 0; m < maps; m++)
                for (int64_t o = 0; o < g.out[0] * g.out[1]; o++, i++)
                    assert_true(y[i] == bias[m] + conv_at(&g, tensor_data(in[0]),
                                                          tensor_data(in[1]), n, m, o / g.out[1],
                                                          o % g.out[1]));
        tensor_free(out);
        for (int k = 0; k < 3; k++)
            tensor_free(in[k]);
    }
}

static double dot(const heed_tensor *a, const heed_tensor *b)
{
    const float *x = tensor_data(a), *y = tensor_data(b);
    double sum = 0.0;
    assert_int_equal(tensor_count(a), tensor_count(b));
    for (int64_t i = 0; i < tensor_count(a); i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static void transposed_is_adjoint(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        geometry g;
        heed_tensor *y, *back;
        char attrs[300];
        make_geometry(&g);
        heed_tensor *x = random_tensor(g.images, g.group * g.channels, g.in[0], g.in[1]);
        heed_tensor *w = random_tensor(g.group * g.maps, g.channels, g.kernel[0], g.kernel[1]);
        heed_tensor *forward[] = {x, w}, *backward[] = {NULL, w};
        snprintf(attrs, sizeof(attrs), "%s group=%d", g.attrs, (int)g.group);
        assert_int_equal(one_op_run("Conv", attrs, 2, forward, 1, &y), HEED_OK);
        heed_tensor *other = random_tensor(y->dims[0], y->dims[1], y->dims[2], y->dims[3]);
        /* what the strides did not reach comes back by output_padding */
        int extra[2];
        for (int a = 0; a < 2; a++)
            extra[a] =
                (int)((g.in[a] + g.before[a] + g.after[a] - g.dilation[a] * (g.kernel[a] - 1) - 1) %
                      g.stride[a]);
        snprintf(attrs, sizeof(attrs), "%s group=%d output_padding=[%d,%d]", g.attrs, (int)g.group,
                 extra[0], extra[1]);
        backward[0] = other;
        assert_int_equal(one_op_run("ConvTranspose", attrs, 2, backward, 1, &back), HEED_OK);
        assert_true(shape_equal(4, x->dims, tensor_rank(back), back->dims));
        assert_true(dot(y, other) == dot(x, back));
        heed_tensor *all[] = {x, w, y, other, back};
        for (int k = 0; k < 5; k++)
            tensor_free(all[k]);
    }
}

static void pools(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        geometry g;
        make_geometry(&g);
        bool pad = one_op_between(0, 1);
        heed_tensor *in[] = {random_tensor(g.images, g.channels, g.in[0], g.in[1])};
        heed_tensor *most[2], *average;
        char attrs[300];
        snprintf(attrs, sizeof(attrs), "%s count_include_pad=%d", g.attrs, pad);
        assert_int_equal(one_op_run("MaxPool", g.attrs, 1, in, 2, most), HEED_OK);
        assert_int_equal(one_op_run("AveragePool", attrs, 1, in, 1, &average), HEED_OK);
        const float *x = tensor_data(in[0]), *y = tensor_data(most[0]), *z = tensor_data(average);
        const int64_t *where = tensor_data(most[1]);
        for (int64_t i = 0; i < tensor_count(most[0]); i++) {
            int64_t plane = i / (g.out[0] * g.out[1]), o = i % (g.out[0] * g.out[1]), n = 0;
            float best = -HUGE_VALF, sum = 0.0f;
            for (int64_t k = 0; k < g.kernel[0] * g.kernel[1]; k++) {
                int64_t at = tap(&g, o / g.out[1], o % g.out[1], k / g.kernel[1], k % g.kernel[1]);
                if (at < 0)
                    continue;
                float value = x[plane * g.in[0] * g.in[1] + at];
                best = value > best ? value : best;
                sum += value;
                n++;
            }
            int64_t divisor = pad ? g.kernel[0] * g.kernel[1] : n;
            if (n > 0) {
                assert_true(y[i] == best && x[where[i]] == best);
                assert_true(fabsf(z[i] - sum / (float)divisor) <= 1e-5f);
            }
        }
        tensor_free(in[0]);
        tensor_free(most[0]);
        tensor_free(most[1]);
        tensor_free(average);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(transposed_is_adjoint),
        cmocka_unit_test(pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
