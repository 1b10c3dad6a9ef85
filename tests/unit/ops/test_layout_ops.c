/* Slice, Pad, Tile, Transpose, Expand, Concat and Split over random shapes and dtypes, against the
 * index formula of each: output element i is input element f(i). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

enum { MAX_RANK = 4, ROUNDS = 200 };

static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_UINT8,   HEED_INT4,     HEED_FLOAT16,
                                    HEED_INT64,   HEED_FLOAT64, HEED_BFLOAT16, HEED_UINT2};

typedef struct sample {
    int32_t rank;
    int64_t dims[MAX_RANK];
    heed_tensor *data;
} sample;

static sample sample_of(int32_t rank, int64_t most)
{
    sample s = {.rank = rank};
    for (int32_t i = 0; i < s.rank; i++)
        s.dims[i] = one_op_between(1, most);
    size_t which = (size_t)one_op_between(0, sizeof(dtypes) / sizeof(dtypes[0]) - 1);
    s.data = one_op_tensor(dtypes[which], s.rank, s.dims, NULL);
    for (int64_t i = 0; i < tensor_count(s.data); i++) {
        int64_t value = one_op_between(0, 3);
        if (dtype_is_float(s.data->dtype)) {
            double real = (double)value;
            dtype_store_f64(s.data->dtype, tensor_data(s.data), i, 1, &real, true);
        } else {
            dtype_store_i64(s.data->dtype, tensor_data(s.data), i, 1, &value);
        }
    }
    return s;
}

static sample make_sample(void) { return sample_of((int32_t)one_op_between(1, MAX_RANK), 5); }

static double element(const heed_tensor *t, int64_t i)
{
    double value;
    dtype_load_f64(t->dtype, tensor_data(t), i, 1, &value);
    return value;
}

static heed_tensor *ints(int64_t n, const int64_t *values)
{
    double reals[2 * MAX_RANK];
    for (int64_t i = 0; i < n; i++)
        reals[i] = (double)values[i];
    return one_op_vector(HEED_INT64, n, reals);
}

/* For each axis and output index, the input index; -1: the output element is zero. */
typedef struct index_map {
    int64_t out[MAX_RANK];
    int64_t from[MAX_RANK][64];
} index_map;

static void check_map(const sample *s, const heed_tensor *out, const index_map *m)
{
    int64_t count = 1;
    assert_int_equal(tensor_rank(out), s->rank);
    assert_int_equal(out->dtype, s->data->dtype);
    for (int32_t a = 0; a < s->rank; a++) {
        assert_int_equal(out->dims[a], m->out[a]);
        count *= m->out[a];
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t flat = i, from = 0, step = 1;
        bool zero = false;
        for (int32_t a = s->rank - 1; a >= 0; a--) {
            int64_t index = m->from[a][flat % m->out[a]];
            flat /= m->out[a];
            zero = zero || index < 0;
            from += index * step;
            step *= s->dims[a];
        }
        assert_true(element(out, i) == (zero ? 0.0 : element(s->data, from)));
    }
}

static void run_and_check(const char *op, const char *attrs, const sample *s, uint32_t n_in,
                          heed_tensor **in, const index_map *m)
{
    heed_tensor *out;
    assert_int_equal(one_op_run(op, attrs, n_in, in, 1, &out), HEED_OK);
    check_map(s, out, m);
    tensor_free(out);
    for (uint32_t i = 0; i < n_in; i++)
        tensor_free(in[i]);
}

static void slices(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        sample s = make_sample();
        index_map m;
        int64_t starts[MAX_RANK], ends[MAX_RANK], axes[MAX_RANK], steps[MAX_RANK];
        for (int32_t a = 0; a < s.rank; a++) {
            int64_t d = s.dims[a];
            starts[a] = one_op_between(-d - 2, d + 2);
            ends[a] = one_op_between(-d - 2, d + 2);
            steps[a] = one_op_between(1, 3) * (one_op_between(0, 1) ? 1 : -1);
            axes[a] = one_op_between(0, 1) ? a : a - s.rank;
            int64_t low = steps[a] > 0 ? 0 : -1, high = steps[a] > 0 ? d : d - 1;
            int64_t from = starts[a] < 0 ? starts[a] + d : starts[a];
            int64_t to = ends[a] < 0 ? ends[a] + d : ends[a];
            from = from < 0 ? 0 : from > high ? high : from;
            to = to < low ? low : to > high ? high : to;
            m.out[a] = 0;
            for (int64_t i = from; steps[a] > 0 ? i < to : i > to; i += steps[a])
                m.from[a][m.out[a]++] = i;
        }
        heed_tensor *in[] = {s.data, ints(s.rank, starts), ints(s.rank, ends), ints(s.rank, axes),
                             ints(s.rank, steps)};
        run_and_check("Slice", "", &s, 5, in, &m);
    }
}

static int64_t padded(const char *mode, int64_t i, int64_t d)
{
    if (strcmp(mode, "constant") == 0)
        return i >= 0 && i < d ? i : -1;
    if (strcmp(mode, "edge") == 0)
        return i < 0 ? 0 : i >= d ? d - 1 : i;
    if (strcmp(mode, "wrap") == 0)
        return ((i % d) + d) % d;
    while (d > 1 && (i < 0 || i >= d)) /* mirrored as often as it takes */
        i = i < 0 ? -i : 2 * (d - 1) - i;
    return d > 1 ? i : 0;
}

