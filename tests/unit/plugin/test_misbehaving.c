/* Plugins that break the contract: each is a line of the list and an error of its own, and the
 * process goes on. Then good ones: the template that newcomers copy, and one with two interfaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "plugin/registry.h"

static const struct {
    const char *name, *error;
    bool deadly; /* cannot be loaded by this process itself */
} bad[] = {
    {"no_symbol", "exports no heed_plugin_entry", false},
    {"wrong_abi", "built for ABI 2, this runtime speaks ABI 1 (heed ", false},
    {"small_size", "heed_plugin_entry says that it has 16 bytes, and ABI 1 needs 56", false},
    {"no_name", "heed_plugin_entry has no name", false},
    {"no_get", "heed_plugin_entry has no get", false},
    {"other_name", "calls itself \"somebody_else\": its file must be somebody_else.so", false},
    {"offers_nothing", "offers neither heed.backend/1 nor heed.importer/1", false},
    {"init_fails", "init_fails: the driver is 12 years old", false},
    {"init_silent", "init_silent: init failed (device) and gave no reason", false},
    {"init_crashes", "crashed while it was loaded: Segmentation fault", true},
    {"init_exits", "ended the process while it was loaded (exit status 3)", true},
    {"init_aborts", "crashed while it was loaded: Aborted", true},
    {"kernel_no_run", "kernel 1 (com.example.Half) has no run", false},
    {"kernel_no_op", "kernel 1 has no op", false},
    {"kernel_small", "kernel 1 says that it has 40 bytes", false},
    {"no_kernels", "the backend has no kernels", false},
    {"memory_half", "memory has no alloc, free or copy", false},
    {"importer_half", "the importer has no probe or load", false},
};
enum { BAD = sizeof(bad) / sizeof(bad[0]) };

static const char *folder(void)
{
    static char path[1000];
    const char *build = getenv("HEED_BUILD");
    snprintf(path, sizeof(path), "%s/tests/plugins", build ? build : ".");
    return path;
}

static int use_folder(void **state)
{
    (void)state;
    if (getenv("HEED_BUILD") == NULL) {
        fprintf(stderr, "HEED_BUILD is not set\n");
        return -1;
    }
    return setenv("HEED_PLUGIN_PATH", folder(), 1);
}

/* The entry of a plugin in the last scan. */
static size_t find(const char *name, const char *kind, heed_plugin_info *info)
{
    for (size_t i = 0;; i++) {
        *info = (heed_plugin_info){.size = sizeof(*info)};
        if (heed_plugin_get(i, info) != HEED_OK)
            fail_msg("%s is not in the list", name);
        const char *slash = strrchr(info->path, '/');
        size_t n = strlen(name);
        const char *file = slash ? slash + 1 : info->name;
        if (strncmp(file, name, n) == 0 && strcmp(file + n, slash ? ".so" : "") == 0 &&
            strcmp(info->kind, kind) == 0)
            return i;
    }
}

static void each_is_a_line_of_the_list(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(heed_plugin_scan(&count), HEED_OK);
    assert_true(count >= BAD + 4);
    for (size_t i = 0; i < BAD; i++) {
        heed_plugin_info info;
        find(bad[i].name, "", &info);
        if (!strstr(info.error, bad[i].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].name, info.error, bad[i].error);
        assert_null(strstr(info.error, info.path)); /* said once */
        assert_string_equal(info.name, bad[i].name);
        assert_int_equal(info.offers, 0);
    }
}

static void each_is_an_error_when_it_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < BAD; i++) {
        const plugin_backend *backend = NULL;
        char path[1100];
        if (bad[i].deadly)
            continue;
        assert_int_equal(plugin_open_backend(bad[i].name, &backend), HEED_DEVICE);
        assert_null(backend);
        if (!strstr(err_get()->message, bad[i].error))
            fail_msg("%s: \"%s\"", bad[i].name, err_get()->message);
        snprintf(path, sizeof(path), "%s/%s.so", folder(), bad[i].name);
        assert_int_not_equal(heed_plugin_load(path), HEED_OK);
        assert_non_null(strstr(err_get()->message, bad[i].error));
        assert_non_null(strstr(err_get()->message, bad[i].name));
    }
}

