/* TensorProto: every element type from raw_data and from its typed field gives the same bytes, and
 * every disagreement between dims, type and data is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_record.h"
#include "onnx_write.h"

enum { FLOATS = 4, INT32S = 5, STRINGS = 6, INT64S = 7, RAW = 9, DOUBLES = 10, UINT64S = 11 };

/* Three elements of each type: the bytes, and the entries of the typed field that say the same. */
typedef struct sample {
    heed_dtype dtype;
    uint32_t field;
    int size; /* of bytes */
    uint8_t bytes[48];
    int n;
    double entries[6];
} sample;

// clang-format off
static const sample samples[] = {
    {HEED_FLOAT32, FLOATS, 12, {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f}, 3, {1, -2, 0.5}},
    {HEED_UINT8, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_INT8, INT32S, 3, {1, 0x80, 0xff}, 3, {1, -128, -1}},
    {HEED_UINT16, INT32S, 6, {1, 0, 0, 0x80, 0xff, 0xff}, 3, {1, 32768, 65535}},
    {HEED_INT16, INT32S, 6, {1, 0, 0, 0x80, 0xff, 0xff}, 3, {1, -32768, -1}},
    {HEED_INT32, INT32S, 12, {1, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff},
     3, {1, -2147483648.0, -1}},
    {HEED_INT64, INT64S, 24, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff}, 3, {1, 4294967296.0, -1}},
    {HEED_BOOL, INT32S, 3, {1, 0, 1}, 3, {1, 0, 7}},
    {HEED_FLOAT16, INT32S, 6, {0, 0x3c, 0, 0xc0, 0, 0x38}, 3, {0x3c00, 0xc000, 0x3800}},
    {HEED_FLOAT64, DOUBLES, 24, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0,
     0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, 3, {1, -2, 0.5}},
    {HEED_UINT32, UINT64S, 12, {1, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff},
     3, {1, 2147483648.0, 4294967295.0}},
    {HEED_UINT64, UINT64S, 24, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
     2, 0, 0, 0, 0, 0, 0, 0}, 3, {1, 4294967296.0, 2}},
    {HEED_COMPLEX64, FLOATS, 24, {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0x80, 0x3f,
     0, 0, 0, 0xc0, 0, 0, 0, 0x3f}, 6, {1, -2, 0.5, 1, -2, 0.5}},
    {HEED_COMPLEX128, DOUBLES, 48, {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0,
     0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0,
     0, 0, 0, 0, 0, 0, 0xe0, 0x3f}, 6, {1, -2, 0.5, 1, -2, 0.5}},
    {HEED_BFLOAT16, INT32S, 6, {0x80, 0x3f, 0, 0xc0, 0, 0x3f}, 3, {0x3f80, 0xc000, 0x3f00}},
    {HEED_FLOAT8E4M3FN, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_FLOAT8E4M3FNUZ, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_FLOAT8E5M2, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_FLOAT8E5M2FNUZ, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_UINT4, INT32S, 2, {0x21, 0x0f}, 2, {0x21, 0x0f}},
    {HEED_INT4, INT32S, 2, {0xf1, 0x08}, 2, {0xf1, 8}},
    {HEED_FLOAT4E2M1, INT32S, 2, {0x21, 0x0f}, 2, {0x21, 0x0f}},
    {HEED_FLOAT8E8M0, INT32S, 3, {1, 200, 255}, 3, {1, 200, 255}},
    {HEED_UINT2, INT32S, 1, {0x1b}, 1, {0x1b}},
    {HEED_INT2, INT32S, 1, {0x1b}, 1, {0x1b}},
};
// clang-format on
enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

/* ---- Writing -------------------------------------------------------------------------------- */

static onnx_message header(int64_t dtype, int64_t dim)
{
    onnx_message m = {0};
    onnx_write_int(&m, 1, dim);
    onnx_write_int(&m, 2, dtype);
    onnx_write_text(&m, 8, "w");
    return m;
}