static void pads(void **state)
{
    static const char *const modes[] = {"constant", "edge", "wrap", "reflect"};
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        sample s = make_sample();
        index_map m;
        int64_t amounts[2 * MAX_RANK];
        char attrs[32];
        const char *mode = modes[one_op_between(0, 3)];
        snprintf(attrs, sizeof(attrs), "mode='%s'", mode);
        for (int32_t a = 0; a < s.rank; a++) {
            int64_t before = one_op_between(-1, 6), after = one_op_between(0, 6);
            amounts[a] = before;
            amounts[a + s.rank] = after;
            m.out[a] = before + s.dims[a] + after;
            for (int64_t i = 0; i < m.out[a]; i++)
                m.from[a][i] = padded(mode, i - before, s.dims[a]);
        }
        heed_tensor *in[] = {s.data, ints(2 * s.rank, amounts)};
        run_and_check("Pad", attrs, &s, 2, in, &m);
    }
}

static void tiles(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        sample s = make_sample();
        index_map m;
        int64_t repeats[MAX_RANK];
        for (int32_t a = 0; a < s.rank; a++) {
            repeats[a] = one_op_between(0, 9) == 0 ? 0 : one_op_between(1, 3);
            m.out[a] = s.dims[a] * repeats[a];
            for (int64_t i = 0; i < m.out[a]; i++)
                m.from[a][i] = i % s.dims[a];
        }
        heed_tensor *in[] = {s.data, ints(s.rank, repeats)};
        run_and_check("Tile", "", &s, 2, in, &m);
    }
}

static void expands(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        sample s = make_sample();
        index_map m;
        int64_t target[MAX_RANK];
        for (int32_t a = 0; a < s.rank; a++) {
            bool repeats = s.dims[a] == 1 && one_op_between(0, 1);
            target[a] = repeats ? one_op_between(1, 4) : one_op_between(0, 1) ? 1 : s.dims[a];
            m.out[a] = repeats ? target[a] : s.dims[a];
            for (int64_t i = 0; i < m.out[a]; i++)
                m.from[a][i] = repeats ? 0 : i;
        }
        heed_tensor *in[] = {s.data, ints(s.rank, target)};
        run_and_check("Expand", "", &s, 2, in, &m);
    }
}

/* Some are of several squares, and of a part of one. */
static void transposes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        bool large = round % 8 == 0;
        sample s = large ? sample_of((int32_t)one_op_between(2, 3), 50) : make_sample();
        int32_t perm[MAX_RANK] = {0, 1, 2, 3};
        char attrs[64] = "perm=[";
        heed_tensor *out, *in[] = {s.data};
        for (int32_t a = s.rank - 1; a > 0; a--) {
            int32_t other = (int32_t)one_op_between(0, a), kept = perm[a];
            perm[a] = perm[other];
            perm[other] = kept;
        }
        for (int32_t a = 0; a < s.rank; a++)
            snprintf(attrs + strlen(attrs), sizeof(attrs) - strlen(attrs), "%d%s", perm[a],
                     a + 1 < s.rank ? "," : "]");
        assert_int_equal(one_op_run("Transpose", attrs, 1, in, 1, &out), HEED_OK);
        for (int64_t i = 0; i < tensor_count(out); i++) {
            int64_t index[MAX_RANK], flat = i, from = 0;
            for (int32_t a = s.rank - 1; a >= 0; a--) {
                assert_int_equal(out->dims[a], s.dims[perm[a]]);
                index[perm[a]] = flat % out->dims[a];
                flat /= out->dims[a];
            }
            for (int32_t a = 0; a < s.rank; a++)
                from = from * s.dims[a] + index[a];
            assert_true(element(out, i) == element(s.data, from));
        }
        tensor_free(out);
        tensor_free(s.data);
    }
}

/* What Split cuts, Concat joins again. */
static void splits(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        sample s = make_sample();
        int32_t axis = (int32_t)one_op_between(0, s.rank - 1);
        int64_t first = one_op_between(0, s.dims[axis]);
        int64_t sizes[2] = {first, s.dims[axis] - first};
        heed_tensor *in[] = {s.data, ints(2, sizes)}, *parts[2], *whole;
        char attrs[32];
        snprintf(attrs, sizeof(attrs), "axis=%d", axis - (round % 2 ? s.rank : 0));
        assert_int_equal(one_op_run("Split", attrs, 2, in, 2, parts), HEED_OK);
        assert_int_equal(parts[0]->dims[axis], sizes[0]);
        assert_int_equal(parts[1]->dims[axis], sizes[1]);
        assert_int_equal(one_op_run("Concat", attrs, 2, parts, 1, &whole), HEED_OK);
        assert_int_equal(tensor_count(whole), tensor_count(s.data));
        for (int64_t i = 0; i < tensor_count(whole); i++)
            assert_true(element(whole, i) == element(s.data, i));
        heed_tensor *all[] = {s.data, in[1], parts[0], parts[1], whole};
        for (size_t i = 0; i < 5; i++)
            tensor_free(all[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices),  cmocka_unit_test(pads),       cmocka_unit_test(tiles),
        cmocka_unit_test(expands), cmocka_unit_test(transposes), cmocka_unit_test(splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