static void a_file_that_is_no_library(void **state)
{
    (void)state;
    char place[] = "/tmp/heed-junk-XXXXXX", path[100];
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/junk.so", place);
    FILE *file = fopen(path, "w");
    fputs("#!/bin/sh\n", file);
    fclose(file);
    assert_int_equal(heed_plugin_load(path), HEED_INVALID);
    assert_non_null(strstr(err_get()->message, "junk.so: "));
    unlink(path);
    rmdir(place);
}

static void a_device_that_does_not_open(void **state)
{
    (void)state;
    heed_plugin_info info;
    const plugin_backend *backend;
    size_t i = find("device_broken", "backend", &info);
    assert_string_equal(info.error, "");
    assert_string_equal(heed_plugin_get_device(i, 0), "a broken device");
    assert_null(heed_plugin_get_device(i, 1));
    assert_int_equal(plugin_open_backend("device_broken:!", &backend), HEED_DEVICE);
    assert_non_null(strstr(err_get()->message, "device 0 is on fire!"));
}

static void the_reference_is_listed_too(void **state)
{
    (void)state;
    heed_plugin_info info;
    size_t i = find("reference", "backend", &info);
    assert_string_equal(info.path, "");
    assert_string_equal(info.version, heed_version());
    assert_int_equal(info.abi, HEED_ABI);
    bool has_matmul = false;
    for (size_t j = 0; j < info.offers; j++)
        has_matmul |= strncmp(heed_plugin_get_offer(i, j), "ai.onnx.MatMul ", 15) == 0;
    assert_true(has_matmul);
    assert_null(heed_plugin_get_offer(i, info.offers));
}

/* ---- Good ones
 * -------------------------------------------------------------------------------------- */

static void one_plugin_may_have_two_interfaces(void **state)
{
    (void)state;
    heed_plugin_info info;
    size_t i = find("lines", "backend", &info);
    assert_string_equal(info.vendor, "tests");
    assert_int_equal(info.offers, 3);
    assert_string_equal(heed_plugin_get_offer(i, 0), "ai.onnx.Relu 1-5");
    assert_string_equal(heed_plugin_get_offer(i, 1), "ai.onnx.Relu 6+");
    assert_string_equal(heed_plugin_get_offer(i, 2), "com.example.Relu 1+");
    assert_string_equal(heed_plugin_get_device(i, 1), "second?line");
    i = find("lines", "importer", &info);
    assert_string_equal(heed_plugin_get_offer(i, 1), ".ln");
    assert_int_equal(heed_plugin_get(1000, &info), HEED_NOTFOUND);
}

static void backends_are_shared(void **state)
{
    (void)state;
    const plugin_backend *plain, *again, *loud;
    char path[1100];
    assert_int_equal(plugin_open_backend("lines", &plain), HEED_OK);
    assert_int_equal(plugin_open_backend("lines", &again), HEED_OK);
    assert_ptr_equal(plain, again);
    snprintf(path, sizeof(path), "%s/lines.so:loud", folder());
    assert_int_equal(plugin_open_backend(path, &loud), HEED_OK);
    assert_ptr_not_equal(plain, loud);
    assert_int_equal(*(int *)plain->device, 2);
    assert_int_equal(plugin_open_backend("lines:soft", &again), HEED_USAGE);
    assert_non_null(strstr(err_get()->message, "no option \"soft\""));
    int *open_devices = plain->device;
    plugin_shutdown();
    assert_int_equal(*open_devices, 0);
    assert_int_equal(plugin_open_backend("lines", &plain), HEED_OK);
}

static void kernels_are_found_by_opset(void **state)
{
    (void)state;
    const plugin_backend *lines;
    assert_int_equal(plugin_open_backend("lines", &lines), HEED_OK);
    const heed_kernel *const *k = lines->api->kernels;
    assert_ptr_equal(plugin_find_kernel(lines, "", "Relu", 5), k[0]);
    assert_ptr_equal(plugin_find_kernel(lines, NULL, "Relu", 6), k[1]);
    assert_ptr_equal(plugin_find_kernel(lines, "ai.onnx", "Relu", 99), k[1]);
    assert_ptr_equal(plugin_find_kernel(lines, "com.example", "Relu", 1), k[2]);
    assert_null(plugin_find_kernel(lines, "", "Relu", 0));
    assert_null(plugin_find_kernel(lines, "", "Relux", 6));
}

