/* Operators that move elements, against index arithmetic: every element size, random ranks and
 * permutations, tiles and rests of tiles, negative steps, empty parts, indices out of range. */
#include "check.h"

static const heed_dtype kinds[4] = {HEED_UINT8, HEED_FLOAT16, HEED_FLOAT32, HEED_INT64};

static DLTensor *bytes_tensor(heed_dtype dtype, int rank, const int64_t *dims)
{
    DLTensor *t = mini_tensor(dtype, rank, dims);
    unsigned char *data = mini_data(t);
    for (size_t i = 0; i < mini_bytes(t); i++)
        data[i] = (unsigned char)any(256);
    return t;
}

/* Element i of `got` must be element j of `from`. */
static void expect_same(const mini_node *node, const DLTensor *got, size_t i, const DLTensor *from,
                        size_t j)
{
    size_t bytes = got->dtype.bits / 8u;
    if (memcmp((char *)mini_data(got) + i * bytes, (char *)mini_data(from) + j * bytes, bytes))
        fail_msg("%s: element %zu is not element %zu of its input", node->op, i, j);
}

/* ---- Transpose ------------------------------------------------------------------------------ */

static void transpose_case(heed_dtype dtype, int rank, const int64_t *dims, const int64_t *perm)
{
    int64_t out[MINI_RANK];
    for (int d = 0; d < rank; d++)
        out[d] = dims[perm[d]];
    mini_node node = {.op = "Transpose", .n_in = 1, .n_out = 1};
    node.in[0] = bytes_tensor(dtype, rank, dims);
    node.out[0] = mini_tensor(dtype, rank, out);
    mini_ints(&node, "perm", perm, (size_t)rank);
    run_node(&node);
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        size_t place[MINI_RANK] = {0}, rest = i, from = 0;
        for (int d = rank - 1; d >= 0; d--) {
            place[perm[d]] = rest % (size_t)out[d];
            rest /= (size_t)out[d];
        }
        for (int d = 0; d < rank; d++)
            from = from * (size_t)dims[d] + place[d];
        expect_same(&node, node.out[0], i, node.in[0], from);
    }
    drop(&node);
}

static void transposes(void)
{
    for (int round = 0; round < 200; round++) {
        int rank = 1 + (int)any(5);
        int64_t dims[5], perm[5] = {0, 1, 2, 3, 4};
        for (int d = 0; d < rank; d++) {
            uint32_t other = (uint32_t)d + any((uint32_t)(rank - d));
            int64_t keep = perm[d];
            perm[d] = perm[other], perm[other] = keep;
            dims[d] = any(30) ? 1 + any(rank > 3 ? 7 : 40) : 0;
        }
        transpose_case(kinds[round % 4], rank, dims, perm);
    }
    for (int k = 0; k < 4; k++) {
        transpose_case(kinds[k], 4, (int64_t[]){2, 40, 12, 32}, (int64_t[]){0, 2, 1, 3});
        transpose_case(kinds[k], 4, (int64_t[]){2, 40, 12, 32}, (int64_t[]){0, 2, 3, 1});
        transpose_case(kinds[k], 2, (int64_t[]){320, 517}, (int64_t[]){1, 0});
        transpose_case(kinds[k], 3, (int64_t[]){64, 128, 32}, (int64_t[]){0, 1, 2});
    }
}

static void reversed(void)
{
    int64_t dims[3] = {3, 4, 5}, out[3] = {5, 4, 3};
    mini_node node = {.op = "Transpose", .n_in = 1, .n_out = 1};
    node.in[0] = bytes_tensor(HEED_FLOAT32, 3, dims);
    node.out[0] = mini_tensor(HEED_FLOAT32, 3, out);
    run_node(&node);
    for (size_t i = 0; i < 60; i++)
        expect_same(&node, node.out[0], i, node.in[0], i % 3 * 20 + i / 3 % 4 * 5 + i / 12);
    drop(&node);
}

/* ---- Expand --------------------------------------------------------------------------------- */

static void expands(void)
{
    for (int round = 0; round < 80; round++) {
        int64_t dims[4], own[4];
        int rank = 1 + (int)any(4), skip = (int)any((uint32_t)rank + 1);
        for (int d = 0; d < rank; d++) {
            dims[d] = any(20) ? 1 + any(d == rank - 1 ? 90 : 7) : 0;
            if (d >= skip)
                own[d - skip] = any(2) ? dims[d] : 1;
        }
        mini_node node = {.op = "Expand", .n_in = 1, .n_out = 1};
        node.in[0] = bytes_tensor(kinds[round % 4], rank - skip, own);
        node.out[0] = mini_tensor(kinds[round % 4], rank, dims);
        run_node(&node);
        for (size_t i = 0; i < mini_count(node.out[0]); i++)
            expect_same(&node, node.out[0], i, node.in[0],
                        broadcast_at(node.in[0], node.out[0], i));
        drop(&node);
    }
}

