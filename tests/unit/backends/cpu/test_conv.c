/* Conv against the definition in double: one and two dimensions, groups, strides, dilations,
 * padding on either side, auto_pad, windows larger than the input. */
#include "check.h"

typedef struct geometry {
    int axes;
    int64_t in[2], window[2], stride[2], dilation[2], before[2], after[2], out[2];
} geometry;

static geometry any_geometry(int axes)
{
    geometry g = {.axes = axes};
    for (int d = 0; d < 2; d++) {
        int real = d >= 2 - axes;
        g.in[d] = real ? 1 + any(14) : 1;
        g.window[d] = real ? 1 + any(4) : 1;
        g.stride[d] = real ? 1 + any(3) : 1;
        g.dilation[d] = real ? 1 + any(3) : 1;
        g.before[d] = real ? any(4) : 0;
        g.after[d] = real ? any(4) : 0;
        int64_t span = (g.window[d] - 1) * g.dilation[d] + 1;
        while (g.in[d] + g.before[d] + g.after[d] < span)
            g.in[d]++;
        g.out[d] = (g.in[d] + g.before[d] + g.after[d] - span) / g.stride[d] + 1;
    }
    return g;
}

static double pixel(const geometry *g, const float *x, const float *w, int64_t channels, int64_t y,
                    int64_t c)
{
    double sum = 0;
    for (int64_t k = 0; k < channels; k++)
        for (int64_t i = 0; i < g->window[0]; i++)
            for (int64_t j = 0; j < g->window[1]; j++) {
                int64_t r = y * g->stride[0] - g->before[0] + i * g->dilation[0];
                int64_t s = c * g->stride[1] - g->before[1] + j * g->dilation[1];
                if (r < 0 || r >= g->in[0] || s < 0 || s >= g->in[1])
                    continue;
                sum += (double)x[(k * g->in[0] + r) * g->in[1] + s] *
                       (double)w[(k * g->window[0] + i) * g->window[1] + j];
            }
    return sum;
}

static void conv_case(const geometry *g, int64_t groups, int64_t channels, int64_t features,
                      int with_bias, const char *auto_pad)
{
    int skip = 2 - g->axes, rank = 2 + g->axes;
    int64_t images = 1 + any(3), x[4] = {images, groups * channels};
    int64_t w[4] = {groups * features, channels}, y[4] = {images, groups * features}, pads[4];
    for (int d = 0; d < g->axes; d++) {
        x[2 + d] = g->in[skip + d], w[2 + d] = g->window[skip + d], y[2 + d] = g->out[skip + d];
        pads[d] = g->before[skip + d], pads[g->axes + d] = g->after[skip + d];
    }
    mini_node node = {.op = "Conv", .n_in = with_bias ? 3 : 2, .n_out = 1};
    node.in[0] = random_tensor(rank, x), node.in[1] = random_tensor(rank, w);
    if (with_bias)
        node.in[2] = random_tensor(1, y + 1);
    node.out[0] = random_tensor(rank, y);
    mini_int(&node, "group", groups);
    mini_ints(&node, "strides", g->stride + skip, (size_t)g->axes);
    mini_ints(&node, "dilations", g->dilation + skip, (size_t)g->axes);
    mini_string(&node, "auto_pad", auto_pad);
    if (!strcmp(auto_pad, "NOTSET"))
        mini_ints(&node, "pads", pads, 2 * (size_t)g->axes);
    run_node(&node);
    const float *px = mini_data(node.in[0]), *pw = mini_data(node.in[1]);
    const float *py = mini_data(node.out[0]), *pb = with_bias ? mini_data(node.in[2]) : NULL;
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        int64_t at = (int64_t)i, c = at % g->out[1], r = at / g->out[1] % g->out[0];
        int64_t feature = at / g->out[1] / g->out[0] % y[1],
                image = at / g->out[1] / g->out[0] / y[1];
        int64_t group = feature / features;
        const float *from = px + (image * x[1] + group * channels) * g->in[0] * g->in[1];
        const float *by = pw + feature * channels * g->window[0] * g->window[1];
        double want = pixel(g, from, by, channels, r, c) + (pb ? (double)pb[feature] : 0);
        expect(&node, i, (double)py[i], want, 1e-5, 1e-4);
    }
    drop(&node);
}

static void convolutions(void)
{
    for (int round = 0; round < 120; round++) {
        geometry g = any_geometry(1 + round % 2);
        conv_case(&g, 1 + any(3), 1 + any(4), 1 + any(4), round % 3 != 0, "NOTSET");
    }
    geometry point = {.axes = 2, .in = {9, 7}, .window = {1, 1}, .stride = {1, 1}};
    point.dilation[0] = point.dilation[1] = 1, point.out[0] = 9, point.out[1] = 7;
    conv_case(&point, 1, 40, 30, 1, "NOTSET");
    conv_case(&point, 3, 4, 5, 1, "NOTSET");
}

static void automatic_padding(void)
{
    for (int lower = 0; lower < 2; lower++)
        for (int round = 0; round < 20; round++) {
            geometry g = any_geometry(2);
            for (int d = 0; d < 2; d++) {
                g.out[d] = (g.in[d] + g.stride[d] - 1) / g.stride[d];
                int64_t total =
                    (g.out[d] - 1) * g.stride[d] + (g.window[d] - 1) * g.dilation[d] + 1 - g.in[d];
                total = total < 0 ? 0 : total;
                g.before[d] = lower ? total - total / 2 : total / 2;
            }
            conv_case(&g, 2, 2, 3, 1, lower ? "SAME_LOWER" : "SAME_UPPER");
        }
}

static void test_conv(void **state)
{
    (void)state;
    for_each_isa(convolutions);
}

static void test_auto_pad(void **state)
{
    (void)state;
    for_each_isa(automatic_padding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conv),
                                       cmocka_unit_test(test_auto_pad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
