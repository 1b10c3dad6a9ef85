/* Weights stay where they are: loading a model of 90 MB, opening a session on it and reading rows
 * of its weight takes next to no memory, whether the weight lies in the model's file or beside it.
 * The files are sparse, so that the test costs no disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_write.h"

enum { ROWS = 22500, WIDTH = 1024, ALLOWED = 2 << 20, RESIDENT_ALLOWED = 10 << 20 };
static const uint64_t weight_bytes = (uint64_t)ROWS * WIDTH * sizeof(float);

static char folder[] = "/tmp/heed-load-XXXXXX";
static char model_path[64], data_path[64];

static uint64_t live(void)
{
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    return use.bytes;
}

/* Anonymous resident bytes of this process, which copies would add to. */
static int64_t resident(void)
{
    char line[256];
    long long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %lld kB", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

/* ---- Files ------------------------------------------------------------------------------------
 */

static void write_sparse(const char *path, const onnx_message *start, uint64_t hole)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (start->size)
        assert_int_equal(fwrite(start->bytes, 1, start->size, file), start->size);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), (off_t)(start->size + hole)), 0);
    fclose(file);
}

/* The head of field `field`, whose content is `part` and `hole` bytes that follow in the file. */
static void open_part(onnx_message *to, uint32_t field, onnx_message *part, uint64_t hole)
{
    onnx_write_varint(to, (uint64_t)field << 3 | 2);
    onnx_write_varint(to, part->size + hole);
    onnx_write_raw(to, part->bytes, part->size);
    onnx_write_free(part);
}

static void write_entry(onnx_message *tensor, const char *key, const char *value)
{
    onnx_message entry = {0};
    onnx_write_text(&entry, 1, key);
    onnx_write_text(&entry, 2, value);
    onnx_write_part(tensor, 13, &entry);
}

/* y = Gather(w, ids), with the weight as the last thing in the file, or in another file. */
static void write_model(int external)
{
    onnx_message model = {0}, import = {0}, graph = {0}, tensor = {0}, none = {0};
    onnx_message node = onnx_write_node("Gather(w, ids) -> (y)");
    onnx_message ids = onnx_write_value("ids", HEED_INT64, 1), y = onnx_write_value("y", 0, 0);
    onnx_write_part(&graph, 1, &node);
    onnx_write_text(&graph, 2, "g");
    onnx_write_part(&graph, 11, &ids);
    onnx_write_part(&graph, 12, &y);
    onnx_write_int(&tensor, 1, ROWS);
    onnx_write_int(&tensor, 1, WIDTH);
    onnx_write_int(&tensor, 2, HEED_FLOAT32);
    onnx_write_text(&tensor, 8, "w");
    if (external) {
        write_entry(&tensor, "location", "weights");
        onnx_write_int(&tensor, 14, 1);
    } else {
        open_part(&tensor, 9, &none, weight_bytes);
    }
    uint64_t hole = external ? 0 : weight_bytes;
    open_part(&graph, 5, &tensor, hole);
    onnx_write_int(&model, 1, 10);
    onnx_write_text(&import, 1, "");
    onnx_write_int(&import, 2, 21);
    onnx_write_part(&model, 8, &import);
    open_part(&model, 7, &graph, hole);
    write_sparse(model_path, &model, hole);
    write_sparse(data_path, &none, weight_bytes);
    onnx_write_free(&model);
}

/* ---- Loading ------------------------------------------------------------------------------------
 */

static void must(heed_status status)
{
    if (status)
        fail_msg("%s", heed_error_get()->message);
}

static void load_and_run(int external)
{
    const char *sanitizer = getenv("HEED_SANITIZE");
    const heed_weight_count *weights;
    heed_model *model;
    heed_session *session;
    heed_tensor *in, *out = NULL;
    int64_t ids[] = {0, ROWS - 1};
    write_model(external);
    int64_t before = resident();
    must(heed_model_load(model_path, NULL, &model));
    assert_true(live() < ALLOWED);
    assert_int_equal(heed_model_get_weight_counts(model, &weights), 1);
    assert_int_equal(weights[0].bytes, weight_bytes);
    must(heed_session_new(model, NULL, &session));
    in = heed_tensor_wrap(HEED_INT64, 1, (int64_t[]){2}, ids);
    must(heed_session_run(session, NULL, 1, NULL, &in, 1, NULL, &out));
    assert_int_equal(heed_tensor_get_bytes(out), 2 * WIDTH * sizeof(float));
    assert_true(live() < ALLOWED);
    if (!sanitizer || !*sanitizer)
        assert_true(resident() - before < RESIDENT_ALLOWED);
    heed_tensor_free(in);
    heed_tensor_free(out);
    heed_session_free(session);
    heed_model_free(model);
    heed_shutdown();
    assert_int_equal(live(), 0);
}

static void weights_in_the_file(void **state)
{
    (void)state;
    load_and_run(0);
}

static void weights_beside_it(void **state)
{
    (void)state;
    load_and_run(1);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(model_path, sizeof(model_path), "%s/model.onnx", folder);
    snprintf(data_path, sizeof(data_path), "%s/weights", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(model_path);
    unlink(data_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_in_the_file),
        cmocka_unit_test(weights_beside_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