/* ---- Concat and Split ----------------------------------------------------------------------- */

/* Element (outer, place, inner) of a part is element (outer, at + place, inner) of the whole. */
static void expect_part(const mini_node *node, const DLTensor *whole, const DLTensor *part,
                        int axis, int64_t at)
{
    size_t inner = 1, own = (size_t)part->shape[axis], all = (size_t)whole->shape[axis];
    for (int d = axis + 1; d < part->ndim; d++)
        inner *= (size_t)part->shape[d];
    for (size_t i = 0; i < mini_count(part); i++) {
        size_t outer = i / (own * inner), place = i / inner % own;
        expect_same(node, part, i, whole, (outer * all + (size_t)at + place) * inner + i % inner);
    }
}

static void parts_case(const char *op, heed_dtype dtype, int leave_out)
{
    int64_t dims[3] = {1 + any(5), 1 + any(5), 1 + any(20)}, lengths[4], at = 0;
    int axis = (int)any(3), join = !strcmp(op, "Concat");
    uint32_t n = 1 + any(4);
    mini_node node = {.op = op, .n_in = join ? n : 2, .n_out = join ? 1 : n};
    DLTensor **parts = join ? node.in : node.out;
    for (uint32_t i = 0; i < n; i++) {
        lengths[i] = dims[axis] = any(6);
        parts[i] = bytes_tensor(dtype, 3, dims);
        at += dims[axis];
    }
    dims[axis] = at;
    DLTensor *whole = bytes_tensor(dtype, 3, dims);
    if (join) {
        node.out[0] = whole;
    } else {
        node.in[0] = whole;
        node.in[1] = integers(n, lengths);
        if (leave_out && n > 1) {
            mini_free(node.out[0]);
            node.out[0] = NULL;
        }
    }
    mini_int(&node, "axis", any(2) ? axis : axis - 3);
    run_node(&node);
    at = 0;
    for (uint32_t i = 0; i < n; at += lengths[i++])
        if (parts[i])
            expect_part(&node, whole, parts[i], axis, at);
    drop(&node);
}

static void parts(void)
{
    for (int round = 0; round < 100; round++) {
        parts_case("Concat", kinds[round % 4], 0);
        parts_case("Split", kinds[round % 4], round % 3 == 0);
    }
}

/* ---- Slice
 * --------------------------------------------------------------------------------------- */

/* How many elements start:end:step takes, and the first, by Python's rules. */
static int64_t taken(int64_t start, int64_t end, int64_t step, int64_t extent, int64_t *first)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? extent - 1 : extent;
    start = start < 0 ? start + extent : start;
    end = end < 0 ? end + extent : end;
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    int64_t n = step < 0 ? (start - end - step - 1) / -step : (end - start + step - 1) / step;
    *first = start;
    return n < 0 ? 0 : n;
}

static void slice_case(heed_dtype dtype)
{
    int64_t dims[3] = {1 + any(9), 1 + any(9), 1 + any(30)}, out[3], first[3] = {0}, stride[3];
    int64_t starts[2], ends[2], axes[2], steps[2], by[3] = {1, 1, 1};
    memcpy(out, dims, sizeof(out));
    stride[2] = 1, stride[1] = dims[2], stride[0] = dims[1] * dims[2];
    for (int i = 0; i < 2; i++) {
        int axis = i ? ((int)axes[0] + 4) % 3 : (int)any(3);
        axes[i] = any(2) ? axis : axis - 3;
        starts[i] = any(8) ? (int64_t)any(30) - 15 : INT64_MIN;
        ends[i] = any(4) ? (int64_t)any(30) - 15 : INT64_MAX;
        steps[i] = by[axis] = any(2) ? 1 : any(2) ? 1 + any(4) : -1 - (int64_t)any(4);
        if (steps[i] < 0 && ends[i] == INT64_MAX)
            ends[i] = INT64_MIN;
        out[axis] = taken(starts[i], ends[i], steps[i], dims[axis], &first[axis]);
    }
    mini_node node = {.op = "Slice", .n_in = 5, .n_out = 1};
    node.in[0] = bytes_tensor(dtype, 3, dims);
    node.in[1] = integers(2, starts), node.in[2] = integers(2, ends);
    node.in[3] = integers(2, axes), node.in[4] = integers(2, steps);
    node.out[0] = mini_tensor(dtype, 3, out);
    run_node(&node);
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        size_t rest = i;
        int64_t from = 0;
        for (int d = 2; d >= 0; d--) {
            from += (first[d] + (int64_t)(rest % (size_t)out[d]) * by[d]) * stride[d];
            rest /= (size_t)out[d];
        }
        expect_same(&node, node.out[0], i, node.in[0], (size_t)from);
    }
    drop(&node);
}

static void slices(void)
{
    for (int round = 0; round < 300; round++)
        slice_case(kinds[round % 4]);
}

