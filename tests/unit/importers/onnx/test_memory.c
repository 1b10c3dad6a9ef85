/* Memory: what happens when every single allocation fails in turn, that nothing is kept, and that
 * the importer's own memory does not follow the size of the weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_record.h"
#include "onnx_write.h"

/* A function, a nested graph, old operators, typed data, a sparse tensor: every file of the
 * importer is on the way. */
static onnx_message rich_model(void)
{
    onnx_message graph = {0}, function = {0}, branch = {0}, attr = {0}, tensor = {0};
    const char *const nodes[] = {"Squeeze(x) -> (a) axes=[0,1]", "F(a) -> (b) local",
                                 "Softmax(b) -> (c)", "Clip(c) -> (d) min=0.5",
                                 "Constant() -> (e) value_floats=[1.5,2.5]"};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        onnx_message node = onnx_write_node(nodes[i]);
        onnx_write_part(&graph, 1, &node);
    }
    onnx_message inner = onnx_write_node("Neg(d) -> (n)"), choice = onnx_write_node("If(k) -> (f)");
    onnx_write_part(&branch, 1, &inner);
    onnx_write_text(&attr, 1, "then_branch");
    onnx_write_part(&attr, 6, &branch);
    onnx_write_int(&attr, 20, 5);
    onnx_write_part(&choice, 5, &attr);
    onnx_write_part(&graph, 1, &choice);
    onnx_message x = onnx_write_value("x", 1, 4), body = onnx_write_node("Neg(p) -> (q)");
    onnx_write_part(&graph, 11, &x);
    onnx_write_int(&tensor, 1, 2);
    onnx_write_int(&tensor, 2, HEED_INT8);
    onnx_write_bytes(&tensor, 5, "\x01\x02", 2);
    onnx_write_text(&tensor, 8, "w");
    onnx_write_part(&graph, 5, &tensor);
    onnx_write_text(&function, 1, "F");
    onnx_write_text(&function, 10, "local");
    onnx_write_text(&function, 4, "p");
    onnx_write_text(&function, 5, "q");
    onnx_write_part(&function, 7, &body);
    onnx_message import = {0};
    onnx_write_int(&import, 2, 10);
    onnx_write_part(&function, 9, &import);
    onnx_message model = onnx_write_model(&graph, 10);
    onnx_write_part(&model, 25, &function);
    return model;
}

static void test_every_allocation_fails_once(void **state)
{
    onnx_message model = rich_model();
    heed_status status = HEED_NOMEM;
    long n = 0;
    (void)state;
    for (; status == HEED_NOMEM && n < 1000; n++) {
        onnx_record r;
        onnx_record_open(&r);
        onnx_record_failing = n;
        status = onnx_record_load(&r, model.bytes, model.size);
        onnx_record_failing = -1;
        if (status != HEED_OK && status != HEED_NOMEM)
            fail_msg("allocation %ld: %s", n, r.error);
        onnx_record_close(&r);
        assert_int_equal(onnx_record_live, 0);
    }
    assert_int_equal(status, HEED_OK);
    assert_true(n > 2); /* else nothing has failed */
    onnx_write_free(&model);
}

/* Every shorter file is refused or read, and nothing else. */
static void test_every_truncation(void **state)
{
    onnx_message model = rich_model();
    (void)state;
    for (size_t size = 0; size < model.size; size++) {
        uint8_t *exact = malloc(size + !size); /* so that a sanitizer sees the end */
        if (size)
            memcpy(exact, model.bytes, size);
        onnx_record r;
        onnx_record_open(&r);
        heed_status status = onnx_record_load(&r, exact, size);
        assert_true(status == HEED_OK || status == HEED_INVALID);
        assert_true(status == HEED_OK || strstr(r.error, " at byte "));
        onnx_record_close(&r);
        free(exact);
        assert_int_equal(onnx_record_live, 0);
    }
    onnx_write_free(&model);
}

/* Every byte, with each of some values. */
static void test_every_mutation(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12};
    onnx_message model = rich_model();
    long refused = 0;
    (void)state;
    for (size_t i = 0; i < model.size; i++)
        for (size_t v = 0; v < sizeof(values); v++) {
            uint8_t *exact = malloc(model.size);
            memcpy(exact, model.bytes, model.size);
            exact[i] = values[v];
            onnx_record r;
            onnx_record_open(&r);
            heed_status status = onnx_record_load(&r, exact, model.size);
            refused += status != HEED_OK;
            assert_true(status == HEED_OK || strstr(r.error, " at byte "));
            onnx_record_close(&r);
            free(exact);
            assert_int_equal(onnx_record_live, 0);
        }
    assert_true(refused > 100);
    onnx_write_free(&model);
}

/* 64 MiB of weights are not copied, 1 MiB of empty tensors does not become 152 MiB. */
static void test_memory_follows_metadata(void **state)
{
    size_t size = (size_t)64 << 20;
    onnx_message graph = {0}, tensor = {0}, empty = {0};
    onnx_record r;
    (void)state;
    uint8_t *zeros = calloc(1, size);
    onnx_write_int(&tensor, 1, (int64_t)size);
    onnx_write_int(&tensor, 2, HEED_INT8);
    onnx_write_text(&tensor, 8, "w");
    onnx_write_bytes(&tensor, 9, zeros, size);
    free(zeros);
    onnx_write_part(&graph, 5, &tensor);
    onnx_message model = onnx_write_model(&graph, 13);
    onnx_record_open(&r);
    onnx_record_peak = 0;
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_OK);
    assert_int_equal(r.borrowed_bytes, size);
    assert_true(onnx_record_peak < 1 << 20);
    onnx_record_close(&r);
    onnx_write_free(&model);

    for (int i = 0; i < 1 << 19; i++)
        onnx_write_part(&graph, 5, &empty);
    model = onnx_write_model(&graph, 13);
    onnx_record_open(&r);
    onnx_record_peak = 0;
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_INVALID);
    assert_non_null(strstr(r.error, "messages in proportion to the file"));
    assert_true(onnx_record_peak < 1 << 20);
    onnx_record_close(&r);
    onnx_write_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_mutation),
        cmocka_unit_test(test_memory_follows_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