static heed_value value_of(int32_t rank, const int64_t *dims, uint8_t code)
{
    return (heed_value){.size = sizeof(heed_value),
                        .dtype = {.code = code, .bits = 32, .lanes = 1},
                        .ndim = rank,
                        .dims = dims};
}

static void the_template_refuses_with_reasons(void **state)
{
    (void)state;
    const plugin_backend *tiny;
    const int64_t dims[] = {2, 3}, other[] = {2, -1};
    heed_value a = value_of(2, dims, kDLFloat), b = value_of(2, other, kDLFloat);
    heed_value ints = value_of(2, dims, kDLInt), vector = value_of(1, dims, kDLFloat);
    const heed_value *in[] = {&a, &a};
    heed_node node = {.size = sizeof(node), .n_in = 2, .in = in};
    assert_int_equal(plugin_open_backend("tiny", &tiny), HEED_OK);
    const heed_kernel *add = plugin_find_kernel(tiny, "", "Add", 14);
    const heed_kernel *matmul = plugin_find_kernel(tiny, "", "MatMul", 13);
    assert_int_equal(add->accepts(tiny->device, &node), HEED_OK);
    in[1] = &b;
    assert_int_equal(add->accepts(tiny->device, &node), HEED_UNSUPPORTED);
    assert_string_equal(err_get()->message, "broadcasting, or a shape that is not known yet");
    assert_int_equal(matmul->accepts(tiny->device, &node), HEED_OK);
    in[1] = &vector;
    assert_int_equal(matmul->accepts(tiny->device, &node), HEED_UNSUPPORTED);
    assert_string_equal(err_get()->message, "ranks are 2 and 1, not 2");
    in[1] = &ints;
    assert_int_equal(add->accepts(tiny->device, &node), HEED_UNSUPPORTED);
    assert_string_equal(err_get()->message, "input 1 is not float32");
}

static void the_template_computes(void **state)
{
    (void)state;
    const plugin_backend *tiny;
    float a[] = {9, 1, -2, 3, 4, 5, 6}, b[] = {1, 0, 0, 1, 1, 1}, y[4] = {7, 7, 7, 7};
    int64_t a_dims[] = {2, 3}, b_dims[] = {3, 2}, y_dims[] = {2, 2};
    DLDataType f32 = {.code = kDLFloat, .bits = 32, .lanes = 1};
    DLTensor at = {.data = a, .ndim = 2, .dtype = f32, .shape = a_dims, .byte_offset = 4};
    DLTensor bt = {.data = b, .ndim = 2, .dtype = f32, .shape = b_dims};
    DLTensor yt = {.data = y, .ndim = 2, .dtype = f32, .shape = y_dims};
    const DLTensor *in[] = {&at, &bt};
    DLTensor *out[] = {&yt};
    heed_call call = {.size = sizeof(call), .n_in = 2, .n_out = 1, .in = in, .out = out};
    assert_int_equal(plugin_open_backend("tiny", &tiny), HEED_OK);
    assert_int_equal(plugin_find_kernel(tiny, "", "MatMul", 13)->run(&call), HEED_OK);
    const float expected[] = {4, 1, 10, 11};
    assert_memory_equal(y, expected, sizeof(y));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_a_line_of_the_list),
        cmocka_unit_test(each_is_an_error_when_it_is_asked_for),
        cmocka_unit_test(a_file_that_is_no_library),
        cmocka_unit_test(a_device_that_does_not_open),
        cmocka_unit_test(the_reference_is_listed_too),
        cmocka_unit_test(one_plugin_may_have_two_interfaces),
        cmocka_unit_test(backends_are_shared),
        cmocka_unit_test(kernels_are_found_by_opset),
        cmocka_unit_test(the_template_refuses_with_reasons),
        cmocka_unit_test(the_template_computes),
    };
    int failed = cmocka_run_group_tests(tests, use_folder, NULL);
    plugin_shutdown();
    return failed;
}