/* ---- Gather
 * --------------------------------------------------------------------------------------- */

static void gather_case(heed_dtype dtype)
{
    int64_t dims[3] = {1 + any(6), 1 + any(6), 1 + any(30)}, out[4],
            shape[2] = {1 + any(4), any(6)};
    int axis = (int)any(3), rank = 0;
    mini_node node = {.op = "Gather", .n_in = 2, .n_out = 1};
    node.in[0] = bytes_tensor(dtype, 3, dims);
    node.in[1] = mini_tensor(HEED_INT64, 2, shape);
    int64_t *indices = mini_data(node.in[1]);
    for (size_t i = 0; i < mini_count(node.in[1]); i++)
        indices[i] = (int64_t)any((uint32_t)(2 * dims[axis])) - dims[axis];
    for (int d = 0; d < 3; d++) {
        if (d == axis)
            out[rank++] = shape[0], out[rank++] = shape[1];
        else
            out[rank++] = dims[d];
    }
    node.out[0] = mini_tensor(dtype, 4, out);
    mini_int(&node, "axis", axis);
    run_node(&node);
    size_t inner = 1, n = (size_t)(shape[0] * shape[1]);
    for (int d = axis + 1; d < 3; d++)
        inner *= (size_t)dims[d];
    for (size_t i = 0; i < mini_count(node.out[0]); i++) {
        int64_t index = indices[i / inner % n];
        size_t at = (size_t)(index < 0 ? index + dims[axis] : index), outer = i / inner / n;
        expect_same(&node, node.out[0], i, node.in[0],
                    (outer * (size_t)dims[axis] + at) * inner + i % inner);
    }
    drop(&node);
}

static void elements_case(heed_dtype dtype)
{
    int64_t dims[3] = {2 + any(5), 2 + any(5), 2 + any(9)}, shape[3];
    int axis = (int)any(3);
    for (int d = 0; d < 3; d++)
        shape[d] = d == axis ? any(12) : dims[d] - any(2);
    mini_node node = {.op = "GatherElements", .n_in = 2, .n_out = 1};
    node.in[0] = bytes_tensor(dtype, 3, dims);
    node.in[1] = mini_tensor(HEED_INT64, 3, shape);
    node.out[0] = mini_tensor(dtype, 3, shape);
    int64_t *indices = mini_data(node.in[1]);
    size_t n = mini_count(node.in[1]);
    for (size_t i = 0; i < n; i++)
        indices[i] = (int64_t)any((uint32_t)(2 * dims[axis])) - dims[axis];
    mini_int(&node, "axis", axis - 3);
    run_node(&node);
    for (size_t i = 0; i < n; i++) {
        size_t rest = i, place[3], from = 0;
        for (int d = 2; d >= 0; d--) {
            place[d] = rest % (size_t)shape[d];
            rest /= (size_t)shape[d];
        }
        place[axis] = (size_t)(indices[i] < 0 ? indices[i] + dims[axis] : indices[i]);
        for (int d = 0; d < 3; d++)
            from = from * (size_t)dims[d] + place[d];
        expect_same(&node, node.out[0], i, node.in[0], from);
    }
    drop(&node);
}

static void gathers(void)
{
    for (int round = 0; round < 100; round++) {
        gather_case(kinds[round % 4]);
        elements_case(kinds[round % 4]);
    }
}

static void bad_index(void)
{
    const int64_t wrong[4] = {4, -5, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        int64_t dims[2] = {4, 8}, out[2] = {2, 8}, indices[2] = {1, wrong[i]};
        mini_node node = {.op = "Gather", .n_in = 2, .n_out = 1};
        node.in[0] = bytes_tensor(HEED_FLOAT32, 2, dims);
        node.in[1] = integers(2, indices);
        node.out[0] = mini_tensor(HEED_FLOAT32, 2, out);
        mini_int(&node, "axis", 0);
        assert_int_equal(mini_run(&node), HEED_INVALID);
        assert_non_null(strstr(mini_message(), "number 1"));
        drop(&node);
    }
}

static void test_transpose(void **state)
{
    (void)state;
    for_each_isa(transposes);
}
static void test_reversed(void **state)
{
    (void)state;
    for_each_isa(reversed);
}
static void test_expand(void **state)
{
    (void)state;
    for_each_isa(expands);
}
static void test_parts(void **state)
{
    (void)state;
    for_each_isa(parts);
}
static void test_slice(void **state)
{
    (void)state;
    for_each_isa(slices);
}
static void test_gather(void **state)
{
    (void)state;
    for_each_isa(gathers);
}
static void test_bad_index(void **state)
{
    (void)state;
    for_each_isa(bad_index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpose), cmocka_unit_test(test_reversed),
        cmocka_unit_test(test_expand),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_slice),     cmocka_unit_test(test_gather),
        cmocka_unit_test(test_bad_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