static void write_entry(onnx_message *m, const sample *s, int i, int packed)
{
    float f = (float)s->entries[i];
    uint64_t bits;
    memcpy(&bits, &s->entries[i], sizeof(bits));
    if (s->field == FLOATS && packed) {
        for (int k = 0; k < 4; k++)
            m->bytes[m->size++] = ((uint8_t *)&f)[k];
    } else if (s->field == FLOATS) {
        onnx_write_float(m, FLOATS, f);
    } else if (s->field == DOUBLES) {
        if (!packed)
            onnx_write_varint(m, DOUBLES << 3 | 1);
        for (int k = 0; k < 8; k++)
            m->bytes[m->size++] = ((uint8_t *)&bits)[k];
    } else if (packed) {
        onnx_write_varint(m, (uint64_t)(int64_t)s->entries[i]);
    } else {
        onnx_write_int(m, s->field, (int64_t)s->entries[i]);
    }
}

/* Room for the bytes that write_entry appends by hand. */
static void reserve(onnx_message *m)
{
    m->capacity = m->size + 256;
    m->bytes = realloc(m->bytes, m->capacity);
}

static onnx_message typed(const sample *s, int packed)
{
    onnx_message m = header(s->dtype, 3), run = {0};
    reserve(&m);
    reserve(&run);
    for (int i = 0; i < s->n; i++)
        write_entry(packed ? &run : &m, s, i, packed);
    if (packed)
        onnx_write_part(&m, s->field, &run);
    onnx_write_free(&run);
    return m;
}

/* ---- Reading one value ---------------------------------------------------------------------- */

typedef struct seen {
    int n;
    size_t size;
    uint8_t bytes[64];
    DLTensor tensor;
} seen;

static heed_status sink(void *arg, const char *name, const DLTensor *tensor)
{
    seen *s = arg;
    (void)name;
    int64_t n = 1;
    for (int i = 0; i < tensor->ndim; i++)
        n *= tensor->shape[i];
    s->n++;
    s->tensor = *tensor;
    s->size = (size_t)(n * tensor->dtype.bits + 7) / 8;
    if (s->size && s->size <= sizeof(s->bytes) && tensor->dtype.code != kDLOpaqueHandle)
        memcpy(s->bytes, tensor->data, s->size);
    return HEED_OK;
}

static heed_status read_kind(uint32_t kind, onnx_message *m, seen *out)
{
    heed_source source = {.size = sizeof(source), .bytes = m->bytes, .n_bytes = m->size};
    heed_type type = {.size = sizeof(type), .kind = kind, .ndim = -1};
    *out = (seen){0};
    heed_status status = onnx_record_importer()->read_value(&source, &type, sink, out);
    onnx_write_free(m);
    assert_int_equal(onnx_record_live, 0);
    return status;
}

static heed_status read_tensor(onnx_message *m, seen *out)
{
    return read_kind(HEED_KIND_TENSOR, m, out);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void expect_sample(const sample *s, onnx_message *m, const char *form)
{
    seen got;
    if (read_tensor(m, &got))
        fail_msg("dtype %u, %s: %s", s->dtype, form, onnx_record_message());
    if (got.n != 1 || got.size != (size_t)s->size || memcmp(got.bytes, s->bytes, got.size) != 0)
        fail_msg("dtype %u, %s: other bytes", s->dtype, form);
}

static void test_every_type(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        const sample *s = &samples[i];
        onnx_message raw = header(s->dtype, 3), single = typed(s, 0), packed = typed(s, 1);
        onnx_write_bytes(&raw, RAW, s->bytes, (size_t)s->size);
        expect_sample(s, &raw, "raw");
        expect_sample(s, &single, "single entries");
        expect_sample(s, &packed, "packed entries");
    }
}

static void test_every_wrong_size(void **state)
{
    seen got;
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        const sample *s = &samples[i];
        uint8_t bytes[64] = {0};
        onnx_message less = header(s->dtype, 3), more = header(s->dtype, 3);
        onnx_message none = header(s->dtype, 3), two = typed(s, 1);
        onnx_write_bytes(&less, RAW, bytes, (size_t)s->size - 1);
        onnx_write_bytes(&more, RAW, bytes, (size_t)s->size + 1);
        onnx_write_bytes(&two, RAW, s->bytes, (size_t)s->size);
        assert_int_equal(read_tensor(&less, &got), HEED_INVALID);
        assert_int_equal(read_tensor(&more, &got), HEED_INVALID);
        assert_int_equal(read_tensor(&none, &got), HEED_INVALID);
        assert_non_null(strstr(onnx_record_message(), "no data"));
        onnx_write_free(&two);
    }
}

/* Each type in each field that is not its own. */
static void test_every_wrong_field(void **state)
{
    static const uint32_t fields[] = {FLOATS, INT32S, INT64S, DOUBLES, UINT64S};
    seen got;
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
            sample s = samples[i];
            if (s.field == fields[f])
                continue;
            s.field = fields[f];
            onnx_message m = typed(&s, 1);
            assert_int_equal(read_tensor(&m, &got), HEED_INVALID);
        }
}

static void test_out_of_range(void **state)
{
    static const struct {
        heed_dtype dtype;
        double entry;
    } rows[] = {{HEED_UINT8, 256},   {HEED_UINT8, -1},    {HEED_INT8, 128},  {HEED_INT16, 40000},
                {HEED_UINT16, -1},   {HEED_FLOAT16, 1e6}, {HEED_UINT4, 256}, {HEED_INT4, -129},
                {HEED_BFLOAT16, -1}, {HEED_UINT32, 1e10}};
    seen got;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample s = {rows[i].dtype,  rows[i].dtype == HEED_UINT32 ? UINT64S : INT32S, 0, {0}, 1,
                    {rows[i].entry}};
        onnx_message m = {0};
        onnx_write_int(&m, 1, 1);
        onnx_write_int(&m, 2, s.dtype);
        onnx_write_int(&m, s.field, (int64_t)s.entries[0]);
        assert_int_equal(read_tensor(&m, &got), HEED_INVALID);
        assert_non_null(strstr(onnx_record_message(), "expected a number from"));
    }
}

static void test_empty_and_scalar(void **state)
{
    seen got;
    onnx_message empty = header(HEED_FLOAT32, 0), scalar = {0}, strings = header(HEED_STRING, 2);
    (void)state;
    assert_int_equal(read_tensor(&empty, &got), HEED_OK);
    assert_int_equal(got.tensor.ndim, 1);
    onnx_write_int(&scalar, 2, HEED_INT64);
    onnx_write_int(&scalar, INT64S, 5);
    assert_int_equal(read_tensor(&scalar, &got), HEED_OK);
    assert_int_equal(got.tensor.ndim, 0);
    assert_int_equal(got.bytes[0], 5);
    onnx_write_bytes(&strings, STRINGS, "a\0b", 3);
    onnx_write_text(&strings, STRINGS, "");
    assert_int_equal(read_tensor(&strings, &got), HEED_OK);
    onnx_message raw = header(HEED_STRING, 1);
    onnx_write_text(&raw, RAW, "abc");
    assert_int_equal(read_tensor(&raw, &got), HEED_INVALID);
}

static void test_bool_bytes_become_0_or_1(void **state)
{
    seen got;
    onnx_message m = header(HEED_BOOL, 3);
    (void)state;
    onnx_write_bytes(&m, RAW, "\x02\x00\xff", 3);
    assert_int_equal(read_tensor(&m, &got), HEED_OK);
    assert_memory_equal(got.bytes, "\x01\x00\x01", 3);
}

static void test_bad_headers(void **state)
{
    seen got;
    onnx_message dtype0 = header(0, 0), dtype27 = header(27, 0), negative = header(1, -1);
    onnx_message huge = header(1, (int64_t)1 << 41), product = header(1, (int64_t)1 << 40);
    onnx_message rank = {0};
    (void)state;
    onnx_write_int(&product, 1, (int64_t)1 << 40);
    for (int i = 0; i < 17; i++)
        onnx_write_int(&rank, 1, 1);
    onnx_write_int(&rank, 2, 1);
    assert_int_equal(read_tensor(&dtype0, &got), HEED_INVALID);
    assert_int_equal(read_tensor(&dtype27, &got), HEED_INVALID);
    assert_int_equal(read_tensor(&negative, &got), HEED_INVALID);
    assert_non_null(strstr(onnx_record_message(), "dims[0]"));
    assert_int_equal(read_tensor(&huge, &got), HEED_INVALID);
    assert_int_equal(read_tensor(&product, &got), HEED_INVALID);
    assert_int_equal(read_tensor(&rank, &got), HEED_UNSUPPORTED);
}

static void test_sequences_and_optionals(void **state)
{
    seen got;
    onnx_message sequence = {0}, optional = {0}, inner = {0}, none = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        onnx_message t = header(HEED_FLOAT32, 0), u = header(HEED_FLOAT32, 0);
        onnx_write_part(&sequence, 3, &t);
        onnx_write_part(&inner, 3, &u);
    }
    assert_int_equal(read_kind(HEED_KIND_SEQUENCE, &sequence, &got), HEED_OK);
    assert_int_equal(got.n, 3);
    onnx_write_part(&optional, 5, &inner);
    assert_int_equal(read_kind(HEED_KIND_OPTIONAL, &optional, &got), HEED_OK);
    assert_int_equal(got.n, 3);
    onnx_write_text(&none, 1, "x");
    assert_int_equal(read_kind(HEED_KIND_OPTIONAL, &none, &got), HEED_OK);
    assert_int_equal(got.n, 0);
}

/* Weights stay where they are: the builder gets an address inside the file. */
static void test_raw_data_is_borrowed(void **state)
{
    onnx_record r;
    float weights[64] = {0};
    onnx_message graph = {0}, raw = header(HEED_FLOAT32, 64), run = header(HEED_FLOAT32, 64);
    (void)state;
    onnx_write_bytes(&raw, RAW, weights, sizeof(weights));
    onnx_write_bytes(&run, FLOATS, weights, sizeof(weights));
    onnx_write_part(&graph, 5, &raw);
    onnx_write_part(&graph, 5, &run);
    onnx_message model = onnx_write_model(&graph, 13);
    onnx_record_open(&r);
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_OK);
    assert_int_equal(r.borrowed_bytes, 2 * sizeof(weights));
    onnx_record_close(&r);
    onnx_write_free(&model);
}

static onnx_message sparse(int64_t dim, int64_t at0, int64_t at1)
{
    onnx_message m = {0}, values = header(HEED_FLOAT32, 2), indices = {0};
    onnx_write_float(&values, FLOATS, 1.5f);
    onnx_write_float(&values, FLOATS, 2.5f);
    onnx_write_int(&indices, 1, 2);
    onnx_write_int(&indices, 2, HEED_INT64);
    onnx_write_int(&indices, INT64S, at0);
    onnx_write_int(&indices, INT64S, at1);
    onnx_write_part(&m, 1, &values);
    onnx_write_part(&m, 2, &indices);
    onnx_write_int(&m, 3, dim);
    return m;
}

static heed_status load_sparse(onnx_record *r, int64_t dim, int64_t at0, int64_t at1)
{
    onnx_message graph = {0}, m = sparse(dim, at0, at1);
    onnx_write_part(&graph, 15, &m);
    onnx_message model = onnx_write_model(&graph, 13);
    onnx_record_open(r);
    heed_status status = onnx_record_load(r, model.bytes, model.size);
    onnx_write_free(&model);
    return status;
}

static void test_sparse_initializers(void **state)
{
    static const int64_t wrong[][3] = {{4, 1, 1}, {4, 3, 1}, {4, 1, 4}, {4, -1, 2}, {-1, 0, 1}};
    onnx_record r;
    (void)state;
    assert_int_equal(load_sparse(&r, 5, 1, 3), HEED_OK);
    assert_true(onnx_record_has(&r, "tensor 0 w float32[5] = 0 1.5 0 2.5 0"));
    onnx_record_close(&r);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(load_sparse(&r, wrong[i][0], wrong[i][1], wrong[i][2]), HEED_INVALID);
        onnx_record_close(&r);
    }
    assert_int_equal(load_sparse(&r, (int64_t)1 << 38, 1, 3), HEED_UNSUPPORTED);
    onnx_record_close(&r);
    assert_int_equal(onnx_record_live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_every_wrong_size),
        cmocka_unit_test(test_every_wrong_field),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_empty_and_scalar),
        cmocka_unit_test(test_bool_bytes_become_0_or_1),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_sequences_and_optionals),
        cmocka_unit_test(test_raw_data_is_borrowed),
        cmocka_unit_test(test_sparse_initializers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
